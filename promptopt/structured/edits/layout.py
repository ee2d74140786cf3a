"""What a prompt says of the layout of an answer in text, which an answer in JSON has not: lines, tags, brackets, a bare word."""

from __future__ import annotations

import re
from collections.abc import Iterator

from promptopt.compression.edit import Edit
from promptopt.structured.fields import Inferred, PromptText, Span
from promptopt.structured.prose.wanted_alone import wanted_alone

_OF_LINES = frozenset(
    """line lines blank empty total per new separate each own tag tags block blocks numbering bullets newline newlines
    headings additional formatting list""".split()  # noqa: SIM905 - read as words
)
_OF_WORD = frozenset(
    """name matching chosen selected exact corresponding number digit letter plain itself alone else lowercase single
    integer numeric score rating most likely final best punctuation newline newlines whitespace""".split()  # noqa: SIM905 - read as words
)


def layout_words(document: PromptText, inferred: Inferred) -> frozenset[str]:
    """The words of sentences that say nothing but the layout which the form of an answer has in text."""
    if inferred.whole in ("JSON", "keys"):
        return frozenset()
    if inferred.whole == "labels" or any(item.schema.get("type") == "array" for item in inferred.fields):
        return _OF_LINES
    bare = len(inferred.fields) == 1 and {"enum", "minimum"} & set(inferred.fields[0].schema)
    return _OF_WORD | frozenset(wanted_alone(document).split()) if bare else frozenset()


LAYOUT_CUE = re.compile(r"\b(?:lines?|tags?|only|just|nothing|no)\b", re.IGNORECASE)
"""What a sentence about the layout has, beside words of :func:`layout_words`."""
COUNT_OF_LAYOUT = re.compile(r"\b\d+(?= (?:\w+ )?(?:lines|tags|blocks|parts|lines)\b)", re.IGNORECASE)
"""A number of lines, which says nothing of an answer in JSON."""

_BRACKETS = re.compile(
    r"(?:\b[Ii]nclude the (?:double |square )*brackets,? (?:so|e\.g\.?|i\.e\.?|that is)[,:]?[ \t\n]+)?"
    r"(?P<open>[\"“`']?)(?:[A-Z][\w ]{0,30}: ?)?\[\[(?P<label>[^\[\]\n]{1,20})\]\](?P<shut>[\"”`']?)"
)
_FORMAT_OF_PLACE = re.compile(
    r",? ?\b(?:by )?(?:strictly |exactly )?(?:following|using|in) (?:this|the following|the) format: ?[\"“`'](?:[A-Z][\w ]{0,30}: ?)?\[\[[^\[\]\n]{1,20}\]\][\"”`']",
    re.IGNORECASE,
)


# "Give up to five words, separated by commas.": how the items of a list are told apart.
_APART = re.compile(
    r",? (?:and )?(?:(?:each|all) )?(?:(?:one|each|every one|every \w+) (?:per line|on (?:its own|a (?:new|separate)) line)"
    r"|(?:sepa?e?rated|divided) by (?:an? )?(?:single )?(?:commas?|semicolons?|newlines?|line breaks?|pipes?))(?=[.,;](?:\s|\Z))",
    re.IGNORECASE,
)


def layout_edits(document: PromptText, inferred: Inferred, rule: str) -> Iterator[Edit]:
    """Labels in double brackets written as the values that they are, and what is said of brackets and dividers taken out."""
    if not inferred.whole and len(inferred.fields) == 1 and inferred.fields[0].schema.get("type") == "array":
        for match in _APART.finditer(document.text):
            if not document.depends(Span(*match.span())):
                yield Edit(match.start(), match.end(), "", rule, NO_DIVIDER)
    if not inferred.fields or not inferred.fields[0].source.startswith("double brackets"):
        return
    schema = inferred.fields[0].schema
    labels = {str(label) for label in schema.get("enum", ())}
    places = [match.span() for match in _FORMAT_OF_PLACE.finditer(document.text)]
    for start, end in places:
        yield Edit(start, end, "", rule, NO_BRACKETS)
    for match in _BRACKETS.finditer(document.text):
        label = match["label"].strip()
        if any(start <= match.start() < end for start, end in places):
            continue
        if label in labels or ("minimum" in schema and re.fullmatch(r"-?\d+", label)):
            yield Edit(match.start(), match.end(), f'"{label}"' if label in labels else label, rule, NO_BRACKETS)


NO_DIVIDER = "the schema has a list, and nothing between its items"
"""Why a sentence loses what it says of dividers; such an edit may be made within it."""
NO_BRACKETS = "the schema has no brackets"
"""Why a label loses its brackets; such an edit may be made within a sentence."""
