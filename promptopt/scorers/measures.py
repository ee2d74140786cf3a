"""Scorers of numbers: the answer as a number, and the call's cost and latency."""

from __future__ import annotations

import math
import re
from typing import ClassVar

from promptopt.scorers.base import Subject, shorten, verdict
from promptopt.suites import Assertion
from promptopt.values import Score

# A typographic text has other signs for a minus; an en dash after a word or a number is none.
_NUMBER = re.compile(
    r"(?P<minus>[-\u2212\u2010\u2011\ufe63\uff0d]|(?<![0-9A-Za-z])\u2013)?\+?[$€£¥₹₩]?"
    r"(?P<digits>(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?)",
    re.ASCII,
)
# A fraction or a power in one sign makes another number of the digits before it.
_NOT_READ = re.compile(r"[¼-¾⅐-⅟↉]|(?<=[0-9])[⁰¹²³⁴-⁹⁺⁻]")


class Numeric:
    """``numeric``: the answer is a number within ``tolerance`` of ``value``.

    ``tolerance`` is an amount (``0.01``) or a share of the value (``1%``); by default 0. The answer may have words
    around one number (``about 1,200 euros``, ``-$5``); with two different numbers, or a fraction or a power in one
    sign (``1½``, ``10³``), it is not clear and fails.
    """

    reads_answer: ClassVar[bool] = True
    options: ClassVar[tuple[str, ...]] = ("tolerance",)

    def __init__(self, assertion: Assertion) -> None:
        self._value = _number(assertion.value, "value")
        self._tolerance = self._read_tolerance(assertion.options.get("tolerance", 0))

    def _read_tolerance(self, tolerance: object) -> float:
        if isinstance(tolerance, str) and tolerance.endswith("%"):
            return abs(self._value) * _number(tolerance[:-1], "tolerance") / 100
        amount = _number(tolerance, "tolerance")
        if amount < 0:
            raise ValueError(f"tolerance: {tolerance!r} is negative")
        return amount

    def __call__(self, subject: Subject) -> Score:
        answer = subject.answer or ""
        if unread := _NOT_READ.search(answer):
            return verdict(False, f"{shorten(answer)} holds {unread[0]!r}, which is not read as a part of a number")
        found = {_read(match) for match in _NUMBER.finditer(answer)}
        if len(found) != 1:
            return verdict(False, f"{shorten(answer)} holds {'no' if not found else 'more than one'} number")
        number = found.pop()
        # A hair more than the tolerance, so that 0.3 is within 0.1 of 0.2 in binary floating point too.
        near = math.isclose(number, self._value, rel_tol=1e-12, abs_tol=self._tolerance * (1 + 1e-9))
        return verdict(near, f"{number:g} is not within {self._tolerance:g} of {self._value:g}")


class CostBelow:
    """``cost``: the call's list cost is at most ``threshold`` dollars; a replay is judged as well."""

    reads_answer: ClassVar[bool] = False
    options: ClassVar[tuple[str, ...]] = ()

    def __init__(self, assertion: Assertion) -> None:
        if assertion.threshold is None:
            raise ValueError("needs a `threshold` in dollars per call")
        self._limit = assertion.threshold

    def __call__(self, subject: Subject) -> Score:
        if subject.cost is None:
            raise LookupError("the model is unpriced; name a price with --price-as or in [tool.promptopt.prices]")
        usd = float(subject.cost.total_usd)
        return verdict(usd <= self._limit, f"${usd:.6f} is more than ${self._limit:.6f}")


class LatencyBelow:
    """``latency``: the request took at most ``threshold`` milliseconds. A replay is not judged."""

    reads_answer: ClassVar[bool] = False
    options: ClassVar[tuple[str, ...]] = ()

    def __init__(self, assertion: Assertion) -> None:
        if assertion.threshold is None:
            raise ValueError("needs a `threshold` in milliseconds")
        self._limit_ms = assertion.threshold

    def __call__(self, subject: Subject) -> Score | None:
        if subject.response.duration_s is None:
            return None
        taken = subject.response.duration_s * 1000
        return verdict(taken <= self._limit_ms, f"{taken:.0f} ms is more than {self._limit_ms:.0f} ms")


def _read(match: re.Match[str]) -> float:
    number = float(match["digits"].replace(",", ""))
    return -number if match["minus"] else number


def _number(value: object, name: str) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]  # what float cannot read is refused below
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{name}: {value!r} is not a number")
    return number
