"""One self-contained page of one run or of several: tables, pictures, curves, front, differences, commands."""

import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from avatar_exp.report.embed import thumbnail
from avatar_exp.report.gallery import gallery
from avatar_exp.report.over_seeds import over_seeds
from avatar_exp.report.pairs import paired
from avatar_exp.report.plots import HEIGHT, WIDTH, Plot, curves, scatter
from avatar_exp.report.runs import Run, best_of, dicts, mapping, named, number, read_run
from avatar_exp.report.tables import duration, runs_table, steps_table
from avatar_exp.run_folder import write_atomically
from avatar_exp.scoring.choose import front

# Bytes of a page's pictures: a report stays under 3 MB, a comparison under 20 MB.
REPORT_BUDGET, COMPARISON_BUDGET = 2_300_000, 17_500_000
LIKENESS, PROMPT = "score/likeness", "score/prompt"
CURVES = (
    (LIKENESS, "0: the base, 1: the photos"),
    (PROMPT, "CLIP-T, the name left out"),
    ("score/obedience", "0: as for other prompts, 1: as the base"),
    ("score/drift", "0: the class as it was, 1: the subject"),
    ("score/choice", "harmonic mean of likeness and obedience"),
    ("score/memorisation", "share of pictures that copy a photo"),
    ("score/diversity", "1 \N{MINUS SIGN} cosine within a prompt"),
    ("train/loss_instance", ""),
    ("train/loss_prior", ""),
)
CURVES_OF_ONE = (
    ("score/identity", "cosine to the photos"),
    ("score/identity_clip", "CLIP-I"),
    ("train/grad_norm", ""),
    ("train/lr", ""),
    ("train/lr_text_encoder", ""),
)


def write_report(path: Path) -> Path:
    """Write ``report.html`` into the run folder at ``path``; whatever is missing there is left out of the page.

    Returns:
        The file.
    """
    run = read_run(path, path.resolve().name)
    write_atomically(run.folder.report, page([run], path, REPORT_BUDGET))
    return run.folder.report


def write_comparison(paths: Sequence[Path], file: Path) -> Path:
    """Write the page that compares the runs at ``paths``.

    Returns:
        The file.
    """
    write_atomically(file, page(named(paths), file.parent, COMPARISON_BUDGET))
    return file


