"""A log against an invoice: what share of the bill it covers, by model and day, and where the two disagree."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from promptopt.auditing.bill import logged, rates_of
from promptopt.auditing.log import CallLog
from promptopt.auditing.readers.fields import BadRow, as_mapping, dig, moment, real, text, tokens
from promptopt.auditing.readers.records import documents
from promptopt.config import Config
from promptopt.errors import InputError
from promptopt.files import show_path
from promptopt.prices import find_price

_DAY = 86_400
# OpenAI's line items are of one kind of tokens each: "gpt-4o-2024-08-06, cached input".
_LINE_ITEM = re.compile(r"(?:[\w -]+ \| )?(?P<model>\S+?)(?: (?:text|audio|image))?, (?:[\w ]+)(?:, [\w ]+)*")


@dataclass(frozen=True, slots=True)
class Invoiced:
    """What a provider says of one model on one day.

    Attributes:
        model: ``None`` if it says dollars by day alone.
        input_tokens: With cached and written ones. ``None`` if it says dollars alone.
    """

    day: str
    model: str | None
    input_tokens: int | None = None
    output_tokens: int | None = None
    usd: float | None = None


@dataclass(frozen=True, slots=True)
class Covered:
    """A day's model in the log and in the invoice; ``None`` is not said.

    Attributes:
        log_usd: ``None`` if a call of it has no known price.
        share: The log's part of the invoice: of dollars if both have them, else of tokens.
    """

    day: str
    model: str
    log_usd: float | None
    invoice_usd: float | None
    log_tokens: int
    invoice_tokens: int | None
    share: float | None


def read_invoice(path: Path) -> list[Invoiced]:
    """Usage or costs by day: OpenAI's usage and costs, Anthropic's usage report, OpenRouter's activity, or plain rows.

    Plain rows have ``day`` (or ``date``) and ``model``, and ``usd`` (or ``cost``), or ``input_tokens`` and
    ``output_tokens``.

    Raises:
        InputError: The file is none of these.
    """
    found: list[Invoiced] = []
    for place, record in documents(path):
        try:
            if isinstance(record, BadRow):
                raise record
            found += _invoiced(record)
        except BadRow as error:
            raise InputError(str(error), path=show_path(path), line=place) from None
    if not found:
        raise InputError("holds no usage and no costs by day", path=show_path(path))
    return found


def _invoiced(record: Mapping[str, Any]) -> Iterator[Invoiced]:
    results = record.get("results")
    if isinstance(results, list):
        start = moment(record, "start_time", "starting_at")
        for result in results:
            yield _bucket(as_mapping(result), _day(start))
        return
    day = moment(record, "day", "date", "start_time", "starting_at", "start_time_iso")
    if day is None:
        raise BadRow("has no day")
    currency = text(record, "currency", "amount_currency")
    if (currency or "usd").lower() != "usd":
        raise BadRow(f"is in {currency}, not in dollars")
    usd = _dollars(record, "usd", "cost", "usage", "amount", "amount_value")
    known = any(name in record for name in ("input_tokens", "prompt_tokens"))
    if usd is None and not known:
        raise BadRow("has neither dollars nor tokens")
    yield Invoiced(
        _day(day),
        _model(record, "model", "model_permaslug", "line_item"),
        tokens(record, "input_tokens", "prompt_tokens") if known else None,
        tokens(record, "output_tokens", "completion_tokens") if known else None,
        usd,
    )


def _bucket(result: Mapping[str, Any], day: str) -> Invoiced:
    """One result of a bucket of OpenAI's or Anthropic's reports."""
    if "amount" in result:
        if (currency := text(result, "amount.currency", "currency")) not in (None, "usd", "USD"):
            raise BadRow(f"is in {currency}, not in dollars")
        return Invoiced(day, _model(result, "model", "line_item"), usd=_dollars(result, "amount.value", "amount"))
    given = tokens(result, "input_tokens")
    if "uncached_input_tokens" in result:
        # Anthropic counts what was cached and written beside the rest.
        given = sum(
            tokens(result, name)
            for name in (
                "uncached_input_tokens",
                "cache_read_input_tokens",
                "cache_creation.ephemeral_5m_input_tokens",
                "cache_creation.ephemeral_1h_input_tokens",
            )
        )
    elif dig(result, "input_tokens") is None:
        raise BadRow("is a bucket without tokens and without an amount")
    return Invoiced(day, text(result, "model"), given, tokens(result, "output_tokens"))


def _model(record: Mapping[str, Any], *paths: str) -> str | None:
    """The model of a cost, which may be named in a line item."""
    name = text(record, *paths)
    item = None if name is None else _LINE_ITEM.fullmatch(name)
    return name if item is None else item["model"]


def _dollars(record: Mapping[str, Any], *paths: str) -> float | None:
    """Dollars, which a credit takes off; Anthropic's cost report, and nobody else, has cents and a ``cost_type``."""
    value = dig(record, *paths)
    if isinstance(value, str) and value.strip().startswith("-"):
        usd: float | None = -(real({"usd": value.strip()[1:]}, "usd") or 0.0)
    else:
        usd = float(value) if isinstance(value, int | float) and value < 0 else real(record, *paths)
    return usd / 100 if usd is not None and "cost_type" in record else usd


