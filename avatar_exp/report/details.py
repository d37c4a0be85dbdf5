"""What is said of a single run: what it was given, how it went, what it warned of, how to repeat it."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from avatar_exp.report.beside import evidence, strip
from avatar_exp.report.kept import kept
from avatar_exp.report.numbers import plain, with_error
from avatar_exp.report.runs import Run, dicts, mapping, number
from avatar_exp.report.tables import duration
from avatar_exp.report.verdicts import best_word, verdicts


def details(run: Run, beside: Path, own_page: bool) -> dict[str, Any]:
    """As the templates read it.

    Args:
        beside: the folder of the page; files are named relative to it.
        own_page: whether it is of this run alone.
    """
    versions, commit = mapping(run.info.get("versions")), str(run.info.get("git_commit") or "")[:10]
    words = {"error": "error", "reason": "best_reason", "notice": "notice", "command": "command"}
    return {
        **{name: str(run.info.get(key) or "") for name, key in words.items()},
        "facts": facts(run),
        "alarms": [said(run, one, beside, own_page) for one in [*run.alarms, *run.hints]],
        "again": ", ".join(said_again(run)),
        "best": best_word(run),
        "kept": kept(run),
        "verdicts": [] if run.told_step is None else verdicts(run, run.told_step),
        "photos": [(one, link(one.file, beside)) for one in strip(run)] if own_page else [],
        "report": link(run.folder.report, beside) if run.folder.report.is_file() else None,
        "phases": [(name, seconds) for name, seconds in run.phase_seconds.items() if seconds >= 0.05],
        "longest": max(run.phase_seconds.values(), default=0),
        "intake": dicts(run.info.get("intake")),
        "versions": ", ".join(
            [*(f"{name} {version}" for name, version in versions.items()), *([f"commit {commit}"] if commit else [])]
        ),
    }


def facts(run: Run) -> list[str]:
    """What a run is told from others by, at a glance."""
    base, photos = mapping(run.info.get("base")).get("path"), number(run.info.get("photo_count"))
    batch, accumulated = (number(run.values.get(key)) for key in ("batch_size", "accumulate_grad_batches"))
    times = f" \N{MULTIPLICATION SIGN} {accumulated:g}" if accumulated and accumulated > 1 else ""
    return [
        str(base or "base unknown"),
        *([rate] if (rate := learning_rate(run)) else []),
        f"{run.steps_done:,} steps",
        *([f"{photos:g} photos"] if photos else []),
        *([f"batch {batch:g}{times}"] if batch else []),
        *([duration(run.seconds)] if run.seconds else []),
    ]


def learning_rate(run: Run) -> str:
    """``lr 4e-6 (x 250 = 0.001)``: as given, and as the optimizer got it where that differs; empty if not known."""
    rate, model = number(run.values.get("lr")), mapping(run.values.get("model"))
    if rate is None:
        return ""
    of_lora = number(model.get("lora_lr_scale")) if "rank" in mapping(run.values.get("method")) else None
    scale = of_lora or number(model.get("lr_scale")) or 1.0
    scaled = f" (\N{MULTIPLICATION SIGN} {scale:g} = {plain(rate * scale)})" if scale != 1 else ""
    return f"lr {plain(rate)}{scaled}"


def said(run: Run, alarm: dict[str, Any], beside: Path, own_page: bool) -> dict[str, Any]:
    """An alarm, or a hint, with the pictures that show it."""
    return {
        "step": alarm.get("step"),
        "hint": alarm in run.hints,
        "text": alarm.get("text") or alarm.get("kind") or "",
        "pictures": [(one, link(one.file, beside)) for one in evidence(run, alarm, own_page)],
    }


def said_again(run: Run) -> list[str]:
    """The scores on fresh seeds that a reader wants first."""
    names = [name for name in ("likeness", "prompt", "choice") if f"score/{name}" in run.again]
    return [f"{name} {with_error(name, *run.again[f'score/{name}'])}" for name in names]


def link(file: Path, beside: Path) -> str:
    """A file's address from the page."""
    return quote(os.path.relpath(file.resolve(), beside.resolve()).replace(os.sep, "/"))
