"""Values that signs set apart from the text of an answer: `(feedback) [RESULT] (A or B)`, `[[A]]`, a letter at its end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import regex

from promptopt.structured.fields import Field, PromptText, Span, UnreadForm, field_name, object_schema, scan
from promptopt.structured.readers.labelled import TEXT, Found, placed, quoted, read_pattern

_DELIMITED = regex.compile(
    r"(?:(?P<label>[A-Z][\w ]{0,20}):\s*)?\((?P<first>[^()\n]{3,120})\)\s*\[(?P<tag>[A-Z][A-Z ]{2,15})\]\s*\((?P<second>[^()\n]{3,120})\)"
)


def delimited(document: PromptText) -> Iterator[Found]:
    """Reads "(write a feedback) [RESULT] (an integer between 1 and 5)"."""
    for match in scan(_DELIMITED, document.text):
        noun = re.search(r"\b(?:an?|the|your)\s+(?:\w+ed |brief |short )?(?P<noun>[a-z]+)", match["first"])
        name = field_name(match["label"] or (noun["noun"] if noun else "text"))
        line = document.line(match.start())
        schema = placed("result", match["second"])
        tag = match["tag"]
        pattern = rf"\[{tag}\]\W*?{read_pattern(schema)}"
        source = f"form in the prose, line {line}"
        yield Field(name, TEXT, source, line), Span(*match.span())
        yield Field(field_name(tag), schema, source, line, pattern), Span(*match.span())
        return


_BRACKETED = re.compile(r"\[\[(?P<label>[^\[\]\n]{1,20})\]\]")
# What is in the brackets in the place of a label: "[[letter]]", "[[your verdict]]".
_A_PLACE = re.compile(
    r"(?:(?:your|the|an?|one|final|chosen|selected|correct|best|single|option|answer|class|label)[ _-])*"
    r"(?:letter|label|verdict|choice|option|answer|response|decision|judge?ment|class|category|result|value|name|winner)"
    r"(?:[ _-](?:here|letter|name|label))?",
    re.IGNORECASE,
)
_A_NUMBER = re.compile(r"(?:rating|score|number|grade|x|\d+(?:\.\d+)?)", re.IGNORECASE)


def bracketed(document: PromptText, ranges: list[dict[str, Any]]) -> Found | None:
    """A verdict in double brackets: ``[[A]]`` or ``[[B]]``, or ``[[rating]]`` with the range that the prose gives."""
    matches = list(_BRACKETED.finditer(document.text))
    if not matches:
        return None
    said = dict.fromkeys(match["label"].strip() for match in matches)
    labels = [label for label in said if not _A_PLACE.fullmatch(label)]
    line = document.line(matches[0].start())
    if any("#" in label for label in labels):
        raise UnreadForm(f"line {line}: parts between marks such as {matches[0][0]!r} are not read")
    span = Span(matches[0].start(), matches[-1].end())
    if labels and all(_A_NUMBER.fullmatch(label) for label in labels):
        if not ranges or any(known != ranges[0] for known in ranges):
            return None
        schema: dict[str, Any] = dict(ranges[0])
        name = "rating"
    elif len(labels) > 1 and not any(_A_NUMBER.fullmatch(label) for label in labels):
        schema, name = {"type": "string", "enum": labels}, "verdict"
    else:
        return None
    pattern = rf"\[\[\s*{read_pattern(schema)}\s*\]\]"
    return Field(name, schema, f"double brackets in the prose, line {line}", line, pattern), span


_ENDING = re.compile(
    r"\b(?:forms?|formats?|line|like this|as)\b:?\s*(?:[\"'`“‘]|(?=[A-Z]+: ?[<\[]))(?P<name>[A-Za-z][\w ]{0,20}):\s*[\[<({]*(?:your |the |an? )*(?:score|rating|grade|number|integer|x|n|#)(?: here| (?:from )?\d+ ?(?:-|–|to) ?\d+)?(?:[\])>}]*[\"'`”’.]|[\])>}])",
    re.IGNORECASE,
)


def ending(document: PromptText, ranges: list[dict[str, Any]]) -> Found | None:
    """A number with a label, 'in the form "Rating: X"', with the one range that the prose gives."""
    matches = list(_ENDING.finditer(document.text))
    if len({match["name"] for match in matches}) != 1 or not ranges or any(one != ranges[0] for one in ranges):
        return None
    match, schema = matches[0], dict(ranges[0])
    line = document.line(match.start())
    pattern = rf"(?im)^[\W_]*{quoted(match['name'])}[\W_]*?:[\W_]*?{read_pattern(schema)}"
    return Field(field_name(match["name"]), schema, f"form in the prose, line {line}", line, pattern), Span(
        *match.span()
    )


# "Option: [Selected Option's Letter]", "Final Answer: <single letter of your answer choice>"
_LETTER_END = re.compile(
    r"(?:^[ \t]*|[\"'`“‘])(?P<name>[A-Za-z][\w ]{0,20}):\s*[\[<(][^\]>)\n]{0,40}\bletter\b[^\]>)\n]{0,40}[\]>)]",
    re.IGNORECASE | re.MULTILINE,
)
_OPTION = re.compile(r"^[ \t]*\(?(?P<letter>[A-Z])[.)][ \t]+\S", re.MULTILINE)
_LIKE_LETTERS = re.compile(r"\bletters?\b[^.\n]{0,30}?\b(?P<list>[A-Z](?:,\s*[A-Z])+,?\s+or\s+[A-Z])\b")


def lettered_end(document: PromptText) -> Found | None:
    """A letter after a label, with the options that are listed or the letters that the prose names."""
    matches = list(_LETTER_END.finditer(document.text))
    if len({match["name"] for match in matches}) != 1:
        return None
    like = _LIKE_LETTERS.search(document.text)
    letters = (
        re.findall(r"\b[A-Z]\b", like["list"])
        if like
        else [match["letter"] for match in _OPTION.finditer(document.text)]
    )
    if len(letters) < 2 or letters != [chr(ord("A") + number) for number in range(len(letters))]:
        return None
    match, schema = matches[0], {"type": "string", "enum": letters}
    line = document.line(match.start("name"))
    pattern = rf"(?im)^[\W_]*{quoted(match['name'])}[\W_]*?:[\W_]*?{read_pattern(schema)}(?!\w)"
    found = Field(field_name(match["name"]), schema, f"form in the prose, line {line}", line, pattern)
    return found, Span(*match.span())


_TUPLE = regex.compile(r"\bformat each (?P<noun>\w+) as\s*(?P<form>\([^\n]*<\|>[^\n]*\))", regex.IGNORECASE)


def tuples(document: PromptText) -> Iterator[Found]:
    """Reads "Format each claim as (<subject><|><object>)": a list of objects."""
    for match in scan(_TUPLE, document.text):
        names = [field_name(name) for name in re.findall(r"<([A-Za-z_]\w*)>", match["form"])]
        if len(names) < 2 or len(set(names)) < len(names):
            continue
        properties: dict[str, Any] = {}
        for name in names:
            numeric = re.search(rf"\b{name}\b\s*:\s*an? (?P<kind>numeric|integer|float)", document.text, re.IGNORECASE)
            properties[name] = {"type": "number" if numeric else "string"}
        noun = match["noun"].lower()
        plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
        line = document.line(match.start())
        start = document.text.rfind("\n", 0, match.start()) + 1
        end = document.text.find("\n", match.start())
        span = Span(start, len(document.text) if end < 0 else end)
        items = {"type": "array", "items": object_schema(properties)}
        yield Field(plural, items, f"delimited form in the prose, line {line}", line), span
