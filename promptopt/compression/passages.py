"""Whole passages that a text holds twice, word for word."""

from __future__ import annotations

import re
from collections.abc import Iterator

from promptopt.compression.document import Document

LEAST_PARAGRAPHS = 3
"""Fewer may occur twice for a reason: the same context under two questions, the same answer to two inputs."""
_PARAGRAPH = re.compile(r"\S[^\n]*(?:\n[^\n]*\S[^\n]*)*")


def repeated_passages(document: Document) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """The range of each passage that occurs earlier as well, and the range of the earlier one.

    A passage is a run of paragraphs without an expression or tag inside, some of it plain instructions: examples alone
    may share parts and differ in what they show.
    """
    text = document.text
    paragraphs = [match.span() for match in _PARAGRAPH.finditer(text)]
    words = [" ".join(text[start:end].split()) for start, end in paragraphs]
    earlier: dict[str, list[int]] = {}
    position = 0
    while position < len(words):
        length, first = max(
            ((_run(words, place, position), place) for place in earlier.get(words[position], ())), default=(0, 0)
        )
        start, end = paragraphs[position][0], paragraphs[position + max(length, 1) - 1][1]
        kept = (paragraphs[first][0], paragraphs[first + max(length, 1) - 1][1])
        if length >= LEAST_PARAGRAPHS and _may_go(document, (start, end), kept):
            yield (start, paragraphs[position + length][0] if position + length < len(paragraphs) else end), kept
            position += length
            continue
        earlier.setdefault(words[position], []).append(position)
        position += 1


def _run(words: list[str], first: int, second: int) -> int:
    length = 0
    while second + length < len(words) and first + length < second and words[first + length] == words[second + length]:
        length += 1
    return length


def _may_go(document: Document, again: tuple[int, int], kept: tuple[int, int]) -> bool:
    said = any(again[0] <= sentence.start < again[1] for sentence in document.prose)
    return (
        said
        and document.is_literal(*again)
        and document.is_literal(*kept)
        and document.always_before(kept[0], again[0])
    )
