"""The cascade: a cheap model first, a more expensive one if a validator rejects the answer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from promptopt.errors import UsageError
from promptopt.gateway.call import Answer, Call
from promptopt.gateway.failures import CallFailed
from promptopt.gateway.flow import Flow, Handler
from promptopt.gateway.semantic.validators import Validator

log = logging.getLogger("promptopt.gateway")


@dataclass(frozen=True, slots=True)
class CascadeStep:
    """One model of a cascade.

    Attributes:
        validators: All must let its answer pass; the last model needs none.
    """

    model: str
    validators: Sequence[Validator] = ()


class Cascade:
    """Asks model after model until an answer passes. Every step is a call of its own, with its own cost.

    An answer that cannot be judged by any validator counts as failed: what is not known to be good is asked again.
    """

    def __init__(self, steps: Sequence[CascadeStep], applies: Callable[[Call], bool] | None = None) -> None:
        """Check the steps.

        Args:
            applies: Which calls go through it; by default those that ask for its last model.

        Raises:
            UsageError: It has fewer than two models, or one before the last has no validator.
        """
        if len(steps) < 2:
            raise UsageError(f"a cascade needs at least two models, not {len(steps)}")
        for step in steps[:-1]:
            if not step.validators:
                raise UsageError(
                    f"the cascade's step {step.model!r} has no validators: every answer of it would do, and the "
                    "models after it would never be asked. Give some: finished, schema, answer, scorer, logprob, ..."
                )
        self._steps = tuple(steps)
        self._applies = applies or (lambda call: call.model == steps[-1].model)

    def handle(self, call: Call, inner: Handler) -> Flow:
        if not self._applies(call):
            return (yield from inner(call))
        *cheaper, last = self._steps
        for number, step in enumerate(cheaper):
            # What a validator has not seen must not reach the caller, so that a stream is read whole first.
            attempt = replace(call.sent_with(model=step.model), step=number, buffered=True)
            try:
                answer = yield from inner(attempt)
            except CallFailed as failure:
                log.info("cascade: %s failed (%s), asking on", step.model, failure.kind)
                continue
            if passes(step.validators, attempt, answer):
                return answer
        return (yield from inner(replace(call.sent_with(model=last.model), step=len(cheaper))))


def passes(validators: Sequence[Validator], call: Call, answer: Answer) -> bool:
    """Whether no validator refuses the answer and at least one lets it pass."""
    verdicts = [verdict for validator in validators if (verdict := validator(call, answer)) is not None]
    return bool(verdicts) and all(verdicts)
