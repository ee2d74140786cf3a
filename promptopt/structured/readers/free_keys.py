"""Keys that are labels of a list, "return each label as a key", and keys that only take the place of others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from promptopt.structured.fields import BOUNDARY, MASK, Field, Inferred, PromptText, Span, begin_of, conditional_part
from promptopt.structured.prose.described import described
from promptopt.structured.prose.key_statements import stated_in_sentence
from promptopt.structured.prose.list_counts import stem
from promptopt.structured.prose.wording import number_range

_NUMBERED = re.compile(r"(?P<stem>.*?\D)(?P<number>\d+)")
# {"key": "value"} stands for whatever there is.
_ANY_KEY = re.compile(r"(?:key|param|parameter|arg|argument|variable|field)s?(?:[_ ]?name|[_ ]?\d+)?")
# "2. Who signed it?"
_NUMBERED_LINE = re.compile(
    rf"^[ \t]*(?:[-*•][ \t]+)?[\"'(]?(?P<number>\d{{1,2}})[.):][ \t]+[^\s{MASK}{{]", re.MULTILINE
)


def is_map(properties: Mapping[str, Any]) -> bool:
    """Whether the keys are numbered, so that others may follow: ``document_1``, ``document_2``."""
    if all(name.isdigit() or _ANY_KEY.fullmatch(name) for name in properties):
        return True
    numbered = [match["stem"] for name in properties if (match := _NUMBERED.fullmatch(name))]
    return len(numbered) > 1 and len(numbered) == len(properties) and len(set(numbered)) == 1


# "0: joy, 1: anger, 2: fear"
_NUMBERED_HERE = re.compile(r"(?<![\w.])\d{1,2}[:=] ?[A-Za-z][\w ]*(?:[,;] \d{1,2}[:=] ?[A-Za-z][\w ]*)+")


def are_items(properties: Mapping[str, Any], text: str) -> bool:
    """Whether the keys are the numbers of a list of the prompt, from the first to the last: there are no others."""
    if not all(name.isdigit() for name in properties):
        return _begin_lines(list(properties), text)
    keys = list(properties)
    for listed in _NUMBERED_HERE.finditer(text):
        if re.findall(r"(\d{1,2})[:=]", listed[0]) == keys:
            return True
    runs: list[list[str]] = []
    for match in _NUMBERED_LINE.finditer(text):
        if match["number"] == "1" or not runs:
            runs.append([])
        runs[-1].append(match["number"])
    return len(runs) == 1 and runs[0] == keys and keys == [str(number) for number in range(1, len(keys) + 1)]


def _begin_lines(names: list[str], text: str) -> bool:
    """Whether each key begins a line that says what it is, and the one that would be next begins none."""
    numbered = [match for name in names if (match := _NUMBERED.fullmatch(name))]
    if len(numbered) < len(names):
        return False
    further = f"{numbered[-1]['stem']}{int(numbered[-1]['number']) + 1}"
    begin = r"^[ \t]*(?:[-*•][ \t]+)?[*_`]*{}[*_`]*[ \t]*[:.)=][ \t]*\S"
    lines = [re.search(begin.format(re.escape(name)), text, re.MULTILINE) for name in (*names, further)]
    return all(lines[:-1]) and lines[-1] is None


_NOUN = r"(?P<noun>[a-z]{4,}?)"
_EACH = r"(?:each|every)(?: of the)?(?: \w+ing)?"
# "a JSON object with each category as a key", "where each topic is a key", "one boolean per category (... is the key)"
_AS_KEY = re.compile(
    rf"\b(?:{_EACH} {_NOUN}(?: name)? (?:as|is|being|should be|must be|becomes) (?:a|the|its|their own|its own) (?:json )?keys?\b"
    r"|\bwith (?:those|these|the above|the listed|the following|the) (?:[a-z]+ (?=names|labels))?(?P<names>[a-z]{4,}) as (?:the |its |json )?keys\b"
    rf"|(?:one|a) (?P<kind>boolean|number|integer|score|bool) (?:per|for each|for every) (?P<noun2>[a-z]{{4,}}?)(?= ?\([^()\n]*\bkey\b|[.\n]))",
    re.IGNORECASE,
)
_VALUES = (
    (re.compile(r"\b(?:true (?:or|/|and) false|true/false|boolean|bool)\b", re.IGNORECASE), "boolean"),
    (
        re.compile(
            r"\b(?:scores?|ratings?|grades?|numbers?|probabilit(?:y|ies)|confidence|integers?)\b", re.IGNORECASE
        ),
        "number",
    ),
)
_RANGE = re.compile(
    r"\b(?:from|between|of|in)?\s*(?<![\d.,-])(?P<low>[01](?:\.0)?)\s?(?:-|–|to|and)\s?(?P<high>\d{1,3}(?:\.\d+)?)(?![\d-])(?!\.\d)",
    re.IGNORECASE,
)
_PLUS = re.compile(
    r"\b(?:plus|and|as well as|along with|together with)(?: also)? (?=(?:an?|the|your) [\"'`]|[\"'`])", re.IGNORECASE
)
_SOME = re.compile(r"\b(?:that|which|only|if|mentioned|present|found|applicable|relevant|any)\b", re.IGNORECASE)
_MARK = r"(?:[-*•]|\d{1,2}[.)])[ \t]+"
_LABEL = r"[\"'`*]*[A-Za-z][\w-]*(?: [a-z][\w-]*)?[\"'`*]*"


def keys_of_labels(document: PromptText) -> Inferred | None:
    """The object; ``None`` if the prompt wants none, or its labels or their values are not told plainly."""
    orders = list(_AS_KEY.finditer(document.text))
    if len(orders) != 1:
        return None
    order = orders[0]
    begin, end = _sentence(document.text, order.start(), order.end())
    sentence = document.text[begin:end]
    if order["names"]:
        listed = _alone(document.text, order.start())
    else:
        listed = _labels(document.text, (order["noun"] or order["noun2"]).lower(), Span(begin, end))
    if listed is None or MASK in sentence or not re.search(r"\bjson\b", document.text, re.IGNORECASE):
        return None
    labels, span = listed
    plus = _PLUS.search(document.text, order.end(), end)
    if not _shown_among(document.text, labels):
        return None
    value = _value(document.text[order.start() : plus.start() if plus else end], order["kind"] or "", document.text)
    if not value or _SOME.search(document.text[order.end() : plus.start() if plus else end]):
        return None
    properties = dict.fromkeys(labels, value)
    if plus:
        further = stated_in_sentence(document.text, plus.end())
        added = {one.name: described(one.name, one.said) for one in further}
        if not added or None in added.values() or not added.keys().isdisjoint(properties):
            return None
        properties |= {name: schema for name, schema in added.items() if schema is not None}
    covered = (span, Span(begin, end))
    line = document.line(begin)
    fields = tuple(Field(name, schema, f"labels as keys, line {line}", line) for name, schema in properties.items())
    return conditional_part(document, covered) or Inferred(fields, covered=covered, whole="JSON")


def _sentence(text: str, start: int, end: int) -> tuple[int, int]:
    """The sentence around a place, and the one after it that says what the value is."""
    begin = begin_of(text, start, ("\n", ". ", "! ", "? ", BOUNDARY))
    stop = re.compile(r"[.!?](?=\s|\Z)|\n|\Z").search(text, end)
    end = stop.start() if stop else len(text)
    further = re.compile(r"\. (?:use|set|put|the value|its value|values)[^.\n]*", re.IGNORECASE).match(text, end)
    return begin, further.end() if further else end


def _value(said: str, kind: str, text: str) -> dict[str, Any]:
    """What each key holds; empty if that is not told, or has parts."""
    if _OF_PARTS.search(said, re.match(r"[^.\n]*?\bkeys?\b|", said, re.IGNORECASE).end()):  # type: ignore[union-attr]
        return {}
    found = [what for pattern, what in _VALUES if pattern.search(f"{said} {kind}")]
    if found == ["boolean"]:
        return {"type": "boolean"}
    if found != ["number"]:
        return {}
    ranges = {(match["low"], match["high"]) for match in _RANGE.finditer(text)}
    return number_range(*ranges.pop()) if len(ranges) == 1 else {}


def _labels(text: str, noun: str, order: Span) -> tuple[list[str], Span] | None:
    """The labels of the one list that is called by a noun, in its line or below it."""
    plural = rf"(?:\w+ )?{re.escape(stem(noun)[:-2])}\w{{1,5}}"
    heads = re.compile(
        rf"^[^\n.]*?\b{plural}[*_]*:[*_]*[ \t]*(?:(?P<line>[^\n.]+)|\n(?:[ \t]*\n)?(?P<items>(?:[ \t]*{_MARK}[^\n]+(?:\n|\Z)){{2,}}))",
        re.IGNORECASE | re.MULTILINE,
    )
    inline = re.compile(rf"(?:(?<=[.?!] )|^){plural}:[ \t]*(?P<line>[^\n.]+)", re.IGNORECASE | re.MULTILINE)
    found = {
        match.span(): match
        for match in (*heads.finditer(text), *inline.finditer(text))
        if not Span(*match.span()).overlaps(order) or match["line"]
    }
    lists: list[tuple[list[str], Span]] = []
    for match in found.values():
        parts = _parts(match.groupdict().get("line") or "", match.groupdict().get("items") or "")
        if parts and not any(parts == other for other, _ in lists):
            lists.append((parts, Span(*match.span())))
    return lists[0] if len(lists) == 1 else None


_OF_PARTS = re.compile(r"\b(?:objects?|dict\w*|lists?|arrays?|reasons?|explanations?|justifications?)\b", re.IGNORECASE)


# "rain, snow, hail", and nothing else in the line
_ALONE = re.compile(r"^[ \t]*(?P<line>[A-Za-z]\w*(?:,[ \t]*(?:and |or )?[A-Za-z]\w*){2,})\.?[ \t]*$", re.MULTILINE)


def _alone(text: str, before: int) -> tuple[list[str], Span] | None:
    """The one line above an order that has nothing but names with commas between them."""
    lines = list(_ALONE.finditer(text, 0, before))
    parts = _parts(lines[0]["line"], "") if len(lines) == 1 else []
    return (parts, Span(*lines[0].span("line"))) if parts else None


def _shown_among(text: str, labels: list[str]) -> bool:
    """Whether each object that a prompt shows goes on with dots, and has no key but labels."""
    for match in re.finditer(r"\{\s*[\"'][^{}]*\}", text):
        keys = set(re.findall(r"[\"']([\w -]+)[\"']\s*:", match[0]))
        if not keys <= set(labels) or (keys < set(labels) and not re.search(r"(?:\.\.\.|…)\s*\}\Z", match[0])):
            return False
    return True


def _parts(line: str, items: str) -> list[str]:
    """The labels of a line or of items; empty if one of them is none."""
    if items:
        heads = [re.match(rf"[ \t]*{_MARK}(?P<label>{_LABEL})[ \t]*(?:[:(–—-]|\Z)", one) for one in items.splitlines()]
        parts = [head["label"] for head in heads if head]
        whole = len(parts) == len(heads)
    else:
        parts = re.split(r"\s*,\s*(?:and\s+|or\s+)?|\s+(?:and|or)\s+", line.strip())
        whole = all(re.fullmatch(_LABEL, part) for part in parts)
    parts = [part.strip("\"'`*") for part in parts]
    return parts if whole and len(set(parts)) == len(parts) > 1 and MASK not in line + items else []
