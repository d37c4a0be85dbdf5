"""The README that lies beside the weights: how they were made, what they reach, what they cannot do."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
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
{judged}{about}"""
JUDGED = """
## Does it obey, are its faces whole?

{count} samples of held-out captions that tell everything ({sampler}), read by a judge that shares nothing with
the base (`python -m benchmarks.judge`; on held-out round trips it is right in:
{right}).
`python -m benchmarks.base`

| of the samples | measured | target | the judge, on round trips of true pictures |
|---|---|---|---|
{rows}
{by_eye}
A face is whole if two eyes, nose and mouth are there and lie within 5 px of where one face has them. The kernel
distance is KID's (times 1000; lower is nearer, and as an unbiased estimate it may fall below 0), in the features of
`clip/`, to {reference} held-out pictures.
"""
BY_EYE = """\
| by eye, "a whole, pleasant portrait" | {pleasant:.2f} | >= {target:.2f} | |

By eye: a second pair of eyes, which did not know what it looked at, called {good} of {count} "a whole, pleasant
portrait", {borderline} borderline, {bad} neither. {remark}
"""
DREAMBOOTH = """
## Does DreamBooth work on it?

`python -m benchmarks.dreambooth --test`: the literal `train concept=... lr=1e-6` ({steps} steps) on 12 drawn pictures
of each of {count} people that nothing was tuned on (world seeds {people}); the defaults were chosen on others
({development}). {samples} pictures of `{{subject}}` by each, read by the judge. *attributes*: {attributes}; chance is
how often the base's own pictures of "person" have them, and is taken out: (accuracy - chance) / (1 - chance).
*obedience*: right background of 64 (beach, snow, forest, night), right colour of the clothes of 16.

| person | attributes (>= 0.60) | weakest, chance < 50 % (>= 0.40) | background (>= 0.75) | clothes (>= 0.60) | whole |
|---|---|---|---|---|---|
{people_rows}

The base itself, asked for "person": background {base[backgrounds]:.2f}, clothes {base[clothes color]:.2f}.

**Does the class survive, and when is it too much?** Means over the same people, each row one setting. *drift*: how far
the model's own pictures of "person" have moved towards the subject, in the identity embedder: 0 as the base's, 1 as the
photos. *likeness*: the same of pictures of the subject.

| setting | steps | attributes | likeness | background | clothes | drift |
|---|---|---|---|---|---|---|
{setting_rows}

![Over-training: the learning rate times {fast:g}, up to twice the steps](over_training.svg)
"""
NAMES = {
    "default": "default",
    "fast-and-long": "learning rate x {fast:g}",
    "fast-no-prior": "learning rate x {fast:g}, no prior preservation",
}
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
    seen = found.get("by eye")
    rest["by_eye"] = "" if seen is None else BY_EYE.format(pleasant=seen["good"] / seen["count"], **seen)
    return JUDGED.format(rows="\n".join(rows), right=right, **rest)


def mean_rows(rows: Sequence[Mapping[str, Any]]) -> dict[int, dict[str, float]]:
    """The figures of a setting's rows by step, each the mean over the people of whom it is known (not NaN)."""
    figures = ("corrected", "likeness", "backgrounds", "clothes color", "drift")
    found: dict[int, dict[str, float]] = {}
    for step in sorted({row["step"] for row in rows}):
        known = {name: [row[name] for row in rows if row["step"] == step] for name in figures}
        found[step] = {name: fmean(one for one in values if not math.isnan(one)) for name, values in known.items()}
    return found


def dreambooth(found: Mapping[str, Any]) -> str:
    """The third and the fourth table.

    Args:
        found: what ``python -m benchmarks.dreambooth --test`` wrote.
    """
    people = [
        f"| {row['person']} | {row['corrected']:.2f} | {row['worst'].replace('_', ' ')} {row['worst corrected']:.2f} "
        f"| {row['backgrounds']:.2f} | {row['clothes color']:.2f} | {row['whole faces']:.2f} |"
        for row in found["settings"]["default"]
    ]
    settings = [
        f"| {NAMES[name].format(**found)} | {step} | " + " | ".join(f"{value:.2f}" for value in means.values()) + " |"
        for name, rows in found["settings"].items()
        for step, means in mean_rows(rows).items()
    ]
    shown = {name: ", ".join(str(one) for one in found[name]) for name in ("people", "development")}
    attributes = ", ".join(name.replace("_", " ") for name in found["attributes"])
    rest = {name: found[name] for name in ("steps", "samples", "base", "fast")}
    tables = {"people_rows": "\n".join(people), "setting_rows": "\n".join(settings)}
    return DREAMBOOTH.format(count=len(people), attributes=attributes, **shown, **rest, **tables)


def read(file: Path) -> dict[str, Any]:
    """Measured figures; with what was counted by eye, which no command can."""
    by_eye = file.with_name("by_eye.json")
    found: dict[str, Any] = json.loads(file.read_text())
    return found | ({"by eye": json.loads(by_eye.read_text())} if by_eye.is_file() else {})


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
        about=f"\n## About this set\n\n{record['about']}\n" if "about" in record else "",
        judged="".join(
            table(read(file))
            for table, file in ((judged, out / "judged.json"), (dreambooth, out / "dreambooth.json"))
            if file.is_file()
        ),
    )
