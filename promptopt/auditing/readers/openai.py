"""OpenAI: pairs of request and response, lines of a batch's output, and answers alone; also OpenRouter's usage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from promptopt.auditing.log import UNKNOWN, LoggedCall
from promptopt.auditing.prompt_digests import digest_of, text_of
from promptopt.auditing.readers.fields import (
    EFFORT,
    BadRow,
    as_mapping,
    count,
    dig,
    is_cut_off,
    moment,
    needed,
    real,
    seconds_between,
    setting,
    text,
    tokens,
)

NAME = "openai"


def recognises(record: Mapping[str, Any]) -> bool:
    answer = _answer(record)
    return "usage" in answer and ("choices" in answer or "output" in answer or "request" in record)


def calls(record: Mapping[str, Any]) -> Iterator[LoggedCall]:
    answer, request = _answer(record), as_mapping(dig(record, "request.body", "request", "body"))
    batch = "custom_id" in record
    failed = bool(record.get("error")) or (count(record, "response.status_code", "status_code") or 200) >= 400
    usage = as_mapping(answer.get("usage"))
    if not usage:
        if failed:
            yield LoggedCall(
                text(request, "model") or UNKNOWN, failed=True, relation="inside", tier="batch" if batch else None
            )
            return
        raise BadRow("has no usage")
    given = count(usage, "prompt_tokens", "input_tokens")
    made = count(usage, "completion_tokens", "output_tokens")
    needed(given, made)
    start = moment(record, "created_at", "timestamp", "start_time", "time") or moment(answer, "created", "created_at")
    end = moment(record, "ended_at", "end_time", "completed_at")
    latency = real(record, "latency_s", "duration_s")
    milliseconds = real(record, "latency_ms", "duration_ms")
    messages = request.get("messages", request.get("input"))
    # Portkey writes Anthropic's usage under these names, with cached tokens beside; Anthropic's are there too.
    anthropic = "cache_read_input_tokens" in usage or "cache_creation_input_tokens" in usage
    yield LoggedCall(
        text(answer, "model") or text(request, "model") or UNKNOWN,
        at=start,
        input_tokens=given or 0,
        cache_read_tokens=tokens(
            usage,
            "prompt_tokens_details.cached_tokens",
            "input_tokens_details.cached_tokens",
            "cache_read_input_tokens",
            "prompt_cache_hit_tokens",
        ),
        cache_write_tokens=tokens(
            usage,
            "prompt_tokens_details.cache_write_tokens",
            "input_tokens_details.cache_write_tokens",
            "cache_creation_input_tokens",
        ),
        output_tokens=made or 0,
        reasoning_tokens=tokens(
            usage, "completion_tokens_details.reasoning_tokens", "output_tokens_details.reasoning_tokens"
        ),
        total_tokens=count(usage, "total_tokens"),
        relation=None if anthropic else "inside",
        cost_usd=real(usage, "cost"),
        provider=text(record, "provider"),
        prompt=text(record, "metadata.prompt", "prompt"),
        tag=text(record, "tag", "metadata.tag"),
        user=text(record, "user") or text(request, "user"),
        session=text(record, "session_id", "session"),
        tier="batch" if batch else text(answer, "service_tier"),
        digest=digest_of(request) if messages else 0,
        **text_of([request.get("tools"), request.get("instructions"), messages] if messages else None),
        effort=text(request, *EFFORT) or text(answer, "reasoning.effort"),
        cap=setting(request, "max_completion_tokens", "max_output_tokens", "max_tokens"),
        latency_s=latency
        if latency is not None
        else milliseconds / 1000
        if milliseconds is not None
        else seconds_between(start, end),
        failed=failed,
        cut_off=_cut_off(answer),
        waits=False if batch else None,
        identity=text(answer, "id"),
    )


def _answer(record: Mapping[str, Any]) -> Mapping[str, Any]:
    return as_mapping(dig(record, "response.body")) or as_mapping(record.get("response")) or record


def _cut_off(answer: Mapping[str, Any]) -> bool:
    choices = answer.get("choices")
    if isinstance(choices, list) and choices:
        return is_cut_off(dig(choices[0], "finish_reason"))
    return answer.get("status") == "incomplete" and dig(answer, "incomplete_details.reason") == "max_output_tokens"
