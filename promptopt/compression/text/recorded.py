"""Letters, played games and examples that a prompt repeats without a mark: known by the form of their paragraphs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from typing import Protocol


class Paragraph(Protocol):
    """Lines without an empty one between, and where they are in the text."""

    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def lines(self) -> tuple[str, ...]: ...


# "Dear Ms. Adams,", "Hi all!": alone on its line, or before a comma and what is written.
_SALUTATION = re.compile(
    r"[ \t]*(?:dear[ \t]+\S[^\n,!:]{0,40}[,!:]?[ \t]*$|"
    r"(?:hi|hello|hey|good (?:morning|afternoon|evening))\b[^\n,!.:]{0,30}[,!])",
    re.IGNORECASE,
)
_CLOSING = re.compile(
    r"[ \t]*(?:(?:best|kind|warm|many|with best|with kind)?[ \t]*(?:regards|wishes|thanks)|sincerely|"
    r"yours(?:[ \t]+\w+)?|cheers|love|thank you|best),?[ \t]*$",
    re.IGNORECASE,
)
LONGEST_LETTER = 12
"""Paragraphs from the salutation to the closing."""
LEAST_MOVES = 3
"""Lines of a game's player, each with an answer of the game under it."""
LONGEST_LABEL = 3
"""Words of the line that ends an example."""


def recorded(found: Sequence[Paragraph]) -> Iterator[tuple[int, int]]:
    """The ranges of letters, games and examples among the paragraphs of a text."""
    yield from _letters(found)
    yield from _games(found)
    yield from _labelled(found)


def _letters(found: Sequence[Paragraph]) -> Iterator[tuple[int, int]]:
    for index, paragraph in enumerate(found):
        if not _SALUTATION.match(paragraph.lines[0]):
            continue
        letter = found[index : index + LONGEST_LETTER]
        ends = (one for one in letter if any(map(_CLOSING.match, one.lines)))
        yield paragraph.start, next(ends, paragraph).end


def _games(found: Sequence[Paragraph]) -> Iterator[tuple[int, int]]:
    """Paragraphs in which lines with ">" take turns with others: moves of a game, and what came of them."""
    marked = [one for one in found if any(">" in line for line in one.lines)]
    games = [one for one in marked if len({line.lstrip().startswith(">") for line in one.lines}) > 1]
    if sum(map(_moves, games)) >= LEAST_MOVES:
        yield from ((one.start, one.end) for one in games)


def _moves(paragraph: Paragraph) -> int:
    """How often a line with ">" is followed by one without."""
    return sum(
        first.lstrip().startswith(">") and not second.lstrip().startswith(">")
        for first, second in pairwise(paragraph.lines)
    )


def _labelled(found: Sequence[Paragraph]) -> Iterator[tuple[int, int]]:
    """Paragraphs one after the other that each end with a line of a few words, some of them the same: its label."""
    for is_example, members in groupby(found, key=_has_label):
        examples = list(members)
        labels = [one.lines[-1].strip().lower() for one in examples]
        if is_example and len(examples) > 2 and len(set(labels)) < len(labels):
            yield from ((one.start, one.end) for one in examples)


_LABEL = re.compile(r"[ \t]*[\w'’-]+(?:[ \t]+[\w'’-]+)*[.!]?[ \t]*\Z")
_BULLET = re.compile(r"[ \t>]*(?:[-*+•#]|\d+[.)])")


def _has_label(paragraph: Paragraph) -> bool:
    *before, last = paragraph.lines
    return (
        bool(before)
        and len(last.split()) <= LONGEST_LABEL
        and _LABEL.match(last) is not None
        and before[-1].rstrip()[-1:] in ".!?"
        and not any(map(_BULLET.match, paragraph.lines))
    )
