"""PO102: Markdown that only a renderer needs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit, Level

_BOLD_HEADING = re.compile(r"(?<=# )[ \t]*\*\*([^*\n]+)\*\*(?=[ \t]*(?:\n|\Z))")
_CLOSED_HEADING = re.compile(r"(?m)(?<=\S)[ \t]+#+[ \t]*$")
_BOLD = re.compile(r"(?<![*\w\\])(\*\*|__)(?=[^\s*_])([^*_\n\ue000]{1,120}?)(?<=[^\s*_])\1(?![*\w])")
_ESCAPED = re.compile(r"\\(?=[.\-_!#()])")
_COMMENT = re.compile(r"<!--.*?-->[ \t]*\n?", re.DOTALL)


class Markdown:
    """Bold headings, closing hashes, bold markers around labels and words, needless backslashes."""

    code: ClassVar[str] = "PO102"
    name: ClassVar[str] = "Markdown noise"
    reason: ClassVar[str] = "a model reads words, not bold type"
    level: ClassVar[Level] = "safe"

    def edits(self, document: Document) -> Iterable[Edit]:
        text = document.masked
        for match in _BOLD_HEADING.finditer(text):
            yield Edit(match.start(), match.end(), match[1], self.code, "a bold heading: the heading is enough")
        for match in _CLOSED_HEADING.finditer(text):
            if text[text.rfind("\n", 0, match.start()) + 1 :].startswith("#"):
                yield Edit(match.start(), match.end(), "", self.code, "a heading needs no closing hashes")
        for match in _BOLD.finditer(text):
            yield Edit(match.start(), match.end(), match[2], self.code, "bold markers")
