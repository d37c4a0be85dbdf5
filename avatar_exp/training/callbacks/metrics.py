"""Numbers: means over the steps since the last line, to metrics.jsonl and to every logger."""

import math
import time
from collections import defaultdict
from collections.abc import Collection
from statistics import fmean
from typing import Any

import pytorch_lightning as pl
import torch

from avatar_exp.run_folder import append_line
from avatar_exp.training.callbacks.every import is_due
from avatar_exp.training.module import DreamBooth
from avatar_exp.training.run import Run


def log_metrics(trainer: pl.Trainer, run: Run, step: int, metrics: dict[str, float]) -> None:
    """One row, to the run folder and to the loggers. A value that is not finite is left out: JSON has none."""
    finite = {key: value for key, value in metrics.items() if math.isfinite(value)}
    append_line(run.folder.metrics, {"step": step, **finite})
    for logger in trainer.loggers:
        logger.log_metrics(finite, step=step)


class Metrics(pl.Callback):
    """Logs train/* every N steps: the mean over these steps, not the last one's value."""

    def __init__(self, run: Run, every: int) -> None:
        self.run, self.every = run, every
        self._values: dict[str, list[torch.Tensor | float]] = defaultdict(list)  # since the last row
        self._images, self._seconds, self._started = 0, 0.0, 0.0

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Pictures and scores between two steps are not training: the clock leaves them out."""
        self._started = time.monotonic()

    def on_train_batch_end(  # type: ignore[override]
        self, trainer: pl.Trainer, pl_module: DreamBooth, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Collect; at a due step, log the means."""
        self._seconds += time.monotonic() - self._started
        for name, value in outputs.items():
            if name != "loss":  # that one Lightning has divided by the accumulation
                self._values[name].append(value)
        self._images += len(batch["is_prior"]) * trainer.world_size
        if (batch_idx + 1) % trainer.accumulate_grad_batches:
            return
        self._values["train/grad_norm"].append(pl_module.gradient_norm)
        step = trainer.global_step
        if is_due(step, self.every, trainer.max_steps):
            if trainer.is_global_zero:
                log_metrics(trainer, self.run, step, self._means(trainer, pl_module.learning))
            self._values.clear()
            self._images, self._seconds = 0, 0.0

    def state_dict(self) -> dict[str, Any]:
        """What was collected since the last row, so that a resumed run writes the rows of an uninterrupted one."""
        return {
            "values": {name: [float(one) for one in values] for name, values in self._values.items()},
            "images": self._images,
            "seconds": self._seconds,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on collecting."""
        self._values = defaultdict(list, state_dict["values"])
        self._images, self._seconds = state_dict["images"], state_dict["seconds"]

    def _means(self, trainer: pl.Trainer, learning: Collection[str]) -> dict[str, float]:
        """The mean of each value, the learning rates in force (0 of a network that was stopped), and the speed."""
        row = {name: fmean(float(value) for value in values) for name, values in self._values.items()}
        for group in trainer.optimizers[0].param_groups:
            name = "train/lr" if group["name"] == "unet" else f"train/lr_{group['name']}"
            row[name] = group["lr"] if group["name"] in learning else 0.0
        row["train/images_per_s"] = self._images / max(self._seconds, 1e-9)
        return row
