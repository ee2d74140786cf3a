"""Words that a rewrite may drop, since they only join others, point back or say why."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from promptopt.compression.guard.asked import Asked, Clause, Marker, Number, Word, concepts_of, says
from promptopt.compression.guard.paraphrase import AT_HAND, FILLER, NUMBERS, PARTIES

if TYPE_CHECKING:
    from spacy.tokens import Token

_POINTING = frozenset({"this", "that", "these", "those", "your"})
_DEFINITE = frozenset({"the", "its", "their", "his", "her"})
_RELATIVE = ("relcl", "acl", "acomp", "xcomp", "ccomp")
_DIMENSION = re.compile(r"age|distance|width|length|height|size|duration|scale|month|year")
_CLAUSES = ("ROOT", "relcl", "acl", "ccomp", "xcomp", "advcl", "conj")
_GIVEN = ("give", "get", "receive", "provide", "find", "see", "present", "paste", "send", "have")
_TRYING = ("attempt", "try", "seek", "proceed", "endeavour")
_GIVING = ("assign", "award", "perform", "conduct", "undertake", "offer", "issue", "place")
_ROLES = ("er", "or", "ist", "ian", "ant", "yst", "ert", "judge", "professional")
_SUPPOSED = ("known", "available", "given", "possible", "present", "certain", "sure", "needed")
_CLOSELY = ("carefully", "closely", "thoroughly", "attentively")
_MEASURES = ("wide", "long", "high", "tall", "deep")
_RULED = ("forbid", "require", "prohibit", "ban")
_SPEAKING = ("explain", "describe", "speak", "discuss", "present", "express")
_ATTRIBUTES = ("tone", "style", "language", "colour", "color", "layout", "voice", "wording")
_BESIDE = frozenset({"det", "poss", "conj", "cc", "punct", "preconj"})
"""What a word may have that is a value of its own: with more it is said of something, as in "the length of a list"."""
_JOINING = ("of", "to", "in", "on", "at", "from", "about")
_BARE = ("VERB", "AUX", "PRON", "PART", "ADP", "DET", "PUNCT", "SCONJ")


def is_implied(token: Token, new: Asked, concepts: frozenset[str], known: frozenset[str]) -> bool:
    """Whether a word only joins others that are kept, points back, or says why.

    Args:
        new: The rewrite.
        concepts: What the words of the rewrite stand for.
        known: What those of the rest of the prompt stand for.
    """
    if token.tag_ == "JJS" and token.lower_ not in FILLER and not concepts_of(token) & concepts:
        return False  # "the fewest": the word that it is a form of is general
    if token.lemma_.lower() in FILLER or token.dep_ in ("prt", "aux", "auxpass"):
        return True
    if any(near.text == "X" for near in (*token.children, *token.doc[token.i + 1 : token.i + 2])):
        return True  # "the word `x`", "under the heading "X"" say what the verbatim part says
    if _is_idle(token, new, concepts):
        return True
    if _is_known(token, concepts, known) or _only_states(token, concepts):
        return True
    if token.dep_ == "ROOT" and any(kid.dep_ == "nsubj" and kid.lower_ in ("i", "we") for kid in token.children):
        return True
    if token.pos_ in ("NOUN", "PROPN") and _is_carried(token, new, concepts, known):
        return True
    return is_reason(token) or _is_scenery(token, concepts) or _is_link(token, new, concepts)


def _is_idle(token: Token, new: Asked, concepts: frozenset[str]) -> bool:
    """Whether a word says what a number, a pointing word, or what depends on it says as well."""
    if (token.lemma_ == "reason" and "why" in new.forms) or _is_frame(token, new, concepts):
        return True
    if token.tag_ == "VB" and token.head.lemma_ == "take" and not any(_says_more(kid) for kid in token.children):
        return True  # "it takes 10 minutes to solve"
    if token.lower_ in _MEASURES and any(t.like_num for t in token.subtree):
        return True  # "1024 pixels wide"
    if token.pos_ == "ADP" and any(kid.dep_ == "pobj" and _points(kid) for kid in token.children):
        return True  # "beneath that heading"
    if token.dep_ == "pobj" and token.head.dep_ in ("agent", "prep") and token.head.head.lemma_ in _RULED:
        return True  # "forbidden by law"
    # "explain what the problem was"
    return token.lemma_ in _SPEAKING and token.tag_ != "VBZ" and _are_kept(token, concepts)


def _is_frame(token: Token, new: Asked, concepts: frozenset[str]) -> bool:
    """Whether a word only leads to what is kept: "*attempt* to guess", "a *rate* of 0.9", "the *letters* A and B"."""
    if token.lemma_ in _TRYING and any(kid.dep_ == "xcomp" and concepts_of(kid) & concepts for kid in token.children):
        return True
    if token.lemma_ in _GIVING:
        given = [kid for kid in token.children if kid.dep_ == "dobj" and concepts_of(kid) & concepts]
        acts = {form for form, tokens in new.forms.items() if any(t.pos_ == "VERB" for t in tokens)}
        return any(concepts_of(kid) & concepts_of(t) for kid in given for form in acts for t in new.forms[form])
    after = [*token.doc[token.i + 1 : token.i + 3]]
    if token.pos_ == "NOUN" and after and after[0].lower_ in ("like", "of"):
        return after[-1].text == "X" or (token.dep_ == "pobj" and after[-1].like_num)
    if token.lemma_ == "letter":  # "the letters A and B", "in lower case letters"
        before = token.doc[max(0, token.i - 1)].lower_
        return before.endswith("case") or bool(after and len(after[0].text) == 1 and after[0].text.isupper())
    # "You are an analyst who prepares reports": what it does is kept, and it is what does it.
    role = token.dep_ == "attr" and token.head.lemma_ == "be" and token.lower_.endswith(_ROLES)
    kept = any(concepts_of(t) & concepts for t in token.subtree if t != token and says(t.lower_))
    return role and kept and any(kid.lower_ == "you" for kid in token.head.children)


def _is_scenery(token: Token, concepts: frozenset[str]) -> bool:
    """Whether a word only adorns who the model is, or how the input comes: "an engineer with much experience"."""
    clause = next((one for one in (token, *token.ancestors) if one.dep_ in _CLAUSES), token)
    subject = next((kid.lower_ for kid in clause.children if kid.dep_ in ("nsubj", "nsubjpass")), "")
    if (
        token.dep_ in ("conj", "nummod", "neg", "attr")
        or token == clause
        or any(t.like_num for t in token.head.subtree)
    ):
        return False
    if any(t.dep_ == "conj" for t in token.children):
        return False
    passive = any(kid.dep_ in ("auxpass", "dative") for kid in clause.children)
    given = clause.lemma_ in _GIVEN and passive and subject in ("you", "i", "we")
    given = given or any(one.lemma_ == "be" and _is_following(one) for one in (clause, *clause.ancestors))
    persona = (
        subject == "you"
        and clause.lemma_ in ("be", "have", "work")
        and not any(k.dep_ == "neg" for k in clause.children)
    )
    played = clause.lemma_ in ("act", "imagine") and subject in ("", "you")
    if not (given or persona or played):
        return False
    if token.dep_ == "pobj" and token.head.lower_ in ("for", "to", "by"):
        return False  # whom it is for, or who made it
    above = [t for t in token.ancestors if says(t.lower_) and t.lower_ not in FILLER]
    return any(concepts_of(t) & concepts for t in above) or token.dep_ == "npadvmod"


def _is_following(token: Token) -> bool:
    """Whether a sentence says what comes: "The following is a memo that was recorded after an accident"."""
    return any(kid.dep_ == "nsubj" and kid.lower_ in ("following", "below") for kid in token.children)


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
    if token.lemma_ in _ATTRIBUTES and token.dep_ == "nsubj":
        said = [kid for kid in token.head.children if kid.dep_ in ("acomp", "attr", "xcomp")]
        said += [kid for one in said for kid in one.children]
        return any(concepts_of(kid) & concepts for kid in said if says(kid.lower_))
    for clause in (kid for kid in kids if kid.dep_ in ("relcl", "acl")):
        inside = [t for t in clause.subtree if says(t.lower_) and t.lower_ not in FILLER]
        if inside and all(_joined(token, one, new, concepts) for one in inside):
            return True  # "machines that are used commercially", "a protocol made up of steps"
    described = [kid for kid in kids if kid.dep_ in ("amod", "compound", "nmod") and says(kid.lower_)]
    if token.dep_ != "ROOT" and any(k.lower_ not in FILLER and concepts_of(k) & concepts for k in described):
        return True
    purposes = [kid for kid in kids if kid.dep_ in ("acl", "relcl") and kid.tag_ == "VB"]
    if any(_joined(token, kid, new, concepts) for kid in purposes):
        return True
    return token.dep_ != "conj" and _is_light(token, new, concepts)


def _is_known(token: Token, concepts: frozenset[str], known: frozenset[str]) -> bool:
    """Whether the rest of the prompt says a word of a relative clause or a compound, or how to read needs no word."""
    if token.lemma_ == "understand" and token.dep_ in ("relcl", "advcl", "acl", "xcomp"):
        clause = token.head if token.dep_ == "xcomp" else token
        persons = (kid for kid in clause.children if kid.dep_ == "nsubj" and says(kid.lower_))
        return any(concepts_of(kid) & concepts for kid in persons)
    if token.lower_ in _CLOSELY and token.head.lemma_ in ("read", "look", "go", "think", "consider"):
        return True
    if not concepts_of(token) & known:
        return False
    if token.dep_ == "relcl":
        return bool(concepts_of(token.head) & concepts)
    return token.dep_ == "compound" and bool(concepts_of(token.head) & known)


def _only_states(token: Token, concepts: frozenset[str]) -> bool:
    """Whether a verb says what is so, of things that are all kept: "she *sells* swords for 30 coins"."""
    if token.tag_ not in ("VBZ", "VBP") or token.pos_ != "VERB" or token.dep_ not in ("ROOT", "conj"):
        return False
    if any(kid.dep_ in ("neg", "aux", "mark") for kid in token.children):
        return False
    subject = next((kid for kid in token.children if kid.dep_ == "nsubj"), None)
    if subject is None or subject.lower_ in ("you", "i", "we"):
        return False
    own = [t for kid in token.children if kid.dep_ in ("dobj", "prep", "dative") for t in kid.subtree]
    said = [t for t in own if says(t.lower_) and t.lower_ not in FILLER]
    return bool(said) and all(concepts_of(t) & concepts for t in said)


def _points(token: Token) -> bool:
    return token.tag_ == "PRP" or (
        any(kid.lower_ in _POINTING for kid in token.children) and not any(_says_more(kid) for kid in token.children)
    )


def _are_kept(token: Token, concepts: frozenset[str]) -> bool:
    """Whether all that depends on a word is kept, and something does."""
    inside = [t for t in token.subtree if t != token and says(t.lower_) and t.lower_ not in FILLER]
    return bool(inside) and all(concepts_of(t) & concepts for t in inside)


def _is_light(token: Token, new: Asked, concepts: frozenset[str]) -> bool:
    """Whether a noun only stands before what it is about, which is kept: "the handling of claims", "access to code"."""
    if _DIMENSION.fullmatch(token.lemma_.lower()):
        return any(near.like_num for near in token.sent) and _is_number_there(token, new)
    if token.dep_ != "pobj" and token.head.lemma_ not in ("have", "be"):
        return False  # it is itself what is asked: "state the price of the boats"
    if token.dep_ == "pobj" and token.head.lower_ in ("to", "for", "by") and token.head.head.pos_ != "NOUN":
        return False  # whom it is for: "addressed to the parents of the pupil"
    if any(_says_more(kid) for kid in token.children if kid.dep_ in ("amod", "compound", "nummod", "conj")):
        return False
    return any(says(one.lower_) and _joined(token, one, new, concepts) for one in _about(token))


def _is_number_there(token: Token, new: Asked) -> bool:
    """Whether the rewrite has the number of a measure, and not only the same number of something else."""
    for number in (kid for kid in token.children if kid.dep_ == "nummod"):
        forms = {number.lower_, NUMBERS.get(number.lower_, ""), *(w for w, v in NUMBERS.items() if v == number.lower_)}
        heads = [one.head for one in token.doc if one.lower_ in forms and one != number]
        there = [one for form in forms for one in new.forms.get(form, ())]
        if there and heads and all(any(concepts_of(one.head) & concepts_of(head) for head in heads) for one in there):
            return False
    return True


def _about(token: Token) -> Iterator[Token]:
    """What the prepositions after a noun join to it, past "one of"."""
    for kid in token.children:
        if kid.dep_ == "prep" and kid.lower_ in _JOINING:
            for one in kid.children:
                if one.dep_ == "pobj":
                    yield from _about(one) if one.lower_ in ("one", "all", "each", "any") else (one,)


def _is_link(token: Token, new: Asked, concepts: frozenset[str]) -> bool:
    """Whether a word of a relative clause joins what is kept, or the clause has persons alone: "that you chose"."""
    situation = token.dep_ == "advcl" and any(kid.lower_ in ("when", "while") for kid in token.children)
    if not situation and token.dep_ not in _RELATIVE and token.head.dep_ not in ("relcl", "acl"):
        return False
    if token.dep_ in ("xcomp", "ccomp") and any(kid.dep_ == "neg" for kid in token.head.children):
        return False  # "you should not try to calculate it"
    inside = [t for t in token.subtree if t != token and (t.like_num or says(t.lower_)) and t.lower_ not in FILLER]
    compared = token.tag_ in ("JJR", "RBR") and not any(t.like_num for t in token.head.subtree)
    if compared or any(kid.lower_ == "than" for kid in (*token.children, *token.head.children)):
        return False  # "which is not longer than the original": the comparison is what is asked
    if inside or token.dep_ == "acomp" or token.pos_ not in ("VERB", "AUX", "ADJ"):
        return any(t.text == "X" or t.like_num or _joined(token, t, new, concepts) for t in inside)
    clause = token.head if token.head.dep_ in ("relcl", "acl", "acomp") else token
    if clause.dep_ not in ("relcl", "acl", "acomp", "advcl"):
        return False
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
        kids = {kid.lower_ for kid in one.children if kid.dep_ in ("nsubj", "nsubjpass", "aux", "neg")}
        if "will" in kids and kids & {"this", "that"} and not kids & {"not", "never"}:
            return True  # "this will be discussed later"
        if one.lower_ == "order" and any(
            kid.dep_ == "acl" and kid in (token, *token.ancestors) for kid in one.children
        ):
            return True
        if one.dep_ == "advcl" and any(
            kid.dep_ == "mark" and kid.lower_ in ("because", "since") for kid in one.children
        ):
            return True
    return False


def is_listed_too(token: Token, concepts: frozenset[str]) -> bool:
    """Whether a general word is a value of its own: "addresses, numbers or names"."""
    if token.pos_ != "NOUN" or any(kid.dep_ not in _BESIDE for kid in token.children):
        return False
    beside = token.head
    if token.dep_ == "pobj" and beside.dep_ == "conj":  # "the time of departure and of return"
        before = (beside.head, *beside.head.children)
        beside = next(
            (kid for one in before if one.dep_ == "prep" for kid in one.children if kid.dep_ == "pobj"), beside
        )
    elif token.dep_ not in ("conj", "appos"):
        return False
    return beside.pos_ == "NOUN" and bool(concepts_of(beside) & concepts)


def is_told(token: Token) -> bool:
    """Whether a word is what a sentence says of its subject, so that it is claimed and not supposed."""
    finite = token.tag_ in ("VBZ", "VBP", "VBD") and token.dep_ in ("ROOT", "conj", "ccomp")
    return finite or (token.dep_ in ("acomp", "attr") and token.head.tag_ in ("VBZ", "VBP", "VBD"))


def is_counted(number: Number, asked: Asked, clause: Clause) -> bool:
    """Whether a small number only counts what the text lists, or points back: "the two versions"."""
    if number.limit == "the":
        return True
    if number.limit or not number.value.isdigit() or not 2 <= int(number.value) <= 9:
        return False
    for tokens in asked.forms.values():
        for token in tokens:
            if token.dep_ != "conj" and 1 + sum(1 for _ in _chain(token)) == int(number.value):
                counted = {t.lower_ for t in (token, *_chain(token))}
                if not any(word.written in counted for word in clause.words):
                    return True
    return False


def _chain(token: Token) -> Iterator[Token]:
    for kid in token.children:
        if kid.dep_ == "conj":
            yield kid
            yield from _chain(kid)


def is_folded(marker: Marker, clause: Clause, scope: list[Word], other: Asked) -> bool:
    """Whether a condition has become an attribute: "if a parcel is late, ..." as "late parcels: ..."."""
    general = marker.written in ("when", "where")
    rest = [word for word in clause.words if word not in marker.scope and (general or word.written not in FILLER)]
    supposed = scope if general else [word for word in marker.scope if word.written not in FILLER]
    if any(word.written in _SUPPOSED and not word.concepts & other.concepts for word in marker.scope):
        return False  # "if the name is known"
    for concepts in other.sentences:
        inside = [word for word in scope if word.concepts & concepts]
        enough = len(supposed) if marker.written == "while" else len(supposed) - 1
        if len(inside) >= max(1, enough) and (not rest or any(word.concepts & concepts for word in rest)):
            tokens = [token for found in other.forms.values() for token in found]
            told = [t for t in tokens if any(concepts_of(t) & word.concepts for word in inside)]
            return not any(is_told(token) for token in told)
    return False
