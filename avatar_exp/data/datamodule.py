"""Batches as a function of the step: an endless dataset that can start at any one of them.

Lightning 2.6 restores ``global_step`` before it asks for the dataloader, so a resumed run goes on with the very sample
it would have seen. Nothing of the order is saved, and nothing needs to be.
"""

from collections.abc import Iterator, Sequence

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from avatar_exp.data.boxes import mirrored_box
from avatar_exp.data.latents import Moments
from avatar_exp.data.training_set import Example, TrainingSet
from avatar_exp.diffusion.draws import draw, sample_number, shuffled_index

Batch = dict[str, Tensor]


class SampleStream(IterableDataset[Batch]):
    """The micro-batches of one process from ``first_step`` on, for ever.

    A batch has B photos, then B prior pictures if there are any; ``row`` says what of each. Concepts take turns.
    """

    def __init__(
        self,
        sets: Sequence[TrainingSet],
        *,
        seed: int,
        batch_size: int,
        timesteps: int,
        flip: bool = False,
        caption_dropout: float = 0.0,
        first_step: int = 0,
        accumulate: int = 1,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        if len({bool(one.prior) for one in sets}) > 1:
            raise ValueError("some concepts have prior pictures and some have none: their losses could not be compared")
        if caption_dropout and any(one.empty is None for one in sets):
            raise ValueError(f"caption_dropout={caption_dropout} needs training sets with the empty prompt's words")
        self.sets, self.seed, self.batch_size, self.timesteps = sets, seed, batch_size, timesteps
        self.flip, self.caption_dropout = flip, caption_dropout
        self.first_step, self.accumulate, self.rank, self.world = first_step, accumulate, rank, world

    def __iter__(self) -> Iterator[Batch]:
        micro_batch = self.first_step * self.accumulate
        while True:
            step, micro = divmod(micro_batch, self.accumulate)
            dealt = {"accumulate": self.accumulate, "batch": self.batch_size, "world": self.world}
            yield self.batch([sample_number(step, micro, self.rank, i, **dealt) for i in range(self.batch_size)])
            micro_batch += 1

    def batch(self, numbers: Sequence[int]) -> Batch:
        """The batch of the samples with these numbers: first their photos, then their prior pictures."""
        rows = [self.row(n, is_prior=False) for n in numbers]
        if self.sets[0].prior:
            rows += [self.row(n, is_prior=True) for n in numbers]
        return {name: torch.stack([row[name] for row in rows]) for name in rows[0]}

    def row(self, n: int, is_prior: bool) -> Batch:
        """Sample ``n``, its photo or its prior picture, with everything that is drawn for it."""
        turn, which = divmod(n, len(self.sets))
        examples = self.sets[which].prior if is_prior else self.sets[which].instance
        example = examples[shuffled_index(self.seed, turn, "prior" if is_prior else "photo", len(examples))]
        slot = 2 * n + is_prior  # photo and prior of one sample draw apart: a run without prior sees the same photos
        shown, face = self._shown(example, slot)
        shape = shown.mean.shape
        return {
            "mean": shown.mean,
            "log_variance": shown.log_variance,
            "posterior_noise": torch.randn(shape, generator=draw(self.seed, slot, "posterior")),
            "noise": torch.randn(shape, generator=draw(self.seed, slot, "noise")),
            "offset": torch.randn((shape[0], 1, 1), generator=draw(self.seed, slot, "offset")),
            "timesteps": torch.randint(0, self.timesteps, (), generator=draw(self.seed, slot, "timestep")),
            "text": self._words(example, self.sets[which].empty, slot),
            "face": face,
            "is_prior": torch.tensor(is_prior),
        }

    def _shown(self, example: Example, slot: int) -> tuple[Moments, Tensor]:
        """The picture and the box of its face, or both mirrored."""
        if self.flip and example.mirrored and torch.rand((), generator=draw(self.seed, slot, "flip")) < 0.5:
            return example.mirrored, mirrored_box(example.face)
        return example.moments, example.face

    def _words(self, example: Example, empty: Tensor | None, slot: int) -> Tensor:
        """Its words, or at times those of the empty prompt (Ho & Salimans 2022, "Classifier-Free Guidance", alg. 1).

        Prior pictures lose theirs as often: otherwise the empty prompt would come to mean the subject, and guidance
        leads away from what the empty prompt means.
        """
        if empty is not None and torch.rand((), generator=draw(self.seed, slot, "caption")) < self.caption_dropout:
            return empty
        return example.text


class DreamBoothData(pl.LightningDataModule):
    """Serves the training sets to Lightning."""

    def __init__(
        self,
        resolution: int | None = None,
        holdout: int = 0,
        flip: bool = False,
        caption_dropout: float = 0.0,
        *,
        sets: Sequence[TrainingSet] = (),
        seed: int = 1337,
        batch_size: int = 1,
        timesteps: int = 1000,
    ) -> None:
        """Args as in the config groups; ``sets`` were made at ``resolution`` and without the ``holdout`` photos."""
        super().__init__()
        self.resolution, self.holdout, self.flip, self.caption_dropout = resolution, holdout, flip, caption_dropout
        if len({bool(one.prior) for one in sets}) > 1:
            raise ValueError("some concepts have prior pictures and some have none: their losses could not be compared")
        self.sets, self.seed, self.batch_size, self.timesteps = sets, seed, batch_size, timesteps

    def train_dataloader(self) -> DataLoader[Batch]:
        """From the step that the trainer is at. No workers: a batch is a few lookups and small random tensors."""
        assert self.trainer is not None
        stream = SampleStream(
            self.sets,
            seed=self.seed,
            batch_size=self.batch_size,
            timesteps=self.timesteps,
            flip=self.flip,
            caption_dropout=self.caption_dropout,
            first_step=self.trainer.global_step,
            accumulate=self.trainer.accumulate_grad_batches,
            rank=self.trainer.global_rank,
            world=self.trainer.world_size,
        )
        return DataLoader(stream, batch_size=None)
