"""PO101, PO102, PO207: white space, Markdown and capitals that only an eye needs; PO301, PO305, PO306: data."""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import ClassVar

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit, Level
from promptopt.compression.scope.given import heads_example
from promptopt.compression.scope.instructions import gives_order
from promptopt.compression.sentences import HEADING, Sentence
from promptopt.compression.text.any_case import AnyCase
from promptopt.compression.text.masked_lines import MASK
from promptopt.compression.text.notation import TABLE, as_csv, fenced, minified, records, unbroken, undented, unpadded

_TRAILING = re.compile(r"[ \t]+(?=\n)")
_EMPTY_LINES = re.compile(r"\n[ \t]*\n(?:[ \t]*\n)+")
# "Lines end with two blanks", "two empty lines part the days": they are spoken of.
_BLANKS_MEANT = AnyCase(
    r"\btrailing\s+(?:blanks?|spaces?|white\s?space)\b|\b(?:two|three|double|several|multiple|extra|consecutive|2|3)\s+"
    r"(?:(?:blank|empty|trailing|consecutive)\s+)*(?:blanks|spaces|line\s?breaks|new\s?lines|(?:blank|empty)\s+lines)\b"
    r"|\b(?:white\s?space|blanks|line\s?breaks|empty\s+lines|blank\s+lines|spacing|indentation|line\s+ends?)\b[^.\n]{0,40}"
    r"\b(?:as\s+(?:is|it\s+is|they\s+are)|exact(?:ly)?|meaningful|significant|matters?|counts?|preserved?|kept)\b"
    r"|\b(?:keep|preserve|retain|count|maintain|respect)\b[^.\n]{0,40}"
    r"\b(?:white\s?space|blanks|line\s?breaks|empty\s+lines|blank\s+lines|spacing|indentation|layout|columns)\b",
)
# Two blanks between sentences; elsewhere blanks may align columns, a chart or code.
_RUNS = re.compile(r"  (?<=[a-z)\"”][.!?]  ) ?(?=[A-Z])")
_ZERO_WIDTH = "\u200b\u2060\ufeff"
_INVISIBLE = re.compile(f"[{_ZERO_WIDTH}]+")
_CLOSED_HEADING = re.compile(r"(?m)(?<=\S)[ \t]+#+[ \t]*$")
# What it has in it is found in a fraction of the time.
_IN_CLOSED_HEADING = re.compile(r"(?m)#[ \t]*$")
_RULE_LINE = re.compile(
    r"^[ \t]*(?:-{3,}|\*{3,}|_{3,}|={3,})[ \t]*\n(?:[ \t]*\n)*(?P<heading>(?=#{1,6} ))?", re.MULTILINE
)


# "**Date**: [the day]", two in a row: what is to be filled in.
_FORM_LINES = re.compile(
    r"(?:^[ \t*_-]*[A-Za-z][^\n:`]{0,40}:[ \t*_]*(?:\[[^\[\]\n]+\](?!\()|<[^<>\n]+>|_{3,})[ \t*_.]*(?:\n|\Z)){2,}",
    re.MULTILINE,
)
# "Example interaction", "2. Sample answer"
_NAMES_EXAMPLE = re.compile(r"[\s*_\d.)]*(?:example|sample)\b", re.IGNORECASE)
_HEADING = re.compile(r"^(?P<level>#{1,6}) (?P<words>[^\n]*)", re.MULTILINE)
_NEXT_HEADING = re.compile(r"\n#{1,6} ")
_LINES_MEANT = AnyCase(
    r"\b(?:horizontal\s+(?:rules?|lines?)|rule\s+lines?|dashed\s+lines?|dividers?|separator\s+lines?|(?:three|triple)\s+dashes|"
    r"between\s+the\s+(?:rules|lines|dashes|separators))\b|[`\"'](?:---|\*\*\*)[`\"']",
)


