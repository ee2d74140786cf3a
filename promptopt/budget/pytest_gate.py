"""What the pytest plugin does if one of its flags is given: options, items, the exit code, the summary, updates."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import pytest

from promptopt.budget.budget_item import MARKER, BudgetItem, PromptFile
from promptopt.budget.built_prompt import Built, draft_built, shared_entries
from promptopt.budget.discovery import nothing_to_guard
from promptopt.budget.fixture import PromptBudget
from promptopt.budget.gate import Gate
from promptopt.budget.impact import Impact
from promptopt.budget.impact_report import impact_lines
from promptopt.budget.lock import SUFFIX, lock_path
from promptopt.budget.outcomes import Outcomes
from promptopt.budget.report import failure_lines, parse_report, summary_lines, write_report
from promptopt.budget.result import (
    BudgetFinding,
    Result,
    Severity,
    TestPlace,
    cannot_be_used,
    error_lines,
    one_line,
    unusable,
)
from promptopt.budget.update import Written, draft_updates, refuse_in_ci, write_locks
from promptopt.errors import PromptoptError, UsageError
from promptopt.files import show_path

NAME = "promptopt-budget"
# Attributes that are added to pytest's reports; xdist sends every attribute that is plain data.
_OUTCOME, _BUILT, _PARTIAL = "prompt_budget", "prompt_budget_built", "prompt_budget_partial"
_ARGUMENTS = "prompt_budget_arguments"
_GOOD = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
# Flags that choose tests; given on the command line, they choose among the gate's items too. `-qk` is `-q -k`.
_BY_KEYWORD, _BY_MARK, _BY_ID = r"-[qvsxl]*k", r"-[qvsxl]*m", r"--deselect"
_REPEATING = r"--(lf|last-failed|sw|stepwise)"
_CHOOSING = f"{_BY_KEYWORD}|{_BY_MARK}|{_BY_ID}|{_REPEATING}"


def enable(config: pytest.Config) -> None:
    """Register the gate. Raises UsageError (exit code 4) if its flags, limits or reference cannot be used."""
    writes = bool(config.getoption("prompt_budget_update") or config.getoption("prompt_budget_trim"))
    try:
        if writes:
            refuse_in_ci()
        gate = Gate(
            against=config.getoption("prompt_budget_against"),
            overrides=config.getoption("prompt_budget_limit"),
            strict=config.getoption("prompt_budget_strict"),
        )
        for report in config.getoption("prompt_budget_report"):
            parse_report(report)
        chosen = _chosen(config, gate)
    except PromptoptError as error:
        with suppress(PromptoptError):
            _report(config, [unusable("", error)])
        raise pytest.UsageError(str(error)) from None
    if config.pluginmanager.register(BudgetGate(config, gate, writes, chosen), NAME) is None:
        raise pytest.UsageError(f"-p no:{NAME} blocks the gate that --prompt-budget asks for: leave one of them out")


def _chosen(config: pytest.Config, gate: Gate) -> set[str] | None:
    """The prompts whose items were named, as in ``prompts/triage.lock.toml::triage``; ``None``: all.

    The lock of a new prompt is not there yet, so that pytest would not find it: these arguments are taken from it.
    """
    chosen: set[str] = set()
    others = []
    for argument in config.args:
        file, _, name = argument.partition("::")
        path = Path(config.invocation_params.dir / file)
        if not file.endswith(SUFFIX) or not path.is_relative_to(gate.config.prompts):
            others.append(argument)
            continue
        prompt = path.relative_to(gate.config.prompts).as_posix().removesuffix(SUFFIX)
        if prompt not in gate.prompts or name not in ("", prompt):
            raise UsageError(f"{argument}: no prompt with a suite has this lock")
        chosen.add(prompt)
    if config.getoption("prompt_budget_only") or not others:
        # pytest finds nothing in the prompts folder; the gate adds its items itself.
        config.args = [str(gate.config.prompts)] if gate.config.prompts.is_dir() else []
        others = []
    else:
        config.args = others
    single = bool(others) and all("::" in argument for argument in others)
    return chosen if chosen or single else None


def _report(config: pytest.Config, results: Sequence[Result], impact: Impact | None = None) -> list[str]:
    """Write the reports that were asked for; the lines to print. With xdist, only the controller writes."""
    if hasattr(config, "workerinput"):
        return []
    lines = []
    for text in config.getoption("prompt_budget_report"):
        kind, path = parse_report(text)
        lines.extend(write_report(kind, path, results, impact))
    return lines


class BudgetGate:
    """The hooks of an enabled gate, on the controller and on each worker."""

    def __init__(self, config: pytest.Config, gate: Gate, writes: bool, chosen: set[str] | None) -> None:
        self._config = config
        self._gate = gate
        self._writes = writes
        self._chosen = chosen
        self._outcomes = Outcomes()
        # Of the test that runs.
        self._pending: list[Built] = []
        # What is known when the session ends.
        self._results: list[Result] = []
        self._written: list[Written] = []
        self._lines: list[str] = []
        self._impact: list[str] = []

    @property
    def _is_worker(self) -> bool:
        return hasattr(self._config, "workerinput")

    def pytest_report_header(self) -> str:
        """The line at the top of the output."""
        return f"prompt budget: prompts in {self._gate.config.prompts}"

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, items: list[pytest.Item]
    ) -> Generator[None, object, object]:
        """Add the gate's items, wherever ``testpaths`` points; ``-k``, ``--lf`` and so on treat them like others."""
        if self._config.getoption("prompt_budget_only"):
            items.clear()
        added = list(self._items(session))
        # The terminal counts the items in such reports; without one it says "no tests collected".
        report = pytest.CollectReport("prompt budget", "passed", None, list(added))
        self._config.hook.pytest_collectreport(report=report)
        if self._given(_REPEATING):
            items.extend(added)
            return (yield)
        # What a conftest.py, a plugin or the settings do to tests was not written for prompts, and would drop some
        # of them without a word: only this command line chooses among them.
        left = self._left_by_command_line(added)
        done = yield
        items.extend(left)
        return done

    def _given(self, flags: str) -> bool:
        """Whether one of these flags is on the command line."""
        return any(re.match(flags, argument) for argument in self._arguments)

    @cached_property
    def _arguments(self) -> list[str]:
        """The command line; a worker of xdist has another, with what the settings say."""
        given = list(map(str, self._config.invocation_params.args))
        found: list[str] = getattr(self._config, "workerinput", {}).get(_ARGUMENTS, given)
        return found

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Give a worker of xdist the command line."""
        node.workerinput[_ARGUMENTS] = self._arguments

    def _left_by_command_line(self, added: Sequence[pytest.Item]) -> list[pytest.Item]:
        """The items that ``-k``, ``-m`` and ``--deselect`` leave; ``-m`` only if it names their marker."""
        option, left = self._config.option, list(added)
        keyword, mark = option.keyword, option.markexpr
        if not self._given(_BY_KEYWORD):
            option.keyword = ""
        if MARKER not in mark or not self._given(_BY_MARK):
            option.markexpr = ""
        plugin = self._config.pluginmanager.get_plugin("mark")
        if plugin is not None:
            plugin.pytest_collection_modifyitems(items=left, config=self._config)
        option.keyword, option.markexpr = keyword, mark
        ids = tuple(option.deselect or ()) if self._given(_BY_ID) else ()
        dropped = [item for item in left if item.nodeid.startswith(ids)] if ids else []
        if dropped:
            self._config.hook.pytest_deselected(items=dropped)
        return [item for item in left if item not in dropped]

    def _items(self, session: pytest.Session) -> Iterator[pytest.Item]:
        for name, prompt in self._gate.prompts.items():
            if self._chosen is None or name in self._chosen:
                parent = PromptFile.from_parent(session, path=prompt.path)
                # If locks are written, the items only say which prompts were chosen; all are written at the end.
                check = None if self._writes else partial(self._gate.check_prompt, name)
                read = partial(self._gate.files_read, name)
                yield BudgetItem.from_parent(
                    parent, name=one_line(name), checked=name, check=check, read=read, location=prompt.files.newest
                )
        if not self._writes and self._chosen is None:
            for glob in self._gate.settings.totals:
                yield BudgetItem.from_parent(
                    session,
                    name=one_line(f"prompt budget of {glob}"),
                    checked=f"group {glob}",
                    check=partial(self._check_group, glob),
                    read=list,
                    location=self._gate.config.root,
                )

    def _check_group(self, glob: str) -> list[Result]:
        return [self._gate.check_group(glob)]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note which of the gate's items are left to run."""
        self._outcomes.selected.update((item.nodeid, None) for item in session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """The same with xdist, where only the workers collect."""
        self._outcomes.selected.update((nodeid, None) for nodeid in ids)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Attach results to reports, which xdist sends from its workers to the controller."""
        report = yield
        if call.when == "call" and isinstance(item, BudgetItem):
            report.__dict__[_OUTCOME] = item.outcome
        if self._pending:
            # A fixture of the user's may check a prompt too, before its test and after it.
            report.__dict__[_BUILT] = json.dumps([built.to_dict() for built in self._pending])
            self._pending.clear()
        return report

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Without some of its tests, a run does not show that an entry has none."""
        self._outcomes.partial |= any(not isinstance(item, BudgetItem) for item in items)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """The same for modules that cannot be imported, or skip themselves."""
        self._outcomes.partial |= not report.passed

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """The same of a worker of xdist."""
        self._outcomes.partial |= getattr(node, "workeroutput", {}).get(_PARTIAL, True)

    def fixture(self, request: pytest.FixtureRequest) -> PromptBudget:
        """The value of the fixture ``prompt_budget`` for one test, with the limits of its marker."""
        marker = request.node.get_closest_marker(MARKER)
        name = request.node.name.partition("[")[0].removeprefix("test_")
        limits: dict[str, str] = {}
        if marker is not None:
            name = str(marker.args[0]) if marker.args else str(marker.kwargs.get("prompt", name))
            limits = {metric: value for metric, value in marker.kwargs.items() if metric != "prompt"}
        return PromptBudget(self._gate, name, limits, self._place(request.node), self._pending, self._writes)

    def _place(self, node: pytest.Item) -> TestPlace:
        """The id of a test from the project's root: pytest's own is from a root that depends on its arguments."""
        _, colons, names = node.nodeid.partition("::")
        argument = os.path.relpath(node.path, self._config.invocation_params.dir)
        return TestPlace(self._id_of(node.path) + colons + names, argument + colons + names)

    def _id_of(self, file: Path) -> str:
        root = self._gate.config.root
        return (file.relative_to(root) if file.is_relative_to(root) else file).as_posix()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect results; with xdist, on the controller."""
        if self._is_worker:
            return
        # pytest keeps reports until the end; the results are not kept twice.
        outcome, built = (json.loads(report.__dict__.pop(name, None) or "null") for name in (_OUTCOME, _BUILT))
        self._outcomes.add(report, outcome or {}, built or ())

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Write locks and reports, and see that the exit code agrees with them, whatever other plugins make of it."""
        if self._is_worker:
            self._config.workeroutput[_PARTIAL] = self._outcomes.partial  # type: ignore[attr-defined]  # xdist's own
        if self._is_worker or self._config.getoption("collectonly"):
            return (yield)
        self._results = self._finished()
        try:
            if self._writes and not cannot_be_used(self._results):
                self._written = self._update()
            elif not self._writes:
                self._measure_and_report()
        except PromptoptError as error:
            self._results.append(unusable("", error))
        done = yield
        if session.exitstatus not in (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR):
            if cannot_be_used(self._results):
                session.exitstatus = pytest.ExitCode.USAGE_ERROR
            elif any(result.failed for result in self._results) and session.exitstatus in _GOOD:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
        return done

    def _measure_and_report(self) -> None:
        impact = None
        try:
            impact = self._gate.impact()
            self._results += self._gate.loosened
        except PromptoptError as error:
            self._results.append(unusable("", error))
        self._impact = [] if impact is None else list(impact_lines(impact))
        self._lines = _report(self._config, self._results, impact)

    def _finished(self) -> list[Result]:
        """All results of the run."""
        attempts = [attempt for _, attempt in self._outcomes.attempts()]
        checked = {attempt.checked for attempt in attempts}
        results = [result for attempt in attempts for result in attempt.results]
        built = [built for attempt in attempts for built in attempt.built]
        results += shared_entries(built)
        unchecked = [
            result for name, item in self._expected() if name not in checked for result in self._unchecked(name, item)
        ]
        if not self._writes:
            results += [each.result for each in built]
            for prompt, cases in self._entries_without_check(built).items():
                for case, (why, gone) in cases.items():
                    (results if gone else unchecked).append(self._without_check(prompt, case, why, gone=gone))
        # What is not guarded is said, and is no check: a run of that alone checked nothing.
        if not (built or results or checked - {""} or self._gate.found.orphans or self._gate.left):
            results += self._nothing(unchecked)
        if not self._writes:
            results += self._gate.not_guarded({file for attempt in attempts for file in attempt.read})
        return results + unchecked

    def _entries_without_check(self, built: Sequence[Built]) -> dict[str, dict[str, tuple[str, bool]]]:
        """The locked entries of built prompts that no test checked: why, and whether their test is gone."""
        checked = {(each.prompt, each.case) for each in built}
        ids = {}
        for nodeid, attempt in self._outcomes.attempts():
            file, colons, names = nodeid.partition("::")
            ids[self._id_of(self._config.rootpath / file) + colons + names] = attempt.ended
        part = self._outcomes.partial or self._chosen is not None or self._config.getoption("prompt_budget_only")
        found: dict[str, dict[str, tuple[str, bool]]] = {}
        for prompt, lock in self._gate.found.built.items():
            for case, entry in lock.cases.items():
                if (prompt, case) not in checked:
                    test = entry.test or (case if "::" in case else "")
                    found.setdefault(prompt, {})[case] = _why_not(test, ids, self._gate.config.root, part=part)
        return found

    def _without_check(self, prompt: str, case: str, why: str, *, gone: bool) -> Result:
        if not gone:
            return self._gate.judged(Result(f"{prompt} [{case}]", "", (BudgetFinding("unchecked", "note", "", why),)))
        summary = f"removed: the lock has this entry, and {why}"
        details = ("restore the test, or remove the entry by a run of all tests: pytest --prompt-budget-update",)
        path = show_path(lock_path(self._gate.config.prompts, prompt))
        return Result(prompt, case, (BudgetFinding("removed", "error", "", summary, details, path, 1),))

    def _expected(self) -> Iterator[tuple[str, str]]:
        """What is to be checked, each with the end of the id of its item."""
        for name, prompt in self._gate.prompts.items():
            yield name, f"{prompt.path.name}::{one_line(name)}"
        if not self._writes:
            for glob in self._gate.settings.totals:
                yield f"group {glob}", one_line(f"prompt budget of {glob}")

    def _unchecked(self, name: str, item: str) -> Iterator[Result]:
        why, failed = self._outcomes.why_not(item)
        level: Severity = "error" if failed or not self._chooses else "note"
        finding = BudgetFinding("unchecked", level, "", why)
        yield self._gate.judged(Result(name, "", (finding,)))

    @property
    def _chooses(self) -> bool:
        """Whether this command line chooses among tests, so that a prompt may be left out."""
        return self._chosen is not None or self._given(_CHOOSING)

    def _nothing(self, unchecked: Sequence[Result]) -> Iterator[Result]:
        """The result of a run that checked nothing, unless the user chose other tests on the command line."""
        if not self._gate.found.guarded and not self._gate.found.built:
            yield unusable("", nothing_to_guard(self._gate.config))
            return
        if any(self._outcomes.why_not(item)[1] for _, item in self._expected()):
            # The run stopped, failed or skipped before it came to them: that is not the selection.
            return
        if self._given(_REPEATING) or (self._chooses and not self._given("--prompt-budget")):
            return
        what = "written" if self._writes else "checked"
        yield unusable("", UsageError(f"no prompt was {what}: the selection of tests leaves none of {len(unchecked)}"))

    def _update(self) -> list[Written]:
        reason, trim = self._config.getoption("prompt_budget_reason"), self._config.getoption("prompt_budget_trim")
        attempts = [attempt for _, attempt in self._outcomes.attempts()]
        chosen = {each.checked: (self._gate.prompts[each.checked], None) for each in attempts if each.checked}
        built = [built for attempt in attempts for built in attempt.built]
        drafts = draft_updates(chosen, reason, trim=trim)
        locks = self._gate.found.built
        orphans = {
            prompt: {case: locks[prompt].cases[case] for case, (_, gone) in cases.items() if gone}
            for prompt, cases in self._entries_without_check(built).items()
            if any(gone for _, gone in cases.values())
        }
        return write_locks([*drafts, *draft_built(self._gate, built, reason, trim=trim, orphans=orphans)], reason)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """What no failed item shows: warnings, causes, counts, what was written."""
        if self._is_worker or self._config.getoption("collectonly"):
            return
        write = terminalreporter.write_line
        terminalreporter.section("prompt budget", sep="=")
        for message in dict.fromkeys(error_lines(self._results)):
            write(f"ERROR: {message}", red=True)
        for file in self._written:
            write(f"{file.path}: {len(file.lines)} change{'s' * (len(file.lines) != 1)}")
        if self._writes:
            self._show_unwritten(write)
            return
        failed = [attempt for _, attempt in self._outcomes.attempts() if attempt.ended == "failed"]
        shown = {result.label for attempt in failed for result in attempt.all_results}
        unseen = [result for result in self._results if result.label not in shown and not cannot_be_used([result])]
        summary = summary_lines(self._results, failures=False)
        for line in (*self._lines, *failure_lines(unseen), *summary, *self._impact):
            write(line)

    def _show_unwritten(self, write: Callable[[str], None]) -> None:
        looked_at = any(attempt.checked or attempt.built for _, attempt in self._outcomes.attempts())
        if not self._written and looked_at and not cannot_be_used(self._results):
            write("nothing to write: the locks are up to date")
        for result in self._results:
            for finding in result.findings:
                if finding.kind == "unchecked":
                    write(f"not looked at: {result.label} ({finding.summary})")


def _why_not(test: str, ids: Mapping[str, str], root: Path, *, part: bool) -> tuple[str, bool]:
    """Why an entry was not checked, and whether that shows that its test is gone.

    Args:
        ids: The tests that ran, with how they ended.
        part: Whether only a part of the tests was collected.
    """
    if not test:
        return "an entry of version 0.1.0 does not say which test builds it", False
    file = test.partition("::")[0]
    if test in ids:
        if ids[test] == "passed":
            return f"{test} does not check it any more", True
        return f"{test} {ids[test] or 'did not end'}", False
    if not (root / file).is_file():
        return f"{file} is gone", True
    if part or not any(each.startswith(f"{file}::") for each in ids):
        return "not selected", False
    return f"{test} is gone", True
