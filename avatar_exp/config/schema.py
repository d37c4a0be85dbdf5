"""Every key of a run, with its type, default and unit: one dataclass per config group.

A field that a group hands to its ``_target_`` is tested against that signature. Groups whose targets differ in their
arguments (optimizer, lr_scheduler, logger, callbacks) are open; ``config.targets`` binds them to the signature at the
start, before anything is loaded.
"""

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING


@dataclass
class SamplerConfig:
    """How pictures are drawn; the names are diffusers'."""

    num_inference_steps: int = 24
    guidance_scale: float = 7.5
    scheduler: str = "DDIM"  # any diffusers scheduler, with or without "Scheduler" at the end
    negative_prompt: str = ""


@dataclass
class ConceptConfig:
    """One person (animal, object) to learn."""

    identifier: str = MISSING  # the word that will mean the subject
    class_noun: str = "person"
    # In every prompt {subject} is "<identifier> <class_noun>", {identifier} and {class} are its halves.
    instance_prompt: str = "photo of {subject}"
    class_prompt: str = "photo of a {class}"
    instance_data_dir: str = MISSING  # folder of photos of the subject
    class_data_dir: str | None = None  # folder of photos of the class, for prior=folder
    sample_prompts: list[str] | None = None  # instead of scoring.prompts
    captions: bool = True  # photo.txt beside photo.png, where there is one, instead of instance_prompt


@dataclass
class ModelConfig:
    """The base that is personalised."""

    _target_: str = "avatar_exp.models.load.load"
    path: str = MISSING  # hub id, diffusers folder, one file (.safetensors, .ckpt), or "tiny"
    revision: str | None = None
    variant: str | None = None  # e.g. fp16: which of a repository's weight files
    vae: str | None = None  # another VAE (hub id or folder), used for encoding and decoding
    attention: str = "sdpa"  # sdpa | xformers
    gradient_checkpointing: Any = "auto"  # true | false | auto: less memory for activations, about a third more time
    lr_scale: float = 1.0  # learning rates are given in SD 1.5 units; the optimizer gets lr * lr_scale
    lora_lr_scale: float | None = None  # in its place with method=lora; null: lr_scale
    offload: bool = False  # less GPU memory: the VAE is there only while it works, the scorers never
    like: str = "stable-diffusion-v1-5/stable-diffusion-v1-5"  # of one file: whose configs and vocabulary it has
    ema: float | None = None  # decay of an average of the trained weights, e.g. 0.99; null: none


@dataclass
class MethodConfig:
    """Which weights are trained."""

    _target_: str = "avatar_exp.models.trainable.Full"
    unet: bool = True
    text_encoder: bool = True


@dataclass
class LoraConfig(MethodConfig):
    """``method=lora``: matrices B A beside layers that stay as they are, W + alpha / rank * B A."""

    _target_: str = "avatar_exp.models.lora.Lora"
    rank: int = 16  # inner size of B A
    alpha: float | None = None  # null: as rank
    dropout: float = 0.0  # share of a layer's input that A does not see in training, in [0, 1)
    # Which layers, by how their names end.
    unet_targets: list[str] = field(default_factory=lambda: ["to_q", "to_k", "to_v", "to_out.0"])
    text_encoder_targets: list[str] = field(default_factory=lambda: ["q_proj", "k_proj", "v_proj", "out_proj"])


# Schemas of the options of a group that have keys of their own: the group's own schema has what they share.
OPTIONS: dict[str, dict[str, type]] = {"method": {"lora": LoraConfig}}


@dataclass
class DataConfig:
    """How photos become training samples."""

    _target_: str = "avatar_exp.data.datamodule.DreamBoothData"
    resolution: int | None = None  # pixels; null: what the base was trained at
    holdout: int = 0  # photos kept out of training, as the reference of the identity scores
    flip: bool = False  # mirror half of the samples; faces are not symmetric
    caption_dropout: float = 0.0  # share of samples that are trained with the empty prompt, in [0, 1)


@dataclass
class ObjectiveConfig:
    """What of the plain loss is changed; docs/options.md has papers and reasons."""

    _target_: str = "avatar_exp.training.objective.Objective"
    min_snr_gamma: float | None = None  # noisy timesteps count more; 5 in the paper
    offset_noise: float = 0.0  # strength: 0.1 for pictures darker or brighter than the base draws
    face_weight: float | None = None  # how many times as much the face counts, e.g. 4; needs [photos]


