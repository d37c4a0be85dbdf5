"""What is trained, and how much memory and disk that will want: said before it trains."""

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from omegaconf import DictConfig
from torch import nn

from avatar_exp.formats.lora import LORA_FILE
from avatar_exp.models.components import Components
from avatar_exp.models.lora import has_additions

log = logging.getLogger("avatar_exp")

FP32, FP16 = 4, 2  # bytes a weight
LEAST_LORA_LR = 1e-5  # in SD 1.5 units; below it one has most likely forgotten that LoRA wants more


Trained = Mapping[str, nn.Module]  # by network, see models.trainable.Method


def counted(modules: Trained) -> dict[str, int]:
    """Parameters of each."""
    return {name: sum(p.numel() for p in module.parameters()) for name, module in modules.items()}


def moment_bytes(config: DictConfig) -> int:
    """Bytes of both of Adam's moments, a parameter: fp32, or a byte each."""
    return 2 * (1 if "8bit" in str(config.optimizer.get("_target_")) else FP32)


def pipeline_bytes(components: Components) -> int:
    """Bytes of the diffusers folder that is written."""
    return sum(counted(components.modules).values()) * (FP32 if components.compute_dtype == torch.float32 else FP16)


def need(config: DictConfig, components: Components, modules: Trained) -> dict[str, float]:
    """GB of the weights that are kept, and of the checkpoint while the run trains; what is not written is left out.

    A checkpoint holds trained weights and both of Adam's moments.
    """
    trained, pipeline, moments = sum(counted(modules).values()), pipeline_bytes(components), moment_bytes(config)
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
    of_jobs = f"of {jobs} job{'s' * (jobs != 1)}"
    names = {"weights": f"weights {of_jobs} (save={config.save})", "kept steps": f"kept steps {of_jobs}"}
    return {names.get(name, name): times.get(name, 1) * size for name, size in wanted.items()}


def what_is_trained(config: DictConfig, components: Components, modules: Trained) -> str:
    """``trained: unet 3.19 M, text_encoder 1.18 M parameters; ...``: how many, in what memory, for what files."""
    counts = counted(modules)
    beside = sum(counts.values()) * (FP32 + moment_bytes(config) + (0 if config.model.ema is None else FP32))
    files = f"pipeline/ {told(pipeline_bytes(components))}"
    if any(map(has_additions, components.modules.values())):
        files += f", in it {LORA_FILE} {told(sum(counts.values()) * FP32)}"
    each = ", ".join(f"{name} {count / 1e6:.3g} M" for name, count in counts.items())
    return f"trained: {each} parameters; gradients and optimizer take {told(beside)} of memory; files: {files}"


def told(size: float) -> str:
    """Bytes as one reads them."""
    return f"{size / 1e9:.3g} GB" if size >= 1e9 else f"{size / 1e6:.3g} MB"


def say_lr(config: DictConfig, components: Components) -> None:
    """The learning rate, where the optimizer gets another one than was given, or another than usual is wanted."""
    beside = any(map(has_additions, components.modules.values()))
    scaled = f" x {components.lr_scale:g} ({components.path}) = {config.lr * components.lr_scale:g}"
    note = "; with method=lora about 100 times that of full fine-tuning is usual, 1e-4" if beside else ""
    if components.lr_scale != 1 or note:
        log.info("lr %g%s%s", config.lr, scaled if components.lr_scale != 1 else "", note)
    if beside and config.lr < LEAST_LORA_LR:
        log.warning("lr=%g is one for full fine-tuning: with method=lora little is learnt by it; lr=1e-4", config.lr)


def say(config: DictConfig, components: Components, modules: Trained, folder: Path, jobs: int | None) -> None:
    """What is trained and how fast, and the disk that is wanted; a warning where there is not enough.

    Args:
        jobs: of a sweep, this one and those to come; None for a run of its own, or where that is not known.
    """
    say_lr(config, components)
    log.info(what_is_trained(config, components, modules))
    wanted, free = need(config, components, modules), shutil.disk_usage(folder).free / 1e9
    if not wanted:
        return
    if jobs:
        wanted = need_of_sweep(config, wanted, jobs)
    line = f"disk: {', '.join(f'{name} {size:.2g} GB' for name, size in wanted.items())}; {free:.3g} GB are free"
    if sum(wanted.values()) > free:
        log.warning("%s: it will not do. checkpoint_every=0, save=none or another outputs= take less", line)
    else:
        log.info(line)
