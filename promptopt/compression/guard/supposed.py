"""What a text supposes: a condition of the original whose place in the rewrite is another condition's is gone."""

from __future__ import annotations

from collections.abc import Iterator

from promptopt.compression.guard.asked import Asked, Clause, Marker, says
from promptopt.compression.guard.denied import content, pairs_of
from promptopt.compression.guard.naming import described
from promptopt.compression.guard.paraphrase import MARKERS
from promptopt.compression.guard.uses import roots_of

_SUPPOSES = frozenset({"condition", "concession", "exception", "restriction", "whether", "after", "before", "end"})
_REST = frozenset({"otherwise", "else", "once", "while"})


def unsupposed(old: Asked, new: Asked, text: str) -> list[str]:
    """Conditions for which the rewrite has none left, each as a person would name it.

    Args:
        text: The original.
    """
    asked = [(marker, clause) for marker, clause in _conditions(old) if marker.written not in _REST]
    offered = list(_conditions(new))
    pairs = pairs_of(asked, offered)
    free = [n for n in range(len(offered)) if n not in pairs.values()]
    lost = []
    for number, (marker, _) in enumerate(asked):
        if marker.written != "if" or number in pairs or content(marker.scope) or _has_more(marker):
            continue
        if free:
            free.pop()
        elif not any(all(roots_of(word.concepts) & one for word in marker.scope) for one in new.sentences):
            lost.append(described(marker, text))
    return lost


def _has_more(marker: Marker) -> bool:
    """Whether a condition has a denial, an ordinal or a number, which are compared themselves."""
    return any(word in MARKERS or not says(word) for word in marker.said.split())


def _conditions(asked: Asked) -> Iterator[tuple[Marker, Clause]]:
    return ((marker, clause) for clause in asked.clauses for marker in clause.markers if marker.kind in _SUPPOSES)
