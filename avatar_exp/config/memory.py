"""A GPU's memory: said before training, decided about where that was left to us, and explained when it runs out."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from omegaconf import DictConfig
from torch import nn

from avatar_exp.config.disk import moment_bytes
from avatar_exp.errors import UserError, ran_out_of_memory
from avatar_exp.models.components import Components
from avatar_exp.models.footprint import Need, need
from avatar_exp.scoring.embedders import name_of, weight_bytes
from avatar_exp.training.run import Run

log = logging.getLogger("avatar_exp")

EIGHT_BIT = 2  # bytes of both moments in 8 bits
KEPT_FREE = 0.92  # of what is free: the estimate is one, and memory breaks into pieces


@dataclass(frozen=True)
class Asked:
    """What of a run's settings its memory depends on."""

    components: Components
    trained: Mapping[str, nn.Module]
    batch: int  # photos of a micro-batch
    prior: bool
    side: int  # pixels
    moment_bytes: int  # of the optimizer's moments, for each weight
    checkpointing: bool
    scorers: int = 0  # bytes of the embedders that scores load onto the GPU

    @property
    def need(self) -> Need:
        """The estimate."""
        return need(
            self.components,
            self.trained,
            rows=self.batch * (1 + self.prior),
            side=self.side,
            moment_bytes=self.moment_bytes,
            checkpointing=self.checkpointing,
            scorers=self.scorers,
        )

    def cheaper(self) -> dict[str, "Asked"]:
        """The same run with one setting changed, by what to type."""
        smaller = self.side * 3 // 4 // 64 * 64
        away = replace(self, components=replace(self.components, offload=True), scorers=0)
        found = {
            "model.gradient_checkpointing=true": None if self.checkpointing else replace(self, checkpointing=True),
            "optimizer=adamw8bit": replace(self, moment_bytes=EIGHT_BIT) if self.moment_bytes > EIGHT_BIT else None,
            "batch_size=1": replace(self, batch=1) if self.batch > 1 else None,
            "method.text_encoder=false": (
                replace(self, trained={"unet": self.trained["unet"]}) if len(self.trained) > 1 else None
            ),
            "model.offload=true": None if self.components.offload else away,
            f"data.resolution={smaller}": replace(self, side=smaller) if smaller else None,
        }
        return {typed: asked for typed, asked in found.items() if asked is not None}


def asked_of(config: DictConfig, run: Run) -> Asked:
    """From the settings of a run."""
    return Asked(
        run.components,
        run.trained,
        batch=config.batch_size,
        prior=config.prior.weight > 0 and config.prior.count > 0,
        side=run.resolution,
        moment_bytes=moment_bytes(config),
        checkpointing=config.model.gradient_checkpointing is True,
        scorers=scorer_bytes(config, run) if run.components.device.type == "cuda" and not run.components.offload else 0,
    )


def scorer_bytes(config: DictConfig, run: Run) -> int:
    """Of the embedders that the run's scores want; 0 without scores."""
    asked = {"clip": config.scoring.clip, "identity": config.scoring.identity} if config.score_every else {}
    names = {name_of(name, kind, run.components.path) for kind, name in asked.items()}
    return sum(weight_bytes(name) for name in names if name)


def decided(asked: Asked, checkpointing: Any) -> Asked:
    """Say what a GPU will have to hold, once it is decided whether activations are kept; a CPU is left alone.

    Args:
        checkpointing: true, false or ``auto``.
    """
    device = asked.components.device
    if device.type != "cuda":
        return asked
    free = float(torch.cuda.mem_get_info(device)[0]) + float(torch.cuda.memory_reserved(device))
    if checkpointing == "auto" and not fits(asked, free):
        asked.components.checkpoint_gradients()
        asked = replace(asked, checkpointing=True)
        log.info("model.gradient_checkpointing=auto: on, or it would not fit")
    say(asked, free)
    return asked


def fits(asked: Asked, free: float) -> bool:
    """Whether a run will do with ``free`` bytes."""
    return asked.need.total <= KEPT_FREE * free


def say(asked: Asked, free: float) -> None:
    """One line, a warning where it will not do."""
    told = f"memory: {asked.need}; {free / 1e9:.1f} GB are free"
    if fits(asked, free):
        log.info(told)
    else:
        log.warning("%s: it may not do. %s", told, "; ".join(savings(asked)))


def savings(asked: Asked, most: int = 3) -> list[str]:
    """``optimizer=adamw8bit saves about 5.9 GB``: the settings that would save most, and how much each."""
    now = asked.need.total
    saved = {typed: now - other.need.total for typed, other in asked.cheaper().items()}
    best = sorted(saved, key=lambda typed: -saved[typed])[:most]
    return [f"{typed} saves about {saved[typed] / 1e9:.1f} GB" for typed in best if saved[typed] > 1e8]


@contextmanager
def explained(asked: Asked | None = None) -> Iterator[None]:
    """Inside, a GPU that runs out of memory is a UserError that says what is used, what is free and what would help.

    Args:
        asked: None before the base is there.
    """
    try:
        yield
    except RuntimeError as error:
        if not ran_out_of_memory(error):
            raise
        used, free = usage()
        cures = (savings(asked) if asked else []) or ["a GPU that nobody else uses, or a smaller data.resolution="]
        told = "\n  ".join(["out of GPU memory. What would help:", *cures])
        first = str(error).partition("\n")[0].partition(" If reserved")[0]
        there = f"{used / 1e9:.1f} GB are used by this run, {free / 1e9:.1f} GB are free"
        raise UserError(f"{told}\n{there}; {first}") from error


def usage() -> tuple[float, float]:
    """Bytes that PyTorch holds on the GPU, and bytes that are free there; zeros without one."""
    if not torch.cuda.is_available():
        return 0.0, 0.0
    return float(torch.cuda.memory_reserved()), float(torch.cuda.mem_get_info()[0])
