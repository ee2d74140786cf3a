"""Formats of values, where a prompt says them beside their keys: dates and their patterns, lengths of texts, steps of ratings.

`"due": "<YYYY-MM-DD>"`, "title (max 60 characters)", "you can use half points".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from promptopt.structured.fields import MASK, PromptText, begin_of

_STOP = re.compile(r"\n|;|(?<=[\w)}\"'])(?<![Mm]ax)\.\s|[,}]\s*[\"'`*]|\band [\"'`]")
EMPTY_ELSEWHERE = r"\b(?:leer(?:e[nrs]?|es)?|vides?|vac[ií][oa]s?|vazi[oa]s?|vuot[oaie])\b|пуст|空"
"""Words of other languages for what is left empty."""
_SAYS = re.compile(r"[\"'`*_]*\s*(?:[:=(–—-]|(?:is|must|should|has to|as|in)\b)", re.IGNORECASE)


def beside_key(name: str, text: str, says: re.Pattern[str] = _SAYS, *, most: int = 90) -> Iterator[re.Match[str]]:
    """Each place of a key, as a match whose group ``said`` is what follows it up to the next key or sentence.

    Args:
        says: What has to follow the key, so that the words are said of it.
        most: Characters that are looked at: what a value's form is comes first.
    """
    # "Title: max 60 characters" is said of "title".
    own = rf"(?<![\w-]){'(?i:' + re.escape(name) + ')' if len(name) > 2 else re.escape(name)}"
    said = re.compile(rf"{own}(?P<said>(?![\w-])(?:.|\n){{0,{most}}})")
    for match in re.finditer(rf"{own}(?![\w-])", text):
        stop = _STOP.search(text, match.end() + 1)
        end = min(stop.start() if stop else len(text), match.end() + most)
        whole = said.fullmatch(text, match.start(), end)
        if whole is not None and says.match(whole["said"]):
            yield whole


ValueChange = Callable[[str, dict[str, Any], int], dict[str, Any]]
"""Gets the key of a value (empty if it has none), its schema, and how many lists are between both."""


def with_each_value(schema: Mapping[str, Any], change: ValueChange, name: str = "", lists: int = 0) -> dict[str, Any]:
    """A schema with each value that is no object and no list changed.

    Args:
        name: The key that holds the schema.
        lists: The lists of that key that it is in.
    """
    node = dict(schema)
    if isinstance(node.get("properties"), Mapping):
        children = node["properties"].items()
        return {**node, "properties": {key: with_each_value(child, change, key) for key, child in children}}
    if isinstance(node.get("items"), Mapping):
        return {**node, "items": with_each_value(node["items"], change, name, lists + 1)}
    return change(name, node, lists)


def is_open_text(node: Mapping[str, Any]) -> bool:
    """Whether a value is a text, or null, of which the schema says no labels and no form."""
    return node.get("type") in ("string", ["string", "null"]) and not {"enum", "format", "pattern"} & set(node)


_ISO_WORDS = r"ISO(?:[ -]?8601)?(?:[ -]formatted)?"
_DATE = re.compile(
    rf"(?<![\w-])(?:YYYY-MM-DD(?![\w-]|[ T]?[Hh]{{2}})|{_ISO_WORDS} dates?\b(?!\W{{0,3}}(?:and |or )?time)|dates? in (?:the )?{_ISO_WORDS}\b(?!\W{{0,3}}(?:date)?-?time))"
)
_ALL_DATES = re.compile(
    r"\b(?:(?:all|any|every|the) )?dates?\b[^.\n]{0,30}\b(?:in|as|are|be|use|using|format\w*|to)\b[^.\n\"']{0,30}\Z|\buse\b[^.\n\"']{0,20}\Z",
    re.IGNORECASE,
)
_FOR_DATES = re.compile(r"\W*(?:for|in) (?:all |any |the |every )?dates?\b|(?<=dates)\W", re.IGNORECASE)
_OF_INPUT = re.compile(
    r"\b(?:inputs?|given|logs?|lines|transcripts?|contains?|today|current|receives?|provided)\b", re.IGNORECASE
)
# A text that is no whole date may stand there: nothing, a word, a year.
_NO_DATE = re.compile(
    EMPTY_ELSEWHERE
    + r"|\b(?:empty|blank)\b(?! (?:json )?(?:arrays?|lists?|objects?|\[))|(?<![\"'])(?:\"\"|'')(?![\"'])|(?<!\w)N/A\b|[\"'`](?:unknown|none|n/?a|not [\w ]+|missing|unspecified|undated|present|current|today|ongoing|tbd)[\"'`]|\b(?-i:UNKNOWN|NONE|TBD|PRESENT|MISSING|NOT_FOUND)\b"
    r"|\b(?:write|say|use|put|set|answer|return|enter|give|state|to|as|or|else|otherwise|with)\b,? (?:it )?(?:the word )?(?:unknown|none|missing|unclear|unspecified|ongoing|present|current|undated|not (?!null)[a-z]+)\b(?! (?:of|is|are)\b)"
    r"|\bYYYY(?:-MM)?(?![\w-])|\b(?:partial|approximate|relative|incomplete)\b[^.\n]{0,20}\bdates?\b|\bonly (?:the |a )?(?:years?|months?)\b|\bas (?:written|printed|stated|shown|it (?:is|stands))\b|\bplaceholder\b",
    re.IGNORECASE,
)
_SAMPLE = re.compile(r"\"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])\"")
_MORE = re.compile(
    r"\bor\b(?!\s+(?:else |otherwise )?null\b)|\bto YYYY|\bif\b(?![^.\n]*\bnull\b)(?<!null if)|\b0000\b|\brange\b|\be\.g|\bfor example|\blist of\b"
)


def with_dates(document: PromptText, schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema whose texts have the format ``date`` where they are whole dates and nothing else by the prompt's words.

    A sample says it only of what may be null.
    """
    text = document.text
    if not (_DATE.search(text) or _SAMPLE.search(text)) or _NO_DATE.search(text):
        return dict(schema)
    every = _all_dates(text)

    def dated(name: str, node: dict[str, Any], _: int) -> dict[str, Any]:
        if not (name and is_open_text(node)):
            return node
        said = _is_date(name, text) or ("date" in _words(name) and (every or _shown(node, name, text)))
        return {**node, "format": "date"} if said else node

    return with_each_value(schema, dated)


