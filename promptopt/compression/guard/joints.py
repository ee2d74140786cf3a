"""How the words that a rewrite has kept are joined: one of the other, as alternatives, in order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from promptopt.compression.guard.asked import Asked, Clause, Word, concepts_of, says, stems_in
from promptopt.compression.guard.crowded import RECENT
from promptopt.compression.guard.implied import is_reason
from promptopt.compression.guard.paraphrase import AT_HAND, FILLER, MARKERS, PARTIES, STOP

if TYPE_CHECKING:
    from spacy.tokens import Token

_PARTS = frozenset({"amod", "advmod", "compound", "nummod", "pobj", "poss", "npadvmod"})


def _joints(asked: Asked) -> dict[tuple[str, tuple[frozenset[str], ...]], tuple[str, ...]]:
    """The pairs of words that "and" or "or" joins, of clauses, where nothing is denied."""
    found = {}
    tokens = (token for found in asked.forms.values() for token in found if token.dep_ == "conj")
    for token in (one for one in tokens if one.head.pos_ in ("VERB", "AUX")):
        joints = [kid.lower_ for kid in token.head.children if kid.dep_ == "cc" and kid.lower_ in ("and", "or")]
        if joints and not any(t.lower_ in MARKERS and MARKERS[t.lower_] == "negation" for t in token.sent):
            pair = (token.head, token)
            found[joints[0], tuple(concepts_of(one) for one in pair)] = tuple(one.lower_ for one in pair)
    return found


def parted(old: Asked, new: Asked, concepts: frozenset[str], joined: frozenset[str]) -> list[str]:
    """Modifiers and objects that the rewrite has, but nowhere with the word that they belong to."""
    found = []
    quoted = stems_in(new.verbatim)
    near = [one | two | joined for one, two in pairwise((*new.sentences, frozenset()))]
    for tokens in old.forms.values():
        for token in tokens:
            if not (says(token.lower_) and token.lower_ not in FILLER and concepts_of(token) & concepts):
                continue
            head = token.head.head if token.dep_ == "pobj" else token.head
            if token.dep_ not in _PARTS or not says(head.lower_) or head.lower_ in FILLER or head == token:
                continue
            if token.lower_ in AT_HAND and any(k.lower_ == "the" for k in token.children) and not _is_other(token, old):
                continue
            mine, its = concepts_of(token), concepts_of(head)
            if (
                token.lower_ in PARTIES
                or token.lower_ in RECENT
                or mine & quoted
                or its & quoted
                or is_reason(token)
                or (_is_setting(token) and not _is_other(token, old))
            ):
                continue
            if its & concepts and not any(mine & one and its & one for one in near):
                found.append(f"{token.lower_!r} of {head.lower_!r}")
    return found


def _is_other(token: Token, asked: Asked) -> bool:
    """Whether the same is said of two things: "the place in the summary" and "the place in the article"."""
    head = token.head.head
    return token.dep_ == "pobj" and any(
        t.dep_ == "pobj"
        and t.head.lower_ == token.head.lower_
        and t.head.head != head
        and t.head.head.lemma_ == head.lemma_
        and t.lemma_ != token.lemma_
        for t in asked.tokens
    )


def _is_setting(token: Token) -> bool:
    """Whether a thing is only where another one is: "the error in the log", "the quantities of the ingredients"."""
    return token.dep_ == "pobj" and token.head.lower_ == "in" and any(k.lower_ == "the" for k in token.children)


def other_choice(old: Asked, new: Asked) -> list[str]:
    """Alternatives that have become a list of which all hold, or the other way round."""
    then, now = _joints(old), _joints(new)
    return [
        f"alternative {cc!r} ({' / '.join(sorted(words))})"
        for (cc, concepts), words in then.items()
        for other, others in now
        if other != cc and concepts[-1] & others[-1]
    ]


def turned_round(old: Asked, new: Asked) -> list[str]:
    """The steps that come in the opposite order, without a word that says so."""
    if any(clause.kinds & {"before", "after", "condition"} for clause in new.clauses):
        return []
    places: dict[str, list[int]] = {}
    for place, word in enumerate(word for clause in new.clauses for word in clause.words):
        for concept in word.concepts:
            places.setdefault(concept, []).append(place)
    found = []
    for earlier, clause in pairwise((Clause((), (), ()), *old.clauses)):
        for marker in clause.markers:
            if marker.kind not in ("sequence", "before"):
                continue
            after = [word for word in marker.scope if word in clause.words]
            start = clause.words.index(after[0]) if after else 0
            left, right = (_sites(words, places, old) for words in (clause.words[:start] or earlier.words, after))
            if left and right and max(right) < min(left):
                found.append(f"order {marker.written!r} ({' '.join(word.written for word in after)})")
    return found


def _sites(words: Sequence[Word], places: dict[str, list[int]], asked: Asked) -> list[int]:
    """Where the acts that the rewrite has once are in it."""
    sites = []
    acts = (word for word in words if any(token.pos_ == "VERB" for token in asked.forms.get(word.written, ())))
    for word in acts:
        found = {place for concept in word.concepts for place in places.get(concept, ())}
        if len(found) == 1 and word.written not in STOP:
            sites.append(found.pop())
    return sites
