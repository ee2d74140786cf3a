"""Where the money went: spend by group, the curve of call types, and what was paid for nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from promptopt.auditing.bill import KINDS, SLOT_S, CallUsages, TokenBill, TokenRate, list_rate
from promptopt.auditing.log import CallLog, Flags, Integers
from promptopt.auditing.model_lifetimes import SHUTDOWN_DAYS, later_models, model_kind, shutdown_date
from promptopt.auditing.replays import places_of, retried
from promptopt.auditing.spend import days_that_spike, share_curve

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOSSES = ("failed", "retried", "cache written, never read")
_ROWS_AT_ONCE = 200_000
GROUPS = ("model", "prompt", "tag", "user", "team", "hour")
_NONE = "(none)"
_EPOCH_SLOT = 1_000_000_000 // SLOT_S

KindTokens = tuple[int, ...]
"""Of each of :data:`~promptopt.auditing.bill.KINDS`."""


@dataclass(frozen=True)
class GroupSums:
    """The calls of one group, as whole numbers."""

    calls: int
    tokens: Mapping[TokenRate, KindTokens]

    @property
    def usd(self) -> Decimal:
        return sum((rate.usd(tokens) for rate, tokens in self.tokens.items()), Decimal(0))

    def plus(self, other: GroupSums) -> GroupSums:
        """Those of both."""
        sums = dict(self.tokens)
        for rate, tokens in other.tokens.items():
            sums[rate] = tuple(a + b for a, b in zip(sums.get(rate, (0,) * len(KINDS)), tokens, strict=True))
        return GroupSums(self.calls + other.calls, sums)


@dataclass(frozen=True)
class SpendProfile:
    """A log, summed up; the profiles of its parts add up to that of the whole.

    Attributes:
        groups: By column of :data:`GROUPS`, by name.
        counts: How many calls were repeats, were cut off, and so on.
        bill: What was paid.
        losses: What was paid for nothing, by :data:`LOSSES`; of caches, only what writing costs above plain input.
        prefixes: By prompt: calls after its first, leading blocks that each shares with the call before it, and blocks.
    """

    groups: Mapping[str, Mapping[str, GroupSums]]
    counts: Mapping[str, int]
    bill: TokenBill
    losses: Mapping[str, GroupSums]
    prefixes: Mapping[str, tuple[int, int, int]]

    def plus(self, other: SpendProfile) -> SpendProfile:
        """That of two parts of a log."""
        groups: dict[str, Mapping[str, GroupSums]] = {}
        for column, mine in self.groups.items():
            sums = dict(mine)
            for name, theirs in other.groups[column].items():
                sums[name] = sums[name].plus(theirs) if name in sums else theirs
            groups[column] = sums
        counts = {name: self.counts[name] + other.counts[name] for name in self.counts}
        prefixes = dict(self.prefixes)
        for name, (calls, shared, blocks) in other.prefixes.items():
            before = prefixes.get(name, (0, 0, 0))
            prefixes[name] = before[0] + calls, before[1] + shared, before[2] + blocks
        losses = {name: sums.plus(other.losses[name]) for name, sums in self.losses.items()}
        bill = self.bill.plus(other.bill)
        return replace(self, groups=groups, counts=counts, bill=bill, losses=losses, prefixes=prefixes)


def profile(
    log: CallLog, usages: CallUsages, slots: Integers, lifetime_s: float, near: Flags, stable: Integers
) -> SpendProfile:
    """The profile of a log.

    Args:
        lifetime_s: Seconds after which what was written to a provider's cache and not read is lost.
        near: What :func:`near_repeats` says of the whole log; ``stable`` is what :func:`stable_blocks` says.
    """
    billed = usages.billed
    columns = {name: (log.codes[name], log.names[name]) for name in GROUPS if name != "hour"}
    hours = np.where(np.isnan(log.at), -1, np.nan_to_num(log.at) // 3600 % 24).astype(np.int32)
    columns["hour"] = hours, tuple(f"{hour:02}" for hour in range(24))
    groups = {name: _sums(usages, codes, names) for name, (codes, names) in columns.items()}
    repeats = _repeats(log)
    written = usages.written + usages.written_1h
    unread = _unread(log, usages, written, lifetime_s)
    failed = billed & log.failed & (usages.input_tokens + usages.output_tokens > 0)
    again = billed & retried(log)
    counts = {
        "calls": len(log),
        "undated": int((~log.timed).sum()),
        "own_hits": int(log.own_hit.sum()),
        "repeated": int(repeats.sum()),
        "with_digest": int((log.digest != 0).sum()),
        "uncapped": int((billed & (log.cap < 0)).sum()),
        "cut_off": int((billed & log.cut_off).sum()),
        "near_repeated": int((near & ~repeats).sum()),
        "with_text": int((log.alike != 0).sum()),
        "failed_and_billed": int(failed.sum()),
        "unmeasured": int(log.unmeasured.sum()),
        "failed_tokens": int((usages.input_tokens + usages.output_tokens)[failed].sum()),
        "retried": int(again.sum()),
        "retried_tokens": int((usages.input_tokens + usages.output_tokens)[again].sum()),
        "written_tokens": int(written[billed].sum()),
        "written_unread_tokens": int(unread.sum()),
    }
    nothing = np.zeros(len(log), np.int64)
    # What writing costs above plain input: as many tokens less of the one.
    premium = replace(
        usages,
        billed=unread > 0,
        input_tokens=nothing,
        cached=nothing,
        written=np.where(usages.written > 0, unread, 0),
        written_1h=np.where(usages.written > 0, 0, unread),
        output_tokens=nothing,
        reasoning=nothing,
    )
    losses = {
        "failed": _whole(replace(usages, billed=failed)),
        "retried": _whole(replace(usages, billed=again)),
        "cache written, never read": _whole(premium),
    }
    return SpendProfile(groups, counts, usages.bill(slots), losses, _prefixes(log, stable))


def _whole(usages: CallUsages) -> GroupSums:
    """The sums of all calls that are billed."""
    found = _sums(usages, np.zeros(len(usages.billed), np.int32), ("",))
    return found.get("", GroupSums(0, {}))


def near_repeats(log: CallLog) -> Flags:
    """Calls whose text was asked before but for case, punctuation and digits, by the same model."""
    return _asked_before(log, log.alike) if len(log.alike) else np.zeros(len(log), bool)


def stable_blocks(log: CallLog) -> Integers:
    """Leading blocks that each call shares with the one before it of its prompt and model; -1 if it is the first."""
    found = np.full(len(log), -1, np.int64)
    counts = np.diff(log.block_starts)
    rows = np.flatnonzero((counts > 0) & log.timed)
    rows = rows[np.lexsort((rows, log.codes["model"][rows], log.codes["prompt"][rows]))]
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        some = rows[max(0, start - 1) : start + _ROWS_AT_ONCE]
        before, after = some[:-1], some[1:]
        same = (log.codes["prompt"][before] == log.codes["prompt"][after]) & (
            log.codes["model"][before] == log.codes["model"][after]
        )
        before, after = before[same], after[same]
        sizes = np.minimum(counts[before], counts[after])
        of = np.repeat(np.arange(len(sizes)), sizes)
        # Blocks are chained, so that those that are the same lead.
        first, second = (log.blocks[places_of(log.block_starts[each], sizes)] for each in (before, after))
        equal = first == second
        found[after] = np.bincount(of, equal, len(sizes)).astype(np.int64)
    return found


def _prefixes(log: CallLog, stable: Integers) -> dict[str, tuple[int, int, int]]:
    rows = np.flatnonzero(stable >= 0)
    counts = np.diff(log.block_starts)[rows]
    codes = log.codes["prompt"][rows] + 1
    sums = [np.bincount(codes, each).astype(np.int64).tolist() for each in (None, stable[rows], counts)]
    names = (_NONE, *log.names["prompt"])
    return {
        names[code]: (calls, shared, blocks)
        for code, (calls, shared, blocks) in enumerate(zip(*sums, strict=True))
        if calls
    }


def _sums(usages: CallUsages, codes: NDArray[np.int32], names: tuple[str, ...]) -> dict[str, GroupSums]:
    rows = np.flatnonzero(usages.billed)
    rates = len(usages.rates.rates) + 1
    cells = (codes[rows].astype(np.int64) + 1) * rates + usages.rates.numbers[rows] + 1
    unique, places = np.unique(cells, return_inverse=True)
    places = places.reshape(-1)
    calls = np.bincount(places, minlength=len(unique))
    # Doubles hold whole numbers up to 2**53 exactly.
    sums = [
        np.bincount(places, kind[rows].astype(np.float64), len(unique)).astype(np.int64).tolist()
        for kind in usages.by_kind
    ]
    found: dict[str, GroupSums] = {}
    for place, cell in enumerate(unique.tolist()):
        code, rate = cell // rates - 1, cell % rates - 1
        name = names[code] if code >= 0 else _NONE
        tokens = {} if rate < 0 else {usages.rates.rates[rate]: tuple(kind[place] for kind in sums)}
        new = GroupSums(int(calls[place]), tokens)
        found[name] = found[name].plus(new) if name in found else new
    return found


def _repeats(log: CallLog) -> Flags:
    """Calls whose very request was made before."""
    return _asked_before(log, log.digest)


def _asked_before(log: CallLog, digests: NDArray[np.uint64]) -> Flags:
    found = np.zeros(len(log), bool)
    rows = np.flatnonzero(digests != 0)
    keys = np.stack([digests[rows].astype(np.int64), log.codes["model"][rows].astype(np.int64)], axis=1)
    if len(rows):
        _, first = np.unique(keys, axis=0, return_index=True)
        found[rows] = True
        found[rows[first]] = False
    return found


def _unread(log: CallLog, usages: CallUsages, written: Integers, lifetime_s: float) -> Integers:
    """Tokens that each call wrote to a provider's cache and that no call of its prompt read within their life."""
    waiting: dict[tuple[int, int, int], list[tuple[float, int]]] = {}
    lost = np.zeros(len(log), np.int64)
    rows = np.flatnonzero(usages.billed & ((written > 0) | (usages.cached > 0)))
    # What starts with another block reads another prefix, whatever its prompt is called.
    keys = zip(
        log.codes["model"][rows].tolist(),
        log.codes["prompt"][rows].tolist(),
        log.first_blocks[rows].tolist(),
        strict=True,
    )
    amounts = zip(rows.tolist(), log.at[rows].tolist(), usages.cached[rows].tolist(), strict=True)
    for key, (row, at, read) in zip(keys, amounts, strict=True):
        held = waiting.setdefault(key, [])
        gone = [writer for when, writer in held if not at - when <= lifetime_s]
        lost[gone] = written[gone]
        # A read uses what is still alive.
        held[:] = [] if read else [each for each in held if at - each[0] <= lifetime_s]
        if written[row]:
            held.append((at, row))
    left = [writer for held in waiting.values() for _, writer in held]
    lost[left] = written[left]
    return lost


