"""Answers in text whose parts have labels: ``Score: <number>``, ``<score>...</score>``, ``(feedback) [RESULT] (A or B)``, ``[[A]]``.

They are read where the text is kept, each by a pattern.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import regex

from promptopt.structured.fields import MASK, Field, PromptText, Span, UnreadForm, field_name, object_schema, scan
from promptopt.structured.wording import described, is_plural, number_range, placeholder

_TEXT: dict[str, Any] = {"type": "string"}
_OUTPUT = (
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
_LEAD = re.compile(
    rf"\b{_OUTPUT}\b[^\n]{{0,120}}\b(?:formats?|form|structure|template|follows|following|like this|this way|below|lines?)\b[^\n]{{0,60}}:[\s*_`\"']*$"
    r"|\b(?:reply|respond|answer|output)\b(?: only)? (?:with|using|as follows|in the form)\s*:[\s*_`\"']*$"
    rf"|\b(?:format|structure|template)\b[^\n]{{0,30}}:[\s*_`\"']*$|^[#\s*_]*(?:output|response|answer|expected)\b[^\n]{{0,20}}\b(?:format|structure|form)\b[^\n]{{0,30}}$",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"^[ \t]*(?:[-*•][ \t]+|\d+[.)][ \t]+)?[*_#`\[<]{0,3}[ \t]*(?P<name>[A-Za-z][\w /'-]{0,40}?)[*_`\]>]{0,3}[ \t]*:[>*_`]{0,3}[ \t]*(?P<value>[^\n]*)$"
)
# Rules, grades and examples have labels too; what tools are called with is not one answer.
_NO_LABEL = re.compile(
    r"_\d+$|^examples?|^(?:one|two|three|four|five|\d)_(?:stars?|points?)$|^(?:note|notes|important|input_context)$"
)
_LISTED = re.compile(r"\s*(?:[-*•]|\d+[.)])\s")
_PLACE = re.compile(r"[<\[{(]|\.\.\.|^\s*$")
_HEADING = re.compile(r"\b(?:format|template|form)\b", re.IGNORECASE)
_FENCE = re.compile(r"\s*(?:```\w*|[-=]{3,}|[\"'])\s*")
_VARIABLE = re.compile(rf"[{MASK}\s\"'`.]+|\{{+[\w.]*\}}+")
_REPEATS = re.compile(
    r"\b(?:can repeat|repeated|N times|and so on|for each|as many)\b|^[ \t]*(?:\.\.\.|…)[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
_HOLDS_JSON = re.compile(r"\bjson\s*:|<json>|```json", re.IGNORECASE)
# "The input has the following format:", said of nothing that is to be written.
_GIVEN = re.compile(
    r"\b(?:inputs?|(?:are|is|be) (?:given|provided|presented|stored|structured)|will (?:receive|see|get)|each (?:record|document|entry|line|row|example|message))\b"
    r"(?![^\n]*\b(?:respond|reply|return|output|answer|write)\b)",
    re.IGNORECASE,
)
_SCALE_END = re.compile(r"/\s*\d+\W*$")


def forms(document: PromptText) -> Iterator[Found]:
    """Labels one below the other, with placeholders or words for what belongs beside them."""
    lines = document.text.split("\n")
    offset = 0
    found: list[Found] = []
    for number, line in enumerate(lines):
        end = offset + len(line) + 1
        if _LEAD.search(line) and not _GIVEN.search(line) and (form := _form(document, lines, number + 1, end)):
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


def _form(document: PromptText, lines: list[str], number: int, offset: int) -> list[Found]:
    """The labels below a lead; none if there are not two, or if they repeat."""
    parts = _parts(lines[number : number + 60], offset)
    if holder := next((part for part in parts if _HOLDS_JSON.search(f"{part[0]}:{part[1]}")), None):
        # A pattern reads one line, and not an object.
        raise UnreadForm(f"line {document.line(holder[2])}: JSON under the label {holder[0]!r} of a text is not read")
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
    if any(_NO_LABEL.search(name) or name.count("_") > 3 for name in names) or {"action", "observation"} & set(names):
        return []
    if _REPEATS.search(document.text[parts[0][2] : parts[-1][3]]):
        return []
    if not any(re.search(r"[<\[({]", said) for _, said, *_ in parts) and not all(said.strip() for _, said, *_ in parts):
        return []
    return [_labelled(document, *part) for part in parts]


def _parts(lines: list[str], offset: int) -> list[tuple[str, str, int, int]]:
    """Labels with what is said beside and below each, and where."""
    parts: list[tuple[str, str, int, int]] = []
    blank = False
    for line in lines:
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
            if not parts or _LEAD.search(line) or (blank and not line.startswith((" ", "\t", "-", "*", "["))):
                break
            name, said, first, _ = parts[-1]
            parts[-1] = (name, f"{said} {line.strip()}", first, start + len(line))
            continue
        blank = False
        if _is_variable(label["value"]) and line.lstrip().startswith("["):
            continue
        if _ends(line, label, bool(parts)):
            break
        if len(parts) == 1 and not parts[0][1].strip() and _HEADING.search(parts[0][0]):
            parts = []
        parts.append((label["name"].strip(), label["value"], start, start + len(line)))
    return parts


def _ends(line: str, label: re.Match[str], begun: bool) -> bool:
    """Whether a label is no part of the form: an input, a heading, or a definition in a list."""
    value = label["value"]
    if begun and re.fullmatch(r"notes?(?: that)?|important|rules|where", label["name"].strip(), re.IGNORECASE):
        return True
    if _is_variable(value) or (begun and not value.strip() and len(label["name"].split()) > 3):
        return True
    return bool(_LISTED.match(line)) and not _PLACE.search(value)


def _is_variable(value: str) -> bool:
    return bool(value.strip() and _VARIABLE.fullmatch(value)) and not re.search(r"[<\[(]", value)


# "Outline:" and below it "- <first point>".
_POINTS = re.compile(r"\A\s*[-*•]\s+[<\[]")


def _labelled(document: PromptText, name: str, said: str, start: int, end: int) -> Found:
    line = document.line(start)
    if _POINTS.search(said):
        schema = {"type": "array", "items": dict(_TEXT)}
        pattern = rf"(?ims)^[\W_\d]*{quoted(name)}[\W_]*?:\s*(.*?)(?=^[\W_\d]*[A-Z][\w ]{{0,30}}:|\Z)"
        return Field(field_name(name), schema, f"form in the prose, line {line}", line, pattern), Span(start, end)
    schema = _placed(field_name(name), said)
    value = read_pattern(schema)
    pattern = rf"(?im)^[\W_]*{quoted(name)}[\W_]*?:[\W_]*?{value}"
    found = Field(field_name(name), schema, f"form in the prose, line {line}", line, pattern)
    return found, Span(start, end)


def _placed(name: str, said: str) -> dict[str, Any]:
    """The schema of what stands beside a label: a placeholder, or words."""
    inner = re.fullmatch(r"\s*[<\[({]+([^<>\n]+?)[>\])}]+[\s.\"'>]*", _SCALE_END.sub("", said))
    known = placeholder(inner[1]) if inner else {}
    if set(known) & {"type", "enum"}:
        return known
    return described(name, inner[1] if inner else said) or _TEXT


_DELIMITED = regex.compile(
    r"(?:(?P<label>[A-Z][\w ]{0,20}):\s*)?\((?P<first>[^()\n]{3,120})\)\s*\[(?P<tag>[A-Z][A-Z ]{2,15})\]\s*\((?P<second>[^()\n]{3,120})\)"
)


def delimited(document: PromptText) -> Iterator[Found]:
    """Reads "(write a feedback) [RESULT] (an integer between 1 and 5)"."""
    for match in scan(_DELIMITED, document.text):
        noun = re.search(r"\b(?:an?|the|your)\s+(?:\w+ed |brief |short )?(?P<noun>[a-z]+)", match["first"])
        name = field_name(match["label"] or (noun["noun"] if noun else "text"))
        line = document.line(match.start())
        schema = _placed("result", match["second"])
        tag = match["tag"]
        pattern = rf"\[{tag}\]\W*?{read_pattern(schema)}"
        source = f"form in the prose, line {line}"
        yield Field(name, _TEXT, source, line), Span(*match.span())
        yield Field(field_name(tag), schema, source, line, pattern), Span(*match.span())
        return


_ELEMENT = regex.compile(r"<(?P<name>[A-Za-z_][\w-]*)>(?P<body>(?:(?!</?(?P=name)>)[\s\S]){0,1500}?)</(?P=name)>")
_OPEN = regex.compile(
    rf"\b{_OUTPUT}\b[^.\n<]{{0,100}}\b(?:in|inside|within|between|into|with|using|as)\b[^.\n<]{{0,30}}[`\"']?<(?P<name>[A-Za-z_][\w-]*)>[`\"']?(?:\s*(?:and|\.\.\.|…|,)?\s*[`\"']?</(?P=name)>|\s+(?:xml )?tags?\b)",
    regex.IGNORECASE,
)
_HTML = frozenset(
    re.findall(
        r"\S+",
        "p br b i ul li ol div span html body head table tr td th h1 h2 h3 a img code pre strong em example examples input context",
    )
)
_INPUTS = re.compile(r"input|context|example|document|query|question|instruction", re.IGNORECASE)
_CUE = re.compile(rf"\b{_OUTPUT}\b", re.IGNORECASE)
_BULLETS = re.compile(r"\bbullet|\bnumbered list|\bas a list\b|\blist of\b|\ba list\b", re.IGNORECASE)


def tagged(document: PromptText) -> list[Found]:
    """Tags that the answer's parts are to be in, with what is said of each.

    Raises:
        UnreadForm: An element of the answer has elements of its own, comes several times, or is not read.
    """
    text = document.text
    found: dict[str, Found] = {}
    # Tags around JSON.
    held: set[str] = set()
    last = -1
    for match in scan(_ELEMENT, text):
        name, body = match["name"], match["body"]
        before = text[max(0, match.start() - 160) : match.start()]
        if (before.endswith("`") and not _WITHIN.search(before)) or _SPOKEN.search(before):
            # A tag that is spoken about.
            continue
        follows = last >= 0 and not text[last : match.start()].strip(" \t\n,;and`\"'")
        given = _INPUTS.search(name) and not (_LEAD.search(before.rstrip().rpartition("\n")[2]) and body.strip())
        if name.lower() in _HTML or given or _is_input(body) or not (follows or _asks(before, body)):
            continue
        if (inner := _ELEMENT.search(body)) and not _is_input(inner["body"]):
            raise UnreadForm(f"line {document.line(match.start())}: the answer is XML with elements inside <{name}>")
        if re.search(r"[{\[]\s*[\"'{]", body):
            held.add(name)
            continue
        last = match.end()
        found.setdefault(name, (_tag(document, name, body, match.start()), Span(*match.span())))
    for match in scan(_OPEN, text):
        if (
            match["name"].lower() not in _HTML
            and not _SPOKEN.search(text[max(0, match.start() - 40) : match.start("name") - 1])
            and not _INPUTS.search(match["name"])
            and not text[match.end() :].startswith("{")
        ):
            many = bool(_BULLETS.search(match[0]))
            numeric = re.search(r"\b(?:numeric|number|integer)\b", match[0], re.IGNORECASE)
            body = (
                "a list of texts"
                if many
                else "integer"
                if numeric and "int" in numeric[0]
                else "number"
                if numeric
                else ""
            )
            found.setdefault(match["name"], (_tag(document, match["name"], body, match.start()), Span(*match.span())))
    _check_elements(document, found, held)
    return list(found.values())


def _check_elements(document: PromptText, found: Mapping[str, Found], held: set[str]) -> None:
    """Raises UnreadForm if tags beside those that were read are left, or if the parts repeat."""
    if not found:
        return
    for match in scan(_ELEMENT, document.text):
        name, body = match["name"], match["body"]
        if name in found or name in held or name.lower() in _HTML or _INPUTS.search(name) or _is_input(body):
            continue
        before = document.text[max(0, match.start() - 160) : match.start()]
        asked = _PLACE.search(body) and _asks(before)
        within = _WITHIN.search(before) and not _PROVIDED.search(before.rpartition("\n")[2])
        if len(body) < _SHORT and (asked or within):
            line = document.line(match.start())
            raise UnreadForm(f"line {line}: the answer has tags, and what belongs into <{name}> is not read")
    for match in _BETWEEN.finditer(document.text):
        if match["name"] not in found and not _INPUTS.search(match["name"]):
            line = document.line(match.start("name"))
            raise UnreadForm(f"line {line}: the answer has tags, and what belongs into <{match['name']}> is not read")
    near = max(0, min(span.start for _, span in found.values()) - _NEAR)
    if several := _SEVERAL.search(document.text, near, max(span.end for _, span in found.values()) + _NEAR):
        raise UnreadForm(f"line {document.line(several.start())}: the parts of the answer may come several times")


# Words between the tags of a template are few.
_SHORT = 200
# "the final score for style should be between the tags <Style> and </Style>"
_BETWEEN = re.compile(
    r"\b(?:should|must|shall|has to|needs to) be (?:put |placed |written |given )?(?:between|in|inside|within) (?:the )?(?:xml )?(?:tags? )?[`\"']?<(?P<name>[A-Za-z_][\w-]*)>",
    re.IGNORECASE,
)
# Where a sentence on the tags is found.
_NEAR = 400
_PROVIDED = re.compile(r"\b(?:provided|given|receive|found|listed|available|see)\b", re.IGNORECASE)
_WITHIN = re.compile(r"\b(?:in|inside|within|between|into)\s+[`\"']?\Z", re.IGNORECASE)
_SEVERAL = re.compile(
    r"\b(?:multiple|several|more than one|one or more)\s+(?:modifications|blocks|entries|edits|items|tags|changes|files|answers|elements)\b"
    r"|\b(?:return|give|write|output|format|wrap|present|report|list) (?:each|every) (?!part|section|tag|field|component|of\b|answer|step|one\b)\w+"
    r"|</\w+>\s*\n(?:```[ \t]*\n)?[ \t]*(?:\.\.\.|…)[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)


_SPOKEN = re.compile(
    r"\b(?:text|content|anything|everything|data|code|inputs?|documents?) (?:(?:that|which) (?:is|are) )?(?:(?:wrapped|enclosed|found|placed|given|provided) )?"
    r"(?:in|inside|within|between) (?:the )?[`\"']?\Z",
    re.IGNORECASE,
)


def _asks(before: str, body: str = "") -> bool:
    """Whether the words before a tag speak of the answer: its line and the last sentence above.

    Args:
        body: What the tag holds. If it says what belongs there, an order to rate something is enough.
    """
    paragraph = re.split(r"\n[ \t]*\n", re.split(r"</[\w-]+>", before)[-1].rstrip(" \t\n`"))[-1]
    return bool(_CUE.search(paragraph) or (body and len(body.split()) > 1 and _RATES.search(paragraph)))


_RATES = re.compile(r"\b(?:rate|classify|score|grade|assess|decide|label)\b", re.IGNORECASE)


def _is_input(body: str) -> bool:
    return bool(body.strip()) and bool(re.fullmatch(rf"\s*(?:\{{+[\w.]*\}}+|[{MASK}\s]+)\s*", body))


def _tag(document: PromptText, name: str, body: str, start: int) -> Field:
    line = document.line(start)
    schema = _placed(field_name(name), body) if body.strip(" .…") else described(field_name(name), "") or _TEXT
    if schema.get("type") == "array" and not _BULLETS.search(body) and (name.isupper() or not is_plural(name)):
        schema = _TEXT
    value = r"(.*?)" if schema.get("type") in ("string", "array") and "enum" not in schema else read_pattern(schema)
    return Field(
        field_name(name), schema, f"tag in the prose, line {line}", line, rf"(?is)<{name}>\s*{value}\s*</{name}>"
    )


_BRACKETED = re.compile(r"\[\[(?P<label>[^\[\]\n]{1,20})\]\]")
_A_NUMBER = re.compile(r"(?:rating|score|number|grade|x|\d+(?:\.\d+)?)", re.IGNORECASE)


def bracketed(document: PromptText, ranges: list[dict[str, Any]]) -> Found | None:
    """A verdict in double brackets: ``[[A]]`` or ``[[B]]``, or ``[[rating]]`` with the range that the prose gives."""
    matches = list(_BRACKETED.finditer(document.text))
    if not matches:
        return None
    labels = list(dict.fromkeys(match["label"].strip() for match in matches))
    line = document.line(matches[0].start())
    span = Span(matches[0].start(), matches[-1].end())
    if all(_A_NUMBER.fullmatch(label) for label in labels):
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
    r"\b(?:forms?|formats?|line|like this|as)\b:?\s*[\"'`“‘](?P<name>[A-Za-z][\w ]{0,20}):\s*[\[<({]*(?:your |the |an? )*(?:score|rating|grade|number|integer|x|n|#)[\])>}]*[\"'`”’.]",
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
