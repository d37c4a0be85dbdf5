"""Resumable state, written whole or not at all."""

import os
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from avatar_exp.training.callbacks.every import EverySteps
from avatar_exp.training.run import Run


class StreamedCheckpointIO(TorchCheckpointIO):
    """Writes to the file as it goes. Lightning's own builds the whole file in memory first: 6 GB for SD 1.5.

    That the file appears whole is the callback's care.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """``torch.save`` to a local path."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        torch.save(checkpoint, path)


class Checkpoint(EverySteps):
    """Writes checkpoints/last.ckpt every N optimizer steps: trained weights, optimizer, schedule, scaler, average.

    Only at the boundary of a step: within one, half of an accumulated gradient would be lost.
    """

    def __init__(self, run: Run, every: int) -> None:
        super().__init__(every)
        self.run = run

    def at_step(self, trainer: pl.Trainer, module: pl.LightningModule, step: int) -> None:
        """Temporary name, then rename: a killed run leaves the previous state, never a broken one."""
        path = self.run.folder.checkpoint
        with self.run.phases.phase("checkpoints", announce=False):
            temporary = path.with_suffix(".part")
            trainer.save_checkpoint(temporary)
            if trainer.is_global_zero:
                os.replace(temporary, path)
                self.run.folder.update(steps_done=step)
                self._forget()

    def _forget(self) -> None:
        """Nobody goes back to before this checkpoint: of the best steps so far only the best one is still wanted."""
        best = self.run.folder.info.get("best_step")
        for step, file in self.run.folder.incumbents.items():
            if step != best:
                file.unlink()
