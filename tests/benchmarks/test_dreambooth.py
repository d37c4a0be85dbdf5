from xml.etree import ElementTree

import pytest

from avatar_exp.tiny import world
from avatar_exp.tiny.weights_card import dreambooth
from avatar_exp.tiny.wording import PLACES
from benchmarks.curve import drawing, points
from benchmarks.dreambooth import DEVELOPMENT, TEST
from benchmarks.subject import ASKED_FOR, NAME, OF_A_PERSON, corrected, row


def test_prompts_ask_for_four_places_and_for_clothes():
    asked = {kind: list(prompts()) for kind, prompts in ASKED_FOR.items()}
    assert {kind: len(prompts) for kind, prompts in asked.items()} == {"backgrounds": 64, "clothes color": 16}
    pairs = [pair for prompts in asked.values() for pair in prompts]
    assert all(value in text or PLACES.get(value, "-") in text for text, value in pairs)


def test_chance_is_taken_off():
    assert corrected(1.0, 0.3) == 1.0
    assert corrected(0.3, 0.3) == 0.0
    assert abs(corrected(0.65, 0.3) - 0.5) < 1e-9
    person = world.identity(7)
    rates = {name: {getattr(person, name): 0.25} for name in OF_A_PERSON}
    line = row(
        person, {"step": 3, "attributes": dict.fromkeys(OF_A_PERSON, 0.7) | {"eyes": 0.4}, "likeness": 0.5}, rates
    )
    assert (line["person"], line["worst"]) == (7, "eyes")
    assert line["worst corrected"] == pytest.approx(0.2)
    assert line["corrected"] == pytest.approx(((0.7 * 6 + 0.4) / 7 - 0.25) / 0.75)
    assert NAME.isalpha()


def found(steps):
    """What --test finds: one line a step of two people."""
    lines = [
        {"person": 900001 + n, "step": step, "corrected": 0.6 + 0.2 * n, "worst": "lips", "worst corrected": 0.5,
         "whole faces": 1.0, "backgrounds": 0.8, "clothes color": 0.4, "likeness": step / 400, "drift": 0.1}
        for n in range(2) for step in steps
    ]  # fmt: skip
    base = {"backgrounds": 1.0, "clothes color": 0.5}
    settings = {"default": lines, "fast-and-long": lines, "fast-no-prior": lines}
    told = {"people": TEST, "development": DEVELOPMENT, "samples": 32, "attributes": OF_A_PERSON, "steps": 200}
    return {**told, "fast": 4.0, "base": base, "settings": settings}


def test_the_card_has_a_line_for_each_person_and_the_means_of_each_setting():
    text = dreambooth(found([200]))
    assert "| 900002 | 0.80 | lips 0.50 | 0.80 | 0.40 | 1.00 |" in text
    assert "| learning rate x 4, no prior preservation | 200 | 0.70 | 0.50 | 0.80 | 0.40 | 0.10 |" in text
    assert "{" not in text.replace("{subject}", "")


def test_the_curve_begins_at_the_base_and_is_a_picture():
    curves = points(found([100, 400]))
    assert curves["likeness"] == [(0, 0.0), (100, 0.25), (400, 1.0)]
    assert curves["obedience"] == [(0, 0.75), (100, pytest.approx(0.6)), (400, pytest.approx(0.6))]
    picture = ElementTree.fromstring(drawing(curves))
    assert len(picture.findall(".//{*}path[@stroke-width]")) == 3


def test_no_person_is_both_tuned_on_and_tested_on():
    assert not set(DEVELOPMENT) & set(TEST)
