"""What an answer may be in place of the form that was read, or has beside it, though a model said nothing of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from promptopt.structured.by_model.question import FormReading
from promptopt.structured.fields import MASK, PromptText
from promptopt.structured.guard.quotations import spoken_by_others
from promptopt.structured.witness.keys import shortened

_ORDER = r"(?P<order>return|respond|reply|output|answer|print|write|say|give|emit)"
_LITERAL = r"(?:\*{0,2}[\"“`'](?P<quoted>[^\"”`'\n{}\[\]<>]{2,60})[\"”`']|(?P<capitals>(?-i:[A-Z][A-Z_]{2,}(?: [A-Z_]{2,})*))\b|(?P<empty>\{\s*\}|\[\s*\]|(?:an )?empty (?:json )?(?:list|array|object|dictionary|response|answer|output)\b|nothing\b))"
_CASE = re.compile(
    rf"\b(?:if|when|where|unless|otherwise|in case|for)\b[^.!?\n]{{3,120}}?\b{_ORDER}\b(?: (?:with|only|exactly|just|simply|the|a|word|string|text|phrase|single|message|line|literal))*:?\s*{_LITERAL}",
    re.IGNORECASE,
)
_AFTER = re.compile(
    rf"\b{_ORDER}\b(?: (?:with|only|exactly|just|simply|the|a|word|string|text|phrase))*:?\s*{_LITERAL}[*\s]*\b(?:if|when|where|in case)\b",
    re.IGNORECASE,
)
_AROUND = re.compile(
    r"\b(?:followed by|and then|, then|along with|together with|ending (?:in|with)|ends? with)\b[^.\n]{0,20}\b(?:an?|the) (?:\w+ )?json\b",
    re.IGNORECASE,
)
_PLAIN = frozenset({"null", "true", "false", "yes", "no", "json", "the"})


def instead_of(document: PromptText, reading: FormReading) -> Iterator[str]:
    """Answers of some case that no value can have, and text before JSON; each with its line."""
    text = document.text
    others = spoken_by_others(document)
    names = {value.name for value in reading.values if value.name}
    if reading.form == "text" and len(reading.values) == 1:
        names = set()  # a bare value has no key
    labels = {label.casefold() for value in reading.values for label in value.labels}
    lists = any("array" in value.types for value in reading.values)
    listed = bool(reading.values) and (
        reading.values[0].path[:1] in ((), ("*",)) and "array" in reading.values[0].types
    )
    for pattern in (_CASE, _AFTER):
        for match in pattern.finditer(text):
            said = (match["quoted"] or match["capitals"] or match["empty"]).strip(" .,")
            if any(span.start <= match.start() < span.end for span in others) or MASK in match[0]:
                continue
            if reading.form == "text" and len(reading.values) > 1 and match["order"].lower() in ("write", "say"):
                continue  # in one of the parts
            # "Decision: unreadable" is a label after its name.
            said = said.rpartition(": ")[2] if said.rpartition(": ")[2].casefold() in labels else said
            folded = said.casefold()
            null = folded == "none" and any("null" in value.types for value in reading.values)
            if null or folded in labels | _PLAIN or said in names or _of_value(text, match.start(), names):
                continue
            empty = match["empty"] is not None
            if empty and ((lists and re.search(r"\[|list|array", said)) or listed):
                continue
            yield f"line {document.line(match.start())}: the answer may be {shortened(said)!r} instead: {shortened(match[0])!r}"
    if reading.form == "json" and (around := _AROUND.search(text)):
        yield f"line {document.line(around.start())}: {shortened(around[0])!r}: the JSON is a part of a longer answer"


def _of_value(text: str, position: int, names: set[str]) -> bool:
    """Whether the line of a position, or the item of a list that it belongs to, speaks of a value."""
    begin = text.rfind("\n", 0, position) + 1
    end = text.find("\n", position)
    line = text[begin : len(text) if end < 0 else end]
    # In a list the whole item is about one value, elsewhere a sentence is.
    if not re.match(r"[ \t]*(?:[-*•]|\d+[.)])", line):
        begin = max(begin, text.rfind(". ", 0, position) + 2)
        line = re.split(r"[.!?] (?=[A-Z])", text[begin : len(text) if end < 0 else end])[0]
    above = text[:begin].rstrip("\n").rsplit("\n", 6)[1:] if line[:1] in (" ", "\t") else []
    return any(
        re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", one) for name in names for one in (line, *above)
    ) or bool(re.search(r"\b(?:fields?|keys?|values?|sections?)\b", line))
