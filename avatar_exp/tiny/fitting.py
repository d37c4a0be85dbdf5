"""One Lightning loop for every part: cosine schedule, averaged weights, resume at any moment, plain lines.

All randomness of a step is drawn from the step's number (``avatar_exp.diffusion.draws``) and nothing depends on the
wall clock but when things are printed and saved, so an interrupted run ends with the weights of an uninterrupted one.
"""

import itertools
import logging
import math
import os
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from avatar_exp.diffusion.draws import Stream, draw
from avatar_exp.tiny.bench import SEED, Bench, Figures, Settings
from avatar_exp.tiny.muon import Muon, split

CHECKPOINT_SECONDS = 120.0
LINE_SECONDS = 30.0


def generator_of(step: int, stream: Stream) -> torch.Generator:
    """The generator that one step of any part draws from."""
    return draw(SEED, step, stream)


def lr_factor(step: int, steps: int, decay: float = 1.0) -> float:
    """Linear warm-up over the first 3 % of the steps (100 at most), the peak, a cosine to 1 % of it; in (0, 1].

    Args:
        decay: the share of the steps, at the end, over which it falls. With less than 1, training can be made longer
            from any checkpoint before (Haegele et al. 2024, "Scaling laws beyond fixed training durations").
    """
    warm_up = max(1, min(100, steps * 3 // 100))
    if step < warm_up:
        return (step + 1) / warm_up
    start = max(warm_up, round(steps * (1 - decay)))
    done = max(0, step - start) / max(1, steps - start)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def groups_of(model: nn.Module, settings: Settings, share: float = 1.0) -> list[dict[str, Any]]:
    """What is inside the model, by Muon, and the rest, by AdamW; ``share`` of the learning rates of the settings."""
    inside, rest = split(model)
    return [
        {"params": inside, "lr": share * (settings.muon_lr or settings.lr), "orthogonal": settings.muon_lr > 0},
        {"params": rest, "lr": share * settings.lr, "orthogonal": False},
    ]


class Trained(LightningModule):
    """A model, the moving average of its weights, and the loss of one step, which subclasses give."""

    def __init__(self, model: nn.Module, settings: Settings) -> None:
        super().__init__()
        self.model: Any = model
        self.averaged: Any = deepcopy(model).requires_grad_(False)
        self.settings = settings

    def loss(self, step: int) -> Tensor:
        """The scalar to minimise at a step; draws all it needs from the step's number."""
        raise NotImplementedError

    def groups(self) -> list[dict[str, Any]]:
        """Parameter groups of the optimizer."""
        return groups_of(self.model, self.settings)

    def training_step(self, batch: int, batch_idx: int) -> Tensor:
        """The step's number decides everything: what the endless loader yields is ignored."""
        return self.loss(self.global_step)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Muon and AdamW, with one scheduler step per optimizer step."""
        optimizer = Muon(self.groups())
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, partial(lr_factor, steps=self.settings.steps, decay=self.settings.decay)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def optimizer_step(self, *arguments: Any, **named: Any) -> None:
        """The step, then averaged <- decay * averaged + (1 - decay) * model, with a smaller decay at first.

        Here and not in ``on_train_batch_end``, which Lightning calls after the callbacks: a checkpoint would miss it.
        """
        super().optimizer_step(*arguments, **named)
        decay = min(self.settings.ema, self.global_step / (10 + self.global_step))
        with torch.no_grad():
            for mean, now in zip(self.averaged.parameters(), self.model.parameters(), strict=True):
                mean.lerp_(now, 1 - decay)
            for kept, now in zip(self.averaged.buffers(), self.model.buffers(), strict=True):
                kept.copy_(now)


class Every(Callback):
    """Call ``action`` after the first batch that ends ``seconds`` or more after the last call."""

    def __init__(self, seconds: float, action: Callable[[Trainer], None]) -> None:
        self.seconds, self.action, self.last = seconds, action, time.perf_counter()

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Called by Lightning when a batch has ended and its optimizer step is done."""
        if time.perf_counter() - self.last >= self.seconds:
            self.action(trainer)
            self.last = time.perf_counter()


class Progress(Callback):
    """Seconds of work, over interruptions; the mean loss since the last line, and that line."""

    def __init__(self, name: str) -> None:
        self.name, self.seconds, self.losses, self.mean = name, 0.0, list[float](), math.nan
        self.began, self.first_step = 0.0, 0

    def state_dict(self) -> dict[str, Any]:
        """What Lightning puts into a checkpoint."""
        return {"seconds": self.elapsed()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Count on from what the checkpoint says."""
        self.seconds = state_dict["seconds"]

    def elapsed(self) -> float:
        """Seconds of work up to now, all sessions together."""
        return self.seconds + (time.perf_counter() - self.began if self.began else 0.0)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock; a checkpoint has been restored by now."""
        self.began, self.first_step = time.perf_counter(), trainer.global_step

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *_: Any) -> None:
        """Keep the loss for the next line."""
        self.losses.append(float(outputs["loss"]))

    def line(self, trainer: Trainer) -> None:
        """Part, step, loss, seconds per step, minutes, estimated end."""
        step, steps = trainer.global_step, int(trainer.max_steps)
        self.mean = sum(self.losses) / max(1, len(self.losses))
        self.losses.clear()
        if not math.isfinite(self.mean):
            raise FloatingPointError(f"{self.name}: the loss is {self.mean} at step {step}")
        pace = (time.perf_counter() - self.began) / max(1, step - self.first_step)
        end = datetime.now() + timedelta(seconds=pace * (steps - step))
        minutes = self.elapsed() / 60
        print(
            f"{self.name:<11} step {step:>5}/{steps}   loss {self.mean:.4f}   {pace:.3f} s/step   "
            f"{minutes:.1f} minutes   ends {end:%H:%M}",
            flush=True,
        )


def fit(bench: Bench, module: Trained, callbacks: Sequence[Callback] = ()) -> Figures:
    """Train to ``bench.settings.steps``, from the last checkpoint if there is one.

    Returns:
        minutes of work, steps, and the mean loss since the last printed line.
    """
    checkpoint = bench.folder / "last.ckpt"

    def save(trainer: Trainer) -> None:
        temporary = checkpoint.with_name(".last.ckpt.tmp")
        trainer.save_checkpoint(temporary)
        os.replace(temporary, checkpoint)

    progress = Progress(bench.name)
    trainer = _quiet_trainer(
        bench.settings.steps,
        [progress, Every(LINE_SECONDS, progress.line), Every(CHECKPOINT_SECONDS, save), *callbacks],
    )
    endless: Iterable[int] = itertools.repeat(0)
    trainer.fit(module, endless, ckpt_path=checkpoint if checkpoint.exists() else None)
    save(trainer)  # what follows the training (figures, saving) can then be interrupted too
    if progress.losses:
        progress.line(trainer)
    module.eval()
    return {"minutes": progress.elapsed() / 60, "steps": trainer.global_step, "loss": progress.mean}


def _quiet_trainer(steps: int, callbacks: list[Callback]) -> Trainer:
    """Lightning in bf16 autocast, on a GPU if there is one, without its loggers, bars and hints."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    return Trainer(
        accelerator="auto",
        devices=1,
        precision="bf16-mixed",
        max_steps=steps,
        max_epochs=-1,
        gradient_clip_val=1.0,
        callbacks=callbacks,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
