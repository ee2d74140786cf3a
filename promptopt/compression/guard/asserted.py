"""What a text denies and its rewrite asks for: "give no grade" as "give a grade"."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from promptopt.compression.guard.asked import OPPOSITE, Asked, says
from promptopt.compression.guard.implied import is_reason
from promptopt.compression.guard.paraphrase import MARKERS, root
from promptopt.compression.guard.places import Places
from promptopt.compression.guard.uses import is_content

if TYPE_CHECKING:
    from spacy.tokens import Token

_DENYING = frozenset(
    {word for word, kind in MARKERS.items() if kind in ("negation", "exception", "restriction", "mere")}
).union(
    # What says that a thing is not, or not before something else.
    """
    cannot ignore skip leave refuse exclude apart other instead rather decline missing prohibit forbid ban lack little
    few seldom rarely dislike disagree disallow whatever however keep stay unchanged until after most less free
    """.split()  # noqa: SIM905 - read as words
)
_LEFT_OUT = frozenset("omit skip ignore exclude drop lose forget miss fail".split())  # noqa: SIM905 - read as words
_NEXT = 5
"""Words after a denial within which a comparison makes it a limit: "no more than three"."""
_LIMITS = frozenset("longer later matter even than exceed once".split())  # noqa: SIM905 - read as words
_OBJECTS = ("dobj", "attr", "acomp", "oprd")
_VERBS = ("VERB", "AUX")
_PARTS = ("relcl", "acl", "ccomp", "pcomp", "csubj")
"""Clauses that are denied with what they belong to."""


def asserted(old: Asked, each: Places) -> list[str]:
    """The denials of which the rewrite has the words, and none of them denied, each as a person would name it."""
    kept = each.kept
    uses = Counter(root(use.token.lower_) for use in each.mine)
    lost = []
    for no, words in _denials(old):
        there = [one for one in words if one in kept]
        if not any(map(is_content, there)) or is_reason(no):  # general words are in many places
            continue
        denied = {one: is_denied(kept[one].token) or _says_no(one, kept[one].token) for one in there}
        once = [one for one in there if is_content(one) and uses[root(one.lower_)] == 1]
        if not any(denied.values()) or not all(denied[one] for one in once):
            said = "no" if no.lower_ == "no" else "never" if no.lower_ == "never" else "not"
            lost.append(f"negation {said!r} ({' '.join(one.lower_ for one in there)})")
    return lost


def _denials(asked: Asked) -> Iterator[tuple[Token, list[Token]]]:
    """Each denial with the words that it is said of; one of a comparison is a limit, and compared as that."""
    for no in asked.tokens:
        if no.dep_ != "neg" and no.lower_ not in ("no", "never"):
            continue
        after = no.doc[no.i + 1 : no.i + 1 + _NEXT]
        if any(one.lower_ in _LIMITS or one.tag_ == "JJR" or one.lower_ == "more" for one in after):
            continue
        head = no.head
        if head.lemma_.lower() in _LEFT_OUT:
            continue  # "do not skip a page" is "copy every page"
        words = [head, *(kid for kid in head.children if kid.dep_ in _OBJECTS)]
        words += [kid for one in words[1:] for to in one.children if to.dep_ == "prep" for kid in to.children]
        yield no, [one for one in words if says(one.lower_) and one != no]


def is_denied(token: Token) -> bool:
    """Whether a word is in a clause that denies something, or in one that belongs to such a clause."""
    if _denies(token):
        return True
    clause = _clause_of(token)
    while True:
        if any(map(_denies, _inside(clause))):
            return True
        above = clause.head
        if clause.dep_ == "conj" and above != clause:
            if not _joints(clause) & {"or", "nor"}:
                return False
        elif clause.dep_ not in _PARTS:
            return False
        if _clause_of(above) == clause:
            return False
        clause = _clause_of(above)


def _says_no(token: Token, there: Token) -> bool:
    """Whether the denial is in what is said ("say that it is not ..."), or the condition is turned: "if not, ..."."""
    if any(kid.dep_ == "ccomp" for kid in token.children):
        return any(map(_denies, there.subtree))
    turned = (one for one in there.doc[:-1] if one.lower_ == "not" and one.nbor().text == ",")
    return any(one.doc[max(0, one.i - 1)].lower_ == "if" for one in turned)


def _denies(token: Token) -> bool:
    word = token.lower_
    return token.dep_ == "neg" or bool({word, token.lemma_.lower()} & _DENYING) or bool(OPPOSITE.match(word))


def _clause_of(token: Token) -> Token:
    """The verb of the clause that a word is in, or the top of it if it has none."""
    while token.head != token and not (token.pos_ in _VERBS and token.dep_ not in ("xcomp", "acomp")):
        token = token.head
    return token


def _inside(clause: Token) -> Iterator[Token]:
    """The words of a clause without those of clauses in it, and what restricts these: "only if"."""
    todo = [clause]
    while todo:
        one = todo.pop()
        yield one
        for kid in one.children:
            if kid.dep_ in ("advcl", "relcl", "parataxis") or (kid.dep_ in ("conj", "ccomp") and kid.pos_ in _VERBS):
                yield from (each for each in kid.children if each.lower_ == "only")
            else:
                todo.append(kid)


def _joints(clause: Token) -> set[str]:
    """The words that join a clause to the one before it."""
    found = {kid.lower_ for kid in clause.children if kid.dep_ == "cc"}
    while clause.dep_ == "conj":
        clause = clause.head
        found |= {kid.lower_ for kid in clause.children if kid.dep_ == "cc"}
    return found
