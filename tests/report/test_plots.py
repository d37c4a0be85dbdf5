"""Curves, ticks and the front, as places on paper."""

import re

import pytest

from avatar_exp.report.page import unbeaten
from avatar_exp.report.plots import BOTTOM, HEIGHT, LEFT, MOST_POINTS, RIGHT, TOP, WIDTH, curves, means, scatter, ticks
from avatar_exp.report.runs import Run
from avatar_exp.run_folder import RunFolder


def places(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML](-?[\d.]+),(-?[\d.]+)", path)]


def test_a_curve_keeps_all_points_inside_and_in_proportion():
    plot = curves("t", {0: [(10, 1.0), (20, 3.0), (40, 2.0)], 1: [(10, 2.0), (20, 2.5)], 2: []}, {0: 20})
    assert [one.run for one in plot.series] == [0, 1]
    first, second, third = places(plot.series[0].line)
    assert all(LEFT < x < WIDTH - RIGHT and TOP < y < HEIGHT - BOTTOM for x, y in (first, second, third))
    assert (third[0] - first[0]) == pytest.approx(3 * (second[0] - first[0]), abs=0.3)
    assert (first[1] - second[1]) == pytest.approx(2 * (first[1] - third[1]), abs=0.3)
    assert plot.series[0].marked == [second]
    assert plot.series[1].marked == []


@pytest.mark.parametrize("points", [{}, {0: []}, {0: [(1, 1.0)]}, {0: [(1, 1.0)], 1: [(2, 1.0)]}])
def test_too_little_is_no_plot(points):
    assert curves("t", points, {}) is None


@pytest.mark.parametrize("value", [0.0, 2.0, -1e-6])
def test_a_flat_curve_is_drawn_in_the_middle(value):
    (series,) = curves("t", {0: [(1, value), (2, value)]}, {}).series
    assert [y for _, y in places(series.line)] == pytest.approx([(TOP + HEIGHT - BOTTOM) / 2] * 2, abs=0.1)


def test_many_points_are_means_of_those_that_follow_one_another():
    points = [(step, float(step % 7)) for step in range(1, 1000)]
    short = means(points)
    assert len(short) <= MOST_POINTS
    size = -(-999 // MOST_POINTS)
    assert short[0] == (sum(range(1, size + 1)) / size, pytest.approx(sum(n % 7 for n in range(1, size + 1)) / size))
    plot = curves("t", {0: points}, {0: 500})
    assert "a mean of up to 17 logged values" in plot.note
    assert plot.series[0].marked == []


def test_error_bars_are_within_the_axes():
    plot = curves("t", {0: [(1, 1.0), (2, 1.1)]}, {}, {0: [(1, -3.0, 5.0)]})
    (x, top, bottom) = map(float, re.fullmatch(r"M([\d.]+),([\d.]+)V([\d.]+)", plot.series[0].bars).groups())
    assert TOP < bottom < top < HEIGHT - BOTTOM
    assert x == places(plot.series[0].line)[0][0]


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (0, 1, ["0.0", "0.5", "1.0"]),
        (0.41, 0.58, ["0.45", "0.50", "0.55"]),
        (-0.31, 0.12, ["-0.2", "0.0"]),
        (-5, 820, ["0", "500"]),
        (9.4e-6, 1.06e-5, ["9.5e-06", "1e-05", "1.05e-05"]),
    ],
)
def test_ticks_are_round(low, high, texts):
    found = ticks(low, high, least=len(texts))
    assert [text for _, text in found] == texts
    assert all(float(text) == pytest.approx(value, abs=1e-12) for value, text in found)


def test_there_are_always_some_ticks():
    for n in range(1, 400):
        assert 3 <= len(ticks(-0.013 * n, 0.0071 * n * n)) <= 8


def run_of(name: str, scores: dict[int, tuple[float, float]]) -> Run:
    info = {"scores": {str(s): {"score/prompt": p, "score/likeness": k} for s, (p, k) in scores.items()}}
    return Run(RunFolder(None), name, info, [])  # type: ignore[arg-type]


def test_the_front_is_over_all_runs_without_the_base():
    runs = [
        run_of("a", {0: (0.9, 0.9), 10: (0.5, 0.2), 20: (0.3, 0.6), 30: (0.2, 0.5)}),
        run_of("b", {0: (0.9, 0.9), 10: (0.4, 0.4), 20: (0.29, 0.59), 30: (0.1, 0.8)}),
    ]
    by_hand = {
        (run, step)
        for run, one in enumerate(runs)
        for step, s in one.scores.items()
        if step and not any(
            o["score/prompt"] >= s["score/prompt"] and o["score/likeness"] >= s["score/likeness"] and o != s
            for other in runs for n, o in other.scores.items() if n
        )
    }  # fmt: skip
    assert {(run, step) for run, step, _ in unbeaten(runs)} == by_hand == {(0, 10), (0, 20), (1, 10), (1, 30)}


def test_the_scatter_marks_the_front_and_draws_its_edge():
    points = {0: [(0.1, 0.8), (0.3, 0.6)], 1: [(0.2, 0.2)], 2: []}
    plot = scatter(points, [(0, (0.1, 0.8)), (0, (0.3, 0.6))])
    assert [len(one.marked) for one in plot.series] == [2, 0]
    (x1, y1), (x2, y2) = plot.series[0].marked
    assert plot.front == f"M{x1},{y1}V{y2}H{x2}"
    assert scatter({0: []}, []) is None
