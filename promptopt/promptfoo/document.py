"""A promptfoo config as it is written, and the notes on what of it is read differently or left out."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from promptopt.errors import PromptoptError, SuiteError
from promptopt.files import decode, lines_of, show_path
from promptopt.suites.variables import FILE
from promptopt.yaml import Located, line_of, load_yaml

NoteKind = Literal["left out", "differs"]

_ENV = re.compile(r"\{\{-?\s*env(?:\.(\w+)|\[['\"](\w+)['\"]\])\s*(?:\|[^}]*)?-?\}\}")
_SCRIPTS = (".js", ".cjs", ".mjs", ".ts", ".cts", ".mts")


@dataclass(frozen=True, slots=True)
class Note:
    """Something of a config that is not as promptfoo has it.

    Attributes:
        kind: ``left out``: it is not measured or not sent; ``differs``: it is, in another way.
        message: What it is and why.
        remedy: What a user can do.
        line: In ``path``, counted from 1; ``None`` if it is not known.
    """

    kind: NoteKind
    message: str
    path: str
    line: int | None = None
    remedy: str = ""

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else self.path
        return f"{place}: {self.kind}: {self.message}" + (f"\n    {self.remedy}" if self.remedy else "")


@dataclass(frozen=True)
class ConfigFile:
    """A config file with all that it refers to by ``$ref`` in its place.

    Attributes:
        folder: Where its relative paths begin.
        env: What its ``env`` sets, beside the variables of the environment.
        datasets: Local copies of data sets, by their names on Hugging Face.
    """

    path: Path
    table: Mapping[str, Any]
    env: Mapping[str, str] = field(default_factory=dict)
    datasets: Mapping[str, Path] = field(default_factory=dict)
    _notes: dict[Note, None] = field(default_factory=dict, repr=False)

    @property
    def folder(self) -> Path:
        return self.path.parent

    @property
    def shown(self) -> str:
        return show_path(self.path)

    @property
    def notes(self) -> tuple[Note, ...]:
        """What was noted so far, each thing once."""
        return tuple(self._notes)

    def note(
        self, kind: NoteKind, message: str, where: object = None, key: str | None = None, remedy: str = ""
    ) -> None:
        """Keep a note on a mapping of the config, or on one of its keys."""
        self._notes[Note(kind, message, self.shown, line_of(where, key), remedy)] = None

    def error(
        self, message: str, where: object = None, key: str | None = None, remedy: str | None = None
    ) -> SuiteError:
        """An error about a mapping of the config, or about one of its keys."""
        return SuiteError(message, path=self.shown, line=line_of(where, key), remedy=remedy)

    @contextmanager
    def leaving_out(self, what: str, where: object = None, key: str | None = None) -> Iterator[None]:
        """What cannot be read is left out with a note, and the rest goes on."""
        try:
            yield
        except PromptoptError as error:
            message = getattr(error, "message", None) or str(error)
            path, line = getattr(error, "path", None), getattr(error, "line", None)
            # The note itself has the config's place.
            place = f"{path}:{line}: " if path and line and str(path) != self.shown else ""
            self.note("left out", f"{what}: {place}{message}", where, key, getattr(error, "remedy", None) or "")
        except (ValueError, OSError) as error:
            self.note("left out", f"{what}: {_problem(error)}", where, key)

    def environment(self) -> dict[str, str]:
        """The variables that ``{{ env.NAME }}`` names."""
        return {**os.environ, **self.env}

    def with_env(self, value: Any) -> Any:
        """A value with ``{{ env.NAME }}`` filled into all its texts; one that is not set is empty."""
        if isinstance(value, str):
            return _ENV.sub(lambda found: self.environment().get(found[1] or found[2], ""), value)
        if isinstance(value, list):
            return [self.with_env(item) for item in value]
        if isinstance(value, Mapping):
            return copy_mapping(value, {key: self.with_env(item) for key, item in value.items()})
        return value

    def find(self, reference: str) -> Path:
        """The path that a reference names, with or without ``file://``."""
        name = str(self.with_env(reference)).removeprefix(FILE)
        return Path(os.path.normpath(self.folder / Path(name).expanduser()))

    def load(self, value: Any) -> Any:
        """What the YAML, JSON, CSV or text of a ``file://`` holds; anything else as it is.

        Raises:
            SuiteError: The file cannot be read.
        """
        if not isinstance(value, str) or not value.startswith(FILE):
            return value
        return read_data(self.find(value))

    def load_prompt(self, value: Any) -> Any:
        """As :meth:`load_all`; a file that is JSON only once its variables are filled in is its text."""
        try:
            return self.load_all(value)
        except SuiteError:
            text = read_text(self.find(value)) if isinstance(value, str) else ""
            if "{%" in text or "{{" in text:
                return text
            raise

    def load_all(self, value: Any) -> Any:
        """As :meth:`load`, at any depth. Files of code stay as they are named."""
        if isinstance(value, str):
            bare, _ = split_function(value)
            code = bare.endswith((".py", *_SCRIPTS))
            return self.load_all(self.load(value)) if value.startswith(FILE) and not code else value
        if isinstance(value, list):
            return [self.load_all(item) for item in value]
        if isinstance(value, Mapping):
            return copy_mapping(value, {key: self.load_all(item) for key, item in value.items()})
        return value


