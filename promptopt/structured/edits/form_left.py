"""What is left of a prompt's text that asks for another form than JSON under a schema: then there is no such proposal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from promptopt.compression.edit import Edit
from promptopt.structured.fields import Inferred, PromptText, Span
from promptopt.structured.prose.counts import NUMERALS
from promptopt.structured.witness.accounts import instructions

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
