"""A list of what the prompt makes, to which its order points: "Generate tags. ... Return them as a comma separated list."."""

from __future__ import annotations

import re
from collections.abc import Sequence

from promptopt.structured.completeness import wants_json
from promptopt.structured.fields import MASK, Field, Inferred, PromptText, Span, conditional, field_name
from promptopt.structured.prose.choices import Choice
from promptopt.structured.prose.counts import NUMERALS, bounded, ordered, plainly, stem
from promptopt.structured.readers.lines_of_text import IS_CHOSEN, MADE, NO_ITEMS, PARTS, WRITE, chosen_somewhere

_AS_LIST = r"(?:as|in) (?:a |one )?(?:single |plain |simple )?comma[- ]separated(?: (?:list|line|string))?|,? ?(?:comma[- ]separated|separated (?:by|with) commas)|one per line|on separate lines|one on each line|each on (?:a|its own)(?: new| separate)? line"
_THEM = re.compile(
    rf"\b{WRITE}\s+(?:only |just )?(?:them|these|(?:only )?the list|(?:only )?the (?P<noun>[a-z]{{3,}}s))(?: all| only| back)? ?(?:{_AS_LIST})(?P<rest>[^.\n]*)",
    re.IGNORECASE,
)
# "Provide a single query per line"
_A_LINE = re.compile(
    rf"\b{WRITE}\s+(?:only |just |exactly )?(?:a single|one|exactly one) (?P<one>[a-z]{{3,}}) per line(?P<rest>[^.\n()]*)",
    re.IGNORECASE,
)
_N = rf"(?:\d{{1,2}}|{'|'.join(NUMERALS)})"
_MAKES = re.compile(
    rf"(?:\A|[.!?:]\s+|\n[ \t]*(?:[-*•][ \t]+)?|\b(?:to|is to) )(?:please |your task is to )?{MADE}\b (?:me )?(?:a (?:set|list) of |(?:exactly |up to |between |at most |at least )?{_N}(?:\s?(?:-|–|to|and)\s?{_N})? )?(?:(?!and\b|or\b|the\b|each\b|every\b)[\w-]+ ){{0,3}}?(?P<noun>[a-z]{{3,}}(?<!s)s)\b",
    re.IGNORECASE,
)
_MORE = re.compile(r"\b(?:and|with|followed|after|before|below|each|brackets|their|its|then)\b", re.IGNORECASE)
_HARMLESS = re.compile(r"\b(?:and nothing else|with no [\w ]+|with nothing else|each on\b[^,.]*)", re.IGNORECASE)


def list_of_them(document: PromptText, said: Sequence[Choice]) -> Inferred | None:
    """A list of texts with commas between them, or one a line; ``None`` if the prompt orders no such list, or more than it."""
    text = document.text
    orders = [*_THEM.finditer(text), *_A_LINE.finditer(text)]
    if len(orders) != 1 or wants_json(document) or PARTS.search(text):
        return None
    order = orders[0]
    if MASK in order[0] or _MORE.search(_HARMLESS.sub(" ", order["rest"])):
        return None
    made = {match["noun"].lower(): match for match in _MAKES.finditer(text) if match["noun"].lower() not in NO_ITEMS}
    groups = order.groupdict()
    called = stem((groups.get("noun") or groups.get("one") or "").lower())
    if len(made) != 1 or (called and stem(next(iter(made))) != called):
        return None
    noun, making = made.popitem()
    if IS_CHOSEN.search(noun) and chosen_somewhere(document, said):
        return None
    bounds = {
        tuple(count.bounds.items())
        for count in (*ordered(text), *bounded(text), *plainly(text))
        if count.what and stem(count.what[-1]) == stem(noun)
    }
    if len(bounds) > 1:
        return None
    count = dict(next(iter(bounds), ()))
    if not count and _original(noun, text):
        count = {"minItems": 1}
    span = Span(*order.span())
    line = document.line(span.start)
    schema = {"type": "array", "items": {"type": "string"}, **count}
    field = Field("items" if noun == "names" else field_name(noun), schema, f"list in the prose, line {line}", line)
    return conditional(document, span) or Inferred((field,), covered=(Span(making.start(), making.end()), span))


def _original(noun: str, text: str) -> bool:
    """Whether there is one at least: "if there is no other, return the original query"."""
    one = rf"{re.escape(stem(noun).removesuffix('y'))}\w{{0,3}}"
    return (
        re.search(
            rf"\b{WRITE} (?:only |just )?(?:the |your )?(?:original|given|same|unchanged) {one}\b", text, re.IGNORECASE
        )
        is not None
    )
