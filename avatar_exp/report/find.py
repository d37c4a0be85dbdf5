"""Which run folders lie below what was named: a run, a sweep, all runs of a concept, or a pattern."""

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from avatar_exp.errors import UserError
from avatar_exp.run_folder import RunFolder

NO_RUNS_IN = {"store", "wandb", "samples", "checkpoints", "pipeline"}  # large, and never a run
DEEPEST = 6  # folders below what was named; links may go in circles


def find_runs(wanted: Sequence[str]) -> tuple[list[Path], list[str]]:
    """Every run folder in or below ``wanted``, each once, and those of ``wanted`` that hold none.

    Raises:
        UserError: if there is no run at all.
    """
    found: dict[Path, Path] = {}
    empty = []
    for one in wanted:
        below = [run for place in places(one) for run in runs_below(place)]
        found |= {run.resolve(): run for run in below if run.resolve() not in found}
        empty += [] if below else [one]
    if not found:
        looked = ", ".join(wanted) or "nothing"
        raise UserError(
            f"runs={looked}: no run is there, nor below. A run is a folder with a run.json: name one, a sweep's "
            "folder, outputs/train/CONCEPT, a pattern ('outputs/sweeps/2026-*'), or several (runs='[a,b]')"
        )
    return list(found.values()), empty


def places(wanted: str) -> list[Path]:
    """The folders that a path or a pattern stands for."""
    path = Path(wanted)
    if path.is_dir():  # also one whose name looks like a pattern
        return [path]
    return [Path(match) for match in sorted(glob.glob(str(path), recursive=True)) if os.path.isdir(match)]


def runs_below(folder: Path, deepest: int = DEEPEST) -> Iterator[Path]:
    """``folder`` if it is a run, else all runs within it, by name."""
    if is_run(folder):
        yield folder
        return
    if deepest == 0:
        return
    try:
        inside = sorted(child for child in folder.iterdir() if child.is_dir())
    except OSError:  # not ours to read
        return
    for child in inside:
        if child.name not in NO_RUNS_IN and not child.name.startswith("."):
            yield from runs_below(child, deepest - 1)


def is_run(folder: Path) -> bool:
    """Whether ``train`` wrote this folder; of one that died early there may be no run.json, only its log."""
    run = RunFolder(folder)
    return run.run_json.is_file() or (
        run.config.is_file() and (run.metrics.is_file() or (folder / "train.log").is_file())
    )
