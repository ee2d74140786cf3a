"""A part of a prompt's text, and what is asked of a stretch of it: whether it can go, and what it puts in."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from promptopt.compression.masks import mask
from promptopt.compression.text.masked_lines import MASK
from promptopt.templates.source import Piece, Source

BLOCKS = frozenset({"if", "for"})
"""Tags that open what can go: a block whose branches are all empty says nothing."""
_ENDS = frozenset(f"end{name}" for name in BLOCKS)


@dataclass(frozen=True, slots=True)
class Node:
    """A part of a prompt's text: what can go by itself if it has no children, else what goes with all of them.

    Attributes:
        heading: What its children are below, if it has children.
        kept: It never goes: it is what the case puts in, or something else that has to be there.
    """

    kind: str
    start: int
    end: int
    children: tuple[Node, ...] = ()
    heading: str = ""
    kept: bool = False


def leaves_of(node: Node) -> list[Node]:
    """What can go by itself, in order."""
    return [leaf for child in node.children for leaf in leaves_of(child)] if node.children else [node]


def keeping(node: Node, kept: Collection[Node]) -> Node:
    """A node in which some leaves never go."""
    if not node.children:
        return replace(node, kept=True) if any(node is each for each in kept) else node
    return replace(node, children=tuple(keeping(child, kept) for child in node.children))


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a prompt file, with its end of line in ``text`` and not in ``end``."""

    start: int
    end: int
    text: str

    @property
    def blank(self) -> bool:
        return not self.text.strip()


class TextOfPrompt:
    """A prompt file, its text with what is protected masked, and the pieces of any stretch of it."""

    def __init__(self, source: Source) -> None:
        self.source, self.text = source, source.text
        self.masked = mask(source.text, source).masked

    def _holds_only(self, start: int, end: int, nodes: Sequence[Node]) -> bool:
        """Whether nothing but white space is left between some nodes."""
        done = start
        for node in nodes:
            if self.text[done : max(done, node.start)].strip():
                return False
            done = max(done, node.end)
        return not self.text[done:end].strip()

    def _prints(self, start: int, end: int) -> bool:
        return any(piece.kind == "expression" for piece in self._pieces(start, end))

    def _pieces(self, start: int, end: int) -> list[Piece]:
        return [piece for piece in self.source.pieces if piece.start < end and piece.end > start]

    def _own_lines(self, start: int, end: int, low: int, high: int) -> bool:
        before = self.text[low:start].rpartition("\n")
        after = self.text[end:high].partition("\n")
        return not before[2].strip() and not after[0].strip()

    def _joined(self, nodes: Iterator[Node]) -> list[Node]:
        """Without what cuts a block of control flow in half."""
        return [node for node in nodes if self._is_whole(node)]

    def _is_whole(self, node: Node) -> bool:
        if node.children:
            return True
        changing = [
            piece
            for piece in self._pieces(node.start, node.end)
            if piece.opaque or (piece.kind == "tag" and piece.name in ("set", "macro", "import", "from", "extends"))
        ]
        return not changing and self.source.balanced(node.start, node.end)

    def _plain(self, line: Line) -> bool:
        return MASK not in self.masked[line.start : line.end]

    def _trimmed(self, start: int, end: int) -> tuple[int, int]:
        """Without white space at its ends, and without tags there that are not closed in between."""
        while True:
            while start < end and self.text[start].isspace():
                start += 1
            while end > start and self.text[end - 1].isspace():
                end -= 1
            if self.source.balanced(start, end):
                return start, end
            pieces = [piece for piece in self._pieces(start, end) if piece.kind == "tag"]
            if pieces and pieces[0].start <= start:
                start = pieces[0].end
            elif pieces and pieces[-1].end >= end:
                end = pieces[-1].start
            else:
                return start, end

    def _end_of(self, pieces: Sequence[Piece], position: int) -> int | None:
        """Where the block that a tag opens ends; ``None`` if it opens none."""
        name = pieces[position].name
        depth = 0
        for number in range(position, len(pieces)):
            if pieces[number].name == name:
                depth += 1
            elif pieces[number].name == f"end{name}":
                depth -= 1
                if not depth:
                    return number
        return None

    def _branches(self, tags: Sequence[Piece]) -> Iterator[tuple[Piece, Piece]]:
        """The tags around each branch of the block that some tags are; none if they are not an ``if`` or a ``for``."""
        if tags[0].name not in BLOCKS or len(tags) < 2:
            return
        before, depth = tags[0], 0
        for tag in tags:
            depth += (tag.name in BLOCKS) - (tag.name in _ENDS)
            if tag is tags[-1] or (depth == 1 and tag.name in ("else", "elif")):
                yield before, tag
                before = tag
