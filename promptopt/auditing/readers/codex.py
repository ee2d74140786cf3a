"""Session files of Codex: events of token counts after a context that names the model.

The file of a fork, or of an agent that another one started, begins with a copy of the other's events, often at new
times.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from promptopt.auditing.log import LoggedCall
from promptopt.auditing.readers.fields import as_mapping, count, dig, moment, needed, text, tokens

NAME = "codex"

_KINDS = ("session_meta", "turn_context", "event_msg", "response_item")


def recognises(record: Mapping[str, Any]) -> bool:
    return record.get("type") in _KINDS and isinstance(record.get("payload"), Mapping)


class CodexSession:
    """Reads one session: the model of a call is that of the context before it.

    Attributes:
        parents: Of each session that was forked or started by another one, the other.
        counted: For each call that can be known again, its session and what was counted.
    """

    def __init__(self) -> None:
        self.parents: dict[str, str] = {}
        self.counted: list[tuple[str, str]] = []
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
            self._begin(payload)
        elif payload.get("type") == "token_count" and (usage := as_mapping(dig(payload, "info.last_token_usage"))):
            # The event is repeated when nothing was asked; the sum then stays.
            total = count(payload, "info.total_token_usage.total_tokens")
            if total is not None and total == self._total:
                return
            self._total = total
            given, made = count(usage, "input_tokens"), count(usage, "output_tokens")
            needed(given, made)
            identity = None
            if self._session is not None and total is not None:
                # The sum of the session so far, and the call: a copy has both.
                self.counted.append((self._session, f"{_counts(payload, 'total')}/{_counts(payload, 'last')}"))
                identity = "/".join(self.counted[-1])
            yield LoggedCall(
                self._model,
                at=moment(record, "timestamp"),
                input_tokens=given or 0,
                cache_read_tokens=tokens(usage, "cached_input_tokens"),
                cache_write_tokens=tokens(usage, "cache_write_input_tokens"),
                output_tokens=made or 0,
                reasoning_tokens=tokens(usage, "reasoning_output_tokens"),
                total_tokens=count(usage, "total_tokens"),
                relation="inside",
                provider="openai",
                session=self._session,
                effort=self._effort,
                identity=identity,
            )

    def _begin(self, payload: Mapping[str, Any]) -> None:
        own = text(payload, "id")
        parent = text(payload, "forked_from_id", "parent_thread_id", "source.subagent.thread_spawn.parent_thread_id")
        if own is None:
            self._session = None
            return
        if parent is not None and parent != own:
            self.parents.setdefault(own, parent)
        # What follows in the file of a fork is a copy of those that it comes from.
        if self._session not in self.parents:
            self._session = own


def _counts(payload: Mapping[str, Any], which: str) -> str:
    usage = as_mapping(dig(payload, f"info.{which}_token_usage"))
    return ",".join(f"{name}={usage[name]}" for name in sorted(usage))


def lineage(session: str, parents: Mapping[str, str]) -> list[str]:
    """A session and those that it comes from, the nearest first."""
    found = [session]
    while (parent := parents.get(found[-1])) is not None and parent not in found:
        found.append(parent)
    return found


def copies(files: Sequence[CodexSession]) -> Iterator[str]:
    """The identities of calls that another session of the same origin has; the oldest keeps its own."""
    parents = {own: parent for each in files for own, parent in each.parents.items()}
    counted = dict.fromkeys(call for each in files for call in each.counted)
    lines = {session: lineage(session, parents) for session, _ in counted}
    seen: set[tuple[str, str]] = set()
    for session, what in sorted(counted, key=lambda each: len(lines[each[0]])):
        call = lines[session][-1], what
        if call in seen:
            yield f"{session}/{what}"
        seen.add(call)


def calls(record: Mapping[str, Any]) -> Iterator[LoggedCall]:
    return CodexSession().calls(record)
