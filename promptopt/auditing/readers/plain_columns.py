"""Names of the columns of plain rows: how people call them, and what ``--map`` says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from promptopt.auditing.readers.count_names import kind_of
from promptopt.auditing.readers.fields import BadRow
from promptopt.errors import UsageError, did_you_mean

# What a column is and how people call it; the first is promptopt's name for it.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "at": (
        "at",
        "timestamp",
        "time",
        "created_at",
        "created",
        "start_time",
        "startTime",
        "date",
        "TIMESTAMP",
        "datetime",
    ),
    "model": ("model", "model_name", "request_model", "modelId", "model_id"),
    "input": (
        "input_tokens",
        "prompt_tokens",
        "inputTokens",
        "promptTokens",
        "tokens_in",
        "context_tokens",
        "ContextTokens",
        "input_length",
        "num_prefill_tokens",
        # Last, as it may be the text beside its count.
        "input",
    ),
    "output": (
        "output_tokens",
        "completion_tokens",
        "outputTokens",
        "completionTokens",
        "tokens_out",
        "generated_tokens",
        "GeneratedTokens",
        "output_length",
        "num_decode_tokens",
        "output",
    ),
    "cached": (
        "cached",
        "cached_tokens",
        "cache_read_tokens",
        "cache_read_input_tokens",
        "cached_input_tokens",
        "cache_read",
        "input_cached",
        "input_cache_read",
    ),
    "written": (
        "written",
        "cache_write_tokens",
        "cache_creation_input_tokens",
        "cache_creation_tokens",
        "cache_write",
        "input_cache_creation",
        "input_cache_write",
    ),
    "reasoning": (
        "reasoning",
        "reasoning_tokens",
        "output_reasoning_tokens",
        "reason_tokens",
    ),
    "total": ("total", "total_tokens", "totalTokens"),
    "cost": ("cost", "cost_usd", "usd", "total_cost", "spend"),
    "provider": ("provider", "provider_name"),
    "prompt": ("prompt", "prompt_name", "prompt_id", "kind", "route", "endpoint", "template"),
    "tag": ("tag", "tags", "feature"),
    "user": ("user", "user_id", "end_user", "client_id"),
    "team": ("team", "team_id"),
    "session": ("session", "session_id", "conversation_id", "trace_id"),
    "tier": ("tier", "service_tier"),
    "effort": ("effort", "reasoning_effort"),
    "digest": ("digest", "request_hash", "request_sha256", "cache_key", "request_id_hash"),
    "prefix": ("prefix", "hash_ids", "prefix_blocks", "blocks"),
    "cap": ("cap", "max_tokens", "max_output_tokens", "max_completion_tokens"),
    "latency_s": ("latency_s", "duration_s", "duration", "response_time"),
    "latency_ms": ("latency_ms", "duration_ms", "request_duration_ms", "delay_ms"),
    "end": ("end", "end_time", "endTime", "completed_at", "ended_at"),
    "status": ("status", "status_code", "http_status", "response_status"),
    "error": ("error", "error_type", "error_code"),
    "finish": ("finish", "finish_reason", "stop_reason"),
    "messages": ("messages", "request.messages", "request"),
    "quality": ("quality", "score", "rating", "eval_score"),
    "waits": ("waits", "interactive"),
    "id": ("id", "request_id", "call_id"),
}


def mapping_of(entries: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The columns as ``--map`` says, each entry ``input=prompt_toks``; ``model==gpt-4o`` is the same for every row.

    Raises:
        UsageError: An entry names no column, or is not written so.
    """
    columns = dict(COLUMNS)
    for entry in entries:
        name, equals, column = entry.partition("=")
        if not equals or not column:
            raise UsageError(f"--map {entry!r} is not written NAME=COLUMN, such as input=prompt_toks")
        if name not in COLUMNS:
            raise UsageError(
                f"--map {entry!r}: {name!r} is not one of {', '.join(COLUMNS)}.{did_you_mean(name, COLUMNS)}"
            )
        columns[name] = (column,)
    return columns


def column_by_words(name: str, row: Iterable[str]) -> str | None:
    """The column whose name says in other words that it has the cached, written or reasoning tokens.

    Raises:
        BadRow: Several do.
    """
    if name not in ("cached", "written", "reasoning"):
        return None
    # What is called details has parts of its own.
    found = [each for each in row if kind_of(each) == name and "detail" not in each.lower()]
    if len(found) > 1:
        raise BadRow(f"has several columns of {name} tokens ({', '.join(found)}): --map {name}=COLUMN names the one")
    return found[0] if found else None