@dataclass
class PriorConfig:
    """Pictures of the class that keep the class what it was."""

    _target_: str = MISSING
    count: int = 50
    weight: float = 1.0  # lambda of the DreamBooth paper, eq. 2
    sampler: SamplerConfig = field(default_factory=SamplerConfig)


@dataclass
class TrainerConfig:
    """Lightning's own arguments; further ones with ``+trainer.name=value``."""

    _target_: str = "pytorch_lightning.Trainer"
    max_steps: int = MISSING
    accumulate_grad_batches: int = MISSING
    precision: Any = None
    accelerator: str = "auto"
    devices: Any = 1
    num_nodes: int = 1
    strategy: Any = "auto"
    gradient_clip_val: float | None = 1.0
    gradient_clip_algorithm: str | None = None
    log_every_n_steps: int = 10
    deterministic: Any = None
    benchmark: bool | None = None
    detect_anomaly: bool = False
    profiler: Any = None
    fast_dev_run: Any = False
    use_distributed_sampler: bool = False  # draws.py deals the samples to the ranks
    enable_checkpointing: bool = False  # callbacks/checkpoint.py writes them
    enable_model_summary: bool = False
    enable_progress_bar: bool = False  # callbacks/progress.py shows it


@dataclass
class ScoringConfig:
    """What is drawn and scored at step 0 and every ``sample_every`` steps."""

    prompts: list[str] = field(default_factory=list)
    seeds: int = 2  # pictures per prompt
    class_pictures: int = 8  # pictures of the class at each step, for its drift; 0: none
    batch_size: int = 8  # pictures drawn at once
    max_drift: float = 0.2  # most drift of the class that a chosen step may have
    clip: str | None = "auto"  # CLIP (hub id, perhaps with @revision, or folder); auto: the base's own; null: none
    identity: str | None = "auto"  # any transformers vision model; likewise
    face_crop: bool = False  # identity sees a picture's largest face, or the whole if none is found; needs [photos]
    sampler: SamplerConfig = field(default_factory=SamplerConfig)


@dataclass
class TrainConfig:
    """The root of ``train``."""

    concept: ConceptConfig = field(default_factory=ConceptConfig)
    concepts: list[str] | None = None  # several concept files, instead of concept
    concepts_list: str | None = None  # the tutorial's concepts_list.json, instead of concept
    model: ModelConfig = field(default_factory=ModelConfig)
    method: MethodConfig = field(default_factory=MethodConfig)
    data: DataConfig = field(default_factory=DataConfig)
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    prior: PriorConfig = field(default_factory=PriorConfig)
    optimizer: dict[str, Any] = field(default_factory=dict)
    lr_scheduler: dict[str, Any] = field(default_factory=dict)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    logger: dict[str, Any] = field(default_factory=dict)
    callbacks: dict[str, Any] = field(default_factory=dict)
    scoring: ScoringConfig = field(default_factory=ScoringConfig)

    lr: float = 1e-6  # in SD 1.5 units
    text_encoder_lr: float | None = None  # null: lr
    text_encoder_stop: int | None = None  # optimizer steps after which the text encoder learns no more; null: never
    max_steps: int = 800  # optimizer steps; 0 fills the store and draws the base's pictures
    lr_warmup_steps: int = 0
    batch_size: int = 1  # photos per forward; as many prior pictures come with them
    accumulate_grad_batches: int = 1
    precision: str | None = None  # null: bf16-mixed, 16-mixed on GPUs before Ampere, 32-true on a CPU
    seed: int = 1337
    sample_every: int | None = None  # steps between pictures; null: a quarter of max_steps; 0: none
    score_every: int | None = None  # steps between scores; null: whenever pictures are drawn; 0: never
    checkpoint_every: int | None = None  # steps between resumable checkpoints; null: a quarter of max_steps; 0: none
    keep_checkpoints: bool = False  # keep the resumable state of a finished run
    keep_steps: list[int] = field(default_factory=list)  # steps whose weights are kept as pipelines of their own
    choose: str = "last"  # last | best: which weights become pipeline/
    save: str = "best_of_sweep"  # best_of_sweep: a sweep keeps only its best run's pipeline | all | none
    optimized_metric: Any = "score/choice"  # what best means, and what a sweeper gets; a list: best by choice
    resume: str | None = None  # a run folder: go on with that run
    repeat: str | None = None  # a run folder: compose that run anew and say what differs
    name: str | None = None  # of the run in W&B; null: the folder's
    tags: list[str] = field(default_factory=list)
    outputs: str = "outputs"
    store: str = "${outputs}/store"
    privacy: bool = False  # true: no picture and no name of the subject leaves this machine


