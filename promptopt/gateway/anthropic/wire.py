"""The JSON and the events of Anthropic's messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promptopt.gateway.body import BadBody, ended, listed, text_of
from promptopt.providers.program import anthropic_usage
from promptopt.values import Usage

# Why a message ended, in the words of the other APIs.
_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}
# Blocks that the model itself wrote; all others come from tools of the provider's.
_WRITTEN = frozenset({"text", "thinking", "redacted_thinking", "tool_use"})


def messages(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Role and text of each message of a request; the system prompt comes first."""
    system = text_of(body.get("system"), "\n")
    found = [("system", system)] if system else []
    return [*found, *(_message(item) for item in listed(body.get("messages")))]


def _message(item: Any) -> tuple[str, str]:
    if not isinstance(item, Mapping):
        return "user", str(item)
    return str(item.get("role") or "user"), text_of(item.get("content"), "\n")


def schema_of(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The JSON schema that the answer must follow, if the request names one."""
    config = body.get("output_config")
    form = config.get("format") if isinstance(config, Mapping) else body.get("output_format")
    schema = form.get("schema") if isinstance(form, Mapping) else None
    return schema if isinstance(schema, Mapping) else None


def read_usage(usage: Any) -> Usage | None:
    """Tokens of a usage object, which counts those of the prompt cache beside its ``input_tokens``.

    Returns:
        ``None`` if there is none, or its numbers are wrong.
    """
    said = {name: value for name, value in usage.items() if value is not None} if isinstance(usage, Mapping) else {}
    if said.keys().isdisjoint(("input_tokens", "output_tokens")):
        return None
    try:
        # Of what it does not say it says 0, which is counted then.
        return anthropic_usage({"input_tokens": 0, **said})
    except (TypeError, ValueError, OverflowError):
        return None


def read(body: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an ``Answer`` in a message. Raises what reading something else raises."""
    blocks = [block for block in body["content"] if isinstance(block, Mapping)]
    reason = str(body.get("stop_reason") or "")
    kinds = {str(block.get("type")) for block in blocks}
    text = "".join(text_of(block.get("text")) for block in blocks if block.get("type") == "text")
    return _fields(str(body.get("model") or ""), text, reason, kinds, read_usage(body.get("usage")))


def _fields(model: str, text: str, stop_reason: str, kinds: set[str], usage: Usage | None) -> dict[str, Any]:
    reason = _REASONS.get(stop_reason, stop_reason)
    complete, finished = ended(reason, answered=bool(text.strip()) or "tool_use" in kinds, filtered=False)
    return {
        "model": model,
        "text": text,
        "finish_reason": reason,
        "usage": usage,
        "complete": complete,
        "finished": finished and kinds <= _WRITTEN,
    }


class MessageStream:
    """Puts the events of a streamed message together."""

    def __init__(self) -> None:
        self.done = False
        self.broken = False
        self.identity = ""
        self._model = ""
        self._reason = ""
        self._parts: list[str] = []
        self._beside: list[str] = []
        self._kinds: set[str] = set()
        self._usage: dict[str, Any] = {}

    @property
    def text(self) -> str:
        return "".join(self._parts)

    @property
    def usage(self) -> Usage | None:
        """Tokens that it has counted so far."""
        return read_usage(self._usage)

    @property
    def written(self) -> str:
        """All that the model wrote, as far as it has come."""
        return "".join([*self._parts, *self._beside])

    def take(self, event: Mapping[str, Any]) -> None:
        """Take the next event. Raises what reading something else raises."""
        kind = event.get("type")
        if kind == "message_start":
            message = event["message"]
            self._model = str(message.get("model") or "")
            self._count(message.get("usage"))
        elif kind == "content_block_start":
            self._kinds.add(str(event["content_block"].get("type")))
            self._parts.append(text_of(event["content_block"].get("text")))
        elif kind == "content_block_delta":
            delta = event["delta"]
            self._parts.append(text_of(delta.get("text")))
            self._beside.append(text_of(delta.get("partial_json") or delta.get("thinking")))
        elif kind == "message_delta":
            self._reason = str(event["delta"].get("stop_reason") or self._reason)
            self._count(event.get("usage"))
        elif kind == "message_stop":
            self.done = True
        elif kind == "error":
            self.broken = True

    def _count(self, usage: Any) -> None:
        # What a later event counts is the total so far.
        if isinstance(usage, Mapping):
            self._usage |= {name: value for name, value in usage.items() if value is not None}

    def fields(self) -> dict[str, Any]:
        """The fields of an ``Answer``. Raises BadBody if the message did not end."""
        if self.broken or not self.done or not self._reason:
            raise BadBody("the stream ended before the message did")
        return _fields(self._model, self.text, self._reason, self._kinds, self.usage)
