"""What a prompt was before: the locked text and counts, and the text on the branch that this one comes from.

A lock has counts, not texts. The locked text is looked for among the versions on disk and in git, and used only if it
renders to the locked digest, so that it is certainly the text that was locked.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from shlex import quote
from statistics import fmean

from promptopt.budget.base_project import Changed, changed_since, names_function, settings_at
from promptopt.budget.growth import Explanation, explain_growth
from promptopt.budget.guarded_prompt import (
    GuardedPrompt,
    MeasuredCase,
    case_digest,
    case_tokens,
    output_cap,
    sources_digest,
    tokenizer_name,
)
from promptopt.budget.history import LockLog
from promptopt.budget.lock import LockEntry
from promptopt.config import Config, load_config
from promptopt.errors import ConfigError, PromptoptError, UsageError
from promptopt.experiment.conversation import next_request, render_case
from promptopt.experiment.variant import Variant, make_variant
from promptopt.files import decode, git_error, run_git
from promptopt.prices import Price, find_tier_price
from promptopt.suites import Case
from promptopt.templates import Template, load_prompt
from promptopt.templates.chat_file import SUFFIXES
from promptopt.templates.names import SUFFIX, version_number
from promptopt.tokens import Tokenizer, count_tokens, definition_tokens
from promptopt.values import Request, Response
from promptopt.vocabularies import SHIPPED

# So many different growths of a prompt are attributed to lines.
_ATTRIBUTED = 20
_FETCH = "fetch what is missing: promptopt budget fetch"


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
        self._newest_files: dict[tuple[str, str], Path | None] = {}
        self._sides: dict[str, BaseSide | None] = {}
        self._explained: dict[str, dict[int, Explanation]] = {}
        self._earlier: dict[str, Earlier] = {}

    @cached_property
    def locks(self) -> LockLog:
        """The committed locks."""
        return LockLog(self._config)

    @cached_property
    def base(self) -> Base | None:
        """What to compare this branch with; ``None`` if there is no git repository, or no other branch."""
        if self._given is not None:
            return self._given
        head = self._head
        for name in self._main_branches() if head else ():
            if merged := self._git("merge-base", name, "HEAD"):
                return Base(name, merged, apart=merged != head)
        return None

    def _reached(self, against: str) -> Base:
        failed = f"cannot compare with {against!r}"
        if self._head is None:
            root = self._config.root
            raise UsageError(f"{failed}: {git_error(root) or f'{root} is not in a git repository'}")
        commit = self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{against}^{{commit}}")
        if commit is None:
            raise UsageError(
                f"{failed}: git knows no such commit here. If it is the clone that lacks it, {_FETCH} {quote(against)}"
            )
        merged = self._git("merge-base", commit, "HEAD")
        if merged is None:
            raise UsageError(
                f"{failed}: it has no commit in common with HEAD. If the clone is shallow, {_FETCH} {quote(against)}"
            )
        return Base(against, merged, apart=True)

    @cached_property
    def _head(self) -> str | None:
        return self._git("rev-parse", "--verify", "--quiet", "HEAD^{commit}")

    @staticmethod
    def _main_branches() -> Iterator[str]:
        if target := os.environ.get("GITHUB_BASE_REF"):
            yield f"origin/{target}"
        yield from ("origin/HEAD", "origin/main", "origin/master", "main", "master")

    def _git(self, *arguments: str) -> str | None:
        try:
            printed = run_git(self._config.root, *arguments)
        except FileNotFoundError:
            return None
        return None if printed is None else printed.decode("utf-8", "replace").strip()

    def untouched(self, prompt: GuardedPrompt) -> bool:
        """Whether this branch changes nothing that the prompt's numbers depend on: its text, cases, answers, limits."""
        if self.base is None or not self.base.apart or prompt.name in self._changed:
            return False
        # A suite may read files that are nobody's prompt.
        return "file:" not in decode(prompt.suite.path.read_bytes(), str(prompt.suite.path))

    @cached_property
    def _changed(self) -> Changed:
        assert self.base is not None
        return changed_since(self._config, self.base.commit)

    @cached_property
    def _config_at_base(self) -> Config:
        """Today's settings with the models of the base's: one of the two may be what changed."""
        assert self.base is not None
        with settings_at(self._config, self.base.commit) as folder:
            try:
                then = load_config(folder)
            except ConfigError:
                return self._config
        return replace(self._config, model=then.model, price_as=then.price_as)

    def at_base(self, prompt: GuardedPrompt) -> BaseSide | None:
        """The prompt on the base; ``None`` if it is not there, or there is no base."""
        if prompt.name not in self._sides:
            self._sides[prompt.name] = self._side(prompt)
        return self._sides[prompt.name]

    def _side(self, prompt: GuardedPrompt) -> BaseSide | None:
        newest = None if self.base is None else self._newest(prompt, self.base.commit)
        template = None if newest is None or self.base is None else self.load_at(newest, self.base.commit)
        if template is None or self._has_other_code(prompt):
            return None
        try:
            variant = make_variant(template, prompt.suite, self._config_at_base)
        except PromptoptError:
            return None
        tier = template.front.params.service_tier
        lock = prompt.lock
        if variant.priced_as == prompt.variant.priced_as and tier == prompt.template.front.params.service_tier:
            price: Price | None = prompt.gate_price
        elif lock is not None and variant.priced_as == lock.basis.model:
            price = prompt.locked_price
        else:
            price = find_tier_price(variant.priced_as, tier, config=self._config)
        if price is None:
            return None
        return BaseSide(template, variant, price, sources_digest(template))

    def _has_other_code(self, prompt: GuardedPrompt) -> bool:
        """Whether Python functions are a prompt's tools, and other ones than were locked, which this branch may do."""
        known = None if prompt.lock is None else prompt.lock.call
        if known is None or known.schema == prompt.call.schema or not names_function(prompt.files.newest):
            return False
        return self._changed.code

    def case_at_base(
        self, prompt: GuardedPrompt, measured: MeasuredCase, locked: LockEntry, *, dollars: bool = False
    ) -> LockEntry | None:
        """What a case of today costs on the base; ``None`` if it cannot be said.

        Args:
            dollars: Counted with the base's tokenizer, for its price; else with today's, as the locked entry is.
        """
        side = self.at_base(prompt)
        if side is None:
            return None
        model = side.variant.priced_as if dollars else prompt.variant.priced_as
        as_counted_today = model == prompt.variant.priced_as and side.sources != ""
        lock = prompt.lock
        if as_counted_today and lock is not None and side.sources == lock.sources:
            # The text of the base is the locked one.
            total, cacheable = locked.input, locked.cacheable
        else:
            counted = input_tokens(side.template, measured.case, model)
            if as_counted_today and side.sources == prompt.sources:
                counted = measured.entry.input, measured.entry.cacheable
            if counted is None:
                return None
            total, cacheable = counted
        output = output_cap(side.template, measured.case)
        source = "cap"
        if measured.entry.output_is == "recorded":
            output, source = side.recorded_output(measured), "recorded"
            if output is None and measured.status == "missing":
                # It is held at the locked length today.
                output = locked.output
        return replace(locked, input=total, cacheable=cacheable, output=output, output_is=source)

    def locked(self, prompt: GuardedPrompt, case: Case, entry: LockEntry) -> Template | None:
        """The very template that was locked for a case; ``None`` if it cannot be found."""
        sources = prompt.lock.sources if prompt.lock else ""
        now = prompt.measure(case.name).entry
        # Two locks merge line by line: the head may be of one text, and the entry of the other.
        if sources == prompt.sources and now.variables == entry.variables and now.request != entry.request:
            sources = ""
        if sources and sources == prompt.sources:
            return prompt.template
        known = self._earlier.setdefault(prompt.name, Earlier(self._candidates(prompt)))
        for template, its_digest in known:
            if sources and its_digest == sources:
                return template
        for template, _ in known:
            try:
                if case_digest(template, case) == entry.request:
                    return template
                if sources and _is_locked_by_0_1_0(prompt, template, sources):
                    return template
            except PromptoptError:
                continue
        return None

    def explained(
        self, prompt: GuardedPrompt, before: Template, measured: MeasuredCase, locked: LockEntry
    ) -> Explanation:
        """Which lines made a case longer.

        Cases that grew by as much have grown in the same lines, but for loops that happen to print as many tokens: the
        first of them is attributed, and of many different growths a few, whose lines the others have nearly.
        """
        known = self._explained.setdefault(prompt.name, {})
        growth = measured.entry.input - locked.input
        if growth not in known:
            if len(known) >= _ATTRIBUTED:
                nearest = min(known, key=lambda other: abs(other - growth))
                return replace(known[nearest], of_growth=nearest)
            known[growth] = explain_growth(before, prompt.template, measured.case, prompt.variant.priced_as)
        return known[growth]

    def _candidates(self, prompt: GuardedPrompt) -> Iterator[Template]:
        for version, path in reversed(prompt.files.versions):
            if prompt.lock is not None and version == prompt.lock.measured:
                try:
                    yield prompt.template if path == prompt.files.newest else load_prompt(path, config=self._config)
                except PromptoptError:
                    pass
        # The base first: a branch that has not updated the lock has its text there.
        commits = [commit for commit in (self.base and self.base.commit, self._head) if commit]
        yield from (found for commit in dict.fromkeys(commits) for found in self._at(prompt, commit))
        locked_at = self._git("log", "-1", "--format=%H", "--", str(prompt.path))
        if locked_at and locked_at not in commits:
            yield from self._at(prompt, locked_at)

    def _at(self, prompt: GuardedPrompt, commit: str) -> Iterator[Template]:
        """The locked and the newest version as they were at a commit."""
        for file in dict.fromkeys((self._measured_file(prompt), self._newest(prompt, commit))):
            found = None if file is None else self.load_at(file, commit)
            if found is not None:
                yield found

    def _measured_file(self, prompt: GuardedPrompt) -> Path | None:
        version = prompt.lock.measured if prompt.lock else ""
        known = dict(prompt.files.versions)
        return known.get(version, prompt.files.newest.with_name(f"{version}{SUFFIX}")) if version else None

    def _newest(self, prompt: GuardedPrompt, commit: str) -> Path | None:
        """The file of the newest version at a commit."""
        key = prompt.name, commit
        if key not in self._newest_files:
            self._newest_files[key] = self._find_newest(prompt, commit)
        return self._newest_files[key]

    def _find_newest(self, prompt: GuardedPrompt, commit: str) -> Path | None:
        if not prompt.files.versions[-1][0]:
            return prompt.files.newest
        folder = prompt.files.newest.parent
        listed = self._git(
            "-c", "core.quotePath=off", "ls-tree", "--name-only", commit,
            f"{os.path.relpath(self.place_at(folder, commit), self._config.root)}/",
        )  # fmt: skip
        names = [name for name in map(Path, (listed or "").splitlines()) if name.suffix in (SUFFIX, *SUFFIXES)]
        numbered = [(number, name.suffix == SUFFIX, name.name) for name in names if (number := version_number(name))]
        return folder / max(numbered)[2] if numbered else None

    def place_at(self, path: Path, commit: str) -> Path:
        """Where a file of the prompts folder was at a commit, if that folder had another name then."""
        prompts = self._config.prompts
        return self.locks.folder(commit) / path.relative_to(prompts) if path.is_relative_to(prompts) else path

    def load_at(self, path: Path, commit: str) -> Template | None:
        """A file of the prompts folder as it was at a commit; ``None`` if it was not there, or cannot be read."""
        key = (str(path), commit)
        if key not in self._templates:
            config = replace(self._config, prompts=self.locks.folder(commit))
            try:
                self._templates[key] = load_prompt(f"{commit}:{self.place_at(path, commit)}", config=config)
            except PromptoptError:
                self._templates[key] = None
        return self._templates[key]


