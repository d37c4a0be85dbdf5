"""What the pictures of a subject are measured against, in each embedder, and the scores that follow.

A raw cosine says little: 0.7 may be a stranger in one embedder and a twin in another. So likeness is put between what
the base's pictures of the class reach (0) and what the photos reach among themselves (1), and obedience between the
base's pictures against wrong prompts (0) and against their own (1).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import torch
from torch import Tensor

from avatar_exp.scoring.functional import (
    cosines,
    harmonic,
    leave_one_out,
    nearest_photo,
    prompt_similarity,
    relative,
    similarity,
)
from avatar_exp.scoring.layout import LEAST_COMMON

COPY_QUANTILE = 0.95
UNEXPLAINED = 0.5  # of what a photo has: found on drawn people, healthy runs and such as were built to copy
LEAST_UNEXPLAINED = 0.1  # a photo of what the prompt asks for: to copy it and to obey are the same
SURE = 3.0  # standard errors by which the photos must be more alike than strangers are to them


@dataclass(frozen=True)
class Pictures:
    """Features [N, D] of pictures in one embedder, and the number of the prompt that each was drawn for."""

    features: Tensor
    prompts: Sequence[int]

    def without(self, prompt: int) -> "Pictures":
        """The pictures of all other prompts."""
        kept = [number for number, own in enumerate(self.prompts) if own != prompt]
        return Pictures(self.features[kept], [self.prompts[number] for number in kept])

    def matching(self, prompts: Sequence[int]) -> "Pictures":
        """For each prompt, in turn, its next picture: the counterparts of pictures with the same seeds.

        Raises:
            ValueError: if a prompt has fewer pictures here.
        """
        places: dict[int, list[int]] = {}
        for place, prompt in enumerate(self.prompts):
            places.setdefault(prompt, []).append(place)
        try:
            kept = [places[prompt].pop(0) for prompt in prompts]
        except (KeyError, IndexError) as error:
            raise ValueError(
                f"there are not as many pictures of every prompt in {self.prompts} as {prompts}"
            ) from error
        return Pictures(self.features[kept], list(prompts))


@dataclass(frozen=True, kw_only=True)
class Reference:
    """In one embedder: photos [M, D] of the subject to compare with, the untrained base's pictures of the class and the
    photos [T, D] that were trained on, if ``photos`` were held out.

    ``groups``: for each photo that was trained on the number of its group, copies of each other being of one; None: all
    differ. To be found in the pictures: an embedder that knows somebody well takes all photos of them for one.
    """

    photos: Tensor
    base: Pictures
    trained_on: Tensor | None = None
    groups: Sequence[int] | None = None

    @property
    def learnt(self) -> Tensor:
        """[M, D] or [T, D]: the photos that were trained on."""
        return self.photos if self.trained_on is None else self.trained_on

    @property
    def learnt_groups(self) -> Sequence[int]:
        """The groups of ``learnt``."""
        return range(len(self.learnt)) if self.groups is None else self.groups

    @property
    def others(self) -> Tensor:
        """[M, M]: whether two photos of ``learnt`` are no copies of each other."""
        groups = torch.tensor(list(self.learnt_groups))
        return groups[:, None] != groups[None]

    def without(self, prompt: int) -> Self:
        """The reference as if a prompt had not been asked for."""
        return replace(self, base=self.base.without(prompt))


@dataclass(frozen=True, kw_only=True)
class IdentityReference(Reference):
    """In the identity embedder: likeness, and the drift of the class.

    ``class_before``: the base's counterparts of the pictures that drift is measured on, one by one.
    """

    class_before: Pictures | None = None

    @cached_property
    def among_photos(self) -> Tensor:
        """[M]: how alike each photo is to others: to those trained on, else to the rest, each left out in turn.

        Raises:
            ValueError: if all photos are copies of one.
        """
        if self.trained_on is not None:
            return similarity(self.photos, self.trained_on)
        return leave_one_out(self.photos, self.learnt_groups)

    @cached_property
    def why_not_measurable(self) -> str | None:
        """Why these photos give no ``likeness``, or None if they do."""
        try:
            among = self.among_photos
        except ValueError as error:
            return str(error)
        strangers = similarity(self.base.features, self.photos)
        errors = [
            float(each.std()) / math.sqrt(len(each)) if len(each) > 1 else math.inf for each in (among, strangers)
        ]
        if float(among.mean() - strangers.mean()) < SURE * math.hypot(*errors):
            return "the photos are hardly more alike than the base's pictures are to them"
        return None

    def _relative(self, pictures: Tensor, base: Tensor) -> float:
        floor, value = (float(similarity(features, self.photos).mean()) for features in (base, pictures))
        return relative(value, floor, float(self.among_photos.mean()))

    def likeness(self, subject: Pictures) -> float:
        """(identity - b) / (r - b): 0 as alike as the base's pictures of the class, 1 as photos are to each other."""
        return self._relative(subject.features, self.base.features)

    def drift(self, of_class: Pictures) -> float:
        """The same of the class, from the base's on the same prompts and seeds (0) to everybody is the subject (1).

        Args:
            of_class: by the trained weights; counterparts of ``class_before``, or of ``base`` by the first seeds of
                each prompt.
        """
        before = self.base if self.class_before is None else self.class_before
        return self._relative(of_class.features, before.matching(of_class.prompts).features)

    def without(self, prompt: int) -> Self:
        """The reference as if a prompt had not been asked for."""
        before = None if self.class_before is None else self.class_before.without(prompt)
        return replace(super().without(prompt), class_before=before)


