"""Dollars from usage, over genai-prices.

genai-prices is lenient in ways that hide errors: a misspelled processing tier silently gets the standard price, a tier
that a model does not have costs the standard price, and a model name that merely begins like a known one is priced as
it. Here a tier is one of a closed set, a discount that changes nothing is ``None``, and every price names the model and
the table it comes from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

from promptopt.config import Config, OwnPrice, load_config
from promptopt.tokens import base_model
from promptopt.values import Cost, Usage

if TYPE_CHECKING:
    from genai_prices.types import ModelPrice, TieredPrices

Processing = Literal["standard", "batch", "flex", "priority", "fast"]
PROCESSINGS: tuple[Processing, ...] = ("standard", "batch", "flex", "priority", "fast")

# What a call's ``service_tier`` is priced as; the others have no price of their own in the table.
_TIERS: Mapping[str | None, Processing] = {
    None: "standard",
    "auto": "standard",
    "default": "standard",
    "flex": "flex",
    "priority": "priority",
    "fast": "fast",
}
# What genai-prices calls a batch is not what it calls a tier.
_CONTEXTS: Mapping[Processing, Mapping[str, str]] = {
    "standard": {},
    "batch": {"processing": "batch"},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
    "fast": {"service_tier": "fast"},
}

_FEES = ("web_searches_kcount", "storage_searches_kcount")
_MTOK = Decimal(1_000_000)
# Anthropic: a cache that lasts an hour is written at twice the input rate.
_HOUR_FACTOR = 2
_LOOKED_AT, _OFFERED = 30, 3


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs.

    Attributes:
        model: The model in the price table that the name was matched with.
        provider: Whose price it is.
        source: The table with its version, or the configuration.
        input_mtok: Dollars per million input tokens that are not cached.
        cache_read_mtok: Dollars per million input tokens read from the provider's cache.
        cache_write_mtok: Dollars per million input tokens written to it.
        output_mtok: Dollars per million output tokens, reasoning included.
        context_window: Tokens that input and output may have together, if the table knows.
        tier_start: Input tokens above which other rates apply, if rates change with the length of the input; the
            rates above are those of the first tier.
        tiers: genai-prices' own price with all tiers.
        input_audio_mtok: Dollars per million input tokens of sound; ``None`` if the table has no price of it.
        fees: Dollars for a thousand calls of the provider's own tools, by the table's names for them.
    """

    model: str
    provider: str
    source: str
    processing: Processing
    input_mtok: Decimal
    cache_read_mtok: Decimal
    cache_write_mtok: Decimal
    output_mtok: Decimal
    context_window: int | None = None
    tier_start: int | None = None
    tiers: ModelPrice | None = None
    input_audio_mtok: Decimal | None = None
    output_audio_mtok: Decimal | None = None
    fees: Mapping[str, Decimal] = field(default_factory=dict, hash=False)

    @property
    def rates(self) -> str:
        """Dollars of a million tokens as a phrase; ``free`` if there are none."""
        if not self.input_mtok and not self.cache_read_mtok and not self.output_mtok:
            return "free"
        return f"${self.input_mtok:f} in, ${self.cache_read_mtok:f} cached, ${self.output_mtok:f} out per million"

    def cost(self, usage: Usage) -> Cost:
        """List cost of one call: usage times price. Sound without a price of its own counts as text."""
        cost = self._text_cost(usage)
        if not usage.input_audio_tokens and not usage.output_audio_tokens:
            return cost
        more = usage.input_audio_tokens * ((self.input_audio_mtok or self.input_mtok) - self.input_mtok)
        spoken = usage.output_audio_tokens * ((self.output_audio_mtok or self.output_mtok) - self.output_mtok)
        return Cost(cost.input_usd + more / _MTOK, cost.output_usd + spoken / _MTOK)

    def prices_sound_of(self, usage: Usage) -> bool:
        """Whether the table has a price for all sound in a usage."""
        return (not usage.input_audio_tokens or self.input_audio_mtok is not None) and (
            not usage.output_audio_tokens or self.output_audio_mtok is not None
        )

    @property
    def cache_write_1h_mtok(self) -> Decimal:
        """Dollars per million input tokens that are written to a cache which keeps them for an hour."""
        return _hour_rate(self.input_mtok, self.cache_write_mtok)

    def _text_cost(self, usage: Usage) -> Cost:
        if self.tiers is not None and self.tier_start is not None and usage.input_tokens > self.tier_start:
            return self._tiered_cost(self.tiers, usage)
        if not usage.cache_read_tokens and not usage.cache_write_tokens:
            return Cost(usage.input_tokens * self.input_mtok / _MTOK, usage.output_tokens * self.output_mtok / _MTOK)
        plain = usage.input_tokens - usage.cache_read_tokens - usage.cache_write_tokens
        input_usd = (
            plain * self.input_mtok
            + usage.cache_read_tokens * self.cache_read_mtok
            + usage.cache_write_tokens * self.cache_write_mtok
            + usage.cache_write_1h_tokens * (self.cache_write_1h_mtok - self.cache_write_mtok)
        )
        return Cost(input_usd / _MTOK, usage.output_tokens * self.output_mtok / _MTOK)

    @staticmethod
    def _tiered_cost(tiers: ModelPrice, usage: Usage) -> Cost:
        import genai_prices

        calculated = tiers.calc_price(
            genai_prices.Usage(
                input_tokens=usage.input_tokens,
                cache_read_tokens=usage.cache_read_tokens,
                cache_write_tokens=usage.cache_write_tokens,
                output_tokens=usage.output_tokens,
            )
        )
        return Cost(calculated["input_price"] + _hour_more(tiers, usage), calculated["output_price"])


