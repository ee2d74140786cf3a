"""Questions that promptopt itself puts to a model, answered in JSON under a strict schema, and what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from promptopt.call_options import CallOptions
from promptopt.functions import RAISED
from promptopt.prices import find_price
from promptopt.providers.base import Provider, provider_fault
from promptopt.providers.openai.models import refused_options
from promptopt.schemas.cost import with_headroom
from promptopt.values import JSONSchema, Message, Request, Response, Usage


def steady(model: str) -> CallOptions:
    """The settings of a question: temperature 0, unless the model refuses to be told one."""
    return CallOptions(temperature=None if refused_options(model, {"temperature": 0}) else 0)


def strict_question(model: str, messages: Sequence[Message], schema: JSONSchema, most_tokens: int) -> Request:
    """The first question.

    Args:
        most_tokens: What the answer may have; of a model that reasons its thoughts come on top.
    """
    options = replace(steady(model), max_output_tokens=with_headroom(most_tokens, model))
    return Request(model, tuple(messages), options, output_schema=schema)


def next_question(request: Request, response: Response, text: str) -> Request:
    """The question after an answer."""
    more = (Message("assistant", response.text), Message("user", text))
    return replace(request, messages=(*request.messages, *more))


def answer_to(request: Request, provider: Provider) -> Response:
    """What a provider answers.

    Raises:
        ProviderError: It did not answer; code of another package raised something, or returned something else.
    """
    try:
        response: object = provider.complete(request)
        if not isinstance(response, Response):
            raise TypeError(f"{response!r} is not a Response")
    except RAISED as error:
        fault = provider_fault(request.model, error)
        if fault is None:
            raise
        raise fault from error
    return response


@dataclass
class AskedModel:
    """A model that promptopt asks itself, and what its answers so far took."""

    model: str
    provider: Provider
    usages: list[Usage | None] = field(default_factory=list)

    def answer(self, request: Request) -> Response:
        """What it answers.

        Raises:
            ProviderError: As :func:`answer_to` does.
        """
        response = answer_to(request, self.provider)
        self.usages.append(response.usage)
        return response

    @property
    def usd(self) -> Decimal | None:
        """List cost of its answers; ``None`` if the model is unpriced or one of them was not measured."""
        price = find_price(self.model)
        known = [usage for usage in self.usages if usage is not None]
        if price is None or len(known) < len(self.usages):
            return None
        return sum((price.cost(one).total_usd for one in known), Decimal(0))
