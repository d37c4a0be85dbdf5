"""One self-contained page of one run or of several: tables, pictures, curves, front, differences, commands."""

import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from avatar_exp.report.details import details
from avatar_exp.report.gallery import gallery
from avatar_exp.report.numbers import shown
from avatar_exp.report.over_seeds import over_seeds
from avatar_exp.report.pairs import paired
from avatar_exp.report.plots import HEIGHT, WIDTH, Plot, curves, scatter
from avatar_exp.report.runs import Run, best_of, named, number, read_run
from avatar_exp.report.tables import duration, runs_table, steps_table
from avatar_exp.run_folder import write_atomically
from avatar_exp.scoring.choose import front

log = logging.getLogger("avatar_exp")

# Bytes of a page's pictures: a report stays under 3 MB, a comparison under 20 MB.
REPORT_BUDGET, COMPARISON_BUDGET = 2_300_000, 17_500_000
LIKENESS, PROMPT = "score/likeness", "score/prompt"
FIRST_CURVES = (  # those that a step is chosen by
    (LIKENESS, "0: the base, 1: the photos"),
    ("score/obedience", "0: as for other prompts, 1: as the base"),
    ("score/drift", "0: the class as it was, 1: the subject"),
    ("score/choice", "harmonic mean of likeness and obedience"),
)
MORE_CURVES = (
    (PROMPT, "CLIP-T, the name left out"),
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


def write_comparison(paths: Sequence[Path], file: Path) -> Path | None:
    """Write the page that compares the runs at ``paths``.

    Returns:
        The file; None where there is no run to compare, and so no page.
    """
    if not paths:
        log.warning("no run has begun: there is nothing to compare, and no %s", file)
        return None
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
    environment.filters["score"] = lambda value, name="": shown(name, value)
    best, one = best_of(runs), runs[0] if len(runs) == 1 else None
    grids, sheets = gallery(runs, beside, budget)
    return environment.get_template("page.html").render(
        runs=runs,
        one=one,
        best=best,
        title=title(runs),
        table=steps_table(one) if one else runs_table(runs),
        seeded=over_seeds(runs),
        gallery={**grids, "start": start(runs, best, grids["steps"])},
        sheets=sheets,
        first_plots=plots(runs, FIRST_CURVES),
        more_plots=plots(runs, MORE_CURVES + (CURVES_OF_ONE if one else ())),
        scatter=likeness_against_prompt(runs),
        front=[(runs[run], run, step, point) for run, step, point in unbeaten(runs)],
        pairs=pairs(runs, best),
        details=[details(run, beside, own_page=one is not None) for run in runs],
        size=(WIDTH, HEIGHT),
    )


def title(runs: Sequence[Run]) -> str:
    """What was learnt."""
    return ", ".join(dict.fromkeys(name for run in runs for name in run.concepts)) or "unknown subject"


def start(runs: Sequence[Run], best: int | None, steps: Sequence[int]) -> int:
    """The step that the slider begins at: that of the best run, else the last."""
    told = None if best is None else runs[best].told_step
    return told if told in steps and told is not None else max(steps, default=0)


def plots(runs: Sequence[Run], metrics: Sequence[tuple[str, str]]) -> list[Plot]:
    """A plot for each metric (and note) that any run has at two steps; of a single run with its intervals."""
    drawn: list[Plot] = []
    for metric, note in metrics:
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
