"""Why a model's reading of a prompt's form is refused: words that are not there, facts that they do not prove, facts it lacks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from promptopt.schemas import strict_findings
from promptopt.structured.by_model.fields_read import NoSchema, inferred_of
from promptopt.structured.by_model.question import FormReading, ReadValue
from promptopt.structured.completeness import other_form
from promptopt.structured.fields import Inferred, PromptText
from promptopt.structured.guard.beside import asked_beside
from promptopt.structured.guard.instead_of import instead_of
from promptopt.structured.guard.licences import unproved
from promptopt.structured.guard.lost_facts import lost
from promptopt.structured.guard.lost_keys import lost_keys
from promptopt.structured.guard.quotations import NotQuoted, Quoted, find
from promptopt.structured.infer import no_one_form
from promptopt.structured.witness.keys import shortened
from promptopt.structured.witness.second_reading import gainsaid


@dataclass(frozen=True, slots=True)
class JudgedReading:
    """A reading that was checked.

    Attributes:
        inferred: The form, if nothing refuses it.
        why: Why it is refused, as a sentence without its full stop; empty: it is not.
    """

    inferred: Inferred
    why: str = ""


def judge(document: PromptText, reading: FormReading, model: str) -> JudgedReading:
    """A reading against the prompt's words."""
    try:
        proofs = {value: [find(document, quote) for quote in value.quotes] for value in reading.values}
        if why := next(_unproved(document, reading, proofs), None):
            return JudgedReading(Inferred(), why)
        inferred = inferred_of(reading, proofs, model)
    except (NotQuoted, NoSchema) as error:
        return JudgedReading(Inferred(), str(error))
    why = _outside(document, reading) or next(_lacking(document, reading, proofs), None)
    why = why or next(asked_beside(document, reading, inferred), None) or no_one_form(document)
    if why := why or other_form(document, inferred, quoted=True) or gainsaid(document, inferred, quoted=True):
        return JudgedReading(Inferred(), why)
    if findings := strict_findings(inferred.schema()):
        return JudgedReading(Inferred(), f"strict mode refuses the schema: {findings[0]}")
    return JudgedReading(inferred)


def _unproved(document: PromptText, reading: FormReading, proofs: dict[ReadValue, list[Quoted]]) -> Iterator[str]:
    if not any(proofs.values()):
        yield "no value is named with a quotation"
    for value in proofs:
        yield from unproved(document, value, proofs, reading)


def _lacking(document: PromptText, reading: FormReading, proofs: dict[ReadValue, list[Quoted]]) -> Iterator[str]:
    yield from _free_text(reading)
    yield from lost_keys(document, reading, proofs)
    yield from lost(document, proofs)
    yield from instead_of(document, reading)


def _free_text(reading: FormReading) -> Iterator[str]:
    """A bare text: no schema says anything of it."""
    only = reading.values[0]
    if reading.form == "text" and len(reading.values) == 1 and only.types == ("string",) and not only.labels:
        named = re.compile(rf"[<\[]{re.escape(only.name)}[>\]]|(?<!\w){re.escape(only.name)}[*_]*:", re.IGNORECASE)
        if not any(named.search(quote.words) for quote in only.quotes):
            yield f"{only.shown} is one free text without labels, of which a schema says nothing"


def _outside(document: PromptText, reading: FormReading) -> str | None:
    for outside in reading.beside:
        line = find(document, outside.quote).line
        said = shortened(outside.quote.words)
        if outside.kind == "around":
            return f"line {line}: {said!r}: the answer is to hold text beside the form"
        if outside.kind == "instead":
            return f"line {line}: {said!r}: the answer has another form in some case"
    return None
