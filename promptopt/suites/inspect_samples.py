"""Samples of inspect's datasets as tests: a row with ``input``, and perhaps ``target``, ``choices``, ``id``."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from typing import Any

from promptopt.errors import SuiteError
from promptopt.yaml import Located

# They change what a model is asked or can do, so a sample without them is another one.
_UNSUPPORTED = ("sandbox", "files", "setup")


def read_sample(row: Mapping[str, Any], path: str, line: int) -> Located:
    """A sample as a test.

    The answer contains one of the targets; with ``choices``, a variable of the case, it equals the target's letter. An
    empty target, inspect's default, is not an assert. A chat of one user message is its text.

    Raises:
        SuiteError: The sample cannot be measured as it is.
    """

    def fail(message: str) -> SuiteError:
        return SuiteError(f"inspect sample: {message}", path=path, line=line)

    for key in _UNSUPPORTED:
        if row.get(key):
            raise fail(f"`{key}` is not supported")
    targets = row.get("target", [])
    targets = targets if isinstance(targets, list) else [targets]
    if not all(isinstance(target, (str, int, float)) for target in targets):
        raise fail(f"`target` is {row['target']!r}, not a text or a list of texts")
    targets = [str(target) for target in targets if target != ""]
    test = Located(line)
    test["vars"] = {"input": _input(row["input"], fail)}
    test["assert"] = [{"type": "contains-any", "value": targets}] if targets else []
    if choices := row.get("choices"):
        if not isinstance(choices, list) or not all(isinstance(choice, str) for choice in choices):
            raise fail(f"`choices` is {choices!r}, not a list of texts")
        letters = list(string.ascii_uppercase[: len(choices)])
        if len(targets) > 1 or any(target not in letters for target in targets):
            raise fail(f"`target` is {row['target']!r}, not one of the letters {', '.join(letters)}")
        test["vars"]["choices"] = choices
        test["options"] = {"disableVarExpansion": True}
        test["assert"] = [{"type": "equals", "value": target} for target in targets]
    test["metadata"] = row.get("metadata") or {}
    if row.get("id") is not None:
        test["description"] = str(row["id"])
    return test


def _input(value: Any, fail: Callable[[str], SuiteError]) -> Any:
    if isinstance(value, (str, int, float)):
        return value
    if not isinstance(value, list):
        raise fail(f"`input` is {value!r}, not a text")
    first = value[0] if len(value) == 1 and isinstance(value[0], Mapping) else {}
    if first.get("role") == "user" and isinstance(first.get("content"), str):
        return first["content"]
    raise fail(
        f"`input` is a chat of {len(value)} messages; only one user message with a text can be a variable, "
        "the others belong in the prompt"
    )
