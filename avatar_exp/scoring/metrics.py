"""The scores as torchmetrics: thin state around ``scoring.functional``."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from avatar_exp.scoring.functional import similarity


class SubjectSimilarity(Metric):
    """Mean cosine between features of pictures and of photos; range [-1, 1], higher is more alike.

    The DreamBooth paper's CLIP-I and DINO. It rewards a copied background and pose too: a picture that obeys its prompt
    can score lower than one that does not. Sums over processes.
    """

    higher_is_better = True
    is_differentiable = False
    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    def update(self, pictures: Tensor, photos: Tensor) -> None:
        """Take in pictures [N, D] of the subject that the photos [M, D] show."""
        values = similarity(pictures, photos)
        self.total += values.double().sum()
        self.count += len(values)

    def compute(self) -> Tensor:
        """The mean over all pictures; NaN before the first."""
        return self.total / self.count
