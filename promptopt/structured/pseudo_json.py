"""JSON as prompts write it: examples, templates with ``<placeholders>``, and shorthand such as ``{score: 0-1}``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from promptopt.schemas.make_strict import nullable
from promptopt.structured.fields import MASK, object_schema

_SPACE = re.compile(r"(?:\s|//[^\n]*|/\*.*?\*/|\#\s[^\n]*)*", re.DOTALL)
# A comment after a value, on its line.
_NOTE = re.compile(r"[ \t]*,?[ \t]*(?:(?://|\#[ \t])[ \t]*(?P<line>[^\n]+)|/\*(?P<block>[^\n]*?)\*/)")
_COMMENT = re.compile(r"(?<=\s)(?://|\#\s|/\*)")
_MUST_BE = re.compile(
    r"\b(?:one of|must be|has to be|either|allowed(?: values)?|options?|possible values|values?)\b\s*:?\s*(?P<list>.+)",
    re.IGNORECASE,
)
_MAY_BE_NULL = re.compile(
    r"\b(?:(?:or |else |otherwise )?null|none) (?:if|when|for|unless)\b|\bor null\b|\belse null\b|\botherwise null\b|\bnullable\b|\boptional\b"
    r"|\bonly (?:if|when|for)\b|\b(?:may|can) be (?:null|omitted|left out)\b|\bif (?:any|available|known|present|applicable)\b",
    re.IGNORECASE,
)
_AT_MOST = re.compile(r"\b(?:at most|up to|max(?:imum)?(?: of)?|no more than)\s+(?P<n>\d{1,4})\b", re.IGNORECASE)
_STRING = re.compile(r'"((?:\\.|[^"\\])*)"|\'((?:\\.|[^\'\\\n])*)\'', re.DOTALL)
_KEY = re.compile(r"[A-Za-z_][\w \-]{0,60}?(?=\s*[:=?])")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?![\w.-])")
_RANGE = re.compile(r"(-?\d+(?:\.\d+)?)\s*(?:-|–|to|\.\.+)\s*(-?\d+(?:\.\d+)?)")
_DEEPEST = 12
_LONGEST = 20_000

_TYPES: Mapping[str, str] = {
    **dict.fromkeys(("str", "string", "text", "date"), "string"),
    **dict.fromkeys(("int", "integer"), "integer"),
    **dict.fromkeys(("float", "number", "double", "decimal", "numeric"), "number"),
    **dict.fromkeys(("bool", "boolean", "true/false", "true|false", "true or false"), "boolean"),
}
_WORD_LABEL = re.compile(r"[\w][\w .'/&-]{0,40}")


class NotPseudo(Exception):
    """The text at this place is not pseudo-JSON."""


def read_pseudo(text: str, start: int) -> tuple[dict[str, Any], int]:
    """The schema of the object or list that begins at ``start``, and where it ends.

    A value that says nothing about its type is ``{}``.

    Raises:
        NotPseudo: There is none.
    """
    reader = _Reader(text[: start + _LONGEST], start)
    schema = reader.value(0)
    return schema, reader.position


class _Reader:
    def __init__(self, text: str, position: int) -> None:
        self._text = text
        self.position = position

    def value(self, depth: int) -> dict[str, Any]:
        if depth > _DEEPEST:
            raise NotPseudo
        self._skip()
        head = self._text[self.position : self.position + 1]
        if head == "{":
            return self._object(depth)
        if head == "[":
            return self._list(depth)
        return self._scalar()

    def _skip(self) -> None:
        match = _SPACE.match(self._text, self.position)
        assert match is not None  # it matches the empty text
        self.position = match.end()

    def _take(self, mark: str) -> bool:
        self._skip()
        if self._text.startswith(mark, self.position):
            self.position += len(mark)
            return True
        return False

    def _object(self, depth: int) -> dict[str, Any]:
        self._take("{")
        properties: dict[str, Any] = {}
        while not self._take("}"):
            if self._take("...") or self._take("…") or self._take(","):
                continue
            key = self._key()
            if key in properties:
                raise NotPseudo
            optional = self._take("?")
            if not (self._take(":") or self._take("=")):
                raise NotPseudo
            child = self.value(depth + 1)
            if note := _NOTE.match(self._text, self.position):
                child = with_note(child, (note["line"] or note["block"]).strip())
            if optional:
                child = _or_null(child)
            properties[key] = child
            self._skip()
            # A line end separates as well, as people write it.
            if self._text[self.position : self.position + 1] not in (",", "}") and not self._after_line_end():
                raise NotPseudo
        if not properties:
            raise NotPseudo
        return object_schema(properties)

    def _after_line_end(self) -> bool:
        position = self.position
        while position > 0 and self._text[position - 1].isspace():
            position -= 1
            if self._text[position] == "\n":
                return True
        return False

    def _key(self) -> str:
        self._skip()
        if match := _STRING.match(self._text, self.position):
            self.position = match.end()
            key = match[1] if match[1] is not None else match[2]
        elif match := _KEY.match(self._text, self.position):
            self.position = match.end()
            key = match[0].strip()
        else:
            raise NotPseudo
        if not key or MASK in key or len(key) > 64:
            raise NotPseudo
        return key

    def _list(self, depth: int) -> dict[str, Any]:
        self._take("[")
        items: list[dict[str, Any]] = []
        while not self._take("]"):
            if self._take("...") or self._take("…") or self._take(","):
                continue
            before = self.position
            items.append(self.value(depth + 1))
            if self.position == before:
                raise NotPseudo
        merged: dict[str, Any] = {}
        for item in items:
            # The items of an example are examples, not the only labels.
            joined = merge(merged, {key: part for key, part in item.items() if key != "enum"})
            if joined is None:
                raise NotPseudo
            merged = joined
        return {"type": "array", "items": merged}

    def _scalar(self) -> dict[str, Any]:
        if match := _STRING.match(self._text, self.position):
            return self._strings(match)
        rest = self._bare()
        if rest.startswith("<") and ">" in rest:
            return _placeholder(rest[1 : rest.rindex(">")])
        return _bare_schema(rest)

    def _strings(self, match: re.Match[str]) -> dict[str, Any]:
        values = []
        while True:
            values.append(match[1] if match[1] is not None else match[2])
            self.position = match.end()
            follow = re.compile(r"\s*(?:\||/|\bor\b)\s*").match(self._text, self.position)
            following = _STRING.match(self._text, follow.end()) if follow else None
            if following is None:
                break
            match = following
        if len(values) > 1:
            return {"type": "string", "enum": list(dict.fromkeys(values))}
        return _quoted_schema(values[0])

    def _bare(self) -> str:
        """Up to the comma, line end or bracket that ends the value; brackets within it are part of it."""
        depth = 0
        start = self.position
        while self.position < len(self._text):
            char = self._text[self.position]
            if char in "([<":
                depth += 1
            elif char in ")]>" and depth:
                depth -= 1
            elif depth <= 0 and self._ends_here(char):
                break
            self.position += 1
        return self._text[start : self.position].strip().rstrip(",").strip()

    def _ends_here(self, char: str) -> bool:
        if char == ",":
            return not self._in_list_of_words()
        return char in "}]\n" or _COMMENT.match(self._text, self.position) is not None

    def _in_list_of_words(self) -> bool:
        """Whether the comma is in prose (``str, Put your answer here.``) and not before the next key."""
        rest = self._text[self.position + 1 : self.position + 200]
        follows_key = re.match(r"\s*(?:[\"'][^\"'\n]+[\"']|[A-Za-z_]\w*)\s*[:?=]", rest) or re.match(
            r"\s*(?:[}\]\"'{\d.…<]|//|\#\s|/\*)", rest
        )
        return follows_key is None


def with_note(schema: Mapping[str, Any], note: str) -> dict[str, Any]:
    """A value's schema with what a comment beside it says: labels, a range, a number of items, null, or in words."""
    found = dict(schema)
    kind = found.get("type")
    labels = _noted_labels(note) if kind in (None, "string") and "enum" not in found else []
    if labels:
        found = {"type": "string", "enum": labels}
    elif kind == "array" and (most := _AT_MOST.search(note)):
        found["maxItems"] = int(most["n"])
    elif kind in ("integer", "number") and (span := _RANGE.search(note)):
        found = {**found, **{key: value for key, value in number_range(span[1], span[2]).items() if key != "type"}}
    if _MAY_BE_NULL.search(note):
        found = _or_null(found)
    known = found.pop("description", "")
    return {**found, "description": "; ".join(part for part in (known, note) if part)}


