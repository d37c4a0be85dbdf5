"""How alike the pictures of a step are to the photos."""

import logging

import pytorch_lightning as pl

from avatar_exp.data.photos import crop_square, open_photo
from avatar_exp.errors import UserError
from avatar_exp.scoring.embedders import Embedder, name_of
from avatar_exp.scoring.metrics import SubjectSimilarity
from avatar_exp.training.callbacks.every import EverySteps
from avatar_exp.training.callbacks.metrics import log_metrics
from avatar_exp.training.run import Run

log = logging.getLogger("avatar_exp")


class Scores(EverySteps):
    """``score/identity_clip`` and ``score/identity``: mean cosine to the photos in CLIP and in an identity embedder."""

    def __init__(self, run: Run, every: int, clip: str | None, identity: str | None) -> None:
        """Load the embedders now: if one is missing, say so here and go on without it, not after 800 steps."""
        super().__init__(every)
        self.run = run
        self.embedders: dict[str, Embedder] = {}
        wanted = {"score/identity_clip": (clip, "clip"), "score/identity": (identity, "identity")}
        for metric, (asked, kind) in wanted.items() if every else ():
            name = name_of(asked, kind, run.components.path)
            try:
                if name is not None:
                    self.embedders[metric] = Embedder(name, run.components.device)
            except (UserError, OSError, ValueError) as error:
                log.warning("%s is off: %s", metric, str(error).splitlines()[0])
        self._photos = {metric: self._reference_features(embedder) for metric, embedder in self.embedders.items()}
        run.folder.update(embedders={metric: embedder.name for metric, embedder in self.embedders.items()})

    def _reference_features(self, embedder: Embedder) -> list:  # type: ignore[type-arg]
        side = self.run.resolution
        return [embedder([crop_square(open_photo(photo), side) for photo in photos]) for photos in self.run.references]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Score the base."""
        if self.every and trainer.global_step == 0:
            self.at_step(trainer, pl_module, 0)

    def at_step(self, trainer: pl.Trainer, module: pl.LightningModule, step: int) -> None:
        """Score the pictures that were drawn at this step; without pictures there is nothing to score."""
        samples = self.run.samples.get(step)
        if not samples or not self.embedders or not trainer.is_global_zero:
            return
        scores = {}
        with self.run.phases.phase("scores", announce=False):
            for metric, embedder in self.embedders.items():
                subject = SubjectSimilarity()
                for number, photos in enumerate(self._photos[metric]):
                    subject.update(embedder([one.image for one in samples if one.concept == number]), photos)
                scores[metric] = round(float(subject.compute()), 5)
        self.run.scores[step] = scores
        self.run.folder.update(scores={**self.run.folder.info.get("scores", {}), str(step): scores})
        log_metrics(trainer, self.run, step, scores)
        log.info("step %d: %s", step, ", ".join(f"{name} {value:.3f}" for name, value in scores.items()))
