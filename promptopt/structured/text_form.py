"""The form of an answer kept as a prompt's text states it: its JSON minified, the answer read out and capped."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from promptopt.compression.edit import Edit
from promptopt.structured.fields import MASK, Field, PromptText
from promptopt.structured.json_blocks import answer_blocks
from promptopt.tokens import Tokenizer

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