class Whitespace:
    """Trailing blanks, runs of blanks inside prose, more than one empty line, zero-width characters."""

    code: ClassVar[str] = "PO101"
    name: ClassVar[str] = "white space"
    reason: ClassVar[str] = "trailing blanks and runs of empty lines are tokens that say nothing"
    level: ClassVar[Level] = "safe"

    def propose(self, document: Document) -> Iterator[Edit]:
        text = document.masked
        meant = _BLANKS_MEANT.search(document.text) is not None
        for match in () if meant else _EMPTY_LINES.finditer(text):
            # Inside of code they may part its pieces.
            around = (document.masks.zone_at(match.start() - 1), document.masks.zone_at(match.end()))
            if all(zone is not None and zone.kind == "code" for zone in around):
                continue
            yield Edit(match.start(), match.end(), "\n\n", self.code, "several empty lines: keep one")
        for start, end in () if meant else _trailing(document):
            # Two blanks at a line's end are a break in Markdown, which no model needs.
            yield Edit(start, end, "", self.code, "trailing white space")
        for match in _INVISIBLE.finditer(text) if any(character in text for character in _ZERO_WIDTH) else ():
            yield Edit(match.start(), match.end(), "", self.code, "zero-width characters")
        for sentence in document.prose if _RUNS.search(text) else ():
            for match in _RUNS.finditer(text, sentence.start, sentence.end):
                yield Edit(match.start(), match.end(), " ", self.code, "a run of blanks: keep one")


def _trailing(document: Document) -> Iterator[tuple[int, int]]:
    """Blanks at the ends of lines that instruct; none in a section where they end a hole or what is shown as well.

    Lines of a form keep theirs, or lose them, together.
    """
    masked = document.masked
    if " \n" not in document.text and "\t\n" not in document.text:
        return
    headings = [sentence.start for sentence in document.sentences if sentence.kind == HEADING]
    found = list(_TRAILING.finditer(document.text, document.masks.source.front_end))
    forms = {bisect_left(headings, blanks.start()) for blanks in found if masked[blanks.start() - 1] == MASK}
    for blanks in found:
        line = masked[masked.rfind("\n", 0, blanks.start()) + 1 : blanks.start()]
        sentence = document.sentence_at(blanks.start() - 1)
        said = sentence is not None and sentence.start in document.instructed.strict
        if bisect_left(headings, blanks.start()) not in forms and (said or not line.strip()):
            yield blanks.span()


class Markdown:
    """Closing hashes of headings, and rule lines right above headings.

    Bold type stays, of headings and labels too: it is a part of a form more often than it is noise.
    """

    code: ClassVar[str] = "PO102"
    name: ClassVar[str] = "Markdown noise"
    reason: ClassVar[str] = "a heading begins a section without more marks"
    level: ClassVar[Level] = "telegraphic"

    def propose(self, document: Document) -> Iterator[Edit]:
        text = document.masked
        for match in _CLOSED_HEADING.finditer(text) if _IN_CLOSED_HEADING.search(text) else ():
            if text[text.rfind("\n", 0, match.start()) + 1 :].startswith("#"):
                yield Edit(match.start(), match.end(), "", self.code, "a heading needs no closing hashes")
        yield from self._lines(document)

    def _lines(self, document: Document) -> Iterator[Edit]:
        """Rule lines right above headings, which begin a section anyway; none if one of them may mark anything else."""
        if not any(mark in document.text for mark in ("---", "***", "___", "===")):
            return
        rules = list(_RULE_LINE.finditer(document.text, document.masks.source.front_end))
        if rules and (_parts_shown(document, rules) or _parts_a_form(document, rules)):
            return
        # The line under a hole ends what is filled in, which may have headings of its own.
        if any(document.masked[: rule.start()].rstrip().endswith(MASK) for rule in rules):
            return
        # "Copy what is between the horizontal rules."
        if _LINES_MEANT.search(document.text) is None and all(rule["heading"] is not None for rule in rules):
            for rule in rules:
                # Of what is shown no line goes; "=======" underlines a heading, or parts an edit.
                if "=" not in rule[0] and MASK not in document.masked[rule.start() : rule.end()]:
                    start, end = rule.start(), rule.start("heading")
                    yield Edit(start, end, "", self.code, "a heading begins a section without a line")


