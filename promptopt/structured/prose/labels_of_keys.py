"""Labels and ranges that a prompt's prose gives to the keys of a form by their names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from promptopt.structured.fields import Field, PromptText, field_name
from promptopt.structured.prose.choices import Choice
from promptopt.structured.reasoning import keeps_reasoning_in


def with_prose(name: str, schema: dict[str, Any], ranges: list[Choice], lists: list[Choice]) -> dict[str, Any]:
    """A key's schema with the range or the labels that the prose gives under its name."""
    plain = field_name(name)
    kind = schema.get("type")
    if kind in (None, "integer", "number") and "enum" not in schema and "minimum" not in schema:
        fitting = [choice.schema for choice in ranges if choice.name and choice.name in plain.split("_")]
        if fitting and all(choice == fitting[0] for choice in fitting):
            described = {key: value for key, value in schema.items() if key == "description"}
            # A decimal example says more than "between 0 and 10".
            number = {"type": "number"} if kind == "number" else {}
            return {**described, **fitting[0], **number}
        listed = [choice.schema for choice in lists if choice.name == plain and choice.schema.get("type") == "integer"]
        if listed and all(choice == listed[0] for choice in listed):
            return {**schema, **listed[0]}
    if kind in (None, "string") and "enum" not in schema:
        if labelled := _only_labels(plain, lists):
            return {**schema, "type": "string", "enum": labelled}
        known = [
            choice.schema
            for choice in lists
            if not choice.many
            and ((choice.name and choice.name == plain) or _is_kind(plain, choice.noun))
            and choice.schema.get("type") == "string"
        ]
        if known and all(set(label["enum"]) == set(known[0]["enum"]) for label in known):
            return {**schema, **known[0]}
        coded = [choice.schema["enum"] for choice in lists if choice.name and choice.name == plain and not choice.many]
        if kind == "string" and coded and all(codes == coded[0] for codes in coded):
            return {**schema, "enum": [str(code) for code in coded[0]]}  # shown in quotes: the number as a text
    return schema


def _is_kind(name: str, noun: str) -> bool:
    return bool(noun) and name.rpartition("_")[2].removesuffix("s") == noun


def with_items(name: str, schema: dict[str, Any], lists: list[Choice]) -> dict[str, Any]:
    """A list of texts whose labels the prose gives under its name."""
    plain = field_name(name)
    if schema == {"type": "string"} and any(choice.many and choice.name == plain for choice in lists):
        schema = {"type": "array", "items": {"type": "string"}}
    items = schema.get("items")
    if schema.get("type") != "array" or not isinstance(items, Mapping) or {"enum", "properties"} & set(items):
        return schema
    known = [
        choice.schema for choice in lists if (choice.name and choice.name == plain) or _is_kind(plain, choice.noun)
    ]
    if not known or items.get("type") not in (None, "string") or any(other != known[0] for other in known):
        return schema
    return {**schema, "items": dict(known[0])}


# What such keys hold is no label.
_FREE_KEYS = frozenset(
    re.findall(
        r"\S+",
        """title name names text query question message content comment note description details quote evidence source id url path code
    email response reply rewrite translation suggestion suggestions feedback observation findings context excerpt snippet""",
    )
)


def with_only_key(schema: dict[str, Any], lists: list[Choice]) -> dict[str, Any]:
    """A form with the labels of the only list that the prompt gives, if only one of its keys can hold them."""
    properties = schema.get("properties")
    if not isinstance(properties, Mapping) or not lists or any(choice.name or choice.noun for choice in lists):
        return schema
    labels_ = lists[0].schema
    if labels_.get("type") != "string" or any(set(other.schema["enum"]) != set(labels_["enum"]) for other in lists):
        return schema
    open_keys = [
        name
        for name, child in properties.items()
        if child.get("type") == "string" and set(child) <= {"type"} and not (keeps_reasoning_in(name) or name == "why")
    ]
    holds = _holds_labels(schema)
    if holds or len(open_keys) != 1 or set(field_name(open_keys[0]).split("_")) & _FREE_KEYS:
        return schema
    found = {**properties[open_keys[0]], "enum": list(labels_["enum"])}
    return {**schema, "properties": {**properties, open_keys[0]: found}}


def with_each_number(document: PromptText, schema: dict[str, Any], lists: list[Choice]) -> dict[str, Any]:
    """A form whose keys are the numbers of things, with the labels that a sentence gives to each of them."""
    properties = schema.get("properties")
    if not isinstance(properties, Mapping) or len(lists) != 1 or lists[0].schema.get("type") != "string":
        return schema
    begin, end = (document.text.rfind("\n", 0, lists[0].span.start) + 1, lists[0].span.end)
    each = re.search(r"\b(?:each|every)\b", document.text[begin:end], re.IGNORECASE)
    if not each or not all(name.isdigit() and child == {"type": "string"} for name, child in properties.items()):
        return schema
    labelled = {"type": "string", "enum": list(lists[0].schema["enum"])}
    return {**schema, "properties": {name: dict(labelled) for name in properties}}


def _holds_labels(schema: Mapping[str, Any]) -> bool:
    """Whether a key has labels, or one inside of it."""
    inside = (*schema.get("properties", {}).values(), schema.get("items"))
    return "enum" in schema or any(isinstance(one, Mapping) and _holds_labels(one) for one in inside)


# Keys that name a label and not what it is of.
_LABEL_KEYS = frozenset({"label", "class", "category", "classification", "prediction"})
_VERDICT_KEYS = frozenset({"verdict", "decision", "answer", "result", "score"})


def _only_labels(name: str, lists: list[Choice]) -> list[str]:
    """The labels of the one list that a prompt gives, if a key can only hold one of them; empty if it may not."""
    noun = name.rpartition("_")[2]
    if noun not in _LABEL_KEYS | _VERDICT_KEYS or not lists:
        return []
    if any(choice.name or choice.schema.get("type") != "string" for choice in lists):
        return []
    first = list(lists[0].schema["enum"])
    same = all(set(choice.schema["enum"]) == set(first) for choice in lists)
    asked = noun in _LABEL_KEYS or any(choice.asks for choice in lists)
    return first if same and asked else []


def with_only_list(field: Field, lists: list[Choice]) -> Field:
    """The only key of an answer with the labels of the only list that asks for it."""
    asked = [choice.schema for choice in lists if choice.asks]
    # A score by its name alone may be "yes" or "no".
    open_text = field.schema == {"type": "number"} or (
        field.schema.get("type") == "string" and "enum" not in field.schema
    )
    if not open_text or not asked or any(set(schema["enum"]) != set(asked[0]["enum"]) for schema in asked):
        return field
    if asked[0].get("type") != "string" or len(asked) < len(lists):
        return field
    return replace(field, schema={**field.schema, "type": "string", "enum": list(asked[0]["enum"])})