def spikes(bill: TokenBill) -> list[tuple[str, float, float]]:
    """Days that cost far more than the median day: the day, its dollars, the median's."""
    days: dict[int, Decimal] = {}
    for slot, usd in bill.slots_usd.items():
        if slot >= _EPOCH_SLOT:
            day = slot * SLOT_S // 86_400
            days[day] = days.get(day, Decimal(0)) + usd
    return days_that_spike(
        {datetime.fromtimestamp(day * 86_400, UTC).date().isoformat(): float(usd) for day, usd in days.items()}
    )


def curve(sums: Mapping[str, GroupSums]) -> list[float]:
    """Shares of the bill of the costliest 10%, 20%, ... 100% of call types."""
    return share_curve([float(group.usd) for group in sums.values()])


def successor(model: str, sums: GroupSums) -> tuple[str, float] | None:
    """A later model that costs less for the same tokens and is not shut down, and the share that it saves.

    One of its kind (``mini`` after ``mini``), else the one whose price is nearest; ``None`` if none costs less.
    """
    paid = sums.usd
    known = {
        name: sum((rate.usd(tokens) for tokens in sums.tokens.values()), Decimal(0))
        for name in later_models(model)
        if paid and (rate := list_rate(name)) is not None
    }
    cheaper = {name: usd for name, usd in known.items() if usd < paid}
    if not cheaper:
        return None
    kind = model_kind(model)
    name = max(cheaper, key=lambda each: (model_kind(each) == kind, cheaper[each], each))
    return name, float(1 - cheaper[name] / paid)


def shutdowns(sums: Mapping[str, GroupSums], today: date) -> list[tuple[str, date, int]]:
    """Models in use that are shut down, or will be within half a year: name, day, calls."""
    found = [(name, day, group.calls) for name, group in sums.items() if (day := shutdown_date(name)) is not None]
    return sorted(
        (each for each in found if (each[1] - today).days <= SHUTDOWN_DAYS), key=lambda each: (each[1], each[0])
    )
