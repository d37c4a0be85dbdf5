"""Scores as pure functions of features. N pictures, M photos, D dimensions; features need not be normalised."""

from torch import Tensor
from torchmetrics.functional import pairwise_cosine_similarity


def similarity(pictures: Tensor, photos: Tensor) -> Tensor:
    """[N]: the mean cosine of each picture to the photos, in [-1, 1].

    Its mean over the pictures is the DreamBooth paper's subject fidelity (Ruiz et al. 2022, section 4.1): CLIP-I with
    CLIP's image features, DINO with DINO's.

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
    cosines: Tensor = pairwise_cosine_similarity(pictures.float(), photos.float(), zero_diagonal=False)
    return cosines.mean(dim=1)
