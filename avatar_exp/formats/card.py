"""The README beside exported weights: what they are, how they were made, how good they are, and where they go."""

from collections.abc import Sequence
from pathlib import Path

import yaml

from avatar_exp.formats.made import PUBLIC_VAES, Made
from avatar_exp.formats.metadata import LICENSES, description
from avatar_exp.models.locate import TINY
from avatar_exp.pictures import grid, open_picture

GRID = "grid.png"
CELL = 128  # pixels of a picture in the grid
PREVIEW = 256  # at most, of the picture that web UIs show
MOST = 8  # pictures in it
UNNAMED = "TRIGGER WORDS"  # stand in where the subject may not be named

WHERE = {  # of each format: in A1111, in ComfyUI
    "single_file": ("models/Stable-diffusion/", "models/checkpoints/"),
    "lora_kohya": ("models/Lora/", "models/loras/"),
}
READS = {
    "likeness": "0: no more like the subject than the base's pictures of the class; 1: as the photos are to each other",
    "prompt": "cosine of picture and prompt in CLIP, the name left out",
    "obedience": "0: as pictures of other prompts; 1: prompts are followed as the base follows them",
    "drift": "0: the class is what it was; 1: everybody is the subject",
    "memorisation": "share of pictures that copy a photo, more than prompt and subject explain",
    "diversity": "1 - mean cosine of the pictures of a prompt",
    "choice": "harmonic mean of likeness and obedience",
}


def write_card(made: Made, folder: Path, file: str, format: str, dtype: str) -> None:
    """README.md, and the grid of this step's pictures where they may be shown.

    Args:
        file: name of the weights in the folder; of format=diffusers the folder is all there is.
        dtype: as the command has it: fp16, bf16 or fp32.
    """
    shown = made.pictures[:MOST]
    if shown:
        pictures, prompts = [open_picture(path) for _, path in shown], [prompt for prompt, _ in shown]
        grid([pictures], [f"step {made.step}"], prompts, CELL).save(folder / GRID, optimize=True)
    (folder / "README.md").write_text(card(made, file, format, dtype))


def write_preview(made: Made, file: Path) -> None:
    """The first of this step's pictures where it may be shown: web UIs look for it beside the weights."""
    if made.pictures:
        picture = open_picture(made.pictures[0][1])
        picture.thumbnail((PREVIEW, PREVIEW))
        picture.save(file)


