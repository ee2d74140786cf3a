"""What numbers and orders are of: units, rates ("per night"), each of several things, one and the same thing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from promptopt.compression.guard.asked import Asked, concepts_of, says
from promptopt.compression.guard.paraphrase import FILLER, NUMBERS, root

if TYPE_CHECKING:
    from spacy.tokens import Token

_UNITS = frozenset(
    map(root, "word character letter sentence line paragraph page minute hour second day week month year".split())  # noqa: SIM905 - read as words
)
_AGES = frozenset("old older young younger age aged".split())  # noqa: SIM905 - read as words
_EVERY = frozenset({"each", "every"})
_WHOLE = frozenset("each every all any both no per none neither".split())  # noqa: SIM905 - read as words
_SAME = frozenset("same identical equal share shares shared both".split())  # noqa: SIM905 - read as words
_RESTRICTING = ("relcl", "acl", "prep")
_ONE = frozenset({"one", "1", "single", "only", "same"})
_EACH = frozenset("each every per once individually separately singly".split())  # noqa: SIM905 - read as words
_GIVEN = frozenset({"show", "give", "get", "see", "receive"})
_PLURAL = ("NNS", "NNPS")
_RATES = {
    "hour": {"hourly"},
    "day": {"daily"},
    "night": {"nightly"},
    "week": {"weekly"},
    "month": {"monthly"},
    "quarter": {"quarterly"},
    "year": {"yearly", "annual", "annually"},
}


def lost_measures(old: Asked, new: Asked) -> list[str]:
    """What the rewrite has the words of, but not for what they are said, each as a person would name it."""
    return [
        *miscounted(old, new),
        *_units(old, new),
        *_rates(old, new),
        *_each(old, new),
        *_same(old, new),
        *_single(old, new),
    ]


def miscounted(old: Asked, new: Asked) -> list[str]:
    """Things without their number, which is there with another one: "four verses of four lines" as "four lines"."""
    then, now = (
        [(NUMBERS.get(t.lower_, t.lower_), t.head) for ts in asked.forms.values() for t in ts if t.dep_ == "nummod"]
        for asked in (old, new)
    )
    kept = {(value, head.lemma_) for value, head in now}
    lost = []
    for value, head in then:
        others = {one.lemma_ for number, one in then if number == value} - {head.lemma_}
        mine = concepts_of(head)
        near = [t for found in new.forms.values() for t in found if concepts_of(t) & mine]
        near = [t for t in near if t.lemma_ == head.lemma_] or near  # "lines" can be verses, beside verses they are not
        alone = near and not any(NUMBERS.get(o.lower_, o.lower_) == value for t in near for o in _around(t))
        pointed = any(kid.lower_ in ("the", "these", "those") for kid in head.children)
        if others and alone and not pointed and value != "one" and (value, head.lemma_) not in kept:
            lost.append(f"number {value} of {head.lower_!r}")
    return lost


def _around(token: Token) -> Sequence[Token]:
    return [*token.doc[max(0, token.i - 3) : token.i], *token.doc[token.i + 1 : token.i + 2]]


def _units(old: Asked, new: Asked) -> Iterator[str]:
    """The unit of a number that the rewrite has without it: "three words each" as "three of them"."""
    for token in old.tokens:
        unit = token.head
        if token.dep_ != "nummod" or token.lower_ == "one" or root(unit.lemma_.lower()) not in _UNITS:
            continue
        between, around = token.doc[token.i + 1 : unit.i], token.doc[max(0, token.i - 3) : unit.i + 3]
        if any(t.pos_ != "ADJ" for t in between) or any(t.lower_ in _AGES for t in around):
            continue  # "children 10 years old" are "aged 10"
        forms = _forms(token.lower_)
        there = [one for form in forms for one in new.forms.get(form, ())]
        mine = concepts_of(unit)
        if there and not any(concepts_of(t) & mine for one in there for t in one.sent):
            yield f"number {token.lower_} of {unit.lower_!r}"


def _forms(number: str) -> set[str]:
    """The ways to write a number."""
    value = NUMBERS.get(number, number)
    return {number, value, *(word for word, other in NUMBERS.items() if other == value)}


def _rates(old: Asked, new: Asked) -> Iterator[str]:
    """What something is counted for: "12 euros per night"."""
    each = any(t.lower_ in _EACH or (t.lower_ == "time" and _at_a(t)) for t in new.tokens)
    for token in old.tokens:
        if token.lower_ == "time" and _at_a(token) and not each and not _is_given(token):
            yield repr("at a time")
        if token.lower_ != "per":
            continue
        for of in (kid for kid in token.children if kid.dep_ == "pobj"):
            mine = concepts_of(of)
            adverbs = _RATES.get(of.lemma_.lower(), set())
            there = [t for t in new.tokens if concepts_of(t) & mine]
            if not any(map(_is_rate, there)) and not adverbs & set(new.forms):
                yield repr(f"per {of.lower_}")


def _at_a(token: Token) -> bool:
    return [t.lower_ for t in token.doc[max(0, token.i - 2) : token.i]] == ["at", "a"]


def _is_given(token: Token) -> bool:
    """Whether a sentence says what the model is given: "you'll be shown one file at a time"."""
    root_of = token.sent.root
    return root_of.lemma_ in _GIVEN and any(kid.lower_ == "you" for kid in root_of.children)


def _is_each(token: Token) -> bool:
    """Whether each of several things is meant."""
    return any(t.lower_ in _WHOLE for t in _before(token))


def _is_rate(token: Token) -> bool:
    return any(t.lower_ in _WHOLE or t.lower_ in ("a", "an", "same") for t in _before(token))


def _before(token: Token) -> Sequence[Token]:
    return list(token.doc[max(0, token.i - 3) : token.i])


def _each(old: Asked, new: Asked) -> Iterator[str]:
    """Things of which each one is meant, where the rewrite has only one that is meant elsewhere."""
    for token in old.tokens:
        thing = token.head
        if token.lower_ not in _EVERY or token.dep_ != "det" or not _is_content(thing):
            continue
        if not any(kid.dep_ in _RESTRICTING for kid in thing.children):
            continue
        mine = concepts_of(thing)
        others = [t for t in old.tokens if concepts_of(t) & mine and t != thing and t.tag_ not in _PLURAL]
        there = [t for t in new.tokens if concepts_of(t) & mine]
        one = any(t.doc[max(0, t.i - 1)].lower_ in ("a", "an") for t in there)
        if (others or one) and there and not any(t.tag_ in _PLURAL or t.pos_ == "VERB" or _is_each(t) for t in there):
            yield repr(f"{token.lower_} {thing.lower_}")


def _same(old: Asked, new: Asked) -> Iterator[str]:
    """Things that must be one and the same."""
    for token in old.tokens:
        thing = token.head
        one = [t.lower_ for t in token.doc[max(0, token.i - 3) : token.i]] == ["one", "and", "the"]
        if token.lower_ != "same" or not one or not _is_content(thing):
            continue
        mine = concepts_of(thing)
        there = [t for t in new.tokens if concepts_of(t) & mine]
        if there and not any(_is_each(one) or any(t.lower_ in _SAME for t in one.sent) for one in there):
            yield repr(f"same {thing.lower_}")


def _single(old: Asked, new: Asked) -> Iterator[str]:
    """Things of which there must be only one: "one single comment"."""
    for token in old.tokens:
        thing = token.head
        if token.lower_ != "single" or token.doc[max(0, token.i - 1)].lower_ != "one" or thing.pos_ != "NOUN":
            continue
        if any(t.dep_ == "neg" for t in token.sent):
            continue  # a denial is compared as such
        there = [t for t in new.tokens if concepts_of(t) & concepts_of(thing)]
        if there and not any(t.lower_ in _ONE for one in there for t in one.sent):
            yield repr(f"one single {thing.lower_}")


def _is_content(token: Token) -> bool:
    return token.pos_ in ("NOUN", "PROPN") and says(token.lower_) and token.lower_ not in FILLER
