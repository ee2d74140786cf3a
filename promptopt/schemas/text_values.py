"""One value out of a stretch of text: a label, a number, a list in a line or in bullets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from promptopt.errors import AnswerError
from promptopt.schemas.coerce import coerce, plain
from promptopt.schemas.doubt import CHANGED, DENIED, TAKEN_BACK, contradicted, corrections, doubted

# A list item; "mark" is what it begins with.
BULLET = re.compile(r"^[ \t]*(?P<mark>[-*+•]|\d+[.)])[ \t]+(?P<item>.+?)[ \t]*$")
# "red, green and blue" may be two things or three.
_JOINED = re.compile(r"(?:^|\s)(?:and|or|&)(?:\s|$)", re.IGNORECASE)
_GOES_ON = re.compile(r"\W*(?:etc|and so (?:on|forth)|and (?:many )?(?:more|others)|\.{2,}|…)\W*", re.IGNORECASE)
_NO_LIST = re.compile(r"\W*(?:none|nothing|no \w+|empty|unknown)\W*", re.IGNORECASE)
# What may follow a value: the end of its clause.
AFTER = r"[\"'*_`”’)]*\s*(?:$|[.!;:—–(\n](?!\d)|,\s+(?!or\b|\d)|-\s|because\b|since\b)"
_WRAP = "*_`\"'“”‘’ \t"
# C' is not C, and 7' is seven feet.
_PRIME = re.compile(r"[\s*_`]*\w+['’′](?!\w)\W*")
_DIGITS = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?")
# A value that is one of so many is not what a text says.
MOST_PRESENT = 50


def leading(text: str, schema: Mapping[str, Any]) -> Any:
    """A label or number that a text begins with, if what follows only explains it."""
    match = re.match(rf"[\s*_`\"'“]*(?P<value>[+-]?\d+(?:\.\d+)?|[^.,;:(—–\n]{{1,80}}?)(?={AFTER})", text)
    if match is None or DENIED.search(match["value"]) or _PRIME.match(text):
        return None
    rest = text[match.end() :]
    yes = match["value"].lower() == "yes"
    if _names_another(rest, match["value"], schema) or (
        (yes or match["value"].lower() == "no") and contradicted(rest, yes=yes)
    ):
        return None
    changed = (
        TAKEN_BACK.search(rest) or doubted(rest) or CHANGED.search(rest.split("\n", 1)[0]) or re.search(r"\bor\b", rest)
    )
    return None if changed else scalar(match["value"], schema)


def is_replaced(rest: str, value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether a later sentence begins as a correction does and names another value."""
    if "enum" in schema:
        return any(_names_another(each, str(value), schema) for each in corrections(rest, turns=True))
    numbers = [number for each in corrections(rest, turns=False) for number in _DIGITS.findall(each)]
    return any(scalar(number, schema) not in (None, value) for number in numbers)


def _names_another(rest: str, value: str, schema: Mapping[str, Any]) -> bool:
    """Whether another label follows the one that was read."""
    labels = [str(label) for label in schema.get("enum", ()) if plain(str(label)) != plain(value)]
    return len(labels) <= MOST_PRESENT and any(True for _ in label_hits(rest, labels)) if labels else False


def is_text(schema: Mapping[str, Any]) -> bool:
    """Whether a schema takes any text."""
    kinds = schema.get("type")
    return "enum" not in schema and (kinds == "string" or (isinstance(kinds, list) and "string" in kinds))


def scalar(text: str, schema: Mapping[str, Any]) -> Any:
    """The value that a text is, apart from marks around it; ``None``: it is none of the schema's."""
    if not is_text(schema) and _PRIME.fullmatch(text.strip()):
        return None
    cleaned = text.strip().strip(_WRAP)
    if not is_text(schema):
        cleaned = cleaned.rstrip(".").strip(_WRAP)
        if out_of := re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:/|out of|of|von|sur)\s*(\d+)", cleaned):
            # Four of five is not four on a scale to ten.
            maximum = schema.get("maximum")
            if float(out_of[2]) != maximum if maximum is not None else schema.get("type") != "integer":
                return None
            cleaned = out_of[1]
    try:
        value, _ = coerce(cleaned, {key: part for key, part in schema.items() if key != "$defs"}, text)
    except AnswerError:
        return None
    return value


def listed(block: str, schema: Mapping[str, Any]) -> list[Any] | None:
    """A list of scalars, as bullets or in one line; ``None``: it is not plain what is in it."""
    items = schema.get("items")
    lines = [line for line in block.splitlines() if line.strip()]
    bullets = [match for line in lines if (match := BULLET.match(line))]
    if bullets and len(bullets) == len(lines):
        # One under another belongs to it, which a list has no place for.
        parts = [match["item"] for match in bullets] if len({match.start("mark") for match in bullets}) == 1 else []
    elif len(lines) == 1 and not bullets:
        parts = _enumerated(lines[0].strip().strip("[]"))
    else:
        return None
    if not parts or _GOES_ON.fullmatch(parts[-1]):
        return None
    if not isinstance(items, Mapping) or items.get("type") in ("object", "array"):
        return None
    values = [scalar(part, items) for part in parts]
    return None if any(value is None for value in values) else values


def _enumerated(line: str) -> list[str]:
    """The parts of a list in one line; none if it is not plain where one ends."""
    line = re.sub(r"[,;]\s+(?:and|or|&)\s+(?=[^,;]+$)", ", ", line)
    parts = [part for part in re.split(r"\s*[,;]\s*", re.sub(r"(?<!\.)\.\Z", "", line)) if part]
    goes_on = re.search(r"(?:\.{2,}|…)\W*\Z", line)
    thousands = re.search(r"\d,\d{3}(?!\d)", line)
    if goes_on or thousands or _NO_LIST.fullmatch(line):
        return []
    return [] if any(_JOINED.search(part) or not _closed(part) for part in parts) else parts


def _closed(part: str) -> bool:
    """Whether every bracket and quotation mark that begins in a part ends in it."""
    pairs = (("(", ")"), ("[", "]"), ("{", "}"), ("“", "”"))
    return all(part.count(first) == part.count(last) for first, last in pairs) and part.count('"') % 2 == 0


def bare(text: str, schema: Any) -> Any:
    """The value that a short text is as a whole, or ``None``."""
    if not isinstance(schema, Mapping):
        return None
    if schema.get("type") == "array":
        # A comma within a sentence is not a list: only bullets are.
        return listed(text, schema) if BULLET.match(text.splitlines()[0]) else None
    if is_text(schema) or len(text) > 400:
        return None
    return scalar(text, schema)


def label_hits(text: str, labels: list[str]) -> Iterator[tuple[str, int, int]]:
    """Where labels are in a text: each with the offsets of its begin and its end."""
    # Longer labels first, so that `product return` is not also `return`.
    ordered = sorted(labels, key=len, reverse=True)
    words = "|".join(rf"(?P<l{n}>{re.escape(label).replace('_', '[_ ]')})" for n, label in enumerate(ordered))
    for match in re.finditer(rf"(?<![\w-])(?:{words})(?![\w-])", text, re.IGNORECASE):
        yield ordered[int((match.lastgroup or "l0")[1:])], match.start(), match.end()


def shown(text: str) -> str:
    """A text in quotes for a message, on one line, at most 60 characters of it."""
    line = " ".join(text.split())
    return repr(line if len(line) <= 60 else f"{line[:60]}…")
