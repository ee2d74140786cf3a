"""Anthropic's messages with their usage, alone, in pairs, or in session files of Claude Code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from promptopt.auditing.log import UNKNOWN, LoggedCall
from promptopt.auditing.prompt_digests import digest_of, text_of
from promptopt.auditing.readers.fields import (
    EFFORT,
    as_mapping,
    count,
    dig,
    is_cut_off,
    moment,
    needed,
    real,
    setting,
    text,
    tokens,
)
from promptopt.providers.program import iterations

NAME = "anthropic"


def recognises(record: Mapping[str, Any]) -> bool:
    if record.get("type") in ("assistant", "user", "summary", "system") and ("sessionId" in record or "uuid" in record):
        return True
    usage = _usage(record)
    return "input_tokens" in usage and ("cache_read_input_tokens" in usage or _answer(record).get("type") == "message")


def calls(record: Mapping[str, Any]) -> Iterator[LoggedCall]:
    answer, usage = _answer(record), _usage(record)
    if not usage:
        return
    request = as_mapping(dig(record, "request.body", "request"))
    needed(count(usage, "input_tokens"), count(usage, "output_tokens"))
    messages = request.get("messages")
    milliseconds = real(record, "latency_ms", "durationMs")
    model = text(answer, "model") or text(request, "model") or UNKNOWN
    if model == "<synthetic>":
        # Claude Code's own messages were answered by nobody.
        return
    call = LoggedCall(
        model,
        at=moment(record, "timestamp", "created_at", "start_time"),
        **_counts(usage),
        relation="beside",
        provider="anthropic",
        session=text(record, "sessionId", "session_id"),
        user=text(request, "metadata.user_id"),
        tag=text(record, "cwd", "tag"),
        tier="batch" if usage.get("service_tier") == "batch" else "fast" if usage.get("speed") == "fast" else None,
        digest=digest_of(request) if messages else 0,
        **text_of([request.get("tools"), request.get("system"), messages] if messages else None),
        effort=text(request, *EFFORT),
        cap=setting(request, "max_tokens"),
        latency_s=None if milliseconds is None else milliseconds / 1000,
        cut_off=is_cut_off(answer.get("stop_reason")),
        # A session file repeats a message and its usage on a line for each of its blocks.
        identity=text(answer, "id"),
    )
    yield call
    # Steps of other models, and what compacting a context used, are in no sum of the message.
    for number, step in enumerate(iterations(usage, "advisor_message", "compaction")):
        own = call.identity and f"{call.identity}/{step['type']}{number}"
        yield LoggedCall(
            text(step, "model") or model,
            at=call.at,
            **_counts(step),
            **{name: getattr(call, name) for name in ("relation", "provider", "session", "user", "tag", "tier")},
            identity=own,
        )


def _counts(usage: Mapping[str, Any]) -> dict[str, Any]:
    long = tokens(usage, "cache_creation.ephemeral_1h_input_tokens")
    return {
        "input_tokens": count(usage, "input_tokens") or 0,
        "cache_read_tokens": tokens(usage, "cache_read_input_tokens"),
        "cache_write_tokens": max(
            tokens(usage, "cache_creation_input_tokens") - long,
            tokens(usage, "cache_creation.ephemeral_5m_input_tokens"),
        ),
        "cache_write_1h_tokens": long,
        "output_tokens": count(usage, "output_tokens") or 0,
        "reasoning_tokens": tokens(usage, "output_tokens_details.reasoning_tokens"),
    }


def _answer(record: Mapping[str, Any]) -> Mapping[str, Any]:
    return as_mapping(dig(record, "response.body", "response", "message", "body")) or record


def _usage(record: Mapping[str, Any]) -> Mapping[str, Any]:
    return as_mapping(_answer(record).get("usage"))
