"""Finds the threshold of the semantic cache for one embedder, or says that there is none."""

from __future__ import annotations

import csv
import io
import json
import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from promptopt.errors import InputError
from promptopt.files import decode, replace_file, show_path
from promptopt.gateway.layers.semantic import Calibration
from promptopt.gateway.semantic.embedders import Embedder
from promptopt.gateway.semantic.hard_facts import RULES, FactKind, difference, hard_facts

CONFIDENCE = 0.95
# Thresholds are tried from strict to lax and the first that fails ends the search, so that trying many finds none by
# luck (fixed-sequence testing). It begins at several of them, which share the risk of being wrong.
_STARTS = (0, 3, 6)
LEVEL = (1 - CONFIDENCE) / len(_STARTS)
# From one threshold to the next, a quarter more pairs are hits.
_GROWTH = 1.25
# Budgets that are tried if the one that was asked for cannot be met.
# Pairs that are embedded together.
_AT_ONCE = 5000
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
        guarded_by: How many of them by what differs first; the same for those of them that could share an answer is
            ``guarded_same``.
        smallest: If none was chosen, the smallest larger budget that could be met, with its threshold.
    """

    embedder: str
    pairs: int
    guarded: int
    guarded_false: int
    guarded_by: Mapping[FactKind, int]
    guarded_same: Mapping[FactKind, int]
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
    pairs: list[QuestionPair] = []
    try:
        pairs.extend(_pair(row, a, b, label, display, reader.line_num) for row in reader)
    except csv.Error as error:
        raise InputError(f"is not CSV: {error}", path=display, line=reader.line_num) from None
    if not pairs:
        raise InputError("has no pair", path=display)
    return pairs


def _pair(row: Mapping[str | None, Any], a: str, b: str, label: str, display: str, line: int) -> QuestionPair:
    """Raises InputError that says what of a row is wrong."""
    if None in row:
        extra = len(row[None])
        raise InputError(
            f"has {extra} value{'s' * (extra > 1)} more than the header has columns: put a text with commas in quotes",
            path=display,
            line=line,
        )
    for name in (a, b, label):
        if row[name] is None:
            raise InputError(f"has no value for {name}: the row ends before it", path=display, line=line)
    for name in (a, b):
        if not row[name].strip():
            raise InputError(f"{name} is empty", path=display, line=line)
    value = row[label].strip().lower()
    if value not in _SAME:
        raise InputError(f"{label} = {row[label]!r} is not 1 or 0", path=display, line=line)
    return QuestionPair(row[a], row[b], _SAME[value])


def calibrate(pairs: Sequence[QuestionPair], embedder: Embedder, budget: float = 0.01) -> Search:
    """The lowest threshold at which the share of false hits is within ``budget``, with 95% confidence.

    Thresholds are ranks of the similarity of the pairs with the same hard facts, from the first at which hits without a
    false one would do. For each, the one-sided Clopper-Pearson bound (1934) of the share of false hits is taken. The
    search is fixed-sequence testing with several starts (Angelopoulos and others, "Learn then test", 2021), so that the
    bound of the chosen one is right with 95% confidence.
    """
    similarity: list[float] = []
    for start in range(0, len(pairs), _AT_ONCE):
        some = pairs[start : start + _AT_ONCE]
        vectors = embedder([text for pair in some for text in (pair.a, pair.b)])
        similarity += (vectors[0::2] * vectors[1::2]).sum(axis=1).tolist()
    differences = [difference(hard_facts(pair.a), hard_facts(pair.b)) for pair in pairs]
    scored = sorted(
        (
            (value, pair.same)
            for value, pair, different in zip(similarity, pairs, differences, strict=True)
            # A vector that is not one, of NaN, is similar to nothing.
            if different is None and value == value  # noqa: PLR0124
        ),
        reverse=True,
    )
    by = Counter(each for each in differences if each is not None)
    by_same = Counter(each for each, pair in zip(differences, pairs, strict=True) if each is not None and pair.same)
    candidates, chosen = _search(scored, budget)
    larger = ((more, _search(scored, more)[1]) for more in _LARGER if more > budget and chosen is None)
    return Search(
        embedder=embedder.name,
        pairs=len(pairs),
        guarded=by.total(),
        guarded_false=by.total() - by_same.total(),
        guarded_by=dict(by.most_common()),
        guarded_same=dict(by_same.most_common()),
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
    # All that are as similar as the last one are hits too.
    hits = bisect_right(scored, -threshold, key=lambda each: -each[0])
    wrong = sum(not same for _, same in scored[:hits])
    return Candidate(threshold, hits, wrong, upper_bound(wrong, hits, LEVEL))


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
    """Probability of at most ``wrong`` of ``total``, each with probability ``share``.

    It is a regularized incomplete beta function, I(1 - share; total - wrong, wrong + 1) (DLMF 8.17.5), by its continued
    fraction (DLMF 8.17.22) in the half where that converges fast.
    """
    if share <= 0:
        return 1.0
    if share >= 1:
        return 0.0
    a, b, x = float(total - wrong), wrong + 1.0, 1 - share
    log = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    if x < (a + 1) / (a + b + 2):
        return math.exp(log) * _fraction(x, a, b) / a
    return 1 - math.exp(log) * _fraction(1 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of the incomplete beta function, by Lentz's method."""
    tiny = 1e-300
    c, d = 1.0, 1.0 / (1 - (a + b) * x / (a + 1) or tiny)
    value = d
    for m in range(1, 10_000):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 / (1 + term * d or tiny)
            c = 1 + term / c or tiny
            value *= c * d
        if abs(c * d - 1) < 1e-14:
            break
    return value


def write_calibration(search: Search, path: Path) -> None:
    """Write what the semantic cache reads.

    Raises:
        InputError: The file cannot be written.
    """
    assert search.chosen is not None
    found = Calibration(search.chosen.threshold, search.embedder, search.budget, search.chosen.bound, RULES)
    evidence = {"pairs": search.pairs, "hits": search.chosen.hits, "wrong": search.chosen.false_hits}
    replace_file(path, json.dumps({**asdict(found), **evidence}, indent=2) + "\n")
