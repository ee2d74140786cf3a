"""What calls cost: tokens by rate, summed as whole numbers, so that a sum does not depend on its order.

List price: usage times the price that applied on the day of the call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from promptopt.auditing.log import CallLog, Flags, Floats, Integers
from promptopt.config import Config
from promptopt.prices import PROCESSINGS, Price, Processing, find_price, table_provider
from promptopt.values import Usage

if TYPE_CHECKING:
    from numpy.typing import NDArray

KINDS = ("input", "cached", "written", "written_1h", "output", "reasoning")
"""What tokens are billed as; ``reasoning`` are output tokens that nobody reads."""
SLOT_S = 600
"""Seconds of a slot."""
_EPOCH = 1e9
_DAY = 86_400
_MTOK = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class TokenRate:
    """Dollars per million tokens of each of :data:`KINDS`, of one model, processed in one way, on some days.

    Attributes:
        long: Whether it is the rate of inputs that are longer than the first tier.
    """

    model: str
    processing: Processing
    usd_mtok: tuple[Decimal, ...]
    long: bool = False

    def usd(self, tokens: Sequence[int]) -> Decimal:
        """Dollars of tokens by kind."""
        return sum((each * rate for each, rate in zip(tokens, self.usd_mtok, strict=True)), Decimal(0)) / _MTOK


@dataclass(frozen=True)
class TokenRates:
    """The rate of each call of a log.

    Attributes:
        rates: Each different one.
        numbers: For each call, its rate; -1 is unpriced.
    """

    rates: tuple[TokenRate, ...]
    numbers: NDArray[np.int32]

    @cached_property
    def priced(self) -> Flags:
        return self.numbers >= 0

    @cached_property
    def table(self) -> Floats:
        """Dollars per token by rate and kind, and a last row of nothing for what is unpriced."""
        rows = [[float(each / _MTOK) for each in rate.usd_mtok] for rate in self.rates]
        return np.array([*rows, [0.0] * len(KINDS)])

    def dollars(self, log: CallLog, input_tokens: Integers) -> Floats:
        """Dollars of each call, to look at: sums are made of whole tokens."""
        table = self.table[self.numbers]
        cached = log.cache_read_tokens + log.cache_write_tokens + log.cache_write_1h_tokens
        return np.asarray(
            table[:, 0] * (input_tokens - cached)
            + table[:, 1] * log.cache_read_tokens
            + table[:, 2] * log.cache_write_tokens
            + table[:, 3] * log.cache_write_1h_tokens
            + table[:, 4] * log.output_tokens
        )


def rates_of(
    log: CallLog, config: Config, *, model: str | None = None, processing: Processing | None = None
) -> TokenRates:
    """The rates of a log's calls.

    Args:
        model: Another model that all calls are priced as.
        processing: Another way in which all calls are processed. What has no such price keeps its own.
    """
    days = np.where(log.at >= _EPOCH, np.nan_to_num(log.at) // _DAY, -1).astype(np.int64)
    unique, places = _distinct(log.codes["model"], log.codes["provider"], log.codes["tier"], days)
    known: dict[TokenRate, int] = {}
    short, long, starts = (np.full(len(unique), -1, np.int64) for _ in range(3))
    for number, (named, provider, tier, day) in enumerate(unique):
        price = _price(
            model or log.names["model"][named],
            None if provider < 0 or model else log.names["provider"][provider],
            processing_of(None if tier < 0 else log.names["tier"][tier]),
            processing,
            None if day < 0 else datetime.fromtimestamp(day * _DAY, UTC),
            config,
        )
        if price is None:
            continue
        short[number] = known.setdefault(_rate(price), len(known))
        if price.tier_start is not None:
            starts[number] = price.tier_start
            long[number] = known.setdefault(_long_rate(price, price.tier_start), len(known))
    numbers = short[places]
    is_long = (starts[places] >= 0) & (log.input_tokens > starts[places])
    # A call whose cost is known and whose usage is not cannot be priced.
    unused = (log.input_tokens + log.output_tokens == 0) & (np.nan_to_num(log.said_usd) > 0)
    return TokenRates(tuple(known), np.where(unused, -1, np.where(is_long, long[places], numbers)).astype(np.int32))


def chosen_rates(first: TokenRates, other: TokenRates, rows: Flags) -> TokenRates:
    """The first rates for some calls, and the other ones for the rest."""
    moved = np.where(other.numbers >= 0, other.numbers + len(first.rates), -1)
    return TokenRates((*first.rates, *other.rates), np.where(rows, first.numbers, moved).astype(np.int32))


def mixed_rates(parts: Sequence[TokenRates], shares: Sequence[Floats], rows: Flags) -> TokenRates:
    """What a token costs if each of several models gets a share of the calls: the sum of the rates times the shares.

    Args:
        shares: For each model, its share of each call.
        rows: Calls that it is for; the others are unpriced, and so are those of which one model is.
    """
    priced = rows.copy()
    for part in parts:
        priced &= part.priced
    keys = [np.where(priced, part.numbers, 0).astype(np.int64) for part in parts]
    # A share of parts in a million, as a whole number.
    keys += [np.where(priced, np.nan_to_num(share) * 1_000_000 + 0.5, 0).astype(np.int64) for share in shares]
    unique, places = _distinct(*keys)
    found: list[TokenRate] = []
    for row in unique:
        numbers, millionths = row[: len(parts)], row[len(parts) :]
        if not all(part.rates for part in parts):
            break
        rates = [part.rates[number] for part, number in zip(parts, numbers, strict=True)]
        usd = tuple(
            sum((rate.usd_mtok[kind] * share for rate, share in zip(rates, millionths, strict=True)), Decimal(0))
            / _MTOK
            for kind in range(len(KINDS))
        )
        found.append(TokenRate(" > ".join(rate.model for rate in rates), rates[-1].processing, usd, rates[-1].long))
    return TokenRates(tuple(found), np.where(priced, places, -1).astype(np.int32))


def _distinct(*columns: NDArray[Any]) -> tuple[list[tuple[int, ...]], Integers]:
    """The different rows of some columns of whole numbers from -1 on, and which of them each row is."""
    code = np.zeros(len(columns[0]), np.int64)
    sizes = [int(column.max()) + 2 if len(column) else 1 for column in columns]
    for column, size in zip(columns, sizes, strict=True):
        code = code * size + column + 1
    unique, places = np.unique(code, return_inverse=True)
    parts = []
    for size in reversed(sizes):
        unique, rest = np.divmod(unique, size)
        parts.append((rest - 1).tolist())
    return list(zip(*reversed(parts), strict=True)), places.reshape(-1)


def processing_of(tier: str | None) -> Processing:
    """How a call of this service tier is priced; one that has no price of its own is standard."""
    return tier if tier in PROCESSINGS else "standard"


def _price(
    model: str,
    provider: str | None,
    processing: Processing,
    other: Processing | None,
    at: datetime | None,
    config: Config,
) -> Price | None:
    names = _names(model, provider, config)
    for each in dict.fromkeys((other or processing, processing)):
        # The table has had tiers for some months only: of earlier days, today's is taken.
        for moment in (at,) if each == "standard" else (at, None):
            for name in names:
                price = find_price(name, processing=each, at=moment, config=config)
                if price is not None:
                    return price
    return None


def _names(model: str, provider: str | None, config: Config) -> list[str]:
    """What own prices and the table may call a model of a provider, the most certain name first."""
    written = [model] if provider is None else [f"{provider.lower()}/{model}", model]
    if own := [name for name in written if name in config.prices]:
        return own
    # A name with its maker before it says no provider: OpenRouter has models of others at prices of its own.
    table, known = (None if provider is None else table_provider(provider)), written[-1:] if "/" in model else written
    if table is None:
        return known
    head, _, rest = model.partition("/")
    inner = rest if rest and table_provider(head) == table else model
    # Its variants (`:free`) are not its maker's.
    return [f"{table}/{inner}", *([] if table == "openrouter" and ":" in inner else [*known, inner])]


def _rate(price: Price) -> TokenRate:
    rates = (
        price.input_mtok,
        price.cache_read_mtok,
        price.cache_write_mtok,
        price.cache_write_1h_mtok,
        price.output_mtok,
        price.output_mtok,
    )
    return TokenRate(price.model, price.processing, rates)


def list_rate(model: str) -> TokenRate | None:
    """Today's rate of a model; ``None`` if it has no known price."""
    price = find_price(model)
    return None if price is None else _rate(price)


