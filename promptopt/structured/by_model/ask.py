"""A model reads the form of a prompt's answers; the prompt's words judge what it read, and values of the answer try it.

After a refusal it is asked again, with all objections. One that it shows to be mistaken, with words of the prompt, is told to
the user and stops nothing. The values are written by the same model, which does not see the form then: what they show to be
too narrow is an objection, and what they show to be too wide is asked about once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from promptopt.errors import AnswerError, CostLimitError, SchemaError
from promptopt.money import dollars
from promptopt.prices import find_price
from promptopt.providers import Provider, make_provider
from promptopt.providers.asking import AskedModel, next_question, strict_question
from promptopt.schemas.parse import parse
from promptopt.structured.by_model.possible_values import VALUES_SCHEMA, PossibleValues, values_messages, values_of
from promptopt.structured.by_model.question import (
    ANSWER_SCHEMA,
    FormReading,
    Quotation,
    again,
    messages,
    numbered,
    reading_of,
)
from promptopt.structured.fields import Inferred, PromptText
from promptopt.structured.guard.misfits import Misfits, misfits_of, places_of_null
from promptopt.structured.guard.reading import is_in, judge
from promptopt.structured.infer import MOST_CHARACTERS, infer
from promptopt.structured.prose.formats import with_formats
from promptopt.structured.witness.keys import shortened
from promptopt.templates import Template
from promptopt.templates.frontmatter import front_matter_end
from promptopt.tokens import count_tokens
from promptopt.values import Request, Response, Usage

ROUNDS = 4
"""How often a model is asked for the form at most: again after a refusal, with the objections."""
MOST_TOKENS = 8_000
"""Of one answer: some 150 tokens for each value."""


@dataclass(frozen=True, slots=True)
class AskedForm:
    """A form that a model read and the prompt's words prove.

    Attributes:
        reasoning: Where the prompt asks for thinking before the answer, with its words; empty if it does not.
        notes: Objections that the model showed to be mistaken, each with its words, and what the form seems to take too much.
        cost: What asking was, in a sentence.
        usd: The same in dollars; ``None`` for an unpriced model.
    """

    inferred: Inferred
    reasoning: str
    cost: str
    usd: Decimal | None
    notes: tuple[str, ...] = ()


def ask_model(
    template: Template, model: str, *, max_cost: float | None = None, provider: Provider | None = None
) -> AskedForm:
    """The form of a prompt's answers as a model reads it, if each of its facts is in the prompt's words.

    The model is not asked where the prompt shows the JSON schema of its answers.

    Args:
        max_cost: Dollars that asking may cost at most.
        provider: Answers instead of the one that the model's name selects.

    Raises:
        CostLimitError: Asking may cost more; nothing was sent.
        ProviderError: The model did not answer.
        SchemaError: It found no form, or what it read is refused :data:`ROUNDS` times; the message says why.
    """
    size = len(template.source)
    if size > MOST_CHARACTERS:
        raise SchemaError(f"the prompt has {size:,} characters (limit {MOST_CHARACTERS:,})", path=template.path)
    # Only an object with this key is read as a schema; else no rule has to read the prompt.
    shown = infer(template.source) if "properties" in template.source else Inferred()
    if shown.schema_shown and shown.fields:
        return AskedForm(
            shown, "", f"{model} was not asked: the prompt shows the JSON schema of its answers", Decimal(0)
        )
    request = question(template, model)
    _check_cost(request, max_cost)
    own = provider or make_provider(model)
    try:
        return _ask(template, request, AskedModel(model, own))
    finally:
        if provider is None:
            own.close()


def _ask(template: Template, request: Request, asked: AskedModel) -> AskedForm:
    document = PromptText.of(template.source)
    first, model = request, asked.model
    told: tuple[str, ...] = ()
    mistaken: dict[str, Quotation] = {}
    possible: PossibleValues | None = None
    taken: AskedForm | None = None
    for _ in range(ROUNDS):
        response, data = _data(asked, request, ANSWER_SCHEMA, "what it reads")
        reading = reading_of(data)
        if reading.form == "none":
            raise _cannot(template, f"{model} finds none: {_where(reading)}{reading.why}", _cost(asked))
        judged = judge(document, reading, model, () if possible is None else places_of_null(document, possible))
        form = _with_formats(document, judged.inferred)
        said = {one.number: one.quote for one in reading.mistaken if is_in(document, one.quote)}
        mistaken |= {_fact(one): said[number] for number, one in enumerate(told, 1) if number in said}
        left = [*judged.why, *_left(judged.objections, mistaken)]
        if possible is None and not left:
            for_values = values_question(template, first, reading)
            possible = values_of(_data(asked, for_values, VALUES_SCHEMA, "which values an answer may have")[1])
        misfits = Misfits() if possible is None else misfits_of(document, possible, form)
        left += _left(misfits.too_narrow, mistaken)
        if left and taken is not None:
            break  # it could not be made narrower
        if not left:
            notes = [_note(one, mistaken[_fact(one)], model) for one in (*judged.objections, *misfits.too_narrow)]
            wide = _left(misfits.too_wide, mistaken)
            before, taken = taken, AskedForm(form, _reasoning(reading), _cost(asked), asked.usd, (*notes, *wide))
            if not wide or before is not None:
                break
            left = wide
        if tuple(left) == told:
            break  # it stands by what is refused
        told = tuple(left)
        request = next_question(request, response, again(told))
    if taken is None:
        raise _cannot(template, f"what {model} reads is refused: {told[0]}", _cost(asked))
    return replace(taken, cost=_cost(asked), usd=asked.usd)


def _data(
    asked: AskedModel, request: Request, schema: Mapping[str, Any], wanted: str
) -> tuple[Response, dict[str, Any]]:
    """A response, and the data in it.

    Args:
        wanted: What the data say, as the end of a sentence.
    """
    response = asked.answer(request)
    if response.finish_reason == "length":
        raise SchemaError(f"{asked.model}'s answer was cut off at {MOST_TOKENS:,} tokens", remedy=_REMEDY)
    try:
        return response, parse(response.text, schema).data
    except AnswerError as error:
        raise SchemaError(f"{asked.model} did not say {wanted}: {error}", remedy=_REMEDY) from None


def _cost(asked: AskedModel) -> str:
    """What asking was, in words."""
    times = "once" if len(asked.usages) == 1 else f"{len(asked.usages)} times"
    return f"{asked.model} was asked {times}, {dollars(asked.usd)}"


def question(template: Template, model: str) -> Request:
    """The first question."""
    return strict_question(model, messages(*_shown(template)), ANSWER_SCHEMA, MOST_TOKENS)


def values_question(template: Template, first: Request, reading: FormReading) -> Request:
    """The question for values of the answer, which shows nothing of a reading but its places."""
    asked = values_messages(numbered(*_shown(template)), [value.path for value in reading.values])
    return replace(first, messages=asked, output_schema=VALUES_SCHEMA)


def _shown(template: Template) -> tuple[str, int]:
    """A template's source, and its first line that is shown: those before it are the front matter."""
    source = template.source
    return source, source.count("\n", 0, front_matter_end(source)) + 1


