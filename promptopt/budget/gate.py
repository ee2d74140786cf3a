"""The gate: prompts, limits and history of one run. The command line and the pytest plugin both use it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property

from promptopt.budget.base_comparison import former_name, measure_impact
from promptopt.budget.base_project import settings_at
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
from promptopt.budget.limits import CAUSES
from promptopt.budget.lock import LockEntry
from promptopt.budget.result import BudgetFinding, Result, unusable
from promptopt.budget.settings import BudgetSettings, Loosened, load_settings, loosened, written_at
from promptopt.budget.totals import check_group, check_prompt
from promptopt.config import load_config
from promptopt.errors import ConfigError, LockError, PromptoptError
from promptopt.files import git_error, show_path
from promptopt.templates import list_prompts

# Of prompts that share a looser limit, and of what passes under it.
_NAMED = 5


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

    def check_prompt(self, name: str, settings: BudgetSettings | None = None) -> list[Result]:
        """The results of every case of a prompt, and last the result for the whole prompt.

        If its suite, lock or price cannot be used, or a case cannot be measured, there is one result, which says so.

        Args:
            settings: Limits instead of the project's.
        """
        prompt = self.prompts[name]
        checker = self.checker if settings is None else replace(self.checker, settings=settings)
        try:
            results = [checker.check_case(prompt, case) for case in prompt.cases]
            whole = check_prompt(checker, prompt)
            more = list(drift_findings(checker.history.locks, prompt, checker.settings.drift_for(name)))
            limit = checker.settings.limits_for(name)["input"]
            more += edited_versions(checker.history, prompt, limit)
            more += unreached_findings(checker.history, prompt, limit)
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

    def check_group(self, glob: str, settings: BudgetSettings | None = None) -> Result:
        """The sum over a group of prompts."""
        try:
            limits = (settings or self.settings).totals.get(glob, {})
            return check_group(self.checker, glob, limits, list(self.prompts.values()))
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
        kinds = {"unguarded", "unchecked", "loosened"}
        findings = (replace(each, level="error") if each.kind in kinds else each for each in result.findings)
        return replace(result, findings=tuple(findings))

    @cached_property
    def loosened(self) -> list[Result]:
        """Results about limits that this branch has made looser, each with what only therefore passes."""
        base = self.checker.history.base
        if base is None:
            return []
        with settings_at(self.config, base.commit) as folder:
            try:
                then = load_config(folder)
                before = replace(load_settings(then), margin=then.margin)
            except ConfigError:
                # What does not say what may grow cannot be compared.
                return []
        now = replace(self.settings, margin=self.config.margin)
        before, known, names = self._locked_before(before, replace(now, overrides=()), base.commit)
        looser = list(loosened(before, replace(now, overrides=()), known))
        passing = list(self._passing(replace(before, overrides=now.overrides), {entry.of[0] for entry in looser}))
        path, lines = written_at(self.config)
        merged: dict[tuple[int, str, str, str, tuple[str, ...]], list[Loosened]] = {}
        for entry in looser:
            line = next((lines[key] for key in entry.keys if key in lines), 0)
            own = () if entry.of[0] in names and not entry.of[1] else entry.of
            merged.setdefault((line, entry.name, entry.before, entry.after, own), []).append(entry)
        results = (
            _loosened(entries, looser, names, passing, (show_path(path), line))
            for (line, *_), entries in merged.items()
        )
        return [self.judged(result) for result in results if result is not None]

    def _locked_before(
        self, before: BudgetSettings, now: BudgetSettings, commit: str
    ) -> tuple[BudgetSettings, Mapping[str, Mapping[str, LockEntry]], Collection[str]]:
        """The limits at a commit, for today's names; entries of the prompts whose limits may differ; all names."""
        locks = self.checker.history.locks
        there = set(locks.names(commit))
        # Each lock is read with a process of git.
        same = before == now
        names = there & {*self.prompts, *self.found.built}
        found = {name: locks.lock_at(commit, name) for name in ([] if same else sorted(names))}
        added = self.prompts.keys() - there
        gone = there - {prompt.name for prompt in list_prompts(self.config)} if added else set()
        former_locks = {name: lock for name in sorted(gone) if (lock := locks.lock_at(commit, name)) is not None}
        for name in sorted(added) if former_locks else ():
            former = former_name(self.prompts[name], former_locks)
            if former is not None:
                found[name] = former_locks[former]
                before = before.renamed(former, name)
        known = {name: lock.cases for name, lock in found.items() if lock is not None}
        return before, known, names | known.keys()

    def _passing(self, before: BudgetSettings, names: Collection[str]) -> Iterator[_Passing]:
        """What the limits of the base report of prompts and groups, and today's do not, or only as a warning."""
        for name in self.prompts:
            if name in names:
                yield from _weaker(self.check_prompt(name, before), self.check_prompt(name))
        for glob in before.totals:
            if f"group {glob}" in names:
                yield from _weaker([self.check_group(glob, before)], [self.check_group(glob)])

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
        yield from self.loosened

    def impact(self) -> Impact | None:
        """What this branch changes in the bill; ``None`` if there is nothing to compare it with.

        Raises:
            PromptoptError: git cannot give the project at the base.
        """
        base = self.checker.history.base
        return None if base is None else measure_impact(self.config, base, self.prompts, only=bool(self._names))


