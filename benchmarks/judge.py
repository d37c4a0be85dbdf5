"""The judge: reads the attributes and the landmarks of a portrait, to say whether a base obeys and a subject is met.

A measuring tool of its own architecture and its own training: it shares nothing with what it measures. It is trained on
drawn pictures, on their round trips through the autoencoder, on blurred ones, and on some whose eye, nose or mouth has
been wiped out, so that it can say that a part of a face is missing.

    python -m benchmarks.judge          trains it (about 25 minutes on one core) and prints its accuracy

Needs the work folder of ``python -m avatar_exp.tiny.pretrain`` (its first two parts) and leaves the judge there.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from avatar_exp.tiny import world
from avatar_exp.tiny.bench import Bench, Settings, write_json
from avatar_exp.tiny.fitting import Trained, fit, generator_of
from avatar_exp.tiny.pictures import (
    HELD_OUT_FIRST,
    SCENES,
    SIZE,
    Pictures,
    held_out_pictures,
    to_floats,
    training_pictures,
)

READ = (
    "background", "hair", "hair_color", "skin", "glasses", "beard", "eyes", "face", "freckles", "earrings", "lips",
    "clothes", "clothes_color", "hat", "style", "expression",
)  # fmt: skip
VALUES: Mapping[str, Sequence[str]] = {name: list((world.PERSON | world.SCENE)[name]) for name in READ}
PARTS = ("left_eye", "right_eye", "nose", "mouth")
ROUND_TRIPS = 8000
AVERAGE: dict[str, Any] = dict.fromkeys(world.PROPORTIONS, 0.0)
MIDDLE = replace(world.identity(0), face="oval", **AVERAGE)
NEAR = 5.0  # pixels
NEVER = -100  # what cross_entropy ignores
SETTINGS = Settings(steps=2200, batch=64, lr=2e-3, muon_lr=5e-3, ema=0.99)


class Block(nn.Module):
    """Halve the resolution, then one residual convolution."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(before, after, 3, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU())
        self.more = nn.Sequential(nn.Conv2d(after, after, 3, 1, 1, bias=False), nn.BatchNorm2d(after))

    def forward(self, x: Tensor) -> Tensor:
        """[B, before, H, W] to [B, after, H/2, W/2]."""
        x = self.down(x)
        return F.relu(x + self.more(x))


