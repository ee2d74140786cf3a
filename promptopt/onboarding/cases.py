"""The first cases of prompts out of a request log: what the variables were in requests that were sent."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from promptopt.auditing.readers.fields import as_json, as_mapping, dig
from promptopt.auditing.readers.files import logged_records
from promptopt.auditing.seed_suite import PLACES, scrubbed
from promptopt.onboarding.found import FoundPrompt, Hole
from promptopt.secrets import find_any_secret

MOST = 20
"""Cases of one prompt."""


def cases_of(
    prompts: Mapping[str, FoundPrompt], logs: Sequence[Path]
) -> tuple[dict[str, list[dict[str, str]]], list[str]]:
    """The cases of each prompt that the logs have requests of, without addresses and secrets; and what to say.

    A request is of a prompt if all its messages are the prompt's, whatever the variables are. Of more than 20 that
    differ, shorter and longer ones by turns.
    """
    patterns = {name: found for name, prompt in prompts.items() if (found := _patterns(prompt))}
    cases: dict[str, dict[str, dict[str, str]]] = {name: {} for name in patterns}
    read = matched = secret = 0
    for _, record in logged_records(logs):
        messages = _messages(record)
        read += bool(messages)
        for name, wanted in patterns.items():
            values = _values(wanted, prompts[name], messages)
            if values is None:
                continue
            matched += 1
            if any(find_any_secret(value) is not None for value in values.values()):
                secret += 1
                continue
            values = {key: scrubbed(value) for key, value in values.items()}
            cases[name].setdefault(" ".join(" ".join(values.values()).casefold().split()), values)
            break
    notes = [f"{matched:,} of {read:,} requests of the log are of these prompts"]
    if secret:
        notes.append(f"{secret:,} of them hold a secret, and are no cases")
    if not read:
        notes = ["no call of the log has the text of a request, so that no case can be drawn"]
    return {name: _spread(list(found.values())) for name, found in cases.items() if found}, notes


def _spread(found: list[dict[str, str]]) -> list[dict[str, str]]:
    """At most 20, evenly from the shortest to the longest."""
    ordered = sorted(found, key=lambda case: (sum(map(len, case.values())), str(case)))
    if len(ordered) <= MOST:
        return ordered
    return [ordered[round(at * (len(ordered) - 1) / (MOST - 1))] for at in range(MOST)]


def _patterns(prompt: FoundPrompt) -> list[tuple[str, re.Pattern[str], list[str]]] | None:
    if not prompt.variables() or any(message.jinja for message in prompt.messages):
        return None
    names = {code: name for name, code in prompt.variables().items()}
    found = []
    for message in prompt.messages:
        holes = [names[part.code] for part in message.text if isinstance(part, Hole)]
        text = [part if isinstance(part, Hole) else re.escape(part) for part in message.text]
        pattern = "".join("(.*?)" if isinstance(part, Hole) else part for part in text)
        found.append((message.role, re.compile(rf"\s*{pattern.strip()}\s*\Z", re.DOTALL), holes))
    return found


def _values(
    wanted: list[tuple[str, re.Pattern[str], list[str]]], prompt: FoundPrompt, messages: list[tuple[str, str]]
) -> dict[str, str] | None:
    if len(messages) != len(wanted):
        return None
    values: dict[str, str] = {}
    for (role, pattern, names), (said, text) in zip(wanted, messages, strict=True):
        match = pattern.match(text) if role == said else None
        if match is None:
            return None
        for name, value in zip(names, match.groups(), strict=True):
            if values.setdefault(name, value) != value:
                return None
    return values if set(values) == set(prompt.variables()) else None


def _messages(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    for place in PLACES:
        found = dig(record, place)
        found = as_json(found) if isinstance(found, str) and found[:1] in "[{" else found
        if isinstance(found, Mapping):
            found = found.get("messages", found.get("input"))
        if isinstance(found, list) and found:
            system = next(_texts([{"role": "system", "content": _system(record)}]), None)
            messages = list(_texts(found))
            return [system, *messages] if system and messages and messages[0][0] != "system" else messages
        if isinstance(found, str) and found.strip() and not found.strip().isdigit():
            return [("user", found)]
    return []


def _system(record: Mapping[str, Any]) -> Any:
    """The system text beside the messages, as Anthropic's requests and OpenAI's responses have it."""
    for place in ("request.body", "request", "request_body", "body", ""):
        inner = as_mapping(dig(record, place)) if place else record
        for key in ("system", "instructions"):
            if inner.get(key):
                return inner[key]
    return None


def _texts(messages: Sequence[Any]) -> Iterator[tuple[str, str]]:
    for message in messages:
        content = as_mapping(message).get("content")
        if isinstance(content, list):
            content = "".join(str(as_mapping(part).get("text", "")) for part in content)
        if isinstance(content, str) and content:
            yield str(as_mapping(message).get("role")), content
