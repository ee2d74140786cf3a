"""The gate's items, as pytest runs them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptopt.budget.fixture import OverBudget
from promptopt.budget.report import failure_lines
from promptopt.budget.result import Result, summed
from promptopt.errors import PromptoptError

MARKER = "prompt_budget"


class PromptFile(pytest.File):
    """The parent of a prompt's item, named like its lock file."""

    def collect(self) -> list[pytest.Item]:
        """The gate adds the items itself."""
        return []


class BudgetItem(pytest.Item):
    """A prompt with all its cases, or the sum over a group of prompts.

    One item for each case would be ten thousand in a large project; pytest would then take longer than the gate itself.

    Args:
        checked: The prompt, or ``group GLOB``.
        check: What the item runs; ``None``: nothing.
        read: The files that the check has read.
        location: The file that annotations appear in.

    Attributes:
        outcome: What is attached to the report, as JSON: xdist sends thousands of nested values one by one.
        fixturenames: As on every test: plugins and conftest files ask each item for it.
    """

    obj = None

    def __init__(
        self,
        *,
        checked: str,
        check: Callable[[], list[Result]] | None,
        read: Callable[[], list[str]],
        location: Path,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.add_marker(MARKER)
        self.fixturenames: list[str] = []
        self.funcargs: dict[str, object] = {}
        self._checked = checked
        self._check = check
        self._read = read
        self._location = location
        self.outcome = ""

    def runtest(self) -> None:
        """Check; raises OverBudget if a limit is exceeded or input cannot be used."""
        results = [] if self._check is None else self._check()
        data = [result.to_dict() for result in results]
        self.outcome = json.dumps({"checked": self._checked, "results": data, "read": self._read()})
        for metric, (locked, now) in summed(results).items():
            self.user_properties.append((f"prompt_budget_{metric}", str(now)))
            self.user_properties.append((f"prompt_budget_{metric}_locked", str(locked)))
        if any(result.failed for result in results):
            raise OverBudget("\n".join(failure_lines(results)))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Only the message, without a traceback, if the gate raised it."""
        if isinstance(excinfo.value, (OverBudget, PromptoptError)):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        """The location, so that annotations appear in it."""
        return self._location, 0 if self._location.is_file() else None, self.name
