"""A label or number with an explanation after it: "Answer Yes or No, then give a reason on the next line", "1 to 5, followed by why"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from promptopt.structured.fields import BOUNDARY, MASK, Field, Inferred, PromptText, Span, UnreadForm, conditional
from promptopt.structured.prose.choices import Choice
from promptopt.structured.prose.ranges import numbers
from promptopt.structured.readers.labelled import read_pattern
from promptopt.structured.reasoning import needs_reasoning

_LINKS = re.compile(
    r"\bfollowed by\b|\b(?:on|in) (?:a|the) (?:new|next|second|following|separate) line\b|\b(?:on|in) line (?:2|two)\b|\bbelow (?:it|that)\b",
    re.IGNORECASE,
)
# A sentence that goes on with what comes after the verdict.
_GOES_ON = re.compile(
    r"\s*(?:then|on|in|below|after|write|give|state|explain|provide|add|include|put|next)\b", re.IGNORECASE
)
_PARTS = (
    ("justification", re.compile(r"\bjustif\w+", re.IGNORECASE)),
    ("explanation", re.compile(r"\b(?:explain|explanation|why)\b", re.IGNORECASE)),
    ("rationale", re.compile(r"\brationale\b", re.IGNORECASE)),
    ("reasoning", re.compile(r"\breasoning\b", re.IGNORECASE)),
    ("reason", re.compile(r"\breasons?\b", re.IGNORECASE)),
)
_FURTHER = re.compile(
    r"\b(?:and|plus|or|as well as)\s+(?:also\s+)?(?:an?|the|your|its|their|one|two|three|suggest\w*|list|give|quote|rate|name|cite)\b|\b(?:if|when|unless|where)\b|\beach\b|\bcolon\b|\bquot\w+|\bscore\b|\bcodes?\b|\bconfidence\b|\bjson\b",
    re.IGNORECASE,
)


def verdict_then_why(document: PromptText, said: Sequence[Choice]) -> Inferred | None:
    """The value and its explanation; ``None`` if the prompt does not ask for just these two in this order.

    Raises:
        UnreadForm: The task needs its reasoning before the value.
    """
    ranges = [choice for choice in numbers(document) if choice.asks]
    lists = [choice for choice in said if choice.asks and "enum" in choice.schema]
    values = lists or ranges
    if any(dict(one.schema) != dict(values[0].schema) for one in values) or (lists and ranges):
        return None
    for choice in values:
        rest = _after(document.text, choice.span.end)
        words = document.text[rest.start : rest.end]
        part = next((part for part, pattern in _PARTS if pattern.search(words)), "")
        if not part or not _LINKS.search(words) or _FURTHER.search(words) or MASK in words:
            continue
        span = Span(choice.span.start, rest.end)
        if bad := conditional(document, span):
            return bad
        if needed := needs_reasoning(replace(document, text=document.without([span]))):
            raise UnreadForm(f"{needed}, and the value comes before its explanation")
        line, number = document.line(span.start), "enum" not in choice.schema
        pattern = rf"(?i)\A\W*{read_pattern(choice.schema)}(?!\w)"
        name = (choice.name or "score") if number else "verdict"
        first = Field(name, choice.schema, choice.source, line, pattern)
        second = Field(part, {"type": "string"}, f"after it, line {document.line(rest.start)}", line)
        return Inferred((first, second), covered=(span,))
    return None


def _after(text: str, end: int) -> Span:
    """The rest of the sentence, or the next one if that goes on."""
    stop = re.compile(rf"[.;](?=\s|\Z)|[\n{BOUNDARY}]|\Z")
    first = stop.search(text, end)
    close = first.start() if first else len(text)
    if text[end:close].strip(" \"'`*”)]"):
        return Span(end, close)
    after = re.compile(r"[.;]?[ \t]*\n?").match(text, close)
    begin = after.end() if after else close
    following = stop.search(text, begin)
    return Span(begin, following.start() if following and _GOES_ON.match(text, begin) else begin)
