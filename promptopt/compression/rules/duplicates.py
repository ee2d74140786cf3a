"""PO105 and PO106: sentences and whole passages that are said elsewhere, or say nothing."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import ClassVar

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit, Level
from promptopt.compression.facts import Fact, plain_words
from promptopt.compression.sentences import HEADING, ITEM, Sentence

_SENTENCES = re.compile(
    r"(?:"
    r"(?:please )?(?:take your time|do your best|try your best|good luck|be helpful|let's (?:begin|start|"
    r"get started|go)|begin|thank you.*|thanks.*)"
    r"|take a deep breath(?: and (?:relax|focus|work on this problem step by step))?"
    r"|(?:i|we) (?:really |truly |greatly )?(?:appreciate|value) (?:your|any) [\w ]{2,30}"
    r"|(?:this|it) is (?:very |extremely |super )?important to (?:me|my career|us)"
    r"|you (?:are|have) (?:a lot of|complete|total) freedom[\w ]*"
    r"|you(?: a|')re (?:very |really |extremely )?(?:smart|capable|talented|brilliant|amazing|the best)[\w ]*"
    r"|i (?:know|believe|trust) (?:that )?you can do (?:it|this)|you can do (?:it|this)"
    r"|(?:i hope|hopefully) this (?:helps|is clear|makes sense)"
    r"|(?:if you do (?:well|this well|a good job)|for a (?:good|perfect) answer),? (?:i|we)(?:'ll| will) tip you[\w $]*"
    r"|(?:i|we)(?:'ll| will| am going to) tip you[\w $]*"
    r"|are you ready|do you understand|is that clear"
    r")[.!?]*\Z",
    re.IGNORECASE,
)
LEAST_WORDS = 4
"""A shorter sentence may be there twice for a reason: a label, a separator, a slot."""
# "Give this as a list": which one "this" is, the sentence before says.
_REFERS_BACK = re.compile(
    r"\b(?:this|these|those|such)\b(?=\s+(?:as|in|is|are|was|were|should|must|can|may|will|to|with|for|at|by|on|into|"
    r"the|an?)\b|\s*(?:[.,;:!?]|\Z))|\A(?:\W*\w+){0,3}\W+(?:it|they|them)\b|\A\W*(?:it|they)\b",
    re.IGNORECASE,
)
# What the sentence that is kept may say in addition.
_STRICTER = frozenset({"always", "exclusively", "mandatory", "must", "only", "shall", "solely", "strictly"})
_LABEL = re.compile(r"[*_]*[^\s.:][^.:\n]{0,40}:\s")


class Boilerplate:
    """Encouragement, thanks, tips and threats: whole sentences without an instruction in them."""

    code: ClassVar[str] = "PO106"
    name: ClassVar[str] = "boilerplate sentences"
    reason: ClassVar[str] = "encouragement is not an instruction"
    level: ClassVar[Level] = "safe"

    def propose(self, document: Document) -> Iterator[Edit]:
        for sentence in document.prose:
            text = document.masked[sentence.start : sentence.end].strip(" *_")
            if _SENTENCES.match(text):
                start, end = line_removal(document, sentence)
                yield Edit(start, end, "", self.code, f"boilerplate: {text[:40]!r}")


class Duplicates:
    """A sentence that says what an earlier one says, or says less strictly what another one says.

    Two that differ in a number, a negation, a name, a condition or any other word are both kept.
    """

    code: ClassVar[str] = "PO105"
    name: ClassVar[str] = "repeated instructions"
    reason: ClassVar[str] = "an instruction is paid for each time it is given"
    level: ClassVar[Level] = "safe"

    def propose(self, document: Document) -> Iterator[Edit]:
        if not document.flow_known:
            return
        yield from self._passages(document)
        yield from self._labels(document)
        candidates = [
            (sentence, Counter(fact for fact in document.facts_of(sentence).facts if fact.kind != "structure"))
            for sentence in _alike(document)
        ]
        index: dict[Fact, list[int]] = {}
        for number, (_, facts) in enumerate(candidates):
            for fact in facts:
                index.setdefault(fact, []).append(number)
        gone: set[int] = set()
        for number, (sentence, facts) in enumerate(candidates):
            if _is_long_enough(document, sentence, facts):
                keeper = next(self._keepers(document, candidates, index, number, gone), None)
                if keeper is not None:
                    gone.add(number)
                    kept = candidates[keeper][0]
                    yield self._edit(document, sentence, kept)

    def _passages(self, document: Document) -> Iterator[Edit]:
        for (start, end), kept in repeated_passages(document):
            line, _ = document.line_of(kept[0])
            message = f"the passage from line {line} on is repeated here, word for word"
            yield Edit(start, end, "", self.code, message, because=kept)

    def _labels(self, document: Document) -> Iterator[Edit]:
        """A label line that repeats the heading right above it: ``# INPUT`` and then ``INPUT:``."""
        for heading, label in pairwise(document.sentences):
            if heading.kind != HEADING or not label.first or label.kind == HEADING:
                continue
            title = document.text[heading.start : heading.end].strip(" :*").lower()
            if title and title == document.text[label.start : label.end].strip(" *").removesuffix(":").lower():
                start, end = line_removal(document, label)
                if document.frames_at(heading.start) == document.frames_at(label.start):
                    message = "the heading above says this already"
                    yield Edit(start, end, "", self.code, message, because=(heading.start, heading.end))

    def _keepers(
        self,
        document: Document,
        candidates: list[tuple[Sentence, Counter[Fact]]],
        index: dict[Fact, list[int]],
        number: int,
        gone: set[int],
    ) -> Iterator[int]:
        """Other sentences that say all that this one says, and are printed whenever it is."""
        sentence, facts = candidates[number]
        rarest = min(facts, key=lambda fact: len(index[fact]))
        for other in index[rarest]:
            if other == number or other in gone or facts - candidates[other][1]:
                continue
            kept = candidates[other][0]
            # A later sentence replaces this one only if it says more; of equals the first stays.
            if other > number and (candidates[other][1] == facts or kept.kind != sentence.kind):
                continue
            # "Name the red birds" says less than "name the birds"; "only name the birds" says more.
            if any(fact.value not in _STRICTER for fact in candidates[other][1] - facts):
                continue
            if document.always_before(kept.start, sentence.start) and _says_the_same(document, sentence, kept):
                yield other

    def _edit(self, document: Document, sentence: Sentence, kept: Sentence) -> Edit:
        line, _ = document.line_of(kept.start)
        start, end = line_removal(document, sentence)
        return Edit(start, end, "", self.code, f"line {line} says this already", because=(kept.start, kept.end))


