"""Weaker forms of an answer: Markdown headings that it is to have, a named part beside the answer, lines of one kind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import regex

from promptopt.structured.fields import MASK, Field, PromptText, Span, field_name, scan

_LIST: dict[str, Any] = {"type": "array", "items": {"type": "string"}}
_TEXT: dict[str, Any] = {"type": "string"}
# "## 2. Plan": only numbered headings; others part the prompt itself.
_NUMBERED = regex.compile(
    r"^[ \t]*(?P<marks>#{1,4})[ \t]+(?P<number>\d+(?:\.[ \t]?\d+)*)\.?[ \t]+(?P<name>[A-Za-z][\w '’/&-]{1,60}?)[ \t]*:?[ \t]*(?=\n(?P<next>[^\n]*))",
    re.MULTILINE,
)
_WANTED = re.compile(
    r"\b(?:use the (?:below|following) headings|(?:three|two|four|five) headings|write your [^.\n]{0,60}\bbelow\b)",
    re.IGNORECASE,
)
# "# OUTPUT SECTIONS" and then "- **GREETING:**" with what belongs into it below.
_BOLD_LIST = regex.compile(
    r"^#+[ \t]*OUTPUT SECTIONS[ \t]*:?[ \t]*\n\s*(?P<items>(?:[ \t]*[-*•][ \t]+\*\*[A-Za-z][\w '’/&-]{1,60}:?\*\*:?[^\n]*\n(?:[ \t]*\n|[ \t]+[^\n]+\n)*){2,})",
    re.MULTILINE | re.IGNORECASE,
)
_BOLD = regex.compile(r"^[-*•][ \t]+\*\*(?P<name>[A-Za-z][\w '’/&-]{1,60}?):?\*\*", re.MULTILINE)
_PART = regex.compile(
    r"\b(?:return|include|give|provide|add) an? [\"'“](?P<name>[A-Za-z]\w{2,30})[\"'”] (?:part|section) in your (?:answer|response|reply)",
    re.IGNORECASE,
)
_LINES = regex.compile(
    r"\b(?:only )?(?:reply|answer|respond|return|output)\b[^.\n]{0,80}\bin the following format:\s*[\"'“`]?[-*•][ \t]+[\[<](?P<name>[a-z][a-z ]{2,40})[\]>][\"'”`]?",
    re.IGNORECASE,
)


def headed(document: PromptText) -> Iterator[tuple[Field, Span]]:
    """Numbered Markdown headings that the answer is to use; one with others below it is no field of its own."""
    if _WANTED.search(document.text):
        found = [match for match in scan(_NUMBERED, document.text) if MASK not in match["name"]]
        numbers = [_number(match) for match in found]
        for match, number in zip(found, numbers, strict=True):
            if any(other != number and other[: len(number)] == number for other in numbers):
                continue
            schema = _LIST if _is_list(match["name"], match["next"]) else _TEXT
            yield _field(document, match, field_name(match["name"]), schema, "heading")
    for block in scan(_BOLD_LIST, document.text):
        for match in scan(_BOLD, block["items"]):
            line = document.line(block.start("items") + match.start())
            start = block.start("items") + match.start()
            source = f"section in the prose, line {line}"
            yield Field(field_name(match["name"]), _TEXT, source, line), Span(start, start + len(match[0]))


def _number(match: re.Match[str]) -> tuple[str, ...]:
    return tuple(re.findall(r"\d+", match["number"]))


def _is_list(name: str, following: str) -> bool:
    first = name.split(maxsplit=1)[0].lower()
    plural = first.endswith("s") and not first.endswith(("ss", "is", "us"))
    return plural or bool(re.match(r"\s*list\b", following, re.IGNORECASE))


def parted(document: PromptText) -> Iterator[tuple[Field, Span]]:
    """Reads "ALWAYS return a "SOURCES" part in your answer": the answer, and that."""
    matches = list(scan(_PART, document.text))
    if len(matches) != 1:
        return
    match = matches[0]
    name = field_name(match["name"])
    if name == "answer":
        return
    yield _field(document, match, "answer", _TEXT, "answer beside the part")
    yield _field(document, match, name, _LIST if _is_list(name, "") else _TEXT, "part")


def lines(document: PromptText) -> Iterator[tuple[Field, Span]]:
    """Reads "only reply in the following format: "- [mapped bullet point]"": a list of texts."""
    for match in scan(_LINES, document.text):
        noun = field_name(match["name"])
        yield _field(document, match, noun if noun.endswith("s") else f"{noun}s", _LIST, "lines")


def _field(
    document: PromptText, match: re.Match[str], name: str, schema: dict[str, Any], kind: str
) -> tuple[Field, Span]:
    line = document.line(match.start("name"))
    return Field(name, schema, f"{kind} in the prose, line {line}", line), Span(*match.span())
