"""Whether data is valid under a schema, with the formats of strict mode, and where it is not."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from datetime import date, datetime, time
from decimal import Decimal, localcontext
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from promptopt.errors import AnswerInvalid, SchemaError
from promptopt.values import JSONSchema

if TYPE_CHECKING:
    from jsonschema import FormatChecker
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

# As many as the largest float by the smallest step has: no rest is lost.
_DIGITS = 700

_OFFSET = r"(?:Z|[+-]\d\d:\d\d)?"
_TIME = rf"\d\d:\d\d:\d\d(?:\.\d+)?{_OFFSET}"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
# How the formats of strict mode are written (RFC 3339, RFC 5321 without its quoted forms, RFC 1123). A time without an
# offset is let pass: Pydantic's `datetime` takes one.
_WRITTEN = {
    "date": r"\d{4}-\d\d-\d\d",
    "date-time": rf"\d{{4}}-\d\d-\d\d[Tt ]{_TIME}",
    "time": _TIME,
    "duration": r"[+-]?P(?=.)(?:\d+(?:\.\d+)?[YMWD])*(?:T(?:\d+(?:\.\d+)?[HMS])+)?",
    "email": rf"[^@\s\"(),:;<>\[\]]+@{_LABEL}(?:\.{_LABEL})*",
    "hostname": rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*",
    "uuid": r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
}
# What is written so and still may be impossible (the 30th of February).
_POSSIBLE: dict[str, Callable[[str], object]] = {
    "date": date.fromisoformat,
    "date-time": lambda text: datetime.fromisoformat(text.upper().replace(":60", ":59")),
    "time": lambda text: time.fromisoformat(text.replace(":60", ":59")),
    "ipv4": ipaddress.IPv4Address,
    "ipv6": ipaddress.IPv6Address,
    "uuid": UUID,
}


def validate(value: Any, schema: JSONSchema, text: str) -> None:
    """Nothing if data is valid under a schema.

    Raises:
        AnswerInvalid: It is not; the error names the place.
        SchemaError: The schema is not a JSON schema, or refers out of itself.
    """
    from jsonschema.exceptions import best_match
    from referencing.exceptions import Unresolvable

    validator = validator_of(schema, format_checker())
    try:
        error = best_match(validator.iter_errors(value))
    except Unresolvable as problem:
        raise SchemaError(
            f"the schema refers out of itself: {problem}", remedy="move the definition into `$defs`"
        ) from None
    except (TypeError, ValueError, AttributeError) as problem:
        raise SchemaError(f"not a JSON schema: {problem}") from None
    if error is not None:
        # Which option of a choice is nearest is a guess that may be wrong; its constants are none.
        while error.parent is not None:
            error = error.parent
        error = _of_the_meant_option(error)
        pointer = "".join(f"/{part}" for part in error.absolute_path)
        raise AnswerInvalid(_message(error)[:300], text, pointer or None)


def validator_of(schema: JSONSchema, formats: FormatChecker | None = None) -> Validator:
    """What checks data under a schema of draft 2020-12: steps in decimal digits, and nothing outside is fetched."""
    from referencing.jsonschema import EMPTY_REGISTRY

    # With this registry a remote $ref is an error; the default one would fetch it.
    return _validator_class()(dict(schema), registry=EMPTY_REGISTRY, format_checker=formats)


@cache
def _validator_class() -> Callable[..., Validator]:
    from jsonschema import Draft202012Validator, validators

    made: Callable[..., Validator] = validators.extend(Draft202012Validator, {"multipleOf": _steps})  # type: ignore[no-untyped-call]
    return made


def _steps(_: Validator, step: float, value: Any, __: JSONSchema) -> Iterator[ValidationError]:
    """``multipleOf`` in the digits that are written: in binary fractions 19.99 is no multiple of 0.01."""
    from jsonschema.exceptions import ValidationError

    if isinstance(value, (int, float)) and not isinstance(value, bool):
        with localcontext(prec=_DIGITS):
            if Decimal(repr(value)) % Decimal(repr(step)):
                yield ValidationError(f"{value!r} is not a multiple of {step!r}")


def _of_the_meant_option(error: ValidationError) -> ValidationError:
    """The fault in the only option of a choice whose constants the data has; else the error itself."""
    if error.validator not in ("anyOf", "oneOf") or not error.context:
        return error
    options: dict[object, list[ValidationError]] = {}
    for one in error.context:
        options.setdefault(one.schema_path[0], []).append(one)
    meant = [faults for faults in options.values() if not any(map(_tells_apart, faults))]
    return _of_the_meant_option(meant[0][0]) if len(meant) == 1 else error


def _message(error: ValidationError) -> str:
    """What is wrong; of a choice of types, which ones."""
    faults = error.context or []
    if faults and all(len(each.path) == 0 and each.validator == "type" for each in faults):
        kinds = dict.fromkeys(repr(each.validator_value) for each in faults)
        return f"{error.instance!r} is not of type {', '.join(kinds)}"
    return error.message


def _tells_apart(fault: ValidationError) -> bool:
    """Whether a fault says that another option was meant: another kind of value, or another constant in a key."""
    return (len(fault.path) == 0 and fault.validator == "type") or (
        len(fault.path) == 1 and fault.validator in ("const", "enum")
    )


@cache
def format_checker() -> FormatChecker:
    """The formats of strict mode, checked: what is written otherwise, or impossible, is not valid."""
    from jsonschema import FormatChecker

    checker = FormatChecker(formats=())
    for name in sorted(_WRITTEN.keys() | _POSSIBLE.keys()):
        checker.checks(name, raises=ValueError)(_check_of(name))
    return checker


def _check_of(name: str) -> Callable[[object], bool]:
    written, possible = re.compile(_WRITTEN.get(name, ".*")), _POSSIBLE.get(name)

    def check(value: object) -> bool:
        if isinstance(value, str):
            if not written.fullmatch(value):
                return False
            if possible is not None:
                possible(value)
        return True

    return check
