"""Rules that look at one sentence at a time look at each different one once, over all passes and texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, lru_cache, wraps
from typing import TypeVar

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit
from promptopt.compression.masks import Masked
from promptopt.compression.sentences import Sentence
from promptopt.templates.source import Source

_R = TypeVar("_R")
REMEMBERED = 4096
"""Sentences for each rule."""


class LoneSentence(Document):
    """A document of one sentence: its masked text, and what kind of line it opens."""

    kind: str
    first: bool

    @classmethod
    def of(cls, masked: str, kind: str, first: bool) -> LoneSentence:
        document = cls(masked)
        object.__setattr__(document, "kind", kind)
        object.__setattr__(document, "first", first)
        return document

    @cached_property
    def masks(self) -> Masked:
        return Masked(self.text, self.text, (), Source(self.text, 0, ()))

    @cached_property
    def sentences(self) -> tuple[Sentence, ...]:
        return (Sentence(0, len(self.text), self.kind, 0, self.first),)

    @cached_property
    def prose(self) -> tuple[Sentence, ...]:
        return self.sentences


_lone = lru_cache(maxsize=REMEMBERED)(LoneSentence.of)


def by_sentence(edits: Callable[[_R, Document], Iterable[Edit]]) -> Callable[[_R, Document], Iterable[Edit]]:
    """Let a rule's ``edits``, which uses nothing of a document but the masked text of its ``prose``, see it so."""

    @lru_cache(maxsize=REMEMBERED)
    def of_sentence(rule: _R, masked: str, kind: str, first: bool) -> tuple[Edit, ...]:
        return tuple(edits(rule, _lone(masked, kind, first)))

    @wraps(edits)
    def over(rule: _R, document: Document) -> Iterator[Edit]:
        masked = document.masked
        for sentence in document.prose:
            start = sentence.start
            for edit in of_sentence(rule, masked[start : sentence.end], sentence.kind, sentence.first):
                yield Edit(edit.start + start, edit.end + start, edit.new, edit.rule, edit.message)

    return over


def is_by_sentence(rule: object) -> bool:
    """Whether a rule's ``edits`` is one of :func:`by_sentence`: it proposes edits alone and reports nothing."""
    return hasattr(getattr(type(rule), "edits", None), "__wrapped__")
