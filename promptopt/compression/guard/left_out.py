"""Phrases of several words that a rewrite has not, though each of the words may be somewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from promptopt.compression.guard.implied import is_reason
from promptopt.compression.guard.places import Places
from promptopt.compression.guard.uses import is_content

if TYPE_CHECKING:
    from spacy.tokens import Token

LEAST = 3
"""Words that hang together of which an editor leaves not one out in passing."""


def left_out(each: Places) -> list[str]:
    """The phrases of which no word has a place of its own in the rewrite, nor one that belongs to them."""
    said = {use.token for use in each.mine}
    lost = []
    for phrase in _phrases(each.gone, said):
        top = min(phrase, key=lambda t: sum(1 for _ in t.ancestors))
        if len(phrase) < LEAST or not _stands_alone(top) or is_reason(top) or _is_given(top):
            continue
        inside = {one for part in phrase for one in part.subtree}
        if any(one.text == "X" or (one in each.kept and is_content(one)) for one in inside):
            continue
        lost.append(repr(" ".join(t.lower_ for t in phrase)))
    return lost


def _stands_alone(token: Token) -> bool:
    """Whether a phrase is a sentence, or listed beside another one."""
    return token.dep_ in ("ROOT", "conj") or (token.dep_ == "pobj" and token.head.dep_ == "conj")


def _is_given(token: Token) -> bool:
    """Whether a sentence says what the model is given: "you will be provided with the text"."""
    return any(kid.dep_ == "nsubjpass" and kid.lower_ == "you" for kid in token.children)


def _phrases(gone: frozenset[Token], said: set[Token]) -> Iterator[list[Token]]:
    """The words that are gone, those together of which one belongs to another."""
    tops: dict[Token, list[Token]] = {}
    for token in sorted(gone, key=lambda t: t.i):
        top = token
        for one in token.ancestors:
            if one in gone:
                top = one
            elif one in said:
                break
        tops.setdefault(top, []).append(token)
    yield from tops.values()
