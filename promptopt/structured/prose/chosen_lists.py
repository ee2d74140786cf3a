"""Lists of labels to choose from: below an order, where another order wants nothing but the one that was chosen, in a table, or given for a value by its name.

"Sort the request into one of:", below it "1. billing" and so on, and at the end "Reply with the category name only."
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import regex

from promptopt.structured.fields import BOUNDARY, MASK, PromptText, Span, field_name, scan
from promptopt.structured.prose.label_items import labels_after
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


_TABLE = regex.compile(
    r"^[ \t]*\|(?P<head>[^\n]+)\|[ \t]*\n[ \t]*\|[ \t:|-]+\|[ \t]*\n(?P<rows>(?:[ \t]*\|[^\n]+\|[ \t]*(?:\n|\Z)){2,})",
    regex.MULTILINE,
)
_TAKE = r"(?:answer|respond|reply|return|output|give|write|say|print|choose|pick|select|assign|use)"
_FROM_FIRST = re.compile(
    rf"\b{_TAKE}\b[^.\n]{{0,50}}\b(?:one|a|the) (?:\w+ )?(?:word|value|label|name|entry|code|term)?\b[^.\n]{{0,20}}\bfrom the (?:first|left|leftmost) column\b",
    re.IGNORECASE,
)


def table_labels(document: PromptText) -> Iterator[tuple[str, list[str], Span]]:
    """The name of the column, its cells, and where the order and the table are."""
    text = document.text
    tables = [match for match in scan(_TABLE, text) if MASK not in match[0]]
    if len(tables) != 1:
        return
    table = tables[0]
    head = table["head"].split("|")[0].strip(" *_`\t").lower()
    cells = [
        row.strip().strip("|").split("|")[0].strip(" *_`\"'\t") for row in table["rows"].splitlines() if row.strip()
    ]
    plain = all(re.fullmatch(r"[A-Za-z][\w /&-]*", cell) and len(cell.split()) <= _LONGEST for cell in cells)
    if not plain or len(set(cells)) < len(cells) or not re.fullmatch(r"[a-z]+(?: [a-z]+)?", head):
        return
    only = re.compile(
        rf"\b{_TAKE}\b(?: (?:with|back|exactly|just|only|nothing but))* (?:the |one |a single )?(?:\w+ )?{head}\b(?: name| only| alone| and nothing else|(?= that)|(?=\s*[.\n])| for\b)",
        re.IGNORECASE,
    )
    order = _FROM_FIRST.search(text) or next(
        (
            one
            for one in only.finditer(text)
            if re.search(r"\b(?:only|just|exactly|nothing but|alone|and nothing else)\b", one[0])
        ),
        None,
    )
    if order:
        yield head.replace(" ", "_"), cells, Span(*order.span())


_CHOSEN = (
    r"(?:chosen from|choose from|selected from|select from|one of|any of|(?:list|array|some|several) of|from (?:the )?following"
    r"|(?:the|these) following (?:classes|categories|options|labels|values))"
)
# "team are chosen from:" and then "[sales, support]"
_BRACKETED = regex.compile(
    rf"^(?P<lead>[^\n\[\]]*\b{_CHOSEN}\b[^\n\[\]]*?):?[ \t]*\n?[ \t]*\[(?P<items>[^\[\]{{}}\n]{{3,800}})\]",
    regex.MULTILINE | regex.IGNORECASE,
)
# "The team can be one of the following:" and then lines such as "Sales: offers and prices"
_DEFINED = regex.compile(
    rf"^(?P<lead>[^\n\[\]]*\b{_CHOSEN}\b[^\n\[\]]*):[ \t]*\n(?P<items>(?:[A-Z][\w &/-]{{1,40}}:[ \t]+\S[^\n]*\n){{3,}})",
    regex.MULTILINE | regex.IGNORECASE,
)
# "The verdict must be one of:" and then "- Upheld: ..."
_BELOW_SUBJECT = regex.compile(
    rf"^(?P<lead>[^\n\[\]]*\b{_CHOSEN}\b[^\n\[\]]*):[ \t]*\n(?P<items>(?:[ \t]*[-*•][ \t]+[*_`\"']*[A-Za-z][\w &/-]{{0,40}}?[*_`\"']*[ \t]*(?:[:(–→]|-(?= ))[^\n]*(?:\n|\Z)){{2,}})",
    regex.MULTILINE | regex.IGNORECASE,
)
_MANY = re.compile(r"\b(?:list|array|multiple|several|one or more|some)\b", re.IGNORECASE)
_SUBJECT = re.compile(
    r"\A\W*(?:the |your |its |an? )?[\"'`*]*(?P<name>[A-Za-z][\w ]{1,40}?)[\"'`*]*\s+(?:can|must|should|may|will|is|are|has to)\b",
    re.IGNORECASE,
)
# "all_tags = ["news",  # what happened", and a sentence that sends there
_ASSIGNED = regex.compile(
    r"^[ \t]*(?P<name>[A-Za-z]\w*)[ \t]*[:=][ \t]*\[(?P<items>(?:\s*\"[^\"\n]{1,60}\"[ \t]*,?[ \t]*(?:(?:#|//)[^\n]*)?)+)\s*\]",
    regex.MULTILINE,
)
_FROM_IT = re.compile(
    r"\b(?:select|choose|pick|use|assign|label)\b[^.\n]{0,80}\b(?:from|in|of) the (?:\w+ )?(?:list|tags|options|categories|labels)\b",
    re.IGNORECASE,
)


CONDITION = re.compile(
    r"\b(?:if|when|unless) [^,]*\bof (?:the|these)\b[^,]*|\b(?:is|are) (?:true|met|given|fulfilled)\b", re.IGNORECASE
)
"""What leads to conditions and not to labels: "if one of the following is true:"."""


@dataclass(frozen=True, slots=True)
class SubjectList:
    """Labels of a value.

    Attributes:
        name: The key that holds one of them; empty if only its kind is known.
        noun: The last word of each key that holds some of them.
        many: Whether the value is a list of labels.
    """

    name: str
    noun: str
    values: tuple[str, ...]
    span: Span
    many: bool = False


def subject_lists(document: PromptText) -> Iterator[SubjectList]:
    """The lists of labels whose lead names the value that they are for."""
    for pattern in (_BRACKETED, _DEFINED, _BELOW_SUBJECT):
        for match in scan(pattern, document.text):
            subject = _SUBJECT.match(match["lead"])
            values = (
                [part.strip().strip("\"'`") for part in match["items"].split(",")]
                if pattern is _BRACKETED
                else [re.split(r"[:(–→]| - ", line)[0].strip("-*•_`\"' \t") for line in match["items"].splitlines()]
            )
            if subject and _are_values(values) and not CONDITION.search(match["lead"]):
                many = _MANY.search(match["lead"], subject.end()) is not None
                yield SubjectList(field_name(subject["name"]), "", tuple(values), Span(*match.span()), many)
    if _FROM_IT.search(document.text):
        for match in scan(_ASSIGNED, document.text):
            values = re.findall(r"\"([^\"\n]+)\"[ \t]*,?[ \t]*(?=#|//|\n|\]|\"|\Z)", match["items"])
            if _are_values(values):
                noun = match["name"].lower().rpartition("_")[2].removesuffix("s")
                yield SubjectList("", noun, tuple(values), Span(*match.span()))


def _are_values(values: list[str]) -> bool:
    plain = all(
        value and MASK not in value and len(value.split()) <= 4 and value not in ("...", "etc") for value in values
    )
    return plain and len(values) > 1 and len(set(values)) == len(values)
