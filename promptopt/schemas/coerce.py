"""Data made to fit a schema without changing what it says: ``"5"`` for 5, ``Positive`` for the label ``positive``."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from promptopt.errors import AnswerAmbiguous, AnswerInvalid
from promptopt.schemas.around import is_place
from promptopt.schemas.strict import WRAPPED, resolve
from promptopt.schemas.validate import format_checker, validate
from promptopt.schemas.wrappers import is_meant, json_in, payload_of
from promptopt.values import JSONSchema

_DEEPEST = 6
"""How often a definition that refers to itself is copied in."""
_BETWEEN = re.compile(r"(\w)[\s_-]+(?=(\w))")
_INTEGER = re.compile(r"[+-]?\d{1,18}")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_BOOLEANS = {"true": True, "yes": True, "false": False, "no": False}


def coerce(value: Any, schema: JSONSchema, text: str) -> tuple[Any, tuple[str, ...]]:
    """``value`` as the schema wants it, and what was converted, one line each.

    Keys and labels are matched without regard to case, blanks and surrounding marks; a number or boolean written as
    text becomes one; a key that the schema forbids is removed; a missing key that may be null is null; a null for an
    optional property that may not be null is left out; what :func:`fix_schema` has wrapped is unwrapped. Nothing else
    is changed.

    Raises:
        AnswerInvalid: It is still not valid; the error names the place.
        SchemaError: The schema is not a JSON schema, or refers out of itself.
    """
    coercer = _Coercer(schema, text)
    coerced = coercer.coerce(coercer.unwrapped(value, schema), schema, "")
    validate(coerced, schema, text)
    return coerced, tuple(coercer.notes)


class _Coercer:
    def __init__(self, root: JSONSchema, text: str = "") -> None:
        self._root = root
        self._text = text
        self.notes: list[str] = []

    def unwrapped(self, value: Any, schema: Any) -> Any:
        """Data without what a model puts around it: a list of one, one key, the call of a tool."""
        target = self._target(schema)
        properties = target.get("properties") if target is not None else None
        if not isinstance(properties, Mapping):
            if isinstance(value, dict) and list(value) == [WRAPPED] and not self._takes_key(schema, WRAPPED):
                return value[WRAPPED]
            return self._as_list(value, target) if target is not None and _kinds(target) == ("array",) else value
        names = set(map(plain, properties))
        if isinstance(value, list) and (only := self._only_list(properties)) and not _has(value, only):
            self._note("", f"taken as {only!r}")
            return {only: value}
        if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
            self._note("", "taken out of a list of one")
            return self.unwrapped(value[0], schema)
        if isinstance(value, dict) and (call := payload_of(value, properties)):
            self._note("", f"taken out of {call[0]!r}")
            return call[1]
        if isinstance(value, dict) and len(value) == 1:
            key, inner = next(iter(value.items()))
            inner = inner if isinstance(inner, (dict, list)) else json_in(inner)
            inner = inner[0] if isinstance(inner, list) and len(inner) == 1 else inner
            if plain(key) not in names and isinstance(inner, dict) and set(map(plain, inner)) & names and is_meant(key):
                self._note("", f"taken out of {key!r}")
                return inner
        return value

    def _only_list(self, properties: Mapping[str, Any]) -> str | None:
        """The only property, if it is a list."""
        name, *others = properties
        target = self._target(properties[name])
        return name if not others and target is not None and _kinds(target) == ("array",) else None

    def _as_list(self, value: Any, target: Mapping[str, Any]) -> Any:
        """A list that is under one key, or one object where a list of such objects is wanted."""
        if not isinstance(value, dict):
            return value
        item = self._target(target.get("items"))
        properties = item.get("properties") if item is not None else None
        if isinstance(properties, Mapping) and set(map(plain, value)) & set(map(plain, properties)):
            self._note("", "put into a list of one")
            return [value]
        if len(value) == 1:
            key, inner = next(iter(value.items()))
            inner = inner if isinstance(inner, list) else json_in(inner)
            if isinstance(inner, list) and is_meant(key):
                self._note("", f"taken out of {key!r}")
                return inner
        return value

    def _takes_key(self, schema: Any, key: str) -> bool:
        """Whether an object with this key may be valid."""
        target = self._target(schema)
        if target is None:
            return True
        if isinstance(options := target.get("anyOf", target.get("oneOf")), list):
            return any(self._takes_key(option, key) for option in options)
        properties = target.get("properties")
        if isinstance(properties, Mapping):
            return key in properties
        return not _kinds(target) or "object" in _kinds(target)

    def coerce(self, value: Any, schema: Any, pointer: str) -> Any:
        schema = self._target(schema)
        if schema is None:
            return value
        if isinstance(options := schema.get("anyOf", schema.get("oneOf")), list):
            return self._choice(value, options, pointer)
        kinds = _kinds(schema)
        if {"array", "object"} & set(kinds) and "string" not in kinds and (inner := json_in(value)) is not None:
            self._note(pointer, "JSON in a text, read")
            value = inner
        if isinstance(value, dict) and isinstance(schema.get("properties"), Mapping):
            return self._object(value, schema, pointer)
        if isinstance(value, dict) and "object" in kinds:
            # An object with free keys.
            return {
                key: self.coerce(item, schema.get("additionalProperties"), f"{pointer}/{key}")
                for key, item in value.items()
            }
        if isinstance(value, list):
            if "array" in kinds or not kinds:
                first = schema.get("prefixItems")
                placed = list(first) if isinstance(first, list) else []
                items = [*placed, *[schema.get("items")] * len(value)]
                return [self.coerce(item, items[n], f"{pointer}/{n}") for n, item in enumerate(value)]
            return value
        if isinstance(schema.get("enum"), list):
            return self._label(value, schema["enum"], pointer)
        if isinstance(schema.get("const"), str):
            return self._label(value, [schema["const"]], pointer)
        return self._scalar(value, kinds, pointer)

    def _target(self, schema: Any) -> Mapping[str, Any] | None:
        for _ in range(50):
            if not isinstance(schema, Mapping):
                return None
            if not isinstance(schema.get("$ref"), str):
                return schema
            schema = resolve(self._root, schema["$ref"])
        return None

    def _note(self, pointer: str, what: str) -> None:
        self.notes.append(f"{pointer or 'the answer'}: {what}")

    def _choice(self, value: Any, options: list[Any], pointer: str) -> Any:
        """The first option that takes the value as it is; else the only one that takes it converted."""
        from jsonschema import Draft202012Validator
        from referencing.jsonschema import EMPTY_REGISTRY

        coerced = []
        for option in options:
            inner = _Coercer(self._root)
            attempt = inner.coerce(value, option, pointer)
            rooted = {**option, "$defs": self._root.get("$defs", {})} if isinstance(option, Mapping) else {}
            if Draft202012Validator(rooted, registry=EMPTY_REGISTRY, format_checker=format_checker()).is_valid(attempt):
                if not inner.notes:
                    return attempt
                coerced.append((attempt, inner.notes))
        if len(coerced) == 1:
            self.notes.extend(coerced[0][1])
            return coerced[0][0]
        return value

    def _object(self, value: dict[str, Any], schema: Mapping[str, Any], pointer: str) -> dict[str, Any]:
        properties: Mapping[str, Any] = schema["properties"]
        names = self._names(value, properties, pointer)
        required = schema.get("required", ())
        coerced: dict[str, Any] = {}
        for key, item in value.items():
            name = names.get(key, key)
            if item is None and name not in required and self._refuses_null(properties.get(name)):
                self._note(f"{pointer}/{name}", "null for an optional value, left out")
            elif name in properties:
                if isinstance(item, str) and is_place(item, name):
                    raise AnswerInvalid(
                        f"{item!r} is the place of a value, not a value", self._text, f"{pointer}/{name}"
                    )
                coerced[name] = self.coerce(item, properties[name], f"{pointer}/{name}")
            elif (same := _same_key(key, value, properties)) is not None and value[same] != item:
                raise AnswerAmbiguous(f"the keys {same!r} and {key!r} are one, with different values", self._text)
            elif schema.get("additionalProperties") is False:
                self._note(f"{pointer}/{key}", "left out, the schema has no such key")
            else:
                coerced[key] = item
        for name in required:
            target = self._target(properties.get(name))
            if name not in coerced and target is not None and _takes_null(target):
                coerced[name] = None
                self._note(f"{pointer}/{name}", "missing, read as null")
        return coerced

    def _refuses_null(self, schema: Any) -> bool:
        target = self._target(schema)
        if target is None:
            return False
        if isinstance(options := target.get("anyOf", target.get("oneOf")), list):
            return all(self._refuses_null(option) for option in options)
        if "const" in target:
            return target["const"] is not None
        if "enum" in target:
            return None not in target["enum"]
        return bool(_kinds(target)) and "null" not in _kinds(target)

    def _names(self, value: dict[str, Any], properties: Mapping[str, Any], pointer: str) -> dict[str, str]:
        """Keys of the answer that are a property's name but for case, blanks and hyphens."""
        free: dict[str, list[str]] = {}
        for name in properties:
            if name not in value:
                free.setdefault(plain(name), []).append(name)
        found: dict[str, str] = {}
        for key in value:
            matches = free.get(plain(key), []) if key not in properties else []
            if len(matches) == 1 and matches[0] not in found.values():
                found[key] = matches[0]
                self._note(f"{pointer}/{matches[0]}", f"was written {key!r}")
        return found

    def _label(self, value: Any, labels: list[Any], pointer: str) -> Any:
        if any(value == label and type(value) is type(label) for label in labels):
            return value
        matches = [label for label in labels if _same_label(label, value)]
        if len(matches) == 1 and not isinstance(value, bool):
            self._note(pointer, f"{value!r} read as {matches[0]!r}")
            return matches[0]
        return value

    def _scalar(self, value: Any, kinds: tuple[str, ...], pointer: str) -> Any:
        converted = _converted(value, kinds)
        if type(converted) is not type(value):
            self._note(pointer, f"{value!r} read as {converted!r}")
        return converted


