"""What is found out about an answer's fields, and where."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import regex

MASK = "\ufffc"
"""Stands for every character that a template's expression or tag takes up."""
BOUNDARY = "\ufffa"
"""Stands for every character of a chat block's tag: it parts sentences and prints nothing."""

SCAN_TIMEOUT_S = 0.5
_RAW_END = re.compile(r"\{%-?\s*endraw\s*-?%\}")
_RAW = re.compile(r"\{%-?\s*raw\s*-?%\}")
_CLOSERS = {"{{": "}}", "{%": "%}", "{#": "#}"}
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
        pieces: list[str] = []
        done = 0
        for part in _parts(source):
            tag = source[part.start : part.end]
            mask = BOUNDARY if _CHAT_TAG.match(tag) else MASK
            pieces += [source[done : part.start], re.sub(r"[^\n]", mask, tag)]
            done = part.end
        return cls(source, "".join([*pieces, source[done:]]), tuple(_conditional(source)))

    def line(self, position: int) -> int:
        """The line of a position, counted from 1."""
        return self.text.count("\n", 0, position) + 1

    def depends(self, span: Span) -> bool:
        """Whether a part stands within a branch or loop, or holds one."""
        return any(span.overlaps(part) for part in self.conditional)


def template_parts(source: str) -> list[str]:
    """The expressions, tags and comments of a Jinja source, in order; a raw block is one."""
    return [source[part.start : part.end] for part in _parts(source)]


def _parts(source: str) -> Iterator[Span]:
    """The spans of :func:`template_parts`. One pass: what is opened and never closed is text."""
    position = 0
    unclosed: set[str] = set()
    for match in re.finditer(r"\{[{%#]", source):
        if match.start() < position or match[0] in unclosed:
            continue
        end = source.find(_CLOSERS[match[0]], match.end())
        if end < 0:
            unclosed.add(match[0])
            continue
        position = end + 2
        if _RAW.fullmatch(source, match.start(), position) and (raw_end := _RAW_END.search(source, position)):
            position = raw_end.end()
        yield Span(match.start(), position)


def _conditional(source: str) -> list[Span]:
    stack: list[tuple[str, int]] = []
    found: list[Span] = []
    for part in _parts(source):
        tag = source[part.start : part.end]
        if not tag.startswith("{%"):
            continue
        if opened := _OPEN.match(tag):
            if not (opened[1] == "set" and "=" in opened["rest"]):
                stack.append((opened[1], part.start))
        elif _CLOSE.match(tag) and stack:
            kind, start = stack.pop()
            if kind in ("if", "for"):
                found.append(Span(start, part.end))
    return found


class TooSlow(Exception):
    """A text that the patterns of a prompt's prose cannot be run over in time."""


def scan(pattern: regex.Pattern[str], text: str, start: int = 0) -> Iterator[Any]:
    """The matches of a pattern; raises TooSlow after half a second, which no honest prompt takes."""
    try:
        yield from pattern.finditer(text, start, timeout=SCAN_TIMEOUT_S)
    except TimeoutError:
        raise TooSlow from None


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
