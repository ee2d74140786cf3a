"""Values of a text under their labels: ``Label: value`` lines, headings, lists, tables, one bare value.

A sentence yields a value only if it states it in one of a few plain forms ("the sentiment is positive"). Every
other form is refused: a list of the ways to doubt, deny or quote a value would never be complete.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from promptopt.errors import AnswerAmbiguous, AnswerError
from promptopt.schemas.coerce import coerce, inlined, plain
from promptopt.values import JSONSchema

_LINE = re.compile(
    r"^[ \t>]*(?:[-*+•][ \t]+|\d+[.)][ \t]+)?(?:\*\*|__|[`'“\x22])?(?P<label>[^\W\d][\w \-/]{0,60}?)(?:\*\*|__|`)?[ \t]*"
    r"(?::|=|：|[ \t][–—-][ \t])[ \t]*(?:\*\*|__)?[ \t]*(?P<value>.*)$"
)
_NEXT_PAIR = re.compile(r"[,;|]\s+(?:\*\*|__|[`'“\x22])?(?P<label>[^\W\d][\w \-/]{0,60}?)(?:\*\*|__|`)?[ \t]*[:=：]")
_HEADING = re.compile(
    r"^[ \t]*(?:#{1,6}[ \t]+(?P<hash>.+?)|\*\*(?P<bold>[^*]+)\*\*|-{3}[ \t]+(?P<rule>\w[\w ]*))[ \t:#]*$"
)
_BULLET = re.compile(r"^[ \t]*(?:[-*+•]|\d+[.)])[ \t]+(?P<item>.+?)[ \t]*$")
_ROW = re.compile(r"^[ \t]*\|(?P<cells>.+)\|[ \t]*$")
# What may be before the subject of a sentence that states a value, and between it and its verb.
_LEAD = (
    r"(?:(?:so|thus|therefore|hence|overall|in (?:summary|short|conclusion|total)|to (?:conclude|sum up)|yes"
    r"|(?:based on|given|judging by|from) (?:the|this) \w+)\s*[,:]?\s*|"
    r"(?:(?:i (?:think|believe|conclude|find|would say|['’]d say)|i['’]d say|(?:my|the) answer is)\s+(?:that\s+)?))?"
)
_DETERMINER = r"(?:(?:the|its|this|my|overall|final|correct|answer's)\s+){0,3}"
_SURELY = r"(?:(?:clearly|definitely|certainly|obviously|plainly|a|an|the|of)\s+){0,2}"
_DOCUMENT = r"(?:text|message|ticket|review|answer|sentence|comment|document|email|letter|question|input|article|post|statement)"
# Of an object with one property, "it" is that property.
_ANY_SUBJECT = (
    rf"it|this|that|(?:the|this) {_DOCUMENT}|answer|label|category|class|classification|verdict|result|rating"
)
_JUDGED = r"(?:classified|labell?ed|rated|categori[sz]ed|tagged|marked)\s+as"
# A text that takes back what it says has no value, wherever that is.
_TAKEN_BACK = re.compile(
    r"\(\s*(?:sarcas|ironic|jok|not really)|\b(?:no,? wait|on (?:second thou?ghts?|reflection)|(?:just )?kidding|(?:have )?changed my mind|scratch that|correction|i (?:was|am) (?:wrong|mistaken|not sure|unsure)|i['’]m (?:not sure|unsure)"
    r"|can(?:['’]t|not| not) (?:tell|say|decide|be sure)|hard to (?:say|tell)|(?:may|might|could) (?:also|as well))\b",
    re.IGNORECASE,
)
# What is said after a value that is not the last word on it.
_CHANGED = re.compile(
    r"\A\W*\(\s*(?:not\b|sarcas|ironic|jok|(?:out )?of \d)|\b(?:unless|if|except)\b|\A\W*(?:no|nope|sorry|make that)\b,?\s*-?\d|\b(?:minus|plus|actually|instead|rather|then (?:down|up)|(?:but|now|then) \d|(?:re)?(?:duc|low|rais|chang)\w+ (?:it )?to|up to|down to)\b"
    r"|\A\W*\([^()\n]*[;,]\s*(?:or |but |and )?-?\d+(?:\.\d+)?\s*(?:in|on|at|when|if|for|during|outside|inside|without|with)\b",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"\b(?:not|no|never|neither|nor|without|rather than|instead of|\w+n['’]t|cannot|hardly|less|far from|anything but|lacks?|fails?"
    r"|doubt|could|might|may|would|should|if|unless|whether|maybe|perhaps|possibly|probably|likely|seems?|appears?|false|nobody|none)\b",
    re.IGNORECASE,
)
# The one "would" that doubts nothing.
_OPINION = re.compile(r"\A\W*i would (?=say|classify|label|rate|categori[sz]e|tag)", re.IGNORECASE)
_AFTER = r"[\"'*_`”’)]*\s*(?:$|[.!;:—–(\n](?!\d)|,\s+(?!or\b|\d)|-\s|because\b|since\b)"
_PLACE = re.compile(r"[\[<{]+(?:your |the )?([\w -]{1,40})[\]>}]+")
# "No, it is spam": yes and no that the rest of the sentence contradicts.
_CLAUSE = re.compile(r"\A,\s+(?:it|this|that|they|the \w+)\s*(?:['’]s|is|are|was|were|does|do|did|has|have)")
# A text that says so has no value there; "none" and "unknown" may be values.
_ABSENT = re.compile(
    r"(?:n/?a|null|nil|[-–—]|not (?:available|applicable|specified|provided|given|mentioned|stated|found))\.?",
    re.IGNORECASE,
)
_WRAP = "*_`\"'“”‘’ \t"
# What a label has whose text says that there is no value.
_NULL = object()
# A text longer than this is not an answer with labels.
_MOST_LINES = 5_000
# A value that a longer text mentions somewhere, or one of so many, is not what the text says.
_MOST_CHARACTERS = 20_000
_MOST_PRESENT = 50


@dataclass(frozen=True, slots=True)
class Labelled:
    """What labels of a text yield.

    Attributes:
        value: What was found, perhaps not all.
        missing: Properties without a label in the text.
        repairs: What the reading took for granted.
        reasons: For some of the missing ones, what the text has that is not read as their value.
    """

    value: dict[str, Any]
    missing: tuple[str, ...]
    repairs: tuple[str, ...]
    reasons: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        return not self.missing


def labelled(text: str, schema: JSONSchema, *, strict: bool = True) -> Labelled | None:
    """The values of a schema's properties by their labels; ``None`` if the schema is not an object.

    Args:
        strict: Only labels and bare values; else also the one label of an enum that the text mentions.

    Raises:
        AnswerAmbiguous: A label occurs twice with different values.
    """
    properties = schema.get("properties")
    if not isinstance(properties, Mapping) or not properties:
        return None
    reading = _Reading(text, {name: inlined(child, schema) for name, child in properties.items()})
    reading.by_labels()
    if len(properties) == 1 and not reading.found and not reading.unread:
        reading.whole()
    if not strict:
        reading.by_sentences()
    required = schema.get("required")
    return reading.result(required if isinstance(required, list) else list(properties))


class _Reading:
    """What one text says of a schema's properties, collected step by step."""

    def __init__(self, text: str, properties: Mapping[str, Any]) -> None:
        self._text = text
        self._properties = properties
        self.found: dict[str, Any] = {}
        self.unread: dict[str, str] = {}
        self._notes: list[str] = []

    def by_labels(self) -> None:
        blocks = _blocks(self._text, self._properties)
        for name, child in self._properties.items():
            given = [block for block in blocks.get(name, ()) if block]
            if any((place := _PLACE.fullmatch(block)) and plain(place[1]) == plain(name) for block in given):
                self.unread[name] = f"{name} (the text has the place of its value)"
                continue
            read = [(block, _value(block, child)) for block in given]
            distinct = {repr(value): value for _, value in read if value is not None}
            if len(distinct) > 1:
                raise AnswerAmbiguous(
                    f"the label {name!r} is in the text with {len(distinct)} different values", self._text
                )
            if failed := [block for block, value in read if value is None]:
                self.unread[name] = f"{name} ({_shown(failed[0])} is not {_wanted(child)})"
            elif distinct:
                self.found[name] = next(iter(distinct.values()))
        if self.found:
            self._notes.append(f"read {', '.join(self.found)} from labels in the text")

    def whole(self) -> None:
        name, child = next(iter(self._properties.items()))
        bare = _bare(self._text, child)
        if bare is not None:
            self.found[name] = bare
            self._notes.append(f"read the whole text as {name!r}")

    def by_sentences(self) -> None:
        if _TAKEN_BACK.search(self._text[:_MOST_CHARACTERS]):
            for name in self._properties.keys() - self.found.keys():
                self.unread.setdefault(name, f"{name} (the text doubts or takes back what it says)")
            return
        alone = len(self._properties) == 1
        for name, child in self._properties.items():
            if name in self.found or name in self.unread:
                continue
            value, reason = _stated(self._text, name, child, alone=alone)
            if value is not None:
                self.found[name] = value
                self._notes.append(f"read {name!r} from the sentence that states it")
            elif reason:
                self.unread[name] = f"{name} ({reason})"

    def result(self, wanted: list[str]) -> Labelled:
        missing = tuple(name for name in wanted if name not in self.found and not _nullable(self._properties.get(name)))
        missing = tuple(dict.fromkeys((*missing, *self.unread)))
        value = {name: value for name, value in self.found.items() if value is not _NULL}
        return Labelled(
            value, missing if self.found else tuple(wanted), tuple(self._notes), tuple(self.unread.values())
        )


