"""A LoRA as a file of its own: in the form of diffusers, and in the one of kohya's trainer, which web UIs read.

Both hold A [rank, in] and B [out, rank] of each layer; they differ in names, and in where alpha stands: diffusers keeps
it in the file's metadata, and takes it for the rank where there is none; kohya keeps a tensor beside each pair.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from avatar_exp.models.components import Components
from avatar_exp.models.lora import has_additions, layers

LORA_FILE = "lora.safetensors"  # beside the networks of a run with method=lora
METADATA = "lora_adapter_metadata"  # diffusers' key: JSON, each entry with the network before it, "unet.lora_alpha"
TEXT = "text_model."  # stands in the names that files have; transformers 5 has dropped it from its own
KOHYA = {"unet": "lora_unet_", "text_encoder": "lora_te_"}  # of Stable Diffusion 1.x
MATRICES = {"lora_A": "lora_down", "lora_B": "lora_up"}


@dataclass(frozen=True)
class Additions:
    """What a LoRA adds to the networks of a base."""

    tensors: Mapping[str, Tensor]  # "<network>.<layer>.lora_A.weight" [rank, in], "....lora_B.weight" [out, rank]
    configs: Mapping[str, Mapping[str, Any]]  # by network: peft's r, lora_alpha, target_modules

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return sum(tensor.numel() for tensor in self.tensors.values())


def additions_of(components: Components) -> Additions | None:
    """The additions that the networks hold beside their weights; None if they hold none."""
    tensors: dict[str, Tensor] = {}
    configs = {}
    for name, network in components.modules.items():
        if has_additions(network):
            configs[name] = config_of(network)
            for layer_name, layer in layers(network):
                key = f"{name}.{TEXT if name == 'text_encoder' else ''}{layer_name.removeprefix(TEXT)}"
                for matrix in MATRICES:
                    tensors[f"{key}.{matrix}.weight"] = getattr(layer, matrix)["default"].weight.detach()
    return Additions(tensors, configs) if tensors else None


def config_of(network: Any) -> dict[str, Any]:
    """What diffusers needs to put the additions in again: of peft's settings only those that every version knows."""
    config = network.peft_config["default"]
    targets = sorted(config.target_modules)
    return {"r": config.r, "lora_alpha": config.lora_alpha, "target_modules": targets, "bias": "none"}


def write_lora(additions: Additions, file: Path, dtype: torch.dtype, metadata: Mapping[str, str]) -> None:
    """In the form of diffusers: ``pipeline.load_lora_weights(folder, weight_name=...)``."""
    flat = {f"{name}.{key}": value for name, config in additions.configs.items() for key, value in config.items()}
    _save(additions.tensors, file, dtype, {**metadata, METADATA: json.dumps(flat, sort_keys=True)})


def read_lora(file: Path) -> Additions:
    """What ``write_lora`` wrote."""
    with safe_open(file, "pt") as opened:
        flat = json.loads((opened.metadata() or {})[METADATA])
    configs: dict[str, dict[str, Any]] = {}
    for key, value in flat.items():
        name, _, setting = key.partition(".")
        configs.setdefault(name, {})[setting] = value
    return Additions(load_file(file), configs)


def write_kohya(additions: Additions, file: Path, dtype: torch.dtype, metadata: Mapping[str, str]) -> None:
    """In the form of kohya's trainer for Stable Diffusion 1.x."""
    _save(kohya_state(additions), file, dtype, metadata)


def kohya_state(additions: Additions) -> dict[str, Tensor]:
    """``lora_unet_down_blocks_0_..._to_q.lora_down.weight``, ``.lora_up.weight`` and ``.alpha`` of each layer."""
    state = {}
    for key, tensor in additions.tensors.items():
        name, _, rest = key.partition(".")
        layer, matrix, _ = rest.rsplit(".", 2)
        ours = KOHYA[name] + layer.replace(".", "_")
        state[f"{ours}.{MATRICES[matrix]}.weight"] = tensor
        state[f"{ours}.alpha"] = torch.tensor(float(additions.configs[name]["lora_alpha"]))
    return state


def _save(tensors: Mapping[str, Tensor], file: Path, dtype: torch.dtype, metadata: Mapping[str, str]) -> None:
    """Whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.part")
    state = {key: tensor.to("cpu", dtype, copy=True).contiguous() for key, tensor in tensors.items()}
    save_file(state, temporary, {"format": "pt", **metadata})
    temporary.replace(file)
