import math

import pytest

from avatar_exp.scoring.choose import Candidate, front, prefers, reason


def best_of(values, errors=None, drifts=None, max_drift=0.2):
    incumbent = None
    for number, value in enumerate(values):
        error = math.nan if errors is None else errors[number]
        drift = math.nan if drifts is None else drifts[number]
        candidate = Candidate(number + 1, value, error, drift)
        if prefers(candidate, incumbent, max_drift):
            incumbent = candidate
    return incumbent.step


def test_the_highest_wins_and_a_tie_stays_with_the_earlier():
    assert best_of([0.3, 0.8, 0.8, 0.5]) == 2
    assert best_of([0.3, 0.7, 0.74, 0.75], errors=[0.05] * 4) == 2
    assert best_of([0.3, 0.7, 0.74, 0.76], errors=[0.05] * 4) == 4


def test_a_class_that_drifted_loses_however_high_the_score():
    assert best_of([0.3, 0.6, 0.9], drifts=[0.0, 0.1, 0.5]) == 2
    assert best_of([0.9, 0.6, 0.3], drifts=[0.5, 0.4, 0.1]) == 3


def test_drift_that_chance_may_have_made_is_none():
    assert not Candidate(1, 0.5, drift=0.3, drift_error=0.15).drifted(0.2)
    assert Candidate(1, 0.5, drift=0.3, drift_error=0.05).drifted(0.2)
    assert not Candidate(1, 0.5).drifted(0.2)


def test_where_every_step_has_drifted_the_least_drift_wins():
    assert best_of([0.9, 0.5, 0.7], drifts=[0.5, 0.3, 0.4]) == 2


def test_an_unknown_drift_is_no_drift():
    assert best_of([0.3, 0.6], drifts=[math.nan, math.nan]) == 2


CHOSEN = Candidate(4, 0.71, 0.04, 0.1)


@pytest.mark.parametrize(
    ("chosen", "later", "says"),
    [
        (CHOSEN, [], "choice 0.710 ± 0.040"),
        (Candidate(8, 0.71), [Candidate(9, 0.71)], "choice 0.710; no later step scores higher"),
        (
            CHOSEN,
            [Candidate(6, 0.789, 0.141), Candidate(8, 0.75, 0.1)],
            "choice 0.710 ± 0.040; step 6 scores 0.789 ± 0.141, so it is not surely better",
        ),
        (
            CHOSEN,
            [Candidate(8, 0.9, 0.01, 0.5)],
            "choice 0.710 ± 0.040; step 8 scores 0.900 ± 0.010, but its class drifted (0.50)",
        ),
        (
            Candidate(4, 0.71, 0.04, 0.9),
            [Candidate(6, 0.8, 0.01, 0.95)],
            "the class drifted at every step (0.90 here, more than 0.2): the least drift",
        ),
    ],
)
def test_the_reason_says_what_counted(chosen, later, says):
    assert reason(chosen, later, "score/choice", 0.2) == says


def test_the_front_holds_what_nothing_beats_in_both():
    points = {1: (0.1, 0.9), 2: (0.5, 0.8), 3: (0.4, 0.7), 4: (0.9, 0.2), 5: (0.9, 0.1)}
    scores = {step: {"a": a, "b": b} for step, (a, b) in points.items()} | {6: {"a": 1.0}}
    assert front(scores, "a", "b") == [1, 2, 4]
