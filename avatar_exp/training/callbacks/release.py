"""Frees what only training needs."""

from typing import Any

import pytorch_lightning as pl

from avatar_exp.training.run import Run


class Release(pl.Callback):
    """When training has ended, however it did, gradients and moments are dropped.

    Lightning would take them off the GPU into the host's memory, which may not hold them (adamw: 8 bytes a weight), and
    the process be killed after all its steps, or before it has said why it stops.
    """

    def __init__(self, run: Run) -> None:
        self.run = run

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """All steps are done."""
        release(trainer, pl_module)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """An error, or Ctrl+C."""
        release(trainer, pl_module)


def release(trainer: Any, module: pl.LightningModule) -> None:
    """Forget the optimizer and its gradients; nothing can be trained with this trainer any more."""
    module.zero_grad(set_to_none=True)
    trainer.strategy.optimizers = []
    trainer.strategy.lr_scheduler_configs = []
