"""A project with one guarded prompt."""

from typing import Any

import pytest
from guarded_project import SUITE, lock, prompt_text


@pytest.fixture
def guarded(project: Any) -> Any:
    """The project ``triage``, not locked yet."""
    project.write(
        {"pyproject.toml": "[tool.promptopt]\n", "prompts/triage/v1.j2": prompt_text(), "suites/triage.yaml": SUITE}
    )
    return project


@pytest.fixture
def locked(guarded: Any) -> Any:
    """The same, locked."""
    lock()
    return guarded
