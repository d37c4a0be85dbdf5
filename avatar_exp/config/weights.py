"""Which run is meant by ``run=``, and which of its weights by ``step=``."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from avatar_exp.errors import UserError
from avatar_exp.run_folder import RunFolder, read_json

log = logging.getLogger("avatar_exp")

TOLD = 3  # runs that are named to someone who named none


def named_run(config: DictConfig) -> RunFolder:
    """The run, or the diffusers folder, that was named.

    Raises:
        UserError: if none was, if it is not there, or if it is neither; with the newest runs that are there.
    """
    if OmegaConf.is_missing(config, "run"):
        raise UserError(f"name a run: run=outputs/train/hoanganh/DATE{_newest(Path(config.outputs))}")
    run = RunFolder(Path(config.run))
    if not run.path.is_dir():
        what = "a file; name the folder" if run.path.exists() else f"no such folder (from {Path.cwd()})"
        raise UserError(f"run={config.run}: {what}{_newest(Path(config.outputs))}")
    if not run.exists and not is_pipeline(run.path):
        newest = _newest(run.path) or _newest(Path(config.outputs))
        raise UserError(f"run={config.run}: neither a run nor a diffusers folder{newest}")
    return run


def _newest(folder: Path) -> str:
    """The newest runs below a folder that kept weights, to be put after a message."""
    return newest(folder, "run", lambda run: run.pipeline / "model_index.json")


def newest(folder: Path, key: str, needed: Callable[[RunFolder], Path]) -> str:
    """Lines with the newest runs below a folder as ``key=``, to be put after a message; empty if none is there.

    Args:
        needed: the file of a run without which it is of no use here.
    """
    from avatar_exp.report.find import runs_below

    files = {run: needed(RunFolder(run)) for run in runs_below(folder)} if folder.is_dir() else {}
    made = {run: file.stat().st_mtime for run, file in files.items() if file.is_file()}
    found = sorted(made, key=lambda run: made[run], reverse=True)[:TOLD]
    return "".join([f"\nnewest in {folder}:", *(f"\n  {key}={run}" for run in found)]) if found else ""


def base_to_load(run: RunFolder) -> dict[str, Any]:
    """The arguments of ``models.load.load`` for the base that a run began with."""
    return {key: value for key, value in OmegaConf.load(run.resolved).model.items() if key != "_target_"}


def weights_to_load(run: RunFolder, step: str) -> dict[str, Any]:
    """The arguments of ``models.load.load``: the folder of ``step``, or for step 0 the base that the run began with.

    It is said which step it is, and why.

    Raises:
        UserError: if the weights are not there.
    """
    if step == "0" and run.resolved.is_file():
        log.info("weights   step 0 (the base)")
        return base_to_load(run)
    folder, said = weights_folder(run, step)
    log.info("weights   %s", said)
    return {"path": str(folder)}


def weights_folder(run: RunFolder, step: str) -> tuple[Path, str]:
    """Where the weights are, and what they are: ``run`` itself if it is a diffusers folder, else what it kept.

    ``best``: the step with the best score if its weights are kept, else what lies in pipeline/. ``last``: the last
    step, which lies in pipeline/ unless ``choose=best`` put another one there. A number: that step, from pipeline/ or
    as ``keep_steps`` kept it.

    Raises:
        UserError: if they are not there.
    """
    if is_pipeline(run.path):
        return run.path, str(run.path)
    info = run.info
    kept = sorted(int(folder.name.rpartition("_")[2]) for folder in run.path.glob("pipeline_step_*"))
    chosen, best, last = (info.get(key) for key in ("chosen_step", "best_step", "steps_done"))
    if not (step in ("best", "last") or step.isdigit()):
        raise UserError(f"run={run.path} step={step}: expected best, last, 0 (the base) or one of: {_there(run, kept)}")
    wanted = {"best": chosen if best is None else best, "last": last}[step] if not step.isdigit() else int(step)
    if wanted in (chosen, None) or (step == "best" and wanted not in kept):
        folder, wanted = run.pipeline, chosen
    else:
        folder = run.kept_step(int(wanted))
    if not is_pipeline(folder):
        why = info.get("weights_removed") or f"status: {info.get('status', 'unknown')}"
        weights = "weights" if wanted is None else f"weights of step {wanted}"
        raise UserError(
            f"run={run.path} step={step}: no {weights} are there ({why}).\n"
            f"Steps kept: {_there(run, kept)}. {_cure(run)}"
        )
    return folder, f"step {wanted} ({_why(step, wanted, info)})"


def _cure(run: RunFolder) -> str:
    """What to do where weights are missing."""
    if run.info.get("status") in ("finished", None):
        return "keep_steps='[100,200]' keeps more; a diffusers folder can be named too"
    end = "They come when the run ends; if it was cut off" if run.info["status"] == "running" else "The run did not end"
    kind = "resume" if run.checkpoint.is_file() else "repeat"
    return f"{end}: python -m avatar_exp.train {kind}={run.path}"


def _why(step: str, wanted: int | None, info: Mapping[str, Any]) -> str:
    """Why these weights are taken."""
    best, last = info.get("best_step"), info.get("steps_done")
    if step == "best" and wanted == best:
        return "best score"
    if step == "best":
        no_best = f"the best score, at step {best}, was not kept: choose=best keeps it"
        return f"what the run chose; {'no step was scored' if best is None else no_best}"
    if wanted == last:
        return "the last step"
    return "what the run chose" if wanted == info.get("chosen_step") else "kept by keep_steps"


def _there(run: RunFolder, kept: list[int]) -> str:
    """The steps whose weights are on disk."""
    chosen = run.info.get("chosen_step")
    steps = [f"{chosen} (chosen)"] if is_pipeline(run.pipeline) and chosen is not None else []
    return ", ".join([*steps, *map(str, kept)]) or "none"


def is_pipeline(folder: Path) -> bool:
    """Whether ``folder`` is a diffusers folder of a Stable Diffusion."""
    return "unet" in read_json(folder / "model_index.json")
