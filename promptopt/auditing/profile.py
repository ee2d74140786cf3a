"""Where the money went: spend by group, the curve of call types, and what was paid for nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from promptopt.auditing.bill import KINDS, SLOT_S, CallUsages, TokenBill, TokenRate
from promptopt.auditing.log import CallLog, Flags, Integers
from promptopt.auditing.spend import SHUTDOWN_DAYS, days_that_spike, shutdown_date

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
    """

    groups: Mapping[str, Mapping[str, GroupSums]]
    counts: Mapping[str, int]
    bill: TokenBill

    def plus(self, other: SpendProfile) -> SpendProfile:
        """That of two parts of a log."""
        groups: dict[str, Mapping[str, GroupSums]] = {}
        for column, mine in self.groups.items():
            sums = dict(mine)
            for name, theirs in other.groups[column].items():
                sums[name] = sums[name].plus(theirs) if name in sums else theirs
            groups[column] = sums
        counts = {name: self.counts[name] + other.counts[name] for name in self.counts}
        return replace(self, groups=groups, counts=counts, bill=self.bill.plus(other.bill))


def profile(log: CallLog, usages: CallUsages, slots: Integers, lifetime_s: float) -> SpendProfile:
    """The profile of a log.

    Args:
        lifetime_s: Seconds after which what was written to a provider's cache and not read is lost.
    """
    billed = usages.billed
    columns = {name: (log.codes[name], log.names[name]) for name in GROUPS if name != "hour"}
    hours = np.where(np.isnan(log.at), -1, np.nan_to_num(log.at) // 3600 % 24).astype(np.int32)
    columns["hour"] = hours, tuple(f"{hour:02}" for hour in range(24))
    groups = {name: _sums(usages, codes, names) for name, (codes, names) in columns.items()}
    repeats = _repeats(log)
    written = usages.written + usages.written_1h
    counts = {
        "calls": len(log),
        "undated": int((~log.timed).sum()),
        "own_hits": int(log.own_hit.sum()),
        "repeated": int(repeats.sum()),
        "with_digest": int((log.digest != 0).sum()),
        "uncapped": int((billed & (log.cap < 0)).sum()),
        "cut_off": int((billed & log.cut_off).sum()),
        "failed_and_billed": int((billed & log.failed & (usages.input_tokens + usages.output_tokens > 0)).sum()),
        "written_tokens": int(written[billed].sum()),
        "written_unread_tokens": _unread(log, usages, written, lifetime_s),
    }
    return SpendProfile(groups, counts, usages.bill(slots))


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
    found = np.zeros(len(log), bool)
    rows = np.flatnonzero(log.digest != 0)
    keys = np.stack([log.digest[rows].astype(np.int64), log.codes["model"][rows].astype(np.int64)], axis=1)
    if len(rows):
        _, first = np.unique(keys, axis=0, return_index=True)
        found[rows] = True
        found[rows[first]] = False
    return found


def _unread(log: CallLog, usages: CallUsages, written: Integers, lifetime_s: float) -> int:
    """Tokens that were written to a provider's cache and not read within its life by a call of the same prompt."""
    waiting: dict[tuple[int, int, int], list[tuple[float, int]]] = {}
    lost = 0
    rows = np.flatnonzero(usages.billed & ((written > 0) | (usages.cached > 0)))
    # What starts with another block reads another prefix, whatever its prompt is called.
    keys = zip(
        log.codes["model"][rows].tolist(),
        log.codes["prompt"][rows].tolist(),
        log.first_blocks[rows].tolist(),
        strict=True,
    )
    amounts = zip(log.at[rows].tolist(), written[rows].tolist(), usages.cached[rows].tolist(), strict=True)
    for key, (at, wrote, read) in zip(keys, amounts, strict=True):
        held = waiting.setdefault(key, [])
        lost += sum(tokens for when, tokens in held if not at - when <= lifetime_s)
        # A read uses what is still alive.
        held[:] = [] if read else [each for each in held if at - each[0] <= lifetime_s]
        if wrote:
            held.append((at, wrote))
    return lost + sum(tokens for held in waiting.values() for _, tokens in held)


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
    """Shares of the bill of the costliest 10%, 20%, ... 100% of call types.

    Between two types the line is straight, as in a Lorenz curve: a part of a type has that part of its cost.
    """
    spent = sorted((float(group.usd) for group in sums.values()), reverse=True)
    whole = math.fsum(spent)
    if not whole:
        return []
    shares = []
    for tenth in range(1, 11):
        full, rest = divmod(len(spent) * tenth, 10)
        part = spent[full] * rest / 10 if rest else 0.0
        shares.append(math.fsum([*spent[:full], part]) / whole)
    return shares


def shutdowns(sums: Mapping[str, GroupSums], today: date) -> list[tuple[str, date, int]]:
    """Models in use that are shut down, or will be within half a year: name, day, calls."""
    found = [(name, day, group.calls) for name, group in sums.items() if (day := shutdown_date(name)) is not None]
    return sorted(
        (each for each in found if (each[1] - today).days <= SHUTDOWN_DAYS), key=lambda each: (each[1], each[0])
    )
