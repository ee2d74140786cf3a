"""A list in the line of a key that its value is chosen from: "ports: choose from [Oslo, Bergen, Hull]"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from promptopt.structured.fields import MASK, PromptText
from promptopt.structured.prose.plain_labels import is_kind

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
    if (
        value.get("type") != "string"
        or "enum" in value
        or not (_LISTED.search(document.text) or _CASE.search(document.text))
    ):
        return schema
    line = _line_of(name, rf"[:=–—-][*_]*[ \t]*{_CHOSEN}[ \t]*\[(?P<list>[^\[\]\n]{{3,800}})\]")
    found = [_values(match["list"]) for match in line.finditer(document.text) if MASK not in match[0]]
    if not found and (cases := _cases(name, document)):
        if any(one != cases[0] for one in cases):
            return schema
        if value is not schema and re.search(rf"[\"']{re.escape(name)}[\"']\s*:\s*\[", document.text):
            return {**schema, "items": {"type": "string", "enum": [case for case in cases[0] if case is not None]}}
        # A list by its name alone is one label if its line begins with a case.
        null = None in cases[0] or "null" in value["type"]
        labels = [*(case for case in cases[0] if case is not None), *([None] if null else [])]
        return {"type": ["string", "null"] if null else "string", "enum": labels}
    if not found or any(one != found[0] for one in found) or len(found[0]) < 2 or value["type"] != "string":
        return schema
    labelled = {**{key: part for key, part in value.items() if key != "description"}, "enum": found[0]}
    return labelled if value is schema else {**schema, "items": labelled}


def _line_of(name: str, said: str) -> re.Pattern[str]:
    """The line that begins with a key, and a pattern of what is said of it there."""
    key = rf"[*_`\"']*{re.escape(name)}[*_`\"']*[ \t]*(?:\([^()\n]*\))?[*_]*"
    return re.compile(rf"^[ \t]*(?:[-*•]|\d+[.)])?[ \t]*{key}[ \t]*{said}", re.IGNORECASE | re.MULTILINE)


# '"open" if it sells', '"no" ONLY if the caller denies it', '"unknown" otherwise'
_CASE = re.compile(
    r"(?:(?<=[:;,.])|\A)[ \t]*(?:(?:and|or|else) )?[\"'`“](?P<label>[\w -]{1,30})[\"'`”] (?:only )?(?:if|when|for|otherwise|in all other cases)\b",
    re.IGNORECASE,
)
_NULL = re.compile(r"\b(?:otherwise|else)[,:]? null\b|\bnull (?:otherwise|if|when)\b", re.IGNORECASE)


def _cases(name: str, document: PromptText) -> list[list[str | None]]:
    """The labels that the line of a key gives case by case, and null if it is one of them."""
    line = _line_of(name, r"(?P<said>[:=–—-][*_]*[ \t]*[\"'`“][^\n]*)$")
    found: list[list[str | None]] = []
    for match in line.finditer(document.text):
        labels: list[str | None] = list(dict.fromkeys(case["label"] for case in _CASE.finditer(match["said"])))
        if len(labels) > 1 and MASK not in match[0]:
            found.append([*labels, *([None] if _NULL.search(match["said"]) else [])])
    return found


def _values(listed: str) -> list[str]:
    """The labels of a list; empty if one of its items is none."""
    parts = [part.strip().strip("\"'`“”‘’") for part in re.split(r"[,|]", listed)]
    plain = all(part and len(part.split()) <= _LONGEST and part not in ("...", "…", "etc") for part in parts)
    return list(dict.fromkeys(parts)) if plain else []


# Words on how a value is written, or what belongs there.
_WRITTEN = re.compile(
    r"(?:string|text|str|int|integer|float|number|bool|boolean|list|array|object|date|null|optional|required|mandatory|short|brief|plain|free|exact|verbatim"
    r"|concise|formal|english|singular|plural|(?:lower|upper|title|snake|camel)-?case|capitali[sz]ed|one|two|three|max|min|name|code|id|length|time|title)\Z",
    re.IGNORECASE,
)


def pair_of(name: str, document: PromptText) -> list[str]:
    """The two labels in brackets after a key that is called as one of a kind, "state (new, used)"; empty if there are none."""
    if not is_kind(name):
        return []
    spoken = re.escape(name).replace("_", "[ _]")
    pattern = rf"\b{spoken}[\"'`*]* \((?P<one>[A-Za-z][\w-]*), (?P<two>[A-Za-z][\w-]*)\)"
    found = [
        [match["one"], match["two"]]
        for match in re.finditer(pattern, document.text, re.IGNORECASE)
        if MASK not in match[0]
    ]
    if not found or any(_WRITTEN.match(word) for word in found[0]) or any(one != found[0] for one in found):
        return []
    return found[0]
