"""The heavy imports, quietly, and what this machine decides: base, device, precision."""

import logging
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from avatar_exp.config.decide import PRECISIONS, check_base, check_torchvision, decide
from avatar_exp.config.start import Origin
from avatar_exp.errors import UserError

if TYPE_CHECKING:
    import torch

log = logging.getLogger("avatar_exp")


def import_and_decide(config: DictConfig, origin: Origin) -> "torch.device":
    """Import what is heavy, decide what was left open, and say which base and device, and why."""
    check_torchvision()
    import_quietly()
    import torch

    asks_gpu = config.trainer.accelerator in ("gpu", "cuda")
    if asks_gpu and not torch.cuda.is_available():
        raise UserError(f"trainer.accelerator={config.trainer.accelerator}: no CUDA device is usable here")
    on_gpu = torch.cuda.is_available() and (asks_gpu or config.trainer.accelerator == "auto")
    config.trainer.accelerator = "cuda" if on_gpu else "cpu"  # Lightning's own choice could be a third one
    choice = None if config.resume else check_base(origin.overrides, origin.launcher, torch.cuda.is_available())
    log.info("base: %s%s", config.model.path, f" ({choice.reason})" if choice else "")
    if choice:
        origin.decided.append(f"model={choice.name}")
    if origin.optimizer:
        origin.decided.append(f"optimizer={origin.optimizer}")
    asked = PRECISIONS.get(str(config.trainer.precision))  # precision, unless Lightning's own key was typed
    origin.decided.extend(decide(config, torch.cuda.get_device_capability() if on_gpu else None))
    note = " (16-mixed was asked for; a CPU cannot)" if asked == "16-mixed" and not on_gpu else ""
    log.info("device: %s, precision %s%s", "cuda" if on_gpu else "cpu", config.precision, note)
    return torch.device("cuda", _first_device(config.trainer.devices)) if on_gpu else torch.device("cpu")


def _first_device(devices: Any) -> int:
    """The index of the one GPU that ``trainer.devices`` (1, "1", [3], "auto") means."""
    return int(devices[0]) if isinstance(devices, Sequence) and not isinstance(devices, str) else 0


def import_quietly() -> None:
    """Several of these greet at import, or warn of what is optional here; none of it helps the one who trains."""
    for category in (DeprecationWarning, FutureWarning, PendingDeprecationWarning):
        warnings.filterwarnings("ignore", category=category)
    for module in ("pytorch_lightning", "lightning_fabric", "transformers", "diffusers", "xformers", "bitsandbytes"):
        warnings.filterwarnings("ignore", module=module)
    for name in ("xformers", "bitsandbytes", "bitsandbytes.backends.cpu.ops", "transformers"):
        logging.getLogger(name).setLevel(logging.ERROR)
    import diffusers.utils.logging
    import pytorch_lightning  # noqa: F401
    import transformers.utils.logging

    for name in ("pytorch_lightning", "pytorch_lightning.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.ERROR)
    transformers.utils.logging.disable_progress_bar()
    diffusers.utils.logging.disable_progress_bar()
