"""A program under test in a model's place: what it is told, and how what it answers is read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from promptopt.providers.openai.usage import read_usage
from promptopt.values import Media, Request, Response, ToolCall, Usage

# The keys of an answer: promptopt's, and promptfoo's `output` and `tokenUsage`.
TEXT_KEYS = ("text", "output")
ANSWER_KEYS = frozenset(
    {*TEXT_KEYS, "model", "usage", "tokenUsage", "tool_calls", "finish_reason", "error", "cost", "cached", "metadata"}
)
_MAX_ARGUMENT = 100
MAX_BYTES = 10_000_000
"""The most that an answer may have; a text as many characters."""


def told(request: Request, model: str) -> dict[str, Any]:
    """What a program is told of a request, as JSON.

    Args:
        model: What follows the program's name in the model's name.
    """
    found: dict[str, Any] = {
        "model": model,
        "prompt": "\n\n".join(message.content for message in request.messages),
        "messages": [message.openai() for message in request.messages],
        "variables": _plain(request.variables),
        "params": request.params.to_dict(),
    }
    if request.tools:
        found["tools"] = [tool.openai() for tool in request.tools]
    if request.output_schema is not None:
        found["output_schema"] = dict(request.output_schema)
    return found


def _plain(value: Any) -> Any:
    """A variable as JSON has it: an image, a sound or a file as its address, or as a ``data:`` URL."""
    if isinstance(value, Media):
        return value.address
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def read_answer(value: Any, model: str, duration_s: float | None = None) -> Response:
    """What a program returned, as a response.

    Args:
        value: A text; a mapping with ``text`` (or ``output``, of any JSON), ``usage``, ``tool_calls``, ``model``,
            ``finish_reason``; or a ``Response``.
        model: The model of an answer that names none.

    Raises:
        ValueError: It is something else, or one of its parts is; or its ``error`` says why there is no answer.
    """
    if isinstance(value, Response):
        _short(value.text)
        return value
    if isinstance(value, str):
        return Response(model, _short(value), duration_s=duration_s)
    if not isinstance(value, Mapping):
        raise ValueError(f"{_shown(value)} ({type(value).__name__}) is not a text, a dict or a Response")
    if error := value.get("error"):
        raise ValueError(f"its error is {_shown(error)}")
    said = next((value[key] for key in TEXT_KEYS if value.get(key) is not None), None)
    calls = _tool_calls(value.get("tool_calls"))
    if said is None and not calls:
        raise ValueError(f"a dict with {', '.join(map(repr, value)) or 'no keys'} has none of text, output, tool_calls")
    usage = value.get("usage") if value.get("usage") is not None else value.get("tokenUsage")
    return Response(
        model=_text(value, "model") or model,
        text=_short(said if isinstance(said, str) else "" if said is None else _written(said)),
        finish_reason=_text(value, "finish_reason") or ("tool_calls" if calls else "stop"),
        usage=usage_of(usage),
        duration_s=duration_s,
        tool_calls=calls,
    )


def _written(said: Any) -> str:
    """An answer that is not a text as JSON. Raises ValueError if JSON has no such values."""
    try:
        return json.dumps(said, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"its output {_shown(said)} is not JSON: {error or type(error).__name__}") from None


def _short(text: str) -> str:
    if len(text) > MAX_BYTES:
        raise ValueError(f"its text has {len(text):,} characters; an answer has at most {MAX_BYTES:,}")
    return text


def _text(value: Mapping[str, Any], key: str) -> str:
    found = value.get(key)
    if found is not None and not isinstance(found, str):
        raise ValueError(f"its {key} is {_shown(found)}, not a text")
    return found or ""


def _tool_calls(value: Any) -> tuple[ToolCall, ...]:
    """Calls in OpenAI's shape, or as ``{"name": ..., "arguments": ...}``; arguments are a text or an object."""
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise ValueError(f"its tool_calls are {_shown(value)}, not a list")
    return tuple(_tool_call(call, number) for number, call in enumerate(value, 1))


