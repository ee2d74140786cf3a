"""PO301: JSON that is written out for people."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import ClassVar

from promptopt.compress.document import Document
from promptopt.compress.edit import Edit, Level

LEAST_CHARACTERS = 20


class JsonData:
    """Valid JSON in a prompt is minified, values and order kept."""

    code: ClassVar[str] = "PO301"
    name: ClassVar[str] = "pretty JSON"
    reason: ClassVar[str] = "indentation and blanks of JSON are tokens"
    level: ClassVar[Level] = "standard"

    def edits(self, document: Document) -> Iterable[Edit]:
        decoder = json.JSONDecoder(strict=True)
        position = 0
        text = document.text
        while (position := _next(text, position)) >= 0:
            zone = document.masks.zone_at(position)
            inside_example = zone is not None and zone.kind in ("example", "jinja", "front", "quote", "code")
            try:
                _, end = decoder.raw_decode(text, position)
            except (ValueError, RecursionError):
                position += 1
                continue
            if end - position >= LEAST_CHARACTERS and not inside_example and document.is_literal(position, end):
                new = _minified(text[position:end])
                if new is not None:
                    yield Edit(position, end, new, self.code, "pretty-printed JSON: minify it")
            position = end


def _next(text: str, position: int) -> int:
    places = [place for place in (text.find("{", position), text.find("[", position)) if place >= 0]
    return min(places, default=-1)


def _minified(text: str) -> str | None:
    """The JSON without white space between its tokens: strings and numbers as they were written."""
    out: list[str] = []
    inside = escaped = False
    for character in text:
        if inside:
            out.append(character)
            inside = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character not in " \t\n\r":
            out.append(character)
            inside = character == '"'
    new = "".join(out)
    return new if len(new) < len(text) else None
