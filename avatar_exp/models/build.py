"""Whether a base is built as this project trains it: told by its configs, before its weights are fetched or loaded."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from avatar_exp.errors import UserError
from avatar_exp.run_folder import read_json

CHANNELS = 4  # diffusers' own default where a config is silent
MORE = {  # what a UNet may want to be told besides time and prompt: keys of its config
    "addition_embed_type": "a second embedding, as Stable Diffusion XL",
    "class_embed_type": "the embedding of a class or of a picture",
    "encoder_hid_dim_type": "the embedding of a picture",
}
KINDS = {
    5: ": it wants a depth map too", 7: ": it enlarges a picture", 8: ": it edits a picture",
    9: ": it is for inpainting, and wants a mask and a picture too",
}  # fmt: skip
FIRST = "model.diffusion_model.input_blocks.0.0.weight"  # of one file: the UNet's first convolution
LAST = "first_stage_model.post_quant_conv.weight"  # and the VAE's, on latents
XL_TEXT = "conditioner.embedders.1."
WORK = (
    "expected Stable Diffusion 1.x or 2.x for text to image, or what was fine-tuned from it; "
    "for example model=sd15, model.path=FOLDER_OR_HUB_ID of such a base, or model=tiny"
)


def refuse_other_build(folder: Path, path: str) -> None:
    """Look at the configs in a diffusers folder; what is not there is not judged.

    Args:
        path: what the base was called.

    Raises:
        UserError: with everything that is another build's, and what was expected.
    """
    index, unet, vae = (
        read_json(folder / name) for name in ("model_index.json", "unet/config.json", "vae/config.json")
    )
    if faults := [*index_faults(index), *unet_faults(unet, vae)]:
        kind = f" ({index['_class_name']})" if "_class_name" in index else ""
        raise UserError(f"model {path!r}{kind} is a base of another build: {'; '.join(faults)}\n{WORK}")


def index_faults(index: Mapping[str, Any]) -> Iterator[str]:
    """Networks of a pipeline that are not trained here."""
    if "text_encoder_2" in index:
        yield "it has a second text encoder"
    if "transformer" in index and "unet" not in index:
        yield "it has a transformer in place of a UNet"


def unet_faults(unet: Mapping[str, Any], vae: Mapping[str, Any]) -> Iterator[str]:
    """What a UNet takes besides latents, time and prompt."""
    found, latent = unet.get("in_channels", CHANNELS), vae.get("latent_channels", CHANNELS)
    if found != latent:
        yield channel_fault(found, latent)
    for key, what in MORE.items():
        if unet.get(key) is not None:
            yield f"its UNet wants {what} ({key}={unet[key]})"


def channel_fault(found: int, latent: int) -> str:
    """A UNet that wants more than latents, in words."""
    return f"its UNet takes {found} channels where its latents have {latent}{KINDS.get(found, '')}"


def refuse_other_latents(unet: Mapping[str, Any], vae: Mapping[str, Any], path: str) -> None:
    """Of a VAE that is put in the place of a base's own.

    Raises:
        UserError: if its latents are not what the UNet takes.
    """
    if unet["in_channels"] != vae["latent_channels"]:
        raise UserError(
            f"model.vae={path}: its latents have {vae['latent_channels']} channels and the base's UNet takes "
            f"{unet['in_channels']}; expected a VAE of the base's own kind, for Stable Diffusion 1.x and 2.x e.g. "
            "model.vae=stabilityai/sd-vae-ft-mse"
        )


def refuse_other_keys(shapes: Mapping[str, tuple[int, ...]], file: Path) -> None:
    """What ``refuse_other_build`` does, of one file: by the names and shapes of its tensors.

    Raises:
        UserError: as ``refuse_other_build``.
    """
    faults, first, latent = [], shapes.get(FIRST), shapes.get(LAST, (CHANNELS,))[0]
    if any(key.startswith(XL_TEXT) for key in shapes):
        faults.append("it has two text encoders, as Stable Diffusion XL")
    if first and first[1] != latent:
        faults.append(channel_fault(first[1], latent))
    if faults:
        raise UserError(f"model.path={file} is a base of another build: {'; '.join(faults)}\n{WORK}")
