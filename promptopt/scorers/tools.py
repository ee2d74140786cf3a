"""Scorers of calls of tools: which were called, with which arguments, in which order.

They look at all calls of a case in their order: those of one answer, or of all steps if ``tool_results`` answer them.
The names with ``trajectory:`` and ``is-valid-`` are promptfoo's, which looks for such calls in traces.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, ClassVar

from promptopt.errors import did_you_mean
from promptopt.files import json_problem
from promptopt.scorers.base import Subject, shorten, text_values, verdict
from promptopt.scorers.text import nullable
from promptopt.suites import Assertion
from promptopt.suites.tool_results import contains_json, same_json
from promptopt.templates.tools import check_parameters
from promptopt.values import Score, Tool, ToolCall

_SHOWN = 8


@dataclass(frozen=True, slots=True)
class _Read:
    """A call with its arguments read.

    Attributes:
        arguments: What the JSON holds; ``None`` if it is none.
        problem: Why the call cannot be carried out; empty if it can.
    """

    call: ToolCall
    arguments: Any
    problem: str


def call_problem(call: ToolCall, tools: Sequence[Tool]) -> str:
    """Why a call cannot be carried out: the tool, the JSON or the schema; empty if it can.

    Args:
        tools: Those of the prompt; without any, only the JSON is looked at.
    """
    return _read(call, tools).problem


def _read(call: ToolCall, tools: Sequence[Tool]) -> _Read:
    known = {tool.name: tool for tool in tools}
    # A model that has nothing to say for a tool without parameters sends an empty text.
    text = call.arguments.strip() or "{}"
    try:
        arguments = json.loads(text)
    except (ValueError, RecursionError) as error:
        arguments, problem = None, f"the arguments of {call} are not JSON: {json_problem(error)[0]}"
    else:
        problem = "" if isinstance(arguments, dict) else f"the arguments of {call} are not an object"
    if known and call.name not in known:
        names = ", ".join(known)
        problem = f"the prompt has no tool {call.name!r}.{did_you_mean(call.name, known)} It has {names}"
    elif known and not problem and (broken := _schema_problem(known[call.name].parameters, arguments)):
        problem = f"the arguments of {call} break the tool's schema: {broken}"
    return _Read(call, arguments, problem)


def _schema_problem(schema: Mapping[str, Any], value: Any) -> str:
    from jsonschema.exceptions import best_match

    from promptopt.schemas.validate import validator_of

    error = best_match(validator_of(nullable(schema)).iter_errors(value))
    return "" if error is None else f"{error.json_path}: {error.message}"


def _calls(subject: Subject) -> list[_Read]:
    return [_read(call, subject.tools) for call in subject.response.tool_calls]


def _listed(calls: Sequence[_Read]) -> str:
    """The calls, for an explanation; a broken one with what is wrong."""
    if not calls:
        return "no tool was called"
    shown = [f"{read.call}" + (f" [{read.problem}]" if read.problem else "") for read in calls[:_SHOWN]]
    more = f" and {len(calls) - _SHOWN} more" if len(calls) > _SHOWN else ""
    return f"called: {', '.join(shown)}{more}"


@dataclass(frozen=True, slots=True)
class _Count:
    """How often: ``3``, or ``{min: 1, max: 2}``."""

    least: int = 1
    most: int | None = None

    @classmethod
    def of(cls, value: object) -> _Count:
        """Raises ValueError if it is neither."""
        if isinstance(value, Mapping) and value and value.keys() <= {"min", "max"}:
            least, most = value.get("min", 0), value.get("max")
        else:
            least = most = value
        for number in (least, most):
            if number is not None and (type(number) is not int or number < 0):
                raise ValueError(f"count: {value!r} is not a whole number, or a mapping with `min` and `max`")
        if most is not None and least > most:
            raise ValueError(f"count: {value!r}: min is more than max")
        return cls(least, most)

    def allows(self, number: int) -> bool:
        return number >= self.least and (self.most is None or number <= self.most)

    def __str__(self) -> str:
        if self.least == self.most:
            return str(self.least)
        return f"at least {self.least}" if self.most is None else f"{self.least} to {self.most}"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A call that is asked for: by name, by what its arguments have, by a schema of them."""

    name: str
    arguments: Mapping[str, Any] | None = None
    schema: Mapping[str, Any] | None = None
    count: _Count = field(default_factory=_Count)

    _KEYS: ClassVar[tuple[str, ...]] = ("name", "arguments", "schema", "count")

    @classmethod
    def of(cls, value: object) -> _Wanted:
        """Raises ValueError if it is not a tool's name or a mapping of such."""
        if isinstance(value, str) and value.strip():
            return cls(value.strip())
        if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
            raise ValueError(f"{value!r} is not a tool's name, nor a mapping with `name`")
        if unknown := [key for key in value if key not in cls._KEYS]:
            raise ValueError(f"unknown key {unknown[0]!r}.{did_you_mean(str(unknown[0]), cls._KEYS)}")
        for key in ("arguments", "schema"):
            if key in value and not isinstance(value[key], Mapping):
                raise ValueError(f"{key}: {value[key]!r} is not a mapping")
        if "schema" in value:
            check_parameters(value["name"], value["schema"])
        count = _Count.of(value["count"]) if "count" in value else _Count()
        return cls(value["name"], value.get("arguments"), value.get("schema"), count)

    def fits(self, read: _Read) -> bool:
        if read.call.name != self.name:
            return False
        if self.arguments is not None and not contains_json(read.arguments, self.arguments):
            return False
        return self.schema is None or not _schema_problem(self.schema, read.arguments)

    def __str__(self) -> str:
        parts = [json.dumps(self.arguments, ensure_ascii=False)] if self.arguments is not None else []
        if self.schema is not None:
            parts.append("by the schema")
        return f"{self.name} with {' and '.join(parts)}" if parts else self.name


