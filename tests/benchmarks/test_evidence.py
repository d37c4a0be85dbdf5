import pytest

from benchmarks.dreambooth import DEVELOPMENT
from benchmarks.evidence import TEST, State, correlation, likeness_against_truth, regrets


def test_rank_correlation_is_spearmans():
    one, other = [0.1, 0.5, 0.3, 0.9, 0.2], [2.0, 1.0, 3.0, 9.0, 4.0]
    differences = [1 - 2, 4 - 1, 3 - 3, 5 - 5, 2 - 4]  # of the ranks, by hand
    assert correlation(one, other) == pytest.approx(1 - 6 * sum(d * d for d in differences) / (5 * (25 - 1)))
    assert correlation([1, 2, 2, 3], [10, 20, 20, 30]) == pytest.approx(1)


def state(step, likeness, attributes, backgrounds=1.0):
    return State(step, {"score/likeness": likeness}, attributes, attributes, backgrounds)


def test_a_score_that_only_knows_the_step_is_worth_nothing_once_steps_are_taken_off():
    people = {
        seed: [
            state(step, step / 400 + 0.01 * (seed * step % 7), 0.2 + step / 800 + 0.05 * ((seed + step) % 3))
            for step in (100, 200, 300, 400)
        ]
        for seed in range(6)
    }
    found = likeness_against_truth(people)
    assert found["within"] > 0.8
    assert abs(found["pooled"]) < 0.4  # what is left of it has nothing to do with the truth


def test_regret_is_what_the_oracle_has_more():
    found = [state(50, 0, 0.4), state(100, 0, 0.8), state(150, 0, 0.9, 0.7), state(200, 0, 1.0, 0.2)]
    assert regrets(found, 100) == {"chosen": 0.0, "last": pytest.approx(0.3), "half": 0.0}
    assert regrets(found, 150)["chosen"] == pytest.approx(0.1)


def test_nobody_is_tuned_on_and_tested_on():
    assert not set(TEST) & set(DEVELOPMENT)
    assert tuple(range(910001, 910009)) == TEST
