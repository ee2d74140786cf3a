"""Plain text tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def table(
    rows: Sequence[Sequence[Any]], headers: Sequence[str], *, left: bool = False, columns: Sequence[str] = ()
) -> str:
    """A table: the first column is aligned to the left, the others, which are numbers, to the right.

    Args:
        left: Align all columns to the left.
        columns: ``left`` or ``right`` for each column.
    """
    from tabulate import tabulate

    align = columns or ["left", *["left" if left else "right"] * (len(headers) - 1)]
    return tabulate(rows, headers, tablefmt="simple", colalign=list(align), disable_numparse=True)