class ToolCalled:
    """``tool-call``: the tools in ``value`` were called, with arguments that have what is asked for.

    ``value`` is a name, a mapping (``name``, ``arguments`` that the call must have at least, a ``schema`` of them,
    ``count``), or a list of both. ``order`` is ``any`` (as usual), ``sequence`` (in this order, others may be between)
    or ``exact`` (these in this order, and no other). ``forbidden`` names tools that may not be called, ``count`` says
    how many calls there are in all: ``count: 0`` without a value is "no tool is called". A call that fits must be one
    that can be carried out: of a tool of the prompt, with arguments by its schema.
    """

    reads_answer: ClassVar[bool] = False
    options: ClassVar[tuple[str, ...]] = ("order", "forbidden", "count")

    def __init__(self, assertion: Assertion) -> None:
        options, value = assertion.options, assertion.value
        if value == [] or (value is None and not options.keys() & {"forbidden", "count"}):
            raise ValueError("needs a tool as `value`, `forbidden` tools, or a `count`; `count: 0` is no call at all")
        entries = value if isinstance(value, list) else [] if value is None else [value]
        self._wanted = [_Wanted.of(entry) for entry in entries]
        self._order = options.get("order", "any")
        if self._order not in ("any", "sequence", "exact"):
            raise ValueError(f"order: {self._order!r} is not any, sequence or exact")
        forbidden = options.get("forbidden", [])
        self._forbidden = [forbidden] if isinstance(forbidden, str) else forbidden
        if not isinstance(self._forbidden, list) or not all(isinstance(name, str) for name in self._forbidden):
            raise ValueError(f"forbidden: {forbidden!r} is not a list of tools")
        self._count = _Count.of(options["count"]) if "count" in options else None
        # "It did not call cancel_order" is not met by a call with broken arguments.
        self._whole = not assertion.negated

    def __call__(self, subject: Subject) -> Score:
        calls = _calls(subject)
        problem = next(self._problems(calls), None)
        return verdict(problem is None, problem or "")

    def _problems(self, calls: Sequence[_Read]) -> Iterator[str]:
        for read in calls:
            if read.call.name in self._forbidden:
                yield f"the forbidden {read.call} was called"
        if self._count is not None and not self._count.allows(len(calls)):
            yield f"the number of calls is {len(calls)}, not {self._count}; {_listed(calls)}"
        if self._order == "any":
            yield from self._unmet(calls)
        elif self._order == "exact" and len(calls) != len(self._wanted):
            yield f"expected exactly {', '.join(map(str, self._wanted))}; {_listed(calls)}"
        else:
            yield from self._out_of_order(calls)

    def _unmet(self, calls: Sequence[_Read]) -> Iterator[str]:
        for wanted in self._wanted:
            fitting = [read for read in calls if wanted.fits(read)]
            if not wanted.count.allows(len(fitting)):
                times = f" {wanted.count} times, but {len(fitting)}" if fitting or wanted.count != _Count() else ""
                yield f"{wanted} was not called{times}; {_listed(calls)}"
            yield from self._broken(fitting)

    def _out_of_order(self, calls: Sequence[_Read]) -> Iterator[str]:
        position = 0
        for number, wanted in enumerate(self._wanted, 1):
            steps = calls[position : position + 1] if self._order == "exact" else calls[position:]
            at = next((index for index, read in enumerate(steps) if wanted.fits(read)), None)
            if at is None:
                yield f"{wanted} was not called as number {number}; {_listed(calls)}"
                return
            yield from self._broken([steps[at]])
            position += at + 1

    def _broken(self, fitting: Sequence[_Read]) -> Iterator[str]:
        if self._whole:
            yield from (read.problem for read in fitting if read.problem)


