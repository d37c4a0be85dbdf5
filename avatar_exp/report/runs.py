"""A run as the pages see it: read once, whatever state it is in; what is missing or broken is empty."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from avatar_exp.report.numbers import possible
from avatar_exp.run_folder import RunFolder, read_lines
from avatar_exp.scoring.alarms import HINTS
from avatar_exp.scoring.choose import Candidate, rank


@dataclass(frozen=True)
class Picture:
    """A sample: what was asked for, and its file within the run."""

    prompt: str
    seed: int
    file: str


@dataclass(frozen=True)
class Run:
    """One run folder, under the name that tells it from the others of the page."""

    folder: RunFolder
    name: str
    info: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]  # metrics.jsonl

    @property
    def status(self) -> str:
        """As run.json says; ``unknown`` where that cannot be read."""
        return str(self.info.get("status") or "unknown")

    @cached_property
    def scores(self) -> dict[int, dict[str, float]]:
        """Of each scored step; from metrics.jsonl where run.json has none."""
        found: dict[int, dict[str, float]] = {}
        logged = [(row.get("step"), row) for row in self.rows]
        for step, values in [*logged, *by_step(self.info.get("scores")).items()]:
            known = {name: value for name in values if (value := number(values[name])) is not None}
            known = {name: value for name, value in known.items() if name.startswith("score/")}
            if isinstance(step, int) and known:
                found.setdefault(step, {}).update(known)
        return dict(sorted(found.items()))

    @property
    def best_step(self) -> int | None:
        """The step that the run holds for its best, if that was scored."""
        best = self.info.get("best_step")
        return int(best) if isinstance(best, int) and best in self.scores else None

    @property
    def told_step(self) -> int | None:
        """The step whose scores stand for the run: the one whose weights it keeps, else the best, else the last."""
        chosen = self.info.get("chosen_step")
        if isinstance(chosen, int) and chosen in self.scores:
            return chosen
        return max(self.scores, default=None) if self.best_step is None else self.best_step

    @property
    def metric(self) -> str:
        """What the run was to be best in."""
        asked = self.values.get("optimized_metric")
        return asked if isinstance(asked, str) else "score/choice"

    @property
    def told(self) -> Mapping[str, float]:
        """The scores that stand for the run."""
        return self.scores.get(-1 if self.told_step is None else self.told_step, {})

    @property
    def again(self) -> dict[str, tuple[float, float | None]]:
        """Scores of the told step on seeds that had no part in choosing it, with their errors; empty if not made."""
        scores, errors = mapping(self.info.get("chosen_scores")), mapping(self.info.get("chosen_errors"))
        if self.info.get("chosen_step") != self.told_step:
            return {}
        return {
            name: (value, number(errors.get(name))) for name in scores if (value := number(scores[name])) is not None
        }

    @property
    def steps_done(self) -> int:
        """Optimizer steps, as far as is known."""
        logged: list[int] = [row["step"] for row in self.rows if isinstance(row.get("step"), int)]
        return max([int(number(self.info.get("steps_done")) or 0), *logged])

    def interval(self, step: int, name: str) -> tuple[float, float] | None:
        """The 95 % interval of a score at a step, no further than the score can go."""
        ends = mapping(by_step(self.info.get("intervals")).get(step)).get(name)
        known = [number(end) for end in ends] if isinstance(ends, list) and len(ends) == 2 else []
        low, high = known or (None, None)
        value = self.scores.get(step, {}).get(name)
        if low is None or high is None or value is None:
            return None
        return possible(name.removeprefix("score/"), low, high, value)

    def error(self, step: int, name: str) -> float | None:
        """The standard error of a score at a step."""
        return number(mapping(by_step(self.info.get("errors")).get(step)).get(name))

    @cached_property
    def phase_seconds(self) -> dict[str, float]:
        """How long each phase took."""
        times = mapping(self.info.get("phase_seconds"))
        return {name: value for name in times if (value := number(times[name])) is not None}

    @property
    def seconds(self) -> float:
        """How long the run took, as far as is known."""
        return number(self.info.get("seconds")) or sum(self.phase_seconds.values())

    @property
    def alarms(self) -> list[dict[str, Any]]:
        """What the run warned of: step, kind, text, and a picture that shows it."""
        return [one for one in dicts(self.info.get("alarms")) if one.get("kind") not in HINTS]

    @property
    def hints(self) -> list[dict[str, Any]]:
        """The same of what is no fault."""
        return [one for one in dicts(self.info.get("alarms")) if one.get("kind") in HINTS]

    @property
    def concepts(self) -> list[str]:
        """The identifiers of what was learnt."""
        names = self.info.get("concept")
        return [str(name) for name in names] if isinstance(names, list) else [str(names)] if names else []

    @cached_property
    def pictures(self) -> dict[int, list[Picture]]:
        """The samples of each step that are on disk, in the order in which they were drawn."""
        found: dict[int, dict[tuple[str, int], Picture]] = {}
        for row in read_lines(self.folder.records):
            step, file, prompt, seed = (row.get(key) for key in ("step", "file", "prompt", "seed"))
            if not (isinstance(step, int) and isinstance(file, str) and (self.folder.path / file).is_file()):
                continue
            one = Picture(str(prompt or ""), seed if isinstance(seed, int) else 0, file)
            found.setdefault(step, {})[one.prompt, one.seed] = one
        return {step: list(found[step].values()) for step in sorted(found)}

    @cached_property
    def of_pictures(self) -> dict[int, dict[tuple[str, int], dict[str, float]]]:
        """Each sample's own scores: by step, then by prompt and seed."""
        found: dict[int, dict[tuple[str, int], dict[str, float]]] = {}
        for row in read_lines(self.folder.picture_scores):
            step, prompt, seed = (row.get(key) for key in ("step", "prompt", "seed"))
            if isinstance(step, int) and isinstance(seed, int) and prompt is not None:
                known = {name: value for name in row if (value := number(row[name])) is not None}
                found.setdefault(step, {})[str(prompt), seed] = known
        return found

    def copied(self, step: int) -> tuple[int, int] | None:
        """How many of how many samples of a step are near-copies of a photo; None where that is not known."""
        flags = [own.get("score/memorisation") for own in self.of_pictures.get(step, {}).values()]
        known = [flag for flag in flags if flag is not None]
        return (round(sum(known)), len(known)) if known else None

    @cached_property
    def config(self) -> str:
        """Every value that was in force, as YAML."""
        try:
            return self.folder.resolved.read_text()
        except (OSError, UnicodeDecodeError):
            return ""

    @cached_property
    def values(self) -> Mapping[str, Any]:
        """The same, parsed."""
        import yaml

        try:
            return mapping(yaml.load(self.config, getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
        except yaml.YAMLError:
            return {}

    @property
    def candidate(self) -> Candidate | None:
        """The run in the choice among runs; None without a score to choose by."""
        if self.told_step is None or self.metric not in self.told:
            return None
        errors = (self.error(self.told_step, name) for name in (self.metric, "score/drift"))
        error, drift_error = (math.nan if one is None else one for one in errors)
        drift = self.told.get("score/drift", math.nan)
        return Candidate(self.told_step, self.told[self.metric], error, drift, drift_error)

    @property
    def drifted(self) -> bool:
        """Whether the class is surely not what it was, at the step that is told."""
        return self.candidate is not None and self.candidate.drifted(self.max_drift)

    @property
    def max_drift(self) -> float:
        """The most drift of the class that this run allowed."""
        known = number(mapping(self.values.get("scoring")).get("max_drift"))
        return 0.2 if known is None else known


def read_run(path: Path, name: str) -> Run:
    """A run from its folder."""
    folder = RunFolder(path)
    return Run(folder, name, folder.info, list(read_lines(folder.metrics)))


def named(paths: Sequence[Path]) -> list[Run]:
    """Runs, each named by what of its path the others do not share."""
    whole = [path.resolve() for path in paths]
    common = os.path.commonpath([path.parent for path in whole]) if whole else ""
    return [read_run(path, str(full.relative_to(common))) for path, full in zip(paths, whole, strict=True)]


def best_of(runs: Sequence[Run]) -> int | None:
    """The place of the best run, as ``scoring.choose.rank`` has it; of two alike the first. None without scores."""
    known = [(place, one.candidate, one.max_drift) for place, one in enumerate(runs)]
    rated = [(rank(candidate, most), -place) for place, candidate, most in known if candidate is not None]
    return -max(rated)[1] if rated else None


def mapping(value: Any) -> dict[str, Any]:
    """``value`` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def dicts(value: Any) -> list[dict[str, Any]]:
    """The objects of a list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def number(value: Any) -> float | None:
    """A finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def by_step(value: Any) -> dict[int, Any]:
    """JSON's text keys as steps."""
    return {int(step): one for step, one in mapping(value).items() if step.isdigit() and isinstance(one, dict)}
