"""Descriptions and fields of tools and of the output schema, as parts that can be taken out of them."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, Literal

import yaml

from promptopt.compression.masks import mask
from promptopt.compression.sentences import split_sentences
from promptopt.templates import Template
from promptopt.templates.answer import PointerAnswer
from promptopt.templates.frontmatter import set_front_matter, written_schema
from promptopt.yaml import line_of

_NAMED = ("properties", "$defs", "definitions", "patternProperties")
_LISTED = ("anyOf", "oneOf", "allOf", "prefixItems")
_ONE = ("items", "additionalProperties", "not")
_PARAMETERS = ("parameters", "input_schema", "inputSchema")
_Path = tuple[str | int, ...]


@dataclass(frozen=True, eq=False)
class SchemaPart:
    """A sentence of a description, or a field of the answer that nothing reads.

    Attributes:
        where: The way to it in the data: to the description, or to the field's schema.
        sentence: Which sentence of a description; ``None`` for a field.
        place: ``find_order.order_id``, ``output_schema.reason``.
        text: The file that it is in.
    """

    kind: Literal["description", "field"]
    where: _Path
    sentence: int | None
    place: str
    written: str
    line: int
    text: SchemaText = field(repr=False)


@dataclass(eq=False)
class SchemaText:
    """The tools or the output schema of a prompt, in a file of their own or in its front matter.

    Attributes:
        name: The file, by its path below the root of prompts; the prompt's own if they are in it.
        path: That file as a person would name it.
        original: Its text.
        key: ``tools`` or ``output_schema``.
    """

    name: str
    path: str
    original: str
    key: Literal["tools", "output_schema"]
    inline: bool
    data: Any = field(repr=False)
    parts: tuple[SchemaPart, ...] = ()

    def without(self, gone: Sequence[SchemaPart], text: str) -> str:
        """The file without some of its parts.

        Args:
            text: The file as it is changed otherwise.
        """
        # Anchors of YAML would make one object of two.
        data = json.loads(json.dumps(self.data))
        sentences: dict[_Path, set[int]] = defaultdict(set)
        for part in gone:
            if part.sentence is None:
                _remove_field(data, part.where)
            else:
                sentences[part.where].add(part.sentence)
        for where, numbers in sentences.items():
            _shorten(data, where, numbers)
        if self.inline:
            return set_front_matter(text, {self.key: data})
        if self.name.endswith((".yaml", ".yml")):
            return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120)
        return json.dumps(data, indent=_indent(self.original), ensure_ascii=False) + "\n"


def _indent(text: str) -> int | str | None:
    """How a JSON file indents; ``None`` if it is one line."""
    if "\n" not in text.strip():
        return None
    found = re.match(r"\s*[\[{][ \t]*\n([ \t]+)", text)
    return found[1] if found else 2


def schema_texts(template: Template) -> Iterator[SchemaText]:
    """The tools and the output schema of a prompt that have something to take out."""
    keys: tuple[Literal["tools", "output_schema"], ...] = ("tools", "output_schema")
    for key in keys:
        found = written_schema(template.source, template.name, template.reader, key)
        if found is None:
            continue
        name, written, data = found
        text = SchemaText(name, template.reader.display(name), written, key, name == template.name, data)
        parts = list(_tool_parts(text)) if key == "tools" else list(_schema_parts(text, template))
        if parts:
            text.parts = tuple(parts)
            yield text


def _tool_parts(text: SchemaText) -> Iterator[SchemaPart]:
    for number, entry in enumerate(text.data if isinstance(text.data, list) else ()):
        if not isinstance(entry, Mapping):
            continue
        nested = isinstance(entry.get("function"), Mapping)
        where: _Path = (number, "function") if nested else (number,)
        inner = entry["function"] if nested else entry
        place = str(inner.get("name", "?"))
        yield from _sentences(text, (*where, "description"), inner.get("description"), place)
        for key in _PARAMETERS:
            for found, value, named in _descriptions(inner.get(key), (*where, key), place):
                yield from _sentences(text, found, value, named)


def _schema_parts(text: SchemaText, template: Template) -> Iterator[SchemaPart]:
    for found, value, named in _descriptions(text.data, (), text.key):
        yield from _sentences(text, found, value, named)
    answer = template.front.answer
    if not isinstance(answer, PointerAnswer) or not isinstance(text.data, Mapping):
        # A program may read all of it.
        return
    read = answer.pointer.split("/")[1:2]
    properties = text.data.get("properties")
    if not isinstance(properties, Mapping) or not read or read[0] not in properties:
        return
    for name in properties:
        if name != read[0]:
            written = f"{name}: {json.dumps(properties[name], ensure_ascii=False)}"
            where = ("properties", name)
            yield SchemaPart("field", where, None, f"{text.key}.{name}", written, _line(text, where), text)


def _sentences(text: SchemaText, where: _Path, value: object, place: str) -> Iterator[SchemaPart]:
    if isinstance(value, str) and value.strip():
        for number, sentence in enumerate(_split(value)):
            yield SchemaPart("description", where, number, place, sentence, _line(text, where, sentence), text)


def _split(text: str) -> list[str]:
    found = [text[each.marker : each.end] for each in split_sentences(mask(text).masked)]
    # What is protected belongs to no sentence.
    return found if "".join("".join(found).split()) == "".join(text.split()) else [text.strip()]


def _line(text: SchemaText, where: _Path, sentence: str = "") -> int:
    """The line of a key, or that of a sentence of its value, which may begin in a later one."""
    line = line_of(_parent(text.data, where), str(where[-1])) or 1
    lines = text.original.split("\n")[line - 1 :]
    first = " ".join(sentence.split()[:3])
    if sentence and first not in lines[0]:
        # Of a text of several lines, what is not indented below its key is another key's.
        own = takewhile(lambda each: not each.strip() or _depth(each) > _depth(lines[0]), lines[1:])
        line += next((number for number, each in enumerate(own, 1) if first in each), 0)
    return line


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(" \t-"))


def _descriptions(node: Any, where: _Path, place: str, depth: int = 0) -> Iterator[tuple[_Path, object, str]]:
    if not isinstance(node, Mapping) or depth > 50:
        return
    if isinstance(node.get("description"), str):
        yield (*where, "description"), node["description"], place
    for key in _NAMED:
        if isinstance(node.get(key), Mapping):
            for name, part in node[key].items():
                yield from _descriptions(part, (*where, key, name), f"{place}.{name}", depth + 1)
    for key in _LISTED:
        for number, part in enumerate(node[key] if isinstance(node.get(key), list) else ()):
            yield from _descriptions(part, (*where, key, number), place, depth + 1)
    for key in _ONE:
        yield from _descriptions(node.get(key), (*where, key), place, depth + 1)


def _parent(data: Any, where: _Path) -> Any:
    for key in where[:-1]:
        data = data[key]
    return data


def _remove_field(data: Any, where: _Path) -> None:
    schema = _parent(data, where[:-1])
    name = where[-1]
    del schema["properties"][name]
    if isinstance(schema.get("required"), list):
        schema["required"] = [each for each in schema["required"] if each != name]


def _shorten(data: Any, where: _Path, numbers: set[int]) -> None:
    try:
        parent = _parent(data, where)
        kept = [each for number, each in enumerate(_split(parent[where[-1]])) if number not in numbers]
    except (KeyError, IndexError):
        # The field that it describes has gone.
        return
    if kept:
        parent[where[-1]] = " ".join(kept)
    else:
        del parent[where[-1]]
