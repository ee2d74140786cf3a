"""PO207: headings in capitals."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit, Level
from promptopt.compression.sentences import HEADING


class Capitals:
    """A heading in capitals that no other line refers to is written small: capitals are split into more tokens."""

    code: ClassVar[str] = "PO207"
    name: ClassVar[str] = "headings in capitals"
    reason: ClassVar[str] = "capital letters are split into more tokens"
    level: ClassVar[Level] = "standard"

    def edits(self, document: Document) -> Iterable[Edit]:
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
