"""What prose says beside the name of a known key: a range in brackets, how many there are at most, what each one has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from promptopt.structured.fields import MASK, PromptText, Span, UnreadForm, object_schema
from promptopt.structured.prose.choices import labels
from promptopt.structured.prose.counts import NUMERALS, number_of
from promptopt.structured.prose.described import described
from promptopt.structured.prose.key_statements import stated_in_lines, stated_in_sentence
from promptopt.structured.prose.wording import is_numeric, number_range, or_null

_NUMBER = r"-?\d+(?:\.\d+)?"
_SEVERAL = "|".join(word for word, number in NUMERALS.items() if 2 <= number <= 10)
_LISTED = re.compile(r"(?P<items>(?:[ \t]*\n)?(?:[ \t]*(?:[-*•]|\d+[.)])[ \t]+[^\n]+\n?)+)")
_WHERE_KNOWN = re.compile(
    r"\b(?:if|when|where) (?:it is |they are )?(?:stated|given|known|mentioned|available|any|present|provided|applicable)\b"
)


def _spoken(name: str) -> str:
    """A pattern of a key as prose writes it: ``matchScore`` is "match score"."""
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name) or [name]
    return r"[ _-]?".join(map(re.escape, words))


def bounds_beside(name: str, document: PromptText) -> dict[str, Any]:
    """The range in brackets after a key's name: "Match Score (0-100)"; ``{}`` if there is none or several that differ."""
    said = rf"(?<!\blow )(?<!\bmedium )(?<!\bmoderate )(?<!\bhigh )\b{_spoken(name)}"
    span = rf"(?P<low>{_NUMBER})\s*(?:-|–|to)\s*(?P<high>{_NUMBER})\b"
    beside = rf"{said}(?: score| level| rating| value)?[\"'`*_]*:?[*_]*\s*\((?:[a-z]+,? ){{0,3}}{span}[^()\n]{{0,40}}\)"
    # "3. **confidence** - how sure you are (0 to 1)"
    ends = rf"^[ \t]*(?:[-*•]|\d+[.)])[ \t]+[*_`\"']*{_spoken(name)}[*_`\"']*[ \t]*(?:[-–—:][^\n()]*)\({span}\)[ \t.]*$"
    # "- Confidence 0.0-1.0: 1.0 = certain"
    heads = rf"^[ \t]*(?:[-*•]|\d+[.)])[ \t]+[*_`\"']*{_spoken(name)}(?: range| score| value)?[*_`\"']*:?[ \t]+{span}[*_]*[ \t]*(?:[:.,;(]|$)"
    found = [
        number_range(match["low"], match["high"])
        for pattern in (beside, ends, heads)
        for match in re.finditer(pattern, document.text, re.IGNORECASE | re.MULTILINE)
    ]
    scale = bool(found) and found[0].get("minimum") in (-10, -1, 0, 1)  # 0.7 to 0.9 is a part of one
    return found[0] if scale and all(one == found[0] for one in found) else {}


def with_bounds(name: str, schema: dict[str, Any], document: PromptText) -> dict[str, Any]:
    """A number with the range that the prose gives beside its name; of an object, its only number that has none."""
    if isinstance(schema.get("properties"), Mapping):
        open_ones = [key for key, child in schema["properties"].items() if _is_open_number(key, child)]
        if len(open_ones) == len(schema["properties"]) and (bounds := _bounds_said(name, document)):
            children = {key: _bounded(child, bounds) for key, child in schema["properties"].items()}
            return {**schema, "properties": children}
        if len(open_ones) != 1 or not (bounds := bounds_beside(name, document)):
            return schema
        child = schema["properties"][open_ones[0]]
        return {**schema, "properties": {**schema["properties"], open_ones[0]: _bounded(child, bounds)}}
    if not _is_open_number(name, schema):
        return schema
    if schema == {"type": "number"} and re.search(
        rf"[\"'`]{re.escape(name)}[\"'`](?!\s*:)[^.\n]{{0,80}}\b(?:an? |as )(?:integer|whole number)\b",
        document.text,
        re.IGNORECASE,
    ):
        schema = {"type": "integer"}  # its sample may be a mere 0
    return _bounded(schema, bounds_beside(name, document) or _bounds_said(name, document) or _least(schema))


