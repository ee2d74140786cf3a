"""Values of a record of a log, checked: a count is a whole number that is not negative, a time is a time."""

from __future__ import annotations

import ast
import json
import math
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from promptopt.auditing.log import LoggedCall

LARGEST = 2**53
"""No count of tokens is that large."""
# Seconds since 1970 have ten digits until 2286; more digits are milliseconds, microseconds, nanoseconds.
MILLISECONDS = 1e11
_UNITS = ((1e17, 1e9), (1e14, 1e6), (MILLISECONDS, 1e3))
_LONGEST_LITERAL = 1_000_000
"""Characters of Python's literals that are read; its parser takes far more memory than that of JSON."""
_LAST_MOMENT = 253_402_300_800
"""The year 10000."""
_GROUPED = re.compile(r"\d{1,3}(?:(?P<mark>[.,' _\u00a0\u2009\u202f\u2019])\d{3})(?:(?P=mark)\d{3})*")
_ABSENT = frozenset({"", "null", "none", "nan", "nat", "\\n"})
"""How tables write a value that is not there, in small letters."""


class BadRow(ValueError):
    """A row that cannot be read; the message says why."""


class LogReader(Protocol):
    """What reads one format."""

    NAME: str
    """How ``--format`` names it."""

    def recognises(self, record: Mapping[str, Any]) -> bool:
        """Whether a record is of this format."""

    def calls(self, record: Mapping[str, Any]) -> Iterator[LoggedCall | BadRow]:
        """The calls that a record holds; none if it is something else, such as the span of a chain.

        One of several that cannot be read is given as the error.

        Raises:
            BadRow: It is a call that cannot be read.
        """


def dig(record: Any, *paths: str) -> Any:
    """The first value that is there: ``a.b`` is ``b`` in ``a``, where ``a`` may be JSON as text."""
    return _found(record, paths)[0]


def _found(record: Any, paths: Sequence[str]) -> tuple[Any, str]:
    """The first value that is there, and its path."""
    for path in paths:
        value = record
        for name in path.split("."):
            value = as_mapping(value).get(name)
            if value is None:
                break
        if value is not None and value != "":
            return value, path
    return None, paths[0]


def as_mapping(value: Any) -> Mapping[str, Any]:
    """A mapping, also out of JSON as text; an empty one for anything else."""
    if isinstance(value, str) and value[:1] == "{":
        value = as_json(value)
    return value if isinstance(value, Mapping) else {}


