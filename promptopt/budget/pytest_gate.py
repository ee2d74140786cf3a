"""What the pytest plugin does once it is asked to: items, failures, the summary, updates."""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from promptopt.budget.failure_text import Surface
from promptopt.budget.fixture import Built, write_built
from promptopt.budget.gate import Gate
from promptopt.budget.guarded_prompt import GuardedPrompt
from promptopt.budget.report import failure_lines, parse_report, summary_lines, write_report
from promptopt.budget.result import Result, result_from, summed
from promptopt.budget.stash import BUILT, GATE, OverBudget, is_writing
from promptopt.budget.update import Written, refuse_in_ci, update
from promptopt.errors import PromptoptError

NAME = "promptopt-budget"
# What a report carries beside pytest's own; xdist sends all attributes that are plain data.
_OUTCOME, _BUILT = "prompt_budget", "prompt_budget_built"


def enable(config: pytest.Config) -> None:
    """Register the gate. Raises UsageError (exit code 4) where its flags, limits or reference cannot be used."""
    writes = is_writing(config)
    try:
        if writes:
            refuse_in_ci()
        for report in config.getoption("prompt_budget_report"):
            parse_report(report)
        gate = Gate(
            Surface(pytest=True),
            against=config.getoption("prompt_budget_against"),
            overrides=config.getoption("prompt_budget_limit"),
        )
    except PromptoptError as error:
        raise pytest.UsageError(str(error)) from None
    config.stash[GATE] = gate
    config.stash[BUILT] = []
    config.pluginmanager.register(BudgetGate(config, gate, writes), NAME)
    if config.getoption("prompt_budget_only"):
        # Nothing is looked for in the prompts folder but what the gate adds itself.
        config.args = [str(gate.config.prompts)] if gate.config.prompts.is_dir() else []


class BudgetGate:
    """The hooks of an enabled gate, on the controller and on each worker."""

    def __init__(self, config: pytest.Config, gate: Gate, writes: bool) -> None:
        self._config = config
        self._gate = gate
        self._writes = writes
        self._results: list[Result] = []
        self._ran: list[str] = []
        self._built: list[Built] = []
        self._unusable: list[str] = []
        self._written: list[Written] = []
        self._annotations: list[str] = []

    @property
    def _is_worker(self) -> bool:
        return hasattr(self._config, "workerinput")

    def pytest_report_header(self) -> str:
        """One line on top."""
        return f"prompt budget: prompts in {self._gate.config.prompts}"

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Add the gate's items, wherever ``testpaths`` point; ``-k``, ``--lf`` and the like see them as any other."""
        if self._config.getoption("prompt_budget_only"):
            items.clear()
        try:
            added = list(self._items(session))
        except PromptoptError as error:
            if not self._is_worker:
                raise pytest.UsageError(str(error)) from None
            # A worker cannot end the run; the item that fails with the message does.
            added = [UnusableItem.from_parent(session, name="prompt budget", message=str(error))]
        items.extend(added)
        # Else the terminal says "no tests collected": it counts what such reports bring.
        report = pytest.CollectReport("prompt budget", "passed", None, list(added))
        self._config.hook.pytest_collectreport(report=report)

    def _items(self, session: pytest.Session) -> Iterator[BudgetItem]:
        for name, prompt in self._gate.prompts.items():
            parent = PromptFile.from_parent(session, path=prompt.path)
            yield PromptItem.from_parent(parent, name=name, prompt=prompt)
        for glob in self._gate.settings.totals:
            yield GroupItem.from_parent(session, name=f"prompt budget of {glob}", glob=glob)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Let results travel with reports, from workers to the controller."""
        report = yield
        if call.when == "call":
            if isinstance(item, BudgetItem):
                report.__dict__[_OUTCOME] = item.outcome
            if built := item.config.stash[BUILT]:
                report.__dict__[_BUILT] = [entry.to_dict() for entry in built]
                built.clear()
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect results; under xdist this runs on the controller."""
        if self._is_worker:
            return
        # Reports are kept until the end; what is read here is not needed twice.
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
        """Write locks and reports; input that cannot be used ends with exit code 4."""
        if self._is_worker or self._config.getoption("collectonly"):
            return
        try:
            if self._writes and not self._unusable:
                self._written = self._update()
            for text in self._config.getoption("prompt_budget_report"):
                kind, path = parse_report(text)
                self._annotations.extend(write_report(kind, path, self._results))
        except PromptoptError as error:
            self._unusable.append(str(error))
        if self._unusable:
            session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def _update(self) -> list[Written]:
        reason, trim = self._config.getoption("prompt_budget_reason"), self._config.getoption("prompt_budget_trim")
        chosen = {name: (self._gate.prompts[name], None) for name in self._ran}
        return [*update(chosen, reason, trim=trim), *write_built(self._gate, self._built, reason, trim=trim)]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """What is not a failed item: warnings, causes, counts, what was written."""
        if self._is_worker or self._config.getoption("collectonly"):
            return
        write = terminalreporter.write_line
        terminalreporter.section("prompt budget", sep="=")
        for message in dict.fromkeys(self._unusable):
            write(f"ERROR: {message}", red=True)
        for file in self._written:
            write(f"{file.path}: {len(file.lines)} change{'s' * (len(file.lines) != 1)}")
        if self._writes:
            if not self._written and not self._unusable:
                write("nothing to write: the locks are as they should be")
            return
        for line in (*self._annotations, *summary_lines(self._results, failures=False)):
            write(line)


