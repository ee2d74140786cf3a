"""Words that a rewrite may drop: they only join others that are kept, point back, or say why something is asked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from promptopt.compression.asked import Asked, concepts_of, says
from promptopt.compression.paraphrase import AT_HAND, FILLER, PARTIES

if TYPE_CHECKING:
    from spacy.tokens import Token

_POINTING = frozenset({"this", "that", "these", "those", "your"})
_DEFINITE = frozenset({"the", "its", "their", "his", "her"})
_RELATIVE = ("relcl", "acl", "acomp", "xcomp", "ccomp")
_DIMENSION = re.compile(r"age|distance|width|length|height|size|duration|scale|month|year")
_BARE = ("VERB", "AUX", "PRON", "PART", "ADP", "DET", "PUNCT", "SCONJ")


def is_implied(token: Token, new: Asked, concepts: frozenset[str], known: frozenset[str]) -> bool:
    """Whether a word only joins others that are kept, points back, or says why.

    Args:
        new: The rewrite.
        concepts: What the words of the rewrite stand for.
        known: What those of the rest of the prompt stand for.
    """
    if token.lemma_.lower() in FILLER or token.dep_ in ("prt", "intj", "aux", "auxpass"):
        return True
    if any(near.text == "X" for near in (*token.children, *token.doc[token.i + 1 : token.i + 2])):
        return True  # "the word `x`", "under the heading "X"" say what the verbatim part says
    if token.dep_ == "ROOT" and any(kid.dep_ == "nsubj" and kid.lower_ in ("i", "we") for kid in token.children):
        return True
    if token.pos_ in ("NOUN", "PROPN") and _is_carried(token, new, concepts, known):
        return True
    return is_reason(token) or _is_link(token, new, concepts)


def _is_carried(token: Token, new: Asked, concepts: frozenset[str], known: frozenset[str]) -> bool:
    """Whether a noun points back, or its modifier says what it says: "lower case letters"."""
    kids = list(token.children)
    determiners = {kid.lower_ for kid in kids if kid.dep_ in ("det", "poss")}
    if determiners & _POINTING and not any(_says_more(kid) for kid in kids):
        return True
    if determiners & _DEFINITE and concepts_of(token) & known:
        return True
    taking_part = token.lower_ in PARTIES and token.dep_ in ("nsubj", "nsubjpass")
    definite = determiners & (_DEFINITE | _POINTING) and not any(_says_more(kid) for kid in kids)
    if definite and (taking_part or token.lower_ in AT_HAND):
        return True
    described = [kid for kid in kids if kid.dep_ in ("amod", "compound", "nmod") and says(kid.lower_)]
    if token.dep_ != "ROOT" and any(k.lower_ not in FILLER and concepts_of(k) & concepts for k in described):
        return True
    purposes = [kid for kid in kids if kid.dep_ in ("acl", "relcl") and kid.tag_ == "VB"]
    if any(_joined(token, kid, new, concepts) for kid in purposes):
        return True
    return token.dep_ != "conj" and _is_light(token, new, concepts)


def _is_light(token: Token, new: Asked, concepts: frozenset[str]) -> bool:
    """Whether a noun only stands before what it is about, which is kept: "the handling of claims", "access to code"."""
    if _DIMENSION.fullmatch(token.lemma_.lower()):
        return any(near.like_num for near in token.sent)
    if token.dep_ != "pobj" and token.head.lemma_ not in ("have", "be"):
        return False  # it is itself what is asked: "state the price of the boats"
    if any(_says_more(kid) for kid in token.children if kid.dep_ in ("amod", "compound", "nummod", "conj")):
        return False
    about = [one for kid in token.children if kid.dep_ == "prep" and kid.lower_ in ("of", "to") for one in kid.children]
    return any(says(one.lower_) and _joined(token, one, new, concepts) for one in about if one.dep_ == "pobj")


def _is_link(token: Token, new: Asked, concepts: frozenset[str]) -> bool:
    """Whether a word of a relative clause joins what is kept, or the clause has persons alone: "that you chose"."""
    situation = token.dep_ == "advcl" and any(kid.lower_ in ("when", "while") for kid in token.children)
    if not situation and token.dep_ not in _RELATIVE and token.head.dep_ not in ("relcl", "acl"):
        return False
    inside = [t for t in token.subtree if t != token and (t.like_num or says(t.lower_)) and t.lower_ not in FILLER]
    if inside or token.dep_ == "acomp" or token.pos_ not in ("VERB", "AUX", "ADJ"):
        return any(t.text == "X" or t.like_num or _joined(token, t, new, concepts) for t in inside)
    clause = token.head if token.head.dep_ in ("relcl", "acl", "acomp") else token
    personal = any(t.tag_ == "PRP" for one in (clause, clause.head) for t in one.subtree)
    return personal and all(t.pos_ in _BARE for t in token.subtree)


def _says_more(token: Token) -> bool:
    return any(says(t.lower_) and t.lower_ not in FILLER for t in token.subtree)


def _joined(token: Token, part: Token, new: Asked, concepts: frozenset[str]) -> bool:
    """Whether the rewrite still has ``part`` in one sentence with what ``token`` joined it to."""
    inside = concepts_of(part)
    if not inside & concepts:
        return False
    heads = [t for t in token.ancestors if says(t.lower_) and t.lower_ not in FILLER and concepts_of(t) & concepts]
    if not heads:
        return True
    head = concepts_of(heads[0])
    return any(inside & sentence and head & sentence for sentence in new.sentences)


def is_reason(token: Token) -> bool:
    """Whether a word is part of why something is asked."""
    for one in (token, *token.ancestors):
        if one.lower_ == "order" and any(
            kid.dep_ == "acl" and kid in (token, *token.ancestors) for kid in one.children
        ):
            return True
        if one.dep_ == "advcl" and any(
            kid.dep_ == "mark" and kid.lower_ in ("because", "since", "so") for kid in one.children
        ):
            return True
    return False


def is_listed_too(token: Token, concepts: frozenset[str]) -> bool:
    """Whether a general word is a value of its own: "addresses, numbers or names"."""
    if token.pos_ != "NOUN" or any(t.lower_ not in FILLER for t in token.subtree if says(t.lower_)):
        return False
    others = [token.head] if token.dep_ == "conj" else []
    return token.dep_ == "conj" and any(o.pos_ == "NOUN" and concepts_of(o) & concepts for o in others)


def is_told(token: Token) -> bool:
    """Whether a word is what a sentence says of its subject, so that it is claimed and not supposed."""
    finite = token.tag_ in ("VBZ", "VBP", "VBD") and token.dep_ in ("ROOT", "conj", "ccomp")
    return finite or (token.dep_ in ("acomp", "attr") and token.head.tag_ in ("VBZ", "VBP", "VBD"))