def as_json(text: str) -> Any:
    """The value of a JSON text; the text itself if it is not JSON.

    Tables that Python wrote have its own literals in the place of JSON: ``{'cached_tokens': 10, 'audio': None}``.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    if text[:1] not in ("{", "[") or len(text) > _LONGEST_LITERAL:
        return text
    try:
        with warnings.catch_warnings(action="ignore"):
            return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return text


def said_mapping(record: Any, *paths: str) -> Mapping[str, Any]:
    """The mapping that is there first, which has counts of tokens; an empty one if there is none.

    Raises:
        BadRow: There is a text that holds none: what it counts would be missing without a word.
    """
    value, path = _found(record, paths)
    if isinstance(value, str) and not is_absent(value) and not isinstance(as_json(value), Mapping):
        raise BadRow(f"{path} is {_shown(value)}, which is no JSON object")
    return as_mapping(value)


def count(record: Any, *paths: str) -> int | None:
    """A count of tokens; ``None`` if there is none.

    Raises:
        BadRow: It is negative, or not a whole number.
    """
    return as_count(*_found(record, paths))


def as_count(value: Any, name: str) -> int | None:
    """A value as a count of tokens; ``None`` if there is none.

    Raises:
        BadRow: It is negative, or not a whole number.
    """
    if type(value) is int and 0 <= value < LARGEST:
        return value
    if is_absent(value) or isinstance(value, bool):
        return None
    if isinstance(value, str):
        value = _ungrouped(value, name)
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise BadRow(f"{name} is {_shown(value)}, not a count of tokens") from None
    if not number.is_integer() or not 0 <= number < LARGEST:
        raise BadRow(f"{name} is {_shown(value)}, not a count of tokens")
    return int(number)


def _ungrouped(written: str, name: str) -> str:
    """A count without the marks between its thousands: ``1,234``, ``1 234``, ``1'234``, ``1.234.567``.

    Raises:
        BadRow: It has one point before three digits, and may be a fraction or thousands.
    """
    if not _GROUPED.fullmatch(written.strip()):
        return written
    if written.count(".") == 1:
        raise BadRow(f"{name} is {_shown(written)}: thousands, or a fraction? write counts as digits only")
    return "".join(each for each in written if each.isdecimal())


def is_absent(value: Any) -> bool:
    """Whether a value is not there: nothing, NaN, or the word that a database or a table writes for it."""
    if isinstance(value, str):
        return len(value) <= 4 and value.strip().lower() in _ABSENT
    return value is None or value != value  # noqa: PLR0124 - only NaN is not itself


def tokens(record: Any, *paths: str) -> int:
    """A count of tokens: the first that is not 0, as a format may write one count under several names."""
    return next((found for path in paths if (found := count(record, path))), 0)


def setting(record: Any, *paths: str) -> int | None:
    """A count that a request sets; ``None`` if it sets none, or writes it as no number (``-1``, ``"null"``)."""
    try:
        return count(record, *paths)
    except BadRow:
        return None


def needed(input_tokens: int | None, output_tokens: int | None) -> None:
    """Refuse a call without any tokens, and one that was answered without being asked: its input is not known.

    Raises:
        BadRow: Neither is there, or there is output only.
    """
    if input_tokens is None and output_tokens is None:
        raise BadRow("has no token counts")
    if input_tokens is None and output_tokens:
        raise BadRow("has output tokens, and no count of input tokens")


def real(record: Any, *paths: str) -> float | None:
    """A number that is not negative; ``None`` if there is none.

    Raises:
        BadRow: It is something else.
    """
    return as_real(*_found(record, paths))


def as_real(value: Any, name: str) -> float | None:
    """A value as a number that is not negative; ``None`` if there is none.

    Raises:
        BadRow: It is something else.
    """
    if is_absent(value) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise BadRow(f"{name} is {_shown(value)}, not a number") from None
    if not math.isfinite(number) or number < 0:
        raise BadRow(f"{name} is {_shown(value)}")
    return number


def as_quality(value: Any, name: str) -> float | None:
    """A judgement from 0 to 1, which may be a truth value or a word; ``None`` if there is none.

    Raises:
        BadRow: It is a number outside, such as of another scale, or no judgement.
    """
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, str) and value.strip().lower() in _JUDGED:
        return _JUDGED[value.strip().lower()]
    found = as_real(value, name)
    if found is not None and found > 1:
        raise BadRow(f"{name} is {_shown(value)}, not from 0 to 1")
    return found


_JUDGED = {
    **dict.fromkeys(("true", "yes", "good", "pass", "passed", "correct", "up", "positive"), 1.0),
    **dict.fromkeys(("false", "no", "bad", "fail", "failed", "incorrect", "down", "negative"), 0.0),
}


def text(record: Any, *paths: str) -> str | None:
    """A text; other plain values as their text."""
    value = dig(record, *paths)
    if value is None or isinstance(value, Mapping | list):
        return None
    return str(value)


EFFORT = ("reasoning_effort", "reasoning.effort", "output_config.effort", "reasoningEffort", "reasoning.level")
"""Where the settings of a call have its reasoning effort."""


def first_text(value: Any) -> str | None:
    """The first of a list of tags."""
    if isinstance(value, str) and value[:1] == "[":
        value = as_json(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return next((str(each) for each in value if each), None)
    return str(value) if value else None


def moment(record: Any, *paths: str) -> float | None:
    """A time in seconds since 1970: ISO 8601 (UTC if it names no zone), or a number in s, ms, us or ns.

    Raises:
        BadRow: It is not a time.
    """
    return as_moment(*_found(record, paths))


def as_moment(value: Any, name: str) -> float | None:
    """A value as a time in seconds since 1970, as :func:`moment`.

    Raises:
        BadRow: It is not a time.
    """
    if is_absent(value):
        return None
    if type(value) is float and 0 <= value < MILLISECONDS:
        return value
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    try:
        return _scaled(float(value))
    except (TypeError, ValueError, OverflowError):
        pass
    try:
        found = datetime.fromisoformat(_trimmed(str(value)))
    except ValueError:
        raise BadRow(f"{name} is {_shown(value)}, not a time") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _scaled(number: float) -> float:
    if not math.isfinite(number) or number < 0:
        raise ValueError(number)
    for edge, unit in _UNITS:
        if number >= edge and number / unit < _LAST_MOMENT:
            return number / unit
    if number >= _LAST_MOMENT:
        raise ValueError(number)
    return number


def _trimmed(written: str) -> str:
    """A time with six digits of a second at most: Azure and Go write seven or nine."""
    head, dot, rest = written.strip().partition(".")
    digits = len(rest) - len(rest.lstrip("0123456789"))
    return f"{head}{dot}{rest[: min(digits, 6)]}{rest[digits:]}".removesuffix(" UTC")


def seconds_between(start: float | None, end: float | None) -> float | None:
    """A duration; ``None`` if a clock went back."""
    return None if start is None or end is None or end < start else end - start


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:59]}…"


CUT_OFF = frozenset({"length", "max_tokens", "max_output_tokens", "MAX_TOKENS", "incomplete"})
"""Finish reasons of an answer that ended at its cap."""


def is_cut_off(reason: Any) -> bool:
    """Whether a finish reason, or the only one of a list, says that the answer ended at its cap."""
    return first_text(reason) in CUT_OFF