def _all_dates(text: str) -> bool:
    """Whether a sentence says of every date of the answer how it is written."""
    for date in _DATE.finditer(text):
        begin = max(text.rfind("\n", 0, date.start()), text.rfind(". ", 0, date.start())) + 1
        before = text[begin : date.start()]
        if _OF_INPUT.search(before) or MASK in before or _MORE.search(before):
            continue
        lead = _ALL_DATES.search(before)
        plural = re.search(r"\bdates\b", before + date[0], re.IGNORECASE)
        if lead and (plural or _FOR_DATES.match(text, date.end())):
            return True
    return False


def _shown(node: Mapping[str, Any], name: str, text: str) -> bool:
    """Whether dates are all that the form shows of a key, and null is for what has none."""
    if node.get("type") == "string":
        return False
    samples = re.findall(rf"[\"']{re.escape(name)}[\"']\s*:\s*[\"']([^\"'\n]*)[\"']", text)
    return bool(samples) and all(re.fullmatch(_SAMPLE, f'"{sample}"') for sample in samples)


def _words(name: str) -> set[str]:
    return {word.lower().removesuffix("s") for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)}


def _is_date(name: str, text: str) -> bool:
    """Whether each place that says something of a key's form says that it is a date."""
    found = False
    for place in beside_key(name, text):
        dates = list(_DATE.finditer(place["said"]))
        if _MORE.search(place["said"]) or len(dates) > 1:
            return False
        found = found or len(dates) == 1
    return found


