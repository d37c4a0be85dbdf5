"""How much disk a run will want, said before it trains."""

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from omegaconf import DictConfig

from avatar_exp.models.components import Components

log = logging.getLogger("avatar_exp")

FP32, FP16 = 4, 2  # bytes a weight


def need(config: DictConfig, components: Components) -> dict[str, float]:
    """GB of the weights that are kept, and of the checkpoint while the run trains; what is not written is left out.

    A checkpoint holds trained weights and both of Adam's moments, in fp32; the moments of 8-bit ones in a byte each.
    """
    networks = {name: sum(p.numel() for p in module.parameters()) for name, module in components.modules.items()}
    trained = sum(networks[name] for name in ("unet", "text_encoder") if config.method[name])
    pipeline = sum(networks.values()) * (FP32 if components.compute_dtype == torch.float32 else FP16)
    moments = 2 * (1 if "8bit" in str(config.optimizer.get("_target_")) else FP32)
    averages = 0 if config.model.ema is None else FP32
    found = {}
    if config.save != "none" and config.max_steps:
        found["weights"] = pipeline / 1e9
    if config.keep_steps and config.max_steps:
        found["kept steps"] = len(config.keep_steps) * pipeline / 1e9
    if config.checkpoint_every and config.max_steps:
        found["checkpoint, while it trains"] = 2 * trained * (FP32 + moments + averages) / 1e9  # the new beside the old
    if config.choose == "best" and config.max_steps:
        found["best step so far"] = trained * FP32 / 1e9
    return found


def need_of_sweep(config: DictConfig, wanted: Mapping[str, float], jobs: int) -> dict[str, float]:
    """The same of the jobs of a sweep, one after the other: what is there only while a job trains counts once.

    ``save=all`` keeps the weights of every job, ``best_of_sweep`` those of the best beside the newest's.
    """
    times = {"weights": min(jobs, 2) if config.save == "best_of_sweep" else jobs, "kept steps": jobs}
    names = {"weights": f"weights of {jobs} jobs (save={config.save})", "kept steps": f"kept steps of {jobs} jobs"}
    return {names.get(name, name): times.get(name, 1) * size for name, size in wanted.items()}


def say(config: DictConfig, components: Components, folder: Path, jobs: int | None) -> None:
    """One line; a warning where there is not enough.

    Args:
        jobs: of a sweep, this one and those to come; None for a run of its own, or where that is not known.
    """
    wanted, free = need(config, components), shutil.disk_usage(folder).free / 1e9
    if not wanted:
        return
    if jobs:
        wanted = need_of_sweep(config, wanted, jobs)
    told = f"disk: {', '.join(f'{name} {size:.2g} GB' for name, size in wanted.items())}; {free:.3g} GB are free"
    if sum(wanted.values()) > free:
        log.warning("%s: it will not do. checkpoint_every=0, save=none or another outputs= take less", told)
    else:
        log.info(told)
