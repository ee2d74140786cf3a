"""One bare value that a prompt asks for: a label, a rating, or a list of texts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from promptopt.structured.fields import (
    MASK,
    Field,
    Inferred,
    PromptText,
    Span,
    conditional,
    conditional_part,
    of_fields,
)
from promptopt.structured.prose.choices import Choice, enum
from promptopt.structured.prose.label_codes import label_codes
from promptopt.structured.prose.ranges import numbers, scale
from promptopt.structured.readers.lines_of_text import lines_of_text
from promptopt.structured.readers.refine import anchor, asks_for_label, object_of_task, with_fallback
from promptopt.structured.readers.sections import arrays, lines, listings

# "1. **Relevance (0-5 scale)**" and "3. **Safety (REQUIRED: 0 or 1)**"
_OWN_SCALE = re.compile(
    r"^[ \t#]*(?:\d{1,2}[.)]|[-*•])[ \t]*[*_]*[A-Z][^\n():]{1,60}\([^\n()]*\d\s?(?:-|–|to|or|/)\s?\d[^\n()]*\)",
    re.MULTILINE,
)


def from_values(document: PromptText, said: list[Choice]) -> Inferred | None:
    """One value without a name, or a list of texts; ``None`` if the prompt asks for no such thing."""
    found = _of_values(document, said)
    if found and len(found.fields) == 1 and not found.whole and {"minimum", "enum"} & set(found.fields[0].schema):
        scales = [match.start() for match in _OWN_SCALE.finditer(document.text)]
        if len(scales) > 1:
            lines = " and ".join(str(document.line(start)) for start in scales[:2])
            return Inferred(
                problems=(f"lines {lines}: several values have a scale of their own, and no form names them",)
            )
    return found


def _of_values(document: PromptText, said: list[Choice]) -> Inferred | None:
    if list(arrays(document)):
        return _from_listings(document, said)
    found = _from_choices(document, said)
    each = _LIST_FOR_EACH.search(document.text)
    if found and each and len(found.fields) == 1:
        # "For each example in turn, return 1 or 0. You must return your response in a valid Python list."
        item = found.fields[0]
        items = {"type": "array", "items": dict(item.schema)}
        spans = (*found.covered, Span(*each.span()))
        return Inferred((replace(item, name="items", schema=items),), wrapped=True, covered=spans, whole="JSON")
    return found or lines_of_text(document) or _from_listings(document, said)


_LIST_FOR_EACH = re.compile(
    r"\bfor each\b[^\n]*?\b(?:return|respond|answer|output|give|provide)\b[^.\n]{0,60}\b(?:in|as) (?:a|an) "
    r"(?:valid |single )?(?:python|json) (?:list|array)\b(?! of\b)",
    re.IGNORECASE,
)


# "At the very end, type "Answer:" and then your answer": other words may come before it.
_AT_THE_END = re.compile(
    r"\bat the (?:very )?end\b[^.\n]{0,60}\b(?:type|print|write|give|state|output|provide|put|add|answer)\b|\bend your (?:answer|response|reply) with\b",
    re.IGNORECASE,
)


def _from_choices(document: PromptText, said: list[Choice]) -> Inferred | None:
    lists = [choice for choice in said if "enum" in choice.schema]
    ranges = list(numbers(document))
    if not ranges and not list(_scale_wanted(document)) and (coded := label_codes(document)):
        source = f"codes in the prose, line {document.line(coded.span.start)}"
        lists = [Choice("", enum(list(coded.values)), coded.span, source)]
    asked = [choice for choice in lists if choice.asks]
    if lists and not asked and not asks_for_label(document.text, lists):
        lists = []
    if not lists:
        return _from_range(document, ranges)
    if any(choice.asks for choice in ranges):
        # "A score between 1 and 3 is low" names no labels.
        lists = [choice for choice in lists if choice.schema.get("type") != "integer" or len(choice.schema["enum"]) > 2]
        if not lists:
            return _from_range(document, ranges)
    lists = _largest(document, lists)
    sets = {frozenset(str(v).casefold() for v in choice.schema["enum"]) for choice in lists}
    if len(sets) > 1:
        lines = ", ".join(str(document.line(choice.span.start)) for choice in lists)
        return Inferred(
            problems=(f"lines {lines}: several lists of labels, and nothing says which one the answer is from",)
        )
    if bad := conditional_part(document, (choice.span for choice in lists)):
        return bad
    best = lists[0]
    if len(lists) == 1 and best.asks and MASK in document.text[best.span.start : best.span.end].replace("\n", ""):
        line = document.line(best.span.start)
        return Inferred(problems=(f"line {line}: the list of labels holds a variable of the template",))
    name = (
        next((choice.name for choice in lists if choice.name), "")
        or anchor(document.text)
        or object_of_task(document.text)
    )
    schema = with_fallback(document.text, dict(best.schema))
    carried = tuple(choice.span for choice in lists if choice.bare)
    covered = tuple(choice.span for choice in lists)
    ends = _AT_THE_END.search(document.text)
    return Inferred(
        (Field(name or "answer", schema, best.source, document.line(best.span.start)),),
        carried,
        covered=covered,
        beside=f"line {document.line(ends.start())}: the value ends a longer answer" if ends else None,
    )


def _largest(document: PromptText, lists: list[Choice]) -> list[Choice]:
    """The lists without those that one of them holds, if it only adds what "If none fits, answer Unknown" adds."""
    lists = [choice for choice in lists if not any(_numbers_of(other, choice) for other in lists)]
    sets = [{str(label).casefold() for label in choice.schema["enum"]} for choice in lists]
    for one, labels in zip(lists, sets, strict=True):
        added = set().union(*(labels - other for other in sets if len(other) > 1))
        held = all(other <= labels for other in sets)
        if one.asks and held and len(added) == 1:
            label = re.escape(added.pop())
            if re.search(rf"\bif\b[^.\n]*[\"'`]{label}[\"'`]", document.text, re.IGNORECASE):
                return [choice for choice, other in zip(lists, sets, strict=True) if other == labels]
    return lists


def _numbers_of(coded: Choice, listed: Choice) -> bool:
    """Whether the numbers of a list are wanted, and its words were read as labels as well."""
    labels, words = coded.schema["enum"], listed.schema["enum"]
    counts = coded.asks and not listed.asks and labels == list(range(1, len(words) + 1))
    return counts and coded.span.overlaps(listed.span) and listed.schema.get("type") == "string"


# A number is to be given, and not only spoken about.
_ASKS_FOR_NUMBER = re.compile(
    r"(?:^|[.,;:!?—]\s*|\b(?:to|and|then|please|must|should|will|can|only|just|you|by|need|first|are|is|be)\s)[ \t]*(?:[-*•#>]|\d+[.)])*[ \t*]*"
    r"\b(?:rat(?:e|ing)|scor(?:e|ing)|grad(?:e|ing)|assign|giv(?:e|ing)|provid(?:e|ing)|output|return|respond|answer|reply|estimate|assess|evaluate|judge"
    r"|determine|predict|say|mark|write|express|report|produce|calculate|compute|choose|select)\b|\bhow (?:likely|well|relevant|much|similar|good)\b",
    re.IGNORECASE | re.MULTILINE,
)


def _from_range(document: PromptText, ranges: list[Choice]) -> Inferred | None:
    asked = [choice for choice in ranges if choice.asks] or list(_scale_wanted(document))
    distinct = {str(sorted(choice.schema.items())): choice for choice in asked}
    if len(distinct) != 1 or not _ASKS_FOR_NUMBER.search(document.text):
        return None
    choice = next(iter(distinct.values()))
    if bad := conditional(document, choice.span):
        return bad
    name = anchor(document.text) or choice.name or "score"
    covered = tuple(known.span for known in ranges)
    return Inferred((Field(name, choice.schema, choice.source, document.line(choice.span.start)),), covered=covered)


# "Reply with the number only.", or "Score:" at the end
_NUMBER_WANTED = re.compile(
    r"\b(?:only|just|exactly|nothing but) (?:with )?(?:the |one |a single |your )?(?:\w+ )?(?:number|digit|score|rating|grade)\b(?!,? (?:and|then|plus|with|followed|for)\b)"
    r"|\bthe (?:number|digit|score|rating|grade) (?:only|alone)\b(?!,? (?:and|then|plus)\b)|\n[ \t*]*(?:score|rating|grade):[ \t*]*\s*\Z",
    re.IGNORECASE,
)


# "Rate the relevance ...", and "Relevance:" at the end
_ENDS = re.compile(r"\n[ \t*]*(?P<noun>[A-Za-z]+):[ \t*]*\s*\Z")


def _scale_wanted(document: PromptText) -> Iterator[Choice]:
    """The one scale whose grades are listed, where nothing but one of its numbers is wanted."""
    scales = scale(document)
    ends = _ENDS.search(document.text)
    rated = ends and re.search(
        rf"\b(?:rate|score|grade)\b[^.\n]*\b{ends['noun']}\b", document.text[: ends.start()], re.IGNORECASE
    )
    wanted = _NUMBER_WANTED.search(document.text) or (ends if rated else None)
    if len(scales) == 1 and wanted and scales[0][0] and not scales[0][1]:
        source = f"grades in the prose, wanted in line {document.line(wanted.start() + len(wanted[0]) - len(wanted[0].lstrip()))}"
        yield Choice("", scales[0][0], Span(*wanted.span()), source)


def _from_listings(document: PromptText, said: list[Choice]) -> Inferred | None:
    found = list(arrays(document)) or list(lines(document)) or list(listings(document))
    lists = [choice.schema for choice in said if "enum" in choice.schema and choice.asks]
    if lists and all(one == lists[0] for one in lists):
        found = [(replace(field, schema=_with_labels(field.schema, lists[0])), span) for field, span in found]
    names = {field.name for field, _ in found}
    if len(names) != 1:
        return None
    inferred = of_fields(document, found[:1], carried=False)
    whole = found[0][0].name == "items"
    spans = tuple(span for _, span in found)
    return replace(inferred, covered=spans, wrapped=whole, whole="JSON" if whole else "")


def _with_labels(schema: Mapping[str, Any], labels: Mapping[str, Any]) -> dict[str, Any]:
    """A list of texts with the labels that its items are chosen from."""
    items = schema.get("items", {})
    return {**schema, "items": dict(labels)} if dict(items) == {"type": labels.get("type")} else dict(schema)
