"""The JSON of chat completions and responses: what a gateway reads out of requests and answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from promptopt.gateway.call import Answer, Call, Endpoint, Wire
from promptopt.providers.openai.usage import usage_or_none
from promptopt.tokens import TOKENS_PER_MESSAGE, TOKENS_PER_REPLY, schema_tokens, tokenizer_for
from promptopt.values import canonical_json

PATHS: Mapping[str, Endpoint] = {"/chat/completions": "chat", "/responses": "responses"}
# An image or a file is billed by its size, which the request mostly does not say; this is a high-detail picture.
TOKENS_PER_ATTACHMENT = 1_500


class BadBody(ValueError):
    """An answer with a good status that is not what the API promises."""


def endpoint_of(path: str) -> Endpoint | None:
    """Which of the two APIs a path belongs to; ``None`` for all else, such as ``/responses/ID/cancel``."""
    for suffix, endpoint in PATHS.items():
        if path.endswith(suffix):
            return endpoint
    return None


def messages(call: Call) -> list[tuple[str, str]]:
    """Role and text of each message of a request; the instructions of a response come first."""
    body = call.body
    if call.endpoint == "chat":
        return [_message(item) for item in body.get("messages") or ()]
    given = body.get("input") or ()
    found = [("user", given)] if isinstance(given, str) else [_message(item) for item in given]
    instructions = body.get("instructions")
    return [("system", instructions), *found] if isinstance(instructions, str) else found


def _message(item: Any) -> tuple[str, str]:
    if not isinstance(item, dict):
        return "user", str(item)
    content = item.get("content")
    if content is None:
        content = item.get("output") or item.get("arguments") or ""
    role = str(item.get("role") or "tool")
    if isinstance(content, str):
        return role, content
    parts = [part.get("text") or "" for part in content if isinstance(part, dict)]
    return role, "\n".join(part for part in parts if isinstance(part, str))


def prompt_text(call: Call) -> str:
    """All text of a request."""
    return "\n\n".join(text for _, text in messages(call))


def output_cap(call: Call) -> int | None:
    """The most output tokens that a request allows, over all its choices; ``None`` if it sets no cap."""
    names = ("max_completion_tokens", "max_tokens") if call.endpoint == "chat" else ("max_output_tokens",)
    cap = next((call.body[name] for name in names if isinstance(call.body.get(name), int)), None)
    if cap is None:
        return None
    choices = call.body.get("n") if call.endpoint == "chat" else 1
    return int(cap) * (choices if isinstance(choices, int) and choices > 0 else 1)


def schema_of(call: Call) -> Mapping[str, Any] | None:
    """The JSON schema that the answer must follow, if the request names one."""
    body = call.body
    if call.endpoint == "chat":
        form = body.get("response_format")
        named = form.get("json_schema") if isinstance(form, dict) else None
    else:
        text = body.get("text")
        named = text.get("format") if isinstance(text, dict) else None
    schema = named.get("schema") if isinstance(named, dict) else None
    return schema if isinstance(schema, Mapping) else None


def count_input(call: Call) -> int:
    """Input tokens of a request, counted: texts, framing, schema, tools, and an allowance for each attachment."""
    tokenizer = tokenizer_for(call.model or None)
    found = messages(call)
    total = sum(_count(text, call.model) for _, text in found) + TOKENS_PER_MESSAGE * len(found) + TOKENS_PER_REPLY
    if schema := schema_of(call):
        total += schema_tokens(schema, tokenizer)
    for extra in ("tools", "functions"):
        if call.body.get(extra):
            total += tokenizer.count(canonical_json(call.body[extra]))
    return total + TOKENS_PER_ATTACHMENT * _attachments(call)


@lru_cache(maxsize=512)
def _count(text: str, model: str) -> int:
    return tokenizer_for(model or None).count(text)


def _attachments(call: Call) -> int:
    items = call.body.get("messages" if call.endpoint == "chat" else "input")
    if not isinstance(items, list):
        return 0
    contents = [item.get("content") for item in items if isinstance(item, dict)]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    texts = ("text", "input_text", "output_text", "refusal")
    return sum(isinstance(part, dict) and part.get("type") not in texts for part in parts)


def read_answer(call: Call, content: bytes, headers: Mapping[str, str] | None = None, raw: Any = None) -> Answer:
    """The answer to a call in a body; ``headers`` and ``raw`` go into it as they are.

    Raises:
        BadBody: It is not JSON in UTF-8, or not an answer of this API.
    """
    try:
        body = json.loads(content)
        if not isinstance(body, dict):
            raise BadBody(f"the answer is {type(body).__name__}, not an object")
        fields = read_object(call.endpoint, body)
        return Answer(wire=Wire(content), headers=headers or {}, raw=raw, sent_to=call.model, **fields)
    except BadBody:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError) as error:
        raise BadBody(f"the answer is not what {call.endpoint} promises: {type(error).__name__}") from None


def read_object(endpoint: Endpoint, body: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an ``Answer`` in a decoded body."""
    return _read_chat(body) if endpoint == "chat" else _read_responses(body)


def _read_chat(body: Mapping[str, Any]) -> dict[str, Any]:
    choices = body["choices"]
    if not choices:
        raise BadBody("the answer has no choice")
    message = choices[0]["message"]
    reasons = {str(choice.get("finish_reason") or "stop") for choice in choices}
    logprobs = (choices[0].get("logprobs") or {}).get("content")
    return {
        "model": str(body.get("model") or ""),
        "text": message.get("content") or message.get("refusal") or "",
        "finish_reason": str(choices[0].get("finish_reason") or "stop"),
        "usage": usage_or_none(body.get("usage")),
        "complete": "content_filter" not in reasons,
        "logprobs": tuple(float(token["logprob"]) for token in logprobs) if logprobs else None,
    }


def _read_responses(body: Mapping[str, Any]) -> dict[str, Any]:
    status = str(body.get("status") or "completed")
    reason = "stop"
    if status == "incomplete":
        why = (body.get("incomplete_details") or {}).get("reason")
        reason = "length" if why == "max_output_tokens" else str(why or "incomplete")
    elif status != "completed":
        reason = status
    parts = [
        part
        for item in body["output"]
        if isinstance(item, Mapping) and item.get("type") == "message"
        for part in item.get("content") or ()
    ]
    logprobs = [float(token["logprob"]) for part in parts for token in part.get("logprobs") or ()]
    return {
        "model": str(body.get("model") or ""),
        "text": "".join(part.get("text") or part.get("refusal") or "" for part in parts),
        "finish_reason": reason,
        "usage": usage_or_none(body.get("usage")),
        "complete": reason in ("stop", "length"),
        "logprobs": tuple(logprobs) or None,
    }
