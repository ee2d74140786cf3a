"""The ``python`` scorer: a function of the user's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from promptopt.functions import load_function
from promptopt.scorers.base import Subject
from promptopt.suites import Assertion
from promptopt.values import Score


class Python:
    """``python``: a dotted name (``checks.tone``, ``checks:tone``) or ``file://checks.py:tone``.

    The function is called with the answer and a mapping (``vars``, ``response``, ``output`` for the whole text) and
    returns a ``bool``, a number between 0 and 1 (passed from ``threshold``, by default 0.5), a mapping with ``pass``,
    ``score`` and ``reason``, or a :class:`~promptopt.values.Score`.
    """

    reads_answer: ClassVar[bool] = True
    options: ClassVar[tuple[str, ...]] = ()

    def __init__(self, assertion: Assertion) -> None:
        if not isinstance(assertion.value, str):
            raise ValueError(f"needs the name of a function as `value`, not {assertion.value!r}")
        name = assertion.value.strip()
        self._function: Callable[[str, Mapping[str, Any]], Any] = load_function(name, default="get_assert")
        self._threshold = 0.5 if assertion.threshold is None else assertion.threshold

    def __call__(self, subject: Subject) -> Score:
        context = {"vars": subject.variables, "response": subject.response, "output": subject.response.output}
        result = self._function(subject.answer or "", context)
        if isinstance(result, Score):
            return self._graded(result.value, result.passed, result.explanation)
        if isinstance(result, bool):
            return Score("", float(result), result, "" if result else "returned False")
        if isinstance(result, (int, float)):
            return self._graded(float(result), None, "")
        if isinstance(result, Mapping):
            passed = result.get("pass", result.get("pass_"))
            score = result.get("score", 1.0 if passed else 0.0)
            return self._graded(float(score), passed, str(result.get("reason", "")))
        raise TypeError(f"returned {result!r}, which is not a bool, a number, a mapping or a Score")

    def _graded(self, value: float, passed: bool | None, reason: str) -> Score:
        if not 0 <= value <= 1:
            raise ValueError(f"returned the score {value!r}, which is not between 0 and 1")
        passed = value >= self._threshold if passed is None else bool(passed)
        return Score("", value, passed, reason or ("" if passed else f"scored {value:g}"))
