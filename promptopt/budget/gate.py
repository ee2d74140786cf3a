"""The gate: prompts, limits and history of one run. The command line and the pytest plugin both use it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import cached_property

from promptopt.budget.baseline import History
from promptopt.budget.check import Checker
from promptopt.budget.drift import drift_findings
from promptopt.budget.guarded_prompt import GuardedPrompt, guarded_prompts
from promptopt.budget.history import LockLog
from promptopt.budget.impact import Impact, measure_impact
from promptopt.budget.result import Result
from promptopt.budget.settings import load_settings
from promptopt.budget.totals import check_group, check_prompt
from promptopt.config import load_config


class Gate:
    """All that one run checks.

    Args:
        against: The git reference that this branch is compared with.
        overrides: Limits of the command line.
        names: Only these prompts; by default every prompt with a suite or a lock.

    Raises:
        PromptoptError: Limits, locks, suites or the reference cannot be used; nothing was checked.
    """

    def __init__(
        self,
        *,
        against: str | None = None,
        overrides: Sequence[str] = (),
        names: Collection[str] = (),
    ) -> None:
        self.config = load_config()
        self.settings = load_settings(self.config, overrides)
        self.checker = Checker(self.settings, History(self.config, against))
        self._names = names
        self._log = LockLog(self.config)

    @cached_property
    def prompts(self) -> dict[str, GuardedPrompt]:
        """The guarded prompts by name."""
        return {prompt.name: prompt for prompt in guarded_prompts(self.config, self._names)}

    def check_prompt(self, name: str) -> list[Result]:
        """The results of every case of a prompt, and last the result for the whole prompt.

        Raises:
            PromptoptError: Its suite, lock or price cannot be used, or a case cannot be measured.
        """
        prompt = self.prompts[name]
        results = [self.checker.check_case(prompt, case) for case in prompt.cases]
        whole = check_prompt(self.checker, prompt)
        drift = drift_findings(self._log, prompt, self.settings.drift_for(name))
        results.append(replace(whole, findings=(*whole.findings, *drift)))
        if not self.settings.totals:
            prompt.forget()
        return results

    def check_group(self, glob: str) -> Result:
        """The sum over a group of prompts."""
        return check_group(self.checker, glob, self.settings.totals[glob], list(self.prompts.values()))

    def check(self) -> Iterator[Result]:
        """All results, prompt by prompt; groups last, unless only some prompts were named."""
        for name in self.prompts:
            yield from self.check_prompt(name)
        if not self._names:
            for glob in self.settings.totals:
                yield self.check_group(glob)

    def impact(self) -> Impact | None:
        """What this branch changes in the bill; ``None`` if there is nothing to compare it with.

        Raises:
            PromptoptError: git cannot give the project at the base.
        """
        base = self.checker.history.base
        return None if base is None else measure_impact(self.config, base, self.prompts, only=bool(self._names))
