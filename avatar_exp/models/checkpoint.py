"""Reading one file: its tensors, and what it says of itself.

A ``.ckpt`` is a pickle, which may run code where it is opened. It is opened for tensors alone; names of classes that
known checkpoints hold besides are met with an empty stand-in, so nothing of the file is ever called.
"""

import pickle
import re
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from avatar_exp.errors import UserError


class Inert:
    """In the place of an object that is not needed: takes whatever it is given, and forgets it."""

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, _: Any) -> None:
        pass


# What trainers and merging tools leave in checkpoints beside the tensors: Lightning 1's state (v1-5-pruned-emaonly.ckpt
# and its kin have ModelCheckpoint as the key of a dictionary), and scores as numpy's numbers.
LEFT_OVER = (
    "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",
    "pytorch_lightning.callbacks.early_stopping.EarlyStopping",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.dtype",
)
PREDICTIONS = {"v": "v_prediction", "v_prediction": "v_prediction", "epsilon": "epsilon"}  # ModelSpec's; diffusers'


def read(file: Path) -> tuple[dict[str, Tensor], str | None]:
    """The tensors of a .safetensors or .ckpt by name, and what its UNet predicts where the file says so.

    Tensors are mapped from the file where its format allows it: what is not used of it takes no memory.

    Raises:
        UserError: for a pickle that holds more than tensors, or that is none.
        OSError, RuntimeError, SafetensorError: for a file that is broken.
    """
    if file.suffix == ".safetensors":
        return load_file(file), prediction_of(file)
    content = unpickled(file)
    state = content.get("state_dict", content)
    tensors = {str(key): value for key, value in state.items() if isinstance(value, Tensor)}
    return tensors, prediction_type({}, tensors)


def prediction_of(file: Path) -> str | None:
    """What the UNet in a file predicts, where the file says so; its tensors are not read.

    Raises:
        as ``read``.
    """
    if file.suffix != ".safetensors":
        return read(file)[1]
    with safe_open(file, "pt") as opened:
        return prediction_type(opened.metadata() or {}, opened.keys())


def prediction_type(told: Mapping[str, str], keys: Iterable[str]) -> str | None:
    """``epsilon`` or ``v_prediction`` by ModelSpec's key, kohya's, or a tensor that web UIs look for; None: unsaid."""
    if found := PREDICTIONS.get(told.get("modelspec.prediction_type", "").lower()):
        return found
    is_v = told.get("ss_v_parameterization", "").lower() == "true" or "v_pred" in keys
    return "v_prediction" if is_v else None


def unpickled(file: Path) -> Mapping[str, Any]:
    """What a .ckpt holds.

    Raises:
        UserError: if it is not a dictionary of tensors, numbers and words, with what of it is not.
    """
    mapped = zipfile.is_zipfile(file)  # checkpoints from before PyTorch 1.6 are not, and have to be read whole
    try:
        with torch.serialization.safe_globals([(Inert, name) for name in LEFT_OVER]):
            content = torch.load(file, map_location="cpu", weights_only=True, mmap=mapped)
    except (pickle.UnpicklingError, EOFError) as error:
        # Not ``from error``: torch's own text advises to let the file run its code.
        raise UserError(f"model.path={file} cannot be loaded: {refusal(error)}") from None
    if not isinstance(content, Mapping) or not isinstance(content.get("state_dict", content), Mapping):
        raise UserError(
            f"model.path={file} cannot be loaded: it holds a {type(content).__name__}; expected a dictionary of tensors"
        )
    return content


def refusal(error: Exception) -> str:
    """Why a pickle was not opened, and what to do."""
    safe = "take the .safetensors of the same name: it holds the same weights and can run no code"
    if name := re.search(r"GLOBAL ([\w.]+)", str(error)):
        return f"it holds more than weights, {name[1]}, which could run code on this machine; {safe}"
    return f"it is no checkpoint of tensors, or only a part of one; download it anew, or {safe}"
