"""LiteLLM: rows of SpendLogs, and StandardLoggingPayload as its callbacks write it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from promptopt.auditing.log import UNKNOWN, LoggedCall
from promptopt.auditing.prompt_digests import digest_of, text_of
from promptopt.auditing.readers.fields import (
    EFFORT,
    as_json,
    as_mapping,
    count,
    first_text,
    moment,
    needed,
    real,
    said_mapping,
    seconds_between,
    setting,
    text,
    tokens,
)

NAME = "litellm"

_LONG = (
    "prompt_tokens_details.cache_creation_token_details.ephemeral_1h_input_tokens",
    "cache_creation.ephemeral_1h_input_tokens",
)


def recognises(record: Mapping[str, Any]) -> bool:
    return (
        "prompt_tokens" in record
        and ("call_type" in record or "custom_llm_provider" in record)
        and ("startTime" in record or "litellm_call_id" in record)
    )


def calls(record: Mapping[str, Any]) -> Iterator[LoggedCall]:
    metadata = said_mapping(record, "metadata")
    usage = as_mapping(metadata.get("usage_object"))
    extra = as_mapping(metadata.get("additional_usage_values"))
    given, made = count(record, "prompt_tokens"), count(record, "completion_tokens")
    needed(given, made)
    start, end = moment(record, "startTime"), moment(record, "endTime")
    parameters = as_mapping(record.get("model_parameters"))
    messages = record.get("messages")
    messages = as_json(messages) if isinstance(messages, str) else messages
    names = "cache_read_input_tokens", "prompt_tokens_details.cached_tokens"
    written = (
        "cache_creation_input_tokens",
        "prompt_tokens_details.cache_creation_tokens",
        "prompt_tokens_details.cache_write_tokens",
    )
    long = tokens(usage, *_LONG) or tokens(extra, *_LONG)
    yield LoggedCall(
        text(record, "model") or UNKNOWN,
        at=start,
        input_tokens=given or 0,
        cache_read_tokens=tokens(usage, *names) or tokens(extra, *names),
        cache_write_tokens=max(0, (tokens(usage, *written) or tokens(extra, *written)) - long),
        cache_write_1h_tokens=long,
        output_tokens=made or 0,
        reasoning_tokens=tokens(usage, "completion_tokens_details.reasoning_tokens"),
        total_tokens=count(record, "total_tokens"),
        relation="inside",
        cost_usd=real(record, "spend", "response_cost"),
        provider=text(record, "custom_llm_provider"),
        prompt=text(record, "metadata.prompt_id", "model_group"),
        tag=first_text(record.get("request_tags")),
        user=text(record, "end_user", "user"),
        team=text(record, "team_id", "metadata.user_api_key_team_id", "metadata.team_id"),
        session=text(record, "session_id", "trace_id"),
        tier=text(record, "cost_breakdown.service_tier", "metadata.usage_object.service_tier"),
        digest=digest_of(text(record, "model"), messages, parameters) if messages else 0,
        **text_of(messages or None),
        effort=text(parameters, *EFFORT),
        cap=setting(parameters, "max_tokens", "max_completion_tokens"),
        latency_s=seconds_between(start, end),
        failed=text(record, "status", "metadata.status") == "failure",
        own_hit=str(record.get("cache_hit")).lower() == "true",
        identity=text(record, "request_id", "id"),
    )
