"""From a config to the objects of a run: concepts, base, training sets, module, trainer, logger."""

import inspect
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.utils import get_object
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import RichProgressBar

from avatar_exp.config.again import flat
from avatar_exp.config.concepts import concepts
from avatar_exp.config.decide import faults, plain
from avatar_exp.config.targets import config_target_faults, factory, instantiate
from avatar_exp.data.boxes import box_faults
from avatar_exp.data.concept import Concept, placeholder_faults
from avatar_exp.data.training_set import TrainingSet, split, training_set
from avatar_exp.errors import RefusedError, UserError, counted, raise_all
from avatar_exp.models.components import compute_dtype
from avatar_exp.models.trainable import Method
from avatar_exp.progress import Phases
from avatar_exp.run_folder import RunFolder, safe_name
from avatar_exp.sampling import Request, scheduler_class, stored_pictures
from avatar_exp.store import Store
from avatar_exp.training.callbacks.checkpoint import StreamedCheckpointIO
from avatar_exp.training.module import DreamBooth
from avatar_exp.training.run import Run
from avatar_exp.training.wandb_logger import WandbRun, notice

log = logging.getLogger("avatar_exp")


def checked_concepts(config: DictConfig) -> list[Concept]:
    """The concepts, once all faults of config and photos have been looked for."""
    found, named = faults(config) + config_target_faults(config) + name_faults(config), []
    found += placeholder_faults("scoring.prompts", config.scoring.prompts)
    try:
        named = concepts(config)
    except UserError as error:
        found.append(str(error))
    own = config.prior._target_.endswith(".Folder")
    for concept in named:
        found += concept.faults(class_pictures=config.prior.count if own and config.prior.weight else 0)
        if own and concept.class_data_dir is None:
            found.append("prior=folder needs concept.class_data_dir=DIR, a folder with pictures of the class")
        if not own and concept.class_data_dir is not None:
            log.warning("concept.class_data_dir=%s is not used: prior=folder would", concept.class_data_dir)
        if not found and config.data.holdout >= len(concept.photos()):
            photos = counted(len(concept.photos()), "photo")
            found.append(f"data.holdout={config.data.holdout} leaves none of {photos} to train on")
        if not found and (advice := concept.advice()):
            log.warning(advice)
        if not found and config.objective.face_weight is not None:
            found += box_faults(concept.photos())
    raise_all(f"{counted(len(found), 'thing')} to mend before this run can start:", found)
    return named


def name_faults(config: DictConfig) -> list[str]:
    """Names that diffusers would refuse only after the base was loaded and the prior drawn."""
    found = []
    for key in ("prior.sampler.scheduler", "scoring.sampler.scheduler"):
        try:
            scheduler_class(OmegaConf.select(config, key))
        except UserError as error:
            found.append(f"{key.removesuffix('scheduler')}{error}")
    schedules = [one.value for one in get_object("diffusers.optimization.SchedulerType")]
    if config.lr_scheduler.get("_target_", "").endswith("get_scheduler") and config.lr_scheduler.name not in schedules:
        found.append(f"lr_scheduler.name={config.lr_scheduler.name}: expected one of {', '.join(schedules)}")
    if config.lr_scheduler.get("name") == "piecewise_constant" and not config.lr_scheduler.get("step_rules"):
        found.append("lr_scheduler.name=piecewise_constant needs its steps, as +lr_scheduler.step_rules='1:200,0.1'")
    return found


def run(
    config: DictConfig, folder: RunFolder, concepts: Sequence[Concept], device: torch.device, phases: Phases
) -> Run:
    """The base, on its device and with what is trained of it told apart, and the record that the callbacks share."""
    with phases.phase("loading the base"):
        components = instantiate(config.model).to(device)
        method: Method = instantiate(config.method)
        trained = method.prepare(components, config.seed)
    components.compute_dtype = compute_dtype(config.precision)
    local = Path(components.path).exists()
    base = {"path": components.path, "fingerprint": components.fingerprint, "local": local}
    if config.resume and folder.info.get("base", base)["fingerprint"] != base["fingerprint"]:
        raise RefusedError(f"resume={config.resume}: the base at {components.path} is not the one it began with")
    folder.update(base=base)
    sets = [split(concept.photos(), config.data.holdout, config.seed) for concept in concepts]
    trained_on, held_out = ([one[part] for one in sets] for part in (0, 1))
    store, resolution = Store(Path(config.store)), config.data.resolution or components.resolution
    return Run(folder, components, trained, concepts, store, phases, config.seed, resolution, trained_on, held_out)


