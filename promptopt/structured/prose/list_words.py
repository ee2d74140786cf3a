"""What words for a list say of it: "array of at most 4 strings", "list, any of: hull, mast, keel"."""

from __future__ import annotations

import re
from typing import Any

from promptopt.structured.prose.alternatives import TYPES, noted_labels
from promptopt.structured.prose.counts import NUMERALS, number_of

TO_TEN = "|".join(word for word, number in NUMERALS.items() if number <= 10)
AT_MOST = re.compile(
    rf"\b(?:at most|up to|max(?:imum)?(?: of)?|no more than)\s+(?P<n>\d{{1,4}}|{TO_TEN})\b(?!\s*(?:words|characters|sentences))",
    re.IGNORECASE,
)
_EXACTLY = re.compile(
    rf"\b(?:list|array)s? of exactly (?P<n>[2-9]|\d\d|{TO_TEN}) (?!words|characters|sentences)[a-z]",
    re.IGNORECASE,
)
OBJECTS = frozenset(
    {"object", "dict", "dictionary", "dictionarie", "map", "record", "tuple", "pair", "entry", "entrie"}
)


# "array of strings from: hull, mast, keel", and nothing after it
_CHOSEN_FROM = re.compile(
    r"\b(?:list|array)s? of (?:strings?|labels?|tags?|values?),? (?:chosen |taken |drawn )?(?:from|out of|among):\s*(?P<list>[^:;.()\n]{5,300})[.)]*\Z",
    re.IGNORECASE,
)


# "list of 2-3 short bullets", "array of at most 4 objects"
_SO_MANY = re.compile(
    rf"\b(?:list|array)s? of (?:the )?(?P<bound>exactly |only |between |from |up to |at most |no more than |a maximum of |max(?:imum)? |at least |a minimum of )?(?P<low>\d{{1,3}}|{TO_TEN})(?:\s?(?:-|–|to|and|or) ?(?P<high>\d{{1,3}}|{TO_TEN}))?\s+"
    r"(?!(?:words?|sentences?|characters?|lines?|paragraphs?|letters?|digits?|tokens?)\b)(?P<things>(?:(?!of\b|for\b|from\b|in\b|that\b|which\b|each\b)[\w'-]+ ){0,4}?[a-z]{2,}s)\b",
    re.IGNORECASE,
)


def _so_many(words: str) -> tuple[dict[str, int], str]:
    """The number of items that a list is said to be of, and what they are; nothing if it is said of each of them."""
    said = _SO_MANY.search(words)
    if said is None or re.match(r"\s+(?:per|for each|for every|from each)\b", words[said.end() :]):
        return {}, ""
    low, high = number_of(said["low"]), number_of(said["high"] or said["low"])
    bound = (said["bound"] or "").strip().lower()
    if low > high or high < 1:
        return {}, ""
    least = {} if bound in ("up to", "at most", "no more than", "a maximum of", "max", "maximum") else {"minItems": low}
    most = {} if bound in ("at least", "a minimum of") else {"maxItems": high}
    return {**least, **most}, said["things"].split()[-1].lower()


# "(list, any of: hull, mast, keel)"
_ANY_OF = re.compile(
    r"\b(?:any|one or more|zero or more|some|a subset) of:?\s+(?P<list>[A-Za-z][\w-]*(?: [\w-]+)?(?:,\s*(?:or |and )?[A-Za-z][\w-]*(?: [\w-]+)?)+)[.)]*\Z",
    re.IGNORECASE,
)


def list_of(what: str, words: str) -> dict[str, Any] | None:
    """An array of ``what``, with the labels or the count that the words give; ``None`` if of objects nobody described."""
    count, things = _so_many(words)
    thing = (things or what).removesuffix("s")
    if thing in OBJECTS:
        return None
    if chosen := _CHOSEN_FROM.search(words) or _ANY_OF.search(words):
        labels = noted_labels(f"one of {chosen['list'].strip(' .()')}")
        if labels:
            return {"type": "array", "items": {"type": "string", "enum": labels}}
    number = (
        thing in ("id", "index", "indice") and re.search(r"\b(?:integers?|numbers?|indices)\b", words)
    ) or re.search(r"\b(?:list|array)s? of (?:[\w-]+ ){0,3}[\w-]+,? \(?(?:integers|ints)\b", words)
    exact = _EXACTLY.search(words)
    most = exact or AT_MOST.search(words)
    items = {"type": TYPES.get(thing) or ("integer" if number else "string")}
    if count:
        return {"type": "array", "items": items, **count}
    least = {"minItems": number_of(exact["n"])} if exact else {}
    return {"type": "array", "items": items, **least, **({"maxItems": number_of(most["n"])} if most else {})}
