"""How text without blocks of control flow divides: sections, lists, paragraphs, examples, code, sentences."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence

from promptopt.compression.sentences import SENTENCE_ENDS, split_sentences
from promptopt.compression.text.masked_lines import MASK
from promptopt.minimization.nodes import Line, Node, TextOfPrompt
from promptopt.templates.source import Piece

_HEADING = re.compile(r"[ \t]*(?:(?P<marks>#{1,6})[ \t]+\S.*|\*\*[^*\n]+\*\*:?|[A-Z][A-Z0-9 _&/-]{3,}:?)[ \t]*")
_OPEN = re.compile(r"[ \t]*<(?P<name>[A-Za-z_][\w-]*)(?:\s[^<>\n]*)?>[ \t]*")
_ITEM = re.compile(r"(?P<indent>[ \t]*)(?:[-*+•‣◦–]|(?:\d{1,3}|[A-Za-z])[.)])[ \t]+\S")
_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})")
# A colon of full width needs no space after it.
_LABEL = re.compile(
    r"[ \t]*(?:\*\*)?(?P<label>[A-ZÀ-ÖØ-Þ][\w ]{0,24}?|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{1,12}?)(?:\*\*)?"
    r"[ \t]*(?:\d+[ \t]*)?(?:：|:(?:[ \t]|$))"
)
_EXAMPLES = frozenset({"example", "sample", "demo", "shot"})
# "Example 1:", "**Sample**", "## Demo (hard)": it says nothing without what is below it.
_HEAD = re.compile(
    r"[ \t]*(?P<marks>#{1,6}[ \t]+|\*\*|__)?"
    r"(?:(?:Example|Sample|Demo|Demonstration|Shot|Beispiel|Exemple|Ejemplo|Esempio|Exemplo|Voorbeeld)\b|例|示例|예시?)"
    r"[ \t]*(?P<number>(?:#|No\.?)?[ \t]*(?:\d{1,3}|[A-Z]))?[ \t]*(?:\([^()\n]*\))?[ \t]*(?P<colon>[:：])?(?:\*\*|__)?"
    r"[:：]?[ \t]*",
    re.IGNORECASE,
)
# What a sentence before a block of control flow, and one that is a branch of it, ends with.
_ENDED = re.compile(rf"(?:\A|\n|[{SENTENCE_ENDS}…])[)\"'”’*_»]*(?:\s|{{%[^%]*%}})*\Z")


class Paragraphs(TextOfPrompt):
    """Divides stretches of lines."""

    @abstractmethod
    def _tag_node(self, tags: Sequence[Piece]) -> Iterator[Node]:
        """A block of control flow with what is in it."""

    def _run(self, start: int, end: int) -> Iterator[Node]:
        """Text with expressions and inline tags, divided at headings, tags on their own lines, lists, empty lines."""
        lines = []
        position = start
        while position < end:
            stop = self.text.find("\n", position, end)
            stop = end if stop < 0 else stop + 1
            lines.append(
                Line(position, position + len(self.text[position:stop].rstrip("\n")), self.text[position:stop])
            )
            position = stop
        yield from self._joined(self._sections(lines))

    def _sections(self, lines: Sequence[Line]) -> Iterator[Node]:
        number = 0
        while number < len(lines):
            line = lines[number]
            if line.blank:
                number += 1
                continue
            if self._is_head(lines, number):
                stop = self._end_of_example(lines, number)
                yield self._example(*self._trimmed(line.start, lines[stop - 1].end))
                number = stop
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

    def _end_of_section(self, lines: Sequence[Line], number: int) -> int:
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

    def _is_head(self, lines: Sequence[Line], number: int) -> bool:
        """Whether a line says that an example follows, and one does."""
        found = _HEAD.fullmatch(lines[number].text.rstrip("\n"))
        if not found or not (found["marks"] or found["number"] or found["colon"]):
            return False
        following = next((line for line in lines[number + 1 :] if not line.blank), None)
        return following is not None and not _HEADING.fullmatch(following.text.rstrip("\n"))

    def _end_of_example(self, lines: Sequence[Line], number: int) -> int:
        """Where an example ends that a line opens: at the next one; the last has as many paragraphs as the one before.

        A paragraph that begins with a label, as ``Output: b`` does, goes on with it unless a case puts something in.
        """
        section = self._end_of_section(lines, number) if self._plain(lines[number]) else number
        end = section if section > number else len(lines)
        heads = [other for other in range(len(lines)) if self._is_head(lines, other)]
        if (after := next((other for other in heads if number < other), len(lines))) < end:
            return after
        before = [other for other in heads if other < number]
        many = len(self._ends_of_paragraphs(lines, before[-1] + 1, number)) if before else 1
        ends = self._ends_of_paragraphs(lines, number + 1, end)
        last = 0
        for place, stop in enumerate(ends):
            start = ends[place - 1] if place else number + 1
            first = next(line for line in lines[start:] if not line.blank)
            labelled = _LABEL.match(first.text) is not None
            if place and ((place >= many and not labelled) or self._prints(first.start, lines[stop - 1].end)):
                break
            last = stop
        return last

    def _ends_of_paragraphs(self, lines: Sequence[Line], start: int, end: int) -> list[int]:
        ends = []
        while start < end:
            if lines[start].blank:
                start += 1
                continue
            start = self._end_of_paragraph(lines[:end], start)
            ends.append(start)
        return ends

    def _section(self, lines: Sequence[Line]) -> Iterator[Node]:
        inner = self._joined(self._sections(lines[1:]))
        if not inner:
            return
        last = max((line.end for line in lines if not line.blank), default=lines[0].end)
        whole = self._holds_only(lines[0].end, last, inner)
        yield Node("section", lines[0].start, last, tuple(inner), lines[0].text.strip(" \t\n#*:"), not whole)

    def _closing(self, lines: Sequence[Line], number: int, name: str) -> int | None:
        for stop in range(number + 1, len(lines)):
            if lines[stop].text.strip() == f"</{name}>":
                return stop
        return None

    def _tagged(self, lines: Sequence[Line], name: str) -> Iterator[Node]:
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

    def _end_of_paragraph(self, lines: Sequence[Line], number: int) -> int:
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
                if led and following is not None and (_ITEM.match(following.text) or _FENCE.match(following.text)):
                    continue
                return stop
            if stop > number and (
                _OPEN.fullmatch(text.rstrip("\n"))
                or _HEADING.fullmatch(text.rstrip("\n"))
                or self._is_head(lines, stop)
            ):
                return stop
        return len(lines)

    def _paragraphs(self, lines: Sequence[Line]) -> Iterator[Node]:
        """A paragraph, with the list and the code that are in it."""
        coded = self._coded(lines)
        first = next(
            (number for number, line in enumerate(lines) if line not in coded and _ITEM.match(line.text)), None
        )
        fences = [
            fence
            for fence in self._fences(lines)
            if first is None or fence[0] < first or not lines[fence[0]].text[0].isspace()
        ]
        if fences and not any(self._examples([line for line in lines if not line.blank])):
            start, stop = fences[0]
            code = Node("block", *self._trimmed(lines[start].start, lines[stop - 1].end))
            yield from self._led(list(self._paragraphs(lines[:start])), [code])
            yield from self._paragraphs(lines[stop:])
            return
        if first is None or fences:
            yield from self._prose(lines)
            return
        items = list(self._items(lines[first:]))
        yield from self._led(list(self._prose(lines[:first])), items)

    def _led(self, before: list[Node], nodes: Sequence[Node]) -> Iterator[Node]:
        """Some parts below what leads to them, if what is before them ends with a colon; it goes with the last one."""
        if not before or before[-1].children or self.text[before[-1].end - 1] != ":":
            yield from before
            yield from nodes
            return
        *others, lead = before
        children = self._joined(iter(nodes))
        whole = self._holds_only(lead.end, nodes[-1].end, children)
        heading = " ".join(self.text[lead.start : lead.end].split()).rstrip(":")
        yield from others
        yield Node("section", lead.start, nodes[-1].end, tuple(children), heading, not whole)

    def _fences(self, lines: Sequence[Line]) -> Iterator[tuple[int, int]]:
        """First line of each stretch of fenced code, and the line after its last."""
        number = 0
        while number < len(lines):
            found = _FENCE.match(lines[number].text)
            start, number = number, number + 1
            if found:
                while number < len(lines) and not lines[number].text.strip().startswith(found[1]):
                    number += 1
                number = min(number + 1, len(lines))
                yield start, number

    def _coded(self, lines: Sequence[Line]) -> set[Line]:
        return {line for start, stop in self._fences(lines) for line in lines[start:stop]}

    def _items(self, lines: Sequence[Line]) -> Iterator[Node]:
        """Each item with what is indented below it."""
        coded = self._coded(lines)
        lines = [line for line in lines if line in coded or not line.blank]
        number = 0
        while number < len(lines):
            found = _ITEM.match(lines[number].text)
            indent = len(found["indent"].expandtabs()) if found else 0
            stop = number + 1
            while stop < len(lines):
                other = None if lines[stop] in coded else _ITEM.match(lines[stop].text)
                if other and len(other["indent"].expandtabs()) <= indent:
                    break
                stop += 1
            own = lines[number:stop]
            inner = next((n for n, line in enumerate(own) if n and line not in coded and _ITEM.match(line.text)), None)
            start, end = own[0].start + (len(found["indent"]) if found else 0), own[-1].end
            if inner is None:
                yield Node("list item", start, end)
            else:
                below = list(self._items(own[inner:]))
                children = self._joined(iter(below))
                # What an item says with those below it goes with the last of them.
                yield Node("section", start, end, tuple(children), own[0].text.strip(), len(children) < len(below))
            number = stop

    def _prose(self, lines: Sequence[Line]) -> Iterator[Node]:
        lines = [line for line in lines if not line.blank]
        if not lines:
            return
        start, end = lines[0].start, lines[-1].end
        if len(lines) > 1 and lines[0].text.rstrip().endswith(":") and (shots := list(self._examples(lines[1:]))):
            yield from self._led(list(self._prose(lines[:1])), shots)
        elif shots := list(self._examples(lines)):
            yield from shots
        elif not self.masked[start:end].replace(MASK, "").strip():
            yield Node("block", *self._trimmed(start, end))
        else:
            for tags in self._spoken(start, end):
                yield from self._sentences(start, tags[0].start)
                yield from self._tag_node(tags)
                start = tags[-1].end
            yield from self._sentences(start, end)

    def _sentences(self, start: int, end: int) -> Iterator[Node]:
        for sentence in split_sentences(self.masked[start:end]):
            yield Node("sentence", *self._trimmed(start + sentence.marker, start + sentence.end))

    def _spoken(self, start: int, end: int) -> Iterator[Sequence[Piece]]:
        """The blocks of control flow inside a line whose branches are sentences of their own."""
        tags = [piece for piece in self._pieces(start, end) if piece.kind == "tag"]
        position = 0
        while position < len(tags):
            closing = self._end_of(tags, position)
            block = tags[position : position + 1 if closing is None else closing + 1]
            position += len(block)
            branches = [self.text[one.end : other.start] for one, other in self._branches(block)]
            if (
                any(map(str.strip, branches))
                and _ENDED.search(self.text[start : block[0].start])
                and all(_ENDED.search(branch) for branch in branches if branch.strip())
            ):
                yield block

    def _examples(self, lines: Sequence[Line]) -> Iterator[Node]:
        """Examples as ``Input: ...`` and ``Output: ...`` of which the labels come again."""
        labels: list[str] = [found["label"] if (found := _LABEL.match(line.text)) else "" for line in lines]
        counts = Counter(filter(None, labels))
        again = [label for label in counts if counts[label] > 1]
        numbered = len(again) == len(counts) == 1 and again[0].lower() in _EXAMPLES
        if labels[0] in again and (len(again) >= 2 or numbered):
            starts = [number for number, label in enumerate(labels) if label == labels[0]]
            for one, other in zip(starts, [*starts[1:], len(lines)], strict=True):
                yield self._example(lines[one].start, lines[other - 1].end)
        elif len(lines) > 1 and len(counts) == len(labels) >= 2 and all(labels[:2]) and self._come_again(labels):
            yield self._example(*self._trimmed(lines[0].start, lines[-1].end))

    def _example(self, start: int, end: int) -> Node:
        return Node("example", start, end, kept=self._prints(start, end))

    def _come_again(self, labels: Sequence[str]) -> bool:
        whole = self.text[self.source.front_end :]
        return all(len(re.findall(rf"(?m)^[ \t]*(?:\*\*)?{re.escape(label)}\b", whole)) > 1 for label in labels[:2])
