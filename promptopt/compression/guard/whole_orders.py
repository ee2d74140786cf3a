"""Orders and parts of them that a rewrite has not at all, though each of their words is somewhere in the prompt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from promptopt.compression.guard.asked import Asked, concepts_of, says
from promptopt.compression.guard.paraphrase import FILLER, root

if TYPE_CHECKING:
    from spacy.tokens import Token

_TELLS = frozenset({"must", "should", "never", "need", "needs", "has", "have", "can", "cannot", "ca"})
_STAYS = frozenset({"stay", "remain", "keep", "preserve", "change", "alter"})
LEAST_OF_PART = 2
"""Words of one of several things that make it more than a name."""


def lost_orders(old: Asked, new: Asked) -> list[str]:
    """What the rewrite has not, as a person would name it."""
    return [*_kept_as_it_is(old.tokens, new), *_parts(old.tokens, new), *_besides(old.tokens, new)]


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
    """One of several things: "objections and anything that is said off the record", "to the police or to a lawyer"."""
    roots = frozenset(root(token.lower_) for token in tokens)
    for joined in tokens:
        of = next((kid for kid in joined.children if kid.dep_ == "pobj"), None) if joined.pos_ == "ADP" else joined
        if joined.dep_ != "conj" or of is None or of.pos_ not in ("NOUN", "PROPN", "PRON"):
            continue
        before = next((kid for kid in joined.head.children if kid.dep_ == "pobj"), joined.head)
        if not _is_in(before, new):
            continue
        own = [each for each in of.subtree if each.i >= joined.i and says(each.lower_) and each.text != "X"]
        heavy = [each for each in own if each.lower_ not in FILLER]
        if len(own) >= LEAST_OF_PART and heavy and not any(_is_in(each, new, roots) for each in own):
            yield repr(" ".join(each.lower_ for each in own))


def _besides(tokens: Sequence[Token], new: Asked) -> Iterator[str]:
    """What is asked beside something else, in a general word: "together with the name of the person"."""
    for token in tokens:
        beside = token.head.lower_ == "with" and token.doc[max(0, token.head.i - 1)].lower_ in ("together", "along")
        if not beside or token.dep_ != "pobj" or token.pos_ != "NOUN" or token.lower_ not in FILLER:
            continue
        if not _is_in(token, new) and "who" not in new.forms:
            yield repr(" ".join(each.lower_ for each in token.subtree))


def _is_in(token: Token, asked: Asked, own: frozenset[str] = frozenset()) -> bool:
    """Whether a text has a word, or one for it; words that are markers elsewhere stand for nothing.

    Args:
        own: Words of the original, which stand for themselves in the rewrite.
    """
    mine = concepts_of(token)
    for form, found in asked.forms.items():
        other = root(form) in own and root(form) not in mine
        if any(
            each.lemma_ == token.lemma_ or (not other and says(form) and mine & concepts_of(each)) for each in found
        ):
            return True
    return False
