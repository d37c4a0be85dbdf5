"""Calling what a config names: ``_target_`` and its arguments. Besides Hydra itself, only this instantiates."""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import hydra.utils
from omegaconf import DictConfig, OmegaConf

from avatar_exp.config.decide import plain


def target_faults(name: str, node: Any) -> list[str]:
    """What keeps a ``_target_`` from being called with its node's keys (and others, given later)."""
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
