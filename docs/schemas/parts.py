"""What the schemas are made of."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from promptopt.call_options import (
    DETAILS,
    PROMPTS_OWN,
    REASONING_EFFORTS,
    SERVICE_TIERS,
    TOOL_CHOICES,
    VERBOSITIES,
    CallOptions,
)

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
NUMBER: Schema = {"type": "number"}
COUNT: Schema = {"type": "integer", "minimum": 0}
ANY: Schema = {}
TABLE: Schema = {"type": "object"}
# Numbers may be written as texts: to a loader of YAML 1.2 some forms, such as 1e-1, are labels.
WRITTEN_NUMBER = r"^\s*[+-]?[0-9._]+([eE][+-]?[0-9]+)?\s*$"


def listed(items: Schema, **more: object) -> Schema:
    """A list."""
    return {"type": "array", "items": items, **more}


def whole(least: int) -> Schema:
    """A whole number."""
    return {"type": "integer", "minimum": least}


def number(least: float = 0, most: float | None = None) -> Schema:
    """A number, or a text that is one."""
    bounds = {"minimum": least} | ({} if most is None else {"maximum": most})
    return {"anyOf": [{"type": "number", **bounds}, {"type": "string", "pattern": WRITTEN_NUMBER}]}


def optional(schema: Schema) -> Schema:
    """The same, or nothing."""
    return schema if not schema or schema.get("type") == "null" else {"anyOf": [schema, {"type": "null"}]}


def words(known: Iterable[str], why: str = "") -> Schema:
    """One of these texts."""
    return {"enum": list(known)} | ({"description": why} if why else {})


def mapping(
    keys: Iterable[str], known: Mapping[str, Schema], required: Iterable[str] = (), rest: object = False
) -> Schema:
    """A mapping with these keys and no others.

    Raises:
        SystemExit: The loader has a key that is not described here, or the other way round.
    """
    keys = list(keys)
    if unlike := set(keys) ^ set(known):
        raise SystemExit(
            f"docs/schemas and a loader differ in {', '.join(sorted(unlike))}: "
            "describe each key there, then write the schemas again: python docs/schemas"
        )
    found: Schema = {"type": "object", "properties": {key: known[key] for key in keys}, "additionalProperties": rest}
    return found | ({"required": list(required)} if required else {})


def names(kind: type) -> list[str]:
    """The fields of a dataclass."""
    return [each.name for each in fields(kind)]


OPTIONS: dict[str, Schema] = {
    "temperature": number(0, 2),
    "max_output_tokens": whole(1),
    "seed": whole(0),
    "stop": {"anyOf": [TEXT, listed(TEXT)]},
    "reasoning_effort": words(REASONING_EFFORTS),
    "verbosity": words(VERBOSITIES),
    "service_tier": words(SERVICE_TIERS),
    "top_p": number(0, 1),
    "frequency_penalty": number(-2, 2),
    "presence_penalty": number(-2, 2),
    "logprobs": FLAG,
    "top_logprobs": {"type": "integer", "minimum": 0, "maximum": 20},
    "tool_choice": {
        "type": "string",
        "pattern": "^[A-Za-z0-9_-]{1,64}$",
        "description": f"{', '.join(TOOL_CHOICES)}, or the name of a tool",
    },
    "parallel_tool_calls": FLAG,
    "response_format": words(["json_object"]),
    "detail": words(DETAILS),
    "extra_body": {**TABLE, "properties": dict.fromkeys(PROMPTS_OWN, False)},
}
if unlike := set(OPTIONS) ^ set(names(CallOptions)):
    raise SystemExit(
        f"{__file__}: OPTIONS and promptopt.call_options.CallOptions differ in {', '.join(sorted(unlike))}: "
        "give each setting of a call its line here, then write the schemas again: python docs/schemas"
    )
