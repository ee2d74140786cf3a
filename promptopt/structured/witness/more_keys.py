"""A second reading of lists of fields: each that a prompt lists as one, or adds to the form, must have been read.

It shares no pattern with the readers that propose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from promptopt.structured.fields import MASK, Inferred, PromptText, field_name
from promptopt.structured.witness.accounts import instructions
from promptopt.structured.witness.keys import KeyOfSchema, shortened

_FIELDS = r"(?:fields|keys|properties|attributes|columns|data points)"
_HEAD = re.compile(
    rf"^[ \t#*_>]*(?![-•\d])(?P<head>[^\n:]{{0,60}}?\b{_FIELDS}\b[^\n:]{{0,40}}|(?:please )?(?:extract|return|give|report|capture|fill in)(?: (?:these|the following|all of these))?)(?::[*_ \t]*|[*_ \t]*)\n(?:[ \t]*\n)?(?P<items>(?:[ \t]*(?:[-*•]|\d+[.)])[ \t]+[^\n]+(?:\n|\Z))+)",
    re.IGNORECASE | re.MULTILINE,
)
_NOT_ANSWER = re.compile(
    r"\b(?:inputs?|given|receive|provided|available|database|tables?|not|never|without|ignore|no|don['’]t|rules?|about|above|source|original)\b",
    re.IGNORECASE,
)
_NAME = re.compile(
    r"[ \t]*(?:[-*•]|\d+[.)])[ \t]+(?P<open>[*_\"'`]*)(?P<name>[A-Za-z][\w-]*(?: [\w-]+){0,2}?)(?P<shut>[*_\"'`]*)(?:\s*\([^()\n]*\))?[*_]*[ \t]*(?P<sign>[:=–—]|-[ \t]|$)"
)
_IN_LINE = re.compile(
    rf"^[ \t#*_]*(?:the )?(?:{_FIELDS})(?: (?:of the answer|to (?:extract|return|fill)|needed|wanted|required))?[*_]*:[*_]*[ \t]+(?P<list>[\"'`]?[A-Za-z_]\w*[\"'`]?(?:\s*\([^()\n]*\))?(?:,? (?:and )?[\"'`]?[A-Za-z_]\w*[\"'`]?(?:\s*\([^()\n]*\))?)+)[ \t.]*$",
    re.IGNORECASE | re.MULTILINE,
)
_ADDS = re.compile(
    r"\b(?:add|include|append|attach|put in|insert)\b[^.;\n]{0,20}?\b(?:the |an? |another |one more )(?:extra |further |additional |second |third |new |boolean |integer )?(?:key|field|property|attribute|column)\s+(?:called |named )?[\"'`*]*(?P<name>[A-Za-z_][\w-]*)[\"'`*]*",
    re.IGNORECASE,
)
_NAMELESS = frozenset(
    [
        "that",
        "which",
        "with",
        "for",
        "if",
        "only",
        "is",
        "to",
        "of",
        "and",
        "or",
        "in",
        "names",
        "name",
        "values",
        "value",
        "when",
        "from",
        "as",
        "called",
        "named",
        "where",
    ]
)
# "Add the town if you know it."
_IF_KNOWN = re.compile(
    r"(?:^|[.!?]\s+)(?:please )?(?:add|include|append|mention|give) (?:the|an?|its|any) (?P<what>[^.;,\n]{2,40}?),? (?:if|when|where|in case)\b",
    re.IGNORECASE | re.MULTILINE,
)
# "Add why as a third key"
_AS_KEY = re.compile(
    r"\b(?:add|include|put|use|give|append)\b [\"'`*]*(?:the |a |an )?(?P<name>[A-Za-z_][\w-]*)[\"'`*]* as (?:an?|the|another|one more) (?:\w+ )?(?:key|field|property|column)\b",
    re.IGNORECASE,
)
_ALSO = re.compile(
    r"(?:^|[.!?]\s+)(?:please )?(?:also|in addition,?|additionally,?|besides,?|furthermore,?)\s+(?:please )?(?:give|return|extract|add|state|include|output|list|report|provide|name|note|say|write|mention)\s+(?P<what>[^.;\n]{2,60})",
    re.IGNORECASE | re.MULTILINE,
)


def more_keys(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Fields that the prompt lists or adds, and that were not read; each with its line."""
    text = instructions(document, found)
    read = _Read(found, leaves)
    yield from _listed(document, text, read)
    yield from _added(document, text, read)
    yield from _besides(document, text, read)


class _Read:
    """What was read: the keys, their words, and the labels."""

    def __init__(self, found: Inferred, leaves: Sequence[KeyOfSchema]) -> None:
        self._keys = {field_name(leaf.name) for leaf in leaves} | {leaf.name.casefold() for leaf in leaves}
        self._labels = {label.casefold() for leaf in leaves for label in leaf.labels}
        self._told = str([dict(item.schema) for item in found.fields]).casefold()
        self._words = {word.removesuffix("s") for name in self._keys for word in re.findall(r"[a-z]{3,}", name)}

    def has(self, name: str) -> bool:
        """Whether a name is a key, a label or a word of a description."""
        folded = name.casefold()
        return folded in self._keys | self._labels or field_name(name) in self._told or folded in self._told

    def speaks_of(self, said: str) -> bool:
        """Whether words have one of a key."""
        return bool(self._words & {word.removesuffix("s") for word in re.findall(r"[a-z]{3,}", said.lower())})


def _listed(document: PromptText, text: str, read: _Read) -> Iterator[str]:
    """Items of lists that are headed as fields."""
    for block in _HEAD.finditer(text):
        if _NOT_ANSWER.search(block["head"]):
            continue
        listed = re.search(rf"\b{_FIELDS}\b", block["head"], re.IGNORECASE) is not None
        for line in block["items"].splitlines():
            item = _NAME.match(line)
            if item is None or MASK in line or read.has(item["name"]) or read.speaks_of(item["name"]):
                continue
            plain = not (item["open"] or "_" in item["name"] or item["sign"])
            if not plain and (listed or item["sign"]):
                yield f"line {document.line(block.start())}: {shortened(item['name'])!r} is in the list {shortened(block['head'])!r}, and was not read"
    for match in _IN_LINE.finditer(text):
        names = re.findall(r"(?!and\b)\b[A-Za-z_]\w*", re.sub(r"\([^()]*\)", "", match["list"]))
        for name in names if len(names) > 1 else ():
            if not read.has(name):
                yield f"line {document.line(match.start())}: {name!r} is in a list of fields, and was not read"


def _added(document: PromptText, text: str, read: _Read) -> Iterator[str]:
    """Keys that an order adds by name."""
    for match in (*_ADDS.finditer(text), *_AS_KEY.finditer(text)):
        name = match["name"].casefold()
        begin = text.rfind("\n", 0, match.start()) + 1
        if name not in _NAMELESS and not read.has(name) and not _NOT_ANSWER.search(text, begin, match.start()):
            yield f"line {document.line(match.start())}: {shortened(match[0])!r}: {match['name']!r} was not read"


_OF_REASON = re.compile(r"\b(?:expla\w+|reason\w*|why|it|them|that|this|json)\b", re.IGNORECASE)


def _besides(document: PromptText, text: str, read: _Read) -> Iterator[str]:
    """What is to be given besides, in words that no key has."""
    for match in (*_IF_KNOWN.finditer(text), *_ALSO.finditer(text)):
        if MASK not in match[0] and not read.speaks_of(match["what"]) and not _OF_REASON.search(match["what"]):
            yield f"line {document.line(match.start())}: {shortened(match[0].lstrip('.!? '))!r}: no field is for it"
