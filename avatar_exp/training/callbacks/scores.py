"""How good the pictures of a step are: alike, obedient, not copied, and the class what it was."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pytorch_lightning as pl
from torch import Tensor

from avatar_exp.data.photos import crop_square, open_photo
from avatar_exp.errors import UserError
from avatar_exp.pictures import open_picture
from avatar_exp.run_folder import append_line
from avatar_exp.sampling import stored_pictures
from avatar_exp.scoring.alarms import Standing, alarms, stopped
from avatar_exp.scoring.embedders import Embedder, name_of
from avatar_exp.scoring.reference import ClipReference, IdentityReference, Pictures
from avatar_exp.scoring.step import Scored, Seen, mean_of, scored
from avatar_exp.training.callbacks.every import EverySteps
from avatar_exp.training.callbacks.metrics import log_metrics
from avatar_exp.training.callbacks.pictures import Series
from avatar_exp.training.run import Run, Sample

log = logging.getLogger("avatar_exp")


@dataclass(frozen=True)
class Of:
    """What one concept's pictures are measured against, in each embedder that there is."""

    identity: IdentityReference | None
    clip: ClipReference | None


class Scores(EverySteps):
    """Every score of a step, each picture's own scores, and how sure they are; formulas: ``scoring.reference``."""

    def __init__(
        self,
        run: Run,
        every: int,
        clip: str | None,
        identity: str | None,
        prompts: Sequence[str],
        seeds: int,
        sampler: Mapping[str, Any],
        batch_size: int,
        max_drift: float,
    ) -> None:
        """Load the embedders now: if one is missing, say so here and go on without it, not after 800 steps."""
        super().__init__(every)
        self.run, self.batch_size, self.max_drift = run, batch_size, max_drift
        self.series = Series(run, list(prompts), seeds, dict(sampler))
        self.clip = self._embedder("clip", clip) if every else None
        self.identity = self._embedder("identity", identity) if every else None
        self.against: list[Of] = []
        named = {"score/identity_clip": self.clip, "score/identity": self.identity}
        run.folder.update(embedders={metric: one.name for metric, one in named.items() if one})

    def _embedder(self, kind: str, asked: str | None) -> Embedder | None:
        name = name_of(asked, kind, self.run.components.path)
        try:
            return Embedder(name, self.run.components.device) if name else None
        except (UserError, OSError, ValueError) as error:
            log.warning("scores by %s are off: %s", kind, str(error).splitlines()[0])
            return None

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Measure photos and base. Here, because a resumed run loads its trained weights right after."""
        if self.clip or self.identity:
            with self.run.phases.phase("reference pictures") as tick:
                wanted = self.series.of_class()  # in the order in which a step draws the first of them
                requests = [one.request for one in wanted]
                files = stored_pictures(self.run.components, self.run.store, requests, self.batch_size, tick)
            for number in range(len(self.run.concepts)):
                own = [
                    (one, open_picture(file)) for one, file in zip(wanted, files, strict=True) if one.concept == number
                ]
                base = [Sample(number, w.request.prompt, w.request.seed, image, w.prompt_number) for w, image in own]
                self.against.append(self._reference(number, base))

    def _reference(self, number: int, base: Sequence[Sample]) -> Of:
        texts = [text for _, text in sorted({one.prompt_number: one.prompt for one in base}.items())]
        identity = clip = None
        if self.identity:
            identity = IdentityReference(base=seen_by(self.identity, base), **self._photos(self.identity, number))
            if identity.why_not_measurable:
                log.warning("likeness is not measurable: %s", identity.why_not_measurable)
        if self.clip and self.clip.reads_text:
            photos, words = self._photos(self.clip, number), self.clip.texts(texts)
            clip = ClipReference(base=seen_by(self.clip, base), texts=words, **photos)
        return Of(identity, clip)

    def _photos(self, embedder: Embedder, number: int) -> dict[str, Tensor]:
        """The photos to compare with, and those trained on if they are others."""
        side = self.run.resolution
        trained_on, held_out = (
            [crop_square(open_photo(photo), side) for photo in sets[number]]
            for sets in (self.run.trained_on, self.run.held_out)
        )
        if held_out:
            return {"photos": embedder(held_out), "trained_on": embedder(trained_on)}
        return {"photos": embedder(trained_on)}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Score the base."""
        if self.every and trainer.global_step == 0:
            self.at_step(trainer, pl_module, 0)

    def at_step(self, trainer: pl.Trainer, module: pl.LightningModule, step: int) -> None:
        """Score the pictures that were drawn at this step; without pictures there is nothing to score."""
        samples = self.run.samples.get(step)
        if not samples or not self.against or not trainer.is_global_zero:
            return
        with self.run.phases.phase("scores", announce=False):
            found = [self._scored(step, number, samples) for number in range(len(self.run.concepts))]
        scores, errors = (
            {f"score/{name}": round(value, 5) for name, value in mean_of(parts).items()}
            for parts in ([one.scores for one in found], [one.errors for one in found])
        )
        self.run.scores[step], self.run.errors[step] = scores, errors
        sure = found[0].intervals if len(found) == 1 else {}  # of one concept: they are not those of an average
        ends = {f"score/{name}": (one.low, one.high) for name, one in sure.items()}
        known = {name: [round(end, 5) for end in both] for name, both in ends.items() if not any(map(math.isnan, both))}
        self.run.folder.update(
            scores=by_step(self.run.scores),
            errors=by_step(self.run.errors),
            intervals={**self.run.folder.info.get("intervals", {}), str(step): known},
        )
        log_metrics(trainer, self.run, step, scores)
        told = [f"{name.removeprefix('score/')} {value:.3f}" for name, value in scores.items()]
        log.info("step %d: %s", step, ", ".join(told))
        self._alarms(step, found, samples)

    def _alarms(self, step: int, found: Sequence[Scored], samples: Sequence[Sample]) -> None:
        """Say what is wrong, each kind once a run and concept, with a picture that shows it."""
        raised = list(self.run.folder.info.get("alarms", []))
        said = {(one["kind"], one.get("concept")) for one in raised}
        for number, one in enumerate(found):
            photos = [photo.name for photo in self.run.trained_on[number]]
            for alarm in alarms(standing(step, one), photos, self.max_drift):
                own = [s.file for s in samples if s.concept == number and s.of_class == (alarm.kind == "drift")]
                picture = None if alarm.picture is None else own[alarm.picture]
                raised.append({**asdict(alarm), "picture": picture, "concept": number})
        known = {
            scored: (scores["score/likeness"], self.run.errors.get(scored, {}).get("score/likeness", 0.0))
            for scored, scores in self.run.scores.items()
            if "score/likeness" in scores
        }
        if no_gain := stopped(known):
            raised.append({**asdict(no_gain), "concept": None})
        fresh = [one for one in raised if one["step"] == step and (one["kind"], one["concept"]) not in said]
        for one in fresh:
            log.warning("ALARM, step %d: %s", step, one["text"])
        if fresh:
            self.run.folder.update(alarms=[one for one in raised if one["step"] != step] + fresh)

    def _scored(self, step: int, number: int, samples: Sequence[Sample]) -> Scored:
        """One concept's scores; each picture's own go to a file."""
        own = [one for one in samples if one.concept == number and not one.of_class]
        of_class = [one for one in samples if one.concept == number and one.of_class]
        against = self.against[number]
        found = scored(against.identity, against.clip, self._seen(own), self._seen(of_class) if of_class else None)
        for place, one in enumerate(own):
            values = {f"score/{name}": round(float(value[place]), 5) for name, value in found.pictures.items()}
            append_line(
                self.run.folder.picture_scores, {"step": step, "prompt": one.prompt, "seed": one.seed, **values}
            )
        return found

    def _seen(self, samples: Sequence[Sample]) -> Seen:
        return Seen(*(seen_by(embedder, samples) if embedder else None for embedder in (self.identity, self.clip)))


def standing(step: int, found: Scored) -> Standing:
    """What the alarms look at."""
    prompt = found.pictures.get("prompt")
    return Standing(
        step,
        found.scores.get("obedience", math.nan),
        found.errors.get("obedience", math.nan),
        found.scores.get("drift", math.nan),
        found.errors.get("drift", math.nan),
        found.copies,
        None if prompt is None else int(prompt.argmin()),
        found.most_drifted,
    )


def seen_by(embedder: Embedder, samples: Sequence[Sample]) -> Pictures:
    """The features of samples, with their prompts."""
    return Pictures(embedder([one.image for one in samples]), [one.prompt_number for one in samples])


def by_step(values: Mapping[int, Any]) -> dict[str, Any]:
    """The same with text for keys, as JSON has them."""
    return {str(step): value for step, value in values.items()}