def page(runs: Sequence[Run], beside: Path, budget: int) -> str:
    """The HTML of a page that will lie in the folder ``beside``."""
    environment = Environment(
        loader=PackageLoader("avatar_exp.report"),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["duration"] = duration
    best, one = best_of(runs), runs[0] if len(runs) == 1 else None
    shown, sheets = gallery(runs, beside, budget)
    return environment.get_template("page.html").render(
        runs=runs,
        one=one,
        best=best,
        title=title(runs),
        table=steps_table(one) if one else runs_table(runs),
        seeded=over_seeds(runs),
        gallery={**shown, "start": start(runs, best, shown["steps"])},
        sheets=sheets,
        plots=plots(runs),
        scatter=likeness_against_prompt(runs),
        front=[(runs[run], run, step, point) for run, step, point in unbeaten(runs)],
        pairs=pairs(runs, best),
        details=[details(run, beside) for run in runs],
        size=(WIDTH, HEIGHT),
    )


def title(runs: Sequence[Run]) -> str:
    """What was learnt."""
    return ", ".join(dict.fromkeys(name for run in runs for name in run.concepts)) or "unknown subject"


def start(runs: Sequence[Run], best: int | None, steps: Sequence[int]) -> int:
    """The step that the slider begins at: that of the best run, else the last."""
    told = None if best is None else runs[best].told_step
    return told if told in steps and told is not None else max(steps, default=0)


def plots(runs: Sequence[Run]) -> list[Plot]:
    """A plot for each metric that any run has at two steps; of a single run with its intervals."""
    drawn: list[Plot] = []
    for metric, note in CURVES + (CURVES_OF_ONE if len(runs) == 1 else ()):
        points = {place: points_of(run, metric) for place, run in enumerate(runs)}
        if metric.startswith("train/lr") and len({value for one in points.values() for _, value in one}) == 1:
            continue  # a constant is in the config
        best = {place: run.best_step for place, run in enumerate(runs) if metric.startswith("score/")}
        bars = {
            place: [(step, *ends) for step in run.scores if (ends := run.interval(step, metric))]
            for place, run in enumerate(runs)
        }
        plot = curves(metric.partition("/")[2], points, best, bars if len(runs) == 1 else {})
        drawn += [replace(plot, note=plot.note or note)] if plot else []
    return drawn


def points_of(run: Run, metric: str) -> list[tuple[float, float]]:
    """Step and value, wherever the metric was logged."""
    if metric.startswith("score/"):
        return [(step, values[metric]) for step, values in run.scores.items() if metric in values]
    logged = [(number(row.get("step")), number(row.get(metric))) for row in run.rows]
    return [(step, value) for step, value in logged if step is not None and value is not None]


def likeness_against_prompt(runs: Sequence[Run]) -> Plot | None:
    """Every scored step of every run; those that no other beats in both are marked."""
    points = {
        place: [(s[PROMPT], s[LIKENESS]) for s in run.scores.values() if PROMPT in s and LIKENESS in s]
        for place, run in enumerate(runs)
    }
    return scatter(points, [(run, point) for run, _, point in unbeaten(runs)])


def unbeaten(runs: Sequence[Run]) -> list[tuple[int, int, tuple[float, float]]]:
    """Run, step and (prompt, likeness) of every trained step that no step of any run beats in both."""
    states = [(place, step, scores) for place, run in enumerate(runs) for step, scores in run.scores.items() if step]
    chosen = [states[n] for n in front({n: scores for n, (*_, scores) in enumerate(states)}, PROMPT, LIKENESS)]
    return [(place, step, (scores[PROMPT], scores[LIKENESS])) for place, step, scores in chosen]


def pairs(runs: Sequence[Run], best: int | None) -> dict[str, Any]:
    """The paired differences as ``templates/pairs.js`` reads them, and which pair to begin with."""
    if len(runs) < 2:
        return {}
    first = 0 if best is None else best
    found = {f"{a},{b}": [asdict(one) for one in values] for (a, b), values in paired(runs, best).items()}
    return {
        "names": [f"{run.name}, step {run.told_step}" for run in runs],
        "first": first,
        "second": 1 if first == 0 else 0,
        "pairs": found,
    }


def details(run: Run, beside: Path) -> dict[str, Any]:
    """What is said of a run below the pictures: how it went, what it warned of, how to repeat it."""
    base, versions = mapping(run.info.get("base")), mapping(run.info.get("versions"))
    alarms = [
        {
            "step": one.get("step"),
            "text": one.get("text") or one.get("kind") or "",
            "picture": thumbnail(run.folder.path / str(one["picture"])) if one.get("picture") else None,
            "file": link(run.folder.path / str(one["picture"]), beside) if one.get("picture") else None,
        }
        for one in run.alarms
    ]
    words = {"error": "error", "reason": "best_reason", "notice": "notice", "command": "command"}
    return {
        **{name: str(run.info.get(key) or "") for name, key in words.items()},
        "alarms": alarms,
        "again": ", ".join(said_again(run)),
        "base": base.get("path"),
        "report": link(run.folder.report, beside) if run.folder.report.is_file() else None,
        "phases": [(name, seconds) for name, seconds in run.phase_seconds.items() if seconds >= 0.05],
        "longest": max(run.phase_seconds.values(), default=0),
        "intake": dicts(run.info.get("intake")),
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "commit": str(run.info.get("git_commit") or "")[:10],
    }


def said_again(run: Run) -> list[str]:
    """The scores on fresh seeds that a reader wants first."""
    names = [name for name in (LIKENESS, PROMPT, "score/choice") if name in run.again]
    values = {name: f"{name.removeprefix('score/')} {run.again[name][0]:.3f}" for name in names}
    errors = {name: f" \N{PLUS-MINUS SIGN} {error:.3f}" if (error := run.again[name][1]) else "" for name in names}
    return [values[name] + errors[name] for name in names]


def link(file: Path, beside: Path) -> str:
    """A file's address from the page."""
    return quote(os.path.relpath(file.resolve(), beside.resolve()).replace(os.sep, "/"))
