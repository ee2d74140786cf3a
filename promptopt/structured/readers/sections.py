"""Parts of an answer that a prompt names: sections, labelled blocks, keys named in prose, lists, tables."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any

import regex

from promptopt.structured.fields import MASK, Field, PromptText, Span, field_name, object_schema, scan
from promptopt.structured.prose.counts import NUMERALS, number_of
from promptopt.structured.prose.wording import placeholder

_COUNT = rf"(?P<n>\d+|{'|'.join(NUMERALS)})"
_CALLED = regex.compile(
    r"\b(?i:in|into|to|under) an? (?:separate |new |final )?(?:output )?section (?:called|named|titled)\s+[\"'`*]*"
    r"(?P<name>[A-Z][\w'’ /&-]*?)[\"'`*]*\s*(?=[:.,;(]|$|\s(?:with|that|and|which|give|using)\b)",
    re.MULTILINE,
)
_CREATE = regex.compile(r"^[ \t]*[-*][ \t]+Create an? (?P<name>[A-Z][\w-]*(?: [A-Z][\w-]*)*) section\b", re.MULTILINE)
_WILL_BE = regex.compile(
    r"\bThis (?:will be|goes in(?:to)?) (?:a section (?:called|named) )?(?P<name>[A-Z][A-Z_]{3,})\b"
)
_FOLLOWING = regex.compile(
    r"(?:(?:following|these) (?:sections|fields|parts|keys|headings)|(?:output|answer|response) (?:format|sections|structure))\s*:[ \t]*\n+(?P<items>(?:[ \t]*(?:[-*•]|\d+[.)])[ \t]+[^\n]+\n*(?:[ \t]+[^\n]+\n)*){2,})",
    re.IGNORECASE,
)
# A list of sections is only spoken about unless its lead says that they are to be written.
_ASKS = re.compile(
    r"\b(?:outputs?|answers?|respon[ds]e?|repl(?:y|ies)|returns?|write|use|produce|provide|give|generate|create|include|fill|structure|organi[sz]e|format"
    r"|report|summary|(?:must|should|shall) (?:have|contain|be))\b",
    re.IGNORECASE,
)
_ITEM = regex.compile(
    r"^[ \t]*(?:[-*•]|\d+[.)])[ \t]+[*_`\"]*(?P<name>[A-Za-z][\w /&'’-]{0,60}?)[*_`\"]*\s*(?::|\s[–—-]\s)(?P<rest>[^\n]*)$",
    re.MULTILINE,
)
_RULED = regex.compile(r"^---[ \t]+(?P<name>[A-Za-z]\w*)[ \t]*\n(?P<body>[^\n]+)\n?", re.MULTILINE)
_LISTING = regex.compile(
    rf"\b(?:list|give|provide|extract|suggest|name|return|generate|write|output)\s+(?:me )?(?:(?:up to|at most|no more than|a maximum of)|(?P<exact>exactly|the top|the)?)\s*{_COUNT}(?:\s?(?:-|–|to)\s?(?P<high>\d{{1,2}}))?\s+(?:(?:of the )?(?:most )?[\w-]+ ){{0,3}}?(?P<noun>[a-z]{{3,}}s)\b",
    re.IGNORECASE,
)
_ARRAY = regex.compile(
    r"(?:\b(?:submit|return|output|respond|answer|reply|provide|produce|give|generate|response|should be|must be|formatted)\b[^.\n]{0,60}?"
    r"|^[ \t#*]*(?:output|response|answer) format[* \t]*:[* \t]*\n?[ \t]*(?:an? )?)"
    r"\b(?:json |python |formatted |plain |valid |strict |flat )*(?<!separated )(?<!yaml )(?<!markdown )(?:lists?|arrays?) of (?P<what>str(?:ing)?s?|texts|integers|numbers|ints|indices|sentences)\b",
    re.IGNORECASE | re.MULTILINE,
)
_TABLE = regex.compile(r"^[ \t]*\|(?P<head>[^\n|]+(?:\|[^\n|]+)+)\|[ \t]*\n[ \t]*\|[ \t:|-]+\|", re.MULTILINE)
_ROW = re.compile(r"\s*\n[ \t]*\|(?P<cells>[^\n]+)\|")
_COLUMNS = regex.compile(
    r"\btable with (?:the )?(?:following )?columns?\s*:?\s*(?P<list>\w+(?: (?!and\b)\w+)?(?:,\s*\w+(?: (?!and\b)\w+)?)*(?:,?\s+and\s+\w+)?)",
    re.IGNORECASE,
)
_BULLETS = re.compile(
    r"\bbullet|\bnumbered list|\bas a list\b|\blist of\b|\ba list\b|\blist (?:all|\d|the (?!most\b)(?:\w+ )?\w+s\b)",
    re.IGNORECASE,
)
_MANY = re.compile(
    r"\b(?:up to \d+(?! *-? *words?\b)|\d+ (?:to|-|–) \d+ (?!words?\b)|\d+(?:-|–)\d+ (?!words?\b)|(?:extract|list|collect|gather|capture) (?:all|every|each)|each of the|the (?:best|top) \d+"
    r"|per (?:point|bullet|item))\b",
    re.IGNORECASE,
)
_NO_BULLETS = re.compile(r"(?:n['’]t|\b(?:not|never|no))\b[^.\n]*?\b(?:bullet|list)[^.\n]*", re.IGNORECASE)
_EACH = re.compile(r"\bwith (?:an? )?one[ -]\w+ \w+", re.IGNORECASE)
_ONE = re.compile(
    r"\b(?:one|single|a|an)[ -](?:\d+[ -]word )?(?:sentence|paragraph|word|line|letter)|\bsingle\b|\b\d+-word sentence|\bsummary sentence",
    re.IGNORECASE,
)

# "on a scale of HATED, DISLIKED, LOVED"
_WORD_SCALE = re.compile(
    r"\bon a scale (?:of|from)\s*:?\s*(?P<list>[A-Z][A-Z ]*[A-Z](?:,\s*(?:(?:and|or)\s+)?[A-Z][A-Z ]*[A-Z]){2,})(?=\s*(?:[.;\n]|$))"
)
_LIST: dict[str, Any] = {"type": "array", "items": {"type": "string"}}
_TEXT: dict[str, Any] = {"type": "string"}
# "## 2. Plan": only numbered headings; others part the prompt itself.
_NUMBERED = regex.compile(
    r"^[ \t]*(?P<marks>#{1,4})[ \t]+(?P<number>\d+(?:\.[ \t]?\d+)*)\.?[ \t]+(?P<name>[A-Za-z][\w '’/&-]{1,60}?)[ \t]*:?[ \t]*(?=\n(?P<next>[^\n]*))",
    re.MULTILINE,
)
_WANTED = re.compile(
    r"\b(?:use the (?:below|following) headings|(?:three|two|four|five) headings|write your [^.\n]{0,60}\bbelow\b)",
    re.IGNORECASE,
)
# "# OUTPUT SECTIONS" and then "- **GREETING:**" with what belongs into it below.
_BOLD_LIST = regex.compile(
    r"^#+[ \t]*OUTPUT SECTIONS[ \t]*:?[ \t]*\n\s*(?P<items>(?:[ \t]*[-*•][ \t]+\*\*[A-Za-z][\w '’/&-]{1,60}:?\*\*:?[^\n]*\n(?:[ \t]*\n|[ \t]+[^\n]+\n)*){2,})",
    re.MULTILINE | re.IGNORECASE,
)
_BOLD = regex.compile(r"^[-*•][ \t]+\*\*(?P<name>[A-Za-z][\w '’/&-]{1,60}?):?\*\*", re.MULTILINE)
_PART = regex.compile(
    r"\b(?:return|include|give|provide|add) an? [\"'“](?P<name>[A-Za-z]\w{2,30})[\"'”] (?:part|section) in your (?:answer|response|reply)",
    re.IGNORECASE,
)
_LINES = regex.compile(
    r"\b(?:only )?(?:reply|answer|respond|return|output)\b[^.\n]{0,80}\bin the following format:\s*[\"'“`]?[-*•][ \t]+[\[<](?P<name>[a-z][a-z ]{2,40})[\]>][\"'”`]?",
    re.IGNORECASE,
)


# "- Use clear headings": how the answer is to be written, and no part of it.
_ADVICE = re.compile(
    r"(?:use|include|provide|keep|be|avoid|ensure|write|make|start|end|begin|highlight|focus|prioritize|present|format|add|give|do|never|always|stay|maintain|limit|cite|reference|explain|respond|answer|mention|follow)_(?:\w+_)+\w+\Z"
)


def sections(document: PromptText) -> Iterator[tuple[Field, Span]]:
    """Sections that the answer is to have, each with the sentence that asks for it."""
    seen: set[str] = set()
    for pattern in (_CALLED, _CREATE, _WILL_BE):
        for match in scan(pattern, document.text):
            name = field_name(match["name"])
            if name in seen or not name or MASK in match["name"]:
                continue
            seen.add(name)
            span = _sentence(document.text, match.start())
            asked = document.text[span.start : span.end]
            yield Field(name, _section_schema(asked), *_source(document, match, "section")), span
    if seen:
        return
    for match in scan(_FOLLOWING, document.text):
        start = document.text.rfind("\n", 0, match.start()) + 1
        lead = document.text[max(start, document.text.rfind(". ", 0, match.start())) : match.start("items")]
        if not _ASKS.search(lead):
            continue
        named = [field_name(item["name"]) for item in scan(_ITEM, match["items"])]
        if len(set(named)) < len(named) or any(map(_ADVICE.match, named)):
            continue
        for item in scan(_ITEM, match["items"]):
            name = field_name(item["name"])
            if name and name not in seen:
                seen.add(name)
                start = match.start("items") + item.start()
                found = Field(
                    name,
                    _item_schema(item["rest"]),
                    f"section in the prose, line {document.line(start)}",
                    document.line(start),
                )
                yield found, Span(start, match.start("items") + item.end())


def _section_schema(asked: str) -> dict[str, Any]:
    # What each item is said to have says nothing about the section.
    asked = _EACH.sub("", _NO_BULLETS.sub("", asked))
    if scale := _WORD_SCALE.search(asked):
        return {"type": "string", "enum": re.findall(r"[A-Z][A-Z ]*[A-Z]", scale["list"])}
    many = bool(_BULLETS.search(asked) or _MANY.search(asked))
    if many and not (_ONE.search(asked) and not _BULLETS.search(asked)):
        return {"type": "array", "items": {"type": "string"}}
    return {"type": "string"}


def _item_schema(rest: str) -> dict[str, Any]:
    """``approve or reject`` are labels; anything longer is a description."""
    words = re.fullmatch(
        r"\s*[\"'`]?([A-Za-z][\w-]*)[\"'`]?(?:\s*(?:,|/|\bor\b)\s*(?:or\s+)?[\"'`]?[A-Za-z][\w-]*[\"'`]?)+\s*\.?\s*",
        rest,
    )
    if words and re.search(r"\bor\b|/", rest):
        return {"type": "string", "enum": [word for word in re.findall(r"[A-Za-z][\w-]*", rest) if word != "or"]}
    return _section_schema(rest)


def titled(document: PromptText) -> Iterator[tuple[Field, Span]]:
    """Reads "... the following sections:" and then lines such as ``KEY EVENTS:`` with what belongs under each."""
    lead = re.search(r"following sections\s*:[ \t]*\n", document.text, re.IGNORECASE)
    if lead is None:
        return
    matches = [match for match in scan(_TITLE, document.text, lead.end()) if "INSTRUCTION" not in match["name"]]
    for match, following in itertools.zip_longest(matches, matches[1:]):
        end = following.start() if following else min(len(document.text), match.end() + 300)
        asked = document.text[match.end() : end]
        first = next((line for line in asked.splitlines() if line.strip()), "")
        if first.lstrip().startswith("#") or not first:
            return
        yield (
            Field(field_name(match["name"]), _section_schema(first), *_source(document, match, "section")),
            Span(*match.span()),
        )


_TITLE = regex.compile(r"^(?P<name>[A-Z0-9][A-Z0-9 '’&/-]{2,40}):[ \t]*$", re.MULTILINE)


def ruled(document: PromptText) -> Iterator[tuple[Field, Span]]:
    """Blocks such as ``--- success`` with what is under them."""
    matches = list(scan(_RULED, document.text))
    if len(matches) < 2:
        return
    for match in matches:
        body = match["body"].strip().lower()
        schema: dict[str, Any] = {"type": "boolean"} if body in ("true/false", "true or false") else {"type": "string"}
        yield Field(field_name(match["name"]), schema, *_source(document, match, "labelled block")), Span(*match.span())


def arrays(document: PromptText) -> Iterator[tuple[Field, Span]]:
    """Reads "Return a JSON array of strings": the answer is the list itself."""
    for match in scan(_ARRAY, document.text):
        kind = "integer" if match["what"].lower() in ("integers", "numbers", "indices", "ints") else "string"
        schema = {"type": "array", "items": {"type": kind}}
        yield Field("items", schema, *_source(document, match, "list")), Span(*match.span())


FEWEST = 2


def listings(document: PromptText) -> Iterator[tuple[Field, Span]]:
    """Reads "List up to five keywords": a list of so many texts."""
    for match in scan(_LISTING, document.text):
        count = int(match["high"]) if match["high"] else number_of(match["n"])
        noun = match["noun"].lower()
        if count < FEWEST:
            continue  # "output one of the labels"
        line = document.text[document.text.rfind("\n", 0, match.start()) + 1 : match.start()]
        if re.match(r"\s*(?:Q|User|Human|Question|Input|Example)\b[^:\n]*:", line):
            continue
        if noun in ("words", "sentences", "characters", "steps", "times", "points", "paragraphs", "lines", "minutes"):
            continue
        if re.match(r"\s+(?:and|or)\s+(?:an?|the|one|its)\b", document.text[match.end() :]):
            # "... and a title" asks for more than the list.
            continue
        open_below = re.match(r"[\w ]*?\b(?:up to|at most|no more than|a maximum of)\b", match[0], re.IGNORECASE)
        least = {} if open_below else {"minItems": number_of(match["n"])}
        schema = {"type": "array", "items": {"type": "string"}, **least, "maxItems": count}
        yield Field(field_name(noun), schema, *_source(document, match, "list")), Span(*match.span())


_NOTHING_ELSE = re.compile(r",?\s+and\s+(?:nothing|no\w*)\b.*", re.IGNORECASE | re.DOTALL)


def tables(document: PromptText) -> Iterator[tuple[Field, Span]]:
    """A Markdown table's head, or "a table with columns A, B and C": rows of texts."""
    for match in scan(_TABLE, document.text):
        columns = [field_name(cell) for cell in match["head"].split("|")]
        row = _ROW.match(document.text, match.end())
        cells = row["cells"].split("|") if row else []
        yield from _table(document, match, columns, cells)
    for match in scan(_COLUMNS, document.text):
        columns = [
            field_name(part) for part in re.split(r"\s*,\s*(?:and\s+)?|\s+and\s+", _NOTHING_ELSE.sub("", match["list"]))
        ]
        yield from _table(document, match, columns)


