"""Words that a rewrite has in one place for two of the original: each use of a word needs a place of its own."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from promptopt.compression.guard.asked import Asked, concepts_of, says, stems_in
from promptopt.compression.guard.implied import is_implied
from promptopt.compression.guard.uses import (
    NOUNS,
    OTHER,
    PRONOUNS,
    Use,
    beside,
    company_of,
    is_content,
    is_reference,
    places_for,
    places_of,
    roots_of,
    uses_in,
)

if TYPE_CHECKING:
    from spacy.tokens import Token

RECENT = frozenset({"previous", "recent", "last", "latest", "past"})
"""Words that a number of recent things has in other forms."""
TOGETHER = 2
"""Words beside a verb that say what it says, where the rewrite has them in one sentence."""


def crowded(
    old: Asked, new: Asked, concepts: frozenset[str], known: frozenset[str], joined: frozenset[str]
) -> list[str]:
    """Uses of a word that have no place of their own in the rewrite, each as a person would name it.

    Args:
        concepts: What the words of the rewrite stand for.
        known: What those of the rest of the prompt stand for.
        joined: Words that the rewrite has in a compound.
    """
    passed = stems_in(new.verbatim) | joined
    compared = {word.written for clause in old.clauses for word in clause.words}  # others are parts of phrases
    often = Counter(one for use in uses_in(old) if not use.general for one in use.roots)
    asked = [
        use
        for use in uses_in(old)
        if is_content(use.token)
        and use.token.lower_ in compared
        and len(use.token.text) > 1
        and use.beside
        and use.concepts & concepts
        and not use.roots & passed
        and use.token.lower_ not in RECENT
        and not _is_known(use, often, concepts, known)
    ]
    left, pairs = _without_place(asked, old, new)
    return [_named(use.token) for use in left if not _may_go(use, pairs, often, new, concepts, known)]


def _is_known(use: Use, often: Counter[str], concepts: frozenset[str], known: frozenset[str]) -> bool:
    """Whether a noun is one that the text or the rest of the prompt has named."""
    if use.token.pos_ not in NOUNS:
        return False
    repeated = any(often[one] > 1 for one in use.roots)
    return bool(use.roots & known - concepts) or ((repeated or bool(use.roots & known)) and is_reference(use.token))


def _without_place(asked: list[Use], old: Asked, new: Asked) -> tuple[list[Use], set[tuple[str, str]]]:
    """The uses for which there is no place, and the words of those that have one with the words above them.

    A place is the same word beside one of the same words; else the same word that no other use has; else, likewise,
    another word for it that is not in the original.
    """
    hosts = [use for use in uses_in(new) if says(use.token.lower_)]
    pronouns = [company_of(token) for token in new.tokens if token.lower_ in PRONOUNS]
    own = frozenset().union(*(use.roots for use in uses_in(old)))
    places = places_of(hosts)
    taken: dict[int, set[str]] = {}
    pairs: set[tuple[str, str]] = set()
    for strict, near in ((True, True), (True, False), (False, True), (False, False)):
        left = []
        for use in asked:
            found = places_for(use.roots if strict else use.concepts, places)
            if near:
                found = [n for n in found if use.beside & hosts[n].beside or (strict and hosts[n].acts_on_it)]
                found = [n for n in found if strict or use.roots & taken.get(n, use.roots)]
                if not found and strict and use.token.pos_ in NOUNS and any(use.beside & one for one in pronouns):
                    continue
            else:
                found = [n for n in found if n not in taken and (strict or not hosts[n].roots & own)][:1]
            for n in found:
                taken.setdefault(n, set()).update(use.roots)
            if found:
                pairs |= _with_heads(use)
            else:
                left.append(use)
        asked = left
    return asked, pairs


def _with_heads(use: Use) -> set[tuple[str, str]]:
    return {(one, head) for one in use.roots for head in roots_of(concepts_of(use.token.head))}


def _may_go(
    use: Use,
    pairs: set[tuple[str, str]],
    often: Counter[str],
    new: Asked,
    concepts: frozenset[str],
    known: frozenset[str],
) -> bool:
    """Whether a use without a place need not be there: it repeats another one, or what joins it to the rest is kept."""
    token, head = use.token, use.token.head
    if (token.dep_ == "conj" and use.roots & concepts_of(head)) or _with_heads(use) & pairs:
        return True
    if head != token and is_content(head) and not concepts_of(head) & concepts:
        return True  # what it belongs to may go
    repeated = any(often[one] > 1 for one in use.roots) and not any(kid.lower_ in OTHER for kid in token.children)
    if is_implied(token, new, concepts, known | use.roots if repeated else known):
        return True
    near = [concepts_of(one) for one in beside(token)]
    return any(sum(bool(one & sentence) for one in near) >= TOGETHER for sentence in new.sentences)


def _named(token: Token) -> str:
    head = next((one for one in token.ancestors if says(one.lower_)), None)
    return repr(token.lower_) + (f" of {head.lower_!r}" if head is not None else "")
