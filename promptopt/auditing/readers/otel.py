"""OpenTelemetry: GenAI spans in OTLP JSON or Jaeger's JSON, OpenInference's spans, and spans as single rows.

Only spans that are calls of a model count: those of chains and agents repeat the sums of the calls below them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from promptopt.auditing.log import UNKNOWN, CachedRelation, LoggedCall
from promptopt.auditing.prompt_digests import digest_of, text_of
from promptopt.auditing.readers.count_names import CountKind, kind_of
from promptopt.auditing.readers.fields import (
    EFFORT,
    BadRow,
    as_count,
    as_mapping,
    is_cut_off,
    moment,
    needed,
    real,
    seconds_between,
    setting,
    text,
)

NAME = "otel"

_INPUT = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.token_count.prompt",
    "llm.usage.prompt_tokens",
    "ai.usage.inputTokens",
    "ai.usage.promptTokens",
)
_OUTPUT = (
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.token_count.completion",
    "llm.usage.completion_tokens",
    "ai.usage.outputTokens",
    "ai.usage.completionTokens",
)
_READ = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "gen_ai.usage.cache_read_tokens",
    "gen_ai.usage.input_cached_tokens",
    "llm.token_count.prompt_details.cache_read",
    "ai.usage.cachedInputTokens",
)
_WRITTEN = (
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "gen_ai.usage.cache_write_tokens",
    "llm.token_count.prompt_details.cache_write",
)
_REASONING = (
    "gen_ai.usage.reasoning.output_tokens",
    "gen_ai.usage.reasoning_tokens",
    "llm.token_count.completion_details.reasoning",
    "ai.usage.reasoningTokens",
)
_TOTAL = ("gen_ai.usage.total_tokens", "llm.token_count.total", "llm.usage.total_tokens", "ai.usage.totalTokens")
_MODEL = (
    "gen_ai.response.model",
    "gen_ai.request.model",
    "llm.response.model_name",
    "llm.model_name",
    "llm.request.model_name",
    "ai.response.model",
    "ai.model.id",
)
# Where counts of any other name are looked for, and how these say that they are a part of the input.
_COUNTED = ("gen_ai.usage.", "llm.token_count.", "llm.usage.", "ai.usage.")
_PART = re.compile("detail|(input|prompt)_?tokens?[._]", re.IGNORECASE)
_SPAN_ID = ("spanId", "spanID", "span_id", "context.span_id", "id")
_TRACE_ID = ("traceId", "traceID", "trace_id", "context.trace_id")
_NOT_CALLS = ("invoke_agent", "create_agent", "execute_tool", "invoke_workflow", "chain", "agent")
_ERRORS = (2, "STATUS_CODE_ERROR", "ERROR")
_USAGE = ("gen_ai.", "llm.token_count", "llm.usage", "ai.usage")


def recognises(record: Mapping[str, Any]) -> bool:
    if "resourceSpans" in record or "resource_spans" in record:
        return True
    data = record.get("data")
    if isinstance(data, list) and data and "spans" in as_mapping(data[0]):
        return True
    return any(key.startswith(_USAGE) for key in _attributes(record))


def calls(record: Mapping[str, Any]) -> Iterator[LoggedCall | BadRow]:
    for span, attributes in _spans(record):
        if _is_call(attributes):
            try:
                yield _call(span, attributes)
            except BadRow as error:
                yield error


def span_parents(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each span of a record, calls or not, and the span that it is in."""
    for span, _ in _spans(record):
        own, parent = _identity(span, text(span, *_SPAN_ID)), _identity(span, _parent(span))
        if own is not None and parent is not None:
            yield own, parent


def _identity(span: Mapping[str, Any], own: str | None) -> str | None:
    """A span's id with that of its trace: ids of spans need only be unique within one."""
    return own and f"{text(span, *_TRACE_ID) or ''}/{own}"


