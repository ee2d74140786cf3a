"""How a prompt divides: messages, blocks of control flow, and the text between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from promptopt.minimization.inputs import keep_inputs
from promptopt.minimization.nodes import BLOCKS, Node, keeping, leaves_of
from promptopt.minimization.paragraphs import Paragraphs
from promptopt.templates.source import ChatBlock, Piece, Source

# Tags without an end that only print; others change what follows.
_PRINTING = frozenset({"include", "image", "audio", "file", "pdf"})


def segment(source: Source) -> list[Node]:
    """The parts of a prompt file below its front matter."""
    if not source.is_template:
        return []
    reader = _Reader(source)
    if not source.chats:
        return keep_inputs(reader.with_input(source.front_end, len(source.text)), source)
    return keep_inputs(list(_messages(reader, source)), source)


def _messages(reader: _Reader, source: Source) -> Iterator[Node]:
    chats, number = source.chats, 0
    while number < len(chats):
        chat = chats[number]
        last = number == len(chats) - 1
        if not last and _is_pair(reader, chat, chats[number + 1]) and number + 2 < len(chats):
            yield Node("example", chat.start, chats[number + 1].end)
            number += 2
            continue
        if chat.role in ("system", "developer", "user"):
            body = chat.body_start, chat.body_end
            inner = reader.with_input(*body) if reader.has_to_be_there(number) else list(reader.region(*body))
            yield reader.message(chat, inner)
        number += 1


def _is_pair(reader: _Reader, first: ChatBlock, second: ChatBlock) -> bool:
    """Whether two messages are an example: a question and the answer to it, the same in every call."""
    return (
        (first.role, second.role) == ("user", "assistant")
        and first.is_static
        and second.is_static
        and reader.source.balanced(first.start, second.end)
        and not reader.source.text[first.end : second.start].strip()
    )


class _Reader(Paragraphs):
    """Divides messages and blocks of control flow."""

    def has_to_be_there(self, number: int) -> bool:
        """Whether a message may not be empty: the last one of the user, and those that only some cases have."""
        chats = self.source.chats
        users = [other for other, chat in enumerate(chats) if chat.role == "user"] or list(range(len(chats)))
        tag = next(piece for piece in self.source.pieces if piece.start == chats[number].start)
        return number == users[-1] or (number in users and bool(tag.frames))

    def message(self, chat: ChatBlock, inner: list[Node]) -> Node:
        # What is set or said in a comment is known in this message only.
        silent = [
            Node("silent", piece.start, piece.end)
            for piece in self._pieces(chat.body_start, chat.body_end)
            if piece.kind == "comment" or (piece.name == "set" and "=" in piece.words)
        ]
        parts = sorted([*inner, *silent], key=lambda node: node.start)
        whole = self._holds_only(chat.body_start, chat.body_end, parts)
        return Node("message", chat.start, chat.end, tuple(inner), f"the {chat.role} message", not whole or not inner)

    def with_input(self, start: int, end: int) -> list[Node]:
        """The nodes of a stretch with the last part kept that holds what a case puts in; if none does, the last of all.

        What is put in between the parts stays anyway. A message that says nothing is refused by every API.
        """
        nodes = list(self.region(start, end))
        leaves = [leaf for node in nodes for leaf in leaves_of(node)]
        holding = [leaf for leaf in leaves if self._prints(leaf.start, leaf.end)]
        outside = [
            piece
            for piece in self._pieces(start, end)
            if piece.kind == "expression" and not any(leaf.start <= piece.start < leaf.end for leaf in leaves)
        ]
        if not leaves or (outside and (not holding or outside[-1].start > holding[-1].start)):
            return nodes
        kept = (holding or leaves)[-1]
        return [keeping(node, [kept]) for node in nodes]

    def region(self, start: int, end: int) -> Iterator[Node]:
        """The nodes of a stretch: blocks of control flow that have their lines to themselves, and what is between."""
        done = start
        position = 0
        pieces = [piece for piece in self._pieces(start, end) if piece.kind == "tag"]
        while position < len(pieces):
            piece = pieces[position]
            closing = self._end_of(pieces, position)
            last = pieces[closing] if closing is not None else piece
            whole = self._own_lines(piece.start, last.end, start, end)
            if closing is not None and piece.name in BLOCKS and not whole:
                position = closing + 1
                continue
            if closing is None and piece.name in _PRINTING and not whole:
                position += 1
                continue
            yield from self._run(done, piece.start)
            yield from self._tag_node(pieces[position : (position if closing is None else closing) + 1])
            done = last.end
            position = (position if closing is None else closing) + 1
        yield from self._run(done, end)

    def _tag_node(self, tags: Sequence[Piece]) -> Iterator[Node]:
        first, last = tags[0], tags[-1]
        if len(tags) == 1:
            if first.name in _PRINTING:
                yield Node("include", first.start, last.end)
            return
        if first.name not in BLOCKS:
            return
        edges = [(one.end, other.start) for one, other in self._branches(tags)]
        parts = [list(self.region(*edge)) for edge in edges]
        whole = all(self._holds_only(*edge, part) for edge, part in zip(edges, parts, strict=True))
        inner = tuple(node for part in parts for node in part)
        yield Node("block", first.start, last.end, inner, "", not whole or not inner)
