"""Letters, games, plays, printed forms and repeated examples without a mark: known by the form of their paragraphs."""

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
    yield from ((one.start, one.end) for one in found if _is_printed(one.lines))


# Of a menu, "Soup of the day ........ 4.50"; of a form, "Name: __________"; of a contract, "7.2 The Tenant shall".
_FILLED_UP = re.compile(
    r"\w[ \t]*\.{4,}[ \t]*[\d$€£]|_{4,}"
    r"|\A[ \t]*\d+\.\d+[ \t]+(?:The|Each|Any|No)[ \t][A-Z]\w+[ \t](?:shall|may|must|will)\b"
)
# "2.4.1" above what changed, "ANN (at the door). Come in."
_VERSION = re.compile(r"[ \t]*\[?v?\d+\.\d+\.\d+[^\s\]]*\]?(?:[ \t]*[-–—(][^\n]*)?[ \t]*\Z")
_SPEAKS = re.compile(r"[ \t]*[A-Z]{3,}(?:[ \t][A-Z]{2,})?(?:[ \t]\([^()\n]*\))?\.[ \t]+\S")


def _is_printed(lines: Sequence[str]) -> bool:
    """Whether lines are of a menu, a printed form, a contract, a list of changes or a play."""
    if any(map(_FILLED_UP.search, lines)) or (len(lines) > 1 and _VERSION.match(lines[0])):
        return True
    return sum(_SPEAKS.match(line) is not None for line in lines) > 1


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
