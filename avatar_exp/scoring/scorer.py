"""From images to scores: the embedders of a run, and what its pictures are measured against."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from avatar_exp.data.alike import families, thumb
from avatar_exp.errors import UserError
from avatar_exp.scoring.embedders import Embedder, name_of
from avatar_exp.scoring.layout import in_common, thumbnails
from avatar_exp.scoring.of_faces import OfFaces
from avatar_exp.scoring.reference import ClipReference, IdentityReference, Pictures
from avatar_exp.scoring.step import Scored, Seen, scored

log = logging.getLogger("avatar_exp")


@dataclass(frozen=True)
class Drawn:
    """Images, and the number of the prompt that each was drawn for."""

    images: Sequence[Image.Image]
    prompts: Sequence[int]


@dataclass(frozen=True)
class Against:
    """What one concept's pictures are measured against, in each embedder that there is.

    ``layouts``: thumbnails [M, D] of the photos that were trained on.
    """

    identity: IdentityReference | None
    clip: ClipReference | None
    layouts: Tensor


@dataclass(frozen=True)
class Scorer:
    """The identity embedder and CLIP; either may be missing, and then its scores are."""

    identity: Embedder | OfFaces | None
    clip: Embedder | None

    @property
    def names(self) -> dict[str, str]:
        """Which embedder gives which score of identity."""
        named = {"score/identity_clip": self.clip, "score/identity": self.identity}
        return {metric: one.name for metric, one in named.items() if one}

    def against(
        self,
        photos: Sequence[Image.Image],
        held_out: Sequence[Image.Image],
        base: Drawn,
        texts: Sequence[str],
        class_before: Drawn | None = None,
    ) -> Against:
        """Measure photos and base once.

        Args:
            photos: that were trained on; ``held_out``: photos that were not, to be compared with instead, if any.
            base: pictures of the class by the untrained base.
            texts: the prompts with the class instead of the subject, by their numbers.
            class_before: the base's counterparts of the class pictures to be scored, if they are not in ``base``.
        """
        compared_with, trained_on = (held_out, photos) if held_out else (photos, ())
        groups = families([thumb(photo) for photo in photos])

        def features(embedder: Embedder | OfFaces) -> dict[str, Any]:
            learnt = embedder(trained_on) if trained_on else None
            return {"photos": embedder(compared_with), "trained_on": learnt, "groups": groups}

        identity = clip = None
        if self.identity:
            before = seen_by(self.identity, class_before) if class_before and class_before.images else None
            identity = IdentityReference(
                base=seen_by(self.identity, base), class_before=before, **features(self.identity)
            )
        if self.clip and self.clip.reads_text:
            words = self.clip.texts(texts)
            clip = ClipReference(base=seen_by(self.clip, base), texts=words, **features(self.clip))
        return Against(identity, clip, thumbnails(photos))

    def score(self, against: Against, subject: Drawn, of_class: Drawn | None = None) -> Scored:
        """All scores of pictures of the subject; with pictures of the class by the same weights, drift too."""
        return scored(
            against.identity,
            against.clip,
            self._seen(subject),
            self._seen(of_class) if of_class is not None else None,
            self.identity.found(subject.images) if isinstance(self.identity, OfFaces) else None,
            in_common(thumbnails(subject.images), against.layouts),
        )

    def without_face(self, names: Sequence[str], photos: Sequence[Image.Image]) -> list[str] | None:
        """The names of those photos in which no face is found, said too; None where whole pictures are seen."""
        if not isinstance(self.identity, OfFaces):
            return None
        without = [name for name, found in zip(names, self.identity.found(photos), strict=True) if not found]
        if without:
            log.warning(
                "scores: no face is found in %d of %d photos, which are compared whole: %s",
                len(without), len(names), ", ".join(without),
            )  # fmt: skip
        return without

    def _seen(self, drawn: Drawn) -> Seen:
        return Seen(*(seen_by(embedder, drawn) if embedder else None for embedder in (self.identity, self.clip)))


def seen_by(embedder: Embedder | OfFaces, drawn: Drawn) -> Pictures:
    """The features of images, with their prompts."""
    return Pictures(embedder(drawn.images), drawn.prompts)


def scorer(clip: str | None, identity: str | None, base: str, device: torch.device, face_crop: bool = False) -> Scorer:
    """The embedders by name, ``auto`` being the base's own choice; what is not on this machine is said and left out.

    Args:
        base: the base's path.
        face_crop: whether the identity embedder is to see faces only; said whether it does.
    """
    seen = _embedder("identity", identity, base, device)
    return Scorer(_of_faces(seen) if seen and face_crop else seen, _embedder("clip", clip, base, device))


def _of_faces(embedder: Embedder) -> Embedder | OfFaces:
    try:
        seen = OfFaces(embedder)
    except UserError as error:
        log.warning("scores: face_crop is off: %s", error)
        return embedder
    log.info("scores: face_crop is on: %s sees a picture's largest face, or the whole if there is none", embedder.name)
    return seen


def _embedder(kind: str, asked: str | None, base: str, device: torch.device) -> Embedder | None:
    name = name_of(asked, kind, base)
    try:
        return Embedder(name, device) if name else None
    except (UserError, OSError, ValueError) as error:
        log.warning("scores by %s are off: %s", kind, str(error).splitlines()[0])
        return None
