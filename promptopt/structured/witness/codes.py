"""A second reading of numbers and letters that stand for labels: an answer of labels must not be one of codes.

It shares no pattern with the readers that propose: it looks for single digits and capitals that an order sets for a case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from promptopt.structured.fields import Inferred, PromptText
from promptopt.structured.witness.accounts import instructions
from promptopt.structured.witness.keys import shortened

_SET = re.compile(
    r"\b(?i:respond|reply|answer|return|output|write|use|assign|print|give)\b(?:\s+(?i:with|only|a|an|the|it|as|number|letter|digit|value|code))*\s+[\"'`“]?(?P<code>-?\d|[A-Z])[\"'`”]?(?!\w|\.\d|['’]|[ ]?[-–/]|\s(?i:to|sentences?|words?|or more))"
)


def codes_instead(document: PromptText, found: Inferred) -> Iterator[str]:
    """Codes that the prompt has for its cases, if words were read as what the answer may be."""
    labels = {str(label) for item in found.fields for label in item.schema.get("enum", ())}
    said = list(_SET.finditer(instructions(document, found)))
    codes = {match["code"] for match in said}
    same = len({code.isalpha() for code in codes}) == 1
    if len(found.fields) > 2 or not labels or len(codes) < 2 or not same or codes & labels:
        return
    line = document.line(said[0].start())
    yield f"line {line}: {shortened(said[0][0])!r} sets a code, and the labels {', '.join(sorted(labels)[:3])} were read"