def _long_rate(price: Price, start: int) -> TokenRate:
    """The rates above a tier's start, asked with one token of each kind beside an input that long."""
    size = start + 1
    plain = price.cost(Usage(size, 0, 0, 0)).input_usd / size
    read = price.cost(Usage(size, size, 0, 0)).input_usd / size
    write = price.cost(Usage(size, 0, size, 0)).input_usd / size
    write_1h = price.cost(Usage(size, 0, size, 0, cache_write_1h_tokens=size)).input_usd / size
    output = price.cost(Usage(size, 0, 0, 1)).output_usd
    rates = plain, read, write, write_1h, output, output
    return TokenRate(price.model, price.processing, tuple(each * _MTOK for each in rates), long=True)


@dataclass(frozen=True)
class TokenBill:
    """Tokens by rate, slot and kind; whole numbers, so that bills of parts of a log add up to that of the whole.

    Attributes:
        tokens: By rate and slot (ten minutes since 1970, or since the log began; -1 is unknown).
        calls: That were paid.
        unpriced: Of those, the ones without a price; their tokens are in no sum.
    """

    tokens: Mapping[tuple[TokenRate, int], tuple[int, ...]]
    calls: int
    unpriced: int

    @cached_property
    def usd(self) -> Decimal:
        return sum(self.kinds_usd.values(), Decimal(0))

    @cached_property
    def kinds_usd(self) -> Mapping[str, Decimal]:
        """Dollars by kind of token."""
        sums: dict[TokenRate, list[int]] = {}
        for (rate, _), tokens in self.tokens.items():
            held = sums.setdefault(rate, [0] * len(KINDS))
            for place, each in enumerate(tokens):
                held[place] += each
        return {
            kind: sum((held[place] * rate.usd_mtok[place] for rate, held in sums.items()), Decimal(0)) / _MTOK
            for place, kind in enumerate(KINDS)
        }

    @cached_property
    def slots_usd(self) -> Mapping[int, Decimal]:
        """Dollars by slot."""
        sums: dict[int, Decimal] = {}
        for (rate, slot), tokens in self.tokens.items():
            sums[slot] = sums.get(slot, Decimal(0)) + rate.usd(tokens)
        return dict(sorted(sums.items()))

    def plus(self, other: TokenBill) -> TokenBill:
        """The bill of two parts of a log."""
        sums = dict(self.tokens)
        for key, tokens in other.tokens.items():
            sums[key] = tuple(a + b for a, b in zip(sums.get(key, (0,) * len(KINDS)), tokens, strict=True))
        return TokenBill(sums, self.calls + other.calls, self.unpriced + other.unpriced)


