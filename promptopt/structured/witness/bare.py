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
    if len(found.fields) == 1:
        yield from _lines_after(document, text)
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