def _cell(text: str | None) -> dict[str, Any]:
    """What a cell of the row below a table's head says of its column; a text if that is a sample or says nothing."""
    known = placeholder(text.strip()) if text else {}
    return known if set(known) & {"enum", "minimum"} else {"type": "string"}


def _table(
    document: PromptText, match: re.Match[str], columns: list[str], cells: Sequence[str] = ()
) -> Iterator[tuple[Field, Span]]:
    if len(columns) < 2 or not all(columns) or len(set(columns)) < len(columns):
        return
    before = re.split(r"\n[ \t]*\n(?=\s*\S)", document.text[max(0, match.start() - 300) : match.start()].rstrip())[-1]
    before += document.text[match.start() : match.end()] if "|" not in match[0] else ""
    if re.search(
        r"\b(?:input|given|following (?:data|table)|example)\b[^\n]*\Z", before, re.IGNORECASE
    ) or not re.search(
        r"\b(?:output|answer|respond|return|format|produce|create|as an? (?:markdown )?table|table with)\b",
        before,
        re.IGNORECASE,
    ):
        return
    rows = {
        "type": "array",
        "items": object_schema(
            {column: _cell(cell) for column, cell in itertools.zip_longest(columns, cells[: len(columns)])}
        ),
    }
    yield Field("rows", rows, *_source(document, match, "table")), Span(*match.span())


