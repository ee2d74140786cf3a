"""Plain text tables for the terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

_FEWEST = 12
# Characters that move the cursor, change colours, hide or reverse what follows, or cannot be written: what a model or a
# caller wrote must not act on a terminal. Line ends and tabs are layout.
_ACTIVE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """The text with characters that act on a terminal as escapes, such as ``\\x1b``."""
    return _ACTIVE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def table(
    rows: Sequence[Sequence[Any]],
    headers: Sequence[str],
    *,
    left: bool = False,
    columns: Sequence[str] = (),
    width: int | None = None,
) -> str:
    """A table: the first column is aligned to the left, the others, which are numbers, to the right.

    Args:
        left: Align all columns to the left.
        columns: ``left`` or ``right`` for each column.
        width: The most letters of a line: the first column is broken into several lines to keep it, down to 12.
    """
    from textwrap import wrap

    from tabulate import tabulate

    align = columns or ["left", *["left" if left else "right"] * (len(headers) - 1)]
    rows = [[printable(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    if width is None:
        return tabulate(rows, headers, tablefmt="simple", colalign=list(align), disable_numparse=True)
    # The library makes a column two letters wider than its header. Without headers it does not, so they are a row.
    lines = [headers, *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(part) for line in lines for part in line[column].split("\n")) for column in range(len(headers))]
    widths[0] = min(widths[0], max(_FEWEST, width - sum(widths[1:]) - 2 * (len(widths) - 1)))
    rule = ["-" * each for each in widths]
    cells = [["\n".join(wrap(line[0], widths[0])), *line[1:]] for line in lines]
    text = tabulate([cells[0], rule, *cells[1:]], tablefmt="plain", colalign=list(align), disable_numparse=True)
    return "\n".join(line.rstrip() for line in text.splitlines())
