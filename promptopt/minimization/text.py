"""The result of a search as text of 80 columns."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from promptopt.experiment.text import reason_text
from promptopt.minimization.confirmation import Confirmed
from promptopt.minimization.front import FrontRow, UnitWorth
from promptopt.minimization.untested import Untested
from promptopt.money import dollars
from promptopt.tables import fold, printable, table

WIDTH = 80
_TEXT = 26
_LONG_TEXT = 56
_IDS = 3
_PLOT_WIDTH, _PLOT_HEIGHT = 60, 10


def front_table(rows: list[FrontRow]) -> str:
    """Dollars against quality, the cheapest first."""
    if len(rows) < 2:
        return ""
    head = ["dollars against quality", "$/1k", "points", "95%", "cases", "state", "front"]
    lines = []
    for row, label in zip(rows, told_apart(rows), strict=True):
        cost = f"{row.tokens:.0f} tok" if row.usd_per_1k_calls is None else dollars(row.usd_per_1k_calls)
        between = "" if row.low is None or row.high is None else f"{row.low:+.1f} to {row.high:+.1f}"
        points = "?" if math.isnan(row.points) else f"{row.points:+.1f}"
        lines.append([label, cost, points, between, f"{row.cases:,}", row.state, "*" * row.on_front])
    return table(lines, head, width=WIDTH, columns=["left", *["right"] * 4, "left", "left"])


def told_apart(rows: Sequence[FrontRow]) -> list[str]:
    """What each row is called; of several that are called the same, what sets it apart from the first of them."""
    first: dict[str, FrontRow] = {}
    labels = []
    for row in rows:
        label = row.label if row.state == "as it is" else (row.label.partition(" ")[2] or row.label)
        like = first.setdefault(label, row)
        if like is not row:
            kept, gone = (_some(one.choice.removed - other.choice.removed) for one, other in ((like, row), (row, like)))
            label += f" ({gone} for {kept})"
        labels.append(label)
    return labels


def _some(units: Collection[str]) -> str:
    """``u3, u12``; of many the first ones."""
    ids = sorted(units, key=lambda unit: int(unit[1:]))
    return ", ".join(ids[:_IDS] + ["…"] * (len(ids) > _IDS))


def plot(rows: list[FrontRow]) -> str:
    """Points of quality over cost as characters: ``*`` on the front, ``o`` beside it, ``@`` the prompt as it is."""
    rows = [row for row in rows if not math.isnan(row.points)]
    known = [(row.usd_per_1k_calls if row.usd_per_1k_calls is not None else row.tokens, row) for row in rows]
    if len(known) < 3:
        return ""
    costs, points = [cost for cost, _ in known], [row.points for row in rows]
    left, right, low, high = min(costs), max(costs), min(points), max(points)
    if left == right or low == high:
        return ""
    grid = [[" "] * (_PLOT_WIDTH + 1) for _ in range(_PLOT_HEIGHT + 1)]
    # What is on the front is drawn last.
    for cost, row in sorted(known, key=lambda pair: (pair[1].state == "as it is", pair[1].on_front)):
        x = round((cost - left) / (right - left) * _PLOT_WIDTH)
        y = round((high - row.points) / (high - low) * _PLOT_HEIGHT)
        grid[y][x] = "@" if row.state == "as it is" else "*" if row.on_front else "o"
    lines = []
    for number, line in enumerate(grid):
        value = high - (high - low) * number / _PLOT_HEIGHT
        label = f"{value:+6.1f}" if number in (0, _PLOT_HEIGHT) else " " * 6
        lines.append(f"{label} |{''.join(line)}".rstrip())
    unit = "$/1k calls" if rows[0].usd_per_1k_calls is not None else "tokens"
    ends = f"{left:.4g}", f"{right:.4g} {unit}"
    axis = " " * 8 + ends[0] + ends[1].rjust(_PLOT_WIDTH + 1 - len(ends[0]))
    return "\n".join(
        ["points   @ as it is   * front   o others", *lines, " " * 7 + "+" + "-" * (_PLOT_WIDTH + 1), axis]
    )


def worth_table(worths: list[UnitWorth]) -> str:
    """Each unit: what it costs and what it is worth."""
    if not worths:
        return ""
    planned = all(each.fate == "not tried" for each in worths)
    longest = _LONG_TEXT if planned else _TEXT
    monthly = any(each.usd_per_month is not None for each in worths)
    # Cents are enough of dollars, and nothing of a few cents.
    digits = 2 if max(each.usd_per_month or 0 for each in worths) >= 0.1 else 4
    head = ["unit", "line", "tokens", "$/month" if monthly else "$/1k", "worth, points", "fate"]
    lines = []
    for each in worths:
        shown = f"{each.unit.id} {each.unit.shown}"
        text = shown if len(shown) <= longest else f"{shown[: longest - 1]}…"
        cost = each.usd_per_month if monthly else each.usd_per_1k_calls
        money = "unpriced" if cost is None else (f"{cost:,.{digits}f}" if monthly else f"{cost:.4f}")
        lines.append([text, str(each.unit.line), f"{each.tokens:.0f}", money, worth_text(each), each.fate])
    if planned:
        lines, head = [line[:4] for line in lines], head[:4]
    shown = table(lines, head, width=WIDTH, columns=["left", *["right"] * 4, "left"][: len(head)])
    return shown + _legend(worths)


def _legend(worths: Sequence[UnitWorth]) -> str:
    """What the marks of a table say; empty if it has none."""
    parts = []
    if any(each.together > 1 for each in worths):
        parts.append("[2], [3]: of so many units, tried together")
    if any(each.worth is None and each.lost for each in worths):
        parts.append("lost 8 of 9: cases that a larger group had lost")
    return fold(f"\n{'; '.join(parts)}", WIDTH) if parts else ""


def worth_text(each: UnitWorth) -> str:
    """``+3.1 (+0.9, +5.2)``; ``[4]`` for a group of four that was tried together."""
    group = f" [{each.together}]" if each.together > 1 else ""
    if each.worth is None:
        return f"lost {each.lost} of {each.cases}{group}" if each.lost else "-"
    return f"{each.worth + 0.0:+.1f} ({each.low + 0.0:+.0f}, {each.high + 0.0:+.0f}){group}"


# From nothing to four margins: marks that need no colours, and colours for terminals that have them.
_SHADES, _COLOURS, _BETTER, _UNKNOWN = "·░▒▓█", (None, 236, 94, 130, 160), "▽", "?"


def heat_map(source: str, marks: Sequence[tuple[int, int, int, bool]], margin: float, *, colour: bool = False) -> str:
    """A prompt with a mark before each unit.

    Args:
        marks: Start and end in the source, the shade from -1 to 4, and whether the worth is known.
        margin: Points.
    """
    parts, done = [], 0
    for start, end, shade, known in marks:
        glyph = _UNKNOWN if not known else _BETTER if shade < 0 else _SHADES[shade]
        inside = printable(source[start:end])
        tone = _COLOURS[max(shade, 0)] if colour else None
        if tone is not None:
            inside = "\n".join(f"\x1b[48;5;{tone}m{line}\x1b[0m" for line in inside.split("\n"))
        parts += [printable(source[done:start]), glyph, inside]
        done = end
    steps = [f"{_SHADES[number]} {share * margin:g}" for number, share in enumerate((0, 0.5, 1, 2, 4))]
    legend = f"worth in points, at least: {'  '.join(steps)}   {_BETTER} better without   {_UNKNOWN} not asked"
    return "".join([*parts, printable(source[done:])]).rstrip() + f"\n\n{fold(legend, WIDTH)}"


def verdict(label: str, each: Confirmed) -> str:
    """What the confirmation says of one version."""
    outcome = "confirmed" if each.accepted else "not confirmed"
    lines = [f"{label}: {outcome} on {each.cases:,} cases never seen"]
    return fold("\n".join([*lines, *(f"  {reason}" for reason in reasons(each))]), WIDTH)


def reasons(each: Confirmed) -> list[str]:
    """Those of its verdict, and what else is to be known of it."""
    return [*map(reason_text, each.decision.reasons), *map(printable, each.notes)]


def untested_lines(untested: Sequence[Untested], removed: bool) -> str:
    """The facts that no case exercises; empty if there are none."""
    if not untested:
        return ""
    lines = [
        "facts that no case tests" + (", removed all the same:" if removed else "; kept without --untested remove:")
    ]
    if not all(each.unit.readable for each in untested):
        lines.append("  (facts are read in English: whatever is in another language may be one)")
    for each in untested:
        seen = f"no case of {each.cases:,} tests it" if each.cases else "not known whether a case tests it"
        verb = "this was removed" if removed else "this could go"
        shown = each.unit.shown
        text = shown if len(shown) <= _LONG_TEXT else f"{shown[: _LONG_TEXT - 1]}…"
        lines += [f"  {each.unit.path}:{each.unit.line}: {verb}; {seen}:", f"    {text!r}"]
    return "\n".join(lines)
