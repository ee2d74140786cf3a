"""PO301: JSON that is written out for people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import ClassVar

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit, Level
from promptopt.compression.notation import minified, unbroken

LEAST_CHARACTERS = 20
_MESSAGE = "pretty-printed JSON: minify it"


class JsonData:
    """Valid JSON in a prompt is minified, values and order kept; a JSON-like form loses its line breaks."""

    code: ClassVar[str] = "PO301"
    name: ClassVar[str] = "pretty JSON"
    reason: ClassVar[str] = "indentation and blanks of JSON are tokens"
    level: ClassVar[Level] = "standard"

    def edits(self, document: Document) -> Iterable[Edit]:
        text = document.text
        valid = list(json_values(text))
        for start, end in valid:
            if is_open(document, start, end) and (new := minified(text[start:end])) is not None:
                yield Edit(start, end, new, self.code, _MESSAGE)
        for zone in document.zones:
            # Its valid parts are minified already.
            if zone.kind != "braces" or any(start < zone.end and zone.start < end for start, end in valid):
                continue
            if is_open(document, zone.start, zone.end) and (new := unbroken(text[zone.start : zone.end])) is not None:
                yield Edit(zone.start, zone.end, new, self.code, _MESSAGE)


def json_values(text: str) -> Iterator[tuple[int, int]]:
    """The ranges of the JSON objects and lists in a text, of which none is part of another."""
    decoder = json.JSONDecoder(strict=True)
    position = 0
    while (position := _next(text, position)) >= 0:
        try:
            _, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            position += 1
        else:
            yield position, end
            position = end


def is_open(document: Document, start: int, end: int) -> bool:
    """Whether data may be written otherwise: no code, no quotation, not what the assistant is shown to have said."""
    zone = document.masks.zone_at(start)
    if end - start < LEAST_CHARACTERS or not document.is_literal(start, end):
        return False
    if zone is not None and zone.kind in ("jinja", "front", "quote", "code"):
        return False
    return not any(frame.kind == "chat" and "assistant" in frame.argument for frame in document.frames_at(start))


def _next(text: str, position: int) -> int:
    places = [place for place in (text.find("{", position), text.find("[", position)) if place >= 0]
    return min(places, default=-1)
