"""Shorter descriptions of tools and of their arguments: each is compressed, judged and proved as a prompt is.

The file that they are written in stays as it is but for these texts. Descriptions of Python functions are in code, and
are left alone.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import yaml

from promptopt.compression.document import Document
from promptopt.compression.edit import Level
from promptopt.compression.engine import check_level, compress_document, document_of, is_prose, with_files
from promptopt.compression.judging.judge import JudgedEdit
from promptopt.compression.rules.base import choose_rules
from promptopt.errors import PromptoptError
from promptopt.templates import Template
from promptopt.templates.frontmatter import tools_source
from promptopt.templates.tools import make_tools, parse_tools
from promptopt.tokens import tokenizer_for, tools_tokens
from promptopt.values import Tool

# Keys of a schema under which there are schemas by name, as a list, or one.
_NAMED = ("properties", "$defs", "definitions", "patternProperties")
_LISTED = ("anyOf", "oneOf", "allOf", "prefixItems")
_ONE = ("items", "additionalProperties", "not")
_PARAMETERS = ("parameters", "input_schema", "inputSchema")


@dataclass(frozen=True, slots=True)
class Description:
    """A description that is shorter now.

    Attributes:
        place: ``find_order`` of a tool, ``find_order.order_id`` of an argument.
        start: Where it is written in the text around it; ``end`` is where that ends.
        written: How the new one is written there.
        edits: Every edit that was made to it, ``refused`` those that were not.
    """

    place: str
    old: str
    new: str
    start: int
    end: int
    written: str
    edits: tuple[JudgedEdit, ...] = ()
    refused: tuple[JudgedEdit, ...] = ()


@dataclass(frozen=True, slots=True)
class ShorterTools:
    """The tools of a prompt with shorter descriptions.

    Attributes:
        name: The file that they are in, by its path below the prompts folder; the prompt's own if they are in it.
        path: That file as a person would name it.
        original: Its text.
        text: Its text with the shorter descriptions.
        tokens_before: Input tokens of the tools, an estimate; ``tokens_after`` with shorter descriptions.
    """

    name: str
    path: str
    original: str
    text: str
    changed: tuple[Description, ...]
    tokens_before: int
    tokens_after: int

    def take(self, chosen: Iterable[Description], text: str | None = None) -> str:
        """The file's text with some of the shorter descriptions.

        Args:
            text: The file as it is changed otherwise, after the tools.
        """
        return _replaced(self.original if text is None else text, chosen)


def shorten_tools(
    template: Template, level: Level = "standard", *, select: Iterable[str] = (), ignore: Iterable[str] = ()
) -> ShorterTools | None:
    """The tools of a prompt with their descriptions compressed.

    Returns:
        ``None`` if the prompt has no tools, or all of them are Python functions.

    Raises:
        UsageError: The level or a rule is unknown.
    """
    check_level(level)
    found = tools_source(template.source, template.name, template.reader)
    if found is None:
        return None
    name, text, start, end = found
    document = document_of(template)
    rules = choose_rules(select, ignore)
    changed: list[Description] = []
    for place, node in _descriptions(_composed(text[start:end])):
        if not is_prose(node.value):
            continue
        described = Document(node.value, path=place, model=document.model, told_to_model=True)
        made = compress_document(described, level, rules)
        if made.tokens_saved > 0:
            first, last = start + node.start_mark.index, start + node.end_mark.index
            written = _written(node, made.text, text[first:last])
            changed.append(Description(place, node.value, made.text, first, last, written, made.edits, made.refused))
    shorter = _replaced(text, changed)
    tools = _read(template, name, shorter)
    if tools is None or _expected(tools, ()) != _expected(template.front.tools, changed):
        # The file is written in a way that is not understood here.
        changed, shorter, tools = [], text, template.front.tools
    tokenizer = tokenizer_for(document.model)
    before, after = tools_tokens(template.front.tools, tokenizer), tools_tokens(tools, tokenizer)
    return ShorterTools(name, template.reader.display(name), text, shorter, tuple(changed), before, after)


def _replaced(text: str, changed: Iterable[Description]) -> str:
    for one in sorted(changed, key=lambda each: -each.start):
        text = text[: one.start] + one.written + text[one.end :]
    return text


def _composed(text: str) -> yaml.Node | None:
    """The text of JSON or YAML as nodes that know their places."""
    try:
        # JSON may be indented with tabs.
        node: yaml.Node | None = yaml.compose(text.replace("\t", " "), Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return None
    return node


def _written(node: yaml.ScalarNode, text: str, before: str) -> str:
    """A text in the place of a scalar, in its style if it can be; in double quotes, which JSON has as well, it can.

    Args:
        before: How the scalar is written.
    """
    quoted = json.dumps(text, ensure_ascii=False)
    if node.style in ("|", ">"):
        head, _, body = before.partition("\n")
        indent = body[: len(body) - len(body.lstrip(" "))]
        lines = text.rstrip("\n").split("\n")
        if node.style == ">":
            width = max(len(line) for line in body.split("\n"))
            wrapped = textwrap.wrap(lines[0], width - len(indent), break_long_words=False, break_on_hyphens=False)
            lines = wrapped if len(lines) == 1 else []
        # It ends where the next token begins.
        rest = before[len(before.rstrip()) :]
        if not lines or not re.fullmatch(r"[|>][-+]?", head.strip()):
            return f"{quoted}{rest}"
        return "\n".join([head, *(f"{indent}{line}" if line else "" for line in lines)]) + rest
    plain = node.style is None and re.fullmatch(r"[A-Za-z][^\n:#\[\]{},]*[^\s:#\[\]{},]", text)
    return text if plain else quoted


def _descriptions(node: yaml.Node | None) -> Iterator[tuple[str, yaml.ScalarNode]]:
    """The descriptions of all tools and of their arguments, once each."""
    entries = node.value if isinstance(node, yaml.SequenceNode) else [node]
    seen: set[int] = set()
    for entry in entries:
        if not isinstance(entry, yaml.MappingNode):
            continue
        fields = _fields(entry)
        inner = fields.get("function", entry)
        fields = _fields(inner) if isinstance(inner, yaml.MappingNode) else fields
        name = str(getattr(fields.get("name"), "value", "?"))
        found = [(name, fields.get("description"))]
        for key in _PARAMETERS:
            found += _of_schema(fields.get(key), name)
        for place, scalar in found:
            if isinstance(scalar, yaml.ScalarNode) and id(scalar) not in seen:
                seen.add(id(scalar))
                yield place, scalar


def _of_schema(node: yaml.Node | None, place: str, depth: int = 0) -> list[tuple[str, yaml.Node | None]]:
    if not isinstance(node, yaml.MappingNode) or depth > 50:
        return []
    fields = _fields(node)
    found = [(place, fields.get("description"))]
    for key in _NAMED:
        inner = fields.get(key)
        if isinstance(inner, yaml.MappingNode):
            for name, part in _fields(inner).items():
                found += _of_schema(part, f"{place}.{name}", depth + 1)
    for key in _LISTED:
        inner = fields.get(key)
        for part in inner.value if isinstance(inner, yaml.SequenceNode) else ():
            found += _of_schema(part, place, depth + 1)
    for key in _ONE:
        found += _of_schema(fields.get(key), place, depth + 1)
    return found


def _fields(node: yaml.MappingNode) -> dict[str, yaml.Node]:
    return {str(key.value): value for key, value in node.value}


def _read(template: Template, name: str, text: str) -> tuple[Tool, ...] | None:
    """The tools that a file would have; ``None`` if it would have none."""
    try:
        if name == template.name:
            return with_files(template, {name: text}).front.tools
        return make_tools(parse_tools(text, name))
    except (PromptoptError, ValueError):
        return None


def _expected(tools: tuple[Tool, ...], changed: Iterable[Description]) -> tuple[Tool, ...]:
    """The tools with nothing changed but these texts."""
    new = {one.old.strip(): one.new.strip() for one in changed}

    def text(value: str) -> str:
        return new.get(value.strip(), value.strip())

    def schema(node: Any) -> Any:
        if isinstance(node, Mapping):
            return {
                key: text(value) if key == "description" and isinstance(value, str) else schema(value)
                for key, value in node.items()
            }
        return [schema(item) for item in node] if isinstance(node, list) else node

    return tuple(
        replace(tool, description=text(tool.description), parameters=schema(tool.parameters)) for tool in tools
    )
