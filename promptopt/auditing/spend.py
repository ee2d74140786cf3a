"""What a ledger says: who spends what, what repeats, what fails, what will come."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from statistics import median

from promptopt.auditing.bill import SLOT_S
from promptopt.auditing.forecast import Forecast, forecast
from promptopt.auditing.model_lifetimes import SHUTDOWN_DAYS, shutdown_date
from promptopt.config import Config
from promptopt.gateway.stores.ledger_row import LedgerRow
from promptopt.prices import PROCESSINGS, Price, find_price
from promptopt.values import Usage

# A call whose end nobody saw is lost once it is older than any call may be.
LOST_AFTER_S = 1800.0
_SPIKE_MADS = 4.0
_HITS = ("cache", "semantic", "shared")


@dataclass(frozen=True, slots=True)
class Spend:
    """One group's calls.

    Attributes:
        asked: Calls that went to the provider.
        list_usd: What all answers are worth at list price; ``incurred_usd`` is what was paid.
        unpriced: Calls of models without a known price; they are in no sum.
    """

    name: str
    calls: int
    asked: int
    input_tokens: int
    output_tokens: int
    list_usd: float
    incurred_usd: float
    unpriced: int


@dataclass(frozen=True, slots=True)
class Shutdown:
    """A model in use that is shut down, or about to be."""

    model: str
    day: date
    calls: int


@dataclass(frozen=True, slots=True)
class SpendSummary:
    """A ledger, summed up.

    Attributes:
        groups: Spend by prompt, model, tag, user and day, the largest first (days in order).
        kinds: How many types of calls there are; ``top_share`` is the share of spend of the costliest fifth.
        repeat_rate: Share of calls whose very request was seen before.
        hit_ratio: Share of shareable calls that were answered without the provider.
        provider_hit_ratio: Share of input tokens that the provider read from its cache; ``expected_hit_ratio`` is
            what was expected of the calls that carry hints, and ``hinted_hit_ratio`` what came of those.
        unordered: Prompts with static text after what varies, which no prompt cache can keep: its tokens, the median
            of their calls.
        error_rate: Share of calls to the provider that gave no answer.
        weeks: Dollars a week, by its Monday. ``trend`` is the last seven days over the seven before them, less 1.
        spikes: Days that cost far more than the median day (by more than four median absolute deviations, and double).
        uncapped: Calls without an output cap, by type.
        assumed_usd: Part of what was incurred that is assumed: calls that may have been billed though they failed.
        lost: Calls whose end was never seen.
        month: The thirty days to come; ``None`` if the ledger covers less than an hour.
    """

    first: datetime
    last: datetime
    total: Spend
    groups: dict[str, list[Spend]]
    kinds: int
    top_share: float | None
    repeat_rate: float
    hit_ratio: float | None
    provider_hit_ratio: float | None
    expected_hit_ratio: float | None
    hinted_hit_ratio: float | None
    unordered: dict[str, int]
    error_rate: float | None
    errors: dict[str, int]
    refused: int
    weeks: dict[str, float]
    trend: float | None
    spikes: list[tuple[str, float, float]]
    uncapped: dict[str, int]
    shutdowns: list[Shutdown]
    assumed_usd: float
    lost: int
    month: Forecast | None


GROUPINGS: dict[str, Callable[[LedgerRow], str | None]] = {
    "prompt": lambda row: f"{row.prompt}@{row.version}" if row.prompt and row.version else row.prompt or row.kind,
    "model": lambda row: row.model,
    "tag": lambda row: row.tag,
    "team": lambda row: row.team,
    "key": lambda row: row.key,
    "user": lambda row: row.user,
    "day": lambda row: row.day,
}


def sum_up(rows: Sequence[LedgerRow], now: datetime | None = None) -> SpendSummary:
    """The summary of a ledger's rows, the oldest first.

    Raises:
        ValueError: There is none.
    """
    if not rows:
        raise ValueError("no rows")
    now = now or datetime.now(UTC)
    asked = [row for row in rows if row.upstream]
    ended = [row for row in asked if row.status != "sent"]
    failed = [row for row in ended if row.status == "error"]
    hits = [row for row in rows if row.cache in _HITS]
    shareable = [row for row in rows if (row.cache in _HITS or row.cache == "miss") and row.status != "refused"]
    hinted = [row for row in asked if row.expected_cached_tokens is not None and row.status == "ok"]
    days = _by(rows, GROUPINGS["day"])
    by_day = {spend.name: spend.incurred_usd for spend in days}
    return SpendSummary(
        first=datetime.fromtimestamp(rows[0].at, UTC),
        last=datetime.fromtimestamp(rows[-1].at, UTC),
        total=_spend("total", rows),
        groups={
            name: days if name == "day" else sorted(_by(rows, key), key=lambda spend: (-spend.incurred_usd, spend.name))
            for name, key in GROUPINGS.items()
        },
        kinds=len({row.kind for row in rows}),
        top_share=_top_share(_by(rows, lambda row: row.kind)),
        repeat_rate=_repeat_rate(rows),
        hit_ratio=_ratio(len(hits), len(shareable)),
        provider_hit_ratio=_cached(asked),
        expected_hit_ratio=_ratio(
            sum(row.expected_cached_tokens or 0 for row in hinted), sum(row.input_tokens or 0 for row in hinted)
        ),
        hinted_hit_ratio=_cached(hinted),
        unordered=_unordered(asked),
        error_rate=_ratio(len(failed), len(ended)),
        errors=dict(Counter(row.error or "unknown" for row in failed).most_common()),
        refused=sum(row.status == "refused" for row in rows),
        weeks=_weeks(by_day),
        trend=_trend(by_day, now.date()),
        spikes=days_that_spike(by_day),
        uncapped=dict(Counter(row.kind for row in asked if row.max_output_tokens is None).most_common()),
        shutdowns=_shutdowns(asked, now.date()),
        assumed_usd=math.fsum(row.incurred_usd or 0.0 for row in asked if row.basis == "assumed"),
        lost=sum(row.status == "sent" and now.timestamp() - row.at > LOST_AFTER_S for row in asked),
        month=_month(rows, now),
    )


def priced(rows: Iterable[LedgerRow], config: Config) -> Iterator[LedgerRow]:
    """The rows; those that were unpriced when they were written at the prices that are known now.

    A price that was added later, in the configuration or with a newer table, is asked at the time of the call.
    """
    known: dict[tuple[str, str, str], Price | None] = {}
    for row in rows:
        if row.list_usd is not None or row.status == "sent" or row.input_tokens is None:
            yield row
            continue
        tier = "batch" if row.endpoint == "batch" else row.service_tier or "standard"
        asked = row.model, row.day, tier
        if asked not in known:
            at = datetime.fromtimestamp(row.at, UTC)
            processing = next((each for each in PROCESSINGS if each == tier), None)
            known[asked] = processing and find_price(row.model, processing=processing, at=at, config=config)
        price = known[asked]
        if price is None:
            yield row
            continue
        read, written = row.cache_read_tokens or 0, row.cache_write_tokens or 0
        hour = row.cache_write_1h_tokens or 0
        usage = Usage(row.input_tokens, read, written, row.output_tokens or 0, cache_write_1h_tokens=hour)
        usd = float(price.cost(usage).total_usd)
        yield row._replace(list_usd=usd, incurred_usd=usd if row.incurred_usd is None else row.incurred_usd)


def _by(rows: Iterable[LedgerRow], key: Callable[[LedgerRow], str | None]) -> list[Spend]:
    groups: defaultdict[str, list[LedgerRow]] = defaultdict(list)
    for row in rows:
        groups[key(row) or "-"].append(row)
    return [_spend(name, group) for name, group in groups.items()]


def _spend(name: str, rows: Sequence[LedgerRow]) -> Spend:
    return Spend(
        name=name,
        calls=len(rows),
        asked=sum(row.upstream for row in rows),
        input_tokens=sum(row.input_tokens or 0 for row in rows),
        output_tokens=sum(row.output_tokens or 0 for row in rows),
        list_usd=math.fsum(row.list_usd or 0.0 for row in rows),
        incurred_usd=math.fsum(row.incurred_usd or 0.0 for row in rows),
        unpriced=sum(row.list_usd is None and row.status != "sent" for row in rows),
    )


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _cached(rows: Sequence[LedgerRow]) -> float | None:
    answered = [row for row in rows if row.status == "ok"]
    return _ratio(sum(row.cache_read_tokens or 0 for row in answered), sum(row.input_tokens or 0 for row in answered))


def _unordered(rows: Iterable[LedgerRow]) -> dict[str, int]:
    found: defaultdict[str, list[int]] = defaultdict(list)
    for row in rows:
        if row.misordered_tokens:
            # If nobody named the prompt, its kind is a digest of what varies.
            found[(GROUPINGS["prompt"](row) if row.prompt else None) or row.model].append(row.misordered_tokens)
    return dict(sorted(((name, int(median(each))) for name, each in found.items()), key=lambda item: -item[1]))


def _top_share(kinds: Sequence[Spend]) -> float | None:
    shares = share_curve([kind.incurred_usd for kind in kinds])
    return shares[1] if shares else None


def share_curve(dollars: Sequence[float]) -> list[float]:
    """Shares of all dollars that the largest 10%, 20%, ... 100% of some sums have; empty if there are none.

    Between two sums the line is straight, as in a Lorenz curve: a part of one has that part of its dollars.
    """
    spent = sorted(dollars, reverse=True)
    whole = math.fsum(spent)
    if not whole:
        return []
    shares = []
    for tenth in range(1, 11):
        full, rest = divmod(len(spent) * tenth, 10)
        part = spent[full] * rest / 10 if rest else 0.0
        shares.append(math.fsum([*spent[:full], part]) / whole)
    return shares


def _repeat_rate(rows: Sequence[LedgerRow]) -> float:
    counts = Counter(row.digest for row in rows if row.digest and row.step == 0 and row.attempt == 0)
    total = sum(counts.values())
    return (total - len(counts)) / total if total else 0.0


def _weeks(by_day: dict[str, float]) -> dict[str, float]:
    weeks: defaultdict[str, float] = defaultdict(float)
    for day, usd in by_day.items():
        when = date.fromisoformat(day)
        weeks[(when - timedelta(days=when.weekday())).isoformat()] += usd
    return dict(sorted(weeks.items()))


def _between(by_day: dict[str, float], start: date, end: date) -> float:
    return math.fsum(usd for day, usd in by_day.items() if start < date.fromisoformat(day) <= end)


def _trend(by_day: dict[str, float], today: date) -> float | None:
    week = timedelta(days=7)
    before = _between(by_day, today - 2 * week, today - week)
    return _between(by_day, today - week, today) / before - 1 if before else None


def days_that_spike(by_day: dict[str, float]) -> list[tuple[str, float, float]]:
    """Days that cost far more than the median day: the day, its dollars and the median's."""
    if len(by_day) < 4:
        return []
    middle = median(by_day.values())
    spread = median(abs(usd - middle) for usd in by_day.values())
    edge = max(middle + _SPIKE_MADS * spread, 2 * middle)
    return [(day, usd, middle) for day, usd in sorted(by_day.items()) if usd > edge]


def _shutdowns(rows: Sequence[LedgerRow], today: date) -> list[Shutdown]:
    found = []
    for model, calls in Counter(row.model for row in rows).items():
        day = shutdown_date(model)
        if day is not None and day <= today + timedelta(days=SHUTDOWN_DAYS):
            found.append(Shutdown(model, day, calls))
    return sorted(found, key=lambda shutdown: shutdown.day)


def _month(rows: Sequence[LedgerRow], now: datetime) -> Forecast | None:
    """The thirty days to come; that nothing was spent since the last call is known too."""
    slots: defaultdict[int, float] = defaultdict(float)
    for row in rows:
        slots[int(row.at // SLOT_S)] += row.incurred_usd or 0.0
    slots[max(int(now.timestamp() // SLOT_S), *slots)] += 0.0
    return forecast(slots)
