"""What a config leaves open, decided for this machine, and everything that is wrong with it, found at once."""

import importlib.util
from collections.abc import Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from avatar_exp.config.base import BaseChoice, default_base
from avatar_exp.config.experiments import chosen
from avatar_exp.errors import UserError

PRECISIONS = {"32": "32-true", "16": "16-mixed", "bf16": "bf16-mixed"}
PRECISIONS |= {name: name for name in PRECISIONS.values()}
PRECISIONS |= {"fp32": "32-true", "fp16": "16-mixed"}  # as accelerate calls them
METRICS = tuple(
    f"score/{name}"
    for name in (
        "identity",
        "identity_clip",
        "likeness",
        "prompt",
        "obedience",
        "diversity",
        "choice",
    )  # higher is better
)
MIRRORED = ("max_steps", "accumulate_grad_batches", "precision")  # root keys that are also Lightning's


def check_torchvision() -> None:
    """A torchvision that does not fit its torch breaks Lightning's import with a message that names neither.

    Raises:
        UserError: with the cure.
    """
    if importlib.util.find_spec("torchvision") is None:
        return
    try:
        importlib.import_module("torchvision")
    except Exception as error:  # an OSError, a RuntimeError or an ImportError, depending on the mismatch
        raise UserError(
            f"the installed torchvision does not load with the installed torch ({str(error).splitlines()[0]}); "
            "nothing here needs it: pip uninstall -y torchvision"
        ) from error


def check_base(overrides: Sequence[str], launcher: str, cuda_works: bool) -> BaseChoice | None:
    """Why this base, if nobody named one; None if one was named.

    Raises:
        UserError: if a GPU stands unused, or if the run is launched on a machine that this one cannot look at.
    """
    if chosen("model", overrides) or any(one.startswith("model.path=") for one in overrides):
        return None
    choice = default_base()
    if launcher.startswith("submitit_slurm"):
        raise UserError("hydra/launcher=submitit_slurm runs elsewhere: name the base, model=sd15 or model=tiny")
    cure = choice.cure
    if choice.name == "sd15" and not cuda_works:
        cure = "see `python -c 'import torch; torch.zeros(1).cuda()'`; a torch for this driver is on pytorch.org"
    if cure:
        raise UserError(
            f"{choice.reason}, so the GPU cannot be used.\n  to use it:  {cure}\n  to go on without:  model=tiny"
        )
    return choice