def card(made: Made, file: str, format: str, dtype: str) -> str:
    """The text of README.md, with the front matter that the Hugging Face hub reads."""
    parts = [
        front_matter(made, format),
        f"# {made.title}",
        description(made, lora=format.startswith("lora")),
        "It can draw a real person: use it only with that person's consent.",
        f"![Pictures of this step]({GRID})" if made.pictures else "",
        *use(made, file, format, dtype),
        *how(made),
        *how_good(made),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def front_matter(made: Made, format: str) -> str:
    """Between two lines ``---``, as YAML."""
    is_lora = format.startswith("lora")
    content = {
        "library_name": "diffusers",
        "pipeline_tag": "text-to-image",
        "tags": ["stable-diffusion", "dreambooth", "avatar_exp", *(["lora"] if is_lora else [])],
        "base_model": made.base if made.base != TINY else None,
        "license": LICENSES.get(made.base or ""),
        "instance_prompt": made.words[0] if made.words else None,
    }
    told = {key: value for key, value in content.items() if value}
    return f"---\n{yaml.safe_dump(told, sort_keys=False, allow_unicode=True)}---"


def use(made: Made, file: str, format: str, dtype: str) -> list[str]:
    """Where the file goes, and the lines that draw with it."""
    subject, stands_for = ("the subject", "") if made.subjects == 1 else ("each subject", " stands for one's")
    words = f"Words that bring {subject}: **{', '.join(made.words)}**." if made.words else ""
    unnamed = f"The words that bring {subject} ({UNNAMED} below{stands_for}) are told by whoever trained it."
    parts = ["## Use", words or (unnamed if made.step else "")]
    if format in WHERE:
        parts.append("\n".join(f"- {line}" for line in places(made, file, format)))
    if made.vae and format.startswith("lora"):  # other formats have it in them
        where = "A1111: Settings, SD VAE; ComfyUI: the node Load VAE"
        parts.append(f"Its pictures were drawn with the VAE {made.vae}, which a LoRA does not bring ({where}).")
    parts.append(f"With diffusers, from this folder:\n\n```python\n{code(made, file, format, dtype)}\n```")
    return parts


def places(made: Made, file: str, format: str) -> Sequence[str]:
    """Into which folders of other tools a file goes; those know a base by its sizes."""
    if not made.architecture.is_sd1:
        return ["A1111 and ComfyUI do not know a base of these sizes: only diffusers draws with it."]
    webui, comfy = WHERE[format]
    stem = file.removesuffix(".safetensors")
    prompt = f", then `<lora:{stem}:1>` in the prompt" if format == "lora_kohya" else ""
    node = "Load LoRA" if format == "lora_kohya" else "Load Checkpoint"
    lines = [f"A1111: `{file}` into `{webui}`{prompt}", f"ComfyUI: `{file}` into `{comfy}`, node {node}"]
    return lines + (of_v(stem if format == "single_file" else "BASE") if made.architecture.predicts_v else [])


def of_v(stem: str) -> list[str]:
    """What web UIs have to be told of a checkpoint of Stable Diffusion 1.x's sizes that predicts v: they expect noise.

    Args:
        stem: the checkpoint's file without its ending.
    """
    return [
        "It predicts v, and those tools take it for one that predicts noise unless they are told:",
        f"A1111 wants `{stem}.yaml` beside `{stem}.safetensors`: a copy of its `configs/v1-inference.yaml` with the "
        'line `parameterization: "v"` under `params:` of `model:`',
        "ComfyUI wants the node ModelSamplingDiscrete, with `v_prediction`, behind the loader",
    ]


def code(made: Made, file: str, format: str, dtype: str) -> str:
    """Python that draws one picture."""
    base, lines, vae = f'"{made.base or "BASE"}"', ["import torch"], ""
    sampler = f"{str(made.sampler.get('scheduler', 'DDIM')).removesuffix('Scheduler')}Scheduler"
    outside = format.startswith("lora") and made.vae in PUBLIC_VAES
    lines.append(f"from diffusers import {'AutoencoderKL, ' if outside else ''}{sampler}, StableDiffusionPipeline")
    if made.base == TINY and format != "diffusers":  # no hub knows it
        lines += ["from avatar_exp.models.locate import tiny_folder", ""]
        base = "tiny_folder()"
    kind = {"fp16": "float16", "bf16": "bfloat16", "fp32": "float32"}[dtype]
    lines.append('device = "cuda" if torch.cuda.is_available() else "cpu"')
    lines.append(f"dtype = torch.{kind}" + (' if device == "cuda" else torch.float32' if dtype == "fp16" else ""))
    if outside:
        lines.append(f'vae = AutoencoderKL.from_pretrained("{made.vae}", torch_dtype=dtype)')
        vae = ", vae=vae"
    if format == "single_file":
        config = "" if made.architecture.is_sd1 else f", config=str({base})"
        lines.append(f'pipeline = StableDiffusionPipeline.from_single_file("{file}"{config}, torch_dtype=dtype)')
    else:
        start = '"."' if format == "diffusers" else base
        lines.append(f"pipeline = StableDiffusionPipeline.from_pretrained({start}{vae}, torch_dtype=dtype)")
    if format.startswith("lora"):
        lines.append(f'pipeline.load_lora_weights(".", weight_name="{file}")')
    prompt = f"photo of {made.words[0] if made.words else UNNAMED if made.step else 'a person'} on the beach"
    # diffusers reads a single file as one that predicts noise.
    predicts = ', prediction_type="v_prediction"' if made.architecture.predicts_v else ""
    steps, guidance = made.sampler.get("num_inference_steps", 24), made.sampler.get("guidance_scale", 7.5)
    return "\n".join(
        [
            *lines,
            f"pipeline.scheduler = {sampler}.from_config(pipeline.scheduler.config{predicts})",
            "pipeline.to(device)",
            f'settings = {{"num_inference_steps": {steps}, "guidance_scale": {guidance}}}',
            "seed = torch.Generator().manual_seed(1)",
            f'pipeline("{prompt}", generator=seed, **settings).images[0].save("picture.png")',
        ]
    )


def how(made: Made) -> list[str]:
    """What it was made with, by the keys of the command that made it."""
    if not made.settings:
        return []
    known = {
        "base": made.base,
        "base, hash of its weights": made.fingerprint,
        "VAE": made.vae,
        "steps": made.step,
        "photos": made.photos,
    }
    rows = [(key, value) for key, value in {**known, **made.settings}.items() if value is not None]
    table = "\n".join(["| setting | value |", "|---|---|", *(f"| {key} | {value} |" for key, value in rows)])
    return ["## How it was made", table]


def how_good(made: Made) -> list[str]:
    """Scores with their intervals, and what went wrong on the way."""
    if not made.scores:
        return []
    rows = ["| score | value | 95 % interval | reads |", "|---|---|---|---|"]
    for key, value in made.scores.items():
        name, ends = key.removeprefix("score/"), made.intervals.get(key)
        between = f"{ends[0]:.3f} to {ends[1]:.3f}" if ends else ""
        rows.append(f"| {name} | {value:.3f} | {between} | {READS.get(name, '')} |")
    notes = "Measured by this project on its own fixed prompts; no score has been compared with people's judgement."
    if made.fresh:
        told = ", ".join(f"{key.removeprefix('score/')} {value:.3f}" for key, value in made.fresh.items())
        notes += f" On seeds that had no part in choosing this step: {told}."
    alarms = f"Alarms while it was trained: {', '.join(made.alarms)}." if made.alarms else ""
    return ["## How good it is", "\n".join(rows), notes, alarms]
