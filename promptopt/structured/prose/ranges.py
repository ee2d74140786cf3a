"""Ratings that a prompt asks for: from where to where a number goes, and scales whose grades are listed."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import regex

from promptopt.structured.fields import PromptText, Span, scan
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
