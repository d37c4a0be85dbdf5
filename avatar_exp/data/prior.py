"""Where the pictures of the class come from that keep the class what it was (Ruiz et al. 2022, section 3.2).

One class for each option of the config group ``prior``; ``weight`` is lambda in their eq. 2.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from avatar_exp.data.concept import Concept
from avatar_exp.data.photos import photo_files
from avatar_exp.diffusion.draws import seed_of
from avatar_exp.errors import UserError, counted

log = logging.getLogger("avatar_exp")

# (prompt, seeds, sampler settings) -> the files of the base's pictures, one a seed. The sampler is passed in.
DrawPictures = Callable[[str, Sequence[int], Mapping[str, Any]], list[Path]]


def picture_seed(seed: int, index: int) -> int:
    """Seed of prior picture ``index``: independent of how many there are, so 50 extend to 200."""
    return seed_of(seed, index, "prior-picture")


@dataclass(frozen=True)
class Generated:
    """The base draws ``count`` pictures of the class prompt, once for every run that wants them."""

    count: int = 50
    weight: float = 1.0
    sampler: Mapping[str, Any] = field(default_factory=dict)

    def pictures(self, concept: Concept, seed: int, draw: DrawPictures) -> list[Path]:
        """The files, in the order of their index."""
        if not self.count:
            return []
        return draw(
            concept.fill(concept.class_prompt), [picture_seed(seed, n) for n in range(self.count)], self.sampler
        )


@dataclass(frozen=True)
class Folder:
    """The user's own pictures, from ``concept.class_data_dir``: the first ``count`` by name, or all if fewer."""

    count: int = 50
    weight: float = 1.0
    sampler: Mapping[str, Any] = field(default_factory=dict)  # unused: these pictures are not drawn

    def pictures(self, concept: Concept, seed: int, draw: DrawPictures) -> list[Path]:
        """The files, sorted by name; if not all are taken, that is said.

        Raises:
            UserError: if the concept names no folder.
        """
        if concept.class_data_dir is None:
            raise UserError("prior=folder needs concept.class_data_dir=DIR, a folder with pictures of the class")
        files = photo_files(Path(concept.class_data_dir))
        if self.count < len(files):
            log.info(
                "%s in %s, %d are taken, the first by name: prior.count=%d takes all",
                counted(len(files), "picture"), concept.class_data_dir, self.count, len(files),
            )  # fmt: skip
        return files[: self.count]


@dataclass(frozen=True)
class Nothing:
    """No prior: the class may drift towards the subject."""

    count: int = 0
    weight: float = 0.0
    sampler: Mapping[str, Any] = field(default_factory=dict)

    def pictures(self, concept: Concept, seed: int, draw: DrawPictures) -> list[Path]:
        """None."""
        return []
