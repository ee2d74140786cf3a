"""What the gate's items and the tests with its fixture reported, in one process or several, once or again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from promptopt.budget.built_prompt import Built
from promptopt.budget.result import Result, result_from


@dataclass(slots=True)
class Attempt:
    """The last attempt at one test in one process.

    Attributes:
        checked: The prompt or group whose item it is; empty for another test, and if the item did not come so far.
        read: Files that the cases of the prompt have read.
        built: What the fixture measured in it.
        ended: ``passed``, ``failed``, ``skipped``, or empty as long as it runs.
    """

    checked: str = ""
    results: list[Result] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    built: list[Built] = field(default_factory=list)
    ended: str = ""

    @property
    def all_results(self) -> list[Result]:
        """Of the item or of the fixture."""
        return [*self.results, *(built.result for built in self.built)]

    @property
    def failed(self) -> bool:
        """Whether the gate found a failure, whatever pytest makes of it."""
        return any(result.failed for result in self.all_results)


class Outcomes:
    """Collects reports.

    A plugin may run a test again, in which case the last attempt counts; with ``--dist each`` every process runs every
    test, in which case it is counted once and a failure in any of them counts.

    Attributes:
        selected: The ids of the tests that were to run, in the order in which they were collected.
        partial: Whether tests were left out, or could not be collected.
    """

    def __init__(self) -> None:
        self.selected: dict[str, None] = {}
        self.partial = False
        self._attempts: dict[tuple[str, str], Attempt] = {}

    def add(self, report: pytest.TestReport, outcome: Mapping[str, Any], built: Sequence[Mapping[str, Any]]) -> None:
        """Add a report.

        Args:
            outcome: What an item of the gate attached to it.
            built: What the fixture attached to it.
        """
        key = (str(getattr(report, "worker_id", "")), report.nodeid)
        if report.when == "setup" or key not in self._attempts:
            self._attempts[key] = Attempt()
        attempt = self._attempts[key]
        attempt.checked = outcome.get("checked", attempt.checked)
        attempt.results.extend(result_from(result) for result in outcome.get("results", ()))
        attempt.read.extend(outcome.get("read", ()))
        attempt.built.extend(map(Built.from_dict, built))
        if report.when == "call" or not report.passed:
            # A teardown that fails makes a test fail that had passed.
            attempt.ended = "failed" if "failed" in (attempt.ended, report.outcome) else report.outcome

    def attempts(self) -> Iterator[tuple[str, Attempt]]:
        """The attempt that counts for each test, by its id."""
        found: dict[str, Attempt] = {}
        for (_, nodeid), attempt in self._attempts.items():
            known = found.get(nodeid)
            if known is None or (attempt.failed and not known.failed):
                found[nodeid] = attempt
        # In the order of collection: processes report in any order, and reports are the same each time.
        for nodeid in dict.fromkeys((*self.selected, *found)):
            if nodeid in found:
                yield nodeid, found[nodeid]

    def why_not(self, item: str) -> tuple[str, bool]:
        """Why an item of the gate was not checked, and whether it was to run.

        Args:
            item: The end of its id.
        """
        ids = [nodeid for nodeid in self.selected if nodeid == item or nodeid.endswith(f"/{item}")]
        if not ids:
            return "not selected", False
        ended = {attempt.ended for (_, nodeid), attempt in self._attempts.items() if nodeid in ids}
        if "failed" in ended:
            return "its test failed before the check ended", True
        if "skipped" in ended:
            return "skipped", True
        return "the run stopped before it", True
