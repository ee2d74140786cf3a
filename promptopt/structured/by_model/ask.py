"""A model reads the form of a prompt's answers; the prompt's words judge what it read.

After a refusal it is asked again, with all objections. One that it shows to be mistaken, with words of the prompt, is told to
the user and stops nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from promptopt.call_options import CallOptions
from promptopt.errors import AnswerError, CostLimitError, SchemaError
from promptopt.money import dollars
from promptopt.prices import find_price
from promptopt.providers import Provider, make_provider
from promptopt.providers.openai.models import refused_options
from promptopt.schemas.cost import with_headroom
from promptopt.schemas.parse import parse
from promptopt.structured.by_model.question import (
    ANSWER_SCHEMA,
    FormReading,
    Quotation,
    again,
    messages,
    reading_of,
)
from promptopt.structured.fields import Inferred, PromptText
from promptopt.structured.guard.reading import is_in, judge
from promptopt.structured.infer import MOST_CHARACTERS, infer, with_formats
from promptopt.structured.witness.keys import shortened
from promptopt.templates import Template
from promptopt.templates.frontmatter import front_matter_end
from promptopt.tokens import count_tokens
from promptopt.values import Message, Request, Response, Usage

ROUNDS = 3
"""How often a model is asked at most: again after a refusal, with the objections."""
MOST_TOKENS = 8_000
"""Of one answer: some 150 tokens for each value."""


@dataclass(frozen=True, slots=True)
class AskedForm:
    """A form that a model read and the prompt's words prove.

    Attributes:
        reasoning: Where the prompt asks for thinking before the answer, with its words; empty if it does not.
        mistaken: Objections that the model showed to be mistaken, each with its words.
        cost: What asking was, in a sentence.
        usd: The same in dollars; ``None`` for an unpriced model.
    """

    inferred: Inferred
    reasoning: str
    cost: str
    usd: Decimal | None
    mistaken: tuple[str, ...] = ()


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
    document = PromptText.of(template.source)
    request = question(template, model)
    _check_cost(request, max_cost)
    own = provider or make_provider(model)
    usages: list[Usage | None] = []
    told: tuple[str, ...] = ()
    mistaken: dict[str, Quotation] = {}
    try:
        for _ in range(ROUNDS):
            response = own.complete(request)
            usages.append(response.usage)
            reading = _read(response, model)
            if reading.form == "none":
                raise _cannot(template, f"{model} finds none: {_where(reading)}{reading.why}", _cost(model, usages))
            judged = judge(document, reading, model)
            said = {one.number: one.quote for one in reading.mistaken if is_in(document, one.quote)}
            mistaken |= {_fact(one): said[number] for number, one in enumerate(told, 1) if number in said}
            left = [one for one in judged.objections if _fact(one) not in mistaken]
            if not judged.why and not left:
                notes = tuple(_note(one, mistaken[_fact(one)], model) for one in judged.objections)
                cost = _cost(model, usages)
                return AskedForm(
                    _with_formats(document, judged.inferred), _reasoning(reading), cost, _usd(model, usages), notes
                )
            before, told = told, (*judged.why, *left)
            if told == before:
                break  # it stands by what is refused
            request = _next(request, response, told)
    finally:
        if provider is None:
            own.close()
    raise _cannot(template, f"what {model} reads is refused: {told[0]}", _cost(model, usages))


def question(template: Template, model: str) -> Request:
    """The first question."""
    source = template.source
    first = source.count("\n", 0, front_matter_end(source)) + 1
    sampled = not refused_options(model, {"temperature": 0})
    cap = with_headroom(MOST_TOKENS, model)
    options = CallOptions(temperature=0 if sampled else None, max_output_tokens=cap)
    return Request(model, messages(source, first), options, output_schema=ANSWER_SCHEMA)


def _with_formats(document: PromptText, inferred: Inferred) -> Inferred:
    """The fields with what the question has no place for."""
    if inferred.wrapped:
        (item,) = inferred.fields
        return replace(inferred, fields=(replace(item, schema=with_formats(document, item.schema)),))
    whole = with_formats(document, inferred.schema())["properties"]
    return replace(inferred, fields=tuple(replace(item, schema=whole[item.name]) for item in inferred.fields))


def _next(request: Request, response: Response, objections: Sequence[str]) -> Request:
    more = (Message("assistant", response.text), Message("user", again(objections)))
    return Request(request.model, (*request.messages, *more), request.params, output_schema=ANSWER_SCHEMA)


def _fact(objection: str) -> str:
    """An objection without its line, which moves with the quotations."""
    return re.sub(r"\Aline \d+: ", "", objection)


def _note(objection: str, quote: Quotation, model: str) -> str:
    return f"{objection}: {model} says that this is mistaken (“{shortened(quote.words)}”)"


def _reasoning(reading: FormReading) -> str:
    asked = next((one.quote for one in reading.beside if one.kind == "reasoning"), None)
    return "" if asked is None else f"line {asked.line}: {asked.words!r} asks for reasoning"


def _read(response: Response, model: str) -> FormReading:
    if response.finish_reason == "length":
        raise SchemaError(f"{model}'s answer was cut off at {MOST_TOKENS:,} tokens", remedy=_REMEDY)
    try:
        return reading_of(parse(response.text, ANSWER_SCHEMA).data)
    except AnswerError as error:
        raise SchemaError(f"{model} did not say what it reads: {error}", remedy=_REMEDY) from None


_REMEDY = "ask another model, or name the form with --schema"


def _cannot(template: Template, why: str, cost: str) -> SchemaError:
    return SchemaError(f"cannot infer the form of the answer: {why} ({cost})", path=template.path, remedy=_REMEDY)


def _where(reading: FormReading) -> str:
    return f"line {reading.beside[0].quote.line}: " if reading.beside else ""


def _cost(model: str, usages: Sequence[Usage | None]) -> str:
    times = "once" if len(usages) == 1 else f"{len(usages)} times"
    return f"{model} was asked {times}, {dollars(_usd(model, usages))}"


def _usd(model: str, usages: Sequence[Usage | None]) -> Decimal | None:
    price = find_price(model)
    known = [usage for usage in usages if usage is not None]
    if price is None or len(known) < len(usages):
        return None
    return sum((price.cost(one).total_usd for one in known), Decimal(0))


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
    # Each question has the answers before it in it.
    answers = sum(range(ROUNDS)) * MOST_TOKENS
    most = Usage(input_tokens=ROUNDS * first + answers, output_tokens=ROUNDS * cap)
    usd = price.cost(most).total_usd
    if usd > Decimal(str(max_cost)):
        raise CostLimitError(f"asking {request.model} may cost ${usd:.4f}, more than --max-cost ${max_cost:g}")
