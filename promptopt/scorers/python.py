"""The ``python`` scorer: a function of the user's own."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

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
        self._function = _load(assertion.value.strip())
        self._threshold = 0.5 if assertion.threshold is None else assertion.threshold

    def __call__(self, subject: Subject) -> Score:
        context = {"vars": subject.variables, "response": subject.response, "output": subject.response.text}
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


def _load(name: str) -> Callable[[str, Mapping[str, Any]], Any]:
    if name.startswith("file://"):
        module_name, _, attribute = name.removeprefix("file://").partition(":")
        module = _from_file(Path(module_name))
        attribute = attribute or "get_assert"
    else:
        module_name, _, attribute = name.rpartition(":") if ":" in name else name.rpartition(".")
        if not module_name or not all(part.isidentifier() for part in f"{module_name}.{attribute}".split(".")):
            raise ValueError(f"{name!r} is not a dotted name such as `checks.tone`; code in a suite is not run")
        module = _import(module_name)
    function = getattr(module, attribute, None)
    if not callable(function):
        raise ValueError(f"{module_name} has no function {attribute!r}")
    return function  # type: ignore[no-any-return]  # whatever it is, its result is checked


def _import(name: str) -> Any:
    # As `python -m` does: the project's own modules are found from the current folder.
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except Exception as error:  # noqa: BLE001 - a user's module may raise anything
        raise ValueError(f"cannot import {name!r}: {type(error).__name__}: {error}") from None


def _from_file(path: Path) -> Any:
    if not path.is_file():
        raise ValueError(f"the file {str(path)!r} does not exist")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"the file {str(path)!r} is not Python")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # noqa: BLE001 - a user's module may raise anything
        raise ValueError(f"cannot import {str(path)!r}: {type(error).__name__}: {error}") from None
    return module
