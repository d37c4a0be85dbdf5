"""One run as one self-contained page: pictures, curves, config and times. Reads the run folder only."""

import base64
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape
from PIL import Image

from avatar_exp.run_folder import RunFolder, read_lines, write_atomically

WIDTH, HEIGHT = 520, 170  # of a curve, in its own units
CURVES = (
    ("loss", ("train/loss_instance", "train/loss_prior")),
    ("likeness, drift, choice", ("score/likeness", "score/drift", "score/choice")),
    ("prompt", ("score/prompt",)),
    ("identity", ("score/identity", "score/identity_clip")),
    ("gradient norm", ("train/grad_norm",)),
    ("learning rate", ("train/lr", "train/lr_text_encoder")),
)


@dataclass(frozen=True)
class Line:
    """One curve: its name, its points as an SVG path, and its last value."""

    name: str
    path: str
    last: float


@dataclass(frozen=True)
class Plot:
    """Curves over the same steps and the same scale."""

    title: str
    lines: Sequence[Line]
    low: float
    high: float
    steps: tuple[int, int]


def plot(title: str, names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Plot | None:
    """The named metrics as one plot; None if fewer than two points were logged of every one."""
    series = {name: [(row["step"], float(row[name])) for row in rows if {"step", name} <= row.keys()] for name in names}
    series = {name: points for name, points in series.items() if len(points) > 1}
    if not series:
        return None
    values = [value for points in series.values() for _, value in points]
    steps = [step for points in series.values() for step, _ in points]
    low, high, first, last = min(values), max(values), min(steps), max(steps)

    def at(step: int, value: float) -> str:
        x = WIDTH * (step - first) / max(last - first, 1)
        y = HEIGHT * (1 - (value - low) / max(high - low, 1e-12))
        return f"{x:.1f},{y:.1f}"

    lines = [
        Line(name, "M" + " L".join(at(*point) for point in points), points[-1][1]) for name, points in series.items()
    ]
    return Plot(title, lines, low, high, (first, last))


def embedded(path: Path, width: int, quality: int = 88) -> str | None:
    """A picture inside the page, no wider than ``width`` pixels: a ``data:`` address, JPEG; None if it is not there."""
    try:
        with Image.open(path) as image:
            shown = image.convert("RGB")
    except OSError:  # also one that was cut short
        return None
    if shown.width > width:
        shown = shown.resize((width, round(shown.height * width / shown.width)), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    shown.save(buffer, "JPEG", quality=quality, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def samples_by_step(folder: RunFolder) -> list[dict[str, Any]]:
    """Newest step first: each with its pictures, as prompt, seed and file beside the page."""
    steps: dict[int, list[dict[str, Any]]] = {}
    for row in read_lines(folder.records):
        if {"step", "file"} <= row.keys() and (folder.path / row["file"]).is_file():
            steps.setdefault(row["step"], []).append(row)
    return [{"step": step, "pictures": steps[step]} for step in sorted(steps, reverse=True)]


def score_table(info: Mapping[str, Any]) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Column names, and for each scored step its values."""
    scores = {int(step): values for step, values in info.get("scores", {}).items()}
    names = sorted({name for values in scores.values() for name in values})
    rows = [(step, [f"{scores[step][n]:.3f}" if n in scores[step] else "" for n in names]) for step in sorted(scores)]
    return names, rows


def write_report(path: Path) -> Path:
    """Write ``report.html`` into the run folder at ``path``; whatever is missing there is left out of the page.

    Returns:
        The file.
    """
    folder = RunFolder(path)
    info, rows = folder.info, list(read_lines(folder.metrics))
    names, table = score_table(info)
    times = info.get("phase_seconds", {})
    page = Environment(loader=PackageLoader("avatar_exp.report"), autoescape=select_autoescape()).get_template(
        "run.html"
    )
    html = page.render(
        title=os.path.basename(path.resolve()),
        concepts=", ".join(info.get("concept", [])),
        info=info,
        grid=embedded(folder.grid, 1500),
        newest=[
            {**picture, "source": source}
            for step in samples_by_step(folder)[:1]
            for picture in step["pictures"]
            if (source := embedded(path / picture["file"], 256))
        ],
        plots=[drawn for title, metrics in CURVES if (drawn := plot(title, metrics, rows))],
        score_names=names,
        score_rows=table,
        times=times,
        total=sum(times.values()),
        config=folder.resolved.read_text() if folder.resolved.is_file() else "",
        size=(WIDTH, HEIGHT),
    )
    write_atomically(folder.report, html)
    return folder.report
