"""What networks draw for themselves in training."""

from typing import Any

import pytorch_lightning as pl
import torch

from avatar_exp.diffusion.draws import sample_number, seed_of
from avatar_exp.training.run import Run


class SeedDropout(pl.Callback):
    """Dropout draws from the global generator: before each micro-batch that is set by seed and number of the batch.

    So this too is a function and no state: a resumed run goes on as if it had never stopped, and pictures that are
    drawn on the way disturb nothing.
    """

    def __init__(self, run: Run) -> None:
        self.run = run

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Set the generators of all devices."""
        accumulate = trainer.accumulate_grad_batches
        number = sample_number(
            trainer.global_step, batch_idx % accumulate, trainer.global_rank, 0,
            accumulate=accumulate, batch=1, world=trainer.world_size,
        )  # fmt: skip
        torch.manual_seed(seed_of(self.run.seed, number, "dropout"))
