"""Helicone: its CSV export, JSON rows, and rows of its database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from promptopt.auditing.log import UNKNOWN, LoggedCall
from promptopt.auditing.prompt_digests import digest_of, text_of
from promptopt.auditing.readers.fields import (
    EFFORT,
    as_json,
    as_mapping,
    as_quality,
    count,
    dig,
    moment,
    needed,
    real,
    setting,
    text,
    tokens,
)

NAME = "helicone"

# The database has dollars as whole numbers of a billionth.
_PRECISION = 1e-9
_LEAST_WHOLE = 50
"""No request costs that many dollars, and none that was paid so few billionths."""
_NOT_CACHED = "00000000-0000-0000-0000-000000000000"


def recognises(record: Mapping[str, Any]) -> bool:
    return "request_created_at" in record and ("prompt_tokens" in record or "completion_tokens" in record)


def calls(record: Mapping[str, Any]) -> Iterator[LoggedCall]:
    given, made = count(record, "prompt_tokens"), count(record, "completion_tokens")
    needed(given, made)
    read, written = tokens(record, "prompt_cache_read_tokens"), tokens(record, "prompt_cache_write_tokens")
    body, properties = (
        _escaped(record.get("request_body")),
        _escaped(record.get("request_properties", record.get("properties"))),
    )
    messages = body.get("messages", body.get("input"))
    status = count(record, "response_status", "status") or 200
    cost = real(record, "costUSD", "cost")
    if cost is not None and dig(record, "costUSD") is None and cost >= _LEAST_WHOLE and cost.is_integer():
        cost *= _PRECISION
    milliseconds = real(record, "delay_ms", "latency")
    yield LoggedCall(
        text(record, "response_model", "request_model", "model") or UNKNOWN,
        at=moment(record, "request_created_at"),
        input_tokens=given or 0,
        cache_read_tokens=read,
        cache_write_tokens=written,
        output_tokens=made or 0,
        reasoning_tokens=tokens(record, "reasoning_tokens"),
        reasoning_beside=True,
        total_tokens=count(record, "total_tokens"),
        relation="beside",
        cost_usd=cost,
        provider=(text(record, "provider") or "").lower() or None,
        prompt=text(record, "prompt_id") or text(properties, "Helicone-Prompt-Id", "prompt"),
        tag=text(properties, "feature", "tag"),
        user=text(record, "request_user_id", "helicone_user"),
        session=text(properties, "Helicone-Session-Id", "session"),
        digest=digest_of(body) if messages else 0,
        **text_of(messages or None),
        effort=text(body, *EFFORT),
        cap=setting(body, "max_tokens", "max_completion_tokens"),
        latency_s=None if milliseconds is None else milliseconds / 1000,
        failed=status >= 400 or status < 0,
        quality=as_quality(record.get("feedback_rating"), "feedback_rating"),
        # The database names an answer of the cache by the request that it is of, and no answer by zeros.
        own_hit=text(record, "cache_reference_id") not in (None, _NOT_CACHED),
        identity=text(record, "request_id", "response_id"),
    )


def _escaped(value: Any) -> Mapping[str, Any]:
    """A column of JSON, which the CSV has escaped once more: ``""`` stands for a quotation mark."""
    if isinstance(value, str):
        parsed = as_json(value)
        value = as_json(value.replace('""', '"').strip('"')) if isinstance(parsed, str) else parsed
    return as_mapping(value)
