"""What a prompt was before: the locked text and counts, and the text on the branch that this one comes from.

A lock has counts, not texts. The locked text is looked for among the versions on disk and in git, and used only if it
renders to the locked digest, so that it is certainly the text that was locked.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from promptopt.budget.guarded_prompt import (
    GuardedPrompt,
    MeasuredCase,
    prefix_tokens,
    request_digest,
    sources_digest,
    tokenizer_name,
)
from promptopt.budget.history import LockLog
from promptopt.budget.lock import LockEntry
from promptopt.config import Config
from promptopt.errors import PromptoptError, UsageError
from promptopt.files import run_git
from promptopt.suites import Case
from promptopt.templates import Template, load_prompt
from promptopt.templates.names import version_number
from promptopt.tokens import SHIPPED, Tokenizer, count_tokens, schema_tokens
from promptopt.values import Rendered

_SHALLOW = "in GitHub Actions, give actions/checkout `fetch-depth: 0`"


@dataclass(frozen=True, slots=True)
class Base:
    """The commit that this branch is compared with.

    Attributes:
        label: As the user would name it: ``main``.
        apart: Whether this branch may have changes of its own: the user named the base, or it is not HEAD.
    """

    label: str
    commit: str
    apart: bool


class History:
    """Earlier texts of the project's prompts. git runs only if a reference is given or something grew.

    Args:
        against: The reference that the user gave; ``None``: the merge base with the main branch, if git knows one.

    Raises:
        UsageError: git cannot reach the reference.
    """

    def __init__(self, config: Config, against: str | None = None) -> None:
        self._config = config
        self._given = None if against is None else self._reached(against)
        self._templates: dict[tuple[str, str], Template | None] = {}

    @cached_property
    def locks(self) -> LockLog:
        """The committed locks."""
        return LockLog(self._config)

    @cached_property
    def base(self) -> Base | None:
        """What to compare this branch with; ``None`` if there is no git repository, or no other branch."""
        if self._given is not None:
            return self._given
        head = self._head()
        for name in self._main_branches() if head else ():
            if merged := self._git("merge-base", name, "HEAD"):
                return Base(name, merged, apart=merged != head)
        return None

    def _reached(self, against: str) -> Base:
        failed = f"cannot compare with {against!r}"
        if self._head() is None:
            raise UsageError(f"{failed}: {self._config.root} is not in a git repository")
        commit = self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{against}^{{commit}}")
        if commit is None:
            raise UsageError(
                f"{failed}: git knows no such commit here. A shallow clone has only the newest commit: {_SHALLOW}"
            )
        merged = self._git("merge-base", commit, "HEAD")
        if merged is None:
            raise UsageError(
                f"{failed}: it has no commit in common with HEAD. A shallow clone lacks the history: {_SHALLOW}"
            )
        return Base(against, merged, apart=True)

    def _head(self) -> str | None:
        return self._git("rev-parse", "--verify", "--quiet", "HEAD^{commit}")

    @staticmethod
    def _main_branches() -> Iterator[str]:
        target = os.environ.get("GITHUB_BASE_REF")
        if target:
            yield f"origin/{target}"
        yield from ("origin/HEAD", "origin/main", "origin/master", "main", "master")

    def _git(self, *arguments: str) -> str | None:
        try:
            printed = run_git(self._config.root, *arguments)
        except FileNotFoundError:
            return None
        return None if printed is None else printed.decode("utf-8", "replace").strip()

    def at_base(self, prompt: GuardedPrompt) -> Template | None:
        """The prompt's newest version on the base; ``None`` if there is none, or no base."""
        if self.base is None:
            return None
        newest = self._newest(prompt, self.base.commit)
        return None if newest is None else self._load(newest, self.base.commit)

    def locked(self, prompt: GuardedPrompt, case: Case, entry: LockEntry) -> Template | None:
        """The very template that was locked for a case; ``None`` if it cannot be found."""
        sources = prompt.lock.sources if prompt.lock else ""
        if sources and sources == prompt.sources:
            return prompt.template
        for template in self._candidates(prompt):
            try:
                if sources and sources_digest(template) == sources:
                    return template
                if request_digest(template.render(case.vars)) == entry.request:
                    return template
                if sources and _is_locked_by_0_1_0(prompt, template, sources):
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
        names = [name for name in map(Path, (listed or "").splitlines()) if name.suffix == ".j2"]
        numbers = [number for name in names if (number := version_number(name)) is not None]
        return folder / f"v{max(numbers)}.j2" if numbers else None

    def _load(self, path: Path, commit: str) -> Template | None:
        key = (str(path), commit)
        if key not in self._templates:
            try:
                self._templates[key] = load_prompt(f"{commit}:{path}", config=self._config)
            except PromptoptError:
                self._templates[key] = None
        return self._templates[key]


