"""Words that say that several are meant, or meant as one: "both partners", "several tattoos", "asked together"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from promptopt.compression.guard.asked import Asked, concepts_of
from promptopt.compression.guard.uses import is_content

if TYPE_CHECKING:
    from spacy.tokens import Token

_KEPT_BY: Mapping[str, frozenset[str]] = {
    "both": frozenset("both two 2 each all either neither every respectively".split()),  # noqa: SIM905 - read as words
    "several": frozenset(
        "several multiple many various different two 2 few couple each".split()  # noqa: SIM905 - read as words
    ),
    "many": frozenset("many number numbers count amount total quantity how".split()),  # noqa: SIM905 - read as words
    "single": frozenset("single one 1 only just once same".split()),  # noqa: SIM905 - read as words
    "together": frozenset("together joint jointly both combined combine".split()),  # noqa: SIM905 - read as words
}
"""What says as much beside the same word."""


def fewer(old: Asked, new: Asked) -> list[str]:
    """Where the rewrite has what is said of several, and no word that says so, as a person would name it."""
    lost = [repr(f"{token.lower_} {of.lower_}") for token, of in _said(old) if not _is_said(token, of, new)]
    return lost + [repr(f"both {one.lower_} and {two.lower_}") for one, two in _pairs(old) if _is_choice(one, two, new)]


def _pairs(asked: Asked) -> Iterator[tuple[Token, Token]]:
    """The things that "both" and "and" join."""
    for token in asked.tokens:
        second = next((kid for kid in token.head.children if kid.dep_ == "conj"), None)
        if token.lower_ == "both" and second is not None:
            yield token.head, second


def _is_choice(one: Token, two: Token, new: Asked) -> bool:
    """Whether the rewrite joins two things by "or" alone."""
    mine, its = concepts_of(one), concepts_of(two)
    here, there = ([t for t in new.tokens if concepts_of(t) & each] for each in (mine, its))
    spans = [a.doc[min(a.i, b.i) : max(a.i, b.i)] for a in here for b in there if a.sent == b.sent]
    joints = {t.lower_ for span in spans for t in span if t.dep_ == "cc"}
    return "or" in joints and not joints & {"and", "both"}


def _said(asked: Asked) -> Iterator[tuple[Token, Token]]:
    for token in asked.tokens:
        word = token.lower_
        if word not in _KEPT_BY or token.dep_ == "prt" or _is_way_to_put_it(token):
            continue
        before = token.doc[max(0, token.i - 1)].lower_
        if (word == "many" and before != "how") or (word == "single" and before in ("every", "each", "no", "not")):
            continue
        of = token.head
        if is_content(of) or word not in ("several", "single"):
            yield token, of


def _is_way_to_put_it(token: Token) -> bool:
    """Whether the word says no more than what stands beside it: "both X and Y", "there are several", "put together"."""
    head = token.head
    after = token.nbor().lower_ if token.i + 1 < len(token.doc) else ""
    if token.lower_ == "both" and any(kid.dep_ == "conj" for kid in head.children):
        return True
    there = any(one.lower_ == "there" for one in head.head.children)
    return there or (token.lower_ == "together" and (after == "with" or head.lemma_ in ("put", "bring", "go")))


def _is_said(token: Token, of: Token, new: Asked) -> bool:
    mine = concepts_of(of)
    there = [t.sent for t in new.tokens if concepts_of(t) & mine]
    return not there or any(t.lower_ in _KEPT_BY[token.lower_] for sent in there for t in sent)
