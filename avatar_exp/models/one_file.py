"""A base in one file, as web UIs keep them: ``v1-5-pruned.safetensors``, or a ``.ckpt``."""

from pathlib import Path
from typing import Any

import torch
from diffusers.loaders.single_file_utils import SingleFileComponentError
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from safetensors import SafetensorError
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel

from avatar_exp.errors import UserError
from avatar_exp.models.build import refuse_other_keys
from avatar_exp.models.checkpoint import read
from avatar_exp.models.locate import PIPELINE_PARTS, locate

ENDINGS = (".safetensors", ".ckpt")
TEXT = ("cond_stage_model.transformer.text_model.", "cond_stage_model.transformer.")
UNREADABLE = (OSError, ValueError, KeyError, RuntimeError, SafetensorError)


def is_one_file(path: str) -> bool:
    """Whether a base is named by such a file."""
    return path.endswith(ENDINGS)


def networks(file: Path, like: str) -> tuple[dict[str, Any], Path, str | None]:
    """The three networks of a file, fp32, the folder of the base that it is built like, and what the file says that it
    predicts: ``epsilon``, ``v_prediction``, or None where it says nothing.

    Args:
        file: with the original keys of Stable Diffusion 1.x.
        like: hub id or folder of that base: its configs are used.

    Raises:
        UserError: if the file is not there, cannot be read, lacks a network or is of another build, or if ``like``
            cannot be fetched.
    """
    if not file.is_file():
        raise UserError(f"model.path={file}: no such file")
    folder = locate(like, PIPELINE_PARTS, weights=False)
    try:
        state, predicted = read(file)
        refuse_other_keys({key: tuple(value.shape) for key, value in state.items()}, file)
        kind: dict[str, Any] = {"config": str(folder), "local_files_only": True, "torch_dtype": torch.float32}
        found = {
            "unet": UNet2DConditionModel.from_single_file(dict(state), subfolder="unet", **kind),
            "vae": AutoencoderKL.from_single_file(dict(state), subfolder="vae", **kind),
            "text_encoder": text_encoder(state, folder),
        }
    except (*UNREADABLE, SingleFileComponentError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(
            f"model.path={file} cannot be loaded as a base like {like}: {reason}\nexpected a Stable Diffusion 1.x "
            "checkpoint; another architecture's configs are named with model.like=HUB_ID_OR_FOLDER"
        ) from error
    return found, folder, predicted


def text_encoder(state: dict[str, Tensor], folder: Path) -> CLIPTextModel:
    """The text encoder, whose keys ``transformers`` itself has written with ``text_model.`` and without."""
    prefix = next((one for one in TEXT if any(key.startswith(one) for key in state)), None)
    if prefix is None:
        raise ValueError(f"it has no text encoder ({TEXT[0]}*)")
    found = CLIPTextModel(CLIPTextConfig.from_pretrained(folder, subfolder="text_encoder", local_files_only=True))
    own = {key.removeprefix("text_model."): key for key in found.state_dict()}
    there = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    found.load_state_dict({own[key]: value.float() for key, value in there.items() if key in own})
    return found.eval()
