"""What the built-in base is worth, by the judge: does it obey its captions, are its faces whole, how far off is it?

    python -m benchmarks.base           prints a table; pictures and figures into the work folder, under judged/;
                                        of the built-in base also into its card

Needs ``python -m benchmarks.judge`` before. Half a minute on 2 cores.
"""

import argparse
import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from avatar_exp.config.sampler import sampler_of_model
from avatar_exp.data.photos import to_image
from avatar_exp.models.components import Components
from avatar_exp.models.load import load
from avatar_exp.models.locate import tiny_folder
from avatar_exp.pictures import grid
from avatar_exp.sampling import Request, sample
from avatar_exp.scoring.embedders import Embedder
from avatar_exp.scoring.functional import cosines
from avatar_exp.tiny import world
from avatar_exp.tiny.bench import write_json
from avatar_exp.tiny.pictures import to_floats
from avatar_exp.tiny.weights_card import card
from avatar_exp.tiny.wording import PLACES
from benchmarks.judge import Judge, load_judge, readings
from benchmarks.markdown import head, row

COUNT = 64
SAMPLER = sampler_of_model("tiny") | {"num_inference_steps": 24}  # the card's, whatever a run draws with
FIRST = 600_000  # people that neither the base nor the judge has seen
REFERENCE = 256
TOLD = ("background", "hair_color", "hair", "glasses", "clothes_color", "skin")
TARGETS = dict(zip(TOLD, (0.90, 0.80, 0.80, 0.85, 0.80, 0.80), strict=True)) | {"whole faces": 0.85}


def cases(first: int, count: int) -> list[tuple[world.Identity, world.Scene]]:
    """People on photos without a hat, which would hide the hair."""
    return [(world.identity(n), world.scene(n * 4, style="photo", hat="none")) for n in range(first, first + count)]


def full_caption(person: world.Identity, place: world.Scene) -> str:
    """The first of a picture's captions that tells everything asked for here."""
    facts = [f"{person.skin} skin", place.clothes_color, PLACES[place.background]]
    facts += ["bald"] if person.hair == "bald" else [person.hair_color]
    facts += [f"{person.glasses} glasses"] if person.glasses != "none" else []
    captions = (world.caption(person, place, seed) for seed in itertools.count())
    return next(text for text in captions if all(fact in text for fact in facts) and " person with " in f" {text}")


def obedience(
    judge: Judge, pictures: Sequence[Image.Image], told: Sequence[tuple[world.Identity, world.Scene]]
) -> dict[str, float]:
    """Shares of pictures that have what their caption says, and of whole faces."""
    said, whole = readings(judge, pictures)
    figures = {}
    for name in TOLD:
        truth = [world.attributes(*case) for case in told]
        right = [
            a == b[name] for a, b in zip(said[name], truth, strict=True) if name != "hair_color" or b["hair"] != "bald"
        ]
        figures[name] = sum(right) / len(right)
    return figures | {"whole faces": sum(whole) / len(whole)}


def kernel_distance(found: Tensor, wanted: Tensor) -> float:
    """Unbiased squared MMD with the cubic kernel of KID (Binkowski et al. 2018, section 4) of the cosines, times 1000.

    Args:
        found: [N, D] features.
        wanted: [M, D] features.
    """

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return (cosines(a, b) + 1) ** 3

    def within(a: Tensor) -> Tensor:
        products = kernel(a, a)
        return (products.sum() - products.diagonal().sum()) / (len(a) * (len(a) - 1))

    return 1000 * float(within(found) + within(wanted) - 2 * kernel(found, wanted).mean())


@torch.no_grad()
def round_trip(base: Components, pictures: Sequence[Image.Image]) -> list[Image.Image]:
    """Each picture through the autoencoder."""
    import numpy as np

    found = []
    for picture in pictures:
        latents = base.vae.encode(to_floats(np.asarray(picture)[None])).latent_dist.mode()
        found.append(to_image(base.vae.decode(latents).sample[0]))
    return found


def write_card(name: str, found: Mapping[str, Any]) -> None:
    """The figures beside the weights, and into their README."""
    weights = tiny_folder()
    write_json(weights / f"{name}.json", found)
    (weights / "README.md").write_text(card(json.loads((weights / "pretrain.json").read_text()), weights))


def main() -> None:
    """Draw, judge, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.base", description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("pretrain"))
    parser.add_argument("--base", default="tiny", help="tiny, or a diffusers folder with clip/ and identity/")
    parser.add_argument("--guidance", type=float, default=SAMPLER["guidance_scale"])
    parser.add_argument("--scheduler", default=SAMPLER["scheduler"])
    parser.add_argument("--steps", type=int, default=SAMPLER["num_inference_steps"])
    given = parser.parse_args()
    judge, base, told = load_judge(given.work), load(given.base), cases(FIRST, COUNT)
    side = base.resolution
    sampler = {
        **SAMPLER,
        "guidance_scale": given.guidance,
        "scheduler": given.scheduler,
        "num_inference_steps": given.steps,
    }
    requests = [
        Request(full_caption(*case), seed, height=side, width=side, **sampler) for seed, case in enumerate(told)
    ]
    pictures = [picture for picture, _ in sample(base, requests, batch_size=16)]
    drawn = [world.portrait(*case, size=side) for case in told]
    figures = obedience(judge, pictures, told)
    ceiling = obedience(judge, round_trip(base, drawn), told)
    embed = Embedder(f"{given.base}/clip", torch.device("cpu"))
    reference = embed([world.portrait(*case, size=side) for case in cases(FIRST + COUNT, REFERENCE)])
    figures["kernel distance"] = kernel_distance(embed(pictures), reference)
    ceiling["kernel distance"] = kernel_distance(embed(round_trip(base, drawn)), reference)
    out = given.work / "judged"
    out.mkdir(parents=True, exist_ok=True)
    judge_is = json.loads((given.work / "judge" / "figures.json").read_text())
    found = {
        "count": COUNT,
        "sampler": f"{sampler['num_inference_steps']} {given.scheduler} steps, guidance {given.guidance:g}",
        "right": {name: judge_is[name] for name in TOLD},
        "reference": REFERENCE,
        "targets": TARGETS,
        "samples": figures,
        "round trips": ceiling,
    }
    rows = [pictures[i : i + 8] for i in range(0, COUNT, 8)]
    grid(rows, [""] * len(rows), [], cell=side).save(out / "samples.png")
    write_json(out / "base.json", found)
    if given.base == "tiny" and sampler == SAMPLER:
        write_card("judged", found)
    (out / "captions.txt").write_text("\n".join(request.prompt for request in requests) + "\n")
    print(head(f"{COUNT} samples, {found['sampler']}", "measured", "target", "round trips"))
    for name, value in figures.items():
        print(row([name, f"{value:.2f}", TARGETS.get(name, ""), f"{ceiling[name]:.2f}"]))


if __name__ == "__main__":
    main()
