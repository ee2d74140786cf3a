"""Some labels of a list: "Tag the article with 3 to 7 topics from this list: ...", "Choose all that apply: ..."."""

from __future__ import annotations

import re
from typing import Any

import regex

from promptopt.structured.completeness import wants_json
from promptopt.structured.fields import MASK, Field, Inferred, PromptText, Span, conditional_part, field_name, scan
from promptopt.structured.prose.counts import NUMERALS, bounds_of, number_of
from promptopt.structured.prose.listed import labels_after

_N = rf"(?:\d{{1,2}}|{'|'.join(NUMERALS)})"
_VERB = r"(?:tag|label|mark|assign|choose|pick|select|classify|give|list|return|output|name|add|attach|apply)"
_COUNT = rf"(?:(?P<any>one or more|one or several|zero or more|any|all)|(?P<bound>exactly|up to|at most|no more than|a maximum of|at least|between|from)?\s*(?P<low>{_N})(?:\s?(?:-|–|to|and|or)\s?(?P<high>{_N}))?)"
_ORDER = regex.compile(
    rf"\b{_VERB}\b(?P<between>[^.:;\n]{{0,60}}?)\b(?:the )?{_COUNT} (?:of the )?(?:(?:most |best[- ]|main )?[a-z-]+ ){{0,2}}?(?P<noun>[a-z]{{3,}}s)\b"
    rf"(?P<rest>(?! (?:and|with|per|for each)\b)[^.:;\n]{{0,80}}?):",
    regex.IGNORECASE,
)
# What has a length, and no labels.
_NO_LABELS = frozenset(
    {"words", "sentences", "paragraphs", "lines", "characters", "examples", "reasons", "points", "questions", "items"}
)
_FROM = re.compile(
    r"\b(?:from|out of|of the following|among|below|following|apply|applies|fit|fits)\b|\A to (?:the |this |a )?[\w ]+\Z",
    re.IGNORECASE,
)
_SEPARATED = re.compile(
    r"[^.\n]*\b(?:comma[- ]separated|separated (?:by|with) (?:an? )?(?:commas?|semicolons?|line breaks?|new ?lines?)|separate (?:them|the \w+|labels|each \w+) (?:by|with) (?:an? )?(?:commas?|semicolons?|new ?lines?)"
    r"|(?:one|each) (?:per|on a|on its own|on a new|a)(?: separate)? line)\b[^.\n]*",
    re.IGNORECASE,
)
_BESIDES = re.compile(r"\b(?:and|then|with|plus|followed|explain|each|why|score|confidence|because)\b", re.IGNORECASE)
_HARMLESS = re.compile(
    r"\band nothing else\b|\bwith (?:an? )?(?:commas?|semicolons?|new ?lines?)\b|\beach on\b", re.IGNORECASE
)


def several_labels(document: PromptText) -> Inferred | None:
    """The list of some labels that a prompt orders; ``None`` if it orders no such list, or more than it."""
    if wants_json(document):
        return None
    found = [one for match in scan(_ORDER, document.text) if (one := _labels(document, match))]
    if len(found) != 1:
        return None
    field, span = found[0]
    spans = [span]
    for written in _SEPARATED.finditer(document.text):
        if _BESIDES.search(_HARMLESS.sub(" ", written[0])) and not span.overlaps(Span(*written.span())):
            return None
        spans.append(Span(*written.span()))
    return conditional_part(document, spans) or Inferred((field,), covered=tuple(spans))


def _labels(document: PromptText, order: re.Match[str]) -> tuple[Field, Span] | None:
    noun = order["noun"].lower()
    after = labels_after(document.text, order.end())
    if (
        after is None
        or noun in _NO_LABELS
        or re.search(r"\b(?:if|when|whether)\b", order[0], re.IGNORECASE)
        or MASK in order[0]
        or not _is_choice(order)
    ):
        return None
    labels, end = after
    schema: dict[str, Any] = {"type": "array", "items": {"type": "string", "enum": list(labels)}, **_bounds(order)}
    if schema.get("maxItems", 2) < 2 or schema.get("minItems", 0) > len(labels):
        return None
    line = document.line(order.start())
    return Field(field_name(noun), schema, f"list in the prose, line {line}", line), Span(order.start(), end)


def _is_choice(order: re.Match[str]) -> bool:
    """Whether the words of an order choose from what follows: "from this list", or labels that are assigned."""
    if _FROM.search(order["rest"]) or re.search(r"\bof (?:the following|these|the)\b", order[0], re.IGNORECASE):
        return True
    return (
        not order["rest"].strip()
        and re.match(r"(?:assign|tag|label|mark|choose|pick|select)", order[0], re.IGNORECASE) is not None
    )


def _bounds(order: re.Match[str]) -> dict[str, int]:
    if order["any"]:
        return {"minItems": 1} if order["any"].lower().startswith("one") else {}
    low = number_of(order["low"])
    if order["high"]:
        return bounds_of("", low, number_of(order["high"]))
    return bounds_of((order["bound"] or "").lower(), low)
