"""How many tokens edits save, counted where they are made: all around them is counted as before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from promptopt.compression.edit import Edit, apply
from promptopt.tokens import Tokenizer

LONGEST = 50_000
"""Characters; the white space of a longer text may be counted in slices, so that all of it is counted twice."""


def tokens_saved(tokenizer: Tokenizer, text: str, edits: Iterable[Edit], offset: int = 0) -> int:
    """How many tokens fewer a text has with the edits made than without; below 0 if it has more.

    Args:
        edits: None overlaps another.
        offset: Where ``text`` begins in what their positions count.
    """
    ordered = sorted(edits, key=lambda edit: edit.start)
    grows = sum(len(edit.new) - (edit.end - edit.start) for edit in ordered)
    if len(text) + max(0, grows) >= LONGEST:
        return tokenizer.count(text) - tokenizer.count(apply(text, ordered, offset))
    saved = 0
    for start, end, inside in _regions(text, ordered, offset):
        old = text[start:end]
        saved += _count(tokenizer, old) - _count(tokenizer, apply(old, inside, offset + start))
    return saved


@lru_cache(maxsize=16384)
def _count(tokenizer: Tokenizer, text: str) -> int:
    return tokenizer.count(text)


def _regions(text: str, edits: Sequence[Edit], offset: int) -> Iterator[tuple[int, int, list[Edit]]]:
    """Ranges at whose ends tokens end with and without the edits in them, which are in order."""
    start = end = 0
    inside: list[Edit] = []
    for edit in edits:
        begin = _cut_before(text, edit.start - offset)
        if inside and begin >= end:
            yield start, end, inside
            inside = []
        if not inside:
            start = begin
        inside.append(edit)
        end = _cut_after(text, edit.end - offset)
    if inside:
        yield start, end, inside


# The patterns of vocabularies never go on from a letter or a number to a space, and none looks back.
def _cut_before(text: str, position: int) -> int:
    """The last place before a position where a token ends, whatever is before and after it."""
    place = text.rfind(" ", 0, position)
    while place > 0 and not text[place - 1].isalnum():
        place = text.rfind(" ", 0, place)
    return max(place, 0)


def _cut_after(text: str, position: int) -> int:
    """The first such place after it."""
    place = text.find(" ", position + 1)
    while place >= 0 and not text[place - 1].isalnum():
        place = text.find(" ", place + 1)
    return len(text) if place < 0 else place
