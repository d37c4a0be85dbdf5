"""Paired differences against a computation of their own."""

import numpy as np
import pytest

from avatar_exp.report.pairs import MOST_FOR_ALL, differences, paired, picture_scores
from avatar_exp.report.runs import named, read_run
from avatar_exp.run_folder import read_lines

PROMPTS = tuple(f"prompt {n}" for n in range(12))


def by_hand(first, second, score):
    """Differences by (prompt, seed), and a bootstrap-t over prompts written anew."""
    rows = [
        {(row["prompt"], row["seed"]): row[score] for row in read_lines(run.picture_scores) if row["step"] == 20}
        for run in (first, second)
    ]
    table = {}
    for asked in rows[0]:
        table.setdefault(asked[0], []).append(rows[0][asked] - rows[1][asked])
    values = np.array([np.mean(one) for one in table.values()])  # prompts have as many pictures each
    mean, error = values.mean(), values.std(ddof=1) / len(values) ** 0.5
    draws = values[np.random.default_rng(1).integers(len(values), size=(40_000, len(values)))]
    t = (draws.mean(1) - mean) / (draws.std(1, ddof=1) / len(values) ** 0.5)
    low, high = np.quantile(t, [0.025, 0.975])
    return mean, mean - high * error, mean - low * error


def test_differences_are_those_of_the_same_prompts_and_seeds_at_the_best_steps(tmp_path, made):
    folders = [made(tmp_path / name, prompts=PROMPTS, seeds=3) for name in "ab"]
    found = {one.score: one for one in paired(named([one.path for one in folders]), 0)[0, 1]}
    assert set(found) == {"score/identity", "score/prompt"}
    for score, one in found.items():
        mean, low, high = by_hand(*folders, score)
        assert one.mean == pytest.approx(mean, abs=1e-9)
        assert (one.low, one.high) == pytest.approx((low, high), abs=0.12 * (high - low))
        assert (one.pictures, one.prompts) == (36, 12)


def test_only_what_both_have_is_compared(tmp_path, made):
    one = picture_scores(read_run(made(tmp_path / "a", prompts=("x", "y")).path, "a"))
    other = picture_scores(read_run(made(tmp_path / "b", prompts=("y", "z"), seeds=1).path, "b"))
    (first, *_) = differences(one, other)
    assert (first.pictures, first.prompts, first.low, first.high) == (1, 1, None, None)
    assert first.mean == one["y", 1337]["score/identity"] - other["y", 1337]["score/identity"]
    assert differences(one, {}) == []
    other["y", 1337] = {"score/prompt": 0.5}
    assert [found.score for found in differences(one, other)] == ["score/prompt"]


def test_of_many_runs_each_is_compared_with_the_best_only(tmp_path, made):
    runs = named([made(tmp_path / f"{n:02d}", steps=(0,)).path for n in range(MOST_FOR_ALL + 1)])
    assert len(paired(runs[:-1], 3)) == MOST_FOR_ALL * (MOST_FOR_ALL - 1) // 2
    assert sorted(paired(runs, 3)) == sorted((min(3, n), max(3, n)) for n in range(len(runs)) if n != 3)
    assert paired(runs, None) == {}
