"""Labels right after the noun that a key is called by: "a binary score 'yes' or 'no'", "the grade is PASS or FAIL"."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from promptopt.structured.fields import MASK, PromptText, begin_of
from promptopt.structured.prose.choices import enum
from promptopt.structured.prose.key_clauses import words_of
from promptopt.structured.prose.label_items import Item, items_at
from promptopt.structured.prose.plain_labels import is_denied, is_known_label

_JOINT = r"[\"'`*]*(?:,|:| of| as| is| are| must be| should be| can be| will be| has to be)?(?: either| only| just| exactly| one of| always)*:? *\(?"
# The task gives it, or says what it is; "reviews that carry the grade" have it.
_GIVES = re.compile(
    r"(?:\A|[,;:(]|\b(?:and|then|to|please|must|should|also|finally|first|with|plus)\b)\W*(?:give|assign|provide|return|output|write|answer|respond|reply|add|set|mark|report|include|choose|pick|state|end|use|decide|determine|judge|your)\b",
    re.IGNORECASE,
)
# "The grade is PASS or FAIL": of the rest nobody says whose it is.
_IS = re.compile(r"\b(?:is|are|must|should|can|will|has to)\b|:")
_OF_INPUT = re.compile(
    r"\b(?:that|which|who|carry|carries|comes? with|has|have|had|shows?|contains?|given|counts?|words|terms)\b",
    re.IGNORECASE,
)
_END = re.compile(r"[ \t]*(?:[.;\n]|\Z)")
_LONGEST = 4


def with_labels_after_noun(name: str, schema: Mapping[str, Any], document: PromptText) -> dict[str, Any]:
    """A text, or a number by its name alone, with the labels that follow its noun, if all places agree.

    Args:
        schema: ``{"type": "number"}`` only if nothing but the name says so.
    """
    known = dict(schema)
    if known not in ({"type": "string"}, {"type": "number"}) or not re.fullmatch(r"[A-Za-z][\w -]*", name):
        return known
    noun = re.compile(rf"(?<![\w\"'`.-]){words_of(name)}{_JOINT}(?=[\"'`“A-Za-z\d-])", re.IGNORECASE)
    own = "_" in name or re.search(r"[a-z][A-Z]", name) is not None
    found = [
        labels
        for match in noun.finditer(document.text)
        if (labels := _labels(document.text, match, spelled=own and match[0].startswith(name)))
    ]
    if not found or any(set(labels) != set(found[0]) for labels in found):
        return known
    return enum(found[0])


def _labels(text: str, noun: re.Match[str], *, spelled: bool) -> list[str]:
    """The labels after a noun; empty if there are none, or the sentence speaks of what is given.

    Args:
        spelled: Whether the noun is spelled as the key and no word of prose is.
    """
    begin = begin_of(text, noun.start(), ("\n", ". ", "! ", "? "))
    before = text[begin : noun.start()]
    if MASK in before or is_denied(text, noun.start()) or _OF_INPUT.search(before):
        return []
    items = items_at(text, noun.end())
    if items is None or not any(item.joint in ("or", "/", "|") for item in items):
        return []
    alone = before.strip(" *-#").lower() in ("", "the") and _IS.search(noun[0]) is not None
    whole = alone and (spelled or _END.match(text, items[-1].end) is not None)
    if not (whole or _GIVES.search(before)):
        return []
    values = [item.said(text) for item in items]
    if any(item.article for item in items) or len({value.casefold() for value in values}) < len(values):
        return []
    return values if _are_labels(items, values) else []


def _are_labels(items: Sequence[Item], values: Sequence[str]) -> bool:
    """Whether words are labels by their marks or capitals, or are such as everybody takes for labels."""
    if any(len(value.split()) > _LONGEST for value in values):
        return False
    quoted = [item.quoted for item in items]
    if all(quoted) or any(quoted):
        return all(quoted)
    return all(is_known_label(value) or re.fullmatch(r"[A-Z][A-Z\d_]+|-?\d{1,2}", value) for value in values)
