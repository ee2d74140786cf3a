"""PO302: examples that repeat each other."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit, Level
from promptopt.compression.rules.advice import finding
from promptopt.tokens import tokenizer_for

_SPLIT = re.compile(r"\n(?=[ \t]*(?:\n|Example|Input|Q:|User:|Text:|Sentence|Question|Task))")
SIMILAR = 90
SHORTEST = 40


class RepeatedExamples:
    """Two examples that are nearly the same teach one thing; reported, never removed: examples are facts."""

    code: ClassVar[str] = "PO302"
    name: ClassVar[str] = "repeated examples"
    reason: ClassVar[str] = "an example that shows nothing new is paid for with every call"
    level: ClassVar[Level] = "standard"
    advice: ClassVar[bool] = True

    def edits(self, document: Document) -> Iterable[Edit]:
        zones = [zone for zone in document.zones if zone.kind in ("example", "code")]
        if not zones:
            return
        from rapidfuzz import fuzz

        seen: list[tuple[str, int]] = []
        for zone in zones:
            position = zone.start
            for part in _SPLIT.split(document.text[zone.start : zone.end]):
                text = " ".join(part.split())
                start = position + len(part) - len(part.lstrip())
                position += len(part) + 1
                if len(text) < SHORTEST:
                    continue
                twin = next((place for other, place in seen if fuzz.ratio(text, other) >= SIMILAR), None)
                if twin is not None:
                    tokens = tokenizer_for(document.model).count(part)
                    line, _ = document.line_of(twin)
                    message = f"this example repeats the one in line {line}: drop it, or let it show something new"
                    yield from finding(document, min(start, len(document.text) - 1), self.code, message, tokens=tokens)
                seen.append((text, start))
