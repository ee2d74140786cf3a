"""What the gate guards, and what it does not: prompts, suites and locks of a project, matched by name."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from shlex import quote

import jinja2
from jinja2 import meta

from promptopt.budget.baseline import Base
from promptopt.budget.guarded_prompt import GuardedPrompt, sources_digest
from promptopt.budget.history import LockLog
from promptopt.budget.lock import SUFFIX, Lock, lock_path, read_lock
from promptopt.budget.result import BudgetFinding, Result, Severity, one_line, unusable
from promptopt.config import Config
from promptopt.errors import PromptoptError, UsageError, did_you_mean
from promptopt.files import files_below, run_git, show_path
from promptopt.suites import find_suite
from promptopt.templates import PromptFiles, list_prompts, load_prompt
from promptopt.templates.chat_file import SUFFIXES
from promptopt.templates.environment import PromptEnvironment
from promptopt.templates.frontmatter import mask_front_matter
from promptopt.templates.names import SUFFIX as TEMPLATE
from promptopt.templates.readers import FolderReader

# Of the phrases of a prompt that another one has, if it is that prompt under another name.
_MOST = 0.6
# Of a template: a tag, a variable or a comment.
_TAG = re.compile(r"{[{%#].*?[}%#]}")


@dataclass(frozen=True, slots=True)
class Discovered:
    """The prompts of a project as the gate sees them.

    Attributes:
        guarded: Those with a suite, by name.
        unguarded: Those without a suite or lock, by name; includes among them are not known yet.
        orphans: Results about locks whose prompt or suite is gone; each has a failing finding.
        built: The locks of prompts that tests build, by name.
    """

    guarded: Mapping[str, GuardedPrompt]
    unguarded: Mapping[str, PromptFiles]
    orphans: tuple[Result, ...]
    built: Mapping[str, Lock]


def discover(config: Config, names: Collection[str] = ()) -> Discovered:
    """Match prompts, suites and locks. Suites, and the locks of prompts that exist, are read when a prompt is checked.

    Args:
        names: Only these prompts; empty: all.

    Raises:
        UsageError: A given name is not that of a prompt with a suite.
    """
    files = {prompt.name: prompt for prompt in list_prompts(config)}
    suites = {name: find_suite(name, config=config) for name in files}
    guarded = {name: GuardedPrompt(files[name], suite, config) for name, suite in suites.items() if suite is not None}
    if names:
        for name in names:
            if name not in guarded:
                raise UsageError(f"no prompt {name!r} has a suite.{did_you_mean(name, guarded)}")
        return Discovered({name: guarded[name] for name in guarded if name in names}, {}, (), {})
    locks = {path.relative_to(config.prompts).as_posix().removesuffix(SUFFIX): path for path in find_locks(config)}
    unguarded = {name: found for name, found in files.items() if name not in guarded and name not in locks}
    orphans = []
    built: dict[str, Lock] = {}
    log = LockLog(config)
    for name, path in locks.items():
        if name in guarded:
            continue
        try:
            lock = read_lock(path)
        except PromptoptError as error:
            orphans.append(unusable(name, error))
            continue
        if lock is None or name in files:
            orphans.append(_without_suite(config, name))
        elif lock.program:
            built[name] = lock
        else:
            orphans.append(_without_prompt(config, lock, name, {**unguarded, **_unlocked(guarded, locks)}, log))
    return Discovered(guarded, unguarded, tuple(orphans), built)


def nothing_to_guard(config: Config, built: Collection[str] = ()) -> UsageError:
    """The error if no prompt has a suite.

    Args:
        built: The prompts that tests build.
    """
    hints = [f"what tests build is checked by pytest --prompt-budget: {', '.join(map(one_line, built))}"] * bool(built)
    hints += dict.fromkeys(finding.summary for result in other_projects(config) for finding in result.findings)
    return UsageError(
        f"nothing is guarded: no prompt in {show_path(config.prompts)} has a suite in {show_path(config.suites)}; "
        + "; ".join(["the suite of the prompt NAME is NAME.yaml", *hints])
    )


def _unlocked(guarded: Mapping[str, GuardedPrompt], locks: Collection[str]) -> dict[str, PromptFiles]:
    return {name: prompt.files for name, prompt in guarded.items() if name not in locks}


def find_locks(config: Config) -> list[Path]:
    """All lock files below the prompts folder."""
    return files_below(config.prompts, SUFFIX)


def _without_suite(config: Config, name: str) -> Result:
    path, suite = show_path(lock_path(config.prompts, name)), show_path(config.suites / f"{name}.yaml")
    summary = f"not guarded any more: its suite is gone, no {suite}"
    details = (f"restore the suite, or stop guarding the prompt: git rm {path}",)
    return Result(name, "", (BudgetFinding("removed", "error", "", summary, details, path, 1),))


def _without_prompt(
    config: Config, lock: Lock, name: str, candidates: Mapping[str, PromptFiles], log: LockLog
) -> Result:
    """A lock whose template is gone: it was renamed, if there is a new prompt with the locked text, else removed."""
    path = show_path(lock_path(config.prompts, name))
    suite = find_suite(name, config=config)
    commit = next((change.commit for change in log.changes(name)), None) if candidates else None
    renamed = _renamed_to(lock, candidates, config, "" if commit is None else _former_text(log, commit, name, lock))
    if renamed is None:
        left = "" if suite is None else f"; {show_path(suite)} has no prompt either"
        summary = f"the prompt {name!r} is gone{left}"
        details = (f"remove its lock: promptopt budget update {quote(name)}",)
        finding = BudgetFinding("removed", "error", "", summary, details, path, 1)
    else:
        finding = _renamed(config, name, lock, candidates[renamed], suite)
    return Result(name, "", (finding,))


def _renamed(config: Config, name: str, lock: Lock, files: PromptFiles, suite: Path | None) -> BudgetFinding:
    renamed = files.name
    path = show_path(lock_path(config.prompts, name))
    moves = [f"git mv {quote(path)} {quote(show_path(lock_path(config.prompts, renamed)))}"]
    summary = f"renamed: {name!r} is {renamed!r} now; the lock has the old name"
    if suite is not None and find_suite(renamed, config=config) is None:
        moves.append(f"git mv {quote(show_path(suite))} {quote(show_path(config.suites / f'{renamed}{suite.suffix}'))}")
        summary += ", and so has the suite: the prompt is not guarded"
    # What may cost more now is a raise.
    reason = "" if _has_text(files, lock, config) and _has_call(files, lock, config) else ' --reason "..."'
    command = " && ".join([*moves, f"promptopt budget update {quote(renamed)}{reason}"])
    return BudgetFinding("renamed", "error", "", summary, (f"take them along: {command}",), path, 1)


def left_the_gate(config: Config, found: Discovered, base: Base, log: LockLog) -> Iterator[Result]:
    """Results about prompts that have a lock on the base, but neither lock nor suite here."""
    present = {*found.guarded, *found.built, *(result.prompt for result in found.orphans)}
    folder = log.folder(base.commit)
    moved = folder != config.prompts
    for name in log.names(base.commit):
        path, former_path = lock_path(config.prompts, name), lock_path(folder, name)
        if name in present or path.exists() or (former_path.is_relative_to(config.prompts) and former_path.exists()):
            continue
        if (lock := log.lock_at(base.commit, name)) is None or lock.program:
            continue
        restore = f"git checkout {base.commit[:10]} -- {quote(show_path(path))}"
        if moved:
            restore = f"git show {base.commit[:10]}:./{quote(show_path(former_path))} > {quote(show_path(path))}"
        candidates = {**found.unguarded, **{each: prompt.files for each, prompt in found.guarded.items()}}
        unlocked = {each: files for each, files in candidates.items() if not lock_path(config.prompts, each).exists()}
        former = _former_text(log, base.commit, name, lock)
        renamed = None if name in unlocked else _renamed_to(lock, unlocked, config, former)
        if renamed is not None:
            finding = _renamed(config, name, lock, unlocked[renamed], find_suite(name, config=config))
            details = tuple(line.replace(": ", f": {restore} && ", 1) for line in finding.details)
            yield Result(
                name, "", (replace(finding, details=details, summary=f"{finding.summary}; and it is removed"),)
            )
        elif name in found.unguarded:
            summary = f"not guarded any more: on {base.label} it has a lock, here it has neither lock nor suite"
            details = (f"restore its suite, and the lock: {restore}",)
            # With its folder it has another path: that is a rename, whose lock is to come along.
            level: Severity = "error" if moved else "warn"
            yield Result(name, "", (BudgetFinding("removed", level, "", summary, details, show_path(path), 1),))
        elif not moved and (suite := find_suite(name, config=config)) is not None:
            summary = f"removed: on {base.label} it has a prompt and a lock, here only {show_path(suite)} is left"
            details = (f"remove the suite too: git rm {quote(show_path(suite))}, or restore the lock: {restore}",)
            yield Result(name, "", (BudgetFinding("removed", "warn", "", summary, details, show_path(suite), 1),))
        elif moved and _is_there(folder, name):
            folders = f"on {base.label} the prompts folder is {show_path(folder)}, here {show_path(config.prompts)}"
            summary = f"not guarded any more: {folders}, without this prompt"
            details = (f"move it and its lock to {show_path(config.prompts)}, or name the former folder again",)
            yield Result(name, "", (BudgetFinding("removed", "error", "", summary, details, show_path(former_path)),))


def _is_there(folder: Path, name: str) -> bool:
    """Whether a folder that is not the prompts folder any more still has a prompt."""
    here = folder / name
    return here.is_dir() or any(here.with_name(f"{here.name}{suffix}").is_file() for suffix in (TEMPLATE, *SUFFIXES))


def _renamed_to(lock: Lock, candidates: Mapping[str, PromptFiles], config: Config, former: str = "") -> str | None:
    """The prompt that has the locked text now, or most of its phrases.

    Args:
        former: The text as it was, if it is known.
    """
    exact = (name for name, files in candidates.items() if _has_text(files, lock, config))
    known = _phrases(former)
    shares = {name: _share(known, files.newest) for name, files in candidates.items()} if known else {}
    similar = max(sorted(shares), key=shares.__getitem__, default=None)
    return next(exact, similar if similar is not None and shares[similar] >= _MOST else None)


def _former_text(log: LockLog, commit: str, name: str, lock: Lock) -> str:
    """The file that was locked, as it was at a commit; empty if git does not have it."""
    file = f"{name}/{lock.measured}" if lock.measured else name
    found = (log.text_at(commit, f"{file}{suffix}") for suffix in (TEMPLATE, *SUFFIXES))
    return next((text for text in found if text), "")


def _share(phrases: AbstractSet[tuple[str, ...]], path: Path) -> float:
    """Which part of the phrases a file has."""
    return len(phrases & _phrases(path.read_bytes().decode("utf-8", "replace"))) / len(phrases)


def _phrases(text: str) -> set[tuple[str, ...]]:
    """Each two words that follow each other in a line of a prompt: those of a line that was only edited are left.

    Without tags and variables, which are alike in many prompts.
    """
    lines = (re.findall(r"\w+", _TAG.sub(" ", line)) for line in mask_front_matter(text).splitlines()) if text else ()
    return {pair for words in lines if words for pair in (pairwise(words) if len(words) > 1 else [tuple(words)])}


def _has_text(files: PromptFiles, lock: Lock, config: Config) -> bool:
    """Whether a prompt has the text that was locked."""
    if not lock.sources:
        return False
    try:
        return any(sources_digest(load_prompt(path, config=config)) == lock.sources for _, path in files.versions)
    except PromptoptError:
        return False


def _has_call(files: PromptFiles, lock: Lock, config: Config) -> bool:
    """Whether a prompt has the settings, the volume and the model that were locked."""
    try:
        front = load_prompt(files.newest, config=config).front
    except PromptoptError:
        return False
    call = lock.call
    same = call is not None and (front.params.to_dict(), front.calls_per_month) == (call.params, call.calls_per_month)
    return same and (config.price_as or front.model or config.model) == lock.basis.model


def without_suite(config: Config, unguarded: Mapping[str, PromptFiles], included: Collection[str]) -> Iterator[Result]:
    """Results about prompts that nothing guards.

    Args:
        included: Files below the prompts folder that are parts of other prompts.
    """
    for name, files in unguarded.items():
        if files.newest.relative_to(config.prompts).as_posix() not in included:
            finding = BudgetFinding("unguarded", "note", "", "no suite", (), show_path(files.newest), 1)
            yield Result(show_path(config.prompts / name), "", (finding,))


def other_projects(config: Config) -> Iterator[Result]:
    """Results about locks below the project's root that belong to another project of the repository."""
    try:
        listed = run_git(config.root, "ls-files", "-z", "-co", "--exclude-standard", "--", f"*{SUFFIX}")
    except FileNotFoundError:
        return
    for name in (listed or b"").decode("utf-8", "surrogateescape").split("\0"):
        path = config.root / name
        if not name or path.resolve().is_relative_to(config.prompts.resolve()) or not path.is_file():
            continue
        with suppress(PromptoptError):
            if read_lock(path) is None:
                continue
        folder = next((each for each in path.parents if (each / "pyproject.toml").is_file()), config.root)
        where = "no prompts folder has it" if folder == config.root else f"run the gate in {show_path(folder)}"
        finding = BudgetFinding("unguarded", "note", "", where, (), show_path(path), 1)
        yield Result(show_path(path).removesuffix(SUFFIX), "", (finding,))


def files_read(prompt: GuardedPrompt, config: Config) -> set[str]:
    """The files below the prompts folder that a prompt was loaded and rendered from."""
    reader = prompt.template.reader if "template" in prompt.__dict__ else None
    if not isinstance(reader, FolderReader) or reader.root != config.prompts.resolve():
        return set()
    return {path.relative_to(reader.root).as_posix() for path in reader.files()}


def included_files(config: Config, names: Collection[str]) -> set[str]:
    """Which of these files another template includes, imports or extends by its name.

    Only templates in which the name is written are parsed: a project has many, and most include nothing.
    """
    found: set[str] = set()
    environment = PromptEnvironment(None)
    for prompt in list_prompts(config) if names else ():
        for _, path in prompt.versions:
            text = path.read_bytes().decode("utf-8", "replace")
            if not any(name in text for name in names):
                continue
            with suppress(jinja2.TemplateError):
                own = path.relative_to(config.prompts).as_posix()
                referenced = meta.find_referenced_templates(environment.parse(mask_front_matter(text)))
                found |= {name for name in referenced if name is not None and name in names and name != own}
    return found
