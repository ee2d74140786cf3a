"""What follows a key where a prompt says something of its form: ``"due": "<YYYY-MM-DD>"``, "title (max 60 characters)"."""

from __future__ import annotations

import re
from collections.abc import Iterator

_STOP = re.compile(r"\n|;|(?<=[\w)}\"'])(?<![Mm]ax)\.\s|[,}]\s*[\"'`*]|\band [\"'`]")
EMPTY_ELSEWHERE = r"\b(?:leer(?:e[nrs]?|es)?|vides?|vac[ií][oa]s?|vazi[oa]s?|vuot[oaie])\b|пуст|空"
"""Words of other languages for what is left empty."""
_SAYS = re.compile(r"[\"'`*_]*\s*(?:[:=(–—-]|(?:is|must|should|has to|as|in)\b)", re.IGNORECASE)


def beside_key(name: str, text: str, says: re.Pattern[str] = _SAYS, *, most: int = 90) -> Iterator[re.Match[str]]:
    """Each place of a key, as a match whose group ``said`` is what follows it up to the next key or sentence.

    Args:
        says: What has to follow the key, so that the words are said of it.
        most: Characters that are looked at: what a value's form is comes first.
    """
    # "Title: max 60 characters" is said of "title".
    own = rf"(?<![\w-]){'(?i:' + re.escape(name) + ')' if len(name) > 2 else re.escape(name)}"
    said = re.compile(rf"{own}(?P<said>(?![\w-])(?:.|\n){{0,{most}}})")
    for match in re.finditer(rf"{own}(?![\w-])", text):
        stop = _STOP.search(text, match.end() + 1)
        end = min(stop.start() if stop else len(text), match.end() + most)
        whole = said.fullmatch(text, match.start(), end)
        if whole is not None and says.match(whole["said"]):
            yield whole
