"""The rules of OpenAI's strict ``json_schema`` mode, each with the smallest change that satisfies it.

Sources: OpenAI's Structured Outputs guide ("Supported schemas"), and ``to_strict_json_schema`` of the OpenAI SDK.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# The property that a root which is not an object is wrapped in.
WRAPPED = "answer"
MAX_PROPERTIES = 5_000
MAX_DEPTH = 10
MAX_ENUM_VALUES = 1_000
MAX_NAME_CHARACTERS = 120_000
# The schema travels under a name: its title (OpenAI's `response_format.json_schema.name`).
MAX_TITLE_CHARACTERS = 64
# Older models refuse more than five levels (tidyverse/ellmer#671).
CAUTIOUS_DEPTH = 5
# One enum of more than 250 strings may hold 15,000 characters.
LARGE_ENUM_VALUES = 250
LARGE_ENUM_CHARACTERS = 15_000

TYPES = frozenset({"string", "number", "integer", "boolean", "object", "array", "null"})
SUPPORTED = frozenset(
    {
        *("type", "enum", "const", "anyOf", "$ref", "$defs", "definitions", "title", "description", "$schema", "$id"),
        *("properties", "required", "additionalProperties"),
        *("items", "minItems", "maxItems"),
        *("pattern", "format", "minLength", "maxLength"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    }
)
FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"})
_REMEDIES = {
    "oneOf": "use `anyOf`",
    "allOf": "merge its parts into one schema",
    "default": "remove it: every key is required, so that no default ever applies",
    "patternProperties": "use an array of {key, value} objects",
    "prefixItems": "use an object with one property for each position",
    "nullable": "let the type be [..., 'null']",
}
_PYTHON_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "boolean": bool,
    "null": type(None),
    "integer": int,
    "number": (int, float),
    "array": list,
    "object": dict,
}
TITLE = re.compile(r"[A-Za-z0-9_-]+")
LOOKAROUND = re.compile(r"\(\?<?[=!]")


@dataclass(frozen=True, slots=True)
class StrictFinding:
    """One place where a schema is not valid in strict mode.

    Attributes:
        pointer: JSON pointer to the place; empty for the root.
        problem: Which rule it breaks.
        remedy: The smallest change that fixes it.
    """

    pointer: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.pointer or 'the root'}: {self.problem}; {self.remedy}"


def strict_findings(schema: Mapping[str, Any]) -> list[StrictFinding]:
    """Everything that strict mode refuses in ``schema``; empty if it accepts it. Remote ``$ref`` are not fetched."""
    return [*_root(schema), *_Walk(schema).findings()] or list(_meta(schema))


def strict_warnings(schema: Mapping[str, Any]) -> list[StrictFinding]:
    """What strict mode accepts on some models only, or accepts and does not enforce."""
    found = []
    stack: list[tuple[str, Any, int]] = [("", schema, 1)]
    while stack:
        pointer, node, depth = stack.pop()
        if not isinstance(node, Mapping) or depth > MAX_DEPTH:
            continue
        if depth == CAUTIOUS_DEPTH + 1:
            found.append(StrictFinding(pointer, f"deeper than {CAUTIOUS_DEPTH} levels", "some models refuse it"))
        found.extend(
            StrictFinding(f"{pointer}/{keyword}", f"`{keyword}` is not enforced by every model", "check it in code")
            for keyword in ("minLength", "maxLength")
            if keyword in node
        )
        stack.extend(reversed(list(_children(pointer, node, depth))))
    return found


def _root(schema: Mapping[str, Any]) -> Iterator[StrictFinding]:
    reference = schema.get("$ref")
    target = resolve(schema, reference) if isinstance(reference, str) else schema
    if "anyOf" in schema:
        yield StrictFinding(
            "", "the root cannot be `anyOf`", "wrap it: an object with one property that is the `anyOf`"
        )
    elif isinstance(target, Mapping) and target.get("type") != "object":
        yield StrictFinding("", f"the root is {target.get('type', 'untyped')!r}, not an object", "wrap it in an object")
    title = schema.get("title")
    if isinstance(title, str) and not (TITLE.fullmatch(title) and len(title) <= MAX_TITLE_CHARACTERS):
        yield StrictFinding(
            "/title",
            f"{title[:80]!r} is sent as the schema's name, which may have letters, digits, _ and - only, "
            f"{MAX_TITLE_CHARACTERS} of them at most",
            f"name it {safe_title(title)!r}",
        )


def safe_title(title: str) -> str:
    """A title as the name of a schema may be written."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", title).strip("_")[:MAX_TITLE_CHARACTERS] or "answer"


