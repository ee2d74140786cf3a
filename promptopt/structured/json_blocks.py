"""JSON in a prompt's text that stands for its answers: templates and examples, not inputs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from promptopt.structured.fields import PromptText, Span
from promptopt.structured.pseudo_json import NotPseudo, read_pseudo, starts

_MOST_BLOCKS = 200
_CUE = re.compile(
    r"\b(?:json|format\w*|outputs?|returns?|respond|response|repl(?:y|ies)|answers?|structure|object|schema|shape|keys|fields|following form)\b",
    re.IGNORECASE,
)
_INPUT_CUE = re.compile(
    r"\b(?:inputs?|given|context|arguments?|params?|parameters|tool|data|example task|conversation|transcript|passage|document|question|message)\b[^\n:]{0,30}:?\s*$",
    re.IGNORECASE,
)
_OUTPUT_CUE = re.compile(
    r"\b(?:outputs?|answer|response|result|returns?|respond|format\w*|json|assistant)\b[^\n]{0,80}$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Block:
    """One JSON value of the text.

    Attributes:
        example: One answer of many, and not the template of all.
    """

    schema: dict[str, Any]
    span: Span
    example: bool


def blocks(document: PromptText) -> Iterator[Block]:
    """Pseudo-JSON of the text that stands for the answer, outermost only."""
    text = document.text
    done = 0
    tried = 0
    for start in starts(text):
        if start < done:
            continue
        tried += 1
        if tried > _MOST_BLOCKS:
            return
        try:
            schema, end = read_pseudo(text, start)
        except (NotPseudo, RecursionError):
            continue
        if not _is_structure(schema):
            continue
        done = end
        role = _role(text, start)
        if role is None and re.match(r"[ \t]*(?:as|in) json\b", text[end : end + 20], re.IGNORECASE):
            role = False
        if role is not None:
            span = Span(start, end)
            yield Block(_plain_example(schema) if role else schema, span, role)


def answer_blocks(document: PromptText) -> list[Span]:
    """The ranges in which the text shows JSON of the answer: its templates and examples."""
    return [block.span for block in blocks(document)]


def _is_structure(schema: Mapping[str, Any]) -> bool:
    if schema.get("type") == "array":
        items = schema["items"]
        return isinstance(items, Mapping) and "properties" in items
    return "properties" in schema


def _plain_example(schema: Any) -> Any:
    """The schema of an example without its words, which are one answer of many."""
    if not isinstance(schema, Mapping):
        return schema
    plain = {key: value for key, value in schema.items() if key not in ("description", "enum")}
    if isinstance(plain.get("properties"), Mapping):
        plain["properties"] = {name: _plain_example(child) for name, child in plain["properties"].items()}
    if "items" in plain:
        plain["items"] = _plain_example(plain["items"])
    return plain


def _role(text: str, start: int) -> bool | None:
    """``True`` for an example of an answer, ``False`` for its template, ``None`` for something else."""
    if text[max(0, start - 2) : start].strip()[-1:] in ("(", "*", "=") or re.search(r"\w$", text[:start][-1:]):
        # An argument of a call, or a set in a formula.
        return None
    before = re.sub(r"(?:```|~~~)\w*\s*$", "", text[max(0, start - 400) : start]).rstrip(' \n\t"`')
    line = before.rpartition("\n")[2]
    recent = before[-250:]
    if _INPUT_CUE.search(line) and not _OUTPUT_CUE.search(line):
        return None
    if not _CUE.search(recent):
        return None
    if re.search(r"\b(?:outputs?|answer|response|result|assistant|a)\b\W*$", line, re.IGNORECASE) or re.search(
        r"\bexamples?\b[^\n]{0,40}$", line, re.IGNORECASE
    ):
        return True
    if _OUTPUT_CUE.search(recent):
        return False
    return None
