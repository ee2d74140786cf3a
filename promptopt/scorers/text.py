"""Scorers that compare texts (equality, containment, patterns, likeness), or look at JSON in the response."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

from promptopt.errors import SuiteError
from promptopt.files import json_problem
from promptopt.scorers.base import Subject, shorten, text_value, text_values, text_within, verdict
from promptopt.scorers.overlap import words_of
from promptopt.suites import Assertion
from promptopt.suites.tool_results import same_json
from promptopt.templates.answer import REGEX_TIMEOUT_S, compile_pattern
from promptopt.values import Score
from promptopt.yaml import load_yaml

_WORD = re.compile(r"\w+")


class _AnswerScorer:
    reads_answer: ClassVar[bool] = True
    # The same text has the same score in every case.
    reads_text_only: ClassVar[bool] = True
    options: ClassVar[tuple[str, ...]] = ()

    def __call__(self, subject: Subject) -> Score:
        assert subject.answer is not None  # Check asks no answer scorer where there is not an answer
        return self.score(subject.answer)

    def score(self, answer: str) -> Score:
        raise NotImplementedError


class Equals(_AnswerScorer):
    """``equals``: the answer is exactly the value; a list or mapping is compared as JSON."""

    def __init__(self, assertion: Assertion) -> None:
        if assertion.value is None:
            raise ValueError("needs a `value`")
        self._json: Any = assertion.value if isinstance(assertion.value, (list, dict)) else None
        self._text = "" if self._json is not None else text_value(assertion)

    def score(self, answer: str) -> Score:
        if self._json is None:
            return verdict(answer == self._text, f"expected {shorten(self._text)}, got {shorten(answer)}")
        try:
            same = same_json(json.loads(answer, parse_constant=_refuse_constant), self._json)
        except (ValueError, RecursionError):
            return verdict(False, f"expected JSON, got {shorten(answer)}")
        return verdict(same, f"expected {shorten(json.dumps(self._json))}, got {shorten(answer)}")


class Contains(_AnswerScorer):
    """``contains`` and ``icontains`` (without regard to case): the value is in the answer."""

    def __init__(self, assertion: Assertion) -> None:
        self._fold = assertion.type.startswith("i")
        self._value = text_within(assertion)

    def score(self, answer: str) -> Score:
        return verdict(_in(self._value, answer, self._fold), f"{shorten(self._value)} is not in {shorten(answer)}")


class ContainsAll(_AnswerScorer):
    """``contains-all``, ``icontains-all``: every one of the values is in the answer."""

    def __init__(self, assertion: Assertion) -> None:
        self._fold = assertion.type.startswith("i")
        self._values = text_values(assertion)

    def score(self, answer: str) -> Score:
        missing = [value for value in self._values if not _in(value, answer, self._fold)]
        return verdict(not missing, f"{', '.join(map(shorten, missing))} not in {shorten(answer)}")


class ContainsAny(_AnswerScorer):
    """``contains-any``, ``icontains-any``: at least one of the values is in the answer."""

    def __init__(self, assertion: Assertion) -> None:
        self._fold = assertion.type.startswith("i")
        self._values = text_values(assertion)

    def score(self, answer: str) -> Score:
        found = any(_in(value, answer, self._fold) for value in self._values)
        return verdict(found, f"none of {', '.join(map(shorten, self._values))} in {shorten(answer)}")


class StartsWith(_AnswerScorer):
    """``starts-with``: the answer begins with the value."""

    def __init__(self, assertion: Assertion) -> None:
        self._value = text_within(assertion)

    def score(self, answer: str) -> Score:
        return verdict(answer.startswith(self._value), f"{shorten(answer)} does not start with {shorten(self._value)}")


class Regex(_AnswerScorer):
    """``regex``: the pattern is found in the answer. One that runs longer than a second fails."""

    def __init__(self, assertion: Assertion) -> None:
        # JavaScript's way to say any character.
        self._pattern = compile_pattern(re.sub(r"(?<!\\)\[\^\]", r"[\\s\\S]", text_value(assertion)))

    def score(self, answer: str) -> Score:
        try:
            found = self._pattern.search(answer, timeout=REGEX_TIMEOUT_S)
        except TimeoutError:
            raise TimeoutError(f"the pattern {self._pattern.pattern!r} ran longer than {REGEX_TIMEOUT_S:g} s") from None
        return verdict(found is not None, f"{self._pattern.pattern!r} is not found in {shorten(answer)}")


class Levenshtein(_AnswerScorer):
    """``levenshtein``: at most ``threshold`` (5) edits lie between answer and value.

    An emoji counts as two characters, as in promptfoo.
    """

    def __init__(self, assertion: Assertion) -> None:
        self._value = text_value(assertion)
        self._limit = 5 if assertion.threshold is None else int(assertion.threshold)

    def score(self, answer: str) -> Score:
        from rapidfuzz import distance

        edits = distance.Levenshtein.distance(_units(answer), _units(self._value))
        return verdict(edits <= self._limit, f"{edits} edits from {shorten(self._value)} (limit {self._limit})")


class TokenF1(_AnswerScorer):
    """``token-f1``: the harmonic mean of precision and recall over words, as SQuAD's evaluation has it.

    Rajpurkar et al., "SQuAD: 100,000+ Questions for Machine Comprehension of Text" (2016), section 6.1; words are
    compared without regard to case. Passes from ``threshold`` (0.75).
    """

    def __init__(self, assertion: Assertion) -> None:
        self._reference = _ngrams(text_value(assertion), 1)
        if not self._reference:
            raise ValueError("the value has no words")
        self._threshold = 0.75 if assertion.threshold is None else assertion.threshold

    def score(self, answer: str) -> Score:
        words = _ngrams(answer, 1)
        common = (self._reference & words).total()
        value = 2 * common / (self._reference.total() + words.total())
        return _graded(value, self._threshold, "token F1")


class WordCount(_AnswerScorer):
    """``word-count``: the answer has ``value`` words, or between ``{min, max}``."""

    def __init__(self, assertion: Assertion) -> None:
        self._least, self._most = _bounds(assertion.value)

    def score(self, answer: str) -> Score:
        words = words_of(answer)
        return _counted(sum(map(bool, words)), self._least, self._most, "words")


class SentenceCount(_AnswerScorer):
    """``sentence-count``: the answer has ``value`` sentences, or between ``{min, max}``.

    A sentence ends with ``.``, ``!`` or ``?`` before white space, or with the text, and has a letter or a digit. After
    a number of a list (``1.``) or one letter (``J. Smith``) it does not end.
    """

    def __init__(self, assertion: Assertion) -> None:
        self._least, self._most = _bounds(assertion.value)

    def score(self, answer: str) -> Score:
        parts = _SENTENCE_END.split(answer)
        return _counted(sum(_WORD.search(part) is not None for part in parts), self._least, self._most, "sentences")


_SENTENCE_END = re.compile(r"(?<=[.!?…。！？])(?<!\b\w\.)[\"'”’)\]]*\s+|(?<=[。！？])|\n{2,}")


def _bounds(value: Any) -> tuple[float, float]:
    """The least and the most of a number or of ``{min, max}``.

    Raises:
        ValueError: It is neither.
    """
    bounds = value if isinstance(value, Mapping) else {"min": value, "max": value}
    if unknown := set(bounds) - {"min", "max"}:
        raise ValueError(f"unknown bound {', '.join(map(repr, unknown))}; known are min and max")
    try:
        if not bounds or any(isinstance(each, bool) for each in bounds.values()):
            raise ValueError
        least, most = float(bounds.get("min", 0)), float(bounds.get("max", math.inf))
    except (TypeError, ValueError):
        raise ValueError(f"needs a whole number or {{min, max}} as `value`, not {value!r}") from None
    if least > most:
        raise ValueError(f"min {least:g} is more than max {most:g}")
    return least, most


def _counted(count: int, least: float, most: float, what: str) -> Score:
    upto = "any number" if most == math.inf else f"{most:g}"
    return verdict(least <= count <= most, f"{count} {what}, expected {least:g} to {upto}")


def _units(text: str) -> str | list[int]:
    """A text as JavaScript counts its characters: in units of UTF-16."""
    if text.isascii() or max(text) <= "\uffff":
        return text
    data = text.encode("utf-16-le", "surrogatepass")
    return [int.from_bytes(data[start : start + 2], "little") for start in range(0, len(data), 2)]


def _in(needle: str, text: str, fold: bool) -> bool:
    return needle.casefold() in text.casefold() if fold else needle in text


def _ngrams(text: str, n: int) -> Counter[tuple[str, ...]]:
    words = _WORD.findall(text.casefold())
    return Counter(tuple(words[start : start + n]) for start in range(len(words) - n + 1))


def _graded(value: float, threshold: float, name: str) -> Score:
    passed = value >= threshold
    return Score("", value, passed, "" if passed else f"{name} {value:.2f} is below {threshold:g}")


class IsJson:
    """``is-json``: the whole response is JSON and valid under the schema in ``value``, if there is one.

    Looks at the response, not at what ``answer:`` reads out of it.
    """

    reads_answer: ClassVar[bool] = False
    options: ClassVar[tuple[str, ...]] = ()

    def __init__(self, assertion: Assertion) -> None:
        self._validator = _validator(assertion.value)

    def __call__(self, subject: Subject) -> Score:
        text = subject.response.output
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
        problem: str | None = f"no JSON in {shorten(subject.response.output)}"
        for value in _embedded(subject.response.output):
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
            if isinstance(value, list):
                yield from _objects(value)


def _objects(value: list[Any]) -> Iterator[Any]:
    """The objects in an array, outermost first: any of them may be the one that is looked for."""
    for item in value:
        if isinstance(item, dict):
            yield item
        elif isinstance(item, list):
            yield from _objects(item)


def _refuse_constant(name: str) -> None:
    # Python reads NaN and Infinity, which no other JSON parser takes.
    raise ValueError(f"{name} is not a JSON value")


def _validator(value: object) -> Any:
    """A validator of the schema in an assert's value: a mapping, or ``file://`` of one; ``None`` without a schema."""
    if value is None or value == "":
        return None
    import jsonschema
    from referencing.jsonschema import EMPTY_REGISTRY

    schema = nullable(_schema_of(value))
    if not isinstance(schema, Mapping):
        raise ValueError(f"needs a JSON schema as `value`, not {value!r}")
    newer = "$schema" in schema or _keys(schema) & _LATER_KEYWORDS
    kind = jsonschema.validators.validator_for(schema) if newer else jsonschema.Draft7Validator
    try:
        kind.check_schema(dict(schema))
    except jsonschema.SchemaError as error:
        raise ValueError(f"the schema is not a JSON schema: {error.message}") from None
    # With this registry a remote $ref is an error; the default one would fetch it.
    return kind(schema, registry=EMPTY_REGISTRY, format_checker=_formats())