def _meta(schema: Mapping[str, Any]) -> Iterator[StrictFinding]:
    """Is it a JSON schema at all? Asked last, because the rules above say it better."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    try:
        error = best_match(Draft202012Validator(Draft202012Validator.META_SCHEMA).iter_errors(schema))
    except RecursionError:
        yield StrictFinding("", "refers to itself too deeply", "flatten it")
        return
    if error is not None:
        pointer = "".join(f"/{_escaped(str(part))}" for part in error.absolute_path)
        yield StrictFinding(
            pointer, f"not a JSON schema: {error.message[:200]}", "write it as JSON Schema 2020-12 has it"
        )


class _Walk:
    """One pass over a schema that collects findings and the totals that are limited."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._properties = 0
        self._enum_values = 0
        self._characters = 0

    def findings(self) -> Iterator[StrictFinding]:
        stack: list[tuple[str, Any, int]] = [("", self._root, 1)]
        while stack:
            pointer, node, depth = stack.pop()
            if not isinstance(node, Mapping):
                yield StrictFinding(pointer, f"{node!r} is not a schema", "write an object such as {type: string}")
                continue
            if depth > MAX_DEPTH:
                yield StrictFinding(pointer, f"nested deeper than {MAX_DEPTH} levels", "flatten it")
                continue
            yield from self._node(pointer, node)
            stack.extend(reversed(list(_children(pointer, node, depth))))
        yield from self._totals()

    def _node(self, pointer: str, node: Mapping[str, Any]) -> Iterator[StrictFinding]:
        for keyword in node:
            if keyword not in SUPPORTED:
                yield StrictFinding(
                    f"{pointer}/{keyword}", f"`{keyword}` is not supported", _REMEDIES.get(keyword, "remove it")
                )
        if "$ref" in node:
            yield from self._reference(pointer, node)
            return
        yield from _type(pointer, node)
        if _is(node, "object"):
            yield from self._object(pointer, node)
        if _is(node, "array") and "items" not in node:
            yield StrictFinding(pointer, "an array without `items`", "say what its items are")
        if "anyOf" in node and not (isinstance(node["anyOf"], list) and node["anyOf"]):
            yield StrictFinding(f"{pointer}/anyOf", "is not a list of schemas", "list at least one")
        elif "anyOf" in node:
            yield from self._first_keys(pointer, node["anyOf"])
        yield from _text_keywords(pointer, node)
        if "enum" in node:
            yield from self._enum(pointer, node["enum"])
            yield from _enum_types(pointer, node)

    def _object(self, pointer: str, node: Mapping[str, Any]) -> Iterator[StrictFinding]:
        properties = node.get("properties", {})
        if not isinstance(properties, Mapping):
            yield StrictFinding(f"{pointer}/properties", "is not an object", "map each name to a schema")
            return
        further = node.get("additionalProperties")
        if further is not False and not properties and isinstance(further, Mapping):
            yield StrictFinding(pointer, "an object with free keys (a map)", "use an array of {key, value} objects")
        elif further is not False:
            yield StrictFinding(pointer, "further properties are not forbidden", "add `additionalProperties: false`")
        required = node.get("required", [])
        if not isinstance(required, list):
            yield StrictFinding(f"{pointer}/required", f"{required!r} is not a list", "list every property")
            return
        missing = [name for name in properties if name not in required]
        if missing:
            names = ", ".join(missing)
            yield StrictFinding(
                pointer,
                f"not every property is required ({names})",
                f"add {names} to `required`; if one is optional, let its type be [..., 'null']",
            )
        unknown = [name for name in required if name not in properties]
        if unknown:
            yield StrictFinding(
                f"{pointer}/required", f"names no property: {', '.join(map(str, unknown))}", "remove it, or define it"
            )
        self._properties += len(properties)
        self._characters += sum(len(str(name)) for name in properties)

    def _first_keys(self, pointer: str, options: list[Any]) -> Iterator[StrictFinding]:
        """Objects of one choice are told apart by their first key, or by its one value."""
        seen: dict[str, set[str]] = {}
        for option in options:
            target = resolve(self._root, option["$ref"]) if _refers_by_text(option) else option
            properties = target.get("properties") if isinstance(target, Mapping) else None
            if not isinstance(properties, Mapping) or not properties:
                continue
            name, child = next(iter(properties.items()))
            value = _one_value(child)
            values = seen.setdefault(str(name), set())
            if values and (value is None or value in values or "" in values):
                yield StrictFinding(
                    f"{pointer}/anyOf",
                    f"several of its objects begin with the key {name!r}",
                    "put a key first that differs, or one whose value is a different `const` in each",
                )
                return
            values.add(value or "")

    def _enum(self, pointer: str, values: object) -> Iterator[StrictFinding]:
        if not isinstance(values, list) or not values:
            yield StrictFinding(f"{pointer}/enum", "is not a list of values", "list at least one")
            return
        characters = sum(len(value) for value in values if isinstance(value, str))
        self._enum_values += len(values)
        self._characters += characters
        if len(values) > LARGE_ENUM_VALUES and characters > LARGE_ENUM_CHARACTERS:
            yield StrictFinding(
                f"{pointer}/enum",
                f"{len(values)} values of {characters:,} characters in one enum (limit {LARGE_ENUM_CHARACTERS:,})",
                "shorten the values, or code them as integers",
            )

    def _reference(self, pointer: str, node: Mapping[str, Any]) -> Iterator[StrictFinding]:
        reference = node["$ref"]
        if not isinstance(reference, str) or not reference.startswith("#"):
            yield StrictFinding(f"{pointer}/$ref", f"{reference!r} points out of the schema", "move it into `$defs`")
        elif resolve(self._root, reference) is None:
            yield StrictFinding(f"{pointer}/$ref", f"{reference!r} points to nothing", "define it in `$defs`")
        elif is_endless(node, self._root):
            yield StrictFinding(f"{pointer}/$ref", f"{reference!r} leads back to itself", "give it a type in between")
        if beside := [keyword for keyword in node if keyword not in ("$ref", "$defs", "definitions")]:
            yield StrictFinding(
                pointer, f"keywords beside `$ref` ({', '.join(beside)})", "move them into the definition"
            )

    def _totals(self) -> Iterator[StrictFinding]:
        for count, limit, what in (
            (self._properties, MAX_PROPERTIES, "properties"),
            (self._enum_values, MAX_ENUM_VALUES, "enum values"),
            (self._characters, MAX_NAME_CHARACTERS, "characters in names and enum values"),
        ):
            if count > limit:
                yield StrictFinding("", f"{count:,} {what} (limit {limit:,})", "split the schema")


