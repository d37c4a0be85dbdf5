"""All scores of the pictures of one step, with how sure they are, and each picture's own."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from torch import Tensor

from avatar_exp.scoring.functional import diversity, similarity
from avatar_exp.scoring.intervals import Interval, clustered
from avatar_exp.scoring.reference import ClipReference, IdentityReference, Pictures, choice, choice_error


@dataclass(frozen=True)
class Seen:
    """The same pictures in both embedders; None where there is none."""

    identity: Pictures | None = None
    clip: Pictures | None = None


@dataclass(frozen=True)
class Scored:
    """Scores by name; intervals of those that are means; the error of ``choice``; each picture's values [N]."""

    scores: Mapping[str, float]
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    choice_error: float = math.nan
    pictures: Mapping[str, Tensor] = field(default_factory=dict)


def scored(
    identity: IdentityReference | None, clip: ClipReference | None, subject: Seen, of_class: Seen | None = None
) -> Scored:
    """The scores of one concept's pictures; a score whose embedder is missing is left out.

    Args:
        subject: pictures of the subject.
        of_class: pictures of the class by the trained weights, for ``drift``.
    """
    scores: dict[str, float] = {}
    each: dict[str, Tensor] = {}
    prompts: Sequence[int] = ()
    measurable = identity is not None and identity.why_not_measurable is None
    if identity is not None and subject.identity is not None:
        prompts = subject.identity.prompts
        each["identity"] = similarity(subject.identity.features, identity.photos)
        if measurable:
            scores["likeness"] = identity.likeness(subject.identity)
        if measurable and of_class is not None and of_class.identity is not None:
            scores["drift"] = identity.drift(of_class.identity)
    if clip is not None and subject.clip is not None:
        prompts = subject.clip.prompts
        each["identity_clip"] = similarity(subject.clip.features, clip.photos)
        each["memorisation"] = clip.copies(subject.clip)[0].float()
        each["prompt"] = clip.text_similarity(subject.clip)
        scores["diversity"] = float(diversity(subject.clip.features, prompts).mean())
    intervals = {name: clustered(values, prompts) for name, values in each.items()}
    scores |= {name: interval.mean for name, interval in intervals.items()}
    error = math.nan
    if measurable and identity and clip and subject.identity and subject.clip:
        scores["choice"] = choice(identity, clip, subject.identity, subject.clip)
        error = choice_error(identity, clip, subject.identity, subject.clip)
    return Scored({name: v for name, v in scores.items() if not math.isnan(v)}, intervals, error, each)


def mean_of(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Scores of several concepts as one, of those that all of them have."""
    names = [name for name in parts[0] if all(name in part for part in parts)] if parts else []
    return {name: fmean(part[name] for part in parts) for name in names}
