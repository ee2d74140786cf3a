"""How a prompt's text divides: messages, sections, lists, paragraphs, examples, sentences, blocks of control flow."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from promptopt.compression.masks import MASK, mask
from promptopt.compression.sentences import split_sentences
from promptopt.templates.source import ChatBlock, Piece, Source

_HEADING = re.compile(r"[ \t]*(?:(?P<marks>#{1,6})[ \t]+\S.*|\*\*[^*\n]+\*\*:?|[A-Z][A-Z0-9 _&/-]{3,}:?)[ \t]*")
_OPEN = re.compile(r"[ \t]*<(?P<name>[A-Za-z_][\w-]*)(?:\s[^<>\n]*)?>[ \t]*")
_ITEM = re.compile(r"(?P<indent>[ \t]*)(?:[-*+•‣◦–]|(?:\d{1,3}|[A-Za-z])[.)])[ \t]+\S")
_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})")
_LABEL = re.compile(r"[ \t]*(?:\*\*)?(?P<label>[A-Z][\w ]{0,24}?)(?:\*\*)?[ \t]*(?:\d+[ \t]*)?:(?:[ \t]|$)")
_EXAMPLES = frozenset({"example", "sample", "demo", "shot"})
# Tags without an end that only print; others change what follows.
_PRINTING = frozenset({"include", "image", "audio", "file", "pdf"})
_NODES = frozenset({"if", "for"})


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


@dataclass(frozen=True, slots=True)
class _Line:
    start: int
    end: int
    text: str

    @property
    def blank(self) -> bool:
        return not self.text.strip()


def segment(source: Source) -> list[Node]:
    """The parts of a prompt file below its front matter."""
    if not source.is_template:
        return []
    reader = _Reader(source)
    if not source.chats:
        return reader.with_input(list(reader.region(source.front_end, len(source.text))))
    return list(_messages(reader, source))


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
            inner = list(reader.region(chat.body_start, chat.body_end))
            if reader.has_to_be_there(number):
                inner = reader.with_input(inner)
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


class _Reader:
    def __init__(self, source: Source) -> None:
        self.source, self.text = source, source.text
        self.masked = mask(source.text, source).masked

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

    def _holds_only(self, start: int, end: int, nodes: Sequence[Node]) -> bool:
        """Whether nothing but white space is left between some nodes."""
        done = start
        for node in nodes:
            if self.text[done : max(done, node.start)].strip():
                return False
            done = max(done, node.end)
        return not self.text[done:end].strip()

    def with_input(self, nodes: list[Node]) -> list[Node]:
        """With the last part kept that holds what a case puts in; if none does, the last part of all.

        What is put in between the parts stays anyway. A message that says nothing is refused by every API.
        """
        leaves = [leaf for node in nodes for leaf in _leaves(node)]
        holding = [leaf for leaf in leaves if self._prints(leaf.start, leaf.end)]
        start, end = (nodes[0].start, nodes[-1].end) if nodes else (0, 0)
        outside = [
            piece
            for piece in self._pieces(start, end)
            if piece.kind == "expression" and not any(leaf.start <= piece.start < leaf.end for leaf in leaves)
        ]
        if not leaves or (outside and (not holding or outside[-1].start > holding[-1].start)):
            return nodes
        kept = (holding or leaves)[-1]
        return [_keeping(node, kept) for node in nodes]

    def _prints(self, start: int, end: int) -> bool:
        return any(piece.kind == "expression" for piece in self._pieces(start, end))

    def _pieces(self, start: int, end: int) -> list[Piece]:
        return [piece for piece in self.source.pieces if piece.start < end and piece.end > start]

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
            if closing is not None and piece.name in _NODES and not whole:
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
        if first.name not in _NODES:
            return
        # The branches of this block itself.
        own = [tag for tag in tags if tag is first or tag is last or self._is_branch(tag, tags)]
        inner = [node for one, other in pairwise(own) for node in self.region(one.end, other.start)]
        edges = [edge for one, other in pairwise(own) for edge in [(one.end, other.start)]]
        whole = all(
            self._holds_only(*edge, [node for node in inner if edge[0] <= node.start < edge[1]]) for edge in edges
        )
        yield Node("block", first.start, last.end, tuple(inner), "", not whole or not inner)

    def _is_branch(self, tag: Piece, tags: Sequence[Piece]) -> bool:
        if tag.name not in ("else", "elif"):
            return False
        depth = 0
        for other in tags:
            if other is tag:
                return depth == 1
            if other.name in _NODES:
                depth += 1
            elif other.name in ("endif", "endfor"):
                depth -= 1
        return False

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

    def _own_lines(self, start: int, end: int, low: int, high: int) -> bool:
        before = self.text[low:start].rpartition("\n")
        after = self.text[end:high].partition("\n")
        return not before[2].strip() and not after[0].strip()

    def _run(self, start: int, end: int) -> Iterator[Node]:
        """Text with expressions and inline tags, divided at headings, tags on their own lines, lists, empty lines."""
        lines = []
        position = start
        while position < end:
            stop = self.text.find("\n", position, end)
            stop = end if stop < 0 else stop + 1
            lines.append(
                _Line(position, position + len(self.text[position:stop].rstrip("\n")), self.text[position:stop])
            )
            position = stop
        yield from self._joined(self._sections(lines))

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

    def _sections(self, lines: Sequence[_Line]) -> Iterator[Node]:
        number = 0
        while number < len(lines):
            line = lines[number]
            if line.blank:
                number += 1
                continue
            stop = self._end_of_section(lines, number) if self._plain(line) else number
            if stop > number:
                yield from self._section(lines[number:stop])
                number = stop
                continue
            tag = _OPEN.fullmatch(line.text.rstrip("\n"))
            close = self._closing(lines, number, tag["name"]) if tag else None
            if tag and close is not None:
                yield from self._tagged(lines[number : close + 1], tag["name"])
                number = close + 1
                continue
            stop = self._end_of_paragraph(lines, number)
            yield from self._paragraphs(lines[number:stop])
            number = stop

    def _plain(self, line: _Line) -> bool:
        return MASK not in self.masked[line.start : line.end]

    def _end_of_section(self, lines: Sequence[_Line], number: int) -> int:
        """Where the section that a heading opens ends; ``number`` if it is no heading."""
        found = _HEADING.fullmatch(lines[number].text.rstrip("\n"))
        if not found:
            return number
        depth = len(found["marks"] or "") or 7
        for stop in range(number + 1, len(lines)):
            other = _HEADING.fullmatch(lines[stop].text.rstrip("\n")) if self._plain(lines[stop]) else None
            if other and (len(other["marks"] or "") or 7) <= depth:
                return stop
        return len(lines)

    def _section(self, lines: Sequence[_Line]) -> Iterator[Node]:
        inner = self._joined(self._sections(lines[1:]))
        if not inner:
            return
        last = max((line.end for line in lines if not line.blank), default=lines[0].end)
        whole = self._holds_only(lines[0].end, last, inner)
        yield Node("section", lines[0].start, last, tuple(inner), lines[0].text.strip(" \t\n#*:"), not whole)

    def _closing(self, lines: Sequence[_Line], number: int, name: str) -> int | None:
        for stop in range(number + 1, len(lines)):
            if lines[stop].text.strip() == f"</{name}>":
                return stop
        return None

    def _tagged(self, lines: Sequence[_Line], name: str) -> Iterator[Node]:
        start, end = lines[0].start, lines[-1].end
        words = set(re.split(r"[_-]", name.lower()))
        if words & _EXAMPLES:
            yield Node("example", start, end)
            return
        inner = self._joined(self._sections(lines[1:-1]))
        if not inner:
            yield Node("block", start, end)
            return
        whole = self._holds_only(lines[0].end, lines[-1].start, inner)
        yield Node("section", start, end, tuple(inner), f"<{name}>", not whole)

    def _end_of_paragraph(self, lines: Sequence[_Line], number: int) -> int:
        """An empty line ends it, but for one after a lead-in; so do headings and tags on their own lines."""
        fence = None
        for stop in range(number, len(lines)):
            text = lines[stop].text
            if fence is not None:
                fence = None if text.strip().startswith(fence) else fence
                continue
            if found := _FENCE.match(text):
                fence = found[1]
                continue
            if lines[stop].blank:
                following = next((line for line in lines[stop:] if not line.blank), None)
                led = lines[stop - 1].text.rstrip().endswith(":") and following is not None
                if led and following is not None and _ITEM.match(following.text):
                    continue
                return stop
            if stop > number and (_OPEN.fullmatch(text.rstrip("\n")) or _HEADING.fullmatch(text.rstrip("\n"))):
                return stop
        return len(lines)

    def _paragraphs(self, lines: Sequence[_Line]) -> Iterator[Node]:
        """A paragraph, with the list below it, if there is one."""
        first = next((number for number, line in enumerate(lines) if _ITEM.match(line.text)), None)
        if first is None:
            yield from self._prose(lines)
            return
        items = list(self._items([line for line in lines[first:] if not line.blank]))
        before = list(self._prose(lines[:first])) if first else []
        if before and self.text[: before[-1].end].endswith(":") and not before[-1].children:
            lead = before.pop()
            whole = self._holds_only(lead.end, items[-1].end, items)
            heading = " ".join(self.text[lead.start : lead.end].split()).rstrip(":")
            yield from before
            yield Node("section", lead.start, items[-1].end, tuple(self._joined(iter(items))), heading, not whole)
            return
        yield from before
        yield from items

    def _items(self, lines: Sequence[_Line]) -> Iterator[Node]:
        """Each item with what is indented below it."""
        number = 0
        while number < len(lines):
            found = _ITEM.match(lines[number].text)
            indent = len(found["indent"].expandtabs()) if found else 0
            stop = number + 1
            while stop < len(lines):
                other = _ITEM.match(lines[stop].text)
                if other and len(other["indent"].expandtabs()) <= indent:
                    break
                stop += 1
            own = lines[number:stop]
            inner = next((n for n, line in enumerate(own) if n and _ITEM.match(line.text)), None)
            start, end = own[0].start + (len(found["indent"]) if found else 0), own[-1].end
            if inner is None:
                yield Node("list item", start, end)
            else:
                children = self._joined(self._items(own[inner:]))
                # What an item says with those below it goes with the last of them.
                yield Node("section", start, end, tuple(children), own[0].text.strip(), not children)
            number = stop

    def _prose(self, lines: Sequence[_Line]) -> Iterator[Node]:
        lines = [line for line in lines if not line.blank]
        if not lines:
            return
        start, end = lines[0].start, lines[-1].end
        if len(lines) > 1 and lines[0].text.rstrip().endswith(":") and (shots := list(self._examples(lines[1:]))):
            yield from self._prose(lines[:1])
            yield from shots
            return
        if shots := list(self._examples(lines)):
            yield from shots
            return
        if any(_FENCE.match(line.text) for line in lines) or not self.masked[start:end].replace(MASK, "").strip():
            yield Node("block", *self._trimmed(start, end))
            return
        for sentence in split_sentences(self.masked[start:end]):
            begin = start + sentence.marker
            yield Node("sentence", *self._trimmed(begin, start + sentence.end))

    def _examples(self, lines: Sequence[_Line]) -> Iterator[Node]:
        """Examples as ``Input: ...`` and ``Output: ...`` of which the labels come again."""
        labels: list[str] = [found["label"] if (found := _LABEL.match(line.text)) else "" for line in lines]
        counts = Counter(filter(None, labels))
        again = [label for label in counts if counts[label] > 1]
        if len(again) >= 2 and labels[0] in again:
            starts = [number for number, label in enumerate(labels) if label == labels[0]]
            for one, other in zip(starts, [*starts[1:], len(lines)], strict=True):
                node = Node("example", lines[one].start, lines[other - 1].end)
                yield replace(node, kept=self._prints(node.start, node.end))
        elif len(lines) > 1 and len(counts) == len(labels) >= 2 and all(labels[:2]) and self._come_again(labels):
            start, end = self._trimmed(lines[0].start, lines[-1].end)
            yield Node("example", start, end, kept=self._prints(start, end))

    def _come_again(self, labels: Sequence[str]) -> bool:
        whole = self.text[self.source.front_end :]
        return all(len(re.findall(rf"(?m)^[ \t]*(?:\*\*)?{re.escape(label)}\b", whole)) > 1 for label in labels[:2])

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


def _leaves(node: Node) -> list[Node]:
    return [leaf for child in node.children for leaf in _leaves(child)] if node.children else [node]


def _keeping(node: Node, kept: Node) -> Node:
    if node is kept:
        return replace(node, kept=True)
    return replace(node, children=tuple(_keeping(child, kept) for child in node.children))
