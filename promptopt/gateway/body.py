"""What the bodies of all APIs have in common, and how one is read that may be anything."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

import jiter

# What reading JSON of another shape raises.
UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError)
# A model that ends so has said what it wanted.
_ENDED = frozenset({"stop", "tool_calls", "function_call"})


class BadBody(ValueError):
    """An answer with a good status that is not what the API promises.

    Attributes:
        body: What it is, if it is a JSON object; a client gets that as it is.
    """

    def __init__(self, message: str, body: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.body = body


class LongNumber(ValueError):
    """A whole number is in it that Python does not read, since that would take too long."""

    def __init__(self) -> None:
        super().__init__(f"a number in it has more than {sys.get_int_max_str_digits():,} digits")


def read_json(content: bytes, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """What ``json.loads`` gives, in a fraction of its time: the reader that the SDK's own streams go through.

    Args:
        pairs: Makes each object of its names and values, which may come twice.

    Raises:
        ValueError: It is not JSON; :class:`LongNumber` is one. ``RecursionError`` if it is nested too deeply.
    """
    try:
        return jiter.from_json(content, catch_duplicate_keys=pairs is not None)
    except ValueError:
        # Python's reader takes more: half a surrogate pair, a byte order mark, UTF-16, 200 levels and more.
        return json.loads(content, object_pairs_hook=pairs, parse_int=_whole_number)


def event_data(event: bytes) -> bytes:
    """The data of one server-sent event; its lines are one value."""
    return b"\n".join(line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:"))


def bodies_in(content: bytes, content_type: str) -> list[Any]:
    """The JSON of what came over the wire: one value, or that of each event.

    Raises:
        ValueError: It is none; ``RecursionError`` if it is nested too deeply.
    """
    if not content_type.startswith("text/event-stream"):
        return [json.loads(content)]
    found = [data for event in content.split(b"\n\n") if (data := event_data(event))]
    return [json.loads(data) for data in found if data != b"[DONE]"]


def _whole_number(digits: str) -> int:
    try:
        return int(digits)
    except ValueError:
        raise LongNumber from None


def listed(value: Any) -> list[Any]:
    """A list as it is, a text as a list of one, and nothing of what no API takes."""
    return value if isinstance(value, list) else [value] if isinstance(value, str) else []


def text_of(content: Any, between: str = "") -> str:
    """The text of a content: itself, or that of its parts; thoughts and pictures have none."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = [part if isinstance(part, str) else part.get("text") for part in content if isinstance(part, dict | str)]
    return between.join(text for text in texts if isinstance(text, str) and text)


def ended(reason: str, *, answered: bool, filtered: bool) -> tuple[bool, bool]:
    """Whether an answer may go to those who wait for the same, and whether the model ended it of its own accord.

    Args:
        answered: Whether there is a text or a call of a tool.
        filtered: Whether the provider took something out of it.
    """
    finished = reason in _ENDED and answered and not filtered
    return finished or (reason == "length" and not filtered), finished
