"""What can be claimed of a setting: the means of its runs with several seeds, and how sure they are over runs."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from avatar_exp.report.numbers import possible, shown, span
from avatar_exp.report.runs import Run, mapping, number
from avatar_exp.report.settings import Setting, comparable, differing
from avatar_exp.report.tables import NOT_KNOWN, Cell, Table, setting_cell
from avatar_exp.scoring.choose import Candidate, rank

if TYPE_CHECKING:
    from avatar_exp.scoring.intervals import Interval

SCORES = ("likeness", "prompt", "obedience", "choice", "drift")
COMPARED = ("choice", "likeness", "prompt", "drift")


@dataclass(frozen=True)
class Seeded:
    """A setting: its values of the keys that differ between runs, but for the seed; and its finished runs by seed."""

    values: Sequence[Setting]
    runs: dict[int, Run] = field(default_factory=dict)

    def told(self, name: str) -> dict[int, float]:
        """A score by seed, each at the step that stands for the run; only of the runs that have it."""
        score = f"score/{name}"
        return {seed: run.told[score] for seed, run in self.runs.items() if score in run.told}

    @property
    def one(self) -> Run:
        """A run, for what they have in common."""
        return next(iter(self.runs.values()))


@dataclass(frozen=True)
class OverSeeds:
    """A row a setting, the rows that are the best of their subject, and the others minus these, if there are others."""

    means: Table
    best: Sequence[int]
    differences: Table | None


def over_seeds(runs: Sequence[Run]) -> OverSeeds | None:
    """The tables of the settings that were run to the end with two or more seeds; None if there is no such setting."""
    keys, settings = seeded(runs)
    if not settings:
        return None
    names = [name for name in SCORES if any(one.told(name) for one in settings)]
    titles = [(name, "") for name in (*keys, "seeds")]
    rows = [_row(one, len(one.runs), {name: list(one.told(name).values()) for name in names}) for one in settings]
    best = [best_alike(settings, one) for one in settings]
    compared = [name for name in COMPARED if name in names]
    pairs = [(one, settings[other]) for one, other in zip(settings, best, strict=True) if other is not None]
    less = [
        _row(one, len({*one.runs} & {*other.runs}), {name: differences(one, other, name) for name in compared}, "+")
        for one, other in pairs
        if one is not other
    ]
    return OverSeeds(
        Table([*titles, *((name, "") for name in names)], rows),
        sorted({place for place in best if place is not None}),
        Table([*titles, *((name, "difference") for name in compared)], less) if less else None,
    )


def seeded(runs: Sequence[Run]) -> tuple[list[str], list[Seeded]]:
    """The keys but ``seed`` in which finished runs differ, and the settings that two or more seeds were run with.

    Runs of other photos, of another base or scored by other embedders are not of one setting. Of two runs with the
    same seed the later one counts.
    """
    finished = [(run, seed) for run in runs if run.status == "finished" and (seed := seed_of(run)) is not None]
    keys, values = differing([run for run, _ in finished])
    kept = [place for place, key in enumerate(keys) if key != "seed"]
    found: dict[str, Seeded] = {}
    for (run, seed), own in zip(finished, values, strict=True):
        chosen = [own[place] for place in kept]
        base = mapping(run.info.get("base")).get("fingerprint")
        same = json.dumps([measured_alike(run), base, [comparable(one.text) for one in chosen]])
        found.setdefault(same, Seeded(chosen)).runs[seed] = run
    return [keys[place] for place in kept], [one for one in found.values() if len(one.runs) > 1]


def seed_of(run: Run) -> int | None:
    """The seed that a run was made with."""
    known = number(run.info.get("seed"))
    known = number(run.values.get("seed")) if known is None else known
    return None if known is None else int(known)


def measured_alike(run: Run) -> str:
    """The same for runs whose scores can be told apart by their settings: of one subject, its photos and embedders."""
    return json.dumps([run.info.get(key) for key in ("concept", "photos", "embedders")])


def best_alike(settings: Sequence[Seeded], one: Seeded) -> int | None:
    """The place of the best setting of the same subject, as ``runs.best_of`` has it, by means; None without scores."""
    rated = []
    for place, other in enumerate(settings):
        values, drift = other.told(other.one.metric.removeprefix("score/")), list(other.told("drift").values())
        if values and measured_alike(other.one) == measured_alike(one.one):
            error = stdev(drift) / math.sqrt(len(drift)) if len(drift) > 1 else math.nan
            value = fmean(values.values())
            means = Candidate(0, value, drift=fmean(drift) if drift else math.nan, drift_error=error)
            rated.append((rank(means, other.one.max_drift), -place))
    return -max(rated)[1] if rated else None


def differences(one: Seeded, other: Seeded, name: str) -> list[float]:
    """A score of ``one`` minus that of ``other``, for each seed that both have."""
    first, second = one.told(name), other.told(name)
    return [first[seed] - second[seed] for seed in first if seed in second]


def over_runs(values: Sequence[float]) -> "Interval":
    """The mean of a score over runs with its 95 % interval (Student's t with a degree of freedom less than runs).

    Args:
        values: of one run each; one or more.

    Returns:
        The interval; its error and ends are NaN for one run.
    """
    from avatar_exp.scoring.intervals import Interval, jackknifed

    if len(values) < 2:
        return Interval(fmean(values), math.nan, math.nan, math.nan)
    return jackknifed(fmean(values), stdev(values) / math.sqrt(len(values)), len(values))


def _row(one: Seeded, seeds: int, scores: Mapping[str, Sequence[float]], sign: str = "") -> list[Cell]:
    cells = (mean_cell(name, each, seeds, sign) for name, each in scores.items())
    return [*map(setting_cell, one.values), Cell(str(seeds), seeds), *cells]


def mean_cell(name: str, values: Sequence[float], seeds: int, sign: str = "") -> Cell:
    """A mean over runs and its interval; and of how many runs it is, where not every seed has the score."""
    if not values:
        return Cell(NOT_KNOWN)
    found = over_runs(values)
    ends = possible(name, found.low, found.high, found.mean, of_two=bool(sign))
    notes = [span(name, *ends, sign)] if len(values) > 1 else []
    notes += [f"of {len(values)}"] if len(values) < seeds else []
    return Cell(shown(name, found.mean, sign), found.mean, ", ".join(notes))
