"""Why a prompt is not read, if no reader found anything: what it names of a form that none of them understands, with its line."""

from __future__ import annotations

import re

from promptopt.structured.fields import MASK, Inferred, PromptText
from promptopt.structured.witness.accounts import instructions
from promptopt.structured.witness.keys import shortened

_NOTHING = "the prompt names no labels, keys or sections for its answers"
_WRITE = r"(?:return|respond|reply|output|answer|provide|produce|give|generate|format\w*|response|result|write)"
_NOT = re.compile(r"(?:\b(?:not|never|no|without|avoid|instead of)\b|n['’]t\b)[^.\n]{0,30}\Z", re.IGNORECASE)
_SEEN = tuple(
    (re.compile(pattern, re.IGNORECASE | re.MULTILINE), meaning)
    for pattern, meaning in (
        (rf"\b{_WRITE}\b[^.\n]{{0,60}}\bjson\b|\bjson (?:object|array|list|format|file|schema)\b", "asks for JSON, whose keys were not read"),
        (rf"\b{_WRITE}\b[^.\n]{{0,60}}\b(?:keys|fields|properties)\b[^.\n]{{0,40}}|\b(?:with|following|these) (?:keys|fields|properties)\b[^.\n]{{0,40}}", "names keys, which were not read"),
        (rf"^[ \t]*(?:[-*•]|\d+[.)])?[ \t]*\**[A-Za-z][\w /]{{1,30}}\**:\**[ \t]*(?:[<\[(][^\n{MASK}]*|\$\w+)?\n(?:[ \t]*\n)?[ \t]*(?:[-*•]|\d+[.)])?[ \t]*\**[A-Za-z][\w /]{{1,30}}\**:\**[ \t]*(?:[<\[(][^\n{MASK}]*|\$\w+)?$", "are labels of lines, which were not read"),
        (r"^[^\n]*\b(?:output|provide|return|include|report|answer|respon\w+)\b[^\n]*:[ \t*]*\n\s*(?:[-*•]|\d+[.)])[ \t]+\*\*[A-Z][\w /&-]{2,40}:?\*\*", "leads to parts of the answer, which were not read"),
        (r"\b(?:sections|headings)\b[^.\n]{0,30}:[ \t]*$|\b(?:these|following|exact) (?:\w+ )?(?:sections|headings)\b", "names sections, which were not read"),
        (rf"\b{_WRITE}\b[^.\n]{{0,60}}?(?:\b(?:true|false) (?:if|when)\b|\b(?:yes|true)\W{{1,3}}(?:or|and)?\W{{0,3}}(?:no|false)\b)[^.\n]{{0,30}}", "names what the answer may be, and was not read"),
        (r"\bone of (?:the|these|three|four|five|two)\b[^.\n]{0,40}|\b(?:classify|categori[sz]e)\b[^.\n]{0,60}|\b(?:categories|labels|classes|options)\b[^.\n]{0,20}:", "speaks of labels, which were not read"),
        (r"\b(?:rate|score|scale|grade|rating|percentage|probability)\b[^.\n]{0,40}\d+ ?(?:-|–|to|and) ?\d+", "is a scale, which was not read"),
        (rf"\b{_WRITE}\b[^.\n]{{0,40}}\b(?:lists? of|comma[- ]separated|one per line)\b[^.\n]{{0,30}}|\b{_WRITE} (?:exactly |up to |at least )?(?:\d+|two|three|four|five|ten) [a-z]+s\b", "asks for a list, which was not read"),
        (rf"\b{_WRITE}\b[^.\n]{{0,30}}\b(?:followed by|and then)\b[^.\n]{{0,40}}", "asks for several parts, which were not read"),
    )
)  # fmt: skip


def why_unread(document: PromptText) -> str:
    """What the prompt names that no reader understands, or that it names nothing."""
    text = instructions(document, Inferred())
    for pattern, meaning in _SEEN:
        for match in pattern.finditer(text):
            line_start = text.rfind("\n", 0, match.start()) + 1
            if MASK not in match[0] and not _NOT.search(text, line_start, match.start()):
                start = match.end() - len(match[0].lstrip())
                return f"line {document.line(start)}: {shortened(match[0])!r} {meaning}"
    return _NOTHING
