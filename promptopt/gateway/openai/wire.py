"""The JSON of every API: what a gateway reads out of requests and answers. Anthropic's is read in a file of its own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from promptopt.gateway.anthropic import wire as anthropic
from promptopt.gateway.body import UNREADABLE, BadBody, ended, listed, read_json, text_of
from promptopt.gateway.call import Answer, Call, Endpoint, Wire
from promptopt.gateway.failures import CallFailed
from promptopt.providers.openai.errors import classify, code_of
from promptopt.providers.openai.usage import usage_or_none
from promptopt.tokens import TOKENS_PER_MESSAGE, TOKENS_PER_REPLY, schema_tokens, tokenizer_for
from promptopt.values import canonical_json

PATHS: Mapping[str, Endpoint] = {
    "/chat/completions": "chat",
    "/responses": "responses",
    "/embeddings": "embeddings",
    # Anthropic's.
    "/messages": "messages",
}
PATH_OF: Mapping[Endpoint, str] = {endpoint: path for path, endpoint in PATHS.items()}
# An image or a file is billed by its size, which the request mostly does not say; this is a high-detail picture.
TOKENS_PER_ATTACHMENT = 1_500


# Items of a response that the model itself wrote; all others come from tools of the provider's.
_WRITTEN = frozenset({"message", "reasoning", "function_call", "custom_tool_call"})
# The states of a response that is not answered yet.
PENDING = ("queued", "in_progress")


def endpoint_of(path: str) -> Endpoint | None:
    """Which API a path belongs to; ``None`` for all else, such as ``/responses/ID/cancel``."""
    for suffix, endpoint in PATHS.items():
        # OpenAI has messages as well, of threads.
        if path.endswith(suffix if endpoint != "messages" else "/v1/messages"):
            return endpoint
    return None


_Messages = tuple[tuple[str, str], ...]
_last: tuple[Mapping[str, Any], Endpoint, _Messages] | None = None


def messages(call: Call) -> _Messages:
    """Role and text of each message of a request; the instructions of a response come first."""
    global _last  # noqa: PLW0603 - a value that is replaced as a whole
    found = _last
    if found is None or found[0] is not call.body or found[1] != call.endpoint:
        # Several layers ask, one after the other, and a body is never changed in place.
        found = _last = (call.body, call.endpoint, tuple(_messages(call)))
    return found[2]


def _messages(call: Call) -> list[tuple[str, str]]:
    body = call.body
    if call.endpoint == "embeddings":
        return [("user", text) for text in listed(body.get("input")) if isinstance(text, str)]
    if call.endpoint == "messages":
        return anthropic.messages(body)
    if call.endpoint == "chat":
        return [_message(item) for item in listed(body.get("messages"))]
    found = [_message(item) for item in listed(body.get("input"))]
    instructions = body.get("instructions")
    return [("system", instructions), *found] if isinstance(instructions, str) else found


def _message(item: Any) -> tuple[str, str]:
    if not isinstance(item, dict):
        return "user", str(item)
    content = item.get("content")
    if content is None:
        content = item.get("output") or item.get("arguments") or ""
    return str(item.get("role") or "tool"), text_of(content, "\n")


def prompt_text(call: Call) -> str:
    """All text of a request."""
    return "\n\n".join(text for _, text in messages(call))


def output_cap(call: Call) -> int | None:
    """The most output tokens that a request allows, over all its choices; ``None`` if it sets no cap.

    Several servers take 0 and -1 for "as many as there are".
    """
    if call.endpoint == "embeddings":
        return 0
    names = ("max_output_tokens",) if call.endpoint == "responses" else ("max_completion_tokens", "max_tokens")
    caps = [cap for name in names if type(cap := call.body.get(name)) is int and cap > 0]
    if not caps:
        return None
    choices = call.body.get("n") if call.endpoint == "chat" else 1
    return int(max(caps)) * (choices if isinstance(choices, int) and choices > 0 else 1)


def schema_of(call: Call) -> Mapping[str, Any] | None:
    """The JSON schema that the answer must follow, if the request names one."""
    body = call.body
    if call.endpoint == "embeddings":
        return None
    if call.endpoint == "messages":
        return anthropic.schema_of(body)
    if call.endpoint == "chat":
        form = body.get("response_format")
        named = form.get("json_schema") if isinstance(form, dict) else None
    else:
        text = body.get("text")
        named = text.get("format") if isinstance(text, dict) else None
    schema = named.get("schema") if isinstance(named, dict) else None
    return schema if isinstance(schema, dict) else None


def count_input(call: Call) -> int:
    """Input tokens of a request, counted: texts, framing, schema, tools, and an allowance for each attachment."""
    return count_text(call) + TOKENS_PER_ATTACHMENT * _attachments(call)


def count_text(call: Call) -> int:
    """Input tokens of a request's texts, framing, schema and tools, counted."""
    tokenizer = tokenizer_for(call.model or None)
    found = messages(call)
    if call.endpoint == "embeddings":
        return sum(_count(text, call.model) for _, text in found) + _token_numbers(call.body.get("input"))
    total = sum(_count(text, call.model) for _, text in found) + TOKENS_PER_MESSAGE * len(found) + TOKENS_PER_REPLY
    if schema := schema_of(call):
        total += schema_tokens(schema, tokenizer)
    for extra in ("tools", "functions"):
        if call.body.get(extra):
            total += tokenizer.count(canonical_json(call.body[extra]))
    return total


