"""All scores of the pictures of one step, with how sure they are, and each picture's own."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

import torch
from torch import Tensor

from avatar_exp.scoring.errors import choice_error, drift_error, likeness_error, obedience_error
from avatar_exp.scoring.functional import diversity, similarity
from avatar_exp.scoring.intervals import Interval, clustered, jackknifed
from avatar_exp.scoring.reference import ClipReference, IdentityReference, Pictures, choice

YES_OR_NO = ("memorisation", "faces_found")


@dataclass(frozen=True)
class Seen:
    """The same pictures in both embedders; None where there is none."""

    identity: Pictures | None = None
    clip: Pictures | None = None


@dataclass(frozen=True)
class Scored:
    """Scores by name; their standard errors; intervals of those that are means; each picture's values [N].

    Those of YES_OR_NO have neither: of so few yes and no there is no honest interval. ``copies``: for each picture the
    number of the photo that it copies, or None. ``most_drifted``: the number of the class picture that is most like
    the subject; ``least_obedient``: of the picture that falls furthest short of what the base makes of its prompt.
    """

    scores: Mapping[str, float]
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    errors: Mapping[str, float] = field(default_factory=dict)
    pictures: Mapping[str, Tensor] = field(default_factory=dict)
    copies: Sequence[int | None] = ()
    most_drifted: int | None = None
    least_obedient: int | None = None


def scored(
    identity: IdentityReference | None,
    clip: ClipReference | None,
    subject: Seen,
    of_class: Seen | None = None,
    faces: Sequence[bool] | None = None,
    in_common: Tensor | None = None,
) -> Scored:
    """The scores of one concept's pictures; a score whose embedder is missing is left out.

    Args:
        subject: pictures of the subject.
        of_class: pictures of the class by the trained weights, for ``drift``.
        faces: for each picture of the subject, whether the identity embedder saw a face or the whole; None if it does
            not look for faces.
        in_common: of each picture of the subject's layout with each learnt photo's; without it anything may be a copy.
    """
    scores: dict[str, float] = {}
    errors: dict[str, float] = {}
    each: dict[str, Tensor] = {}
    prompts: Sequence[int] = ()
    copied: list[int | None] = []
    most_drifted = least_obedient = None
    alike = subject.identity if identity is not None and identity.why_not_measurable is None else None
    if identity is not None and subject.identity is not None:
        prompts = subject.identity.prompts
        each["identity"] = similarity(subject.identity.features, identity.photos)
    if faces is not None:
        each["faces_found"] = torch.tensor(faces, dtype=torch.float32)
    if identity is not None and alike is not None:
        scores["likeness"], errors["likeness"] = identity.likeness(alike), likeness_error(identity, alike)
        if of_class is not None and of_class.identity is not None:
            scores["drift"] = identity.drift(of_class.identity)
            errors["drift"] = drift_error(identity, of_class.identity)
            most_drifted = int(similarity(of_class.identity.features, identity.photos).argmax())
    if clip is not None and subject.clip is not None:
        prompts = subject.clip.prompts
        flags, nearest = clip.copies(subject.clip, in_common)
        copied = [int(which) if flag else None for flag, which in zip(flags, nearest, strict=True)]
        each["identity_clip"] = similarity(subject.clip.features, clip.photos)
        each["memorisation"] = flags.float()
        each["prompt"] = clip.text_similarity(subject.clip)
        scores["diversity"] = float(diversity(subject.clip.features, prompts).mean())
        least_obedient = int(clip.shortfall(subject.clip).argmax())
        scores["obedience"], errors["obedience"] = clip.obedience(subject.clip), obedience_error(clip, subject.clip)
    intervals = {name: clustered(values, prompts) for name, values in each.items() if name not in YES_OR_NO}
    scores |= {name: float(values.mean()) for name, values in each.items()}
    if identity is not None and alike is not None and clip is not None and subject.clip is not None:
        scores["choice"] = choice(identity, clip, alike, subject.clip)
        errors["choice"] = choice_error(identity, clip, alike, subject.clip)
    asked = {"drift": of_class.identity.prompts} if of_class is not None and of_class.identity is not None else {}
    counts = {name: len(set(asked.get(name, prompts))) for name in errors}
    intervals |= {name: jackknifed(scores[name], error, counts[name]) for name, error in known(errors).items()}
    errors |= {name: interval.error for name, interval in intervals.items()}
    return Scored(known(scores), intervals, known(errors), each, copied, most_drifted, least_obedient)


def known(values: Mapping[str, float]) -> dict[str, float]:
    """Those that are numbers."""
    return {name: value for name, value in values.items() if not math.isnan(value)}


def mean_of(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Scores of several concepts as one, of those that all of them have."""
    names = [name for name in parts[0] if all(name in part for part in parts)] if parts else []
    return {name: fmean(part[name] for part in parts) for name in names}