def _parts_shown(document: Document, rules: Sequence[re.Match[str]]) -> bool:
    """Whether the lines may part what is shown from the rest.

    They stand beside examples, which may have headings of their own, or there are higher headings than the first.
    """
    headings = [
        heading for heading in _HEADING.finditer(document.text) if not _in_fence(document.text, heading.start())
    ]
    places = [heading.start() for heading in headings]
    # The headings right below the lines, and those of the sections that the lines end.
    beside = {bisect_left(places, rule.start()) + below for rule in rules for below in (-1, 0)} & {*range(len(places))}
    words = [headings[index]["words"] for index in beside]
    examples = any(heads_example(heading) or _NAMES_EXAMPLE.match(heading) for heading in words)
    return examples or any(len(heading["level"]) < len(headings[0]["level"]) for heading in headings)


def _parts_a_form(document: Document, rules: Sequence[re.Match[str]]) -> bool:
    """Whether a section under one of the rule lines is a form to be filled in: then the lines belong to it."""
    text = document.text
    for rule in rules:
        end = _NEXT_HEADING.search(text, rule.end())
        for form in _FORM_LINES.finditer(text, rule.end(), end.start() if end else len(text)):
            if not _in_fence(text, form.start()):
                return True
    return False


# Of other words the capitals may be a name or a call: "JSON", "STRICT RULES", "CRITICALLY IMPORTANT".
_SECTION_WORDS = frozenset(
    "and of the your background base context core description directive directives general goal goals guidelines "  # noqa: SIM905 - read as words
    "identity input inputs instructions knowledge objective objectives output overview primary process processing "
    "purpose requirements role rules steps task tasks workflow".split()
)


class Capitals:
    """A section's heading in capitals that no other line refers to is written in lower case, which is fewer tokens."""

    code: ClassVar[str] = "PO207"
    name: ClassVar[str] = "headings in capitals"
    reason: ClassVar[str] = "capital letters are split into more tokens"
    level: ClassVar[Level] = "standard"

    def propose(self, document: Document) -> Iterator[Edit]:
        headings = [sentence for sentence in document.prose if sentence.kind == HEADING]
        in_capitals = {
            sentence: document.text[sentence.start : sentence.end]
            for sentence in headings
            if _CAPITALS.search(document.text, sentence.start, sentence.end)
        }
        # Of headings that look alike all go or none: those in capitals would stand out.
        if not all(_is_plain(text, document.text) for text in in_capitals.values()):
            return
        for sentence, text in in_capitals.items():
            new = text.lower().capitalize()
            message = f"{text!r} in capitals: write {new!r}"
            yield Edit(sentence.start, sentence.end, new, self.code, message, together="headings in capitals")


_CAPITALS = re.compile(r"\b[A-Z]{4,}\b")


def _is_plain(heading: str, text: str) -> bool:
    """Whether a heading only names a section: no name that the output must show, or that another line points to."""
    named = any(_is_there_again(word, text) for word in _CAPITALS.findall(heading))
    return not named and _SECTION_WORDS.issuperset(heading.lower().split())


def _is_there_again(word: str, text: str) -> bool:
    return text.count(word) > 1 and len(re.findall(rf"\b{word}\b", text)) > 1


