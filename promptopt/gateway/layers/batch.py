"""Batched: answers from a batch that has ended, so that whatever asks through layers may ask for a batch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from promptopt.errors import ProviderError
from promptopt.gateway.call import Call
from promptopt.gateway.flow import Flow, Handler
from promptopt.gateway.provider import answer_of, failure_of
from promptopt.values import Cost, Request, Response


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """The answer to one request of a batch, or the error in its place.

    Attributes:
        cost: What it cost at the batch price; ``None`` if that is unknown, or there is no answer.
    """

    request: Request
    response: Response | None = None
    error: str | None = None
    cost: Cost | None = None


class Batched:
    """Answers the calls that a batch has answered, fails those that it has not, and passes on all others."""

    def __init__(self, answers: Iterable[BatchAnswer]) -> None:
        self._answers = {answer.request.digest: answer for answer in answers}

    def handle(self, call: Call, inner: Handler) -> Flow:
        """Raises CallFailed if the batch has an error in place of the answer."""
        found = None if call.request is None else self._answers.get(call.request.digest)
        if found is None:
            return (yield from inner(call))
        if found.response is None:
            raise failure_of(ProviderError(found.error or "the batch has no answer"))
        return answer_of(found.response)
