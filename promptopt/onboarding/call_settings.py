"""What a call of an SDK sets besides its messages: what of it front matter takes, and what stays in the call."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from promptopt.onboarding.carried import FORMS, as_front_matter, notes_of
from promptopt.onboarding.found import Unreadable
from promptopt.onboarding.python_text import TextReader

_SYSTEM = ("system_instruction", "systemInstruction")
# Anthropic's SDK has no arguments for these: the call that is proposed sends them in its ``extra_body``.
_IN_THE_BODY = ("temperature", "top_p")


def settings_of_call(
    given: Mapping[str, ast.expr], reader: TextReader, call: str
) -> tuple[dict[str, Any], tuple[str, ...], str, tuple[str, ...]]:
    """Front matter, the arguments that stay, the code of a model that is no literal, and notes.

    Args:
        given: The arguments by name.
        reader: Reads what they are made of.
        call: The SDK, as in ``FoundPrompt.call``.
    """
    values = {name: _constant(node, reader) for name, node in given.items()}
    model = values.pop("model", None)
    settings, refused = as_front_matter(values)
    if call == "anthropic" and "extra_body" in refused:
        for name in _IN_THE_BODY:
            if settings.pop(name, None) is not None:
                refused[name] = "it would be in a second extra_body, beside the one that stays"
    if "config" in refused:
        _, inner = as_front_matter({name: _constant(node, reader) for name, node in _inner(given["config"]).items()})
        if inner:
            refused["config"] = "; ".join(f"{name}: {why}" for name, why in inner.items())
    # What is said to be nothing is as if it were not said.
    said = {name: why for name, why in refused.items() if ast.unparse(given[name]) != "None"}
    notes, model_code = list(notes_of(said, call=True)), ""
    if isinstance(model, str) and model:
        settings = {"model": model, **settings}
    elif "model" in given:
        model_code = ast.unparse(given["model"])
        notes.append(f"its model is known when it runs only: {model_code}")
    notes += [
        f"{name} stays in the call, and is not counted: see `tools` and `output_schema`"
        for name in FORMS
        if name in given
    ]
    rest = tuple(f"{name}={ast.unparse(given[name])}" for name in refused)
    return settings, rest, model_code, tuple(notes)


def without_config(given: Mapping[str, ast.expr], reader: TextReader) -> tuple[dict[str, ast.expr], ast.expr | None]:
    """A call of Google's SDK with the arguments in its ``config`` as its own, and the system's message among them.

    All of them or none: front matter makes a ``config`` too, and a call takes one. One with a setting that front matter
    has not stays as it is.

    Raises:
        Unreadable: It stays, and the system's message is in it.
    """
    inner = _inner(given.get("config"))
    system = next((inner.pop(name) for name in _SYSTEM if name in inner), None)
    _, refused = as_front_matter({name: _constant(node, reader) for name, node in inner.items()})
    if not refused and (inner or system is not None):
        return {**{name: node for name, node in given.items() if name != "config"}, **inner}, system
    if system is not None:
        why = "; ".join(f"{name}: {reason}" for name, reason in refused.items())
        raise Unreadable(
            f"its system_instruction is in config with what no prompt file has ({why}): carry it over by hand"
        )
    return dict(given), None


def _inner(node: ast.expr | None) -> dict[str, ast.expr]:
    """The arguments that a call or a table gives by name; nothing if it does not name all of them."""
    if isinstance(node, ast.Dict):
        names = [key.value if isinstance(key, ast.Constant) else None for key in node.keys]
        return {str(name): value for name, value in zip(names, node.values, strict=True)} if all(names) else {}
    if isinstance(node, ast.Call) and not node.args and all(each.arg for each in node.keywords):
        return {str(each.arg): each.value for each in node.keywords}
    return {}


def _constant(node: ast.expr, reader: TextReader) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        pass
    try:
        text = reader.text(node) if isinstance(node, ast.Name | ast.Attribute) else ()
        if text and all(isinstance(part, str) for part in text):
            return "".join(map(str, text))
        found = reader.value(node)
        return ast.literal_eval(found[0][1].value) if found and len(found) == 1 and found[0][1].value else None
    except (Unreadable, ValueError, TypeError):
        return None
