"""Metrics that are computed out of others: ``derivedMetrics``, expressions such as ``2 * p * r / (p + r)``."""

from __future__ import annotations

import math
import operator
import re
import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from promptopt.errors import did_you_mean

COUNT = "__count"
"""In an expression: how many answers a prompt was asked for."""

_TOKEN = re.compile(r"\s*(?:(\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+)|([A-Za-z_]\w*)|(<=|>=|==|!=|[-+*/^%()<>?:,]))")
_Tree = tuple[Any, ...]


def _quotient(one: float, other: float) -> float:
    if other:
        return one / other
    return math.nan if not one or math.isnan(one) else math.copysign(math.inf, one)


def _power(one: float, other: float) -> float:
    try:
        found = one**other
    except ZeroDivisionError:
        return math.inf
    return found if isinstance(found, float | int) else math.nan


def _rounded(value: float, digits: float = 0) -> float:
    """Halves go away from 0."""
    factor = 10.0 ** int(digits)
    return math.copysign(math.floor(abs(value) * factor + 0.5) / factor, value)


def _defined(function: Callable[..., float]) -> Callable[..., float]:
    """What a function has no value for is not a number."""

    def called(*given: float) -> float:
        try:
            return float(function(*given))
        except (ValueError, OverflowError, ZeroDivisionError):
            return math.nan

    return called


# How strongly an operator binds, and what it does.
_BINARY: Mapping[str, tuple[int, Callable[[Any, Any], Any]]] = {
    "or": (2, lambda one, other: bool(one) or bool(other)),
    "xor": (3, lambda one, other: bool(one) != bool(other)),
    "and": (4, lambda one, other: bool(one) and bool(other)),
    **{
        name: (5, function)
        for name, function in {
            "==": operator.eq,
            "!=": operator.ne,
            "<": operator.lt,
            ">": operator.gt,
            "<=": operator.le,
            ">=": operator.ge,
        }.items()
    },
    "+": (6, operator.add),
    "-": (6, operator.sub),
    "*": (7, operator.mul),
    "/": (7, _quotient),
    "%": (7, _defined(operator.mod)),
    "mod": (7, _defined(operator.mod)),
    "^": (9, _power),
}
_TERNARY, _COMPARED, _UNARY, _RIGHT = 1, 5, 8, "^"
_SIGNS: Mapping[str, Callable[[Any], Any]] = {"-": operator.neg, "+": operator.pos, "not": operator.not_}
_FUNCTIONS: Mapping[str, Callable[..., float]] = {
    name: _defined(function)
    for name, function in {
        **{name: getattr(math, name) for name in ("sqrt", "cbrt", "exp", "log", "log2", "log10", "floor", "ceil")},
        "abs": abs,
        "pow": _power,
        "round": _rounded,
        "min": lambda *given: min(given),
        "max": lambda *given: max(given),
        "sum": lambda *given: math.fsum(given),
        "mean": lambda *given: statistics.fmean(given),
        "median": lambda *given: statistics.median(given),
    }.items()
}
_CONSTANTS = {"pi": math.pi, "e": math.e, "true": True, "false": False, "Infinity": math.inf, "NaN": math.nan}


@dataclass(frozen=True, slots=True)
class DerivedMetric:
    """A metric that is computed out of others.

    Attributes:
        name: What later ones may call it.
        value: The expression, as written: numbers, ``+ - * / ^ % mod``, comparisons, ``and``, ``or``, ``not``,
            ``a ? b : c``, functions such as ``max``, and names: of metrics, and ``__count``.
    """

    name: str
    value: str
    _tree: _Tree = field(default=(), repr=False, compare=False)

    @classmethod
    def read(cls, entry: Any) -> DerivedMetric:
        """Raises ValueError if an entry of ``derivedMetrics`` is none."""
        if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str) or not entry["name"].strip():
            raise ValueError(f"derivedMetrics: {str(entry)[:60]!r} is not a mapping with `name` and `value`")
        name, value = entry["name"], entry.get("value")
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError(f"derivedMetrics: {name}: its `value` is {str(value)[:60]!r}, not an expression")
        try:
            return cls(name, str(value), _Parser(str(value)).tree())
        except (ValueError, RecursionError) as error:
            raise ValueError(f"derivedMetrics: {name}: {str(value)[:60]!r} is not an expression: {error}") from None

    def result(self, values: Mapping[str, float]) -> float:
        """What it is with the values of metrics by name.

        Raises:
            ValueError: A metric that it names is not there, or it is not a number.
        """
        found = _evaluated(self._tree, values)
        if not math.isfinite(found):
            raise ValueError("not a number: it divides by 0, or takes a function of what that has no value for")
        return float(found)


