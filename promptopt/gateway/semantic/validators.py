"""Validators: whether an answer is good enough, or the next model of a cascade is to be asked."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from promptopt.errors import SuiteError, UsageError, did_you_mean
from promptopt.gateway.call import Answer, Call
from promptopt.gateway.openai.wire import schema_of
from promptopt.scorers.base import Check, Subject, make_check
from promptopt.suites import Assertion
from promptopt.templates.answer import NoAnswer, parse_answer
from promptopt.values import Response


class Validator(Protocol):
    """Judges answers without knowing what is right."""

    def __call__(self, call: Call, answer: Answer) -> bool | None:
        """Whether the answer will do; ``None`` if it cannot be judged (no logprobs were given)."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer was not cut off or filtered, and is not empty."""

    def __call__(self, call: Call, answer: Answer) -> bool:  # noqa: ARG002 - the protocol's
        return answer.finish_reason in ("stop", "tool_calls", "function_call") and (
            bool(answer.text.strip()) or answer.finish_reason != "stop"
        )


class MatchesSchema:
    """The answer is JSON under a schema; by default under the one that the request names."""

    def __init__(self, schema: Mapping[str, Any] | None = None) -> None:
        """Raises UsageError if it is not a schema."""
        import jsonschema

        self._schema = schema
        if schema is not None:
            try:
                jsonschema.Draft202012Validator.check_schema(schema)
            except jsonschema.SchemaError as error:
                raise UsageError(f"validator schema: not a JSON schema: {error.message}") from None

    def __call__(self, call: Call, answer: Answer) -> bool | None:
        from promptopt.schemas.validate import validator_of

        schema = self._schema or schema_of(call)
        if schema is None:
            return None
        try:
            value = json.loads(answer.text)
        except (ValueError, RecursionError):
            return False
        return validator_of(schema).is_valid(value)


class HasAnswer:
    """The answer can be read out of the text: by a pattern or a JSON pointer, as ``answer:`` in a front matter."""

    def __init__(self, answer: str) -> None:
        """Raises UsageError if the pattern does not compile."""
        try:
            self._answer = parse_answer(answer)
        except ValueError as error:
            raise UsageError(f"validator answer: {error}") from None

    def __call__(self, call: Call, answer: Answer) -> bool:  # noqa: ARG002 - the protocol's
        try:
            return bool(self._answer.extract(answer.text))
        except NoAnswer:
            return False


class ScorerAtLeast:
    """A scorer gives at least ``threshold``: any assert type of a suite, such as ``contains`` or ``python``."""

    def __init__(self, type: str, value: Any = None, threshold: float | None = None) -> None:  # noqa: A002 - a suite's name for it
        """Raises UsageError if the assert makes no sense."""
        self._least = threshold
        negated = type.startswith("not-")
        assertion = Assertion(type=type.removeprefix("not-"), value=value, threshold=threshold, negated=negated)
        try:
            self._check: Check = make_check(assertion, "cascade")
        except SuiteError as error:
            raise UsageError(f"validator {type}: {error.message}") from None

    def __call__(self, call: Call, answer: Answer) -> bool | None:  # noqa: ARG002 - the protocol's
        response = Response(answer.model, answer.text, answer.finish_reason, answer.usage)
        score = self._check(Subject(answer.text.strip(), response))
        if score is None:
            return None
        return score.passed if self._least is None else score.value >= self._least


@dataclass(frozen=True, slots=True)
class LogprobAtLeast:
    """The mean log-probability of the answer's tokens is at least ``least`` (the request must ask for logprobs)."""

    least: float

    def __call__(self, call: Call, answer: Answer) -> bool | None:  # noqa: ARG002 - the protocol's
        if not answer.logprobs:
            return None
        return math.fsum(answer.logprobs) / len(answer.logprobs) >= self.least


class ArithmeticHolds:
    """No equation in the answer is wrong: ``2 * 3 = 7`` fails; a text without equations cannot be judged.

    Looks at sums, differences, products and quotients of plain numbers, with the rounding that the result is
    written with.
    """

    def __call__(self, call: Call, answer: Answer) -> bool | None:  # noqa: ARG002 - the protocol's
        found = [_holds(match) for match in _EQUATION.finditer(answer.text)]
        judged = [holds for holds in found if holds is not None]
        return all(judged) if judged else None


@dataclass(frozen=True, slots=True)
class ShorterThan:
    """The answer has fewer words: weak models ramble in long ones."""

    words: int

    def __call__(self, call: Call, answer: Answer) -> bool:  # noqa: ARG002 - the protocol's
        return len(answer.text.split()) < self.words


def _equation() -> Any:
    import regex

    number = r"-?\$?\d[\d,]*(?:\.\d+)?%?"
    return regex.compile(rf"(?<![\w.])({number}(?:\s*[-+*x×/÷]\s*{number})+)\s*=\s*({number})(?![\w/*×÷+])")


_EQUATION = _equation()


def _holds(match: Any) -> bool | None:
    left, right = match[1], match[2]
    try:
        value = _value(left)
        stated = right.replace(",", "").replace("$", "").rstrip("%")
        places = len(stated.partition(".")[2])
        return abs(value - float(stated)) <= 0.5 * 10**-places + 1e-9 or abs(value * 100 - float(stated)) < 0.5
    except (ValueError, ZeroDivisionError):
        return None


def _value(text: str) -> float:
    """The value of ``2 + 3 * 4``; products before sums."""
    import regex

    tokens = regex.findall(r"\d[\d,]*(?:\.\d+)?%?|[-+*x×/÷]", text.replace("$", ""))
    total, product, sign, operation = 0.0, None, 1.0, "*"
    for token in tokens:
        if token[0].isdigit():
            number = float(token.replace(",", "").rstrip("%")) / (100 if token.endswith("%") else 1)
            if product is None:
                product = sign * number
            elif operation in "*x×":
                product *= number
            else:
                product /= number
        elif token in "+-":  # noqa: S105 - an operator
            if product is None:
                sign = -sign if token == "-" else sign  # noqa: S105 - an operator
                continue
            total, product, sign = total + product, None, -1.0 if token == "-" else 1.0  # noqa: S105 - an operator
        else:
            operation = token
    return total + (product or 0.0)


_MAKERS: Mapping[str, Callable[[Any], Validator]] = {
    "finished": lambda _: Finished(),
    "schema": lambda value: MatchesSchema(value if isinstance(value, Mapping) else None),
    "answer": lambda value: HasAnswer(str(value)),
    "logprob": lambda value: LogprobAtLeast(float(value)),
    "scorer": lambda value: ScorerAtLeast(**value),
    "arithmetic": lambda _: ArithmeticHolds(),
    "max_words": lambda value: ShorterThan(int(value)),
}


def make_validators(table: Mapping[str, Any]) -> list[Validator]:
    """Validators from a table: ``{finished = true, schema = true, answer = "...", logprob = -0.2, scorer = {...}}``.

    Raises:
        UsageError: A name is unknown, or a value makes no sense.
    """
    made = []
    for name, value in table.items():
        if name not in _MAKERS:
            raise UsageError(f"unknown validator {name!r}.{did_you_mean(name, _MAKERS)} Known: {', '.join(_MAKERS)}")
        if value is False:
            continue
        try:
            made.append(_MAKERS[name](value))
        except (TypeError, ValueError) as error:
            raise UsageError(f"validator {name} = {value!r}: {error}") from None
    return made
