"""How far training is: Lightning's Rich bar in a terminal, a plain line every 30 seconds elsewhere."""

import logging
import sys
import time
from typing import Any

import pytorch_lightning as pl

from avatar_exp.errors import counted
from avatar_exp.progress import Ticker
from avatar_exp.training.run import Run

log = logging.getLogger("avatar_exp")


class Progress(pl.Callback):
    """Times the phase ``training`` too: everything between two steps that is not another phase's."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.ticker: Ticker | None = None
        self._started = 0.0
        self._others = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The clock starts when the base's pictures are drawn and scored (this callback comes last)."""
        self.ticker = Ticker("training")
        self._started, self._others = time.monotonic(), self._other_seconds()
        self._first_step = trainer.global_step

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Say how far it is, where no bar does."""
        if batch_idx == 0:
            self.run.folder.update(first_step_seconds=self.run.phases.elapsed)
        if self.ticker and self.ticker.is_due and not sys.stdout.isatty():
            done = trainer.global_step - self._first_step
            self.ticker(done, trainer.max_steps - self._first_step, f"loss {float(outputs['train/loss']):.4f}")

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Book the time."""
        seconds = time.monotonic() - self._started - (self._other_seconds() - self._others)
        self.run.phases.add("training", seconds)
        log.info("training: %.1f s, %s", seconds, counted(trainer.global_step - self._first_step, "step"))

    def _other_seconds(self) -> float:
        return sum(self.run.phases.seconds.values())