def _hour_rate(plain: Decimal, write: Decimal) -> Decimal:
    """What a cache that lasts an hour is written at; it costs more only if a shorter one does.

    Source: https://docs.claude.com/en/docs/build-with-claude/prompt-caching, "Pricing".
    """
    return plain * _HOUR_FACTOR if write > plain else write


def _hour_more(tiers: ModelPrice, usage: Usage) -> Decimal:
    """What the tokens that are written for an hour cost above those written for less, in the tier of an input."""
    if not usage.cache_write_1h_tokens:
        return Decimal(0)
    import genai_prices

    size = usage.input_tokens
    plain, write = (
        tiers.calc_price(genai_prices.Usage(input_tokens=size, cache_write_tokens=written))["input_price"] / size
        for written in (0, size)
    )
    return usage.cache_write_1h_tokens * (_hour_rate(plain, write) - write)


def find_price(
    model: str, *, processing: Processing = "standard", at: datetime | None = None, config: Config | None = None
) -> Price | None:
    """The price of ``model``, from ``[tool.promptopt.prices]`` first, then from genai-prices.

    Args:
        model: ``gpt-4o-mini``, or with its provider: ``openai/gpt-4o-mini``, ``openai:gpt-4o-mini``.
        processing: How the call is processed. A tier for which the table has no price of its own is ``None``: the
            standard price is not a discount.
        at: The moment whose prices apply; by default now.

    Returns:
        ``None`` for a model without a known price. It is shown as unpriced, never as $0.

    Raises:
        ValueError: ``processing`` is not one of the known tiers.
    """
    if processing not in PROCESSINGS:
        raise ValueError(f"unknown processing {processing!r}; known are {', '.join(PROCESSINGS)}")
    config = config or load_config()
    prices, named = config.prices, model.partition(":")[0]
    if processing != "standard" and (tiered := prices.get(f"{model}@{processing}")) is not None:
        return replace(_own_price(model, tiered), processing=processing)
    own = prices.get(model) or (prices.get(named) if named in config.providers else None)
    if own is not None:
        return _own_price(model, own) if processing == "standard" else None
    listed = _listed_name(model, config.providers)
    if listed is None:
        return None
    model = listed
    # Prices change by the day, so that one lookup a day and model is enough.
    moment = (at or datetime.now(UTC)).replace(hour=12, minute=0, second=0, microsecond=0)
    price = _table_price(model, processing, moment)
    if price is None or processing == "standard":
        return price
    standard = _table_price(model, "standard", moment)
    return None if standard is not None and _rates(price) == _rates(standard) else price


def find_tier_price(model: str, service_tier: str | None, *, config: Config | None = None) -> Price | None:
    """The price of a model for a call's ``service_tier``; ``None`` if it is not known."""
    processing = _TIERS.get(service_tier)
    return None if processing is None else find_price(model, processing=processing, config=config)


def close_models(model: str, *, config: Config | None = None) -> list[str]:
    """Names with a price that are close to an unknown one.

    For a fine-tuned model there are none: it costs more than the model that it was made from.
    """
    from difflib import get_close_matches

    from genai_prices.data_snapshot import get_snapshot

    if base_model(model) is not None:
        return []
    config = config or load_config()
    names = {known.id for provider in get_snapshot().providers for known in provider.models} | set(config.prices)
    close = get_close_matches(model.rpartition("/")[2], sorted(names - {model}), n=_LOOKED_AT, cutoff=0.6)
    # Some names in the table are of another tier, or are matched by nothing: whoever takes such a one has no price.
    return [name for name in close if find_price(name, config=config) is not None][:_OFFERED]


@lru_cache(maxsize=16)
def listed_models(provider: str) -> tuple[str, ...]:
    """The models of a provider, such as ``openai``, that the price table has."""
    from genai_prices.data_snapshot import get_snapshot

    return tuple(known.id for each in get_snapshot().providers if each.id == provider for known in each.models)


def table_name(moment: datetime) -> str:
    """The price table in use, dated by its newest price change in force at ``moment``: what to cite beside a price.

    genai-prices carries no date of its own; the newest dated rate says how fresh its data is. Before the first there is
    none.
    """
    from genai_prices.data_snapshot import get_snapshot
    from genai_prices.types import ConditionalPrice, StartDateConstraint

    starts = [
        conditional.constraint.start_date
        for provider in get_snapshot().providers
        for model in provider.models
        for conditional in (model.prices if isinstance(model.prices, list) else [])
        if isinstance(conditional, ConditionalPrice) and isinstance(conditional.constraint, StartDateConstraint)
    ]
    newest = max((start for start in starts if start <= moment.date()), default=None)
    dated = f" of {newest.isoformat()}" if newest else ""
    return f"genai-prices {version('genai-prices')}{dated}"