def _shown(text: str) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= 60 else f"{line[:60]}…")


def _wanted(schema: Any) -> str:
    """What a property wants, in words."""
    if not isinstance(schema, Mapping):
        return "a value"
    labels = schema.get("enum")
    if isinstance(labels, list):
        names = [str(label) for label in labels]
        return f"one of {', '.join(names[:5])}{', …' if len(names) > 5 else ''}"
    kinds = schema.get("type")
    names = [str(kind) for kind in (kinds if isinstance(kinds, list) else [kinds or "value"])]
    kind = " or ".join(f"{'an' if name[:1] in 'aio' else 'a'} {name}" for name in names)
    bounds = [f"{word} {schema[key]}" for key, word in (("minimum", "from"), ("maximum", "to")) if key in schema]
    return " ".join((kind, *bounds))


def _nullable(schema: Any) -> bool:
    kinds = schema.get("type") if isinstance(schema, Mapping) else None
    return isinstance(kinds, list) and "null" in kinds


def _blocks(text: str, properties: Mapping[str, Any]) -> dict[str, list[str]]:
    """For each property, the texts under its label."""
    names = {plain(name): name for name in properties}
    blocks: dict[str, list[str]] = {}
    current: list[str] | None = None
    owner: str | None = None

    def close() -> None:
        if owner is not None and current is not None:
            blocks.setdefault(owner, []).append("\n".join(current).strip())

    for line in (part for whole in text.splitlines()[:_MOST_LINES] for part in _pairs_of(whole, names)):
        name, rest = _label_of(line, names)
        if name is not None:
            close()
            owner, current = name, [rest]
        elif _HEADING.match(line) and not _BULLET.match(line):
            close()
            owner, current = None, None
        elif current is not None:
            current.append(line)
    close()
    return blocks


