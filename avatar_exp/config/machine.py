"""The heavy imports, quietly, and what this machine decides: base, device, precision."""

import logging
import os
import warnings
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from avatar_exp.config.decide import check_base, check_torchvision, decide
from avatar_exp.config.start import Origin

if TYPE_CHECKING:
    import torch

log = logging.getLogger("avatar_exp")


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
