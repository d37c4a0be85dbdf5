"""The over-training curve of the card: obedience and likeness over the steps, as an SVG."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from avatar_exp.tiny.weights_card import mean_rows

WIDTH, HEIGHT, LEFT, TOP = 560, 250, 46, 16
CURVES = {
    "likeness": ("likeness of the subject", "#2563c9"),
    "obedience": ("prompts obeyed (background and clothes)", "#c9502a"),
    "drift": ("drift of the class", "#7a7a86"),
}


def points(found: Mapping[str, Any]) -> dict[str, list[tuple[int, float]]]:
    """Each curve's (step, value), from the base at step 0 on."""
    base = fmean(found["base"].values())
    curves: dict[str, list[tuple[int, float]]] = {"likeness": [(0, 0.0)], "obedience": [(0, base)], "drift": [(0, 0.0)]}
    for step, means in mean_rows(found["settings"]["fast-and-long"]).items():
        values = means | {"obedience": fmean((means["backgrounds"], means["clothes color"]))}
        for name, curve in curves.items():
            curve.append((step, values[name]))
    return curves


def drawing(curves: Mapping[str, Sequence[tuple[int, float]]]) -> str:
    """An SVG of curves over steps, with the values from 0 to 1 as the height."""
    last = max(step for curve in curves.values() for step, _ in curve)

    def place(step: float, value: float) -> tuple[float, float]:
        return LEFT + step / last * WIDTH, TOP + (1 - value) * HEIGHT

    parts = []
    for value in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, y = place(0, value)
        parts.append(f'<path d="M{x:.0f} {y:.1f}h{WIDTH}" stroke="#dcdce2"/>')
        parts.append(f'<text x="{x - 8:.0f}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
    for step in sorted({step for curve in curves.values() for step, _ in curve}):
        x, y = place(step, 0)
        parts.append(f'<text x="{x:.0f}" y="{y + 18:.0f}" text-anchor="middle">{step or "base"}</text>')
    parts.append(f'<text x="{LEFT + WIDTH:.0f}" y="{TOP + HEIGHT + 36:.0f}" text-anchor="end">training steps</text>')
    for number, (name, curve) in enumerate(curves.items()):
        title, color = CURVES[name]
        path = "L".join("{:.1f} {:.1f}".format(*place(*point)) for point in curve)
        parts.append(f'<path d="M{path}" stroke="{color}" stroke-width="2.5" fill="none"/>')
        for x, y in (place(*point) for point in curve):
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{color}"/>')
        y = TOP + HEIGHT + 42 + 18 * number
        parts.append(
            f'<circle cx="{LEFT + 6}" cy="{y - 4}" r="4" fill="{color}"/><text x="{LEFT + 18}" y="{y}">{title}</text>'
        )
    size = (LEFT + WIDTH + 20, TOP + HEIGHT + 50 + 18 * len(curves))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" width="{size[0]}" '
        'font-family="system-ui, sans-serif" font-size="13" fill="#44444c">\n'
        '<rect width="100%" height="100%" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )
