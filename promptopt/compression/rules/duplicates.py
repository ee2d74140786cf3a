"""PO105 and PO106: sentences and whole passages that are said elsewhere, or say nothing."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import ClassVar

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit, Level
from promptopt.compression.sentences import HEADING, Sentence
from promptopt.compression.text.any_case import AnyCase
from promptopt.compression.text.masked_lines import MASK
from promptopt.compression.text.words import Hints, words_in

_SENTENCES = re.compile(
    r"(?:"
    r"(?:please )?(?:do your best|try your best|good luck)"
    r"|(?:thank you|thanks)(?: (?:very much|so much|a lot|in advance|for (?:your|the) (?:help|time|effort|attention)))*"
    r"|take a deep breath(?: and (?:relax|focus|work on this problem step by step))?"
    r"|(?:i|we) (?:really |truly |greatly )?(?:appreciate|value) (?:your|any) [\w ]{2,30}"
    r"|(?:this|it) is (?:very |extremely |super )?important to (?:me|my career|us)"
    r"|i (?:know|believe|trust) (?:that )?you can do (?:it|this)|you can do (?:it|this)"
    r"|(?:i hope|hopefully) this (?:helps|is clear|makes sense)"
    r"|(?:if you do (?:well|this well|a good job)|for a (?:good|perfect) answer),? (?:i|we)(?:'ll| will) tip you[\w $]*"
    r"|(?:i|we)(?:'ll| will| am going to) tip you[\w $]*"
    r")[.!?]*\Z",
    re.IGNORECASE,
)
_IN_SENTENCES = Hints(
    (
        *("do your best", "try your best", "good luck", "thank", "thanks", "deep breath", "appreciate", "value"),
        *("is important to", "you can do", "i hope this", "hopefully this", "tip you"),
    )
)
LEAST_WORDS = 4
"""A shorter sentence may be there twice for a reason: a label, a separator, a slot."""


class Boilerplate:
    """Encouragement, thanks, tips and threats: whole sentences without an instruction in them."""

    code: ClassVar[str] = "PO106"
    name: ClassVar[str] = "boilerplate sentences"
    reason: ClassVar[str] = "encouragement is not an instruction"
    level: ClassVar[Level] = "safe"

    def propose(self, document: Document) -> Iterator[Edit]:
        for sentence, (_, masked, _, _) in zip(document.prose, document.prose_texts, strict=True):
            text = masked.strip(" *_")
            if _IN_SENTENCES.met_by(words_in(masked)) and _SENTENCES.match(text):
                start, end = line_removal(document, sentence)
                yield Edit(start, end, "", self.code, f"boilerplate: {text[:40]!r}")


class Duplicates:
    """A standing instruction that is given again, word for word, in the same scope.

    What a sentence governs is what it stands in: an item, a paragraph under a label, a section, an example. The same
    sentence in another item is another instruction, and a step that comes twice is done twice.
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
        if not _repeats(document):
            return
        again = _speaks_of_again(document.text)
        for scope in _scopes(document):
            if len(scope) < 2:
                continue
            said: dict[str, tuple[int, int]] = {}
            if again and _AGAIN.search(document.text, scope[0][0], scope[-1][1]):
                # What is said again on purpose.
                continue
            for start, end in scope:
                words = _plainly(document.text[start:end])
                kept = said.setdefault(words, (start, end))
                if (
                    kept != (start, end)
                    and _is_standing(document, start, end)
                    and document.always_before(kept[0], start)
                ):
                    yield self._edit(document, (start, end), kept)

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
            if (
                title in ("input", "inputs")
                and title == document.text[label.start : label.end].strip(" *").removesuffix(":").lower()
            ):
                start, end = line_removal(document, label)
                if document.frames_at(heading.start) == document.frames_at(label.start):
                    message = "the heading above says this already"
                    yield Edit(start, end, "", self.code, message, because=(heading.start, heading.end))

    def _edit(self, document: Document, again: tuple[int, int], kept: tuple[int, int]) -> Edit:
        line, _ = document.line_of(kept[0])
        sentence = document.sentence_at(again[0])
        assert sentence is not None
        start, end = line_removal(document, sentence._replace(end=again[1]))
        return Edit(start, end, "", self.code, f"line {line} says this already", because=kept)


_AGAIN = AnyCase(r"\b(?:(?:i|let me|to)\s+(?:repeat|reiterate|say (?:it|this) again)|once more)\b\s*[:,]?\s")
_IN_AGAIN = ("repeat", "reiterate", "say it again", "say this again", "once more")


