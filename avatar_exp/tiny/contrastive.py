"""What CLIP and the identity embedder share: the contrastive loss, a light change of pictures, their preprocessing."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from avatar_exp.tiny.pictures import SIZE

MIN_SCALE, MAX_SCALE = 0.85, 1.2


def info_nce(similarity: Tensor, not_negative: Tensor) -> Tensor:
    """Both directions of InfoNCE (Radford et al. 2021, "CLIP", figure 3), a scalar.

    Args:
        similarity: [B, B] logits; row i and column i belong together.
        not_negative: [B, B] booleans: pairs that agree as well (the same caption twice) and must not be pushed apart.
    """
    agree = torch.eye(len(similarity), dtype=torch.bool, device=similarity.device)
    logits = similarity.float().masked_fill(not_negative & ~agree, -torch.inf)
    labels = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2


def retrieval(similarity: Tensor, among: int = 32) -> float:
    """How often row i is nearest to column i among ``among`` consecutive ones, in [0, 1]; chance is 1 / among.

    Args:
        similarity: [N, N]; rows and columns after the last full group are left out.
    """
    among = min(among, len(similarity))
    hits = []
    for i in range(0, len(similarity) - among + 1, among):
        group = similarity[i : i + among, i : i + among]
        hits.append(group.argmax(1) == torch.arange(among))
    return float(torch.cat(hits).float().mean())


def lightly_changed(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """[B, 3, H, W] in [-1, 1]: moved, scaled, made brighter or darker; the second half also blurred.

    Blur, because what the autoencoder and the UNet make is softer than what the world draws.
    """
    count = len(pictures)
    draws = torch.rand(count, 4, generator=generator)
    scale = MIN_SCALE + (MAX_SCALE - MIN_SCALE) * draws[:, 0]
    shift = (draws[:, 1:3] - 0.5) * 0.2
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = scale
    theta[:, :, 2] = shift
    grid = F.affine_grid(theta, list(pictures.shape), align_corners=False)
    moved = F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    soft = F.interpolate(F.avg_pool2d(moved[count // 2 :], 2), scale_factor=2.0, mode="bilinear")
    lightness = (0.9 + 0.2 * draws[:, 3]).reshape(-1, 1, 1, 1)
    return ((torch.cat([moved[: count // 2], soft]) + 1) * lightness - 1).clamp(-1, 1)


def image_processor() -> Any:
    """Resize, crop to 128 x 128, scale to [-1, 1]: what both vision models here were trained on."""
    from transformers import CLIPImageProcessor

    return CLIPImageProcessor(
        size={"shortest_edge": SIZE},
        crop_size={"height": SIZE, "width": SIZE},
        image_mean=[0.5, 0.5, 0.5],
        image_std=[0.5, 0.5, 0.5],
    )
