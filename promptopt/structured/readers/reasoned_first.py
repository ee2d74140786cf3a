"""The reasoning that a prompt wants before a value whose form sets it apart: "Think step by step. At the end output [[A]] or [[B]]"."""

from __future__ import annotations

import re

from promptopt.structured.explanations import FIRST, prose_of
from promptopt.structured.fields import Field, Inferred, PromptText
from promptopt.structured.reasoning import needs_reasoning

_ALONE = re.compile(
    r"\b(?:nothing (?:else|but)|no (?:other|additional) (?:text|words|output)|only (?:output|return|respond|reply|answer|write|print)|(?:output|return|respond with|reply with|answer with|write|print) only)\b",
    re.IGNORECASE,
)
_ASKED = " asks for reasoning"


def with_reasoning(document: PromptText, inferred: Inferred) -> Inferred:
    """The one value with a text before it, if the prompt asks for one and does not want the value alone."""
    if len(inferred.fields) != 1 or _ALONE.search(document.text):
        return inferred
    needed = needs_reasoning(document) or ""
    first = FIRST.search(prose_of(document.text))
    if not needed.endswith(_ASKED) and first is None:
        return inferred
    at = int(needed.split()[1].rstrip(":")) if needed.endswith(_ASKED) else document.line(first.start() if first else 0)
    name = "reasoning" if needed.endswith(_ASKED) else "explanation"
    text = Field(name, {"type": "string"}, f"asked for in line {at}", at)
    return Inferred((text, *inferred.fields), inferred.carried, covered=inferred.covered, whole=inferred.whole)
