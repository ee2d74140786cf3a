"""The prompts of a project as they were at a commit, in a temporary folder; which of them may differ from today's."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from promptopt.budget.lock import SUFFIX, Lock, lock_path, read_lock
from promptopt.config import Config, load_config
from promptopt.errors import LockError, PromptoptError, UsageError
from promptopt.files import committed_files, run_git
from promptopt.templates import PromptFiles, list_prompts
from promptopt.templates.frontmatter import front_matter_end

_SETTINGS = ("pyproject.toml", "budget.toml")
# A tool that is a Python function, which a module of today gives, on the base too.
_FUNCTION = re.compile(r"\b[A-Za-z_]\w*(?:\.\w+)*:[A-Za-z_]\w*")
# A tag that reads a file whose name is an expression: anything but one text, such as `"parts/" ~ name`.
_DYNAMIC = re.compile(
    r"""{%[-+]?\s*(?:include|import|extends|from|image|audio|file)\s+"""
    r"""(?!(?:"[^"]*"|'[^']*')\s*(?:[-+]?%}|(?:ignore|with|without|as|import)\b|\w+\s*=))"""
)


@dataclass(frozen=True)
class BaseProject:
    """A project at a commit: its settings, prompts and locks, not its suites.

    Attributes:
        config: With a root of its own.
        commit: The commit, shortened.
    """

    config: Config
    commit: str

    @cached_property
    def files(self) -> Mapping[str, PromptFiles]:
        """The prompts by name."""
        return {prompt.name: prompt for prompt in list_prompts(self.config)}

    def message(self, error: PromptoptError) -> str:
        """The first line of an error about the project; its files are named as git names them at the commit."""
        return str(error).splitlines()[0].replace(f"{self.config.root}/", f"{self.commit}:")

    def lock(self, prompt: str) -> Lock | None:
        """A prompt's lock; ``None`` if there is none that can be read."""
        try:
            return read_lock(lock_path(self.config.prompts, prompt))
        except LockError:
            return None


@contextmanager
def settings_at(config: Config, commit: str) -> Iterator[Path]:
    """A temporary folder with the files of a commit that have settings; pyproject.toml is empty if it has none."""
    with tempfile.TemporaryDirectory(prefix="promptopt-base-") as name:
        root = Path(name).resolve()
        for file in _SETTINGS:
            text = run_git(config.root, "cat-file", "blob", f"{commit}:./{file}")
            if text is not None or file == "pyproject.toml":
                (root / file).write_bytes(text or b"")
        yield root


@contextmanager
def base_project(config: Config, commit: str) -> Iterator[BaseProject]:
    """The project at a commit.

    Raises:
        UsageError: git cannot give its files.
        ConfigError: Its settings cannot be read.
    """
    with settings_at(config, commit) as root:
        then = load_config(root)
        if then.prompts.is_relative_to(root):
            _copy_out(config.root, commit, then.prompts.relative_to(root).as_posix(), root)
        yield BaseProject(then, commit[:10])


def _copy_out(folder: Path, commit: str, below: str, target: Path) -> None:
    """Write the files below a folder at a commit, and what of the project links among them lead to."""
    files = committed_files(folder, commit, below)
    if files is None:
        raise UsageError(f"git cannot read {below} at {commit[:10]}")
    for path, (data, is_link) in files.items():
        file = target / path
        if os.path.lexists(file):
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        if not is_link:
            file.write_bytes(data)
            continue
        named = data.decode("utf-8", "surrogateescape")
        file.symlink_to(named)
        leads_to = Path(os.path.normpath(Path(path).parent / named))
        if not leads_to.is_absolute() and leads_to.parts and leads_to.parts[0] != os.pardir:
            _copy_out(folder, commit, leads_to.as_posix(), target)


@dataclass(frozen=True, slots=True)
class Changed:
    """Which prompts may differ between a commit and the working tree.

    Attributes:
        all: Any of them: the settings have changed, or git did not say.
        names: These.
        code: Whether Python files may differ.
    """

    all: bool
    names: frozenset[str] = frozenset()
    code: bool = True

    def __contains__(self, prompt: str) -> bool:
        return self.all or prompt in self.names


def changed_since(config: Config, commit: str) -> Changed:
    """What has changed since a commit, files included that git does not know yet."""
    paths: set[Path] = set()
    for arguments in (
        ("diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", "--relative", commit, "--", "."),
        ("ls-files", "--others", "--exclude-standard", "-z", "--", "."),
    ):
        printed = run_git(config.root, *arguments)
        if printed is None:
            return Changed(all=True)
        names = printed.decode("utf-8", "surrogateescape").split("\0")
        paths.update(config.root / name for name in names if name)
    code = any(path.suffix == ".py" for path in paths)
    if any(path.parent == config.root and path.name in _SETTINGS for path in paths):
        return Changed(all=True, code=code)
    if any(_read_through_link(folder, config.root, paths) for folder in (config.prompts, config.suites)):
        return Changed(all=True, code=code)
    known = {prompt.name for prompt in list_prompts(config)}
    others = (path.relative_to(config.suites) for path in paths if path.is_relative_to(config.suites))
    if any("recordings" not in other.parts and other.with_suffix("").as_posix() not in known for other in others):
        # A table or a text that any suite may read.
        return Changed(all=True, code=code)
    coded = [prompt.name for prompt in list_prompts(config) if code and names_function(prompt.newest)]
    changed = frozenset((*_of_suites(config, paths), *_of_prompts(config, paths), *coded))
    return Changed(all=False, names=changed, code=code)


def names_function(path: Path) -> bool:
    """Whether the front matter of a prompt names a Python function, as a tool does."""
    text = _text(path)
    return _FUNCTION.search(text[: front_matter_end(text)]) is not None


def _read_through_link(folder: Path, root: Path, paths: Collection[Path]) -> bool:
    """Whether a folder is outside the project, so that git was not asked, or a link in it leads to a changed file."""
    if not folder.resolve().is_relative_to(root.resolve()):
        return True
    inside = (Path(parent, name) for parent, folders, files in os.walk(folder) for name in (*folders, *files))
    targets = [link.resolve() for link in (folder, *inside) if link.is_symlink()]
    return any(path.resolve().is_relative_to(target) for target in targets for path in paths)


def _of_suites(config: Config, paths: Collection[Path]) -> Iterator[str]:
    """The prompts whose cases or recorded answers have changed: ``NAME.yaml``, ``SUITE/recordings/NAME/v1.jsonl``."""
    for path in paths:
        if not path.is_relative_to(config.suites):
            continue
        relative = path.relative_to(config.suites)
        parts = relative.parts
        yield relative.with_suffix("").as_posix()
        yield from (parent.as_posix() for parent in relative.parents)
        if "recordings" in parts:
            below = Path(*parts[parts.index("recordings") + 1 :])
            yield from (below.with_suffix("").as_posix(), below.parent.as_posix())


def _of_prompts(config: Config, paths: Collection[Path]) -> Iterator[str]:
    """The prompts whose lock has changed, or a file that they may read: their own, an include, a schema."""
    for path in paths:
        if path.is_relative_to(config.prompts):
            relative = path.relative_to(config.prompts)
            # Its lock, its file, or one of its versions, which may be gone.
            yield relative.as_posix().removesuffix(SUFFIX)
            yield from (relative.with_suffix("").as_posix(), relative.parent.as_posix())
    affected = {path for path in paths if path.is_relative_to(config.prompts) and not path.name.endswith(SUFFIX)}
    texts = {path: _text(path) for path in config.prompts.rglob("*") if path.is_file()} if affected else {}
    grew = bool(affected)
    while grew:
        # Whatever names an affected file. A prompt too many only takes time.
        names = {path.name for path in affected}
        more = {
            path
            for path, text in texts.items()
            if path not in affected
            and (path.resolve() in affected or _DYNAMIC.search(text) or any(name in text for name in names))
        }
        grew = bool(more)
        affected |= more
    for prompt in list_prompts(config) if affected else ():
        if not affected.isdisjoint(path for _, path in prompt.versions):
            yield prompt.name


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
