"""Reads a repository: its own files, without what tools and packages put there."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from promptopt.files import run_git
from promptopt.onboarding.found import FoundPrompt, LeftOut, Unreadable
from promptopt.onboarding.other_files import is_candidate, read_prompts
from promptopt.onboarding.passed_over import passed_over
from promptopt.onboarding.python_calls import NOT_SENT, ModuleSearch
from promptopt.onboarding.python_modules import RELEVANT, Module, Modules

_SKIPPED = re.compile(
    "node_modules|site-packages|__pycache__|build|dist|venv|env|virtualenv|htmlcov|target|vendor|third_party|[.].*"
)
_TESTS = re.compile(r"(^|/)(tests?|testing|fixtures)/|(^|/)(test_[^/]*|[^/]*_test|conftest)\.py$")
_MOST_BYTES = 1_000_000
_FORMATTED = re.compile(r"\b(\w+)\s*\.\s*format\s*\(")


@dataclass(frozen=True, slots=True)
class Repository:
    """What a repository holds.

    Attributes:
        configs: Its configs of promptfoo.
        files: How many files were read.
    """

    root: Path
    prompts: tuple[FoundPrompt, ...]
    left_out: tuple[LeftOut, ...]
    configs: tuple[str, ...]
    files: int


def read_repository(root: Path, own: tuple[Path, ...] = (), templates: Path | None = None) -> Repository:
    """Read all files below ``root`` that git does not ignore.

    Args:
        own: Folders of promptopt, whose files are no finds.
        templates: Its folder of prompts, whose templates are no finds if one of them is of promptopt.
    """
    paths = sorted(_paths(root, own))
    if templates is not None and any(templates.glob("**/v[0-9]*.j2")):
        inside = f"{templates.relative_to(root).as_posix()}/"
        paths = [path for path in paths if not (path.endswith(".j2") and path.startswith(inside))]
    prompts: list[FoundPrompt] = []
    left_out: list[LeftOut] = []
    configs: list[str] = []
    programs: dict[str, str] = {}
    files = 0
    for path in paths:
        python = path.endswith((".py", ".ipynb"))
        if not python and not is_candidate(path) and not _is_config(path):
            continue
        text = _text(root / path, path, left_out, said=python)
        if text is None:
            continue
        files += 1
        if _is_config(path):
            configs.append(path)
        elif not python:
            try:
                prompts += read_prompts(path, text)
            except Unreadable as reason:
                left_out.append(LeftOut(path, 1, str(reason)))
        else:
            programs[path] = text
    modules = Modules(programs, left_out)
    relevant = [path for path, text in programs.items() if RELEVANT.search(path) or RELEVANT.search(text)]
    searched = [found for path in relevant if not _TESTS.search(path) and (found := modules.module(path)) is not None]
    prompts += _of_programs(searched, modules, programs, left_out)
    left_out += passed_over(searched, prompts, left_out)
    return Repository(root, tuple(prompts), tuple(left_out), tuple(configs), files)


def _of_programs(
    searched: Sequence[Module], modules: Modules, texts: Mapping[str, str], left_out: list[LeftOut]
) -> list[FoundPrompt]:
    formatted = frozenset(name for text in texts.values() for name in _FORMATTED.findall(text))
    taken = [modules.taken(module) for module in searched]
    for module, each in zip(searched, taken, strict=True):
        own = {name: (module.scope, value) for name, value in module.constants.items() if "." in name}
        module.scope.imported = {**own, **each.imported()}
    prompts: list[FoundPrompt] = []
    used: set[tuple[str, str]] = set()
    for module, each in zip(searched, taken, strict=True):
        search = ModuleSearch(module, formatted)
        try:
            prompts += search.prompts()
        except RecursionError:
            left_out.append(LeftOut(module.path, 1, "is nested too deep to be read"))
        left_out += search.left_out
        used |= set(each.used(search.used))
    # What one module has and a call in another one sends is part of that prompt.
    return [
        prompt
        for prompt in prompts
        if prompt.call not in NOT_SENT or (prompt.path, prompt.where.rpartition(".")[2]) not in used
    ]


def _is_config(path: str) -> bool:
    return re.fullmatch(r"promptfooconfig.*\.(ya?ml|json)", PurePosixPath(path).name) is not None


def _paths(root: Path, own: tuple[Path, ...]) -> Iterator[str]:
    """Paths from the root; links are not followed, and neither are folders of other projects of promptopt."""
    listed = _git(root, "ls-files", "-z", "-co", "--exclude-standard", "--", ".")
    known = None if listed is None else set(listed.decode("utf-8", "surrogateescape").split("\0"))
    inside = {str(folder) for folder in own}
    for folder, folders, files in os.walk(root):
        at = Path(folder)
        folders[:] = [
            name
            for name in sorted(folders)
            if not _SKIPPED.fullmatch(name)
            and not (at / name).is_symlink()
            and not (at / name / "pyvenv.cfg").exists()
            and str(at / name) not in inside
            and not _is_project(at / name / "pyproject.toml")
        ]
        for name in files:
            path = (at / name).relative_to(root).as_posix()
            if not (at / name).is_symlink() and (known is None or path in known):
                yield path


def _is_project(path: Path) -> bool:
    try:
        return "[tool.promptopt" in path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False


def _text(path: Path, shown: str, left_out: list[LeftOut], *, said: bool) -> str | None:
    try:
        if path.stat().st_size > _MOST_BYTES:
            if said or is_candidate(shown):
                left_out.append(LeftOut(shown, 1, f"is larger than {_MOST_BYTES // 1_000_000} MB: not read"))
            return None
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
    except OSError as error:
        left_out.append(LeftOut(shown, 1, f"cannot be read: {error.strerror}"))
        return None
    except UnicodeDecodeError as error:
        if said and not RELEVANT.search(data.decode("latin-1")):
            return None
        left_out.append(LeftOut(shown, 1, f"is not UTF-8 ({error.reason} at byte {error.start})"))
        return None
    if "\0" in text:
        return None
    return text.replace("\r\n", "\n")


def git_root(root: Path) -> Path | None:
    """The root of the git repository around a folder; ``None``: there is none."""
    found = _git(root, "rev-parse", "--show-toplevel")
    if found:
        return Path(os.fsdecode(found.rstrip(b"\n")))
    # Without git, or if git does not trust the folder's owner, the repository is there all the same.
    return next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), None)


def _git(root: Path, *arguments: str) -> bytes | None:
    try:
        return run_git(root, *arguments)
    except OSError:
        # Without git there is a folder all the same.
        return None
