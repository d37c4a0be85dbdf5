"""Means over seeds and their intervals against figures worked out by hand, and which runs are of one setting."""

import math

import pytest

from avatar_exp.report.over_seeds import differences, over_runs, over_seeds, seeded
from avatar_exp.report.page import write_comparison
from avatar_exp.report.runs import named
from avatar_exp.run_folder import RunFolder

# choice by learning rate and seed; likeness is half of it
CHOICE = {"1e-6": {1: 0.30, 2: 0.50, 3: 0.40}, "2e-6": {1: 0.52, 2: 0.61, 3: 0.58}, "4e-6": {2: 0.10, 3: 0.30}}
T_2, T_1 = 4.302653, 12.706205  # Student's t, 97.5 %, of 2 and of 1 degrees of freedom


@pytest.fixture
def one(tmp_path, made):
    """Makes a run with a seed and one score by which it is told."""

    def make(name, lr, seed, choice, drift=0.1, typed=(), **fields):
        scores = {"20": {"score/choice": choice, "score/likeness": choice / 2, "score/drift": drift}}
        folder = made(tmp_path / name, steps=(0, 20), lr=lr, scores=scores, best_step=20)
        folder.metrics.unlink()
        folder.update(seed=seed, overrides=["concept=hoanganh", f"lr={lr}", f"seed={seed}", *typed], **fields)
        return folder

    return make


@pytest.fixture
def runs(one, tmp_path):
    """Three settings, as ``seeds=3`` leaves them; the first seed of the last one has failed."""
    for lr, choices in CHOICE.items():
        for seed, choice in choices.items():
            one(f"{lr}_{seed}", lr, seed, choice)
    one("4e-6_1", "4e-6", 1, 0.9, status="failed")
    return named(sorted(path for path in tmp_path.iterdir() if path.is_dir()))


def column(table, name):
    place = [title for title, _ in table.titles].index(name)
    return [row[place] for row in table.rows]


def test_an_interval_is_students_t_over_runs():
    found = over_runs([0.30, 0.50, 0.40])
    assert found.mean == pytest.approx(0.4)
    assert found.error == pytest.approx(0.1 / math.sqrt(3))
    assert (found.low, found.high) == pytest.approx((0.4 - T_2 * 0.1 / 3**0.5, 0.4 + T_2 * 0.1 / 3**0.5), abs=1e-4)
    assert over_runs([0.1, 0.3]).high == pytest.approx(0.2 + T_1 * 0.1, abs=1e-4)
    alone = over_runs([0.3])
    assert alone.mean == 0.3
    assert math.isnan(alone.low)


def test_a_row_a_setting(runs):
    means = over_seeds(runs).means
    assert [title for title, _ in means.titles] == ["lr", "seeds", "likeness", "choice", "drift"]
    assert [(cell.text, cell.sort) for cell in column(means, "lr")] == [(lr, float(lr)) for lr in CHOICE]
    assert [cell.sort for cell in column(means, "seeds")] == [3, 3, 2]
    assert [cell.text for cell in column(means, "choice")] == ["0.40", "0.57", "0.20"]
    assert column(means, "likeness")[0].note == "0.08 … 0.32"  # 0.2 -+ t * 0.05 / sqrt(3)
    assert column(means, "choice")[2].note == "0.00 … 1.00"  # of two runs, and cut to what is possible
    assert [cell.note for cell in column(means, "drift")] == ["0.10 … 0.10"] * 3


def test_settings_are_compared_with_the_best_seed_by_seed(runs):
    found = over_seeds(runs)
    assert found.best == [1]
    assert [cell.text for cell in column(found.differences, "lr")] == ["1e-6", "4e-6"]
    assert [cell.sort for cell in column(found.differences, "seeds")] == [3, 2]
    first, last = column(found.differences, "choice")
    assert first.sort == pytest.approx((-0.22 - 0.11 - 0.18) / 3)
    spread = math.sqrt(sum((d + 0.17) ** 2 for d in (-0.22, -0.11, -0.18)) / 2)
    low, high = (-0.17 + sign * T_2 * spread / 3**0.5 for sign in (-1, 1))
    assert (first.text, first.note) == ("−0.17", f"−{-low:.2f} … −{-high:.2f}")
    assert (last.text, last.note) == ("−0.40", "−1.00 … +1.00")  # -0.51 and -0.28: -0.395 -+ t * 0.115