class Earlier:
    """Earlier texts of a prompt with their digests: each is looked for once, and only if those before it do not do."""

    def __init__(self, candidates: Iterator[Template]) -> None:
        self._candidates = candidates
        self._found: list[tuple[Template, str]] = []

    def __iter__(self) -> Iterator[tuple[Template, str]]:
        yield from self._found
        for template in self._candidates:
            self._found.append((template, sources_digest(template)))
            yield self._found[-1]


@dataclass(frozen=True, slots=True)
class BaseSide:
    """A prompt on the base.

    Attributes:
        price: What its tokens are priced at.
        sources: Digest of its text.
    """

    template: Template
    variant: Variant
    price: Price
    sources: str

    @property
    def calls_per_month(self) -> int | None:
        return self.template.front.calls_per_month

    def recorded_output(self, measured: MeasuredCase) -> int | None:
        """Mean output tokens of a case's recorded answers in the base's commit; ``None`` without any."""
        # Of a prompt out of git the last file is the commit's.
        if len(self.variant.files) < 3:
            return None
        outputs: list[int] = []
        try:
            request = self.variant.request(render_case(self.template, measured.case), case=measured.case.name)
            while (output := self._output(measured.case, replace(request, sample=len(outputs)))) is not None:
                outputs.append(output)
        except PromptoptError:
            return None
        return round(fmean(outputs)) if outputs else None

    def _output(self, case: Case, request: Request) -> int | None:
        """Output tokens of all recorded steps of a case; ``None`` if its first is not recorded."""
        total: int | None = None
        responses: list[Response] = []
        following: Request | None = request
        while following and (found := self.variant.files[-1].find(following)) is not None:
            responses.append(found.response)
            total = (total or 0) + self.variant.measure(following, found.response).usage.output_tokens
            following = next_request(self.template, case, following, responses)
        return total


