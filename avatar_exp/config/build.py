"""From config nodes to objects. Besides the commands, the only place that instantiates."""

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import hydra.utils
import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import RichProgressBar

from avatar_exp.config.again import flat
from avatar_exp.config.decide import plain
from avatar_exp.config.schema import ConceptConfig
from avatar_exp.config.start import conf_dir
from avatar_exp.data.concept import Concept, read_concepts_list
from avatar_exp.errors import UserError
from avatar_exp.models.components import Components
from avatar_exp.models.trainable import Method
from avatar_exp.run_folder import safe_name
from avatar_exp.training.module import DreamBooth
from avatar_exp.training.run import Run


def target_faults(name: str, node: Any, given: Sequence[str] = ()) -> list[str]:
    """What keeps a ``_target_`` from being called with its node's keys and the arguments ``given`` later."""
    try:
        target = hydra.utils.get_object(node["_target_"])
        inspect.signature(target).bind_partial(**dict.fromkeys([key for key in node if key != "_target_"]))
    except (ImportError, TypeError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0]
        return [f"{name}._target_={node.get('_target_')}: {reason}"]
    return []


def config_target_faults(config: DictConfig) -> list[str]:
    """The same for every open group of a config."""
    named: list[tuple[str, Any]] = [(group, config[group]) for group in ("optimizer", "lr_scheduler", "trainer")]
    named += [(f"callbacks.{key}", node) for key, node in config.callbacks.items() if node]
    if config.logger:
        named.append(("logger", config.logger))
    return [fault for name, node in named for fault in target_faults(name, plain(node))]


def instantiate(node: Any, **given: Any) -> Any:
    """Call a node's ``_target_`` with its keys, as plain values, and with those of ``given`` that it takes."""
    values = dict(plain(node) if OmegaConf.is_config(node) else node)
    target = hydra.utils.get_object(values.pop("_target_"))
    return target(**values, **taken(target, given))


def taken(target: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that ``target`` has parameters for: Lightning's own callbacks take no ``run``."""
    parameters = inspect.signature(target).parameters
    return {key: value for key, value in given.items() if key in parameters}


def factory(node: Any) -> partial[Any]:
    """The ``_target_`` with its keys filled in, to be called later (an optimizer needs its parameters)."""
    values = plain(node)
    return partial(hydra.utils.get_object(values.pop("_target_")), **values)


def concepts(config: DictConfig) -> list[Concept]:
    """The concepts of a run, always as a list.

    Raises:
        UserError: if a concept file does not exist, or a key is missing.
    """
    if config.concepts_list:
        return read_concepts_list(Path(config.concepts_list))
    if config.concepts:
        return [_concept(OmegaConf.merge(OmegaConf.structured(ConceptConfig), _load(name))) for name in config.concepts]
    return [_concept(config.concept)]


def _load(name: str) -> Any:
    for folder in (Path("data/conf"), conf_dir()):
        file = folder / "concept" / f"{name}.yaml"
        if file.is_file():
            return OmegaConf.load(file)
    raise UserError(f"concepts: no concept is called {name!r} (looked for data/conf/concept/{name}.yaml)")


def _concept(node: Any) -> Concept:
    missing = [key for key in ("identifier", "instance_data_dir") if OmegaConf.is_missing(node, key)]
    if missing:
        example = {"identifier": "minh", "instance_data_dir": "DIR"}
        raise UserError(f"missing: {' '.join(f'concept.{key}={example[key]}' for key in missing)}")
    values = plain(node)
    prompts = values.pop("sample_prompts")
    return Concept(**values, sample_prompts=tuple(prompts) if prompts else None)


def module(config: DictConfig, components: Components) -> DreamBooth:
    """The LightningModule, with the learning rates as this base wants them."""
    method: Method = instantiate(config.method)
    rates = {"unet": config.lr, "text_encoder": config.lr if config.text_encoder_lr is None else config.text_encoder_lr}
    make_optimizer = factory(config.optimizer)
    if config.precision == "16-mixed" and "fused" in inspect.signature(make_optimizer.func).parameters:
        make_optimizer.keywords.setdefault("fused", False)  # Lightning refuses it beside a loss scaler and clipping
    return DreamBooth(
        components,
        method.prepare(components),
        optimizer=make_optimizer,
        lr_scheduler=factory(config.lr_scheduler),
        learning_rates={name: rate * components.lr_scale for name, rate in rates.items()},
        lr_warmup_steps=config.lr_warmup_steps,
        max_steps=config.max_steps,
        prior_weight=config.prior.weight,
    )


def trainer(config: DictConfig, run: Run, loggers: Sequence[Any]) -> pl.Trainer:
    """Lightning's Trainer with the callbacks of the config, in their order."""
    callbacks = [instantiate(node, run=run) for node in config.callbacks.values() if node]
    if sys.stdout.isatty():
        callbacks.append(RichProgressBar())
    made: pl.Trainer = instantiate(
        config.trainer, logger=list(loggers) or False, callbacks=callbacks, default_root_dir=str(run.folder.path)
    )
    return made


def logger(config: DictConfig, run: Run, sweep: Path | None) -> list[Any]:
    """The run's logger, if it has one. With ``privacy`` no name and no picture of the subject is in what it gets."""
    node = plain(config.logger)
    if "_target_" not in node:
        return []
    values = {key: value for key, value in flat(config).items() if not key.startswith(("logger.", "callbacks."))}
    subject = ", ".join(concept.identifier for concept in run.concepts)
    folder = run.folder.path
    name, tags = config.name or f"{folder.parent.name}/{folder.name}", list(config.tags)
    if config.privacy:  # a path, a prompt, a tag or a job's folder may hold the name too
        values = {k: v for k, v in values.items() if not k.startswith("concept") and not _tells(v, run)}
        tags = [tag for tag in tags if not _tells(tag, run)]
        name = run.folder.info["wandb_id"] if _tells(folder.name, run) else folder.name
        subject = "the subject"
        node |= {"images": False} if "images" in node else {}
    if "group" in node and node["group"] is None and sweep:
        node["group"] = sweep.name
    given = {"save_dir": str(folder), "run_id": run.folder.info.get("wandb_id"), "config": values, "name": name}
    return [instantiate(node, **given, tags=tags, subject=subject)]


def _tells(value: Any, run: Run) -> bool:
    """Whether the name of a subject is in it."""
    names = {name.casefold() for one in run.concepts for name in (one.identifier, safe_name(one.identifier))}
    return any(name in str(value).casefold() for name in names)
