"""What those type first who know another trainer: its flags, dashes, blanks around ``=``. They are told what is typed
here.
"""

import re
import shlex
from collections.abc import Collection, Sequence

from avatar_exp.config.overrides import ONLY_SHOWN
from avatar_exp.config.schema import TrainConfig
from avatar_exp.errors import UserError

NOTHING = "none is needed here"
MOST = 8  # pipelines that an answer proposes to keep

# Flags of the tutorial's trainer, and what is typed here; a key alone takes the flag's value, {} stands for it. See
# docs/tutorial.md.
FLAGS = {
    "pretrained_model_name_or_path": "model.path",
    "pretrained_vae_name_or_path": "model.vae",
    "output_dir": "outputs",
    "revision": "model.variant=fp16",
    "with_prior_preservation": "prior=generated",
    "prior_loss_weight": "prior.weight",
    "seed": "seed",
    "resolution": "data.resolution",
    "train_batch_size": "batch_size",
    "train_text_encoder": "method=full",
    "mixed_precision": "precision=16-mixed",
    "use_8bit_adam": "optimizer=adamw8bit",
    "gradient_accumulation_steps": "accumulate_grad_batches",
    "learning_rate": "lr",
    "lr_scheduler": "lr_scheduler",
    "lr_warmup_steps": "lr_warmup_steps",
    "num_class_images": "prior.count",
    "sample_batch_size": "scoring.batch_size",
    "max_train_steps": "max_steps",
    "save_interval": "keep_steps='[200,400]'",
    "save_sample_prompt": """scoring.prompts='["{subject}"]'""",
    "concepts_list": "concepts_list",
    "instance_data_dir": "concept.instance_data_dir",
    "class_data_dir": "prior=folder concept.class_data_dir",
    "instance_prompt": "concept.instance_prompt",
    "class_prompt": "concept.class_prompt",
    "save_sample_negative_prompt": "scoring.sampler.negative_prompt",
    "n_save_sample": "scoring.seeds",
    "save_guidance_scale": "scoring.sampler.guidance_scale",
    "save_infer_steps": "scoring.sampler.num_inference_steps",
    "gradient_checkpointing": "model.gradient_checkpointing=true",
    "adam_beta1": "optimizer.betas='[{},0.999]'",
    "adam_beta2": "optimizer.betas='[0.9,{}]'",
    "adam_weight_decay": "optimizer.weight_decay",
    "adam_epsilon": "optimizer.eps",
    "max_grad_norm": "trainer.gradient_clip_val",
    "logging_dir": "logger=tensorboard",
    "log_interval": "trainer.log_every_n_steps",
    "hflip": "data.flip=true",
    "read_prompts_from_txts": "concept.captions=true",
}
NOT_HERE = {
    "tokenizer_name": "the base brings its tokenizer",
    "pad_tokens": "always on",
    "center_crop": "the largest square of a photo, upper-centre; prepare puts it around the face",
    "num_train_epochs": "max_steps=800",
    "scale_lr": "type the learning rate that you want",
    **dict.fromkeys(
        ("push_to_hub", "hub_token", "hub_model_id"),
        "python -m avatar_exp.export run=DIR format=diffusers writes the folder to upload",
    ),
    "save_min_steps": "keep_steps='[600,800]' names the steps",
    "not_cache_latents": "latents are always stored; each use draws from their distribution anew",
}
# Of diffusers' newer scripts and of kohya's trainer.
OTHERS = {
    "checkpointing_steps": "checkpoint_every",
    "resume_from_checkpoint": "resume",
    "validation_prompt": """scoring.prompts='["{subject}"]'""",
    "rank": "method=lora method.rank",
    "snr_gamma": "objective.min_snr_gamma",
    "train_data_dir": "concept.instance_data_dir",
    "reg_data_dir": "prior=folder concept.class_data_dir",
    "network_dim": "method=lora method.rank",
    "network_alpha": "method=lora method.alpha",
    "unet_lr": "lr",
    "min_snr_gamma": "objective.min_snr_gamma",
    "noise_offset": "objective.offset_noise",
    "flip_aug": "data.flip=true",
}

TUTORIALS = tuple(FLAGS)[: tuple(FLAGS).index("concepts_list") + 1]  # what it types itself; the others its trainer has
YOURS = ("output_dir", "concepts_list")  # of these no recipe can know the value
MANY = 5  # of its flags: then somebody has its whole command

# Flags of which some values are typed in another way.
VALUES = {
    "pretrained_model_name_or_path": {
        f"{owner}/stable-diffusion-v1-5": "model=sd15" for owner in ("runwayml", "stable-diffusion-v1-5")
    },
    "mixed_precision": {"no": "precision=32", "bf16": "precision=bf16-mixed"},
    "lr_scheduler": {
        name: f"lr_scheduler.name={name}" for name in ("constant_with_warmup", "cosine_with_restarts", "polynomial")
    },
}

ALONE = {"-h", "--help", "--hydra-help", "--version", "--resolve", "-r", "--run", "-m", "--multirun", "-sc"}
ALONE |= {"--shell-completion"}
WITH_VALUE = {"-c", "--cfg", "-p", "--package", "-i", "--info", "-cp", "--config-path", "-cn", "--config-name"}
WITH_VALUE |= {"-cd", "--config-dir", "--experimental-rerun"}  # all of these are Hydra's own


