"""The repository's suite with tools: its answers are recorded, and its target makes the same mistakes each time."""

import runpy
from pathlib import Path

import pytest

from promptopt import compare
from promptopt.suites import load_suite

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_the_suite_has_cases_of_each_kind_and_some_without_a_call() -> None:
    cases = load_suite("desk").cases
    assert len(cases) == 120
    kinds = {str(case.metadata["kind"]) for case in cases}
    assert kinds == {"look-up", "cancel", "cancel-too-late", "refund", "refund-too-early", "no-tool"}


def test_what_is_recorded_is_what_the_target_says_today() -> None:
    replayed = compare("desk@v1", "desk@v2", record="none")
    clerk = runpy.run_path("suites/desk/clerk.py")["Clerk"]()
    for run in replayed.runs:
        for case, trial in zip(replayed.suite.cases, run.answered, strict=True):
            rendered = run.variant.template.render(case.vars)
            first = clerk.complete(rendered.request(case=case.name))
            assert first.tool_calls == trial.response.tool_calls[: len(first.tool_calls)]
        assert 100 <= sum(trial.passed for trial in run.answered) < 120
        assert {trial.steps for trial in run.answered} == {1, 2, 3}
