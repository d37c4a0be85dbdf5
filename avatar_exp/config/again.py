"""Coming back to a run: ``resume`` goes on with it, ``repeat`` composes it anew. Both are owned here."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from avatar_exp.config.overrides import value_of
from avatar_exp.config.schema import OPTIONS, TrainConfig
from avatar_exp.config.weights import newest
from avatar_exp.errors import RefusedError, UserError
from avatar_exp.run_folder import RunFolder, keep_lines_to_step

log = logging.getLogger("avatar_exp")

# What may change when a run goes on: how long, and what is kept of it. Anything else would make it another run.
DECIDED = ("precision", "sample_every", "score_every", "checkpoint_every")  # by decide.py, where they were left open
MAY_CHANGE = ("max_steps", "trainer.max_steps", "keep_checkpoints", "keep_steps", "checkpoint_every", "tags", "resume")


def existing_run(path: str, key: str) -> RunFolder:
    """The run folder at ``path``.

    Raises:
        UserError: if there is none.
    """
    folder = RunFolder(Path(path))
    if not folder.config.is_file():
        there = newest(folder.path, key, lambda run: run.checkpoint if key == "resume" else run.config)
        raise UserError(f"{key}={path}: no run is there (expected {folder.config}); give the folder of one run{there}")
    return folder


def resumed(overrides: Sequence[str]) -> tuple[DictConfig, Path] | None:
    """``resume=DIR max_steps=1200``: that run's own config and folder; None where nothing is to be resumed.

    Raises:
        UserError: if no run is there, it left no checkpoint, or an override would make it another one.
        RefusedError: if it is further than it is to go. Asked here, before anything of the run is touched.
    """
    path = value_of("resume", overrides)
    if path is None:
        return None
    folder = existing_run(path, "resume")
    config = resumed_config(folder, overrides)
    if not folder.checkpoint.is_file():
        raise UserError(
            f"resume={folder.path}: no checkpoint is there. A finished run keeps its own only with "
            f"keep_checkpoints=true; a new run with the same settings: repeat={folder.path}"
        )
    done, wanted = folder.info.get("steps_done", 0), config.trainer.max_steps
    if done > wanted:
        raise RefusedError(f"resume={folder.path}: the run is at step {done} already; max_steps={wanted} is less")
    return config, folder.path


def resumed_config(folder: RunFolder, overrides: Sequence[str]) -> DictConfig:
    """The run's own config, with the few changes that a resumed run may make.

    Raises:
        UserError: for an override that would make it another run.
    """
    stored = OmegaConf.load(folder.config)
    config = OmegaConf.merge(schema_of(stored), stored)
    if folder.resolved.is_file():  # keeps what was decided then, should it be decided otherwise now
        decided = OmegaConf.load(folder.resolved)
        config = OmegaConf.merge(config, {key: OmegaConf.select(decided, key) for key in DECIDED})
    for override in overrides:
        key, _, _ = override.partition("=")
        if key.startswith("hydra."):  # where to look for configs: this one is composed
            continue
        if key not in MAY_CHANGE:
            raise UserError(
                f"resume goes on with the run as it was configured; {key} cannot change.\n"
                f"These may: {', '.join(MAY_CHANGE[:-1])}. For another setting start a new run: repeat={folder.path} "
                f"{override}"
            )
        if key != "resume":
            OmegaConf.update(config, key, OmegaConf.from_dotlist([override.replace(key, "x", 1)]).x)
        if key == "max_steps":  # the run may have been made with trainer.max_steps
            OmegaConf.update(config, "trainer.max_steps", "${max_steps}")
    config.resume = str(folder.path)
    assert isinstance(config, DictConfig)
    return config


def schema_of(stored: Any) -> DictConfig:
    """The schema of a run's config: of a group whose options have keys of their own, that of the run's option."""
    schema = OmegaConf.structured(TrainConfig)
    OmegaConf.set_struct(schema, False)
    for group, options in OPTIONS.items():
        for option in options.values():
            if OmegaConf.select(stored, f"{group}._target_") == OmegaConf.structured(option)._target_:
                schema[group] = OmegaConf.structured(option)
    assert isinstance(schema, DictConfig)
    return schema


def go_back(folder: RunFolder) -> Path:
    """The checkpoint that a run goes on from; what was written after it is taken back."""
    import torch

    step = int(torch.load(folder.checkpoint, map_location="cpu", weights_only=True, mmap=True)["global_step"])
    for lines in (folder.metrics, folder.records, folder.class_records, folder.picture_scores):
        keep_lines_to_step(lines, step)
    info = folder.info
    for later in (file for best, file in folder.incumbents.items() if best > step):
        later.unlink()
    folder.update(
        **{
            name: {key: value for key, value in info.get(name, {}).items() if int(key) <= step}
            for name in ("scores", "errors", "intervals")
        },
        alarms=[alarm for alarm in info.get("alarms", []) if alarm["step"] <= step],
        best_step=None,  # until the scores that are left have been looked at again
        steps_done=step,
    )
    log.info("resuming at step %d", step)
    return folder.checkpoint


def repeated_overrides(overrides: Sequence[str]) -> list[str]:
    """``repeat=DIR more=...`` as the overrides of that run, then the new ones (the last of a key wins)."""
    path = value_of("repeat", overrides)
    if path is None:
        return list(overrides)
    folder = existing_run(path, "repeat")
    old = [str(one) for one in OmegaConf.load(folder.overrides)] if folder.overrides.is_file() else []
    decided = [str(one) for one in folder.info.get("decided", [])]
    new_keys = {one.partition("=")[0] for one in overrides}
    if new_keys & {"max_steps", "trainer.max_steps"}:  # how often follows from how long
        decided = [one for one in decided if not one.partition("=")[0].endswith("_every")]
    kept = [one for one in [*old, *decided] if one.partition("=")[0] not in new_keys | {"sweep"}]  # one run of it
    return [*dict.fromkeys(kept), *overrides]


def _flat(config: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(config, dict):
        for key, value in config.items():
            yield from _flat(value, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, config


def flat(config: DictConfig) -> dict[str, Any]:
    """The resolved config as one level of dotted keys."""
    return dict(_flat(OmegaConf.to_container(config, resolve=True)))


def differences(folder: RunFolder, config: DictConfig) -> list[str]:
    """``key: then -> now`` for every value that is not what it was in the run at ``folder``."""
    if not folder.resolved.is_file():
        return ["its resolved config is missing, so what differs cannot be told"]
    then = dict(_flat(OmegaConf.to_container(OmegaConf.load(folder.resolved))))
    now = flat(config)
    keys = [key for key in sorted({*then, *now}) if key not in ("repeat", "resume")]
    return [f"{key}: {then.get(key)!r} -> {now.get(key)!r}" for key in keys if then.get(key) != now.get(key)]