# "<the number of people, at least 1>"
_AT_LEAST = re.compile(r"\bat least (?P<n>\d{1,6})\W*\Z", re.IGNORECASE)


def _least(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The lower bound with which the place of a number ends; ``{}`` if it has none."""
    said = _AT_LEAST.search(str(schema.get("description", "")))
    return {"minimum": int(said["n"])} if said else {}


def _bounds_said(name: str, document: PromptText) -> dict[str, Any]:
    """The one range in a sentence that names a key in quotation marks: '"heat" goes from 0 to 1'; ``{}`` if none does."""
    found = [
        number_range(match["low"], match["high"])
        for match in re.finditer(
            rf"(?:[\"'`]{re.escape(name)}[\"'`](?!\s*:)|{_own(name)})(?:[^.\n]|\.\d)*?\b(?:between|from|(?:scale|range) (?:of|from))\s+(?P<low>{_NUMBER})(?:\s\([^()\n]{{1,60}}\))?(?:\s+(?:and|to)\s+|\s?[-–]\s?)(?P<high>{_NUMBER})\b(?!\s*(?:words|sentences|characters|items))",
            document.text,
            re.IGNORECASE,
        )
    ]
    found += [
        number_range(match["low"], match["high"])
        for match in re.finditer(
            rf"\bbetween (?P<low>{_NUMBER}) and (?P<high>{_NUMBER}) for [\"'`]?{re.escape(name)}\b",
            document.text,
            re.IGNORECASE,
        )
    ]
    found += [
        number_range(match["low"], match["high"])
        for match in re.finditer(
            rf"(?:[\"'`]{re.escape(name)}[\"'`](?!\s*:)|{_own(name)}) (?:should|must|has to|is|will|needs to|ranges?|goes)(?: always| only)?(?: be)?"
            rf"(?: an?)?(?: integer| whole number| number| float| decimal| score| value| percentage)?(?: in| of| on| from| between)? (?P<low>{_NUMBER})\s*(?:-|–|to|and)\s*(?P<high>{_NUMBER})\b"
            r"(?!\s*(?:words|sentences|characters|items))",
            document.text,
            re.IGNORECASE,
        )
    ]
    return found[0] if found and all(one == found[0] for one in found) else {}


def _own(name: str) -> str:
    """A pattern of a key without quotation marks, if no word of prose is spelled like it."""
    return rf"(?<![\w\"'`]){re.escape(name)}(?![\w\"'`])(?!\s*:)" if "_" in name else r"(?!)"


def _is_open_number(name: str, schema: Mapping[str, Any]) -> bool:
    number = schema.get("type") in ("integer", "number") or (is_numeric(name) and not set(schema) - {"description"})
    return number and not {"minimum", "enum"} & set(schema)


def _bounded(schema: Mapping[str, Any], bounds: Mapping[str, Any]) -> dict[str, Any]:
    if not bounds:
        return dict(schema)
    # A sample of 0 is no whole number if the range ends at 1.
    part = schema.get("type") == "integer" and bounds.get("maximum") == 1 and bounds.get("minimum") == 0
    return {**bounds, **schema, **({"type": "number"} if part else {})}


# "urgency must be one of: Low, Medium, High"
_MUST = r"[\"'`*]*\s+(?:(?:must|should|can only|may only|has to) be|is) (?:exactly |strictly )?(?:one of|either)\b(?: the following| these)?:?\s*(?P<list>[^\n;]{3,200})"
_STOP = re.compile(r"\.\s+(?=[\w\"'`])")
# "<one of the types above>"
_LISTED_ABOVE = re.compile(
    r"\W*(?:exactly )?one (?:of|from) (?:the )?(?:\w+ ){0,2}?(?P<noun>\w+?)s? (?:above|below|listed|listed above|listed below)\W*",
    re.IGNORECASE,
)


_ONE_OF = re.compile(r"\b(?:one of|either)\b", re.IGNORECASE)


def with_labels(name: str, schema: dict[str, Any], document: PromptText) -> dict[str, Any]:
    """A text with the labels that a sentence about its key lists, or that stand in the list its value points to."""
    if schema.get("type") != "string" or "enum" in schema:
        return schema
    found = [
        labels(_STOP.split(match["list"], maxsplit=1)[0].rstrip(" ."))
        for match in (
            re.finditer(rf"(?<!\w){re.escape(name)}(?!\w){_MUST}", document.text, re.IGNORECASE)
            if _ONE_OF.search(document.text)
            else ()
        )
    ]
    found = [one for one in found if len(one) > 1] + _below(name, document)
    pointed = _LISTED_ABOVE.fullmatch(schema.get("description", ""))
    if not found and pointed:
        found = _under_heading(pointed["noun"], document)
    if not found or len(found[0]) < 2 or any(set(one) != set(found[0]) for one in found):
        return schema
    return {**{key: value for key, value in schema.items() if not pointed or key != "description"}, "enum": found[0]}


def _below(name: str, document: PromptText) -> list[list[str]]:
    """The labels below a line that names a key and ends with "one of:"."""
    if not _ONE_OF.search(document.text):
        return []
    bare = rf"^[ \t]*{re.escape(name)}" if "_" in name else "(?!)"
    lead = re.compile(
        rf"(?:[\"'`*]{re.escape(name)}[\"'`*]+|{bare})[^\n]*\bone of(?: the following| these)?(?: \w+)?:[ \t]*\n(?P<items>(?:[ \t]*[-*•][ \t]+[^\n]+\n?){{2,}})",
        re.IGNORECASE | re.MULTILINE,
    )
    return [heads for match in lead.finditer(document.text) if (heads := _heads(match["items"]))]


_HEAD = re.compile(
    r"[ \t]*[-*•][ \t]+(?:[*_`\"']+(?P<quoted>[^*`\"'\n]{1,40})[*_`\"']+|(?P<head>\w[\w /-]{0,40}?)[ \t]*(?:[:–—(]|-\s|\Z))"
)


def _heads(items: str) -> list[str]:
    """What each line of a list begins with; empty if a line has no such head."""
    heads = [_HEAD.match(line) for line in items.splitlines() if line.strip()]
    return [head["quoted"] or head["head"] for head in heads if head] if all(heads) else []


def _under_heading(noun: str, document: PromptText) -> list[list[str]]:
    """The labels of each list whose heading ends with a noun: "## Kinds of ship" is none, "Ship kinds:" is one."""
    plural = rf"{re.escape(noun.removesuffix('ie'))}(?:s|es|ies|y)?"
    found = []
    for match in re.finditer(
        rf"^[ \t]*(?:#+[ \t]*|[*_]+)?(?:[\w ]+ )?{plural}[*_]*(?: \([^()\n]*\))?:?[*_]*[ \t]*\n\s*(?P<items>(?:[ \t]*[-*•][ \t]+[^\n]+\n?){{2,}})",
        document.text,
        re.IGNORECASE | re.MULTILINE,
    ):
        heads = _heads(match["items"])
        if not heads:
            return []
        found.append(heads)
    return found


def with_most(name: str, schema: dict[str, Any], document: PromptText) -> dict[str, Any]:
    """A list with the number of items that the prose allows: "maximum 8 candidate claims", "up to five keywords"."""
    if schema.get("type") != "array" or "maxItems" in schema:
        return schema
    last = re.findall(r"[A-Z]?[a-z]+|\d+", name)[-1:] or [name]
    noun = re.escape(last[0].lower().removesuffix("s"))
    found = {
        (number_of(match["n"]), bool(match["exact"]))
        for match in re.finditer(
            rf"\b(?:(?P<exact>exactly)|max(?:imum)?(?: of)?|at most|up to|no more than|not more than)\s+(?P<n>\d{{1,3}}|{_SEVERAL})\s+(?:(?!per\b|for\b|words\b)[\w-]+\s+){{0,2}}?{noun}s?\b",
            document.text,
            re.IGNORECASE,
        )
        if not _of_each(document.text, match.start(), match.end())
    }
    if not found and (span := _count_at_key(name, noun, document) or _count_of(name, document)):
        return {**schema, "minItems": span[0], "maxItems": span[1]}
    if len(found) != 1:
        return schema
    count, exact = found.pop()
    if exact and count == 1:
        return schema  # said of one case: "if there is one review, exactly 1 profile"
    return {**schema, **({"minItems": count} if exact else {}), "maxItems": count}


def with_least(name: str, schema: dict[str, Any], document: PromptText) -> dict[str, Any]:
    """A list of labels of which one at least is to be chosen: "choose one or more agents"."""
    if schema.get("type") != "array" or "minItems" in schema or "enum" not in schema.get("items", {}):
        return schema
    last = re.findall(r"[A-Z]?[a-z]+|\d+", name)[-1:] or [name]
    noun = re.escape(last[0].lower().removesuffix("s"))
    said = re.search(
        rf"\b(?:one or more|at least one)(?: of the)? (?:[\w-]+ ){{0,2}}?{noun}", document.text, re.IGNORECASE
    )
    return {**schema, "minItems": 1} if said else schema


# "Each year has exactly 3 films", "At most 2 films from the same country"
_EACH_HAS = re.compile(r"\b(?:each|every|per)\b[^.,;\n]*\Z", re.IGNORECASE)
_OF_ONE = re.compile(r"\s+(?:(?:from|of|in) (?:the same|one|each|every)|per|for (?:each|every))\b", re.IGNORECASE)


def _of_each(text: str, start: int, end: int) -> bool:
    """Whether a count is said of each of several things."""
    return bool(_EACH_HAS.search(text, max(0, start - 80), start) or _OF_ONE.match(text, end))


def _count_at_key(name: str, noun: str, document: PromptText) -> tuple[int, int] | None:
    """From how many to how many items a list has, if the line of its key begins with that: "tags: 2-4 tags"."""
    said = re.search(
        rf"^[ \t]*(?:[-*•]|\d+[.)])[ \t]+[*_`\"']*{re.escape(name)}[*_`\"']*:[*_]*[ \t]*(?P<low>\d{{1,2}})\s?[-–]\s?(?P<high>\d{{1,2}}) (?:[\w-]+ )?{noun}(?:s|es)?\b",
        document.text,
        re.IGNORECASE | re.MULTILINE,
    )
    return (int(said["low"]), int(said["high"])) if said and int(said["low"]) < int(said["high"]) else None


def _count_of(name: str, document: PromptText) -> tuple[int, int] | None:
    """From how many to how many things a prompt wants that are called like a list: "a list of 3-5 key points"."""
    found = {
        (int(match["low"]), int(match["high"]))
        for match in re.finditer(
            rf"(?<![\d.-])(?P<low>\d{{1,2}})\s?(?:-|–|to)\s?(?P<high>\d{{1,2}}) (?:(?:short|concise|specific|relevant|main|important) )?{_spoken(name)}\b",
            document.text,
            re.IGNORECASE,
        )
    }
    return found.pop() if len(found) == 1 and all(low < high for low, high in found) else None


# "For EACH:", said of whatever the lists hold
_EACH_OF_ALL = re.compile(
    r"^[ \t]*for each(?: one| of them| item| entry)?(?P<rest>:)[ \t]*$", re.MULTILINE | re.IGNORECASE
)


# "For every mail return id and label", and the list is called "results"
_ANY_THINGS = re.compile(r"(?:results?|items|entries|list|records|outputs?|answers?|data|rows|elements)", re.IGNORECASE)
_EACH_THING = re.compile(
    r"\bfor (?:each|every) (?:[\w-]+ ){0,2}?[a-z]+\b(?P<rest>(?=[,:]| (?:give|return|provide|extract|output|list|include))[^\n]*)",
    re.IGNORECASE,
)


def items_said(name: str, document: PromptText) -> dict[str, Any]:
    """What each item of a list has, if the prose lists it: "For each event, give:" and below it the keys.

    Raises:
        UnreadForm: The prose says what each item has, and not in a list of keys.
    """
    last = (re.findall(r"[A-Z]?[a-z]+|\d+", name) or [name])[-1].lower()
    thing = rf"(?:{re.escape(last.removesuffix('s'))}|{re.escape(last.removesuffix('es'))})"
    each = re.search(
        rf"\b(?:(?:for )?each|for every) (?:[\w-]+ ){{0,2}}?{thing}\b(?P<rest>[^\n]*)", document.text, re.IGNORECASE
    )
    if each is None and _ANY_THINGS.fullmatch(last):
        given = list(_EACH_THING.finditer(document.text))
        each = given[0] if len(given) == 1 else None
    if each is None:
        each = _EACH_OF_ALL.search(document.text)
    if each is None or not re.search(
        r":\s*\Z|\b(?:with|has|have|having|includes?|including|contains?|containing|provide|give|return|extract)\b",
        each["rest"],
    ):
        return {}
    return _object_of(name, document, each, _LISTED.match(document.text, each.end() + 1))


# 'JSON object with a "cards" array. Each element must have:'
_UNDER_KEY = re.compile(
    r"\bjson\b[^.\n]{0,60}?[\"'`](?P<name>\w+)[\"'`] (?:key |field )?(?:array|list)\b[^\n]{0,40}?\b(?P<each>each (?:element|item|object|entry|record)\b)(?P<rest>[^\n]*)",
    re.IGNORECASE,
)


def list_under_key(document: PromptText) -> tuple[str, dict[str, Any], Span] | None:
    """A list of objects under one key, whose keys are listed below; ``None`` if the prompt asks for no such thing.

    Raises:
        UnreadForm: What each object has is said in words, and not in a list of keys.
    """
    each = _UNDER_KEY.search(document.text)
    if each is None:
        return None
    listed = _LISTED.match(document.text, each.end() + 1)
    items = _object_of(each["name"], document, each, listed)
    end = listed.end() if listed else each.end()
    return each["name"], {"type": "array", "items": items}, Span(each.start(), end)


# "For each ship give:", "for every drug return"
_GIVES = re.compile(
    r"[ \t]*[,:]?[ \t]*(?:please |you (?:must|should) )?(?:provide|give|return|extract|report|state|list|output|include|write|(?:must |should )?(?:have|has|contains?|includes?))\b(?: the following| these| its| the)?(?: keys| fields)?:?[ \t]*",
    re.IGNORECASE,
)


def _object_of(name: str, document: PromptText, each: re.Match[str], listed: re.Match[str] | None) -> dict[str, Any]:
    """The keys that "For each ..." states, in its sentence or in the lines below it, each with what is said of it."""
    unread = UnreadForm(
        f"line {document.line(each.start())}: what each item of {name!r} has is said in words, and not read"
    )
    if MASK in each[0]:
        raise unread
    if each["rest"].rstrip(" *_\t").endswith(":"):
        stated = stated_in_lines(document.text, listed.start() + _blank(listed[0])) if listed else []
    else:
        gives = _GIVES.match(document.text, each.start("rest"))
        stated = stated_in_sentence(document.text, gives.end()) if gives else []
    properties: dict[str, Any] = {}
    for one in stated:
        schema = described(one.name, one.said)
        if schema is None or one.name in properties:
            raise unread
        properties[one.name] = or_null(schema) if _WHERE_KNOWN.search(one.said) else schema
    if len(properties) < (1 if listed else _SEVERAL_KEYS):
        raise unread
    return object_schema(properties)


_SEVERAL_KEYS = 2


def _blank(text: str) -> int:
    """How many signs of a text are a blank line at its begin."""
    begin = re.match(r"[ \t]*\n", text)
    return begin.end() if begin else 0
