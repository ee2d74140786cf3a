"""A label or number with an explanation after it: "Answer Yes or No, then give a reason on the next line", "1 to 5, followed by why"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from promptopt.structured.fields import BOUNDARY, MASK, Field, Inferred, PromptText, Span
from promptopt.structured.prose.choices import Choice
from promptopt.structured.prose.ranges import numbers
from promptopt.structured.readers.verdict_lines import decided_first

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
        line = document.line(choice.span.start)
        name = "verdict" if "enum" in choice.schema else choice.name or "score"
        verdict = Field(name, choice.schema, choice.source, line)
        why = Field(part, {"type": "string"}, f"after it, line {document.line(rest.start)}", line)
        return decided_first(document, verdict, why, Span(choice.span.start, rest.end), "value")
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