def copy_mapping(like: Mapping[str, Any], values: Mapping[str, Any]) -> Mapping[str, Any]:
    """``values`` with the lines of the mapping that they come from."""
    if not isinstance(like, Located):
        return dict(values)
    found = Located(like.line)
    found.lines = like.lines
    found.update(values)
    return found


def plain(value: Any) -> Any:
    """A value of JSON's types; what has none is its text."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def split_function(reference: str) -> tuple[str, str | None]:
    """``x.py:name`` as the file and the function; a name without one is the file."""
    found = re.fullmatch(r"(.+\.(?:py|js|cjs|mjs|ts|cts|mts|go|rb)):([\w.]+)", reference)
    return (found[1], found[2]) if found else (reference, None)


def is_script(name: str) -> bool:
    """Whether a file is JavaScript or TypeScript."""
    return name.endswith(_SCRIPTS)


def read_text(path: Path) -> str:
    """The text of a file. Raises SuiteError if it cannot be read."""
    try:
        return decode(path.read_bytes(), show_path(path), SuiteError)
    except OSError as error:
        raise SuiteError(f"cannot be read: {error.strerror}", path=show_path(path)) from None


def read_data(path: Path) -> Any:
    """What a file holds: YAML and JSON as values, JSONL and CSV as rows, anything else as its text.

    Raises:
        SuiteError: It cannot be read.
    """
    text, shown, suffix = read_text(path), show_path(path), path.suffix.lower()
    if suffix in (".yaml", ".yml", ".json"):
        return load_yaml(_escapes(text) if suffix == ".json" else text, shown, error=SuiteError)
    if suffix == ".jsonl":
        return [_json_line(line, shown, number) for number, line in enumerate(lines_of(text), 1) if line.strip()]
    if suffix == ".csv":
        return list(csv.DictReader(io.StringIO(text, newline="")))
    return text


def _json_line(line: str, path: str, number: int) -> Any:
    try:
        return load_yaml(_escapes(line), path, error=SuiteError)
    except SuiteError as error:
        # What is missing at the end of a line is missed on the next one.
        raise SuiteError(error.message, path=path, line=number) from None


def _escapes(text: str) -> str:
    # JSON is YAML but for its pairs of surrogates and tabs between tokens.
    try:
        return (
            json.dumps(json.loads(text), ensure_ascii=False, indent=0)
            if "\\ud" in text.lower() or "\t" in text
            else text
        )
    except ValueError:
        return text


def _problem(error: Exception) -> str:
    return f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error)


def read_document(path: Path, datasets: Mapping[str, Path] | None = None) -> ConfigFile:
    """The config in a file.

    Raises:
        SuiteError: It cannot be read, or is not a config.
    """
    if is_script(path.name):
        raise SuiteError(
            "is a config in JavaScript, which only promptfoo runs",
            path=show_path(path),
            remedy="write it as YAML: `npx promptfoo eval -o results.json` shows the config that it makes",
        )
    table = read_data(path)
    if not isinstance(table, Mapping):
        raise SuiteError(
            "is not a promptfoo config: expected a mapping with `prompts` and `tests`", path=show_path(path)
        )
    resolver = _Resolver(path, table)
    table = resolver.resolved(table)
    given = table.get("env")
    document = ConfigFile(path.absolute(), table, {}, datasets or {})
    env = (
        {str(name): str(document.with_env(value)) for name, value in given.items()}
        if isinstance(given, Mapping)
        else {}
    )
    found = ConfigFile(document.path, table, env, document.datasets)
    for message, where in resolver.missing:
        found.note("left out", message, where)
    return found


class _Resolver:
    """Puts what ``$ref`` names in its place."""

    def __init__(self, path: Path, root: Mapping[str, Any]) -> None:
        self._path, self._root = path, root
        self._open: list[str] = []
        self.missing: list[tuple[str, Mapping[str, Any]]] = []

    def resolved(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.resolved(item) for item in value]
        if not isinstance(value, Mapping):
            return value
        reference = value.get("$ref")
        # A schema refers to its own definitions; those stay.
        if isinstance(reference, str) and not reference.startswith(("#/$defs", "#/definitions", "#/components")):
            try:
                found = self._found(reference, value)
            except SuiteError as error:
                self.missing.append((f"$ref {reference!r}: {error.message}", value))
                return None
            return {**found, **others} if (others := _without_ref(value)) and isinstance(found, Mapping) else found
        return copy_mapping(value, {key: self.resolved(item) for key, item in value.items()})

    def _found(self, reference: str, where: Mapping[str, Any]) -> Any:
        if reference in self._open:
            raise SuiteError(
                f"$ref {reference!r} leads back to itself", path=show_path(self._path), line=line_of(where)
            )
        name, _, pointer = reference.partition("#")
        file = self._path.parent / name.removeprefix(FILE) if name else self._path
        node: Any = read_data(file) if name else self._root
        for part in [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]:
            try:
                node = node[int(part)] if isinstance(node, list) else node[part]
            except (KeyError, IndexError, ValueError, TypeError):
                remedy = f"nothing is at {pointer!r} of {show_path(file)}"
                raise SuiteError(
                    f"$ref {reference!r} names nothing", path=show_path(self._path), line=line_of(where), remedy=remedy
                ) from None
        self._open.append(reference)
        try:
            return self.resolved(node)
        finally:
            self._open.pop()


def _without_ref(value: Mapping[str, Any]) -> dict[str, Any]:
    return {key: item for key, item in value.items() if key != "$ref"}
