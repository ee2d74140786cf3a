"""A project with one guarded prompt."""

from pathlib import Path
from typing import Any

import pytest
from guarded_project import SUITE, lock, prompt_text
from known_values import write_project


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


@pytest.fixture(scope="module")
def known_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("known")
    write_project(root)
    return root


@pytest.fixture
def known_project(known_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The project of ``known_values``, which the tests of a file share: they put values in its place."""
    monkeypatch.chdir(known_folder)
