"""Langfuse: observations of its API, its blob export, and traces as its pages export them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from promptopt.auditing.log import UNKNOWN, LoggedCall
from promptopt.auditing.prompt_digests import digest_of, text_of
from promptopt.auditing.readers.count_names import CountKind, kind_of
from promptopt.auditing.readers.fields import (
    EFFORT,
    BadRow,
    as_count,
    as_json,
    as_mapping,
    as_quality,
    count,
    dig,
    first_text,
    moment,
    needed,
    real,
    said_mapping,
    seconds_between,
    setting,
    text,
)

NAME = "langfuse"

_CALLS = ("GENERATION", "EMBEDDING")
# Every spelling that Langfuse's own ingestion takes, in the order in which one is looked for.
READ = (
    "input_cached_tokens",
    "input_cache_read",
    "cache_read_input_tokens",
    "input_cached",
    "cached_tokens",
    "prompt_details.cache_read",
    "prompt_tokens_details.cached_tokens",
    "input_tokens_details.cached_tokens",
    "input_details.cache_read",
    "cache_read_tokens",
    "cache_read.input_tokens",
    "prompt_cache_hit_tokens",
)
WRITTEN = (
    "input_cache_creation",
    "input_cache_write",
    "cache_creation_input_tokens",
    "prompt_details.cache_write",
    "input_details.cache_creation",
    "cache_creation.input_tokens",
    "cache_write.input_tokens",
    "prompt_tokens_details.cache_write_tokens",
    "input_tokens_details.cache_write_tokens",
    "cache_write_tokens",
    "input_cache_creation_5m",
)
REASONING = (
    "output_reasoning_tokens",
    "output_reasoning",
    "completion_details.reasoning",
    "reasoning_tokens",
    "completion_tokens_details.reasoning_tokens",
    "output_tokens_details.reasoning_tokens",
    "reasoning.output_tokens",
)

# Names that other SDKs wrote keep what they mean there.
_INSIDE = ("prompt_details.cache_read", "prompt_tokens_details.cached_tokens", "input_tokens_details.cached_tokens")


_KNOWN = {
    *READ,
    *WRITTEN,
    *REASONING,
    "input_cache_creation_1h",
    "input_tokens",
    "output_tokens",
    "input_cost",
    "output_cost",
}


def recognises(record: Mapping[str, Any]) -> bool:
    return (
        "usageDetails" in record
        or "usage_details" in record
        or "provided_model_name" in record
        or ("trace" in record and "observations" in record)
        or ("startTime" in record and "traceId" in record and "usage" in record)
    )


def calls(record: Mapping[str, Any]) -> Iterator[LoggedCall | BadRow]:
    if "observations" in record:
        trace = as_mapping(record.get("trace")) or record
        for observation in record["observations"] or ():
            try:
                yield from _calls(as_mapping(observation), trace)
            except BadRow as error:
                yield error
    else:
        yield from _calls(record, record)


def _calls(record: Mapping[str, Any], trace: Mapping[str, Any]) -> Iterator[LoggedCall]:
    # Agents and chains repeat the sums of the generations below them.
    if str(record.get("type", "GENERATION")).upper() not in _CALLS:
        return
    usage = said_mapping(record, "usageDetails", "usage_details", "usage")
    given, made = (
        _flat(usage, "input", "prompt_tokens", "promptTokens", "input_tokens", "inputTokens", "prompt_token_count"),
        _flat(
            usage,
            "output",
            "completion_tokens",
            "completionTokens",
            "output_tokens",
            "outputTokens",
            "candidates_token_count",
        ),
    )
    total = _flat(usage, "total", "total_tokens", "totalTokens", "total_token_count")
    # Langfuse sums all buckets itself if no total is sent, whatever they hold: such a total decides nothing.
    witness = None if total is not None and total == sum(_buckets(usage)) else total
    cost = real(record, "totalCost", "total_cost", "costDetails.total", "cost_details.total", "calculatedTotalCost")
    if given is None and made is None and total is None and not cost:
        if any(_buckets(usage)):
            raise BadRow(f"its usage has no known count of input and output: {', '.join(map(str, usage))}")
        # It was begun, and nothing came.
        return
    if str(usage.get("unit") or "TOKENS").upper() != "TOKENS":
        raise BadRow(f"its usage is in {usage['unit']}, not in tokens")
    if given is not None and made is not None and total != given + made:
        given, made = given + _others(usage, "input_"), made + _others(usage, "output_")
    reasoning, read, written = _most(usage, *REASONING), _most(usage, *READ), _most(usage, *WRITTEN)
    # Names of other SDKs, which say nothing of what is inside what.
    foreign = {
        "cached": 0 if read else _by_words(usage, "cached"),
        "written": 0 if written else _by_words(usage, "written"),
    }
    if given is None and made and not (read or written or any(foreign.values()) or _others(usage, "input_")):
        # All input may have been cached; else it is what the total has more.
        given = total - made if total is not None and total > made else None
        needed(given, made)
    # Langfuse's own buckets do not hold one another.
    native = "output_reasoning_tokens" in usage or "output_reasoning" in usage
    start, end = moment(record, "startTime", "start_time"), moment(record, "endTime", "end_time")
    asked = record.get("input")
    asked = as_json(asked) if isinstance(asked, str) else asked
    version = text(record, "promptVersion", "prompt_version")
    name = text(record, "promptName", "prompt_name")
    settings = as_mapping(dig(record, "modelParameters", "model_parameters"))
    yield LoggedCall(
        text(record, "model", "provided_model_name", "internalModelId") or UNKNOWN,
        at=start,
        input_tokens=given or 0,
        cache_read_tokens=read or foreign["cached"],
        cache_write_tokens=written or foreign["written"],
        cache_write_1h_tokens=_flat(usage, "input_cache_creation_1h") or 0,
        output_tokens=made if made is not None else max(0, (total or 0) - (given or 0)),
        reasoning_tokens=reasoning or _by_words(usage, "reasoning"),
        total_tokens=total if any(foreign.values()) else witness,
        relation=None
        if any(foreign.values())
        else "inside"
        if any(_flat(usage, each) is not None for each in _INSIDE)
        else "beside",
        reasoning_beside=native,
        cost_usd=cost,
        prompt=f"{name}@{version}" if name and version else name or text(record, "name"),
        tag=first_text(record.get("tags") or trace.get("tags")),
        user=text(record, "userId", "user_id") or text(trace, "userId"),
        session=text(record, "sessionId", "session_id")
        or text(trace, "sessionId")
        or text(record, "traceId", "trace_id"),
        digest=digest_of(text(record, "model", "provided_model_name"), asked, settings) if asked else 0,
        **text_of(asked or None),
        effort=text(settings, *EFFORT),
        cap=setting(settings, "max_tokens", "max_completion_tokens", "maxTokens"),
        latency_s=seconds_between(start, end),
        failed=str(record.get("level", "")).upper() == "ERROR",
        quality=_quality(record),
        identity=text(record, "id"),
    )


def _quality(record: Mapping[str, Any]) -> float | None:
    """The mean of the scores of an observation that are truth values, or numbers from 0 to 1."""
    judged = []
    for score in record.get("scores") or ():
        try:
            found = as_quality(as_mapping(score).get("value"), "score")
        except BadRow:
            # A score on another scale says nothing here.
            continue
        if found is not None:
            judged.append(found)
    return sum(judged) / len(judged) if judged else None


def _buckets(usage: Mapping[str, Any]) -> Iterator[int]:
    """All counts but the total."""
    for name, value in usage.items():
        if (
            not name.startswith("total")
            and name != "unit"
            and not isinstance(value, Mapping)
            and "cost" not in name.lower()
        ):
            yield as_count(value, name) or 0


def _others(usage: Mapping[str, Any], prefix: str) -> int:
    """Tokens of buckets beside the plain one, such as ``input_audio_tokens``: no bucket holds another's."""
    return sum(
        as_count(value, name) or 0
        for name, value in usage.items()
        if name.startswith(prefix) and name not in _KNOWN and kind_of(name) is None and not isinstance(value, Mapping)
    )


def _by_words(usage: Mapping[str, Any], kind: CountKind) -> int:
    """The count of a bucket that only the words of its name explain."""
    names = (name for name, value in usage.items() if not isinstance(value, Mapping) and kind_of(name) == kind)
    return max((as_count(usage[name], name) or 0 for name in names), default=0)


def _most(usage: Mapping[str, Any], *names: str) -> int:
    """The first count that is not 0."""
    return next((found for name in names if (found := _flat(usage, name))), 0)


def _flat(usage: Mapping[str, Any], *names: str) -> int | None:
    """A count by one of its names, which may hold dots, or be nested."""
    for name in names:
        if name in usage:
            return as_count(usage[name], name)
    nested = [name for name in names if "." in name]
    return count(usage, *nested) if nested else None
