"""A list in the line of a key that its value is chosen from: "ports: choose from [Oslo, Bergen, Hull]"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from promptopt.structured.fields import MASK, PromptText

_CHOSEN = (
    r"(?:an? )?(?:(?:list|array) of )?(?:only )?(?:(?:choose|chosen|select(?:ed)?|pick(?:ed)?|taken?|use|drawn)(?: only| one or more| one| any| all that apply)? (?:from|among)"
    r"|(?:one or more|any|some|a subset|subset|zero or more|exactly one|one) (?:of|from))(?: the| these)?(?: following)?(?: \w+)?:?"
)
_LISTED = re.compile(
    r"\b(?:choose|chosen|select|pick|taken?|drawn|one|any|some|subset|more|use)\w* (?:\w+ ){0,4}?(?:from|of|among)\b",
    re.IGNORECASE,
)
_LONGEST = 4


def with_choices(name: str, schema: dict[str, Any], document: PromptText) -> dict[str, Any]:
    """A text, or a list of texts, with the labels in brackets that the line of its key has."""
    items = schema.get("items")
    value = items if isinstance(items, Mapping) else schema
    if value.get("type") != "string" or "enum" in value or not _LISTED.search(document.text):
        return schema
    line = re.compile(
        rf"^[ \t]*(?:[-*•]|\d+[.)])?[ \t]*[*_`\"']*{re.escape(name)}[*_`\"']*[ \t]*(?:\([^()\n]*\))?[*_]*[ \t]*[:=–—-][*_]*[ \t]*{_CHOSEN}[ \t]*\[(?P<list>[^\[\]\n]{{3,800}})\]",
        re.IGNORECASE | re.MULTILINE,
    )
    found = [_values(match["list"]) for match in line.finditer(document.text) if MASK not in match[0]]
    if not found or any(one != found[0] for one in found) or len(found[0]) < 2:
        return schema
    labelled = {**{key: part for key, part in value.items() if key != "description"}, "enum": found[0]}
    return labelled if value is schema else {**schema, "items": labelled}


def _values(listed: str) -> list[str]:
    """The labels of a list; empty if one of its items is none."""
    parts = [part.strip().strip("\"'`“”‘’") for part in re.split(r"[,|]", listed)]
    plain = all(part and len(part.split()) <= _LONGEST and part not in ("...", "…", "etc") for part in parts)
    return list(dict.fromkeys(parts)) if plain else []
