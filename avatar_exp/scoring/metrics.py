"""The scores as torchmetrics, for loops of one's own: thin state around ``scoring.functional``; sums over processes."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from avatar_exp.scoring.functional import diversity, prompt_similarity, similarity
from avatar_exp.scoring.reference import ClipReference, Pictures


class MeanScore(Metric):
    """The mean of values that arrive in parts; NaN before the first."""

    is_differentiable = False
    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    def take(self, values: Tensor) -> None:
        """Count values [N] in."""
        self.total += values.double().sum()
        self.count += len(values)

    def compute(self) -> Tensor:
        """The mean over all values so far."""
        return self.total / self.count


class SubjectSimilarity(MeanScore):
    """Mean cosine between features of pictures and of photos; range [-1, 1], higher is more alike.

    The DreamBooth paper's CLIP-I and DINO; of pictures of the class it is PRES. It rewards a copied background and pose
    too: a picture that obeys its prompt can score lower than one that does not.
    """

    higher_is_better = True

    def update(self, pictures: Tensor, photos: Tensor) -> None:
        """Take in pictures [N, D] of the subject that the photos [M, D] show."""
        self.take(similarity(pictures, photos))


class PromptSimilarity(MeanScore):
    """Mean cosine between features of pictures and of their texts; range [-1, 1], higher obeys more. CLIP-T."""

    higher_is_better = True

    def update(self, pictures: Tensor, texts: Tensor) -> None:
        """Take in pictures [N, D], and for each the text [N, D] that it was drawn for."""
        self.take(prompt_similarity(pictures, texts))


class Diversity(MeanScore):
    """1 - mean cosine of the pairs of a prompt, averaged over prompts; range [0, 2], 0: all the same. The paper's DIV.

    All pictures of a prompt must come in one update.
    """

    higher_is_better = True

    def update(self, pictures: Tensor, prompts: Sequence[int]) -> None:
        """Take in pictures [N, D] and the number of each one's prompt."""
        self.take(diversity(pictures, prompts))


class Memorisation(MeanScore):
    """Share of pictures that copy a photo, as ``ClipReference.copies`` has it; range [0, 1], lower copies less."""

    higher_is_better = False

    def __init__(self, reference: ClipReference, **kwargs: Any) -> None:
        """reference: the photos, and the base's pictures of the prompts to come."""
        super().__init__(**kwargs)
        self.reference = reference

    def update(self, pictures: Tensor, prompts: Sequence[int]) -> None:
        """Take in pictures [N, D] of the subject, and the number of each one's prompt."""
        self.take(self.reference.copies(Pictures(pictures, prompts))[0])