def _refers_by_text(node: object) -> bool:
    return isinstance(node, Mapping) and isinstance(node.get("$ref"), str)


def _one_value(node: Any) -> str | None:
    """The only value that a schema allows, as text."""
    if not isinstance(node, Mapping):
        return None
    if "const" in node:
        return repr(node["const"])
    values = node.get("enum")
    return repr(values[0]) if isinstance(values, list) and len(values) == 1 else None


def _type(pointer: str, node: Mapping[str, Any]) -> Iterator[StrictFinding]:
    kind = node.get("type")
    if kind is None:
        if not {"anyOf", "oneOf", "allOf"} & node.keys():
            yield StrictFinding(pointer, "has no `type`", "add one")
        return
    for name in kind if isinstance(kind, list) else [kind]:
        if not isinstance(name, str) or name not in TYPES:
            yield StrictFinding(f"{pointer}/type", f"{name!r} is not a type", f"use one of {', '.join(sorted(TYPES))}")


def _text_keywords(pointer: str, node: Mapping[str, Any]) -> Iterator[StrictFinding]:
    pattern = node.get("pattern")
    if isinstance(pattern, str):
        if LOOKAROUND.search(pattern):
            yield StrictFinding(
                f"{pointer}/pattern", f"{pattern!r} looks around", "write it without (?=, (?!, (?<=, (?<!"
            )
        else:
            try:
                re.compile(pattern)
            except re.error as error:
                yield StrictFinding(
                    f"{pointer}/pattern", f"{pattern!r} is not a regular expression: {error}", "correct it"
                )
    form = node.get("format")
    if isinstance(form, str) and form not in FORMATS:
        yield StrictFinding(
            f"{pointer}/format", f"{form!r} is not supported", f"remove it, or use one of {', '.join(sorted(FORMATS))}"
        )


