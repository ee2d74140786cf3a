"""The fixture ``prompt_budget``: the gate for prompts that a program builds itself.

Without ``--prompt-budget`` its checks do nothing and load nothing of the gate, so that a test runs with and without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from promptopt.budget.built_prompt import Built
    from promptopt.budget.gate import Gate
    from promptopt.budget.result import TestPlace
    from promptopt.values import Message


class OverBudget(Exception):
    """A case costs more than it may."""


@dataclass(frozen=True, slots=True, repr=False)
class PromptBudget:
    """What the fixture gives a test.

    Attributes:
        gate: ``None``: the gate is off.
        prompt: The prompt's name, unless a check names another one.
        limits: Limits of the marker, over those of the configuration.
        test: ``None``: not known.
        built: Each prompt that is checked is added to it.
        writes: Locks are written, not checked.
    """

    gate: Gate | None = None
    prompt: str = ""
    limits: Mapping[str, str] = field(default_factory=dict)
    test: TestPlace | None = None
    built: list[Built] = field(default_factory=list)
    writes: bool = False

    def check(
        self,
        messages: str | Iterable[Message | Mapping[str, Any]],
        *,
        case: str | None = None,
        prompt: str | None = None,
        model: str | None = None,
        max_output_tokens: int | None = None,
    ) -> None:
        """Compare a prompt with its lock, ``prompts/NAME.lock.toml``; does nothing without ``--prompt-budget``.

        Args:
            messages: A text, or messages as the OpenAI SDK takes them.
            case: A name for this input; by default the id of the test, so that each test, and each of its parameters,
                has an entry of its own.
            prompt: The prompt's name; by default the one in the marker, else the test's.
            model: The model that the prompt is counted and priced for; by default the one in the configuration.
            max_output_tokens: The cap on the output.

        Raises:
            OverBudget: It costs more than it may.
            PromptoptError: The lock or the model cannot be used.
        """
        __tracebackhide__ = True
        if self.gate is None:
            return
        from promptopt.budget.built_prompt import check_built

        name = prompt or self.prompt
        built = check_built(
            self.gate, name, case, messages, model, max_output_tokens, self.limits, self.test, writes=self.writes
        )
        self.built.append(built)
        if built.result.failed and not self.writes:
            raise OverBudget(built.result.text)
