"""Patterns of dates and times that a prompt writes in letters and ISO 8601 has not: "DD.MM.YYYY", "HH:MM"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from promptopt.structured.fields import PromptText
from promptopt.structured.prose.beside_keys import EMPTY_ELSEWHERE, beside_key
from promptopt.structured.prose.each_value import is_open_text, with_each_value

# Days and years also in German, French and Spanish: TT.MM.JJJJ, JJ/MM/AAAA
_PLACE = r"(?:D{1,2}|d{1,2}|T{1,2}|M{1,2}|m{1,2}|[YyJA]{4}|[YyJ]{2}|H{1,2}|h{1,2}|S{2}|s{2})"
_FORM = re.compile(rf"(?<![\w./:-]){_PLACE}(?:[./:-]{_PLACE}){{1,2}}(?![\w/:-]|\.\w| ?[AaHh][Mm]?\b)")
_ISO = re.compile(r"YYYY-MM-DD", re.IGNORECASE)
# Something else may stand there.
_ELSE = re.compile(
    EMPTY_ELSEWHERE
    + r"|\b(?:(?:empty|blank)(?! (?:json )?(?:arrays?|lists?|objects?|\[))|unknown|partial|approximate|placeholder|TBD)\b|(?<![\"'])(?:\"\"|'')(?![\"'])|(?<!\w)N/A\b|\bas (?:written|printed|stated|shown)\b",
    re.IGNORECASE,
)
_MORE = re.compile(
    r"\bor\b(?!\s+(?:else |otherwise )?null\b)|\brange\b|\be\.g|\bfor example|\blist of\b|\bto [DMYHdmyh]"
)


def with_date_patterns(document: PromptText, schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema whose texts have a pattern where the prompt says a form of dates or times, and nothing else may stand there."""
    text = document.text
    if not _FORM.search(text) or _ELSE.search(text):
        return dict(schema)

    def formed(name: str, node: dict[str, Any], _: int) -> dict[str, Any]:
        free = name and is_open_text(node) and "maxLength" not in node
        form = _form_of(name, text) if free else None
        return {**node, "pattern": f"^{_FORM_PART.sub(_digits, re.escape(form))}$"} if form else node

    return with_each_value(schema, formed)


_FORM_PART = re.compile(r"[A-Za-z]+")


def _digits(part: re.Match[str]) -> str:
    # One letter is a number as it is: D.M.YYYY
    return r"\d{1,2}" if len(part[0]) == 1 else rf"\d{{{len(part[0])}}}"


def _form_of(name: str, text: str) -> str | None:
    """The one form that is said of a key wherever its form is spoken of."""
    forms: set[str] = set()
    for place in beside_key(name, text):
        found = _FORM.findall(place["said"])
        if found and (_MORE.search(place["said"]) or len(found) > 1):
            return None
        forms.update(found)
    form = forms.pop() if len(forms) == 1 else ""
    dated = re.search(r"[YyHhDdJ]", form) and not _ISO.fullmatch(form)
    return form if dated else None
