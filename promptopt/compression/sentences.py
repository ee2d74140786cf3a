"""Lines, list items and sentences of a masked text, with their places."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from promptopt.compression.masks import MASK

_LINE = re.compile(r"[^\n]*\n?")
_MARKER = re.compile(
    r"^[ \t>]*(?:(?P<heading>#{1,6}[ \t]+)|(?P<bullet>[-*+•‣◦–][ \t]+)|(?P<number>(?:\d{1,3}|[A-Za-z])[.)][ \t]+))"
)
_RULE = re.compile(r"^[ \t]*(?:[-=_*#~+/|<>]{3,}[ \t]*)+$")
_END = re.compile(r"(?P<mark>[.!?]+)[)\"'”’*_]*(?=\s+[^\sa-z]|\s*$)|[。！？]+")
_ABBREVIATION = re.compile(r"\b(?:e\.g|i\.e|etc|vs|Mr|Mrs|Ms|Dr|Prof|St|Inc|INC|Ltd|Corp|al|cf|No|Fig|approx|[A-Z])\Z")
LONGEST_ABBREVIATION = 8

HEADING, ITEM, TEXT = "heading", "list item", "text"


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, a heading or a fragment of a list.

    Attributes:
        start: Position of its first character, after any marker.
        end: Position after its last character, white space excluded.
        kind: ``heading``, ``list item`` or ``text``.
        marker: Where its line's marker begins, for the first sentence of a heading or an item; else ``start``.
        first: Whether it opens its line or paragraph.
    """

    start: int
    end: int
    kind: str
    marker: int
    first: bool


@dataclass(frozen=True, slots=True)
class MaskedSentence:
    """A sentence without its surroundings: all that a rule for single sentences sees.

    Attributes:
        text: Its characters; protected ones (code, quotes, expressions, ...) read as ``MASK``.
        kind: ``heading``, ``list item`` or ``text``.
        first: Whether it opens its line or paragraph.
    """

    text: str
    kind: str = TEXT
    first: bool = True


def split_sentences(masked: str) -> Iterator[Sentence]:
    """The sentences of a masked text in order; a paragraph is one line, and masked stretches belong to it."""
    for start, end, kind, marker in _blocks(masked):
        yield from _split(masked, start, end, kind, marker)


def _blocks(masked: str) -> Iterator[tuple[int, int, str, int]]:
    """Start, end, kind and marker of every heading, list item and paragraph."""
    begin = end = marker = 0
    kind = TEXT
    open_block = False
    for match in _LINE.finditer(masked):
        line = match[0]
        if not line:
            continue
        found = _MARKER.match(line)
        blank = not line.strip() or _RULE.match(line) is not None or not line.strip().strip(MASK)
        if open_block and (blank or found or kind == HEADING or _is_label(masked[begin:end])):
            yield begin, end, kind, marker
            open_block = False
        if blank:
            continue
        if not open_block:
            marker = match.start() + len(line) - len(line.lstrip())
            begin = match.start() + (found.end() if found else len(line) - len(line.lstrip()))
            kind = TEXT if not found else HEADING if found["heading"] else ITEM
            open_block = True
        end = match.start() + len(line.rstrip())
    if open_block:
        yield begin, end, kind, marker


def _is_label(block: str) -> bool:
    """Whether a paragraph ends here: with a colon, or with a short line that no sentence breaks over."""
    last = block[block.rfind("\n") + 1 :].rstrip()
    return last.endswith((":", ".", "!", "?", ";", MASK)) or len(last) < 40


def _split(masked: str, start: int, end: int, kind: str, marker: int) -> Iterator[Sentence]:
    position = start
    for match in _END.finditer(masked, start, end):
        before = masked[max(0, match.start() - LONGEST_ABBREVIATION) : match.start()]
        if match["mark"] and len(match["mark"]) == 1 and _ABBREVIATION.search(before):
            continue
        # "2. Plan": the number of a heading is not a sentence.
        if masked[position : match.start()].strip().isdigit():
            continue
        yield Sentence(position, match.end(), kind, marker if position == start else position, position == start)
        position = match.end()
        while position < end and masked[position].isspace():
            position += 1
    if position < end:
        yield Sentence(position, end, kind, marker if position == start else position, position == start)
