"""The turns of a conversation, as a case writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from promptopt.errors import SuiteError, did_you_mean
from promptopt.suites.case import Assertion, Turn
from promptopt.suites.tool_results import ToolResults
from promptopt.suites.variables import read_variable, render_variables
from promptopt.values import Media
from promptopt.yaml import line_of

GIVEN = ("history", "_conversation")
"""Variables that the prompt of a conversation is given: what was said before a turn."""

_KEYS = ("user", "vars", "assert", "tool_results")
# What others write in a turn, and what it is here.
_OTHERS = {
    **dict.fromkeys(("role", "content", "assistant"), "a turn is what the user says, `user:`; the model answers it"),
    "metadata": "metadata, threshold and max_steps belong to the case",
    "threshold": "metadata, threshold and max_steps belong to the case",
    "max_steps": "metadata, threshold and max_steps belong to the case",
}


class Fail(Protocol):
    """Makes the error of a file: a message, the mapping and the key that it is about, and a remedy."""

    def __call__(
        self, message: str, where: Mapping[str, Any] | None, key: str | None = None, remedy: str | None = None
    ) -> SuiteError: ...


def read_turns(
    test: Mapping[str, Any],
    variables: Mapping[str, Any],
    folders: tuple[Path, ...],
    asserts: Callable[[Mapping[str, Any]], tuple[Assertion, ...]],
    results: Callable[[Mapping[str, Any], Mapping[str, Any]], ToolResults | None],
    fail: Fail,
) -> tuple[Turn, ...]:
    """The turns of a test, which has the key ``turns``.

    Args:
        variables: Those of the case as they are written, before variables in them are filled in.
        folders: Where a ``file://`` is looked for.
        asserts: Reads the asserts of a turn.
        results: Reads the results of tools of a turn, with its variables.

    Raises:
        SuiteError: They are not turns; the message has the line.
    """
    written = test["turns"]
    if not isinstance(written, list):
        raise fail(f"turns: {written!r:.60} is not a list of what the user says", test, "turns")
    if not written:
        raise fail("turns is empty", test, "turns", "write at least one `- user: ...`, or leave `turns` out")
    entries = [
        {"user": entry} if isinstance(entry, str) else _checked(entry, number, test, fail)
        for number, entry in enumerate(written, 1)
    ]
    taken = (*GIVEN, *(["user"] if any("user" in entry for entry in entries) else []))
    for where in (variables, *(entry.get("vars") or {} for entry in entries)):
        if found := [name for name in taken if name in where]:
            remedy = "give the variable of the case another name, here and in the prompt"
            raise fail(f"`turns` gives the prompt the variable {found[0]!r} itself", test, "turns", remedy)
    turns = []
    for number, entry in enumerate(entries, 1):
        try:
            user, filled = _filled(entry, variables, number, folders)
        except ValueError as error:
            raise fail(f"turn {number}: {error}", entry if line_of(entry) else test, "user") from None
        own = results(entry, filled) if entry.get("tool_results") is not None else None
        turns.append(Turn(user, filled, asserts(entry), own))
    return tuple(turns)


def _checked(entry: object, number: int, test: Mapping[str, Any], fail: Fail) -> Mapping[str, Any]:
    if not isinstance(entry, Mapping):
        raise fail(f"turn {number} is {entry!r:.60}, not a mapping with `user`", test, "turns")
    for key in entry:
        if key not in _KEYS:
            remedy = f"known: {', '.join(_KEYS)}" + (f". {_OTHERS[key]}" if key in _OTHERS else "")
            raise fail(f"unknown key {key!r} in turn {number}.{did_you_mean(str(key), _KEYS)}", entry, key, remedy)
    if "user" in entry and (not isinstance(entry["user"], str) or not entry["user"].strip()):
        remedy = "write what the user says; to say it with variables only, give the turn `vars` and no `user`"
        raise fail(f"turn {number}: user: {entry['user']!r:.60} is not a text", entry, "user", remedy)
    if "vars" in entry and not isinstance(entry["vars"], Mapping):
        raise fail(f"turn {number}: vars: {entry['vars']!r:.60} is not a mapping", entry, "vars")
    if "user" not in entry and not entry.get("vars") and number > 1:
        remedy = "only the first turn may be what the prompt says by itself"
        raise fail(f"turn {number} has neither `user` nor `vars`", entry, None, remedy)
    return entry


def _filled(
    entry: Mapping[str, Any], variables: Mapping[str, Any], number: int, folders: tuple[Path, ...]
) -> tuple[str | None, Mapping[str, Any]]:
    """What the user says and the variables of the turn, with variables filled in. Raises ValueError."""
    own = {name: read_variable(value, folders) for name, value in (entry.get("vars") or {}).items()}
    text = read_variable(entry.get("user"), folders)
    if isinstance(text, Media):
        raise ValueError(f"user: {entry['user']!r} is not a text; give a picture, a sound or a file as a variable")
    # No variable has such a name, so that none can refer to it.
    name = f"turn {number}"
    rendered, _ = render_variables({**variables, **own, **({} if text is None else {name: text})})
    return rendered.get(name), {key: value for key, value in rendered.items() if key != name}