def _enum_types(pointer: str, node: Mapping[str, Any]) -> Iterator[StrictFinding]:
    declared = node.get("type")
    names: list[Any] = declared if isinstance(declared, list) else [declared]
    values = node["enum"]
    if not isinstance(values, list) or not all(isinstance(name, str) and name in TYPES for name in names):
        return
    for value in values:
        fits = [
            name
            for name in names
            if isinstance(value, _PYTHON_TYPES[name]) and (name == "boolean" or not isinstance(value, bool))
        ]
        if not fits:
            yield StrictFinding(f"{pointer}/enum", f"{value!r} is not of type {declared}", "remove it, or widen `type`")
            return
    if len({f"{type(value).__name__} {value}" for value in values}) < len(values):
        yield StrictFinding(f"{pointer}/enum", "names a value twice", "name each once")


def _is(node: Mapping[str, Any], kind: str) -> bool:
    declared = node.get("type")
    return declared == kind or (isinstance(declared, list) and kind in declared)


def _children(pointer: str, node: Mapping[str, Any], depth: int) -> Iterator[tuple[str, Any, int]]:
    for keyword in ("properties", "$defs", "definitions"):
        group = node.get(keyword)
        if isinstance(group, Mapping):
            level = depth + 1 if keyword == "properties" else 1
            for name, child in group.items():
                yield f"{pointer}/{keyword}/{_escaped(name)}", child, level
    if "items" in node:
        yield f"{pointer}/items", node["items"], depth + 1
    if isinstance(node.get("anyOf"), list):
        for index, child in enumerate(node["anyOf"]):
            yield f"{pointer}/anyOf/{index}", child, depth


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def is_endless(node: Any, root: Mapping[str, Any], seen: frozenset[str] = frozenset()) -> bool:
    """Whether references lead back to themselves with no property or item in between: nothing is valid under them."""
    if not isinstance(node, Mapping):
        return False
    reference = node.get("$ref")
    if isinstance(reference, str):
        return reference in seen or is_endless(resolve(root, reference), root, seen | {reference})
    options = node.get("anyOf")
    return isinstance(options, list) and any(is_endless(option, root, seen) for option in options)


def resolve(root: Mapping[str, Any], reference: str) -> Any:
    """What a ``$ref`` within ``root`` points to; ``None`` for nothing, or out of it."""
    if not reference.startswith("#"):
        return None
    node: Any = root
    for part in reference[1:].split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(node, list) and key.isdecimal() and int(key) < len(node):
            node = node[int(key)]
        elif isinstance(node, Mapping) and key in node:
            node = node[key]
        else:
            return None
    return node
