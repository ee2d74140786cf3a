"""What the rules read, judged by the checks that a model's reading has to pass: they share nothing with the rules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from promptopt.structured.by_model.question import FormReading, Quotation, ReadValue
from promptopt.structured.fields import Inferred, PromptText, Span
from promptopt.structured.guard.licences import has_label, numbers_in, unproved
from promptopt.structured.guard.lost_facts import lost
from promptopt.structured.guard.lost_keys import lost_keys, shown_keys
from promptopt.structured.guard.quotations import Quoted, said_elsewhere, spoken_by_others


def doubted(document: PromptText, inferred: Inferred) -> str | None:
    """Why the form that the rules read is not sure, with the line: a type that no word says, a fact that was left out."""
    # Words that ask for another form of text stay in the prompt, so that nothing of them is lost.
    if not inferred.fields or inferred.whole != "JSON":
        return None
    places = _Places(document, inferred.covered)
    proofs: dict[ReadValue, Sequence[Quoted]] = {}
    for value in _values(inferred):
        found = places.of(value)
        quotes = tuple(Quotation(one.line, document.source[one.span.start : one.span.end]) for one in found)
        proofs[replace(value, quotes=quotes)] = found
    if not any(proofs.values()):
        return None
    return next(_doubts(document, proofs, places, schema_shown=inferred.schema_shown), None)


def _doubts(
    document: PromptText, proofs: Mapping[ReadValue, Sequence[Quoted]], places: _Places, *, schema_shown: bool
) -> Iterator[str]:
    reading = FormReading("json", "", tuple(proofs), ())
    for value, quotes in () if schema_shown else proofs.items():
        # Null may be said of several values, anywhere, or of none by name.
        named = replace(value, types=tuple(kind for kind in value.types if kind != "null"))
        elsewhere = said_elsewhere(document, value, proofs)
        shown = [*quotes, *elsewhere, *places.beside(value)]
        yield from unproved(document, named, {**proofs, named: shown}, reading)
    yield from lost_keys(document, reading, dict(proofs))
    yield from lost(document, proofs)


def _values(inferred: Inferred) -> Iterator[ReadValue]:
    if inferred.wrapped:
        yield from _of(inferred.fields[0].schema, ())
        return
    for field in inferred.fields:
        yield from _of(field.schema, (field.name,))


def _of(schema: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[ReadValue]:
    """The values of a schema, each before what is in it."""
    parts: Sequence[Mapping[str, Any]] = schema.get("anyOf") or [schema]
    types: list[str] = []
    labels: list[str] = []
    bounds: dict[str, Any] = {}
    for part in parts:
        kind = part.get("type", "string")
        types += [kind] if isinstance(kind, str) else kind
        labels += [str(label) for label in part.get("enum", ()) if label is not None and not isinstance(label, bool)]
        bounds |= {key: part[key] for key in ("minimum", "maximum", "minItems", "maxItems") if key in part}
    yield ReadValue(
        path,
        tuple(dict.fromkeys(types)),
        tuple(dict.fromkeys(labels)),
        bounds.get("minimum"),
        bounds.get("maximum"),
        bounds.get("minItems"),
        bounds.get("maxItems"),
    )
    for part in parts:
        for name, child in part.get("properties", {}).items():
            yield from _of(child, (*path, name))
        if isinstance(part.get("items"), Mapping):
            yield from _of(part["items"], (*path, "*"))


_JOINED = re.compile(r"_|[a-z][A-Z]")
# A key in marks, or before its value: not a word of a sentence.
_MARKED = "[\"'`*“]{0}[\"'`*”]|(?<![\\w-]){0}\\s*[:(=]"

_IN_MARKS = re.compile("[\"'`*“]\\w+[\"'`*”]")
_SEVERAL = 2


# "these keys, each holding an array of strings"
_ALL_LISTS = re.compile(r"\b(?:keys|fields)\b[^.]{0,20}\beach\b[^.]{0,30}\b(?:array|list) of\b", re.IGNORECASE)


_LISTING = re.compile(r"\b(?:array|list) of\b", re.IGNORECASE)
# "each topic as a key, and true or false as its value"
_ALL_TRUTHS = re.compile(r"\b(?:each|every|one|per)\b[^.\n]{0,80}\b(?:true|boolean|bool)\b", re.IGNORECASE)


class _Places:
    """Where a prompt speaks of values: the lines that the rules read have them, else the first that does."""

    def __init__(self, document: PromptText, covered: Sequence[Span]) -> None:
        self._document = document
        self._covered = covered
        self._lines = list(_lines(document))
        self._numbers = [(line, numbers) for line in self._lines if (numbers := numbers_in(line.text))]
        self._listing = [line for line in self._lines if _LISTING.search(line.text)]
        self._shown: dict[tuple[str, ...], list[int]] = {}
        for span in covered:
            for key in shown_keys(document.text, span):
                self._shown.setdefault((*key.above, key.name), []).append(key.start)

    def of(self, value: ReadValue) -> list[Quoted]:
        """The lines that have a value's key, and those that have its labels."""
        keys = tuple(part for part in value.path if part != "*")
        shown = [self._rest(start) for start in self._shown.get(keys, ())]
        found = shown or [self._from_name(line, value.name) for line in self._of_name(value.name)]
        return [*found, *self._of_labels(value, found)]

    def beside(self, value: ReadValue) -> list[Quoted]:
        """Other lines that may prove a value: those with its bounds, and those with a key that is no word of prose."""
        bounds = (value.minimum, value.maximum, value.min_items, value.max_items)
        wanted = {float(bound) for bound in bounds if bound is not None}
        own = re.compile(rf"(?<![\w-]){re.escape(value.name)}(?![\w-])" if _JOINED.search(value.name) else r"(?!)")
        some = [line for line, numbers in self._numbers if wanted & numbers]
        bounded = [line for line, numbers in self._numbers if wanted and wanted <= numbers] or some
        lists = (
            [line for line in self._listing if value.name and self._lists(line.text, value.name)]
            if "array" in value.types
            else []
        )
        lists += [line for line in self._lines if "boolean" in value.types and _ALL_TRUTHS.search(line.text)]
        if value.types == ("array",) and not value.labels:
            lists += [each for line in self._lines if (each := _from_each(line))]
        return [*bounded, *lists, *(line for line in self._lines if value.name in line.text and own.search(line.text))]

    @staticmethod
    def _lists(text: str, name: str) -> bool:
        """Whether a line says that each key holds a list, or speaks of a list of what a key is called."""
        spelled = r"[\W_]+".join(map(re.escape, re.split(r"_+", name)))
        return bool(
            _ALL_LISTS.search(text)
            or re.search(rf"\b(?:array|list) of (?:\w+ ){{0,2}}{spelled}\b", text, re.IGNORECASE)
        )

    def _of_labels(self, value: ReadValue, known: Sequence[Quoted]) -> list[Quoted]:
        """Lines with the labels that no line has that is known."""
        found: list[Quoted] = []
        for label in value.labels:
            if not any(has_label(one.text, label) for one in (*known, *found)):
                there = [line for line in self._lines if has_label(line.text, label)]
                found += [line for line in there if self._is_covered(line)] or there[:1]
        return found

    def _of_name(self, name: str) -> list[Quoted]:
        if not name:
            return []
        own = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])")
        # "NEXT STEP:" is next_step.
        spelled = re.compile(
            r"[\W_]+".join(re.sub(r"s\Z", "['’]?s", re.escape(part)) for part in re.split(r"_+", name)), re.IGNORECASE
        )
        exact = [line for line in self._lines if name in line.text and own.search(line.text)]
        marked = [line for line in exact if re.search(_MARKED.format(re.escape(name)), line.text)]
        there = [line for line in marked or exact if self._is_covered(line)]
        there = there or [line for line in self._lines if spelled.search(line.text) and self._is_covered(line)]
        return there or exact[:1]

    def _is_covered(self, line: Quoted) -> bool:
        return any(line.span.overlaps(span) for span in self._covered)

    def _rest(self, start: int) -> Quoted:
        """A line from a key on, up to the next key."""
        text = self._document.text
        end = text.find("\n", start)
        after = [key for starts in self._shown.values() for key in starts if key > start]
        span = Span(start, min([len(text) if end < 0 else end, *after]))
        return Quoted(self._document.line(start), span, text[span.start : span.end])

    def _from_name(self, line: Quoted, name: str) -> Quoted:
        """A line without what it says before a key, if that is other keys; between two that were read, up to the next."""
        starts = sorted(span.start for span in self._covered if line.span.start <= span.start < line.span.end)
        stated = re.compile(rf"[\"'`*“]*{re.escape(name)}(?![\w-])") if name else re.compile(r"(?!)")
        mine = next((start for start in starts if stated.match(self._document.text, start)), None)
        if mine is not None and len(starts) >= _SEVERAL:
            end = next((start for start in starts if start > mine), line.span.end)
            return Quoted(line.line, Span(mine, end), self._document.text[mine:end])
        own = re.search(_MARKED.format(re.escape(name)), line.text)
        if own is None or len(_IN_MARKS.findall(line.text)) < _SEVERAL:
            return line
        return Quoted(line.line, Span(line.span.start + own.start(), line.span.end), line.text[own.start() :])


# "For every ship give its name": there are several
_FOR_EACH = re.compile(r"\bfor (?:each|every|all)\b[^.\n]*", re.IGNORECASE)


def _from_each(line: Quoted) -> Quoted | None:
    """The sentence of a line that says what each of several things has; ``None`` if it has none."""
    each = _FOR_EACH.search(line.text)
    if each is None:
        return None
    return Quoted(line.line, Span(line.span.start + each.start(), line.span.start + each.end()), each[0])


def _lines(document: PromptText) -> Iterator[Quoted]:
    """The lines of a prompt without those of others."""
    others = spoken_by_others(document)
    start = 0
    for number, line in enumerate(document.text.split("\n"), 1):
        span = Span(start, start + len(line))
        if line.strip() and not any(span.overlaps(other) for other in others):
            yield Quoted(number, span, line)
        start = span.end + 1
