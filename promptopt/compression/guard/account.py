"""Each word of a text with one place of its own in a rewrite, and the parts of phrases that have none.

A word that stays where it is used elsewhere says nothing of its other use: "agreed *in the channel*" is not kept by "a
date in the channel". What a phrase is about may move, be pointed at or be said once for two; what narrows it, and what
is listed beside it, has to be somewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from promptopt.compression.guard.asked import Asked, concepts_of, says
from promptopt.compression.guard.implied import is_reason
from promptopt.compression.guard.places import Places
from promptopt.compression.guard.uses import (
    NOUNS,
    PRONOUNS,
    Use,
    is_content,
    places_for,
    places_of,
    roots_of,
    value_of,
)

if TYPE_CHECKING:
    from spacy.tokens import Token

_NARROWING = (
    "amod",
    "compound",
    "nmod",
    "poss",
    "npadvmod",
    "appos",
    "relcl",
    "acl",
    "advcl",
    "conj",
    "dep",
    "advmod",
    "acomp",
)
_MOVABLE = ("pobj", "relcl", "acl", "advcl", "poss", "npadvmod")
"""What may be said once for two, or be pointed at."""
_STRICT = frozenset({"by", "from", "between"})
"""Prepositions after which it may not."""
_APART = ("conj", "dep", "dobj", "pobj", "nsubj", "nsubjpass", "attr", "appos", "amod", "compound")
"""Words beside which others are listed that are not part of them."""
_EMPTY = frozenset(
    """
    more following below above given provided existing possible necessary required important essential crucial certain
    particular respective various several many much few some any single such general overall actual helpful virtual able
    available responsible related regarding like likely ready aware familiar great good fine nice happy free sure simple
    basic specific relevant based next concerned able handed sound upcoming intended supposed meant asked
    """.split()  # noqa: SIM905 - read as words
)
"""General adjectives that say of a thing only that there is one, or how many."""
_BETWEEN = frozenset("to with by for between above from within about since against".split())  # noqa: SIM905 - read as words
"""Prepositions after which a general noun is more than a way to put it ("in this case", "on the basis of")."""
_IDIOMS = {
    "in": {"place", "addition", "case", "accord", "regard", "respect", "front", "favour", "favor", "mind"},
    "into": {"account", "consideration"},
    "for": {"reason", "reasons", "example", "instance", "purpose", "sake", "time"},
    "of": {"accord", "age"},
    "at": {"disposal", "age"},
    "by": {"law"},
    "with": {"exception", "regard", "respect"},
    "without": {"exception"},
}
"""Nouns of prepositions of several words: "in addition to", "at the age of"."""
_CONDITIONS = frozenset({"if", "when", "unless"})
_GIVEN = frozenset({"you", "that", "this", "which"})
"""Subjects of clauses that say no more than what comes first: "before you write", "after that comes"."""
_SUBJECTS = ("nsubj", "nsubjpass")
_WHEN = frozenset({"before", "after", "until"})
_ASKING = ("WP", "WRB", "WDT")
_ANSWERED = {
    "why": frozenset({"reason", "explain", "justify", "because", "ground", "explanation", "cause"}),
    "when": frozenset({"time", "date", "day", "hour", "if"}),
    "where": frozenset({"place", "location", "address", "if"}),
    "who": frozenset({"person", "name"}),
    "how": frozenset({"way", "size", "length", "manner"}),
}
"""Words by which a question is kept in another form."""
_POINTED = frozenset({"the", "these", "those"})
_POINTING = PRONOUNS - {"this", "that", "others"} | frozenset("its their his her him he she".split())  # noqa: SIM905 - read as words
_ORDINALS = frozenset("first second third fourth fifth last".split())  # noqa: SIM905 - read as words
_SAID_WITH = ("amod", "compound", "nummod", "det", "poss", "neg", "mark", "nsubj")
_NEAR = 6
"""Words around one among which a pronoun may point at what belongs to it."""


def unaccounted(old: Asked, new: Asked, each: Places) -> list[str]:
    """What narrows what stays, or is listed beside it, and has no place in the rewrite, as a person names it."""
    its, kept = each.its, each.kept
    where = places_of(its)
    lost: dict[str, None] = {}
    for use in each.mine:
        if use.token not in each.gone and not _is_elsewhere(use, kept):
            continue
        head = _governor(use.token, kept)
        if head is None or _leads(use.token):
            continue
        own = [one for one in _own(use.token) if one in kept]
        if not _is_listed(use.token) and any(is_content(one) or value_of(one) for one in own):
            continue  # it only joined what stays
        if not _counts(use) or is_reason(use.token):
            continue
        if _may_move(use.token) and _is_said_there(head, kept[head], [its[p] for p in places_for(use.roots, where)]):
            continue
        lost[_named(use.token, head)] = None
    for token, head in _ordinals(old, kept):
        lost[_named(token, head)] = None
    lost |= dict.fromkeys([*_conditions(old, new, kept), *_questions(old, new, kept), *_places(old, new)])
    return list(lost)


def _is_elsewhere(use: Use, kept: Mapping[Token, Use]) -> bool:
    """Whether a clause is only there as another word in a sentence without what it belongs to."""
    token, head = use.token, use.token.head
    if token.dep_ != "relcl" or token not in kept or head not in kept or use.roots & kept[token].roots:
        return False
    return kept[token].token.sent != kept[head].token.sent


def _governor(token: Token, kept: Mapping[Token, Use]) -> Token | None:
    """The word that a word belongs to, past general ones that are gone; ``None`` if it is gone itself."""
    head = token.head
    while head.dep_ != "ROOT" and not (says(head.lower_) and (is_content(head) or head in kept)):
        head = head.head
    if head not in kept and not says(head.lower_):  # "is", "has to be": what it is said of
        branch = {token, *token.ancestors}
        near = [one for kid in head.children if kid not in branch for one in (kid, *kid.children)]
        head = next((one for one in near if one in kept and is_content(one)), head)
    return head if head in kept and head is not token else None


def _own(token: Token) -> Iterator[Token]:
    """The words that belong to a word, without those that are listed beside it."""
    around = (*token.children, *(kid for one in token.children if one.lower_ == "of" for kid in one.children))
    apart = {t for kid in around if kid.dep_ == "conj" for t in kid.subtree} if token.dep_ in _APART else set()
    return (t for t in token.subtree if t is not token and t not in apart and (says(t.lower_) or value_of(t)))


def _leads(token: Token) -> bool:
    """Whether a word leads to a verbatim part or a reason."""
    because = token.dep_ == "pobj" and token.head.lower_ == "because"
    case = token.lemma_ == "letter" and token.doc[max(0, token.i - 1)].lower_ == "case"  # "upper case letters"
    return because or case or any(t.text == "X" for t in (*token.subtree, *token.doc[token.i + 1 : token.i + 2]))


def _counts(use: Use) -> bool:
    """Whether a word narrows what it belongs to, or is listed beside it, and is no way to put it."""
    token = use.token
    if value_of(token):
        return not any(kid.lower_ in _POINTED for kid in (*token.children, *token.head.children))
    if _is_idiom(token):
        return False
    if not is_content(token):
        return _counts_though_general(token)
    return token.dep_ in ("pobj", "pcomp", *_NARROWING) and token.tag_ not in ("JJR", "RBR")


def _counts_though_general(token: Token) -> bool:
    """Whether a general word tells one thing from another, or is a thing of its own where it stands."""
    if token.dep_ == "relcl":
        return any(kid.dep_ == "neg" for kid in token.children) or any(map(is_content, _own(token)))
    return {
        "amod": token.lower_ not in _EMPTY,
        "advmod": token.lower_ == "most",
        "pobj": _is_own(token)
        or (
            token.pos_ in NOUNS
            and (token.head.lower_ in _BETWEEN or _is_joined(token.head) or _is_idiom(token.head.head))
        ),
        "pcomp": token.head.lower_ == "without",
        "conj": token.pos_ in (*NOUNS, "PRON")
        or (token.tag_ == "VBN" and token.lower_ not in _EMPTY)
        or any(map(is_content, _own(token))),
        "advcl": any(kid.lower_ in _CONDITIONS for kid in token.children),
        "compound": True,
    }.get(token.dep_, False)


def _is_own(token: Token) -> bool:
    """Whether something is said to be somebody's own: "a garden of their own", not "on their own"."""
    return token.lower_ == "own" and token.head.lower_ == "of"


