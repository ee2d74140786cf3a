"""JSON as prompts write it: examples, templates with ``<placeholders>``, and shorthand such as ``{score: 0-1}``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from promptopt.structured.fields import MASK, object_schema
from promptopt.structured.prose.described import with_note
from promptopt.structured.prose.wording import bare_value, or_null, placeholder, quoted_value
from promptopt.structured.readers.free_keys import are_items, is_map

_SPACE = re.compile(r"(?:\s|//[^\n]*|/\*.*?\*/|\#\s[^\n]*)*", re.DOTALL)
# A comment after a value, on its line.
_NOTE = re.compile(r"[ \t]*,?[ \t]*(?:(?://|\#[ \t])[ \t]*(?P<line>[^\n]+)|/\*(?P<block>[^\n]*?)\*/)")
_ASIDE = re.compile(r"[ \t]*\((?P<said>[^()\n]{3,120})\)(?=[ \t]*(?:,|\n|\}))")
_COMMENT = re.compile(r"(?<=\s)(?://|\#\s|/\*)")
_STRING = re.compile(
    r'(?:"(?P<double>(?:\\.|[^"\\])*)"|\'(?P<single>(?:\\.|[^\'\\\n])*)\'|“(?P<curly>[^“”\n]*)”)', re.DOTALL
)
_KEY = re.compile(r"[A-Za-z_][\w \-]{0,60}?(?=\s*[:=?])")
# A variable of a prompt that some other code fills in, where a value should be.
_VARIABLE = re.compile(r"\$?\{\w+(?:\.\w+)*\}")
# "[confidence_score]" and "[your score: 1.0, 0.5 or 0.0]" are the place of a value and no list.
_PLACE = re.compile(
    r"\[(?P<name>[a-z]+_(?:score|value|level|text|name|label|number|type|reason))\](?=\s*(?:,|\}|\n))"
    r"|\[(?:your|insert|enter|put|the|an?)\s+(?:\w+:\s*)?(?P<said>[^\[\]{}\"\n]{2,120})\](?=\s*(?:,|\}|\n))",
    re.IGNORECASE,
)
# [<list of indices>]: the brackets of the list, and in them what it holds
_LIST_PLACE = re.compile(r"\[\s*<(?P<said>(?:an? )?(?:list|array) of [^<>\n]+)>\s*\]", re.IGNORECASE)
# "(<=50 words)" opens no place.
# "<= 4", and not the place "<1, 2 or 3>"
_COMPARED = re.compile(r"<(?!\d[^<>\n]*>)=?\s?\d|>=?\s?\d|[<>]=")
_OTHER = re.compile(r"\s*(?:\||/|,\s*or\b|,|\bor\b)\s*")
# ', "some", or "all"' at the end of a value
_LABELS = re.compile(r"(?:\s*,\s*\"[^\"\n]{1,40}\")*\s*,?\s*\bor\s*\"[^\"\n]{1,40}\"\s*(?=[,}\n])")
_SHORT = 4
# "one sentence, max 20 words"
_IN_WORDS = re.compile(r"(?:\d|\b(?:one|two|three))(?:-| (?:\w+ )?)(?:sentences?|words|paragraphs?)\b")
_OR_NULL = re.compile(r"\s*(?:\||/|\bor\b)\s*(?:null|None)\b")
LEFT_OPEN = {"description": "..."}
"""The items of a list that is shown as ``[...]``: nothing says what they are."""
_DEEPEST = 12
_LONGEST = 20_000


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
        if variable := _VARIABLE.match(self._text, self.position):
            self.position = variable.end()
            return {}
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
        more = False
        while not self._take("}"):
            if self._take("...") or self._take("…"):
                more = True
                continue
            if self._take(","):
                continue
            key = self._key()
            if key in properties:
                raise NotPseudo
            optional = self._take("?")
            if not (self._take(":") or self._take("=")):
                raise NotPseudo
            self._skip()
            begin = self.position
            child = self.value(depth + 1)
            child = self._noted(child, self._text[begin : self.position])
            properties[key] = or_null(child) if optional else child
            self._skip()
            # A line end separates as well, as people write it.
            if self._text[self.position : self.position + 1] not in (",", "}") and not self._after_line_end():
                raise NotPseudo
        if not properties or (is_map(properties) and (more or not are_items(properties, self._text))):
            raise NotPseudo
        return object_schema(properties)

    def _noted(self, child: dict[str, Any], shown: str) -> dict[str, Any]:
        """A value with what follows it: "or null", words in brackets, a comment."""
        if null := _OR_NULL.match(self._text, self.position):
            self.position = null.end()
            child = or_null(child)
        if aside := _ASIDE.match(self._text, self.position):
            # "..." (if applicable)
            self.position = aside.end()
            child = with_note(child, aside["said"], shown)
        if note := _NOTE.match(self._text, self.position):
            child = with_note(child, (note["line"] or note["block"]).strip(), shown)
        return child

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
            key = _inner(match)
        elif match := _KEY.match(self._text, self.position):
            self.position = match.end()
            key = match[0].strip()
        else:
            raise NotPseudo
        # A key that is a placeholder stands for any key.
        if not key or key[0] in "@$" or MASK in key or len(key) > 64 or re.search(r"<[^<>]*>|[{}]|\.\.\.", key):
            raise NotPseudo
        return key

    def _list(self, depth: int) -> dict[str, Any]:
        if place := _PLACE.match(self._text, self.position) or _LIST_PLACE.match(self._text, self.position):
            self.position = place.end()
            return placeholder(place["said"] or place["name"])
        begin = self.position
        self._take("[")
        if left_open := re.compile(r"\s*(?:\.\.\.|…)\s*\]").match(self._text, self.position):
            self.position = left_open.end()
            return {"type": "array", "items": dict(LEFT_OPEN)}
        items, quoted = self._items(depth)
        if len(items) == 1 and quoted and items[0].get("type") == "array":
            return dict(items[0])
        if len(items) == 1 and not quoted and items[0].get("type") == "boolean":
            raise NotPseudo  # [true|false]: one of them, or a list?
        if len(items) == 1 and (told := _told(items[0], self._text[begin:])):
            return told
        labelled = [_labelled_keys(item) for item in items]
        merged: dict[str, Any] = {}
        for item in () if quoted and len(items) > 1 else items:
            # The items of an example are examples, not the only labels; ["a" | "b"] lists them.
            shown = {key: part for key, part in item.items() if key != "enum"} if len(items) > 1 else item
            joined = merge(merged, shown)
            if joined is None:
                raise NotPseudo
            merged = joined
        if len(items) > 1 and quoted:
            return {"type": "array", "items": {"type": "string"}}
        if len(items) > 1:
            merged = _sampled(merged, frozenset.intersection(*labelled))
        return {"type": "array", "items": merged}

    def _items(self, depth: int) -> tuple[list[dict[str, Any]], bool]:
        """The items up to the closing bracket, and whether all of them are quoted."""
        items: list[dict[str, Any]] = []
        quoted = True
        while not self._take("]"):
            if self._take("...") or self._take("…") or self._take(","):
                continue
            self._skip()
            before = self.position
            quoted = quoted and self._text[before : before + 1] in "\"'"
            items.append(self.value(depth + 1))
            if self.position == before:
                raise NotPseudo
        return items, quoted

    def _scalar(self) -> dict[str, Any]:
        if match := _STRING.match(self._text, self.position):
            return self._strings(match)
        rest = self._bare()
        if rest.startswith("<") and ">" in rest:
            return placeholder(rest)
        found = bare_value(rest)
        if not set(found) & {"type", "enum"} and _IN_WORDS.search(rest):
            return {**found, "type": "string"}
        if not set(found) & {"type", "enum"} and re.search(r"\d", rest):
            raise NotPseudo  # a number of some kind, or a text: nobody can tell
        return found

    def _strings(self, match: re.Match[str]) -> dict[str, Any]:
        values = []
        while True:
            values.append(_inner(match))
            self.position = match.end()
            follow = _OTHER.match(self._text, self.position)
            following = _STRING.match(self._text, follow.end()) if follow else None
            if following and "," in (follow[0] if follow else "") and not self._are_labels(values):
                following = None
            if following is None:
                break
            match = following
        if len(values) > 1 and any(MASK in value or _VARIABLE.search(value) for value in values):
            found: dict[str, Any] = {"type": "string"}  # one of what the template puts in
        else:
            found = (
                {"type": "string", "enum": list(dict.fromkeys(values))} if len(values) > 1 else quoted_value(values[0])
            )
        if null := _OR_NULL.match(self._text, self.position):
            self.position = null.end()
            return or_null(found)
        return found

    def _are_labels(self, first: Sequence[str]) -> bool:
        """Whether texts follow that commas divide, and no keys: ``"none", "some", or "all"``."""
        listed = _LABELS.match(self._text, self.position)
        return listed is not None and len(first[0].split()) <= _SHORT

    def _bare(self) -> str:
        """Up to the comma, line end or bracket that ends the value; brackets within it are part of it."""
        depth = 0
        start = self.position
        while self.position < len(self._text):
            char = self._text[self.position]
            if _COMPARED.match(self._text, self.position):
                pass
            elif char in "([<":
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


def _told(item: Mapping[str, Any], shown: str) -> dict[str, Any]:
    """What the one item of a list says of the list itself: "[a list of names]", "[indices of the lines]"."""
    said = str(item.get("description", ""))
    if re.search(r"\b(?:indices|indexes|integers)\b", said):
        return {"type": "array", "items": {"type": "integer"}}
    if counted := _OF_ITEMS.match(said):
        span = {"minItems": int(counted["low"]), "maxItems": int(counted["high"])} if counted["low"] else {}
        return {"type": "array", "items": {"type": "string"}, **span, "description": said}
    # [list of strings] is such a list, [["a"]] is a list of them.
    return dict(item) if item.get("type") == "array" and (said or not re.match(r"\[\s*\[", shown)) else {}


# ["2-4 words that describe it"], ["list of all names"]
_OF_ITEMS = re.compile(
    r"(?:(?P<low>\d{1,2})\s?(?:-|–|to)\s?(?P<high>\d{1,2})|(?:a )?list of) (?!words\b|sentences\b|characters\b)[a-z]",
    re.IGNORECASE,
)


def _inner(match: re.Match[str]) -> str:
    return next(group for group in match.groups() if group is not None)


def _labelled_keys(schema: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(name for name, child in schema.get("properties", {}).items() if "enum" in child)


def _sampled(schema: Mapping[str, Any], labelled: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The schema of several items beside each other, whose texts are samples and describe nothing.

    Args:
        labelled: Keys whose labels every item has; what only one of them lists are not all labels.
    """
    plain = {key: value for key, value in schema.items() if key != "description"}
    if isinstance(plain.get("properties"), Mapping):
        plain["properties"] = {
            name: {key: value for key, value in _sampled(child).items() if key != "enum" or name in labelled}
            for name, child in plain["properties"].items()
        }
    return plain


