"""A form with the number of items that the prompt gives for its lists: by an order, in the line of a key, or in a place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from promptopt.structured.fields import MASK, PromptText, Span
from promptopt.structured.prose.counts import (
    A_NUMBER,
    FEWEST,
    OF_LENGTH,
    Count,
    bounded,
    number_of,
    one_at_least,
    ordered,
    plainly,
)

_MAY_BE_EMPTY = re.compile(
    r"\bempty (?:\w+ )?(?:lists?|arrays?)\b|(?<![\w\]])\[\s*\]|\b(?:may|can) be empty\b", re.IGNORECASE
)


def stem(word: str) -> str:
    """A word without the ending of its plural."""
    return word[:-3] + "y" if word.endswith("ies") else re.sub(r"(?<=[^s])(?:es|s)\Z", "", word).removesuffix("e")


def _is_of(count: Count, name: str) -> bool:
    """Whether the things of a count are what a list is called after."""
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+", name)]
    # "areas_for_improvement" is called after areas.
    head = next((words[:at] for at, word in enumerate(words) if at and word in ("for", "of", "to", "in")), words)
    return bool(head) and stem(head[-1]) in {stem(word) for word in count.what}


def _is_of_items(count: Count, child: Mapping[str, Any]) -> bool:
    """Whether the things of a count are what the first key of each item of a list is called after."""
    first = next(iter(child.get("items", {}).get("properties", {}).items()), None)
    # "category_name" is called after categories.
    named = first is not None and re.sub(
        r"(?<=[a-z])_?(?:name|title|text|id|label)\Z", "", first[0], flags=re.IGNORECASE
    )
    return first is not None and not _is_list(first[1]) and (_is_of(count, first[0]) or _is_of(count, named or ""))


def with_counts(
    document: PromptText, schema: Mapping[str, Any], covered: Sequence[Span], *, wrapped: bool
) -> dict[str, Any]:
    """A form with the counts that the orders of the prompt give for its lists.

    Args:
        schema: An object, or with ``wrapped`` the list that the answer is.
        covered: Where the form itself is: what it shows is no order.
    """
    text = document.masked((*covered, *document.conditional))
    counts = list(dict.fromkeys(ordered(text, alone=wrapped)))
    if wrapped:
        counts += [count for count in (*ordered(text), *bounded(text)) if _is_of_answer(count, schema, text)]
        counts += [count for count in plainly(text) if _is_of_items(count, schema)]
        bounds = {tuple(count.bounds.items()) for count in counts}
        only = len(bounds) == 1 and not _inner(schema, counts) and not _BY_VARIABLE.search(document.text)
        return _bounded(schema, dict(bounds.pop())) if only else dict(schema)
    some = () if _MAY_BE_EMPTY.search(document.text) else one_at_least(text)
    return _with_named(schema, list(dict.fromkeys([*counts, *bounded(text), *plainly(text), *some])), document.text)


def _is_of_answer(count: Count, schema: Mapping[str, Any], text: str) -> bool:
    """Whether the things of a count are the items of the list that the answer is: by their first key, or by an order."""
    if _is_of_items(count, schema):
        return True
    thing = re.escape(stem(count.what[-1])) if count.what else ""
    return bool(thing) and re.search(rf"{_LISTS}\b[^.\n]{{0,40}}\b{thing}\w{{0,3}}\b", text, re.IGNORECASE) is not None


_LISTS = r"\b(?:list|extract|generate|suggest|find|identify|name|propose|collect|array of|list of)"
# "Create a list of {count} questions": the other numbers are those of something else.
_BY_VARIABLE = re.compile(
    rf"\b(?:create|generate|write|produce|give|make|return|list)\b(?:(?! for )[^.\n]){{0,40}}?\$?(?:{MASK}+|\{{+[\w.]+\}}+) (?:[\w-]+ ){{0,3}}?[a-z]{{3,}}s\b",
    re.IGNORECASE,
)


def _bounded(schema: Mapping[str, Any], bounds: Mapping[str, int]) -> dict[str, Any]:
    """A list with a count, if it has no other one."""
    known = {key: schema[key] for key in ("minItems", "maxItems") if key in schema}
    return {**schema, **bounds} if all(bounds.get(key) == value for key, value in known.items()) else dict(schema)


def _inner(schema: Mapping[str, Any], counts: Sequence[Count]) -> bool:
    """Whether a count is that of a list within the items."""
    inner = schema.get("items", {}).get("properties", {})
    return any(_is_of(count, name) for name, child in inner.items() if child.get("type") == "array" for count in counts)


def _with_named(schema: Mapping[str, Any], counts: Sequence[Count], text: str) -> dict[str, Any]:
    properties = dict(schema.get("properties", {}))
    lists = [name for name, child in properties.items() if _is_list(child)]
    named = {name for name in lists if any(_is_of(count, name) for count in counts)}
    called = [name for name in lists if any(_is_of_items(count, properties[name]) for count in counts)]
    only = called if len(called) == 1 and not named else []
    for name in lists:
        child = properties[name]
        found = {
            tuple(count.bounds.items())
            for count in counts
            if _is_of(count, name) or (name in only and _is_of_items(count, child))
        }
        found |= {
            tuple(count.bounds.items())
            for count in (*_at_key(name, text), *_beside_key(name, text), *_at_first(name, text))
        }
        # "at least 1 and no more than 4 reasons" has "no more than 4 reasons" in it.
        found = {one for one in found if not any(set(one) < set(other) for other in found)}
        if len(found) == 1:
            properties[name] = _bounded(child, dict(found.pop()))
    return {**schema, "properties": properties} if properties else dict(schema)


def _at_key(name: str, text: str) -> Iterator[Count]:
    """The count that follows a key: "ports: array of 3 strings", "ports: 5 to 7 ports, in order"."""
    last = re.findall(r"[A-Z]?[a-z]+", name)[-1:]
    noun = stem(last[0].lower()) if last else name
    pattern = re.compile(
        rf"(?:^[ \t]*(?:[-*•]|\d+[.)])?[ \t]*[*_`\"']*|(?<=[.;] )){re.escape(name)}[*_`\"']*[ \t]*[:–—-][ \t]*(?:an? )?(?:(?:json )?(?:array|list) of )?(?P<exact>exactly )?(?P<low>{A_NUMBER})(?:\s?(?:-|–|to)\s?(?P<high>{A_NUMBER}))?(?![\w.])\s+"
        rf"(?!{OF_LENGTH})(?P<what>(?:[\w-]+ ){{0,3}}?(?:strings?|texts?|items?|entries|objects?|elements?|{noun}\w*))\b",
        re.IGNORECASE | re.MULTILINE,
    )
    for match in pattern.finditer(text):
        low, high = number_of(match["low"]), number_of(match["high"] or match["low"])
        if high >= FEWEST and low <= high and MASK not in match[0]:
            yield Count(low, high, ())


def _is_list(child: Mapping[str, Any]) -> bool:
    return child.get("type") == "array"


def _beside_key(name: str, text: str) -> Iterator[Count]:
    """The count in brackets in the line of a key: "ports: array of strings with the ports (at least 5)"."""
    for line in re.finditer(
        rf"^[ \t]*(?:[-*•]|\d+[.)])?[ \t]*[*_`\"']*{re.escape(name)}[*_`\"']*[ \t]*(?:\([^()\n]*\))?[ \t]*[:–—-][^\n]*\((?P<bound>at least|at most|up to|max(?:imum)?|min(?:imum)?) (?P<n>{A_NUMBER})\)",
        text,
        re.IGNORECASE | re.MULTILINE,
    ):
        least = line["bound"].lower() in ("at least", "min", "minimum")
        yield Count(number_of(line["n"]) if least else None, None if least else number_of(line["n"]), ())


def _at_first(name: str, text: str) -> Iterator[Count]:
    """The count that the first of several items shown for a list begins with."""
    for shown in re.finditer(rf"[\"']{re.escape(name)}[\"']\s*:\s*\[\s*[\"'](?P<first>[^\"'\n]+)[\"']\s*,", text):
        if (said := _AT_ITEM.match(shown["first"])) and not said["bound"]:
            low, high = int(said["low"]), int(said["high"] or said["low"])
            if high >= FEWEST and low <= high:
                yield Count(low, high, ())


# "List 3-5 strengths", as the first item of the list that it is said of
_AT_ITEM = re.compile(
    rf"\W*(?:list|provide|give|identify|name|suggest|include)?\s*(?P<bound>exactly |up to |at most |max(?:imum)? )?(?P<low>\d{{1,2}})(?:\s?(?:-|–|to)\s?(?P<high>\d{{1,2}}))?\s+(?!{OF_LENGTH})(?!\d)(?:[\w-]+\s+){{0,3}}?[a-z]{{2,}}s\b",
    re.IGNORECASE,
)


def with_count_of_items(schema: dict[str, Any]) -> dict[str, Any]:
    """Lists with the count that the description of their items begins with."""
    if isinstance(schema.get("properties"), Mapping):
        return {
            **schema,
            "properties": {name: with_count_of_items(child) for name, child in schema["properties"].items()},
        }
    items = schema.get("items")
    if not isinstance(items, Mapping):
        return schema
    if "properties" in items:
        return {**schema, "items": with_count_of_items(dict(items))}
    said = _AT_ITEM.match(str(items.get("description", "")))
    if not said or {"minItems", "maxItems"} & set(schema) or items.get("type") != "string":
        return schema
    low, high = int(said["low"]), int(said["high"] or said["low"])
    bound = (said["bound"] or "").strip().lower()
    if high < FEWEST or low > high:
        return schema
    # What is said of all items is said of the list.
    plain = {key: value for key, value in items.items() if key != "description"}
    least = {} if bound in ("up to", "at most", "max", "maximum") else {"minItems": low}
    return {**schema, "items": plain, **least, "maxItems": high, "description": items["description"]}
