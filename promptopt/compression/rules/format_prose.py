"""PO304: prose that describes a format which the output schema enforces."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit, Level
from promptopt.compression.rules.advice import finding
from promptopt.tokens import tokenizer_for

_FORMAT = re.compile(
    r"\b(?:(?:valid|well[- ]formed|only|as|in|a) json\b|json (?:object|format|only|schema)|"
    r"no (?:markdown|extra text|explanations?)"
    r"|(?:output|response|answer|reply|return)\b[^.]{0,40}\bformat(?:ted)?\b|nothing else)",
    re.IGNORECASE,
)


class FormatProse:
    """A strict schema holds the format; telling it again in prose costs tokens and decides nothing."""

    code: ClassVar[str] = "PO304"
    name: ClassVar[str] = "format told twice"
    reason: ClassVar[str] = "the output schema enforces the format already"
    level: ClassVar[Level] = "standard"
    advice: ClassVar[bool] = True

    def edits(self, document: Document) -> Iterable[Edit]:
        if document.front.output_schema is None:
            return
        for sentence in document.prose:
            if _FORMAT.search(document.text, sentence.start, sentence.end):
                tokens = tokenizer_for(document.model).count(document.text[sentence.start : sentence.end])
                message = "the output schema enforces the format: this sentence can go"
                yield from finding(document, sentence.start, self.code, message, tokens=tokens)
