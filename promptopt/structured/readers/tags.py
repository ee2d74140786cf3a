"""Answers whose parts are in tags: ``<score>...</score>``, each read by a pattern."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

import regex

from promptopt.structured.fields import MASK, Field, PromptText, Span, UnreadForm, field_name, scan
from promptopt.structured.prose.alternatives import noted_labels
from promptopt.structured.prose.described import described
from promptopt.structured.prose.label_items import items_at
from promptopt.structured.prose.plain_labels import is_known_label
from promptopt.structured.prose.sample_labels import labels_of_place
from promptopt.structured.prose.wording import is_plural
from promptopt.structured.readers.labelled import LEAD, OUTPUT, PLACE, TEXT, Found, placed, read_pattern

_ELEMENT = regex.compile(r"<(?P<name>[A-Za-z_][\w-]*)>(?P<body>(?:(?!</?(?P=name)>)[\s\S]){0,1500}?)</(?P=name)>")
_OPEN = regex.compile(
    rf"\b{OUTPUT}\b[^.\n<]{{0,100}}\b(?:in|inside|within|between|into|with|using|as)\b[^.\n<]{{0,30}}[`\"']?<(?P<name>[A-Za-z_][\w-]*)>[`\"']?(?:\s*(?:and|\.\.\.|…|,)?\s*[`\"']?</(?P=name)>|\s+(?:xml )?tags?\b)",
    regex.IGNORECASE,
)
# ", and the urgency (low or high) in <urgency> tags", of a sentence whose order comes before
_FURTHER = regex.compile(
    r"(?:\s*(?:,|;|\band\b|\bthen\b|\bplus\b|\bfollowed by\b))+[^.\n<]{1,100}\b(?:in|inside|within|between|into|using)\b[^.\n<]{0,10}[`\"']?<(?P<name>[A-Za-z_][\w-]*)>[`\"']?(?:\s*(?:and|\.\.\.|…|,)?\s*[`\"']?</(?P=name)>|\s+(?:xml )?tags?\b)",
    regex.IGNORECASE,
)
# "First, in <thinking> tags, decide whether ..."
_REASONS = regex.compile(
    r"\b(?:in|inside|within|between|using|with) (?:the |a )?[`\"']?<(?P<name>thinking|thoughts?|think|reasoning|scratchpad|analysis)>[`\"']?"
    r"(?:\s*(?:and|\.\.\.|…|,)?\s*[`\"']?</(?P=name)>)?[`\"']?\s+(?:xml )?tags?\b",
    regex.IGNORECASE,
)
_HTML = frozenset(
    re.findall(
        r"\S+",
        "p br b i ul li ol div span html body head table tr td th h1 h2 h3 a img code pre strong em example examples input context",
    )
)
_INPUTS = re.compile(
    r"\A(?:available|provided|existing|given|blacklisted)_|input|context|example|document|query|question|instruction",
    re.IGNORECASE,
)
# Text with a variable in it: the prompt fills it in.
_FILLED = re.compile(rf"\$\{{\w+\}}|\{{\{{[^{{}}\n]*\}}\}}|\{{\.\w[^{{}}\n]*\}}|{MASK}")
_CUE = re.compile(rf"\b{OUTPUT}\b", re.IGNORECASE)
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
        if (
            _points_at(before, name)
            or _HERE.search(before.rstrip().rpartition("\n")[2])
            or (len(body) > _SHORT and len(_SENTENCES.findall(body)) > 1)
        ):
            continue  # what the prompt gives, or a long text that instructs
        follows = last >= 0 and not text[last : match.start()].strip(" \t\n,;and`\"'")
        given = _INPUTS.search(name) and not (LEAD.search(before.rstrip().rpartition("\n")[2]) and body.strip())
        if (
            name.lower() in _HTML
            or given
            or _FILLED.search(body)
            or _is_input(body)
            or not (follows or _asks(before, body))
        ):
            continue
        if (inner := _ELEMENT.search(body)) and not _is_input(inner["body"]):
            raise UnreadForm(f"line {document.line(match.start())}: the answer is XML with elements inside <{name}>")
        if re.search(r"[{\[]\s*[\"'{]", body):
            held.add(name)
            continue
        last = match.end()
        found.setdefault(name, (_tag(document, name, body, match.start()), Span(*match.span())))
    found = _named(document, found)
    _check_elements(document, found, held)
    return list(found.values())


def _named(document: PromptText, found: dict[str, Found]) -> dict[str, Found]:
    """The tags that were found, and those that a sentence names: "put the score in <score> tags"."""
    text = document.text
    named = dict(found)
    for match in _orders(text):
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
            field, span = named.get(
                match["name"], (_tag(document, match["name"], body, match.start()), Span(*match.span()))
            )
            named[match["name"]] = _with_labels(field, _written(match[0])), span
    reasons: dict[str, Found] = {}
    for match in scan(_REASONS, text) if named else ():
        if match["name"] not in named:
            reasons.setdefault(match["name"], (_tag(document, match["name"], "", match.start()), Span(*match.span())))
    return reasons | dict(sorted(named.items(), key=lambda item: item[1][1].start))


def _orders(text: str) -> Iterator[regex.Match[str]]:
    """The orders to write something in tags, and what their sentences go on with."""
    for match in scan(_OPEN, text):
        yield match
        end = match.end()
        while further := _FURTHER.match(text, end):
            end = further.end()
            if _OPEN.search(further[0]) is None:
                yield further


_SURELY = 3
# "write PASS or FAIL in <verdict> tags", "the urgency (low, medium or high) in"
_INTO = r"(?:in|inside|within|between|into|using)\b[^<]*<"
_LISTED = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\((?:either |one of:? )?(?P<said>[^()<]{{3,80}})\)\W+{_INTO}",
        rf"\b(?:as|either|one of)\b:? (?P<said>[^()<]{{3,80}}?)\s+{_INTO}",
        rf"\A(?:[\s,;]*(?:and|then|also|finally|plus))*\s*{OUTPUT}\s+(?:(?:only|either|just|then|exactly)\s+)*(?P<said>\S[^<]*?)\s+{_INTO}",
    )
)


def _written(order: str) -> list[str]:
    """The labels of which an order wants one in a tag; empty if it lists none."""
    said = next((match["said"] for pattern in _LISTED if (match := pattern.search(order))), "")
    items = items_at(said, 0) or []
    values = [item.said(said) for item in items]
    whole = bool(items) and items[-1].end == len(said) and any(item.joint in ("or", "/", "|") for item in items)
    aside = f"({said})" in order and len(items) >= _SURELY and not any(item.article for item in items)
    short = aside and all(len(value.split()) == 1 for value in values)
    marked = all(item.quoted for item in items) or all(
        is_known_label(value) or re.fullmatch(r"[A-Z][A-Z\d_]*", value) for value in values
    )
    return values if whole and (marked or short) and len({value.casefold() for value in values}) == len(values) else []


def _with_labels(field: Field, labels: list[str]) -> Field:
    """A tag with the labels that its order lists, if nothing else is said of it."""
    if not labels or field.schema not in (TEXT, {"type": "number"}):
        return field
    schema = {"type": "string", "enum": labels}
    pattern = re.sub(r"\\s\*.*\\s\*", lambda _: rf"\s*{read_pattern(schema)}\s*", field.pattern or "")
    return replace(field, schema=schema, pattern=pattern)


def _check_elements(document: PromptText, found: Mapping[str, Found], held: set[str]) -> None:
    """Raises UnreadForm if tags beside those that were read are left, or if the parts repeat."""
    if not found:
        return
    for match in scan(_ELEMENT, document.text):
        name, body = match["name"], match["body"]
        if name in found or name in held or name.lower() in _HTML or _INPUTS.search(name) or _is_input(body):
            continue
        before = document.text[max(0, match.start() - 160) : match.start()]
        # "<quote> . . . </quote>" is a place for some words.
        dots = re.fullmatch(r"\s*(?:\.\s*){2,}|\s*…\s*", body)
        asked = dots or (PLACE.search(body) and _asks(before))
        within = _WITHIN.search(before) and not _PROVIDED.search(before.rpartition("\n")[2])
        if len(body) < _SHORT and (asked or within):
            line = document.line(match.start())
            raise UnreadForm(f"line {line}: the answer has tags, and what belongs into <{name}> is not read")
    for match in _BETWEEN.finditer(document.text):
        if match["name"] not in found and not _INPUTS.search(match["name"]):
            line = document.line(match.start("name"))
            raise UnreadForm(f"line {line}: the answer has tags, and what belongs into <{match['name']}> is not read")
    if (whole := _WRAPS.search(document.text)) and any(
        other["name"] != whole["name"] for other in _OTHER_TAG.finditer(document.text)
    ):
        line = document.line(whole.start())
        raise UnreadForm(f"line {line}: the answer is XML with elements inside <{whole['name']}>")
    if again := _TWICE.search(document.text):
        raise UnreadForm(f"line {document.line(again.start())}: <{again['name']}> comes twice in the answer")
    near = max(0, min(span.start for _, span in found.values()) - _NEAR)
    if several := _SEVERAL.search(document.text, near, max(span.end for _, span in found.values()) + _NEAR):
        raise UnreadForm(f"line {document.line(several.start())}: the parts of the answer may come several times")


_SENTENCES = re.compile(r"\w[.!?](?=\s)")
# "Here are the criteria that you need to use:"
_HERE = re.compile(
    r"\A\W*(?:here (?:is|are)|below (?:is|are)|(?:this|these|the following) (?:is|are))\b[^\n]*:\W*\Z", re.IGNORECASE
)
# "Provide your complete response within <answer> tags."
_WRAPS = re.compile(
    r"\b(?:complete|entire|whole|full) (?:response|answer|output|reply) (?:with)?in(?:side)? (?:the )?[`\"']?<(?P<name>\w[\w-]*)>",
    re.IGNORECASE,
)
_OTHER_TAG = re.compile(r"<(?P<name>\w[\w-]*)>[`\"']? tags?\b", re.IGNORECASE)
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


# "for example, <score>3</score><score>5</score>"
_TWICE = re.compile(r"</(?P<name>\w[\w-]*)>[ \t]*<(?P=name)>")
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


def _points_at(before: str, name: str) -> bool:
    """Whether the line above a tag names what it holds: "sort them into the following kinds:" and below it <kinds>."""
    line = before.rstrip().rpartition("\n")[2]
    said = re.search(r"\b(?:following|these|below|listed)\b(?P<what>[^\n]*):\W*\Z", line, re.IGNORECASE)
    noun = field_name(name).rpartition("_")[2].lower()
    return said is not None and re.search(rf"\b{re.escape(noun)}\b", said["what"], re.IGNORECASE) is not None


_RATES = re.compile(r"\b(?:rate|classify|score|grade|assess|decide|label)\b", re.IGNORECASE)


def _is_input(body: str) -> bool:
    return bool(body.strip()) and bool(
        re.fullmatch(rf"\s*(?:\$?\{{+[\w.]*\}}+|\{{\{{[^{{}}\n]*\}}\}}|\{{\.\w[^{{}}\n]*\}}|[{MASK}\s]+)\s*", body)
    )


def _tag(document: PromptText, name: str, body: str, start: int) -> Field:
    line = document.line(start)
    schema = placed(field_name(name), body) if body.strip(" .…") else described(field_name(name), "") or TEXT
    if schema == {"type": "number"} and re.fullmatch(r"\s*[A-Za-z][+-]?\s*", body):
        schema = TEXT  # <grade>B</grade> shows a grade that is a letter
    lead = document.text[document.text.rfind("\n", 0, start) + 1 : start]
    if (
        "enum" not in schema
        and re.search(r"\b(?:one of|either)\b", lead)
        and (values := noted_labels(f"one of {body}"))
    ):
        schema = {"type": "string", "enum": values}  # "one of these values in tags: <mood>sad, calm, merry</mood>"
    if schema.get("type") == "array" and not _BULLETS.search(body) and (name.isupper() or not is_plural(name)):
        schema = TEXT
    if schema == TEXT and (listed := labels_of_place(body, document)):
        schema = {"type": "string", "enum": listed}  # "<class>Category Name</class>", of a list of categories
    value = r"(.*?)" if schema.get("type") in ("string", "array") and "enum" not in schema else read_pattern(schema)
    return Field(
        field_name(name), schema, f"tag in the prose, line {line}", line, rf"(?is)<{name}>\s*{value}\s*</{name}>"
    )
