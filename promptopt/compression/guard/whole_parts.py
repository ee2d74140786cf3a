"""Sentences and members of an enumeration of which a rewrite has no word in a place of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from promptopt.compression.guard.asked import Asked, concepts_of, says, stems_in
from promptopt.compression.guard.implied import is_reason
from promptopt.compression.guard.uses import NOUNS, Use, is_content, places_for, places_of, roots_of, uses_in, value_of

if TYPE_CHECKING:
    from spacy.tokens import Token

MOST_WORDS = 12
"""Words of a member of an enumeration are fewer: a longer one is a clause that the parse has hung there."""
LEAST_WORDS = 3
"""Words that are more than general of a sentence that denies nothing."""
LEAST_SHARE = 0.25
"""The part of a sentence's words, and of a member's, that may have a place though the whole has none."""
BEFORE = 3
"""Words before a noun that belong to it, at most."""
_DENIES = frozenset({"no", "never", "nothing", "none", "only"})
_PASSED = ("DET", "PRON", "ADV")
_JUST = frozenset({"just", "only", "exactly", "single"})


def lost_parts(old: Asked, new: Asked, concepts: frozenset[str], known: frozenset[str]) -> list[str]:
    """The sentences and members that are gone, in the words of the original.

    Args:
        concepts: What the words of the rewrite stand for.
        known: What those of the rest of the prompt stand for.
    """
    placed, alone = _placed(uses_in(old), uses_in(new))
    quoted = stems_in(new.verbatim)
    units = [(unit, placed, False) for unit in _sentences(old)] + [(unit, alone, True) for unit in _members(old)]
    lost = []
    for unit, there, member in units:
        said = [
            t
            for t in unit
            if (says(t.lower_) or value_of(t)) and t.pos_ not in _PASSED and t.text != "X" and len(t.text) > 1
        ]
        if not said or any(t.text == "X" or concepts_of(t) & quoted for t in unit) or any(map(is_reason, said)):
            continue
        kept = [t for t in said if t in there]
        if len(kept) > LEAST_SHARE * len(said) or (not member and any(map(is_content, kept))):
            continue
        values = member and sum(t.pos_ in NOUNS for t in said) > 1  # general words that are values: "area of the field"
        if values or any(_weighs(t, concepts, known) for t in unit):
            lost.append(repr(" ".join(t.lower_ for t in unit if t.pos_ != "PUNCT")))
    return lost


def _sentences(asked: Asked) -> Iterator[list[Token]]:
    starts = {(id(token.doc), token.sent.start): token.sent for token in asked.tokens}
    for sentence in starts.values():
        denies = any(token.dep_ == "neg" or token.lower_ in _DENIES for token in sentence)
        if sum(map(is_content, sentence)) >= (1 if denies else LEAST_WORDS):
            yield list(sentence)


def _members(asked: Asked) -> Iterator[list[Token]]:
    for token in asked.tokens:
        others = [kid for kid in token.children if kid.dep_ == "conj"]
        if token.pos_ in NOUNS and (others or token.dep_ == "conj"):
            apart = {t for kid in others for t in kid.subtree}
            end = min((t.i for t in apart), default=len(token.doc))
            unit = [t for t in token.subtree if t not in apart and token.i - BEFORE <= t.i < end and t.dep_ != "cc"]
            if len(unit) < MOST_WORDS and sum(says(t.lower_) for t in unit) > 1:
                yield unit


def _weighs(token: Token, concepts: frozenset[str], known: frozenset[str]) -> bool:
    """Whether a word is a number, or more than general and not what the rest of the prompt says."""
    if token.lower_ == "one":
        return any(kid.lower_ in _JUST for kid in (*token.children, *token.head.children))
    if value_of(token):
        return True
    own = concepts_of(token)
    return is_content(token) and bool(own & concepts) and not roots_of(own) & known - concepts


def _placed(said: Sequence[Use], offered: Sequence[Use]) -> tuple[set[Token], set[Token]]:
    """The words of the original that have a place in the rewrite, and those that have it for themselves."""
    own = frozenset().union(*(use.roots for use in said))
    places = places_of(offered)
    hosts: dict[int, list[Use]] = {}
    placed: set[Token] = set()
    alone: set[Token] = set()
    for general in (False, True):
        mine = [use for use in said if use.general == general]
        for strict, near in ((True, True), (True, False), (False, True), (False, False)):
            ranked = []
            for use in (one for one in mine if one.token not in placed):
                for n in places_for(use.roots if strict else use.concepts, places):
                    one = offered[n]
                    if not strict and own & one.roots:
                        continue
                    shared = len(use.beside & one.beside) + (strict and one.acts_on_it)
                    if shared or not near:
                        ranked.append((shared, use, n))
            for _, use, n in sorted(ranked, key=lambda row: -row[0]):
                there = hosts.setdefault(n, [])
                shares = near and all(_are_one(use, other, offered[n]) for other in there)
                if use.token not in placed and (not there or shares):
                    alone |= set() if there else {use.token}
                    there.append(use)
                    placed.add(use.token)
    return placed, alone


def _are_one(use: Use, other: Use, host: Use) -> bool:
    """Whether two uses may be one in the rewrite: nothing is beside one alone, or it is there too."""
    if use.token.head == other.token and use.token.dep_ == "conj":
        return True
    return use.beside <= other.beside or bool((use.beside - other.beside) & host.beside)
