"""Cases and suites as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from promptopt.suites.derived import DerivedMetric
from promptopt.suites.tool_results import ToolResults

MAX_STEPS = 10
"""How often the model is called for a case whose calls of tools are answered, if the case says nothing else."""

ASSERT_KEYS = ("type", "value", "threshold", "weight", "metric")
"""Keys of every assert; further ones are options of its type."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """One assert of a case, as written.

    Attributes:
        type: The assert's type without ``not-``.
        negated: Whether it was written with ``not-``.
        value: What the type compares with; texts may contain ``{{ variables }}`` of the case.
        threshold: For a type that measures a degree, the least that passes (or the most, for cost and latency).
        weight: Its share in the case's score.
        options: Further keys of the assert, such as ``tolerance``.
        metric: What its score counts for in the breakdown; may contain ``{{ variables }}`` of the case.
        line: Its line in the suite's file, if that is known.
    """

    type: str
    negated: bool = False
    value: Any = None
    threshold: float | None = None
    weight: float = 1.0
    options: Mapping[str, Any] = field(default_factory=dict)
    metric: str | None = None
    line: int | None = None

    @property
    def name(self) -> str:
        """The type as written."""
        return f"not-{self.type}" if self.negated else self.type

    def at(self, line: int | None) -> Assertion:
        """The same on another line."""
        return Assertion(
            *(self.type, self.negated, self.value, self.threshold, self.weight, self.options, self.metric), line
        )


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of the user in a conversation, and what the answer to it must be.

    Attributes:
        user: What the user says, with the variables filled in; ``None``: the prompt says it out of the variables.
        vars: The variables of this turn: those of the case, and its own in their place.
        asserts: What the answer to this turn is scored by.
        tool_results: What the calls of tools in this turn are answered with; ``None``: with those of the case.
        store_as: The variable that later turns have the answer to this one as; empty: none.
        alone: Whether it is asked without what was said before.
        options: In the place of those of the case; ``None``: those of the case.
    """

    user: str | None
    vars: Mapping[str, Any]
    asserts: tuple[Assertion, ...] = ()
    tool_results: ToolResults | None = None
    store_as: str = ""
    alone: bool = False
    options: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One input with what its answer must be.

    Attributes:
        name: Unique in its suite.
        vars: The variables that the prompt is rendered with.
        asserts: What the answer is scored by; of a conversation, the last one.
        threshold: The weighted score that passes the case; ``None``: every assert must pass.
        metadata: Free labels.
        tool_results: What the model's calls of tools are answered with; ``None``: they end the case.
        max_steps: How often the model is called at most, if they are; of a conversation, in each turn.
        line: Its line in the suite's file.
        turns: What the user says one after the other, if the case is a conversation; else empty.
        options: ``options`` of the test over those of the defaults, such as the ``provider`` that judges.
    """

    name: str
    vars: Mapping[str, Any]
    asserts: tuple[Assertion, ...] = ()
    threshold: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    line: int | None = None
    tool_results: ToolResults | None = None
    max_steps: int = MAX_STEPS
    turns: tuple[Turn, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def all_asserts(self) -> tuple[Assertion, ...]:
        """Those of its turns, then its own: the order in which a score counts them."""
        if not self.turns:
            return self.asserts
        return (*(assertion for turn in self.turns for assertion in turn.asserts), *self.asserts)

    @property
    def given(self) -> dict[str, Any]:
        """All that the prompt is given: the variables, and the turns if it has any."""
        turns = [{"user": turn.user, "vars": dict(turn.vars)} for turn in self.turns]
        return {**self.vars, "turns": turns} if turns else dict(self.vars)

    @property
    def has_steps(self) -> bool:
        """Whether the model may be called more than once for it."""
        return self.tool_results is not None or len(self.turns) > 1 or any(t.tool_results for t in self.turns)


@dataclass(frozen=True, slots=True)
class Suite:
    """Cases that one or more prompts are measured on.

    Attributes:
        name: The file's name without its ending.
        path: The file.
        cases: In the order of the file.
        notes: What was read differently from what the user may expect.
        derived: Metrics that are computed out of those that asserts name.
    """

    name: str
    path: Path
    cases: tuple[Case, ...]
    notes: tuple[str, ...] = ()
    derived: tuple[DerivedMetric, ...] = ()

    @property
    def recordings(self) -> Path:
        """The folder of its recordings, one file for each prompt version."""
        return self.path.parent / self.name / "recordings"
