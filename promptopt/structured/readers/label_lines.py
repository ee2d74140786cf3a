"""A value in a line with a label or in brackets, of which the prompt shows each that there is: "VERDICT: A", "VERDICT: B"; [YES] or [NO]."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import regex

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
    conditional_part,
    field_name,
    scan,
)
from promptopt.structured.prose.choices import enum
from promptopt.structured.prose.ranges import numbers
from promptopt.structured.readers.labelled import quoted, read_pattern
from promptopt.structured.reasoning import FIRST, needs_reasoning, prose_of

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


_QUOTED_LINE = re.compile(r"[\"“`](?P<label>[A-Z][\w ]{0,24}):[ ]?(?P<value>[A-Za-z\d][\w /-]{0,24}?)[.]?[\"”`]")
# What may be between two of them: their cases
_CASES = re.compile(
    r"\s*(?:\([^()\n]*\))?\s*(?:(?:if|when|where|for|in case|to (?:say|indicate|mean))\b[^\"“`\n]{2,120}|[,;/]|\bor\b|\band\b|otherwise|else|\s)*",
    re.IGNORECASE,
)
_ORDER = re.compile(
    r"\b(?:output|end|finish|conclude|write|give|state|print|answer|respond|reply|return|add|use|say|follow\w*|format|line)\b",
    re.IGNORECASE,
)
_NO_ORDER = re.compile(
    r"\b(?:not|never|avoid|instead of|e\.g|for example|such as|like|contains?)\b|n['’]t\b", re.IGNORECASE
)
# "Begin with a short comparison of both": what comes before the line
_BEGINS_WITH_REASON = re.compile(
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
    lines = list(_QUOTED_LINE.finditer(text))
    if len(lines) < _FEWEST or wants_json(document):
        return None
    labels = {line["label"] for line in lines}
    values = list(dict.fromkeys(line["value"] for line in lines))
    joined = all(_CASES.fullmatch(text, one.end(), two.start()) for one, two in itertools.pairwise(lines))
    begin = begin_of(text, lines[0].start(), ("\n", ". ", "! ", "? "))
    before = text[begin : lines[0].start()]
    plain = len({value.casefold() for value in values}) == len(values) == len(lines) and len(labels) == 1
    if not (plain and joined) or not _ORDER.search(before) or _NO_ORDER.search(before) or MASK in before:
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
    if len(found.fields) == 1 and (_LAST.search(before) or _BEGINS_WITH_REASON.search(text)):
        first = _BEGINS_WITH_REASON.search(text, 0, span.start)
        if first is None:
            return None
        at = document.line(first.start("noun"))
        noun = first["noun"].lower()
        name = "reasoning" if noun == "both" else noun
        above = Field(name, {"type": "string"}, f"asked for in line {at}", at)
        found = Inferred((above, *found.fields), covered=found.covered, whole="labels")
    return conditional(document, span) or found


_LABEL = r"\[[A-Z][A-Z\d_ -]{0,24}\]"
_Q = r"[\"'`“”]?"
_BRACKET_ORDER = re.compile(
    rf"\b(?:respond|reply|answer|output|return|write|print|say|use|choose|mark)\b[^.\n\[]{{0,60}}?(?P<list>{_Q}{_LABEL}{_Q}(?:\s*(?:,\s*(?:or\s+)?|/|\||\bor\b)\s*{_Q}{_LABEL}{_Q})+)(?P<after>[^.\n]{{0,40}})",
    re.IGNORECASE,
)
_MORE = re.compile(r"\b(?:and|then|followed|with|plus)\b(?! nothing)", re.IGNORECASE)
_NO_BRACKET = re.compile(r"\b(?:not|never|end|begin|start|if)\b|n['’]t\b", re.IGNORECASE)


def bracket_labels(document: PromptText) -> Inferred | None:
    """The label that the answer is; ``None`` if the prompt orders no such label, or more than it."""
    text = document.text
    found = [
        match
        for match in _BRACKET_ORDER.finditer(text)
        if not _NO_BRACKET.search(text, begin_of(text, match.start(), (".", "\n")), match.start("list"))
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
