"""Part 6: the posterior (mean and log-variance) of every picture, computed once for the UNet."""

import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from avatar_exp.tiny.autoencoder import LATENT_CHANNELS, load_autoencoder
from avatar_exp.tiny.bench import Bench, Figures
from avatar_exp.tiny.pictures import SIZE, held_out_pictures, training_pictures


def load_moments(work: Path, which: str) -> Tensor:
    """[N, 16, 16, 16] fp16: 8 channels of means, 8 of log-variances, unscaled; ``training`` or ``held_out``."""
    return torch.from_numpy(np.load(work / "latents" / f"{which}.npy"))


@torch.no_grad()
def run(bench: Bench) -> Figures:
    """Encode both sets of pictures (a few minutes; begins anew when interrupted)."""
    model = load_autoencoder(bench)
    count = 0
    sets = {"held_out": held_out_pictures(bench.work), "training": training_pictures(bench.work)}
    for which, pictures in sets.items():
        moments = np.empty((len(pictures), 2 * LATENT_CHANNELS, SIZE // 8, SIZE // 8), np.float16)
        said = time.perf_counter()
        for i in range(0, len(pictures), bench.settings.batch):
            here = slice(i, i + bench.settings.batch)
            with torch.autocast("cpu", torch.bfloat16):  # as it was trained; twice as fast
                found = model.encode(pictures.floats(here)).latent_dist.parameters
            moments[here] = found.float().numpy()
            if time.perf_counter() - said > 30:
                said = time.perf_counter()
                print(f"latents     {i}/{len(pictures)} pictures", flush=True)
        np.save(bench.folder / f"{which}.npy", moments)
        count += len(pictures)
    return {"pictures": count}
