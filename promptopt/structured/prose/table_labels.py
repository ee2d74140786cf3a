"""Labels in the first column of a table, where the answer is one of them: "Reply with one word from the first column"."""

from __future__ import annotations

import re
from collections.abc import Iterator

import regex

from promptopt.structured.fields import MASK, PromptText, Span, scan

_TABLE = regex.compile(
    r"^[ \t]*\|(?P<head>[^\n]+)\|[ \t]*\n[ \t]*\|[ \t:|-]+\|[ \t]*\n(?P<rows>(?:[ \t]*\|[^\n]+\|[ \t]*(?:\n|\Z)){2,})",
    regex.MULTILINE,
)
_WRITE = r"(?:answer|respond|reply|return|output|give|write|say|print|choose|pick|select|assign|use)"
_FROM_FIRST = re.compile(
    rf"\b{_WRITE}\b[^.\n]{{0,50}}\b(?:one|a|the) (?:\w+ )?(?:word|value|label|name|entry|code|term)?\b[^.\n]{{0,20}}\bfrom the (?:first|left|leftmost) column\b",
    re.IGNORECASE,
)
_LONGEST = 4


def table_labels(document: PromptText) -> Iterator[tuple[str, list[str], Span]]:
    """The name of the column, its cells, and where the order and the table are."""
    text = document.text
    tables = [match for match in scan(_TABLE, text) if MASK not in match[0]]
    if len(tables) != 1:
        return
    table = tables[0]
    head = table["head"].split("|")[0].strip(" *_`\t").lower()
    cells = [
        row.strip().strip("|").split("|")[0].strip(" *_`\"'\t") for row in table["rows"].splitlines() if row.strip()
    ]
    plain = all(re.fullmatch(r"[A-Za-z][\w /&-]*", cell) and len(cell.split()) <= _LONGEST for cell in cells)
    if not plain or len(set(cells)) < len(cells) or not re.fullmatch(r"[a-z]+(?: [a-z]+)?", head):
        return
    only = re.compile(
        rf"\b{_WRITE}\b(?: (?:with|back|exactly|just|only|nothing but))* (?:the |one |a single )?(?:\w+ )?{head}\b(?: name| only| alone| and nothing else|(?= that)|(?=\s*[.\n])| for\b)",
        re.IGNORECASE,
    )
    order = _FROM_FIRST.search(text) or next(
        (
            one
            for one in only.finditer(text)
            if re.search(r"\b(?:only|just|exactly|nothing but|alone|and nothing else)\b", one[0])
        ),
        None,
    )
    if order:
        yield head.replace(" ", "_"), cells, Span(*order.span())