def _speaks_of_again(text: str) -> bool:
    lower = text.lower()
    return any(word in lower for word in _IN_AGAIN) and _AGAIN.search(text) is not None


_STANDING = re.compile(
    r"\b(?:always|never|must|should|only|do\s+not|don['’]t|cannot|can['’]t|avoid|ensure|make\s+sure|no|every|all)\b",
    re.IGNORECASE,
)
"""What holds once and for all. Without such a word, the sentence may be a step that is to be done again."""
# What another place gives its meaning.
_DEICTIC = re.compile(
    r"\b(?:this|these|those|that|such|here|above|below|following|next|previous|first|last|former|latter|it|its|they|them|"
    r"their|each|again|now|then)\b",
    re.IGNORECASE,
)


_BRANCH = re.compile(r"\{%[-+]?\s*(?:if|elif|else|endif)\b[^{}]*%\}")


def _scopes(document: Document) -> Iterator[list[tuple[int, int]]]:
    """Ranges that govern the same: the sentences of each paragraph, and the paragraphs or items of an unbroken run."""
    run: list[tuple[int, int]] = []
    before: tuple[Sentence, int] | None = None
    for block in _blocks(document):
        if len(block) > 1:
            yield from _fields(document, block)
        first, end = block[0], block[-1].end
        if before is not None and _breaks(document, before[0], before[1], first):
            yield run
            run = []
        run.append((first.start, end))
        before = first, end
    yield run


_FIELD = re.compile(r"^[ \t>]*(?:[-*+] )?[*_`\"]*[A-Za-z][\w /-]{0,30}[*_`\"]*(?:\([^()\n]*\))?:", re.MULTILINE)


def _fields(document: Document, block: Sequence[Sentence]) -> Iterator[list[tuple[int, int]]]:
    """The sentences of a paragraph, those after each line that begins with a label apart: "Reason: ... Be brief."."""
    heads = [match.start() for match in _FIELD.finditer(document.text, block[0].start, block[-1].end)]
    fields: dict[int, list[tuple[int, int]]] = {}
    for sentence in block:
        fields.setdefault(bisect_right(heads, sentence.start), []).append((sentence.start, sentence.end))
    yield from fields.values()


def _repeats(document: Document) -> bool:
    """Whether a sentence, or a paragraph, is there twice at all."""
    text = document.text
    said = [_plainly(text[one.start : one.end]) for one in document.sentences]
    blocks = [_plainly(text[block[0].start : block[-1].end]) for block in _blocks(document)]
    return len({*said}) < len(said) or len({*blocks}) < len(blocks)


def _blocks(document: Document) -> Iterator[list[Sentence]]:
    """The sentences of each paragraph, item or heading."""
    block: list[Sentence] = []
    for sentence in document.sentences:
        if sentence.first and block:
            yield block
            block = []
        block.append(sentence)
    if block:
        yield block


def _breaks(document: Document, before: Sentence, end: int, first: Sentence) -> bool:
    """Whether a scope ends between two blocks: another kind, indentation or frame, a label, or anything protected."""
    text = document.text
    if HEADING in (before.kind, first.kind) or before.kind != first.kind:
        return True
    # A branch adds to what is said around it; nothing else may stand between.
    between = _BRANCH.sub("", text[end : first.marker])
    return (
        bool(between.strip())
        or "\n" not in between
        or text[before.start : end].rstrip(" *_").endswith(":")
        or _indent(text, before) != _indent(text, first)
        or _FIELD.match(text, first.start) is not None
    )


def _indent(text: str, sentence: Sentence) -> str:
    return text[text.rfind("\n", 0, sentence.marker) + 1 : sentence.marker]


def _is_standing(document: Document, start: int, end: int) -> bool:
    """Whether a text is a whole sentence or more that holds everywhere in its scope, and refers to nothing in it."""
    words = document.masked[start:end]
    return (
        words.rstrip(' *_)"”').endswith((".", "!"))
        and words.lstrip(' *_("“')[:1].isupper()
        and MASK not in words
        and len(words.split()) >= LEAST_WORDS
        and _STANDING.search(words) is not None
        and _DEICTIC.search(words) is None
    )


@lru_cache(maxsize=8192)
def _plainly(text: str) -> str:
    return " ".join(text.split()).strip("*_").lower()


