"""Session files of Codex: events of token counts after a context that names the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from promptopt.auditing.log import LoggedCall
from promptopt.auditing.readers.fields import as_mapping, count, dig, moment, needed, text, tokens

NAME = "codex"

_KINDS = ("session_meta", "turn_context", "event_msg", "response_item")


def recognises(record: Mapping[str, Any]) -> bool:
    return record.get("type") in _KINDS and isinstance(record.get("payload"), Mapping)


class CodexSession:
    """Reads one session: the model of a call is that of the context before it."""

    def __init__(self) -> None:
        self._model = "unknown"
        self._session: str | None = None
        self._effort: str | None = None
        self._total: int | None = None

    def calls(self, record: Mapping[str, Any]) -> Iterator[LoggedCall]:
        payload = as_mapping(record.get("payload"))
        if record.get("type") == "turn_context":
            self._model = text(payload, "model") or self._model
            self._effort = text(payload, "effort")
        elif record.get("type") == "session_meta":
            self._session = text(payload, "id")
        elif payload.get("type") == "token_count" and (usage := as_mapping(dig(payload, "info.last_token_usage"))):
            # The event is repeated when nothing was asked; the sum then stays.
            total = count(payload, "info.total_token_usage.total_tokens")
            if total is not None and total == self._total:
                return
            self._total = total
            given, made = count(usage, "input_tokens"), count(usage, "output_tokens")
            needed(given, made)
            yield LoggedCall(
                self._model,
                at=moment(record, "timestamp"),
                input_tokens=given or 0,
                cache_read_tokens=tokens(usage, "cached_input_tokens"),
                output_tokens=made or 0,
                reasoning_tokens=tokens(usage, "reasoning_output_tokens"),
                total_tokens=count(usage, "total_tokens"),
                relation="inside",
                provider="openai",
                session=self._session,
                effort=self._effort,
            )


def calls(record: Mapping[str, Any]) -> Iterator[LoggedCall]:
    return CodexSession().calls(record)
