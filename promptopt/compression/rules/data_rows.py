"""PO306: records that name their fields again and again."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit, Level
from promptopt.compression.notation import TABLE, as_csv, records
from promptopt.compression.rules.json_data import is_open, json_values
from promptopt.compression.sentences import HEADING, Sentence

# Words before data that make of them an example of what the model is to write.
_FORM = re.compile(
    r"\b(?:formats?|formatted|outputs?|returns?|respond|responses?|answers?|reply|replies|examples?|samples?|schemas?|"
    r"produce|generate|emit|like|structure|structured|forms?|templates?|results?|write|create|json|markdown|e\.g\.)\b",
    re.IGNORECASE,
)
_LIST = re.compile(r"\[\s*\{")
# The end of a line that no tag takes away, and a tag that may take the one before.
_LINE_END = re.compile(r"[ \t]*(?:\n(?!\s*\{[%{#]-)|\Z)")
_TAG_END = ("%}", "}}", "#}")
# Characters before data that are looked at.
_NEAR = 1000
# Somewhere in the prompt: what it may want to read is not written otherwise.
_JSON_WANTED = re.compile(r"\bjson\b", re.IGNORECASE)
_TABLE_WANTED = re.compile(
    r"\bmarkdown\b|\b(?:outputs?|returns?|respond|response|answer|reply|format\w*|present|create|produce|generate|write|"
    r"fill|extend|continue|draw|add|as|like|in)\b[^.\n]{0,40}\b(?:tables?|rows?|columns?)\b",
    re.IGNORECASE,
)


class DataRows:
    """A JSON list of like objects, or a Markdown table, as CSV: each field is named once.

    Only data that the model reads; a list that may show what it is to write stays as it is.
    """

    code: ClassVar[str] = "PO306"
    name: ClassVar[str] = "data in rows"
    reason: ClassVar[str] = "records of the same fields need name them once"
    level: ClassVar[Level] = "standard"

    def edits(self, document: Document) -> Iterable[Edit]:
        found = [*_lists(document), *_tables(document)]
        headings = [sentence for sentence in document.sentences if found and sentence.kind == HEADING]
        for start, end in found:
            yield from self._edit(document, headings, start, end)

    def _edit(self, document: Document, headings: Sequence[Sentence], start: int, end: int) -> Iterator[Edit]:
        text = document.text
        rows = records(text[start:end])
        # Nothing may stand on the line of the last row.
        if (
            rows is None
            or not _LINE_END.match(text, end)
            or text[max(0, start - _NEAR) : start].rstrip().endswith(_TAG_END)
            or _shows_form(document, headings, start)
        ):
            return
        new = as_csv(rows)
        if new is None:
            return
        alone = not text[text.rfind("\n", 0, start) + 1 : start].strip()
        message = f"{len(rows) - 1} records: as CSV each of the {len(rows[0])} fields is named once"
        yield Edit(start, end, new if alone else "\n" + new, self.code, message)


def _lists(document: Document) -> Iterator[tuple[int, int]]:
    """The ranges of JSON lists of objects, of which none is part of anything else."""
    text = document.text
    if not _LIST.search(text) or _JSON_WANTED.search(document.masked):
        return
    for start, end in json_values(text):
        zone = document.masks.zone_at(start)
        whole = zone is None or (zone.start == start and zone.kind != "example")
        if whole and text[start] == "[" and is_open(document, start, end):
            yield start, end


def _tables(document: Document) -> Iterator[tuple[int, int]]:
    """The ranges of Markdown tables."""
    if "|" not in document.text or _TABLE_WANTED.search(document.masked):
        return
    for table in TABLE.finditer(document.text):
        zone = document.masks.zone_at(table.start())
        if zone is not None and zone.kind == "table" and document.is_literal(*table.span()):
            yield table.span()


def _shows_form(document: Document, headings: Sequence[Sentence], start: int) -> bool:
    """Whether the line before data, or their heading, may say that the model is to write such."""
    before = document.masked[max(0, start - _NEAR) : start].rstrip()
    line = before[before.rfind("\n") + 1 :]
    index = bisect_left(headings, start, key=lambda heading: heading.start)
    heading = document.masked[headings[index - 1].start : headings[index - 1].end] if index else ""
    return _FORM.search(f"{line} {heading}") is not None
