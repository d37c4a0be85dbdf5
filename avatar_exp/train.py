"""``python -m avatar_exp.train concept=hoanganh lr=1e-6``: photos in, a personal Stable Diffusion and evidence out."""

import logging
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from avatar_exp.config import again
from avatar_exp.config.decide import check_base, check_torchvision, decide, faults
from avatar_exp.config.overrides import typed
from avatar_exp.config.start import Origin, start
from avatar_exp.errors import UserError, raise_all
from avatar_exp.progress import Phases
from avatar_exp.run_folder import RunFolder, write_atomically

if TYPE_CHECKING:  # torch and its friends take seconds to import: --help must not wait for them
    import pytorch_lightning as pl
    import torch

    from avatar_exp.data.concept import Concept
    from avatar_exp.data.training_set import TrainingSet
    from avatar_exp.training.run import Run

log = logging.getLogger("avatar_exp")


def job(config: DictConfig, origin: Origin) -> float | None:
    """One run, from its composed config; its folder and its report say how it ended."""
    from avatar_exp.report.page import write_report
    from avatar_exp.training.record import recorded

    folder = RunFolder(origin.folder)
    try:
        with recorded(folder):
            return train(config, folder, origin)
    finally:
        write_report(folder.path)


def train(config: DictConfig, folder: RunFolder, origin: Origin) -> float | None:
    """Everything in order.

    Returns:
        The last value of ``optimized_metric``, for a sweeper; None without scores.

    Raises:
        UserError: for what the user can mend; all faults of config and photos at once, before anything is loaded.
    """
    phases = Phases(lambda seconds: folder.update(phase_seconds=seconds))
    with phases.phase("imports and checks", announce=False):
        device = import_and_decide(config, origin)
        concepts = check(config)
        record_origin(config, folder, origin, concepts)
    run = load(config, folder, concepts, device, phases)
    sets = training_sets(config, run)
    with loggers(config, run, origin) as opened:
        trainer = fit(config, run, sets, opened)
        leave(config, run, trainer, opened)
    score = folder.info.get("scores", {}).get(str(trainer.global_step), {}).get(config.optimized_metric)
    return None if score is None else float(score)


def import_and_decide(config: DictConfig, origin: Origin) -> "torch.device":
    """Import what is heavy, decide what was left open, and say which base and device, and why."""
    check_torchvision()
    _import_quietly()
    import torch

    on_gpu = torch.cuda.is_available() and config.trainer.accelerator in ("auto", "gpu", "cuda")
    if choice := check_base(origin.overrides, origin.launcher, torch.cuda.is_available()):
        log.info("base: %s (%s)", choice.name, choice.reason)
        origin.decided.append(f"model={choice.name}")
    asked = config.precision
    origin.decided.extend(decide(config, torch.cuda.get_device_capability() if on_gpu else None))
    note = " (16-mixed was asked for; a CPU cannot)" if str(asked).startswith("16") and not on_gpu else ""
    log.info("device: %s, precision %s%s", "cuda" if on_gpu else "cpu", config.precision, note)
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0))) if on_gpu else torch.device("cpu")


