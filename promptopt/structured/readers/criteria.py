"""Scores for criteria that are listed, and the words that are asked for beside them: "Score from 0-5 on:" and their names."""

from __future__ import annotations

import re

from promptopt.structured.completeness import wants_json
from promptopt.structured.fields import MASK, Field, Inferred, PromptText, Span, conditional_part, field_name
from promptopt.structured.prose.wording import number_range
from promptopt.structured.witness.accounts import instructions

_ITEM = r"[ \t]*(?:[-*•]|\d{1,2}[.)])[ \t]+[*_]*"
_NAME = r"[A-Z][A-Za-z]*(?: [A-Za-z]+){0,3}"
# "Score from 0-5 on:", and below it one name a line
_LISTED = re.compile(
    rf"\b(?:score|rate|grade)\b[^.\n]{{0,40}}?\bfrom (?P<low>\d{{1,3}})\s?(?:-|–|to)\s?(?P<high>\d{{1,3}})\b[^.\n]{{0,20}}\b(?:on|for)\b[^.\n]{{0,40}}:[*_ \t]*\n(?P<items>(?:{_ITEM}{_NAME}[*_ \t]*\n?){{2,}})",
    re.IGNORECASE,
)
# "1. Faithfulness (0-10): Does the answer ..."
_RANGED = re.compile(
    rf"^{_ITEM}(?P<name>{_NAME})[*_]*[ \t]*\((?P<low>\d{{1,3}})[ \t]*(?:-|–|to)[ \t]*(?P<high>\d{{1,3}})\)[*_]*(?::[^\n]*)?$",
    re.MULTILINE,
)
_SCORES = re.compile(
    r"\b(?:provide|give|return|output|report)\b (?:me )?(?:your |the |all |an? )*(?:\w+ )?(?:scores|ratings|grades)\b",
    re.IGNORECASE,
)
_WORDS = re.compile(
    r"\b(?:give|provide|write|include|add|and|with)\b (?:an? |your |the |some )?(?:short |brief |concise |one-sentence |detailed |overall )?(?P<part>feedback|explanation|justification|rationale|comment)\b",
    re.IGNORECASE,
)
_MORE = re.compile(
    r"\b(?:overall|total|average|final|weighted) (?:score|rating|grade)\b|\b(?:each|every) (?:score|rating|criterion|dimension)\b|\bfor each\b|\bformats?\b|\btemplate\b|\b(?:sum|average|mean|total|only|just)\b",
    re.IGNORECASE,
)


def criteria_scores(document: PromptText) -> Inferred | None:
    """A number for each criterion of a list, and a text if one is asked for; ``None`` if the form is another one."""
    text = instructions(document, Inferred())
    if wants_json(document) or _MORE.search(text):
        return None
    found: list[tuple[str, str, str, int]] = []
    if listed := _LISTED.search(text):
        names = re.findall(rf"^{_ITEM}({_NAME})[*_ \t]*$", listed["items"], re.MULTILINE)
        found = [(name, listed["low"], listed["high"], listed.start()) for name in names]
        span = Span(*listed.span())
    elif _SCORES.search(text) and (ranged := list(_RANGED.finditer(text))):
        found = [(one["name"], one["low"], one["high"], one.start()) for one in ranged]
        span = Span(ranged[0].start(), ranged[-1].end())
    fields = [
        Field(
            field_name(name),
            number_range(low, high),
            f"criteria in the prose, line {document.line(at)}",
            document.line(at),
        )
        for name, low, high, at in found
    ]
    if len({item.name for item in fields}) < max(2, len(fields)) or not all(item.schema for item in fields):
        return None
    if bad := conditional_part(document, [span]):
        return bad
    covered = [span]
    for words in _WORDS.finditer(text):
        if MASK not in words[0] and words["part"].lower() not in {item.name for item in fields}:
            line = document.line(words.start())
            fields.append(Field(words["part"].lower(), {"type": "string"}, f"asked for in line {line}", line))
            covered.append(Span(*words.span()))
            break
    return Inferred(tuple(fields), covered=tuple(covered), whole="sections")
