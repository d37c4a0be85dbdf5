"""What the callbacks of one run share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from PIL import Image
from torch import nn

from avatar_exp.data.concept import Concept
from avatar_exp.models.components import Components
from avatar_exp.progress import Phases
from avatar_exp.run_folder import RunFolder
from avatar_exp.store import Store


@runtime_checkable
class TakesPictures(Protocol):
    """A logger that can show pictures beside the numbers."""

    def log_pictures(self, step: int, pictures: Mapping[str, Sequence[Image.Image]]) -> None:
        """``pictures`` by caption."""


@dataclass(frozen=True)
class Sample:
    """One picture of a scored step."""

    concept: int
    prompt: str  # as it was asked for, placeholders filled
    seed: int
    image: Image.Image
    prompt_number: int = 0  # of its concept
    of_class: bool = False  # of the class instead of the subject: has it stayed what it was?
    file: str = ""  # in the run folder


@dataclass
class Run:
    """One run: where it lives, what it trains, and what has been seen of it so far."""

    folder: RunFolder
    components: Components
    trained: Mapping[str, nn.Module]  # by network; what is trained of it, see models.trainable.Method
    concepts: Sequence[Concept]
    store: Store
    phases: Phases
    seed: int
    resolution: int  # pixels of what is trained on and drawn
    trained_on: Sequence[Sequence[Path]] = ()  # by concept: the photos of the subject
    held_out: Sequence[Sequence[Path]] = ()  # by concept: photos kept back to measure by, if any
    samples: dict[int, list[Sample]] = field(default_factory=dict)  # by step; only the newest step is kept
    scores: dict[int, dict[str, float]] = field(default_factory=dict)  # by step
    errors: dict[int, dict[str, float]] = field(default_factory=dict)  # by step: standard errors of the scores

    def recall(self) -> None:
        """The scores of the steps before, of a run that goes on."""
        info = self.folder.info
        self.scores = {int(step): scores for step, scores in info.get("scores", {}).items()}
        self.errors = {int(step): errors for step, errors in info.get("errors", {}).items()}