@dataclass(frozen=True, slots=True)
class Locked:
    """A locked entry, counted with today's tokenizer and variables.

    Attributes:
        entry: Recounted if the tokenizer or the variables changed.
        template: The template that was locked, if it was needed and found.
        changed: The case has other variables than the locked one.
        share_of: The input that shares of its growth are taken of, if its growth is known by the old tokenizer only.
    """

    entry: LockEntry
    template: Template | None = None
    changed: bool = False
    share_of: int | None = None


def _is_locked_by_0_1_0(prompt: GuardedPrompt, template: Template, sources: str) -> bool:
    """Whether a lock of version 0.1.0 is of this text.

    Its digest leaves out the first characters; a case that is unchanged shows that they are the same.
    """
    if prompt.lock is None or sources_digest(template, as_in_0_1_0=True) != sources:
        return False
    return any(
        case_digest(template, prompt.cases[name]) == entry.request
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
        # A recorded answer counts what it counts today; a cap is the same number by any tokenizer.
        output = now.output if entry.output_is == now.output_is == "recorded" else entry.output
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
    return _by_old_tokenizer(lock.basis.tokenizer, prompt.requests(measured.case), measured, entry)


def _recount(prompt: GuardedPrompt, template: Template, case: Case) -> tuple[int, int] | None:
    """Input and static prefix of the locked template with today's variables and tokenizer."""
    return input_tokens(template, case, prompt.variant.priced_as)


def _by_old_tokenizer(
    name: str, requests: Sequence[Request], measured: MeasuredCase, entry: LockEntry
) -> Locked | None:
    """The locked entry if only its counts are left: the prompt grew by what it grew under the old tokenizer."""
    encoding = name.partition("@")[0]
    if encoding not in SHIPPED or tokenizer_name(Tokenizer(encoding, exact=True)) != name:
        return None
    old = Tokenizer(encoding, exact=True)
    today = 0
    for request in requests:
        today += sum(old.count(message.content) for message in request.messages)
        counted = count_tokens(request.messages)
        today += counted.framing + definition_tokens(request.output_schema, request.tools, old)
    growth = today - entry.input
    then = replace(entry, input=measured.entry.input - growth, cacheable=measured.entry.cacheable)
    return Locked(then, share_of=entry.input)


def input_tokens(template: Template, case: Case, model: str) -> tuple[int, int] | None:
    """As :func:`case_tokens`, of an earlier template; ``None`` if the template does not render for the case."""
    try:
        return case_tokens(template, case, model)
    except PromptoptError:
        return None
