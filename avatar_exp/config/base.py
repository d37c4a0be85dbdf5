"""Which base a run takes when none is named: ``sd15`` where CUDA is usable, else the built-in ``tiny``.

Answered without importing torch, so that ``--help`` stays fast; the train command verifies it after the import.
"""

import ctypes
import importlib.util
import os
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from avatar_exp.errors import counted


@dataclass(frozen=True)
class BaseChoice:
    """The config of group ``model`` to take, and why; ``cure`` says what to install where a GPU stands unused."""

    name: str
    reason: str
    cure: str | None = None


def visible_gpus() -> int:
    """NVIDIA GPUs that the driver shows to this process, counted by the driver itself."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "all").strip() in ("", "-1"):
        return 0
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


def torch_cuda() -> str | None:
    """The CUDA version that the installed torch was built for, read from its version.py; None for a CPU build."""
    spec = importlib.util.find_spec("torch")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        version = Path(folder) / "version.py"
        found = re.search(r"^cuda(?::[^=]*)?\s*=\s*'([^']+)'", version.read_text(), re.M) if version.is_file() else None
        if found:
            return found.group(1)
    return None


@lru_cache
def default_base() -> BaseChoice:
    """The choice for this machine."""
    gpus = visible_gpus()
    if not gpus:
        return BaseChoice("tiny", "no CUDA device is visible here")
    if torch_cuda() is None:
        cure = "pip install --upgrade --force-reinstall torch  # a build with CUDA, see pytorch.org"
        return BaseChoice("tiny", f"{counted(gpus, 'NVIDIA GPU')}, but the installed torch is a CPU build", cure)
    return BaseChoice("sd15", counted(gpus, "CUDA device"))


def default_optimizer() -> str:
    """8-bit AdamW where CUDA is usable: its moments take a quarter of the memory. On a CPU it is only slower."""
    return "adamw8bit" if visible_gpus() and torch_cuda() else "adamw"
