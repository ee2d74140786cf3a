"""What is found out about an answer's fields, and where."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MASK = "\ufffc"
"""Stands for every character that a template's expression or tag takes up."""
BOUNDARY = "\ufffa"
"""Stands for every character of a chat block's tag: it parts sentences and prints nothing."""

_TAG = re.compile(r"\{%-?\s*raw\s*-?%\}.*?\{%-?\s*endraw\s*-?%\}|\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_CHAT_TAG = re.compile(r"\{%-?\s*(?:end)?chat\b")
_OPEN = re.compile(r"\{%-?\s*(if|for|call|filter|set|macro|block)\b(?P<rest>.*?)%\}", re.DOTALL)
_CLOSE = re.compile(r"\{%-?\s*end(if|for|call|filter|set|macro|block)\b")


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a text, from ``start`` up to ``end``."""

    start: int
    end: int

    def overlaps(self, other: Span) -> bool:
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True)
class Field:
    """A property of an answer.

    Attributes:
        schema: What its values are.
        source: Where that is said: "JSON example, line 12".
        line: The line, counted from 1, where there is one.
    """

    name: str
    schema: Mapping[str, Any]
    source: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Inferred:
    """What a prompt says about the form of its answers.

    Attributes:
        fields: The properties, in order; empty where nothing certain is said.
        carried: Parts of the text that only say what the schema says; they can go.
        problems: Contradictions and doubts, each with its line; where there is one that matters, there are no fields.
        wrapped: The answer is a list; it stands under the one field.
    """

    fields: tuple[Field, ...] = ()
    carried: tuple[Span, ...] = ()
    problems: tuple[str, ...] = ()
    wrapped: bool = False

    def schema(self) -> dict[str, Any]:
        """The strict schema of the fields."""
        return object_schema({item.name: dict(item.schema) for item in self.fields})


@dataclass(frozen=True, slots=True)
class Document:
    """The text of a prompt with its template parts masked.

    Attributes:
        text: As long as the source; every character of a tag or expression is :data:`MASK` or :data:`BOUNDARY`.
        conditional: Parts that not every rendering has, or has several times.
    """

    source: str
    text: str
    conditional: tuple[Span, ...] = field(default=())

    @classmethod
    def of(cls, source: str) -> Document:
        """Mask a Jinja source."""

        def masked(match: re.Match[str]) -> str:
            return re.sub(r"[^\n]", BOUNDARY if _CHAT_TAG.match(match[0]) else MASK, match[0])

        text = _TAG.sub(masked, source)
        return cls(source, text, tuple(_conditional(source)))

    def line(self, position: int) -> int:
        """The line of a position, counted from 1."""
        return self.text.count("\n", 0, position) + 1

    def depends(self, span: Span) -> bool:
        """Whether a part stands within a branch or loop, or holds one."""
        return any(span.overlaps(part) for part in self.conditional)


def template_parts(source: str) -> list[str]:
    """The expressions, tags and comments of a Jinja source, in order."""
    return _TAG.findall(source)


def _conditional(source: str) -> list[Span]:
    stack: list[tuple[str, int]] = []
    found: list[Span] = []
    for match in re.finditer(r"\{%.*?%\}", source, re.DOTALL):
        if opened := _OPEN.match(match[0]):
            if not (opened[1] == "set" and "=" in opened["rest"]):
                stack.append((opened[1], match.start()))
        elif _CLOSE.match(match[0]) and stack:
            kind, start = stack.pop()
            if kind in ("if", "for"):
                found.append(Span(start, match.end()))
    return found


def object_schema(properties: Mapping[str, Any]) -> dict[str, Any]:
    """A strict object of these properties."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def field_name(label: str) -> str:
    """A label of a text as the name of a property: ``ONE-SENTENCE SUMMARY:`` is ``one_sentence_summary``."""
    words = re.sub(r"['’`\"*]", "", label).strip()
    return re.sub(r"[^0-9a-zA-Z]+", "_", words).strip("_").lower()
