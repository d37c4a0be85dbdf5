"""Numbers: means over the steps since the last line, to metrics.jsonl and to every logger."""

import math
import time
from collections import defaultdict
from typing import Any

import pytorch_lightning as pl
import torch

from avatar_exp.run_folder import append_line
from avatar_exp.training.callbacks.every import is_due
from avatar_exp.training.run import Run


def log_metrics(trainer: pl.Trainer, run: Run, step: int, metrics: dict[str, float]) -> None:
    """One row, to the run folder and to the loggers. A value that is not finite is left out: JSON has none."""
    finite = {key: value for key, value in metrics.items() if math.isfinite(value)}
    append_line(run.folder.metrics, {"step": step, **finite})
    for logger in trainer.loggers:
        logger.log_metrics(finite, step=step)


class Metrics(pl.Callback):
    """Logs train/* every ``trainer.log_every_n_steps`` steps: the mean over these steps, not the last one's value."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._values: dict[str, list[torch.Tensor]] = defaultdict(list)
        self._images, self._started = 0, time.monotonic()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._started = time.monotonic()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Pictures and scores between two steps are not training: the clock leaves them out."""
        if not self._images:
            self._started = time.monotonic()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Collect; at a due step, log the means."""
        for name, value in outputs.items():
            self._values[f"train/{name}"].append(value.detach())
        self._images += len(batch["is_prior"]) * trainer.world_size
        if (batch_idx + 1) % trainer.accumulate_grad_batches:
            return
        self._values["train/grad_norm"].append(pl_module.gradient_norm)
        step = trainer.global_step
        if is_due(step, trainer.log_every_n_steps, trainer.max_steps):
            if trainer.is_global_zero:
                log_metrics(trainer, self.run, step, self._means(trainer))
            self._values.clear()
            self._images = 0

    def _means(self, trainer: pl.Trainer) -> dict[str, float]:
        """The mean of each value, the learning rates in force, and the speed."""
        row = {name: float(torch.stack([v.float() for v in values]).mean()) for name, values in self._values.items()}
        for group in trainer.optimizers[0].param_groups:
            row["train/lr" if group["name"] == "unet" else f"train/lr_{group['name']}"] = group["lr"]
        row["train/images_per_s"] = self._images / max(time.monotonic() - self._started, 1e-9)
        return row
