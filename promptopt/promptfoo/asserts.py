"""The asserts of a config as asserts of this project, with the variables of their case filled in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from promptopt.errors import PromptoptError, SuiteError
from promptopt.promptfoo.document import ConfigFile, copy_mapping, is_script, plain, read_data, split_function
from promptopt.promptfoo.nunjucks import NunjucksEnvironment, is_rendered, render, render_all
from promptopt.promptfoo.providers import model_name
from promptopt.registry import load, registered
from promptopt.scorers.base import make_check
from promptopt.suites import ASSERT_KEYS, Assertion
from promptopt.suites.variables import FILE
from promptopt.values import canonical_json
from promptopt.yaml import line_of

_CODE = ("javascript", "python", "ruby")
# Their value may be a schema in a file, which the scorer opens.
_SCHEMAS = ("is-json", "contains-json", "is-valid-openai-function-call", "is-valid-openai-tools-call")
_ALIASES = {
    "model-graded-factuality": "factuality",
    "max-score": "max-score",
    "is-valid-function-call": "is-valid-function-call",
}
# What only promptfoo uses of an assert.
_PASSED_OVER = ("description", "id", "tags")


class Asserts:
    """Reads asserts; one that this project cannot score is left out with a note, once for all cases.

    Attributes:
        read: How many there are; ``kept``: how many of them can be scored.
        asks: Whether one of them asks a model and does not say which.
    """

    def __init__(self, document: ConfigFile, environment: NunjucksEnvironment) -> None:
        self._document, self._environment = document, environment
        # Whether an assert can be made, by what it says; of a large suite most say the same.
        self._made: dict[str, bool] = {}
        self.read = self.kept = 0
        self.asks = False

    def of(self, written: Any, variables: Mapping[str, Any]) -> Iterator[Assertion]:
        """The asserts of a list with the variables of a case."""
        written = self._loaded(written)
        for entry in written if isinstance(written, list) else [] if written is None else [written]:
            for flat, weight in self._flat(self._loaded(entry), 1.0):
                self.read += 1
                found = self._assertion(flat, weight, variables)
                if found is not None:
                    self.kept += 1
                    yield found

    def _loaded(self, value: Any) -> Any:
        try:
            return self._document.load(value)
        except SuiteError as error:
            self._document.note("left out", f"the asserts of {value!r:.60}: {error.message}")
            return None

    def _flat(self, entry: Any, weight: float) -> Iterator[tuple[Any, float]]:
        """Each assert with its share; a set without a threshold is no more than its asserts."""
        if not isinstance(entry, Mapping) or entry.get("type") != "assert-set" or entry.get("threshold") is not None:
            yield entry, weight
            return
        inner = [each for each in entry.get("assert") or [] if isinstance(each, Mapping)]
        total = sum(_number(each.get("weight"), 1.0) for each in inner)
        for each in inner:
            share = _number(each.get("weight"), 1.0) / total if total else 0.0
            named = {**each, "metric": each.get("metric", entry.get("metric"))} if entry.get("metric") else each
            whole = weight * _number(entry.get("weight"), 1.0) * share
            yield from self._flat(copy_mapping(each, {**named, "weight": whole}), 1.0)

    def _assertion(self, entry: Any, weight: float, variables: Mapping[str, Any]) -> Assertion | None:
        if entry is None:
            # What a `$ref` names that is not there; a note says so.
            return None
        if not isinstance(entry, Mapping) or not isinstance(entry.get("type"), str):
            self._document.note("left out", f"an assert without a type: {str(entry)[:60]!r}", entry)
            return None
        written = entry["type"]
        kind = written.removeprefix("not-")
        kind = _ALIASES.get(kind, kind)
        try:
            assertion = Assertion(
                type=kind,
                negated=written.startswith("not-"),
                value=self._value(entry, kind, variables),
                threshold=self._threshold(entry, variables),
                weight=weight * _number(entry.get("weight"), 1.0),
                options=self._options(entry, kind, variables),
                metric=self._metric(entry, variables),
                line=line_of(entry),
            )
        except (PromptoptError, ValueError, OSError) as error:
            self._leave_out(entry, getattr(error, "message", None) or str(error))
            return None
        return assertion if self._can_be_made(assertion, entry) else None

    def _leave_out(self, entry: Mapping[str, Any], why: str, remedy: str = "") -> None:
        self._document.note("left out", f"the assert {entry['type']}: {why}", entry, "type", remedy)

    def _can_be_made(self, assertion: Assertion, entry: Mapping[str, Any]) -> bool:
        written = [assertion.name, assertion.value, assertion.threshold, dict(assertion.options)]
        key = canonical_json(plain(written))
        if key not in self._made:
            try:
                check = make_check(assertion, self._document.shown)
            except PromptoptError as error:
                self._made[key] = False
                message = (getattr(error, "message", None) or str(error)).removeprefix(f"assert {assertion.name}: ")
                if found := re.match(r"unknown assert type '[^']*'(?:: (?P<why>.*))?", message):
                    why = found["why"] or "docs/suites.md lists those that there are"
                    self._leave_out(entry, "this project has no such assert", why)
                else:
                    self._leave_out(entry, message, getattr(error, "remedy", None) or "")
            else:
                self._made[key] = True
                # Who is named by the assert itself needs no other judge.
                self.asks = self.asks or (check.asks and "provider" not in assertion.options)
        return self._made[key]

    def _value(self, entry: Mapping[str, Any], kind: str, variables: Mapping[str, Any]) -> Any:
        value = entry.get("value")
        if isinstance(value, str) and value.startswith(FILE):
            value = str(render(value, variables, self._environment))
            name, function = split_function(value)
            path = self._document.find(name)
            if kind in _CODE or kind in _SCHEMAS:
                if not path.is_file():
                    raise ValueError(f"{value!r}: there is no such file")
                return f"{FILE}{path}{f':{function}' if function else ''}"
            if path.suffix == ".py" or is_script(path.name):
                raise ValueError(
                    f"{value!r}: a value that code makes for each answer is not taken: write the code as the assert"
                )
            data = read_data(path)
            value = data.strip() if isinstance(data, str) else data
        if isinstance(value, Mapping) and kind in _SCHEMAS:
            return value
        rendered = render_all(value, variables, self._environment)
        if isinstance(rendered, str):
            return is_rendered(rendered)
        return (
            [is_rendered(item) if isinstance(item, str) else item for item in rendered]
            if isinstance(rendered, list)
            else rendered
        )

    def _threshold(self, entry: Mapping[str, Any], variables: Mapping[str, Any]) -> float | None:
        given = entry.get("threshold")
        if isinstance(given, str):
            given = render(given, variables, self._environment)
        if given is None or given == "":
            return None
        try:
            return float(given)
        except (TypeError, ValueError):
            raise ValueError(f"threshold: {given!r} is not a number") from None

    def _metric(self, entry: Mapping[str, Any], variables: Mapping[str, Any]) -> str | None:
        given = entry.get("metric")
        return render(str(given), variables, self._environment).strip() or None if given is not None else None

    def _options(self, entry: Mapping[str, Any], kind: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Further keys. What the scorer does not know is left out with a note."""
        found: dict[str, Any] = {}
        known = getattr(load("scorer", kind), "options", None) if kind in registered("scorer") else None
        for key, value in entry.items():
            if key in (*ASSERT_KEYS, *_PASSED_OVER):
                continue
            if known is not None and key not in (*known, "transform"):
                self._document.note("left out", f"`{key}` of the assert {entry['type']} is not used", entry, key)
                continue
            found[key] = self._option(key, value, variables)
        return found

    def _option(self, key: str, value: Any, variables: Mapping[str, Any]) -> Any:
        if key == "assert":
            return [self._nested(each, variables) for each in value or []]
        if key == "provider":
            return model_name(self._document, value)
        if key in ("transform", "contextTransform"):
            return code_name(self._document, value)
        return self._document.load_prompt(value) if key == "rubricPrompt" else self._document.load_all(value)

    def _nested(self, entry: Any, variables: Mapping[str, Any]) -> dict[str, Any]:
        inner = self._assertion(entry, 1.0, variables)
        if inner is None:
            raise ValueError(
                f"its assert {entry.get('type') if isinstance(entry, Mapping) else entry!r} cannot be made"
            )
        plain = {
            "type": inner.name,
            "value": inner.value,
            "threshold": inner.threshold,
            "weight": inner.weight,
            **inner.options,
        }
        return {key: each for key, each in plain.items() if each is not None}


def code_name(document: ConfigFile, code: Any) -> Any:
    """Code as this project names it: a file by its whole path, anything else as it is."""
    if not isinstance(code, str) or not code.startswith(FILE):
        return code
    name, function = split_function(code)
    return f"{FILE}{document.find(name)}{f':{function}' if function else ''}"


def _number(value: Any, default: float) -> float:
    try:
        return default if value is None or isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return default