def _left(objections: Iterable[str], mistaken: Mapping[str, Quotation]) -> list[str]:
    return [one for one in objections if _fact(one) not in mistaken]


def _with_formats(document: PromptText, inferred: Inferred) -> Inferred:
    """The fields with what the question has no place for."""
    if inferred.wrapped:
        (item,) = inferred.fields
        return replace(inferred, fields=(replace(item, schema=with_formats(document, item.schema)),))
    whole = with_formats(document, inferred.schema())["properties"]
    return replace(inferred, fields=tuple(replace(item, schema=whole[item.name]) for item in inferred.fields))


def _fact(objection: str) -> str:
    """An objection without its line, which moves with the quotations."""
    return re.sub(r"\Aline \d+: ", "", objection)


def _note(objection: str, quote: Quotation, model: str) -> str:
    return f"{objection}: {model} says that this is mistaken (“{shortened(quote.words)}”)"


def _reasoning(reading: FormReading) -> str:
    asked = next((one.quote for one in reading.beside if one.kind == "reasoning"), None)
    return "" if asked is None else f"line {asked.line}: {asked.words!r} asks for reasoning"


_REMEDY = "ask another model, or name the form with --schema"


def _cannot(template: Template, why: str, cost: str) -> SchemaError:
    return SchemaError(f"cannot infer the form of the answer: {why} ({cost})", path=template.path, remedy=_REMEDY)


def _where(reading: FormReading) -> str:
    return f"line {reading.beside[0].quote.line}: " if reading.beside else ""


def _check_cost(request: Request, max_cost: float | None) -> None:
    if max_cost is None:
        return
    price = find_price(request.model)
    if price is None:
        raise CostLimitError(
            f"--max-cost cannot be kept: {request.model} is unpriced. Give its price in [tool.promptopt.prices]"
        )
    first = count_tokens(request).tokens
    cap = request.params.max_output_tokens or MOST_TOKENS
    # Each question has the answers before it in it; that for values, which has no answer in it, is about as long.
    answers = sum(range(ROUNDS)) * MOST_TOKENS
    most = Usage(input_tokens=(ROUNDS + 1) * first + answers, output_tokens=(ROUNDS + 1) * cap)
    usd = price.cost(most).total_usd
    if usd > Decimal(str(max_cost)):
        raise CostLimitError(f"asking {request.model} may cost ${usd:.4f}, more than --max-cost ${max_cost:g}")
