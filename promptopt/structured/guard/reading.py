"""Why a model's reading of a prompt's form is refused: words that are not there, facts that they do not prove, facts it lacks.

What the words do not spell is refused for good. What looks like a fact that the reading lacks is an objection: the checks know
no meaning, so that a model may show with other words of the prompt that one is mistaken.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice

from promptopt.schemas import strict_findings
from promptopt.structured.by_model.fields_read import NoSchema, inferred_of
from promptopt.structured.by_model.question import FormReading, Quotation, ReadValue
from promptopt.structured.fields import Inferred, PromptText
from promptopt.structured.guard.beside import asked_beside, instead_of
from promptopt.structured.guard.licences import unquoted, unsaid
from promptopt.structured.guard.lost_facts import lost
from promptopt.structured.guard.lost_keys import lost_keys
from promptopt.structured.guard.quotations import NotQuoted, Quoted, find
from promptopt.structured.guard.unsettled import unsettled
from promptopt.structured.infer import no_one_form
from promptopt.structured.other_form import other_form
from promptopt.structured.witness.keys import shortened
from promptopt.structured.witness.second_reading import objections

MOST_OBJECTIONS = 8


@dataclass(frozen=True, slots=True)
class JudgedReading:
    """A reading that was checked.

    Attributes:
        inferred: The form, if it can be made one.
        why: Why it is refused for good, each as a sentence without its full stop.
        objections: What it seems to lack, likewise; at most :data:`MOST_OBJECTIONS`.
    """

    inferred: Inferred
    why: tuple[str, ...] = ()
    objections: tuple[str, ...] = ()


def judge(
    document: PromptText, reading: FormReading, model: str, null_at: Collection[tuple[str, ...]] = ()
) -> JudgedReading:
    """A reading against the prompt's words.

    Args:
        null_at: Places where somebody else found, with words of the prompt, that null may be.
    """
    try:
        proofs = {value: [find(document, quote) for quote in value.quotes] for value in reading.values}
        if why := tuple(islice(dict.fromkeys(_unproved(document, reading, proofs)), MOST_OBJECTIONS)):
            return JudgedReading(Inferred(), why)
        if why := _outside(document, reading):
            return JudgedReading(Inferred(), why)
        inferred = inferred_of(reading, proofs, model)
    except (NotQuoted, NoSchema) as error:
        return JudgedReading(Inferred(), (str(error),))
    if findings := strict_findings(inferred.schema()):
        return JudgedReading(Inferred(), (f"strict mode refuses the schema: {findings[0]}",))
    found = dict.fromkeys(_objections(document, reading, proofs, inferred, null_at))
    return JudgedReading(inferred, (), tuple(islice(found, MOST_OBJECTIONS)))


def is_in(document: PromptText, quotation: Quotation) -> bool:
    """Whether a prompt has these words, in whichever line."""
    words = " ".join(quotation.words.split())
    return bool(words) and words in " ".join(document.source.split())


def _objections(
    document: PromptText,
    reading: FormReading,
    proofs: dict[ReadValue, list[Quoted]],
    inferred: Inferred,
    null_at: Collection[tuple[str, ...]],
) -> Iterator[str]:
    for value in proofs:
        yield from unsaid(document, value, proofs, reading, null_said=value.path in null_at)
    yield from _lacking(document, reading, proofs)
    yield from asked_beside(document, reading, inferred)
    yield from filter(None, (no_one_form(document), other_form(document, inferred, quoted=True)))
    yield from objections(document, inferred, quoted=True)
    yield from unsettled(document, reading, proofs)


def _unproved(document: PromptText, reading: FormReading, proofs: dict[ReadValue, list[Quoted]]) -> Iterator[str]:
    if not any(proofs.values()):
        yield "no value is named with a quotation"
    for value in proofs:
        yield from unquoted(document, value, proofs, reading)
    yield from _free_text(reading)


def _lacking(document: PromptText, reading: FormReading, proofs: dict[ReadValue, list[Quoted]]) -> Iterator[str]:
    yield from lost_keys(document, reading, proofs)
    yield from lost(document, proofs)
    yield from instead_of(document, reading)


def _free_text(reading: FormReading) -> Iterator[str]:
    """A bare text: no schema says anything of it."""
    only = reading.values[0] if reading.values else None
    if (
        only
        and reading.form == "text"
        and len(reading.values) == 1
        and only.types == ("string",)
        and not (only.labels or only.pattern or only.format)
    ):
        named = re.compile(rf"[<\[]{re.escape(only.name)}[>\]]|(?<!\w){re.escape(only.name)}[*_]*:", re.IGNORECASE)
        if not any(named.search(quote.words) for quote in only.quotes):
            yield f"{only.shown} is one free text without labels, of which a schema says nothing"


def _outside(document: PromptText, reading: FormReading) -> tuple[str, ...]:
    """What the model itself says of text beside the form, or instead of it."""
    said = {
        "around": "the answer is to hold text beside the form",
        "instead": "the answer has another form in some case",
    }
    return tuple(
        f"line {find(document, one.quote).line}: {shortened(one.quote.words)!r}: {said[one.kind]}"
        for one in reading.beside
        if one.kind in said
    )
