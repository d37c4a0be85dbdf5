"""Three figures of the weights that ship, frozen: they change with the weights, and with nothing else."""

import numpy as np
import pytest
import torch
from transformers import CLIPModel, CLIPProcessor

from avatar_exp.data.photos import to_tensor
from avatar_exp.models.load import load
from avatar_exp.models.locate import tiny_folder
from avatar_exp.sampling import Request, sample
from avatar_exp.tiny import world

PSNR = 29.99  # dB, of the eight portraits below
RIGHT = 14  # of the sixteen captions below
THUMBNAIL = bytes.fromhex(  # 8 x 8 grey levels, row by row
    "c3c3c1ab89b7c0c3c7c7c68261a3c8c4accc9ba1a291ccbe86a299a0a88bbba1"
    "6a80c9c6b1bc9a8cc0c7e6cdd5d7ced1fdf6cec8cfe8fbfbe29f8fb7b899c1fe"
)


@pytest.fixture(scope="module")
def base():
    return load("tiny")


def portraits(people, scenes):
    cases = [
        (world.identity(500_000 + n), world.scene(7 * n + k, style="photo"))
        for n in range(people)
        for k in range(scenes)
    ]
    return [(world.portrait(*case), world.caption(*case, seed=2)) for case in cases]


@torch.no_grad()
def test_the_autoencoder_keeps_what_it_is_shown(base):
    pixels = torch.stack([to_tensor(picture) for picture, _ in portraits(2, 4)])
    back = base.vae.decode(base.vae.encode(pixels).latent_dist.mode()).sample.clamp(-1, 1)
    error = ((back - pixels) / 2).square().mean((1, 2, 3))
    assert float((-10 * error.log10()).mean()) == pytest.approx(PSNR, abs=0.05)


@torch.no_grad()
def test_clip_ranks_captions():
    model, processor = (kind.from_pretrained(tiny_folder() / "clip") for kind in (CLIPModel, CLIPProcessor))
    pictures, captions = zip(*portraits(16, 1), strict=True)
    inputs = processor(text=list(captions), images=list(pictures), return_tensors="pt", padding=True)
    ranked = model(**inputs).logits_per_image.argmax(1)
    assert abs(int((ranked == torch.arange(16)).sum()) - RIGHT) <= 1


def test_one_picture_is_what_it_was(base):
    """An 8 x 8 thumbnail in grey: other processors round differently, other weights draw something else."""
    request = Request(
        "photo of person with red hair in the snow", seed=5, num_inference_steps=12, height=128, width=128
    )
    ((picture, _),) = sample(base, [request], batch_size=1)
    found = np.asarray(picture.convert("L").resize((8, 8), 4), dtype=int).flatten()
    assert np.abs(found - list(THUMBNAIL)).max() <= 8, bytes(found.tolist()).hex()
