"""Ratings that a prompt asks for: from where to where a number goes, scales whose grades are listed, the grades of each criterion."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import regex

from promptopt.structured.fields import PromptText, Span, field_name, scan
from promptopt.structured.prose.choices import Choice
from promptopt.structured.prose.wording import number_range, numeric_names

_NUMBERS = (
    regex.compile(
        r"\b(?:(?P<float>float|decimal|real|continuous)\w*|(?P<whole>integer|whole number|int))?\s*(?P<grade>score|rating|number|value|grade|level|mark|key)?s?\s*"
        r"(?:should (?:always )?be |is |ranging )?(?:an? )?(?P<whole2>integer |float )?(?:between|from|ranging from|in the range(?: of)?)\s+(?P<low>-?\d+(?:\.\d+)?)%?(?:\s*\([^()\n]{1,40}\))?\s*(?:and|to|-|–)\s*(?P<high>\d+(?:\.\d+)?)(?![\d.]*\d)%?(?!\s*(?:words?|sentences?|characters?|items?|bullets?|minutes?|years?))",
        re.IGNORECASE,
    ),
    # "each a float 0.0-1.0"
    regex.compile(
        r"\beach(?: of them)?(?: is| as| gets| being)? (?:an? )?(?:(?P<float>float|decimal)|(?P<whole>integer|whole number)|number|score|rating)(?: of| from| in| between)? \(?(?P<low>[01](?:\.0)?)\s*(?:-|–|to|and)\s*(?P<high>(?:[2-9]|10|100|1\.0)(?:\.0)?)\b(?!\.\d|\s*(?:words?|sentences?))",
        re.IGNORECASE,
    ),
    # "then score 1-5"
    regex.compile(
        r"\b(?:score|rate|grade)\s+(?:it |each |them |this )?(?P<low>[01](?:\.0)?)\s*(?:-|–|to)\s*(?P<high>(?:5|7|10|100|1\.0)(?:\.0)?)\b(?!\.\d|%|\s*(?:words?|sentences?|points? (?:for|per)))",
        re.IGNORECASE,
    ),
    regex.compile(
        r"\b(?:on|using|with) (?:a|the) (?:[\w-]+ )?(?:scale|range) (?:of|from|between)?\s*(?P<low>\d+(?:\.\d+)?)(?:\s*\([^()\n]{1,40}\))?\s*(?:-|–|to|and)\s*(?P<high>\d+(?:\.\d+)?)",
        re.IGNORECASE,
    ),
)
# "On a scale of 1 to 10, rate the text."
_RATES = re.compile(
    r"[^.\n]*(?:\([^()\n]*\)[^.\n]*)*?,\s*(?:please )?(?:rate|score|grade|assess|judge|evaluate)\b"
    r"|(?:\s*\([^()\n]{1,60}\))?\s*,\s*(?:to what (?:extent|degree)|how \w+)\b[^?\n]*\?[^\n]*\b(?:score|rating|number|answer)\b",
    re.IGNORECASE,
)
_GIVES = re.compile(r"\b(?:mark|assign|give|estimate|predict|output|return)\b", re.IGNORECASE)
_ASKING = re.compile(r"\b(?:answer|respond|reply|rate|score|grade|assess|evaluate|judge)\b", re.IGNORECASE)


def numbers(document: PromptText) -> Iterator[Choice]:
    """Every place of the prose that says from where to where a number goes."""
    for pattern in _NUMBERS:
        for match in scan(pattern, document.text):
            groups = match.groupdict()
            said = f"{groups.get('float') or ''}{groups.get('whole') or ''}{groups.get('whole2') or ''}".lower()
            schema = number_range(
                match["low"], match["high"], whole=not said.startswith(("float", "decimal", "real", "continuous"))
            )
            if "int" in said or "whole" in said:
                schema = {**schema, "type": "integer"} if schema else schema
            if not schema:
                continue
            line_start = document.text.rfind("\n", 0, match.start()) + 1
            before = document.text[max(line_start, match.start() - 80) : match.end()]
            names = numeric_names(before)
            yield Choice(
                names[-1] if names else "",
                schema,
                Span(*match.span()),
                f"range in the prose, line {document.line(match.start())}",
                asks=bool(
                    names
                    or said
                    or _ASKING.search(before)
                    or (groups.get("grade") and _GIVES.search(before))
                    or _RATES.match(document.text, match.end())
                ),
            )


def scale(document: PromptText) -> list[tuple[dict[str, Any], bool]]:
    """Scales whose grades are lines one below the other, each with whether it is for each of several values."""
    found = []
    for match in scan(_GRADES, document.text):
        grades = list(re.finditer(_GRADE, match["lines"], re.MULTILINE | re.IGNORECASE))
        values = [float(grade["value"]) for grade in grades]
        steps = {second - first for first, second in itertools.pairwise(values)}
        named = bool(re.search(r"\b(?:score|rating|grade|level) -?\d", match["lines"], re.IGNORECASE))
        if len(values) < (2 if named else 3) or not (min(steps) > 0 or max(steps) < 0):
            continue
        # "1. Accuracy" counts criteria unless the line above speaks of a scale.
        counted = all(grade["mark"] in ".)" for grade in grades) and not named
        if counted and (not _SCALE.search(match["lead"]) or min(values) > 1 or re.match(r"\s*\d", match["lead"])):
            continue
        texts = sorted((grade["value"] for grade in grades), key=float)
        schema = number_range(texts[0], texts[-1], whole=steps in ({1.0}, {-1.0}))
        found.append((schema, bool(re.search(r"\beach\b|\bevery\b", match["lead"], re.IGNORECASE))))
    return found


_SCALE = re.compile(r"\b(?:scale|scoring|grades?|levels|points?)\b", re.IGNORECASE)
_GRADE = r"^[ \t]*(?:[-*•][ \t]*)?\**(?:score |rating |grade |level )?(?P<value>-?\d{1,3}(?:\.\d+)?)\**[ \t]*(?P<mark>[:=.)→](?!\d)|[-–—](?=[ \t]))"
_ONE_GRADE = _GRADE.replace("?P<value>", "?:").replace("?P<mark>", "?:")
_GRADES = regex.compile(
    rf"(?:(?P<lead>(?!{_ONE_GRADE})[^\n]*\b(?:scale|scor(?:es?|ing)|rating|rate|grades?|rubric|levels)\b[^\n]*)\n\s*"
    r"|^(?P<lead>)(?=[ \t]*(?:[-*•][ \t]*)?\**(?:score|rating|grade|level) \d))"
    rf"(?P<lines>(?:{_ONE_GRADE}[^\n]*(?:\n(?!{_ONE_GRADE[1:]})[ \t]+[^\n]+)*\n*){{2,}})",
    regex.IGNORECASE | regex.MULTILINE,
)


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
    for match in _CRITERION_GRADES.finditer(document.text):
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
_CRITERION_GRADES = re.compile(
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
