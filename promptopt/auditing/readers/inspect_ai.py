"""Logs of inspect_ai in JSON: the calls of each sample's events, or the sums of the log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from promptopt.auditing.log import UNKNOWN, LoggedCall
from promptopt.auditing.prompt_digests import digest_of, text_of
from promptopt.auditing.readers.fields import (
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

NAME = "inspect"


def recognises(record: Mapping[str, Any]) -> bool:
    return isinstance(record.get("eval"), Mapping) and ("samples" in record or "stats" in record or "plan" in record)


def calls(record: Mapping[str, Any]) -> Iterator[LoggedCall]:
    task = text(record, "eval.task")
    found = False
    for sample in record.get("samples") or ():
        session = text(sample, "uuid", "id")
        with_events = False
        for event in dig(sample, "events", "transcript.events") or ():
            if event.get("event") == "model" and as_mapping(dig(event, "output.usage")):
                found = with_events = True
                yield _event(event, task, session)
        if not with_events:
            for model, usage in as_mapping(dig(sample, "model_usage")).items():
                found = True
                yield _usage(model, as_mapping(usage), moment(record, "eval.created"), prompt=task, session=session)
    if not found:
        for model, usage in as_mapping(dig(record, "stats.model_usage")).items():
            yield _usage(model, as_mapping(usage), moment(record, "eval.created"), prompt=task)


def _event(event: Mapping[str, Any], task: str | None, session: str | None) -> LoggedCall:
    usage, asked = as_mapping(dig(event, "output.usage")), event.get("input")
    choices = dig(event, "output.choices") or [{}]
    return _usage(
        text(event, "output.model", "model") or UNKNOWN,
        usage,
        moment(event, "timestamp"),
        prompt=task,
        session=session,
    )._replace(
        digest=digest_of(event.get("model"), asked, event.get("config")) if asked else 0,
        **text_of(asked or None),
        latency_s=real(event, "output.time", "working_time"),
        effort=text(event, "config.reasoning_effort"),
        cap=setting(event, "config.max_tokens"),
        cut_off=is_cut_off(dig(choices[0], "stop_reason")),
        own_hit=event.get("cache") == "read",
        failed=bool(event.get("error")),
    )


def _usage(
    model: str, usage: Mapping[str, Any], at: float | None, *, prompt: str | None, session: str | None = None
) -> LoggedCall:
    given, made = count(usage, "input_tokens"), count(usage, "output_tokens")
    needed(given, made)
    return LoggedCall(
        model,
        at=at,
        input_tokens=given or 0,
        cache_read_tokens=tokens(usage, "input_tokens_cache_read"),
        cache_write_tokens=tokens(usage, "input_tokens_cache_write"),
        output_tokens=made or 0,
        reasoning_tokens=tokens(usage, "reasoning_tokens"),
        total_tokens=count(usage, "total_tokens"),
        relation="beside",
        prompt=prompt,
        session=session,
    )
