"""Lists of texts in the lines of an answer or with commas: "generate 3 to 5 queries", and then "Return ONLY the queries, one per line"."""

from __future__ import annotations

import re
from collections.abc import Iterator

from promptopt.structured.fields import MASK, Field, Inferred, PromptText, Span, conditional, field_name
from promptopt.structured.prose.counts import NUMERALS, Count, number_of, ordered, stem

_N = rf"(?:\d{{1,2}}|{'|'.join(NUMERALS)})"
_WRITE = r"(?:return|output|respond with|reply with|answer with|give|provide|list|write|print|put)"
_A_LINE = r"(?:per line|(?:on|in) (?:a|its own|their own|one|each|separate|new)(?: new| own| separate)? lines?)"
_ONLY_LINES = re.compile(
    rf"\b{_WRITE}\s+(?:only |just |nothing but )+(?:the |these |your )?(?:\w+ )?(?P<noun>[a-z]{{3,}}s),?"
    r"\s+(?:with )?(?:one|each on a|each on its own|each in a|on separate|in separate|separated by (?:a )?)\s?(?:per |on each |new |own )?(?:lines?|newlines?)\b",
    re.IGNORECASE,
)
# "Write one query per line.", "One per line, no numbering."
_ONE_A_LINE = re.compile(
    rf"(?:\A|[.!?\n,;(]\s*|\b{_WRITE} )(?:only |exactly |each |the )?(?:one(?: (?P<noun>[a-z]{{3,}}))?|each (?P<each>[a-z]{{3,}})) {_A_LINE}",
    re.IGNORECASE,
)
# Each line has parts, or the list has more than its items.
_PARTS = re.compile(
    r"\beach line\b|\bfor each\b|\bevery line\b|\bper line,? (?:in|as|with|followed)\b|\bformats?\b|\bjson\b|\bfollowed by\b|\balong with\b|\beach with\b|\band (?:its|their)\b",
    re.IGNORECASE,
)
_NO_ITEMS = frozenset({"lines", "words", "results", "answers", "sentences", "letters", "numbers", "scores", "steps"})
_MADE = r"(?:generate|create|write|produce|suggest|propose|extract|find|identify|list|name|collect|formulate|come up with|give|provide|rewrite|break|split|turn)"


def lines_of_text(document: PromptText) -> Inferred | None:
    """A list of texts with the count that the prompt orders; ``None`` if the prompt asks for no such list, or for more."""
    if _PARTS.search(document.text):
        return None
    if (told := _named(document) or _counted(document)) is None:
        return None
    noun, span = told
    made = re.compile(rf"\b{_MADE}\b[^.\n]{{0,80}}\b{noun}\b", re.IGNORECASE)
    order = next((found for found in made.finditer(document.text) if not span.overlaps(Span(*found.span()))), None)
    if order is None or MASK in order[0] or noun in _NO_ITEMS:
        return None
    if bad := conditional(document, span):
        return bad
    counts = {tuple(count.bounds.items()) for count in _counts(document.text) if _noun_of(count.what) == stem(noun)}
    if len(counts) > 1:
        return None
    schema = {"type": "array", "items": {"type": "string"}, **dict(next(iter(counts), ()))}
    line = document.line(span.start)
    name = noun if noun != "names" else "items"
    covered = (Span(*order.span()), span)
    return Inferred((Field(field_name(name), schema, f"lines in the prose, line {line}", line),), covered=covered)


def _named(document: PromptText) -> tuple[str, Span] | None:
    """What an order calls the lines, and where it is."""
    matches = list(_ONLY_LINES.finditer(document.text))
    nouns = {match["noun"].lower() for match in matches}
    return (nouns.pop(), Span(*matches[0].span())) if len(nouns) == 1 else None


def _counted(document: PromptText) -> tuple[str, Span] | None:
    """The things of the one count that the prompt orders, if they are to stand one a line."""
    line = _ONE_A_LINE.search(document.text)
    nouns = {count.what[-1] for count in _counts(document.text) if count.what}
    if line is None or len(nouns) != 1:
        return None
    noun = nouns.pop()
    one = line["noun"] or line["each"]
    return (noun, Span(*line.span())) if one is None or stem(one.lower()) == stem(noun) else None


# "Break the question into exactly three search queries."
_INTO = re.compile(
    rf"\b(?:split|break|turn|divide|decompose|rewrite|expand)\b[^.:;\n]{{0,60}}\binto (?P<bound>exactly |up to |at most |at least |between )?(?P<low>{_N})(?:\s?(?:-|–|to|and|or)\s?(?P<high>{_N}))? (?P<what>(?:[\w-]+ ){{0,3}}?[a-z]{{3,}}s)\b",
    re.IGNORECASE,
)


def _counts(text: str) -> Iterator[Count]:
    yield from ordered(text)
    for match in _INTO.finditer(text):
        low, bound = number_of(match["low"]), (match["bound"] or "").strip().lower()
        high = number_of(match["high"]) if match["high"] else None if bound == "at least" else low
        least = None if bound in ("up to", "at most") else low
        yield Count(least, high, tuple(match["what"].lower().split()))


def _noun_of(words: tuple[str, ...]) -> str:
    return stem(words[-1]) if words else ""


# "Output a comma separated list of the tables that the question needs."
_WITH_COMMAS = re.compile(
    rf"(?:\A|[.!?\n,;]\s*|\b(?:and|then|please|only|to|must|should) )[ \t]*{_WRITE} (?:me )?(?:only |just )?(?:"
    r"(?:a |the |one )?(?:single |plain |simple )?comma[- ]separated list of (?:all |the |up to \w+ )*(?:\w+ ){0,2}?(?P<of>(?:[a-z]+ (?=names|titles|ids))?[a-z]{3,}s)\b(?P<rest>[^.\n]*)"
    r"|(?:all |the |these )*(?:\w+ )??(?P<as>(?:[a-z]+ (?=names|titles|ids))?[a-z]{3,}s) (?:as|in) (?:a |one )?(?:single |plain |simple )?comma[- ]separated (?:list|line|string)\b(?P<rest2>[^.\n]*))",
    re.IGNORECASE,
)
_MORE = re.compile(r"\b(?:and|with|followed|each|brackets|parenthes\w+|their|its|pairs?|then)\b", re.IGNORECASE)


def with_commas(document: PromptText) -> Inferred | None:
    """A list of texts with commas between them; ``None`` if the prompt asks for no such list, or for more."""
    found = list(_WITH_COMMAS.finditer(document.text))
    if len({(one["of"] or one["as"]).lower() for one in found}) != 1:
        return None
    match = found[0]
    noun, rest = (match["of"] or match["as"]).lower(), match["rest"] or match["rest2"] or ""
    if (
        noun in _NO_ITEMS - {"words", "numbers"}
        or _MORE.search(rest.replace("and nothing else", ""))
        or _PARTS.search(document.text)
    ):
        return None
    if MASK in match[0]:
        return None
    span = Span(*match.span())
    kind = "number" if noun == "numbers" else "string"
    line = document.line(span.start)
    field = Field(field_name(noun), {"type": "array", "items": {"type": kind}}, f"list in the prose, line {line}", line)
    return conditional(document, span) or Inferred((field,), covered=(span,))
