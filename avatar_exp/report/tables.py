"""What the tables of a page hold: text, what to sort by, and how sure it is."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from avatar_exp.report.numbers import plus_minus, shown, span
from avatar_exp.report.runs import Run
from avatar_exp.report.settings import Setting, differing
from avatar_exp.report.verdicts import best_word

# In the order of the questions that they answer: the subject? obedient? which? everybody? copied? all the same?
SCORES = (
    "likeness",
    "prompt",
    "obedience",
    "choice",
    "drift",
    "memorisation",
    "diversity",
    "identity",
    "identity_clip",
)
NOT_KNOWN = "\N{EN DASH}"


@dataclass(frozen=True)
class Cell:
    """One value of a table."""

    text: str
    sort: float | str | None = None  # None: sorted last
    note: str = ""  # small, below
    kind: str = ""  # a CSS class
    full: str = ""  # where the text is short for something


@dataclass(frozen=True)
class Table:
    """Rows under titles; a title may have a note."""

    titles: Sequence[tuple[str, str]]
    rows: Sequence[Sequence[Cell]]


def runs_table(runs: Sequence[Run]) -> Table:
    """A row a run: where they differ, status, the step that stands for it, scores there, and what it cost."""
    keys, settings = differing(runs)
    names = score_names(run.told for run in runs)
    titles = [(key, "") for key in keys] + [("status", ""), ("step", "")]
    fresh = any("score/choice" in run.again for run in runs)
    titles += [(name, "") for name in names] + [("choice", "fresh seeds")] * fresh
    titles += [("total", "time"), ("prior", "time"), ("steps", "done")]
    rows = [
        [
            *map(setting_cell, own),
            Cell(run.status, run.status, alarm_count(run), f"status {run.status}"),
            step_cell(run),
            *(score_cell(run, run.told_step, name) for name in names),
            *([again_cell(run)] * fresh),
            time_cell(run.seconds),
            time_cell(run.phase_seconds.get("prior pictures")),
            Cell(f"{run.steps_done:,}", run.steps_done),
        ]
        for run, own in zip(runs, settings, strict=True)
    ]
    return Table(titles, rows)


def steps_table(run: Run) -> Table:
    """A row a scored step of one run."""
    names = score_names(run.scores.values())
    embedders = run.info.get("embedders")
    embedders = embedders if isinstance(embedders, dict) else {}
    titles = [("step", "")] + [(name, short(str(embedders.get(f"score/{name}", "")))) for name in names]
    rows = [
        [
            Cell(
                str(step) if step else "base", step, best_word(run) if step == run.best_step else "",
                "best" if step == run.best_step else "",
            ),
            *(score_cell(run, step, name) for name in names),
        ]
        for step in run.scores
    ]  # fmt: skip
    return Table(titles, rows)


def short(embedder: str) -> str:
    """The name of an embedder without its owner or folder, and without the commit that it is pinned to."""
    return re.sub(r"@[0-9a-f]{40}\b", "", embedder.rpartition("/")[2])


def setting_cell(setting: Setting) -> Cell:
    """A value that a run was given; faint if it was not typed."""
    kind, full = "" if setting.typed else "faint", setting.text if setting.short else ""
    return Cell(setting.short or setting.text or NOT_KNOWN, sortable(setting.text), kind=kind, full=full)


def score_names(scores: "Iterable[Iterable[str]]") -> list[str]:
    """The scores that there are, the known ones first."""
    there = {name.removeprefix("score/") for one in scores for name in one}
    return [name for name in SCORES if name in there] + sorted(there - set(SCORES))


def score_cell(run: Run, step: int | None, name: str) -> Cell:
    """A score with its 95 % interval, or its standard error where that is all there is."""
    value = None if step is None else run.scores.get(step, {}).get(f"score/{name}")
    if step is None or value is None:
        return Cell(NOT_KNOWN)
    if name == "memorisation" and (copied := run.copied(step)):
        return Cell(f"{copied[0]} of {copied[1]}", value)
    note = ""
    if interval := run.interval(step, f"score/{name}"):
        note = span(name, *interval)
    elif error := run.error(step, f"score/{name}"):
        note = plus_minus(name, error)
    return Cell(shown(name, value), value, note)


def alarm_count(run: Run) -> str:
    """``2 alarms``; nothing for none."""
    count = len(run.alarms)
    return f"{count} alarm{'s' if count > 1 else ''}" if count else ""


def again_cell(run: Run) -> Cell:
    """The choice of the chosen step on fresh seeds: the one it was chosen by flatters it."""
    if "score/choice" not in run.again:
        return Cell(NOT_KNOWN)
    value, error = run.again["score/choice"]
    return Cell(shown("choice", value), value, plus_minus("choice", error))


def step_cell(run: Run) -> Cell:
    """The step whose scores are told."""
    if run.told_step is None:
        return Cell(NOT_KNOWN)
    word = best_word(run)
    best = word if run.told_step == run.best_step else "" if run.best_step is None else f"{word} {run.best_step:,}"
    return Cell(f"{run.told_step:,}", run.told_step, best)


def time_cell(seconds: float | None) -> Cell:
    """A duration."""
    return Cell(duration(seconds), seconds) if seconds else Cell(NOT_KNOWN)


def duration(seconds: float | None) -> str:
    """``1.5 s``, ``2 min 05 s``, ``3 h 20 min``."""
    seconds = seconds or 0.0
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"
    return f"{int(seconds) // 3600} h {int(seconds) % 3600 // 60:02d} min"


def sortable(text: str) -> float | str | None:
    """A number where it is one."""
    try:
        return float(text)
    except ValueError:
        return text or None
