"""Values that are given case by case: "Reply with YES if ..., otherwise NO", also with a list of conditions in between."""

from __future__ import annotations

import re
from collections.abc import Iterator

from promptopt.structured.fields import BOUNDARY, MASK, PromptText, Span
from promptopt.structured.prose.choice_patterns import ASK

# "Reply with YES if ..., otherwise NO"; "use -1 for negative, 0 for neutral and 1 for positive".
_VALUE = r"(?:[\"'`“‘](?P<quoted>(?:[\w+/ -]|(?<=\w)['’](?=\w)){1,30})[\"'`”’]|(?P<plain>-?\d{1,3}|(?i:yes|no|true|false|none|pass|fail)|[A-Z][A-Z\d_]+))"
_CASE = re.compile(
    rf"\b(?P<given>[Ii]f)\b(?!\s+not\s*,)[^.\n]{{3,160}}?[,\s]\s*(?:then\s+)?(?i:{ASK})\s+(?:(?i:with|only|just|the|a)\s+)*{_VALUE.replace('quoted', 'quoted4').replace('plain', 'plain4')}(?=\s*[.;\n,])"
    rf"|(?P<order>\b(?i:{ASK})\b\s+(?:(?i:with|as|only|just|either|the|a|an|single|word|number|label|letter|digit|string|exactly)\s+)*"
    rf"|(?i:format|form)\s*:\s*|[,;]\s*(?:(?i:and|or)\s+)?|\b(?i:and|or)\s+(?:(?i:with)\s+)?)(?:(?i:an?|the)\s+)?{_VALUE}\s*,?\s+(?:(?P<when>(?i:if|when|in case|for|to indicate|to mean))|(?P<last>(?i:otherwise|in (?:all|any) other cases?)))\b"
    rf"|(?P<else>\b(?i:otherwise|else|if not|in all other cases))\s*,?\s*(?:(?i:please)\s+)?(?:(?i:{ASK})\s+(?:(?i:with|only|a|the)\s+)*)?{_VALUE.replace('quoted', 'quoted2').replace('plain', 'plain2')}(?!\w|\s+\w+ing\b|\s+(?i:text|prose))"
    rf"|\b(?i:{ASK})\b\s+(?:(?i:with|only|the)\s+)*{_VALUE.replace('quoted', 'quoted3').replace('plain', 'plain3')}\s+(?P<rest>(?i:otherwise))"
)


def near_cases(document: PromptText) -> Iterator[tuple[list[str], Span]]:
    """The values that a paragraph gives case by case, and where: "Reply with YES if ..., otherwise NO"."""
    for paragraph in re.finditer(r"(?:[^\n]+\n?)+", document.text):
        found = list(_CASE.finditer(document.text, *paragraph.span()))
        ordered = next(
            (number for number, one in enumerate(found) if one["given"] or (one["order"] or "")[:1].isalpha()),
            len(found),
        )
        found = found[ordered:]
        values = [next(v for v in (one[name] for name in _CASE_VALUES) if v) for one in found]
        closed = any(one["else"] or one["rest"] or one["last"] for one in found)
        closed = closed or {value.lower() for value in values} in _PAIRS or _are_opposite(values)
        # "Say GO if it is dry and STAY if it rains.": the last of them is joined with "and".
        closed = closed or (
            len(found) > 1
            and all(value.isupper() for value in values)
            and all(one["order"] for one in found)
            and re.match(r"\W*(?:and|or)\b", found[-1]["order"], re.IGNORECASE) is not None
            and "." not in document.text[found[0].start() : found[-1].start()]
        )
        # Of "unknown if ..., several if ..." nobody says what else there is; numbers and codes stand for all there is.
        coded = all(
            re.fullmatch(r"-?\d+|[A-Z]\d", value) and one["when"] for value, one in zip(values, found, strict=True)
        )
        distinct = list(dict.fromkeys(values))
        if len(distinct) < 2 or len({value.lower() for value in distinct}) < len(distinct) or not (closed or coded):
            continue
        yield distinct, Span(found[0].start(), found[-1].end())


_CASE_VALUES = ("quoted", "plain", "quoted2", "plain2", "quoted3", "plain3", "quoted4", "plain4")
_PAIRS = ({"yes", "no"}, {"true", "false"}, {"pass", "fail"})


def _are_opposite(values: list[str]) -> bool:
    """Whether these are a word and its denial: "relevant" and "irrelevant"."""
    if len(values) != 2:
        return False
    first, second = sorted((value.lower() for value in values), key=len)
    return second in {f"{sign}{first}" for sign in ("in", "un", "ir", "im", "not ", "not_", "non-")}


_ASK = r"(?:answer|respond|reply|return|output|say|write|print|emit|use|choose)"
_WORDS = r"(?:with |only |just |exactly |the (?:word|value|label|string) |a |it as )*"
_ONE_VALUE = r"(?:[\"'`“‘](?P<quoted{0}>[\w][\w /-]{{0,29}})[\"'`”’]|(?P<plain{0}>-?\d{{1,2}}|(?i:yes|no|true|false|pass|fail)|[A-Z][A-Z_]+)(?!\w))"
_LEAD = re.compile(
    rf"(?:\A|[.!?,\n{BOUNDARY}])[ \t]*(?i:please |then )*(?i:{_ASK}) (?i:{_WORDS}){_ONE_VALUE.format('')} (?i:if|when|whenever|in case)\b[^\n]*\n"
)
_ITEMS = re.compile(r"(?:[ \t]*\n|[ \t]*(?:[-*•]|\(?\w[.)])[ \t]+[^\n]+\n)+")
_ELSE = r"(?i:otherwise|else|in (?:all|any|every) other cases?|if (?:none|nothing|neither|not?)\b[^,.\n]{0,40})"
_OTHER = re.compile(
    rf"[ \t]*(?:{_ELSE},?[ \t]+(?i:please )?(?:(?i:{_ASK}) (?i:{_WORDS}))?{_ONE_VALUE.format('2')}|(?i:{_ASK}) (?i:{_WORDS}){_ONE_VALUE.format('3')} {_ELSE})[ \t]*(?=[.!\n]|\Z)"
)


def far_cases(document: PromptText) -> Iterator[tuple[list[str], Span]]:
    """The two values of each such list, and where the whole is."""
    text = document.text
    for lead in _LEAD.finditer(text):
        items = _ITEMS.match(text, lead.end())
        other = _OTHER.match(text, items.end()) if items else None
        if other is None or MASK in text[lead.start() : other.end()]:
            continue
        first = lead["quoted"] or lead["plain"]
        second = next(value for value in other.groupdict().values() if value)
        if first.casefold() != second.casefold():
            start = lead.end() - len(lead[0].lstrip(f" \t\n.!?,{BOUNDARY}"))
            yield [first, second], Span(start, other.end())