LEAST_CHARACTERS = 20
# After these words, data may be an example of what the model should write.
_FORM = re.compile(
    r"\b(?:formats?|formatted|outputs?|returns?|respond|responses?|answers?|reply|replies|examples?|samples?|schemas?|"
    r"produce|generate|emit|fill|like|structure|structured|forms?|templates?|results?|write|create|json|markdown|e\.g\.)\b",
    re.IGNORECASE,
)
# "A card for posting in the kitchen.": a line without a verb names the table, which is shown as it is.
_CAPTION = re.compile(
    r"[\s*_(]*(?:An?|The)\s(?:(?!\b(?:is|are|was|were|be|has|have|do|does|must|should|shall|can|may|will)\b)[^.:;!?])+[.)*_\s]*",
)
_LIST = re.compile(r"\[\s*\{")
# The end of a line that no tag strips, and the end of a tag that may strip the one before it.
_LINE_END = re.compile(r"[ \t]*(?:\n(?!\s*\{[%{#]-)|\Z)")
_TAG_END = ("%}", "}}", "#}")
# How many characters before data are read.
_NEAR = 1000
_ANNOUNCED = 200
# If these are anywhere in the prompt, its data stay in that form: it may ask for it.
_JSON_WANTED = re.compile(r"\bjson\b", re.IGNORECASE)
_TABLE_WANTED = AnyCase(
    r"\bmarkdown\b|\b(?:outputs?|returns?|respond|response|answer|reply|format\w*|present|create|produce|generate|write|"
    r"fill|extend|continue|draw|add|as|like|in)\b[^.\n]{0,40}\b(?:tables?|rows?|columns?)\b",
)
_MESSAGE = "pretty-printed JSON: minify it"
# "Answer in exactly this format:": its white space may be meant.
_AS_IT_IS = (
    r"(?:exact(?:ly)?|verbatim|precisely|identical(?:ly)?|to the letter"
    r"|(?:character|word|byte) for (?:character|word|byte))"
)
_NAMES_OF_FORMS = (
    r"formats?|forms?|structures?|schemas?|shapes?|templates?|layouts?|syntax|json|objects?|keys?|fields?|this|these|below|"
    r"above|shown|follows|following"
)
_EXACTLY = re.compile(
    rf"\b(?:{_AS_IT_IS}|as[- ]is|layout|indent\w*|compact|"
    r"minif\w*|white[- ]?space|newlines?)\b[^\n]*\s*(?:<[\w-]+>\s*)*\Z",
    re.IGNORECASE,
)
_EXACT_FORM = re.compile(
    rf"\b{_AS_IT_IS}\b[^.!?\n]{{0,60}}"
    rf"\b(?:{_NAMES_OF_FORMS})\b"
    rf"|\b(?:{_NAMES_OF_FORMS})\b[^.!?\n]{{0,60}}\b{_AS_IT_IS}\b",
    re.IGNORECASE,
)
_EMPTY_LINE = re.compile(r"\n[ \t]*\n\s*")
_A_SENTENCE = re.compile(r"[a-z]+ [a-z]+ [a-z]+", re.IGNORECASE)
_PARAGRAPH = 2000
"""Characters of the paragraphs before data that are read."""


class JsonData:
    """Valid JSON in a prompt is minified, values and order kept.

    A JSON-like form loses its line breaks; one with comments, which end with their lines, loses its indentation.
    """

    code: ClassVar[str] = "PO301"
    name: ClassVar[str] = "pretty JSON"
    reason: ClassVar[str] = "indentation and blanks of JSON are tokens"
    level: ClassVar[Level] = "standard"

    def propose(self, document: Document) -> Iterator[Edit]:
        text = document.text
        valid = list(json_values(text))
        forms = list(_forms(document, valid))
        for start, end in valid:
            # A part of a form is written with its form.
            if any(form.start <= start and end <= form.end for form in forms):
                continue
            # One of the elements of a list that no reader of JSON takes: the others would keep their blanks.
            if text[:start].rstrip().endswith(("[", "(", "{", ",")):
                continue
            if is_open(document, start, end) and (new := minified(text[start:end])) is not None:
                yield Edit(start, end, new, self.code, _MESSAGE)
        yield from forms