@dataclass
class PrepareConfig:
    """The root of ``prepare``."""

    source: str = MISSING  # folder of photos as they came; nothing in it is changed
    name: str = MISSING  # of the concept that is made; typed as concept=minh too
    identifier: str | None = None  # the word that will mean the subject; null: the name
    class_noun: str = "person"
    size: int = 512  # pixels of a side; what has fewer is not enlarged, what has less than half of them is refused
    faces: bool = True  # look for faces, to put the square around; false for animals and things
    keep: Any = None  # file names, a list or one: taken whatever is noticed
    drop: Any = None  # likewise: left out
    strict: bool = False  # whatever is refused or noticed, the number of photos too, is an error
    replace: bool = False  # write anew what was prepared before, in place of it
    out: str | None = None  # folder for the squares; null: data/<name>


@dataclass
class SampleConfig:
    """The root of ``sample``; the names are diffusers'."""

    run: str = MISSING  # a run folder, or any diffusers folder
    # best: the step with the best score if its weights are kept, else what lies in pipeline/; last: the last step,
    # which lies there unless choose=best put another one there; N: the chosen step, or one of keep_steps; 0: the base.
    step: Any = "best"
    prompt: str | None = None
    prompts: list[str] = field(default_factory=list)
    prompts_file: str | None = None  # one prompt a line
    negative_prompt: str = ""
    num_images_per_prompt: int = 4
    num_inference_steps: int | None = None  # these two and scheduler, null: as the run's own pictures, else 24
    guidance_scale: float | None = None  # else 7.5
    height: int | None = None  # null: what the model was trained at
    width: int | None = None
    scheduler: str | None = None  # else DDIM
    seed: int = 1337
    batch_size: int = 4
    subject: str | None = None  # for {subject}; null: the run's own
    class_noun: str | None = None  # for {class}; null: the run's own
    precision: str | None = None
    outputs: str = "outputs"


@dataclass
class CompareConfig:
    """The root of ``compare``."""

    runs: Any = MISSING  # a run, a sweep's folder, outputs/train/CONCEPT, a pattern, or several of them
    out: str | None = (
        None  # the page, or the folder for it; null: in the folder that was named, else in outputs/compare
    )
    outputs: str = "outputs"


@dataclass
class ExportConfig:
    """The root of ``export``."""

    run: str = MISSING  # a run folder, or any diffusers folder
    step: Any = "best"  # as in sample
    format: str | None = None  # diffusers | single_file | lora_diffusers | lora_kohya; null: one file for web UIs
    dtype: str = "fp16"  # fp16 | bf16 | fp32
    out: str | None = None  # a folder that is not there yet; null: outputs/exports/DATE
    file: str | None = None  # its name there; null: avatar, with names=true the trigger words; no part of the metadata
    names: bool = False  # true: trigger words and pictures of the subject are written too
    outputs: str = "outputs"


@dataclass
class EvaluateConfig:
    """The root of ``evaluate``: the DreamBooth paper's protocol."""

    run: str = MISSING  # a run folder, or any diffusers folder (then base, identifier and photos too)
    step: Any = "best"  # as in sample
    protocol: str | None = None  # conf/protocols/*.yaml; null: person, or drawn for the built-in base
    num_images_per_prompt: int = 4
    base: str | None = None  # what the weights began as; null: the run's own
    identifier: str | None = None  # of the subject; null: the run's own (its first, of several)
    class_noun: str = "person"  # with photos; a run knows its own
    photos: str | None = None  # folder of photos to compare with; null: the run's own
    clip: str | None = "auto"  # as in scoring
    identity: str | None = "auto"
    face_crop: bool | None = None  # as in scoring; null: as the run was scored, else false
    num_inference_steps: int | None = None  # null: as the run's own pictures, else 24
    guidance_scale: float | None = None  # else 7.5
    scheduler: str | None = None  # else DDIM
    seed: int = 0
    batch_size: int = 8
    precision: str | None = None
    outputs: str = "outputs"
    store: str = "${outputs}/store"
