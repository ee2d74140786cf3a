"""The field of an answer that a suite scores: which one it is, how it is read out of a text, and what caps it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from promptopt.structured.fields import Field, field_name
from promptopt.structured.reasoning import keeps_reasoning
from promptopt.tokens import Tokenizer

# What a model may write around a bare label: a stop, a line end, the label's own name.
_SLACK_TOKENS = 8


_NUMBER = r"-?\d+(?:\.\d+)?"


def reading(fields: Sequence[Field], scored: Field, *, json_form: bool) -> str | None:
    """An ``answer:`` that reads the scored value out of a text answer; ``None`` if it has no fixed form."""
    if json_form:
        return "/" + scored.name.replace("~", "~0").replace("/", "~1")
    if scored.pattern is not None:
        return scored.pattern
    # The last match is read: an explanation after the value may speak of others.
    if fields[-1] is not scored or len(fields) > 2 or (len(fields) == 2 and fields[0].name != "explanation"):
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


def scored_of(fields: Sequence[Field], labels: Sequence[str]) -> Field:
    """The field that a suite scores: the one that can say its labels, else the first of those that may be it."""
    wanted = {label.casefold() for label in labels}
    for item in fields:
        if wanted and wanted <= {str(label).casefold() for label in item.schema.get("enum", ())}:
            return item
    return may_be_scored(fields)[0]


def may_be_scored(fields: Sequence[Field]) -> list[Field]:
    """The fields that may each be what is scored, of which nothing tells one from the others.

    Labels come before a text that is called a label or a verdict, then numbers and truth values, then all others. What a
    model is to think or how sure it is, is said of the answer and is not the answer.
    """
    candidates = [item for item in fields if not keeps_reasoning([item, item])] or list(fields)
    candidates = [item for item in candidates if not _SURE.search(field_name(item.name))] or candidates
    enums = [item for item in candidates if "enum" in item.schema]
    named = [
        item for item in candidates if _LABEL.search(field_name(item.name)) and item.schema.get("type") == "string"
    ]
    numbers = [item for item in candidates if item.schema.get("type") in ("integer", "number", "boolean")]
    return enums or named or numbers or candidates


_SURE = re.compile(r"(?:\A|_)(?:confidence|certainty|needs|requires)(?:_|\Z)")
_LABEL = re.compile(
    r"(?:\A|_)(?:label|category|class|classification|intent|sentiment|verdict|answer|decision|prediction|result)\Z"
)