class ToolCallF1:
    """``tool-call-f1``: F1 of the set of tools that were called against the set in ``value``.

    Only names count, not how often or in which order (as in promptfoo and Ragas). Passes from ``threshold``, 1 if it
    has none.
    """

    reads_answer: ClassVar[bool] = False
    options: ClassVar[tuple[str, ...]] = ()

    def __init__(self, assertion: Assertion) -> None:
        self._expected = {name.strip() for name in text_values(assertion)}
        self._threshold = 1.0 if assertion.threshold is None else assertion.threshold

    def __call__(self, subject: Subject) -> Score:
        called = {call.name for call in subject.response.tool_calls}
        # 2 precision recall / (precision + recall), which is the same.
        f1 = 2 * len(self._expected & called) / (len(self._expected) + len(called))
        passed = f1 >= self._threshold
        names = ", ".join(sorted(called)) or "no tool"
        why = f"F1 {f1:.2f} is below {self._threshold:g}: expected {', '.join(sorted(self._expected))}, called {names}"
        return Score("", f1, passed, "" if passed else why)


class ValidToolCalls:
    """``is-valid-openai-tools-call``, ``is-valid-function-call``: the prompt's tools are called, by their schemas."""

    reads_answer: ClassVar[bool] = False
    options: ClassVar[tuple[str, ...]] = ()

    def __init__(self, assertion: Assertion) -> None:
        if assertion.value is not None:
            raise ValueError("takes no `value`: calls are checked by the prompt's tools")

    def __call__(self, subject: Subject) -> Score:
        calls = _calls(subject)
        if not calls:
            return verdict(False, f"no tool was called; the answer is {shorten(subject.response.text)}")
        problem = next((read.problem for read in calls if read.problem), "")
        return verdict(not problem, problem)


def _pattern(value: object) -> str:
    """The pattern of a tool's name in promptfoo's form: a text, or a mapping with ``name`` or ``pattern``."""
    found = (value.get("pattern") or value.get("name")) if isinstance(value, Mapping) else value
    if not isinstance(found, str) or not found:
        raise ValueError(f"{value!r} is not a tool's name, nor a mapping with `name` or `pattern`")
    return found


class TrajectoryToolUsed:
    """``trajectory:tool-used``: every tool of a list was called, or one as often as ``min`` and ``max`` say.

    Names may have ``*`` and ``?``. With ``not-``, no tool of the list was called.
    """

    reads_answer: ClassVar[bool] = False
    options: ClassVar[tuple[str, ...]] = ()

    def __init__(self, assertion: Assertion) -> None:
        value = assertion.value
        self._count: _Count | None = None
        if isinstance(value, Mapping):
            limits = {key: value[key] for key in ("min", "max") if value.get(key) is not None}
            self._count = _Count.of({"min": 1, **limits})
        self._names = [_pattern(entry) for entry in (value if isinstance(value, list) else [value])]
        if not self._names:
            raise ValueError("needs at least one tool as `value`")
        self._enough = any if assertion.negated else all

    def __call__(self, subject: Subject) -> Score:
        calls = _calls(subject)
        counts = {name: sum(fnmatchcase(read.call.name, name) for read in calls) for name in self._names}
        if self._count is not None:
            ((name, number),) = counts.items()
            return verdict(self._count.allows(number), f"{name} was called {number} times, not {self._count}")
        missing = ", ".join(name for name, number in counts.items() if not number)
        return verdict(self._enough(counts.values()), f"not called: {missing}; {_listed(calls)}")


