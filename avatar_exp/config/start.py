"""One function starts every command: finds conf/, mends overrides, composes, and turns errors into short messages."""

import gc
import logging
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from avatar_exp.config.base import default_base, default_optimizer
from avatar_exp.config.conf import SCHEMAS, conf_dir
from avatar_exp.config.console import Console
from avatar_exp.config.experiments import chosen
from avatar_exp.config.explain import ONE_FOLDER, config_groups, explain, keys_of_command
from avatar_exp.config.flags import check_form
from avatar_exp.config.folders import forget, fresh_folder, subject_folder, take_back
from avatar_exp.config.home import expand_home
from avatar_exp.config.overrides import ONLY_SHOWN, check_groups, readable
from avatar_exp.config.schema import OPTIONS
from avatar_exp.config.several import STAND_IN
from avatar_exp.config.sweep import job_name, note_command_line, write_sweep_file
from avatar_exp.config.sweep_jobs import end_of_sweep, failed_values, remaining_trials
from avatar_exp.errors import UserError, counted, mendable
from avatar_exp.run_folder import timestamp

log = logging.getLogger("avatar_exp")


@dataclass(frozen=True)
class Origin:
    """Where a job comes from."""

    folder: Path  # its own, made exclusively
    overrides: list[str] = field(default_factory=list)
    sweep: Path | None = None
    launcher: str = "basic"
    optimizer: str | None = None  # that was chosen for this machine
    decided: list[str] = field(default_factory=list)  # filled by the job: what was decided for the user


Job = Callable[[DictConfig, Origin], Any]  # returns what a sweeper gets


def register() -> None:
    """Make schemas and resolvers known to Hydra; harmless when repeated, but that folders are made anew."""
    forget()
    for name, schema in SCHEMAS.items():
        ConfigStore.instance().store(name=f"{name}_schema", node=schema)
    for group, options in OPTIONS.items():
        for name, schema in options.items():
            ConfigStore.instance().store(group=group, name=f"{name}_schema", node=schema)
    stamp = timestamp()
    OmegaConf.register_new_resolver("config_groups", config_groups, replace=True)
    OmegaConf.register_new_resolver("default_model", lambda: default_base().name, replace=True)
    OmegaConf.register_new_resolver("default_optimizer", default_optimizer, replace=True)
    OmegaConf.register_new_resolver("fresh_folder", fresh_folder, replace=True)
    OmegaConf.register_new_resolver("subject_folder", subject_folder, replace=True)
    OmegaConf.register_new_resolver("started", lambda: stamp, replace=True)
    OmegaConf.register_new_resolver("job_name", job_name, replace=True)
    OmegaConf.register_new_resolver("remaining_trials", remaining_trials, replace=True)


def _command_line(command: str, arguments: Sequence[str]) -> list[str]:
    """The arguments as Hydra should see them.

    Raises:
        UserError: for what is neither ``key=value`` nor a flag of Hydra's, for a group that is given twice, and for a
            sweep of what has one result.
    """
    check_form(arguments, [*keys_of_command(command), "seeds"])
    if command == "train":
        check_groups(arguments)
    multirun = any(one in ("-m", "--multirun") for one in arguments)
    if multirun and command in ONE_FOLDER:
        raise UserError(f"-m: all would write into one folder; leave it out and type {command} once for each")
    overrides = [readable(one, multirun) for one in arguments]
    keys = {one.partition("=")[0] for one in overrides}
    if "model.path" in keys and not chosen("model", overrides):
        overrides.append("model=sd15")  # tiny's learning rate and run length are not those of another base
    if keys & {"concepts", "concepts_list"} and "concept" not in keys:
        overrides.append(f"concept={STAND_IN}")
    elif keys & ONLY_SHOWN and command == "train" and "concept" not in keys:
        overrides.append("concept=hoanganh")  # to be shown something, one need not have decided anything
    own_concepts = Path("data/conf")
    if own_concepts.is_dir():  # where prepare writes concept files
        overrides.append(f"hydra.searchpath=[{readable('x=file://' + str(own_concepts.resolve()))[2:]}]")
    # Flags last, in the order they came: argparse takes no override after `-m` or `--cfg job` if there was one before.
    return sorted(overrides, key=lambda one: one.startswith("-") or not ("=" in one or one.startswith("~")))