def test_a_setting_whose_class_drifted_is_not_the_best(one, tmp_path):
    for seed in (1, 2):
        one(f"a{seed}", "1e-6", seed, 0.9, drift=0.7)  # max_drift: 0.5
        one(f"b{seed}", "2e-6", seed, 0.3)
    assert over_seeds(named(sorted(tmp_path.iterdir()))).best == [1]


def test_only_what_both_have_is_compared(one, tmp_path):
    for seed in (1, 2, 3):
        one(f"a{seed}", "1e-6", seed, 0.5)
        one(f"b{seed}", "2e-6", seed + 2, 0.3)
    RunFolder(tmp_path / "a1").update(scores={"20": {"score/choice": 0.5}})
    _, (first, second) = seeded(named(sorted(tmp_path.iterdir())))
    assert differences(first, second, "choice") == [pytest.approx(0.2)]  # seed 3
    found = over_seeds(named(sorted(tmp_path.iterdir())))
    assert column(found.means, "likeness")[0].note == "0.25 … 0.25, of 2"
    assert [(cell.text, cell.note) for cell in column(found.differences, "choice")] == [("−0.20", "")]
    assert column(found.differences, "seeds")[0].sort == 1


def test_settings_without_a_seed_in_common_have_no_difference(one, tmp_path):
    for seed in (1, 2):
        one(f"a{seed}", "1e-6", seed, 0.5)
        one(f"b{seed}", "2e-6", seed + 2, 0.3)
    (row,) = over_seeds(named(sorted(tmp_path.iterdir()))).differences.rows
    assert [cell.text for cell in row] == ["2e-6", "0", "–", "–", "–"]


@pytest.mark.parametrize(
    "other",
    [
        {"status": "failed"}, {"status": "running"}, {"concept": ["minh"]}, {"photos": "other"},
        {"base": {"path": "tiny", "fingerprint": "other"}}, {"embedders": {"score/identity": "other"}},
        {"typed": ["prior.weight=0.3"]}, {"lr": "2e-6"}, {"seed": 1}, {"seed": None},
    ],
    ids=str,
)  # fmt: skip
def test_runs_that_differ_in_more_than_their_seed_are_of_no_setting(one, tmp_path, other):
    one("a", "1e-6", 1, 0.5)
    one("b", **{"lr": "1e-6", "seed": 2, "choice": 0.6} | other)
    assert over_seeds(named(sorted(tmp_path.iterdir()))) is None


def test_two_ways_to_write_a_value_and_where_a_run_lies_are_no_difference(one, tmp_path):
    one("a", "1e-6", 1, 0.5, typed=["outputs=/a"])
    one("b", "0.000001", 2, 0.6, typed=["outputs=/b"])
    keys, (found,) = seeded(named(sorted(tmp_path.iterdir())))
    assert keys == []
    assert list(found.runs) == [1, 2]
    assert over_seeds(named(sorted(tmp_path.iterdir()))).differences is None


def test_every_subject_has_its_own_best(one, tmp_path):
    for seed in (1, 2):
        for lr, choice in (("1e-6", 0.5), ("2e-6", 0.6)):
            one(f"a{lr}_{seed}", lr, seed, choice)
            one(f"b{lr}_{seed}", lr, seed, 1 - choice, concept=["minh"], typed=["concept=minh"])
    found = over_seeds(named(sorted(tmp_path.iterdir())))
    assert found.best == [1, 2]
    assert [cell.text for cell in column(found.differences, "lr")] == ["1e-6", "2e-6"]
    assert [cell.text for cell in column(found.differences, "choice")] == ["−0.10", "−0.10"]


def test_the_page_shows_settings_where_there_are_seeds(runs, one, tmp_path):
    file = tmp_path / "compare.html"
    write_comparison([run.folder.path for run in runs], file)
    html = file.read_text()
    assert html.index('id="table"') < html.index('id="settings"') < html.index('id="pictures"')
    for text in ("Settings, over seeds", "Bold: the best.", "Minus the best", "−0.17", 'href="#settings"'):
        assert text in html, text
    write_comparison([run.folder.path for run in runs if run.info["seed"] == 2], file)
    assert "Settings, over seeds" not in file.read_text()
    assert "<code>seeds=3</code>" in file.read_text()


def test_drift_that_chance_may_have_made_is_none(one, tmp_path):
    for seed, drift in ((1, 0.45), (2, 0.75)):  # 0.6 +- 0.15; max_drift: 0.5
        one(f"a{seed}", "1e-6", seed, 0.9, drift=drift)
        one(f"b{seed}", "2e-6", seed, 0.3)
    assert over_seeds(named(sorted(tmp_path.iterdir()))).best == [0]
