"""OpenRouter's generations: billed by native tokens, which the model's own tokenizer counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from promptopt.auditing.log import UNKNOWN, LoggedCall
from promptopt.auditing.readers.fields import count, is_cut_off, moment, needed, real, text, tokens

NAME = "openrouter"


def recognises(record: Mapping[str, Any]) -> bool:
    data = record.get("data", record)
    return isinstance(data, Mapping) and "native_tokens_prompt" in data


def calls(record: Mapping[str, Any]) -> Iterator[LoggedCall]:
    data = record.get("data", record)
    given, made = count(data, "native_tokens_prompt"), count(data, "native_tokens_completion")
    needed(given, made)
    milliseconds = real(data, "generation_time", "latency")
    yield LoggedCall(
        text(data, "model") or UNKNOWN,
        at=moment(data, "created_at"),
        input_tokens=given or 0,
        cache_read_tokens=tokens(data, "native_tokens_cached"),
        output_tokens=made or 0,
        reasoning_tokens=tokens(data, "native_tokens_reasoning"),
        relation="inside",
        cost_usd=real(data, "total_cost", "usage"),
        provider="openrouter",
        session=text(data, "session_id"),
        tag=text(data, "app_id"),
        tier=text(data, "service_tier"),
        latency_s=None if milliseconds is None else milliseconds / 1000,
        failed=data.get("cancelled") is True or data.get("finish_reason") == "error",
        cut_off=is_cut_off(data.get("finish_reason")),
        identity=text(data, "id"),
    )
