"""The ``python`` scorer: a function of the user's own, or an inline expression."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from promptopt.functions import load_function
from promptopt.scorers.base import Subject, code_output
from promptopt.scorers.javascript import context_of, graded
from promptopt.suites import Assertion
from promptopt.values import Score

_USUAL = 0.5
_NO_CODE = compile("", "", "exec")


class Python:
    """``python``: ``checks.tone``, ``checks:tone``, ``file://checks.py:tone``, or code of its own.

    A function is called with the answer and a mapping (``vars``, ``response``, ``output`` for the whole text,
    ``config`` of the assert) and returns a ``bool``, a number between 0 and 1 (passed from ``threshold``, by default
    0.5), a mapping with ``pass``, ``score`` and ``reason``, or a :class:`~promptopt.values.Score`.

    Inline code is an expression over ``output`` and ``context``, or in several lines the body of a function, and gives
    what promptfoo takes: a number passes above 0 if there is no ``threshold``. It is run as any Python is: use suites
    that you trust.
    """

    reads_answer: ClassVar[bool] = True
    negates: ClassVar[bool] = True
    options: ClassVar[tuple[str, ...]] = ("config",)

    def __init__(self, assertion: Assertion) -> None:
        if not isinstance(assertion.value, str) or not assertion.value.strip():
            raise ValueError(f"needs the name of a function or an expression as `value`, not {assertion.value!r}")
        value = assertion.value.strip()
        self._assertion = assertion
        self._inline = not value.startswith("file://") and not _is_name(value)
        self._function: Callable[[str, Mapping[str, Any]], Any]
        self._function = _inline(assertion.value) if self._inline else load_function(value, default="get_assert")
        # What was sent is rendered again only for code that looks at it.
        self.reads_prompt = "prompt" in value or "prompt" in getattr(self._function, "__code__", _NO_CODE).co_consts

    def __call__(self, subject: Subject) -> Score:
        context = context_of(subject, self._assertion)
        if self._inline:
            result = self._function(code_output(subject), context)
            return graded(_read(result) if isinstance(result, str) else _named(result), self._assertion, whole=True)
        context |= {"vars": subject.variables, "response": subject.response, "output": subject.response.output}
        return self._score(self._function(subject.answer or "", context))

    def _score(self, result: Any) -> Score:
        """The score of what a function returned."""
        negated, threshold = self._assertion.negated, self._assertion.threshold
        if isinstance(result, Score):
            value, passed = float(result.value), result.passed is not negated
            return Score("", _checked(1 - value if negated else value), passed, result.explanation)
        if isinstance(result, bool):
            passed = result is not negated
            return Score("", float(passed), passed, "" if passed else f"returned {result}")
        least = _USUAL if threshold is None else threshold
        if isinstance(result, (int, float)):
            passed = (_checked(float(result)) >= least) is not negated
            return Score("", float(result), passed, "" if passed else f"scored {result:g}")
        if not isinstance(result, Mapping):
            raise TypeError(f"returned {result!r}, which is not a bool, a number, a mapping or a Score")
        found = _named(result)
        value = _checked(float(found.get("score", 1.0 if found.get("pass") else 0.0)))
        given = value >= least if found.get("pass") is None else bool(found["pass"])
        # As in promptfoo, a threshold holds beside `pass`.
        passed = (given and (threshold is None or value >= threshold)) is not negated
        return Score("", value, passed, str(found.get("reason", "")) or ("" if passed else f"scored {value:g}"))


def _checked(value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"returned the score {value!r}, which is not between 0 and 1")
    return value


def _named(result: Any) -> Any:
    """A mapping with what Python cannot write as a keyword, ``pass_``, under promptfoo's name; else as it is."""
    if isinstance(result, Mapping) and "pass_" in result and "pass" not in result:
        return {**result, "pass": result["pass_"]}
    return result


def _is_name(value: str) -> bool:
    """Whether it is ``package.module.function`` or ``package.module:function``, and not an expression."""
    module, _, function = value.rpartition(":" if ":" in value else ".")
    parts = [*module.split("."), function]
    # `output.isdigit` and `context.vars` are expressions.
    return bool(module) and all(part.isidentifier() for part in parts) and parts[0] not in ("output", "context")


def _inline(code: str) -> Callable[[str, Mapping[str, Any]], Any]:
    """A function over ``output`` and ``context`` whose value is the expression, or whose body is the code.

    Raises:
        ValueError: It is not Python.
    """
    body = textwrap.dedent(code).strip() if "\n" in code.rstrip() else f"return {code.strip()}"
    source = "def check(output, context):\n" + textwrap.indent(body, "    ", lambda _line: True) + "\n"
    try:
        compiled = compile(source, "<assert>", "exec")
    except SyntaxError as error:
        line = max(1, (error.lineno or 2) - 1)
        raise ValueError(f"is not Python: {error.msg} in line {line}: {(error.text or '').strip()!r}") from None
    names: dict[str, Any] = {"json": json}
    exec(compiled, names)  # noqa: S102 - it defines the function; a suite's author runs code of their own, as with file://
    found: Callable[[str, Mapping[str, Any]], Any] = names["check"]
    return found


def _read(text: str) -> Any:
    """A text that Python printed as what it says: true, false, a number, or a mapping."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return json.loads(text) if text.startswith("{") else float(text)
    except ValueError:
        raise TypeError(
            f"returned {text!r:.80}, which is not true or false, a number, or {{pass, score, reason}}"
        ) from None
