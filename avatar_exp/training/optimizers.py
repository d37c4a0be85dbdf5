"""Optimizers by ``_target_``: each takes parameter groups and the arguments of its config file."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch.optim import Optimizer

Groups = Iterable[dict[str, Any]]


def adamw(
    params: Groups,
    betas: Sequence[float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 1e-2,
    fused: bool | None = None,
) -> Optimizer:
    """AdamW (Loshchilov & Hutter 2019), fused into one kernel unless ``fused`` says otherwise.

    Lightning refuses to clip the gradients of a fused one in mixed precision, so the train command says False there.
    """
    one_kernel = True if fused is not False else None  # False would leave one loop over all tensors
    return torch.optim.AdamW(
        list(params), betas=(betas[0], betas[1]), eps=eps, weight_decay=weight_decay, fused=one_kernel
    )


def adamw8bit(
    params: Groups,
    betas: Sequence[float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 1e-2,
    paged: bool = False,
) -> Optimizer:
    """AdamW with its two moments in 8 bits (Dettmers et al. 2022): 2 bytes a parameter instead of 8.

    Tensors under 4096 values keep 32-bit moments. Runs on CUDA and, slowly, on the CPU. ``paged`` moments go to the
    host's memory where the GPU's runs out, and come back for the step (Dettmers et al. 2023, "QLoRA", section 3).
    """
    import bitsandbytes

    kind = bitsandbytes.optim.PagedAdamW8bit if paged else bitsandbytes.optim.AdamW8bit
    optimizer: Optimizer = kind(list(params), betas=(betas[0], betas[1]), eps=eps, weight_decay=weight_decay)
    return optimizer


def paged_again(optimizer: Any) -> None:
    """Put the moments of a paged optimizer back into memory that may be paged, after a checkpoint was loaded.

    bitsandbytes loads them into plain memory of the GPU. On a CPU, where nothing is paged, they become plain tensors.
    """
    if not getattr(optimizer, "is_paged", False):
        return
    for parameter, state in optimizer.state.items():
        for name in ("state1", "state2"):
            buffer = optimizer.get_state_buffer(parameter, dtype=state[name].dtype)
            buffer.copy_(state[name])
            state[name] = buffer
