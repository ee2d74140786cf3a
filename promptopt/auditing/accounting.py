"""Whether a log counts cached tokens inside its input tokens or beside them: settled row by row, and never guessed.

A row decides by itself if its total does, or if it cannot be otherwise. A row that does not is settled by the other
rows of the same provider and model, then by the dollars that the log itself says. What is still open is asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from promptopt.auditing.bill import TokenRates, rates_of
from promptopt.auditing.log import CachedRelation, CallLog, Flags, Integers
from promptopt.config import Config
from promptopt.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

_OPEN, _INSIDE, _BESIDE, _READ_BESIDE, _WRITE_BESIDE = 0, 1, 2, 3, 4
SettledRelation = CachedRelation | Literal["beside (written ones inside)", "inside (written ones beside)"]
_RELATIONS: Mapping[int, SettledRelation] = {
    _INSIDE: "inside",
    _BESIDE: "beside",
    _READ_BESIDE: "beside (written ones inside)",
    _WRITE_BESIDE: "inside (written ones beside)",
}
AccountingWitness = Literal["format", "total", "impossible otherwise", "other rows", "cost", "asked"]
# How near the dollars of a log must be to those of one reading, and how far from the other's.
_NEAR, _FAR = 0.005, 0.02


@dataclass(frozen=True, slots=True)
class Settled:
    """How many rows with cached tokens were read in one way.

    Attributes:
        group: ``provider/model``.
        witness: What decided.
    """

    group: str
    relation: SettledRelation
    witness: AccountingWitness
    rows: int


@dataclass(frozen=True, slots=True)
class Accounting:
    """How a log's tokens were read.

    Attributes:
        differing: Rows whose own cost is not that of their tokens at list price, by ``provider/model``.
        compared: Rows with a cost of their own and a known price.
        said_usd: What the log itself says that those cost.
        unexplained: Rows whose own total is no sum of their parts, and the tokens that it has more (or, negative,
            fewer) than what was read, by ``provider/model``.
        mispriced: Calls of models whose cost in the log is not that of the table as a whole: their number, and dollars
            in the log and at list price, by ``provider/model``.
    """

    settled: tuple[Settled, ...]
    differing: Mapping[str, int]
    compared: int
    said_usd: float
    listed_usd: float
    unexplained: Mapping[str, Sequence[int]] = field(default_factory=dict)
    mispriced: Mapping[str, Sequence[float]] = field(default_factory=dict)


def settle(
    log: CallLog, config: Config, told: Mapping[str, CachedRelation] | None = None
) -> tuple[CallLog, Accounting]:
    """The log with input tokens that include cached and written ones, and output tokens that include reasoning.

    Args:
        told: The relation by ``provider/model``, or ``all``.

    Raises:
        InputError: A group of rows can be read in two ways, and nothing says which is right.
    """
    cached = log.cache_read_tokens + log.cache_write_tokens + log.cache_write_1h_tokens
    matters = cached > 0
    relation, witness = _by_row(log, cached)
    places, names = groups_of(log)
    unknown = sorted(set(told or {}) - {*names, "all"})
    if unknown:
        raise InputError(
            f"--accounting names {unknown[0]!r}, which the log does not have.{did_you_mean(unknown[0], names)} "
            f"It has: {', '.join(sorted(names)[:8])}"
        )
    rates = rates_of(log, config)
    by_cost = _by_cost(log, matters, cached, rates)
    # Buckets that were filled wrongly have a wrong total too; what was paid is right.
    contradicted = (
        (by_cost != _OPEN)
        & (relation != by_cost)
        & (relation != _READ_BESIDE)
        & (relation != _WRITE_BESIDE)
        & (witness != 2)
    )
    relation[contradicted], witness[contradicted] = by_cost[contradicted], 4
    # A log may have a million groups: only those with open rows are looked at.
    for number in np.unique(places[matters & (relation == _OPEN)]).tolist():
        rows = matters & (places == number)
        undecided = rows & (relation == _OPEN)
        _by_group(rows, undecided, relation, witness)
        _as_told(names[number], told or {}, undecided & (relation == _OPEN), relation, witness)
    still = matters & (relation == _OPEN)
    if still.any():
        _ask([names[place] for place in places[still].tolist()])
    beside = matters & (relation == _BESIDE)
    whole = replace(
        log,
        input_tokens=log.input_tokens
        + np.where(beside, cached, 0)
        + np.where(matters & (relation == _READ_BESIDE), log.cache_read_tokens, 0)
        + np.where(matters & (relation == _WRITE_BESIDE), cached - log.cache_read_tokens, 0),
        output_tokens=log.output_tokens + np.where(_reasoning_beside(log), log.reasoning_tokens, 0),
    )
    codes, counts = np.unique(
        ((places * len(_CODES) + relation) * len(_WITNESSES) + witness)[matters], return_counts=True
    )
    settled = []
    for code, rows in zip(codes.tolist(), counts.tolist(), strict=True):
        rest, why = divmod(code, len(_WITNESSES))
        group, how = divmod(rest, len(_CODES))
        settled.append(Settled(names[group], _RELATIONS[how], _WITNESSES[why], rows))
    found = _accounting(whole, tuple(settled), places, names, rates)
    return whole, replace(found, unexplained=_unexplained(log, whole, cached, places, names))


_WITNESSES: tuple[AccountingWitness, ...] = ("format", "total", "impossible otherwise", "other rows", "cost", "asked")

_CODES = (_OPEN, *_RELATIONS)


def _by_row(log: CallLog, cached: Integers) -> tuple[np.ndarray, np.ndarray]:
    """What each row says by itself: its total first, then what is impossible, then its format."""
    given, made, total = log.input_tokens, log.output_tokens, log.total_tokens
    relation, witness = log.relation.copy(), np.zeros(len(log), np.int8)
    impossible = cached > given
    relation[impossible], witness[impossible] = _BESIDE, 2
    told = total >= 0
    read, written = log.cache_read_tokens, cached - log.cache_read_tokens
    for extra in (np.zeros(len(log), np.int64), log.reasoning_tokens):
        # Some count what is written as new input, and what is read beside it.
        half = told & (total == given + made + extra + read) & (read > 0) & (written > 0) & (written <= given)
        relation[half], witness[half] = _READ_BESIDE, 1
        as_said = told & (total == given + made + extra) & (cached > 0)
        inside = as_said & ~impossible
        relation[inside], witness[inside] = _INSIDE, 1
        # Both do not fit into the input that the total counts, and what is read does.
        rest = as_said & impossible & (read <= given) & (written > 0) & (read > 0)
        relation[rest], witness[rest] = _WRITE_BESIDE, 1
        beside = told & (total == given + made + extra + cached) & (cached > 0)
        relation[beside], witness[beside] = _BESIDE, 1
    return relation, witness


def _reasoning_beside(log: CallLog) -> Flags:
    """Rows whose reasoning is not in their output: it is larger, their total or their format says so."""
    cached = log.cache_read_tokens + log.cache_write_tokens + log.cache_write_1h_tokens
    more = log.total_tokens - log.input_tokens - log.output_tokens - log.reasoning_tokens
    # A total that has as many cached tokens more says nothing of reasoning.
    summed = (log.total_tokens >= 0) & ((more == 0) | (more == cached)) & (log.reasoning_tokens != cached)
    larger = log.reasoning_tokens > log.output_tokens
    denied = (log.total_tokens >= 0) & (log.total_tokens == log.input_tokens + log.output_tokens)
    return np.asarray(larger | (log.reasoning_beside & ~denied) | (summed & ~denied & (log.reasoning_tokens > 0)))


def groups_of(log: CallLog) -> tuple[NDArray[np.int64], list[str]]:
    """The group of each call, and the name of each group: ``provider/model``."""
    models = log.names["model"]
    codes = (log.codes["provider"].astype(np.int64) + 1) * len(models) + log.codes["model"]
    unique, places = np.unique(codes, return_inverse=True)
    names = []
    for code in unique.tolist():
        provider, model = divmod(code, len(models))
        names.append(f"{log.names['provider'][provider - 1]}/{models[model]}" if provider else models[model])
    return places.reshape(-1), names


def _unexplained(
    log: CallLog, whole: CallLog, cached: Integers, places: NDArray[np.int64], names: list[str]
) -> dict[str, tuple[int, int]]:
    """Rows whose total is no sum of what they have: something was used that the log does not name."""
    more = log.total_tokens - log.input_tokens - log.output_tokens
    explained = log.total_tokens < 0
    for reasoning in (0, log.reasoning_tokens):
        for held in (0, cached, log.cache_read_tokens):
            explained = explained | (more == reasoning + held)
    rows = np.flatnonzero(~explained)
    left = (log.total_tokens - whole.input_tokens - whole.output_tokens)[rows]
    numbers, at = np.unique(places[rows], return_inverse=True)
    counts, sums = np.bincount(at.reshape(-1)), np.bincount(at.reshape(-1), left)
    return {
        names[number]: (count, int(tokens))
        for number, count, tokens in zip(numbers.tolist(), counts.tolist(), sums.tolist(), strict=True)
    }


def _by_group(rows: Flags, undecided: Flags, relation: np.ndarray, witness: np.ndarray) -> None:
    """Settle open rows as those of their group that decide, if these agree: a library may write both."""
    decided = set(relation[rows & ~undecided].tolist())
    if len(decided) == 1:
        relation[undecided], witness[undecided] = decided.pop(), 3


def _by_cost(log: CallLog, rows: Flags, cached: Integers, rates: TokenRates) -> np.ndarray:
    """The reading whose price is what the log says that a call cost; 0 if neither or both are."""
    found = np.zeros(len(log), np.int8)
    said = log.said_usd
    asked = rows & ~np.isnan(said) & (said > 0) & rates.priced
    if not asked.any():
        return found
    inside = rates.dollars(log, log.input_tokens)
    beside = rates.dollars(log, log.input_tokens + cached)
    with np.errstate(divide="ignore", invalid="ignore"):
        off_inside, off_beside = np.abs(inside / said - 1), np.abs(beside / said - 1)
    found[asked & (off_inside < _NEAR) & (off_beside > _FAR)] = _INSIDE
    found[asked & (off_beside < _NEAR) & (off_inside > _FAR)] = _BESIDE
    return found


def _as_told(
    group: str, told: Mapping[str, CachedRelation], rows: Flags, relation: np.ndarray, witness: np.ndarray
) -> None:
    said = told.get(group, told.get("all"))
    if said is not None:
        relation[rows], witness[rows] = (_INSIDE if said == "inside" else _BESIDE), 5


def _ask(groups: list[str]) -> None:
    counts = Counter(groups)
    shown = ", ".join(f"{group} ({rows:,} rows)" for group, rows in counts.most_common(5))
    example = counts.most_common(1)[0][0]
    raise InputError(
        f"cached tokens of {shown} may be counted inside input tokens or beside them: nothing in the log decides. "
        f"Say which: --accounting {example}=inside, or =beside"
    )


def _accounting(
    log: CallLog, settled: tuple[Settled, ...], places: NDArray[np.int64], names: list[str], rates: TokenRates
) -> Accounting:
    compared = ~np.isnan(log.said_usd) & rates.priced & ~log.own_hit & (log.said_usd > 0)
    if not compared.any():
        return Accounting(settled, {}, 0, 0.0, 0.0)
    listed = rates.dollars(log, log.input_tokens)
    off = compared & (np.abs(listed - log.said_usd) > np.maximum(_NEAR * listed, 1e-7))
    numbers, rows = np.unique(places[off], return_counts=True)
    differing = {names[number]: count for number, count in zip(numbers.tolist(), rows.tolist(), strict=True)}
    said, list_usd = log.said_usd[compared], listed[compared]
    held = np.bincount(places[compared], minlength=len(names)).tolist()
    sums = [np.bincount(places[compared], each, len(names)).tolist() for each in (said, list_usd)]
    mispriced = {
        name: (rows, theirs, ours)
        for name, rows, theirs, ours in zip(names, held, *sums, strict=True)
        if rows and abs(theirs - ours) > _FAR * ours
    }
    return Accounting(
        settled,
        dict(sorted(differing.items())),
        len(said),
        float(said.sum()),
        float(list_usd.sum()),
        mispriced=dict(sorted(mispriced.items())),
    )
