"""What models put around an answer's data: a key, a list of one, a call of a tool, the form of a schema."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from promptopt.schemas.strict_json import DuplicateKey, strict_loads

# Where a call of a tool, or a schema that was filled in, has its data.
_PAYLOADS = ("arguments", "parameters", "args", "input", "tool_input", "action_input", "properties")
# What else such an object has.
_BESIDE = {
    *("name", "type", "id", "index", "call_id", "tool", "tool_name", "action", "recipient", "function_name"),
    *("title", "description", "required", "additionalProperties", "$schema"),
}
# Keys whose value is shown, and is not what was asked for.
_NOT_MEANT = {"example", "examples", "template", "draft", "previous", "old", "wrong", "incorrect", "rejected", "error"}


def json_in(value: Any) -> Any:
    """The list or object that a text of the data is as JSON; ``None`` if it is none."""
    if not isinstance(value, str) or value.lstrip()[:1] not in ("[", "{"):
        return None
    try:
        found = strict_loads(value)
    except (ValueError, DuplicateKey, RecursionError):
        return None
    return found if isinstance(found, (dict, list)) else None


def is_meant(key: str) -> bool:
    """Whether data under a key may be the answer."""
    return key.casefold() not in _NOT_MEANT


def _inner_call(value: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What is within one of the layers that an API puts around a call."""
    for key in ("tool_calls", "tool_call", "function_call", "function"):
        inner = value.get(key)
        inner = inner[0] if isinstance(inner, list) and len(inner) == 1 else inner
        if isinstance(inner, Mapping) and set(value) <= {"id", "type", "index", key}:
            return inner
    return None


def payload_of(value: Mapping[str, Any], names: Iterable[str]) -> tuple[str, dict[str, Any]] | None:
    """The data of a call of a tool, and its key; ``None`` if an object is no such call.

    Args:
        names: The properties that the data may have.
    """
    names = set(names)
    while (inner := _inner_call(value)) is not None:
        value = inner
    keys = [key for key in _PAYLOADS if key in value and key not in names]
    if len(keys) != 1 or not set(value) - {keys[0]} <= _BESIDE:
        return None
    payload = value[keys[0]]
    payload = payload if isinstance(payload, dict) else json_in(payload)
    if not isinstance(payload, dict) or not names & set(payload):
        return None
    # A key of the schema beside the data would be lost, and a schema itself is no data.
    lost = (set(value) & names) - set(payload)
    is_schema = any(
        isinstance(part, dict) and {"type", "$ref", "enum", "anyOf"} & set(part) for part in payload.values()
    )
    return None if lost or (keys[0] == "properties" and is_schema) else (keys[0], payload)


def bared_object(body: str, properties: Any) -> tuple[Any, str] | None:
    """An object in double braces, one with every quotation mark escaped, or one without the brace of a prefill.

    Args:
        properties: Those of the schema, if it has any.

    Returns:
        The value and what was repaired.
    """
    forms = []
    if body.startswith("{{") and body.endswith("}}"):
        forms.append((body[1:-1], "took one pair of braces off"))
    if re.match(r'[\[{]\s*\\"', body) and not re.search(r'(?<!\\)"', body):
        forms.append((body.replace('\\"', '"'), "removed the backslash before every quotation mark"))
    key = re.match(r'"([^"\\]+)"\s*:', body)
    if key and isinstance(properties, Mapping) and key[1] in properties:
        rest = body.rstrip("` \n")
        forms += [("{" + rest, "added the opening brace"), ("{" + rest + "}", "added the braces")]
    for form, note in forms:
        try:
            value = strict_loads(form)
        except (ValueError, DuplicateKey, RecursionError):
            continue
        if isinstance(value, (dict, list)):
            return value, note
    return None
