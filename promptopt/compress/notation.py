"""JSON and what looks like it, in fewer characters; and the proof that two notations hold the same data."""

from __future__ import annotations

import json
import re

_STRINGS = re.compile(r'("(?:[^"\\\n]|\\.)*")')
# Line breaks between the marks of a JSON-like form; blanks inside its lines stay.
_BREAK = re.compile(r"(?<=[{\[,])[ \t]*\n\s*|[ \t]*\n\s*(?=[}\]])")
_KEY = re.compile(r'"[^"\n]{1,60}"\s*:')
# Where a reader who pairs quotation marks by eye could pair them otherwise once the blanks are gone.
_AMBIGUOUS = re.compile(r'""|\\"|"[^"\n]{200}|\{\{')
# Program text and comments, in which a line break may end something.
_PROGRAM = re.compile(r"[;=()#`|]|//|/\*|\bor\b|^[ \t]*[-*] ", re.MULTILINE)
TABLE = re.compile(r"(?m)^[ \t]*\|.*\|[ \t]*\n[ \t]*\|[ \t:|-]*-[ \t:|-]*\|[ \t]*$(?:\n[ \t]*\|.*\|[ \t]*$)*")
"""A Markdown table: a head, a rule, rows."""
_PADDING = re.compile(r"(?<=\|)[ \t]{2,}|[ \t]{2,}(?=\|)")


def unpadded(table: str) -> str:
    """A Markdown table with one blank at most beside each cell and three dashes at most in each column of its rule."""
    head, rule, *rows = (_PADDING.sub(" ", line.rstrip()) for line in table.split("\n"))
    return "\n".join([head, re.sub("-{4,}", "---", rule), *rows])


def minified(text: str) -> str | None:
    """JSON without white space between its marks, strings and numbers as they were written.

    ``None`` where nothing is gained, or where quotation marks could be paired otherwise.
    """
    if _AMBIGUOUS.search(text):
        return None
    parts = _STRINGS.split(text)
    new = "".join(part if index % 2 else "".join(part.split()) for index, part in enumerate(parts))
    return new if len(new) < len(text) else None


def unbroken(text: str) -> str | None:
    """A form such as ``{"name": <name>, ...}`` without line breaks between its marks; ``None`` where it is no such."""
    parts = _STRINGS.split(text)
    outside = " ".join(parts[::2])
    if not _KEY.search(text) or _AMBIGUOUS.search(text) or '"' in outside or "'" in outside or _PROGRAM.search(outside):
        return None
    new = "".join(part if index % 2 else _BREAK.sub("", part) for index, part in enumerate(parts))
    return new if len(new) < len(text) else None


def same_data(old: str, new: str) -> bool:
    """Whether ``new`` is ``old`` in another notation: the same JSON, a form with fewer line breaks, the same table."""
    if TABLE.fullmatch(old):
        return _cells(old) == _cells(new)
    if not old.lstrip().startswith(("{", "[")):
        return False
    try:
        return json.dumps(_load(old)) == json.dumps(_load(new))
    except (ValueError, RecursionError):
        return unbroken(old) == new


def _cells(table: str) -> list[list[str]]:
    rows = [[cell.strip() for cell in line.strip().split("|")] for line in table.split("\n")]
    # The rule says where columns are aligned, not how wide they are.
    rows[1:2] = [[re.sub("-+", "-", cell) for cell in row] for row in rows[1:2]]
    return rows


def _load(text: str) -> object:
    """JSON with its keys in order and numbers as they are written: equal only where the text says the same."""
    return json.loads(text, object_pairs_hook=list, parse_float=lambda s: f"f{s}", parse_int=lambda s: f"i{s}")
