"""Keys and parts of an answer that a prompt shows beside those that a model read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from promptopt.structured.by_model.question import FormReading
from promptopt.structured.fields import MASK, PromptText, Span, field_name
from promptopt.structured.guard.lost_labels import TYPE_WORDS
from promptopt.structured.guard.neighbours import beside_in_line, beside_in_lines
from promptopt.structured.guard.quotations import Proofs, spoken_by_others
from promptopt.structured.witness.keys import VARIABLE

_KEY = re.compile(r"[\"'“](?P<name>[^\"'“”\n:{}\[\],]{1,60})[\"'”]\s*:(?!:)")
_SIGN = re.compile(
    r"\"(?:[^\"\\\n]|\\.)*\"(?!\s*:)|[\"'“](?P<name>[^\"'“”\n:{}\[\],]{1,60})[\"'”]\s*:(?!:)|(?P<open>[{\[])|(?P<shut>[}\]])"
)


@dataclass(frozen=True, slots=True)
class ShownKey:
    """A key of an object that a prompt shows.

    Attributes:
        above: The keys that lead to its object, outermost first.
    """

    name: str
    start: int
    above: tuple[str, ...]


def lost_keys(document: PromptText, reading: FormReading, proofs: Proofs) -> Iterator[str]:
    """Keys that are shown or listed with those that were read; each with its line."""
    names = {value.name for value in reading.values if value.name}
    labels = {label for value in reading.values for label in value.labels}
    if reading.form == "json":
        yield from _of_objects(document, reading, proofs, names)
    known = {name.casefold() for name in names | labels} | {field_name(name) for name in names}
    if reading.form == "json":
        yield from _said_to_be_keys(document, known)
        yield from _at_line_starts(
            document, names, known, sorted(one.line for quotes in proofs.values() for one in quotes)
        )
    lines = document.text.split("\n")
    spelled = {name for name in names if len(name) > 1}
    numbers = {
        n
        for quotes in proofs.values()
        for quoted in quotes
        for n in range(quoted.line, document.line(max(quoted.span.start, quoted.span.end - 1)) + 1)
    }
    for number in sorted(numbers):
        line = lines[number - 1]
        inline: list[str] = []
        heads = spelled if reading.form == "json" else spelled | _as_written(line, names)
        beside = list(beside_in_lines(document.text, number, heads, least=min(2, len(spelled))))
        several = sum(bool(re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", line)) for name in spelled) > 1
        of_keys = re.search(r"\b(?:keys|fields|properties)\b", line) is not None
        if reading.form == "json" and (several or of_keys) and not _KEY.search(line):
            inline = list(beside_in_line(line, spelled, closed_by_and=True, one=of_keys))
            beside += inline
        beside += spelled_beside(line, names)
        for item in beside:
            if item.casefold() in TYPE_WORDS | known or field_name(item) in known or _is_of_input(item, document.text):
                continue
            if _is_heading(item, lines, names) or _is_sample(item, line):
                continue
            if item in inline or _is_key(item, line, document.text) or _in_numbers(line):
                yield f"line {number}: {item!r} stands beside the keys that were read, and is none of them"


def _is_sample(item: str, line: str) -> bool:
    """Whether a word is the place of a value, or a sample in brackets of what a key may hold: '(e.g., "port", "bow")'."""
    if re.search(rf"[\"']\s*:\s*{re.escape(item)}\s*(?:[,}}]|\Z)", line):
        return True  # "fat_g": fat_grams
    shown = re.search(rf"\([^()]*\b(?:e\.g\.?|such as|for example),? [^()]*[\"'`]{re.escape(item)}[\"'`][^()]*\)", line)
    return shown is not None


# "`positions` is an array", 'route   oral or iv': a key begins its line, in marks or before a column
_LINE_START = re.compile(
    r"^[ \t]*(?:(?:[-*•]|\d{1,2}[.)])[ \t]+)?(?:(?P<mark>[`\"'])(?P<name>[A-Za-z_]\w*)(?P=mark)|(?P<column>[a-z_]\w*)(?=[ \t]{2,}\S))",
    re.MULTILINE,
)


_KEY_SAID = re.compile(
    r"\b(?P<of>\w+ )?(?:key|field|property) (?:called |named )?[\"'`“](?P<name>\w+)[\"'`”]", re.IGNORECASE
)


def _said_to_be_keys(document: PromptText, known: set[str]) -> Iterator[str]:
    """Words that a sentence calls a key: 'Add a key "comment"'."""
    for match in _KEY_SAID.finditer(document.text):
        of_input = (match["of"] or "").strip().lower() in ("input", "no", "without", "primary", "foreign")
        if match["name"].casefold() not in known and not of_input:
            yield f"line {document.line(match.start())}: {match['name']!r} is called a key, and is none of those that were read"


_OF_SCHEMA = frozenset(
    [
        "type",
        "properties",
        "required",
        "items",
        "enum",
        "title",
        "description",
        "minimum",
        "maximum",
        "additionalProperties",
    ]
)
_NEAR = 2


def _at_line_starts(document: PromptText, names: set[str], known: set[str], quoted: Sequence[int]) -> Iterator[str]:
    """Words that begin a line as several keys do, among the lines that are quoted."""
    near = range(quoted[0] - _NEAR, quoted[-1] + _NEAR + 1)
    found = [match for match in _LINE_START.finditer(document.text) if document.line(match.end()) in near]
    for style in {match["mark"] or "" for match in found}:
        lines = [match for match in found if (match["mark"] or "") == style]
        words = [match["name"] or match["column"] for match in lines]
        if sum(word in names for word in words) * 2 <= len(words):
            continue
        for match, word in zip(lines, words, strict=True):
            if word.casefold() not in known and not (word in _OF_SCHEMA and '"properties"' in document.text):
                yield f"line {document.line(match.end())}: {word!r} begins a line as the keys do, and is none of them"


def _as_written(line: str, names: set[str]) -> set[str]:
    """The names of labelled lines and sections as a line spells them: ``Next step`` for ``next_step``."""
    return {
        " ".join(match[0].split())
        for match in re.finditer(r"[^\W_][\w -]*[^\W_]", line)
        if field_name(match[0]) in {field_name(name) for name in names}
    }


# snake_case or camelCase, in backticks, or in quotation marks where a key stands: 'give its number in "section"'
_IDENTIFIER = re.compile(
    r"(?<![\w{$<@/.-])(?P<joined>[a-z]+(?:_[a-z0-9]+)+|[a-z]+(?:[A-Z][a-z0-9]+)+)(?![\w(/}-]|\.\w)|`(?P<code>[A-Za-z_]\w*)`"
    r"|(?:\b(?:in|under|keys?|fields?|and|with|called|named)|,|[-*•]|\d[.)])\s*[\"'](?P<quoted>[a-z][a-z0-9_]{2,})[\"'](?=[\s,(:;.)]|\Z)"
)
_NO_KEY = re.compile(
    r"\b(?:or|use|say|write|answer|e\.g\.?|like|as|is|be|to|for example|for instance|such as|not|than|either|if)\W*\Z",
    re.IGNORECASE,
)


def spelled_beside(line: str, names: set[str]) -> Iterator[str]:
    """Words of a line that are spelled as its keys are and are none of those that were read."""
    if '"properties"' in line:
        return  # a JSON schema, whose own words are no keys
    found = [(match, next(group for group in match.groups() if group)) for match in _IDENTIFIER.finditer(line)]
    own = {kind for match, word in found if word in names for kind, group in match.groupdict().items() if group}
    for match, word in found:
        kind = next(kind for kind, group in match.groupdict().items() if group)
        if word not in names and kind in own and not _NO_KEY.search(line[: match.start()]):
            yield word


def _is_heading(item: str, lines: Sequence[str], names: set[str]) -> bool:
    """Whether a word begins a line that names several keys: "metrics (reach, fit): 1 to 5"."""
    own = next((line for line in lines if re.match(rf"\W*{re.escape(item)}\W*\(", line)), "")
    return sum(re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", own) is not None for name in names) > 1


def _is_of_input(item: str, text: str) -> bool:
    """Whether a label is followed by a variable: the prompt's own input."""
    return re.search(rf"{re.escape(item)}[*_`\"']*\s*:\s*(?:{VARIABLE.pattern})", text) is not None


