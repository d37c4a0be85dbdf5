"""Loading a base: hub id, diffusers folder, or the built-in one."""

import json
import logging
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from transformers import CLIPTextModel, CLIPTokenizer

from avatar_exp.errors import UserError
from avatar_exp.models.components import Components
from avatar_exp.models.locate import PIPELINE_PARTS, TINY, locate
from avatar_exp.store import content_key, file_hash

log = logging.getLogger("avatar_exp")


def load(
    path: str,
    revision: str | None = None,
    variant: str | None = None,
    vae: str | None = None,
    attention: str = "sdpa",
    gradient_checkpointing: bool = False,
    lr_scale: float = 1.0,
    ema: float | None = None,
) -> Components:
    """The parts of a Stable Diffusion, in fp32 whatever the files hold: half-precision masters stall or overflow.

    Args:
        path: ``tiny``, a diffusers folder, or a hub id.
        revision: branch, tag or commit of the hub repository.
        variant: which of its weight files, e.g. ``fp16``.
        vae: another VAE (hub id or folder), used for encoding and decoding.
        attention: ``sdpa``, or ``xformers`` where its kernels load (else a warning, and SDPA).
        gradient_checkpointing: recompute activations in the backward pass.
        lr_scale: what learning rates in SD 1.5 units are multiplied by for this base.
        ema: decay of the average over the trained weights; None: no average.

    Raises:
        UserError: if a part is missing or cannot be fetched.
    """
    folder = locate(path, PIPELINE_PARTS, revision, variant)
    vae_folder = locate(vae) if vae else folder / "vae"
    kind = {"torch_dtype": torch.float32, "local_files_only": True, "variant": variant}
    try:
        unet = UNet2DConditionModel.from_pretrained(folder, subfolder="unet", **kind)
        autoencoder = AutoencoderKL.from_pretrained(vae_folder, **(kind if vae is None else {**kind, "variant": None}))
        text_encoder = CLIPTextModel.from_pretrained(
            folder, subfolder="text_encoder", dtype=torch.float32, local_files_only=True, variant=variant
        )
        tokenizer = CLIPTokenizer.from_pretrained(folder, subfolder="tokenizer", local_files_only=True)
        scheduler = DDIMScheduler.from_config(noise_schedule(folder / "scheduler" / "scheduler_config.json"))
    except (OSError, ValueError) as error:
        raise UserError(f"model {path!r} in {folder} cannot be loaded: {error}") from error
    if gradient_checkpointing:
        unet.enable_gradient_checkpointing()
        text_encoder.gradient_checkpointing_enable()
    if attention == "xformers":
        use_xformers(unet)
    parts = {part: fingerprint(folder / part, variant) for part in ("unet", "text_encoder", "tokenizer", "scheduler")}
    parts["vae"] = fingerprint(vae_folder, variant if vae is None else None)
    return Components(unet, text_encoder, autoencoder, tokenizer, scheduler, path, parts, lr_scale, ema)


def noise_schedule(file: Path) -> dict[str, Any]:
    """A saved scheduler's config with what Stable Diffusion means where the file, another scheduler's, is silent.

    diffusers' own defaults are those of pixel models: they would clip latents to [-1, 1].
    """
    config: dict[str, Any] = {"steps_offset": 1, "set_alpha_to_one": False, **json.loads(file.read_text())}
    return {**config, "clip_sample": False}


def use_xformers(unet: UNet2DConditionModel) -> bool:
    """Switch the UNet to xformers' attention; where it cannot run, warn and stay on PyTorch's SDPA.

    Returns:
        Whether xformers is in use.
    """
    try:
        unet.enable_xformers_memory_efficient_attention()
    except (ImportError, ValueError, NotImplementedError, RuntimeError, OSError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        log.warning("model.attention=xformers is not available here (%s); staying on sdpa", reason)
        return False
    return True


def fingerprint(folder: Path, variant: str | None = None) -> str:
    """Hash of the files of one part that its loading depends on: weights, configs and vocabulary."""
    dot = f".{variant}" if variant else ""
    weights = sorted(folder.glob(f"*{dot}.safetensors")) or sorted(folder.glob("*.safetensors"))
    weights = weights or sorted(folder.glob("*.bin"))
    return content_key({file.name: file_hash(file) for file in [*weights, *sorted(folder.glob("*.json"))]})


def is_tiny(components: Components) -> bool:
    """Whether this is the built-in base: it only knows drawn faces."""
    return components.path == TINY