class PromptFile(pytest.File):
    """A prompt, named by its lock."""

    def collect(self) -> list[pytest.Item]:
        """The gate adds the items itself."""
        return []


class BudgetItem(pytest.Item):
    """An item of the gate.

    Attributes:
        outcome: Plain data that travels with the report.
    """

    outcome: dict[str, Any]

    def results(self) -> list[Result]:
        """What is found."""
        raise NotImplementedError

    def runtest(self) -> None:
        """Check; raises OverBudget where a limit is exceeded."""
        self.outcome = {}
        try:
            results = self.results()
        except PromptoptError as error:
            self.outcome = {"unusable": str(error)}
            raise
        # As a text: xdist would send tens of thousands of nested values one by one.
        self.outcome["results"] = json.dumps([result.to_dict() for result in results])
        for metric, (locked, now) in summed(results).items():
            self.user_properties.append((f"prompt_budget_{metric}", str(now)))
            self.user_properties.append((f"prompt_budget_{metric}_locked", str(locked)))
        if any(result.failed for result in results):
            raise OverBudget("\n".join(failure_lines(results)))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The message and nothing else, where it is the gate's own."""
        if isinstance(excinfo.value, (OverBudget, PromptoptError)):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)


class PromptItem(BudgetItem):
    """A prompt with all its cases.

    One item for each case would be ten thousand in a large project, and pytest's own time for them twice the gate's.
    """

    def __init__(self, *, prompt: GuardedPrompt, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._prompt = prompt

    def results(self) -> list[Result]:
        return self.config.stash[GATE].check_prompt(self._prompt.name)

    def runtest(self) -> None:
        if is_writing(self.config):
            # Measured and written when the run ends, all or nothing.
            self.outcome = {"ran": self._prompt.name}
            return
        super().runtest()

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        """The template, so that annotations stand in it."""
        return Path(self._prompt.files.newest), 0, self.name


class GroupItem(BudgetItem):
    """The sum over a group of prompts."""

    def __init__(self, *, glob: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._glob = glob

    def results(self) -> list[Result]:
        return [self.config.stash[GATE].check_group(self._glob)]

    def runtest(self) -> None:
        self.outcome = {}
        if not is_writing(self.config):
            super().runtest()

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        """The configuration."""
        return self.config.stash[GATE].config.root, None, self.name


class UnusableItem(BudgetItem):
    """Stands, on a worker, for input that cannot be used."""

    def __init__(self, *, message: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._message = message

    def results(self) -> list[Result]:
        raise PromptoptError(self._message)
