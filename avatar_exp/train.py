"""``python -m avatar_exp.train concept=hoanganh lr=1e-6``: photos in, a personal Stable Diffusion and evidence out."""

import logging
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from avatar_exp.config import again, sweep_jobs
from avatar_exp.config.machine import import_and_decide
from avatar_exp.config.overrides import typed
from avatar_exp.config.seeds import with_seeds
from avatar_exp.config.several import check_several
from avatar_exp.config.start import Origin, start
from avatar_exp.errors import RefusedError
from avatar_exp.progress import Phases
from avatar_exp.run_folder import RunFolder, write_atomically

if TYPE_CHECKING:  # torch and its friends take seconds to import: --help must not wait for them
    import pytorch_lightning as pl

    from avatar_exp.data.concept import Concept
    from avatar_exp.data.training_set import TrainingSet
    from avatar_exp.training.run import Run

log = logging.getLogger("avatar_exp")


def job(config: DictConfig, origin: Origin) -> sweep_jobs.Values:
    """One run, from its composed config; its folder and its report say how it ended."""
    from avatar_exp.report.page import write_report
    from avatar_exp.training.record import only_one, recorded

    folder = RunFolder(origin.folder)
    with only_one(folder):
        if origin.sweep and folder.run_json.is_file():
            if sweep_jobs.done_before(folder, origin.overrides):
                log.info("%s was finished before", folder.path)
                return sweep_jobs.values_of(folder.info, sweep_jobs.metrics_of(config))
            if sweep_jobs.make_way(folder):
                config.resume = str(folder.path)
        try:
            with recorded(folder):
                values = train(config, folder, origin)
            if origin.sweep and config.save == "best_of_sweep":
                sweep_jobs.keep_the_best(origin.sweep)
            return values
        finally:
            try:
                write_report(folder.path)
            except Exception:  # a page must not hide how the run ended
                log.exception("the report could not be written")


def train(config: DictConfig, folder: RunFolder, origin: Origin) -> sweep_jobs.Values:
    """Everything in order.

    Returns:
        What ``optimized_metric`` was at the chosen step, for a sweeper; None without scores.

    Raises:
        UserError: for what the user can mend; all faults of config and photos at once, before anything is loaded.
    """
    phases = Phases(lambda seconds: folder.update(phase_seconds=seconds), folder.info.get("phase_seconds"))
    with phases.phase("imports and checks", announce=False):
        device = import_and_decide(config, origin)
        from avatar_exp.config import build, disk, memory  # only now: it takes seconds

        concepts = build.checked_concepts(config)
        record_origin(config, folder, origin, concepts)
        build.announce_logger(config, concepts)
    with memory.explained():
        run = build.run(config, folder, concepts, device, phases)
    say_tiny(run)
    say_intake(run)
    jobs = sweep_jobs.jobs_left(origin.sweep) if origin.sweep else None
    disk.say(config, run.components, run.trained, folder.path, jobs)
    asked = memory.decided(memory.asked_of(config, run), config.model.gradient_checkpointing)
    with memory.explained(asked):
        sets = build.training_sets(config, run)
        with loggers(config, run, origin) as opened:
            trainer = fit(config, run, sets, opened)
            leave(config, run, trainer, opened)
    return sweep_jobs.values_of(folder.info, sweep_jobs.metrics_of(config))


def record_origin(config: DictConfig, folder: RunFolder, origin: Origin, concepts: "Sequence[Concept]") -> None:
    """What repeats the run, and what it was made with; a run that goes on must still have the same photos."""
    from avatar_exp.training.record import git_commit, learnt_from_key, photos_key, repeat_command, versions
    from avatar_exp.training.wandb_logger import new_id

    learnt_from = learnt_from_key(concepts, boxes=config.objective.face_weight is not None)
    if config.resume and folder.info.get("learnt_from", learnt_from) != learnt_from:
        raise RefusedError(f"resume={config.resume}: photos, captions or boxes are not those it began with; start anew")
    write_atomically(folder.resolved, OmegaConf.to_yaml(config, resolve=True))
    overrides = [typed(one) for one in origin.overrides]
    if config.resume:
        info, more = folder.info, [] if origin.sweep else overrides  # those of a job of a sweep are what they were
        folder.update(command=repeat_command([*info.get("overrides", []), *more], info.get("decided", [])))
        return
    folder.update(
        command=repeat_command(overrides, origin.decided),
        overrides=overrides,
        decided=origin.decided,
        sweep=str(origin.sweep) if origin.sweep else None,
        concept=[concept.identifier for concept in concepts],
        class_noun=[concept.class_noun for concept in concepts],
        seed=config.seed,
        photos=photos_key(concepts),
        learnt_from=learnt_from,
        photo_count=sum(len(concept.photos()) for concept in concepts),
        versions=versions(),
        git_commit=git_commit(),
        wandb_id=new_id(),
    )
    if config.repeat:
        changed = again.differences(RunFolder(Path(config.repeat)), config)
        title = f"repeat of {config.repeat}: " + ("differs in" if changed else "the same config")
        log.info("\n  ".join([title, *changed]))


