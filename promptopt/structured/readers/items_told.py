"""A list of objects whose keys are listed below what each of them has: "Return a JSON array. Each object must have:"."""

from __future__ import annotations

import re
from dataclasses import replace

from promptopt.structured.fields import MASK, Field, Inferred, PromptText, Span, conditional_part, object_schema
from promptopt.structured.prose.counts import with_counts
from promptopt.structured.prose.nulls import nulls_of
from promptopt.structured.prose.quiz_options import with_options
from promptopt.structured.readers.named_keys import keys_below
from promptopt.structured.readers.told_keys import value_of

_ARRAY = re.compile(
    r"\b(?:return|respond|reply|output|answer|provide|produce|give|generate|create|write)\b[^.\n]{0,60}\b(?:json (?:array|list)|(?:array|list) of (?:\w+ )?(?:json )?(?:objects|dict\w*))\b"
    r"|\b(?:output|response|answer|reply) (?:must|should|will) be [^.\n]{0,30}\bjson (?:array|list)\b",
    re.IGNORECASE,
)
_EACH = re.compile(
    r"^(?P<before>[^\n]*?)\b(?:each|every) (?:[\w-]+ ){0,2}?(?P<thing>[a-z]+) (?:in the (?:array|list) )?(?:must |should |will |has to |needs to )?"
    r"(?:(?:is|be) an? (?:json )?(?:object|dictionary) (?:with|containing|having|that has)|have|has|contains?|includes?)(?: only| exactly)?(?: the following| these)?(?: \w+)?(?: (?:keys|fields|properties|attributes))?:[*_]*[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
# 'a single key "ships". Its value is a list of objects, and each object has:'
_UNDER = re.compile(
    r"\bjson object with (?:a|the|one) (?:single |only |one )?(?:key|field|property):? [\"'`](?P<key>\w+)[\"'`][^\n]{0,60}\b(?:list|array) of (?:json )?(?:objects|dictionaries)\b",
    re.IGNORECASE,
)
_GIVEN = re.compile(r"\b(?:inputs?|given|receive|provided|contains? the following data)\b", re.IGNORECASE)


def items_under_key(document: PromptText) -> Inferred | None:
    """The list as the value of the one key that the sentence names; ``None`` if the prompt shows any other JSON."""
    under = _UNDER.search(document.text)
    if under is None or _EACH.search(document.text) is None:
        return None
    shown = re.sub(rf"\{{\s*[\"']{under['key']}[\"']\s*:\s*\[\s*\]\s*\}}", "", document.text)
    found = None if re.search(r"\{\s*[\"']", shown) else items_told(document, under["key"])
    if found is None or not found.fields:
        return found
    return replace(found, fields=(replace(found.fields[0], name=under["key"]),), wrapped=False)


def items_told(document: PromptText, under: str = "") -> Inferred | None:
    """The list; ``None`` if the prompt wants no list of objects, or does not list the keys of each one.

    Args:
        under: The key that holds it, if it is no list by itself.
    """
    leads = [match for match in _EACH.finditer(document.text) if not _GIVEN.search(match["before"].rpartition(". ")[2])]
    if len(leads) != 1 or not (under or _ARRAY.search(document.text)) or MASK in leads[0]["thing"]:
        return None
    keys = keys_below(document, leads[0].end())
    if len(keys) < 2 or any(key.nested for key in keys):
        return None
    properties = {}
    for key in keys:
        schema = value_of(key, document)
        if schema is None or key.name in properties:
            return None
        properties[key.name] = schema
    nulls = nulls_of(document, list(properties))
    items = object_schema({name: nulls(name, schema) for name, schema in properties.items()})
    covered = (Span(*leads[0].span()), *(key.span for key in keys))
    if bad := conditional_part(document, covered):
        return bad
    line = document.line(leads[0].start())
    items = with_counts(document, items, covered, wrapped=False)
    listed = with_options(document, {"type": "array", "items": items}, covered)
    field = Field("items", listed, f"keys of each item in the prose, line {line}", line)
    return replace(Inferred((field,), covered=covered), wrapped=True, whole="JSON")
