"""Whether words say how a text is written: a date, a pattern."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise, product

from promptopt.structured.by_model.question import ReadValue

# What words say of a text's letters
_SPEAKS_OF_LETTERS = re.compile(
    r"\b(?:digits?|letters?|characters?|alphanumeric|upper-?case|lower-?case|capitals?|hyphens?|kebab|snake|dash(?:es)?|underscores?|hex\w*"
    r"|(?:starts?|begins?|ends?|starting|ending|beginning) (?:with|in)|prefix(?:ed)?|suffix(?:ed)?|iso|codes?|format(?:ted)?|separated|numeric"
    r"|numbers? only|question marks?|single word|one word)\b|#[A-Za-z]{3,8}\b",
    re.IGNORECASE,
)
_FORMAT_WORDS = {
    "date": re.compile(r"\biso\b|yyyy-mm-dd", re.IGNORECASE),
    "date-time": re.compile(r"\biso\b|\brfc ?3339|date-?time|timestamp", re.IGNORECASE),
    "time": re.compile(r"hh:mm:ss|\biso\b", re.IGNORECASE),
    "email": re.compile(r"e-?mail", re.IGNORECASE),
    "uuid": re.compile(r"\b(?:uuid|guid)\b", re.IGNORECASE),
}
_SAMPLES = {
    "date": re.compile(r"(?<!\d)\d{4}-\d{2}-\d{2}(?!\d)"),
    "date-time": re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}"),
    "time": re.compile(r"(?<![\d:])\d{2}:\d{2}:\d{2}(?![\d:])"),
    "email": re.compile(r"[^\s@]@[^\s@]"),
    "uuid": re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-", re.IGNORECASE),
}
# The letters that stand for a digit: "DD.MM.YYYY", "XXX-000"
_PLACES = re.compile(r"[DMYHSdmyhsJjTXx#N]")


def unwritten(value: ReadValue, said: Sequence[str], at: str) -> Iterator[str]:
    """The form of a text that no words say.

    Args:
        said: The words that are quoted for it, and what stands beside them.
        at: The line, as a sentence begins.
    """
    if value.format and not any(
        _FORMAT_WORDS[value.format].search(text) or _SAMPLES[value.format].search(text) for text in said
    ):
        yield f"{at}no words say that {value.shown} is written as {value.format}"
    if value.pattern and not any(_is_pattern_said(value.pattern, text) for text in said):
        yield f"{at}no words say that {value.shown} is written as {value.pattern}"


def _is_pattern_said(pattern: str, text: str) -> bool:
    if _SPEAKS_OF_LETTERS.search(text):
        return True
    try:
        compiled = re.compile(pattern)
    except re.error:
        return True  # the schema is refused by its own name
    words = [word.strip("\"'`()<>[]{},;:“”*") for word in text.split()]
    pairs = [" ".join(pair) for pair in pairwise(words)]
    spelled = (one for one in (*words, *pairs) if any(map(str.isdigit, one)) or _PLACES.search(one))
    return any(compiled.fullmatch(_PLACES.sub(digit, one)) for one, digit in product(spelled, "01"))
