"""A first suite out of a log: a few of its requests, of every kind, no two alike, without addresses and secrets."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptopt.auditing.readers.fields import as_json, as_mapping, dig
from promptopt.auditing.readers.files import logged_records
from promptopt.errors import InputError
from promptopt.secrets import find_any_secret

_SEED = 1
PLACES = (
    "request.body.messages", "request.messages", "request.body.input", "request.input", "request_body.messages",
    "proxy_server_request.messages", "messages", "input", "body.messages",
)  # fmt: skip
_DATE = r"(?:\d{4}[./-]\d\d?[./-]\d\d?|\d\d?[./-]\d\d?[./-]\d{4})\b"
# What names a person, by what it looks like; the reader of the suite looks for the rest.
_PERSONAL = (
    (re.compile(r"[\w.+-]+(?:'[\w.+-]+)*@[\w-]+\.[\w.-]*\w"), "[e-mail]"),
    (re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b"), "[account]"),
    # A card has 13 digits and more, which no phone number has without its plus.
    (re.compile(r"(?<![\w.+])\d(?:[ -]?\d){12,18}(?!\w)"), "[account]"),
    (re.compile(rf"(?<![\w.])(?!{_DATE})\(?\+?\(?\d(?:[ ()/.-]{{0,2}}\d){{8,14}}(?!\w)"), "[phone]"),
)


@dataclass(frozen=True, slots=True)
class SeedCase:
    """A request of the log as a case.

    Attributes:
        kind: Its prompt or tag.
        text: The last message of the user, scrubbed.
    """

    kind: str
    text: str


def seed_suite(paths: Sequence[Path], size: int, *, format_name: str | None, columns: tuple[str, ...]) -> str:
    """A suite in YAML with ``size`` requests of a log: the kinds of calls, and short and long ones, by turns.

    Raises:
        InputError: No call of the log has a text.
    """
    import yaml

    seen: set[str] = set()
    kinds: defaultdict[tuple[str, int], list[SeedCase]] = defaultdict(list)
    for call, record in logged_records(paths, format_name=format_name, columns=columns):
        text = _question(record)
        if text is None or find_any_secret(text) is not None:
            continue
        alike = " ".join(re.sub(r"\W+", " ", text.casefold()).split())
        if alike not in seen:
            seen.add(alike)
            kind = call.prompt or call.tag or "call"
            # Twice as long is another stratum.
            kinds[kind, len(text).bit_length()].append(SeedCase(kind, scrubbed(text)))
    if not kinds:
        raise InputError("no call of the log has the text of a request, so that no case can be drawn")
    cases = list(_by_turns(kinds, size))
    tests = [
        {"description": f"{case.kind} {number}", "vars": {"input": case.text}, "metadata": {"kind": case.kind}}
        for number, case in enumerate(cases, 1)
    ]
    head = (
        "# Requests of a log. Addresses, phone numbers and account numbers are replaced; read each before you commit\n"
        "# it, and say with `assert` what a good answer is.\n"
    )
    return head + yaml.safe_dump({"tests": tests}, sort_keys=False, allow_unicode=True, width=120)


def _by_turns(kinds: Mapping[tuple[str, int], list[SeedCase]], size: int) -> Iterator[SeedCase]:
    draw = random.Random(_SEED)  # noqa: S311 - a sample, not a secret
    pools = [draw.sample(kinds[key], len(kinds[key])) for key in sorted(kinds)]
    taken = 0
    while pools and taken < size:
        for pool in pools:
            if taken == size:
                return
            taken += 1
            yield pool.pop()
        pools = [pool for pool in pools if pool]


def _question(record: Mapping[str, Any]) -> str | None:
    """The last text of the user in a request."""
    for place in PLACES:
        found = dig(record, place)
        found = as_json(found) if isinstance(found, str) and found[:1] in "[{" else found
        if isinstance(found, Mapping):
            found = found.get("messages", found.get("input"))
        # Plain rows may have the count of tokens under this name.
        if isinstance(found, str) and found.strip() and not found.strip().isdigit():
            return found
        if isinstance(found, list):
            for message in reversed(found):
                text = _text(as_mapping(message).get("content")) if as_mapping(message).get("role") == "user" else None
                if text:
                    return text
    return None


def _text(content: Any) -> str | None:
    if isinstance(content, list):
        parts = [as_mapping(part).get("text") for part in content]
        return "\n".join(part for part in parts if isinstance(part, str)) or None
    return content if isinstance(content, str) and content.strip() else None


def scrubbed(text: str) -> str:
    """The text without addresses, phone numbers and account numbers."""
    for pattern, instead in _PERSONAL:
        text = pattern.sub(instead, text)
    return text