def _token_numbers(value: Any) -> int:
    """Tokens of an input that is given in tokens: a list of numbers, or of such lists."""
    return sum(map(_token_numbers, value)) if isinstance(value, list) else int(isinstance(value, int))


@lru_cache(maxsize=512)
def _count(text: str, model: str) -> int:
    return tokenizer_for(model or None).count(text)


def items_of(call: Call) -> Any:
    """What a request gives as its messages or input."""
    return call.body.get("messages" if call.endpoint in ("chat", "messages") else "input")


def _attachments(call: Call) -> int:
    items = items_of(call)
    if not isinstance(items, list):
        return 0
    contents = [item.get("content") for item in items if isinstance(item, dict)]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    texts = ("text", "input_text", "output_text", "refusal", "tool_use", "tool_result", "thinking", "redacted_thinking")
    return sum(isinstance(part, dict) and part.get("type") not in texts for part in parts)


def read_answer(
    call: Call, content: bytes, headers: Mapping[str, str] | None = None, raw: Any = None, *, request_id: str = ""
) -> Answer:
    """The answer to a call in a body; ``headers``, ``raw`` and ``request_id`` go into it as they are.

    Raises:
        BadBody: It is not JSON in UTF-8, or not an answer of this API.
    """
    body: Any = None
    try:
        body = read_json(content)
        if not isinstance(body, dict):
            raise BadBody(f"the answer is {type(body).__name__}, not an object")
        fields = read_object(call, body)
        if call.stream:
            # Who else asks for a stream must not be given this.
            fields["complete"] = fields["finished"] = False
        wire = Wire(content)
        return Answer(wire=wire, headers=headers or {}, raw=raw, sent_to=call.model, request_id=request_id, **fields)
    except BadBody:
        raise
    except UNREADABLE as error:
        message = f"the answer is not what {call.endpoint} promises: {type(error).__name__}"
        raise BadBody(message, body if isinstance(body, dict) else None) from None


def failure_in(broken: BadBody, status: int, headers: Mapping[str, str], raw: Any) -> CallFailed:
    """The failure in a response with a good status; ``raw`` is the response.

    An object, as of ``{"error": ...}``, is the caller's to judge.
    """
    if broken.body is None:
        return CallFailed("invalid_body", status=status, headers=headers)
    error = broken.body.get("error")
    if not error:
        return CallFailed("invalid_body", status=status, headers=headers, raw=raw)
    found = error.get("code") if isinstance(error, dict) else None
    code = code_of(broken.body)
    kind = classify(found if isinstance(found, int) and 400 <= found < 600 else 500, code, str(error))
    return CallFailed(kind, status=status, code=code, headers=headers, raw=raw)


