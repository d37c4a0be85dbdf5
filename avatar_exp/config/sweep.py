"""A sweep on disk: what the folders of its jobs are called, and sweep.json, which says what each job was given."""

import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from avatar_exp.config.overrides import typed
from avatar_exp.run_folder import RunFolder, safe_name, write_json

_same_for_all: set[str] = set()  # keys that were typed with one value: they do not tell the jobs apart


def note_command_line(overrides: Sequence[str]) -> None:
    """Remember which keys are the same for all jobs; the others, a sweeper's own included, name the folders."""
    _same_for_all.clear()
    _same_for_all.update(one.partition("=")[0] for one in overrides if "=" in one and not _is_swept(one))


def _is_swept(override: str) -> bool:
    try:
        return bool(OverridesParser.create().parse_override(override).is_sweep_override())
    except HydraException:  # Hydra itself will say what is wrong with it
        return False


def jobs_asked(config: DictConfig) -> int | None:
    """How many jobs a sweep's command asks for: the trials of a search, or the product of its lists.

    Args:
        config: the whole config, with its ``hydra`` node.

    Returns:
        None if that cannot be told before (``glob(...)``).
    """
    sweeper = config.hydra.sweeper
    if "n_trials" in sweeper:
        return int(sweeper.n_trials)
    texts = [*(f"{key}={value}" for key, value in (sweeper.get("params") or {}).items()), *config.hydra.overrides.task]
    overrides = OverridesParser.create().parse_overrides(texts)
    try:
        return math.prod(sum(1 for _ in one.sweep_string_iterator()) for one in overrides if one.is_sweep_override())
    except (HydraException, AttributeError):
        return None


def job_name(number: Any, overrides: Iterable[Any]) -> str:
    """``007_lr-2e-6_prior.weight-0.3``: a job's folder in its sweep."""
    telling = [typed(str(one)) for one in overrides if str(one).partition("=")[0] not in _same_for_all]
    if not telling:
        return f"{int(number):03d}"
    text = re.sub(r"(e[-+])0+(?=\d)", r"\1", "_".join(telling))  # Hydra writes 2e-6 as 2e-06
    return f"{int(number):03d}_{safe_name(text.replace('=', '-'))}"


def write_sweep_file(sweep: Path) -> None:
    """(Re)write sweep.json: ``007`` to that job's overrides, of all jobs that have begun, in whatever process.

    A search that goes on begins its numbers anew: the second job of a number stands under its folder's whole name.
    """
    jobs: dict[str, list[str]] = {}
    with FileLock(sweep / ".sweep.lock"):
        for folder in sorted(sweep.iterdir()):
            if RunFolder(folder).overrides.is_file():
                number = folder.name.partition("_")[0]
                overrides = [typed(str(one)) for one in OmegaConf.load(RunFolder(folder).overrides)]
                jobs[folder.name if number in jobs else number] = overrides
        write_json(sweep / "sweep.json", jobs)
