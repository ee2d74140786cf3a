"""Lists that are the whole answer: texts one a line or with commas, what the prompt makes, and some labels of a list."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import regex

from promptopt.structured.completeness import wants_json
from promptopt.structured.fields import (
    MASK,
    Field,
    Inferred,
    PromptText,
    Span,
    conditional,
    conditional_part,
    field_name,
    scan,
)
from promptopt.structured.prose.choices import Choice
from promptopt.structured.prose.counts import NUMERALS, Count, bounded, bounds_of, number_of, ordered, plainly
from promptopt.structured.prose.label_items import labels_after
from promptopt.structured.prose.list_counts import stem

A_NUMBER = rf"(?:\d{{1,2}}|{'|'.join(NUMERALS)})"
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
    rf"\b(?:split|break|turn|divide|decompose|rewrite|expand)\b[^.:;\n]{{0,60}}\binto (?P<bound>exactly |up to |at most |at least |between )?(?P<low>{A_NUMBER})(?:\s?(?:-|–|to|and|or)\s?(?P<high>{A_NUMBER}))? (?P<what>(?:[\w-]+ ){{0,3}}?[a-z]{{3,}}s)\b",
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
    rf"\b(?:output|answer|response|reply) (?:should|must|has to|will) be (?:a |one )?(?:(?P<commas>comma[- ]separated) )?list of (?:(?P<bound>exactly |up to |at most |at least |between )?(?P<low>{A_NUMBER})(?:\s?(?:-|–|to|and)\s?(?P<high>{A_NUMBER}))? )?(?:\w+ )??(?P<noun>[a-z]{{3,}}s)\b(?P<rest>[^.\n]*)",
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


_AS_LIST = r"(?:as|in) (?:a |one )?(?:single |plain |simple )?comma[- ]separated(?: (?:list|line|string))?|,? ?(?:comma[- ]separated|separated (?:by|with) commas)|one per line|on separate lines|one on each line|each on (?:a|its own)(?: new| separate)? line"
_THEM = re.compile(
    rf"\b{WRITE}\s+(?:only |just )?(?:them|these|(?:only )?the list|(?:only )?the (?P<noun>[a-z]{{3,}}s))(?: all| only| back)? ?(?:{_AS_LIST})(?P<rest>[^.\n]*)",
    re.IGNORECASE,
)
# "Provide a single query per line"
_SINGLE_A_LINE = re.compile(
    rf"\b{WRITE}\s+(?:only |just |exactly )?(?:a single|one|exactly one) (?P<one>[a-z]{{3,}}) per line(?P<rest>[^.\n()]*)",
    re.IGNORECASE,
)

_MAKES = re.compile(
    rf"(?:\A|[.!?:]\s+|\n[ \t]*(?:[-*•][ \t]+)?|\b(?:to|is to) )(?:please |your task is to )?{MADE}\b (?:me )?(?:a (?:set|list) of |(?:exactly |up to |between |at most |at least )?{A_NUMBER}(?:\s?(?:-|–|to|and)\s?{A_NUMBER})? )?(?:(?!and\b|or\b|the\b|each\b|every\b)[\w-]+ ){{0,3}}?(?P<noun>[a-z]{{3,}}(?<!s)s)\b",
    re.IGNORECASE,
)
_MORE_IN_LINE = re.compile(r"\b(?:and|with|followed|after|before|below|each|brackets|their|its|then)\b", re.IGNORECASE)
_HARMLESS_END = re.compile(r"\b(?:and nothing else|with no [\w ]+|with nothing else|each on\b[^,.]*)", re.IGNORECASE)


def list_of_them(document: PromptText, said: Sequence[Choice]) -> Inferred | None:
    """A list of texts with commas between them, or one a line; ``None`` if the prompt orders no such list, or more than it."""
    text = document.text
    orders = [*_THEM.finditer(text), *_SINGLE_A_LINE.finditer(text)]
    if len(orders) != 1 or wants_json(document) or PARTS.search(text):
        return None
    order = orders[0]
    if MASK in order[0] or _MORE_IN_LINE.search(_HARMLESS_END.sub(" ", order["rest"])):
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


_VERB = r"(?:tag|label|mark|assign|choose|pick|select|classify|give|list|return|output|name|add|attach|apply)"
_COUNT = rf"(?:(?P<any>one or more|one or several|zero or more|any|all)|(?P<bound>exactly|up to|at most|no more than|a maximum of|at least|between|from)?\s*(?P<low>{A_NUMBER})(?:\s?(?:-|–|to|and|or)\s?(?P<high>{A_NUMBER}))?)"
_ORDER = regex.compile(
    rf"\b{_VERB}\b(?P<between>[^.:;\n]{{0,60}}?)\b(?:the )?{_COUNT} (?:of the )?(?:(?:most |best[- ]|main )?[a-z-]+ ){{0,2}}?(?P<noun>[a-z]{{3,}}s)\b"
    rf"(?P<rest>(?! (?:and|with|per|for each)\b)[^.:;\n]{{0,80}}?):",
    regex.IGNORECASE,
)
# What has a length, and no labels.
_NO_LABELS = frozenset(
    {"words", "sentences", "paragraphs", "lines", "characters", "examples", "reasons", "points", "questions", "items"}
)
_FROM = re.compile(
    r"\b(?:from|out of|of the following|among|below|following|apply|applies|fit|fits)\b|\A to (?:the |this |a )?[\w ]+\Z",
    re.IGNORECASE,
)
_SEPARATION = re.compile(
    r"[^.\n]*\b(?:comma[- ]separated|separated (?:by|with) (?:an? )?(?:commas?|semicolons?|line breaks?|new ?lines?)|separate (?:them|the \w+|labels|each \w+) (?:by|with) (?:an? )?(?:commas?|semicolons?|new ?lines?)"
    r"|(?:one|each) (?:per|on a|on its own|on a new|a)(?: separate)? line)\b[^.\n]*",
    re.IGNORECASE,
)
_BESIDES = re.compile(r"\b(?:and|then|with|plus|followed|explain|each|why|score|confidence|because)\b", re.IGNORECASE)
_HARMLESS = re.compile(
    r"\band nothing else\b|\bwith (?:an? )?(?:commas?|semicolons?|new ?lines?)\b|\beach on\b", re.IGNORECASE
)


def several_labels(document: PromptText) -> Inferred | None:
    """The list of some labels that a prompt orders; ``None`` if it orders no such list, or more than it."""
    if wants_json(document):
        return None
    found = [one for match in scan(_ORDER, document.text) if (one := _labels(document, match))]
    if len(found) != 1:
        return None
    field, span = found[0]
    spans = [span]
    for written in _SEPARATION.finditer(document.text):
        if _BESIDES.search(_HARMLESS.sub(" ", written[0])) and not span.overlaps(Span(*written.span())):
            return None
        spans.append(Span(*written.span()))
    return conditional_part(document, spans) or Inferred((field,), covered=tuple(spans))


def _labels(document: PromptText, order: re.Match[str]) -> tuple[Field, Span] | None:
    noun = order["noun"].lower()
    after = labels_after(document.text, order.end())
    if (
        after is None
        or noun in _NO_LABELS
        or re.search(r"\b(?:if|when|whether)\b", order[0], re.IGNORECASE)
        or MASK in order[0]
        or not _is_choice(order)
    ):
        return None
    labels, end = after
    schema: dict[str, Any] = {"type": "array", "items": {"type": "string", "enum": list(labels)}, **_bounds(order)}
    if schema.get("maxItems", 2) < 2 or schema.get("minItems", 0) > len(labels):
        return None
    line = document.line(order.start())
    return Field(field_name(noun), schema, f"list in the prose, line {line}", line), Span(order.start(), end)


def _is_choice(order: re.Match[str]) -> bool:
    """Whether the words of an order choose from what follows: "from this list", or labels that are assigned."""
    if _FROM.search(order["rest"]) or re.search(r"\bof (?:the following|these|the)\b", order[0], re.IGNORECASE):
        return True
    return (
        not order["rest"].strip()
        and re.match(r"(?:assign|tag|label|mark|choose|pick|select)", order[0], re.IGNORECASE) is not None
    )


def _bounds(order: re.Match[str]) -> dict[str, int]:
    if order["any"]:
        return {"minItems": 1} if order["any"].lower().startswith("one") else {}
    low = number_of(order["low"])
    if order["high"]:
        return bounds_of("", low, number_of(order["high"]))
    return bounds_of((order["bound"] or "").lower(), low)
