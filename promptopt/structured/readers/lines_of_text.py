"""Lists of texts that are written one a line: "generate 3 to 5 queries", and then "Return ONLY the queries, one per line"."""

from __future__ import annotations

import re

from promptopt.structured.fields import MASK, Field, Inferred, PromptText, Span, conditional, field_name
from promptopt.structured.prose.counts import ordered, stem

_ONLY_LINES = re.compile(
    r"\b(?:return|output|respond with|reply with|answer with|give|provide|list|write|print)\s+(?:only |just |nothing but )+(?:the |these |your )?(?:\w+ )?(?P<noun>[a-z]{3,}s),?"
    r"\s+(?:with )?(?:one|each on a|each on its own|each in a|on separate|in separate|separated by (?:a )?)\s?(?:per |on each |new |own )?(?:lines?|newlines?)\b",
    re.IGNORECASE,
)
# Each line has parts, or the list has more than its items.
_PARTS = re.compile(
    r"\beach line\b|\bfor each\b|\bevery line\b|\bper line,? (?:in|as|with|followed)\b|\bformats?\b|\bjson\b|\bfollowed by\b|\balong with\b",
    re.IGNORECASE,
)
_NO_ITEMS = frozenset({"lines", "words", "results", "answers", "sentences", "letters", "numbers", "scores", "steps"})
_MADE = r"(?:generate|create|write|produce|suggest|propose|extract|find|identify|list|name|collect|formulate|come up with|give|provide|rewrite)"


def lines_of_text(document: PromptText) -> Inferred | None:
    """A list of texts with the count that the prompt orders; ``None`` if the prompt asks for no such list, or for more."""
    matches = list(_ONLY_LINES.finditer(document.text))
    nouns = {match["noun"].lower() for match in matches}
    if len(nouns) != 1 or nouns & _NO_ITEMS or _PARTS.search(document.text):
        return None
    noun, span = nouns.pop(), Span(*matches[0].span())
    made = re.compile(rf"\b{_MADE}\b[^.\n]{{0,80}}\b{noun}\b", re.IGNORECASE)
    order = next((found for found in made.finditer(document.text) if not span.overlaps(Span(*found.span()))), None)
    if order is None or MASK in order[0]:
        return None
    if bad := conditional(document, span):
        return bad
    counts = {tuple(count.bounds.items()) for count in ordered(document.text) if _noun_of(count.what) == stem(noun)}
    if len(counts) > 1:
        return None
    schema = {"type": "array", "items": {"type": "string"}, **dict(next(iter(counts), ()))}
    line = document.line(span.start)
    name = noun if noun != "names" else "items"
    covered = (Span(*order.span()), span)
    return Inferred((Field(field_name(name), schema, f"lines in the prose, line {line}", line),), covered=covered)


def _noun_of(words: tuple[str, ...]) -> str:
    return stem(words[-1]) if words else ""
