"""Each use of a word in a text, with the words beside it in the parse: what it is said of and what is said of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from promptopt.compression.guard.asked import Asked, concepts_of, says
from promptopt.compression.guard.paraphrase import FILLER, NUMBERS

if TYPE_CHECKING:
    from spacy.tokens import Token

NOUNS = ("NOUN", "PROPN")
PRONOUNS = frozenset("it them they this these those that ours theirs one ones others each".split())  # noqa: SIM905 - read as words
OTHER = frozenset("other same particular own different second first last another".split())  # noqa: SIM905 - read as words
"""Words by which a thing is not the one that was named before."""
_POINTS = frozenset(
    "the this that these those its their his her each every any such your all a an".split()  # noqa: SIM905 - read as words
)
_MODIFIERS = ("amod", "compound", "poss", "nmod")
_MORE = (*_MODIFIERS, "nummod", "relcl", "acl", "prep")


@dataclass(frozen=True, slots=True, eq=False)
class Use:
    """One use of a word.

    Attributes:
        concepts: What it stands for.
        roots: Those of them that are the word itself.
        beside: What the words stand for that are next to it in the parse, past general and function words.
        acts_on_it: Whether it is a verb whose object is a pronoun, so that it may be of anything.
    """

    token: Token
    concepts: frozenset[str]
    roots: frozenset[str]
    beside: frozenset[str]
    acts_on_it: bool

    @property
    def general(self) -> bool:
        return self.token.lower_ in FILLER


@lru_cache(maxsize=512)
def _uses(tokens: tuple[Token, ...]) -> tuple[Use, ...]:
    found = (t for t in tokens if (says(t.lower_) or value_of(t)) and t.dep_ != "neg" and t.text != "X")
    return tuple(map(_use, found))


def uses_in(asked: Asked) -> tuple[Use, ...]:
    """The words and numbers of a text that are more than function words, markers and verbatim parts."""
    return _uses(asked.tokens)


def places_of(uses: Sequence[Use]) -> dict[str, list[int]]:
    """Where the uses of each concept are, in order."""
    found: dict[str, list[int]] = {}
    for n, use in enumerate(uses):
        for one in use.concepts:
            found.setdefault(one, []).append(n)
    return found


def places_for(concepts: frozenset[str], places: dict[str, list[int]]) -> list[int]:
    """The places of any of ``concepts``, in order."""
    return sorted({n for one in concepts for n in places.get(one, ())})


def _use(token: Token) -> Use:
    value = value_of(token)
    concepts = frozenset({f"#{value}"}) if value else concepts_of(token)
    acts = token.pos_ == "VERB" and any(k.lower_ in PRONOUNS and k.dep_ in ("dobj", "pobj") for k in token.children)
    return Use(token, concepts, roots_of(concepts), company_of(token), acts)


def value_of(token: Token) -> str:
    """The number that a word is; empty if it is none."""
    return NUMBERS.get(token.lower_) or (token.lower_ if token.lower_[0].isdigit() else "")


def roots_of(concepts: frozenset[str]) -> frozenset[str]:
    """The words among concepts, without the groups of words of one meaning."""
    return frozenset(one for one in concepts if not one.startswith("="))


def is_content(token: Token) -> bool:
    """Whether a word is more than general."""
    return token.dep_ != "neg" and says(token.lower_) and token.lower_ not in FILLER


def company_of(token: Token) -> frozenset[str]:
    """What the words beside one stand for, and those that modify them."""
    found: set[str] = set()
    for near in beside(token):
        found |= concepts_of(near)
        if near.pos_ in NOUNS:
            for kid in near.children:
                if kid.dep_ in _MODIFIERS and is_content(kid):
                    found |= concepts_of(kid)
    return frozenset(found - concepts_of(token))


def beside(token: Token) -> Iterator[Token]:
    """The words next to one in the parse, past general and function words. What "and" joins is not beside itself."""
    seen = {token.i}
    todo = [token]
    while todo:
        one = todo.pop()
        around = [kid for kid in one.children if kid.dep_ != "punct" and not (one is token and kid.dep_ == "conj")]
        if one.dep_ != "ROOT":
            around.append(one.head)
        for each in around:
            if each.i in seen:
                continue
            seen.add(each.i)
            near = each
            if near == one.head and one.dep_ == "conj":
                while near.dep_ == "conj":
                    near = near.head
                near = near.head
                seen.add(near.i)
            if not is_content(near):
                todo.append(near)
                continue
            yield near
            if near.head == one:
                yield from _joined(near)


def _joined(token: Token) -> Iterator[Token]:
    for kid in token.children:
        if kid.dep_ == "conj":
            if is_content(kid):
                yield kid
            yield from _joined(kid)


def is_reference(token: Token) -> bool:
    """Whether a noun can be one that was named before: nothing is said of it that tells it from that."""
    if token.pos_ not in NOUNS or any(kid.lower_ in OTHER for kid in token.children):
        return False
    kids = [kid for kid in token.children if kid.dep_ != "punct"]
    more = any(kid.dep_ in _MORE and any(is_content(t) and len(t.text) > 1 for t in kid.subtree) for kid in kids)
    return not more and (token.dep_ in ("nsubj", "nsubjpass") or any(kid.lower_ in _POINTS for kid in kids))
