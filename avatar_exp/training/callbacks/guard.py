"""Stops a run in half precision that no longer learns."""

from typing import Any

import pytorch_lightning as pl
import torch

from avatar_exp.errors import UserError
from avatar_exp.training.module import DreamBooth

PATIENCE = 10


class Guard(pl.Callback):
    """fp16's loss scaler skips an update whose gradients overflow, and expects to now and then; ten in a row it
    does not. (A loss that is not finite stops the run at once, in the module.)"""

    def __init__(self, patience: int = PATIENCE) -> None:
        self.patience, self.skipped = patience, 0

    def on_train_batch_end(  # type: ignore[override]
        self, trainer: pl.Trainer, pl_module: DreamBooth, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count updates that were skipped in a row.

        Raises:
            UserError: after ``patience`` of them.
        """
        if trainer.precision != "16-mixed" or (batch_idx + 1) % trainer.accumulate_grad_batches:
            return
        self.skipped = 0 if torch.isfinite(pl_module.gradient_norm) else self.skipped + 1
        if self.skipped >= self.patience:
            raise UserError(
                f"{self.skipped} updates in a row were skipped for overflowing fp16 gradients (step "
                f"{trainer.global_step}); precision=bf16-mixed or 32-true does not overflow, a lower lr may help"
            )