class TrajectoryArguments:
    """``trajectory:tool-args-match``: some call of ``name`` has ``args``, at least these or with ``mode: exact`` only.

    ``defaults`` are arguments that may be there with this value, ``ignore`` names those that are not compared.
    """

    reads_answer: ClassVar[bool] = False
    options: ClassVar[tuple[str, ...]] = ()

    def __init__(self, assertion: Assertion) -> None:
        value = assertion.value
        if not isinstance(value, Mapping) or not value.keys() & {"args", "arguments"}:
            raise ValueError("needs a mapping as `value`, with `name` and `args`")
        self._name = _pattern(value)
        self._mode = value.get("mode", "partial")
        if self._mode not in ("partial", "exact"):
            raise ValueError(f"mode: {self._mode!r} is not partial or exact")
        ignored, self._defaults = value.get("ignore", []), value.get("defaults") or {}
        self._ignored = [ignored] if isinstance(ignored, str) else ignored
        if not isinstance(self._defaults, Mapping) or not isinstance(self._ignored, list):
            raise ValueError("`defaults` is a mapping, and `ignore` a list of names")
        expected = value["args"] if "args" in value else value["arguments"]
        self._expected = self._compared(expected, {})

    def __call__(self, subject: Subject) -> Score:
        calls = _calls(subject)
        same = same_json if self._mode == "exact" else contains_json
        found = any(
            fnmatchcase(read.call.name, self._name)
            and same(self._compared(read.arguments, self._defaults), self._expected)
            for read in calls
            if read.arguments is not None
        )
        expected = json.dumps(self._expected, ensure_ascii=False)
        return verdict(found, f"no call of {self._name} has {expected} ({self._mode}); {_listed(calls)}")

    def _compared(self, arguments: object, defaults: Mapping[str, Any]) -> object:
        if not isinstance(arguments, Mapping):
            return arguments
        return {
            key: value
            for key, value in arguments.items()
            if not any(fnmatchcase(str(key), name) for name in self._ignored)
            and not (key in defaults and same_json(value, defaults[key]))
        }


class TrajectorySequence:
    """``trajectory:tool-sequence``: ``steps`` were called in this order; with ``mode: exact`` these and no other."""

    reads_answer: ClassVar[bool] = False
    options: ClassVar[tuple[str, ...]] = ()

    def __init__(self, assertion: Assertion) -> None:
        value = assertion.value
        form = value if isinstance(value, Mapping) else {"steps": value}
        self._exact = form.get("mode", "in_order") == "exact"
        steps = form.get("steps")
        if not isinstance(steps, list) or not steps or form.get("mode", "in_order") not in ("exact", "in_order"):
            raise ValueError("needs a list of tools as `value`, or a mapping with `steps`; `mode` is in_order or exact")
        self._steps = [_pattern(step) for step in steps]

    def __call__(self, subject: Subject) -> Score:
        calls = _calls(subject)
        names = [read.call.name for read in calls]
        if self._exact:
            passed = len(names) == len(self._steps) and all(map(fnmatchcase, names, self._steps))
        else:
            rest = iter(names)
            passed = all(any(fnmatchcase(name, step) for name in rest) for step in self._steps)
        return verdict(passed, f"the calls are not {', '.join(self._steps)} in this order; {_listed(calls)}")


class TrajectoryStepCount:
    """``trajectory:step-count``, of ``type: tool``: how many calls there are, of all tools or of one ``name``."""

    reads_answer: ClassVar[bool] = False
    options: ClassVar[tuple[str, ...]] = ()

    def __init__(self, assertion: Assertion) -> None:
        value = assertion.value
        limits = {key: value[key] for key in ("min", "max") if key in value} if isinstance(value, Mapping) else {}
        if not limits:
            raise ValueError("needs a mapping as `value`, with `min` or `max`")
        if value.get("type") not in ("tool", ["tool"]):
            raise ValueError("counts calls of tools: say `type: tool`; there are no spans, searches or commands")
        self._count = _Count.of(limits)
        self._name = _pattern(value) if value.keys() & {"name", "pattern"} else "*"

    def __call__(self, subject: Subject) -> Score:
        calls = [read for read in _calls(subject) if fnmatchcase(read.call.name, self._name)]
        return verdict(self._count.allows(len(calls)), f"{len(calls)} calls, not {self._count}; {_listed(calls)}")
