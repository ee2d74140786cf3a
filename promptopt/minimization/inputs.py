"""Of everything that a case puts in, one place stays wherever it is put in today."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from promptopt.minimization.nodes import Node, keeping, leaves_of
from promptopt.templates.source import Frame, Piece, Source

_WORDS_OF_JINJA = frozenset({"if", "else", "in", "is", "not", "and", "or", "loop", "true", "false", "none"})


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a value is printed.

    Attributes:
        value: The expression without its filters.
        frames: The branches and loops around it: it is printed in no other case.
    """

    value: tuple[str, ...]
    frames: tuple[Frame, ...]
    start: int

    def covers(self, other: _Place) -> bool:
        """Whether this place prints it in every case in which the other one does."""
        return self.value == other.value and other.frames[: len(self.frames)] == self.frames


def keep_inputs(nodes: Sequence[Node], source: Source) -> list[Node]:
    """The nodes with those kept that hold the only place of a value in some case.

    Of several places the last one stays, and one outside a block of control flow before one inside. A search could
    show that a value is not needed, in the cases that there are; a prompt without its input is not what anybody means.
    """
    leaves = [leaf for node in nodes for leaf in leaves_of(node)]
    safe: list[_Place] = []
    kept: list[Node] = []
    # A place that stays anyway costs nothing.
    for place in sorted(_places(source), key=lambda place: (_leaf_at(leaves, place) is not None, *_order(place))):
        leaf = _leaf_at(leaves, place)
        if leaf is None or any(leaf is each for each in kept):
            safe.append(place)
        elif not any(other.covers(place) for other in safe):
            safe.append(place)
            kept.append(leaf)
    return [keeping(node, kept) for node in nodes]


def _order(place: _Place) -> tuple[int, int]:
    return len(place.frames), -place.start


def _leaf_at(leaves: Sequence[Node], place: _Place) -> Node | None:
    """The leaf that a place is in, if it can go."""
    return next((leaf for leaf in leaves if leaf.start <= place.start < leaf.end and not leaf.kept), None)


def _places(source: Source) -> Iterator[_Place]:
    constants: set[str] = set()
    for piece in source.pieces:
        if piece.kind == "tag" and piece.name == "set" and "=" in piece.words:
            names, value = _around_equals(piece)
            if _names(value) <= constants:
                constants.update(names)
        elif piece.kind == "expression":
            value = piece.words[: piece.words.index("|")] if "|" in piece.words else piece.words
            if _names(value) - constants:
                frames = tuple(frame for frame in piece.frames if frame.kind in ("if", "for"))
                yield _Place(value, frames, piece.start)


def _around_equals(piece: Piece) -> tuple[set[str], tuple[str, ...]]:
    equals = piece.words.index("=")
    return _names(piece.words[1:equals]), piece.words[equals + 1 :]


def _names(words: Sequence[str]) -> set[str]:
    """The variables in an expression, without their attributes and without the names of filters."""
    return {
        word
        for before, word in zip(("", *words), words, strict=False)
        if word.isidentifier() and before not in (".", "|") and word.lower() not in _WORDS_OF_JINJA
    }
