"""The form of an answer out of a prompt's words, without a model: what is certain, else nothing and the reason."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from promptopt.structured.choices import Choice, choices, numbers
from promptopt.structured.completeness import asks_for_more
from promptopt.structured.fields import MASK, Field, Inferred, PromptText, Span, TooSlow, field_name
from promptopt.structured.json_blocks import blocks as json_blocks
from promptopt.structured.pseudo_json import merge
from promptopt.structured.sections import (
    forms,
    headed,
    keys,
    lines,
    listings,
    parted,
    ruled,
    sections,
    tables,
    tagged,
    titled,
    tuples,
)
from promptopt.structured.wording import is_numeric

# Two lists of labels that share this much are meant to be one list.
_SAME_LIST = 0.5
_MOST_CHARACTERS = 400_000
_ANCHOR = re.compile(r"(?:^|\n)[ \t]*[*_`]*(?P<name>[A-Za-z][\w ]{0,30}?)[*_`]*[ \t]*:[ \t]*$")
_NOT_A_NAME = frozenset(
    {
        "output",
        "answer",
        "response",
        "assistant",
        "result",
        "input",
        "a",
        "reply",
        "user",
        "question",
        "query",
        "text",
        "begin",
    }
)
_YAML_OR_XML = re.compile(
    r"\b(?:valid yaml|yaml (?:object|schema|format)|well[ -]formed xml|xml tags)\b", re.IGNORECASE
)


def infer(source: str, *, examples: bool = True) -> Inferred:
    """What a prompt's source says about the form of its answers.

    If it says nothing certain, contradicts itself, or says it under a condition of the template, there are no
    fields, and ``problems`` says why.

    Args:
        examples: Whether to read the turns of a few-shot prompt too.
    """
    if len(source) > _MOST_CHARACTERS:
        return Inferred(problems=(f"the prompt has {len(source):,} characters (limit {_MOST_CHARACTERS:,})",))
    try:
        return _inferred(PromptText.of(source, examples=examples))
    except TooSlow:
        return Inferred(problems=("the prompt's text takes too long to read; is it data?",))


def _inferred(document: PromptText) -> Inferred:
    said = list(choices(document))
    if contradiction := _contradiction(document, said):
        return Inferred(problems=(contradiction,))
    readers: tuple[Callable[[], Inferred | None], ...] = (
        lambda: _from_json(document, said),
        lambda: _from_keys(document, said),
        lambda: _from_ruled(document),
        lambda: _from_tuples(document),
        lambda: _from_sections(document),
        lambda: _from_tables(document),
        lambda: _from_choices(document, said),
        lambda: _from_listings(document),
    )
    for read in readers:
        found = read()
        if found is not None:
            more = asks_for_more(document, found.fields)
            return found if more is None else Inferred(problems=(more,))
    if _YAML_OR_XML.search(document.text):
        return Inferred(problems=("the prompt asks for YAML or XML whose form is not given as an example",))
    return Inferred(problems=("the prompt names no labels, keys or sections for its answers",))


def _conditional(document: PromptText, span: Span) -> Inferred | None:
    if not document.depends(span):
        return None
    return Inferred(problems=(f"line {document.line(span.start)}: the format depends on a variable of the template",))


def _contradiction(document: PromptText, said: list[Choice]) -> str | None:
    """Two lists of labels for one thing that differ: nobody can say which one holds."""
    lists = [choice for choice in said if "enum" in choice.schema]
    for number, first in enumerate(lists):
        for second in lists[number + 1 :]:
            one, two = ({str(v).casefold() for v in choice.schema["enum"]} for choice in (first, second))
            same_name = bool(first.name) and first.name == second.name
            overlap = len(one & two) / len(one | two)
            if one != two and (overlap >= _SAME_LIST or (same_name and overlap > 0)) and not (one < two or two < one):
                only = ", ".join(sorted(map(repr, one ^ two)))
                lines = f"lines {document.line(first.span.start)} and {document.line(second.span.end)}"
                return f"{lines}: two lists of labels contradict each other: {only} are in one of them only"
    return None


def _from_json(document: PromptText, said: list[Choice]) -> Inferred | None:
    blocks = list(json_blocks(document))
    if not blocks:
        return None
    if bad := next((found for block in blocks if (found := _conditional(document, block.span))), None):
        return bad
    if unread := next((block for block in blocks if block.is_schema and not block.schema), None):
        line = document.line(unread.span.start)
        return Inferred(problems=(f"line {line}: the JSON schema cannot be read, or strict mode has no such schema",))
    if unread := next((block for block in blocks if not block.schema), None):
        line = document.line(unread.span.start)
        return Inferred(problems=(f"line {line}: the JSON of the answer has free keys, or cannot be read",))
    merged: dict[str, Any] = {}
    for block in sorted(blocks, key=lambda block: block.example):
        joined = merge(merged, block.schema)
        if joined is None:
            lines = f"lines {document.line(blocks[0].span.start)} and {document.line(block.span.start)}"
            return Inferred(problems=(f"{lines}: the examples of the answer have different keys or types",))
        merged = joined
    first = blocks[0]
    kind = "schema" if first.is_schema else "example" if first.example else "template"
    source = f"JSON {kind}, line {document.line(first.span.start)}"
    line = document.line(first.span.start)
    merged = _refined(document, merged, said)
    templates = tuple(block.span for block in blocks if not block.example)
    if merged.get("type") == "array":
        return Inferred((Field("items", _known(merged), source, line),), templates, wrapped=True)
    fields = tuple(Field(name, _known(child, name), source, line) for name, child in merged["properties"].items())
    return Inferred(fields, templates)


def _known(schema: Any, name: str = "") -> Any:
    """A schema whose unknown values are numbers if their name says so, and else texts."""
    if not isinstance(schema, Mapping):
        return schema
    known = dict(schema)
    if not set(known) & {"type", "enum", "anyOf"}:
        known = {"type": "number" if is_numeric(name) else "string", **known}
    if isinstance(known.get("properties"), Mapping):
        known["properties"] = {key: _known(child, key) for key, child in known["properties"].items()}
    if "items" in known:
        known["items"] = _known(known["items"])
    return known


def _refined(document: PromptText, schema: dict[str, Any], said: list[Choice]) -> dict[str, Any]:
    """Ranges and labels that the prose gives to keys of the JSON."""
    ranges = list(numbers(document))
    lists = [choice for choice in said if "enum" in choice.schema and not document.depends(choice.span)]

    def visit(node: dict[str, Any]) -> dict[str, Any]:
        if isinstance(node.get("properties"), Mapping):
            node = {
                **node,
                "properties": {k: visit(_with_prose(k, dict(v), ranges, lists)) for k, v in node["properties"].items()},
            }
        if isinstance(node.get("items"), Mapping):
            node = {**node, "items": visit(dict(node["items"]))}
        return node

    return visit(schema)


def _with_prose(name: str, schema: dict[str, Any], ranges: list[Choice], lists: list[Choice]) -> dict[str, Any]:
    plain = field_name(name)
    kind = schema.get("type")
    if kind in (None, "integer", "number") and "enum" not in schema and "minimum" not in schema:
        fitting = [choice.schema for choice in ranges if choice.name and choice.name in plain.split("_")]
        if fitting and all(choice == fitting[0] for choice in fitting):
            described = {key: value for key, value in schema.items() if key == "description"}
            # A decimal example says more than "between 0 and 10".
            number = {"type": "number"} if kind == "number" else {}
            return {**described, **fitting[0], **number}
    if kind in (None, "string") and "enum" not in schema:
        labels = [
            choice.schema
            for choice in lists
            if choice.name and choice.name == plain and choice.schema.get("type") == "string"
        ]
        if labels and all(set(label["enum"]) == set(labels[0]["enum"]) for label in labels):
            return {**schema, **labels[0]}
    return schema


def _from_keys(document: PromptText, said: list[Choice]) -> Inferred | None:
    found = {field.name: (field, span) for field, span in keys(document)}
    if not found:
        return None
    ranges = list(numbers(document))
    lists = [choice for choice in said if "enum" in choice.schema]
    fields = []
    for field, span in found.values():
        if bad := _conditional(document, span):
            return bad
        near = [r for r in ranges if span.overlaps(r.span)]
        schema = (
            dict(near[0].schema)
            if len(near) == 1 and len(found) > 1 and not field.schema
            else _with_prose(field.name, dict(field.schema), ranges, lists)
        )
        fields.append(Field(field.name, _known(schema, field.name), field.source, field.line))
    return Inferred(tuple(fields))


def _from_ruled(document: PromptText) -> Inferred | None:
    found = list(ruled(document)) or list(forms(document))
    if not found:
        return None
    return _of_fields(document, found, carried=True)


def _from_tuples(document: PromptText) -> Inferred | None:
    found = list({field.name: (field, span) for field, span in (*tuples(document), *tagged(document))}.values())
    return _of_fields(document, found, carried=False) if found else None


def _from_sections(document: PromptText) -> Inferred | None:
    found = sorted(sections(document), key=lambda pair: pair[1].start) or list(titled(document))
    if len(found) < 2:
        found = list(headed(document)) or list(parted(document))
    names = [field.name for field, _ in found]
    if len(found) < 2 or len(set(names)) < len(names):
        return None
    return _of_fields(document, found, carried=False)


def _from_tables(document: PromptText) -> Inferred | None:
    found = list(tables(document))
    if len(found) != 1:
        return None
    inferred = _of_fields(document, found, carried=False)
    return Inferred(inferred.fields, inferred.carried, inferred.problems, wrapped=bool(inferred.fields))


def _of_fields(document: PromptText, found: list[tuple[Field, Span]], *, carried: bool) -> Inferred:
    for _, span in found:
        if bad := _conditional(document, span):
            return bad
    spans = tuple(span for _, span in found) if carried else ()
    return Inferred(tuple(field for field, _ in found), spans)


def _from_choices(document: PromptText, said: list[Choice]) -> Inferred | None:
    lists = [choice for choice in said if "enum" in choice.schema]
    ranges = list(numbers(document))
    asked = [choice for choice in lists if choice.asks]
    if lists and not asked and not _asks_for_label(document.text):
        lists = []
    if not lists:
        return _from_range(document, ranges)
    sets = {frozenset(str(v).casefold() for v in choice.schema["enum"]) for choice in lists}
    if len(sets) > 1:
        lines = ", ".join(str(document.line(choice.span.start)) for choice in lists)
        return Inferred(
            problems=(f"lines {lines}: several lists of labels, and nothing says which one the answer is from",)
        )
    if bad := next((b for choice in lists if (b := _conditional(document, choice.span))), None):
        return bad
    best = lists[0]
    if len(lists) == 1 and best.asks and MASK in document.text[best.span.start : best.span.end].replace("\n", ""):
        line = document.line(best.span.start)
        return Inferred(problems=(f"line {line}: the list of labels holds a variable of the template",))
    name = (
        next((choice.name for choice in lists if choice.name), "")
        or _anchor(document.text)
        or _object_of_task(document.text)
    )
    schema = _with_fallback(document.text, dict(best.schema))
    carried = tuple(choice.span for choice in lists if choice.bare)
    return Inferred((Field(name or "answer", schema, best.source, document.line(best.span.start)),), carried)


def _asks_for_label(text: str) -> bool:
    return bool(
        re.search(
            r"\b(?:which|what is the|choose|identify|determine|classif\w+|decide|select|pick|one of)\b",
            text,
            re.IGNORECASE,
        )
    )


def _with_fallback(text: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Reads "If none match, respond with Unknown" adds a label."""
    match = re.search(
        r"\bif (?:none|no\w*|nothing|unsure|unclear|it is (?:unclear|not clear))\b[^.\n]{0,60}?,?\s*(?:respond|answer|reply|return|output|say|choose|use)\s+(?:with\s+)?[\"'`]?(?P<label>\w+)[\"'`]?\s*(?:\.|$)",
        text,
        re.IGNORECASE | re.MULTILINE,
    )
    if (
        match
        and schema.get("type") == "string"
        and match["label"].casefold() not in {v.casefold() for v in schema["enum"]}
    ):
        return {**schema, "enum": [*schema["enum"], match["label"]]}
    return schema