def decide(config: DictConfig, cuda: tuple[int, int] | None) -> list[str]:
    """Fill in what was left open, in place: precision, and how often to draw, score and save. A precision that there
    is not stays as it came: ``faults`` names it with all others.

    Args:
        cuda: compute capability of the GPU that will be used, None for a CPU.

    Returns:
        ``key=value`` of each decision, as it could have been typed.
    """
    _reconcile(config)
    before = {key: config[key] for key in ("precision", "sample_every", "score_every", "checkpoint_every")}
    asked = None if config.precision is None else str(config.precision)
    config.precision = asked if precision_faults(asked) else chosen_precision(asked, cuda)
    quarter = max(1, config.max_steps // 4)
    for key, value in (("sample_every", quarter), ("checkpoint_every", quarter)):
        config[key] = value if config[key] is None else config[key]
    config.score_every = config.sample_every if config.score_every is None else config.score_every
    return [f"{key}={config[key]}" for key, value in before.items() if config[key] != value]


def _reconcile(config: DictConfig) -> None:
    """``trainer.max_steps=5`` and ``max_steps=5`` mean the same; where both are given, Lightning's own."""
    for key in MIRRORED:
        if OmegaConf.is_interpolation(config.trainer, key):
            continue
        value = config.trainer[key]
        config[key] = str(value) if key == "precision" and value is not None else value
        OmegaConf.update(config, f"trainer.{key}", "${" + key + "}")


def chosen_precision(asked: str | None, cuda: tuple[int, int] | None) -> str:
    """bf16-mixed needs Ampere (8.0) or newer; a CPU runs fp16 as nothing else than an emulation.

    Raises:
        UserError: if there is no such precision.
    """
    if asked is None:
        return "32-true" if cuda is None else "bf16-mixed" if cuda >= (8, 0) else "16-mixed"
    for fault in precision_faults(asked):
        raise UserError(fault)
    known = PRECISIONS[asked]
    return "32-true" if cuda is None and known == "16-mixed" else known


def precision_faults(asked: Any) -> list[str]:
    """A line for a precision that there is not; none for one that was left open."""
    if asked is None or str(asked) in PRECISIONS:
        return []
    return [f"precision={asked}; expected one of {', '.join(PRECISIONS)} (weights in training are always fp32)"]


def faults(config: DictConfig) -> list[str]:
    """What is wrong with the values, one line each; photos and targets are looked at elsewhere."""
    at_least = {
        "max_steps": 0, "batch_size": 1, "accumulate_grad_batches": 1, "lr_warmup_steps": 0, "sample_every": 0,
        "score_every": 0, "checkpoint_every": 0, "prior.count": 0, "prior.weight": 0, "data.holdout": 0,
        "scoring.seeds": 1, "scoring.batch_size": 1, "scoring.sampler.num_inference_steps": 1,
        "prior.sampler.num_inference_steps": 1, "lr": 0, "text_encoder_lr": 0, "seed": 0,
        "scoring.class_pictures": 0, "objective.offset_noise": 0, "objective.face_weight": 1, "text_encoder_stop": 1,
        "method.rank": 1,
    }  # fmt: skip
    one_of = {
        "choose": ("last", "best"),
        "save": ("best_of_sweep", "all", "none"),
        "model.attention": ("sdpa", "xformers"),
        "model.gradient_checkpointing": (True, False, "auto"),
    }
    found = precision_faults(config.precision)
    for key, low in at_least.items():
        value = OmegaConf.select(config, key)
        if value is not None and value < low:
            found.append(f"{key}={value}: must be at least {low}")
    for key, options in one_of.items():
        if (value := OmegaConf.select(config, key)) not in options:
            found.append(f"{key}={value}: expected {' or '.join(map(str, options))}")
    if config.data.holdout == 1:
        found.append("data.holdout=1: one photo says little of how alike photos are; hold out none, or 2 or more")
    if config.data.resolution is not None and config.data.resolution % 64:
        found.append(
            f"data.resolution={config.data.resolution}: must be a multiple of 64 (VAE and UNet halve it six times)"
        )
    devices, nodes = config.trainer.devices, config.trainer.num_nodes
    if (devices not in (1, "1") and len(_listed(devices)) != 1) or nodes != 1:  # auto: all that there are
        found.append(
            f"trainer.devices={devices}, trainer.num_nodes={nodes}: several GPUs in one run are not supported yet; "
            "expected 1, or a list of one: trainer.devices=[1]"
        )
    if not config.method.unet and not config.method.text_encoder:
        found.append("method.unet and method.text_encoder are both false: nothing would be trained")
    found += lora_faults(config.method)
    found += option_faults(config)
    asked = config.optimized_metric
    if not asked or any(one not in METRICS for one in ([asked] if isinstance(asked, str) else asked)):
        found.append(f"optimized_metric={asked}: expected one of {', '.join(METRICS)}, or a list of them")
    if config.score_every and not config.sample_every:
        found.append("score_every is set but sample_every=0: without pictures there is nothing to score")
    if config.score_every and config.sample_every and config.score_every % config.sample_every:
        found.append(f"score_every={config.score_every} must be a multiple of sample_every={config.sample_every}")
    if config.choose == "best" and not config.score_every:
        found.append("choose=best needs scores: score_every is 0")
    return found


def lora_faults(method: Any) -> list[str]:
    """What is wrong with the keys that only ``method=lora`` has, as far as it is not only too small."""
    found = []
    if (alpha := method.get("alpha")) is not None and alpha <= 0:
        found.append(f"method.alpha={alpha}: must be above 0 (null: as method.rank)")
    if not 0 <= (dropout := method.get("dropout", 0)) < 1:
        found.append(f"method.dropout={dropout}: expected a share, at least 0 and below 1")
    return found


def option_faults(config: DictConfig) -> list[str]:
    """What is wrong with the options of the objective, as far as it is not only too small."""
    found = []
    gamma, dropout, stop = config.objective.min_snr_gamma, config.data.caption_dropout, config.text_encoder_stop
    if gamma is not None and gamma <= 0:
        found.append(f"objective.min_snr_gamma={gamma}: must be above 0 (the paper takes 5; null: off)")
    if not 0 <= dropout < 1:
        found.append(f"data.caption_dropout={dropout}: expected a share of the samples, at least 0 and below 1")
    if stop is not None and not (config.method.unet and config.method.text_encoder):
        found.append(f"text_encoder_stop={stop}: needs a method that trains both UNet and text encoder, as full does")
    return found


def _listed(devices: Any) -> list[Any]:
    """``trainer.devices`` as a list; a number above 1 as that many."""
    return list(devices) if OmegaConf.is_list(devices) else [0] * int(devices) if str(devices).isdigit() else []


def plain(config: Any) -> Any:
    """Resolved dicts and lists: what outlives Hydra, in checkpoints and in files."""
    return OmegaConf.to_container(config, resolve=True)
