"""How good the pictures of a step are: alike, obedient, not copied, and the class what it was."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import pytorch_lightning as pl
import torch
from PIL import Image

from avatar_exp.data.photos import crop_square, open_photo
from avatar_exp.pictures import open_picture, save_picture
from avatar_exp.run_folder import append_line
from avatar_exp.sampling import draw_all, stored_pictures
from avatar_exp.scoring.alarms import HINTS, Standing, alarms, stopped
from avatar_exp.scoring.scorer import Against, Drawn, Scorer, scorer
from avatar_exp.scoring.step import Scored, mean_of
from avatar_exp.training.callbacks.every import EverySteps
from avatar_exp.training.callbacks.metrics import log_metrics
from avatar_exp.training.callbacks.pictures import Series
from avatar_exp.training.run import Run, Sample

log = logging.getLogger("avatar_exp")

FRESH = 1_000_000  # seeds from here on choose nothing


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
        class_pictures: int = 0,
        face_crop: bool = False,
    ) -> None:
        """Load the embedders now: if one is missing, say so here and go on without it, not after 800 steps."""
        super().__init__(every)
        self.run, self.batch_size, self.max_drift = run, batch_size, max_drift
        self.class_pictures = class_pictures
        self.series = Series(run, list(prompts), seeds, dict(sampler))
        base = run.components.path
        device = torch.device("cpu") if run.components.offload else run.components.device
        self.scorer = scorer(clip, identity, base, device, face_crop) if every else Scorer(None, None)
        self.against: list[Against] = []
        run.folder.update(embedders=self.scorer.names)

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Measure photos and base. Here, because a resumed run loads its trained weights right after."""
        if not self.scorer.names:
            return
        with self.run.phases.phase("reference pictures") as tick:
            compared, before = self.series.wanted(of_class=True), self.series.of_class(self.class_pictures)
            wanted = [*compared, *before]
            requests = [one.request for one in wanted]
            files = stored_pictures(self.run.components, self.run.store, requests, self.batch_size, tick)
        for number in range(len(self.run.concepts)):
            own = [(one, open_picture(file)) for one, file in zip(wanted, files, strict=True) if one.concept == number]
            base, class_before = (
                Drawn([image for _, image in part], [one.prompt_number for one, _ in part])
                for part in (own[: len(own) - self.class_pictures], own[len(own) - self.class_pictures :])
            )
            texts = {one.prompt_number: one.request.prompt for one, _ in own}
            photos, held_out = (
                [crop_square(open_photo(photo), self.run.resolution) for photo in sets[number]]
                for sets in (self.run.trained_on, self.run.held_out)
            )
            self.against.append(
                self.scorer.against(photos, held_out, base, [text for _, text in sorted(texts.items())], class_before)
            )
            self._say(number, [*photos, *held_out])

    def _say(self, number: int, photos: Sequence[Image.Image]) -> None:
        """What hinders a concept's scores of identity; the names of photos without a face go to run.json."""
        identity = self.against[number].identity
        if identity and identity.why_not_measurable:
            log.warning("likeness is not measurable: %s", identity.why_not_measurable)
        names = [photo.name for sets in (self.run.trained_on, self.run.held_out) for photo in sets[number]]
        without = self.scorer.without_face(names, photos)
        if without is not None:
            known = self.run.folder.info.get("photos_without_face", {})
            concept = self.run.concepts[number].identifier
            self.run.folder.update(photos_without_face={**known, concept: without})

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
        scores, errors = as_metrics(found)
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

    def again(self) -> None:
        """Score the chosen weights, now loaded, on seeds that had no part in choosing them: those flatter."""
        if not self.against:
            return
        wanted = replace(self.series, offset=FRESH).wanted()
        with self.run.phases.phase("scores on fresh seeds") as tick:
            pictures = draw_all(self.run.components, [one.request for one in wanted], self.batch_size, tick)
            found = []
            for number, against in enumerate(self.against):
                own = [(w, image) for w, (image, _) in zip(wanted, pictures, strict=True) if w.concept == number]
                found.append(
                    self.scorer.score(against, Drawn([image for _, image in own], [w.prompt_number for w, _ in own]))
                )
        for number, (image, record) in enumerate(pictures):
            name = f"{number // self.series.seeds:02d}_{number % self.series.seeds}.png"
            save_picture(image, self.run.folder.fresh_samples / name, record)
        scores, errors = as_metrics(found)
        self.run.folder.update(chosen_scores=scores, chosen_errors=errors)

    def _alarms(self, step: int, found: Sequence[Scored], samples: Sequence[Sample]) -> None:
        """Say what is wrong, each kind once a run and concept, with a picture that shows it."""
        raised = list(self.run.folder.info.get("alarms", []))
        said = {(one["kind"], one.get("concept")) for one in raised}
        for number, one in enumerate(found):
            photos = [photo.name for photo in self.run.trained_on[number]]
            for alarm in alarms(standing(step, one), photos, self.max_drift):
                own = [s.file for s in samples if s.concept == number and s.of_class == (alarm.kind == "drift")]
                picture = None if alarm.picture is None else own[alarm.picture]
                whose = f"{self.run.concepts[number].identifier}: " if len(found) > 1 else ""
                raised.append({**asdict(alarm), "text": whose + alarm.text, "picture": picture, "concept": number})
        known = {
            scored: (scores["score/likeness"], self.run.errors.get(scored, {}).get("score/likeness", math.nan))
            for scored, scores in self.run.scores.items()
            if "score/likeness" in scores
        }
        if no_gain := stopped(known):
            raised.append({**asdict(no_gain), "concept": None})
        fresh = [one for one in raised if one["step"] == step and (one["kind"], one["concept"]) not in said]
        for one in fresh:
            log.warning("%s, step %d: %s", "note" if one["kind"] in HINTS else "ALARM", step, one["text"])
        if fresh:
            self.run.folder.update(alarms=[one for one in raised if one["step"] != step] + fresh)

    def _scored(self, step: int, number: int, samples: Sequence[Sample]) -> Scored:
        """One concept's scores; each picture's own go to a file."""
        own = [one for one in samples if one.concept == number and not one.of_class]
        of_class = [one for one in samples if one.concept == number and one.of_class]
        found = self.scorer.score(self.against[number], drawn(own), drawn(of_class) if of_class else None)
        for place, one in enumerate(own):
            values = {f"score/{name}": round(float(value[place]), 5) for name, value in found.pictures.items()}
            append_line(
                self.run.folder.picture_scores, {"step": step, "prompt": one.prompt, "seed": one.seed, **values}
            )
        return found


def as_metrics(found: Sequence[Scored]) -> tuple[dict[str, float], dict[str, float]]:
    """Scores, the means over concepts, and the standard errors of these, as they are logged."""
    count = len(found)
    squares = [{name: error**2 / count for name, error in one.errors.items()} for one in found]
    errors = {name: math.sqrt(value) for name, value in mean_of(squares).items()}
    scores, errors = (
        {f"score/{name}": round(value, 5) for name, value in values.items()}
        for values in (mean_of([one.scores for one in found]), errors)
    )
    return scores, errors


def standing(step: int, found: Scored) -> Standing:
    """What the alarms look at."""
    return Standing(
        step,
        found.scores.get("obedience", math.nan),
        found.errors.get("obedience", math.nan),
        found.scores.get("drift", math.nan),
        found.errors.get("drift", math.nan),
        found.copies,
        found.least_obedient,
        found.most_drifted,
    )


def drawn(samples: Sequence[Sample]) -> Drawn:
    """Samples as the scorer takes them."""
    return Drawn([one.image for one in samples], [one.prompt_number for one in samples])


def by_step(values: Mapping[int, Any]) -> dict[str, Any]:
    """The same with text for keys, as JSON has them."""
    return {str(step): value for step, value in values.items()}