def _forms(document: Document, valid: Sequence[tuple[int, int]]) -> Iterator[Edit]:
    """JSON-like forms, which no reader of JSON takes, in fewer characters."""
    text = document.text
    for zone in document.zones:
        whole = any(start <= zone.start and zone.end <= end for start, end in valid)
        if zone.kind != "braces" or whole or not is_open(document, zone.start, zone.end):
            continue
        form = text[zone.start : zone.end]
        # Inside of brackets that stay, the lines of a form keep their indentation.
        enclosed = text[: zone.start].rstrip().endswith(("[", "(", "{", ","))
        if (new := unbroken(form) or (None if enclosed else undented(form))) is not None:
            yield Edit(zone.start, zone.end, new, JsonData.code, _MESSAGE)


class Tables:
    """The cells of a Markdown table keep one blank beside them, its rule three dashes a column."""

    code: ClassVar[str] = "PO305"
    name: ClassVar[str] = "padded tables"
    reason: ClassVar[str] = "a model reads columns without their being aligned"
    level: ClassVar[Level] = "standard"

    def propose(self, document: Document) -> Iterator[Edit]:
        tables = list(TABLE.finditer(document.text)) if "|" in document.text else []
        headings = [sentence for sentence in document.sentences if tables and sentence.kind == HEADING]
        for table in tables:
            zone = document.masks.zone_at(table.start())
            if zone is None or zone.kind != "table" or not document.is_literal(*table.span()):
                continue
            new = unpadded(table[0])
            if new != table[0] and not _shows_form(document, headings, table.start()):
                yield Edit(
                    table.start(), table.end(), new, self.code, "a padded table: one blank beside a cell is enough"
                )


class DataRows:
    """A JSON list of similar objects, or a Markdown table, as CSV: each field is named once.

    Only data that the model reads; a list that may show what it should write stays as it is.
    """

    code: ClassVar[str] = "PO306"
    name: ClassVar[str] = "data in rows"
    reason: ClassVar[str] = "records of the same fields need name them once"
    level: ClassVar[Level] = "standard"

    def propose(self, document: Document) -> Iterator[Edit]:
        found = [*_lists(document), *_tables(document)]
        headings = [sentence for sentence in document.sentences if found and sentence.kind == HEADING]
        for start, end in found:
            yield from self._edit(document, headings, start, end)

    def _edit(self, document: Document, headings: Sequence[Sentence], start: int, end: int) -> Iterator[Edit]:
        text = document.text
        rows = records(text[start:end])
        # Nothing may follow on the line of the last row.
        if (
            rows is None
            or not _LINE_END.match(text, end)
            or text[max(0, start - _NEAR) : start].rstrip().endswith(_TAG_END)
            or _shows_form(document, headings, start)
            or _is_shown(_line_before(document, start))
        ):
            return
        new = as_csv(rows)
        if new is None:
            return
        alone = not text[text.rfind("\n", 0, start) + 1 : start].strip()
        message = f"{len(rows) - 1} records: as CSV each of the {len(rows[0])} fields is named once"
        yield Edit(start, end, new if alone else "\n" + new, self.code, message)


_JSON = json.JSONDecoder(strict=True)
# What an object or a list begins with; of most braces and brackets, the second character says that they are none.
_JSON_BEGINS = re.compile(r"\{\s*[\"}]|\[\s*[\[\]{\"\-\dtfnNI]")


def json_values(text: str) -> Iterator[tuple[int, int]]:
    """The ranges of the JSON objects and lists in a text, of which none is part of another."""
    position = 0
    while begin := _JSON_BEGINS.search(text, position):
        try:
            _, end = _JSON.raw_decode(text, begin.start())
        except (ValueError, RecursionError):
            position = begin.start() + 1
        else:
            yield begin.start(), end
            position = end


