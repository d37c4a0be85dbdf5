"""What a .safetensors file says of itself: ModelSpec's keys, our own, and those of kohya's trainer for a LoRA."""

import base64
import io
import json
from datetime import UTC, datetime
from typing import Any

from PIL import Image

from avatar_exp.errors import counted
from avatar_exp.formats.made import Made
from avatar_exp.models.locate import TINY
from avatar_exp.pictures import open_picture

THUMBNAIL = 256  # pixels of a side, as ModelSpec recommends
LICENSES = {"stable-diffusion-v1-5/stable-diffusion-v1-5": "creativeml-openrail-m"}
PRECISIONS = {"32-true": "no", "16-mixed": "fp16", "bf16-mixed": "bf16"}  # as accelerate, and so kohya, calls them


def architecture(made: Made, lora: bool) -> str:
    """ModelSpec's identifier; of a base of other sizes than Stable Diffusion 1.x one that no tool takes for it."""
    return ("stable-diffusion-v1" if made.architecture.is_sd1 else "stable-diffusion-v1-small") + (
        "/lora" if lora else ""
    )


def model_spec(made: Made, lora: bool) -> dict[str, str]:
    """ModelSpec 1.0.0 (github.com/Stability-AI/ModelSpec), each key with ``modelspec.`` before it.

    The hash of the tensors, which it would like to have too, is left out: they are written as they come.
    """
    found = {
        "sai_model_spec": "1.0.0",
        "architecture": architecture(made, lora),
        "implementation": "diffusers" if lora else "https://github.com/Stability-AI/generative-models",
        "title": made.title,
        "description": description(made, lora),
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "resolution": f"{made.side}x{made.side}",
        "prediction_type": "v" if made.architecture.predicts_v else "epsilon",
        "tags": "dreambooth",
        "license": LICENSES.get(made.base or ""),
        "trigger_phrase": ", ".join(made.words),
        "usage_hint": f"In the prompt: {', '.join(made.words)}" if made.words else None,
        "thumbnail": thumbnail(open_picture(made.pictures[0][1])) if made.pictures else None,
    }
    return {f"modelspec.{key}": value for key, value in found.items() if value}


def description(made: Made, lora: bool) -> str:
    """One sentence."""
    if not made.step:
        return "A Stable Diffusion." if made.step is None else "The base of a run, as it was before training."
    whose = f"of {', '.join(made.words)}" if made.words else f"of {counted(made.subjects, 'subject')}"
    base = f" on {'the built-in base (tiny)' if made.base == TINY else made.base}" if made.base else ""
    kind = (
        "A DreamBooth LoRA"
        if lora
        else "DreamBooth (a LoRA, merged into the weights)"
        if made.is_lora
        else "DreamBooth"
    )
    return f"{kind} {whose}{base}, {counted(made.step, 'step')}, made with avatar_exp {made.version}."


def thumbnail(image: Image.Image) -> str:
    """A small JPEG as a data URI."""
    small, buffer = image.convert("RGB"), io.BytesIO()
    small.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
    small.save(buffer, "JPEG", quality=85, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def own(made: Made) -> dict[str, str]:
    """Under ``avatar_exp``, as JSON: what it was made with and what it scored."""
    content = {
        "version": made.version,
        "base": made.base,
        "base_fingerprint": made.fingerprint,
        "step": made.step,
        "photos": made.photos,
        "settings": dict(made.settings),
        "scores": dict(made.scores),
        "intervals_95": {name: list(ends) for name, ends in made.intervals.items()},
        "scores_on_fresh_seeds": dict(made.fresh),
        "sampler": dict(made.sampler),
    }
    return {"avatar_exp": json.dumps({key: value for key, value in content.items() if value not in (None, {})})}


def kohya(made: Made, file: str) -> dict[str, str]:
    """The keys by which web UIs show a LoRA, with the names and the spelling of kohya's trainer (``ss_``).

    Args:
        file: its name, without the ending.
    """
    one = made.settings.get
    lr, text_lr = (scaled_lr(made, key) for key in ("lr", "text_encoder_lr"))
    found: dict[str, Any] = {
        "ss_base_model_version": "sd_v1" if made.architecture.is_sd1 else None,
        "ss_sd_model_name": made.base,
        "ss_v2": False,
        "ss_output_name": file,
        "ss_network_module": "networks.lora",
        "ss_network_dim": one("method.rank"),
        "ss_network_alpha": one("method.alpha") or one("method.rank"),
        "ss_network_dropout": one("method.dropout"),
        "ss_learning_rate": lr,
        "ss_unet_lr": lr if one("method.unet") else None,
        "ss_text_encoder_lr": (text_lr or lr) if one("method.text_encoder") else None,
        "ss_lr_scheduler": one("lr_scheduler.name"),
        "ss_lr_warmup_steps": one("lr_warmup_steps"),
        "ss_optimizer": one("optimizer"),
        "ss_max_grad_norm": one("trainer.gradient_clip_val"),
        "ss_steps": made.step,
        "ss_max_train_steps": made.step,
        "ss_seed": one("seed"),
        "ss_mixed_precision": PRECISIONS.get(one("precision", ""), one("precision")),
        "ss_resolution": f"({made.side}, {made.side})",
        "ss_total_batch_size": one("batch_size"),
        "ss_gradient_accumulation_steps": one("accumulate_grad_batches"),
        "ss_num_train_images": made.photos,
        "ss_num_reg_images": one("prior.count"),
        "ss_prior_loss_weight": one("prior.weight"),
        "ss_min_snr_gamma": one("objective.min_snr_gamma"),
        "ss_noise_offset": one("objective.offset_noise"),
        "ss_training_comment": f"avatar_exp {made.version}",
        "ss_tag_frequency": json.dumps({"photos": dict.fromkeys(made.words, made.photos)}) if made.words else None,
    }
    return {key: str(value) for key, value in found.items() if value is not None}


def scaled_lr(made: Made, key: str) -> float | None:
    """A learning rate as the optimizer got it."""
    scale = made.settings.get("model.lora_lr_scale" if made.is_lora else "model.lr_scale")
    given = made.settings.get(key)
    return None if given is None else given * (scale or made.settings.get("model.lr_scale", 1.0))