def _import_quietly() -> None:
    """Several of these greet at import, or warn of what is optional here; none of it helps the one who trains."""
    warnings.filterwarnings("ignore")
    for name in ("xformers", "bitsandbytes", "bitsandbytes.backends.cpu.ops", "transformers"):
        logging.getLogger(name).setLevel(logging.ERROR)
    import diffusers.utils.logging
    import pytorch_lightning  # noqa: F401
    import transformers.utils.logging

    for name in ("pytorch_lightning", "pytorch_lightning.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.ERROR)
    transformers.utils.logging.disable_progress_bar()
    diffusers.utils.logging.disable_progress_bar()


def check(config: DictConfig) -> "list[Concept]":
    """The concepts, once all faults of config and photos have been looked for."""
    from avatar_exp.config.build import concepts, config_target_faults

    found, named = faults(config) + config_target_faults(config), []
    try:
        named = concepts(config)
    except UserError as error:
        found.append(str(error))
    for concept in named:
        found += concept.faults()
        if config.prior._target_.endswith(".Folder") and concept.class_data_dir is None:
            found.append("prior=folder needs concept.class_data_dir=DIR, a folder with pictures of the class")
        if not found and config.data.holdout >= len(concept.photos()):
            found.append(
                f"data.holdout={config.data.holdout} leaves none of {len(concept.photos())} photos to train on"
            )
        if not found and (advice := concept.advice()):
            log.warning(advice)
    raise_all(f"{len(found)} thing(s) to mend before this run can start:", found)
    return named


def record_origin(config: DictConfig, folder: RunFolder, origin: Origin, concepts: "Sequence[Concept]") -> None:
    """What repeats the run, and what it was made with; a run that goes on must still have the same photos."""
    from avatar_exp.store import content_key, file_hash
    from avatar_exp.training.record import git_commit, repeat_command, versions
    from avatar_exp.training.wandb_logger import new_id

    photos = content_key({f"{c.identifier}/{p.name}": file_hash(p) for c in concepts for p in c.photos()})
    if config.resume:
        if folder.info.get("photos", photos) != photos:
            raise UserError(f"resume={config.resume}: the photos are not those it began with; start a new run")
        return
    write_atomically(folder.resolved, OmegaConf.to_yaml(config, resolve=True))
    overrides = [typed(one) for one in origin.overrides]
    folder.update(
        command=repeat_command(overrides, origin.decided),
        overrides=overrides,
        decided=origin.decided,
        sweep=str(origin.sweep) if origin.sweep else None,
        concept=[concept.identifier for concept in concepts],
        class_noun=[concept.class_noun for concept in concepts],
        seed=config.seed,
        photos=photos,
        versions=versions(),
        git_commit=git_commit(),
        wandb_id=new_id(),
    )
    if config.repeat:
        changed = again.differences(RunFolder(Path(config.repeat)), config)
        title = f"repeat of {config.repeat}: " + ("differs in" if changed else "the same config")
        log.info("\n  ".join([title, *changed]))


def load(
    config: DictConfig, folder: RunFolder, concepts: "Sequence[Concept]", device: "torch.device", phases: Phases
) -> "Run":
    """The base, on its device, and the record that the callbacks share."""
    from avatar_exp.config.build import instantiate
    from avatar_exp.data.training_set import split
    from avatar_exp.models.components import compute_dtype
    from avatar_exp.store import Store
    from avatar_exp.training.run import Run

    with phases.phase("loading the base"):
        components = instantiate(config.model).to(device)
    components.compute_dtype = compute_dtype(config.precision)
    folder.update(base={"path": components.path, "fingerprint": components.fingerprint})
    held_out = [split(concept.photos(), config.data.holdout, config.seed)[1] for concept in concepts]
    references = [held or concept.photos() for held, concept in zip(held_out, concepts, strict=True)]
    store, resolution = Store(Path(config.store)), config.data.resolution or components.resolution
    run = Run(folder, components, concepts, store, phases, config.seed, resolution, references)
    _say_tiny(run)
    if components.lr_scale != 1:
        log.info(
            "lr %g x %g (%s) = %g", config.lr, components.lr_scale, components.path, config.lr * components.lr_scale
        )
    return run


def _say_tiny(run: "Run") -> None:
    """First and last: what the built-in base cannot do."""
    from avatar_exp.data.drawn import looks_drawn
    from avatar_exp.models.load import is_tiny
    from avatar_exp.training.summary import TINY_NOTICE, boxed

    if is_tiny(run.components) and not all(looks_drawn(concept.photos()) for concept in run.concepts):
        log.warning(boxed(TINY_NOTICE))


def training_sets(config: DictConfig, run: "Run") -> "list[TrainingSet]":
    """Prior pictures and latents, from the store or made now."""
    from avatar_exp.config.build import instantiate
    from avatar_exp.data.training_set import split, training_set
    from avatar_exp.sampling import Request, stored_pictures

    prior = instantiate(config.prior)
    side = run.resolution
    sets = []
    for concept in run.concepts:
        with run.phases.phase("prior pictures") as tick:

            def draw(prompt: str, seeds: Sequence[int], sampler: Mapping[str, Any]) -> list[Path]:
                requests = [Request(prompt, seed, height=side, width=side, **sampler) for seed in seeds]
                return stored_pictures(run.components, run.store, requests, config.scoring.batch_size, tick)

            pictures = prior.pictures(concept, config.seed, draw)
        with run.phases.phase("latents") as tick:
            photos, _ = split(concept.photos(), config.data.holdout, config.seed)
            text_is_trained = config.method.text_encoder
            sets.append(
                training_set(
                    concept, photos, pictures, run.components, run.store,
                    resolution=side, flip=config.data.flip, text_is_trained=text_is_trained, tick=tick,
                )
            )  # fmt: skip
    run.folder.update(store_made=run.store.made)
    return sets


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

    module = build.module(config, run.components)
    timesteps = run.components.scheduler.config.num_train_timesteps
    data = build.instantiate(
        config.data, sets=sets, seed=config.seed, batch_size=config.batch_size, timesteps=timesteps
    )
    checkpoint = again.go_back(run.folder) if config.resume else None  # before the callbacks read what is kept
    trainer = build.trainer(config, run, opened)
    if config.max_steps:
        trainer.fit(module, datamodule=data, ckpt_path=checkpoint)
        return trainer
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        callback.on_train_start(trainer, module)
    return trainer


def leave(config: DictConfig, run: "Run", trainer: "pl.Trainer", opened: Sequence[Any]) -> None:
    """Pipeline and last lines."""
    from avatar_exp.formats.diffusers_folder import write_pipeline
    from avatar_exp.training.summary import final_lines, summary_metrics
    from avatar_exp.training.wandb_logger import WandbRun

    if not trainer.is_global_zero:
        return
    folder = run.folder
    if trainer.global_step:
        with run.phases.phase("writing the pipeline"):
            write_pipeline(run.components, folder.pipeline)
    folder.update(status="finished", steps_done=trainer.global_step, seconds=run.phases.elapsed)  # for the report
    if not config.keep_checkpoints:
        shutil.rmtree(folder.checkpoint.parent, ignore_errors=True)
    lines = final_lines(folder, config.choose, config.optimized_metric)
    for one in opened:
        if isinstance(one, WandbRun):
            one.summarise(summary_metrics(folder.info))
            lines += [f"upload    {one.sync_command()}"] if one.mode == "offline" else []
    log.info("\n%s", "\n".join(lines))
    _say_tiny(run)


def main() -> None:
    """The command."""
    start("train", job, again.repeated_overrides, again.resumed)


if __name__ == "__main__":
    main()