_LINE_END, _EMPTY_LINE, _SPACE = re.compile(r"[ \t]*(?:\n|\Z)"), re.compile(r"[ \t]*\n"), re.compile(r"\s+")


def line_removal(document: Document, sentence: Sentence) -> tuple[int, int]:
    """The range to delete so that the sentence is gone and no empty item or doubled blank stays."""
    text = document.masked
    start, end = sentence.start, sentence.end
    line_start = text.rfind("\n", 0, start) + 1
    alone_before = sentence.marker <= start and not text[line_start : sentence.marker].strip() and sentence.first
    line_end = _LINE_END.match(text, end)
    if alone_before and line_end:
        # With its marker and its line's end; an empty line after it goes if there is one before it.
        stop = line_end.end()
        if document.text[:line_start].endswith("\n\n") and (blank := _EMPTY_LINE.match(text, stop)):
            stop = blank.end()
        return line_start, stop
    if line_end:
        # The last of several sentences: the blank before it goes.
        while start > line_start and text[start - 1] in " \t":
            start -= 1
        return start, end
    space = _SPACE.match(text, end)
    return start, space.end() if space else end


LEAST_PARAGRAPHS = 3
"""Fewer may occur twice for a reason: the same context under two questions, the same answer to two inputs."""
_PARAGRAPH = re.compile(r"\S[^\n]*(?:\n[^\S\n]*\S[^\n]*)*")


def repeated_passages(document: Document) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """The range of each passage that occurs earlier as well, and the range of the earlier one.

    A passage is a run of paragraphs without an expression or tag inside, some of it plain instructions: examples alone
    may share parts and differ in what they show.
    """
    text = document.text
    paragraphs = [match.span() for match in _PARAGRAPH.finditer(text)]
    words = [_squeezed(text[start:end]) for start, end in paragraphs]
    if len(words) - len(set(words)) < LEAST_PARAGRAPHS:
        return
    earlier: dict[str, list[int]] = {}
    position = 0
    while position < len(words):
        length, first = max(
            ((_run(words, place, position), place) for place in earlier.get(words[position], ())), default=(0, 0)
        )
        # What follows may belong to the last heading of the passage, which then stays with it.
        while length >= LEAST_PARAGRAPHS:
            last = position + length
            end = paragraphs[last][0] if last < len(paragraphs) else paragraphs[-1][1]
            kept = paragraphs[first][0], paragraphs[first + length - 1][1]
            if _may_go(document, (paragraphs[position][0], end), kept):
                yield (paragraphs[position][0], end), kept
                break
            length -= 1
        if length >= LEAST_PARAGRAPHS:
            position += length
            continue
        earlier.setdefault(words[position], []).append(position)
        position += 1


@lru_cache(maxsize=4096)
def _squeezed(text: str) -> str:
    return " ".join(text.split())


def _run(words: list[str], first: int, second: int) -> int:
    length = 0
    # A passage with a hole says what is filled in there, and one that ends with a colon what comes next.
    while second + length < len(words) and first + length < second and words[first + length] == words[second + length]:
        if "{" in words[second + length]:
            break
        length += 1
    while length and words[second + length - 1].rstrip("*_").endswith(":"):
        length -= 1
    return length


def _may_go(document: Document, again: tuple[int, int], kept: tuple[int, int]) -> bool:
    said = any(again[0] <= sentence.start < again[1] for sentence in document.prose)
    # The same words under another heading are about something else, unless the passage brings its heading with it.
    under = [sentence for sentence in document.sentences if sentence.kind == HEADING and sentence.start < again[0]]
    whole = document.text.startswith("#", kept[0]) or not under
    return (
        said
        and whole
        and document.is_literal(*again)
        and document.is_literal(*kept)
        and document.always_before(kept[0], again[0])
        and not _leaves_a_rest(document, again)
    )


_SECTION_HEAD = re.compile(r"[ \t]*(?:#{1,6}[ \t]|[-=*_]{3,}|</?\w|\{%)")


def _leaves_a_rest(document: Document, again: tuple[int, int]) -> bool:
    """Whether what follows the passage belongs to a heading in it, and would come under the one before."""
    rest = document.text[again[1] :].lstrip()
    has_head = any(_SECTION_HEAD.match(line) for line in document.text[slice(*again)].split("\n"))
    return has_head and bool(rest) and not _SECTION_HEAD.match(rest)
