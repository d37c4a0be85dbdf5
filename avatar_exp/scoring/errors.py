"""How sure the scores are that are no means: their standard errors, by leaving out one prompt after the other."""

import math
from collections.abc import Callable, Sequence

import torch

from avatar_exp.scoring.reference import ClipReference, IdentityReference, Pictures, choice


def jackknife(without: Callable[[int], float], prompts: Sequence[int]) -> float:
    """Standard error of a score by the jackknife over prompts (Efron & Tibshirani 1993, eq. 11.5).

    Args:
        without: the score as if a prompt had not been asked for.
        prompts: of all pictures.

    Returns:
        NaN with fewer than three prompts.
    """
    numbers = sorted(set(prompts))
    if len(numbers) < 3:
        return math.nan
    left_out = torch.tensor([without(prompt) for prompt in numbers])
    return float(((len(numbers) - 1) * left_out.var(unbiased=False)).sqrt())


def likeness_error(identity: IdentityReference, subject: Pictures) -> float:
    """Standard error of ``likeness``."""
    return jackknife(lambda prompt: identity.without(prompt).likeness(subject.without(prompt)), subject.prompts)


def drift_error(identity: IdentityReference, of_class: Pictures) -> float:
    """Standard error of ``drift``."""
    return jackknife(lambda prompt: identity.without(prompt).drift(of_class.without(prompt)), of_class.prompts)


def obedience_error(clip: ClipReference, subject: Pictures) -> float:
    """Standard error of ``obedience``."""
    return jackknife(lambda prompt: clip.without(prompt).obedience(subject.without(prompt)), subject.prompts)


def choice_error(identity: IdentityReference, clip: ClipReference, by_identity: Pictures, by_clip: Pictures) -> float:
    """Standard error of ``choice``."""
    return jackknife(
        lambda prompt: choice(
            identity.without(prompt), clip.without(prompt), by_identity.without(prompt), by_clip.without(prompt)
        ),
        by_clip.prompts,
    )
