"""The keys that a prompt states one after the other, below or after the order to give them, and how objects of them are joined."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from promptopt.structured.fields import MASK, PromptText, Span, begin_of, field_name
from promptopt.structured.prose.key_statements import KeyStatement, stated_in_lines, stated_in_sentence
from promptopt.structured.readers.named_keys import NamedKey


@dataclass(frozen=True, slots=True)
class StatedKeys:
    """Keys that stand together.

    Attributes:
        each: What they are given for, if for each of several things: the words that say so.
        span: From the order that leads to them to their end.
    """

    keys: tuple[NamedKey, ...]
    each: str
    span: Span


_KINDS = r"(?:keys|fields|properties|attributes)"
_WITH = r"(?:with|containing|including|having|using|that (?:has|have|contains?|includes?)|which (?:has|have|contains?|includes?)|of the form)"
_COUNT = (
    r"(?:(?:the|these|this|exactly|only|just|following|all|its|two|three|four|five|six|seven|eight|\d{1,2})[ \t]+)*"
)
_JSON = r"\bjson\b(?: (?:objects?|format|form|file|dict(?:ionary)?|only|please|pls|response|output|records?|document|(?P<array>array|list)(?: of (?:json )?(?:objects|dictionaries|records))?))*"
# "JSON with the keys", "JSON only, keys:", "as JSON:", "JSON ("
_OBJECT = re.compile(
    rf"{_JSON}(?:,?[ \t]+(?:only,?[ \t]+)?{_WITH}\b[ \t]*{_COUNT}(?P<kinds>{_KINDS}\b(?:[ \t]+(?:are|named|called|below|only))*)?(?P<below>[ \t]*[:.](?=\s)|(?=[ \t]*\n))?"
    rf"|(?P<colon>[ \t]*:)|(?P<bracket>[ \t]*\()(?=[\"'`]?[a-z_]\w*[\"'`]?[ ,(])|,?[ \t]+(?:only,?[ \t]+)?(?P<kinds2>{_KINDS})(?: are)?(?P<below2>[ \t]*:)|(?=[ \t]+the\b))[ \t]*",
    re.IGNORECASE,
)
_GIVE = r"(?:return|give|extract|provide|output|list|report|state|include|write|add|note|record|capture|identify|answer with|respond with|reply with)"
# "For each ship give:", "for every drug return"
_EACH = re.compile(
    rf"\bfor (?:each|every|all)(?: of the)? (?P<thing>[^.:,;\n]{{1,40}}?)(?P<sign>[,:]|(?=[ \t]+{_GIVE}\b))[ \t]*(?:please[ \t]+)?(?:{_GIVE}\b(?: me)?[ \t]*(?:the following|these|its|the)?[ \t]*{_KINDS}?[ \t]*(?P<colon>:?))?[ \t]*",
    re.IGNORECASE,
)
# "Every card has q, answer and level (easy or hard)"
_EACH_HAS = re.compile(
    rf"\b(?:each|every|(?:list|array) of) (?P<thing>[a-z][\w -]{{1,30}}?) ?(?:(?:must|should|will|has to) )?(?P<sign>have|has|contains?|includes?|consists of|is an? (?:json )?object with|with|(?=:))(?: the)?(?: {_KINDS})?(?P<colon>:?)[ \t]+",
    re.IGNORECASE,
)
_WRITES = re.compile(
    r"\b(?:need|want|expect|output|return|respon[ds]e?|reply|answer|produce|generate|provide|give|write|extract|report|create|convert|fill|make|mark|(?:as|into) (?:an? )?(?:valid )?json)\b|\A\W*(?:json|(?:the )?(?:keys|fields))\b",
    re.IGNORECASE,
)
_GIVEN = re.compile(
    r"\b(?:inputs?|(?:will|are going to) (?:be given|receive|see|get)|receives?|provided|tools?|functions?|tables?|columns?|(?<!fields of )(?<!keys of )(?:the|this|that|given) json|our api|api returns)\b",
    re.IGNORECASE,
)
_ORDERS_JSON = re.compile(
    r"\b(?:return|respond|reply|answer|output|give|provide|produce|write|fill|format)\b[^.\n]{0,60}\bjson\b|^\W*json\b[^.\n]{0,30}\b(?:only|please|pls)\b",
    re.IGNORECASE | re.MULTILINE,
)
# "claim_valid (bool): ..." says of itself that it is a key
_TYPED = re.compile(
    r"\(\s*(?:str(?:ing)?|text|int(?:eger)?|float|number|bool(?:ean)?|list|array|date)\b[^()\n]*\)", re.IGNORECASE
)
_FIRST_TYPED = re.compile(rf"^[ \t]*[a-z]\w* {_TYPED.pattern}[^\n]*$", re.MULTILINE | re.IGNORECASE)
_DENIES = re.compile(r"\b(?:no|not|never|without|don['’]t|instead of)\b[^.\n]{0,20}\Z", re.IGNORECASE)
_FEWEST_PLAIN = 3
_PAIR = 2


def stated_keys(document: PromptText) -> StatedKeys | None:
    """The one statement of keys that a prompt has; ``None`` if it has none, or several that differ."""
    found: list[StatedKeys] = []
    readers = (_after_json, _for_each, _extracts, _below_heads, _typed_lines, _above_order)
    for one in (one for read in readers for one in read(document)):
        names = [key.name for key in one.keys]
        if len(set(names)) < len(names):
            return None
        if not any(one.span.overlaps(other.span) for other in found):
            found.append(one)
    return found[0] if len(found) == 1 else None


def _after_json(document: PromptText) -> Iterator[StatedKeys]:
    text = document.text
    for match in _OBJECT.finditer(text):
        begin = begin_of(text, match.start(), ("\n", ". ", "! ", "? "))
        before = text[begin : match.end()]
        if not _WRITES.search(before.lstrip()) or _GIVEN.search(before) or MASK in match[0]:
            continue
        if _DENIES.search(text, begin, match.start()):
            continue
        kinds = bool(match["kinds"] or match["kinds2"])
        below = match["below"] is not None or match["below2"] or match["colon"]
        stated = stated_in_sentence(text, match.end(), enclosed=bool(match["bracket"]))
        if not stated and below and (lines := _lines_below(text, match.end())):
            stated = lines
        certain = kinds or any(one.marked or one.aside or one.told for one in stated) or len(stated) >= _FEWEST_PLAIN
        if not stated and below:
            stated = _headings_below(text, match.end())
            certain = True
        if len(stated) == _PAIR and not certain:
            certain = any(_named_before(text, match.start(), one.name) for one in stated)
        if len(stated) > 1 and certain:
            yield _stated(match.start(), stated, match[0].strip() if match["array"] else "")


def _named_before(text: str, position: int, name: str) -> bool:
    """Whether the task speaks of a key before it is named: "Assign a grade."."""
    return re.search(rf"\b{re.escape(name)}\b", text[:position], re.IGNORECASE) is not None


_LINE_END = re.compile(r"[ \t]*\n(?:[ \t]*\n)?")
_JSON_SAID = re.compile(r"\bjson\b", re.IGNORECASE)
# "Chief Complaint:", and nothing after it
_HEADING = re.compile(r"(?P<name>[A-Z][\w/&'’ -]{1,50}?)[ \t]*:[ \t]*")


def _headings_below(text: str, position: int) -> list[KeyStatement]:
    """The headings with nothing after their colons below the line that ends at a position, three or more."""
    blank = _LINE_END.match(text, position)
    found: list[KeyStatement] = []
    start = blank.end() if blank else len(text)
    for line in text[start:].split("\n"):
        match = _HEADING.fullmatch(line)
        if match is None:
            return found if not line.strip() and len(found) >= _FEWEST_PLAIN else []
        found.append(KeyStatement(field_name(match["name"]), "", "text", False, start, start + len(line)))
        start += len(line) + 1
    return found if len(found) >= _FEWEST_PLAIN else []


def _lines_below(text: str, position: int) -> list[KeyStatement]:
    """The keys of the lines below the line that ends at a position."""
    blank = _LINE_END.match(text, position)
    return stated_in_lines(text, blank.end()) if blank else []


def _for_each(document: PromptText) -> Iterator[StatedKeys]:
    text = document.text
    if not _JSON_SAID.search(text):
        return
    held = holder_of_list(document) is not None
    for match in (*_EACH.finditer(text), *(_EACH_HAS.finditer(text) if held else ())):
        begin = begin_of(text, match.start(), ("\n", ". ", "! ", "? "))
        if MASK in match[0] or _GIVEN.search(text, begin, match.start()):
            continue
        colon = match["colon"] or match["sign"] == ":"
        stated = stated_in_sentence(text, match.end()) or (_lines_below(text, match.end()) if colon else [])
        if len(stated) > 1:
            words = text[match.start() : match.end("thing")]
            yield _stated(match.start(), stated, words)


# "Extract brand, model and price from the ad and return them as JSON"
_EXTRACTS = re.compile(
    r"(?:\A|[.!?]\s+|\n)[ \t]*[A-Z][a-z]+\b[^.:\n]{0,40}:[ \t]*(?=[a-z]\w*(?:,| \())|(?:\A|[.!?:,]\s+|\n)[ \t]*(?:please )?(?:extract|find|return|give|provide|output|identify)\b(?: me| the following| these| the)*[ \t]+(?=[\"'`]?[a-z]\w*[\"'`]?(?:,| \())",
    re.IGNORECASE,
)
_THESE_KEYS = re.compile(rf"\b(?:exactly |only |just )?(?:these|those|the same)(?: \w+)? {_KINDS}\b", re.IGNORECASE)
_AS_JSON = re.compile(
    r"\b(?:as|in|into|valid|only|return|with|respond with|reply with) (?:an? )?(?:valid )?json\b(?! (?:array|list))|\bjson only\b",
    re.IGNORECASE,
)


def _extracts(document: PromptText) -> Iterator[StatedKeys]:
    """What a sentence orders to extract, in a prompt that wants it as JSON."""
    text = document.text
    if not _AS_JSON.search(text):
        return
    for match in _EXTRACTS.finditer(text):
        stated = stated_in_sentence(text, match.end())
        certain = all(one.marked or one.aside for one in stated) or _THESE_KEYS.search(text)
        if len(stated) >= _FEWEST_PLAIN and (certain or sum(one.marked for one in stated) >= _PAIR):
            yield _stated(match.end(), stated, "")


# "Fields:", "Response format: JSON", and below it a key a line
_HEAD = re.compile(
    rf"^(?P<line>[^\n]*\b(?:(?P<kinds>{_KINDS})|json)|[*_#]*[ \t]*(?:output|response|answer)(?: format)?)[*_ \t]*(?:below)?:?[*_ \t]*(?=\n)",
    re.IGNORECASE | re.MULTILINE,
)


def _below_heads(document: PromptText) -> Iterator[StatedKeys]:
    """The lines below a heading that speaks of fields or JSON, in a prompt that orders JSON."""
    text = document.text
    if not _JSON_SAID.search(text):
        return
    for match in _HEAD.finditer(text):
        if _GIVEN.search(match["line"]) or _DENIES.search(match["line"]) or not _is_of_answer(text, match):
            continue
        stated = _lines_below(text, match.end())
        told = [one for one in stated if one.aside or one.told]
        own = all(
            re.fullmatch(r"[a-z]\w*", text[one.start : one.end].strip(" -*•\t")[: len(one.name)]) for one in stated
        )
        if len(stated) > 1 and own and (match["kinds"] or len(told) * 2 > len(stated)):
            yield _stated(match.start(), stated, "")


def _is_of_answer(text: str, head: re.Match[str]) -> bool:
    """Whether a heading is of what is to be written: it says so, or the line before it orders JSON."""
    before = text[: head.start()].rstrip().rpartition("\n")[2]
    wanted = _WRITES.search(head["line"]) or _JSON_SAID.search(head["line"]) or _JSON_SAID.search(before)
    return wanted is not None and not _GIVEN.search(before)


def _typed_lines(document: PromptText) -> Iterator[StatedKeys]:
    """Lines such as "paid (bool): whether it is paid", in a prompt that orders JSON."""
    text = document.text
    if not _ORDERS_JSON.search(text):
        return
    end = 0
    for match in _FIRST_TYPED.finditer(text):
        if match.start() < end:
            continue
        stated = stated_in_lines(text, match.start())
        before = text[: match.start()].rstrip()
        lead = re.split(r"(?<=[.!?])\s", before.rpartition("\n")[2])[-1]
        if len(stated) < 2 or _GIVEN.search(lead) or not text[: match.start()].endswith(("\n\n", ":\n")):
            continue
        if all(_TYPED.search(f"({one.aside})") for one in stated):
            end = stated[-1].end
            yield _stated(match.start(), stated, "")


# Below the keys: "Return these as a JSON object"
_OF_THESE = re.compile(
    rf"\b(?:return|respond|reply|answer|output|give|provide)\b[^.\n]{{0,40}}\b(?:(?:these|those|the above|them|this)\b[^.\n]{{0,30}}\bjson|json\b[^.\n]{{0,40}}\b(?:these|those|the above|the listed) {_KINDS})\b",
    re.IGNORECASE,
)
_FIRST_OWN = re.compile(r"(?:\A|(?<=\n\n))[a-z]\w*(?: \([^()\n]+\)|:| [-–—] )[^\n]*$", re.MULTILINE)


def _above_order(document: PromptText) -> Iterator[StatedKeys]:
    """Lines with keys, above the order to return these as JSON."""
    text = document.text
    order = _OF_THESE.search(text)
    for match in _FIRST_OWN.finditer(text, 0, order.start()) if order else ():
        stated = stated_in_lines(text, match.start())
        if len(stated) > 1 and all(one.aside or one.told for one in stated):
            yield _stated(match.start(), stated, "")


def _stated(start: int, stated: list[KeyStatement], each: str) -> StatedKeys:
    keys = tuple(NamedKey(one.name, one.said, Span(one.start, one.end)) for one in stated)
    return StatedKeys(keys, each, Span(start, stated[-1].end))


_ARRAY = re.compile(
    r"\bjson (?:array|list)\b|\b(?:array|list) of (?:\w+ )?(?:json )?(?:objects|dict\w*)\b", re.IGNORECASE
)
_Q = "[\"'`“”]"
# 'a single key "ships"', 'under the key "ships"'
_UNDER = re.compile(
    rf"\b(?:single|only|one|under|in|a|the)(?: (?:a|the|single|only|one|top-level|root))* (?:key|field|property)\b,?(?: (?:called|named))?:? {_Q}(?P<key>\w+){_Q}"
    rf"|\bunder (?:a |the )?{_Q}(?P<key2>\w+){_Q}|{_Q}(?P<key3>\w+){_Q} (?:key|array|list)\b",
    re.IGNORECASE,
)


def holder_of_list(document: PromptText) -> str | None:
    """The key that holds the objects of a prompt; empty if the answer is an array of them, ``None`` if nothing joins them."""
    under = {match["key"] or match["key2"] or match["key3"] for match in _UNDER.finditer(document.text)}
    if len(under) == 1:
        return under.pop()
    return "" if not under and _ARRAY.search(document.text) else None
