"""The guard of a model's rewrites: what a text asks for and its rewrite does not.

A rewrite is in other words by intent, so words are compared by what they stand for, and markers (negations, conditions,
limits, order) by the words that they apply to. A word that is gone is a loss, unless the parse shows that it only
joined others that are kept, pointed back, or said why. Nothing here is shared with the rules or with their facts.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from typing import TYPE_CHECKING

from promptopt.compression.guard.account import unaccounted
from promptopt.compression.guard.asked import (
    Asked,
    Clause,
    Marker,
    Word,
    asked_in,
    concepts_of,
    digits_in,
    kind_of,
    opposites,
    says,
    stems_in,
    swapped,
    unlisted,
    unsaid,
)
from promptopt.compression.guard.asserted import asserted
from promptopt.compression.guard.crowded import crowded
from promptopt.compression.guard.denied import DENIALS, is_demanded, undenied
from promptopt.compression.guard.deviation import Deviation, certain, named_once, suspected
from promptopt.compression.guard.implied import (
    is_counted,
    is_folded,
    is_implied,
    is_listed_too,
)
from promptopt.compression.guard.joints import other_choice, parted, turned_round
from promptopt.compression.guard.left_out import left_out
from promptopt.compression.guard.measured import lost_measures
from promptopt.compression.guard.naming import described, phrase
from promptopt.compression.guard.paraphrase import FILLER, root
from promptopt.compression.guard.places import Places
from promptopt.compression.guard.several import fewer
from promptopt.compression.guard.supposed import unsupposed
from promptopt.compression.guard.uses import roots_of
from promptopt.compression.guard.whole_orders import lost_orders
from promptopt.compression.guard.whole_parts import lost_parts

if TYPE_CHECKING:
    from spacy.tokens import Token

DENIED = 2
"""Words that are denied in the original and have to be denied in the rewrite, if it has them at all."""
LONG = 7
"""Letters beyond which a word may be two joined."""
_ACCEPTED: dict[str, frozenset[str]] = {
    "negation": frozenset({"negation", "exception", "restriction", "opposite"}),
    "exception": frozenset({"exception", "restriction", "condition"}),
    "restriction": frozenset({"restriction", "exception", "mere"}),
    "condition": frozenset({"condition", "concession", "restriction", "exception", "whether"}),
    "concession": frozenset({"concession"}),
    "first": frozenset({"first", "before", "arrangement", "opening", "sequence"}),
    "ordinal": frozenset({"sequence", "arrangement"}),
    "last": frozenset({"last", "arrangement", "closing", "finale"}),
    "opening": frozenset({"opening", "first", "arrangement", "sequence"}),
    "closing": frozenset({"closing", "last", "arrangement", "finale"}),
    "before": frozenset({"before", "sequence", "end", "first"}),
    "arrangement": frozenset({"arrangement", "first", "sequence"}),
    "degree": frozenset({"degree"}),
    "end": frozenset({"end", "before"}),
    "after": frozenset({"after", "sequence", "condition"}),
    "demand": frozenset({"demand"}),
    "inclusion": frozenset({"inclusion", "with", "concession"}),
}
"""By which markers in the rewrite each kind is kept. Others need not stay: what is said later is done later."""
_LOOSE = frozenset({"first", "ordinal", "opening", "closing", "last", "concession", "arrangement"})
"""Markers that one shared word is enough for."""
_COUNTED = frozenset({"before", "after", "condition", "exception", "restriction"})
"""Markers without words of their own that others of the original may not stand for."""
_WEAKER = {
    "partial": frozenset({"some", "certain", "several", "few", "couple", "lot", "lots"}),
    "permission": frozenset(
        {"can", "could", "may", "might", "allowed", "permitted", "fine", "free", "possible", "able", "perhaps", "would"}
    ),
}
"""Markers that a rewrite may not add unless the original has one of these words."""
_STRICT = frozenset({"negation", "exception", "restriction"})
"""Markers that are certainly lost if the rewrite denies nothing at all, and added if the original does not."""
_HEADING = re.compile(r"(?m)^#+[ \t].*$")
_ALL = ("all", "every", "each", "any", "whole", "entire", "both")
_MUST = ("must", "have", "has", "need", "needs", "should", "always")
_DEGREES = ("very", "extremely", "highly", "really", "exceptionally", "particularly", "truly", "deeply")
_SLIGHTLY = ("little", "bit", "slightly", "somewhat", "rather", "fairly")
_ADDED = frozenset({"negation", "after"})
"""Markers that a rewrite may not add."""


def lost_in_rewrite(before: str, after: str, context: str = "") -> list[Deviation]:
    """What ``before`` asks for and ``after`` does not; empty if all is kept.

    Args:
        context: The rest of the prompt. A word that is in it as well is a reference, and need not be said again.

    Raises:
        MissingExtra: spaCy is not installed.
        UsageError: Its English pipeline is not.
    """
    if len(_HEADING.findall(before)) == len(_HEADING.findall(after)):
        before = _HEADING.sub("", before)  # a heading is a name: what it says is said below it
    old, new = asked_in(before), asked_in(after)
    rest = [asked_in(part) for part in re.split(r"\n\s*\n", context)]
    known = frozenset().union(*(part.concepts for part in rest))
    found = certain(f"{kind_of(text)} {text}" for text in old.verbatim if not new.verbatim[text])
    joined = _compounded(old, new)
    concepts = new.concepts | stems_in(new.verbatim) | joined
    words, implied = _lost_words(old, new, before, concepts, known)
    found += suspected(words)
    numbers = {(limit, n.value) for clause in new.clauses for n in clause.numbers for limit in (n.limit, "")}
    for clause in old.clauses:
        lost = (n for n in clause.numbers if (n.limit, n.value) not in numbers)
        found += certain(str(n) for n in lost if not is_counted(n, old, clause))
    for clause in old.clauses:
        for marker in clause.markers:
            if _is_kept(marker, clause, old, new, concepts, implied) or any(_is_reference(marker, one) for one in rest):
                continue
            of_kind = suspected if marker.kind not in _STRICT or _denies(new) else certain
            found += of_kind([described(marker, before)])
    found += certain([*unlisted(before, after), *swapped(before, after)])
    found += suspected(unsaid(old, new)) + certain(lost_measures(old, new))
    others = lost_orders(old, new) + turned_round(old, new) + other_choice(old, new)
    others += parted(old, new, concepts, joined) + undenied(old, new, before) + unsupposed(old, new, before)
    others += crowded(old, new, concepts, known, joined) + lost_parts(old, new, concepts, known)
    each = Places.of(old, new, joined)
    others += unaccounted(old, new, each) + left_out(each) + asserted(old, each) + fewer(old, new)
    return named_once([*found, *suspected(others)])


def _lost_words(
    old: Asked, new: Asked, text: str, concepts: frozenset[str], known: frozenset[str]
) -> tuple[list[str], set[str]]:
    """The words that the rewrite has not, as a person would name them, and those of them that need not be said."""
    found: list[str] = []
    implied: set[str] = set()
    named = roots_of(known)
    for clause in old.clauses:
        denied = {marker.scope[0] for marker in clause.markers if marker.kind == "negation" and marker.scope}
        for word in clause.words:
            tokens = old.forms.get(word.written, ())
            kept = concepts
            if not word.bound and _is_noun(word, old):
                kept = concepts | (named if any(k.dep_ == "relcl" for t in tokens for k in t.children) else known)
            general = word.written.removesuffix("'s") in FILLER
            if general and any(is_listed_too(token, concepts) for token in tokens):
                if root(word.written) not in kept:
                    found.append(phrase(old, text, word.written))
            elif general or (word.concepts & kept and _stands(word, old, new, kept)) or _is_reversed(word, clause, new):
                continue
            elif tokens and all(is_implied(t, new, concepts, frozenset() if word in denied else known) for t in tokens):
                implied.add(word.written)
            else:
                found.append(phrase(old, text, word.written))
    return found, implied


def _stands(word: Word, old: Asked, new: Asked, kept: frozenset[str]) -> bool:
    """Whether a word is in the rewrite, or another word for it is that does not already stand for itself elsewhere."""
    own = frozenset(concept for concept in word.concepts if concept[0] != "=")
    tokens = old.forms.get(word.written, ())
    if own & kept or not tokens or word.concepts & kept - new.concepts:
        return True
    mine = frozenset(concept for concept in old.concepts if concept[0] != "=")
    for form, found in new.forms.items():
        if root(form) not in mine and any(concepts_of(token) & word.concepts for token in found):
            return True
    beside = (frozenset(root(t.lower_) for t in token.sent if says(t.lower_)) - own for token in tokens)
    return any(word.concepts & one and others & one for others in beside for one in new.sentences)


def _compounded(old: Asked, new: Asked) -> frozenset[str]:
    """The words that the rewrite has joined to one: "owners of land" as "landowners"."""
    words = {word: root(word) for clause in old.clauses for word in (one.written for one in clause.words)}
    found: set[str] = set()
    for clause in new.clauses:
        for whole in (one.written for one in clause.words if one.written not in words and len(one.written) > LONG):
            for first, kept in words.items():
                rest = root(whole.removeprefix(first).strip("-_"))
                if whole.startswith(first) and rest in words.values():
                    found |= {kept, rest}
    return frozenset(found)


def added_by_rewrite(before: str, after: str) -> list[Deviation]:
    """The numbers, negations, quoted texts, code and parts of a whole that only ``after`` has."""
    old, new = asked_in(before), asked_in(after)
    numbers = {number.value for clause in old.clauses for number in clause.numbers} | digits_in(old.verbatim)
    numbers |= {"2"} if "both" in old.forms else set()
    found = certain((f"{kind_of(text)} {text}" for text in new.verbatim if not old.verbatim[text]), is_added=True)
    concepts = old.concepts
    for clause in new.clauses:
        for marker in clause.markers:
            if marker.kind in _WEAKER:
                denied = marker.kind == "permission" and "negation" in clause.kinds  # "no puzzle may" is "must not"
                if not denied and not _is_as_weak(marker, old):
                    found += suspected([described(marker) + _instead(old, marker)], is_added=True)
            elif marker.kind == "degree":
                if not any(form in old.forms for form in _DEGREES):
                    found += suspected([described(marker) + _instead(old, marker)], is_added=True)
            elif marker.said.startswith("even if"):
                continue  # "nothing, not even commas" denies once
            elif marker.kind in _ADDED and not _is_kept(marker, clause, new, old, concepts):
                of_kind = suspected if marker.kind not in _STRICT or _denies(old) else certain
                found += of_kind([described(marker)], is_added=True)
    return found + certain(
        (str(n) for clause in new.clauses for n in clause.numbers if n.value not in numbers), is_added=True
    )


def _denies(asked: Asked) -> bool:
    """Whether a text denies something in any way; "at most" does, which "never more than" is read as."""
    return any(m.kind in DENIALS or m.kind == "limit" for clause in asked.clauses for m in clause.markers)


def _is_kept(
    marker: Marker,
    clause: Clause,
    own: Asked,
    other: Asked,
    concepts: frozenset[str],
    implied: Container[str] = frozenset(),
) -> bool:
    """Whether ``other`` says as well what a marker of ``own`` says of its words.

    Args:
        implied: Words that need not be said; what is only said of them need not be either.
    """
    accepted = _accepted(marker, clause)
    if not accepted:
        return True
    if marker.kind == "degree":
        return _keeps_degree(marker, clause, other)
    scope = [word for word in (marker.near if marker.kind in _LOOSE else marker.scope) if word.concepts & concepts]
    if marker.kind not in _LOOSE:
        scope = [word for word in scope if word.written not in FILLER] or scope
    if marker.written == "instead of":
        # What is preferred to what: the same words the other way round are another request.
        rivals = [word for one in other.clauses for m in one.markers if m.kind in accepted for word in m.scope]
        return any(word.concepts & rival.concepts for word in marker.scope for rival in rivals)
    if marker.kind == "negation" and any(_is_denied(marker, scope, one, accepted) for one in other.clauses):
        return True
    if marker.kind == "demand":
        return is_demanded(marker, scope, other)
    if not scope or (marker.kind == "arrangement" and not marker.said):
        return _is_kept_bare(marker, own, other, accepted, implied)
    if marker.kind == "negation":
        return False
    if any(_is_said(marker, scope, one, accepted) for one in other.clauses):
        return True
    return marker.kind == "condition" and is_folded(marker, clause, scope, other)


def _is_kept_bare(marker: Marker, own: Asked, other: Asked, accepted: frozenset[str], implied: Container[str]) -> bool:
    """Whether a marker whose words are all gone is kept: they are named themselves, or need not be said."""
    if marker.kind == "arrangement" and not marker.said:
        return any(marker.kind in one.kinds for one in other.clauses)
    said = [word.written for word in marker.scope if word.written not in FILLER]
    if said and marker.kind != "negation":
        if marker.kind in ("after", "before") and all(word in implied for word in said):
            return True
        alike = set(marker.said.split()) - set(said)
        if any(m.kind in accepted and alike & set(m.said.split()) for one in other.clauses for m in one.markers):
            return True
    counted = accepted if marker.kind in _COUNTED else frozenset({marker.kind})
    mine = sum(bool(one.kinds & counted) for one in own.clauses)
    accepted -= {"condition"} if marker.kind == "exception" else frozenset()
    return sum(bool(one.kinds & accepted) for one in other.clauses) >= mine


def _is_said(marker: Marker, scope: Sequence[Word], clause: Clause, accepted: frozenset[str]) -> bool:
    """Whether a clause has an accepted marker together with enough of the words."""
    enough = 1 if len(scope) < 3 or marker.kind in _LOOSE else 2
    if clause.kinds & accepted and sum(bool(word.concepts & clause.concepts) for word in scope) >= enough:
        return True
    return marker.written in clause.kinds and any(word.concepts & clause.concepts for word in marker.scope)


def _accepted(marker: Marker, clause: Clause) -> frozenset[str]:
    """The markers by which one is kept; none if it need not be."""
    accepted = _ACCEPTED.get(marker.kind, frozenset())
    if not accepted or (marker.kind in ("opening", "closing") and marker.written != marker.kind):
        return frozenset()
    if marker.kind == "first" and not marker.said:
        accepted -= {"sequence"}  # "unless the guest has asked first" is no order of steps
    both = marker.kind == "before" and "first" in clause.kinds
    denied = [word for one in clause.markers if one.kind == "negation" and one != marker for word in one.scope]
    doing = re.match(r"\w+ing\b", marker.said)
    if (
        marker.written == "without"
        and doing
        and any(word in denied for word in marker.near if word not in marker.scope)
    ):
        return accepted - {"negation"} | {"without", "only"}  # "never X without Y" is no "never X"
    return (accepted | {marker.written}) - ({"first"} if both else frozenset())


def _is_denied(marker: Marker, scope: Sequence[Word], clause: Clause, accepted: frozenset[str]) -> bool:
    """Whether a clause denies one of the words, denies its subject, or says its opposite."""
    own = [word for word in scope if word.written not in FILLER]
    before = [word for word in marker.near if word not in marker.scope and word.written not in FILLER]
    general = [word for word in marker.scope if word.written in FILLER]
    first = _first(marker)
    for other in clause.markers:
        if other.kind in accepted or other.written == marker.written:
            start = clause.words.index(other.near[0]) if other.near else 0
            its = _first(other)
            there = frozenset().union(*(word.concepts for word in clause.words[start:]))
            shared = sum(bool(word.concepts & there) for word in own)
            most = 2 * shared >= len(own) > DENIED or (shared and marker.written == other.written == "none")
            if shared >= DENIED or most or (shared == len(own) > 0 and _is_same_denial(own, general, there)):
                return True
            if first and its and first.concepts & its.concepts:
                return True  # "do not answer the objection" as "do not answer it"
            if marker.said and marker.said.split()[0] == other.said.split(" ")[0]:
                return True  # "don't begin with `x`": the words are markers themselves
            if any(word.concepts & there for word in before) and any(w.concepts & there for w in (*own, *general)):
                return True
            if not own and any(word.concepts & there for word in (*before, *general)):
                return True
    return any(_opposed(word, clause) and _is_about(word, marker, clause) for word in marker.scope)


def _is_same_denial(own: Sequence[Word], general: Sequence[Word], there: frozenset[str]) -> bool:
    """Whether a single word that is denied is so in the rewrite: "cite no cases" is no "mention no country"."""
    return len(own) > 1 or not general or root(own[0].written) in there or any(w.concepts & there for w in general)


def _first(marker: Marker) -> Word | None:
    """The first word that a marker is said of; "try to" and the like only if nothing else is there."""
    return next((word for word in marker.scope if word.written not in FILLER), next(iter(marker.scope), None))


def _is_about(word: Word, marker: Marker, clause: Clause) -> bool:
    """Whether a clause speaks of what a marker's word is said of, and not only has a word of its meaning."""
    said = [other for other in marker.near if other != word and other.written not in FILLER]
    return not said or any(other.concepts & clause.concepts for other in said)


