"""A second reading of who speaks: a prompt for a conversation has no one answer whose form could be read."""

from __future__ import annotations

import re
from collections.abc import Iterator

from promptopt.structured.fields import Inferred, PromptText
from promptopt.structured.witness.accounts import instructions
from promptopt.structured.witness.keys import shortened

_OTHER = r"(?:me|us|them|him|her|the (?:user|pupil|student|candidate|customer|patient|client|player|learner|applicant|caller|guest|visitor)s?)"
# At the begin of an order: "A good tutor asks one question at a time" describes somebody.
_BEGINS = r"(?:\A|[.!?]\s+|\n[ \t]*(?:[-*•#]+|\d+[.)])?[ \t]*|\b(?:you (?:will|must|should|are to)|please|then|first|always|and)[, ]\s*)"
_TALKS = re.compile(
    rf"{_BEGINS}(?:ask (?:{_OTHER}\b|one question|(?:a |your |the )?(?:next |first )?questions? (?:one|at)\b|(?:a |some )?follow[- ]up|(?:\w+ )?clarifying)|keep asking|(?:start|begin|open) (?:by|with) (?:asking|greeting|introducing)"
    rf"|greet {_OTHER}|wait for (?:the|my|their|his|her|an?|{_OTHER})\b|(?:conduct|hold|run|lead|start|begin) (?:an?|the) (?:\w+ ){{0,2}}(?:interview|conversation|dialogue|game|quiz|session)|interview {_OTHER}|let['’]?s play|chat with|talk (?:to|with) {_OTHER})",
    re.IGNORECASE,
)


def conversing(document: PromptText, found: Inferred) -> Iterator[str]:
    """Orders to ask somebody and wait, where one bare value was read."""
    for match in _TALKS.finditer(instructions(document, found)):
        start = match.end() - len(re.sub(r"\A[\W\d]+", "", match[0]))
        yield f"line {document.line(start)}: {shortened(document.text[start : match.end() + 30])!r}: a conversation, of which {found.fields[0].name!r} is only a part"
