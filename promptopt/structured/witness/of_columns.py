"""A second reading of tables: what is said of a column, of the rows and beside the table, where all cells were read as texts.

It shares no pattern with the readers that propose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from promptopt.structured.fields import MASK, Inferred, PromptText
from promptopt.structured.witness.accounts import instructions
from promptopt.structured.witness.keys import NUMBER_WORDS, KeyOfSchema, loosely_spaced, shortened

_MANY = "|".join(NUMBER_WORDS)
_ROWS = re.compile(
    rf"\b(?:at most|at least|up to|exactly|no more than|max(?:imum)?(?: of)?|only|with|has|have)\s+(?:the )?(?:first )?(?:\d+|{_MANY})\s+(?:[a-z-]+ )?(?:rows?|entries|items|lines)\b|\b(?:top|first|best)\s+(?:\d+|{_MANY})\b|\b(?:list|name|find|give|pick|choose|suggest|propose|write|generate|invent|show)\s+(?:exactly |at most |up to |at least |the |only )*(?:[2-9]|\d\d|{_MANY})\s+[a-z]",
    re.IGNORECASE,
)
_BESIDE = re.compile(
    r"\b(?:below|above|under|beneath|after|before|beside|following)\s+(?:it|this|that|the table)\b|\b(?:then|and then|followed by|together with|along with|plus|finally|as well as|also|in addition)\b,?\s+(?:(?:please )?(?:write|give|add|state|list|explain|summari[sz]e|provide|name|say|include)\b|an?\b|one\b|two\b|the\b|your\b)|\b(?:caption|legend|total row|row (?:of|with|for) (?:the )?(?:totals?|sums?)|footnotes?|header row in|without (?:a )?header)\b",
    re.IGNORECASE,
)
# What is more than a text: a number, a scale, truth, words set against each other, or nothing.
_KIND = re.compile(
    r"\b(?:integers?|whole numbers?|numbers?|numeric|decimals?|floats?|booleans?|percent(?:age)?s?|true|false|yes|no|null|empty|blank|optional|one of|either|(?:from|between) -?\d|out of \d|dates?|at most|up to|exactly|words?|sentences?)\b|\d\s?(?:-|–|to)\s?\d|\b\w+ or \w+|\w/\w|\w\s?\|\s?\w",
    re.IGNORECASE,
)
_OF_ORDER = re.compile(r"\b(?:sort(?:ed)?|order(?:ed)?|group(?:ed)?|rank(?:ed)?|by)\b[^.;\n]{0,20}\Z", re.IGNORECASE)


def of_columns(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """What a table has that its cells of plain text have not; each with its line."""
    text = instructions(document, found)
    for span in found.covered:
        rest = document.text[span.end :]
        if goes_on := re.match(
            r"[*_`\"']*\s*(?:\([^()\n]+\)|\[[^\[\]\n]+\]|,\s*\w|/\s*\w|:\s*\w|[-–—]\s\w)[^\n]{0,40}", rest
        ):
            yield f"line {document.line(span.end)}: {shortened(goes_on[0])!r}: the list of columns goes on"
    yield from _said_of_columns(document, text, found, leaves)
    checks = ((_ROWS, "so many rows are wanted"), (_BESIDE, "the answer has more than the table"))
    for pattern, meaning in checks:
        for match in pattern.finditer(text):
            if MASK not in match[0]:
                yield f"line {document.line(match.start())}: {shortened(match[0])!r}: {meaning}"


def _said_of_columns(document: PromptText, text: str, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """What is said of a column, if that is more than any text."""
    for leaf in leaves:
        if leaf.kinds - {"string"} or leaf.labelled or "properties" in leaf.value:
            continue
        name = loosely_spaced(leaf.name)
        said_of = re.compile(
            rf"(?:\b{name}s?\b[\"'`*]*\s*(?:column|cells?|values?)?\s*(?:\((?P<aside>[^()\n]+)\)|(?:is|are|=|:|must be|should be|may be|can be|has|have|holds?|contains?)\s(?P<said>[^.;\n]{{1,80}}))|\b(?:a|an|its|the) {name} (?P<tail>(?:from|between|of|out of|on|in) [^.;\n]{{1,40}}))",
            re.IGNORECASE,
        )
        for match in said_of.finditer(text):
            inside = any(span.start <= match.start() < span.end for span in found.covered)
            said = match["aside"] or match["said"] or match["tail"]
            begin = text.rfind("\n", 0, match.start()) + 1
            ordered = _OF_ORDER.search(text[begin : match.start()])
            if _KIND.search(said) and MASK not in match[0] and not ordered and not (inside and not match["aside"]):
                yield f"line {document.line(match.start())}: {shortened(match[0])!r} is said of {leaf.name!r}, which was read as any text"
