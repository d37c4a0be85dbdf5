"""What a subject's pictures are measured against."""

from io import BytesIO

import torch
from PIL import Image, ImageEnhance

from avatar_exp.scoring.embedders import Embedder
from avatar_exp.scoring.scorer import Drawn, Scorer
from avatar_exp.tiny import world


def saved(picture):
    """As a phone passes it on."""
    file = BytesIO()
    picture.resize((200, 200)).save(file, "JPEG", quality=60)
    return Image.open(file)


def test_a_photo_passed_on_is_a_copy_and_the_same_person_elsewhere_is_none():
    photos = [photo for photo, _, _ in world.album(5, 6, 256)]
    again = [saved(photos[2]), ImageEnhance.Brightness(photos[4]).enhance(0.9)]
    others = [photo for photo, _, _ in world.album(6, 2, 256)]
    by = Scorer(Embedder("tiny/identity", torch.device("cpu")), None)
    found = by.against([*photos, *again], [], Drawn(others, [0, 1]), ["a", "b"]).identity
    assert list(found.learnt_groups) == [0, 1, 2, 3, 4, 5, 2, 4]