def _is_joined(token: Token) -> bool:
    """Whether a preposition is listed beside another one: "of departure and of return"."""
    before = token.doc[max(0, token.i - _NEAR) : token.i]
    return token.dep_ == "conj" or (before[-1:].text in ("and", "or") and token.lower_ in {t.lower_ for t in before})


def _is_idiom(token: Token) -> bool:
    """Whether a noun is a part of a preposition: "in addition to"."""
    return token.dep_ == "pobj" and token.lower_ in _IDIOMS.get(token.head.lower_, ())


def _may_move(token: Token) -> bool:
    return token.dep_ in _MOVABLE and (token.dep_ != "pobj" or token.head.lower_ not in _STRICT)


def _is_said_there(head: Token, host: Use, there: Sequence[Use]) -> bool:
    """Whether the rewrite has the word, or a pronoun for it, beside the one that it belongs to."""
    its = roots_of(concepts_of(head))
    if any(its & other.beside or other.roots & host.beside for other in there):
        return True
    near = [t.lower_ for t in host.token.subtree if _points(t) and abs(t.i - host.token.i) < _NEAR]
    then, now = ([t.lower_ for t in one.sent] for one in (head, host.token))
    more = len(near) > sum(map(_points, head.subtree))
    return more and any(now.count(one) > then.count(one) for one in near)


def _points(token: Token) -> bool:
    """Whether a pronoun may stand for what belongs to a word; what a clause is about does not."""
    return token.lower_ in _POINTING and not (token.tag_ == "PRP" and token.dep_ in ("nsubj", "nsubjpass", "expl"))


