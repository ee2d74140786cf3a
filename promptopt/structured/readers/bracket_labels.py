"""A label in square brackets: "Respond with [YES] or [NO]", "exactly one tag: [SAFE], [UNSAFE] or [UNSURE]"."""

from __future__ import annotations

import re

from promptopt.structured.fields import Field, Inferred, PromptText, Span, begin_of, conditional
from promptopt.structured.readers.labelled import read_pattern

_LABEL = r"\[[A-Z][A-Z\d_ -]{0,24}\]"
_Q = r"[\"'`“”]?"
_ORDER = re.compile(
    rf"\b(?:respond|reply|answer|output|return|write|print|say|use|choose|mark)\b[^.\n\[]{{0,60}}?(?P<list>{_Q}{_LABEL}{_Q}(?:\s*(?:,\s*(?:or\s+)?|/|\||\bor\b)\s*{_Q}{_LABEL}{_Q})+)(?P<after>[^.\n]{{0,40}})",
    re.IGNORECASE,
)
_MORE = re.compile(r"\b(?:and|then|followed|with|plus)\b(?! nothing)", re.IGNORECASE)
_NOT = re.compile(r"\b(?:not|never|end|begin|start|if)\b|n['’]t\b", re.IGNORECASE)


def bracket_labels(document: PromptText) -> Inferred | None:
    """The label that the answer is; ``None`` if the prompt orders no such label, or more than it."""
    text = document.text
    found = [
        match
        for match in _ORDER.finditer(text)
        if not _NOT.search(text, begin_of(text, match.start(), (".", "\n")), match.start("list"))
    ]
    lists = {tuple(re.findall(r"\[([^\[\]]+)\]", match["list"])) for match in found}
    if len(lists) != 1 or any(_MORE.search(match["after"]) for match in found):
        return None
    labels = list(lists.pop())
    if len(set(labels)) != len(labels) or not all(label == label.upper() for label in labels):
        return None
    span = Span(*found[0].span())
    line = document.line(span.start)
    schema = {"type": "string", "enum": labels}
    field = Field("answer", schema, f"brackets in the prose, line {line}", line, rf"\[\s*{read_pattern(schema)}\s*\]")
    return conditional(document, span) or Inferred((field,), covered=(span,))
