"""What is to be extracted, one name a line: "Extract the address.", and below it "street:", "city:", "country: two letter code"."""

from __future__ import annotations

import re

from promptopt.structured.fields import (
    MASK,
    Field,
    Inferred,
    PromptText,
    Span,
    UnreadForm,
    conditional_part,
    field_name,
)
from promptopt.structured.readers.labelled import labelled_part

_LEAD = re.compile(
    r"(?:\A|[.!?\n][ \t]*)(?:please |then )?(?:extract|fill in|find|pull out|read out|complete)\b[^\n:]*[.:]?[ \t]*\n(?:[ \t]*\n)?(?P<lines>(?:[ \t]*(?:[-*•][ \t]+)?[*_]{0,2}[A-Za-z][\w /-]{0,30}[*_]{0,2}:[*_]{0,2}[^\n]*(?:\n|\Z)){3,})",
    re.IGNORECASE,
)
_LINE = re.compile(
    r"[ \t]*(?:[-*•][ \t]+)?[*_]{0,2}(?P<name>[A-Za-z][\w /-]{0,30}?)[*_]{0,2}:[*_]{0,2}(?P<said>[^\n]*)"
)
_LONGEST = 10
# A number, a truth value or a list, if its name says what it is and nothing else does.
_BY_NAME = re.compile(
    r"(?:\A|_)(?:age|years?|quantity|price|amount|total|count|cost|salary|weight|height|score|rating|percentage|items|skills|tags|names)\Z|\Anumber_of_|\A(?:is|has|was|needs)_"
)
_OF_PROMPT = frozenset(
    [
        "rules",
        "rule",
        "note",
        "notes",
        "format",
        "guidelines",
        "instructions",
        "important",
        "example",
        "examples",
        "input",
        "output",
        "text",
    ]
)
# Of such lines some have nothing after their names.
_LEAST = 2


def extracted_lines(document: PromptText) -> Inferred | None:
    """The lines as parts of an answer in text; ``None`` if there are none, or a line is another thing.

    Raises:
        UnreadForm: Nothing but its name says of what type a part is.
    """
    for lead in _LEAD.finditer(document.text):
        found: list[tuple[Field, Span]] = []
        start = lead.start("lines")
        for line in lead["lines"].splitlines(keepends=True):
            match = _LINE.fullmatch(line.rstrip())
            said = match["said"].strip() if match else ""
            if match is None or MASK in line or "{" in line or len(said.split()) > _LONGEST:
                break
            name = field_name(match["name"])
            if not said and _BY_NAME.search(name):
                raise UnreadForm(f"line {document.line(start)}: nothing but its name says of what type {name!r} is")
            found.append(
                labelled_part(document, match["name"].strip(), match["said"], start, start + len(line.rstrip()))
            )
            start += len(line)
        names = [field.name for field, _ in found]
        empty = [not match["said"].strip() for match in map(_LINE.fullmatch, lead["lines"].splitlines()) if match]
        whole = start == lead.end("lines") and len(set(names)) == len(names) and not _OF_PROMPT & set(names)
        if whole and sum(empty) >= _LEAST:
            spans = tuple(span for _, span in found)
            return conditional_part(document, spans) or Inferred(
                tuple(field for field, _ in found), covered=spans, whole="labels"
            )
    return None