def _sentence(text: str, position: int) -> Span:
    start = text.rfind("\n", 0, position) + 1
    end = text.find("\n", position)
    return Span(start, len(text) if end < 0 else end)


def _source(document: PromptText, match: re.Match[str], kind: str) -> tuple[str, int]:
    line = document.line(match.start("name") if "name" in match.groupdict() else match.start())
    return f"{kind} in the prose, line {line}", line


def headed(document: PromptText) -> Iterator[tuple[Field, Span]]:
    """Numbered Markdown headings that the answer is to use; one with others below it is not a field of its own."""
    if _WANTED.search(document.text):
        found = [match for match in scan(_NUMBERED, document.text) if MASK not in match["name"]]
        numbers = [_number(match) for match in found]
        for match, number in zip(found, numbers, strict=True):
            if any(other != number and other[: len(number)] == number for other in numbers):
                continue
            schema = _LIST if _is_list(match["name"], match["next"]) else _TEXT
            yield _field(document, match, field_name(match["name"]), schema, "heading")
    for block in scan(_BOLD_LIST, document.text):
        for match in scan(_BOLD, block["items"]):
            line = document.line(block.start("items") + match.start())
            start = block.start("items") + match.start()
            source = f"section in the prose, line {line}"
            yield Field(field_name(match["name"]), _TEXT, source, line), Span(start, start + len(match[0]))


