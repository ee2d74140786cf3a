"""The parts of an answer by their names: headings that it is to use, bold names, a short list below "Return:"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import regex

from promptopt.structured.fields import (
    MASK,
    Field,
    Inferred,
    PromptText,
    Span,
    conditional,
    field_name,
    object_schema,
    scan,
)
from promptopt.structured.prose.counts import NUMERALS, bounds_of, number_of
from promptopt.structured.prose.described import described
from promptopt.structured.prose.said_of_keys import with_most

_HEADING = regex.compile(
    r"^(?P<marks>#{1,4})[ \t]+(?P<name>[A-Za-z][\w '’/&-]{1,50}?)[ \t]*:?[ \t]*(?:\n|\Z)", regex.MULTILINE
)
_WHAT = r"(?:headings?|headers?|sections?|structure|markdown structure)"
# "Use exactly these headings.", below them
_ABOVE = re.compile(
    rf"\b(?:use|keep|write|with|follow)\b[^.\n]{{0,20}}\b(?:exactly |only |just )?(?:these|the above|the same|those)(?: exact| same| (?P<n>\w+))? {_WHAT}\b(?![^.\n]*\b(?:if|where|when|as needed)\b)",
    re.IGNORECASE,
)
# "Use the following headings:", above them
_BELOW = re.compile(
    rf"\b(?:use|with|has|have|using|in|write|structure\w*|organi[sz]e\w*)\b[^.:\n]{{0,40}}\b(?:the following|these|the)(?: exact| same| (?P<n>\w+))? {_WHAT}\b[^.:\n]{{0,40}}:[ \t]*\n",
    re.IGNORECASE,
)
A_NUMBER = rf"(?:\d{{1,2}}|{'|'.join(NUMERALS)})"
_COUNT = re.compile(
    rf"\b(?P<bound>up to |at most |at least |exactly |max(?:imum)? )?(?P<low>{A_NUMBER})(?:\s?(?:-|–|to)\s?(?P<high>{A_NUMBER}))?[\w ]{{0,20}}?(?:bullets?|bullet points|items|points|entries)\b",
    re.IGNORECASE,
)
_LIST = re.compile(r"\A\s*(?:[-*•]\s)|\bbullet|\b(?:numbered |bulleted |short )?list\b", re.IGNORECASE)
_FOR_EACH = re.compile(
    r"\A\s*(?:list )?(?:for each|each with|one per line, each with)(?: [\w ]{1,30})?[:,] ?(?P<keys>[^\n:]+?)\.?\s*\Z",
    re.IGNORECASE,
)
_VALUE = re.compile(
    r"\b(?:one of|either|rate|rating|score|grade|json|table|yes or no|true or false)\b|\w ?\| ?\w|[a-z]/[a-z]+\b[^\n]*\Z",
    re.IGNORECASE,
)
_KEY = re.compile(r"[a-z][a-z-]*(?: [a-z-]+){0,2}", re.IGNORECASE)
FEWEST = 2
# Another heading, or a label with a variable below it: there the answer's parts end.
_FURTHER = regex.compile(rf"^#{{1,6}}[ \t]|^[\w ]{{2,40}}:[ \t]*\n?[ \t]*{MASK}", regex.MULTILINE)


def plain_headings(document: PromptText) -> Iterator[tuple[Field, Span]]:
    """The headings that an order points at, up to one that the prompt fills in itself."""
    text = document.text
    found = [match for match in scan(_HEADING, text) if MASK not in match["name"]]
    for order in _BELOW.finditer(text):
        yield from _fields(document, _run([match for match in found if match.start() >= order.end() - 1]), order)
        return
    for order in _ABOVE.finditer(text):
        before = [match for match in found if match.start() < order.start()]
        after = [match for match in found if match.start() > order.start()]
        yield from _fields(
            document,
            _run([match for match in before if not after or match["marks"] == before[-1]["marks"]]),
            order,
            order.start(),
        )
        return


def _run(matches: Sequence[re.Match[str]]) -> Sequence[re.Match[str]]:
    """The first headings of one level."""
    level = [match["marks"] for match in matches]
    same = next((number for number, marks in enumerate(level) if marks != level[0]), len(level))
    return matches[:same]


def _fields(
    document: PromptText, matches: Sequence[re.Match[str]], order: re.Match[str], stop: int | None = None
) -> Iterator[tuple[Field, Span]]:
    text = document.text
    found: list[tuple[Field, Span]] = []
    for number, match in enumerate(matches):
        ends = [one.start() for one in matches[number + 1 : number + 2]] + ([stop] if stop else [])
        further = _FURTHER.search(text, match.end())
        ends += [further.start()] if further else []
        body = text[match.end() : min([*ends, len(text)])].strip()
        # The last one ends with its paragraph.
        body = body.split("\n\n")[0] if number == len(matches) - 1 else body
        if MASK in body:
            break
        labels = _labels(body)
        if not labels and _VALUE.search(body):
            return  # labels or a number, which are not read here
        line = document.line(match.start())
        found.append(
            (
                Field(field_name(match["name"]), labels or _schema(body), f"heading in the prose, line {line}", line),
                Span(match.start(), match.end() + len(body)),
            )
        )
    wanted = order["n"]
    counted = wanted and (wanted.isdigit() or wanted.lower() in NUMERALS) and number_of(wanted) != len(found)
    if (
        len(found) >= FEWEST
        and not counted
        and any(document.text[span.start : span.end].count("\n") for _, span in found)
    ):
        yield from found


# What belongs in a place, and is no label itself.
_PLACES = re.compile(
    r"(?:\w+ )?(?:name|title|text|date|time|city|country|address|person|company|phone|e-?mail|url|link|id|code|year|month|number|summary|description|comment|role|department|place|product|topic|reason|author)s?",
    re.IGNORECASE,
)
_WORD = re.compile(r"[A-Za-z][\w-]*(?: [\w-]+)?")
_SURELY = 3


def _labels(body: str) -> dict[str, Any]:
    """The labels that are all that a heading has below it: "Open / Waiting / Closed"; empty if it has something else."""
    parts = [part.strip(" *_`\"'") for part in re.split(r"\s*[|/]\s*", body.strip("().\n "))]
    plain = len(set(parts)) == len(parts) > 1 and all(_WORD.fullmatch(part) for part in parts)
    sure = len(parts) >= _SURELY or all(part[:1].isupper() for part in parts)
    if not plain or not sure or any(_PLACES.fullmatch(part) for part in parts):
        return {}
    return {"type": "string", "enum": parts}


def _schema(body: str) -> dict[str, Any]:
    """What belongs below a heading: a list, objects with the keys that "for each" names, or a text."""
    if each := _FOR_EACH.match(body):
        keys = [
            re.sub(r"\([^()]*\)", "", key).strip()
            for key in re.split(r",\s*(?:and\s+)?|\s+and\s+", re.sub(r"\([^()]*\)", "", each["keys"]))
        ]
        if len(keys) > 1 and all(_KEY.fullmatch(key) for key in keys):
            return {"type": "array", "items": object_schema({field_name(key): {"type": "string"} for key in keys})}
    if not _LIST.search(body):
        return {"type": "string"}
    schema: dict[str, Any] = {"type": "array", "items": {"type": "string"}}
    counts = list(_COUNT.finditer(body))
    if len(counts) != 1:
        return schema
    low, high = number_of(counts[0]["low"]), counts[0]["high"]
    if high:
        return schema | bounds_of("", low, number_of(high))
    return schema | bounds_of((counts[0]["bound"] or "").strip().lower(), low)


_BLOCK = regex.compile(
    r"^[ \t#*]*(?:output|response|answer|report) (?:requirements?|sections?|structure|format|parts)[ \t*]*:?[ \t*]*\n\s*(?P<items>(?:[ \t]*(?:[-*•]|\d+[.)])[ \t]+\*\*[A-Za-z][\w '’/&-]{1,60}:?\*\*:?[^\n]+(?:\n|\Z)(?:[ \t]*\n(?=[ \t]*(?:[-*•]|\d+[.)])[ \t]+\*\*))?){2,})",
    regex.MULTILINE | regex.IGNORECASE,
)
_ITEM = regex.compile(
    r"^[ \t]*(?:[-*•]|\d+[.)])[ \t]+\*\*(?P<name>[A-Za-z][\w '’/&-]{1,60}?):?\*\*:?[ \t]*(?P<said>[^\n]+)$",
    regex.MULTILINE,
)
# How an answer is written, and no part of it.
_MANNER = frozenset(
    [
        "tone",
        "length",
        "language",
        "style",
        "format",
        "audience",
        "voice",
        "clarity",
        "brevity",
        "accuracy",
        "structure",
        "formatting",
        "perspective",
        "word_count",
        "detail",
    ]
)
# A part of a part.
_SEVERAL_VALUES = re.compile(
    r"\b(?:rate|score|grade|for each|each with|json|table|one of|either)\b|\w\s?/\s?\w|\d\s?(?:-|–|to)\s?\d",
    re.IGNORECASE,
)
_LIST_OF = re.compile(
    r"\A\W*(?:an? )?(?:\w+ )?list of\b|\bbulleted list\b|\bbullet points?\b|\bnumbered list\b", re.IGNORECASE
)


def bold_sections(document: PromptText) -> Iterator[tuple[Field, Span]]:
    """The parts of the one such block, if each is a text or a list of texts."""
    blocks = list(scan(_BLOCK, document.text))
    if len(blocks) != 1:
        return
    items = list(scan(_ITEM, blocks[0]["items"]))
    names = {field_name(item["name"]) for item in items}
    if names & _MANNER or any(_SEVERAL_VALUES.search(item["said"]) or MASK in item[0] for item in items):
        return
    for item in items:
        start = blocks[0].start("items") + item.start()
        line = document.line(start)
        schema: dict[str, Any] = {"type": "string"}
        if _LIST_OF.search(item["said"]):
            schema = {"type": "array", "items": {"type": "string"}}
        yield (
            Field(field_name(item["name"]), schema, f"section in the prose, line {line}", line),
            Span(start, start + len(item[0])),
        )


_LEAD = regex.compile(
    r"(?:^|[.!?]\s+)[ \t]*(?:then |please |now |and )?(?:return|provide|output|respond with|answer with|give|reply with)(?: (?:me|us|only|exactly|the following|these|your answer as|as follows|the answer as|a response with|in this order|(?:two|three|four|five) (?:parts|things|items|fields)))*\s*:[ \t]*\n\s*"
    r"(?P<items>(?:[ \t]*(?:[-*•]|\d+[.)])[ \t]+[^\n]+(?:\n|\Z)){2,8})",
    regex.IGNORECASE | regex.MULTILINE,
)
_PART_ITEM = re.compile(
    r"[ \t]*(?:[-*•]|\d+[.)])[ \t]+(?P<open>[*_`\"']*)(?P<name>[A-Za-z][\w ]{0,30}?)[*_`\"']*[ \t]*(?::|[-–—](?=\s))[*_]*[ \t]*(?P<said>[^\n]+)"
)
_LABELS = re.compile(
    r"[\"'`]?[A-Za-z][\w-]*(?: [A-Za-z]\w*)?[\"'`]?(?:\s*[/|]\s*[\"'`]?[A-Za-z][\w-]*(?: [A-Za-z]\w*)?[\"'`]?)+\.?"
)
_LONGEST = 14
# What is more than one plain value.
_COMPOUND = re.compile(
    r"\b(?:each|every|per|along with|together with|as well as|including|with (?:a|an|its|their|the|scores?)|followed by|if|json|table|format|score\w* (?:and|for)|and (?:a|an|its|their|your|why|how|explain|give|provide))\b|:",
    re.IGNORECASE,
)
_WRITES_MORE = re.compile(
    r"\b(?:also|then|finally|additionally|after (?:that|this)|in addition)\b[^.\n]{0,20}\b(?:return|provide|give|write|add|include|list|explain|state|output)\b",
    re.IGNORECASE,
)


def told_parts(document: PromptText) -> Inferred | None:
    """The parts of the only such list; ``None`` if there is none, or one of its parts is not told plainly."""
    blocks = list(scan(_LEAD, document.text))
    if len(blocks) != 1 or MASK in blocks[0][0] or _WRITES_MORE.search(document.text):
        return None
    block = blocks[0]
    after = document.text[block.end() :].lstrip("\n")
    if re.match(r"[ \t]*(?:[-*•]|\d+[.)])[ \t]|[ \t]+\S", after):
        return None  # the list goes on
    fields: list[Field] = []
    start = block.start("items")
    for line in block["items"].splitlines(keepends=True):
        item = _PART_ITEM.fullmatch(line.rstrip("\n"))
        schema = _value(item["name"], item["said"], document) if item else None
        if item is None or not schema or len(item["name"].split()) > 3:
            return None
        number = document.line(start)
        name = item["name"] if re.fullmatch(r"[a-z]\w*", item["name"]) else field_name(item["name"])
        fields.append(Field(name, schema, f"part in the prose, line {number}", number))
        start += len(line)
    span = Span(*block.span())
    if len({field.name for field in fields}) < len(fields):
        return None
    return conditional(document, span) or Inferred(tuple(fields), covered=(span,), whole="keys")


def _value(name: str, said: str, document: PromptText) -> dict[str, Any]:
    """What a part holds; empty if that is not told plainly."""
    said = said.strip()
    if _LABELS.fullmatch(said):
        labels = [part.strip(" \"'`.") for part in re.split(r"[/|]", said)]
        return {"type": "string", "enum": labels} if len(set(labels)) == len(labels) else {}
    if len(said.split()) > _LONGEST or _COMPOUND.search(said):
        return {}
    schema = described(field_name(name), said)
    return with_most(name, schema, document) if schema else {}
