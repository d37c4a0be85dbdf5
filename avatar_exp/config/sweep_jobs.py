"""The jobs of one sweep, on disk: which are done, which is the best, and what remains when all have ended."""

import json
import logging
import math
import shutil
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from filelock import FileLock
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, read_write

from avatar_exp.config.overrides import quote, typed
from avatar_exp.config.sweep import jobs_asked
from avatar_exp.errors import UserError
from avatar_exp.run_folder import RunFolder

log = logging.getLogger("avatar_exp")

Values = float | tuple[float, ...] | None  # what a sweeper gets of a job

_sweep: list[Path] = []  # of this process
_began: list[float] = []  # when it did, in seconds since the epoch
_asked: list[int | None] = []  # how many jobs it is to have


class Remember(Callback):  # type: ignore[misc]
    """Hydra's callback: where the sweep of this process lies, whoever runs its jobs."""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Called once, before the first job. Jobs compose their config anew, perhaps in another process: they are told
        the folder, or each would make one.
        """
        sweep = Path(config.hydra.sweep.dir).resolve()
        _sweep[:], _began[:], _asked[:] = [sweep], [time.time()], [jobs_asked(config)]
        with read_write(config.hydra.overrides):
            config.hydra.overrides.hydra.append(f"hydra.sweep.dir={quote(str(sweep))}")


def jobs_left(sweep: Path) -> int | None:
    """How many jobs of this process's sweep are not finished, the newest included; None if that is not known here."""
    asked = _asked[0] if _asked else None
    return None if asked is None else max(1, asked - sum(job.info.get("status") == "finished" for job in jobs(sweep)))


def end_of_sweep() -> list[RunFolder]:
    """The comparison page of this process's sweep, also when jobs failed; its faults never hide how the sweep ended.
    There is none of a sweep that was refused before its first job.

    Returns:
        The jobs that failed just now, in whatever process.
    """
    if not _sweep or not (sweep := _sweep.pop()).is_dir() or not jobs(sweep):
        return []
    try:
        from avatar_exp.report.page import write_comparison

        write_comparison([job.path for job in jobs(sweep)], sweep / "compare.html")
        log.info("compare   %s", sweep / "compare.html")
        if list(sweep.glob("*/wandb/offline-run-*")):
            log.info("upload    wandb sync %s", sweep / "*" / "wandb" / "offline-run-*")
    except Exception:
        log.exception("the comparison page could not be written")
    failed = [job for job in jobs(sweep) if job.info.get("status") == "failed"]
    return [job for job in failed if job.run_json.stat().st_mtime >= _began[0]]


def jobs(sweep: Path) -> list[RunFolder]:
    """The jobs that have begun, in their order."""
    return [folder for path in sorted(sweep.iterdir()) if path.is_dir() and (folder := RunFolder(path)).exists]


def remaining_trials(sweep: str, wanted: int) -> int:
    """How many trials of a search are left: all of them, but for those that its study in ``sweep`` has finished."""
    study = Path(sweep) / "study.db"
    if not study.is_file():
        return wanted
    with closing(sqlite3.connect(study)) as database:
        (done,) = database.execute("SELECT count(*) FROM trials WHERE state = 'COMPLETE'").fetchone()
    return max(0, wanted - int(done))


def metrics_of(config: DictConfig) -> list[str]:
    """``optimized_metric`` as a list."""
    asked = config.optimized_metric
    return [asked] if isinstance(asked, str) else list(asked)


def values_of(info: dict[str, Any], metrics: Sequence[str]) -> Values:
    """What a sweeper gets: the scores of the chosen step; NaN where there is none; None for a run without scores."""
    scores = info.get("scores", {}).get(str(info.get("chosen_step", 0)), {})  # with max_steps=0 there is the base only
    if not info.get("scores"):
        return None
    found = tuple(float(scores.get(metric, math.nan)) for metric in metrics)
    return found[0] if len(found) == 1 else found


def failed_values(config: DictConfig, sweeper: str) -> Values:
    """The same of a job that failed: NaN; Optuna's sweeper cannot take that, and marks a trial without value failed."""
    if sweeper == "optuna":
        return None
    count = len(metrics_of(config)) if "optimized_metric" in config else 1
    return math.nan if count == 1 else (math.nan,) * count


def done_before(folder: RunFolder, overrides: Sequence[str]) -> bool:
    """Whether this very job is finished already, of a sweep that is given again with its old folder.

    Raises:
        UserError: if the folder holds a run that was given something else.
    """
    info = folder.info
    if "overrides" not in info:
        return False
    if info["overrides"] != [typed(one) for one in overrides]:
        raise UserError(
            f"{folder.path} holds a run of other overrides ({' '.join(info['overrides'])}); give the sweep its own "
            "command again, or a new folder"
        )
    return info.get("status") == "finished"


def make_way(folder: RunFolder) -> bool:
    """Before an unfinished job is done again: True if it can go on from its checkpoint, else it is cleared away."""
    if folder.checkpoint.is_file():
        return True
    kept = folder.path.glob("pipeline_step_*")
    for old in (folder.samples, folder.checkpoint.parent, folder.pipeline, folder.path / "wandb", *kept):
        shutil.rmtree(old, ignore_errors=True)
    for file in (folder.metrics, folder.run_json, folder.report):
        file.unlink(missing_ok=True)
    return False


def keep_the_best(sweep: Path) -> None:
    """Of the finished jobs of each subject and base, only the best keeps its pipeline; without scores all do, and where
    the class has drifted in all of them: which of these is the least bad is not for a rule to decide.
    """
    from avatar_exp.report.runs import best_of, read_run

    with FileLock(sweep / ".best.lock"):
        alike: dict[str, list[RunFolder]] = {}
        for job in jobs(sweep):
            info = job.info
            if info.get("status") == "finished" and job.pipeline.is_dir():
                of = json.dumps([info.get("concept"), info.get("photos"), info.get("base")])
                alike.setdefault(of, []).append(job)
        for rivals in alike.values():
            runs = [read_run(job.path, job.path.name) for job in rivals]
            of_weights = all(run.told_step == run.info.get("chosen_step") for run in runs)
            best = best_of(runs) if of_weights and not all(run.drifted for run in runs) else None
            for place, job in enumerate(rivals):
                if best is not None and place != best:
                    shutil.rmtree(job.pipeline)
                    job.update(weights_removed=f"save=best_of_sweep kept those of {rivals[best].path.name}")
