"""What training will want of a GPU's memory, by part: counted on networks without weights, so it takes a second."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avatar_exp.models.components import Components

FP32, HALF = 4, 2  # bytes a number
# Under autocast norms and losses run in fp32, and kernels want room to work in: not counted, so allowed for.
ALLOWANCE = 1.35
CONTEXT = 0.6e9  # bytes that CUDA itself takes


@dataclass(frozen=True)
class Need:
    """Bytes on the GPU while a step is at its peak."""

    weights: float  # of all networks but for a VAE that waits elsewhere, fp32, and what autocast copies of them
    gradients: float
    moments: float
    average: float
    activations: float  # that the backward pass will want
    scorers: float = 0.0  # embedders, fp32

    @property
    def total(self) -> float:
        """All of it, with CUDA's own."""
        return CONTEXT + float(sum(getattr(self, name) for name in self.__dataclass_fields__))

    def __str__(self) -> str:
        parts = {name: getattr(self, name) / 1e9 for name in self.__dataclass_fields__ if getattr(self, name)}
        return f"about {self.total / 1e9:.1f} GB: " + ", ".join(f"{name} {value:.1f}" for name, value in parts.items())


def need(
    components: Components,
    trained: Mapping[str, nn.Module],
    *,
    rows: int,
    side: int,
    moment_bytes: int,
    checkpointing: bool,
    scorers: int = 0,
) -> Need:
    """The estimate for one micro-batch.

    Args:
        trained: the networks of which weights are trained, by name.
        rows: photos and prior pictures of a micro-batch together.
        side: pixels.
        moment_bytes: of the optimizer's moments, for each weight.
        checkpointing: whether activations are computed again in the backward pass.
        scorers: bytes of the embedders that are there too.
    """
    half = components.compute_dtype != torch.float32
    there = [module for name, module in components.modules.items() if not (components.offload and name == "vae")]
    every = sum(p.numel() for module in there for p in module.parameters())
    used = sum(p.numel() for name in ("unet", "text_encoder") for p in components.modules[name].parameters())
    learning = sum(p.numel() for module in trained.values() for p in module.parameters() if p.requires_grad)
    seen = activations(components, rows, side, "text_encoder" in trained, checkpointing)
    return Need(
        weights=every * FP32 + (used * HALF if half else 0),
        gradients=learning * FP32,
        moments=learning * moment_bytes,
        average=learning * FP32 if components.ema else 0,
        activations=seen * (HALF if half else FP32) * ALLOWANCE,
        scorers=scorers,
    )


def activations(components: Components, rows: int, side: int, text_is_trained: bool, checkpointing: bool) -> int:
    """How many numbers a forward pass keeps for the backward pass: counted, on networks that hold no weights."""
    with torch.device("meta"), fused_attention():
        unet = type(components.unet).from_config(components.unet.config).train()
        encoder = type(components.text_encoder)(components.text_encoder.config).train()
        if checkpointing:
            unet.enable_gradient_checkpointing()
            encoder.gradient_checkpointing_enable()
        small = side // components.downscale
        latents = torch.empty(rows, unet.config.in_channels, small, small)
        ids = torch.empty(rows, components.tokenizer.model_max_length, dtype=torch.long)
        with kept(unet, encoder) as sizes:
            with torch.set_grad_enabled(text_is_trained):
                states = encoder(ids).last_hidden_state
            unet(latents, torch.empty(rows, dtype=torch.long), encoder_hidden_states=states).sample.sum()
    return sum(sizes.values())


@contextmanager
def kept(*modules: nn.Module) -> Iterator[dict[int, int]]:
    """The elements of every tensor that autograd keeps inside, by storage; weights, which are there anyway, are not."""
    own = {p.untyped_storage()._cdata for module in modules for p in module.parameters()}
    sizes: dict[int, int] = {}
    alive = []  # a storage that is freed would leave its number to another one

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            sizes[storage._cdata] = storage.nbytes() // tensor.element_size()
            alive.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield sizes


@contextmanager
def fused_attention() -> Iterator[None]:
    """Attention that keeps what a fused kernel keeps: its inputs and its output, not the matrix of all with all."""
    plain: Any = F.scaled_dot_product_attention
    apply: Any = _Fused.apply
    F.scaled_dot_product_attention = lambda query, key, value, *_, **__: apply(query, key, value)
    try:
        yield
    finally:
        F.scaled_dot_product_attention = plain


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        found = query.clone()
        context.save_for_backward(query, key, value, found)
        return found

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Any:
        raise NotImplementedError("counting has no backward pass")