def _pairs_of(line: str, names: Mapping[str, str]) -> list[str]:
    """A line of several ``Label: value`` pairs, parted; any other line whole."""
    if _label_of(line, names)[0] is None:
        return [line]
    starts = [match.start("label") for match in _NEXT_PAIR.finditer(line) if plain(match["label"]) in names]
    edges = [0, *starts, len(line)]
    return [line[start:end].rstrip(" \t,;|") if end != len(line) else line[start:end] for start, end in pairwise(edges)]


def _label_of(line: str, names: Mapping[str, str]) -> tuple[str | None, str]:
    if row := _ROW.match(line):
        cells = [cell.strip() for cell in row["cells"].split("|")]
        if len(cells) == 2 and plain(cells[0]) in names:
            return names[plain(cells[0])], cells[1]
        return None, ""
    if match := _LINE.match(line):
        name = names.get(plain(match["label"]))
        if name is not None:
            return name, match["value"]
    if heading := _HEADING.match(line):
        name = names.get(plain(heading["hash"] or heading["bold"] or heading["rule"]))
        if name is not None:
            return name, ""
    return None, ""


def _value(block: str, schema: Any) -> Any:
    """The value of a block under a schema, or ``None`` if the text does not have it."""
    if not isinstance(schema, Mapping):
        return None
    if _ABSENT.fullmatch(block.strip().strip("*_`\"'")):
        return _NULL if _nullable(schema) else None
    if schema.get("type") == "array":
        return _list(block, schema)
    if _is_text(schema):
        return _scalar(block, schema)
    if _TAKEN_BACK.search(block[:_MOST_CHARACTERS]):
        return None
    paragraph = block.split("\n\n", maxsplit=1)[0].strip()
    value = _scalar(paragraph, schema)
    return value if value is not None else _leading(paragraph, schema)