# Days and years also in German, French and Spanish: TT.MM.JJJJ, JJ/MM/AAAA
_PLACE = r"(?:D{1,2}|d{1,2}|T{1,2}|M{1,2}|m{1,2}|[YyJA]{4}|[YyJ]{2}|H{1,2}|h{1,2}|S{2}|s{2})"
_FORM = re.compile(rf"(?<![\w./:-]){_PLACE}(?:[./:-]{_PLACE}){{1,2}}(?![\w/:-]|\.\w| ?[AaHh][Mm]?\b)")
_ISO_FORM = re.compile(r"YYYY-MM-DD", re.IGNORECASE)
# Something else may stand there.
_ELSE = re.compile(
    EMPTY_ELSEWHERE
    + r"|\b(?:(?:empty|blank)(?! (?:json )?(?:arrays?|lists?|objects?|\[))|unknown|partial|approximate|placeholder|TBD)\b|(?<![\"'])(?:\"\"|'')(?![\"'])|(?<!\w)N/A\b|\bas (?:written|printed|stated|shown)\b",
    re.IGNORECASE,
)
_MORE_THAN_FORM = re.compile(
    r"\bor\b(?!\s+(?:else |otherwise )?null\b)|\brange\b|\be\.g|\bfor example|\blist of\b|\bto [DMYHdmyh]"
)


