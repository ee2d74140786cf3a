"""``assert-set``: several asserts that count as one, with a threshold of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from promptopt.scorers.base import Subject, make_check
from promptopt.suites import ASSERT_KEYS, Assertion
from promptopt.values import Score


class AssertSet:
    """The weighted mean of its asserts; it passes from ``threshold`` on, and without one if each of them passes."""

    reads_answer: ClassVar[bool] = False
    options: ClassVar[tuple[str, ...]] = ("assert",)

    def __init__(self, assertion: Assertion) -> None:
        written = assertion.options.get("assert", assertion.value)
        if not isinstance(written, list) or not written:
            raise ValueError("needs a list of asserts as `assert`")
        self._checks = [make_check(_assertion(entry), "assert-set") for entry in written]
        if asking := [check.assertion.name for check in self._checks if getattr(check, "asks", False)]:
            raise ValueError(f"{asking[0]} asks a model, which a set with a threshold cannot: put it beside the set")
        self._threshold = assertion.threshold

    def __call__(self, subject: Subject) -> Score | None:
        found = [(check, score) for check in self._checks if (score := check(subject)) is not None]
        if not found:
            return None
        total = sum(check.assertion.weight for check, _ in found)
        value = sum(check.assertion.weight * score.value for check, score in found) / total if total else 1.0
        failed = [(check, score) for check, score in found if not score.passed and check.assertion.weight]
        passed = not failed if self._threshold is None else value >= self._threshold
        why = "; ".join(f"{check.assertion.name}: {score.explanation}" for check, score in failed)
        broken = any(score.broken and check.assertion.weight for check, score in found)
        return Score("", value, passed, "" if passed else why or f"scored {value:g}", broken)


def _assertion(entry: Any) -> Assertion:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("type"), str):
        raise ValueError(f"an assert without a type: {entry!r:.80}")
    kind = entry["type"]
    threshold, weight = entry.get("threshold"), entry.get("weight", 1)
    return Assertion(
        type=kind.removeprefix("not-"),
        negated=kind.startswith("not-"),
        value=entry.get("value"),
        threshold=None if threshold is None else float(threshold),
        weight=float(weight),
        options={key: value for key, value in entry.items() if key not in ASSERT_KEYS},
        metric=entry.get("metric"),
    )
