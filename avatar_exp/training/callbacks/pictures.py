"""The same prompts and seeds at step 0 and every N steps: pictures, their grid, and their copies in the loggers."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import pytorch_lightning as pl
from PIL import Image

from avatar_exp.pictures import grid, open_picture, read_record, save_picture
from avatar_exp.run_folder import RunFolder, append_line, read_lines
from avatar_exp.sampling import Record, Request, draw_all, stored_pictures
from avatar_exp.training.callbacks.every import EverySteps
from avatar_exp.training.run import Run, Sample, TakesPictures

MOST_ROWS = 24  # of a grid: more cannot be looked at, and a picture has limits too


@dataclass(frozen=True)
class Wanted:
    """A picture to be drawn, and what it is of."""

    concept: int
    prompt_number: int
    request: Request
    of_class: bool = False


@dataclass(frozen=True)
class Series:
    """The prompts and seeds of every step: a concept's own ``sample_prompts``, if it has any, else ``prompts``."""

    run: Run
    prompts: Sequence[str]
    seeds: int
    sampler: Mapping[str, Any]
    offset: int = 0  # of the seeds from the run's

    def wanted(self, of_class: bool = False) -> list[Wanted]:
        """Concept by concept, prompt by prompt; ``of_class``: for anyone of the class."""
        side, first = self.run.resolution, self.run.seed + self.offset
        return [
            Wanted(number, place, Request(text, first + k, height=side, width=side, **self.sampler), of_class)
            for number, concept in enumerate(self.run.concepts)
            for place, prompt in enumerate(concept.sample_prompts or self.prompts)
            for text in [concept.of_class(prompt) if of_class else concept.fill(prompt)]
            for k in range(self.seeds)
        ]

    def of_class(self, count: int) -> list[Wanted]:
        """For each concept ``count`` pictures of the class: the prompts in turn, each picture with a seed of its own.

        Pictures that begin with the same noise are too much alike to tell what has become of everybody.
        """
        found = []
        for number in range(len(self.run.concepts)):
            own = [one for one in self.wanted(of_class=True) if one.concept == number][:: self.seeds]
            for k in range(count):
                one = own[k % len(own)]
                found.append(replace(one, request=replace(one.request, seed=self.run.seed + self.offset + k)))
        return found


class Pictures(EverySteps):
    """Draws ``seeds`` pictures of every prompt, and some of the class; step 0, the base's, come from the store."""

    def __init__(
        self,
        run: Run,
        every: int,
        prompts: Sequence[str],
        seeds: int,
        sampler: Mapping[str, Any],
        batch_size: int,
        class_pictures: int = 0,
    ) -> None:
        super().__init__(every)
        self.run, self.seeds, self.batch_size = run, seeds, batch_size
        self.series, self.class_pictures = Series(run, list(prompts), seeds, dict(sampler)), class_pictures

    def wanted(self) -> list[Wanted]:
        """All pictures of a step: those of the subject first."""
        return [*self.series.wanted(), *self.series.of_class(self.class_pictures)]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Row 0 of the grid: the base before it has seen a photo."""
        if self.every and trainer.global_step == 0 and trainer.is_global_zero:
            self.draw_base(trainer)
        trainer.strategy.barrier()

    def draw_base(self, trainer: pl.Trainer) -> None:
        """The base's pictures, from the store or drawn once for all runs."""
        wanted = self.wanted()
        with self.run.phases.phase("base pictures") as tick:
            requests = [one.request for one in wanted]
            files = stored_pictures(self.run.components, self.run.store, requests, self.batch_size, tick)
        images, records = [open_picture(file) for file in files], [read_record(file) for file in files]
        self._keep(trainer, 0, wanted, images, records)

    def at_step(self, trainer: pl.Trainer, module: Any, step: int) -> None:
        """Draw with the weights as they are, or with their average where there is one; rank 0 draws, others wait."""
        if trainer.is_global_zero:
            wanted = self.wanted()
            with self.run.phases.phase("pictures", announce=False) as tick:
                requests = [one.request for one in wanted]
                with module.average.applied() if module.average else nullcontext():
                    drawn = draw_all(self.run.components, requests, self.batch_size, tick)
            self._keep(trainer, step, wanted, [image for image, _ in drawn], [record for _, record in drawn])
        trainer.strategy.barrier()

    def _keep(
        self,
        trainer: pl.Trainer,
        step: int,
        wanted: Sequence[Wanted],
        images: Sequence[Image.Image],
        records: Sequence[Record],
    ) -> None:
        """Files, records, grid, loggers, and the newest pictures for the scores."""
        subjects, samples = sum(not one.of_class for one in wanted), []
        for number, (one, image, record) in enumerate(zip(wanted, images, records, strict=True)):
            place = number - subjects if one.of_class else number
            name = f"class_{place:02d}.png" if one.of_class else f"{place // self.seeds:02d}_{place % self.seeds}.png"
            path = self.run.folder.step_samples(step) / name
            save_picture(image, path, {**record, "step": step})
            file = str(path.relative_to(self.run.folder.path))
            row = {"step": step, "file": file, **record}
            append_line(self.run.folder.class_records if one.of_class else self.run.folder.records, row)
            told = (one.concept, one.request.prompt, one.request.seed, image, one.prompt_number, one.of_class)
            samples.append(Sample(*told, file))
        self.run.samples = {step: samples}
        overview = grid_of(self.run.folder)
        overview.save(self.run.folder.grid)
        shown: dict[str, list[Image.Image]] = {"samples/grid": [overview]}
        for one, image in zip(wanted, images, strict=True):
            shown.setdefault(f"samples/{'class/' * one.of_class}{one.request.prompt}", []).append(image)
        for logger in trainer.loggers:
            if isinstance(logger, TakesPictures):
                logger.log_pictures(step, shown)


def grid_of(folder: RunFolder, cell: int = 160) -> Image.Image:
    """Rows: the steps on disk, evenly thinned to ``MOST_ROWS``; columns: the prompts, each with its first seed.

    Of a run with one prompt the columns are its seeds.
    """
    rows: dict[int, dict[str, str]] = {}
    records = list(read_lines(folder.records))
    alone = len({record["prompt"] for record in records}) == 1
    for record in records:
        column = f"{record['prompt']}, seed {record['seed']}" if alone else record["prompt"]
        rows.setdefault(record["step"], {}).setdefault(column, record["file"])
    columns = list(rows[min(rows)]) if rows else []
    steps = sorted(rows)
    if len(steps) > MOST_ROWS:
        steps = [steps[round(n * (len(steps) - 1) / (MOST_ROWS - 1))] for n in range(MOST_ROWS)]
    pictures = [[open_picture(folder.path / rows[s][one]) for one in columns if one in rows[s]] for s in steps]
    titles = ["base" if step == 0 else f"step {step}" for step in steps]
    return grid(pictures, titles, columns, cell)
