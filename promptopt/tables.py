"""Plain text for the terminal: tables and lines that fit its width."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from typing import Any

COLUMNS = 80
"""Letters of a line if nobody says how wide the terminal is, as in a pipe or a file."""
_FEWEST, _LEAST, _GAP = 12, 4, 2
_HANGING = re.compile(r" *(?:\S+ )*\S+ {2,}(?=\S)")
_INSIDE = re.compile(r"[^=_/.:,-]*[=_/.:,-]+|[^=_/.:,-]+")
_COMMAND = re.compile(r": (?:promptopt|pytest|pip|git) \S")
# Characters that move the cursor, change colours, hide or reverse what follows, or cannot be written: what a model or a
# caller wrote must not act on a terminal. Line ends and tabs are layout.
_ACTIVE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """The text with characters that act on a terminal as escapes, such as ``\\x1b``."""
    return _ACTIVE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def line_width() -> int:
    """Letters of a line: ``$COLUMNS``, else the width of the terminal that stdout is, else 80."""
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given):
        return int(given)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or COLUMNS
    except (OSError, ValueError, AttributeError):
        return COLUMNS


def table(
    rows: Sequence[Sequence[Any]],
    headers: Sequence[str],
    *,
    left: bool = False,
    columns: Sequence[str] = (),
    width: int | None = None,
) -> str:
    """A table: the first column is aligned to the left, the others, which are numbers, to the right.

    What does not fit is broken into several lines: headers first, then texts, the longest first. Numbers are never
    broken: if they alone are too wide, each row becomes a block of lines.

    Args:
        left: Align all columns to the left.
        columns: ``left`` or ``right`` for each column.
        width: The most letters of a line [default: those of the terminal].
    """
    from rich.cells import cell_len

    align = list(columns) or ["left", *["left" if left else "right"] * (len(headers) - 1)]
    most = line_width() if width is None else width
    lines = [[printable(str(cell)).strip() for cell in row] for row in [headers, *rows]]
    widths = _widths(lines, align, most)
    if sum(widths) + _GAP * (len(widths) - 1) > most:
        return _blocks(lines, most)
    shown = []
    for number, line in enumerate(lines):
        cells = [_wrapped(cell, width) for cell, width in zip(line, widths, strict=True)]
        for parts in ([cell[at] if at < len(cell) else "" for cell in cells] for at in range(max(map(len, cells)))):
            spaces = [" " * (width - cell_len(part)) for part, width in zip(parts, widths, strict=True)]
            padded = [
                part + space if side == "left" else space + part
                for part, space, side in zip(parts, spaces, align, strict=True)
            ]
            shown.append((" " * _GAP).join(padded).rstrip())
        if not number:
            shown.append((" " * _GAP).join("-" * width for width in widths))
    return "\n".join(shown)


def _widths(lines: Sequence[Sequence[str]], align: Sequence[str], most: int) -> list[int]:
    """The width of each column; more than ``most`` in all if numbers do not fit."""
    from rich.cells import cell_len

    def widest(texts: Sequence[str]) -> int:
        return max((cell_len(part) for text in texts for part in text.split("\n")), default=0)

    columns = list(zip(*lines, strict=True))
    widths = [widest(column) for column in columns]
    room = most - _GAP * (len(widths) - 1)
    for at, column in enumerate(columns):
        if sum(widths) > room and widest(column[1:]) < widths[at]:
            # A header of several words takes several lines.
            words = widest([word for part in column[0].split("\n") for word in part.split()])
            widths[at] = max(widest(column[1:]), words, widths[at] - (sum(widths) - room))
    texts = [at for at, side in enumerate(align) if side == "left"]
    for fewest in (_FEWEST, _LEAST):
        while sum(widths) > room:
            at = max(texts, key=lambda text: widths[text])
            if widths[at] <= fewest:
                break
            second = max((widths[text] for text in texts if widths[text] < widths[at]), default=0)
            widths[at] -= max(1, min(sum(widths) - room, widths[at] - max(second, fewest)))
    return widths


def _wrapped(text: str, width: int) -> list[str]:
    """The text in lines of so many letters, of which Chinese ones and pictures count twice."""
    from textwrap import wrap

    from rich.cells import cell_len, chop_cells

    parts = []
    for line in text.split("\n"):
        whole = cell_len(line) <= width
        for part in [line] if whole else wrap(line, max(width, 1), break_long_words=False):
            pieces = [part] if cell_len(part) <= width else _broken(part, width)
            parts += [each for piece in pieces for each in chop_cells(piece, max(width, 2)) or [piece]]
    return parts or [""]


def _broken(word: str, width: int) -> list[str]:
    """A word that is too long, in lines that end where its own parts do: ``reasoning_effort=`` and ``minimal``."""
    from rich.cells import cell_len

    lines = [""]
    for piece in _INSIDE.findall(word):
        if lines[-1] and cell_len(lines[-1] + piece) > width:
            lines.append("")
        lines[-1] += piece
    return lines


def _blocks(lines: Sequence[Sequence[str]], most: int) -> str:
    """Each row as lines of ``header  value``: the form for numbers that do not fit beside one another."""
    headers = [" ".join(header.split()) for header in lines[0]]
    name = max(map(len, headers))
    blocks = [
        "\n".join(f"{header:{name}}{' ' * _GAP}{cell}".rstrip() for header, cell in zip(headers, line, strict=True))
        for line in lines[1:]
    ]
    return fold("\n\n".join(blocks), most)


def fold(text: str, width: int | None = None) -> str:
    """The text with lines that are too long broken at blanks; what goes on is indented, as deep as a value is.

    Words stay whole, as a path must that is copied, unless one alone is longer than a line; and so does a line that
    gives a command.

    Args:
        width: The most letters of a line [default: those of the terminal].
    """
    from textwrap import wrap

    most = line_width() if width is None else width
    folded: list[str] = []
    for line in text.split("\n"):
        if len(line) <= most or _COMMAND.search(line):
            folded.append(line)
            continue
        start = len(line) - len(line.lstrip())
        value = _HANGING.match(line)
        deep = value.end() if value and value.end() <= most // 2 else start + 2
        folded += wrap(
            line,
            max(most, deep + 20),
            subsequent_indent=" " * deep,
            break_on_hyphens=False,
            expand_tabs=False,
            replace_whitespace=False,
        )
    return "\n".join(folded)