def instead(flag: str, value: str = "", max_steps: int = TrainConfig.max_steps) -> str | None:
    """What to type for another trainer's flag; None for one that is not known.

    Args:
        max_steps: how long the run is to be.
    """
    if flag in NOT_HERE:
        return f"{NOTHING}: {NOT_HERE[flag]}"
    if flag == "save_interval" and value.isdecimal():
        return every(int(value), max_steps)
    known = VALUES.get(flag, {}).get(value) or (FLAGS | OTHERS).get(flag)
    if known is None or "=" in known.rpartition(" ")[2]:
        return known and known.replace("{}", value or "...")
    return setting(known, value or "...")


def every(interval: int, max_steps: int) -> str:
    """``keep_steps`` for every so many steps of a run but the last, which is always kept. Each is a whole pipeline: of
    more than ``MOST`` evenly spaced ones.
    """
    steps = range(interval, max_steps, interval) if interval else range(0)
    apart = -(-len(steps) // MOST) or 1
    return f"keep_steps='[{','.join(map(str, steps[apart - 1 :: apart]))}]'"


def setting(key: str, value: str) -> str:
    """``key=value`` as a shell reads it."""
    return f"{key}={shlex.quote(value)}"


def check_form(arguments: Sequence[str], known: Collection[str]) -> None:
    """Whether all that was typed is ``key=value`` or a flag of Hydra's.

    Args:
        known: the command's keys.

    Raises:
        UserError: with what to type, for all that is not.
    """
    shown = ONLY_SHOWN & {"--cfg", "-c", "--info", "-i"} & {one.partition("=")[0] for one in arguments}
    if shown and {"-m", "--multirun"} & {*arguments}:
        raise UserError(f"-m with {min(shown)}: what is shown is one run's. Leave out -m, and give each key one value")
    if not (odd := misread(arguments, known)):
        return
    width = max(len(came) for came, _ in odd)
    title = "settings are typed as key=value: without dashes, without blanks around =, a value with blanks in quotes:"
    lines = [f"{came:<{width}}  {'' if wanted.startswith(NOTHING) else 'type  '}{wanted}" for came, wanted in odd]
    raise UserError("\n".join([title, *(f"  - {line}" for line in lines), *recipe(odd)]))


def recipe(odd: Sequence[tuple[str, str]]) -> list[str]:
    """A line for whoever typed the tutorial's command, or most of it."""
    flags = {flag_of(came): wanted for came, wanted in odd if came.startswith("-")}
    if len({*flags} & {*TUTORIALS}) < MANY:
        return []
    yours = [flags[flag] for flag in YOURS if flag in flags]
    return [
        " ".join(["all of this is experiment=viblo, with the tutorial's values; type beside it what differs"]
                 + (["and what is yours:", *yours] if yours else []))
    ]  # fmt: skip


def misread(arguments: Sequence[str], known: Collection[str]) -> list[tuple[str, str]]:
    """What is neither ``key=value`` nor a flag of Hydra's, as it came, and what is typed here."""
    found, rest, length = [], list(arguments), typed_length(arguments)
    while rest:
        word = rest.pop(0)
        name, equals, _ = word.partition("=")
        if name in ALONE or name in WITH_VALUE:
            del rest[: name in WITH_VALUE and not equals]
            continue
        words = [word]
        while not word.startswith("~") and rest and is_loose(rest[0]) and not is_key(rest):
            words.append(rest.pop(0))
        if word.startswith("-") or (is_loose(word) or len(words) > 1):
            came = " ".join(words)
            found.append((came, meant(came, known, length)))
    return found


def typed_length(arguments: Sequence[str]) -> int:
    """How many steps are typed, in whatever form; the schema's if none are."""
    found = re.findall(r"(?:^|\s)-*(?:max_steps|max_train_steps)[\s=]+(\d+)(?=\s|$)", " ".join(arguments))
    return int(found[-1]) if found else TrainConfig.max_steps


def flag_of(came: str) -> str:
    """The name of ``--learning-rate=1e-6`` as the trainers have it."""
    return re.split(r"[\s=]", came.lstrip("-"), maxsplit=1)[0].replace("-", "_")


def is_loose(word: str) -> bool:
    """Whether a word cannot stand by itself: it is part of a value with blanks, or of ``key = value``."""
    return not word.startswith(("-", "~")) and ("=" not in word or word.startswith("="))


def is_key(words: Sequence[str]) -> bool:
    """Whether ``words`` begin with ``key =``."""
    return not words[0].startswith("=") and len(words) > 1 and words[1].startswith("=")


def meant(came: str, known: Collection[str], max_steps: int = TrainConfig.max_steps) -> str:
    """What to type for ``--lr 1e-6``, ``lr = 1e-6`` or ``prompt=a photo``."""
    name, value = [*re.split(r"\s*=\s*|\s+", came.lstrip("-"), maxsplit=1), ""][:2]
    name = name if name in known else name.replace("-", "_")
    if came.startswith("-") and value in VALUES.get(name, {}):
        return VALUES[name][value]
    if name in known and (value or came.startswith("-")):
        return setting(name, value or "true")
    return instead(name, value, max_steps) or (setting(name, value) if value else "(not known; all keys: --cfg job)")
