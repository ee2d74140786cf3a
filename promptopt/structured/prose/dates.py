"""Texts that are dates by what the prompt says of them: "<YYYY-MM-DD>", "due: ISO date", "all dates as YYYY-MM-DD"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from promptopt.structured.fields import MASK, PromptText
from promptopt.structured.prose.beside_keys import EMPTY_ELSEWHERE, beside_key
from promptopt.structured.prose.each_value import is_open_text, with_each_value

_ISO = r"ISO(?:[ -]?8601)?(?:[ -]formatted)?"
_DATE = re.compile(
    rf"(?<![\w-])(?:YYYY-MM-DD(?![\w-]|[ T]?[Hh]{{2}})|{_ISO} dates?\b(?!\W{{0,3}}(?:and |or )?time)|dates? in (?:the )?{_ISO}\b(?!\W{{0,3}}(?:date)?-?time))"
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
        said = _said_of(name, text) or ("date" in _words(name) and (every or _shown(node, name, text)))
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


def _said_of(name: str, text: str) -> bool:
    """Whether each place that says something of a key's form says that it is a date."""
    found = False
    for place in beside_key(name, text):
        dates = list(_DATE.finditer(place["said"]))
        if _MORE.search(place["said"]) or len(dates) > 1:
            return False
        found = found or len(dates) == 1
    return found
