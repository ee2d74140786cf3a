"""Tests as they are written in files: YAML, JSON, JSONL and CSV, files that these name, and data sets.

Known keys of promptfoo that do not describe cases (``prompts``, ``providers``, ...) are ignored with a note; an
unknown key is an error, because a misspelled one would silently change what is measured.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from promptopt.errors import SuiteError, did_you_mean
from promptopt.files import decode, lines_of_file, show_path
from promptopt.suites.datasets import dataset_of, read_sample
from promptopt.suites.derived import DerivedMetric, read_derived
from promptopt.suites.table import read_csv
from promptopt.suites.variables import expand_patterns, find_file
from promptopt.yaml import Located, LongList, line_of, load_json, load_long, load_yaml

SUFFIXES = (".yaml", ".yml", ".json", ".jsonl", ".csv")

_TOP_KEYS = ("description", "tests", "defaultTest", "derivedMetrics")
_TOP_IGNORED = frozenset(
    {
        *("prompts", "providers", "targets", "outputPath", "evaluateOptions", "commandLineOptions"),
        *("writeLatestResults", "sharing", "env", "tags", "metadata", "$schema"),
    }
)
_TEST_KEYS = (
    *("description", "vars", "assert", "threshold", "metadata", "options", "tool_results", "max_steps", "turns"),
)
_OPTION_KEYS = ("disableVarExpansion", "provider", "rubricPrompt", "transform")


class TestFile:
    """The tests of one file as they are written there.

    Attributes:
        notes: What was read differently from what the user may expect; those of the files that it names are the same.
    """

    def __init__(self, path: Path, outer: Self | None = None, *, of_data: bool = False, long: bool = False) -> None:
        self._path = path
        self._of_data = of_data
        self._shown = show_path(path)
        self._outer = outer
        self._long: bool = outer._long if outer else long
        self._default: Mapping[str, Any] = outer._default if outer else {}
        self._derived: tuple[DerivedMetric, ...] = ()
        self.notes: dict[str, None] = outer.notes if outer else {}

    def tests(self, text: str | None = None) -> Iterable[tuple[Self, Any]]:
        """Each test, and the file that it is in.

        Args:
            text: The text of the file, if it was read already.
        """
        suffix = self._path.suffix.lower()
        if suffix in (".csv", ".jsonl"):
            lines = lines_of_file(self._path, SuiteError) if text is None else io.StringIO(text)
            found = read_csv(lines, self._shown) if suffix == ".csv" else self._json_lines(lines)
            return ((self, test) for test in found)
        return self._document(text)

    def _document(self, text: str | None) -> Iterable[tuple[Self, Any]]:
        """The tests of a YAML or JSON document: a list, or a mapping with ``tests``."""
        document = self._read(text)
        if isinstance(document, list | LongList):
            return self._tests(document, None)
        if not isinstance(document, Mapping):
            raise self._error("is not a suite: expected a mapping with `tests`, or a list of tests", None)
        for key in document:
            if key in _TOP_IGNORED:
                self.notes[f"`{key}` is not used"] = None
            elif key not in _TOP_KEYS:
                raise self._unknown(key, _TOP_KEYS, document, "in the suite")
        self._default = self._mapping(document, "defaultTest") or self._default
        if self._default:
            self._check_test(self._default)
        try:
            self._derived = read_derived(document.get("derivedMetrics"))
        except ValueError as error:
            raise self._error(str(error), document, "derivedMetrics") from None
        return self._tests(document.get("tests"), line_of(document, "tests"))

    def _read(self, text: str | None) -> Any:
        if text is None and self._long:
            return load_long(self._path, "tests", error=SuiteError)
        if text is None:
            try:
                text = decode(self._path.read_bytes(), self._shown, SuiteError)
            except OSError as error:
                raise SuiteError(f"cannot be read: {error.strerror}", path=self._shown) from None
        load = load_json if self._path.suffix.lower() == ".json" else load_yaml
        return load(text, self._shown, error=SuiteError)

    def _json_lines(self, lines: Iterable[str]) -> Iterator[Any]:
        """One test a line; a line with ``input`` and ``target`` is a sample of inspect's."""
        number = 0
        decoder = json.JSONDecoder(object_pairs_hook=lambda pairs: _located(number, pairs))
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = decoder.decode(line)
            except (ValueError, RecursionError) as error:
                message = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
                raise SuiteError(f"is not JSON: {message}", path=self._shown, line=number) from None
            if not isinstance(row, dict):
                raise SuiteError(f"{line.strip()[:60]} is not an object", path=self._shown, line=number)
            yield read_sample(row, self._shown, number) if "input" in row and "vars" not in row else row

    def _tests(self, value: Any, line: int | None) -> Iterator[tuple[Self, Any]]:
        """``tests`` as a list, or as ``file://`` of another file."""
        if value is None:
            return
        entries = [value] if isinstance(value, str) or _is_dataset(value) else value
        if not isinstance(entries, list | LongList):
            raise SuiteError(f"tests: {value!r} is not a list", path=self._shown, line=line)
        for written in entries:
            try:
                expanded = expand_patterns([written], self._folders)
            except ValueError as error:
                raise SuiteError(f"tests: {error}", path=self._shown, line=line) from None
            for entry in expanded:
                if _is_dataset(entry):
                    yield from self._dataset(entry)
                elif isinstance(entry, str):
                    yield from self._other_file(entry, line)
                else:
                    yield self, entry

    def _dataset(self, entry: Mapping[str, Any]) -> Iterable[tuple[Self, Any]]:
        def fail(message: str, key: str | None, remedy: str | None) -> SuiteError:
            return self._error(f"tests: {message}", entry, key, remedy)

        dataset = dataset_of(entry, lambda path: find_file(path, self._folders), fail)
        file = type(self)(dataset.path, self, of_data=True)
        return ((file, test) for test in dataset.tests())

    def _other_file(self, entry: str, line: int | None) -> Iterable[tuple[Self, Any]]:
        path = find_file(entry, self._folders)
        if path.suffix.lower() not in SUFFIXES:
            raise SuiteError(f"tests: cannot read {entry!r}", path=self._shown, line=line)
        if any(path.resolve() == file._path.resolve() for file in self._opened()):
            raise SuiteError(f"tests: {entry!r} leads back to itself", path=self._shown, line=line)
        try:
            path.open("rb").close()
        except OSError as error:
            raise SuiteError(f"tests: {entry!r}: {error.strerror}", path=self._shown, line=line) from None
        return type(self)(path, self).tests()

    @cached_property
    def _folders(self) -> tuple[Path, ...]:
        """Where a ``file://`` is looked for: beside the suite, as in promptfoo, then beside the file that names it."""
        return tuple(dict.fromkeys((*(self._outer._folders if self._outer else ()), self._path.parent)))

    def _opened(self) -> Iterator[Self]:
        yield self
        if self._outer is not None:
            yield from self._outer._opened()

    def _check_test(self, test: Mapping[str, Any]) -> None:
        for key in test:
            if key not in _TEST_KEYS:
                raise self._unknown(key, _TEST_KEYS, test, "in a test")
        for key in self._mapping(test, "options"):
            if key not in _OPTION_KEYS:
                raise self._unknown(key, _OPTION_KEYS, test["options"], "in options")

    def _mapping(self, mapping: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        value = mapping.get(key)
        if value is None:
            return {}
        if not isinstance(value, (dict, Mapping)):
            raise self._error(f"{key}: {value!r} is not a mapping", mapping, key)
        return value

    def _line(self, mapping: Mapping[str, Any]) -> int | None:
        # Cases know their line in the suite's own file; those of a file that it names have none there.
        return None if self._outer else line_of(mapping)

    def _unknown(self, key: str, known: tuple[str, ...], where: Mapping[str, Any], place: str) -> SuiteError:
        return self._error(
            f"unknown key {key!r} {place}.{did_you_mean(key, known)}", where, key, remedy=f"known: {', '.join(known)}"
        )

    def _error(
        self, message: str, where: Mapping[str, Any] | None, key: str | None = None, remedy: str | None = None
    ) -> SuiteError:
        return SuiteError(message, path=self._shown, line=line_of(where, key), remedy=remedy)


def _is_dataset(entry: Any) -> bool:
    return isinstance(entry, Mapping) and "path" in entry and "vars" not in entry


def _located(line: int, pairs: list[tuple[str, Any]]) -> Located:
    mapping = Located(line)
    for key, value in pairs:
        if key in mapping:
            raise ValueError(f"the key {key!r} appears twice")
        mapping[key] = value
    return mapping