def _is_noun(word: Word, asked: Asked) -> bool:
    return any(
        token.pos_ in ("NOUN", "PROPN") and token.dep_ not in ("compound", "conj")
        for token in asked.forms.get(word.written, ())
    )


def _is_reference(marker: Marker, context: Asked) -> bool:
    """Whether "the last question" is one that the rest of the prompt calls so as well."""
    if marker.kind not in ("first", "ordinal", "last") or not marker.scope:
        return False
    others = [other for clause in context.clauses for other in clause.markers if other.written == marker.written]
    return any(other.scope and other.scope[0].concepts & marker.scope[0].concepts for other in others)


def _is_as_weak(marker: Marker, old: Asked) -> bool:
    """Whether the original says as well that something may be, or that only a part is meant."""
    forms = {marker.written.split()[0]} | _WEAKER[marker.kind]
    texts = [token for form in forms for token in old.forms.get(form, ())]
    return any(_meets(marker, near) for token in texts for near in token.sent)


def _instead(asked: Asked, marker: Marker) -> str:
    """The words of the same clause that asked for all, or said that it must be."""
    strict = {"partial": _ALL, "degree": _SLIGHTLY}.get(marker.kind, _MUST)
    texts = [token for form in strict for token in asked.forms.get(form, ())]
    found = dict.fromkeys(repr(token.lower_) for token in texts if any(_meets(marker, near) for near in token.sent))
    return f" instead of {' or '.join(found)}" if found else ""


def _meets(marker: Marker, token: Token) -> bool:
    return any(concepts_of(token) & word.concepts for word in marker.near)


def _keeps_degree(marker: Marker, clause: Clause, other: Asked) -> bool:
    """Whether "very" is still said of its word, or does not matter: it does in a scale and beside a number."""
    if not marker.scope or not clause.numbers:
        return True
    word = root(marker.scope[0].written)
    return any(
        m.kind == "degree" and m.scope and root(m.scope[0].written) == word for c in other.clauses for m in c.markers
    )


def _is_reversed(word: Word, clause: Clause, new: Asked) -> bool:
    """Whether "not outside" has become "inside"."""
    negated = any(marker.kind == "negation" and word in marker.scope for marker in clause.markers)
    return negated and any(_opposed(word, one) for one in new.clauses)


def _opposed(word: Word, clause: Clause) -> bool:
    others = opposites(word)
    return any(other.concepts & others for other in clause.words)
