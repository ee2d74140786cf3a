"""A form to fill in: names with a colon, one a line, below the order to extract them: "street:", "state: (empty if there is none)"."""

from __future__ import annotations

import re

from promptopt.structured.completeness import wants_json
from promptopt.structured.fields import MASK, Field, Inferred, PromptText, Span, conditional
from promptopt.structured.prose.described import described
from promptopt.structured.prose.key_statements import stated_in_lines

_FEWEST = 3
_ORDER = re.compile(
    r"(?:\A|[.!?:]\s+|\n)[ \t]*(?:please |now |and )?(?:extract|find|get|pull out|identify|fill|return|give|provide|output|collect|list)\b[^\n]*[.:][*_ \t]*\n\s*\Z",
    re.IGNORECASE,
)
_EMPTY = re.compile(r"^[a-z]\w*:[ \t]*$", re.MULTILINE)
_FIRST = re.compile(r"(?<=\n)[a-z]\w*:[^\n]*$", re.MULTILINE)


def form_lines(document: PromptText) -> Inferred | None:
    """The names of the only such form as keys; ``None`` if there is none, or a line says what is not read."""
    text = document.text
    found = []
    begin = end = 0
    for match in _FIRST.finditer(text):
        order = _ORDER.search(text, max(0, match.start() - 300), match.start())
        if match.start() < end or order is None:
            continue
        stated = stated_in_lines(text, match.start())
        if len(stated) >= _FEWEST:
            found.append(stated)
            begin = order.start()
            end = stated[-1].end
    if len(found) != 1 or wants_json(document):
        return None
    span = Span(found[0][0].start, found[0][-1].end)
    lines = text[span.start : span.end]
    if len(_EMPTY.findall(lines)) * 2 < len(found[0]) or MASK in lines or _EMPTY.search(text, span.end + 1):
        return None
    fields = []
    for one in found[0]:
        line = document.line(one.start)
        schema = described(one.name, one.said)
        if schema is None:
            return None
        fields.append(Field(one.name, schema, f"line of a form, line {line}", line))
    return conditional(document, span) or Inferred(tuple(fields), covered=(Span(begin, span.end),), whole="keys")
