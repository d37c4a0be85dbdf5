"""How weights were made, as far as it may be told with them: from a run's own folder, and nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import avatar_exp
from avatar_exp.models.locate import GONE, TINY
from avatar_exp.run_folder import RunFolder, read_lines, safe_name
from avatar_exp.scoring.alarms import HINTS

# Keys of the config that are told. Only numbers, yes and no, and names of options: no path and no word of the user's.
TOLD = (
    "lr", "text_encoder_lr", "text_encoder_stop", "lr_warmup_steps", "lr_scheduler.name", "optimizer._target_",
    "batch_size", "accumulate_grad_batches", "precision", "seed", "method._target_", "method.unet",
    "method.text_encoder", "method.rank", "method.alpha", "method.dropout", "model.lr_scale", "model.lora_lr_scale",
    "model.ema", "data.resolution", "data.flip", "data.caption_dropout", "prior.count", "prior.weight",
    "objective.min_snr_gamma", "objective.offset_noise", "objective.face_weight", "trainer.gradient_clip_val",
)  # fmt: skip
SAMPLER = ("scheduler", "num_inference_steps", "guidance_scale", "height", "width")  # all but prompts
# Of a _target_ and what belongs to it: names out of these are names of options. Another may be the user's own module.
KNOWN = ("avatar_exp.", "torch.", "diffusers.", "transformers.", "bitsandbytes.", "torchao.", "pytorch_lightning.")
SD1 = {"block_out_channels": [320, 640, 1280, 1280], "cross_attention_dim": 768, "in_channels": 4}
PUBLIC = (*GONE, *GONE.values())  # bases that name nobody
PUBLIC_VAES = ("stabilityai/sd-vae-ft-mse", "stabilityai/sd-vae-ft-ema")
OTHER_VAE = "another one than the base's"
SD2_WIDTH = 1024  # of its text encoder


@dataclass(frozen=True)
class Architecture:
    """What tools know a base by."""

    unet: Mapping[str, Any]  # its config
    side: int  # pixels of the pictures it was trained on
    prediction_type: str = "epsilon"

    @property
    def is_sd1(self) -> bool:
        """Whether it is built as Stable Diffusion 1.x: web UIs tell by the sizes."""
        unet = {key: list(one) if isinstance(one := self.unet.get(key), tuple) else one for key in SD1}
        return unet == SD1

    @property
    def is_sd2(self) -> bool:
        """Whether it is built as Stable Diffusion 2.x, whose files have other names."""
        return bool(self.unet.get("cross_attention_dim") == SD2_WIDTH)

    @property
    def predicts_v(self) -> bool:
        """Whether its UNet predicts v (Salimans & Ho 2022) and not the noise."""
        return self.prediction_type == "v_prediction"


@dataclass(frozen=True)
class Made:
    """All that a card and a file's metadata may say."""

    architecture: Architecture
    step: int | None = None
    base: str | None = None  # a hub id, or tiny; None for a folder: a path is nobody's business
    vae: str | None = None  # in place of the base's own: a hub id, or OTHER_VAE for what is no public one
    fingerprint: str | None = None  # of the base's weights
    settings: Mapping[str, Any] = field(default_factory=dict)  # of the run, by dotted key
    sampler: Mapping[str, Any] = field(default_factory=dict)
    photos: int | None = None  # how many
    scores: Mapping[str, float] = field(default_factory=dict)  # of this step
    intervals: Mapping[str, Sequence[float]] = field(default_factory=dict)  # 95 %, where they are known
    fresh: Mapping[str, float] = field(default_factory=dict)  # of this step on seeds that had no part in choosing it
    alarms: Sequence[str] = ()
    subjects: int = 1
    words: Sequence[str] = ()  # that bring each subject; none where they may not be told
    pictures: Sequence[tuple[str, Path]] = ()  # prompt and file of this step's; none where they may not be shown
    version: str = avatar_exp.__version__

    @property
    def is_lora(self) -> bool:
        """Whether matrices beside the weights were trained."""
        return "method.rank" in self.settings

    @property
    def title(self) -> str:
        """What it is called, also where the subject may not be named."""
        return ", ".join(self.words) or ("base" if self.step == 0 else "avatar")

    @property
    def side(self) -> int:
        """Pixels of the pictures that it draws best."""
        return int(self.settings.get("data.resolution") or self.architecture.side)


