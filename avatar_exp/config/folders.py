"""The folders that a command makes for itself; of a command that was refused none is left."""

import logging
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from avatar_exp.config.home import home
from avatar_exp.errors import UserError
from avatar_exp.run_folder import RunFolder, make_exclusively, safe_name

# What is written before anything is loaded or drawn; and logs.
BARE = {".hydra", "multirun.yaml", "report.html", "run.json"}

_fresh: dict[tuple[str, str], str] = {}
_parents: list[Path] = []  # of those, which were not there before; outer ones first


def forget() -> None:
    """A new command begins: its folders are made anew."""
    _fresh.clear()
    _parents.clear()


def fresh_folder(parent: str, name: str) -> str:
    """A new folder of this process; asked again, the same one (Hydra resolves a path more than once)."""
    parent = home(parent)
    if (parent, name) not in _fresh:
        above = [Path(parent), *Path(parent).parents]
        _parents.extend(reversed([one for one in above if not one.exists()]))
        _fresh[parent, name] = str(make_exclusively(Path(parent), name))
    return _fresh[parent, name]


def subject_folder(identifier: Any, concepts: Sequence[str] | None, concepts_list: str | None) -> str:
    """Name of the folder of a subject's runs; where several are named together, ``identifier`` stands for them."""
    named = list(concepts or [])
    if concepts_list:
        from avatar_exp.data.concepts_list import read_concepts_list  # only now: it imports torch

        with suppress(UserError):  # said with all other faults, later
            named = [one.identifier for one in read_concepts_list(Path(home(concepts_list)))]
    return safe_name(named[0] if len(named) == 1 else str(identifier))


def take_back() -> None:
    """Remove the folders that were made here, but for those in which something was begun: what was refused is told on
    the console, and a run of it would only be in the way of those that are compared.
    """
    for folder in map(Path, _fresh.values()):
        if folder.is_dir() and not begun(folder):
            _close_logs(folder)
            shutil.rmtree(folder, ignore_errors=True)
    for parent in reversed(_parents):
        with suppress(OSError):  # there is something else in it by now
            parent.rmdir()


def begun(folder: Path) -> bool:
    """Whether a run has loaded its base, a sweep has a job, or anything else was written here."""
    more = [one for one in folder.iterdir() if one.name not in BARE and one.suffix != ".log"]
    return bool(more) or "base" in RunFolder(folder).info


def _close_logs(folder: Path) -> None:
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler, logging.FileHandler) and Path(handler.baseFilename).parent == folder.resolve():
            root.removeHandler(handler)
            handler.close()
