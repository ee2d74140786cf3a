"""Scorers that look at JSON in the response: ``is-json`` and ``contains-json``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from promptopt.files import json_problem
from promptopt.scorers.base import Subject, shorten, verdict
from promptopt.suites import Assertion
from promptopt.values import Score


class IsJson:
    """``is-json``: the whole response is JSON and valid under the schema in ``value``, if there is one.

    Looks at the response, not at what ``answer:`` reads out of it.
    """

    reads_answer: ClassVar[bool] = False
    options: ClassVar[tuple[str, ...]] = ()

    def __init__(self, assertion: Assertion) -> None:
        self._validator = _validator(assertion.value)

    def __call__(self, subject: Subject) -> Score:
        text = subject.response.text
        try:
            value = json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            return verdict(False, f"{shorten(text)} is not JSON: {error}")
        problem = _problem(self._validator, value)
        return verdict(problem is None, problem or "")


class ContainsJson:
    """``contains-json``: some JSON object or array in the response is valid under the schema, if there is one."""

    reads_answer: ClassVar[bool] = False
    options: ClassVar[tuple[str, ...]] = ()

    def __init__(self, assertion: Assertion) -> None:
        self._validator = _validator(assertion.value)

    def __call__(self, subject: Subject) -> Score:
        problem: str | None = f"no JSON in {shorten(subject.response.text)}"
        for value in _embedded(subject.response.text):
            problem = _problem(self._validator, value)
            if problem is None:
                break
        return verdict(problem is None, problem or "")


def _embedded(text: str) -> Iterator[Any]:
    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    position = 0
    while position < len(text):
        starts = [start for bracket in "{[" if (start := text.find(bracket, position)) >= 0]
        if not starts:
            return
        try:
            value, position = decoder.raw_decode(text, min(starts))
        except (ValueError, RecursionError):
            position = min(starts) + 1
        else:
            yield value


def _refuse_constant(name: str) -> None:
    # Python reads NaN and Infinity, which no other JSON parser takes.
    raise ValueError(f"{name} is not a JSON value")


def _validator(value: object) -> Any:
    """A validator of the schema in an assert's value: a mapping, or ``file://`` of one; ``None`` without a schema."""
    if value is None:
        return None
    import jsonschema
    from referencing.jsonschema import EMPTY_REGISTRY

    schema = _schema_file(value) if isinstance(value, str) else value
    if not isinstance(schema, Mapping):
        raise ValueError(f"needs a JSON schema as `value`, not {value!r}")
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise ValueError(f"the schema is not a JSON schema: {error.message}") from None
    # With this registry a remote $ref is an error; the default one would fetch it.
    return jsonschema.Draft202012Validator(schema, registry=EMPTY_REGISTRY)


def _schema_file(value: str) -> Any:
    path = Path(value.removeprefix("file://"))
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"the schema file {str(path)!r} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        problem, line = json_problem(error)
        raise ValueError(f"the schema file {f'{path}:{line}' if line else path} is not JSON: {problem}") from None


def _problem(validator: Any, value: object) -> str | None:
    if validator is None:
        return None
    from jsonschema.exceptions import best_match

    error = best_match(validator.iter_errors(value))
    return None if error is None else f"{error.json_path}: {error.message}"
