"""From what a user types to a prompt: a path, ``triage``, ``triage@v1`` or ``HEAD~1:prompts/triage/v1.j2``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from promptopt.config import Config, check_config, load_config
from promptopt.errors import InputError, TemplateError, check_argument, did_you_mean
from promptopt.files import decode, files_below, show_path, write_new
from promptopt.templates.chat_file import SUFFIXES, is_chat_file, without_suffix
from promptopt.templates.readers import FolderReader, GitReader
from promptopt.templates.template import Template
from promptopt.values import Origin

SUFFIX = ".j2"

_VERSION = re.compile(r"v(\d+)", re.ASCII)
_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class PromptFiles:
    """A prompt of the prompts folder with all its versions, oldest first."""

    name: str
    versions: tuple[tuple[str, Path], ...]

    @property
    def newest(self) -> Path:
        return self.versions[-1][1]


def load_prompt(operand: str | Path, *, config: Config | None = None) -> Template:
    """The prompt that a user named: a path, a name (its newest version), ``name@version`` or ``REF:path`` out of git.

    Raises:
        TemplateError: There is none, or it cannot be compiled.
        SchemaError: Its output schema is refused by strict mode.
    """
    check_argument(isinstance(operand, str | Path), "prompt", operand, "a name, a path or a template")
    check_config(config)
    config = config or load_config()
    text = str(operand)
    path = Path(operand)
    if not path.exists() and (git := _split_git(text)):
        return _load_from_git(*git, config)
    if path.is_file() or path.suffix == SUFFIX:
        return _load_file(path, config)
    return _load_file(_by_name(text, config), config)


def list_prompts(config: Config | None = None) -> list[PromptFiles]:
    """All prompts below the prompts folder, by name: folders with ``v1.j2``, ``v2.j2``, ..., and single files.

    A file in JSON or YAML is a prompt if it holds a chat.
    """
    check_config(config)
    folder = (config or load_config()).prompts
    found: dict[str, list[tuple[str, Path]]] = {}
    for path in prompt_files(folder):
        plain = without_suffix(path)
        version = "" if version_number(path) is None else plain.name
        name = (path.parent if version else plain).relative_to(folder).as_posix()
        versions = found.setdefault(name, [])
        # Of a template and a chat of one name the template counts.
        if version not in dict(versions):
            versions.append((version, path))
    return [
        # A single file comes before the versions of a folder with its name.
        PromptFiles(name, tuple(sorted(versions, key=lambda pair: (pair[0] != "", version_number(pair[1]) or 0))))
        for name, versions in sorted(found.items())
    ]


def prompt_files(folder: Path) -> list[Path]:
    """The files below a folder that are prompts: templates first, then chats in JSON and YAML."""
    chats = (path for suffix in SUFFIXES for path in files_below(folder, suffix))
    return [*files_below(folder, SUFFIX), *filter(_holds_chat, chats)]


def _holds_chat(path: Path) -> bool:
    try:
        return is_chat_file(decode(path.read_bytes(), show_path(path)), path.name)
    except (OSError, InputError):
        return False


def version_number(path: str | Path) -> int | None:
    """The number of a version, ``v2`` or ``triage/v2.j2``; ``None`` for a file that is not one of several versions."""
    match = _VERSION.fullmatch(without_suffix(Path(path)).name)
    return int(match[1]) if match else None


def next_version(path: Path) -> Path:
    """Where the next version of a prompt file belongs: ``v3.j2`` beside ``v2.j2``, ``name/v2.j2`` for ``name.j2``.

    What follows a chat in JSON or YAML is a template.
    """
    own = version_number(path)
    folder = without_suffix(path) if own is None else path.parent
    suffix = SUFFIX if path.suffix in SUFFIXES else path.suffix
    known = {path.suffix, SUFFIX, *SUFFIXES}
    others = (other for other in folder.glob("v*") if other.suffix in known)
    taken = [number for other in others if (number := version_number(other)) is not None]
    return folder / f"v{max([own or 1, *taken]) + 1}{suffix}"


def write_next(path: Path, text: str) -> Path:
    """Write ``text`` as the next version of ``path``, whole or not at all.

    Raises:
        TemplateError: The disk does not take it.
    """
    target = next_version(path)
    write_new(target, text, TemplateError)
    return target


def origin_of(path: Path, prompts: Path) -> Origin:
    """Name and version of a prompt file: ``prompts/triage/v1.j2`` is version v1 of ``triage``.

    A file outside the prompts folder is named by its path from the current folder.
    """
    path, prompts = path.resolve(), prompts.resolve()
    for base in (prompts, Path.cwd()):
        if path.is_relative_to(base):
            relative = path.relative_to(base)
            break
    else:
        relative = Path(path.name)
    if version_number(path) is not None and len(relative.parts) > 1:
        return Origin(relative.parent.as_posix(), without_suffix(path).name)
    return Origin(without_suffix(relative).as_posix())


def _split_git(text: str) -> tuple[str, str] | None:
    reference, colon, path = text.partition(":")
    # A single letter before the colon is a Windows drive.
    return (reference, path) if colon and path and len(reference) > 1 else None


def _root_of(path: Path, config: Config) -> Path:
    prompts = config.prompts.resolve()
    return prompts if path.resolve().is_relative_to(prompts) else path.resolve().parent


# Messages are relative to the current folder, which is therefore in the key.
_CompiledKey = tuple[Path, Path, Path]
_compiled: dict[_CompiledKey, tuple[Template, FolderReader]] = {}


def _load_file(path: Path, config: Config) -> Template:
    """The compiled file; compiled again once it, an include or its schema has changed."""
    key = path.absolute(), config.prompts, Path.cwd()
    known = _compiled.get(key)
    if known is not None and known[1].is_current():
        return known[0]
    resolved, prompts = path.resolve(), config.prompts.resolve()
    reader = FolderReader(prompts if resolved.is_relative_to(prompts) else resolved.parent)
    try:
        template = Template.load(resolved.relative_to(reader.root).as_posix(), reader, origin_of(path, prompts))
    except (FileNotFoundError, NotADirectoryError):
        raise _missing(path, config) from None
    except (IsADirectoryError, PermissionError) as error:
        raise TemplateError(f"cannot be read: {error.strerror}", path=show_path(path)) from None
    _compiled[key] = template, reader
    return template


def _load_from_git(reference: str, file: str, config: Config) -> Template:
    path = Path(file)
    root = _root_of(path, config)
    # A full hash names the same files for ever: what was read of that commit is not read again.
    reader = _commit_reader(reference, root) if _HASH.fullmatch(reference) else GitReader(reference, root)
    origin = origin_of(path, config.prompts)
    label = f"{origin.version or ''}@{reader.commit[:10]}"
    try:
        name = path.resolve().relative_to(root).as_posix()
        return Template.load(name, reader, Origin(origin.prompt, label))
    except FileNotFoundError as error:
        # From a folder within the repository git's own names begin at its top, unless they begin with a dot.
        whole = reader.repository / path
        if not path.is_absolute() and not file.startswith(".") and whole != path.resolve():
            with suppress(TemplateError):
                return _load_from_git(reference, str(whole), config)
        raise TemplateError(str(error), remedy=f"see: git ls-tree -r --name-only {reference}") from None


@lru_cache(maxsize=8)
def _commit_reader(commit: str, root: Path) -> GitReader:
    return GitReader(commit, root)


def _by_name(text: str, config: Config) -> Path:
    name, _, version = text.partition("@")
    for prompt in list_prompts(config):
        if prompt.name != name:
            continue
        if not version:
            return prompt.newest
        for known, path in prompt.versions:
            if known == version:
                return path
        versions = ", ".join(known for known, _ in prompt.versions)
        raise TemplateError(f"{name!r} has no version {version!r}; it has {versions}")
    raise _missing(Path(text), config)


def _missing(path: Path, config: Config) -> TemplateError:
    names = [prompt.name for prompt in list_prompts(config)]
    files = list(_neighbours(path))
    hint = did_you_mean(str(path), [*names, *files])
    known = f"prompts in {show_path(config.prompts)}: {', '.join(names)}" if names else None
    return TemplateError(f"no prompt {str(path)!r}.{hint}", remedy=known)


def _neighbours(path: Path) -> Iterator[str]:
    if path.parent.is_dir():
        yield from (str(other) for other in path.parent.iterdir() if other.suffix in (SUFFIX, *SUFFIXES))