def say_tiny(run: "Run") -> None:
    """First and last: what the built-in base cannot do."""
    from avatar_exp.data.drawn import looks_drawn
    from avatar_exp.models.load import is_tiny
    from avatar_exp.training.summary import TINY_NOTICE, boxed

    if is_tiny(run.components) and not all(looks_drawn(concept.photos()) for concept in run.concepts):
        log.warning(boxed(TINY_NOTICE))
        run.folder.update(notice=" ".join(TINY_NOTICE))


def say_intake(run: "Run") -> None:
    """What is to be said of the photos, once, and into run.json; it keeps no run from going on."""
    from avatar_exp.data.glance import remarks

    if "intake" in run.folder.info:
        return
    rows = []
    for concept in run.concepts:
        try:
            found = remarks(concept.photos(), run.resolution)
        except Exception:
            log.exception("the photos of %s could not be looked at", concept.identifier)
            continue
        rows += [{"file": file, "note": note} for file, note in found.items()]
        if found:
            lines = [f"{file}: {note}" for file, note in found.items()]
            log.warning("%s: look at these photos again:\n  %s", concept.identifier, "\n  ".join(lines))
        rows += [{"file": "", "note": advice}] if (advice := concept.advice()) else []  # that was said before
    run.folder.update(intake=rows)


@contextmanager
def loggers(config: DictConfig, run: "Run", origin: Origin) -> "Iterator[list[Any]]":
    """The run's loggers; whatever happens inside, W&B is told how it ended."""
    from avatar_exp.config.build import logger
    from avatar_exp.training.wandb_logger import WandbRun

    opened, code = logger(config, run, origin.sweep), 1
    try:
        yield opened
        code = 0
    finally:
        for one in opened:
            if isinstance(one, WandbRun):
                one.close(code)


def fit(config: DictConfig, run: "Run", sets: "Sequence[TrainingSet]", opened: Sequence[Any]) -> "pl.Trainer":
    """Train; with max_steps=0 only draw and score the base."""
    from avatar_exp.config import build
    from avatar_exp.training.callbacks.keep import Keep
    from avatar_exp.training.callbacks.scores import Scores

    module, data = build.module(config, run), build.data(config, run, sets)
    checkpoint = again.go_back(run.folder) if config.resume else None  # before the callbacks read what is kept
    run.recall()
    trainer = build.trainer(config, run, opened)
    if config.max_steps:
        device = run.components.device
        trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True)
        run.components.to(device)  # Lightning takes what was trained off the GPU, and knows of nothing else
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, Keep):
                callback.load_chosen(module, trainer.global_step)
        if config.choose == "best" and run.folder.info.get("best_step") is not None:
            for callback in trainer.callbacks:  # type: ignore[attr-defined]
                if isinstance(callback, Scores):
                    callback.again()
        return trainer
    callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]
    for callback in callbacks:
        callback.setup(trainer, module, "fit")
    for callback in callbacks:
        callback.on_train_start(trainer, module)
    return trainer


def leave(config: DictConfig, run: "Run", trainer: "pl.Trainer", opened: Sequence[Any]) -> None:
    """Pipeline and last lines."""
    from avatar_exp.formats.diffusers_folder import write_pipeline
    from avatar_exp.training.summary import final_lines, sample_table, summary_metrics
    from avatar_exp.training.wandb_logger import WandbRun

    if not trainer.is_global_zero:
        return
    folder = run.folder
    if trainer.global_step and config.save != "none":
        with run.phases.phase("writing the pipeline"):
            write_pipeline(run.components, folder.pipeline)
    folder.update(steps_done=trainer.global_step, seconds=run.phases.elapsed)
    if not config.keep_checkpoints:
        shutil.rmtree(folder.checkpoint.parent, ignore_errors=True)
    lines = final_lines(folder, config.choose)
    for one in opened:
        if isinstance(one, WandbRun):
            one.log_table(trainer.global_step, *sample_table(folder))
            one.log_model(folder.pipeline)
            one.summarise(summary_metrics(folder.info))
            lines += [f"upload    {one.sync_command()}"] if one.mode == "offline" else []
    log.info("\n%s", "\n".join(lines))
    say_tiny(run)


def rewritten(typed: list[str]) -> list[str]:
    """The overrides of the run that is to be repeated, and of each seed, with what was typed.

    Raises:
        UserError: if no such run is there, or if what is typed beside several concepts cannot hold for each.
    """
    overrides = with_seeds(again.repeated_overrides(typed))
    check_several(overrides)
    return overrides


def main() -> None:
    """The command."""
    start("train", job, rewritten, again.resumed)


if __name__ == "__main__":
    main()