class Judge(nn.Module):
    """A small residual network; every attribute has a map of its own that says where to look."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Sequential(
            nn.Conv2d(3, 32, 5, 2, 2, bias=False), nn.BatchNorm2d(32), nn.ReLU(), Block(32, 64), Block(64, 128)
        )
        self.coarse = nn.Sequential(Block(128, 192), nn.Conv2d(192, 128, 1))
        self.where = nn.Conv2d(128, len(READ) + len(PARTS), 1)
        self.says = nn.ModuleDict({name: nn.Linear(128, len(VALUES[name])) for name in READ})
        self.there = nn.ModuleDict({name: nn.Linear(128, 1) for name in PARTS})

    def forward(self, pictures: Tensor) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """[B, 3, 128, 128] in [-1, 1] to logits per attribute, landmarks [B, 4, 2] in [0, 1], their logits [B, 4]."""
        fine = self.fine(pictures)
        seen = fine + F.interpolate(self.coarse(fine), scale_factor=2.0, mode="bilinear")
        maps = self.where(F.relu(seen)).float().flatten(2).softmax(-1)  # [B, attributes and parts, 256]
        looked = torch.einsum("bap,bcp->bac", maps, F.relu(seen).float().flatten(2))
        side = seen.shape[-1]
        middles = (torch.arange(side, device=seen.device) + 0.5) / side
        places = torch.stack([middles.repeat(side), middles.repeat_interleave(side)], dim=1)  # x, y
        says = {name: self.says[name](looked[:, i]) for i, name in enumerate(READ)}
        there = torch.cat([self.there[name](looked[:, len(READ) + i]) for i, name in enumerate(PARTS)], dim=1)
        return says, maps[:, len(READ) :] @ places, there


@dataclass(frozen=True)
class Truth:
    """What is true of N pictures: labels [N] per attribute (NEVER where it cannot be seen), landmarks [N, 4, 2]."""

    labels: dict[str, Tensor]
    landmarks: Tensor

    @classmethod
    def of(cls, first_person: int, count: int) -> "Truth":
        """Of ``count`` pictures as ``avatar_exp.tiny.pictures`` draws them from a person's number on."""
        found: dict[str, list[int]] = {name: [] for name in READ}
        points = []
        for row in range(count):
            person = world.identity(first_person + row // SCENES)
            place = world.scene(first_person * SCENES + row)
            facts = world.attributes(person, place)
            for name in READ:
                found[name].append(VALUES[name].index(facts[name]) if visible(name, facts) else NEVER)
            points.append([world.landmarks(person, place)[part] for part in PARTS])
        return cls({name: torch.tensor(values) for name, values in found.items()}, torch.tensor(points))


def visible(name: str, facts: Mapping[str, str]) -> bool:
    """Whether an attribute can be read off a picture: no colours in a sketch, no hair style under a hat."""
    if name in ("style", "hat"):
        return True
    if facts["style"] != "photo" or (name == "hair" and facts["hat"] != "none"):
        return False
    return name != "hair_color" or facts["hair"] != "bald"


def wiped(pictures: Tensor, landmarks: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Pictures with one part of each face smeared or overpainted, and [B, 4] what is still there (0 or 1)."""
    count = len(pictures)
    part = torch.randint(len(PARTS), (count,), generator=generator)
    middle = landmarks[torch.arange(count), part]
    unit = (landmarks[:, 1] - landmarks[:, 0]).norm(dim=1)  # from eye to eye
    radius = unit * (0.38 + 0.15 * torch.rand(count, generator=generator))
    axis = (torch.arange(SIZE) + 0.5) / SIZE
    across, down = axis[None, None] - middle[:, 0, None, None], axis[None, :, None] - middle[:, 1, None, None]
    away = across.square() + down.square()
    mask = ((radius[:, None, None] - away.sqrt()) * 24 + 0.5).clamp(0, 1)[:, None]
    soft = F.avg_pool2d(F.pad(pictures, (10,) * 4, mode="replicate"), 21, 1)
    cheek = (landmarks.mean(1) + torch.stack([0.55 * unit, 0.1 * unit], 1)).clamp(0, 0.99)
    column, row = (cheek * SIZE).long().unbind(1)
    skin = pictures[torch.arange(count), :, row, column][:, :, None, None].expand_as(pictures)
    cover = torch.where((torch.rand(count, generator=generator) < 0.5)[:, None, None, None], soft, skin)
    return pictures * (1 - mask) + cover * mask, 1 - F.one_hot(part, len(PARTS)).float()


def blurred(pictures: Tensor) -> Tensor:
    """As soft as what an autoencoder makes."""
    return F.interpolate(F.avg_pool2d(pictures, 2), scale_factor=2.0, mode="bilinear")


class Judging(Trained):
    """Learn to read: a half of each batch are round trips, a quarter is drawn, a quarter is drawn and blurred."""

    def __init__(self, pictures: Pictures, trips: np.ndarray[Any, Any], truth: Truth) -> None:
        super().__init__(Judge(), SETTINGS)
        self.pictures, self.trips, self.truth = pictures, trips, truth

    def loss(self, step: int) -> Tensor:
        """Cross-entropies, the distance of landmarks, and whether the parts are there."""
        draws, quarter = generator_of(step, "photo"), self.settings.batch // 4
        far = torch.randint(len(self.pictures), (2 * quarter,), generator=draws)
        near = torch.randint(len(self.trips), (2 * quarter,), generator=draws)
        drawn = self.pictures.floats(far.tolist())
        batch = torch.cat([drawn[:quarter], blurred(drawn[quarter:]), to_floats(self.trips[near.numpy()])])
        rows = torch.cat([far, near])
        landmarks = self.truth.landmarks[rows]
        spoilt = torch.rand(len(rows), generator=draws) < 0.3
        there = torch.ones(len(rows), len(PARTS))
        batch[spoilt], there[spoilt] = wiped(batch[spoilt], landmarks[spoilt], draws)
        says, found, there_logits = self.model(batch.to(self.device))
        there = there.to(self.device)
        loss = F.binary_cross_entropy_with_logits(there_logits.float(), there)
        for name, logits in says.items():
            labels = self.truth.labels[name][rows].masked_fill(spoilt, NEVER)
            loss = loss + F.cross_entropy(logits.float(), labels.to(self.device))
        away: Tensor = ((found - landmarks.to(self.device)).abs() * there[..., None]).mean()
        return loss + 20 * away


@torch.no_grad()
def round_trips(bench: Bench, pictures: Pictures, count: int, file: str) -> np.ndarray[Any, Any]:
    """[count, 128, 128, 3] uint8: the first pictures, encoded and decoded; kept in the work folder."""
    from avatar_exp.tiny.autoencoder import load_autoencoder

    path = bench.folder / file
    if not path.exists():
        model = load_autoencoder(bench)
        made = []
        for start in range(0, count, 32):
            latents = model.encode(pictures.floats(slice(start, min(start + 32, count)))).latent_dist.mode()
            decoded = model.decode(latents).sample.clamp(-1, 1)
            made.append(((decoded + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy())
        np.save(path, np.concatenate(made))
    found: np.ndarray[Any, Any] = np.load(path)
    return found


@torch.no_grad()
def accuracy(judge: Judge, pictures: Tensor, truth: Truth) -> dict[str, float]:
    """Shares of right readings per attribute, where it can be seen, and of parts; landmarks: mean pixels off."""
    parts = [judge(pictures[i : i + 64]) for i in range(0, len(pictures), 64)]
    figures = {}
    for name in READ:
        labels = truth.labels[name]
        said = torch.cat([says[name].argmax(1) for says, _, _ in parts])
        figures[name] = float((said == labels)[labels != NEVER].float().mean())
    found = torch.cat([points for _, points, _ in parts])
    figures["landmark_pixels"] = float((found - truth.landmarks).norm(dim=-1).mean()) * SIZE
    spoilt, there = wiped(pictures, truth.landmarks, torch.Generator().manual_seed(0))
    logits = torch.cat([judge(spoilt[i : i + 64])[2] for i in range(0, len(pictures), 64)])
    figures["parts_there"] = float(((logits > 0) == (there > 0.5)).float().mean())
    figures["nothing_missing"] = float((torch.cat([logits for _, _, logits in parts]) > 0).all(1).float().mean())
    return figures


def load_judge(work: Path) -> Judge:
    """The judge that was trained into a work folder.

    Raises:
        FileNotFoundError: before ``python -m benchmarks.judge`` has run.
    """
    judge = Judge()
    judge.load_state_dict(torch.load(work / "judge" / "judge.pt", weights_only=True))
    return judge.eval()


@torch.no_grad()
def readings(judge: Judge, pictures: Sequence[Image.Image]) -> tuple[dict[str, list[str]], list[bool]]:
    """What the judge reads: a value of every attribute for each picture, and whether each face is whole."""
    parts = [judge(to_floats(np.stack([np.asarray(picture)]))) for picture in pictures]
    said = {name: [VALUES[name][int(says[name].argmax())] for says, _, _ in parts] for name in READ}
    return said, [bool((there > 0).all()) and consistent(points[0]) for _, points, there in parts]


def consistent(landmarks: Tensor) -> bool:
    """Whether eyes, nose and mouth are where one face would have them: each within 5 px of the nearest upright face.

    That face is the middle one of the world, moved, turned and scaled (least squares); its size must occur.

    Args:
        landmarks: [4, 2] in [0, 1].
    """
    middle = [world.landmarks(MIDDLE, world.scene(0, tilt=0.0, x=0.5, y=0.5, scale=0.5))[part] for part in PARTS]
    template = torch.view_as_complex(torch.tensor(middle) - 0.5)
    found = torch.view_as_complex(landmarks.contiguous())
    spread = template - template.mean()
    turn = (spread.conj() * (found - found.mean())).sum() / spread.abs().square().sum()
    away = (found - found.mean() - turn * spread).abs() * SIZE
    return bool(away.max() <= NEAR and 0.7 < turn.abs() < 1.5 and turn.angle().abs() < 0.35)


def main() -> None:
    """Train, or go on training, and measure on held-out round trips."""
    from avatar_exp.tiny import pretrain

    parser = argparse.ArgumentParser(prog="python -m benchmarks.judge", description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("pretrain"), help="the work folder of the pretraining")
    parser.add_argument("--weights", type=Path, default=Path(pretrain.__file__).parent / "weights")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    bench = Bench("judge", SETTINGS, given.work, given.weights)
    pictures, held_out = training_pictures(given.work), held_out_pictures(given.work)
    trips = round_trips(bench, pictures, min(ROUND_TRIPS, len(pictures)), "training.npy")
    module = Judging(pictures, trips, Truth.of(0, len(pictures)))
    figures = fit(bench, module)
    judge = module.averaged.eval()
    torch.save(judge.state_dict(), bench.folder / "judge.pt")
    seen = to_floats(round_trips(bench, held_out, len(held_out), "held_out.npy"))
    figures |= accuracy(judge, seen, Truth.of(HELD_OUT_FIRST, len(held_out)))
    write_json(bench.folder / "figures.json", figures)
    for name, value in figures.items():
        print(f"{name:<16} {value:.3f}")


if __name__ == "__main__":
    main()