@dataclass(frozen=True, slots=True)
class _Passing:
    """What one limit of the base reports, and today's lets pass.

    Attributes:
        text: The finding in one line.
    """

    limit: str
    prompt: str
    case: str
    text: str


def _weaker(before: Sequence[Result], now: Sequence[Result]) -> Iterator[_Passing]:
    """The findings of the first check that the second one does not have, or only as warnings."""
    today = _worst(now)
    for key, (level, passing) in _worst(before).items():
        if level > today.get(key, (0, passing))[0]:
            yield passing


def _worst(results: Sequence[Result]) -> dict[tuple[str, str, str], tuple[int, _Passing]]:
    """For each limit of a case or a prompt the worst finding, as 1 for a warning and 2 for an error."""
    found: dict[tuple[str, str, str], tuple[int, _Passing]] = {}
    for result in results:
        for finding in result.findings:
            level = ("note", "warn", "error").index(finding.level)
            limit = _limit_of(finding)
            key = limit, result.prompt, result.case
            if limit and level > found.get(key, (0,))[0]:
                found[key] = level, _Passing(*key, f"{result.label}  {finding.summary}")
    return found


def _limit_of(finding: BudgetFinding) -> str:
    """The limit that a finding is judged by; empty for none."""
    if finding.kind == "cause":
        return finding.metric if finding.metric in CAUSES else "parameters"
    return {"stale": "recordings", "missing": "recordings", "drift": "drift"}.get(finding.kind, finding.metric)


def _loosened(
    entries: Sequence[Loosened],
    looser: Sequence[Loosened],
    names: Collection[str],
    passing: Sequence[_Passing],
    place: tuple[str, int],
) -> Result | None:
    """One limit that became looser.

    Args:
        entries: The prompts, the case or the group that it is of.
        looser: All limits that did.
        names: All prompts that were guarded on the base.
        passing: What passes because of them.
        place: The file, and the line where it is written; 0: it is not.
    """
    first = entries[0]
    of = {entry.of for entry in entries}
    own_cases = {(entry.name, *entry.of) for entry in looser if entry.of[1]}
    texts = [
        each.text
        for each in passing
        if each.limit == first.name
        and ((each.prompt, each.case) in of or (each.limit, each.prompt, each.case) not in own_cases)
        and not {(each.prompt, each.case), (each.prompt, "")}.isdisjoint(of)
    ]
    if first.implied and not texts:
        return None
    labels = [Result(*each).label for each in sorted(of)]
    more = f" and {len(labels) - _NAMED} more" if len(labels) > _NAMED else ""
    subject = "" if {each[0] for each in of if not each[1]} == set(names) else f" of {', '.join(labels[:_NAMED])}{more}"
    path, line = place
    shown = f"{path}:{line}" if line else path
    summary = f"limit loosened on this branch: {first.name}{subject}: {first.before} → {first.after} ({shown})"
    details = [f"passes only under it: {text}" for text in texts[:_NAMED]]
    if len(texts) > _NAMED:
        details.append(f"and {len(texts) - _NAMED} more")
    metric = "" if first.name in ("drift", "recordings", "strict") else first.name
    return Result("", "", (BudgetFinding("loosened", "warn", metric, summary, tuple(details), path, line),))
