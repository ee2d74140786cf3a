"""Server-sent events of streamed answers: read as they pass, put together to the answer, and made of one that exists.

Answers that came over no HTTP are made into the JSON or the events that the SDK reads.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from promptopt.gateway.anthropic.wire import MessageStream
from promptopt.gateway.body import UNREADABLE, BadBody, ended, event_data, read_json, text_of
from promptopt.gateway.call import Answer, Call, Endpoint, Wire
from promptopt.gateway.failures import CallFailed
from promptopt.gateway.openai.counted import said_or_counted, texts_in
from promptopt.gateway.openai.wire import logprobs_of, read_object, was_filtered
from promptopt.providers.openai.errors import FailureKind, code_of
from promptopt.providers.openai.usage import usage_or_none
from promptopt.values import Usage

EVENT_STREAM = "text/event-stream; charset=utf-8"
# What a response brings of its model's words beside its text.
_BESIDE = frozenset(
    f"response.{name}.delta"
    for name in (
        *("refusal", "reasoning_text", "reasoning_summary_text", "function_call_arguments", "custom_tool_call_input"),
        *("mcp_call_arguments", "code_interpreter_call_code"),
    )
)


class EventCollector:
    """Takes a stream's bytes and passes them on; at the end it knows the answer.

    Args:
        hide_usage: Whether the gateway, not the caller, asked for usage. The event that holds nothing else is then kept
            back, and one with a part of the answer passes without it, as some endpoints send it in the last part.
    """

    def __init__(self, call: Call, *, hide_usage: bool = False) -> None:
        self._call = call
        self._hide_usage = hide_usage
        self._rest = bytearray()
        self._after_return = False
        self._passed: list[bytes] = []
        self._error: str | None = None
        self._state = _state_of(call)

    def feed(self, data: bytes) -> bytes:
        """The part of the bytes so far that may be passed on: whole events only."""
        # A line ends with a line feed, a carriage return or both, of which the second may come with the next bytes.
        if self._after_return and data.startswith(b"\n"):
            data = data[1:]
            self._after_return = False
        if data:
            self._after_return = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        # A large event comes in many parts: only what is new is looked at.
        start = max(0, len(self._rest) - 1)
        self._rest += data
        if self._rest.find(b"\n\n", start) < 0:
            return b""
        *events, rest = bytes(self._rest).split(b"\n\n")
        self._rest = bytearray(rest)
        passed = b"".join(event + b"\n\n" for event in map(self._taken, events) if event is not None)
        self._passed.append(passed)
        return passed

    def last(self) -> bytes:
        """The bytes that are left at the end: an event that nothing closed, or what was never a stream, as it came."""
        rest = bytes(self._rest)
        if b"data:" in rest:
            passed = self.feed(b"\n\n")
            return rest if self._state.broken else passed
        self._rest = bytearray()
        return rest if rest.strip() else b""

    def finish(self) -> Answer:
        """The answer, once all bytes were fed and :meth:`last` was asked.

        Raises:
            BadBody: The stream ended before its answer did.
        """
        try:
            fields = self._state.fields()
        except UNREADABLE as error:
            raise BadBody(str(error)) from None
        usage, basis = said_or_counted(self._call, fields["usage"], lambda: self._state.written)
        fields |= {"usage": usage, "basis": basis}
        wire = Wire(b"".join(self._passed), EVENT_STREAM)
        return Answer(wire=wire, sent_to=self._call.model, **fields)

    def failed(self, kind: FailureKind) -> CallFailed:
        """The failure of a stream that its caller has seen a part of, with what had come; the stream may say why."""
        state = self._state
        # Who reads the error that a stream ends with leaves the stream, too.
        kind = kind if self._error is None else "invalid_body"
        return CallFailed(kind, code=self._error, written=state.written, usage=state.usage, passed=True)

    @property
    def is_cut(self) -> bool:
        """Of a stream that gave no answer: whether it has begun, and its end does not say so either."""
        return bool(self._passed) and not self._state.done and self._error is None

    @property
    def endpoint(self) -> Endpoint:
        """The API that the stream is of."""
        return self._call.endpoint

    @property
    def identity(self) -> str:
        """The answer's id with its provider, once that has come."""
        return self._state.identity

    def _taken(self, event: bytes) -> bytes | None:
        """The event as it may pass on; ``None`` if it may not."""
        data = event_data(event)
        if not data or data == b"[DONE]":
            self._state.done = self._state.done or data == b"[DONE]"
            return event
        try:
            value = read_json(data)
            self._state.take(value)
        except UNREADABLE:
            self._state.broken = True
            return event
        if self._state.broken:
            self._error = self._error or code_of(value) or "error"
        if not self._hide_usage or value.get("usage") is None:
            return event
        if not value.get("choices"):
            return None
        others = [line for line in event.split(b"\n") if not line.startswith(b"data:")]
        del value["usage"]
        return b"\n".join([*others, b"data: " + json.dumps(value, separators=(",", ":")).encode()])


def _state_of(call: Call) -> _State | MessageStream:
    if call.endpoint == "messages":
        return MessageStream()
    return _ChatState() if call.endpoint == "chat" else _ResponsesState(call)


class _State:
    text = identity = ""
    done = False
    broken = False
    usage: Usage | None = None

    @property
    def written(self) -> str:
        """All that the model wrote, as far as it has come."""
        raise NotImplementedError

    def take(self, event: Mapping[str, Any]) -> None:
        raise NotImplementedError

    def fields(self) -> dict[str, Any]:
        raise NotImplementedError


