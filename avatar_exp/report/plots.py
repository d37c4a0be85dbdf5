"""Curves and the likeness-prompt front as SVG paths: pure functions of numbers, drawn by ``templates/plots.html``."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

WIDTH, HEIGHT = 400, 220  # of a plot, in its own units
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 10, 24  # what its axes' labels need
MOST_POINTS = 60  # of a curve: a loss is logged hundreds of times, and is noise from one time to the next
MOST_DOTS = 30  # more are not told apart

Point = tuple[float, float]


@dataclass(frozen=True)
class Axis:
    """From values to places on paper, and which values are written beside it."""

    low: float
    high: float
    start: float
    end: float
    ticks: Sequence[tuple[float, str]]

    def at(self, value: float) -> float:
        """The place of a value."""
        return self.start + (self.end - self.start) * (value - self.low) / (self.high - self.low)


@dataclass(frozen=True)
class Series:
    """One run's points as SVG paths: joined by a line, as dots, those that stand out as places, and error bars."""

    run: int
    line: str
    dots: str
    marked: Sequence[Point]
    bars: str = ""


@dataclass(frozen=True)
class Plot:
    """Series over the same axes."""

    title: str
    note: str
    x: Axis
    y: Axis
    series: Sequence[Series]
    names: tuple[str, str] = ("step", "")  # of the axes
    front: str = ""


def curves(
    title: str,
    points: Mapping[int, Sequence[Point]],
    best: Mapping[int, int | None],
    bars: Mapping[int, Sequence[tuple[float, float, float]]] = MappingProxyType({}),
) -> Plot | None:
    """One metric over steps, a line a run; None if no run has two points.

    Args:
        points: of each run, (step, value).
        best: of each run, the step to mark.
        bars: of each run, (step, low, high).
    """
    many = max((len(one) for one in points.values()), default=0) > MOST_POINTS
    drawn = {run: means(one) if many else list(one) for run, one in points.items() if one}
    if not any(len(one) > 1 for one in drawn.values()):
        return None
    ends = [(step, end) for one in bars.values() for step, *both in one for end in both]
    x, y = axes([*(point for one in drawn.values() for point in one), *ends])
    series = [
        Series(
            run,
            line(x, y, one),
            dots(x, y, one) if len(one) <= MOST_DOTS else "",
            [(round(x.at(s), 1), round(y.at(v), 1)) for s, v in one if s == best.get(run)] if not many else [],
            "".join(f"M{x.at(s):.1f},{y.at(low):.1f}V{y.at(high):.1f}" for s, low, high in bars.get(run, ())),
        )
        for run, one in drawn.items()
    ]
    return Plot(title, f"each point is a mean of up to {bucket(points)} logged values" if many else "", x, y, series)


def scatter(points: Mapping[int, Sequence[Point]], front: Sequence[tuple[int, Point]]) -> Plot | None:
    """Prompt and likeness of every scored step, a run's steps joined; ``front``: (run, point) that nothing beats."""
    if not any(points.values()):
        return None
    x, y = axes(point for one in points.values() for point in one)
    series = [
        Series(
            run,
            line(x, y, one),
            dots(x, y, one),
            [(round(x.at(a), 1), round(y.at(b), 1)) for owner, (a, b) in front if owner == run],
        )
        for run, one in points.items()
        if one
    ]
    return Plot("", "", x, y, series, ("prompt", "likeness"), edge(x, y, sorted({point for _, point in front})))


def axes(points: Iterable[Point]) -> tuple[Axis, Axis]:
    """Axes that hold all points, with a little room above and below."""
    xs, ys = zip(*points, strict=True)
    return axis(xs, LEFT, WIDTH - RIGHT, room=0.02), axis(ys, HEIGHT - BOTTOM, TOP, room=0.06)


def axis(values: Sequence[float], start: float, end: float, room: float) -> Axis:
    """An axis from a little below the least value to a little above the greatest."""
    low, high = min(values), max(values)
    largest = max(abs(low), abs(high))
    spread = (
        high - low if high - low > 1e-9 * largest else largest or 1.0
    )  # means of a constant differ by their rounding
    low, high = low - spread * room, high + spread * room
    return Axis(low, high, start, end, ticks(low, high))


def ticks(low: float, high: float, least: int = 3) -> list[tuple[float, str]]:
    """At least ``least`` round values between two ends, 1, 2 or 5 times a power of ten apart, as values and text."""
    power = 10.0 ** math.ceil(math.log10(high - low))
    for step in (power * factor for n in range(4) for factor in (10.0**-n, 0.5 * 10.0**-n, 0.2 * 10.0**-n)):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first + 1 >= least:
            break
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    values = [step * n for n in range(first, last + 1)]
    return [(value, f"{value:.3g}" if digits > 4 else f"{value:.{digits}f}") for value in values]


def line(x: Axis, y: Axis, points: Sequence[Point]) -> str:
    """Points joined."""
    return "M" + "L".join(f"{x.at(a):.1f},{y.at(b):.1f}" for a, b in points) if points else ""


def edge(x: Axis, y: Axis, points: Sequence[Point]) -> str:
    """The border of what is beaten: stairs through points that go down from left to right."""
    places = [(f"{x.at(a):.1f}", f"{y.at(b):.1f}") for a, b in points]
    return "".join(f"M{a},{b}" if n == 0 else f"V{b}H{a}" for n, (a, b) in enumerate(places))


def dots(x: Axis, y: Axis, points: Sequence[Point]) -> str:
    """Points alone: strokes without length, which round ends make dots."""
    return "".join(f"M{x.at(a):.1f},{y.at(b):.1f}h0" for a, b in points)


def bucket(points: Mapping[int, Sequence[Point]]) -> int:
    """How many logged values become one point."""
    return math.ceil(max(len(one) for one in points.values()) / MOST_POINTS)


def means(points: Sequence[Point], most: int = MOST_POINTS) -> list[Point]:
    """At most ``most`` points: each the mean of as many that follow one another."""
    size = math.ceil(len(points) / most)
    parts = [points[start : start + size] for start in range(0, len(points), size)]
    return [(sum(a for a, _ in part) / len(part), sum(b for _, b in part) / len(part)) for part in parts]
