"""The drawn world: pure in its seeds, true in its words, steady at every size."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from avatar_exp.tiny import clothing, faces, hair, world
from avatar_exp.tiny.backgrounds import PAINTERS, SKIES
from avatar_exp.tiny.wording import BARE, MOST_WORDS, PLACES

MADE_UP = re.compile(r"\ban? [a-z]{2,8} person\b")


def _pairs(count: int) -> list[tuple[world.Identity, world.Scene]]:
    return [(world.identity(i), world.scene(i)) for i in range(count)]


def test_people_and_scenes_are_functions_of_their_seeds() -> None:
    assert world.identity(5) == world.identity(5)
    assert world.scene(5) == world.scene(5)
    assert len({replace(world.identity(i), seed=0) for i in range(500)}) == 500


def test_fixed_fields_override_drawn_ones_only() -> None:
    place = world.scene(3, background="beach", style="photo")
    assert (place.background, place.style) == ("beach", "photo")
    assert place == replace(world.scene(3), background="beach", style="photo")


def test_unknown_values_and_fields_are_refused() -> None:
    with pytest.raises(ValueError, match="moon"):
        world.scene(3, background="moon")
    with pytest.raises(TypeError):
        world.scene(3, weather="rain")


def test_every_value_can_be_drawn_and_said() -> None:
    drawable: dict[str, Collection[str]] = {
        "skin": faces.SKINS, "eyes": faces.EYES, "face": faces.SHAPES, "hair": hair.STYLES, "hair_color": hair.COLORS,
        "background": PAINTERS, "clothes": clothing.CLOTHES, "clothes_color": clothing.COLORS,
    }  # fmt: skip
    tables = world.PERSON | world.SCENE
    for name, table in drawable.items():
        assert set(tables[name]) == set(table), name
    assert set(world.SCENE["hat"]) == {"none", *clothing.HATS}
    assert SKIES.keys() == PLACES.keys() == PAINTERS.keys()


@pytest.mark.parametrize("hair_style", world.PERSON["hair"])
@pytest.mark.parametrize("hat", world.SCENE["hat"])
def test_every_hair_goes_with_every_hat_and_keeps_the_face_in_the_picture(hair_style: str, hat: str) -> None:
    person, place = replace(world.identity(1), hair=hair_style), world.scene(1, hat=hat, scale=0.6, style="photo")
    assert world.portrait(person, place, 32).size == (32, 32)
    left, top, right, bottom = world.face_box(person, place)
    assert 0 < left < right < 1
    assert 0 < top < bottom <= 1


@pytest.mark.parametrize("style", world.SCENE["style"])
def test_a_picture_is_the_same_every_time_and_alike_at_every_size(style: str) -> None:
    for seed in range(4):
        person, place = world.identity(seed), world.scene(seed, style=style)
        small, large = world.portrait(person, place, 128), world.portrait(person, place, 512)
        assert small.mode == "RGB"
        assert small.size == (128, 128)
        assert large.size == (512, 512)
        assert small.tobytes() == world.portrait(person, place, 128).tobytes()
        gap = np.abs(np.asarray(small, dtype=np.int16) - np.asarray(large.reduce(4), dtype=np.int16))
        assert gap.mean() < 6


def test_styles_and_lights_change_the_picture() -> None:
    person = world.identity(2)
    plain, *others = (
        np.asarray(
            world.portrait(person, world.scene(2, **({"light": "neutral", "style": "photo"} | change)), 64), np.int16
        )
        for change in ({}, {"style": "pencil sketch"}, {"style": "pop art"}, {"light": "warm"}, {"light": "cool"})
    )
    for other in others:
        assert np.abs(plain - other).mean() > 3


def test_captions_are_plain_short_and_in_the_vocabulary() -> None:
    words = set(world.vocabulary())
    for seed, (person, place) in enumerate(_pairs(2000)):
        text = world.caption(person, place, seed)
        assert re.fullmatch(r"[a-z]+,?( [a-z]+,?)*", text), text
        assert len(text.split()) <= MOST_WORDS
        known = MADE_UP.sub("a person", text)
        assert set(known.replace(",", "").split()) <= words, text
        if place.style != "photo":
            assert text.startswith(place.style)


def test_captions_are_sometimes_bare_and_sometimes_have_a_made_up_word() -> None:
    person, place = world.identity(1), world.scene(1, style="photo")
    texts = [world.caption(person, place, seed) for seed in range(3000)]
    bare = sum(text.endswith("person") for text in texts) / len(texts)
    made_up = sum(bool(MADE_UP.search(text)) for text in texts) / len(texts)
    assert BARE - 0.02 < bare < BARE + 0.06
    assert 0.09 < made_up < 0.15


def test_attributes_tell_everything_discrete() -> None:
    person, place = world.identity(1), world.scene(1)
    truth = world.attributes(person, place)
    assert truth.keys() == world.PERSON.keys() | world.SCENE.keys()
    assert truth["hair"] == person.hair
    assert truth["background"] == place.background


def test_landmarks_lie_in_the_face_and_turn_with_it() -> None:
    person = world.identity(4)
    for tilt in (-10.0, 0.0, 10.0):
        place = world.scene(4, tilt=tilt)
        left, top, right, bottom = world.face_box(person, place)
        parts = world.landmarks(person, place)
        assert all(left < x < right and top < y < bottom for x, y in parts.values())
        assert np.sign(parts["right_eye"][1] - parts["left_eye"][1]) == np.sign(tilt)


def test_an_album_shows_one_person_in_different_places() -> None:
    photos = list(world.album(7, 12, 32))
    assert [picture.size for picture, _, _ in photos] == [(32, 32)] * 12
    places = [place for _, _, place in photos]
    assert len({place.background for place in places}) == 12
    assert {place.style for place in places} == {"photo"}
    assert sum(place.hat != "none" for place in places) == 2
    assert places == [place for _, _, place in world.album(7, 12, 32)]


def test_the_command_writes_an_album_and_a_sheet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["world", "--out", str(tmp_path / "a"), "--count", "2", "--size", "32"])
    world.main()
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["00.png", "01.png", "boxes.csv"]
    lines = (tmp_path / "a" / "boxes.csv").read_text().splitlines()
    boxes = [world.face_box(world.identity(7), place) for _, _, place in world.album(7, 2, 32)]
    pixels = [",".join(str(round(edge * 32)) for edge in box) for box in boxes]
    assert lines == ["photo,left,top,right,bottom", f"00.png,{pixels[0]}", f"01.png,{pixels[1]}"]
    monkeypatch.setattr(sys, "argv", ["world", "--out", str(tmp_path / "s.png"), "--sheet", "4", "--size", "32"])
    world.main()
    assert Image.open(tmp_path / "s.png").size == (64, 64)
