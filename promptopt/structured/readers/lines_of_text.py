"""Lists of texts in the lines of an answer or with commas: "generate 3 to 5 queries", and then "Return ONLY the queries, one per line"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from promptopt.structured.fields import MASK, Field, Inferred, PromptText, Span, conditional, field_name
from promptopt.structured.prose.choices import Choice
from promptopt.structured.prose.counts import NUMERALS, Count, number_of, ordered, stem

_N = rf"(?:\d{{1,2}}|{'|'.join(NUMERALS)})"
WRITE = r"(?:return|output|respond with|reply with|answer with|give|provide|list|write|print|put)"
_A_LINE = r"(?:per line|(?:on|in) (?:a|its own|their own|one|each|separate|new)(?: new| own| separate)? lines?)"
_ONLY_LINES = re.compile(
    rf"\b{WRITE}\s+(?:only |just |nothing but )+(?:the |these |your )?(?:\w+ )?(?P<noun>[a-z]{{3,}}s),?"
    r"\s+(?:with )?(?:one|each on a|each on its own|each in a|on separate|in separate|separated by (?:a )?)\s?(?:per |on each |new |own )?(?:lines?|newlines?)\b",
    re.IGNORECASE,
)
# "Write one query per line.", "One per line, no numbering."
_ONE_A_LINE = re.compile(
    rf"(?:\A|[.!?\n,;(]\s*|\b{WRITE} )(?:only |exactly |each |the )?(?:one(?: (?P<noun>[a-z]{{3,}}))?|each (?P<each>[a-z]{{3,}})) {_A_LINE}",
    re.IGNORECASE,
)
# Each line has parts, or the list has more than its items.
PARTS = re.compile(
    r"\beach line\b|\bfor each\b|\bevery line\b|\bper line,? (?:in|as|with|followed)\b|\bformats?\b|\bjson\b|\bfollowed by\b|\balong with\b|\beach with\b|\band (?:its|their)\b",
    re.IGNORECASE,
)
NO_ITEMS = frozenset({"lines", "words", "results", "answers", "sentences", "letters", "numbers", "scores", "steps"})
MADE = r"(?:generate|create|write|produce|suggest|propose|extract|find|identify|list|name|collect|formulate|come up with|give|provide|rewrite|break|split|turn)"


def lines_of_text(document: PromptText) -> Inferred | None:
    """A list of texts with the count that the prompt orders; ``None`` if the prompt asks for no such list, or for more."""
    if PARTS.search(document.text):
        return None
    if (told := _named(document) or _counted(document)) is None:
        return None
    noun, span = told
    made = re.compile(rf"\b{MADE}\b[^.\n]{{0,80}}\b{noun}\b", re.IGNORECASE)
    order = next((found for found in made.finditer(document.text) if not span.overlaps(Span(*found.span()))), None)
    if order is None or MASK in order[0] or noun in NO_ITEMS:
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
        count = _count(match)
        yield Count(count.least, count.most, tuple(match["what"].lower().split()))


def _count(match: re.Match[str]) -> Count:
    """How many a match says, of nothing."""
    low, bound = number_of(match["low"]), (match["bound"] or "").strip().lower()
    high = number_of(match["high"]) if match["high"] else None if bound == "at least" else low
    return Count(None if bound in ("up to", "at most") else low, high, ())


def _noun_of(words: tuple[str, ...]) -> str:
    return stem(words[-1]) if words else ""


# "Output a comma separated list of the tables that the question needs."
_WITH_COMMAS = re.compile(
    rf"(?:\A|[.!?\n,;]\s*|\b(?:and|then|please|only|to|must|should) )[ \t]*(?:{WRITE}|extract|find|identify|name) (?:me )?(?:only |just )?(?:"
    r"(?:a |the |one )?(?:single |plain |simple )?comma[- ]separated list of (?:all |the |up to \w+ )*(?:\w+ ){0,2}?(?P<of>(?:[a-z]+ (?=names|titles|ids))?[a-z]{3,}s)\b(?P<rest>[^.\n]*)"
    r"|(?:all |the |these )*(?:\w+ )??(?P<as>(?:[a-z]+ (?=names|titles|ids))?[a-z]{3,}s)(?: (?:of|in|from) (?:the|this|each) \w+)? (?:as|in) (?:a |one )?(?:single |plain |simple )?comma[- ]separated (?:list|line|string)\b(?P<rest2>[^.\n]*)"
    r"|(?:all |the )+(?:\w+ )?(?P<listed>[a-z]{3,}s)\b(?:(?! and | or |,)[^.:;\n]){0,80}, (?:as a |in a )?(?:comma[- ]separated(?: list)?|separated (?:by|with) commas)(?P<rest3>[^.\n]*))",
    re.IGNORECASE,
)
# "Your output should be a list of 3-5 tags, separated by commas."
_IS_LIST = re.compile(
    rf"\b(?:output|answer|response|reply) (?:should|must|has to|will) be (?:a |one )?(?:(?P<commas>comma[- ]separated) )?list of (?:(?P<bound>exactly |up to |at most |at least |between )?(?P<low>{_N})(?:\s?(?:-|–|to|and)\s?(?P<high>{_N}))? )?(?:\w+ )??(?P<noun>[a-z]{{3,}}s)\b(?P<rest>[^.\n]*)",
    re.IGNORECASE,
)
_SEPARATED = re.compile(r"\bcomma[- ]separated\b|\bseparated (?:by|with) commas\b", re.IGNORECASE)
_MORE = re.compile(r"\b(?:and|with|followed|each|brackets|parenthes\w+|their|its|pairs?|then)\b", re.IGNORECASE)


def _told_list(document: PromptText) -> Inferred | None:
    """The list that an answer is said to be, if commas are between its texts."""
    found = list(_IS_LIST.finditer(document.text))
    if len(found) != 1 or MASK in found[0][0] or PARTS.search(document.text):
        return None
    match = found[0]
    rest = _SEPARATED.sub(" ", match["rest"]).replace("and nothing else", "")
    noun = match["noun"].lower()
    if not (match["commas"] or _SEPARATED.search(match["rest"])) or _MORE.search(rest) or noun in NO_ITEMS:
        return None
    bounds = dict(_count(match).bounds) if match["low"] else {}
    span = Span(*match.span())
    line = document.line(span.start)
    schema = {"type": "array", "items": {"type": "string"}, **bounds}
    field = Field(field_name(noun), schema, f"list in the prose, line {line}", line)
    return conditional(document, span) or Inferred((field,), covered=(span,))


# What is chosen from a list wherever there is one.
IS_CHOSEN = re.compile(r"(?:label|tag|categor(?:y|ie)|classe?|topic|option|type|intent|genre|code|emotion|mood)s\Z")
_LISTED = re.compile(
    r"\[\s*[A-Za-z\"'][^\[\]\n]*,|\b(?:labels|tags|categories|classes|topics|options|types|intents|genres|codes|emotions|moods)\b(?: (?:are|include|can be|below|above))?\s*:|\b(?:from|of) (?:the|this|these|following)[\w ]{0,30}(?:list|labels|tags|categories|topics|options)\b|\bthat apply\b",
    re.IGNORECASE,
)


def with_commas(document: PromptText, said: Sequence[Choice]) -> Inferred | None:
    """A list of texts with commas between them; ``None`` if the prompt asks for no such list, for more, or for some of a list."""
    found = _with_commas(document)
    if found is None or not found.fields or not IS_CHOSEN.search(found.fields[0].name):
        return found
    return None if chosen_somewhere(document, said) else found


def chosen_somewhere(document: PromptText, said: Sequence[Choice]) -> bool:
    """Whether a prompt has a list to choose from."""
    return any("enum" in choice.schema for choice in said) or _LISTED.search(document.text) is not None


def _with_commas(document: PromptText) -> Inferred | None:
    found = list(_WITH_COMMAS.finditer(document.text))
    if not found:
        return _told_list(document)
    if len({(one["of"] or one["as"] or one["listed"]).lower() for one in found}) != 1:
        return None
    match = found[0]
    noun = (match["of"] or match["as"] or match["listed"]).lower()
    rest = match["rest"] or match["rest2"] or match["rest3"] or ""
    if (
        noun in NO_ITEMS - {"words", "numbers"}
        or _MORE.search(rest.replace("and nothing else", ""))
        or PARTS.search(document.text)
    ):
        return None
    if MASK in match[0]:
        return None
    span = Span(*match.span())
    kind = "number" if noun == "numbers" else "string"
    line = document.line(span.start)
    field = Field(field_name(noun), {"type": "array", "items": {"type": kind}}, f"list in the prose, line {line}", line)
    return conditional(document, span) or Inferred((field,), covered=(span,))
