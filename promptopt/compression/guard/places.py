"""Each word of a text with one place of its own in a rewrite, the likeliest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from promptopt.compression.guard.asked import Asked, says, stems_in
from promptopt.compression.guard.uses import Use, places_for, places_of, roots_of, uses_in, value_of

if TYPE_CHECKING:
    from spacy.tokens import Token

_LIKELY = 3
"""Words beside two uses of a word that make it likely that they are one."""


@dataclass(frozen=True, slots=True)
class Places:
    """The words of a text and of its rewrite, and where in the rewrite each one is.

    Attributes:
        mine: The words of the text.
        its: Those of the rewrite.
        kept: The words of the text that have a place, each with that.
        gone: Those that have none and are no part of a phrase that is compared as a whole.
    """

    mine: tuple[Use, ...]
    its: tuple[Use, ...]
    kept: Mapping[Token, Use]
    gone: frozenset[Token]

    @classmethod
    def of(cls, old: Asked, new: Asked, joined: frozenset[str]) -> Places:
        """The places of the words of one text in another.

        Args:
            joined: Words that the rewrite has in a compound.
        """
        mine = uses_in(old)
        its = tuple(use for use in uses_in(new) if says(use.token.lower_) or value_of(use.token))
        found = _assigned(mine, its)
        passed = (stems_in(new.verbatim) - stems_in(old.verbatim)) | joined
        compared = {word.written for clause in old.clauses for word in clause.words}  # others are parts of phrases
        gone = frozenset(
            use.token
            for n, use in enumerate(mine)
            if n not in found and not use.roots & passed and (value_of(use.token) or use.token.lower_ in compared)
        )
        return cls(mine, its, {mine[n].token: its[place] for n, place in found.items()}, gone)


def _assigned(mine: Sequence[Use], its: Sequence[Use]) -> dict[int, int]:
    """One place in the rewrite for each use of a word, as far as there is one, the likeliest first.

    A word of the rewrite that stands for itself in the original does not stand for another one.
    """
    own = frozenset().union(*(use.roots for use in mine))
    where = places_of(its)
    alike = _alike(mine, its)
    ranked = []
    for n, use in enumerate(mine):
        for place in places_for(use.concepts, where):
            other = its[place]
            strict = bool(use.roots & other.roots)
            if not strict and other.roots & own:
                continue
            token, there = use.token, other.token
            weight = 6.0 * strict + 3 * min(_LIKELY, len(roots_of(use.beside) & roots_of(other.beside)))
            weight += 4 * alike[_sentence(token), _sentence(there)]
            weight += (token.pos_ == there.pos_) + (token.dep_ == there.dep_)
            weight -= 2 * abs(n / len(mine) - place / len(its))
            ranked.append((-weight, n, place))
    found: dict[int, int] = {}
    taken: set[int] = set()
    for _, n, place in sorted(ranked):
        if n not in found and place not in taken:
            found[n] = place
            taken.add(place)
    return found


def _sentence(token: Token) -> tuple[int, int]:
    return id(token.doc), token.sent.start


def _alike(mine: Sequence[Use], its: Sequence[Use]) -> dict[tuple[tuple[int, int], tuple[int, int]], float]:
    """How alike each sentence of the original is to each of the rewrite, from 0 to 1."""
    then, now = _said(mine), _said(its)
    return {
        (one, other): len(words & others) / (len(words) * len(others)) ** 0.5
        for one, words in then.items()
        for other, others in now.items()
    }


def _said(uses: Sequence[Use]) -> dict[tuple[int, int], set[str]]:
    found: dict[tuple[int, int], set[str]] = {}
    for use in uses:
        found.setdefault(_sentence(use.token), set()).update(use.concepts)
    return found
