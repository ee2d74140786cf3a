"""What a text denies: each denial of the original needs one of the rewrite, or a share in one that says it all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from promptopt.compression.guard.asked import Asked, Clause, Marker, Word, opposites
from promptopt.compression.guard.implied import is_reason
from promptopt.compression.guard.naming import described
from promptopt.compression.guard.paraphrase import FILLER, root

SHARE = 0.6
"""The part of what a denial is said of that another denial of the rewrite has to be said of as well."""
DEMANDED = 2
"""Words of what is not to be left out that the rewrite has to ask for together."""
DENIALS = frozenset({"negation", "exception", "restriction", "opposite", "mere", "demand"})
"""Markers that deny something."""
_REMOVED = frozenset(map(root, ("delete", "remove", "drop", "lose")))


def undenied(old: Asked, new: Asked, text: str) -> list[str]:
    """Denials for which the rewrite has none left, each as a person would name it.

    Args:
        text: The original.
    """
    offered = list(_denials(new))
    asked = [(marker, clause) for marker, clause in _denials(old) if marker.written != "instead of"]
    pairs = pairs_of(asked, offered)
    free = [n for n in range(len(offered)) if n not in pairs.values()]
    lost = []
    for number, (marker, clause) in enumerate(asked):
        if number not in pairs and free and not content(marker.scope):
            pairs[number] = free.pop(0)
        if marker.kind != "negation" or number in pairs or marker.said.startswith("even if"):
            continue
        if any(is_reason(token) for word in marker.scope for token in old.forms.get(word.written, ())):
            continue
        merged = any(
            asked[k][1] == clause and asked[k][0].kind not in ("negation", "exception") for k in pairs
        )  # "only X, not Y"
        if not merged and not _is_shared(marker, offered, new.concepts):
            lost.append(described(marker, text))
    return lost


def pairs_of(asked: Sequence[tuple[Marker, Clause]], offered: Sequence[tuple[Marker, Clause]]) -> dict[int, int]:
    """One denial of the rewrite for each of the original, as far as there is one, the likeliest first."""
    ranked = []
    for number, (marker, _) in enumerate(asked):
        own = content(marker.scope)
        for n, (other, clause) in enumerate(offered):
            said, near = shared(own, _reach(other, clause)), shared(own, other.near)
            weight = 2 * said + near + shared(marker.near, other.near) / 2 + (_first(marker) == _first(other) != "")
            if weight:
                ranked.append((weight + (marker.written == other.written or marker.kind == other.kind), number, n))
    pairs: dict[int, int] = {}
    for _, number, n in sorted(ranked, key=lambda row: -row[0]):
        if number not in pairs and n not in pairs.values():
            pairs[number] = n
    return pairs


def _is_shared(marker: Marker, offered: Sequence[tuple[Marker, Clause]], concepts: frozenset[str]) -> bool:
    """Whether a denial of the rewrite says as well what one without its own is said of, or an opposite does."""
    if any(opposites(word) & concepts for word in marker.scope):
        return True
    scope, near = (
        [word for word in content(words) if word.concepts & concepts] for words in (marker.scope, marker.near)
    )
    share = SHARE if scope else 1
    for other, clause in offered:
        there = (*other.near, *_reach(other, clause))
        if not scope and 0 < len(marker.scope) == shared(marker.scope, there):
            return True  # "do not answer, and do not guess" as "do not answer or guess"
        general = not scope and marker.scope and not shared(marker.scope, there)
        if general and marker.written == "without":
            continue  # "without returns": the rewrite has nothing of what it is said of
        if 0 < shared(near, there) >= share * len(near) and shared(scope, there) >= share * len(scope):
            return True
    return False


def is_demanded(marker: Marker, scope: Sequence[Word], other: Asked) -> bool:
    """Whether what is not to be left out is asked for, and nowhere left out."""
    own = content(marker.near)
    asked = False
    for clause in other.clauses:
        left = [one for one in clause.markers if one.written == "omit"]
        demands = [one for one in clause.markers if one.kind == "demand"]
        denied = [one for one in clause.markers if one.kind == "negation" and one not in left]
        if demands or (left and denied):  # "leave out buses, never trams"
            there = [word for one in (*denied, *demands) for word in one.scope]
            asked |= not scope or shared(scope, there) > 0
        elif any(shared(own, one.scope) for one in left):
            return False
        elif not clause.kinds & {"negation", "exception"} or clause.concepts & _REMOVED:
            asked |= shared(scope, clause.words) >= min(DEMANDED, len(scope)) > 0
    return asked


def _denials(asked: Asked) -> Iterator[tuple[Marker, Clause]]:
    return ((marker, clause) for clause in asked.clauses for marker in clause.markers if marker.kind in DENIALS)


def content(words: Sequence[Word]) -> list[Word]:
    """The words that are more than general."""
    return [word for word in words if word.written not in FILLER]


def _first(marker: Marker) -> str:
    return marker.said.split(" ")[0]


def _reach(marker: Marker, clause: Clause) -> tuple[Word, ...]:
    """The words from the first that a marker is said of to the end of its clause."""
    return clause.words[clause.words.index(marker.scope[0]) if marker.scope else 0 :]


def shared(words: Sequence[Word], others: Sequence[Word]) -> int:
    """How many of the words one of the others means as well."""
    return sum(any(word.concepts & other.concepts for other in others) for word in words)