def _leading(text: str, schema: Mapping[str, Any]) -> Any:
    """A label or number that a text begins with, if what follows only explains it."""
    match = re.match(rf"[\s*_`\"'“]*(?P<value>[+-]?\d+(?:\.\d+)?|[^.,;:(—–\n]{{1,80}}?)(?={_AFTER})", text)
    if match is None or _DENIED.search(match["value"]):
        return None
    rest = text[match.end() :]
    if _names_another(rest, match["value"], schema):
        return None
    changed = _TAKEN_BACK.search(rest) or _CHANGED.search(rest.split("\n", 1)[0]) or re.search(r"\bor\b", rest)
    return None if changed else _scalar(match["value"], schema)


def _names_another(rest: str, value: str, schema: Mapping[str, Any]) -> bool:
    """Whether another label follows the one that was read."""
    labels = [str(label) for label in schema.get("enum", ()) if plain(str(label)) != plain(value)]
    return len(labels) <= _MOST_PRESENT and any(True for _ in _label_hits(rest, labels)) if labels else False


def _is_text(schema: Mapping[str, Any]) -> bool:
    kinds = schema.get("type")
    return "enum" not in schema and (kinds == "string" or (isinstance(kinds, list) and "string" in kinds))


def _scalar(text: str, schema: Mapping[str, Any]) -> Any:
    cleaned = text.strip().strip(_WRAP)
    if not _is_text(schema):
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


def _list(block: str, schema: Mapping[str, Any]) -> list[Any] | None:
    items = schema.get("items")
    lines = [line for line in block.splitlines() if line.strip()]
    bullets = [match["item"] for line in lines if (match := _BULLET.match(line))]
    if bullets and len(bullets) == len(lines):
        parts = bullets
    elif len(lines) == 1 and not bullets:
        inner = lines[0].strip().strip("[]")
        parts = [part for part in re.split(r"\s*[,;]\s*", inner) if part]
    else:
        return None
    if not isinstance(items, Mapping) or items.get("type") in ("object", "array"):
        return None
    values = [_scalar(part, items) for part in parts]
    return None if any(value is None for value in values) else values


def _bare(text: str, schema: Any) -> Any:
    if not isinstance(schema, Mapping):
        return None
    if schema.get("type") == "array":
        # A comma within a sentence is not a list: only bullets are.
        return _list(text, schema) if _BULLET.match(text.splitlines()[0]) else None
    if _is_text(schema) or len(text) > 400:
        return None
    return _scalar(text, schema)


def _stated(text: str, name: str, schema: Any, *, alone: bool) -> tuple[Any, str]:
    """The value of an enum, number or boolean that a sentence states for a property; else the reason why none."""
    if not isinstance(schema, Mapping) or len(text) > _MOST_CHARACTERS:
        return None, ""
    words = r"[\s_-]*".join(re.escape(part) for part in re.split(r"[_\s-]+", name))
    labels = schema.get("enum")
    if isinstance(labels, list) and all(isinstance(label, str) for label in labels if label is not None):
        return _stated_label(text, words, [label for label in labels if label], alone=alone)
    kind = schema.get("type")
    if kind in ("integer", "number"):
        return _stated_number(text, words, schema)
    if kind == "boolean" and alone:
        match = re.match(
            rf"\W*(yes|no|true|false)(?={_AFTER})(?!.*\b(?:(?:but|or|and) (?:yes|no)|unless|except|if|maybe|perhaps)\b)",
            text,
            re.IGNORECASE,
        )
        return (match[1].lower() in ("yes", "true") if match else None), ""
    return None, ""


