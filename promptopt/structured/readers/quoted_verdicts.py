"""A line with a label and one of some values, each quoted for its case: '"Verdict: A" if the first is better, "Verdict: B" if ...'."""

from __future__ import annotations

import itertools
import re

from promptopt.structured.completeness import wants_json
from promptopt.structured.fields import (
    MASK,
    Field,
    Inferred,
    PromptText,
    Span,
    UnreadForm,
    begin_of,
    conditional,
    field_name,
)
from promptopt.structured.readers.labelled import quoted, read_pattern
from promptopt.structured.readers.reasoned_first import with_reasoning

_LINE = re.compile(r"[\"“`](?P<label>[A-Z][\w ]{0,24}):[ ]?(?P<value>[A-Za-z\d][\w /-]{0,24}?)[.]?[\"”`]")
# What may be between two of them: their cases
_CASES = re.compile(
    r"\s*(?:\([^()\n]*\))?\s*(?:(?:if|when|where|for|in case|to (?:say|indicate|mean))\b[^\"“`\n]{2,120}|[,;/]|\bor\b|\band\b|otherwise|else|\s)*",
    re.IGNORECASE,
)
_ORDER = re.compile(
    r"\b(?:output|end|finish|conclude|write|give|state|print|answer|respond|reply|return|add|use|say|follow\w*|format|line)\b",
    re.IGNORECASE,
)
_NOT = re.compile(r"\b(?:not|never|avoid|instead of|e\.g|for example|such as|like|contains?)\b|n['’]t\b", re.IGNORECASE)
# "Begin with a short comparison of both": what comes before the line
_FIRST = re.compile(
    r"(?:\A|[.!?\n]\s*)(?:begin|start|first)\b,? (?:(?:with|by|write|writing|give|giving|provide|providing|explain|explaining|compare|comparing|discuss|discussing|your evaluation|your answer) )+(?:an? |the |your )?(?:[\w-]+ ){0,2}?(?P<noun>comparison|summary|analysis|explanation|assessment|discussion|evaluation|reasoning|both|reasons?)\b",
    re.IGNORECASE,
)
_LAST = re.compile(
    r"\b(?:after (?:that|this|your|the|you)|finally|at the (?:very )?end|then|last line|final line|new line|end|finish|conclude)\b",
    re.IGNORECASE,
)
_OTHER = re.compile(r"[\"“`][A-Z][\w ]{0,24}:[ ]?[^\"”`\n]{0,40}[\"”`]")
_FEWEST = 2


def quoted_verdicts(document: PromptText) -> Inferred | None:
    """The value of the line, and the text before it if one is asked for; ``None`` if the prompt quotes no such lines.

    Raises:
        UnreadForm: Another line with a label is quoted too.
    """
    text = document.text
    lines = list(_LINE.finditer(text))
    if len(lines) < _FEWEST or wants_json(document):
        return None
    labels = {line["label"] for line in lines}
    values = list(dict.fromkeys(line["value"] for line in lines))
    joined = all(_CASES.fullmatch(text, one.end(), two.start()) for one, two in itertools.pairwise(lines))
    begin = begin_of(text, lines[0].start(), ("\n", ". ", "! ", "? "))
    before = text[begin : lines[0].start()]
    plain = len({value.casefold() for value in values}) == len(values) == len(lines) and len(labels) == 1
    if not (plain and joined) or not _ORDER.search(before) or _NOT.search(before) or MASK in before:
        return None
    label = labels.pop()
    span = Span(begin + len(before) - len(before.lstrip()), lines[-1].end())
    line = document.line(lines[0].start())
    schema = {"type": "string", "enum": values}
    pattern = rf"(?im)^[\W_]*{quoted(label)}[\W_]*?:[\W_]*?{read_pattern(schema)}(?!\w)"
    field = Field(field_name(label), schema, f"lines in the prose, line {line}", line, pattern)
    known = {match.start() for match in lines}
    if other := next((match for match in _OTHER.finditer(text) if match.start() not in known), None):
        raise UnreadForm(
            f"line {document.line(other.start())}: {other[0]} is another line of the answer, and is not read"
        )
    found = with_reasoning(document, Inferred((field,), covered=(span,), whole="labels"))
    if len(found.fields) == 1 and (_LAST.search(before) or _FIRST.search(text)):
        first = _FIRST.search(text, 0, span.start)
        if first is None:
            return None
        at = document.line(first.start("noun"))
        noun = first["noun"].lower()
        name = "reasoning" if noun == "both" else noun
        above = Field(name, {"type": "string"}, f"asked for in line {at}", at)
        found = Inferred((above, *found.fields), covered=found.covered, whole="labels")
    return conditional(document, span) or found