class _ChatState(_State):
    def __init__(self) -> None:
        self._parts: list[str] = []
        self._beside: list[Any] = []
        self._reasons: dict[int, str] = {}
        self._answered: set[int] = set()
        self._refused = self._filtered = False
        self._model = ""
        self._tier = ""
        self._logprobs: list[float] = []

    @property
    def text(self) -> str:  # type: ignore[override]
        return "".join(self._parts)

    @property
    def written(self) -> str:
        return "".join([*self._parts, *texts_in(self._beside)])

    def take(self, event: Mapping[str, Any]) -> None:
        if event.get("error"):
            self.broken = True
        self._model = str(event.get("model") or self._model)
        self.identity = self.identity or str(event.get("id") or "")
        self._tier = event.get("service_tier") or self._tier
        self.usage = usage_or_none(event.get("usage")) or self.usage
        for choice in event.get("choices") or ():
            self._take_choice(choice.get("index") or 0, choice, choice.get("delta") or {})

    def _take_choice(self, index: int, choice: Mapping[str, Any], delta: Mapping[str, Any]) -> None:
        text, refusal = text_of(delta.get("content")), text_of(delta.get("refusal"))
        if index == 0:
            self._parts.append(text or refusal)
            self._logprobs += logprobs_of(choice.get("logprobs"))
        else:
            self._beside.append(text or refusal)
        called = delta.get("tool_calls") or delta.get("function_call")
        if beside := called or delta.get("reasoning_content") or delta.get("reasoning"):
            self._beside.append(beside)
        if text.strip() or refusal or called:
            self._answered.add(index)
        self._refused = self._refused or bool(refusal)
        self._filtered = self._filtered or was_filtered(choice)
        if choice.get("finish_reason"):
            self._reasons[index] = str(choice["finish_reason"])

    def fields(self) -> dict[str, Any]:
        if self.broken or not self._reasons:
            raise BadBody("the stream ended before the answer did")
        ends = [
            ended(reason, answered=index in self._answered, filtered=self._filtered)
            for index, reason in self._reasons.items()
        ]
        # A choice that has begun and has no end was broken off.
        done = self.done and self._answered <= self._reasons.keys()
        return {
            "model": self._model,
            "text": self.text,
            "finish_reason": self._reasons.get(0, "stop"),
            "usage": self.usage,
            "service_tier": str(self._tier),
            "complete": done and all(complete for complete, _ in ends),
            "finished": not self._refused and all(finished for _, finished in ends),
            "logprobs": tuple(self._logprobs) or None,
        }


class _ResponsesState(_State):
    def __init__(self, call: Call) -> None:
        self._call = call
        self._parts: list[str] = []
        self._beside: list[str] = []
        self._final: Mapping[str, Any] | None = None

    @property
    def text(self) -> str:  # type: ignore[override]
        return "".join(self._parts)

    @property
    def written(self) -> str:
        return "".join([*self._parts, *self._beside] if self._final is None else texts_in(self._final.get("output")))

    def take(self, event: Mapping[str, Any]) -> None:
        kind, response = event.get("type"), event.get("response")
        if not self.identity and isinstance(response, Mapping):
            self.identity = str(response.get("id") or "")
        if kind == "response.output_text.delta":
            self._parts.append(str(event.get("delta") or ""))
        elif kind in _BESIDE:
            self._beside.append(str(event.get("delta") or ""))
        elif kind in ("response.completed", "response.incomplete", "response.failed"):
            self._final = event["response"]
        elif kind == "error":
            self.broken = True

    def fields(self) -> dict[str, Any]:
        if self.broken or self._final is None:
            raise BadBody("the stream ended before the answer did")
        return read_object(self._call, self._final)


def comes_whole(status: int, content_type: str) -> bool:
    """Whether the response to a call for a stream is none: an error, another address, or JSON in one piece."""
    return status >= 300 or content_type.partition(";")[0].strip().lower() == "application/json"


def read_stream(collector: EventCollector, content: bytes) -> Answer:
    """The answer in a stream that was read to its end. Raises BadBody if it ended before its answer did."""
    collector.feed(content)
    collector.last()
    return collector.finish()


def asks_usage(call: Call) -> bool:
    """Whether the gateway must ask for the usage of a stream, since the caller did not."""
    return call.endpoint == "chat" and call.stream and not _stream_options(call).get("include_usage")


class StreamUsage:
    """Whether streams are asked for their usage; an endpoint that refuses a request over it is not asked again."""

    def __init__(self, *, asked: bool) -> None:
        self._asked = asked
        self._refused: set[str] = set()

    def asks(self, call: Call) -> bool:
        """Whether the usage is to be asked for with this call."""
        return self._asked and asks_usage(call) and _place(call) not in self._refused

    def refused(self, call: Call, status: int, content: bytes) -> bool:
        """Whether a response refuses just that; it is remembered."""
        found = status in (400, 422) and b"stream_options" in content
        if found:
            self._refused.add(_place(call))
        return found


def _place(call: Call) -> str:
    return call.url.partition("?")[0] if call.upstream is None else call.upstream.url


def ask_usage(call: Call) -> Call:
    """The call with the usage asked for."""
    return call.sent_with(stream_options={**_stream_options(call), "include_usage": True})


def _stream_options(call: Call) -> Mapping[str, Any]:
    options = call.body.get("stream_options")
    return options if isinstance(options, Mapping) else {}


_STATUS = {"stop": "completed", "length": "incomplete"}


def made_wire(call: Call, answer: Answer) -> Wire:
    """What the endpoint of a call would have sent for an answer."""
    if call.endpoint == "chat":
        body = _chat(answer)
        events = [_chunk(answer, {"role": "assistant", "content": answer.text}, None)]
        events.append(_chunk(answer, {}, answer.finish_reason))
        if _stream_options(call).get("include_usage"):
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
