"""What a prompt leaves open about a model's reading, as objections: who reads with sense can settle it.

These signs are too weak to refuse a reading by rule. A model is asked about them, which costs a question, and may show that
one is mistaken.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from promptopt.structured.by_model.question import FormReading, ReadValue
from promptopt.structured.fields import MASK, PromptText, Span
from promptopt.structured.guard.licences import words_of_name
from promptopt.structured.guard.lost_keys import shown_keys
from promptopt.structured.guard.quotations import Proofs, said, spoken_by_others
from promptopt.structured.witness.instead import LEFT_EMPTY
from promptopt.structured.witness.keys import shortened


def unsettled(document: PromptText, reading: FormReading, proofs: Proofs) -> Iterator[str]:
    """What the words leave open, each with its line."""
    yield from _other_text(document)
    yield from _repeated_items(document, proofs)
    yield from _may_be_empty(document, proofs)
    for value in proofs:
        yield from _whole_by_sample(value, proofs)
        yield from _left_out(document, value, proofs)
        yield from _labels_open(value, proofs)
    if len(reading.values) == 1 and not reading.values[0].labels:
        yield from _labels_of_examples(document, reading.values[0])


# "Make a markdown table", "Return the rows as CSV"
_OTHER_TEXT = re.compile(
    r"\b(?:make|write|output|return|answer|respond|reply|produce|create|draw|give|present|format|provide|generate)\b[^.\n]{0,60}?"
    r"\b(?P<what>(?:markdown|md|html|ascii|latex) tables?|csv\b(?! (?:file|data|rows?) (?:below|above))|tsv|yaml|well-formed xml)\b",
    re.IGNORECASE,
)


def _other_text(document: PromptText) -> Iterator[str]:
    if (other := _OTHER_TEXT.search(document.text)) and not _spoken(document, other.start()):
        yield (
            f"line {document.line(other.start())}: {shortened(other[0])!r} asks for a text of another form, which is lost if "
            "the answer has these values"
        )


def _spoken(document: PromptText, position: int) -> bool:
    return any(span.start <= position < span.end for span in spoken_by_others(document))


def _may_be_empty(document: PromptText, proofs: Proofs) -> Iterator[str]:
    """Labels without an empty one, where the prompt lets texts be empty."""
    said = LEFT_EMPTY.search(document.text)
    if said is None or _spoken(document, said.start()):
        return
    for value in proofs:
        if value.labels and "string" in value.types and "null" not in value.types and "" not in value.labels:
            yield (
                f"line {document.line(said.start())}: {shortened(said[0])!r}: {value.shown} has labels and none that is empty; it "
                "has one if this is said of it"
            )


_SAMPLE = re.compile(r"[\"'”]\s*:\s*-?\d+\s*(?:[,}\]\n]|\Z|//)")
_WHOLE = re.compile(
    r"\b(?:int(?:eger)?s?|whole|count|counts|how many|number of|positive number|digits?)\b", re.IGNORECASE
)
_COUNTED = frozenset(
    re.findall(
        r"\w+",
        """column day floor id idx ids index likes line lines minutes month no nr num number order page pages people persons port position quarter rank row seconds stars step
    turn version views votes week words year years""",
    )
)


def _whole_by_sample(value: ReadValue, proofs: Proofs) -> Iterator[str]:
    """A whole number of which only a sample is shown: ``"weight": 2`` may be 2.5 as well."""
    quotes = proofs[value]
    kinds = set(value.types) - {"null"}
    if (
        kinds != {"integer"}
        or value.labels
        or value.minimum is not None
        or not quotes
        or _COUNTED & set(words_of_name(value.name))
    ):
        return
    texts = [quoted.text for quoted in quotes]
    if any(_SAMPLE.search(text) for text in texts) and not any(_WHOLE.search(text) for text in texts):
        yield (
            f"line {quotes[0].line}: {value.shown} is read as a whole number, of which only a sample is shown; it is a number if "
            "fractions are possible"
        )


# "contact": "an address if available"
_IF_THERE = re.compile(
    r"\b(?:if|where|when) (?:it (?:is|was) |they are |there (?:is|are) )?(?:any|one|available|present|mentioned|stated|known|given|applicable|identifiable|provided|visible|found|specified)\b",
    re.IGNORECASE,
)


def _left_out(document: PromptText, value: ReadValue, proofs: Proofs) -> Iterator[str]:
    """A value that an answer has only in some cases, and that may not be null."""
    if not value.path or value.path[-1] == "*" or {"null", "array"} & set(value.types) or "" in value.labels:
        return
    own = re.compile(rf"(?<![\w-]){re.escape(value.name)}(?![\w-])[\"'`*”]*\s*[:=(–—-][^\n]*")
    for place in said(document, value, proofs):
        begin = own.match(place)
        if begin and (words := _IF_THERE.search(begin[0])):
            line = proofs[value][0].line if proofs[value] else 1
            yield (
                f"line {line}: {words[0]!r} is said of {value.shown}, which was read without null; it may be null unless the prompt "
                "says what stands there otherwise"
            )
            return


_WORDY = 6


def _labels_open(value: ReadValue, proofs: Proofs) -> Iterator[str]:
    """Labels that may be samples: numbers with a gap, and whole sentences."""
    if not value.labels or not proofs[value]:
        return
    at = f"line {proofs[value][0].line}: "
    numbers = sorted(int(label) for label in value.labels if label.isdigit())
    if len(numbers) == len(value.labels) > _MANY and numbers[-1] - numbers[0] >= len(numbers):
        yield f"{at}the labels of {value.shown} leave numbers out; it has a range unless no number between them may be given"
    if any(len(label.split()) > _WORDY for label in value.labels):
        yield (
            f"{at}labels of {value.shown} are whole sentences; it is a free text unless an answer has to be one of them word for "
            "word"
        )


_MANY = 3


def _repeated_items(document: PromptText, proofs: Proofs) -> Iterator[str]:
    """A list without a count that is shown with three items and more."""
    counts: Counter[tuple[str, ...]] = Counter()
    for key in shown_keys(document.text, Span(0, len(document.text))):
        if not _spoken(document, key.start):
            counts[(*key.above, key.name)] += 1
    for value, quotes in proofs.items():
        keys = tuple(part for part in value.path if part != "*")
        below = [count for path, count in counts.items() if path[:-1] == keys]
        objects = "array" in value.types and any(
            other.path == (*value.path, "*") and "object" in other.types for other in proofs
        )
        if objects and quotes and value.min_items is value.max_items is None and below and min(below) >= _MANY:
            yield (
                f"line {quotes[0].line}: {value.shown} is shown with {min(below)} items, and was read without a count; it has one "
                "if each answer has these items"
            )


_LONGEST = 3
# "Team: boiler", and "Team:" at the end
_ANSWERED = re.compile(
    r"^[ \t>*-]*(?P<label>[A-Z][\w ]{0,20}?)[ \t]*:[ \t]*(?P<said>[^\s:][^:\n]*?)[ \t]*$", re.MULTILINE
)
_ENDS = re.compile(r"(?:\A|\n)[ \t>*-]*(?P<label>[A-Z][\w ]{0,20}?)[ \t]*:\s*\Z")


def _labels_of_examples(document: PromptText, value: ReadValue) -> Iterator[str]:
    """A free text for which the answers of examples have a few short values."""
    ends = _ENDS.search(document.text)
    own = {value.name.casefold(), ends["label"].casefold() if ends else ""}
    answers = [match for match in _ANSWERED.finditer(document.text) if match["label"].casefold() in own]
    words = list(dict.fromkeys(match["said"].strip("\"'.") for match in answers))
    short = all(len(text.split()) <= _LONGEST and MASK not in text for text in words)
    if "string" in value.types and short and len(answers) >= _MANY and len(words) > 1:
        named = ", ".join(map(repr, words[:6]))
        yield (
            f"line {document.line(answers[0].start('label'))}: the examples answer {named}, and {value.shown} was read without "
            "labels; they are its labels if no other answer is wanted"
        )
