"""Whether the words that a model quotes prove what it reads in them: each key, label, bound, count, type and null.

It shares nothing with the model: it looks only at the quoted words, and at what stands beside them in the prompt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial

from promptopt.structured.by_model.question import FormReading, ReadValue
from promptopt.structured.fields import PromptText
from promptopt.structured.guard.quotations import Proofs, said
from promptopt.structured.guard.types_said import untyped
from promptopt.structured.guard.written import unwritten
from promptopt.structured.witness.keys import NUMBER_WORDS, is_index_of


def unproved(document: PromptText, value: ReadValue, proofs: Proofs, reading: FormReading) -> Iterator[str]:
    """What is read of a value and not in its quotations, each as a sentence."""
    yield from unquoted(document, value, proofs, reading)
    yield from unsaid(document, value, proofs, reading)


def unquoted(document: PromptText, value: ReadValue, proofs: Proofs, reading: FormReading) -> Iterator[str]:
    """The key, labels, bounds and counts of a value that its quotations do not spell."""
    quotes = proofs[value]
    if not quotes:
        if value.path and value.path[-1] != "*":
            yield f"nothing is quoted for {value.shown}"
        return
    texts = [quoted.text for quoted in quotes]
    at = f"line {quotes[0].line}: "
    if value.path and value.path[-1] != "*":
        around = [document.text[max(0, one.span.start - _SIDE) : one.span.end + _SIDE] for one in quotes]
        around += [document.text] if _is_marked(value.name, document.text) else []
        yield from _name(value, texts, around, reading, at)
    for label in value.labels:
        if not any(has_label(text, label) or _in_span(text, label) for text in texts):
            yield f"{at}the label {label!r} is not in the words that are quoted for {value.shown}"
    sizes = {one.min_items for one in proofs if one.min_items is not None and one.min_items == one.max_items}
    if not is_index_of(value.minimum or 0, value.maximum or 0, sizes):
        yield from _range(value, texts, at)
    for count, what in ((value.min_items, "at least"), (value.max_items, "at most")):
        if count is not None and not any(count in _counts(text) for text in texts):
            yield f"{at}no number {count} ({what} so many items) is in the words that are quoted for {value.shown}"
    if value.max_length is not None and not any(value.max_length in _counts(text) for text in texts):
        yield f"{at}no number {value.max_length} (characters) is in the words that are quoted for {value.shown}"


def unsaid(
    document: PromptText, value: ReadValue, proofs: Proofs, reading: FormReading, *, null_said: bool = False
) -> Iterator[str]:
    """The types of a value, null among them unless it is known to be said, that no word or sign near its quotations says."""
    quotes = proofs[value]
    if not quotes:
        return
    texts = [quoted.text for quoted in quotes]
    at = f"line {quotes[0].line}: "
    told = said(document, value, proofs)
    spoken = (*told, *_of_all(value, texts, reading))
    null = _NULL if "none" in map(str.casefold, value.labels) else _NULL_OR_NONE
    if (
        "null" in value.types
        and not null_said
        and not any(null.search(text) or OPTIONAL.search(text) for text in spoken)
    ):
        yield f"{at}no null is said of {value.shown} in the words that are quoted for it"
    yield from untyped(value, texts, told, at, json_form=reading.form == "json")
    yield from unwritten(value, (*texts, *told), at)


def _of_all(value: ReadValue, texts: Sequence[str], reading: FormReading) -> list[str]:
    """The quotations that name no other key: what they say may be said of any."""
    others = {one.name for one in reading.values if one.name != value.name}
    return [text for text in texts if others.isdisjoint(_MARKED_WORD.findall(text))]


_MARKED_WORD = re.compile(r"(?<=[\"'`*“])[^\"'`*“”\n]+(?=[\"'`*”])")


# ---- names and labels ------------------------------------------------------------------------------------------------

_SIDE = 5
# A key as a form or a list of keys spells it: "name": ..., `name`, first_name
_SPELLED = re.compile(
    r"[\"'“](?P<json>[^\"'“”\n:{}\[\],]{1,60})[\"'”]\s*:|`(?P<code>\w+)`|(?<![\w-])(?P<joined>[a-z]+(?:_[a-z0-9]+)+|[a-z]+(?:[A-Z][a-z0-9]+)+)(?![\w-])"
)


def _name(
    value: ReadValue, texts: Sequence[str], around: Sequence[str], reading: FormReading, at: str
) -> Iterator[str]:
    """Keys that no quotation spells, and words that are no keys.

    Args:
        around: The quotations with the signs beside them.
    """
    name = value.name
    if reading.form == "text" and len(reading.values) == 1:
        return  # the name of a bare value is the reader's own
    own = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])")
    labels = {label for one in reading.values if one is not value for label in one.labels}
    if reading.form == "json" and name in labels and not any(_is_marked(name, text) for text in texts):
        yield f"{at}{name!r} is a label, and was read as a key"
    spelled = {key for text in texts for match in _SPELLED.finditer(text) for key in match.groups() if key}
    spelled -= {label for one in reading.values for label in one.labels}
    if any(own.search(text) for text in texts):
        keys = {one.name for one in reading.values}
        if reading.form == "json" and spelled and name not in spelled and not spelled & keys:
            yield f"{at}the prompt spells {min(spelled)!r}, and {value.shown} was read"
        elif reading.form == "json" and name.lower() in _NO_KEYS and not any(map(partial(_is_item, name), around)):
            yield f"{at}{name!r} is a word and no key in the words that are quoted for {value.shown}"
        elif reading.form == "json" and _are_marked(reading) and not any(map(partial(_is_item, name), around)):
            yield f"{at}{name!r} is a word in the words that are quoted for {value.shown}, and the other keys are in marks"
        return
    words = set(words_of_name(name))
    prose = [
        set(re.findall(r"[^\W_]+", re.sub(r"['’]s\b", " ", text.lower()) + " " + re.sub(r"['’]", "", text.lower())))
        for text in texts
        if reading.form == "text" or not _SPELLED.search(text)
    ]
    if reading.form == "text":
        # The name is the reader's own: "team" of "these teams".
        prose = [said_words | {word.removesuffix("s") for word in said_words} for said_words in prose]
    if not words or not any(words <= said_words for said_words in prose):
        yield f"{at}{name!r} is no key in the words that are quoted for {value.shown}"


def words_of_name(name: str) -> list[str]:
    """The words of a key in small letters: ``nextStep_no`` is next, step and no."""
    return re.sub(r"(?<=[a-z\d])(?=[A-Z])|[^0-9A-Za-z]+", " ", name).lower().split()


def _is_marked(name: str, text: str) -> bool:
    if re.search(r"_|[a-z][A-Z]", name):
        return True
    own = re.escape(name)
    marked = rf"[\"'`*“<_]{own}[\"'`*”>_]|(?<![\w-]){own}(?![\w-])\s*(?:[:=(]|[-–—] )"
    return re.search(marked, text) is not None


def _is_item(name: str, text: str) -> bool:
    """Whether a word is a key or begins a line, or is joined with others as keys are."""
    own = rf"(?<![\w-]){re.escape(name)}(?![\w-])"
    joined = rf"(?:\A|\n|[(),:]|\band|\bor|\d[.)]|[-*•])\s*{own}|{own}\s*(?:[,);]|and\b)"
    typed = rf"{own}\s+as (?:an?|true|the)\b"
    return _is_marked(name, text) or text.strip() == name or re.search(f"{joined}|{typed}", text) is not None


def _are_marked(reading: FormReading) -> bool:
    """Whether the quotations of most keys have them in marks."""
    named = [value for value in reading.values if value.path and value.path[-1] != "*"]
    marked = [value for value in named if any(_is_marked(value.name, quote.words) for quote in value.quotes)]
    return len(marked) * 2 > len(named) > 1


_NO_KEYS = frozenset(
    "boolean integer true false null more exactly they whose which what a an the and or of in on to for from with as into by at is are be it its this that these those if when where not only any all each every one use your you must should".split()  # noqa: SIM905 - read as words
)


# "from A to E", "A-E"
_LETTERS = re.compile(
    r"(?<![\w'])(?P<first>[A-Z])(?: ?\([^()\n]{1,30}\))? ?(?:[-–]|\bto\b|\bthrough\b|\band\b) ?(?P<last>[A-Z])(?![\w'-])"
)


def _in_span(text: str, label: str) -> bool:
    """Whether a letter is one of those from one to another that a text names."""
    spans = _LETTERS.finditer(text) if re.fullmatch(r"[A-Z]", label) else ()
    return any(span["first"] <= label <= span["last"] for span in spans)


_EMPTY = re.compile(r"\b(?:empty|blank)\b|(?<![\"'\w])(?:\"\"|'')(?![\"'\w])", re.IGNORECASE)


def has_label(text: str, label: str) -> bool:
    """Whether a text has a label, spelled so, and not as a part of a longer word; an empty one may be said in words."""
    if not label:
        return _EMPTY.search(text) is not None
    before = r"(?<![\w-])" if label[:1].isalnum() else ""
    after = r"(?![\w])(?!-\w)" if label[-1:].isalnum() else ""
    spelled = r"\s+".join(map(re.escape, label.split()))
    return bool(label.strip()) and re.search(f"{before}{spelled}{after}", text) is not None


# ---- numbers ---------------------------------------------------------------------------------------------------------

_ANY_NUMBER = re.compile(
    r"(?:(?<![\d.])|(?<=\d\.\.))(?P<sign>(?<![\d)%] )(?<![\w)%])[-–−])?(?P<number>(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?)"
)
_NUMBER_WORD = re.compile(
    r"\b(?:" + "|".join((*NUMBER_WORDS, "zero", "once", "single", "pair")) + r")\b", re.IGNORECASE
)
_MORE_WORDS = {"zero": 0, "once": 1, "single": 1, "pair": 2}
_IN_OTHER_LANGUAGES = {
    word: number
    for number, words in enumerate(
        (
            "ein eine einen eins un une uno una um uma een",
            "zwei deux dos due dois duas twee",
            "drei trois tres tre três drie",
            "vier quatre cuatro quattro quatro",
            "fünf cinq cinco cinque vijf",
            "sechs six seis sei zes",
            "sieben sept siete sette sete zeven",
            "acht huit ocho otto oito",
            "neun neuf nueve nove negen",
            "zehn dix diez dieci dez tien",
        ),
        1,
    )
    for word in words.split()
}


def numbers_in(text: str) -> set[float]:
    """The numbers of a text, in digits or words; a hyphen between two numbers is no sign."""
    found: set[float] = set()
    for match in _ANY_NUMBER.finditer(text):
        number = float(match["number"].replace(",", ""))
        found.add(-number if match["sign"] else number)
    for word in _NUMBER_WORD.findall(text):
        found.add(float({**NUMBER_WORDS, **_MORE_WORDS}[word.lower()]))
    return found


def _in_other_languages(text: str) -> set[float]:
    """Numbers that words of other languages say: they may prove one that was read, and are none that is missed."""
    words = re.findall(r"[^\W\d_]+", text.lower())
    return {float(_IN_OTHER_LANGUAGES[word]) for word in words if word in _IN_OTHER_LANGUAGES}


# Where the words of a key are joined: confidencePercentage, risk_percent
_IN_ONE = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z])_(?=[A-Za-z])")
# What a word says of the bounds of a number.
_SAID_BOUNDS = (
    (re.compile(r"\b(?:percent(?:age)?s?)\b|%", re.IGNORECASE), {0.0, 100.0}),
    (re.compile(r"\bprobabilit(?:y|ies)\b", re.IGNORECASE), {0.0, 1.0}),
    (re.compile(r"\bnon-?negative\b|\b(?:numbers? of|how many|counts?)\b", re.IGNORECASE), {0.0}),
    (re.compile(r"\bpositive\b", re.IGNORECASE), {0.0, 1.0}),
    (re.compile(r"\bout of\b|\w/\d", re.IGNORECASE), {0.0, 1.0}),
)
# "1-5", "0 to 100", "from 1 (bad) to 5", "[0, 1]", "1 = poor, 5 = good"
_OTHER_THINGS = re.compile(
    r"\s*-?\s*(?:words?|sentences?|characters?|chars|lines?|paragraphs?|bullets?|items?|tokens?|examples?)\b",
    re.IGNORECASE,
)


def _range(value: ReadValue, texts: Sequence[str], at: str) -> Iterator[str]:
    bounds = {
        name: number for name, number in (("minimum", value.minimum), ("maximum", value.maximum)) if number is not None
    }
    for name, number in bounds.items():
        if not any(float(number) in _bounds_in(text) for text in texts):
            yield f"{at}no {name} {number:g} is in the words that are quoted for {value.shown}"
            return
    if len(bounds) > 1 and not any({float(n) for n in bounds.values()} <= _bounds_in(text) for text in _joined(texts)):
        yield f"{at}no range from {bounds['minimum']:g} to {bounds['maximum']:g} is in the words that are quoted for {value.shown}"


def _joined(texts: Sequence[str]) -> list[str]:
    # Grades may be in lines of their own.
    return [*texts, "\n".join(texts)]


def _bounds_in(text: str) -> set[float]:
    found: set[float] = set()
    for match in _ANY_NUMBER.finditer(text):
        if not _OTHER_THINGS.match(text, match.end()):
            number = float(match["number"].replace(",", ""))
            found.add(-number if match["sign"] else number)
    for word in _NUMBER_WORD.findall(text):
        found.add(float({**NUMBER_WORDS, **_MORE_WORDS}[word.lower()]))
    words = _IN_ONE.sub(" ", text)
    for pattern, bounds in _SAID_BOUNDS:
        if pattern.search(words):
            found |= bounds
    return found | _in_other_languages(text)


_AT_LEAST_ONE = re.compile(r"\b(?:one or more|non-?empty|at least (?:one|1|an?)|not (?:be )?empty)\b", re.IGNORECASE)


def _counts(text: str) -> set[float]:
    found = numbers_in(text) | _in_other_languages(text)
    return found | {1.0} if _AT_LEAST_ONE.search(text) else found


_NULL = re.compile(r"\b(?:null|nil|nullable)\b", re.IGNORECASE)
_NULL_OR_NONE = re.compile(r"\b(?:null|nil|nullable)\b|(?<!if )(?<!when )\bnone\b(?! of\b)", re.IGNORECASE)
# A key that may be left out: in strict mode it is there, and null.
OPTIONAL = re.compile(
    r"\boptional(?:ly)?\b|[\"'\w]\?\s*:|\b(?:may|can) be (?:omitted|left out|missing|absent)\b|\b(?:omit|leave out|skip) (?:it|this|the (?:key|field|property)|those|them|any|fields|keys|what)\b|\bif (?:there is one|any)\b"
    r"|\b(?:include|add|give)\b[^.;\n]{0,30}\bonly (?:if|when)\b",
    re.IGNORECASE,
)
"""Words for a key that an answer need not have."""
