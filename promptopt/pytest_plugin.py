"""The pytest plugin: options, a marker and a fixture. It imports nothing else until ``--prompt-budget`` is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from promptopt.budget.fixture import PromptBudget
    from promptopt.budget.pytest_gate import BudgetGate

_ENABLING = ("prompt_budget", "prompt_budget_only", "prompt_budget_update", "prompt_budget_trim")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The flags of the gate."""
    group = parser.getgroup("prompt budget", "prompts must not cost more than what is locked (promptopt)")
    flag = group.addoption
    flag("--prompt-budget", action="store_true", help="check every prompt that has a suite or a lock; offline")
    flag("--prompt-budget-only", action="store_true", help="as --prompt-budget, and collect nothing else")
    flag("--prompt-budget-update", action="store_true", help="lock what prompts cost now; refused in CI")
    flag("--prompt-budget-trim", action="store_true", help="lower locked counts, raise none; refused in CI")
    strict = "fail if a prompt is not guarded or was not checked, or a limit is looser than on the base"
    flag("--prompt-budget-strict", action="store_true", help=strict)
    flag("--prompt-budget-reason", default="", metavar="WHY", help="why an update raises a count")
    compared = "the git reference to compare this branch with [default: the merge base with the main branch]"
    flag("--prompt-budget-against", metavar="REF", help=compared)
    metavar, limit = "[PROMPT:]METRIC=LIMIT", 'override a limit: "input=5%% & 50 | 4000"'
    flag("--prompt-budget-limit", action="append", default=[], metavar=metavar, help=limit)
    report = "write a report: KIND is json, md, html, github, sarif or gitlab"
    flag("--prompt-budget-report", action="append", default=[], metavar="KIND:PATH", help=report)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker and, if one of the flags is given, the gate."""
    config.addinivalue_line("markers", "prompt_budget(prompt=None, **limits): limits of the fixture prompt_budget")
    if any(config.getoption(name) for name in _ENABLING):
        from promptopt.budget.pytest_gate import enable

        enable(config)


@pytest.fixture
def prompt_budget(request: pytest.FixtureRequest) -> PromptBudget:
    """Checks prompts that a program builds itself: ``prompt_budget.check(messages, case="refund", model=...)``."""
    gate: BudgetGate | None = request.config.pluginmanager.get_plugin("promptopt-budget")
    if gate is not None:
        return gate.fixture(request)
    from promptopt.budget.fixture import PromptBudget

    return PromptBudget()
