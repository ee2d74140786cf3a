"""Whether a form that was inferred is all that the prompt asks for: a cap or a reader of a part would cut the rest off."""

from __future__ import annotations

import re
from collections.abc import Iterator

import regex

from promptopt.structured.fields import MASK, Field, PromptText, scan

_VERB = (
    r"(?:give|provide|write|add|include|say|state|list|return|output|report|name|mention|suggest|quote|extract|rate"
    r"|estimate|describe|summari[sz]e|identify|tell|answer|put)"
)
_A_PART = (
    r"(?:a|an|one|two|three|the|your|its|\d+)\s+(?:(?:short|brief|concise|single|final|overall|one-line|\w+ing)\s+)?"
    r"(?:sentences?|paragraphs?|lines?|bullets?|bullet points?|examples?|quotes?|summary|advice|comments?|confidence"
    r"|percentage|total|notes?|suggestions?|corrections?|translation|title|date|name)\b"
)
# What asks for another part of the answer beside one value.
_FURTHER = (
    rf"\b(?:then|also|additionally|in addition|furthermore|after that|afterwards|finally|next)\b[,:]?\s+(?:please\s+)?(?:on a new line,?\s+)?{_VERB}\b",
    rf"\b(?:followed by|along with|together with|as well as|accompanied by|plus|and)\s+{_A_PART}",
    r"\bhow (?:sure|certain|confident) (?:you are|it is)\b",
    r"\b(?:on|for|against|by) (?:each of )?(?:these|the following|the below|several|two|three|four|five|six|\d) (?:criteria|dimensions|aspects|qualities|axes)\b",
    r",\s*each\s+(?:from|on|between|with|a\b)",
    rf"\bif (?:it is|it's|the \w+ is|so|yes|not|no)\b[^.\n]{{0,40}}?,?\s*(?:also\s+|then\s+)?{_VERB}\s+(?:the|its|also|a|an|from|all|which)\b",
    r"\b(?:these|the following|\w+) sections\s*:",
    r"\bafter (?:writing|giving|providing|that|your)\b[^.\n]{0,40}\b(?:write|give|provide|score|rate|assign)\b",
    r"\b(?:output |answer |response )?format should (?:look|be)\b",
    r"\b(?:write|provide|give) (?:a|an|your) (?:detailed |brief |short |thorough )?(?:feedback|analysis|critique|assessment|reasoning)\b",
)
# A line of a form: "<Reason:> [your reason]", "Explanation: ...", but not the label at the very end of a prompt.
_FORM_LINE = regex.compile(
    r"^[ \t]*[-*]?[ \t]*[<\[]?\**(?:reason|reasoning|explanation|rationale|analysis|thoughts?|justification|evidence|feedback|notes?)s?"
    r"\**[:>][:>]?\**[ \t]*[\[<{(\w]",
    re.IGNORECASE | re.MULTILINE,
)
_FURTHER_PARTS = tuple(regex.compile(pattern, re.IGNORECASE | re.MULTILINE) for pattern in _FURTHER)
_EXPLANATION = re.compile(r"\b(?:expla\w+|justif\w+|rationale|reasons?|why)\b", re.IGNORECASE)
_A_FORM = regex.compile(
    r"\b(?:in|follow(?:s|ing)?|with|use|using|as) (?:the|this|a|an|below) (?:(?:following|below|exact|specified|given|json|output|response|answer)\s+)*"
    r"(?:format|structure|schema|template|form)\b[^\n]{0,40}:[ \t]*\n",
    re.IGNORECASE,
)
_SCHEMA_VARIABLE = re.compile(
    r"\{[\w.]*(?:schema|format_instructions|output_format|response_format)[\w.]*\}|\{\{-?\s*[\w.]*(?:schema|format_instructions"
    r"|output_format|response_format)[\w.]*",
    re.IGNORECASE,
)
_TAGS = regex.compile(
    r"<(?P<name>[a-z_]\w*)>[^<>]{1,300}</(?P=name)>\s*<(?P<second>[a-z_]\w*)>[^<>]{1,300}</(?P=second)>", re.IGNORECASE
)
_OF_ANSWERS = re.compile(r"\b(?:answers?|respon[ds]e?|repl(?:y|ies)|outputs?|return|format|tags)\b", re.IGNORECASE)
_JSON = re.compile(r"\bjson\b", re.IGNORECASE)


def asks_for_more(document: PromptText, fields: tuple[Field, ...]) -> str | None:
    """What of the answer's form one value does not cover, with its line; ``None`` if nothing says so."""
    if tags := _tagged_form(document, fields):
        return tags
    if len(fields) != 1 or _is_structured(fields[0]):
        return None
    if variable := _SCHEMA_VARIABLE.search(document.source):
        line = document.source.count("\n", 0, variable.start()) + 1
        return f"line {line}: the form of the answer is in a variable of the template"
    for start, end in _signs(document):
        shown = " ".join(document.text[start:end].replace(MASK, " ").split())
        return f"line {document.line(start)} asks for more than one value: {shown[:60]!r}"
    return None


def _tagged_form(document: PromptText, fields: tuple[Field, ...]) -> str | None:
    """Tags one after the other that the answer is to have, if the fields were read somewhere else."""
    for match in scan(_TAGS, document.text):
        names = {match["name"].lower(), match["second"].lower()}
        before = document.text[max(0, match.start() - 200) : match.start()]
        if _OF_ANSWERS.search(before) and not names <= {field.name.lower() for field in fields}:
            return (
                f"line {document.line(match.start())}: the answer is in tags, <{match['name']}> and <{match['second']}>"
            )
    return None


def wants_json(document: PromptText) -> bool:
    """Whether the prompt speaks of JSON, so that a bare value is not its answer."""
    return bool(_JSON.search(document.text))


def _is_structured(field: Field) -> bool:
    """A list or an object came from a form as a whole."""
    return field.schema.get("type") in ("array", "object") or field.source.startswith("JSON")


def _signs(document: PromptText) -> Iterator[tuple[int, int]]:
    for pattern in _FURTHER_PARTS:
        for match in scan(pattern, document.text):
            rest = re.split(r"[.;\n]", document.text[match.start() : match.end() + 120], maxsplit=1)[0]
            # An explanation is known to the proposal.
            if not _EXPLANATION.search(rest):
                yield match.span()
    for match in scan(_FORM_LINE, document.text):
        yield match.span()
    for match in scan(_A_FORM, document.text):
        following = document.text[match.end() :].lstrip()[:1]
        # A form that no reader knew.
        if following in ("<", "[", "{", "#"):
            yield match.span()
