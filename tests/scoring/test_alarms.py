"""Each alarm: when it is raised, when it stays quiet, and what it shows."""

import math

import pytest

from avatar_exp.scoring.alarms import HINTS, Standing, alarms, stopped

PHOTOS = [f"{number:02d}.png" for number in range(12)]
HEALTHY = Standing(100, 0.9, 0.1, 0.05, 0.05, (None,) * 15 + (3,), 2, 1)


def kinds(**changes):
    return [alarm.kind for alarm in alarms(Standing(**{**vars(HEALTHY), **changes}), PHOTOS, 0.2)]


def test_a_healthy_step_is_quiet():
    assert kinds() == []
    assert alarms(Standing(100), PHOTOS, 0.2) == []  # nothing could be measured


def test_the_base_is_never_wrong():
    assert kinds(step=0, drift=1.0, obedience=0.0, copies=(1,) * 16) == []


@pytest.mark.parametrize(
    ("drift", "error", "raised"),
    [
        (0.6, 0.1, True),
        (0.5, 0.1, False),
        (0.5, 0.3, False),
        (0.15, 0.01, False),
        (0.5, math.nan, False),
        (math.nan, 0.1, False),
    ],
)
def test_drift_must_be_large_and_sure(drift, error, raised):
    assert kinds(drift=drift, drift_error=error) == ["drift"] * raised


@pytest.mark.parametrize(
    ("obedience", "error", "raised"),
    [(0.3, 0.1, True), (0.3, 0.5, False), (0.6, 0.01, False), (math.nan, math.nan, False)],
)
def test_prompts_are_ignored_when_surely_half_their_hold_is_gone(obedience, error, raised):
    assert kinds(obedience=obedience, obedience_error=error) == ["ignored"] * raised


def test_copies_name_the_photo_and_show_the_first_copy():
    copied = (None,) * 10 + (7, 7, 7, 7, 7, 2)
    (alarm,) = alarms(Standing(300, copies=copied), PHOTOS, 0.2)
    assert (alarm.step, alarm.kind, alarm.picture) == (300, "copies", 10)
    assert alarm.photo == "07.png"
    text = "6 of 16 pictures are near-copies of photos, 5 of them of 07.png: train shorter, or add photos"
    assert alarm.text == text
    (alarm,) = alarms(Standing(300, copies=(None,) * 10 + (7,) * 6), PHOTOS, 0.2)
    assert "all of them of 07.png" in alarm.text
    assert kinds(copies=(None,) * 12 + (7,) * 4) == []  # a quarter is not more than a quarter
    assert kinds(copies=(None,) * 9 + (1, 2, 3, 4, 5, 6, 7)) == []  # of many photos a few each, by chance
    assert kinds(copies=(None,) * 4 + (1, 2, 3, 4) * 3) == ["copies"]


def test_an_alarm_shows_the_picture_it_is_about():
    (drift,) = alarms(Standing(9, drift=0.9, drift_error=0.1, most_drifted=3), PHOTOS, 0.2)
    (ignored,) = alarms(Standing(9, obedience=0.0, obedience_error=0.1, least_obedient=5), PHOTOS, 0.2)
    assert (drift.picture, ignored.picture) == (3, 5)


def test_an_alarm_says_how_bad_it_is_and_what_to_do():
    (drift,) = alarms(Standing(9, drift=0.9, drift_error=0.1), PHOTOS, 0.2)
    (ignored,) = alarms(Standing(9, obedience=0.35, obedience_error=0.1), PHOTOS, 0.2)
    assert "drift 0.90, at most 0.2 is fine: an earlier step, or more prior pictures" in drift.text
    assert ignored.text == "prompts hold 35 % as well as with the base: an earlier step, or a lower learning rate"
    (ignored,) = alarms(Standing(9, obedience=-0.1, obedience_error=0.1), PHOTOS, 0.2)
    assert "hold 0 %" in ignored.text


def test_likeness_has_stopped_when_twice_the_steps_bring_no_more():
    risen = {0: (0.0, 0.1), 100: (0.5, 0.05), 200: (0.7, 0.05)}
    assert stopped(risen) is None
    assert stopped({**risen, 300: (0.72, 0.05)}) is None  # not yet twice as long
    alarm = stopped({**risen, 300: (0.74, 0.05), 400: (0.72, 0.05)})
    assert alarm is not None
    assert (alarm.step, alarm.kind, "step 200" in alarm.text) == (400, "stopped", True)
    assert alarm.kind in HINTS
    assert stopped({**risen, 300: (0.72, 0.05), 400: (0.74, 0.05)}) is None  # the newest is the best
    assert stopped({**risen, 300: (0.72, 0.05), 400: (0.8, 0.05)}) is None


def test_nothing_scored_is_no_standstill():
    assert stopped({}) is None
    assert stopped({0: (0.0, 0.1)}) is None
    assert stopped({0: (0.5, 0.1), 100: (0.5, 0.1)}) is None