def _same_label(label: Any, value: Any) -> bool:
    if isinstance(label, int) and not isinstance(label, bool):
        if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
            return int(value) == label
        return isinstance(value, float) and value == label
    return bool(plain(str(value))) and plain(str(label)) == plain(str(value))


def _converted(value: Any, kinds: tuple[str, ...]) -> Any:
    if isinstance(value, float) and "integer" in kinds and "number" not in kinds and value.is_integer():
        return int(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        # A year or a code that the model wrote without quotes; 1.50 would come back as 1.5.
        return str(value) if isinstance(value, int) and kinds in (("string",), ("string", "null")) else value
    if not isinstance(value, str) or "string" in kinds:
        return value
    text = value.strip().rstrip(".") if not _NUMBER.fullmatch(value.strip()) else value.strip()
    if "integer" in kinds and _INTEGER.fullmatch(text):
        return int(text)
    if "number" in kinds and _NUMBER.fullmatch(text) and math.isfinite(float(text)):
        return float(text) if not _INTEGER.fullmatch(text) else int(text)
    if "boolean" in kinds and text.lower() in _BOOLEANS:
        return _BOOLEANS[text.lower()]
    if "null" in kinds and text.lower() in ("null", "none", "n/a", ""):
        return None
    return value


def _kinds(schema: Mapping[str, Any]) -> tuple[str, ...]:
    declared = schema.get("type")
    return tuple(declared) if isinstance(declared, list) else (declared,) if isinstance(declared, str) else ()


def _takes_null(schema: Mapping[str, Any]) -> bool:
    if "null" in _kinds(schema):
        return "enum" not in schema or None in schema["enum"]
    options = schema.get("anyOf")
    return isinstance(options, list) and any(isinstance(o, Mapping) and _takes_null(o) for o in options)


def _same_key(key: str, value: Mapping[str, Any], properties: Mapping[str, Any]) -> str | None:
    """The property of an answer that a key is another spelling of."""
    return next((name for name in value if name != key and name in properties and plain(name) == plain(key)), None)


def _has(items: list[Any], name: str) -> bool:
    """Whether an object of a list has a key."""
    return any(isinstance(item, dict) and plain(name) in map(plain, item) for item in items)


def plain(label: str) -> str:
    """A label without case, blanks, hyphens, underscores, quotes, Markdown and a final stop.

    What tells labels apart stays: the sign of a number, the hyphen of a range, ``C#`` and ``A-``.
    """
    bare = re.sub(r"\A\s*#+\s|[`\"'“”‘’]+", "", label).strip()
    bare = re.sub(r"\A(\*+)(.*)\1\Z", r"\2", bare, flags=re.DOTALL).lstrip(" _:,;!([").rstrip(" _.:,;!)]")
    return _BETWEEN.sub(lambda gap: gap[0] if (gap[1] + gap[2]).isdigit() else gap[1], bare).casefold()


def inlined(node: Any, root: JSONSchema, depth: int = 0) -> Any:
    """A property with the definitions copied in that it refers to; what refers to itself may be anything."""
    if isinstance(node, list):
        return [inlined(part, root, depth) for part in node]
    if not isinstance(node, Mapping):
        return node
    if isinstance(node.get("$ref"), str):
        target = resolve(root, node["$ref"])
        # The validator reports a reference that leads out of the schema.
        return node if target is None else {} if depth > _DEEPEST else inlined(target, root, depth + 1)
    inner = ("properties", "items", "anyOf")
    return {
        key: ({name: inlined(child, root, depth + 1) for name, child in part.items()})
        if key == "properties" and isinstance(part, Mapping)
        else inlined(part, root, depth + 1)
        if key in inner
        else part
        for key, part in node.items()
    }
