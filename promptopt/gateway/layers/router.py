"""The router: rules on task, tag and length choose the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from promptopt.errors import UsageError
from promptopt.gateway.call import Call
from promptopt.gateway.flow import Flow, Handler
from promptopt.gateway.openai.wire import count_input, messages


@dataclass(frozen=True, slots=True)
class RoutingRule:
    """A model, and the calls it is for: those that meet every condition.

    Attributes:
        task: The call's label ``task``; ``tag``, ``prompt`` and ``tier`` likewise.
        model_asked: Only calls that ask for this model.
        max_chars: Only if the last user message has at most this many characters.
        min_tokens: Only if the input has at least this many tokens; ``max_tokens`` at most.
    """

    model: str
    task: str | None = None
    tag: str | None = None
    prompt: str | None = None
    tier: str | None = None
    model_asked: str | None = None
    max_chars: int | None = None
    min_tokens: int | None = None
    max_tokens: int | None = None

    def matches(self, call: Call) -> bool:
        """Whether the rule is for this call."""
        labels = call.labels
        wanted = (self.task, self.tag, self.prompt, self.tier, self.model_asked)
        given = (labels.task, labels.tag, labels.prompt, labels.tier, call.model)
        if any(want is not None and want != have for want, have in zip(wanted, given, strict=True)):
            return False
        if self.max_chars is not None and len(_last_user(call)) > self.max_chars:
            return False
        if self.min_tokens is None and self.max_tokens is None:
            return True
        tokens = count_input(call)
        return (self.min_tokens or 0) <= tokens and (self.max_tokens is None or tokens <= self.max_tokens)


class Router:
    """Sends each call to the model of the first rule that matches; without one it keeps its model."""

    def __init__(self, rules: Sequence[RoutingRule]) -> None:
        """Raises UsageError if there is no rule."""
        if not rules:
            raise UsageError("the router has no rule; give at least one: {model = ..., task = ...}")
        self._rules = tuple(rules)

    def handle(self, call: Call, inner: Handler) -> Flow:
        rule = next((rule for rule in self._rules if rule.matches(call)), None)
        if rule is not None and rule.model != call.model:
            call = call.routed(rule.model)
        return (yield from inner(call))


def _last_user(call: Call) -> str:
    return next((text for role, text in reversed(messages(call)) if role == "user"), "")
