"""Doing something after every N optimizer steps, and after the last."""

from typing import Any

import pytorch_lightning as pl


def is_due(step: int, every: int, last: int) -> bool:
    """Whether ``step`` is a multiple of ``every``, or the last one; never if ``every`` is 0."""
    return every > 0 and (step == last or step % every == 0)


class EverySteps(pl.Callback):
    """Calls ``at_step`` after every due optimizer step, once, however many micro-batches a step has."""

    def __init__(self, every: int) -> None:
        self.every = every

    def at_step(self, trainer: pl.Trainer, module: pl.LightningModule, step: int) -> None:
        """What to do when ``step`` optimizer steps are done."""
        raise NotImplementedError

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Asks at the boundary of a step only."""
        stepped = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        if stepped and is_due(trainer.global_step, self.every, trainer.max_steps):
            self.at_step(trainer, pl_module, trainer.global_step)