def _from_range(document: PromptText, ranges: list[Choice]) -> Inferred | None:
    asked = [choice for choice in ranges if choice.asks]
    distinct = {str(sorted(choice.schema.items())): choice for choice in asked}
    if len(distinct) != 1:
        return None
    choice = next(iter(distinct.values()))
    if bad := _conditional(document, choice.span):
        return bad
    name = _anchor(document.text) or choice.name or "score"
    return Inferred((Field(name, choice.schema, choice.source, document.line(choice.span.start)),))


def _from_listings(document: PromptText) -> Inferred | None:
    found = list(lines(document)) or list(listings(document))
    names = {field.name for field, _ in found}
    if len(names) != 1:
        return None
    return _of_fields(document, found[:1], carried=False)


def _object_of_task(text: str) -> str:
    """Reads "Classify the sentiment of the review" is about the sentiment."""
    match = re.search(
        r"\b(?:classify|determine|identify|predict|detect|decide on) the (?:overall )?(?P<noun>[a-z]{3,20}) of\b",
        text,
        re.IGNORECASE,
    )
    return field_name(match["noun"]) if match else ""


def _anchor(text: str) -> str:
    """The label at the very end of a prompt, after which the answer is to be written: ``stars:``."""
    match = _ANCHOR.search(text.rstrip().rstrip("\"'"))
    name = field_name(match["name"]) if match else ""
    return "" if set(name.split("_")) & _NOT_A_NAME or len(name) > 30 else name
