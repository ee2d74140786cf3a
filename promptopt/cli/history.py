"""``promptopt history`` and ``promptopt diff``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from promptopt.cli.options import one_output
from promptopt.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from promptopt.experiment.history import HistoryPoint, PromptDiff

_BARS = " ▁▂▃▄▅▆▇█"
_SHOWN = 10


@click.command("history")
@click.argument("prompt")
@click.option("--most", type=click.IntRange(min=1), default=20, show_default=True, help="The newest so many.")
@one_output("Also draw it: FILE.svg.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of the table.")
def command(prompt: str, most: int, output: Path | None, as_json: bool) -> None:
    """Show a prompt's tokens, dollars and recorded quality over its versions and git commits.

    All are measured with today's suite and prices. Files that were renamed are followed.

    \b
    promptopt history reviews
    promptopt history reviews -o history.svg
    """
    from promptopt.config import load_config
    from promptopt.experiment.history import history_svg, prompt_history
    from promptopt.files import replace_file, show_path

    if output is not None and output.suffix != ".svg":
        raise UsageError(f"--output {output}: write FILE.svg")
    points = prompt_history(prompt, load_config(), most)
    if output is not None:
        replace_file(output, history_svg(prompt, points))
    if as_json:
        data = {"version": 1, "prompt": prompt, "points": [asdict(point) for point in points]}
        click.echo(json.dumps(data, indent=2, ensure_ascii=False))
        return
    click.echo("\n".join(_history(points)))
    if output is not None:
        click.echo(f"drawn: {show_path(output)}", err=True)


def _history(points: Sequence[HistoryPoint]) -> Iterator[str]:
    from promptopt.money import cents, dollars
    from promptopt.tables import fold, table

    rows = [
        [
            each.version or "-",
            each.when or "now",
            each.commit[:7] or "-",
            _number(each.input_tokens),
            _number(each.output_tokens) + ("*" if each.output_basis == "cap" else ""),
            "-" if each.usd_per_call is None else dollars(each.usd_per_call * 1000),
            "-" if each.usd_per_month is None else cents(each.usd_per_month),
            "-" if each.quality is None else f"{each.quality * 100:.1f}%",
        ]
        for each in points
    ]
    headers = ["version", "day", "commit", "input", "output", "$/1k calls", "$/month", "quality"]
    yield table(rows, headers, columns=("left", "left", "left", *["right"] * 5))
    yield ""
    for name, values in (
        ("input tokens", [each.input_tokens for each in points]),
        ("$ per call", [each.usd_per_call for each in points]),
        ("quality", [each.quality for each in points]),
    ):
        yield f"{name:14}{sparkline(values)}"
    if any(each.output_basis == "cap" for each in points):
        yield "* at most: no recorded answers, so the cap is counted"
    for why in dict.fromkeys(each.why for each in points if each.why):
        yield fold(f"quality is not known of {sum(each.why == why for each in points)}: {why}")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}"


def sparkline(values: Sequence[float | None]) -> str:
    """A bar for each value, from zero to the largest; ``?`` where none is known."""
    most = max((value for value in values if value is not None), default=0.0) or 1.0
    return "".join("?" if value is None else _BARS[max(1, round(value / most * 8))] for value in values)


@click.command("diff")
@click.argument("old")
@click.argument("new")
@click.option("--suite", metavar="SUITE", help="The cases [default: the suite named like the prompt].")
@click.option("-y", "--side-by-side", is_flag=True, help="Both versions side by side.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def diff_command(old: str, new: str, suite: str | None, side_by_side: bool, as_json: bool) -> None:
    """Show what differs between two versions: lines with their tokens, cost, and the cases whose answers changed.

    \b
    promptopt diff reviews@v1 reviews@v2
    promptopt diff HEAD~1:prompts/reviews/v3.j2 prompts/reviews/v3.j2 --side-by-side
    """
    from promptopt.config import load_config
    from promptopt.experiment.history import diff_prompts
    from promptopt.tables import printable

    found = diff_prompts(old, new, load_config(), suite)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2, ensure_ascii=False))
        return
    click.echo(f"--- {found.old}\n+++ {found.new}")
    lines = _sides(found) if side_by_side else _unified(found)
    for line, colour in lines:
        click.secho(printable(line), fg=colour)
    click.echo(printable("\n".join(["", *_costs(found), "", *_cases(found)])))


def _unified(found: PromptDiff) -> Iterator[tuple[str, str | None]]:
    from promptopt.tables import fold

    marks = {"same": (" ", None), "old": ("-", "red"), "new": ("+", "green")}
    for line in found.lines:
        mark, colour = marks[line.kind]
        for number, part in enumerate(fold(line.text, _room(8)).split("\n")):
            tokens = f"{line.tokens:5}" if not number else " " * 5
            yield f"{mark}{tokens}  {part if not number else part.strip()}".rstrip(), colour


def _room(taken: int) -> int:
    from promptopt.tables import line_width

    return max(line_width() - taken, 20)


def _sides(found: PromptDiff) -> Iterator[tuple[str, str | None]]:
    from textwrap import wrap

    half = (_room(3) - 3) // 2
    waiting: tuple[list[str], list[str]] = ([], [])

    def cells() -> Iterator[tuple[str, str | None]]:
        for at in range(max(map(len, waiting))):
            left, right = (side[at] if at < len(side) else "" for side in waiting)
            yield f"{left:{half}} | {right}".rstrip(), None
        waiting[0].clear()
        waiting[1].clear()

    for line in found.lines:
        parts = [
            f"{line.tokens:4} {part}" if not at else f"     {part}"
            for at, part in enumerate(wrap(line.text, half - 7) or [""])
        ]
        if line.kind == "same":
            yield from cells()
            waiting[0].extend(f"  {part}" for part in parts)
            waiting[1].extend(f"  {part}" for part in parts)
            yield from cells()
        else:
            side, mark = (waiting[0], "- ") if line.kind == "old" else (waiting[1], "+ ")
            side.extend(f"{mark}{part}" for part in parts)
    yield from cells()


def _costs(found: PromptDiff) -> Iterator[str]:
    from promptopt.money import cents, dollars
    from promptopt.tables import table

    def row(name: str, pair: tuple[float | None, float | None], form: object, scale: float = 1) -> list[str]:
        assert callable(form)
        old, new = pair
        change = "-" if old is None or new is None or not old else f"{(new / old - 1) * 100:+.1f}%"
        return [name, *("-" if value is None else form(value * scale) for value in pair), change]

    rows = [
        row("input tokens", found.input_tokens, _number),
        row("output tokens", found.output_tokens, _number),
        row("$ per 1,000 calls", found.usd_per_call, dollars, 1000),
        row("$ per month", found.usd_per_month, cents),
    ]
    yield table(rows, ["", found.old, found.new, "change"])


def _cases(found: PromptDiff) -> Iterator[str]:
    from promptopt.tables import fold

    if found.why:
        yield fold(f"answers are not compared: {found.why}")
        return
    flips = [case for case in found.cases if case.flips]
    said = "answer differs" if len(found.cases) == 1 else "answers differ"
    yield fold(
        f"{len(found.cases):,} of {found.compared:,} recorded {said}, {len(flips):,} of them pass or fail otherwise"
    )
    for case in flips[:_SHOWN]:
        passes = "fails" if case.old_passed else "passes"
        yield fold(f"  {case.case}: {passes} now: {_short(case.old)} -> {_short(case.new)}")
    if len(flips) > _SHOWN:
        yield f"  and {len(flips) - _SHOWN:,} more; --json lists all"


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:59]}…")
