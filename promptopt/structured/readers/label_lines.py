"""A value in a line with a label, of which the prompt shows each that there is: "VERDICT: A", "VERDICT: B", "VERDICT: TIE"."""

from __future__ import annotations

import re
from collections.abc import Iterator

import regex

from promptopt.structured.fields import (
    MASK,
    Field,
    Inferred,
    PromptText,
    Span,
    begin_of,
    conditional_part,
    field_name,
    scan,
)
from promptopt.structured.prose.choices import enum
from promptopt.structured.prose.ranges import numbers
from promptopt.structured.readers.labelled import quoted, read_pattern

_NAME = r"(?P<name>[A-Za-z][A-Za-z ]{1,20})"
_VALUE = r"[A-Za-z][\w-]*(?: [A-Za-z][\w-]*)?"
_QUOTE = r"[\"'`“”]"
_WRITE = r"(?:respond|reply|answer|output|return|write|end|finish|conclude|print|give|provide|add|put)"
# "... ONE of:" and below it the lines
_LINES = regex.compile(
    rf"(?P<lead>[^\n]*\b(?:one of(?: these| the following)?(?: \w+)?|either|one of these lines)\s*:)[ \t]*\n\s*(?P<items>(?:[ \t]*(?:[-*•][ \t]+)?{_QUOTE}?[A-Za-z][A-Za-z ]{{1,20}}:[ \t]*{_VALUE}{_QUOTE}?[ \t]*(?:\n|\Z)){{2,}})",
    regex.IGNORECASE,
)
_LINE = re.compile(rf"[ \t]*(?:[-*•][ \t]+)?{_QUOTE}?{_NAME}:[ \t]*(?P<value>{_VALUE}){_QUOTE}?[ \t]*(?:\n|\Z)")
# 'respond after that with "State: dry" / "State: wet"'
_QUOTED = regex.compile(
    rf"(?P<lead>[^.\n]*\b{_WRITE}\b[^.\n\"'`“]*?)(?P<items>{_QUOTE}[A-Za-z][A-Za-z ]{{1,20}}: ?{_VALUE}{_QUOTE}(?:\s*(?:,\s*(?:or\s+)?|/|\bor\b)\s*{_QUOTE}[A-Za-z][A-Za-z ]{{1,20}}: ?{_VALUE}{_QUOTE})+)",
    regex.IGNORECASE,
)
_ONE_QUOTED = re.compile(rf"{_QUOTE}{_NAME}: ?(?P<value>{_VALUE}){_QUOTE}")
# "Output one line:" and "VERDICT: A/B/TIE"
_SLASHED = regex.compile(
    rf"(?P<lead>[^\n]*\b{_WRITE}\b[^\n]{{0,60}}\b(?:line|format|form|exactly)\b[^\n]{{0,30}}?(?:[:`\"“]\s*|[ \t]*\n[ \t]*))[`\"“]?(?P<items>{_NAME}:[ \t]*(?P<values>{_VALUE}(?:[ \t]?[/|][ \t]?{_VALUE})+))[`\"”]?[ \t]*(?=\.?\s*(?:\n|\Z))",
    regex.IGNORECASE,
)
# "VERDICT: A | B" and right below it "RATIONALE: why", or after a gap "RATIONALE: <why>" or "RISK: low | high"
_OTHER_LABEL = re.compile(
    rf"[ \t`\"”]*\n(?:[ \t*_-]*[A-Za-z][A-Za-z ]{{1,30}}[*_]*:(?![ \t*_`\"']*[{MASK}{{])|\s*[ \t*_-]*[A-Za-z][A-Za-z ]{{1,30}}[*_]*:[ \t*_]*(?:[<\[(]|[\w-]+(?: [\w-]+)?[ \t]?[|/]))"
)
_FIRST = re.compile(
    r"\b(?P<noun>reasoning|explanation|rationale|justification|reason)\b|\b(?:explain|justify)\b", re.IGNORECASE
)
_THEN = re.compile(r"\b(?:then|after that|followed by|before|and finally|finally|and)\b", re.IGNORECASE)
_NOT = re.compile(r"\b(?:no|not|without|never|don't|do not)\b", re.IGNORECASE)
_ENDS = re.compile(r"\b(?:end|finish|conclude|close)\b", re.IGNORECASE)
_OTHERS = re.compile(r"\b(?:examples?|inputs?|given|others?|e\.g|was|were|said)\b", re.IGNORECASE)


def label_lines(document: PromptText) -> Inferred | None:
    """The value of the one label that the prompt shows with each, after an explanation if it wants one first."""
    found = list(_found(document))
    names = {field_name(name) for name, _, _, _ in found}
    if len(names) != 1 or any(score.asks for score in numbers(document)):
        return None
    name, lead = names.pop(), found[0][1]
    values = list(dict.fromkeys(value for _, _, values, _ in found for value in values))
    # "respond with "Answer: error"" in another sentence
    label = re.escape(found[0][0])
    more = list(re.finditer(rf"{_QUOTE}{label}: ?(?P<value>{_VALUE}){_QUOTE}", document.text))
    values = list(dict.fromkeys([*values, *(match["value"] for match in more)]))
    spans = (*(span for *_, span in found), *(Span(*_sentence_to(document.text, match.span())) for match in more))
    if len(values) < 2 or any(MASK in document.text[span.start : span.end] for span in spans):
        return None
    if any(_OTHER_LABEL.match(document.text, span.end) for span in spans):
        return None  # it is one of several lines
    if bad := conditional_part(document, spans):
        return bad
    line = document.line(spans[0].start)
    schema = enum(values)
    pattern = rf"(?im)^[\W_]*{quoted(found[0][0])}[\W_]*?:[\W_]*?{read_pattern(schema)}"
    value = Field(name, schema, f"lines in the prose, line {line}", line, pattern)
    before = _FIRST.search(lead)
    if before and _THEN.search(lead, before.end()) and not _NOT.search(lead[: before.start()]):
        noun = (before["noun"] or ("explanation" if before[0].lower() == "explain" else "justification")).lower()
        text = Field(noun, {"type": "string"}, f"asked for in line {line}", line)
        return Inferred((text, value), covered=spans, whole="labels")
    if _ENDS.search(lead):
        return None  # what comes before it is not told
    return Inferred((value,), covered=spans, whole="labels")


def _sentence_to(text: str, span: tuple[int, int]) -> tuple[int, int]:
    """From the order to write a value to its end."""
    begin = begin_of(text, span[0], ("\n", ".", ";", ","))
    return begin, span[1]


def _found(document: PromptText) -> Iterator[tuple[str, str, list[str], Span]]:
    """The label, what leads to it, its values, and where they are."""
    text = document.text
    for match in scan(_LINES, text):
        lines = list(_LINE.finditer(match["items"]))
        yield from _one(match, [(line["name"], line["value"]) for line in lines])
    for match in scan(_QUOTED, text):
        yield from _one(match, [(one["name"], one["value"]) for one in _ONE_QUOTED.finditer(match["items"])])
    for match in scan(_SLASHED, text):
        values = re.split(r"[ \t]?[/|][ \t]?", match["values"])
        yield from _one(match, [(match["name"], value) for value in values])


def _one(match: re.Match[str], pairs: list[tuple[str, str]]) -> Iterator[tuple[str, str, list[str], Span]]:
    names = {name.strip() for name, _ in pairs}
    values = [value.strip() for _, value in pairs]
    if len(names) == 1 and len(set(values)) == len(values) > 1 and not _OTHERS.search(match["lead"]):
        yield names.pop(), match["lead"], values, Span(match.start(), match.end("items"))
