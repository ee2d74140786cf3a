"""What a prompt was before: the text that was locked, and the text on the branch that this one comes from.

A lock holds counts, not texts. The locked text is looked for among the versions on disk and in git, and is taken only
where it renders to the locked digest, so that it is certainly the text that was locked.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from promptopt.budget.guarded_prompt import GuardedPrompt, request_digest, sources_digest
from promptopt.budget.lock import Entry
from promptopt.config import Config
from promptopt.errors import PromptoptError, UsageError
from promptopt.suites import Case
from promptopt.templates import Template, load_prompt
from promptopt.tokens import count_tokens


@dataclass(frozen=True, slots=True)
class Base:
    """The commit that this branch is compared with.

    Attributes:
        label: As a person would say it: ``main``.
        apart: Whether it is another commit than the one that is checked out: this branch has changes of its own.
    """

    label: str
    commit: str
    apart: bool


class History:
    """Earlier texts of the project's prompts. git is asked only when something grew.

    Args:
        against: The reference that the user gave; ``None``: the merge base with the main branch, where git knows one.

    Raises:
        UsageError: git cannot reach the reference.
    """

    def __init__(self, config: Config, against: str | None = None) -> None:
        self._config = config
        self._against = against
        self._templates: dict[tuple[str, str], Template | None] = {}
        if against is not None:
            assert self.base is not None

    @cached_property
    def base(self) -> Base | None:
        """What to compare this branch with; ``None`` where there is no git, or no other branch."""
        head = self._git("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        if self._against is not None:
            if head is None:
                raise UsageError(
                    f"--prompt-budget-against={self._against}: {self._config.root} is in no git repository"
                )
            commit = self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{self._against}^{{commit}}")
            if commit is None:
                raise UsageError(
                    f"--prompt-budget-against={self._against}: git knows no such commit here. A shallow clone "
                    "holds only the newest one: in GitHub Actions, give actions/checkout `fetch-depth: 0`"
                )
            merged = self._git("merge-base", commit, "HEAD")
            if merged is None:
                raise UsageError(
                    f"--prompt-budget-against={self._against}: it has no commit in common with HEAD. A shallow clone "
                    "lacks the history: in GitHub Actions, give actions/checkout `fetch-depth: 0`"
                )
            return Base(self._against, merged, apart=True)
        if head is None:
            return None
        for name in self._main_branches():
            if merged := self._git("merge-base", name, "HEAD"):
                return Base(name, merged, apart=merged != head)
        return None

    @staticmethod
    def _main_branches() -> Iterator[str]:
        target = os.environ.get("GITHUB_BASE_REF")
        if target:
            yield f"origin/{target}"
        yield from ("origin/HEAD", "origin/main", "origin/master", "main", "master")

    def _git(self, *arguments: str) -> str | None:
        try:
            command = ["git", "-C", str(self._config.root), *arguments]
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - no shell, fixed program
        except FileNotFoundError:
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    def at_base(self, prompt: GuardedPrompt) -> Template | None:
        """The prompt's newest version on the base; ``None`` where it is not there, or there is no base."""
        if self.base is None:
            return None
        newest = self._newest(prompt, self.base.commit)
        return None if newest is None else self._load(newest, self.base.commit)

    def locked(self, prompt: GuardedPrompt, case: Case, entry: Entry) -> Template | None:
        """The very template that was locked for a case; ``None`` where it cannot be found."""
        sources = prompt.lock.sources if prompt.lock else ""
        if sources and sources == prompt.sources:
            return prompt.template
        for template in self._candidates(prompt):
            try:
                if sources and sources_digest(template) == sources:
                    return template
                if request_digest(template.render(case.vars)) == entry.request:
                    return template
            except PromptoptError:
                continue
        return None

    def _candidates(self, prompt: GuardedPrompt) -> Iterator[Template]:
        for version, path in reversed(prompt.files.versions):
            if prompt.lock is not None and version == prompt.lock.measured:
                try:
                    yield load_prompt(path, config=self._config)
                except PromptoptError:
                    pass
        commits = ["HEAD", self.base.commit] if self.base else ["HEAD"]
        if locked_at := self._git("log", "-1", "--format=%H", "--", str(prompt.path)):
            commits.append(locked_at)
        for commit in dict.fromkeys(commits):
            for file in (self._measured_file(prompt), self._newest(prompt, commit)):
                found = None if file is None else self._load(file, commit)
                if found is not None:
                    yield found

    def _measured_file(self, prompt: GuardedPrompt) -> Path | None:
        version = prompt.lock.measured if prompt.lock else ""
        return prompt.files.newest.with_name(f"{version}.j2") if version else None

    def _newest(self, prompt: GuardedPrompt, commit: str) -> Path | None:
        """The file of the newest version at a commit."""
        if not prompt.files.versions[-1][0]:
            return prompt.files.newest
        folder = prompt.files.newest.parent
        listed = self._git("ls-tree", "--name-only", commit, f"{os.path.relpath(folder, self._config.root)}/")
        numbers = [
            int(name.stem[1:])
            for name in map(Path, (listed or "").splitlines())
            if name.suffix == ".j2" and name.stem.startswith("v") and name.stem[1:].isdigit()
        ]
        return folder / f"v{max(numbers)}.j2" if numbers else None

    def _load(self, path: Path, commit: str) -> Template | None:
        key = (str(path), commit)
        if key not in self._templates:
            try:
                self._templates[key] = load_prompt(f"{commit}:{path}", config=self._config)
            except PromptoptError:
                self._templates[key] = None
        return self._templates[key]


def input_tokens(template: Template, case: Case, model: str) -> int | None:
    """Input tokens of a case with an earlier template; ``None`` where it does not render for it."""
    try:
        return count_tokens(template.render(case.vars), model).tokens
    except PromptoptError:
        return None