# Keywords that draft 7, which is what a schema without `$schema` is read by (as in promptfoo), does not know.
_LATER_KEYWORDS = frozenset(
    {"prefixItems", "unevaluatedItems", "unevaluatedProperties", "dependentSchemas", "dependentRequired", "minContains"}
)


def nullable(schema: Any) -> Any:
    """A schema with OpenAPI's ``nullable: true`` said as a type."""
    if isinstance(schema, list):
        return [nullable(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    found = {key: nullable(each) for key, each in schema.items()}
    if found.get("nullable") is True and isinstance(found.get("type"), str):
        found["type"] = [found["type"], "null"]
    return found


def _keys(value: object) -> set[str]:
    if isinstance(value, Mapping):
        return {str(key) for key in value}.union(*map(_keys, value.values()))
    return set().union(*map(_keys, value)) if isinstance(value, list) else set()


@lru_cache(maxsize=1)
def _formats() -> Any:
    """Checks of ``format``: those of jsonschema that need no further package, and RFC 3339's and RFC 3986's."""
    from jsonschema import FormatChecker

    checker = FormatChecker(["date", "email", "ipv4", "ipv6", "regex", "uuid"])
    patterns = {
        "date-time": r"\d{4}-\d\d-\d\d[tT ]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?([zZ]|[+-]\d\d(:?\d\d)?)",
        "time": r"([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?([zZ]|[+-]\d\d(:?\d\d)?)",
        "email": r"[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*@([a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?\.)+"
        r"[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?",
        "hostname": r"(?=.{1,253}\Z)[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
        r"(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*",
        "uri": r"[a-zA-Z][a-zA-Z0-9+.-]*:[^\s<>\"{}|\\^`]+",
    }
    for name, pattern in patterns.items():
        matches = re.compile(pattern, re.ASCII).fullmatch
        checker.checks(name)(lambda value, matches=matches: not isinstance(value, str) or matches(value) is not None)
    return checker


def _schema_of(value: object) -> Any:
    """A schema as written: a mapping, a text of YAML or JSON, or ``file://`` of one."""
    if not isinstance(value, str):
        return value
    if value.startswith("file://") or (value.endswith((".json", ".yaml", ".yml")) and "\n" not in value):
        return _schema_file(value)
    return load_yaml(value, "the schema", error=SuiteError)


def _schema_file(value: str) -> Any:
    path = Path(value.removeprefix("file://"))
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix.lower() in (".yaml", ".yml"):
            return load_yaml(text, str(path), error=SuiteError)
        return json.loads(text)
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