def is_open(document: Document, start: int, end: int) -> bool:
    """Whether data may be written in another way: not code, a quotation, or what the assistant said in an example."""
    zone = document.masks.zone_at(start)
    if end - start < LEAST_CHARACTERS or not document.is_literal(start, end):
        return False
    # A list of words or numbers on one line: of any language.
    if document.text[start] == "[" and not re.search(r"[\n{]", document.text[start:end]):
        return False
    if _IN_CODE.search(document.text, max(0, start - 60), start) or _in_expression(document.text, start):
        return False
    if _is_exact(document.text, start):
        return False
    if zone is not None and (zone.kind in ("jinja", "front", "quote", "code") or _in_fence(document.text, start)):
        return False
    return not any(frame.kind == "chat" and "assistant" in frame.argument for frame in document.frames_at(start))


def _is_exact(text: str, start: int) -> bool:
    """Whether the line before data, their paragraph or the one before it says that their form is to be met exactly."""
    if _EXACTLY.search(text[max(0, start - _ANNOUNCED) : start]):
        return True
    paragraphs = _EMPTY_LINE.split(text[max(0, start - _PARAGRAPH) : start])
    own, before = paragraphs[-1], paragraphs[-2:-1]
    # Under a tag, a label or a mark alone, the paragraph that announces them comes before these.
    if before and not _A_SENTENCE.search(own + before[0]):
        before = paragraphs[-3:-1]
    return any(_EXACT_FORM.search(paragraph) for paragraph in (own, *before))


def _in_fence(text: str, position: int) -> bool:
    return any(start < position < end for start, end in fenced(text))


def _in_expression(text: str, position: int) -> bool:
    """Whether a place is inside of an expression of a template such as ``${wanted ? '{"name": ""}' : 'null'}``."""
    opened = text.rfind("${", text.rfind("\n", 0, position) + 1, position)
    return opened >= 0 and text.count("{", opened, position) > text.count("}", opened, position)


# Code without a fence: "for city in [...]", "assert f([...]) == 3", "names = [...]".
_IN_CODE = re.compile(
    r"(?:\b\w+\(|[\"']: *|%%\{\w+: ?|(?:\A|\n)[ \t]*[a-z]\w* |\bfor \w+ in |\b\w+ ?[=!]?= ?|\breturn )\Z"
)


def _lists(document: Document) -> Iterator[tuple[int, int]]:
    """The ranges of JSON lists of objects, of which none is part of anything else."""
    text = document.text
    if not _LIST.search(text) or _JSON_WANTED.search(document.masked):
        return
    for start, end in json_values(text):
        zone = document.masks.zone_at(start)
        whole = zone is None or (zone.start == start and zone.kind != "example")
        if whole and text[start] == "[" and is_open(document, start, end):
            yield start, end


def _tables(document: Document) -> Iterator[tuple[int, int]]:
    """The ranges of Markdown tables."""
    if "|" not in document.text:
        return
    found = list(TABLE.finditer(document.text))
    if not found or _TABLE_WANTED.search(document.masked):
        return
    for table in found:
        zone = document.masks.zone_at(table.start())
        if zone is not None and zone.kind == "table" and document.is_literal(*table.span()):
            yield table.span()


def _shows_form(document: Document, headings: Sequence[Sentence], start: int) -> bool:
    """Whether the line before data, or a heading above, may say that the model should write data like them."""
    line = _line_before(document, start)
    # An example may have headings of its own: "## OUTPUT EXAMPLE", then "## Summary" with a table.
    above = headings[: bisect_left(headings, start, key=lambda heading: heading.start)]
    titles = " ".join(document.masked[heading.start : heading.end] for heading in above)
    return _FORM.search(f"{line} {titles}") is not None


def _is_shown(line: str) -> bool:
    """Whether the line before data gives an order ("Show what it saves:"), or names them as a thing."""
    return gives_order(line) or _CAPTION.fullmatch(line) is not None


def _line_before(document: Document, start: int) -> str:
    """The nearest line of words above a place, or what is before it on its own."""
    before = document.masked[max(0, start - _NEAR) : start].rstrip()
    return before[before.rfind("\n") + 1 :]
