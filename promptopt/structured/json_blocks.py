"""JSON in a prompt's text that shows its answers (templates and examples, not inputs), and answers that stay in that form.

The JSON is minified, and the answer is read out of the text and capped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptopt.compression.edit import Edit
from promptopt.structured.fields import MASK, Field, PromptText, Span
from promptopt.structured.pseudo_json import NotPseudo, read_pseudo, starts
from promptopt.tokens import Tokenizer

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
    """Pseudo-JSON of the text that shows the answer, outermost only."""
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


CODE = "STRUCTURE"
# What a model may write around a bare label: a stop, a line end, the label's own name.
_SLACK_TOKENS = 8
_STRING = re.compile(r'"(?:\\.|[^"\\\n])*"')
_NUMBER = r"-?\d+(?:\.\d+)?"


def block_edits(document: PromptText) -> Iterator[Edit]:
    """JSON that shows the answer, written without line ends and blanks between its parts: models write it likewise."""
    for span in answer_blocks(document):
        old = document.source[span.start : span.end]
        if MASK in document.text[span.start : span.end] or "//" in old or "\n#" in old:
            continue
        new = _without_blanks(old)
        if new is not None and new != old:
            yield Edit(span.start, span.end, new, CODE, "the example of the answer shows the short form")


def _without_blanks(text: str) -> str | None:
    """``None`` if a line end alone separates two values, as people write templates: there it means something."""
    pieces: list[str] = []
    done = 0
    for match in _STRING.finditer(text):
        pieces += [_tight(text[done : match.start()]), match[0]]
        done = match.end()
    pieces.append(_tight(text[done:]))
    return None if any("\n" in piece for piece in pieces) else "".join(pieces)


def _tight(text: str) -> str:
    text = re.sub(r"\s*\n\s*(?=[}\]])|(?<=[{\[,])\s*\n\s*", "", text)
    return re.sub(r"(?<=^[:,])[ \t]+$", "", text) if text.strip() in (":", ",") else text


def reading(fields: Sequence[Field], scored: Field, *, json_form: bool) -> str | None:
    """An ``answer:`` that reads the scored value out of a text answer; ``None`` if it has no fixed form."""
    if json_form:
        return "/" + scored.name.replace("~", "~0").replace("/", "~1")
    if len(fields) != 1:
        return None
    if "enum" in scored.schema:
        labels = sorted(map(str, scored.schema["enum"]), key=len, reverse=True)
        # "a" is a word; only "A" is a letter of the list.
        case = "" if any(len(label) == 1 for label in labels) else "(?i)"
        return rf"{case}(?<!\w)({'|'.join(map(_quoted, labels))})(?!\w)"
    return _NUMBER if scored.schema.get("type") in ("integer", "number") else None


def _quoted(label: str) -> str:
    return re.sub(r"([.^$*+?{}\[\]\\|()])", r"\\\1", label)


def text_cap(fields: Sequence[Field], tokenizer: Tokenizer) -> int | None:
    """``max_output_tokens`` of one bare value; ``None`` if nothing bounds the answer."""
    if len(fields) != 1:
        return None
    schema: Any = fields[0].schema
    if "enum" in schema:
        return max(tokenizer.count(str(label)) for label in schema["enum"]) + _SLACK_TOKENS
    if schema.get("type") in ("integer", "number") and {"minimum", "maximum"} <= schema.keys():
        return max(tokenizer.count(str(schema[bound])) for bound in ("minimum", "maximum")) + _SLACK_TOKENS
    return None
