"""Weights as a diffusers folder: what every other tool starts from."""

import copy
import json
import shutil
from pathlib import Path

import torch
from torch import nn

from avatar_exp.models.components import Components
from avatar_exp.run_folder import write_json

INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "feature_extractor": [None, None],
    "image_encoder": [None, None],
    "requires_safety_checker": False,
    "safety_checker": [None, None],
    "scheduler": ["diffusers", "DDIMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}


def write_pipeline(components: Components, folder: Path) -> None:
    """Write the networks as they are into ``folder``, whole or not at all; what was there is replaced.

    In fp32 where they were run in fp32, else in fp16: the precision that their pictures were drawn and scored in, at
    half the disk. One network at a time is copied, so little memory is needed.
    """
    temporary = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    half = components.compute_dtype != torch.float32
    for name, module in components.modules.items():
        saved = _half(module) if half else module
        saved.save_pretrained(temporary / name, safe_serialization=True)  # type: ignore[operator]
    components.tokenizer.save_pretrained(temporary / "tokenizer")
    components.scheduler.save_pretrained(temporary / "scheduler")
    write_json(temporary / "model_index.json", INDEX)
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)


def _half(module: nn.Module) -> nn.Module:
    return copy.deepcopy(module).to(torch.float16)


def is_pipeline(folder: Path) -> bool:
    """Whether ``folder`` is a diffusers folder of a Stable Diffusion."""
    try:
        return "unet" in json.loads((folder / "model_index.json").read_text())
    except (OSError, ValueError):
        return False
