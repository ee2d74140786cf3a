"""JSON that a prompt shows as its answer, in the short form that the answers are to have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from promptopt.compression.edit import Edit
from promptopt.structured.fields import MASK, PromptText
from promptopt.structured.readers.json_blocks import answer_blocks
from promptopt.templates.source import read_source

CODE = "STRUCTURE"


_STRING = re.compile(r'"(?:\\.|[^"\\\n])*"')


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


def example_edits(source: str, name: str, schema: Mapping[str, Any]) -> list[Edit]:
    """Assistant turns that are one bare label, written as the JSON that is now asked for."""
    labels = {str(label): label for label in schema.get("enum", ())}
    edits = []
    for chat in read_source(source).chats:
        body = source[chat.body_start : chat.body_end].strip()
        if chat.role == "assistant" and body in labels:
            answer = json.dumps({name: labels[body]}, separators=(",", ":"), ensure_ascii=False)
            edits.append(Edit(chat.body_start, chat.body_end, answer, CODE, "examples show the new form"))
    return edits
