"""What a prompt shows or names as its answer and the form that was read does not have: a form below, a part after it, a text instead."""

from __future__ import annotations

import re

from promptopt.structured.completeness import NEGATED, brief, values_of
from promptopt.structured.fields import MASK, Inferred, PromptText, Span, field_name

# "Respond in the following format:", and what is below it or beside it.
_LEADS = re.compile(
    r"\b(?:answers?|respon[ds]e?|repl(?:y|ies)|outputs?|return|write|provide|give|format\w*|us(?:e|ing)|structure)\b[^\n]{0,120}?"
    r"\b(?:formats?|form|structure|template|layout)\b[^\n.:]{0,60}:(?P<rest>[^\n]*)",
    re.IGNORECASE,
)
# "Format:", as a line of its own
_FORMAT_HEAD = re.compile(r"^[ \t#*]*(?:expected )?format[ \t*]*:(?P<rest>)[ \t*]*$", re.IGNORECASE | re.MULTILINE)
_GIVEN = re.compile(
    r"\b(?:inputs?|given|provided|presented|receive|examples?)\b|\bwill be (?:formatted|shown)\b|\bis (?:formatted|structured)\b",
    re.IGNORECASE,
)
_BACK = re.compile(r"\b(?:this|that|the above|the same) (?:\w+ )?(?:format|form|structure)\b", re.IGNORECASE)
_INPUT_LABEL = re.compile(rf"[\w ]{{2,40}}:[ \t]*\n?[ \t]*(?:\{{+[\w.]+\}}+|{MASK})")
_BELOW = re.compile(r"(?:[\s*_`\"'-]|```\w*|<\w+>(?=\s*[\[{]))*(?P<line>[^\n]+)")
_NAMED = re.compile(r"[<\[{(|:]|\.\.\.|^[ \t]*(?:[-*•]|\d+[.)])[ \t]")
# A sentence, and no label with its place.
_SAYS = re.compile(r"(?!\W*[\w /-]{1,40}:\s*\S)[*_]*[A-Z]\S*(?:\s+\S+){3,}(?<=[.:*_])[*_]*[ \t]*")
_LITERAL = re.compile(
    r"\b(?:output|return|respond(?: only)? with|reply(?: only)? with|answer(?: only)? with|say|write|print)\s+(?:just |only |exactly |simply |the (?:word|string|text|phrase) )*"
    r"[\"'`“](?P<value>[^\"'`”{}\[\]<>\n]{2,60})[\"'`”](?=\s*(?:[.,;)\n]|if\b|when\b|instead\b|or\b|\Z))",
    re.IGNORECASE,
)
# "If the papers say "none found""
_BY_OTHERS = re.compile(
    r"\b(?:they|users?|he|she|customers?|who|people|someone|somebody|(?:if|when|where) (?:the |an? |some |all |any )?(?:[\w-]+ ){0,2}(?!you\b)\w+)\s+\Z",
    re.IGNORECASE,
)
_BOXED = re.compile(r"\\boxed\b")
# "After the JSON, write a letter to the customer."
_AFTER_JSON = re.compile(
    r"\b(?:after|below|following) (?:the|this|your) json(?: (?:object|block|part))?,? (?:also )?(?:please )?(?:write|generate|provide|give|add|include|output|append|explain|produce|draft)\b[^.\n]*"
    r"|\bfirst (?:output |write |return |give |provide )?(?:the |a |your )?json\b[^.\n]{0,40}\bthen\b[^.\n]*",
    re.IGNORECASE,
)
_REASONING = frozenset({"think", "thinking", "thought", "thoughts", "reasoning", "scratchpad"})
# One value is not all that such an answer has.
_OF_SEVERAL = re.compile(
    r"\b(?:return|output|respond|reply|answer|generate|produce|provide|give|format\w*|write)\b[^.\n\"]{0,60}\b(?:in|as|an?|only|valid|raw|strict|following) (?:(?:json|yaml|xml) (?:objects?|arrays?|lists?|dict\w*|documents?)|csv)\b(?! (?:input|above|below))"
    r"|\b(?:put|return|output|give|write|provide)\b[^.\n]{0,60}\b(?:in|as) (?:a|an|the) (?:\w+ )?(?:list|array|tuple|table)\b"
    r"|\b(?:rate|score|grade|evaluate|assess)\b[^.\n]{0,60}\b(?:on|for|against|by|across|along) (?:the |these |following |each of )*(?:two|three|four|five|six|seven|\d+|following|several) (?:\w+ )?"
    r"(?:criteria|dimensions|aspects|qualities|axes|categories|metrics)\b|\b(?:a |the )?(?:second|another) (?:score|rating|grade)\b"
    r"|\b(?:rate|score|grade|evaluate|assess)\b[^\n]{0,80}\bfor:\s*\n\s*(?:1[.)]|[-*•])|\b(?:ratings|scores|grades) (?:in|as) (?:a |an )?(?:valid )?json\b"
    r"|\b(?:only |exactly )?(?:two|three|four|several) (?:values|scores|numbers|ratings)\b"
    r"|\beach (?:assistant|response|answer|model|candidate|output) (?:receives|gets|is given)\b",
    re.IGNORECASE,
)
_EMPTY = re.compile(
    r"\b(?:output|return|respond with|reply with|give)\s+(?:just |only )?(?:an? )?(?:empty (?:json )?(?:list|array)\b(?! of\b)|\[\](?!\w))",
    re.IGNORECASE,
)