def select(config: Mapping[str, Any], key: str) -> Any:
    """The value under a dotted key; None if there is none."""
    value: Any = config
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def base_name(base: Mapping[str, Any], secret: Sequence[str] = ()) -> str | None:
    """A base's name if it is a public one: the built-in one's, or a hub id, at the address that it has now.

    A folder's is not, and may name somebody; nor is a hub id that has one of the names in it.

    Args:
        base: as run.json has it. ``local`` was noted when it was loaded: later a folder may be gone, or elsewhere.
        secret: names that may not be told.
    """
    path = base.get("path")
    if path is None or path == TINY:
        return path
    named = any(name.casefold() in path.casefold() for one in secret for name in (one, safe_name(one)))
    return None if base.get("local", True) or (named and path not in PUBLIC) else GONE.get(path, path)


def told(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of ``TOLD`` that were on; of a ``_target_`` its last word, where it is no module of the user's."""
    values = {key: select(config, key) for key in TOLD if is_option(config, key)}
    return {
        key.removesuffix("._target_"): value.rpartition(".")[2] if key.endswith("_target_") else value
        for key, value in values.items()
        if value is not None
    }


def is_option(config: Mapping[str, Any], key: str) -> bool:
    """Whether the value under a key is a number or the name of an option, and not a word that the user made."""
    if not key.endswith(("._target_", ".name")):
        return True
    return str(select(config, f"{key.rpartition('.')[0]}._target_")).startswith(KNOWN)


def sampler(config: Mapping[str, Any], names: bool) -> dict[str, Any]:
    """How a run's pictures were drawn; with its prompts only where the subject may be named."""
    found = select(config, "scoring.sampler") or {}
    return {key: value for key, value in found.items() if names or key in SAMPLER}


def vae_name(config: Mapping[str, Any]) -> str | None:
    """The VAE that pictures were drawn with, if it is not the base's: by its name if that is a public one."""
    vae = select(config, "model.vae")
    return vae if vae is None or vae in PUBLIC_VAES else OTHER_VAE


def pictures_of(run: RunFolder, step: int) -> list[tuple[str, Path]]:
    """(prompt, file) of the first picture of each prompt at a step, of those that are still there."""
    found: dict[str, Path] = {}
    for record in read_lines(run.records):
        if record.get("step") == step and (file := run.path / record["file"]).is_file():
            found.setdefault(record["prompt"], file)
    return list(found.items())


def made(run: RunFolder, config: Mapping[str, Any], architecture: Architecture, step: int | None, names: bool) -> Made:
    """What may be told of a step of a run; of a folder that belongs to no run, only what it is.

    Args:
        config: the run's, resolved; empty without a run.
        names: whether the subject may be named and shown.
    """
    info = run.info
    if step is None or not info:
        return Made(architecture, step)
    key = str(step)
    chosen = info.get("chosen_scores", {}) if step == info.get("chosen_step") else {}
    return Made(
        architecture,
        step,
        base=base_name(info.get("base", {}), () if names else info.get("concept", ())),
        vae=vae_name(config),
        fingerprint=info.get("base", {}).get("fingerprint"),
        settings=told(config) if step else {},
        sampler=sampler(config, names),
        photos=info.get("photo_count") if step else None,
        scores=info.get("scores", {}).get(key, {}),
        intervals=info.get("intervals", {}).get(key, {}),
        fresh=chosen,
        alarms=[
            f"{one['kind']} (step {one['step']})"
            for one in info.get("alarms", [])
            if one["step"] <= step and one["kind"] not in HINTS
        ],
        subjects=len(words(info)) or 1,
        words=words(info) if names and step else (),
        pictures=pictures_of(run, step) if names else (),
    )


def words(info: Mapping[str, Any]) -> tuple[str, ...]:
    """``hoanganh person`` of each subject of a run."""
    pairs = zip(info.get("concept", []), info.get("class_noun", []), strict=False)
    return tuple(f"{identifier} {noun}".strip() for identifier, noun in pairs)
