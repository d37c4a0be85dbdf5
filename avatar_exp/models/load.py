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
from avatar_exp.models.build import refuse_other_latents
from avatar_exp.models.components import Components
from avatar_exp.models.locate import PIPELINE_PARTS, TINY, living, locate, names_of_weights
from avatar_exp.models.one_file import is_one_file, networks
from avatar_exp.store import content_key, file_hash

log = logging.getLogger("avatar_exp")


def load(
    path: str,
    revision: str | None = None,
    variant: str | None = None,
    vae: str | None = None,
    attention: str = "sdpa",
    gradient_checkpointing: bool | str = "auto",
    lr_scale: float = 1.0,
    lora_lr_scale: float | None = None,
    ema: float | None = None,
    offload: bool = False,
    like: str = "stable-diffusion-v1-5/stable-diffusion-v1-5",
) -> Components:
    """The parts of a Stable Diffusion, in fp32 whatever the files hold: half-precision masters stall or overflow.

    Args:
        path: ``tiny``, a diffusers folder, a hub id, or one file (.safetensors, .ckpt) with the original keys.
        revision: branch, tag or commit of the hub repository.
        variant: which of its weight files, e.g. ``fp16``.
        vae: another VAE (hub id or folder), used for encoding and decoding.
        attention: ``sdpa``, or ``xformers`` where its kernels load (else a warning, and SDPA).
        gradient_checkpointing: recompute activations in the backward pass; ``auto`` is decided later.
        lr_scale: what learning rates in SD 1.5 units are multiplied by for this base.
        lora_lr_scale: the same for matrices beside the weights (``models.lora``); None: ``lr_scale``.
        ema: decay of the average over the trained weights; None: no average.
        offload: keep the VAE on the CPU but while it draws or encodes.
        like: of one file, the base (hub id or folder) whose configs and vocabulary it has.

    Raises:
        UserError: if a part is missing, cannot be fetched or does not fit the others, or if the base is another build.
    """
    if is_one_file(path):
        parts, hashes = parts_of_file(Path(path), like)
    else:
        parts, hashes = parts_of_folder(locate(path, PIPELINE_PARTS, revision, variant), variant)
    if vae:
        folder = locate(vae)
        parts["vae"], hashes["vae"] = _autoencoder(folder, None), fingerprint(folder)
        refuse_other_latents(parts["unet"].config, parts["vae"].config, vae)
    if attention == "xformers":
        use_xformers(parts["unet"])
    found = Components(
        **parts,
        path=living(path),
        fingerprints=hashes,
        lr_scale=lr_scale,
        lora_lr_scale=lora_lr_scale,
        ema=ema,
        offload=offload,
    )
    if gradient_checkpointing is True:
        found.checkpoint_gradients()
    return found


def parts_of_folder(folder: Path, variant: str | None) -> tuple[dict[str, Any], dict[str, str]]:
    """The parts of a diffusers folder, and the hash of each.

    Raises:
        UserError: if one cannot be loaded.
    """
    kind: dict[str, Any] = {"local_files_only": True, "variant": variant}
    try:
        parts = {
            "unet": UNet2DConditionModel.from_pretrained(folder, subfolder="unet", torch_dtype=torch.float32, **kind),
            "vae": _autoencoder(folder / "vae", variant),
            "text_encoder": CLIPTextModel.from_pretrained(
                folder, subfolder="text_encoder", dtype=torch.float32, **kind
            ),
            **_words_and_noise(folder),
        }
    except (OSError, ValueError) as error:
        raise UserError(f"the model in {folder} cannot be loaded: {error}") from error
    return parts, {part: fingerprint(folder / part, variant) for part in PIPELINE_PARTS}


def parts_of_file(file: Path, like: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The same of one file; its hash is that of each of its networks. What it predicts is what the file says."""
    parts, folder, predicted = networks(file, like)
    whole = file_hash(file)
    hashes = {part: content_key({"file": whole, "part": part}) for part in ("unet", "vae", "text_encoder")}
    hashes |= {part: fingerprint(folder / part) for part in ("tokenizer", "scheduler")}
    rest = _words_and_noise(folder)
    assumed = rest["scheduler"].config.prediction_type
    if predicted not in (None, assumed):
        log.info("%s says prediction_type=%s, which is taken in place of %s of %s", file, predicted, assumed, like)
        rest["scheduler"] = DDIMScheduler.from_config(rest["scheduler"].config, prediction_type=predicted)
        hashes["scheduler"] = content_key({"like": hashes["scheduler"], "prediction_type": predicted})
    return parts | rest, hashes


def _words_and_noise(folder: Path) -> dict[str, Any]:
    return {
        "tokenizer": CLIPTokenizer.from_pretrained(folder, subfolder="tokenizer", local_files_only=True),
        "scheduler": DDIMScheduler.from_config(noise_schedule(folder / "scheduler" / "scheduler_config.json")),
    }


def _autoencoder(folder: Path, variant: str | None) -> Any:
    try:
        return AutoencoderKL.from_pretrained(folder, torch_dtype=torch.float32, local_files_only=True, variant=variant)
    except (OSError, ValueError) as error:
        raise UserError(f"the VAE in {folder} cannot be loaded: {error}") from error


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
    """Hash of the files of one part that its loading depends on: weights, configs and vocabulary.

    Other variants in the same folder do not count: in the hub's cache they lie side by side, and come later. Nor does
    an index of shards, which comes with them: the shards themselves do.
    """
    texts = [file for file in sorted(folder.glob("*.json")) if ".index." not in file.name]
    return content_key({file.name: file_hash(file) for file in [*weight_files(folder, variant), *texts]})


def weight_files(folder: Path, variant: str | None) -> list[Path]:
    """Those of one variant: safetensors, or else the older .bin."""
    named = [(file, names_of_weights(variant).fullmatch(file.name)) for file in sorted(folder.glob("*"))]
    of = {ending: [file for file, name in named if name and name[1] == ending] for ending in ("safetensors", "bin")}
    return of["safetensors"] or of["bin"]


def is_tiny(components: Components) -> bool:
    """Whether this is the built-in base: it only knows drawn faces."""
    return components.path == TINY
