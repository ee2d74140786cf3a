"""Headings, items and paragraphs of a prompt, with what their sentences are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

from promptopt.compression.sentences import Sentence

Speech = Literal["order", "work", "told", "open"]
"""What a sentence is by itself: an order or an address; of the model's work; of the world; none of these."""

_EMPTY_LINE = re.compile(r"\n[ \t]*\n")


class SentenceGroup(NamedTuple):
    """A heading, an item or a paragraph.

    Attributes:
        forms: What its sentences are.
        label: Whether it is a line that ends with a colon.
        gap: Whether an empty line is before it.
        told: Whether it tells of the world.
        orders: Whether it gives an order, and not less than it tells.
    """

    sentences: tuple[Sentence, ...]
    forms: tuple[Speech, ...]
    start: int
    end: int
    kind: str
    label: bool
    gap: bool
    told: bool
    orders: bool

    @property
    def starts(self) -> frozenset[int]:
        return frozenset(sentence.start for sentence in self.sentences)


def groups_of(masked: str, sentences: Sequence[Sentence], form_of: Callable[[str], Speech]) -> Iterator[SentenceGroup]:
    """The groups of a masked text that is split into sentences, in order.

    Args:
        form_of: Says what a sentence, masked, is by itself.
    """
    held: list[Sentence] = []
    end = 0
    for index, sentence in enumerate(sentences):
        held.append(sentence)
        if index + 1 == len(sentences) or sentences[index + 1].first:
            texts = [masked[one.start : one.end] for one in held]
            label = len(held) == 1 and texts[0].rstrip(" *_").endswith(":")
            gap = _EMPTY_LINE.search(masked, end, held[0].marker) is not None
            forms = tuple(map(form_of, texts))
            told, orders = forms.count("told"), forms.count("order")
            first, end = held[0], held[-1].end
            yield SentenceGroup(
                tuple(held), forms, first.start, end, first.kind, label, gap, told > 0, 0 < orders >= told
            )
            held = []
