"""What the gate keeps in pytest's configuration, and how it fails a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from promptopt.budget.fixture import Built
    from promptopt.budget.gate import Gate

GATE: pytest.StashKey[Gate] = pytest.StashKey()
BUILT: pytest.StashKey[list[Built]] = pytest.StashKey()


def is_writing(config: pytest.Config) -> bool:
    """Whether locks are to be written, and not checked."""
    return bool(config.getoption("prompt_budget_update") or config.getoption("prompt_budget_trim"))


class OverBudget(Exception):
    """A case costs more than it may."""