def _in_numbers(line: str) -> bool:
    return re.match(r"[ \t]*(?:\d{1,2}[.)]|[-*•])[ \t]+\w+[ \t]*(?:\(|$)", line) is not None


def _is_key(item: str, line: str, text: str) -> bool:
    """Whether an item of a list looks like a key: in marks, with a colon, or made of joined words."""
    own = re.escape(item)
    marked = re.search(rf"[\"'`*“_]{own}[\"'`*”_]|(?<![\w-]){own}[*_`\"']*\s*(?:[:(]|[-–—] )", text)
    return bool(marked or re.search(r"_|[a-z][A-Z]", item) or re.search(r"\bkeys?\b|\bfields?\b", line))


def _of_objects(document: PromptText, reading: FormReading, proofs: Proofs, names: set[str]) -> Iterator[str]:
    quoted = [one.span for quotes in proofs.values() for one in quotes]
    pairs = {tuple(part for part in value.path if part != "*") for value in reading.values}
    others = spoken_by_others(document)
    for region in _regions(document.text):
        keys = [
            key
            for key in shown_keys(document.text, region)
            if not any(span.start <= key.start < span.end for span in others)
        ]
        if not keys:
            continue
        read = [key for key in keys if key.name in names]
        of_answer = any(region.overlaps(span) for span in quoted) or len(read) * 2 > len(keys)
        if not read or not of_answer or _is_schema(keys):
            continue
        for key in keys:
            line = document.line(key.start)
            if key.name not in names:
                if MASK not in key.name and not re.fullmatch(r"\.\.\.|…", key.name):
                    yield f"line {line}: the key {key.name!r} is shown with those that were read, and is none of them"
            elif (*key.above, key.name) not in pairs and key.above and key.above[0] in names:
                yield f"line {line}: {key.name!r} is shown inside of {key.above[-1]!r}, and was read elsewhere"
            elif (
                not key.above
                and (key.name,) not in pairs
                and not any(len(pair) > 1 and pair[-1] == key.name for pair in pairs)
            ):
                yield f"line {line}: {key.name!r} is shown at the top, and was read elsewhere"


def _is_schema(keys: list[ShownKey]) -> bool:
    return {"type", "properties"} <= {key.name for key in keys}


def _regions(text: str) -> Iterator[Span]:
    """Stretches in braces or brackets that have a key, outermost only."""
    done = 0
    for start in re.finditer(r"[{\[]", text):
        if start.start() < done:
            continue
        depth = 0
        for sign in _SIGN.finditer(text, start.start()):
            depth += bool(sign["open"]) - bool(sign["shut"])
            if depth == 0 and sign["shut"]:
                if _KEY.search(text, start.start(), sign.end()):
                    yield Span(start.start(), sign.end())
                    done = sign.end()
                break


def shown_keys(text: str, region: Span) -> Iterator[ShownKey]:
    """The keys of an object that is shown, each with those above it."""
    stack: list[str] = []
    last = ""
    for sign in _SIGN.finditer(text, region.start, region.end):
        if sign["open"]:
            stack.append(last if sign["open"] == "{" else (last or ""))
            last = ""
        elif sign["shut"]:
            if stack:
                stack.pop()
            last = ""
        elif sign["name"]:
            last = sign["name"].strip()
            yield ShownKey(last, sign.start(), tuple(key for key in stack if key))