def _own_price(model: str, own: OwnPrice) -> Price:
    return Price(
        model=model,
        provider="own",
        source=own.source,
        processing="standard",
        input_mtok=own.input_mtok,
        cache_read_mtok=own.input_mtok if own.cache_read_mtok is None else own.cache_read_mtok,
        cache_write_mtok=own.input_mtok if own.cache_write_mtok is None else own.cache_write_mtok,
        output_mtok=own.output_mtok,
        context_window=own.context_window,
    )


@lru_cache(maxsize=256)
def _table_price(model: str, processing: Processing, moment: datetime) -> Price | None:
    from genai_prices.data_snapshot import get_snapshot
    from genai_prices.types import TieredPrices

    snapshot = get_snapshot()
    provider_id, name = _split_provider(model, {provider.id for provider in snapshot.providers})
    tuned = base_model(name) is not None
    provider_id = provider_id or ("openai" if tuned or name.startswith("text-embedding-") else None)
    try:
        provider, info = snapshot.find_provider_model(name, None, provider_id, None)
    except LookupError:
        return None
    if tuned and base_model(info.id) is None:
        # The table has only the price of the model that it was made from.
        return None
    rates = info.get_prices(moment, dict(_CONTEXTS[processing]) or None)
    named = {
        key: getattr(rates, key, None) for key in ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok")
    }
    starts = [rate.tiers[0].start for rate in named.values() if isinstance(rate, TieredPrices)]
    first = {key: rate.base if isinstance(rate, TieredPrices) else rate for key, rate in named.items()}
    input_mtok, output_mtok = first["input_mtok"], first["output_mtok"]
    if output_mtok is None and "embed" in info.id:
        # Vectors are not billed.
        output_mtok = Decimal(0)
    if input_mtok is None or output_mtok is None:
        return None
    cache_read, cache_write = first["cache_read_mtok"], first["cache_write_mtok"]
    return Price(
        model=info.id,
        provider=provider.id,
        source=table_name(moment),
        processing=processing,
        input_mtok=input_mtok,
        cache_read_mtok=input_mtok if cache_read is None else cache_read,
        cache_write_mtok=input_mtok if cache_write is None else cache_write,
        output_mtok=output_mtok,
        context_window=info.context_window,
        tier_start=min(starts, default=None),
        tiers=rates if starts else None,
        input_audio_mtok=_plain(rates.input_audio_mtok),
        output_audio_mtok=_plain(rates.output_audio_mtok),
        fees={name: fee for name in _FEES if (fee := _plain(getattr(rates, name, None))) is not None},
    )


# Whose prices the table has for a type of provider; those of others are in a table of their own.
_PRICED_TYPES = {"openai": "openai", "azure": "azure", "anthropic": "anthropic", "google": "google"}


def _listed_name(model: str, providers: Mapping[str, Any]) -> str | None:
    """The name that the table knows a model of the configuration by; ``None``: nobody knows what it costs.

    A provider that is named as the table names it (``groq``, ``openrouter``) has those prices. An address of one's own
    may cost anything.
    """
    name, colon, rest = model.partition(":")
    table = providers.get(name)
    if not isinstance(table, Mapping) or name in _table_providers():
        return model
    kind = table.get("type", name)
    known = _PRICED_TYPES.get(kind) if isinstance(kind, str) and colon else None
    return None if known is None or ("base_url" in table and kind != "azure") else f"{known}:{rest}"


@lru_cache(maxsize=1)
def _table_providers() -> frozenset[str]:
    from genai_prices.data_snapshot import get_snapshot

    return frozenset(provider.id for provider in get_snapshot().providers)


@lru_cache(maxsize=256)
def table_provider(name: str) -> str | None:
    """The table's name of a provider that a log calls ``bedrock``, ``gemini`` or ``xai``; ``None`` if it has none."""
    from genai_prices.data_snapshot import get_snapshot

    written = name.lower()
    dashed = written.replace("_", "-")
    for each in (written, dashed, dashed.removesuffix("-ai")):
        if each in _table_providers():
            return each
    try:
        return get_snapshot().find_provider(None, written, None).id
    except LookupError:
        return None


def _plain(rate: Decimal | TieredPrices | None) -> Decimal | None:
    """A rate; the highest of those that depend on the length of the input."""
    if rate is None or isinstance(rate, Decimal):
        return rate
    return max([rate.base, *(tier.price for tier in rate.tiers)])


def _split_provider(model: str, providers: set[str]) -> tuple[str | None, str]:
    for separator in (":", "/"):
        head, found, tail = model.partition(separator)
        if found and head in providers:
            return head, tail
    return None, model


def _rates(price: Price) -> tuple[Decimal, Decimal, Decimal]:
    return price.input_mtok, price.cache_read_mtok, price.output_mtok