@dataclass(frozen=True)
class CallUsages:
    """What each call of a log uses, as some strategies leave it.

    Attributes:
        billed: Whether it is paid at all.
        input_tokens: With cached and written ones.
        output_tokens: With reasoning ones.
    """

    billed: Flags
    input_tokens: Integers
    cached: Integers
    written: Integers
    written_1h: Integers
    output_tokens: Integers
    reasoning: Integers
    rates: TokenRates

    @property
    def by_kind(self) -> tuple[Integers, ...]:
        """Tokens of each call by :data:`KINDS`."""
        plain = self.input_tokens - self.cached - self.written - self.written_1h
        return plain, self.cached, self.written, self.written_1h, self.output_tokens - self.reasoning, self.reasoning

    def bill(self, slots: Integers) -> TokenBill:
        """The bill; ``slots`` are those of the calls."""
        billed = self.billed & self.rates.priced
        rows = np.flatnonzero(billed)
        if not len(rows):
            return TokenBill({}, int(self.billed.sum()), int((self.billed & ~self.rates.priced).sum()))
        first = int(slots[rows].min())
        span = int(slots[rows].max()) - first + 1
        cells = self.rates.numbers[rows].astype(np.int64) * span + (slots[rows] - first)
        unique, places = np.unique(cells, return_inverse=True)
        places = places.reshape(-1)
        sums = np.zeros((len(unique), len(KINDS)), np.int64)
        for number, kind in enumerate(self.by_kind):
            # Doubles hold whole numbers up to 2**53 exactly.
            sums[:, number] = np.bincount(places, kind[rows].astype(np.float64), len(unique)).astype(np.int64)
        tokens: dict[tuple[TokenRate, int], tuple[int, ...]] = {}
        for cell, row in zip(unique.tolist(), sums.tolist(), strict=True):
            key = self.rates.rates[cell // span], cell % span + first
            # A rate may have two numbers: that of a smaller model which the log has too.
            known = tokens.get(key)
            tokens[key] = tuple(row) if known is None else tuple(a + b for a, b in zip(known, row, strict=True))
        return TokenBill(tokens, int(self.billed.sum()), int((self.billed & ~self.rates.priced).sum()))


def slots_of(log: CallLog) -> Integers:
    """The ten minutes of each call; -1 is unknown."""
    return np.where(np.isnan(log.at), -1, np.nan_to_num(log.at) // SLOT_S).astype(np.int64)


def logged(log: CallLog, rates: TokenRates) -> CallUsages:
    """The usages as they were."""
    return CallUsages(
        billed=~log.own_hit,
        input_tokens=log.input_tokens,
        cached=log.cache_read_tokens,
        written=log.cache_write_tokens,
        written_1h=log.cache_write_1h_tokens,
        output_tokens=log.output_tokens,
        reasoning=np.minimum(log.reasoning_tokens, log.output_tokens),
        rates=rates,
    )
