"""Scores as pure functions of features. N pictures, M photos, D dimensions; features need not be normalised.

CLIP-I, CLIP-T, DINO, PRES and DIV are the DreamBooth paper's (Ruiz et al. 2022, sections 4.1 and 4.4).
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def cosines(pictures: Tensor, photos: Tensor) -> Tensor:
    """[N, M]: the cosine of every picture to every photo, in [-1, 1].

    Args:
        pictures: [N, D].
        photos: [M, D].

    Raises:
        ValueError: if there is nothing to compare, or the features are of different models.
    """
    if pictures.ndim != 2 or photos.ndim != 2 or pictures.shape[1] != photos.shape[1]:
        raise ValueError(f"expected [N, D] and [M, D] features, got {tuple(pictures.shape)} and {tuple(photos.shape)}")
    if not len(pictures) or not len(photos):
        raise ValueError(f"{len(pictures)} pictures cannot be compared with {len(photos)} photos")
    return F.normalize(pictures.float(), dim=1) @ F.normalize(photos.float(), dim=1).T


def similarity(pictures: Tensor, photos: Tensor) -> Tensor:
    """[N]: the mean cosine of each picture to the photos, in [-1, 1].

    Its mean over pictures of the subject is CLIP-I with CLIP's image features and DINO with DINO's; over those of the
    class it is PRES.
    """
    return cosines(pictures, photos).mean(dim=1)


def prompt_similarity(pictures: Tensor, texts: Tensor) -> Tensor:
    """[N]: the cosine of each picture [N, D] to the text [N, D] it was drawn for, in [-1, 1]. Its mean is CLIP-T.

    Raises:
        ValueError: if there is not one text a picture.
    """
    if pictures.shape != texts.shape or pictures.ndim != 2:
        raise ValueError(f"expected one [N, D] text a picture, got {tuple(pictures.shape)} and {tuple(texts.shape)}")
    return F.cosine_similarity(pictures.float(), texts.float(), dim=1)


def diversity(pictures: Tensor, prompts: Sequence[int]) -> Tensor:
    """[P]: for each prompt with two pictures or more, 1 - the mean cosine of its pairs (DIV); 0: all the same.

    Args:
        pictures: [N, D].
        prompts: N numbers: which pictures belong together.
    """
    found = []
    numbers = torch.tensor(list(prompts))
    for prompt in sorted(set(prompts)):
        own = pictures[numbers == prompt]
        if len(own) > 1:
            pairs = cosines(own, own)
            found.append(1 - (pairs.sum() - pairs.diagonal().sum()) / (len(own) * (len(own) - 1)))
    return torch.stack(found) if found else torch.empty(0)


def nearest_photo(pictures: Tensor, photos: Tensor) -> tuple[Tensor, Tensor]:
    """[N] cosine to the nearest photo, in [-1, 1], and [N] which photo that is."""
    found = cosines(pictures, photos).max(dim=1)
    return found.values, found.indices


def leave_one_out(photos: Tensor, groups: Sequence[int]) -> Tensor:
    """[M]: the mean cosine of each photo to those of other groups: what a faultless picture of the subject would have.

    Args:
        photos: [M, D].
        groups: M numbers; photos of one group are copies of each other, and a copy of a photo proves nothing.

    Raises:
        ValueError: if all photos are of one group.
    """
    numbers = torch.tensor(list(groups))
    others = numbers[:, None] != numbers[None]
    if not bool(others.any(dim=1).all()):
        raise ValueError(f"{len(photos)} photos, all copies of one: there is nothing to compare them with")
    return (cosines(photos, photos) * others).sum(dim=1) / others.sum(dim=1)


def relative(value: float, floor: float, ceiling: float) -> float:
    """Where a value lies between a floor (0) and a ceiling (1); not clipped. NaN if they are the same.

    ``likeness``: identity between the base's pictures of the class and the photos among themselves. ``drift``: the same
    of the pictures of the class, after training.
    """
    return (value - floor) / (ceiling - floor) if ceiling != floor else float("nan")


def harmonic(likeness: float, obedience: float) -> float:
    """The harmonic mean of two values clipped to [0, 1]: high only if both are (``choice``); NaN if either is."""
    if math.isnan(likeness) or math.isnan(obedience):
        return math.nan
    one, other = (min(max(value, 0.0), 1.0) for value in (likeness, obedience))
    return 2 * one * other / (one + other) if one + other > 0 else 0.0