def _says_the_same(document: Document, sentence: Sentence, kept: Sentence) -> bool:
    """Whether the words mean the same in both places, and what follows ``sentence`` does not need it."""
    text = document.text[sentence.start : sentence.end]
    if not sentence.first:
        return not _REFERS_BACK.search(text) or _before(document, sentence) == _before(document, kept)
    # An item that keeps its second sentence keeps its label.
    return not (sentence.kind == ITEM and _LABEL.match(text) and _goes_on(document, sentence))


def _before(document: Document, sentence: Sentence) -> str:
    """The words of the sentence before."""
    index = bisect_left(document.sentences, sentence.start, key=lambda other: other.start)
    if not index:
        return ""
    before = document.sentences[index - 1]
    return " ".join(document.text[before.start : before.end].split())


def _goes_on(document: Document, sentence: Sentence) -> bool:
    """Whether another sentence follows in the same item."""
    index = bisect_left(document.sentences, sentence.start, key=lambda other: other.start) + 1
    return index < len(document.sentences) and not document.sentences[index].first


def _alike(document: Document) -> list[Sentence]:
    """The sentences that share their plain words and protected stretches with another one: no others say the same."""
    groups: dict[frozenset[str], list[Sentence]] = {}
    for sentence in document.sentences:
        # A numbered step may be referred to by its number.
        numbered = document.text[sentence.marker : sentence.start].strip(" \t>")[:1].isalnum()
        if sentence.kind == HEADING or numbered:
            continue
        own = plain_words(document.masked[sentence.start : sentence.end]) | _protected(document, sentence)
        groups.setdefault(own - _STRICTER, []).append(sentence)
    alike = (sentence for group in groups.values() if len(group) > 1 for sentence in group)
    return sorted(alike, key=lambda sentence: sentence.start)


def _protected(document: Document, sentence: Sentence) -> frozenset[str]:
    """The protected stretches of a sentence, which are facts to the letter; the wording of examples is not."""
    return frozenset(
        " ".join(document.text[zone.start : zone.end].split())
        for zone in document.zones_in(sentence.start, sentence.end)
        if zone.kind != "example" and zone.start >= sentence.start
    )


def _is_long_enough(document: Document, sentence: Sentence, facts: Counter[Fact]) -> bool:
    words = sum(number for fact, number in facts.items())
    text = document.text[sentence.start : sentence.end].rstrip()
    if text.endswith(":") or (not text.endswith((".", "!", "?")) and sentence.kind == "text"):
        return False
    return words >= LEAST_WORDS and any(fact.kind == "word" for fact in facts)


def line_removal(document: Document, sentence: Sentence) -> tuple[int, int]:
    """The range to delete so that the sentence is gone and no empty item or doubled blank stays."""
    text = document.masked
    start, end = sentence.start, sentence.end
    line_start = text.rfind("\n", 0, start) + 1
    alone_before = sentence.marker <= start and not text[line_start : sentence.marker].strip() and sentence.first
    line_end = re.compile(r"[ \t]*(?:\n|\Z)").match(text, end)
    if alone_before and line_end:
        # With its marker and its line's end; an empty line after it goes if there is one before it.
        stop = line_end.end()
        if document.text[:line_start].endswith("\n\n") and (blank := re.compile(r"[ \t]*\n").match(text, stop)):
            stop = blank.end()
        return line_start, stop
    if line_end:
        # The last of several sentences: the blank before it goes.
        while start > line_start and text[start - 1] in " \t":
            start -= 1
        return start, end
    space = re.compile(r"\s+").match(text, end)
    return start, space.end() if space else end


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
