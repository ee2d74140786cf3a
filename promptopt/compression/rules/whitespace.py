"""PO101: white space that says nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit, Level

_TRAILING = re.compile(r"[ \t]+(?=\n)")
_EMPTY_LINES = re.compile(r"\n[ \t]*\n(?:[ \t]*\n)+")
_RUNS = re.compile(r"(?<=[^\s|])[ \t]{2,}(?=[^\s|#])")
_INVISIBLE = re.compile("[\u200b\u2060\ufeff]+")


class Whitespace:
    """Trailing blanks, runs of blanks inside prose, more than one empty line, zero-width characters."""

    code: ClassVar[str] = "PO101"
    name: ClassVar[str] = "white space"
    reason: ClassVar[str] = "trailing blanks and runs of empty lines are tokens that say nothing"
    level: ClassVar[Level] = "safe"

    def edits(self, document: Document) -> Iterable[Edit]:
        text = document.masked
        for match in _EMPTY_LINES.finditer(text):
            yield Edit(match.start(), match.end(), "\n\n", self.code, "several empty lines: keep one")
        for match in _TRAILING.finditer(text):
            # Two blanks at a line's end are a break in Markdown, which no model needs.
            yield Edit(match.start(), match.end(), "", self.code, "trailing white space")
        for match in _INVISIBLE.finditer(text):
            yield Edit(match.start(), match.end(), "", self.code, "zero-width characters")
        for sentence in document.sentences:
            for match in _RUNS.finditer(text, sentence.start, sentence.end):
                yield Edit(match.start(), match.end(), " ", self.code, "a run of blanks: keep one")
