"""What a suite does to an answer, or to variables, with code of its own: an expression in JavaScript or a function."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from promptopt.functions import load_function
from promptopt.suites.variables import FILE

Transform = Callable[[Any, Mapping[str, Any]], Any]
"""Makes another value of a value and its context (``vars``, ``prompt``)."""


def make_transform(code: str, argument: str = "output") -> Transform:
    """The function that a ``transform`` of promptfoo's is.

    Args:
        code: An expression or a body in JavaScript, ``file://x.js:function`` or ``file://x.py:function`` (by default
            ``get_transform``). Files are absolute.
        argument: What inline code calls the value.

    Raises:
        ValueError: There is no such function.
    """
    if code.startswith(FILE):
        return _of_file(code)
    from promptopt.javascript import run_code

    # promptfoo takes a text of several lines, the last of them empty too, as a body.
    body = f"\n{code}" if "\n" in code or code.lstrip().startswith("return ") else code

    def inline(value: Any, context: Mapping[str, Any]) -> Any:
        return _value(run_code(body, {argument: value, "context": dict(context)}), code)

    return inline


@lru_cache(maxsize=256)
def transform_of(code: str) -> Transform:
    """As :func:`make_transform`, once for all answers."""
    return make_transform(code)


def _of_file(code: str) -> Transform:
    name, _, function = code.removeprefix(FILE).rpartition(":")
    if not name or "/" in function or "." in function:
        name, function = code.removeprefix(FILE), ""
    path = Path(name)
    if path.suffix == ".py":
        made = load_function(f"{FILE}{path}:{function or 'get_transform'}")
        return lambda value, context: _value(made(value, dict(context)), path.name)
    from promptopt.javascript import SUFFIXES, run_file

    if path.suffix not in SUFFIXES:
        raise ValueError(f"transform: {path.name} is neither JavaScript nor Python")
    if not path.is_file():
        raise ValueError(f"transform: there is no file {path.name!r}")
    return lambda value, context: _value(run_file(path, function or None, [value, dict(context)]), path.name)


def _value(result: Any, code: str) -> Any:
    if result is None:
        raise ValueError(f"transform: {code.strip().splitlines()[0][:60]!r} returns nothing")
    return result


def as_text(value: Any) -> str:
    """What a transform returned as an answer: a text as it is, anything else as JSON, as JavaScript writes it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