def with_date_patterns(document: PromptText, schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema whose texts have a pattern where the prompt says a form of dates or times, and nothing else may stand there."""
    text = document.text
    if not _FORM.search(text) or _ELSE.search(text):
        return dict(schema)

    def formed(name: str, node: dict[str, Any], _: int) -> dict[str, Any]:
        free = name and is_open_text(node) and "maxLength" not in node
        form = _form_of(name, text) if free else None
        return {**node, "pattern": f"^{_FORM_PART.sub(_digits, re.escape(form))}$"} if form else node

    return with_each_value(schema, formed)


_FORM_PART = re.compile(r"[A-Za-z]+")


def _digits(part: re.Match[str]) -> str:
    # One letter is a number as it is: D.M.YYYY
    return r"\d{1,2}" if len(part[0]) == 1 else rf"\d{{{len(part[0])}}}"


def _form_of(name: str, text: str) -> str | None:
    """The one form that is said of a key wherever its form is spoken of."""
    forms: set[str] = set()
    for place in beside_key(name, text):
        found = _FORM.findall(place["said"])
        if found and (_MORE_THAN_FORM.search(place["said"]) or len(found) > 1):
            return None
        forms.update(found)
    form = forms.pop() if len(forms) == 1 else ""
    dated = re.search(r"[YyHhDdJ]", form) and not _ISO_FORM.fullmatch(form)
    return form if dated else None


_CHARACTERS = re.compile(
    r"\b(?:max(?:imum)?\.?(?: of| length:?(?: of)?)?|up to|at most|under|below|(?:less|fewer) than|no (?:more|longer) than|not (?:more|longer) than|not exceeding|within|limited to|limit(?:ed)?:?(?: to)?|≤|<=)[ ~]*"
    r"(?P<most>\d{1,5})[ -]?(?:characters?|chars?)\b|(?<![\d.,])(?P<after>\d{1,5})[ -]?(?:characters?|chars?) (?:max(?:imum)?|at most|or (?:less|fewer)|limit)\b",
    re.IGNORECASE,
)
_ABOUT = re.compile(r"\b(?:about|around|approximately|roughly|approx\.?|ideally)\b|~", re.IGNORECASE)
_EACH = re.compile(r"\b(?:each|every|per (?:item|entry|line|element))\b", re.IGNORECASE)
# What follows a key and is said of it
_SAYS_LENGTH = re.compile(
    r"[\"'`*_]*(?:\s*(?:[:=(,–—-]|(?:is|must|should|has to|as|max|up to|at most|of (?:max|up to|at most|no more than))\b)|[ \t]{2,}\w|\t)",
    re.IGNORECASE,
)
_FAR = 160


def with_lengths(document: PromptText, schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema whose texts have ``maxLength``, in characters, where the prompt says one beside the key and no other."""
    text = document.text
    if not _CHARACTERS.search(text):
        return dict(schema)

    def bounded(name: str, node: dict[str, Any], lists: int) -> dict[str, Any]:
        free = name and lists < _NESTED and is_open_text(node) and "maxLength" not in node
        # What is said of a list's key may be said of the whole list.
        most = _length_said(name, text, each=lists > 0) if free else None
        return node if most is None else {**node, "maxLength": most}

    return with_each_value(schema, bounded)


_NESTED = 2


def _length_said(name: str, text: str, *, each: bool) -> int | None:
    """The one length that is said of a key."""
    found: set[int] = set()
    for place in beside_key(name, text, _SAYS_LENGTH, most=_FAR):
        before = text[max(text.rfind(sign, 0, place.start()) for sign in ("\n", ". ")) + 1 : place.start()]
        of_each = _EACH.search(before) or _EACH.search(place["said"])
        if not _ABOUT.search(place["said"]) and bool(of_each) == each:
            found |= {int(length["most"] or length["after"]) for length in _CHARACTERS.finditer(place["said"])}
    return found.pop() if len(found) == 1 and 0 not in found else None


_HALF = r"half[- ](?:(?:points?|marks?|stars?|steps?|grades?|bands?)(?: steps?)?)"
_STEPS = re.compile(
    rf"\b(?:use|give|award|choose|assign|have|with|in|including|allow)\s+(?:also |even )?{_HALF}\b|\b{_HALF}\s+(?:are |is |may be |can be )?(?:also )?(?:allowed|possible|welcome|permitted|ok|okay|fine|used|given)\b"
    r"|\b(?:steps|increments|multiples|intervals) of (?P<step>0?\.5|0?\.25|1/2|a half|half)\b",
    re.IGNORECASE,
)
_NOT = re.compile(
    r"\b(?:no|not|never|without|avoid)\b|n['’]t\b|\b(?:deduct|subtract|minus|take off|remove|add)\b", re.IGNORECASE
)


# "half points are allowed for style"
_OF_OTHER = re.compile(
    r" (?:for|on|in) (?!(?:the |your |each |every |all |any )?(?:scores?|ratings?|grades?|marks?|numbers?|scales?|it|them|all|each|between|case|both)\b)\w",
    re.IGNORECASE,
)


def with_steps(document: PromptText, schema: Mapping[str, Any]) -> dict[str, Any]:
    """A form with the steps of its numbers, if the prompt allows parts of a whole one and all of them have one range."""
    steps = {step for match in _STEPS.finditer(document.text) if (step := _step(document.text, match))}
    ranges = {(one.get("minimum"), one.get("maximum")) for one in _numbers(schema)}
    if not len(steps) == len(ranges) == 1:
        return dict(schema)
    step = steps.pop()
    return with_each_value(schema, lambda _name, node, _lists: _stepped(node, step))


def _step(text: str, match: re.Match[str]) -> float:
    """The step that words allow; 0 if their sentence denies it, or speaks of what is taken off."""
    begin = begin_of(text, match.start(), ("\n", ". ", "! ", "? ", ";"))
    if _NOT.search(text, begin, match.end()) or _OF_OTHER.match(text, match.end()):
        return 0
    return 0.25 if (match["step"] or "").endswith("25") else 0.5


def _numbers(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The ranges of numbers in a form."""
    inner = [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]
    own = [schema] if _is_number(schema) else []
    return [*own, *(one for child in inner for one in _numbers(child))]


def _is_number(schema: Mapping[str, Any]) -> bool:
    kinds = schema.get("type")
    return bool({"integer", "number"} & set([kinds] if isinstance(kinds, str) else kinds or ()))


def _stepped(node: dict[str, Any], step: float) -> dict[str, Any]:
    if not _is_number(node) or not {"minimum", "maximum"} <= set(node) or "enum" in node:
        return node
    nullable = isinstance(node["type"], list)
    return {**node, "type": ["number", "null"] if nullable else "number", "multipleOf": step}


def with_formats(document: PromptText, schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema with what the prompt says of the dates, the lengths of texts and the steps of numbers in it."""
    return with_steps(document, with_lengths(document, with_date_patterns(document, with_dates(document, schema))))
