"""What the pytest plugin does if one of its flags is given: items, failures, the summary, updates, the fixture."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Generator, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from promptopt.budget.built_prompt import Built, draft_built
from promptopt.budget.fixture import OverBudget, PromptBudget
from promptopt.budget.gate import Gate
from promptopt.budget.impact_report import impact_lines
from promptopt.budget.report import failure_lines, parse_report, summary_lines, write_report
from promptopt.budget.result import Result, result_from, summed
from promptopt.budget.update import Written, draft_updates, refuse_in_ci, write_locks
from promptopt.errors import PromptoptError

NAME = "promptopt-budget"
# Attributes that are added to pytest's reports; xdist sends every attribute that is plain data.
_OUTCOME, _BUILT = "prompt_budget", "prompt_budget_built"


def enable(config: pytest.Config) -> None:
    """Register the gate. Raises UsageError (exit code 4) if its flags, limits or reference cannot be used."""
    writes = bool(config.getoption("prompt_budget_update") or config.getoption("prompt_budget_trim"))
    try:
        if writes:
            refuse_in_ci()
        for report in config.getoption("prompt_budget_report"):
            parse_report(report)
        gate = Gate(
            against=config.getoption("prompt_budget_against"),
            overrides=config.getoption("prompt_budget_limit"),
        )
    except PromptoptError as error:
        raise pytest.UsageError(str(error)) from None
    config.pluginmanager.register(BudgetGate(config, gate, writes), NAME)
    if config.getoption("prompt_budget_only"):
        # pytest finds nothing in the prompts folder; the gate adds its items itself.
        config.args = [str(gate.config.prompts)] if gate.config.prompts.is_dir() else []


class BudgetGate:
    """The hooks of an enabled gate, on the controller and on each worker."""

    def __init__(self, config: pytest.Config, gate: Gate, writes: bool) -> None:
        self._config = config
        self._gate = gate
        self._writes = writes
        self._results: list[Result] = []
        self._ran: list[str] = []
        # Of the test that runs, and of all tests that have reported.
        self._pending: list[Built] = []
        self._built: list[Built] = []
        self._unusable: list[str] = []
        self._written: list[Written] = []
        self._annotations: list[str] = []
        self._impact: list[str] = []

    @property
    def _is_worker(self) -> bool:
        return hasattr(self._config, "workerinput")

    def pytest_report_header(self) -> str:
        """The line at the top of the output."""
        return f"prompt budget: prompts in {self._gate.config.prompts}"

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Add the gate's items, wherever ``testpaths`` points; ``-k``, ``--lf`` and so on treat them like others."""
        if self._config.getoption("prompt_budget_only"):
            items.clear()
        try:
            added = list(self._items(session))
        except PromptoptError as error:
            if not self._is_worker:
                raise pytest.UsageError(str(error)) from None
            # A worker cannot end the run; an item that fails with the message can.
            added = [self._item(session, "prompt budget", partial(_fails, str(error)), self._gate.config.root)]
        items.extend(added)
        # The terminal counts the items in such reports; without one it says "no tests collected".
        report = pytest.CollectReport("prompt budget", "passed", None, list(added))
        self._config.hook.pytest_collectreport(report=report)

    def _items(self, session: pytest.Session) -> Iterator[BudgetItem]:
        for name, prompt in self._gate.prompts.items():
            parent = PromptFile.from_parent(session, path=prompt.path)
            # If locks are written, the items only say which prompts were chosen; all locks are written at the end.
            check = None if self._writes else partial(self._gate.check_prompt, name)
            yield self._item(parent, name, check, prompt.files.newest, {"ran": name} if self._writes else {})
        for glob in self._gate.settings.totals:
            check = None if self._writes else partial(self._check_group, glob)
            yield self._item(session, f"prompt budget of {glob}", check, self._gate.config.root)

    def _check_group(self, glob: str) -> list[Result]:
        return [self._gate.check_group(glob)]

    @staticmethod
    def _item(
        parent: pytest.Session | PromptFile,
        name: str,
        check: Callable[[], list[Result]] | None,
        location: Path,
        outcome: Mapping[str, str] | None = None,
    ) -> BudgetItem:
        item: BudgetItem = BudgetItem.from_parent(
            parent, name=name, check=check, location=location, outcome=outcome or {}
        )
        return item

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Attach results to reports, which xdist sends from its workers to the controller."""
        report = yield
        if call.when == "call":
            if isinstance(item, BudgetItem):
                report.__dict__[_OUTCOME] = item.outcome
            if self._pending:
                report.__dict__[_BUILT] = [built.to_dict() for built in self._pending]
                self._pending.clear()
        return report

    def fixture(self, request: pytest.FixtureRequest) -> PromptBudget:
        """The value of the fixture ``prompt_budget`` for one test, with the limits of its marker."""
        marker = request.node.get_closest_marker("prompt_budget")
        name = request.node.name.partition("[")[0].removeprefix("test_")
        limits: dict[str, str] = {}
        if marker is not None:
            name = str(marker.args[0]) if marker.args else str(marker.kwargs.get("prompt", name))
            limits = {metric: value for metric, value in marker.kwargs.items() if metric != "prompt"}
        return PromptBudget(self._gate, name, limits, self._pending, self._writes)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect results; with xdist, on the controller."""
        if self._is_worker:
            return
        # pytest keeps reports until the end; the results are not kept twice.
        outcome: dict[str, Any] = report.__dict__.pop(_OUTCOME, None) or {}
        self._results.extend(result_from(result) for result in json.loads(outcome.get("results", "[]")))
        if "ran" in outcome:
            self._ran.append(outcome["ran"])
        if "unusable" in outcome:
            self._unusable.append(outcome["unusable"])
        for entry in report.__dict__.get(_BUILT) or ():
            built = Built.from_dict(entry)
            self._built.append(built)
            self._results.append(built.result)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write locks and reports; if input cannot be used, the exit code is 4."""
        if self._is_worker or self._config.getoption("collectonly"):
            return
        try:
            if self._writes and not self._unusable:
                self._written = self._update()
            impact = None if self._writes else self._gate.impact()
            self._impact = [] if impact is None else list(impact_lines(impact))
            for text in self._config.getoption("prompt_budget_report"):
                kind, path = parse_report(text)
                self._annotations.extend(write_report(kind, path, self._results, impact))
        except PromptoptError as error:
            self._unusable.append(str(error))
        if self._unusable:
            session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def _update(self) -> list[Written]:
        reason, trim = self._config.getoption("prompt_budget_reason"), self._config.getoption("prompt_budget_trim")
        chosen = {name: (self._gate.prompts[name], None) for name in self._ran}
        drafts = draft_updates(chosen, reason, trim=trim)
        return write_locks([*drafts, *draft_built(self._gate, self._built, reason, trim=trim)], reason)

    def _what_was_looked_at(self) -> str:
        """What an update says of the locks that it did not write: only those of prompts that ran are known."""
        looked, guarded = len({*self._ran}), len(self._gate.prompts)
        if not looked and not self._built:
            return "nothing was written: no prompt was looked at, because its test was not selected or the run stopped"
        rest = f"; {guarded - looked} of {guarded} prompts were not looked at" if looked < guarded else ""
        if self._written:
            return f"{len(self._written)} lock{'s' * (len(self._written) != 1)} written{rest}"
        return f"nothing to write: the locks are up to date{rest}"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """What no failed item shows: warnings, causes, counts, what was written."""
        if self._is_worker or self._config.getoption("collectonly"):
            return
        write = terminalreporter.write_line
        terminalreporter.section("prompt budget", sep="=")
        for message in dict.fromkeys(self._unusable):
            write(f"ERROR: {message}", red=True)
        for file in self._written:
            write(f"{file.path}: {len(file.lines)} change{'s' * (len(file.lines) != 1)}")
        if self._writes:
            if not self._unusable:
                write(self._what_was_looked_at())
            return
        for line in (*self._annotations, *summary_lines(self._results, failures=False), *self._impact):
            write(line)


class PromptFile(pytest.File):
    """The parent of a prompt's item, named like its lock file."""

    def collect(self) -> list[pytest.Item]:
        """The gate adds the items itself."""
        return []


class BudgetItem(pytest.Item):
    """A prompt with all its cases, or the sum over a group of prompts.

    One item for each case would be ten thousand in a large project; pytest would then take longer than the gate itself.

    Args:
        check: What the item runs; ``None``: nothing.
        location: The file that annotations appear in.
        outcome: Plain data that is attached to the report.
    """

    def __init__(
        self, *, check: Callable[[], list[Result]] | None, location: Path, outcome: Mapping[str, str], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self._check = check
        self._location = location
        self.outcome = outcome

    def runtest(self) -> None:
        """Check; raises OverBudget if a limit is exceeded."""
        if self._check is None:
            return
        try:
            results = self._check()
        except PromptoptError as error:
            self.outcome = {"unusable": str(error)}
            raise
        # As one string: xdist would send tens of thousands of nested values one by one.
        self.outcome = {"results": json.dumps([result.to_dict() for result in results])}
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


def _fails(message: str) -> list[Result]:
    raise PromptoptError(message)
