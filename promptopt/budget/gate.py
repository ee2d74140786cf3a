"""The gate: prompts, limits and history of one run. The command line and the pytest plugin both use it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property

from promptopt.budget.base_comparison import measure_impact
from promptopt.budget.baseline import History
from promptopt.budget.blind_spots import edited_versions, unreached_findings
from promptopt.budget.check import Checker
from promptopt.budget.discovery import (
    Discovered,
    discover,
    files_read,
    included_files,
    left_the_gate,
    nothing_to_guard,
    other_projects,
    without_suite,
)
from promptopt.budget.drift import drift_findings
from promptopt.budget.failure_text import update_command
from promptopt.budget.guarded_prompt import GuardedPrompt
from promptopt.budget.impact import Impact
from promptopt.budget.result import BudgetFinding, Result, unusable
from promptopt.budget.settings import load_settings
from promptopt.budget.totals import check_group, check_prompt
from promptopt.config import load_config
from promptopt.errors import LockError, PromptoptError
from promptopt.files import git_error


class Gate:
    """All that one run checks.

    Args:
        against: The git reference that this branch is compared with.
        overrides: Limits of the command line.
        names: Only these prompts; by default every prompt with a suite or a lock.
        strict: Whether a prompt that is not guarded is a failure, whatever the settings say.

    Raises:
        PromptoptError: Limits or the reference cannot be used; nothing was checked.
    """

    def __init__(
        self,
        *,
        against: str | None = None,
        overrides: Sequence[str] = (),
        names: Collection[str] = (),
        strict: bool = False,
    ) -> None:
        self.config = load_config()
        self.settings = load_settings(self.config, overrides)
        self.checker = Checker(self.settings, History(self.config, against))
        self.strict = strict or self.settings.strict
        self._names = names

    @cached_property
    def found(self) -> Discovered:
        """The prompts, suites and locks of the project. Raises UsageError if a named prompt has no suite."""
        return discover(self.config, self._names)

    @property
    def prompts(self) -> dict[str, GuardedPrompt]:
        """The guarded prompts by name."""
        return dict(self.found.guarded)

    def check_prompt(self, name: str) -> list[Result]:
        """The results of every case of a prompt, and last the result for the whole prompt.

        If its suite, lock or price cannot be used, or a case cannot be measured, there is one result, which says so.
        """
        prompt = self.prompts[name]
        try:
            results = [self.checker.check_case(prompt, case) for case in prompt.cases]
            whole = check_prompt(self.checker, prompt)
            more = list(drift_findings(self.checker.history.locks, prompt, self.settings.drift_for(name)))
            limit = self.settings.limits_for(name)["input"]
            more += edited_versions(self.checker.history, prompt, limit)
            more += unreached_findings(self.checker.history, prompt, limit)
        except PromptoptError as error:
            return [self._unusable(prompt, error)]
        results.append(replace(whole, findings=(*whole.findings, *more)))
        return results

    def _unusable(self, prompt: GuardedPrompt, error: PromptoptError) -> Result:
        result = unusable(prompt.name, error)
        command = update_command(prompt.name)
        with suppress(PromptoptError):
            if isinstance(error, LockError) and command in result.text and self.checker.earlier.need_reason(prompt):
                # The remedy is to lock what is there now, which costs more than what git has.
                (finding,) = result.findings
                details = (line.replace(command, update_command(prompt.name, reason=True)) for line in finding.details)
                return replace(result, findings=(replace(finding, details=tuple(details)),))
        return result

    def check_group(self, glob: str) -> Result:
        """The sum over a group of prompts."""
        try:
            return check_group(self.checker, glob, self.settings.totals[glob], list(self.prompts.values()))
        except PromptoptError as error:
            return unusable(f"group {glob}", error)

    @cached_property
    def left(self) -> list[Result]:
        """Results about prompts that are guarded on the base, but not here."""
        base = None if self._names else self.checker.history.base
        return [] if base is None else list(left_the_gate(self.config, self.found, base, self.checker.history.locks))

    def files_read(self, name: str) -> list[str]:
        """The files without a suite of their own that the cases of a prompt have read: they are guarded with it."""
        return sorted(files_read(self.prompts[name], self.config) & self._loose)

    @cached_property
    def _loose(self) -> set[str]:
        prompts = self.config.prompts
        return {
            path.relative_to(prompts).as_posix()
            for files in self.found.unguarded.values()
            for _, path in files.versions
        }

    def not_guarded(self, read: Collection[str]) -> list[Result]:
        """Results about locks without a prompt or suite, and about prompts that nothing guards.

        Args:
            read: Files that the cases of guarded prompts have read.
        """
        included = {*read, *included_files(self.config, self._loose - set(read))}
        results = [*self.found.orphans, *self.left, *without_suite(self.config, self.found.unguarded, included)]
        results += other_projects(self.config)
        results += self._without_git()
        return [self.judged(result) for result in results]

    def _without_git(self) -> Iterator[Result]:
        """A warning if git has the project, and says nothing of it."""
        if self.checker.history.base is None and (refused := git_error(self.config.root)):
            summary = f"git: {refused.splitlines()[0]}"
            unknown = "all growth counts as this branch's; earlier texts, and what the branch changes, are not known"
            details = (*(line.strip() for line in refused.splitlines()[1:] if line.strip()), unknown)
            yield Result("", "", (BudgetFinding("incomparable", "warn", "", summary, details),))

    def judged(self, result: Result) -> Result:
        """A result about something that was not checked: a failure if the gate is strict."""
        if not self.strict:
            return result
        levels = {"unguarded", "unchecked"}
        findings = (replace(each, level="error") if each.kind in levels else each for each in result.findings)
        return replace(result, findings=tuple(findings))

    def check(self) -> Iterator[Result]:
        """All results, prompt by prompt; groups and what is not guarded last, unless only some prompts were named.

        Raises:
            UsageError: There is nothing to guard.
        """
        if not self.found.guarded and not self.found.orphans and not self.left:
            raise nothing_to_guard(self.config, self.found.built)
        read: set[str] = set()
        for name in self.prompts:
            yield from self.check_prompt(name)
            read.update(self.files_read(name))
        if not self._names:
            for glob in self.settings.totals:
                yield self.check_group(glob)
            yield from self.not_guarded(read)
            for name in self.found.built:
                finding = BudgetFinding("unchecked", "note", "", "tests build it, and only pytest checks it")
                yield self.judged(Result(name, "", (finding,)))

    def impact(self) -> Impact | None:
        """What this branch changes in the bill; ``None`` if there is nothing to compare it with.

        Raises:
            PromptoptError: git cannot give the project at the base.
        """
        base = self.checker.history.base
        return None if base is None else measure_impact(self.config, base, self.prompts, only=bool(self._names))
