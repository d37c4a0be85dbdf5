"""What every part of the pretraining is given, and how a finished model gets into the folder of weights."""

import json
import os
import shutil
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SEED = 20261122
Figures = dict[str, float]


@dataclass(frozen=True)
class Settings:
    """How one part is made.

    ``steps`` optimizer steps of ``batch`` samples; ``lr`` at its peak, ``muon_lr`` that of the matrices (0: AdamW for
    them too); ``ema`` the decay of the averaged weights (0: the last weights themselves); ``decay`` the share of the
    steps, at the end, over which the learning rate falls. Parts that train nothing read ``batch`` only, and ``steps``
    as people drawn.
    """

    steps: int
    batch: int
    lr: float = 0.0
    muon_lr: float = 0.0
    ema: float = 0.0
    decay: float = 1.0


@dataclass(frozen=True)
class Bench:
    """One part at work: ``work`` keeps what can be thrown away afterwards, ``out`` is the folder that ships."""

    name: str
    settings: Settings
    work: Path
    out: Path

    @property
    def folder(self) -> Path:
        """This part's own folder, made on first use."""
        path = self.work / self.name
        path.mkdir(parents=True, exist_ok=True)
        return path


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write it whole or not at all (temporary name, then rename)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(json.dumps(content, indent=2) + "\n")
    os.replace(temporary, path)


def replace_folder(new: Path, final: Path) -> None:
    """Put ``new`` where ``final`` is. Readers see the old or the new folder, but for the moment between two renames."""
    old = final.with_name(f".{final.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        os.replace(final, old)
    os.replace(new, final)
    shutil.rmtree(old, ignore_errors=True)


def fresh_folder(final: Path) -> Path:
    """An empty folder beside ``final``, to be filled and given to ``replace_folder``."""
    new = final.with_name(f".{final.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    return new


def publish(final: Path, model: Any, *beside: Any) -> None:
    """Save a diffusers or transformers model in fp16, and what belongs beside it (tokenizer, image processor).

    The config says float32 all the same: transformers computes in the dtype it names, and half precision is slow and
    incomplete on a CPU. fp16 is how the weights are stored, not how they should be used.
    """
    new = fresh_folder(final)
    deepcopy(model).half().save_pretrained(new, safe_serialization=True)
    config = json.loads((new / "config.json").read_text())
    if "dtype" in config:
        write_json(new / "config.json", _in_float32(config))
    for item in beside:
        item.save_pretrained(new)
    replace_folder(new, final)


def _in_float32(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config with every ``dtype``, also of nested configs, set to float32."""
    return {
        key: _in_float32(value) if isinstance(value, dict) else "float32" if key == "dtype" else value
        for key, value in config.items()
    }