def _spans(record: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    groups = record.get("resourceSpans", record.get("resource_spans"))
    if groups is not None:
        for group in _mappings(groups):
            resource = _attributes(as_mapping(group.get("resource")))
            scopes = (group.get(name) for name in ("scopeSpans", "scope_spans", "instrumentationLibrarySpans"))
            for scope in _mappings(next((each for each in scopes if each), ())):
                for span in _mappings(scope.get("spans")):
                    yield span, {**resource, **_attributes(span)}
    elif isinstance(record.get("data"), list):
        for trace in _mappings(record["data"]):
            for span in _mappings(trace.get("spans")):
                yield span, _attributes(span)
    else:
        yield record, _attributes(record)


def _mappings(value: Any) -> Iterator[Mapping[str, Any]]:
    """The objects of a list; none of anything else."""
    return (each for each in value if isinstance(each, Mapping)) if isinstance(value, list) else iter(())


def _attributes(span: Mapping[str, Any]) -> Mapping[str, Any]:
    """The attributes of a span, flat: OTLP's list of typed values, Jaeger's tags, or a mapping, nested or not."""
    listed = span.get("attributes", span.get("tags"))
    if isinstance(listed, list):
        return {str(each.get("key")): _value(each.get("value")) for each in listed if isinstance(each, Mapping)}
    mapping = as_mapping(listed)
    return (
        _flattened(mapping)
        if mapping
        else {key: value for key, value in span.items() if str(key).startswith((*_USAGE, "openinference."))}
    )


def _flattened(mapping: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in mapping.items():
        if isinstance(value, Mapping):
            flat |= _flattened(value, f"{before}{key}.")
        else:
            flat[f"{before}{key}"] = value
    return flat


def _value(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    for kind in ("stringValue", "intValue", "doubleValue", "boolValue"):
        if kind in value:
            return value[kind]
    values = as_mapping(value.get("arrayValue")).get("values")
    return [_value(each) for each in values] if isinstance(values, list) else None


def _is_call(attributes: Mapping[str, Any]) -> bool:
    kind = str(attributes.get("openinference.span.kind", "LLM")).upper()
    operation = str(attributes.get("gen_ai.operation.name", "chat"))
    if kind not in ("LLM", "EMBEDDING") or operation in _NOT_CALLS:
        return False
    if (
        str(attributes.get("operation.name", "")).startswith("ai.")
        and "ai.response.model" not in attributes
        and "gen_ai.request.model" not in attributes
    ):
        return False
    return any(name in attributes for name in (*_INPUT, *_OUTPUT))


def _parent(span: Mapping[str, Any]) -> str | None:
    references = span.get("references")
    if isinstance(references, list) and references:
        return text(references[0], "spanID")
    return text(span, "parentSpanId", "parent_span_id", "parent_id", "parentSpanID")


def _call(span: Mapping[str, Any], attributes: Mapping[str, Any]) -> LoggedCall:
    given, made = _first(attributes, _INPUT), _first(attributes, _OUTPUT)
    needed(given, made)
    start = moment(span, "startTimeUnixNano", "start_time_unix_nano", "startTime", "start_time", "timestamp")
    end = moment(span, "endTimeUnixNano", "end_time_unix_nano", "endTime", "end_time")
    duration = real(span, "duration")
    provider = _text(
        attributes, "gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "ai.model.provider"
    )
    asked = _text(attributes, "gen_ai.input.messages", "gen_ai.prompt", "input.value", "ai.prompt.messages")
    asked = asked or "".join(
        str(value) for key, value in sorted(attributes.items()) if key.startswith("llm.input_messages.")
    )
    cached, written = _most(attributes, _READ) or _cache_input(attributes, given), _most(attributes, _WRITTEN)
    reasoning = _first(attributes, _REASONING) or 0
    others = _others(attributes)
    known = "gen_ai.usage.input_cached_tokens" not in attributes
    if not cached and not written:
        known = all(_PART.search(name) for name, (kind, _) in others.items() if kind != "reasoning")
    relation: CachedRelation | None = "inside" if known and (provider or "").lower() != "anthropic" else None
    model = _text(attributes, *_MODEL) or UNKNOWN
    return LoggedCall(
        model,
        at=start,
        input_tokens=given or 0,
        cache_read_tokens=cached or _largest(others, "cached"),
        cache_write_tokens=written or _largest(others, "written"),
        output_tokens=made or 0,
        reasoning_tokens=reasoning or _largest(others, "reasoning"),
        total_tokens=_first(attributes, _TOTAL),
        relation=relation,
        cost_usd=real({"usd": _text(attributes, "llm.cost.total", "gen_ai.usage.cost", "operation.cost")}, "usd"),
        provider=provider,
        prompt=_text(attributes, "gen_ai.prompt.name", "llm.prompt_template.version", "ai.telemetry.functionId"),
        tag=_text(attributes, "tag.tags", "service.name"),
        user=_text(attributes, "user.id", "enduser.id"),
        session=_text(attributes, "session.id", "gen_ai.conversation.id") or text(span, *_TRACE_ID),
        tier=_text(
            attributes,
            "openai.response.service_tier",
            "openai.request.service_tier",
            "gen_ai.openai.request.service_tier",
        ),
        effort=_text(attributes, "gen_ai.request.reasoning.level", "gen_ai.request.reasoning_effort")
        or text(attributes.get("llm.invocation_parameters"), *EFFORT),
        digest=digest_of(model, asked) if asked else 0,
        **text_of(asked or None),
        cap=setting({"cap": _text(attributes, "gen_ai.request.max_tokens", "ai.settings.maxTokens")}, "cap"),
        # Jaeger has microseconds.
        latency_s=duration / 1e6 if duration is not None and "tags" in span else seconds_between(start, end),
        failed=_failed(span, attributes),
        cut_off=is_cut_off(attributes.get("gen_ai.response.finish_reasons", attributes.get("llm.finish_reason"))),
        identity=_identity(span, text(span, *_SPAN_ID)),
    )


def _cache_input(attributes: Mapping[str, Any], given: int | None) -> int:
    """OpenInference's older name; one of its libraries writes all tokens of text there, which is the whole prompt."""
    found = _first(attributes, ("llm.token_count.prompt_details.cache_input",)) or 0
    return 0 if found == given else found


def _others(attributes: Mapping[str, Any]) -> dict[str, tuple[CountKind, int]]:
    """Counts by names that only their words explain, some of them in JSON (``{"cache_read": 10}``)."""
    found: dict[str, tuple[CountKind, int]] = {}
    for key, value in attributes.items():
        if not key.startswith(_COUNTED):
            continue
        for name, each in _flattened(as_mapping(value), f"{key}.").items() or ((key, value),):
            kind = kind_of(name)
            if kind is not None and (number := setting({"count": each}, "count")):
                found[name] = kind, number
    return found


def _largest(others: Mapping[str, tuple[CountKind, int]], kind: CountKind) -> int:
    """The count of a kind: one may be written under several names, or in parts beside their sum."""
    return max((number for each, number in others.values() if each == kind), default=0)


def _most(attributes: Mapping[str, Any], names: tuple[str, ...]) -> int:
    """The first of these counts that is not 0."""
    return next((found for name in names if (found := _first(attributes, (name,)))), 0)


def _first(attributes: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    """The first of these counts; attributes' names hold dots themselves."""
    for name in names:
        if attributes.get(name) is not None:
            return as_count(attributes[name], name)
    return None


def _text(attributes: Mapping[str, Any], *names: str) -> str | None:
    return next((str(attributes[name]) for name in names if attributes.get(name)), None)


def _failed(span: Mapping[str, Any], attributes: Mapping[str, Any]) -> bool:
    """OTLP has a status, Jaeger tags, and Phoenix the code alone."""
    return (
        bool(attributes.get("error.type"))
        or attributes.get("error") in (True, "true")
        or attributes.get("otel.status_code") == "ERROR"
        or as_mapping(span.get("status")).get("code") in _ERRORS
        or span.get("status_code") in _ERRORS
    )
