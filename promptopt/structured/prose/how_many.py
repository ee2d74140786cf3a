"""Whole numbers by what the task says of what they count: "how many people work on it (1-5 people)", "numbers starting at 1"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from promptopt.structured.fields import MASK, PromptText
from promptopt.structured.prose.key_clauses import words_of

# Words of a key that say that it counts: agent_count, number_of_rooms, num_beds
_COUNTING = frozenset({"count", "number", "num", "nr", "no", "of", "total", "amount", "n"})
# What counts the items themselves
_PLACES = re.compile(r"(?:number|no|nr|index|id|order|rank|position|step)\Z", re.IGNORECASE)


def with_how_many(name: str, schema: Mapping[str, Any], document: PromptText) -> dict[str, Any]:
    """A whole number with the range that the task gives for how many there are, or with its first one."""
    known = dict(schema)
    if known.get("type") not in ("integer", ["integer", "null"]) or {"minimum", "maximum", "enum"} & set(known):
        return known
    found = _ranges(name, document.text) or _first(name, document.text)
    return {**known, **found[0]} if found and all(one == found[0] for one in found) else known


def _ranges(name: str, text: str) -> list[dict[str, int]]:
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+", name)]
    counted = [word.removesuffix("s") for word in words if word not in _COUNTING]
    if not counted:
        return []
    noun = rf"{'[ _-]'.join(map(re.escape, counted))}(?:s|es)?"
    # "(1-5 agents)", "(1 to 5)" after "how many agents"
    said = re.compile(
        rf"\b(?:how many|number of) (?:[\w-]+ ){{0,2}}?{noun}\b[^.;\n()]{{0,80}}\((?:from |between )?(?P<low>\d{{1,3}})\s?(?:-|–|to|and)\s?(?P<high>\d{{1,3}})(?: {noun})?\)",
        re.IGNORECASE,
    )
    ends = [(int(match["low"]), int(match["high"])) for match in said.finditer(text) if MASK not in match[0]]
    return [{"minimum": low, "maximum": high} for low, high in ends if low < high]


def _first(name: str, text: str) -> list[dict[str, int]]:
    if not _PLACES.search(name):
        return []
    said = re.compile(
        rf"(?<![\w-])(?:{words_of(name)})s?(?![\w-])[^.;:\n{MASK}]{{0,30}}?\b(?:start(?:s|ing)?|begin(?:s|ning)?|count(?:s|ed|ing)?|number(?:ed|ing)?) (?:at|from|with) (?P<first>[01])(?!\w|\.\d)",
        re.IGNORECASE,
    )
    return [{"minimum": int(match["first"])} for match in said.finditer(text)]
