"""The identity embedder sees heads, CLIP sees pictures, and what has no face is seen whole."""

import logging
import sys

import pytest
import torch
from PIL import Image

from avatar_exp.data.faces import cascade, find_faces, head
from avatar_exp.scoring.embedders import Embedder
from avatar_exp.scoring.of_faces import OfFaces
from avatar_exp.scoring.scorer import Drawn, scorer
from avatar_exp.tiny import world

CPU = torch.device("cpu")
FOUND = 91  # a drawn person whose face the cascade is sure of


def portrait(place: int = FOUND) -> Image.Image:
    return world.portrait(world.identity(FOUND), world.scene(place, style="photo", hat="none"), 128)


@pytest.fixture(scope="module")
def faces() -> list[Image.Image]:
    """Pictures of one person, whose face is found in each."""
    found = [image for image in map(portrait, range(30)) if find_faces(image)]
    assert len(found) >= 6
    return found[:6]


@pytest.fixture(scope="module")
def faceless() -> list[Image.Image]:
    return [Image.effect_noise((128, 128), 60 + n).convert("RGB") for n in range(2)]


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder("tiny/identity", CPU)


def test_of_a_picture_only_the_head_of_its_largest_face_is_seen(embedder, faces, faceless):
    one = faces[0]
    wide = Image.new("RGB", (400, 200), "grey")
    wide.paste(one, (20, 60))
    wide.paste(one.resize((190, 190)), (200, 5))
    largest = head(find_faces(wide)[0], *wide.size)
    assert largest[0] > 180
    got = OfFaces(embedder)([one, faceless[0], wide])
    wanted = embedder([one.crop(head(find_faces(one)[0], *one.size)), faceless[0], wide.crop(largest)])
    assert torch.equal(got, wanted)
    assert not torch.allclose(got[0], embedder([one])[0])


def test_a_picture_without_a_face_is_seen_whole(embedder, faceless):
    seen = OfFaces(embedder)
    assert torch.equal(seen(faceless), embedder(faceless))
    assert seen.found(faceless) == [False, False]


def test_it_says_in_which_pictures_it_saw_a_face(embedder, faces, faceless):
    seen = OfFaces(embedder)
    assert seen.found([faces[0], faceless[0], faces[1]]) == [True, False, True]
    assert seen.name == "tiny/identity of faces"


def test_pictures_of_the_same_bytes_in_another_shape_are_not_mixed_up(embedder):
    seen = OfFaces(embedder)
    tall, wide = (Image.frombytes("RGB", size, portrait().tobytes()) for size in ((64, 256), (256, 64)))
    assert seen.found([portrait(), tall, wide]) == [True, False, False]


def test_scores_of_faces_say_how_many_there_were(faces, faceless, caplog):
    caplog.set_level(logging.INFO, "avatar_exp")
    by = scorer("tiny/clip", "tiny/identity", "tiny", CPU, face_crop=True)
    whole = scorer("tiny/clip", "tiny/identity", "tiny", CPU)
    assert caplog.messages == [
        "scores: face_crop is on: tiny/identity sees a picture's largest face, or the whole if there is none"
    ]
    assert by.names == {"score/identity_clip": "tiny/clip", "score/identity": "tiny/identity of faces"}
    texts = ["photo of person", "photo of person in the snow"]
    strangers = [world.portrait(world.identity(n), world.scene(n), 128) for n in range(4)]
    base, subject = Drawn(strangers, [0, 0, 1, 1]), Drawn([faces[4], faceless[0], faces[5], faceless[1]], [0, 0, 1, 1])
    cropped, plain = (one.score(one.against(faces[:4], [], base, texts), subject) for one in (by, whole))
    assert cropped.scores["faces_found"] == 0.5
    assert cropped.pictures["faces_found"].tolist() == [1, 0, 1, 0]
    assert "faces_found" not in {*cropped.intervals, *cropped.errors, *plain.scores}
    assert set(cropped.scores) == {*plain.scores, "faces_found"}
    for name in ("identity_clip", "prompt", "obedience", "diversity", "memorisation"):
        assert cropped.scores[name] == plain.scores[name]
    assert cropped.scores["identity"] != plain.scores["identity"]


def test_photos_without_a_face_are_named(faces, faceless, caplog):
    by = scorer(None, "tiny/identity", "tiny", CPU, face_crop=True)
    assert by.without_face(["a.png", "b.png", "c.png"], [faceless[0], faces[0], faceless[1]]) == ["a.png", "c.png"]
    assert caplog.messages == ["scores: no face is found in 2 of 3 photos, which are compared whole: a.png, c.png"]
    assert by.without_face(["b.png"], faces[:1]) == []
    assert scorer(None, "tiny/identity", "tiny", CPU).without_face(["a.png"], faceless[:1]) is None


def test_without_opencv_whole_pictures_are_seen_and_it_is_said(monkeypatch, caplog, faces):
    cascade.cache_clear()
    monkeypatch.setitem(sys.modules, "cv2", None)
    by = scorer(None, "tiny/identity", "tiny", CPU, face_crop=True)
    cascade.cache_clear()
    assert isinstance(by.identity, Embedder)
    (said,) = caplog.messages
    assert said.startswith("scores: face_crop is off: finding faces needs OpenCV 4 (")
    assert "pip install 'opencv-python-headless>=4.10,<5'" in said
