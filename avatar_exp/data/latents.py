"""Pictures and prompts as the UNet sees them, computed once and kept in the store.

Kept are the posterior's moments, one entry a picture: a draw would freeze its noise, a batch its neighbours.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from avatar_exp.data.photos import to_tensor
from avatar_exp.models.components import Components
from avatar_exp.store import Store


@dataclass(frozen=True)
class Moments:
    """The VAE's posterior of one picture: mean and log-variance, each [C, H/8, W/8], unscaled, fp32."""

    mean: Tensor
    log_variance: Tensor


def pixel_hash(image: Image.Image) -> str:
    """Hash of what the VAE gets to see: size and RGB values."""
    return hashlib.blake2b(f"{image.size}".encode() + image.convert("RGB").tobytes(), digest_size=16).hexdigest()


def moments_ingredients(vae: str, pixels: str) -> dict[str, str]:
    """All that determines moments: the VAE's fingerprint and the picture's ``pixel_hash``. Always computed in fp32."""
    return {"vae": vae, "pixels": pixels}


def moments(
    components: Components, store: Store, images: Sequence[Image.Image], tick: Callable[[int, int], None] | None = None
) -> list[Moments]:
    """The moments of each picture, from the store or made now, one picture at a time: little memory, any number."""
    vae = components.vae

    def encode(folder: Path, image: Image.Image) -> None:
        with torch.no_grad():  # not under autocast: half-precision encoders have been seen to overflow
            pixels = to_tensor(image)[None].to(next(vae.parameters()).device)
            posterior = vae.encode(pixels).latent_dist
        mean, log_variance = posterior.mean[0].cpu().contiguous(), posterior.logvar[0].cpu().contiguous()
        save_file({"mean": mean, "log_variance": log_variance}, folder / "moments.safetensors")

    result = []
    with components.vae_at_hand():
        for number, image in enumerate(images, 1):
            ingredients = moments_ingredients(components.fingerprints["vae"], pixel_hash(image))
            entry = store.entry("moments", ingredients, lambda folder, image=image: encode(folder, image))  # type: ignore[misc]
            result.append(Moments(**load_file(entry / "moments.safetensors")))
            if tick:
                tick(number, len(images))
    return result


def text_ingredients(text_encoder: str, tokenizer: str, prompt: str) -> dict[str, str]:
    """All that determines the embedding of a prompt: two fingerprints and the text."""
    return {"text_encoder": text_encoder, "tokenizer": tokenizer, "prompt": prompt}


def text_embedding(components: Components, store: Store, prompt: str) -> Tensor:
    """[77, D]: the states of a prompt under a text encoder that is not trained, from the store or made now, fp32."""

    def encode(folder: Path) -> None:
        with torch.no_grad():
            states = components.text_states(components.token_ids([prompt]))[0].float().cpu()
        save_file({"states": states.contiguous()}, folder / "states.safetensors")

    keys = (components.fingerprints["text_encoder"], components.fingerprints["tokenizer"])
    entry = store.entry("text", text_ingredients(*keys, prompt), encode)
    states: Tensor = load_file(entry / "states.safetensors")["states"]
    return states