@dataclass(frozen=True, kw_only=True)
class ClipReference(Reference):
    """In CLIP: obedience, and copies. texts: [P, D], the prompts with the class instead of the subject."""

    texts: Tensor

    @cached_property
    def copy_threshold(self) -> float:
        """A picture that is nearer to a photo than nearly all photos are to their nearest is a copy of it.

        Photos that are copies of each other do not count as each other's nearest; 1 if nothing is left to compare.
        """
        among = cosines(self.learnt, self.learnt).masked_fill(~self.others, -1).max(dim=1).values
        return float(torch.quantile(among, COPY_QUANTILE)) if bool(self.others.any()) else 1.0

    def copies(self, subject: Pictures, in_common: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """[N] whether each picture copies a photo that was trained on, and [N] which one is nearest.

        A picture on the beach is near a photo on the beach, and any picture of the subject is near all photos. So a
        copy is nearer than photos are to each other, and what neither its prompt nor the subject explains of that
        (``unexplained``) is more than half of what it would be for the photo itself.

        Args:
            subject: N pictures.
            in_common: [N, T], by their layouts with each of ``learnt``; a copy has LEAST_COMMON.
        """
        values, which = nearest_photo(subject.features, self.learnt)
        rows = torch.arange(len(which))
        ours = self.unexplained(subject)[rows, which]
        photos = self.unexplained(Pictures(self.learnt[which], subject.prompts))[rows, which]
        copied = (values > self.copy_threshold) & (ours > UNEXPLAINED * photos.clamp(min=LEAST_UNEXPLAINED))
        return copied if in_common is None else copied & (in_common[rows, which] >= LEAST_COMMON), which

    def unexplained(self, pictures: Pictures) -> Tensor:
        """[N, M]: how much nearer each picture is to each photo than its prompt explains, and than it is to the others.

        The prompt explains what the base's pictures of it have; that all photos are nearer by as much is the subject.
        """
        base = cosines(self.base.features, self.learnt)
        of_prompt = {p: base[[own == p for own in self.base.prompts]].mean(0) for p in set(self.base.prompts)}
        more = cosines(pictures.features, self.learnt) - torch.stack([of_prompt[p] for p in pictures.prompts])
        others = self.others.float()
        return more - more @ others.T / others.sum(dim=1).clamp(min=1)

    def text_similarity(self, pictures: Pictures) -> Tensor:
        """[N]: CLIP-T of each picture."""
        return prompt_similarity(pictures.features, self.texts[list(pictures.prompts)])

    def shortfall(self, subject: Pictures) -> Tensor:
        """[N]: by how much each picture fits its prompt less than the base's pictures of that prompt do."""
        base = self.text_similarity(self.base)
        of_prompt = {p: base[[own == p for own in self.base.prompts]].mean() for p in set(self.base.prompts)}
        return torch.stack([of_prompt[prompt] for prompt in subject.prompts]) - self.text_similarity(subject)

    def obedience(self, subject: Pictures) -> float:
        """(t - t_wrong) / (t_base - t_wrong), t being CLIP-T: 1 as the base obeys, 0 as if asked for something else.

        NaN if there is one prompt only.
        """
        asked = sorted(set(self.base.prompts))
        against = cosines(self.base.features, self.texts[asked])
        own = torch.tensor([[prompt == column for column in asked] for prompt in self.base.prompts])
        if len(asked) < 2:
            return math.nan
        text = float(self.text_similarity(subject).mean())
        return relative(text, float(against[~own].mean()), float(against[own].mean()))


def choice(identity: IdentityReference, clip: ClipReference, by_identity: Pictures, by_clip: Pictures) -> float:
    """What a checkpoint is chosen by, in [0, 1]: the harmonic mean of likeness and obedience, each clipped."""
    return harmonic(identity.likeness(by_identity), clip.obedience(by_clip))
