"""The README that lies beside the weights: how they were made, what they reach, what they cannot do."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TEXT = """\
# The built-in base (`model=tiny`)

A complete Stable Diffusion that runs on a laptop: 128 x 128 pixels, latents 8 x 16 x 16. It was pretrained from nothing
by this repository on portraits that the repository draws itself (`avatar_exp/tiny/world.py`), each with captions.
No photograph and no downloaded weight went in.

**It only knows drawn faces.** It has never seen a photo; it knows the words of that world and no others; a picture
of anything else comes out as a drawn portrait or as mush. It is there to try this framework and to test it, not to make
avatars of real people.

Made by `python -m avatar_exp.tiny.pretrain` (seed {seed}; commit {commit}; {versions}; {hardware}).

| folder | what |
|---|---|
| `unet/ vae/ text_encoder/ tokenizer/ scheduler/` | a diffusers folder, for `StableDiffusionPipeline.from_pretrained` |
| `clip/` | CLIPModel and CLIPProcessor, for scores; its text tower started the text encoder |
| `identity/` | identity embedder (ResNetModel, `pooler_output`), for scores: near for one person in two scenes |

Weights are stored in fp16, {megabytes:.1f} MB in all, and were measured as stored, on drawn people that nothing was
trained on.

| part | minutes | steps | figures |
|---|---|---|---|
{rows}

`psnr` in dB, of whole pictures and inside the face box; `right_caption_of_32` and `right_person_of_32` are shares
(chance 0.03); `held_out_error` is the squared error of the predicted noise (untrained: about 1).
{about}{judged}"""
JUDGED = """
## Does it obey, are its faces whole?

{count} samples of held-out captions that tell everything ({sampler}), read by a judge that shares nothing with
the base (`python -m benchmarks.judge`; on held-out round trips it is right in:
{right}).
`python -m benchmarks.base`

| of the samples | measured | target | the judge, on round trips of true pictures |
|---|---|---|---|
{rows}

A face is whole if two eyes, nose and mouth are there and lie within 5 px of where one face has them. The kernel
distance is KID's (times 1000), in the features of `clip/`, to {reference} held-out pictures.
"""
NOT_FIGURES = ("minutes", "steps")


def megabytes(out: Path) -> float:
    """All weights of the folder together, in 10**6 bytes."""
    return sum(path.stat().st_size for path in out.glob("*/*.safetensors")) / 1e6


def judged(found: Mapping[str, Any]) -> str:
    """The second table.

    Args:
        found: what ``python -m benchmarks.base`` wrote.
    """
    rows = []
    for name, value in found["samples"].items():
        target = found["targets"].get(name)
        wanted = "" if target is None else f">= {target:.2f}"
        rows.append(f"| {name.replace('_', ' ')} | {value:.2f} | {wanted} | {found['round trips'][name]:.2f} |")
    right = ", ".join(f"{name.replace('_', ' ')} {share:.1%}" for name, share in found["right"].items())
    rest = {key: found[key] for key in ("count", "sampler", "reference")}
    return JUDGED.format(rows="\n".join(rows), right=right, **rest)


def card(record: Mapping[str, Any], out: Path) -> str:
    """The text of README.md.

    Args:
        record: what pretrain.json holds; ``about``, if it is there, was added by hand: what the command cannot know.
        out: the folder of weights.
    """
    rows = []
    for name, figures in record["parts"].items():
        shown = ", ".join(f"{key} {value:.4g}" for key, value in figures.items() if key not in NOT_FIGURES)
        rows.append(f"| {name} | {figures['minutes']:.1f} | {figures.get('steps', '')} | {shown} |")
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    return TEXT.format(
        seed=record["seed"],
        commit=record["commit"] or "unknown",
        versions=versions,
        hardware=record["hardware"],
        megabytes=megabytes(out),
        rows="\n".join(rows),
        about=f"\n{record['about']}\n" if "about" in record else "",
        judged=judged(json.loads((out / "judged.json").read_text())) if (out / "judged.json").is_file() else "",
    )
