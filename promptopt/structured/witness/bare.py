"""A second reading of a bare value: what it may be in some case, what comes after it, and an answer that is shown as JSON.

It shares no pattern with the readers that propose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from promptopt.structured.fields import MASK, Inferred, PromptText
from promptopt.structured.witness.accounts import instructions
from promptopt.structured.witness.facts import CLAUSE, DENIED, fractions, numbers_of, within
from promptopt.structured.witness.keys import KeyOfSchema, shortened


def bare_doubted(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """What a bare value that was read cannot be, or has not, though the prompt asks for it; each with its line."""
    text = instructions(document, found)
    yield from _numbers_of_cases(document, text, leaves)
    yield from _or_else(document, text, leaves)
    yield from fractions(document, text, leaves)
    if len(found.fields) == 1 and not any(leaf.listed for leaf in leaves):
        yield from _placed(document, text)
        yield from _lines_after(document, text)
        yield from _labels_are_keys(document, text, leaves)
    if shown := _SHOWN.search(text):
        yield f"line {document.line(shown.start())}: {shortened(shown[0])!r} shows an object, and a bare value was read"


_SHOWN = re.compile(r"\{\s*[\"'][A-Za-z][\w -]*[\"']\s*:\s*[^\s}]")


_OR_ELSE = re.compile(
    r"\bor (?:with |return |answer |just )?(?:[\"'`“](?P<quoted>[^\"'`”\n]{1,30})[\"'`”]|(?P<plain>[A-Z][A-Z/]+(?:_[A-Z]+)*))(?=\s+(?:if|when|where|for|otherwise)\b)"
)


def _or_else(document: PromptText, text: str, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """A word that a value may be instead: "the integer, or N/A if one of them is empty"."""
    known = {label.casefold() for leaf in leaves for label in leaf.labels}
    for match in _OR_ELSE.finditer(text):
        value = match["quoted"] or match["plain"]
        if value.casefold() not in known and MASK not in value:
            yield f"line {document.line(match.start())}: {shortened(match[0])!r}: no value that was read can be {value!r}"


_AFTER = re.compile(
    r"\b(?:then|below (?:it|that)|after (?:it|that)|underneath|(?:on|in) (?:a|the) (?:second|next|third|new|separate|following) line)\b[^.\n]{0,40}\b(?:quote|cite|list|name|copy|repeat)\b",
    re.IGNORECASE,
)


def _lines_after(document: PromptText, text: str) -> Iterator[str]:
    """What is to stand below a label: "and then, on a second line, quote the sentence"."""
    for match in _AFTER.finditer(text):
        if not DENIED.search(text[: match.start()].rpartition("\n")[2]):
            yield f"line {document.line(match.start())}: {shortened(match[0])!r}: the answer goes on after the value that was read"


# "On the very last line write the winner", "Limit your ruling to two paragraphs": the value is a part of something longer.
_PLACED = re.compile(
    r"\b(?:on|in) (?:a|the|its|your) (?:very )?(?:new|next|second|third|last|final|following|separate) line\b|\b(?:begin|start|end|finish|conclude)s? (?:it |your (?:answer|response|reply|output|ruling|text) )?with [\"'`“]"
    r"|\b(?:two|three|four|five|[2-9]) (?:short |full )?paragraphs\b",
    re.IGNORECASE,
)
_OF_REASON = re.compile(r"\b(?:expla\w+|justif\w+|reason\w*|rationale|why|think\w*)\b", re.IGNORECASE)


_NEAR = 80


def _placed(document: PromptText, text: str) -> Iterator[str]:
    """Orders that give a value its place in a longer answer."""
    for clause in CLAUSE.finditer(text):
        match = _PLACED.search(clause[0])
        # A reason beside the value is read with it.
        near = text[max(0, clause.start() - _NEAR) : clause.end()]
        if match and not _OF_REASON.search(near) and not DENIED.search(clause[0][: match.start()]):
            line = document.line(clause.start() + match.start())
            yield f"line {line}: {shortened(match[0])!r}: the value that was read has a place in a longer answer"


def _labels_are_keys(document: PromptText, text: str, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Labels each of which has values of its own: "kind|size" and "kind is bulk or parcel. size is S, M or L"."""
    for leaf in leaves:
        told = [
            match
            for label in leaf.labels
            if (
                match := re.search(
                    rf"(?<!\w){re.escape(label)} (?:is|are|must be|can be) [\w-]+(?:, [\w-]+)*(?:,? or|,) [\w-]+", text
                )
            )
        ]
        if len(told) > 1:
            yield f"line {document.line(told[0].start())}: {shortened(told[0][0])!r}: a label that was read has values of its own"


_NUMBER_CASE = re.compile(
    r"\b(?:return|output|answer(?: with)?|give|respond with|reply with|write|use|say|print|score(?: it)?|assign)\s+(?:it |a |an |the |score |of |value |number )*(?P<n>-?\d+(?:\.\d+)?)(?![\w%]|\.\d|\s?(?:-|–|to|or)\s?\d|\s+[a-z]+s\b)",
    re.IGNORECASE,
)


def _numbers_of_cases(document: PromptText, text: str, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Numbers that a bare value may be in some case, and that its schema has not: "if it cannot be determined return 0"."""
    for clause in CLAUSE.finditer(text):
        if not re.search(r"\b(?:if|when|unless|otherwise|else)\b", clause[0], re.IGNORECASE):
            continue
        for match in _NUMBER_CASE.finditer(clause[0]):
            if not DENIED.search(clause[0][: match.start()]) and not any(
                _may_be(leaf, float(match["n"])) for leaf in leaves
            ):
                yield f"line {document.line(clause.start() + match.start())}: {shortened(match[0])!r}: no value that was read can be {match['n']}"


def _may_be(leaf: KeyOfSchema, number: float) -> bool:
    if leaf.kinds & {"number", "integer"}:
        return not leaf.bounded or within(leaf, number)
    return not leaf.labelled or number in numbers_of(leaf)