def training_sets(config: DictConfig, run: Run) -> list[TrainingSet]:
    """Prior pictures and latents, from the store or made now."""
    prior = instantiate(config.prior)
    side = run.resolution
    sets = []
    for concept in run.concepts:
        with run.phases.phase("prior pictures") as tick:

            def draw(prompt: str, seeds: Sequence[int], sampler: Mapping[str, Any]) -> list[Path]:
                requests = [Request(prompt, seed, height=side, width=side, **sampler) for seed in seeds]
                return stored_pictures(run.components, run.store, requests, config.scoring.batch_size, tick)

            pictures = prior.pictures(concept, config.seed, draw) if config.prior.weight else []
        with run.phases.phase("latents") as tick:
            photos, _ = split(concept.photos(), config.data.holdout, config.seed)
            text_is_trained = config.method.text_encoder
            sets.append(
                training_set(
                    concept, photos, pictures, run.components, run.store,
                    resolution=side, flip=config.data.flip, text_is_trained=text_is_trained,
                    empty_prompt=config.data.caption_dropout > 0, faces=config.objective.face_weight is not None,
                    tick=tick,
                )
            )  # fmt: skip
    run.folder.update(store_made=run.store.made, store_keys=run.store.used)
    return sets


def module(config: DictConfig, run: Run) -> DreamBooth:
    """The LightningModule, with the learning rates as this base wants them."""
    rates = {"unet": config.lr, "text_encoder": config.lr if config.text_encoder_lr is None else config.text_encoder_lr}
    make_optimizer = factory(config.optimizer)
    if config.precision != "32-true" and "fused" in inspect.signature(make_optimizer.func).parameters:
        make_optimizer.keywords.setdefault("fused", False)  # Lightning refuses to clip a fused one in mixed precision
    return DreamBooth(
        run.components,
        run.trained,
        optimizer=make_optimizer,
        lr_scheduler=factory(config.lr_scheduler),
        learning_rates={name: rate * run.components.lr_scale for name, rate in rates.items()},
        lr_warmup_steps=config.lr_warmup_steps,
        max_steps=config.max_steps,
        prior_weight=config.prior.weight,
        objective=instantiate(config.objective),
        text_encoder_stop=config.text_encoder_stop,
    )


def data(config: DictConfig, run: Run, sets: Sequence[TrainingSet]) -> pl.LightningDataModule:
    """The DataModule that deals the samples."""
    timesteps = run.components.scheduler.config.num_train_timesteps
    made: pl.LightningDataModule = instantiate(
        config.data, sets=sets, seed=config.seed, batch_size=config.batch_size, timesteps=timesteps
    )
    return made


def trainer(config: DictConfig, run: Run, loggers: Sequence[Any]) -> pl.Trainer:
    """Lightning's Trainer with the callbacks of the config, in their order."""
    callbacks = [instantiate(node, run=run) for node in config.callbacks.values() if node]
    node = plain(config.trainer)
    if sys.stdout.isatty() and config.max_steps:
        callbacks.append(RichProgressBar())
        node["enable_progress_bar"] = True
    given = {
        "logger": list(loggers) or False,
        "callbacks": callbacks,
        "plugins": [StreamedCheckpointIO()],
        "default_root_dir": str(run.folder.path),
    }
    try:
        made: pl.Trainer = instantiate(node, **given)
    except MisconfigurationException as error:
        raise UserError(f"trainer: {error}") from error
    return made


def logger(config: DictConfig, run: Run, sweep: Path | None) -> list[Any]:
    """The run's logger, if it has one. With ``privacy`` no name and no picture of the subject is in what it gets."""
    node = plain(config.logger)
    if "_target_" not in node:
        return []
    values = {key: value for key, value in flat(config).items() if not key.startswith(("logger.", "callbacks."))}
    values |= {"base.fingerprint": run.components.fingerprint, "photos": run.folder.info.get("photos")}
    folder = run.folder.path
    name, tags = config.name or f"{folder.parent.name}/{folder.name}", list(config.tags)
    if config.privacy:  # a path, a prompt, a tag or a job's folder may hold the name too
        local = ("concept", "outputs", "store", "resume", "repeat")
        values = {k: v for k, v in values.items() if not k.startswith(local) and not _tells(v, run)}
        tags = [tag for tag in tags if not _tells(tag, run)]
        name = run.folder.info["wandb_id"] if _tells(folder.name, run) else folder.name
        node |= {key: False for key in ("images", "model") if key in node}  # the weights can draw the subject
    if "group" in node and node["group"] is None and sweep:
        node["group"] = sweep.name
    given = {"save_dir": str(folder), "run_id": run.folder.info.get("wandb_id"), "config": values, "name": name}
    return [instantiate(node, **given, tags=tags)]


def announce_logger(config: DictConfig, concepts: Sequence[Concept]) -> None:
    """Say where pictures of whom will go, before anything is done."""
    node = plain(config.logger)
    if node.get("_target_") == f"{WandbRun.__module__}.{WandbRun.__qualname__}":
        subject = "the subject" if config.privacy else ", ".join(concept.identifier for concept in concepts)
        images, model = (bool(node[key]) and not config.privacy for key in ("images", "model"))
        log.info(notice(node["project"], node["entity"], images, model, subject))


def _tells(value: Any, run: Run) -> bool:
    """Whether the name of a subject is in it."""
    names = {name.casefold() for one in run.concepts for name in (one.identifier, safe_name(one.identifier))}
    return any(name in str(value).casefold() for name in names)
