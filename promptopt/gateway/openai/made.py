"""Answers that came over no HTTP, made into the JSON or the events that the SDK reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from promptopt.gateway.call import Answer, Call, Wire
from promptopt.gateway.openai.events import EVENT_STREAM
from promptopt.values import Usage

_STATUS = {"stop": "completed", "length": "incomplete"}


def made_wire(call: Call, answer: Answer) -> Wire:
    """What the endpoint of a call would have sent for an answer."""
    if call.endpoint == "chat":
        body = _chat(answer)
        events = [_chunk(answer, {"role": "assistant", "content": answer.text}, None)]
        events.append(_chunk(answer, {}, answer.finish_reason))
        if (call.body.get("stream_options") or {}).get("include_usage"):
            events.append({**_chunk(answer, {}, None), "choices": [], "usage": body.get("usage")})
    else:
        body = _response(answer)
        events = _response_events(body)
    if not call.stream:
        return Wire(json.dumps(body).encode())
    lines = [json.dumps(event) for event in events] + (["[DONE]"] if call.endpoint == "chat" else [])
    return Wire("".join(f"data: {line}\n\n" for line in lines).encode(), EVENT_STREAM)


def _chat(answer: Answer) -> dict[str, Any]:
    message = {"role": "assistant", "content": answer.text}
    choice = {"index": 0, "message": message, "finish_reason": answer.finish_reason, "logprobs": None}
    body = {"id": "chatcmpl-0", "object": "chat.completion", "created": 0, "model": answer.model, "choices": [choice]}
    return body if answer.usage is None else {**body, "usage": _usage(answer.usage, "prompt", "completion")}


def _chunk(answer: Answer, delta: Mapping[str, Any], reason: str | None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}
    head = {"id": "chatcmpl-0", "object": "chat.completion.chunk", "created": 0, "model": answer.model}
    return {**head, "choices": [choice]}


def _response(answer: Answer) -> dict[str, Any]:
    part = {"type": "output_text", "text": answer.text, "annotations": []}
    status = _STATUS.get(answer.finish_reason, "incomplete")
    item = {"type": "message", "id": "msg_0", "role": "assistant", "status": status, "content": [part]}
    body: dict[str, Any] = {
        "id": "resp_0",
        "object": "response",
        "created_at": 0,
        "model": answer.model,
        "status": status,
        "output": [item],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }
    if status == "incomplete":
        why = "max_output_tokens" if answer.finish_reason == "length" else answer.finish_reason
        body["incomplete_details"] = {"reason": why}
    return body if answer.usage is None else {**body, "usage": _usage(answer.usage, "input", "output")}


def _response_events(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    (item,) = body["output"]
    (part,) = item["content"]
    place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**body, "output": [], "status": "in_progress"}},
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}},
        {"type": "response.content_part.added", **place, "part": {**part, "text": ""}},
        {"type": "response.output_text.delta", **place, "delta": part["text"], "logprobs": []},
        {"type": f"response.{body['status']}", "response": body},
    ]
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def _usage(usage: Usage, read: str, written: str) -> dict[str, Any]:
    cached = {"cached_tokens": usage.cache_read_tokens, "cache_write_tokens": usage.cache_write_tokens}
    return {
        f"{read}_tokens": usage.input_tokens,
        f"{written}_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        f"{read}_tokens_details": cached,
        f"{written}_tokens_details": {"reasoning_tokens": usage.output_reasoning_tokens},
    }
