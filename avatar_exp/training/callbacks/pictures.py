"""The same prompts and seeds at step 0 and every N steps: pictures, their grid, and their copies in the loggers."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import pytorch_lightning as pl
from PIL import Image

from avatar_exp.pictures import grid, open_picture, read_record, save_picture
from avatar_exp.run_folder import RunFolder, append_line, read_lines
from avatar_exp.sampling import Record, Request, sample, stored_pictures
from avatar_exp.training.callbacks.every import EverySteps
from avatar_exp.training.run import Run, Sample, TakesPictures

MOST_ROWS = 24  # of a grid: more cannot be looked at, and a picture has limits too


class Pictures(EverySteps):
    """Draws ``seeds`` pictures of every prompt; step 0, the base's, come from the store.

    The first prompts of a concept are its own ``sample_prompts``, if it has any, instead of ``prompts``.
    """

    def __init__(
        self, run: Run, every: int, prompts: Sequence[str], seeds: int, sampler: Mapping[str, Any], batch_size: int
    ) -> None:
        super().__init__(every)
        self.run, self.prompts, self.seeds, self.batch_size = run, list(prompts), seeds, batch_size
        self.sampler = dict(sampler)

    def requests(self) -> list[tuple[int, Request]]:
        """(concept, request), prompt by prompt."""
        side = self.run.resolution
        return [
            (number, Request(concept.fill(prompt), self.run.seed + k, height=side, width=side, **self.sampler))
            for number, concept in enumerate(self.run.concepts)
            for prompt in concept.sample_prompts or self.prompts
            for k in range(self.seeds)
        ]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Row 0 of the grid: the base before it has seen a photo."""
        if self.every and trainer.global_step == 0 and trainer.is_global_zero:
            self.draw_base(trainer)
        trainer.strategy.barrier()

    def draw_base(self, trainer: pl.Trainer) -> None:
        """The base's pictures, from the store or drawn once for all runs."""
        wanted = self.requests()
        with self.run.phases.phase("base pictures") as tick:
            requests = [request for _, request in wanted]
            files = stored_pictures(self.run.components, self.run.store, requests, self.batch_size, tick)
        images, records = [open_picture(file) for file in files], [read_record(file) for file in files]
        self._keep(trainer, 0, wanted, images, records)

    def at_step(self, trainer: pl.Trainer, module: Any, step: int) -> None:
        """Draw with the weights as they are, or with their average where there is one; rank 0 draws, others wait."""
        if trainer.is_global_zero:
            wanted = self.requests()
            with self.run.phases.phase("pictures", announce=False) as tick:
                images, records = [], []
                with module.average.applied() if module.average else nullcontext():
                    drawn = sample(self.run.components, [request for _, request in wanted], self.batch_size)
                    for done, (image, record) in enumerate(drawn, 1):
                        images.append(image)
                        records.append(record)
                        tick(done, len(wanted))
            self._keep(trainer, step, wanted, images, records)
        trainer.strategy.barrier()

    def _keep(
        self,
        trainer: pl.Trainer,
        step: int,
        wanted: Sequence[tuple[int, Request]],
        images: Sequence[Image.Image],
        records: Sequence[Record],
    ) -> None:
        """Files, records, grid, loggers, and the newest pictures for the scores."""
        for number, (image, record) in enumerate(zip(images, records, strict=True)):
            path = self.run.folder.step_samples(step) / f"{number // self.seeds:02d}_{number % self.seeds}.png"
            save_picture(image, path, {**record, "step": step})
            row = {"step": step, "file": str(path.relative_to(self.run.folder.path)), **record}
            append_line(self.run.folder.records, row)
        self.run.samples = {
            step: [Sample(c, r.prompt, r.seed, image) for (c, r), image in zip(wanted, images, strict=True)]
        }
        overview = grid_of(self.run.folder)
        overview.save(self.run.folder.grid)
        shown: dict[str, list[Image.Image]] = {"samples/grid": [overview]}
        for (_, request), image in zip(wanted, images, strict=True):
            shown.setdefault(f"samples/{request.prompt}", []).append(image)
        for logger in trainer.loggers:
            if isinstance(logger, TakesPictures):
                logger.log_pictures(step, shown)


def grid_of(folder: RunFolder, cell: int = 160) -> Image.Image:
    """Rows: the steps on disk, evenly thinned to ``MOST_ROWS``; columns: the prompts, each with its first seed."""
    rows: dict[int, dict[str, str]] = {}
    for record in read_lines(folder.records):
        rows.setdefault(record["step"], {}).setdefault(record["prompt"], record["file"])
    prompts = list(rows[min(rows)]) if rows else []
    steps = sorted(rows)
    if len(steps) > MOST_ROWS:
        steps = [steps[round(n * (len(steps) - 1) / (MOST_ROWS - 1))] for n in range(MOST_ROWS)]
    pictures = [[open_picture(folder.path / rows[s][p]) for p in prompts if p in rows[s]] for s in steps]
    titles = ["base" if step == 0 else f"step {step}" for step in steps]
    return grid(pictures, titles, prompts, cell)
