"""Callbacks that make something happen to a run: named by ``_target_``, as a user's own would be."""

from typing import Any

import pytorch_lightning as pl
import torch

from avatar_exp.training.callbacks.every import EverySteps
from avatar_exp.training.run import Run


class Raise(pl.Callback):
    """Ends a run after ``step`` optimizer steps; not when it goes on."""

    def __init__(self, step: int, error: str = "RuntimeError") -> None:
        self.step, self.error = step, {"RuntimeError": RuntimeError, "KeyboardInterrupt": KeyboardInterrupt}[error]

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step == self.step and trainer.ckpt_path is None:
            raise self.error(f"stopped on purpose after step {self.step}")


class Poison(pl.Callback):
    """One weight stops being a number after the first step, as a diverging run's would."""

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, *_: Any) -> None:
        with torch.no_grad():
            module.components.unet.conv_in.weight[0, 0, 0, 0] = torch.nan


class Scored(EverySteps):
    """Scores that are known beforehand: 0.5 at step 1, then less with every step."""

    def __init__(self, run: Run, every: int, **_: Any) -> None:
        super().__init__(every=1)
        self.run = run

    def at_step(self, trainer: pl.Trainer, module: pl.LightningModule, step: int) -> None:
        self.run.scores[step] = {"score/identity": 0.5 / step}
        self.run.folder.update(scores={str(s): values for s, values in self.run.scores.items()})
