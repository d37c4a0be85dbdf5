"""Muon: momentum whose matrices are made orthogonal before each step; about 3 dB better than AdamW for the autoencoder.

Measured at equal time: 3.5 minutes on one core, PSNR of held-out pictures 23.8 dB against 20.8 dB.
Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"; steps scaled to the size of AdamW's as in
Liu et al. 2025, "Muon is scalable for LLM training", equation 4. ``torch.optim.Muon`` refuses convolutions.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

QUINTIC = (3.4445, -4.7750, 2.0315)
WEIGHT_DECAY = 0.01


def orthogonal(matrix: Tensor, iterations: int = 5) -> Tensor:
    """[A, B], any dtype, to about the nearest matrix with orthonormal rows or columns (bf16).

    A Newton-Schulz iteration that leaves singular values between about 0.7 and 1.2, which is near enough.
    """
    wide = matrix.bfloat16() if len(matrix) <= matrix.shape[1] else matrix.bfloat16().T
    found: Tensor = wide / (wide.norm() + 1e-7)
    a, b, c = QUINTIC
    for _ in range(iterations):
        square = found @ found.T
        found = a * found + (b * square + c * square @ square) @ found
    return found if len(matrix) <= matrix.shape[1] else found.T


def split(model: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Matrices and convolutions inside the model, for Muon; and the rest: ends, embeddings, norms, biases."""
    inside: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        an_end = any(part in name for part in ("conv_in", "conv_out", "embedding", "embedder", "projection"))
        (rest if parameter.ndim < 2 or an_end else inside).append(parameter)
    return inside, rest


class Muon(Optimizer):
    """Muon for the groups with ``orthogonal=True``, AdamW for the others: one optimizer, one schedule, one checkpoint.

    Parameters of more than two dimensions are seen as matrices [first, all others].
    """

    def __init__(self, groups: Iterable[dict[str, Any]], momentum: float = 0.95) -> None:
        """groups: each with ``params``, ``lr`` and ``orthogonal``."""
        super().__init__(groups, {"momentum": momentum, "betas": (0.9, 0.99), "eps": 1e-8})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step of every parameter that has a gradient; returns what the closure returns."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.mul_(1 - group["lr"] * WEIGHT_DECAY)
                    change = self._orthogonal if group["orthogonal"] else self._adam
                    parameter.add_(change(parameter, parameter.grad, group), alpha=-group["lr"])
        return loss

    def _orthogonal(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> Tensor:
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        mean: Tensor = state["momentum"].lerp_(gradient, 1 - group["momentum"])
        ahead = gradient.lerp(mean, group["momentum"]).flatten(1)
        scale = 0.2 * max(ahead.shape) ** 0.5  # the size of AdamW's steps
        change: Tensor = (orthogonal(ahead) * scale).reshape(parameter.shape).to(parameter.dtype)
        return change

    def _adam(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> Tensor:
        state, (beta1, beta2) = self.state[parameter], group["betas"]
        if not state:
            state |= {"step": 0, "mean": torch.zeros_like(parameter), "square": torch.zeros_like(parameter)}
        state["step"] += 1
        mean: Tensor = state["mean"].lerp_(gradient, 1 - beta1)
        square: Tensor = state["square"].lerp_(gradient.square(), 1 - beta2)
        size: Tensor = (square / (1 - beta2 ** state["step"])).sqrt() + group["eps"]
        change: Tensor = mean / (1 - beta1 ** state["step"]) / size
        return change
