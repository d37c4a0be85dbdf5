"""Where light and colour lie in a picture: what a copy of a photo has in common with it in any case.

An embedder takes what it has never seen, such as noise, for something near by: pictures of weights that are destroyed
may lie nearer to a photo, in CLIP, than photos to each other. They do not look like it.
"""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from avatar_exp.scoring.functional import cosines

SIDE = 16
LEAST_COMMON = 0.5  # of drawn people: what is learnt by heart has 0.6 to 1, noise at most 0.15


def thumbnails(images: Sequence[Image.Image]) -> Tensor:
    """[N, 768]: 16 x 16 spots in red, green and blue, each colour without its mean."""
    small = [np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)) for image in images]
    spots = torch.from_numpy(np.stack(small)).double()
    return (spots - spots.mean(dim=(1, 2), keepdim=True)).flatten(1)


def in_common(pictures: Tensor, photos: Tensor) -> Tensor:
    """[N, M]: the correlation of thumbnails [N, D] with [M, D], or with their mirror images if that is more; [-1, 1].

    Photos may have been trained on mirrored (``data.flip``).
    """
    mirrored = photos.reshape(-1, SIDE, SIDE, 3).flip(2).flatten(1)
    return torch.maximum(cosines(pictures, photos), cosines(pictures, mirrored))
