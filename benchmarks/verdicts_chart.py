"""The picture of power curves that benchmarks/verdicts.py draws, as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

# The colour of each method's line, and its dashes.
STYLES = {
    "improved": ("#0b5fff", ""),
    "McNemar, exact": ("#d1490c", "6 3"),
    "t-test": ("#d1490c", "6 3"),
    "Wilcoxon": ("#2c8a3d", "2 3"),
    "BCa": ("#8a4fbf", "8 3 2 3"),
}
WIDTH, HEIGHT, LEFT, TOP, GAP = 300, 190, 46, 34, 60


def power_chart(sizes: Sequence[int], panels: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """Two panels beside each other; each has a line for each method, percent over the number of cases."""
    rows = -(-len(panels) // 2)
    width, height = 2 * (LEFT + WIDTH) + 30, rows * (TOP + HEIGHT + GAP)
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="11" role="img">',
        "<title>How often a true gain of 10 points is shown, over the number of cases</title>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for number, (name, methods) in enumerate(panels.items()):
        x, y = LEFT + number % 2 * (LEFT + WIDTH), TOP + number // 2 * (TOP + HEIGHT + GAP)
        parts += _panel(x, y, name, sizes, methods)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(x: int, y: int, name: str, sizes: Sequence[int], methods: Mapping[str, Sequence[float]]) -> list[str]:
    def across(size: int) -> float:
        return round(x + WIDTH * (size / sizes[-1]), 1)

    def down(percent: float) -> float:
        return round(y + HEIGHT * (1 - percent / 100), 1)

    parts = [f'<text x="{x}" y="{y - 10}" font-weight="bold">{escape(name)}</text>']
    for percent in (0, 25, 50, 75, 100):
        parts.append(f'<path d="M{x} {down(percent)}H{x + WIDTH}" stroke="#ddd"/>')
        parts.append(f'<text x="{x - 6}" y="{down(percent) + 4}" text-anchor="end">{percent}%</text>')
    parts += [f'<text x="{across(n)}" y="{y + HEIGHT + 15}" text-anchor="middle">{n}</text>' for n in sizes]
    for number, (method, values) in enumerate(methods.items()):
        points = " ".join(f"{across(n)},{down(value)}" for n, value in zip(sizes, values, strict=True))
        colour, dashes = STYLES[method]
        style = f'fill="none" stroke="{colour}" stroke-width="1.8" stroke-dasharray="{dashes}"'
        parts.append(f'<polyline points="{points}" {style}/>')
        at = x + (0, 74, 174, 248)[number]
        parts.append(f'<path d="M{at} {y + HEIGHT + 30}h18" {style}/>')
        parts.append(f'<text x="{at + 22}" y="{y + HEIGHT + 34}" font-size="9">{escape(method)}</text>')
    return parts
