"""Answers in text whose parts have labels: ``Score: <number>``, ``Reason: <text>``, one below the other.

They are read where the text is kept, each by a pattern.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from promptopt.structured.fields import MASK, Field, PromptText, Span, UnreadForm, field_name
from promptopt.structured.prose.described import described
from promptopt.structured.prose.points import parts_below, points
from promptopt.structured.prose.wording import is_numeric, number_range, placeholder

TEXT: dict[str, Any] = {"type": "string"}
OUTPUT = (
    r"(?:answers?|respon[ds]e?|repl(?:y|ies)|outputs?|returns?|write|format\w*|produce|provide|give|judg\w+|verdict|evaluat\w+"
    r"|present|structure\w*|us(?:e|ing)|follow\w*|wrap\w*|enclose\w*|put|end|conclude)"
)
Found = tuple[Field, Span]


def read_pattern(schema: Mapping[str, Any]) -> str:
    """A group that matches a value of a schema as text; a text up to the end of its line."""
    if "enum" in schema:
        labels = sorted((str(label) for label in schema["enum"] if label is not None), key=len, reverse=True)
        return f"({'|'.join(map(quoted, labels))})"
    return r"(-?\d+(?:\.\d+)?)" if schema.get("type") in ("integer", "number") else r"([^\n]*\S)"


def quoted(label: str) -> str:
    """A label as a pattern that matches it and nothing else."""
    return re.sub(r"([.^$*+?{}\[\]\\|()#])", r"\\\1", label)


# "Respond in this format:" and below it one label a line.
LEAD = re.compile(
    rf"\b{OUTPUT}\b[^\n]{{0,120}}\b(?:formats?|form|structure|template|follows|following|like this|this way|below|lines?)\b[^\n]{{0,60}}:[\s*_`\"']*$"
    r"|\b(?:reply|respond|answer|output)\b(?: only)? (?:exactly|with|using|as follows|in the form)\s*:[\s*_`\"']*$"
    r"|^[^\n]{0,40}\b(?:return|give|write|format|provide|present|structure) (?:your|the) (?:answer|response|output|reply|result|evaluation|analysis)s? as(?: follows)?\s*:[\s*_`\"']*$"
    r"|\bin (?:exactly )?(?:two|three|four|five|six|seven|\d) lines\b[^\n]{0,30}:[\s*_`\"']*$"
    rf"|\b(?:format|structure|template)\b[^\n]{{0,30}}:[\s*_`\"']*$|^[#\s*_]*(?:output|response|answer|expected)\b[^\n]{{0,20}}\b(?:format|structure|form)\b[^\n]{{0,30}}$",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"^[ \t]*(?:[-*•][ \t]+|\d+[.)][ \t]+)?(?:[\u2190-\u2bff\ufe0f\U0001f000-\U0001faff]{1,3}[ \t]*)?[*_#`\[<]{0,3}(?P<quote>[\"“])?[ \t]*(?P<name>[A-Za-z][\w /'-]{0,40}?)[*_`\]>]{0,3}[ \t]*:(?(quote)[\"”])[>*_`]{0,3}[ \t]*(?P<value>[^\n]*)$"
)
# Rules, grades and examples have labels too; what tools are called with is not one answer.
_NO_LABEL = re.compile(
    r"_\d+$|^examples?|^(?:one|two|three|four|five|\d)_(?:stars?|points?)$|^(?:note|notes|important|input_context)$"
)
_LISTED = re.compile(r"\s*(?:[-*•]|\d+[.)])\s")
PLACE = re.compile(r"[<\[{(]|\.\.\.|^\s*$")
_HEADING = re.compile(r"\b(?:format|template|form)\b", re.IGNORECASE)
_FENCE = re.compile(r"\s*(?:```\w*|[-=]{3,}|[\"'])\s*")
_VARIABLE = re.compile(rf"[{MASK}\s\"'`.]+|[\"'`]*\{{+[\w.]*\}}+[\"'`]*")
_REPEATS = re.compile(
    r"\b(?:can repeat|repeated|N times|and so on|for each|as many)\b|^[ \t]*(?:\.\.\.|…)[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
_HOLDS_JSON = re.compile(r"\bjson\s*:|<json>|```json|:\s*\{+\s*[\"']\w+[\"']\s*:", re.IGNORECASE)
# "The input has the following format:", said of nothing that is to be written.
_GIVEN = re.compile(
    r"\b(?:inputs?|(?:are|is|be) (?:given|provided|presented|stored|structured)|will (?:receive|see|get)|each (?:record|document|entry|line|row|example|message))\b"
    r"(?![^\n]*\b(?:respond|reply|return|output|answer|write)\b)",
    re.IGNORECASE,
)
# "Output one of the labels below:" leads to labels, and to no parts.
_TO_CHOOSE = re.compile(r"\bone (?:or more )?of (?:the|these|those|our)\b", re.IGNORECASE)
_SCALE_END = re.compile(r"/\s*\d+\W*$")


_JSON_KEYS = re.compile(r"\bjson\b[^\n]*\b(?:keys|fields|properties|attributes)\b[^\n]*:\W*$", re.IGNORECASE)


def forms(document: PromptText) -> Iterator[Found]:
    """Labels one below the other, with placeholders or words for what belongs beside them."""
    lines = document.text.split("\n")
    offset = 0
    found: list[Found] = []
    for number, line in enumerate(lines):
        end = offset + len(line) + 1
        if (
            LEAD.search(line)
            and not _GIVEN.search(line)
            and not _TO_CHOOSE.search(line)
            and (form := _form(document, lines, number + 1, end))
        ):
            if _JSON_KEYS.search(line):
                first = document.line(form[0][1].start)
                raise UnreadForm(f"line {first}: keys of a JSON object without quotes or a list's marks are not read")
            found = _either(document, found, form) if found else form
        offset = end
    yield from found


def _either(document: PromptText, first: list[Found], second: list[Found]) -> list[Found]:
    """One form that the prompt gives twice, with the labels that either of them sets.

    Raises:
        UnreadForm: They have different parts.
    """
    if [field.name for field, _ in first] != [field.name for field, _ in second]:
        line = document.line(second[0][1].start)
        raise UnreadForm(f"line {line}: the answer has one of several forms")
    joined = []
    for (one, span), (other, there) in zip(first, second, strict=True):
        values = [_constant(document.text[place.start : place.end]) for place in (span, there)]
        if all(values):
            schema = {"type": "string", "enum": list(dict.fromkeys(values))}
            pattern = (one.pattern or "").replace(read_pattern(one.schema), read_pattern(schema))
            one = replace(one, schema=schema, pattern=pattern)  # noqa: PLW2901 - the field as both forms have it
        elif dict(one.schema) != dict(other.schema):
            raise UnreadForm(f"line {document.line(there.start)}: the answer has one of several forms")
        joined.append((one, Span(span.start, there.end)))
    return joined


_CONSTANT = re.compile(
    r"[^:\n]+:[\s*_`]*(?:[(\[<](?:set (?:it |this )?to |always |write )?[\"'`“](?P<set>[^\"'`”\n]{1,30})[\"'`”][)\]>]|[\"'`“]?(?P<plain>[A-Z][\w ]{1,20}?)[\"'`”]?)[\s*_`.]*"
)


def _constant(part: str) -> str:
    """The one value that a form sets for a part: ``Decision: (set it to "Agree")``; empty if it sets none."""
    match = _CONSTANT.fullmatch(part.strip())
    return (match["set"] or match["plain"]) if match else ""


_MARKED = re.compile(r"[ \t]*(?:[-*•]|\d+[.)])[ \t]")


def _form(document: PromptText, lines: list[str], number: int, offset: int) -> list[Found]:
    """The labels below a lead; none if there are not two, or if they repeat."""
    parts = _parts(lines[number : number + 60], offset)
    if holder := next((part for part in parts if _HOLDS_JSON.search(f"{part[0]}:{part[1]}")), None):
        # A pattern reads one line, and not an object.
        raise UnreadForm(f"line {document.line(holder[2])}: JSON under the label {holder[0]!r} of a text is not read")
    if (
        len(parts) > 2
        and not parts[-1][1].strip()
        and not document.text[parts[-1][3] :].strip()
        and all(said.strip() for _, said, *_ in parts[:-1])
    ):
        parts = parts[:-1]  # the label at the very end, after which the answer is written
    names = [field_name(name) for name, *_ in parts]
    if any(
        re.search(
            rf"(?im)^[ \t]*[*_#]*{re.escape(name)}[*_]*[ \t]*:[*_ \t]*(?:[{MASK}]+|\{{+\w+\}}+)[ \t]*$", document.text
        )
        for name, *_ in parts
    ):
        # What the prompt fills in itself is an input; the form is that of an example.
        return []
    if len(parts) < 2 or len(set(names)) < len(names) or not all(names):
        return []
    placed = {field_name(name) for name, said, *_ in parts if re.match(r"\s*[<\[]", said)} & {"note", "notes"}
    if any((_NO_LABEL.search(name) and name not in placed) or name.count("_") > 3 for name in names) or {
        "action",
        "observation",
    } & set(names):
        return []
    if _REPEATS.search(document.text[parts[0][2] : parts[-1][3]]):
        return []
    told = [bool(said.strip()) for _, said, *_ in parts]
    if not any(re.search(r"[<\[({]", said) for _, said, *_ in parts) and any(told) and not all(told):
        return []
    if not any(told) and len({bool(_MARKED.match(document.text, part[2])) for part in parts}) > 1:
        return []  # a part of a part
    return [_labelled(document, *part) for part in parts]


def _parts(lines: list[str], offset: int) -> list[tuple[str, str, int, int]]:
    """Labels with what is said beside and below each, and where."""
    parts: list[tuple[str, str, int, int]] = []
    blank = False
    for number, line in enumerate(lines):
        start, offset = offset, offset + len(line) + 1
        if not line.strip() or _FENCE.fullmatch(line):
            if parts and "```json" in line:
                name, said, first, _ = parts[-1]
                parts[-1] = (name, f"{said} ```json", first, start + len(line))
                break
            if len(parts) > 1 and "```" in line:
                break
            blank = True
            continue
        label = _LABEL.match(line)
        if label is None:
            if not parts or LEAD.search(line) or (blank and not line.startswith((" ", "\t", "-", "*", "["))):
                break
            name, said, first, _ = parts[-1]
            parts[-1] = (name, f"{said} {line.strip()}", first, start + len(line))
            continue
        ended = blank and len(parts) > 1 and _begins_input(label, lines[number + 1 :])
        blank = False
        if _is_variable(label["value"]) and line.lstrip().startswith("["):
            continue
        if ended or _ends(line, label, bool(parts)):
            break
        if len(parts) == 1 and not parts[0][1].strip() and _HEADING.search(parts[0][0]):
            parts = []
        parts.append((label["name"].strip(), label["value"], start, start + len(line)))
    return parts


def _begins_input(label: re.Match[str], rest: list[str]) -> bool:
    """Whether a label has a value of the template below it: the input of the prompt."""
    below = next((line for line in rest if line.strip()), "")
    return not label["value"].strip() and _is_variable(below)


_OF_PROMPT = r"notes?(?: that)?|important|where|(?:[\w-]+ )?(?:rules|guide|guidelines?|instructions?|criteria|rubric|definitions?|examples?)"


def _ends(line: str, label: re.Match[str], begun: bool) -> bool:
    """Whether a label is no part of the form: an input, a heading, or a definition in a list."""
    value = label["value"]
    own = re.fullmatch(r"\s*[<\[][^<>\[\]\n]+[>\]]\s*", value) is not None  # "Note: <at most ten words>" is a part
    if begun and not own and re.fullmatch(_OF_PROMPT, label["name"].strip(), re.IGNORECASE):
        return True
    if _is_variable(value) or (begun and not value.strip() and len(label["name"].split()) > 3):
        return True
    return bool(_LISTED.match(line)) and not PLACE.search(value)


def _is_variable(value: str) -> bool:
    return bool(value.strip() and _VARIABLE.fullmatch(value)) and not re.search(r"[<\[(]", value)


def _labelled(document: PromptText, name: str, said: str, start: int, end: int) -> Found:
    line = document.line(start)
    if other := parts_below(said):
        raise UnreadForm(f"line {line}: the label {name!r} has several places, and {other!r} is not read")
    if schema := points(said):
        pattern = rf"(?ims)^[\W_\d]*{quoted(name)}[\W_]*?:\s*(.*?)(?=^[\W_\d]*[A-Z][\w ]{{0,30}}:|\Z)"
        return Field(field_name(name), schema, f"form in the prose, line {line}", line, pattern), Span(start, end)
    # Beside nothing it is a number by its name alone, and its range says of which kind.
    schema = {"type": "integer"} if not said.strip() and is_numeric(name) else placed(field_name(name), said)
    if schema in (TEXT, {"type": "number"}, {"type": "integer"}):
        schema = _said_before(document, name, start) or schema
    if schema.get("type") not in ("string", "number", "integer", "boolean"):
        schema = TEXT  # a line of text: "None" is a text as well
    value = read_pattern(schema)
    # The value of a heading is below it: "**Summary:**".
    gap = r"[*_\s]*" if schema.get("type") == "string" and "enum" not in schema else r"[\W_]*?"
    pattern = rf"(?im)^[\W_]*{quoted(name)}[\W_]*?:{gap}{value}"
    found = Field(field_name(name), schema, f"form in the prose, line {line}", line, pattern)
    return found, Span(start, end)


def _said_before(document: PromptText, name: str, start: int) -> dict[str, Any]:
    """What the prompt says of a part before its form: "1. VERDICT: one of ...", "2. Quality score: 0-100"."""
    # A label in capitals is one without the mark of a list too.
    bare = "|" if name.isupper() else ""
    stated_there = re.compile(
        rf"^[ \t]*(?:(?:[-*•]|\d+[.)])[ \t]+{bare})[*_]*(?:[A-Za-z]+ )?{re.escape(name)}[*_]*:[*_]*[ \t]*(?P<said>[^\n]+)$",
        re.MULTILINE | re.IGNORECASE,
    )
    found = [match["said"] for match in stated_there.finditer(document.text, 0, start)]
    if len(found) != 1:
        return {}
    if listed := re.match(r"(?:one|either) of:?\s*\[(?P<list>[^\[\]\n]+)\]", found[0], re.IGNORECASE):
        parts = [part.strip(" \"'`") for part in re.split(r"[,|/]", listed["list"])]
        return {"type": "string", "enum": parts} if len(parts) > 1 and all(parts) else {}
    span = re.match(
        r"(?P<low>-?\d+(?:\.\d+)?)\s*(?:-|–|to)\s*(?P<high>-?\d+(?:\.\d+)?)(?=\s*(?:$|[(,;.—–]|based\b|where\b|indicating\b|depending\b))",
        found[0],
    )
    return number_range(span["low"], span["high"]) if span else {}


def placed(name: str, said: str) -> dict[str, Any]:
    """The schema of what stands beside a label: a placeholder, or words."""
    inner = re.fullmatch(r"\s*[<\[({]+([^<>\n]+?)[>\])}]+[\s.\"'>]*", _SCALE_END.sub("", said))
    known = placeholder(inner[1]) if inner else {}
    if not set(known) & {"type", "enum"}:
        # A letter is none of the numbers that its label may name: "GRADE: <letter>".
        known = TEXT if _LETTER.search(said) else described(name, inner[1] if inner else said) or TEXT
    # <whole number, or "unknown">
    return TEXT if known.get("type") in ("integer", "number") and _OR_WORD.search(said) else known


_LETTER = re.compile(r"[<\[({ ](?:single |one )?(?:letter|word)[>\])} ]", re.IGNORECASE)
_OR_WORD = re.compile(r"\bor\s+[\"'`“]?[A-Za-z]+(?:/[A-Z])?[\"'`”]?\W*\Z")
