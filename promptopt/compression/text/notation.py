"""Blocks and data of a prompt: where they are, fewer characters for them, and the check that the data are the same."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

_STRINGS = re.compile(r'("(?:[^"\\\n]|\\.)*")')
# Line breaks between the marks of a JSON-like form; blanks inside its lines stay.
_BREAK = re.compile(r"(?<=[{\[,])[ \t]*\n\s*|[ \t]*\n\s*(?=[}\]])")
_KEY = re.compile(r'"[^"\n]{1,60}"\s*:')
# Without the blanks, a reader could pair these quotation marks in another way.
_AMBIGUOUS = re.compile(r'""|\\"|"[^"\n]{200}|\{\{')
# Program text and comments, in which a line break may end something.
_PROGRAM = re.compile(r"[;=()#`|]|//|/\*|\bor\b|^[ \t]*[-*] ", re.MULTILINE)
TABLE = re.compile(r"(?m)^[ \t]*\|.*\|[ \t]*\n[ \t]*\|[ \t:|-]*-[ \t:|-]*\|[ \t]*$(?:\n[ \t]*\|.*\|[ \t]*$)*")
"""A Markdown table: a head, a rule, rows."""
# The indentation of a table in a list stays.
_PADDING = re.compile(r"(?<=\|)[ \t]{2,}|(?<=[^ \t\n])[ \t]{2,}(?=\|)")
RECORDS = re.compile(
    r"^(?:[^,\n]*,(?=[^\s,])){2,}[^\n]*(?:\n(?:[^,\n]*,(?=[^\s,])){2,}[^\n]*)+$"
    r"|^[^,\n]*,(?=[^\s,])[^\n]*(?:\n[^,\n]*,(?=[^\s,])[^\n]*){2,}$",
    re.MULTILINE,
)
"""Lines of comma-separated values, a few in a row: no sentence has a comma without a blank after it."""
# A cell that a reader of CSV could take for something else: nothing, a number or a truth that was written as a text.
_UNCLEAR = re.compile(r"\s*|-?\d.*|true|false|null|none", re.IGNORECASE)
# "<name>", "...": a cell that is a place for data.
_HOLE = re.compile(r"[<\[{(].*[>\]})]|.*(?:\.\.\.|…).*|[-_?x*]+", re.IGNORECASE)

# JSON contains it only escaped.
_NUMBER = "\x00"

Rows = list[list[str]]
"""A head and rows of as many cells."""


_FENCE = re.compile(r"^[ \t>]*(?P<marks>`{3,}|~{3,})(?P<info>[^`\n]*)$", re.MULTILINE)


@lru_cache(maxsize=32)
def fenced(text: str) -> Sequence[tuple[int, int]]:
    """The ranges of fenced blocks, outermost ones.

    A template of an answer may have blocks of its own: a fence with a language opens one inside of a block if all are
    closed in the end, otherwise it is a line of the block.
    """
    if "```" not in text and "~~~" not in text:
        return ()
    fences = list(_FENCE.finditer(text))
    nested = _blocks(fences, len(text), nested=True)
    return (_blocks(fences, len(text), nested=False) or []) if nested is None else nested


def _blocks(fences: Sequence[re.Match[str]], end: int, *, nested: bool) -> list[tuple[int, int]] | None:
    found, opened = [], list[re.Match[str]]()
    for fence in fences:
        if not opened:
            opened.append(fence)
        elif fence["info"].strip():
            if nested:
                opened.append(fence)
        elif fence["marks"].startswith(opened[-1]["marks"]):
            first = opened.pop()
            if not opened:
                found.append((first.start(), fence.end()))
    if opened and nested:
        return None
    return [*found, (opened[0].start(), end)] if opened else found


# "[Document Start]", "BEGIN ANSWER ---"; what tells the model what to do may stand between such lines as well.
_FRAME = re.compile(
    r"^[ \t]*(?:\[[^\[\]\n]{0,40}\b(?i:start|begin|end)\b[^\[\]\n]{0,40}\]"
    r"|[-=#*<]*[ \t]*(?:BEGIN|START|END)\b[A-Z0-9 _'-]{0,40}[-=#*>]*:?)[ \t]*$",
    re.MULTILINE,
)
_TELLING = re.compile(r"instruct|rule|task|guideline|system|prompt", re.IGNORECASE)


# What is in such a line, found in a fraction of the time.
_IN_BRACKETS = re.compile(r"\[[^\[\]\n]{0,40}\b(?i:start|begin|end)\b")


def _has_frame(text: str) -> bool:
    return any(word in text for word in ("BEGIN", "START", "END")) or _IN_BRACKETS.search(text) is not None


def framed(text: str) -> Iterator[tuple[int, int]]:
    """What is between "[Document Start]" and "[Document End]", or BEGIN ANSWER and END ANSWER."""
    opened: re.Match[str] | None = None
    for line in _FRAME.finditer(text) if _has_frame(text) else ():
        ends = re.search(r"\bend\b", line[0], re.IGNORECASE) is not None
        if ends and opened is not None and not _TELLING.search(opened[0]):
            yield opened.end(), line.start()
        opened = None if ends else line


_MARKS = re.compile(r'"')
# 'You need the 'find' function to go on.': the inner marks are no end.
_SINGLE = re.compile(r"'(?<![\w']')(?=\w)[^'\n]{8,300}\s'\w[^'\n]{0,60}'(?=\s)[^'\n]{4,300}'(?![\w'])")


def nested_quotes(masked: str) -> Iterator[tuple[int, int]]:
    """Quotations with quotation marks inside: pairs of marks alone would leave the inner one open."""
    end = -1
    for line in masked.split("\n"):
        begin, end = end + 1, end + 1 + len(line)
        if line.count('"') < 3:
            continue
        depth, start = 0, 0
        deep = False
        for mark in _MARKS.finditer(masked, begin, end):
            before, after = masked[mark.start() - 1 : mark.start()], masked[mark.end() : mark.end() + 1]
            opens = (not before or before in " \t\n([{:,—–-") and after.strip() != "" and after not in ".,;:!?)"
            if opens:
                if depth == 0:
                    start, deep = mark.start(), False
                depth += 1
                deep |= depth > 1
            elif depth:
                depth -= 1
                if depth == 0 and deep:
                    yield start, mark.end()
    yield from (match.span() for match in _SINGLE.finditer(masked))


def unpadded(table: str) -> str:
    """A Markdown table with one blank at most beside each cell and three dashes at most in each column of its rule."""
    head, rule, *rows = (_PADDING.sub(" ", line.rstrip()) for line in table.split("\n"))
    return "\n".join([head, re.sub("-{4,}", "---", rule), *rows])


def minified(text: str) -> str | None:
    """JSON without white space between its marks, strings and numbers as they were written.

    ``None`` if nothing is gained, or if quotation marks could be paired in another way.
    """
    if _AMBIGUOUS.search(text):
        return None
    parts = _STRINGS.split(text)
    new = "".join(part if index % 2 else "".join(part.split()) for index, part in enumerate(parts))
    return new if len(new) < len(text) else None


def unbroken(text: str) -> str | None:
    """A form such as ``{"name": <name>, ...}`` without line breaks between its marks; ``None`` for any other text."""
    parts = _STRINGS.split(text)
    outside = " ".join(parts[::2])
    if not _KEY.search(text) or _AMBIGUOUS.search(text) or '"' in outside or "'" in outside or _PROGRAM.search(outside):
        return None
    new = "".join(part if index % 2 else _BREAK.sub("", part) for index, part in enumerate(parts))
    return new if len(new) < len(text) else None


# A line of a form with comments: a key, a mark, a value or a comment.
_FORM_LINE = re.compile(
    r"[ \t]*(?:\"[^\"\n]{1,60}\"[ \t]*:|[{}\[\]]|//|/\*|\*|#|\.\.\.)[^\n]*"
    r"|[ \t]*(?:\"[^\"\n]*\"|[-\d.]+|<[^<>\n]*>)[ \t]*,?[ \t]*(?:(?://|#)[^\n]*)?"
)


def undented(text: str) -> str | None:
    """A form such as ``{"name": "...", // the name`` without the blanks that its lines begin with; ``None`` for others.

    Each line stays a line: a comment ends with it.
    """
    lines = text.split("\n")
    keys = sum(_KEY.match(line.lstrip()) is not None for line in lines)
    if keys < 2 or "`" in text or not all(not line.strip() or _FORM_LINE.fullmatch(line) for line in lines):
        return None
    new = "\n".join([lines[0], *(line.lstrip(" \t") for line in lines[1:] if line.strip())])
    return new if len(new) < len(text) else None


def same_data(old: str, new: str) -> bool:
    """Whether ``new`` is ``old`` in another notation.

    The same JSON, a form with fewer line breaks, the same table, or a table's or a list's records as CSV.
    """
    if RECORDS.fullmatch(new.strip()):
        return records(old) == list(csv.reader(io.StringIO(new.strip()), strict=True))
    if TABLE.fullmatch(old):
        return _cells(old) == _cells(new)
    if not old.lstrip().startswith(("{", "[")):
        return False
    try:
        return json.dumps(_load(old)) == json.dumps(_load(new))
    except (ValueError, RecursionError):
        return new in (unbroken(old), undented(old))


def records(text: str) -> Rows | None:
    """The rows of a Markdown table or of a JSON list of flat objects with the same keys in the same order.

    ``None`` for anything else, and if CSV would not show what each cell is: a number that was written as a text, an
    empty cell, a hole to be filled.
    """
    rows = _table_rows(text) if TABLE.fullmatch(text) else _json_rows(text)
    if rows is None or len(rows) < 3 or len(rows[0]) < 2 or len({len(row) for row in rows}) > 1:
        return None
    return None if any(_HOLE.fullmatch(cell) for row in rows for cell in row) else rows


def as_csv(rows: Rows) -> str | None:
    """The rows as CSV; ``None`` if a cell would need quotation marks or has a line end."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    text = out.getvalue().removesuffix("\n")
    return text if RECORDS.fullmatch(text) and '"' not in text and "\r" not in text else None


def _table_rows(text: str) -> Rows | None:
    rows = [row[1:-1] for row in _cells(text)]
    del rows[1]
    return None if any(not cell for row in rows for cell in row) else rows


def _json_rows(text: str) -> Rows | None:
    try:
        found = _load(text)
    except (ValueError, RecursionError):
        return None
    # Objects are lists of pairs here: text and number alike are strings, of which numbers are marked.
    if (
        not found
        or not isinstance(found, list)
        or not all(isinstance(row, list) and row and all(isinstance(pair, tuple) for pair in row) for row in found)
    ):
        return None
    keys = [key for key, _ in found[0]]
    if any([key for key, _ in row] != keys for row in found):
        return None
    columns = []
    for number in range(len(keys)):
        column = _column([row[number][1] for row in found])
        if column is None:
            return None
        columns.append(column)
    return [keys, *map(list, zip(*columns, strict=True))]


def _column(cells: Sequence[object]) -> list[str] | None:
    """The cells as CSV has them: all texts, all numbers, or all truths."""
    if all(isinstance(cell, bool) for cell in cells):
        return [str(cell).lower() for cell in cells]
    texts = [cell for cell in cells if isinstance(cell, str)]
    if len(texts) < len(cells):
        return None
    if all(text.startswith(_NUMBER) for text in texts):
        return [text.removeprefix(_NUMBER) for text in texts]
    plain = not any(text.startswith(_NUMBER) or _UNCLEAR.fullmatch(text) or text != text.strip() for text in texts)
    return texts if plain else None


def _cells(table: str) -> list[list[str]]:
    rows = [[cell.strip() for cell in line.strip().split("|")] for line in table.split("\n")]
    # The rule says how columns are aligned, not how wide they are.
    rows[1:2] = [[re.sub("-+", "-", cell) for cell in row] for row in rows[1:2]]
    return rows


def _load(text: str) -> object:
    """JSON with its keys in order and numbers as they are written: equal only if the texts say the same."""
    return json.loads(text, object_pairs_hook=list, parse_float=lambda s: _NUMBER + s, parse_int=lambda s: _NUMBER + s)
