"""The smallest changes that make a schema valid in strict mode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from promptopt.errors import SchemaError
from promptopt.schemas.strict import (
    FORMATS,
    LOOKAROUND,
    MAX_TITLE_CHARACTERS,
    SUPPORTED,
    TITLE,
    WRAPPED,
    StrictFinding,
    resolve,
    safe_title,
    strict_findings,
)

# Deeper than any schema that can be fixed; it keeps the recursion below Python's limit.
_DEEPEST = 60
_DEFINITIONS = ("$defs", "definitions")


@dataclass(frozen=True, slots=True)
class FixedSchema:
    """A schema after the fix.

    Attributes:
        schema: The fixed copy.
        changes: What was changed, as findings whose remedy is what was done.
        remaining: What strict mode still refuses: it needs a decision of yours.
    """

    schema: dict[str, Any]
    changes: tuple[StrictFinding, ...]
    remaining: tuple[StrictFinding, ...]


def fix_schema(schema: Mapping[str, Any]) -> FixedSchema:
    """``schema`` with every rule of strict mode satisfied that can be without guessing.

    An optional property becomes required; it may be null unless it has a default, in which case the model says the
    value. ``oneOf`` becomes ``anyOf``, parts of ``allOf`` are merged, unsupported keywords go, a root that is not an
    object is wrapped into one. :func:`promptopt.parse` reads the answers under the schema as it was: a null that
    the first schema did not allow is a value left out.

    Raises:
        SchemaError: It is nested too deeply to be walked, or contains itself.
    """
    if _too_deep(schema):
        raise SchemaError(f"the schema is nested deeper than {_DEEPEST} levels", remedy="flatten it")
    fixer = _Fixer(schema)
    repaired = fixer.root()
    return FixedSchema(repaired, tuple(fixer.changes), tuple(strict_findings(repaired)))


def _too_deep(schema: object) -> bool:
    level: list[Any] = [schema]
    for _ in range(_DEEPEST):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ())
            if isinstance(child, (Mapping, list))
        ]
        if not level:
            return False
        # An object that contains itself has no end, and one shared a thousand times over grows without bound.
        if len(level) > 1_000_000:
            return True
    return True


class _Fixer:
    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._root = schema
        self.changes: list[StrictFinding] = []
        # Where a default was dropped: such a property keeps its type.
        self._defaulted: set[str] = set()

    def root(self) -> dict[str, Any]:
        root = self._root
        if set(root) & {"anyOf", "oneOf"} or (
            root.get("type") != "object" and not set(root) & {"$ref", "properties", "allOf"}
        ):
            root = self._wrapped(root)
        repaired = self._node("", root)
        title = repaired.get("title")
        if isinstance(title, str) and not (TITLE.fullmatch(title) and len(title) <= MAX_TITLE_CHARACTERS):
            self._note("/title", f"{title[:80]!r} cannot be a schema's name", f"renamed to {safe_title(title)!r}")
            repaired["title"] = safe_title(title)
        target = resolve(repaired, repaired["$ref"]) if isinstance(repaired.get("$ref"), str) else repaired
        if isinstance(target, Mapping) and target.get("type") != "object":
            return dict(self._node("", self._wrapped(repaired)))
        return dict(repaired)

    def _wrapped(self, root: Mapping[str, Any]) -> dict[str, Any]:
        self._note("", f"the root is {root.get('type', 'a choice')!r}, not an object", f"wrapped as {WRAPPED!r}")
        inner = {key: value for key, value in root.items() if key not in (*_DEFINITIONS, "$schema", "$id", "title")}
        outer = {key: value for key, value in root.items() if key in (*_DEFINITIONS, "title")}
        return {
            "type": "object",
            "properties": {WRAPPED: inner},
            "required": [WRAPPED],
            "additionalProperties": False,
            **outer,
        }

    def _note(self, pointer: str, problem: str, remedy: str) -> None:
        self.changes.append(StrictFinding(pointer, problem, remedy))

    def _node(self, pointer: str, node: Any) -> Any:
        if not isinstance(node, Mapping):
            return node
        fixed = self._merged(pointer, dict(node))
        if "oneOf" in fixed and "anyOf" not in fixed:
            self._note(pointer, "`oneOf` is not supported", "changed to `anyOf`")
            fixed["anyOf"] = fixed.pop("oneOf")
        if fixed.pop("nullable", False) is True:
            self._note(pointer, "`nullable` is not supported", "its type allows null now")
            fixed = nullable(fixed)
        fixed = self._reference(pointer, fixed)
        self._drop(pointer, fixed)
        for group in ("properties", *_DEFINITIONS):
            if isinstance(fixed.get(group), Mapping):
                fixed[group] = {k: self._node(f"{pointer}/{group}/{k}", v) for k, v in fixed[group].items()}
        if "items" in fixed:
            fixed["items"] = self._node(f"{pointer}/items", fixed["items"])
        if isinstance(fixed.get("anyOf"), list):
            fixed["anyOf"] = [self._node(f"{pointer}/anyOf/{n}", part) for n, part in enumerate(fixed["anyOf"])]
        return self._object(pointer, self._typed(pointer, fixed))

    def _merged(self, pointer: str, node: dict[str, Any]) -> dict[str, Any]:  # noqa: C901 - one branch a keyword
        """``allOf`` of objects as one object; parts that contradict each other are left for a person."""
        parts = node.get("allOf")
        if not isinstance(parts, list) or not parts:
            return node
        merged: dict[str, Any] = {key: value for key, value in node.items() if key != "allOf"}
        for part in parts:
            while isinstance(part, Mapping) and set(part) == {"$ref"} and len(parts) > 1:
                part = resolve(self._root, str(part["$ref"]))  # noqa: PLW2901 - a reference means its target
            if not isinstance(part, Mapping) or "allOf" in part:
                return node
            for key, value in part.items():
                if key == "properties" and isinstance(merged.get(key), Mapping):
                    clash = [name for name in value if name in merged[key] and merged[key][name] != value[name]]
                    if clash:
                        return node
                    merged[key] = {**merged[key], **value}
                elif key == "required" and isinstance(merged.get(key), list):
                    merged[key] = [*merged[key], *(name for name in value if name not in merged[key])]
                elif key in ("title", "description"):
                    merged.setdefault(key, value)
                elif key in merged and merged[key] != value:
                    return node
                else:
                    merged[key] = value
        self._note(pointer, "`allOf` is not supported", "its parts are merged")
        return merged

    def _reference(self, pointer: str, node: dict[str, Any]) -> dict[str, Any]:
        beside = [key for key in node if key not in ("$ref", *_DEFINITIONS)]
        if "$ref" not in node or not beside:
            return node
        kept = {key: value for key, value in node.items() if key in ("$ref", *_DEFINITIONS)}
        target = resolve(self._root, str(node["$ref"]))
        if isinstance(target, Mapping) and not _refers(target):
            self._note(pointer, f"keywords beside `$ref` ({', '.join(beside)})", "the definition is copied in")
            rest = {key: value for key, value in node.items() if key != "$ref"}
            return {**target, **rest}
        self._note(pointer, f"keywords beside `$ref` ({', '.join(beside)})", "removed")
        return kept

    def _drop(self, pointer: str, node: dict[str, Any]) -> None:
        for keyword in [key for key in node if key not in SUPPORTED and key != "allOf"]:
            # These shape what is allowed so much that dropping them would silently accept other data.
            if keyword in ("not", "if", "then", "else", "patternProperties", "prefixItems"):
                continue
            if keyword == "default" and node["default"] is not None:
                self._defaulted.add(pointer)
            del node[keyword]
            self._note(f"{pointer}/{keyword}", f"`{keyword}` is not supported", "removed")
        if isinstance(node.get("format"), str) and node["format"] not in FORMATS:
            self._note(f"{pointer}/format", f"{node.pop('format')!r} is not supported", "removed")
        if isinstance(node.get("pattern"), str) and LOOKAROUND.search(node["pattern"]):
            self._note(f"{pointer}/pattern", f"{node.pop('pattern')!r} looks around", "removed")

    def _typed(self, pointer: str, node: dict[str, Any]) -> dict[str, Any]:
        if "type" in node or set(node) & {"$ref", "anyOf", "allOf"}:
            return node
        values = [node["const"]] if "const" in node else node.get("enum")
        if isinstance(values, list) and values:
            names = list(dict.fromkeys(map(_type_of, values)))
            kinds = names[0] if len(names) == 1 else names
            self._note(pointer, "has values and no `type`", f"typed as {', '.join(names)}")
            return {"type": kinds, **node}
        kind = "object" if "properties" in node else "array" if "items" in node else None
        if kind is None:
            return node
        self._note(pointer, "has no `type`", f"typed as {kind}")
        return {"type": kind, **node}

    def _object(self, pointer: str, node: dict[str, Any]) -> dict[str, Any]:
        properties = node.get("properties")
        if not isinstance(properties, Mapping) or node.get("type") not in (
            "object",
            ["object", "null"],
            ["null", "object"],
        ):
            return node
        required = node.get("required") if isinstance(node.get("required"), list) else []
        assert isinstance(required, list)
        for name in [name for name in properties if name not in required]:
            if f"{pointer}/properties/{name}" in self._defaulted:
                self._note(f"{pointer}/properties/{name}", "optional properties are not supported", "required")
            elif properties[name] != (allowed := nullable(properties[name])):
                self._note(
                    f"{pointer}/properties/{name}", "optional properties are not supported", "required, may be null"
                )
                node["properties"] = {**node["properties"], name: allowed}
            else:
                self._note(f"{pointer}/properties/{name}", "optional properties are not supported", "required")
        node["required"] = list(properties)
        if node.get("additionalProperties") is not False:
            self._note(pointer, "further properties are not forbidden", "forbidden")
            node["additionalProperties"] = False
        return node


def _type_of(value: object) -> str:
    for name, kinds in (("boolean", bool), ("integer", int), ("number", float), ("string", str), ("array", list)):
        if isinstance(value, kinds):
            return name
    return "null" if value is None else "object"


def nullable(node: Any) -> Any:
    """A schema that takes what ``node`` takes, and null."""
    if not isinstance(node, Mapping):
        return node
    if "anyOf" in node:
        if any(isinstance(part, Mapping) and part.get("type") == "null" for part in node["anyOf"]):
            return node
        return {**node, "anyOf": [*node["anyOf"], {"type": "null"}]}
    if "$ref" in node or "const" in node or ("type" not in node and "enum" not in node):
        return {"anyOf": [node, {"type": "null"}]}
    changed = dict(node)
    if "type" in node:
        kinds = node["type"] if isinstance(node["type"], list) else [node["type"]]
        changed["type"] = node["type"] if "null" in kinds else [*kinds, "null"]
    if isinstance(node.get("enum"), list) and None not in node["enum"]:
        changed["enum"] = [*node["enum"], None]
    return changed


def _refers(node: object) -> bool:
    stack = [node]
    while stack:
        current = stack.pop()
        if isinstance(current, Mapping):
            if "$ref" in current:
                return True
            stack.extend(current.values())
        elif isinstance(current, list):
            stack.extend(current)
    return False
