"""Reads a repository: its own files, without what tools and packages put there."""

from __future__ import annotations

import ast
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from promptopt.files import run_git
from promptopt.onboarding.found import FoundPrompt, LeftOut, Unreadable
from promptopt.onboarding.other_files import is_candidate, read_prompts
from promptopt.onboarding.passed_over import passed_over
from promptopt.onboarding.python_calls import RELEVANT, Module, ModuleSearch
from promptopt.onboarding.python_text import Scope

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


def read_repository(root: Path, own: tuple[Path, ...] = (), templates: Path | None = None) -> Repository:  # noqa: C901 - kinds of files
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
    modules: list[Module] = []
    texts: dict[str, str] = {}
    for path in paths:
        python = path.endswith((".py", ".ipynb"))
        if not python and not is_candidate(path) and not _is_config(path):
            continue
        text = _text(root / path, path, left_out, said=python)
        if text is None:
            continue
        texts[path] = text
        if _is_config(path):
            configs.append(path)
        elif not python:
            try:
                prompts += read_prompts(path, text)
            except Unreadable as reason:
                left_out.append(LeftOut(path, 1, str(reason)))
        elif RELEVANT.search(text) or path.endswith(".py"):
            modules += _module(path, text, left_out)
    formatted = frozenset(name for text in texts.values() for name in _FORMATTED.findall(text))
    named = {_dotted(module.path): module for module in modules}
    used: set[tuple[str, str]] = set()
    searched: list[Module] = []
    for module in modules:
        if _TESTS.search(module.path) or not RELEVANT.search(texts[module.path] + module.path):
            continue
        searched.append(module)
        search = ModuleSearch(module, _imported(module, named), formatted)
        try:
            prompts += search.prompts()
        except RecursionError:
            left_out.append(LeftOut(module.path, 1, "is nested too deep to be read"))
        left_out += search.left_out
        used |= {
            (source.path, alias.name)
            for alias, source in _sources(module, named)
            if (alias.asname or alias.name) in search.used
        }
        used |= {
            (source.path, name.rpartition(".")[2])
            for source in {
                source.path: source for _, source in (*_modules(module, named), *_sources(module, named))
            }.values()
            for name in source.constants
            if name.rpartition(".")[2] in search.used
        }
    # A constant of one module that a call in another one sends is part of that prompt.
    prompts = [prompt for prompt in prompts if prompt.call != "constant" or not _is_used(prompt, used)]
    left_out += passed_over(searched, prompts, left_out)
    return Repository(root, tuple(prompts), tuple(left_out), tuple(configs), len(texts))


def _is_used(prompt: FoundPrompt, used: set[tuple[str, str]]) -> bool:
    return (prompt.path, prompt.where.rpartition(".")[2]) in used


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


def _module(path: str, text: str, left_out: list[LeftOut]) -> Iterator[Module]:
    if path.endswith(".ipynb"):
        try:
            text = _cells(text)
        except (ValueError, KeyError, TypeError, AttributeError):
            left_out.append(LeftOut(path, 1, "is no notebook that can be read"))
            return
    try:
        yield Module.of(path, text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        if RELEVANT.search(text):
            line = getattr(error, "lineno", None) or 1
            left_out.append(LeftOut(path, line, f"it cannot be read as Python 3: {getattr(error, 'msg', error)}"))


def _cells(text: str) -> str:
    """The code of a notebook; lines for the notebook itself are left out."""
    lines = []
    for cell in json.loads(text)["cells"]:
        source = cell["source"]
        code = "".join(source) if isinstance(source, list) else source
        if cell["cell_type"] == "code" and not code.lstrip().startswith("%%"):
            lines += [re.sub(r"^(\s*)[%!?].*", r"\1pass", line) for line in code.splitlines()]
    return "\n".join(lines)


def _dotted(path: str) -> str:
    return path.rpartition(".")[0].removesuffix("/__init__").replace("/", ".")


def _sources(module: Module, named: Mapping[str, Module]) -> Iterator[tuple[ast.alias, Module]]:
    """What a module takes from others of the repository, by name."""
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.ImportFrom):
            continue
        wanted = _package(module, node)
        if node.level:
            candidates = [wanted] if wanted in named else []
        else:
            candidates = [name for name in named if name == wanted or name.endswith(f".{wanted}")]
        if wanted and len(candidates) == 1:
            for alias in node.names:
                yield alias, named[candidates[0]]


def _imported(module: Module, named: Mapping[str, Module]) -> dict[str, tuple[Scope, ast.expr]]:
    """Constants of other modules by the name they have here: ``NAME``, ``Class.NAME``, ``module.NAME``."""
    found = {}
    for alias, source in _sources(module, named):
        for name, value in source.constants.items():
            if name == alias.name or name.startswith(f"{alias.name}."):
                found[(alias.asname or alias.name) + name.removeprefix(alias.name)] = (source.scope, value)
    for shown, source in _modules(module, named):
        found |= {f"{shown}.{name}": (source.scope, value) for name, value in source.constants.items()}
    return found


def _modules(module: Module, named: Mapping[str, Module]) -> Iterator[tuple[str, Module]]:
    """Modules of the repository that a module takes whole, by the name they have here."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            wanted = [(alias.asname or alias.name, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = _package(module, node)
            wanted = [
                (alias.asname or alias.name, f"{package}.{alias.name}" if package else alias.name)
                for alias in node.names
            ]
        else:
            continue
        for shown, name in wanted:
            if len(candidates := [each for each in named if each == name or each.endswith(f".{name}")]) == 1:
                yield shown, named[candidates[0]]


def _package(module: Module, node: ast.ImportFrom) -> str:
    """The full name of what ``from ... import`` names."""
    if not node.level:
        return node.module or ""
    parts = _dotted(module.path).split(".")
    outer = parts[: len(parts) - node.level + (1 if module.path.endswith("__init__.py") else 0)]
    return ".".join([*outer, *([node.module] if node.module else [])])


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