def _ordinals(old: Asked, kept: Mapping[Token, Use]) -> Iterator[tuple[Token, Token]]:
    """The ordinals that the rewrite has not where it has what they are said of, each with that."""
    for token in old.tokens:
        if token.lower_ in _ORDINALS and token.dep_ in ("amod", "conj", "pobj"):
            head = token.head.head if token.dep_ == "pobj" else token.head
            there = head in kept and any(t.lower_ == token.lower_ for t in kept[head].token.sent)
            if head in kept and not there:
                yield token, head


def _conditions(old: Asked, new: Asked, kept: Mapping[Token, Use]) -> Iterator[str]:
    """The conditions of which the rewrite has no word, where it has fewer of them."""
    then, now = (sum(t.lower_ in _CONDITIONS for t in asked.tokens) for asked in (old, new))
    for token in old.tokens if now < then else ():
        if token.dep_ == "advcl" and any(kid.lower_ in _CONDITIONS for kid in token.children):
            words = [t for t in token.subtree if says(t.lower_)]
            if words and not any(t in kept or t.text == "X" for t in token.subtree):
                yield repr(" ".join(t.lower_ for t in token.subtree if t.pos_ != "PUNCT"))
    forms = Counter(t.lower_ for t in old.tokens)
    for token in old.tokens:
        mark = next((kid for kid in token.children if kid.lower_ in _WHEN and kid.i < token.i), None)
        if token.dep_ == "advcl" and mark is not None and len(new.forms.get(mark.lower_, ())) < forms[mark.lower_]:
            words = [t for t in token.doc[mark.i + 1 : token.i + 1] if says(t.lower_)]
            does = any(kid.dep_ in _SUBJECTS and kid.lower_ not in _GIVEN for kid in token.children)
            if does and words and not any(t in kept or t.text == "X" for t in words):
                yield repr(" ".join([mark.lower_, *(t.lower_ for t in words)]))


def _questions(old: Asked, new: Asked, kept: Mapping[Token, Use]) -> Iterator[str]:
    """The questions that a sentence lists of which the rewrite has no word, where it has fewer of them."""
    then, now = (Counter(t.lower_ for t in asked.tokens if t.tag_ in _ASKING) for asked in (old, new))
    forms = {t.lemma_.lower() for t in new.tokens}
    for token in old.tokens:
        word = token.lower_
        if token.tag_ not in _ASKING or word == "that" or now[word] >= then[word] or forms & _ANSWERED.get(word, set()):
            continue
        clause = next(
            (one for one in (token, *token.ancestors) if one.pos_ in ("VERB", "AUX") and one.i > token.i), token
        )
        beside = [kid for kid in (*clause.children, *clause.head.children) if kid.dep_ in ("conj", "ccomp")]
        others = (kid for kid in beside if kid != clause and kid.dep_ == "ccomp")
        asks = (any(t.tag_ in _ASKING for t in kid.children) for kid in others)
        listed = clause.dep_ == "conj" or any(kid.dep_ == "conj" for kid in clause.children) or any(asks)
        if not listed or clause.dep_ in ("relcl", "ROOT", "advcl"):
            continue
        apart = {t for kid in beside for t in kid.subtree if kid in clause.children}
        words = [t for t in clause.subtree if t.i > token.i and t not in apart and says(t.lower_)]
        if not any(t in kept and is_content(t) for t in words):
            yield repr(" ".join([word, *(t.lower_ for t in words[:3])]))


def _places(old: Asked, new: Asked) -> Iterator[str]:
    """The prepositions before one thing that the rewrite has not: "before, with or after a meal"."""
    now = set(_shared_prepositions(new))
    there = {t.lower_ for t in new.tokens}
    yield from (repr(one) for one in _shared_prepositions(old) if one not in (now or there))


def _shared_prepositions(asked: Asked) -> Iterator[str]:
    """The prepositions that have their object from one that is listed after them, and that one."""
    for token in asked.tokens:
        others = [kid for kid in token.children if kid.dep_ == "conj" and kid.pos_ == "ADP"]
        if token.pos_ == "ADP" and others and not any(kid.dep_ in ("pobj", "pcomp") for kid in token.children):
            yield from (one.lower_ for one in (token, *others))


def _is_listed(token: Token) -> bool:
    if token.dep_ == "pobj" and token.head.dep_ != "conj" and _is_joined(token.head):
        return token.pos_ in NOUNS
    return token.dep_ in ("conj", "dep") and token.pos_ in NOUNS and is_content(token)


def _named(token: Token, head: Token) -> str:
    """The word in its phrase, and what that belongs to: "'in the channel' of 'somebody'", "'same person'"."""
    words = {token, *(kid for kid in token.lefts if kid.dep_ in _SAID_WITH)}
    if token.dep_ in ("amod", "compound", "nmod") and token.head.i - token.i < _NEAR:
        return repr(f"{token.lower_} {token.head.lower_}")
    if token.dep_ == "pobj":
        words.add(token.head)
    return f"{' '.join(t.lower_ for t in sorted(words, key=lambda t: t.i))!r} of {head.lower_!r}"
