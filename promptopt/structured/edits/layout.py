"""What a prompt says of the layout of a text, which an answer in JSON has not, and what is left that asks for another form than JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from promptopt.compression.edit import Edit
from promptopt.structured.fields import Inferred, PromptText, Span
from promptopt.structured.prose.counts import NUMERALS
from promptopt.structured.prose.wanted_alone import wanted_alone
from promptopt.structured.witness.instructions import instructions

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


_NUMBER = rf"(?:\d+|{'|'.join(NUMERALS)})"
# What no answer under a schema is, whatever form was read.
_NEVER = re.compile(
    r"\bjson ?lines\b|\bjsonl\b|\bone (?:json )?object (?:per|on each|a) line\b"
    r"|\bno (?:surrounding|enclosing|outer|wrapping|enveloping) (?:array|list|brackets)\b"
    r"|\b(?:output|return|print|write|respond with|reply with|say|answer with|answer) nothing(?: at all)?(?=\s*(?:[.,;!\n]|\Z|if\b|when\b|in that case\b))"
    r"|\b(?:leave (?:the|your) (?:answer|output|response|reply) (?:empty|blank)|(?:return|output) an empty (?:response|answer|output|reply))\b"
    r"|\b(?:only|just|exactly|producing|output|of|to) (?:one|a single) token\b"
    r"|(?<!not )(?<!no )\b(?:in|as|only|just) plain text\b|^\W*plain text\b|(?<!no )\bplain[- ]text (?:only|answer|response|format)\b"
    r"|\b(?:not|never|without|no|n't|avoid)\b (?:use |return |output |write |answer in |respond in |in )?json\b",
    re.IGNORECASE | re.MULTILINE,
)
# What the answer in text has, and one in JSON has not; of JSON it is said of what a text in it holds.
_OF_TEXT = re.compile(
    rf"\b(?:in|exactly|only|of|on) {_NUMBER} (?:\w+ )?lines\b|\b(?:one|a single) (?:\w+ )?(?:per|a) line\b|\bfollowing this (?:exact )?format: ?[\"“`]|\beach (?:\w+ )?on (?:its own|a (?:new|separate)) line\b"
    r"|\b(?:sepa?e?rated|joined|divided)(?: (?:by|with))? (?:an? )?(?:commas?|semicolons?|newlines?|line breaks?|pipes?)\b|\b(?:comma|semicolon|newline|pipe|tab)[- ]separated\b"
    r"|\b(?:these|following|exact|below|above|same) (?:\w+ )?(?:headings|headers)\b"
    r"|\[RESULT\]|\[\[\s*\w|\b(?:as|in) (?:a |an )?(?:markdown )?(?:table|bullet(?:ed)? list|numbered list)\b",
    re.IGNORECASE,
)
# "Write a short comparison first": a text of the answer, for which a schema of one value has no place
_TEXT_FIRST = re.compile(
    r"(?:^|[.!?:;]\s|\b(?:please|then|and)\s)[ \t]*(?:[-*•]|\d+[.)])?[ \t]*(?:first,? )?(?:write|give|provide|start with|begin with|begin by writing|state|draft|note|list|summari[sz]e|describe|outline|compose|produce)\b"
    r"[^.\n]{0,80}\b(?:first|before (?:giving|stating|writing|you give|your (?:verdict|answer|score|rating|label|decision)))\b"
    r"|\bfirst,? (?:write|give|provide|state|draft|list|summari[sz]e|describe|outline|compose|produce)\b(?! (?:the|your|a|one|only)? ?(?:label|verdict|score|rating|answer|category|number)\b)",
    re.IGNORECASE | re.MULTILINE,
)
# "First list each claim. Then return JSON": a text before the JSON
_TEXT_THEN = re.compile(
    r"\bfirst,? (?:write|give|provide|state|draft|list|summari[sz]e|describe|outline|compose|produce|explain)\b[^.\n]*[.;,]\s+(?:then|after that|afterwards|next|finally),? (?:return|output|give|respond|write|provide|answer|print|end)\b",
    re.IGNORECASE,
)
_NEGATED = re.compile(r"(?:\b(?:not|never|no|without|avoid|don['’]t)\b)[^.\n]{0,30}\Z", re.IGNORECASE)


def form_left(document: PromptText, inferred: Inferred, edits: Sequence[Edit]) -> str | None:
    """Words that the edits leave and that ask for another form than JSON, with their line; ``None`` if there are none."""
    kept = PromptText(document.source, document.without(Span(edit.start, edit.end) for edit in edits))
    text = instructions(kept, Inferred())
    for start, end in sorted(_asked(kept, text, inferred, edits)):
        said = " ".join(document.text[start:end].split())[:60]
        return f"line {document.line(start)}: {said!r} asks for another form than the schema's"
    return None


def _asked(kept: PromptText, text: str, inferred: Inferred, edits: Sequence[Edit]) -> Iterator[tuple[int, int]]:
    yield from (match.span() for match in _NEVER.finditer(text))
    if inferred.whole in ("JSON", "keys"):
        yield from (match.span() for match in _TEXT_THEN.finditer(text))
        return
    if len(inferred.fields) == 1:
        yield from (match.span() for match in _TEXT_FIRST.finditer(text))
    for match in _OF_TEXT.finditer(text):
        if not _NEGATED.search(text, max(0, match.start() - 40), match.start()):
            yield match.span()
    if any(item.source.startswith("tag ") for item in inferred.fields):
        for span in inferred.covered:
            if any(edit.start <= span.start and span.end <= edit.end for edit in edits):
                continue
            if kept.text[span.start : span.end].strip():
                yield span.start, span.end