def _noted_labels(note: str) -> list[str]:
    listed = _MUST_BE.search(note)
    if listed is None:
        return []
    quoted = re.findall(r"[\"'`]([^\"'`]+)[\"'`]", listed["list"])
    parts = quoted or [part.strip(" .") for part in re.split(r"\s*[,|/]\s*(?:or\s+|and\s+)?|\s+or\s+", listed["list"])]
    known = all(part and _WORD_LABEL.fullmatch(part) and len(part.split()) <= 3 for part in parts)
    return list(dict.fromkeys(parts)) if known and len(parts) > 1 else []


def _or_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema, which null satisfies too; as it was if its type is not known."""
    return dict(nullable(schema) if "type" in schema else schema)


def _placeholder(name: str) -> dict[str, Any]:
    text = name.strip()
    lowered = text.lower()
    if lowered in _TYPES:
        return {"type": _TYPES[lowered]}
    return _bare_schema(text)


def placeholder(text: str) -> dict[str, Any]:
    """What ``<positive/negative>`` or ``[0-100]`` stands for; ``{}`` if it does not say."""
    inner = text.strip().strip("<>[]{}").strip()
    parts = [part.strip() for part in inner.split("/")]
    if len(parts) > 1 and inner.lower() not in _TYPES and all(re.fullmatch(r"[A-Za-z][\w-]*", part) for part in parts):
        return {"type": "string", "enum": list(dict.fromkeys(parts))}
    return _placeholder(inner)


def _quoted_schema(text: str) -> dict[str, Any]:
    lowered = text.strip().lower()
    if lowered in _TYPES:
        return {"type": _TYPES[lowered]}
    if choices := _alternatives(text):
        return {"type": "string", "enum": choices}
    inner = re.fullmatch(r"\s*[<\[](.+)[>\]]\s*", text)
    if inner:
        found = _placeholder(inner[1])
        return {"type": "string", **found}
    # Some words in a template say what belongs there; of an example they are dropped again.
    described = len(text.split()) >= 3 and len(text) < 300 and MASK not in text
    return {"type": "string", "description": text} if described else {"type": "string"}


def _alternatives(text: str) -> list[str]:
    """``positive|negative|neutral`` as labels; empty if the text is something else."""
    parts = [part.strip().strip("\"'`<>") for part in re.split(r"\s*\|\s*", text.strip())]
    if len(parts) < 2 or MASK in text or not all(_WORD_LABEL.fullmatch(part) for part in parts):
        return []
    if any(part.lower() in _TYPES or part in ("...", "etc") for part in parts):
        return []
    return list(dict.fromkeys(parts))


def _bare_schema(text: str) -> dict[str, Any]:  # noqa: C901 - one branch a form
    lowered = text.lower()
    if MASK in text or not text:
        return {}
    for pattern, kind in _GENERIC:
        if match := pattern.match(text):
            items = _TYPES.get(match[1].strip().lower().removesuffix("s")) if match[1] else None
            return {"type": kind, "items": {"type": items} if items else {}}
    first = re.split(r"[\s,(]", lowered, maxsplit=1)[0]
    if span := _RANGE.fullmatch(re.sub(r"^(?:int|integer|float|number)\b\W*|\)$", "", lowered).strip()):
        return number_range(span[1], span[2], whole=not lowered.startswith(("float", "number")))
    if lowered in ("true", "false"):
        return {"type": "boolean"}
    if lowered in ("null", "none"):
        return {}
    if _NUMBER.fullmatch(text):
        return {"type": "number" if "." in text else "integer"}
    if lowered in _TYPES or first in _TYPES:
        description = re.sub(r"^\S+?[\s,(]+", "", text).strip(" ().") if lowered not in _TYPES else ""
        found = {"type": _TYPES.get(lowered) or _TYPES[first]}
        return {**found, "description": description} if " " in description else found
    if choices := _alternatives(text):
        if all(_NUMBER.fullmatch(part) for part in choices):
            return (
                {"type": "integer", "enum": [int(part) for part in choices]} if "." not in text else {"type": "number"}
            )
        return {"type": "string", "enum": choices}
    return {"description": text} if " " in text and len(text) < 300 else {}


_GENERIC = (
    (re.compile(r"(?:list|array|sequence|tuple|set)(?:\[(.*?)\]|\s+of\s+(\w+?)s?)?$", re.IGNORECASE), "array"),
    (re.compile(r"(\w+)\[\]$"), "array"),
    (re.compile(r"(?:list|array)_of_(\w+?)s?$", re.IGNORECASE), "array"),
)


def number_range(low: str, high: str, *, whole: bool = True) -> dict[str, Any]:
    """A number from ``low`` to ``high``. ``0`` to ``1`` and anything with a point is not a whole number."""
    fraction = not whole or "." in low + high or (low, high) == ("0", "1")
    least, most = (float(low), float(high)) if "." in low + high else (int(low), int(high))
    if least >= most:
        return {}
    return {"type": "number" if fraction else "integer", "minimum": least, "maximum": most}


def merge(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any] | None:  # noqa: C901 - one branch a form
    """One schema for two descriptions of the same value; ``None`` if they contradict each other."""
    if not first or not second:
        return dict(first or second)
    kinds = {first.get("type"), second.get("type")} - {None}
    if kinds == {"integer", "number"}:
        kinds = {"number"}
    if len(kinds) > 1:
        return None
    merged = {**second, **first, **({"type": kinds.pop()} if kinds else {})}
    if "enum" in first and "enum" in second and set(first["enum"]) != set(second["enum"]):
        return None
    if isinstance(first.get("properties"), Mapping) and isinstance(second.get("properties"), Mapping):
        if set(first["properties"]) != set(second["properties"]):
            return None
        properties = {}
        for name in first["properties"]:
            child = merge(first["properties"][name], second["properties"][name])
            if child is None:
                return None
            properties[name] = child
        return object_schema(properties)
    if "items" in first or "items" in second:
        items = merge(first.get("items", {}), second.get("items", {}))
        if items is None:
            return None
        merged["items"] = items
    return merged


def starts(text: str) -> Iterator[int]:
    """Where an object or list of the text may begin, outermost first; a caller skips what it has read."""
    for match in re.finditer(r"[{\[]", text):
        yield match.start()