def merge(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any] | None:
    """One schema for two descriptions of the same value; ``None`` if they contradict each other.

    A key that one of them leaves out may be null.
    """
    if not first or not second:
        return dict(first or second)
    kinds = _kinds(first) | _kinds(second)
    if {"integer", "number"} <= kinds:
        kinds -= {"integer"}
    null = kinds & {"null"}
    if len(kinds - null) > 1:
        return None
    kind = next(iter(kinds - null), None)
    merged = {**second, **first, **({"type": [kind, "null"] if null else kind} if kind else {})}
    if "enum" in first and "enum" in second and set(first["enum"]) != set(second["enum"]):
        return None
    if isinstance(first.get("properties"), Mapping) and isinstance(second.get("properties"), Mapping):
        properties = _merged_properties(first["properties"], second["properties"])
        if properties is None:
            return None
        merged = {**object_schema(properties), "type": merged["type"]}
    if "items" in first or "items" in second:
        items = merge(first.get("items", {}), second.get("items", {}))
        if items is None:
            return None
        merged["items"] = items
    return merged


def _kinds(schema: Mapping[str, Any]) -> set[str]:
    kind = schema.get("type")
    if kind is None:
        return set()
    return set(kind) if isinstance(kind, list) else {kind}


def _merged_properties(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any] | None:
    if not (set(first) <= set(second) or set(second) <= set(first)):
        return None
    longer = first if len(first) >= len(second) else second
    properties: dict[str, Any] = {}
    for name in longer:
        child = merge(first.get(name, {}), second.get(name, {}))
        if child is None:
            return None
        properties[name] = child if name in first and name in second else or_null({"type": "string", **child})
    return properties


def starts(text: str) -> Iterator[int]:
    """Where an object or list of the text may begin, outermost first; a caller skips what it has read."""
    for match in re.finditer(r"[{\[]", text):
        yield match.start()


def balanced_end(text: str, start: int) -> int:
    """Where the object or list that begins at ``start`` ends; the end of the text if it never does."""
    depth = 0
    position = start
    while position < len(text):
        string = _STRING.match(text, position)
        if string is not None:
            position = string.end()
            continue
        depth += (text[position] in "{[") - (text[position] in "}]")
        position += 1
        if depth == 0:
            break
    return position