def start(
    name: str,
    job: Job,
    rewrite: Callable[[list[str]], list[str]] = list,
    go_on: Callable[[list[str]], tuple[DictConfig, Path] | None] = lambda _: None,
) -> None:
    """Run a command's ``job`` for what was typed; ends the process with its exit code.

    Args:
        rewrite: from the overrides as typed to those that are composed.
        go_on: the config and folder of a run that is to go on, which is composed already; None to compose one.

    0: done; 1: a job failed; 2: what was typed cannot be done, and a short message says why.
    """
    register()
    os.environ.setdefault("HYDRA_FULL_ERROR", "0")
    wants_traceback = os.environ["HYDRA_FULL_ERROR"] != "0"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises instead of printing; what is shown is decided here
    failed: list[tuple[Origin, Exception | str]] = []

    def task(config: DictConfig) -> Any:
        return _run(job, config, failed)

    arguments = sys.argv[1:]
    try:
        typed = _command_line(name, arguments)
        if going_on := go_on(typed):
            return _go_on(name, job, typed, *going_on)
        sys.argv[1:] = rewrite(typed)
        note_command_line(sys.argv[1:])
        try:
            hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name=name)(task)()
        finally:
            failed += _failed_elsewhere(failed)
        if failed and isinstance(failed[0][1], Exception):
            raise failed[0][1]
    except (UserError, HydraException, OmegaConfBaseException) as error:
        if wants_traceback:
            traceback.print_exc()
        take_back()
        print(f"\n{explain(error, name, arguments)}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    if failed:
        _tell(failed, name)
        sys.exit(1)


def _go_on(name: str, job: Job, typed: list[str], config: DictConfig, folder: Path) -> None:
    """A job whose config is composed already, in the folder that it has."""
    _log_to(folder / f"{name}.log")
    expand_home(config)
    job(config, Origin(folder, typed))


def _tell(failed: Sequence[tuple[Origin, Exception | str]], name: str) -> None:
    """The jobs of a sweep that failed, why, and where their logs are."""
    print(f"\n{counted(len(failed), 'job')} of this sweep failed:", file=sys.stderr)
    for origin, fault in failed:
        print(f"  {origin.folder.name}  ({' '.join(origin.overrides)})\n    {fault}\n    log: "
              f"{origin.folder / name}.log", file=sys.stderr)  # fmt: skip


def _failed_elsewhere(failed: Sequence[tuple[Origin, Exception | str]]) -> list[tuple[Origin, Exception | str]]:
    """The end of a sweep: its jobs that failed in other processes, which this one has not been told of."""
    told = {origin.folder for origin, _ in failed}
    others = [(folder, folder.info) for folder in end_of_sweep() if folder.path not in told]
    return [(Origin(folder.path, info.get("overrides", [])), str(info.get("error"))) for folder, info in others]


def _log_to(file: Path) -> None:
    """Logging as conf/hydra/job_logging/plain.yaml sets it up, for a run that goes on without Hydra."""
    console, copy = Console(sys.stdout), logging.FileHandler(file)
    copy.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[console, copy], force=True)


def _run(job: Job, config: DictConfig, failed: list[tuple[Origin, Exception | str]]) -> Any:
    """One job of Hydra's. Its error is noted and handled outside Hydra; the other jobs of a sweep go on."""
    context = HydraConfig.get()
    in_sweep = context.mode is not None and context.mode.name == "MULTIRUN"
    folder = Path(context.runtime.output_dir)
    origin = Origin(
        folder=folder,
        overrides=list(context.overrides.task),
        sweep=folder.parent if in_sweep else None,
        launcher=str(context.runtime.choices.get("hydra/launcher", "basic")),
        optimizer=_if_not_typed("optimizer", context),
    )
    if origin.sweep:
        write_sweep_file(origin.sweep)
    try:
        expand_home(config)
        return job(config, origin)
    except Exception as raised:
        error = mendable(raised)
        failed.append((origin, str(error) if in_sweep else error))  # the error itself would keep the model in memory
        if in_sweep:
            log.error("this job failed: %s", error, exc_info=not isinstance(error, UserError))
        return failed_values(
            config, str(context.runtime.choices.get("hydra/sweeper", "basic"))
        )  # what a sweeper understands as "no score"
    finally:
        gc.collect()  # a module and its trainer point at each other: the next job of a sweep needs their memory


def _if_not_typed(group: str, context: Any) -> str | None:
    """The choice of a config group that a resolver made for this machine; None if it was typed, or does not exist."""
    choice = context.runtime.choices.get(group)
    return None if choice is None or chosen(group, context.overrides.task) else str(choice)
