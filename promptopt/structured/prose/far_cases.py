"""Two values of which a list of conditions decides: "Return true if any of these applies:", a list, "Otherwise return false."."""

from __future__ import annotations

import re
from collections.abc import Iterator

from promptopt.structured.fields import BOUNDARY, MASK, PromptText, Span

_ASK = r"(?:answer|respond|reply|return|output|say|write|print|emit|use|choose)"
_WORDS = r"(?:with |only |just |exactly |the (?:word|value|label|string) |a |it as )*"
_VALUE = r"(?:[\"'`“‘](?P<quoted{0}>[\w][\w /-]{{0,29}})[\"'`”’]|(?P<plain{0}>-?\d{{1,2}}|(?i:yes|no|true|false|pass|fail)|[A-Z][A-Z_]+)(?!\w))"
_LEAD = re.compile(
    rf"(?:\A|[.!?,\n{BOUNDARY}])[ \t]*(?i:please |then )*(?i:{_ASK}) (?i:{_WORDS}){_VALUE.format('')} (?i:if|when|whenever|in case)\b[^\n]*\n"
)
_ITEMS = re.compile(r"(?:[ \t]*\n|[ \t]*(?:[-*•]|\(?\w[.)])[ \t]+[^\n]+\n)+")
_ELSE = r"(?i:otherwise|else|in (?:all|any|every) other cases?|if (?:none|nothing|neither|not?)\b[^,.\n]{0,40})"
_OTHER = re.compile(
    rf"[ \t]*(?:{_ELSE},?[ \t]+(?i:please )?(?:(?i:{_ASK}) (?i:{_WORDS}))?{_VALUE.format('2')}|(?i:{_ASK}) (?i:{_WORDS}){_VALUE.format('3')} {_ELSE})[ \t]*(?=[.!\n]|\Z)"
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