def other_form(document: PromptText, found: Inferred, *, quoted: bool = False) -> str | None:
    """What the prompt shows or names as its answer and the form that was read does not have; ``None`` if nothing.

    Args:
        quoted: Whether a quotation proves each value: it need not have all of the form.
    """
    if not quoted and (unread := _unread_below(document, found)):
        return unread
    text = document.text
    if found.whole != "JSON" and (boxed := _BOXED.search(text)):
        return f"line {document.line(boxed.start())}: a part of the answer is to be in {boxed[0]}, which is not read"
    if found.whole == "JSON" and (part := _one_of_parts(document, found)):
        return part
    if found.whole == "JSON" and (after := _AFTER_JSON.search(text)):
        return f"line {document.line(after.start())}: the answer has a part after its JSON: {brief(after[0])!r}"
    if all(set(field_name(item.name).split("_")) & _REASONING for item in found.fields):
        return f"line {found.fields[0].line}: of the answer only {found.fields[0].name!r} is read"
    listed = any(item.schema.get("type") == "array" for item in found.fields)
    if not found.whole and not listed and (several := _OF_SEVERAL.search(text)):
        return f"line {document.line(several.start())}: the answer has several values: {brief(several[0])!r}"
    return _instead(document, found) if found.whole in ("JSON", "keys", "labels") and not quoted else None


def _unread_below(document: PromptText, found: Inferred) -> str | None:
    """What "in the following format:" leads to and no field was read from."""
    text = document.text
    for lead in (*_LEADS.finditer(text), *_FORMAT_HEAD.finditer(text)):
        line = text[text.rfind("\n", 0, lead.start()) + 1 : lead.start("rest")]
        if _GIVEN.search(line) or document.depends(Span(*lead.span())):
            continue
        start, end = lead.span("rest")
        if found.whole == "sections" and text[start:end].strip():
            continue  # the format of a part: "timestamps in the format: HH:MM"
        leads_on = text[start:end].rstrip(" \t*_`\"'").endswith(":")
        if leads_on or not text[start:end].strip(" \t*_`\"'"):
            below = _BELOW.match(text, end)
            start, end = below.span("line") if below else (end, end)
        shown = text[start:end]
        if found.whole in ("JSON", "keys") and _BACK.search(line) and _INPUT_LABEL.match(text, start):
            continue  # "following this JSON format:" points back, and the input comes next
        read = any(Span(start, end).overlaps(span) for span in found.covered)
        known = "|".join(re.escape(item.name) for item in found.fields)
        read = read or (found.whole == "JSON" and re.match(rf"\W*(?:{known})\b", shown) is not None)
        if (
            _NAMED.search(shown.split(". ")[0])
            and not read
            and not _SAYS.fullmatch(shown)
            and set(shown) - {MASK, *' `"'}
        ):
            return f"line {document.line(start)}: the form that begins here is not read: {brief(shown)!r}"
    return None


_ITEM = re.compile(r"^[ \t]*(?P<number>\d{1,2})[.)][ \t][^\n]*$", re.MULTILINE)
_FENCE = re.compile(r"\s*(?:```\w*\s*)?")
# "Review the code and provide:", and below it the parts of the answer
_PARTS = re.compile(
    r"\b(?:provide|give|return|output|produce|include|write|respond with|answer with)\b[^\n.:]{0,40}:\W*\Z",
    re.IGNORECASE,
)


def _one_of_parts(document: PromptText, found: Inferred) -> str | None:
    """The list whose items are the parts of an answer, if its JSON is only one of them; ``None`` if it is all."""
    text, start = document.text, min(span.start for span in found.covered)
    before = list(_ITEM.finditer(text, 0, start))
    if not before or not _FENCE.fullmatch(text, before[-1].end(), start):
        return None
    number = int(before[-1]["number"])
    first = next((item for item in reversed(before) if item["number"] == "1"), None)
    follows = any(int(item["number"]) == number + 1 for item in _ITEM.finditer(text, start))
    if first is None or not _PARTS.search(text[: first.start()].rstrip()) or (number == 1 and not follows):
        return None
    return f"line {document.line(first.start())}: the JSON is one of several parts of the answer"


def _instead(document: PromptText, found: Inferred) -> str | None:
    """A text or an empty list that a prompt wants in some case instead of the object."""
    text = document.text
    known = {word.lower() for item in found.fields for word in values_of(item.schema, item.name)}
    known |= {"null"} if "'null'" in str([dict(item.schema) for item in found.fields]) else set()
    for literal in _LITERAL.finditer(text):
        negated = NEGATED.search(text[max(0, literal.start() - 60) : literal.start()])
        read = any(Span(*literal.span()).overlaps(span) for span in found.covered)
        said = _BY_OTHERS.search(text[max(0, literal.start() - 40) : literal.start()])
        if literal["value"].lower() not in known and not (negated or read or said):
            return f"line {document.line(literal.start())}: the answer may be the text {literal['value']!r} instead"
    listed = any(item.schema.get("type") == "array" for item in found.fields)
    if not listed and (empty := _EMPTY.search(text)):
        return f"line {document.line(empty.start())}: the answer may be an empty list instead"
    return None
