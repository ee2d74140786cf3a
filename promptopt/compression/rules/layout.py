"""PO101, PO102, PO207: white space, Markdown and capitals that only a reader's eye needs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit, Level
from promptopt.compression.sentences import HEADING

_TRAILING = re.compile(r"[ \t]+(?=\n)")
_EMPTY_LINES = re.compile(r"\n[ \t]*\n(?:[ \t]*\n)+")
_RUNS = re.compile(r"(?<=[^\s|])[ \t]{2,}(?=[^\s|#])")
_INVISIBLE = re.compile("[\u200b\u2060\ufeff]+")
_BOLD_HEADING = re.compile(r"(?<=# )[ \t]*\*\*([^*\n]+)\*\*(?=[ \t]*(?:\n|\Z))")
_CLOSED_HEADING = re.compile(r"(?m)(?<=\S)[ \t]+#+[ \t]*$")
_BOLD = re.compile(r"(?<![*\w\\])(\*\*|__)(?=[^\s*_])([^*_\n\ue000]{1,120}?)(?<=[^\s*_])\1(?![*\w])")


class Whitespace:
    """Trailing blanks, runs of blanks inside prose, more than one empty line, zero-width characters."""

    code: ClassVar[str] = "PO101"
    name: ClassVar[str] = "white space"
    reason: ClassVar[str] = "trailing blanks and runs of empty lines are tokens that say nothing"
    level: ClassVar[Level] = "safe"

    def propose(self, document: Document) -> Iterator[Edit]:
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


class Markdown:
    """Bold headings, closing hashes, bold markers around labels and words."""

    code: ClassVar[str] = "PO102"
    name: ClassVar[str] = "Markdown noise"
    reason: ClassVar[str] = "a model reads words, not bold type"
    level: ClassVar[Level] = "safe"

    def propose(self, document: Document) -> Iterator[Edit]:
        text = document.masked
        for match in _BOLD_HEADING.finditer(text):
            yield Edit(match.start(), match.end(), match[1], self.code, "a bold heading: the heading is enough")
        for match in _CLOSED_HEADING.finditer(text):
            if text[text.rfind("\n", 0, match.start()) + 1 :].startswith("#"):
                yield Edit(match.start(), match.end(), "", self.code, "a heading needs no closing hashes")
        for match in _BOLD.finditer(text):
            yield Edit(match.start(), match.end(), match[2], self.code, "bold markers")


class Capitals:
    """A heading in capitals that no other line refers to is written in lower case, which is fewer tokens."""

    code: ClassVar[str] = "PO207"
    name: ClassVar[str] = "headings in capitals"
    reason: ClassVar[str] = "capital letters are split into more tokens"
    level: ClassVar[Level] = "standard"

    def propose(self, document: Document) -> Iterator[Edit]:
        for sentence in document.prose:
            text = document.text[sentence.start : sentence.end]
            if sentence.kind != HEADING or not re.fullmatch(r"[A-Z][A-Za-z ,&-]*", text):
                continue
            capitals = re.findall(r"\b[A-Z]{4,}\b", text)
            # A name that the output must show, or that another line points to, stays as it is.
            if not capitals or any(len(re.findall(rf"\b{word}\b", document.text)) > 1 for word in capitals):
                continue
            new = text.lower().capitalize()
            yield Edit(sentence.start, sentence.end, new, self.code, f"{text!r} in capitals: write {new!r}")