def read_object(call: Call, body: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an ``Answer`` in a decoded body. Raises what reading something else raises."""
    if call.endpoint == "embeddings":
        return _read_embeddings(call, body)
    if call.endpoint == "messages":
        return anthropic.read(body)
    return _read_chat(body) if call.endpoint == "chat" else _read_responses(body)


def _read_chat(body: Mapping[str, Any]) -> dict[str, Any]:
    choices = [choice for choice in body["choices"] if isinstance(choice, dict)]
    message = choices[0]["message"] if choices else {}
    ends = [_chat_end(choice) for choice in choices]
    return {
        "model": str(body.get("model") or ""),
        "text": text_of(message.get("content")) or text_of(message.get("refusal")),
        "finish_reason": str(choices[0].get("finish_reason") or "") if choices else "",
        "usage": usage_or_none(body.get("usage")),
        "complete": bool(ends) and all(complete for complete, _ in ends),
        "finished": bool(ends) and all(finished for _, finished in ends),
        "service_tier": str(body.get("service_tier") or ""),
        "logprobs": logprobs_of(choices[0].get("logprobs")) or None if choices else None,
    }


def _chat_end(choice: Mapping[str, Any]) -> tuple[bool, bool]:
    message = choice["message"]
    called = message.get("tool_calls") or message.get("function_call")
    complete, finished = ended(
        str(choice.get("finish_reason") or ""),
        answered=bool(called or text_of(message.get("content")).strip() or message.get("refusal")),
        filtered=was_filtered(choice),
    )
    return complete, finished and not message.get("refusal")


def was_filtered(choice: Mapping[str, Any]) -> bool:
    """Whether Azure's content filter took something out of a choice."""
    results = choice.get("content_filter_results")
    if not isinstance(results, dict):
        return False
    return any(isinstance(result, dict) and result.get("filtered") is True for result in results.values())


def logprobs_of(holder: Any) -> tuple[float, ...]:
    """Log-probabilities of the tokens that were chosen, of chat's ``logprobs``."""
    tokens = holder.get("content") if isinstance(holder, dict) else holder
    if not isinstance(tokens, list):
        return ()
    return tuple(
        float(token["logprob"])
        for token in tokens
        if isinstance(token, dict) and isinstance(token.get("logprob"), int | float)
    )


def _read_responses(body: Mapping[str, Any]) -> dict[str, Any]:
    status = str(body.get("status") or "completed")
    reason = "stop"
    if status == "incomplete":
        why = (body.get("incomplete_details") or {}).get("reason")
        reason = "length" if why == "max_output_tokens" else str(why or "incomplete")
    elif status != "completed":
        reason = status
    items = [item for item in body["output"] if isinstance(item, dict)]
    parts = [
        part
        for item in items
        if item.get("type") == "message"
        for part in listed(item.get("content"))
        if isinstance(part, dict)
    ]
    text = "".join(text_of(part.get("text")) or text_of(part.get("refusal")) for part in parts)
    kinds = {str(item.get("type")) for item in items}
    called = bool(kinds & {"function_call", "custom_tool_call"})
    complete, finished = ended(reason, answered=called or bool(text.strip()), filtered=False)
    return {
        "model": str(body.get("model") or ""),
        "text": text,
        "finish_reason": reason,
        "usage": usage_or_none(body.get("usage")),
        "complete": complete,
        "finished": finished and kinds <= _WRITTEN and not any(part.get("refusal") for part in parts),
        "service_tier": str(body.get("service_tier") or ""),
        "pending": str(body["id"]) if status in PENDING and body.get("background") else "",
        "logprobs": tuple(each for part in parts for each in logprobs_of(part.get("logprobs"))) or None,
    }


def _read_embeddings(call: Call, body: Mapping[str, Any]) -> dict[str, Any]:
    rows, asked = body["data"], call.body.get("input")
    # A list of numbers is one text in tokens.
    wanted = len(asked) if isinstance(asked, list) and not all(isinstance(each, int) for each in asked) else 1
    whole = isinstance(rows, list) and len(rows) == wanted and all(row.get("embedding") for row in rows)
    usage = usage_or_none(body.get("usage"))
    return {"model": str(body.get("model") or ""), "usage": usage, "complete": whole, "finished": whole}
