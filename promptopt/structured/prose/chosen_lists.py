"""Lists of labels below an order to choose one of them, where another order wants nothing but the one that was chosen.

"Sort the request into one of:", below it "1. billing" and so on, and at the end "Reply with the category name only."
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import regex

from promptopt.structured.fields import BOUNDARY, MASK, PromptText, Span, field_name, scan
from promptopt.structured.prose.listed import labels_after
from promptopt.structured.prose.wanted_alone import wanted_alone

_CHOOSE = r"(?:classif\w+|categori[sz]e|sort|route|assign|label|tag|mark|pick|select|choose|identify|determine|decide|detect|name|give|predict|find)"
_FROM = (
    r"(?:(?:in|to|as|with|from|of)?\s*(?:exactly |only |strictly )?one of(?: the| these| our)?(?: following)?(?: [\w-]+){0,2}?"
    r"|from (?:this|the)(?: exact| fixed| closed| following)? (?:list|set)(?: of [\w-]+)?)"
)
_MARK = r"(?:[-*•]|\(?\d{1,2}[.)])"
# "... into one of:" and the labels below each other
_BELOW = regex.compile(
    rf"\b{_CHOOSE}\b[^.:\n]{{0,120}}?\b{_FROM}\s*:[ \t]*\n\s*(?P<items>(?:[ \t]*{_MARK}[ \t]+[^\n]+(?:\n|\Z)){{2,}}|(?:[\w][\w /&-]{{0,40}}:[ \t]+[^\s{MASK}{{][^\n]*(?:\n|\Z)){{3,}}|(?:[ \t]*[\w][\w /&-]{{0,30}},?[ \t]*(?:\n|\Z)){{3,}})",
    regex.IGNORECASE,
)
_INLINE = r"[A-Za-z][\w/&'’-]*(?: (?!\d{1,2}[.)])[\w/&'’-]+)*"
# "... one of: 1. red 2. green"
_NUMBERED = regex.compile(
    rf"\b{_CHOOSE}\b[^.:\n]{{0,120}}?\b{_FROM}\s*:[ \t]*(?P<items>\(?1[.)] ?{_INLINE}(?:[,;]?\s+\(?\d{{1,2}}[.)] ?{_INLINE})+)(?=[.;\n{BOUNDARY}]|\Z)",
    regex.IGNORECASE,
)
# "... from this exact list:", and the labels in one line, with commas
_ONE_LINE = regex.compile(
    rf"\b{_CHOOSE}\b[^.:\n]{{0,120}}?\b{_FROM}\s*:[ \t]*(?:\n\s*)?(?P<items>[\w][\w /&+'’-]*(?:,[ \t]*(?:or |and )?[\w][\w /&+'’-]*){{2,}})\.?[ \t]*(?=\n|\Z)",
    regex.IGNORECASE,
)
# '... from ["for", "against"]', with quotation marks of any kind
_BRACKETS = regex.compile(
    rf"\b{_CHOOSE}\b[^.:\n\[]{{0,120}}?\b(?:from|among|one of|in|as)(?: the| these)?(?: following)?(?: \w+)?:?[ \t]*\[(?P<items>[^\[\]\n{{}}]{{3,400}})\]",
    regex.IGNORECASE,
)
_SEVERAL = re.compile(r"\b(?:one or more|all that|any|several|multiple|each|every|both|as many)\b", re.IGNORECASE)
_WRITE = r"(?:answer|respond|reply|return|output|give|write|say|print|provide|state|name)"
# What says nothing of the kind of the value.
_ANY_NOUN = frozenset(
    {"name", "label", "option", "answer", "word", "one", "value", "text", "result", "choice", "response"}
)
_BY_NUMBER = re.compile(r"\b(?:number|digit|index|code)\b", re.IGNORECASE)
_ENDS = re.compile(r"\s*(?::|\s[–—-]\s|\(|→|[-=]>)")
_LONGEST = 4
_NOT_LABEL = re.compile(r"(?:etc|and so on|other words|\.\.\.)\b|.*[?!{}<>]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ChosenList:
    """Labels of which the answer is one.

    Attributes:
        name: What the order to answer calls the value; empty if it has no word for its kind.
    """

    name: str
    values: tuple[str, ...]
    span: Span


def chosen_lists(document: PromptText) -> Iterator[ChosenList]:
    """Each list to choose from, if the prompt has one order to answer with what was chosen."""
    yield from _written(document)
    noun = wanted_alone(document)
    if not noun:
        return
    yield from _headed(document, noun)
    for pattern in (_BELOW, _NUMBERED, _ONE_LINE, _BRACKETS):
        for match in scan(pattern, document.text):
            values = _values(match["items"], pattern)
            lead = document.text[match.start() : match.start("items")]
            if not _are_labels(values) or _SEVERAL.search(lead):
                continue
            # A variable in the order is none of the labels.
            span = Span(match.start() + lead.rfind(MASK) + 1, match.end("items"))
            if _BY_NUMBER.search(noun):
                if pattern not in (_BELOW, _NUMBERED) or not _counted(match["items"], len(values)):
                    continue
                values = [str(number) for number in range(1, len(values) + 1)]
            last = noun.rpartition(" ")[2]
            yield ChosenList("" if last in _ANY_NOUN else field_name(noun), tuple(dict.fromkeys(values)), span)


# "Output one of the labels:", and below it "SAME: both say it": the order that names them is the one to answer.
_WRITTEN = regex.compile(
    rf"(?:\A|[.!?:;,\n{BOUNDARY}]\s*|\b(?:and|then|must|should|to|please) )[ \t]*(?:[-*•][ \t]+)?{_WRITE}\b(?: (?:with|back|only|just|exactly|strictly|as|your|the|answer|verdict))* (?:exactly |only )?one of(?: the| these| our)?(?: following| (?:two|three|four|five|six))?"
    r"(?: (?:possible |allowed |valid )?(?P<noun>labels|categories|classes|verdicts|options|values|words|ratings|grades|relations|types|tags|codes|answers|decisions|statuses|levels|outcomes|intents|topics|strings|choices|responses|results))?(?: below)?\s*:[ \t]*(?=\n)",
    regex.IGNORECASE,
)
_SINGULAR = {"categories": "category", "classes": "class", "statuses": "status"}


def _written(document: PromptText) -> Iterator[ChosenList]:
    """The labels below an order to answer with one of them."""
    for match in scan(_WRITTEN, document.text):
        after = labels_after(document.text, match.end())
        noun = (match["noun"] or "").lower()
        noun = _SINGULAR.get(noun, noun.removesuffix("s"))
        if after:
            start = match.end() - len(match[0].lstrip(f" \t\n.,:;!?-*•{BOUNDARY}"))
            yield ChosenList("" if noun in _ANY_NOUN else noun, after[0], Span(start, after[1]))


# "Labels:", and below it "SUPPORTED - the source says so"
_HEADED = regex.compile(
    r"^[ \t#*]*(?:the |our |possible |allowed |available |valid )*(?P<head>labels|categories|classes|verdicts|options|intents|types|topics|ratings|grades|decisions|statuses|codes|teams|departments|levels)(?: are)?[ \t*]*:[ \t*]*(?=\n)",
    regex.IGNORECASE | regex.MULTILINE,
)


def _headed(document: PromptText, noun: str) -> Iterator[ChosenList]:
    """The labels below a heading that names what is wanted alone: "Reply with the label only"."""
    for match in scan(_HEADED, document.text):
        head = match["head"].lower()
        one = _SINGULAR.get(head, head.removesuffix("s"))
        after = labels_after(document.text, match.end()) if noun in (one, "label", "name", "word", "option") else None
        if after:
            yield ChosenList("" if one in _ANY_NOUN else one, after[0], Span(match.start("head"), after[1]))


def _values(items: str, pattern: regex.Pattern[str]) -> list[str]:
    if pattern is _BELOW:
        lines = [re.sub(rf"^[ \t]*(?:{_MARK}[ \t]+)?", "", line) for line in items.splitlines() if line.strip()]
        return [_ENDS.split(line, maxsplit=1)[0].strip("*`\"'“”‘’ .,;") for line in lines]
    if pattern is _NUMBERED:
        return [part.strip(" ,;") for part in re.split(r"(?:\A|\s)\(?\d{1,2}[.)]", items) if part.strip()]
    return [re.sub(r"\A(?:or|and) ", "", part.strip()).strip("\"'`“”‘’ .") for part in items.split(",")]


def _are_labels(values: list[str]) -> bool:
    return len(set(values)) > 1 and all(
        value and MASK not in value and len(value.split()) <= _LONGEST and not _NOT_LABEL.match(value)
        for value in values
    )


def _counted(items: str, count: int) -> bool:
    numbers = [int(number) for number in re.findall(r"(?:^|\s)\(?(\d{1,2})[.)]", items, re.MULTILINE)]
    return numbers == list(range(1, count + 1))
