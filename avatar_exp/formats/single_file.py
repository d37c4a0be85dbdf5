"""Weights as one .safetensors file with the keys of the original Stable Diffusion 1.x (CompVis), which web UIs read.

The names were given by two code bases: diffusers counts blocks by resolution, the original numbers every layer from the
input on. All else is the same tensors; only the attention of the VAE is linear here and a 1 x 1 convolution there.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from avatar_exp.errors import UserError
from avatar_exp.models.components import Components

Rename = tuple[str, str | Callable[[re.Match[str]], str]]

UNET, VAE, TEXT = "model.diffusion_model.", "first_stage_model.", "cond_stage_model.transformer.text_model."
RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0", "conv2": "out_layers.3", "conv_shortcut": "skip_connection",
}  # fmt: skip
UNET_ENDS = {
    "time_embedding.linear_1.": "time_embed.0.", "time_embedding.linear_2.": "time_embed.2.",
    "conv_in.": "input_blocks.0.0.", "conv_norm_out.": "out.0.", "conv_out.": "out.2.",
}  # fmt: skip
VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def original_unet_key(key: str, layers: int) -> str:
    """The original name of a tensor of the UNet.

    Args:
        layers: ResNets in a block on the way down; one more on the way up.
    """
    for ours, theirs in UNET_ENDS.items():
        if key.startswith(ours):
            return theirs + key[len(ours) :]
    key = re.sub(rf"(resnets\.\d+\.)({'|'.join(RESNET)})\b", lambda m: m[1] + RESNET[m[2]], key)
    each = layers + 1
    rules: list[Rename] = [
        (r"^down_blocks\.(\d+)\.resnets\.(\d+)", lambda m: f"input_blocks.{1 + int(m[1]) * each + int(m[2])}.0"),
        (r"^down_blocks\.(\d+)\.attentions\.(\d+)", lambda m: f"input_blocks.{1 + int(m[1]) * each + int(m[2])}.1"),
        (r"^down_blocks\.(\d+)\.downsamplers\.0\.conv", lambda m: f"input_blocks.{(int(m[1]) + 1) * each}.0.op"),
        (r"^mid_block\.resnets\.(\d+)", lambda m: f"middle_block.{2 * int(m[1])}"),
        (r"^mid_block\.attentions\.0", "middle_block.1"),
        (r"^up_blocks\.(\d+)\.resnets\.(\d+)", lambda m: f"output_blocks.{int(m[1]) * each + int(m[2])}.0"),
        (r"^up_blocks\.(\d+)\.attentions\.(\d+)", lambda m: f"output_blocks.{int(m[1]) * each + int(m[2])}.1"),
    ]
    return renamed(key, rules)


def original_unet(state: Mapping[str, Tensor], layers: int) -> Iterator[tuple[str, Tensor]]:
    """The UNet's tensors under their original names."""
    with_attention = {key.split(".")[1] for key in state if re.match(r"up_blocks\.\d+\.attentions", key)}
    for key, value in state.items():
        if up := re.match(r"up_blocks\.(\d+)\.upsamplers\.0\.(.*)", key):
            place = 2 if up[1] in with_attention else 1  # after a ResNet, and after its attention where there is one
            yield f"{UNET}output_blocks.{int(up[1]) * (layers + 1) + layers}.{place}.{up[2]}", value
        else:
            yield UNET + original_unet_key(key, layers), value


def original_vae(state: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """The VAE's tensors under their original names."""
    top = max(int(key.split(".")[2]) for key in state if key.startswith("decoder.up_blocks."))
    rules: list[Rename] = [
        (r"^encoder\.down_blocks\.(\d+)\.resnets\.", r"encoder.down.\1.block."),
        (r"^encoder\.down_blocks\.(\d+)\.downsamplers\.0\.", r"encoder.down.\1.downsample."),
        (r"^decoder\.up_blocks\.(\d+)\.resnets\.", lambda m: f"decoder.up.{top - int(m[1])}.block."),
        (r"^decoder\.up_blocks\.(\d+)\.upsamplers\.0\.", lambda m: f"decoder.up.{top - int(m[1])}.upsample."),
        (r"mid_block\.resnets\.(\d+)", lambda m: f"mid.block_{int(m[1]) + 1}"),
        (r"conv_shortcut", "nin_shortcut"),
        (r"conv_norm_out", "norm_out"),
    ]
    for key, value in state.items():
        if attention := re.match(r"(encoder|decoder)\.mid_block\.attentions\.0\.(.+)\.(weight|bias)$", key):
            convolution = value[:, :, None, None] if value.ndim == 2 else value
            yield f"{VAE}{attention[1]}.mid.attn_1.{VAE_ATTENTION[attention[2]]}.{attention[3]}", convolution
        else:
            yield VAE + renamed(key, rules), value


def original_text_encoder(state: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """The text encoder's tensors under their original names; ``transformers`` had them with ``text_model.`` before."""
    for key, value in state.items():
        if not key.endswith("position_ids"):
            yield TEXT + key.removeprefix("text_model."), value


def renamed(key: str, rules: list[Rename]) -> str:
    """A key after every rule."""
    for pattern, replacement in rules:
        key = re.sub(pattern, replacement, key)
    return key


def original_state(components: Components, dtype: torch.dtype) -> dict[str, Tensor]:
    """All tensors of the three networks, by their original names, on the CPU.

    Raises:
        UserError: for a base that is not built as Stable Diffusion 1.x is.
    """
    layers = components.unet.config.layers_per_block
    if not isinstance(layers, int):
        raise UserError(f"layers_per_block={layers}: the original layout has the same number in every block")
    parts = (
        original_unet(components.unet.state_dict(), layers),
        original_vae(components.vae.state_dict()),
        original_text_encoder(components.text_encoder.state_dict()),
    )
    # A copy of each: safetensors refuses tensors that share memory.
    return {key: value.detach().to("cpu", dtype, copy=True).contiguous() for part in parts for key, value in part}


def write_single_file(components: Components, file: Path, dtype: torch.dtype, metadata: Mapping[str, str]) -> None:
    """Write the checkpoint, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.part")
    save_file(original_state(components, dtype), temporary, {"format": "pt", **metadata})
    temporary.replace(file)