def _tool_call(call: Any, number: int) -> ToolCall:
    if isinstance(call, ToolCall):
        return call
    function = call.get("function", call) if isinstance(call, Mapping) else None
    name = function.get("name") if isinstance(function, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(name, str) or not name:
        raise ValueError(f"its tool call {number} is {_shown(call)}, which has no name")
    arguments: Any = next((function[key] for key in ("arguments", "args", "input") if key in function), None)
    return ToolCall(str(call.get("id") or f"call_{number}"), name, arguments)


# What every reader of JSON and every database column of numbers can hold.
_MOST_TOKENS = 2**53
_OWN = frozenset(Usage.__dataclass_fields__)


def usage_of(value: Any) -> Usage | None:
    """Tokens as an endpoint says them: in promptopt's own names, OpenAI's, Anthropic's, Google's or promptfoo's.

    OpenAI's names may come from a gateway that counts cached tokens beside the input, as Anthropic does: then the total
    says so, or more is cached than there is input.

    Raises:
        ValueError: It is not an object, or a count in it is not one.
    """
    if isinstance(value, Usage):
        value = asdict(value)
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise ValueError(f"its usage is {_shown(value)}, not an object")
    try:
        found = _usage(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"its usage {_shown(dict(value))} has no counts of tokens: {error}") from None
    if found is not None and max(asdict(found).values()) > _MOST_TOKENS:
        raise ValueError(f"its usage {_shown(dict(value))} has more tokens than a call can have")
    return found


def _usage(value: Mapping[str, Any]) -> Usage | None:
    if "promptTokenCount" in value or "prompt_token_count" in value:
        return google_usage(value)
    if value.keys() & {"cache_read_input_tokens", "cache_creation_input_tokens"} and "prompt_tokens" not in value:
        return anthropic_usage(value)
    if value and value.keys() <= _OWN:
        return Usage(**{name: _count(count) for name, count in value.items()})
    if "prompt" in value and "completion" in value:
        cached = _count(value.get("cached"))
        return Usage(_count(value["prompt"]), min(cached, _count(value["prompt"])), 0, _count(value["completion"]))
    if "inputTokens" in value:
        return _camel_usage(value)
    return read_usage(value)


def _camel_usage(value: Mapping[str, Any]) -> Usage:
    """Of Bedrock's Converse, which counts cached tokens beside the input, and of Vercel's AI SDK: inside."""
    read, written = _count(value.get("cacheReadInputTokens")), _count(value.get("cacheWriteInputTokens"))
    total, output = _count(value["inputTokens"]) + read + written, _count(value.get("outputTokens"))
    read = read or min(_count(value.get("cachedInputTokens")), total)
    return Usage(total, read, written, output, min(_count(value.get("reasoningTokens")), output))


def anthropic_usage(value: Mapping[str, Any]) -> Usage | None:
    """Tokens of an Anthropic usage object, which counts those of the prompt cache beside its ``input_tokens``.

    What compacting a context used is in none of its sums, and is added.

    Returns:
        ``None`` if it does not count input.

    Raises:
        ValueError: A count is negative or not a number; so does ``TypeError``.
    """
    if value.get("input_tokens") is None:
        return None
    used = [_one_usage(value), *map(_one_usage, iterations(value, "compaction"))]
    return Usage(**{field.name: sum(getattr(each, field.name) for each in used) for field in fields(Usage)})


def iterations(value: Mapping[str, Any], *kinds: str) -> list[Mapping[str, Any]]:
    """The steps of some kinds that an Anthropic usage object lists."""
    listed = value.get("iterations")
    steps = listed if isinstance(listed, list) else []
    return [each for each in steps if isinstance(each, Mapping) and each.get("type") in kinds]


def _one_usage(value: Mapping[str, Any]) -> Usage:
    details = value.get("output_tokens_details")
    thought = details.get("thinking_tokens") if isinstance(details, Mapping) else 0
    read, written = _count(value.get("cache_read_input_tokens")), _count(value.get("cache_creation_input_tokens"))
    kept = value.get("cache_creation")
    hour = _count(kept.get("ephemeral_1h_input_tokens")) if isinstance(kept, Mapping) else 0
    output = _count(value.get("output_tokens"))
    return Usage(
        input_tokens=_count(value.get("input_tokens")) + read + written,
        cache_read_tokens=read,
        cache_write_tokens=written,
        output_tokens=output,
        output_reasoning_tokens=min(_count(thought), output),
        cache_write_1h_tokens=min(hour, written),
    )


def google_usage(value: Mapping[str, Any]) -> Usage | None:
    """Tokens of Google's ``usageMetadata``: the cached ones are within the prompt's, thoughts beside the candidates'.

    Returns:
        ``None`` if it does not count input.

    Raises:
        ValueError: A count is negative or not a number; so does ``TypeError``.
    """

    def count(camel: str, snake: str) -> int:
        return _count(value.get(camel) if value.get(camel) is not None else value.get(snake))

    if value.get("promptTokenCount") is None and value.get("prompt_token_count") is None:
        return None
    # What tools of the provider's own put into the prompt is billed as input.
    tools = count("toolUsePromptTokenCount", "tool_use_prompt_token_count")
    total = count("promptTokenCount", "prompt_token_count") + tools
    thoughts = count("thoughtsTokenCount", "thoughts_token_count")
    return Usage(
        input_tokens=total,
        cache_read_tokens=min(count("cachedContentTokenCount", "cached_content_token_count"), total),
        output_tokens=count("candidatesTokenCount", "candidates_token_count") + thoughts,
        output_reasoning_tokens=thoughts,
    )


def _count(value: Any) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise ValueError(f"{value!r} is not a whole number")
    return 0 if value is None else int(value)


def _shown(value: Any) -> str:
    # Where an object is in memory says nothing, and another thing in each run.
    text = re.sub(r" at 0x[0-9a-f]+", "", repr(value))
    return text if len(text) <= _MAX_ARGUMENT else f"{text[: _MAX_ARGUMENT - 1]}…"
