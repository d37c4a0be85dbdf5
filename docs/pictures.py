"""Draws the pictures of docs/how-it-works.md, one by one: ``python docs/pictures.py noising``.

``--model`` takes any base that ``model.path`` takes: the same pictures of Stable Diffusion 1.5, where it is at hand.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from avatar_exp.data.photos import crop_square, open_photo, to_image, to_tensor
from avatar_exp.diffusion.draws import draw
from avatar_exp.diffusion.objective import add_noise, predicted_start
from avatar_exp.models.components import Components
from avatar_exp.models.load import load
from avatar_exp.pictures import grid
from avatar_exp.sampling import Request, denoise, sample

ROOT = Path(__file__).parents[1]
PHOTO = ROOT / "data" / "hoanganh" / "09.png"
CELL = 128
SEEDS = (5, 6, 7, 8)
PROMPT = "photo of person with curly red hair and round glasses in the snow"


def photo(base: Components) -> Tensor:
    """[1, 3, H, W]: one photo of the demo subject, as training sees it."""
    return to_tensor(crop_square(open_photo(PHOTO), base.resolution))[None]


def decoded(base: Components, latents: Tensor) -> Image.Image:
    """The picture of scaled latents [1, C, h, w]."""
    return to_image(base.vae.decode(latents / base.vae.config.scaling_factor).sample[0])


def autoencoder(base: Components) -> Image.Image:
    """A photo, its latents (one grey picture a channel), what comes back, and four times the difference."""
    pixels = photo(base)
    latents = base.vae.encode(pixels).latent_dist.mode()
    back = base.vae.decode(latents).sample
    channels = [
        to_image((plane / 3).expand(3, -1, -1)).resize((CELL, CELL), Image.Resampling.NEAREST) for plane in latents[0]
    ]
    side, count = base.resolution, latents[0].numel()
    titles = [f"photo: {3 * side * side:,} numbers", "from the latents", "4 x the difference"]
    shown = [to_image(pixels[0]), to_image(back[0]), to_image((pixels - back).abs()[0] * 4 - 1)]
    half = len(channels) // 2
    rows = [[*shown], channels[:half], channels[half:]]
    return grid(rows, ["pixels", f"latents: {count:,} numbers", ""], titles, cell=CELL)


def noising(base: Components) -> Image.Image:
    """A photo's latents with more and more noise, decoded; below, what the base takes for the noise, taken away."""
    latents = base.vae.encode(photo(base)).latent_dist.mode() * base.vae.config.scaling_factor
    noise = torch.randn(latents.shape, generator=draw(0, 0, "noise"))
    alphas, times = base.scheduler.alphas_cumprod, (0, 100, 200, 400, 600, 800, 999)
    states = base.text_states(base.token_ids(["photo of person"]))
    noisy, cleaned = [], []
    for time in times:
        timestep = torch.tensor([time])
        mixed = add_noise(latents, noise, timestep, alphas)
        prediction = base.unet(mixed, timestep, encoder_hidden_states=states).sample
        guess = predicted_start(base.scheduler.config.prediction_type, mixed, prediction, timestep, alphas)
        noisy.append(decoded(base, mixed))
        cleaned.append(decoded(base, guess))
    return grid([noisy, cleaned], ["noised", "one guess"], [f"timestep {time}" for time in times], cell=CELL)


def denoising(base: Components) -> Image.Image:
    """From noise to a picture in 24 steps: the latents on the way, decoded."""
    side, seen = base.resolution, list[Image.Image]()
    request = Request(PROMPT, 8, guidance_scale=4, scheduler="EulerAncestralDiscrete", height=side, width=side)
    steps = (0, 3, 6, 9, 12, 17, 23)
    denoise(base, [request], watch=lambda step, latents: seen.append(decoded(base, latents)) if step in steps else None)
    return grid([seen], ["24 steps"], [f"after step {step + 1}" for step in steps], cell=CELL)


def rows_of(base: Components, named: Sequence[tuple[str, str, float]]) -> Image.Image:
    """One row for each (title, prompt, guidance), the same seeds in every row."""
    side = base.resolution
    requests = [
        Request(prompt, seed, guidance_scale=scale, scheduler="EulerAncestralDiscrete", height=side, width=side)
        for _, prompt, scale in named
        for seed in SEEDS
    ]
    drawn = [picture for picture, _ in sample(base, requests, batch_size=len(SEEDS))]
    rows = [drawn[i : i + len(SEEDS)] for i in range(0, len(drawn), len(SEEDS))]
    return grid(rows, [title for title, _, _ in named], [f"seed {seed}" for seed in SEEDS], cell=CELL)


def conditioning(base: Components) -> Image.Image:
    """The same noise without a prompt, with a short one and with a long one."""
    prompts = ("", "photo of person", "photo of person in the snow", PROMPT)
    return rows_of(base, [(prompt or "(no prompt)", prompt, 1.0 if not prompt else 4.0) for prompt in prompts])


def guidance(base: Components) -> Image.Image:
    """One prompt, guided less and more; 0 is the prediction without the prompt, 1 the one with it."""
    scales = (0.0, 1.0, 4.0, 7.5, 20.0)
    return rows_of(base, [(f"guidance {scale:g}", PROMPT if scale else "", max(scale, 1.0)) for scale in scales])


def words(base: Components) -> Image.Image:
    """How near prompts are for the text encoder: cosines of what it makes of their last token."""
    texts = (
        "photo of person", "photo of hoanganh person", "photo of zwx person", "photo of person with red hair",
        "photo of person with blue hair", "pencil sketch of person",
    )  # fmt: skip
    ids = base.token_ids(texts)
    ends = (ids == base.tokenizer.eos_token_id).int().argmax(1)
    states = base.text_states(ids)[torch.arange(len(texts)), ends]
    unit = torch.nn.functional.normalize(states - states.mean(0), dim=1)
    for text, row, end in zip(texts, ids, ends, strict=True):
        print(f"{text:<32}", " ".join(base.tokenizer.convert_ids_to_tokens(row[1:end])))
    return matrix(unit @ unit.T, texts)


def matrix(values: Tensor, names: Sequence[str], cell: int = 64) -> Image.Image:
    """[N, N] values in [-1, 1] as a table: the nearer to 1, the darker."""
    font = ImageFont.load_default(size=15)
    left = round(max(font.getlength(name) for name in names)) + 16
    sheet = Image.new("RGB", (left + cell * len(names) + 8, cell * len(names) // 2 + 8), "white")
    pen = ImageDraw.Draw(sheet)
    for i, name in enumerate(names):
        y = 4 + i * cell // 2
        pen.text((8, y + 6), name, "black", font)
        for j, value in enumerate(values[i].tolist()):
            grey = round(255 - 150 * max(value, 0.0))
            pen.rectangle((left + j * cell, y, left + (j + 1) * cell - 2, y + cell // 2 - 2), (grey, grey, 255))
            pen.text((left + j * cell + 14, y + 6), f"{value:+.2f}", "black", font)
    return sheet


DRAWN: dict[str, Callable[[Components], Image.Image]] = {
    made.__name__: made for made in (autoencoder, noising, denoising, conditioning, guidance, words)
}


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(DRAWN), help=f"of {', '.join(DRAWN)}; all if none is named")
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures")
    given = parser.parse_args(arguments)
    base = load(given.model)
    given.out.mkdir(parents=True, exist_ok=True)
    for name in given.names:
        with base.inference():
            DRAWN[name](base).save(given.out / f"{name}.png", optimize=True)
        print(given.out / f"{name}.png")


if __name__ == "__main__":
    main()