@dataclass(frozen=True, slots=True)
class Locked:
    """A locked entry, counted with today's tokenizer and variables.

    Attributes:
        entry: Recounted if the tokenizer or the variables changed.
        template: The template that was locked, if it was needed and found.
        changed: The case has other variables than the locked one.
    """

    entry: LockEntry
    template: Template | None = None
    changed: bool = False


def _is_locked_by_0_1_0(prompt: GuardedPrompt, template: Template, sources: str) -> bool:
    """Whether a lock of version 0.1.0 is of this text.

    Its digest leaves out the first characters; a case that is unchanged shows that they are the same.
    """
    if prompt.lock is None or sources_digest(template, as_in_0_1_0=True) != sources:
        return False
    return any(
        request_digest(template.render(prompt.cases[name].vars)) == entry.request
        for name, entry in prompt.lock.cases.items()
        if name in prompt.cases
    )


def locked_today(history: History, prompt: GuardedPrompt, measured: MeasuredCase, entry: LockEntry) -> Locked | None:
    """A locked entry as it counts today; ``None`` if it cannot be compared."""
    lock = prompt.lock
    assert lock is not None
    same_tokenizer = lock.basis.tokenizer == prompt.basis.tokenizer
    if entry.request == measured.entry.request:
        if same_tokenizer:
            return Locked(entry)
        # The same text: what it counts today is what the locked one counts today.
        now = measured.entry
        output = now.output if entry.output_is == now.output_is else entry.output
        prefix = now.cacheable
        if lock.sources not in (prompt.sources, sources_digest(prompt.template, as_in_0_1_0=True)):
            prefix = round(entry.cacheable * now.input / entry.input)
        return Locked(replace(entry, input=now.input, cacheable=prefix, output=output))
    changed = entry.variables != measured.entry.variables
    if same_tokenizer and not changed:
        return Locked(entry)
    template = history.locked(prompt, measured.case, entry)
    if template is not None:
        recounted = _recount(prompt, template, measured.case)
        if recounted is not None:
            return Locked(replace(entry, input=recounted[0], cacheable=recounted[1]), template, changed)
    if changed:
        return None
    return _by_old_tokenizer(lock.basis.tokenizer, prompt.render(measured.case), measured, entry)


def _recount(prompt: GuardedPrompt, template: Template, case: Case) -> tuple[int, int] | None:
    """Input and static prefix of the locked template with today's variables and tokenizer."""
    total = input_tokens(template, case, prompt.variant.priced_as)
    return None if total is None else (total, min(prefix_tokens(template, prompt.tokenizer), total))


def _by_old_tokenizer(name: str, rendered: Rendered, measured: MeasuredCase, entry: LockEntry) -> Locked | None:
    """The locked entry if only its counts are left: the prompt grew by what it grew under the old tokenizer."""
    encoding = name.partition("@")[0]
    if encoding not in SHIPPED or tokenizer_name(Tokenizer(encoding, exact=True)) != name:
        return None
    old = Tokenizer(encoding, exact=True)
    today = sum(old.count(message.content) for message in rendered.messages)
    counted = count_tokens(rendered.messages)
    schema = rendered.output_schema
    today += counted.framing + (0 if schema is None else schema_tokens(schema, old))
    growth = today - entry.input
    return Locked(replace(entry, input=measured.entry.input - growth, cacheable=measured.entry.cacheable))


def input_tokens(template: Template, case: Case, model: str) -> int | None:
    """Input tokens of a case with an earlier template; ``None`` if the template does not render for it."""
    try:
        return count_tokens(template.render(case.vars), model).tokens
    except PromptoptError:
        return None
