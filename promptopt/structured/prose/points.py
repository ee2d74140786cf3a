"""Several points below one label of a form: "- <first demand>", "[Issue 1]" and "[Issue 2]", "1. ..."."""

from __future__ import annotations

import re
from typing import Any

from promptopt.structured.prose.counts import NUMERALS, number_of

_PLACE = r"(?:<[^<>\n]+>|\[[^\[\]\n]+\])"
# "- <first point>", "1. <risk>", "- ..."
_BULLETS = re.compile(r"\A\s*(?:[-*•]|1[.)])\s+(?:[<\[]|(?:\.\.\.|…)\s*\Z)")
_PLACES = re.compile(rf"\A\s*(?P<places>{_PLACE}(?:\s+{_PLACE})+)(?P<rest>.*)\Z", re.DOTALL)
A_NUMBER = rf"(?:\d{{1,2}}|{'|'.join(NUMERALS)})"
# "(List up to 5, or fewer)", "(3 to 5 points)"
_COUNT = re.compile(
    rf"\([^()\n]{{0,20}}?\b(?:(?P<most>up to|at most|max(?:imum)?(?: of)?|no more than)|(?P<least>at least|min(?:imum)?(?: of)?)|(?P<exact>exactly)|(?P<low>{A_NUMBER})\s?(?:-|–|to))\s?(?P<n>{A_NUMBER})\b(?!\s*(?:words|sentences|characters|lines))",
    re.IGNORECASE,
)


def points(said: str) -> dict[str, Any] | None:
    """The list of texts that stands below a label; ``None`` if one text does."""
    places = _PLACES.match(said)
    several = places is not None and len(_kinds(places["places"])) == 1
    if not several and not _BULLETS.match(said):
        return None
    return {"type": "array", "items": {"type": "string"}, **_bounds(said)}


def parts_below(said: str) -> str:
    """The second of several places below a label that are not alike; empty if there is none."""
    places = _PLACES.match(said)
    if places is None or places["rest"].strip() or len(_kinds(places["places"])) == 1:
        return ""
    return str(re.findall(_PLACE, places["places"])[1])


def _kinds(places: str) -> set[str]:
    """The words of places without the numbers by which they are told apart."""
    numbers = rf"\b(?:\d+|first|second|third|another|next|{'|'.join(NUMERALS)})\b"
    return {re.sub(numbers, "", place.lower(), flags=re.IGNORECASE).strip() for place in re.findall(_PLACE, places)}


def _bounds(said: str) -> dict[str, int]:
    count = _COUNT.search(said)
    if count is None:
        return {}
    number = number_of(count["n"])
    if count["most"]:
        return {"maxItems": number}
    if count["least"]:
        return {"minItems": number}
    return {"minItems": number_of(count["low"]) if count["low"] else number, "maxItems": number}
