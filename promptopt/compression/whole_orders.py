"""Orders and parts of them that a rewrite has not at all, though each of their words is somewhere in the prompt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from promptopt.compression.asked import Asked, concepts_of, says
from promptopt.compression.paraphrase import FILLER

if TYPE_CHECKING:
    from spacy.tokens import Token

_TELLS = frozenset({"must", "should", "never", "need", "needs", "has", "have", "can", "cannot", "ca"})
_STAYS = frozenset({"stay", "remain", "keep", "preserve", "change", "alter"})
LEAST_OF_PART = 2
"""Words of one of several things that make it more than a name."""


def lost_orders(old: Asked, new: Asked) -> list[str]:
    """What the rewrite has not, as a person would name it."""
    return [*_kept_as_it_is(old.tokens, new), *_parts(old.tokens, new)]


def _kept_as_it_is(tokens: Sequence[Token], new: Asked) -> Iterator[str]:
    """What an order keeps as it is, in a general word: "the order of the lines must stay the same"."""
    for token in tokens:
        if token.dep_ not in ("nsubj", "nsubjpass", "dobj") or token.pos_ != "NOUN" or token.lower_ not in FILLER:
            continue
        verb = token.head
        told = verb.tag_ == "VB" or any(kid.lower_ in _TELLS for kid in verb.children)
        if told and verb.lemma_.lower() in _STAYS and not _is_in(token, new):
            of = next((kid for kid in token.subtree if kid.dep_ == "pobj"), None)
            if of is not None:
                yield repr(f"{token.lower_} of {of.lower_}")


def _parts(tokens: Sequence[Token], new: Asked) -> Iterator[str]:
    """One of several things: "objections and anything that is said off the record"."""
    for token in tokens:
        if token.dep_ != "conj" or token.pos_ not in ("NOUN", "PROPN", "PRON"):
            continue
        if not _is_in(token.head, new):
            continue
        own = [each for each in token.subtree if each.i >= token.i and says(each.lower_) and each.text != "X"]
        heavy = [each for each in own if each.lower_ not in FILLER]
        if len(own) >= LEAST_OF_PART and heavy and not any(_is_in(each, new) for each in own):
            yield repr(" ".join(each.lower_ for each in own))


def _is_in(token: Token, asked: Asked) -> bool:
    """Whether a text has a word, or one for it; words that are markers elsewhere stand for nothing."""
    return bool(concepts_of(token) & asked.concepts) or any(
        each.lemma_ == token.lemma_ for found in asked.forms.values() for each in found
    )