def _number(match: re.Match[str]) -> tuple[str, ...]:
    return tuple(re.findall(r"\d+", match["number"]))


def _is_list(name: str, following: str) -> bool:
    first = name.split(maxsplit=1)[0].lower()
    plural = first.endswith("s") and not first.endswith(("ss", "is", "us"))
    return plural or bool(re.match(r"\s*list\b", following, re.IGNORECASE))


def parted(document: PromptText) -> Iterator[tuple[Field, Span]]:
    """Reads "ALWAYS return a "SOURCES" part in your answer": the answer, and that."""
    matches = list(scan(_PART, document.text))
    if len(matches) != 1:
        return
    match = matches[0]
    name = field_name(match["name"])
    if name == "answer":
        return
    yield _field(document, match, "answer", _TEXT, "answer beside the part")
    yield _field(document, match, name, _LIST if _is_list(name, "") else _TEXT, "part")


def lines(document: PromptText) -> Iterator[tuple[Field, Span]]:
    """Reads "only reply in the following format: "- [mapped bullet point]"": a list of texts."""
    for match in scan(_LINES, document.text):
        noun = field_name(match["name"])
        yield _field(document, match, noun if noun.endswith("s") else f"{noun}s", _LIST, "lines")


def _field(
    document: PromptText, match: re.Match[str], name: str, schema: dict[str, Any], kind: str
) -> tuple[Field, Span]:
    line = document.line(match.start("name"))
    return Field(name, schema, f"{kind} in the prose, line {line}", line), Span(*match.span())
