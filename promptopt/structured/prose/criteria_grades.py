"""The grades of criteria: one range for all that are named, or one of its own for each."""

from __future__ import annotations

import re
from typing import Any

from promptopt.structured.fields import PromptText, field_name
from promptopt.structured.prose.choices import Choice
from promptopt.structured.prose.ranges import numbers, scale
from promptopt.structured.prose.wording import number_range


def shared_range(document: PromptText, ranges: list[Choice]) -> tuple[dict[str, Any], bool] | None:
    """The one range of numbers that the prose gives, and whether it is for each of several values."""
    scales = scale(document)
    found = [dict(choice.schema) for choice in ranges if choice.asks] + [grades for grades, _ in scales]
    if not found or any(known != found[0] for known in found):
        return None
    each = any(every for _, every in scales) or any(
        re.search(r"\b(?:each|every)\b", document.text[max(0, choice.span.start - 100) : choice.span.end + 60])
        for choice in ranges
    )
    return found[0], each


def grades_of(document: PromptText) -> dict[str, dict[str, Any]]:
    """The criteria that have grades of their own: "Clarity (1-5)", "Method: 0 = missing, 1 = partial, 2 = full"."""
    found = {
        field_name(match["name"]): number_range(match["low"], match["high"])
        for match in _GRADED.finditer(document.text)
    }
    for match in _GRADES.finditer(document.text):
        grades = sorted(int(grade) for grade in re.findall(r"(?:[:,;(]\s*|^\s*)(-?\d+)\s*(?==)", match["grades"]))
        found[field_name(match["name"])] = number_range(str(grades[0]), str(grades[-1]))
    for match in _RATED.finditer(document.text):
        names = [field_name(name) for name in re.split(r"\s*,\s*(?:and\s+)?|\s+and\s+", match["names"])]
        found |= {name: number_range(match["low"], match["high"]) for name in names if name not in found}
    shared = shared_range(document, list(numbers(document)))
    for match in _CRITERIA.finditer(document.text) if shared and shared[1] else ():
        names = [field_name(name) for name in re.split(r"\s*,\s*(?:and\s+)?|\s+and\s+", match["names"])]
        found |= {name: dict(shared[0]) for name in names if shared and name not in found}
    for match in _CRITERIA_BELOW.finditer(document.text):
        span = _EACH_RANGE.search(match["lead"])
        if span and (bounds := number_range(span["low"], span["high"])):
            heads = [field_name(head["name"]) for head in _CRITERION.finditer(match["items"])]
            found |= {name: bounds for name in heads if name not in found}
    return found


# "1. Clarity (1-5)": a criterion with its range.
_GRADED = re.compile(
    r"^[ \t]*(?:[-*•]|\d+[.)])[ \t]*\**(?P<name>[A-Za-z][\w ]{2,30}?)\**[ \t]*\((?P<low>\d+)[ \t]*(?:-|–|to)[ \t]*(?P<high>\d+)\)",
    re.MULTILINE,
)
# "Method: 0 = missing, 1 = partial, 2 = full"
_GRADES = re.compile(
    r"^[ \t]*(?:[-*•]|\d+[.)])?[ \t]*[*`\"']*(?P<name>[A-Za-z][\w ]{2,30}?)[*`\"']*:(?P<grades>[ \t]*-?\d+[ \t]*=[^\n=]+(?:[,;][ \t]*-?\d+[ \t]*=[^\n=]+)+)$",
    re.MULTILINE,
)
# "Score the essay from 1 to 6 on content, organisation and grammar"
_RATED = re.compile(
    r"\b(?:rate|score|grade|evaluate|assess)\b[^.\n]{0,60}?\b(?:from|between) (?P<low>\d+) (?:to|and) (?P<high>\d+) (?:on|for|in) (?:its |the |each of )?"
    r"(?P<names>\w+(?:, \w+)*,? and \w+)",
    re.IGNORECASE,
)
# "Evaluate the answer for tone, accuracy and brevity. Give each a score from 1 to 5."
_CRITERIA = re.compile(
    r"\b(?:rate|score|grade|evaluate|assess|judge)\b[^.\n]{0,60}? (?:on|for|by|in terms of|with respect to) (?:its |the |each of |their )?"
    r"(?P<names>[\w-]+(?:, [\w-]+)*,? and [\w-]+)(?=[.,;:\n])",
    re.IGNORECASE,
)
# "Score each 0-10:", and below it one criterion a line
_CRITERIA_BELOW = re.compile(
    r"^(?P<lead>[^\n]*\b(?:rate|score|grade|evaluate|assess|judge)\b[^\n]*:)[*_ \t]*\n(?:[ \t]*\n)?(?P<items>(?:[ \t]*(?:[-*•]|\d{1,2}[.)])[ \t]+[^\n]+\n?){2,})",
    re.IGNORECASE | re.MULTILINE,
)
_EACH_RANGE = re.compile(
    r"\b(?:each|every)\b[^\n]*?(?<![\d.-])(?P<low>[01])\s?(?:-|–|to)\s?(?P<high>\d{1,3})(?![\d.-])", re.IGNORECASE
)
_CRITERION = re.compile(
    r"^[ \t]*(?:[-*•]|\d{1,2}[.)])[ \t]+[*_`\"']*(?P<name>[A-Za-z][\w ]{1,30}?)[*_`\"']*[ \t]*(?::|[-–—(]|$)",
    re.MULTILINE,
)
