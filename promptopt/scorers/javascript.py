"""The ``javascript`` scorer: an expression, the body of a function, or a function of a file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from promptopt.errors import MissingExtra
from promptopt.javascript import SUFFIXES, run_code, run_file
from promptopt.scorers.base import Subject, code_output
from promptopt.suites import Assertion
from promptopt.values import Score

_FILE = "file://"


class Javascript:
    """``javascript``: an expression or the body of a function over ``output`` and ``context``, or ``file://x.js:name``.

    The result is true or false, a number (passed from ``threshold`` on, without one above 0), or an object with
    ``pass``, ``score`` and ``reason``. Needs the extra ``js``; there is no Node, no file and no network.
    """

    reads_answer: ClassVar[bool] = True
    negates: ClassVar[bool] = True
    options: ClassVar[tuple[str, ...]] = ("config",)

    def __init__(self, assertion: Assertion) -> None:
        value = assertion.value
        if not isinstance(value, str) or not value.strip():
            raise ValueError(f"needs JavaScript as `value`, not {value!r}")
        self._assertion = assertion
        self._path: Path | None = None
        self._name = ""
        if value.startswith(_FILE):
            self._path, self._name = _file(value)
        self.reads_prompt = "prompt" in (self._path.read_text(errors="replace") if self._path else value)
        _available()

    def __call__(self, subject: Subject) -> Score:
        output, context = code_output(subject), context_of(subject, self._assertion)
        if self._path is not None:
            result = run_file(self._path, self._name, [output, context])
        else:
            result = run_code(self._assertion.value, {"output": output, "context": context})
        return graded(result, self._assertion, whole=False)


def _file(value: str) -> tuple[Path, str]:
    """The file and the function of a ``file://``.

    Raises:
        ValueError: There is no such file, or it is not JavaScript.
    """
    name, colon, function = value.removeprefix(_FILE).rpartition(":")
    if not colon or not name or set(function) & set("/\\."):
        name, function = value.removeprefix(_FILE), ""
    path = Path(name)
    if path.suffix.lower() not in SUFFIXES:
        typed = path.suffix.lower() in (".ts", ".mts", ".cts")
        remedy = "compile TypeScript first: npx tsc FILE" if typed else f"known endings: {', '.join(SUFFIXES)}"
        raise ValueError(f"{name!r} is not JavaScript; {remedy}")
    if not path.is_file():
        raise ValueError(f"the file {name!r} does not exist")
    return path, function


def _available() -> None:
    """Raises MissingExtra before anything is called or paid."""
    from importlib.util import find_spec

    if find_spec("quickjs") is None:
        raise MissingExtra("quickjs-ng", "js", "the assert javascript")


def context_of(subject: Subject, assertion: Assertion) -> dict[str, Any]:
    """What promptfoo gives code beside the output: the case, the call, and the ``config`` of the assert."""
    response, usage = subject.response, subject.response.usage
    provided: dict[str, Any] = {
        "output": response.output,
        "finishReason": response.finish_reason,
        "cost": None if subject.cost is None else float(subject.cost.total_usd),
        "latencyMs": None if response.duration_s is None else response.duration_s * 1000,
    }
    if usage is not None:
        total = usage.input_tokens + usage.output_tokens
        provided["tokenUsage"] = {"total": total, "prompt": usage.input_tokens, "completion": usage.output_tokens}
    variables = dict(subject.variables)
    context: dict[str, Any] = {
        "vars": variables,
        "prompt": subject.prompt,
        "test": {"vars": variables, **subject.test},
        "provider": {"id": response.model},
        "providerResponse": {key: value for key, value in provided.items() if value is not None},
        "metadata": {},
    }
    if response.logprobs:
        context["logProbs"] = list(response.logprobs)
    if "config" in assertion.options:
        context["config"] = assertion.options["config"]
    return context


def graded(result: Any, assertion: Assertion, *, whole: bool) -> Score:
    """The score of what code returned: true or false, a number, or a mapping with ``pass``, ``score`` and ``reason``.

    ``not-`` turns what passes, and keeps the score of a number or a mapping, as in promptfoo.

    Args:
        whole: Whether a mapping must reach ``threshold`` too.

    Raises:
        TypeError: It is something else.
    """
    threshold = assertion.threshold
    if isinstance(result, bool):
        passed = result is not assertion.negated
        return Score("", float(passed), passed, "" if passed else f"returned {str(result).lower()}")
    if isinstance(result, (int, float)):
        value = float(result)
        passed = (value > 0 if threshold is None else value >= threshold) is not assertion.negated
        return _within(value, passed, "" if passed else f"scored {value:g}")
    if not isinstance(result, Mapping):
        shown = json.dumps(result, ensure_ascii=False, default=str)
        raise TypeError(f"returned {shown:.80}, which is not true or false, a number, or {{pass, score, reason}}")
    given, score, reason = result.get("pass"), result.get("score"), result.get("reason")
    if not isinstance(given, bool) or isinstance(score, bool) or not isinstance(score, (int, float)):
        raise TypeError(f"returned {dict(result)!r:.80}: `pass` must be true or false, and `score` a number")
    if not isinstance(reason, str):
        raise TypeError(f"returned {dict(result)!r:.80} without a text as `reason`")
    if whole and threshold is not None and score < threshold:
        given, reason = False, f"the score {score:g} is below {threshold:g}" + (f": {reason}" if reason else "")
    return _within(float(score), given is not assertion.negated, reason)


def _within(value: float, passed: bool, why: str) -> Score:
    if math.isnan(value):
        raise ValueError("returned NaN, which is not a score")
    share = min(1.0, max(0.0, value))
    if share != value:
        why = "; ".join(part for part in (why, f"the score {value:g} counts as {share:g}") if part)
    return Score("", share, passed, why)
