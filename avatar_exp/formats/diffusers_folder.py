"""Weights as a diffusers folder: what every other tool starts from."""

import copy
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from avatar_exp.formats.lora import LORA_FILE, TEXT, additions_of, write_lora
from avatar_exp.models.components import Components
from avatar_exp.models.lora import plain
from avatar_exp.run_folder import read_json, write_json

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


def write_pipeline(components: Components, folder: Path, dtype: torch.dtype | None = None) -> None:
    """Write the networks as they are into ``folder``, whole or not at all; what was there is replaced.

    Low-rank additions are in the weights, so every reader of such a folder has them, and a second time in ``LORA_FILE``
    by themselves, in fp32. One network at a time is copied, so little memory is needed.

    Args:
        dtype: of the weights; None: fp32 where they were run in fp32, else fp16: the precision that their pictures were
            drawn and scored in, at half the disk.
    """
    if dtype is None:
        dtype = torch.float32 if components.compute_dtype == torch.float32 else torch.float16
    temporary = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    for name, module in components.modules.items():
        saved = in_dtype(plain(module), dtype)
        saved.save_pretrained(temporary / name, safe_serialization=True)  # type: ignore[operator]
    components.tokenizer.save_pretrained(temporary / "tokenizer")
    components.scheduler.save_pretrained(temporary / "scheduler")
    for config in temporary.glob("*/*.json"):
        forget_path(config)
    if additions := additions_of(components):
        write_lora(additions, temporary / LORA_FILE, torch.float32, {})
    write_json(temporary / "model_index.json", INDEX)
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)


def forget_path(config: Path) -> None:
    """Where a network was loaded from is nobody's business: a path may name the subject."""
    content = read_json(config)
    if content.pop("_name_or_path", None) is not None:
        write_json(config, content)


def add_old_names(folder: Path, tokenizer: Any) -> None:
    """Add to a diffusers folder what transformers 4 looks for: ``text_model.`` before the names of the text encoder's
    tensors, without which it would take none of them, and vocab.json and merges.txt. Newer ones read both.
    """
    file = folder / "text_encoder" / "model.safetensors"
    state = {TEXT + key.removeprefix(TEXT): value for key, value in load_file(file).items()}
    save_file(state, file, {"format": "pt"})
    tokenizer.backend_tokenizer.model.save(str(folder / "tokenizer"))


def in_dtype(module: nn.Module, dtype: torch.dtype) -> nn.Module:
    """A copy in another precision, in the host's memory: the GPU's may be full; itself where it is in that one."""
    if next(module.parameters()).dtype == dtype:
        return module
    cast: dict[int, Any] = {
        id(p): nn.Parameter(p.detach().to("cpu", dtype), requires_grad=False) for p in module.parameters()
    }
    for buffer in module.buffers():
        cast[id(buffer)] = buffer.to("cpu", dtype if buffer.is_floating_point() else buffer.dtype, copy=True)
    return copy.deepcopy(module, cast)  # takes these for copies it has already made