def _stated_number(text: str, words: str, schema: Mapping[str, Any]) -> tuple[Any, str]:
    """The number that sentences state for a property; none if one of those that name it says anything else."""
    plainly = re.compile(
        rf"(?:{_subject(words, alone=False)})[\s*_`]*(?P<n>[+-]?\d+(?:\.\d+)?)(?={_AFTER})(?P<rest>.*)",
        re.IGNORECASE | re.DOTALL,
    )
    named = re.compile(rf"(?<!\w){words}(?!\w)", re.IGNORECASE)
    values: set[str] = set()
    for sentence in _sentences(text):
        if named.search(sentence) is None or not re.search(r"\d", sentence):
            continue
        match = plainly.match(sentence)
        if match is None or sentence.endswith("?") or _CHANGED.search(match["rest"]):
            return None, f"{_shown(sentence)} does not state it plainly"
        values.add(match["n"])
    if len(values) > 1:
        return None, f"the text states {len(values)} numbers for it"
    return (_scalar(values.pop(), schema) if values else None), ""


def _subject(words: str, *, alone: bool) -> str:
    """The beginnings of a sentence that state a property's value, as a pattern."""
    subject = rf"(?:{words}|{_ANY_SUBJECT})" if alone else words
    return (
        rf"\W*{_LEAD}{_DETERMINER}{subject}(?:\s+(?:expressed |shown |conveyed )?(?:of|in|by|for)\s+(?:this|the)\s+\w+)?"
        rf"(?:\s+here)?"
        rf"[\s*_`]*(?:(?:(?:is|was|are)|['’]s)\s*(?::\s*)?(?:{_JUDGED}\s+)?|:[\s*_`]*|=|[–—]\s){_SURELY}"
        rf"|\W*(?:i|i would|i['’]d) (?:classify|label|rate|categori[sz]e|tag) (?:it|this|the \w+) as {_SURELY}"
        rf"|\W*(?:i|i would|i['’]d) (?:choose|pick|chose|picked|go with|say) {_SURELY}"
    )


def _sentences(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"(?<=[.!?])\s+|\n+|(?<=;)\s", text) if part.strip()]


def _stated_label(text: str, words: str, labels: list[str], *, alone: bool) -> tuple[str | None, str]:
    lowered = text.lower()
    # A pattern of a thousand labels takes minutes; most are nowhere in the text.
    present = [label for label in labels if label.lower() in lowered or label.lower().replace("_", " ") in lowered]
    if not 0 < len(present) <= _MOST_PRESENT:
        return None, ""
    begins = re.compile(rf"(?:{_subject(words, alone=alone)})?[\s\"'*_`“‘]*\Z", re.IGNORECASE)
    ends = re.compile(rf"(?:\s+(?:{words}|overall|here{f'|{_DOCUMENT}' if alone else ''}))?{_AFTER}", re.IGNORECASE)
    stated: set[str] = set()
    for sentence in _sentences(text):
        for label, start, end in _label_hits(sentence, present):
            stated.add(label)
            before = _OPINION.sub("", sentence[:start])
            if _DENIED.search(before) or sentence.endswith("?"):
                return None, f"{_shown(sentence)} doubts, denies or asks it"
            rest = sentence[end:]
            against = _CLAUSE.match(rest) and bool(_DENIED.search(rest)) != (label.lower() == "no")
            if label.lower() in ("yes", "no") and against:
                return None, f"{_shown(sentence)} contradicts itself"
            if begins.match(sentence[:start]) is None or ends.match(rest) is None:
                return None, f"{_shown(sentence)} does not state it plainly"
    if len(stated) != 1:
        return None, f"the text names {len(stated)} of its labels" if stated else ""
    return stated.pop(), ""


def _label_hits(text: str, labels: list[str]) -> Iterator[tuple[str, int, int]]:
    # Longer labels first, so that `product return` is not also `return`.
    ordered = sorted(labels, key=len, reverse=True)
    words = "|".join(rf"(?P<l{n}>{re.escape(label).replace('_', '[_ ]')})" for n, label in enumerate(ordered))
    for match in re.finditer(rf"(?<![\w-])(?:{words})(?![\w-])", text, re.IGNORECASE):
        yield ordered[int((match.lastgroup or "l0")[1:])], match.start(), match.end()