def read_derived(written: Any) -> tuple[DerivedMetric, ...]:
    """``derivedMetrics`` of a suite. Raises ValueError if it is no list of them."""
    if not isinstance(written, list | None):
        raise ValueError(f"derivedMetrics: {str(written)[:60]!r} is not a list of mappings with `name` and `value`")
    return tuple(DerivedMetric.read(entry) for entry in written or [])


def derive(metrics: tuple[DerivedMetric, ...], values: Mapping[str, float]) -> Iterator[tuple[str, float | None, str]]:
    """Each metric's name with its value, or with ``None`` and why it has none; later ones may use earlier ones."""
    known = dict(values)
    for metric in metrics:
        try:
            known[metric.name] = found = metric.result(known)
        except ValueError as error:
            yield metric.name, None, str(error)
        else:
            yield metric.name, found, ""


def _evaluated(tree: _Tree, values: Mapping[str, float]) -> Any:
    kind, *rest = tree
    if kind == "number":
        return rest[0]
    if kind == "name":
        if rest[0] not in values and rest[0] not in _CONSTANTS:
            raise ValueError(f"no metric is named {rest[0]!r}.{did_you_mean(rest[0], tuple(values))}".rstrip("."))
        return values.get(rest[0], _CONSTANTS.get(rest[0]))
    if kind == "if":
        return _evaluated(rest[1] if _evaluated(rest[0], values) else rest[2], values)
    given = [_evaluated(each, values) for each in rest[1:]]
    try:
        return rest[0](*given)
    except OverflowError:
        return math.inf
    except TypeError:
        raise ValueError(f"a function takes no {len(given)} values") from None


class _Parser:
    """Reads an expression by the strength of its operators."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        at = 0
        text = text.strip()
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                raise ValueError(f"{text[at:].strip()[:10]!r} is unexpected")
            kind = ("number", "name", "sign")[found.lastindex - 1 if found.lastindex else 0]
            self._tokens.append((kind, found[found.lastindex or 0]))
            at = found.end()
        self._tokens.append(("end", ""))
        self._at = 0

    def tree(self) -> _Tree:
        found = self._expression(0)
        if self._tokens[self._at][0] != "end":
            raise ValueError(f"{self._tokens[self._at][1]!r} is unexpected")
        return found

    def _next(self, wanted: str = "") -> tuple[str, str]:
        token = self._tokens[self._at]
        if wanted and token[1] != wanted:
            raise ValueError(f"{wanted!r} is missing")
        self._at += 1
        return token

    def _expression(self, least: int) -> _Tree:
        left = self._operand()
        while True:
            word = self._tokens[self._at][1]
            if word == "?" and least <= _TERNARY:
                self._next()
                then = self._expression(0)
                self._next(":")
                left = ("if", left, then, self._expression(_TERNARY))
                continue
            strength, function = _BINARY.get(word, (-1, None))
            if strength < least or strength < 0:
                return left
            self._next()
            right = self._expression(strength if word == _RIGHT else strength + 1)
            made = ("call", function, left, right)
            while strength == _COMPARED and _BINARY.get(self._tokens[self._at][1], (0, None))[0] == _COMPARED:
                # a < b < c: each with the next.
                another = _BINARY[self._next()[1]][1]
                right, before = self._expression(strength + 1), right
                made = ("call", _BINARY["and"][1], made, ("call", another, before, right))
            left = made

    def _operand(self) -> _Tree:
        kind, word = self._next()
        if word in _SIGNS:
            return ("call", _SIGNS[word], self._expression(_UNARY))
        if word == "(":
            found = self._expression(0)
            self._next(")")
            return found
        if kind == "number":
            return ("number", float(word))
        if kind != "name" or word in _BINARY:
            raise ValueError(f"{word!r} is unexpected" if word else "it ends too early")
        if self._tokens[self._at][1] != "(":
            return ("name", word)
        if word not in _FUNCTIONS:
            raise ValueError(f"there is no function {word!r}; known: {', '.join(sorted(_FUNCTIONS))}")
        self._next("(")
        given = [self._expression(0)]
        while self._tokens[self._at][1] == ",":
            self._next()
            given.append(self._expression(0))
        self._next(")")
        return ("call", _FUNCTIONS[word], *given)