def _day(at: float | None) -> str:
    if at is None:
        raise BadRow("has no day")
    return datetime.fromtimestamp(at, UTC).date().isoformat()


def reconcile(log: CallLog, invoiced: list[Invoiced], config: Config) -> list[Covered]:
    """The log beside the invoice, by day and model; a model is what the price table calls it."""
    usages = logged(log, rates_of(log, config))
    days = np.where(np.isnan(log.at), -1, np.nan_to_num(log.at) // _DAY).astype(np.int64)
    dollars = usages.rates.dollars(log, log.input_tokens)
    ours: dict[tuple[str, str], list[float]] = {}
    unpriced: set[tuple[str, str]] = set()
    keys = np.stack([days, log.codes["model"].astype(np.int64)], axis=1)[usages.billed]
    unique, places = np.unique(keys, axis=0, return_inverse=True)
    by_model = any(each.model for each in invoiced)
    for place, (day, code) in enumerate(unique.tolist()):
        rows = np.flatnonzero(usages.billed)[places.reshape(-1) == place]
        name = _listed(log.names["model"][code], config) if by_model else "(all)"
        key = (_day(day * _DAY) if day >= 0 else "unknown", name)
        sums = ours.setdefault(key, [0.0, 0])
        if not usages.rates.priced[rows].all():
            unpriced.add(key)
        sums[0] += float(dollars[rows].sum())
        sums[1] += int((log.input_tokens + log.output_tokens)[rows].sum())
    theirs: dict[tuple[str, str], list[Any]] = {}
    for each in invoiced:
        name = _listed(each.model, config) if each.model else "(all)"
        said = theirs.setdefault((each.day, name), [None, None])
        if each.usd is not None:
            said[0] = (said[0] or 0.0) + each.usd
        if each.input_tokens is not None:
            said[1] = (said[1] or 0) + each.input_tokens + (each.output_tokens or 0)
    return [
        _covered(key, ours.get(key, [0.0, 0]), theirs.get(key, [None, None]), key not in unpriced)
        for key in sorted({*ours, *theirs})
    ]


def _covered(key: tuple[str, str], ours: list[float], theirs: list[Any], priced: bool) -> Covered:
    """What has calls without a price has no dollars: their sum would be too small."""
    usd, said = theirs
    share = ours[0] / usd if usd and priced else ours[1] / said if said else None
    return Covered(key[0], key[1], ours[0] if priced else None, usd, int(ours[1]), said, share)


def _listed(model: str, config: Config) -> str:
    price = find_price(model, config=config)
    return model if price is None else price.model
