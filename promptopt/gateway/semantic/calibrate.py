"""Finds the threshold of the semantic cache for one embedder, or says that there is none."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from promptopt.errors import InputError
from promptopt.files import decode, replace_file, show_path
from promptopt.gateway.layers.semantic import Calibration, Embedder, fingerprint

CONFIDENCE = 0.95
# Thresholds are tried from strict to lax and the first that fails ends the search, so that trying many finds none by
# luck (fixed-sequence testing). It begins at several of them, which share the risk of being wrong.
_STARTS = (0, 3, 6)
LEVEL = (1 - CONFIDENCE) / len(_STARTS)
# From one threshold to the next, a quarter more pairs are hits.
_GROWTH = 1.25
# Budgets that are tried if the one that was asked for cannot be met.
_LARGER = (0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3)
_SAME = {
    "1": True,
    "true": True,
    "yes": True,
    "same": True,
    "0": False,
    "false": False,
    "no": False,
    "different": False,
}


@dataclass(frozen=True, slots=True)
class QuestionPair:
    """Two texts, and whether one answer serves both."""

    a: str
    b: str
    same: bool


@dataclass(frozen=True, slots=True)
class Candidate:
    """A threshold with what it did on the pairs.

    Attributes:
        hits: Pairs at or above it with the same hard facts; ``false_hits`` of them are different.
        bound: Upper confidence bound of the share of false hits.
    """

    threshold: float
    hits: int
    false_hits: int
    bound: float


@dataclass(frozen=True, slots=True)
class Search:
    """The outcome of a calibration.

    Attributes:
        chosen: The lowest threshold whose bound is within the budget; ``None`` if there is none.
        guarded: Pairs with different hard facts, which never share an answer, whatever their similarity.
        smallest: If none was chosen, the smallest larger budget that could be met, with its threshold.
    """

    embedder: str
    pairs: int
    guarded: int
    guarded_false: int
    budget: float
    candidates: tuple[Candidate, ...]
    chosen: Candidate | None
    smallest: tuple[float, Candidate] | None = None


def read_pairs(path: Path) -> list[QuestionPair]:
    """Pairs from CSV with the columns ``text_a``, ``text_b`` and ``same`` (or ``label``): 1 or 0.

    Raises:
        InputError: The file cannot be read, or a row is wrong.
    """
    display = show_path(path)
    try:
        text = decode(path.read_bytes(), display)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=display) from None
    reader = csv.DictReader(io.StringIO(text))
    names = {name.strip().lower(): name for name in reader.fieldnames or ()}
    a, b = (next((names[n] for n in options if n in names), None) for options in (("text_a", "a"), ("text_b", "b")))
    label = next((names[name] for name in ("same", "label", "is_duplicate") if name in names), None)
    if a is None or b is None or label is None:
        raise InputError(
            f"has no columns text_a, text_b and same: it has {', '.join(names) or 'none'}", path=display, line=1
        )
    pairs = []
    for row in reader:
        value = str(row[label] or "").strip().lower()
        if value not in _SAME or not row[a] or not row[b]:
            raise InputError(
                f"{label} = {row[label]!r} is not 1 or 0, or a text is empty", path=display, line=reader.line_num
            )
        pairs.append(QuestionPair(row[a], row[b], _SAME[value]))
    if not pairs:
        raise InputError("has no pair", path=display)
    return pairs


def calibrate(pairs: Sequence[QuestionPair], embedder: Embedder, budget: float = 0.01) -> Search:
    """The lowest threshold at which the share of false hits is within ``budget``, with 95% confidence.

    Thresholds are ranks of the similarity of the pairs with the same hard facts, from the first at which hits without a
    false one would do. For each, the one-sided Clopper-Pearson bound (1934) of the share of false hits is taken. The
    search is fixed-sequence testing with several starts (Angelopoulos and others, "Learn then test", 2021), so that the
    bound of the chosen one is right with 95% confidence.
    """
    left, right = embedder([pair.a for pair in pairs]), embedder([pair.b for pair in pairs])
    similarity = (left * right).sum(axis=1)
    passing = [fingerprint(pair.a) == fingerprint(pair.b) for pair in pairs]
    scored = sorted(
        ((float(value), pair.same) for value, pair, may in zip(similarity, pairs, passing, strict=True) if may),
        reverse=True,
    )
    candidates, chosen = _search(scored, budget)
    larger = ((more, _search(scored, more)[1]) for more in _LARGER if more > budget and chosen is None)
    return Search(
        embedder=embedder.name,
        pairs=len(pairs),
        guarded=len(pairs) - len(scored),
        guarded_false=sum(not pair.same for pair, may in zip(pairs, passing, strict=True) if not may),
        budget=budget,
        candidates=candidates,
        chosen=chosen,
        smallest=next(((more, found) for more, found in larger if found is not None), None),
    )


def _search(scored: Sequence[tuple[float, bool]], budget: float) -> tuple[tuple[Candidate, ...], Candidate | None]:
    """The thresholds, from strict to lax, and the laxest that is within the budget as all before it are."""
    rank, ranks = math.log(LEVEL) / math.log1p(-budget), list[int]()
    while rank < len(scored):
        ranks.append(math.ceil(rank))
        rank *= _GROWTH
    enough = bool(ranks)
    candidates = [_candidate(scored, each) for each in [*ranks, len(scored)] if each]
    chosen = None
    for start in _STARTS if enough else ():
        for candidate in candidates[start:]:
            if candidate.bound > budget:
                break
            if chosen is None or candidate.threshold < chosen.threshold:
                chosen = candidate
    return tuple(candidates), chosen


def _candidate(scored: Sequence[tuple[float, bool]], rank: int) -> Candidate:
    threshold = scored[rank - 1][0]
    hits = [same for value, same in scored if value >= threshold]
    wrong = sum(not same for same in hits)
    return Candidate(threshold, len(hits), wrong, upper_bound(wrong, len(hits), LEVEL))


def upper_bound(wrong: int, total: int, level: float) -> float:
    """The one-sided Clopper-Pearson bound: the share at which ``wrong`` or fewer have probability ``level``."""
    if wrong >= total:
        return 1.0
    low, high = wrong / total, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if _at_most(wrong, total, middle) > level:
            low = middle
        else:
            high = middle
    return high


def _at_most(wrong: int, total: int, share: float) -> float:
    """Probability of at most ``wrong`` of ``total``, each with probability ``share``."""
    if share <= 0:
        return 1.0
    if share >= 1:
        return 0.0
    log, other = math.log(share), math.log1p(-share)
    terms = [
        math.lgamma(total + 1) - math.lgamma(k + 1) - math.lgamma(total - k + 1) + k * log + (total - k) * other
        for k in range(wrong + 1)
    ]
    top = max(terms)
    return math.exp(top) * math.fsum(math.exp(term - top) for term in terms)


def write_calibration(search: Search, path: Path) -> None:
    """Write what the semantic cache reads.

    Raises:
        InputError: The file cannot be written.
    """
    assert search.chosen is not None
    found = Calibration(search.chosen.threshold, search.embedder, search.budget, search.chosen.bound)
    evidence = {"pairs": search.pairs, "hits": search.chosen.hits, "wrong": search.chosen.false_hits}
    replace_file(path, json.dumps({**asdict(found), **evidence}, indent=2) + "\n")
