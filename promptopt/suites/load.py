"""Suites from files: YAML, JSON, JSONL and CSV in promptfoo's vocabulary.

Known keys of promptfoo that do not describe cases (``prompts``, ``providers``, ...) are ignored with a note; an
unknown key is an error, because a misspelled one would silently change what is measured.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath
from sys import intern
from typing import Any

from promptopt.config import Config, check_config, load_config
from promptopt.errors import SuiteError, UsageError, check_argument, did_you_mean
from promptopt.files import decode, lines_of, show_path
from promptopt.suites.case import ASSERT_KEYS, MAX_STEPS, Assertion, Case, Suite, Turn
from promptopt.suites.datasets import dataset_of
from promptopt.suites.derived import DerivedMetric, read_derived
from promptopt.suites.inspect_samples import read_sample
from promptopt.suites.table import read_csv
from promptopt.suites.tool_results import ToolResults, read_tool_results
from promptopt.suites.turns import read_turns
from promptopt.suites.variables import (
    FILE,
    expand_patterns,
    fill,
    find_file,
    is_file,
    read_prompt,
    read_value,
    read_variable,
    render_variables,
)
from promptopt.values import Media, canonical_json, sha256_hex
from promptopt.yaml import Located, line_of, load_yaml

SUFFIXES = (".yaml", ".yml", ".json", ".jsonl", ".csv")

_TOP_KEYS = ("description", "tests", "defaultTest", "derivedMetrics")
_TOP_IGNORED = frozenset(
    {
        *("prompts", "providers", "targets", "outputPath", "evaluateOptions", "commandLineOptions"),
        *("writeLatestResults", "sharing", "env", "tags", "metadata", "$schema"),
    }
)
# Asserts of one text each that a suite's reader remembers.
_MOST_ALIKE = 1024
# One for all cases and asserts that have none.
_NOTHING: Mapping[str, Any] = {}
_TEST_KEYS = (
    *("description", "vars", "assert", "threshold", "metadata", "options", "tool_results", "max_steps", "turns"),
)
_OPTION_KEYS = ("disableVarExpansion", "provider", "rubricPrompt", "transform")

_TEXT_TYPES = frozenset(
    {
        *("equals", "contains", "contains-any", "contains-all", "icontains", "icontains-any", "icontains-all"),
        *("starts-with", "regex", "levenshtein", "rouge-n", "token-f1", "numeric", "word-count"),
        *("llm-rubric", "g-eval", "factuality", "model-graded-factuality", "model-graded-closedqa", "context-recall"),
        "select-best",
    }
)
"""Asserts whose ``file://`` is read; for the others it is code or a schema, and they open it."""


def load_suite(operand: str | Path, *, config: Config | None = None) -> Suite:
    """The suite in a file, or the one of that name in the suites folder.

    Raises:
        SuiteError: There is none, or it cannot be used as it is.
    """
    check_argument(isinstance(operand, str | Path), "suite", operand, "a name or a path")
    check_config(config)
    config = config or load_config()
    path = _find(operand, config)
    try:
        text = decode(path.read_bytes(), show_path(path), SuiteError)
    except OSError as error:
        raise SuiteError(f"cannot be read: {error.strerror}", path=show_path(path)) from None
    return parse_suite(text, path)


def find_suite(prompt: str, *, config: Config | None = None) -> Path | None:
    """The suite file that is named like a prompt (``support/triage``) or like the last part of its name (``triage``).

    Returns:
        ``None`` if there is neither.
    """
    folder = (config or load_config()).suites
    return _named(prompt, folder) or _named(PurePosixPath(prompt).name, folder)


def suite_of(prompt: str, *, config: Config | None = None) -> Path:
    """As :func:`find_suite`, for a prompt that must have one.

    Raises:
        UsageError: There is none.
    """
    found = find_suite(prompt, config=config)
    if found is None:
        raise UsageError(f"no suite is named {prompt!r}; name one with --suite")
    return found


def list_suites(config: Config) -> list[Path]:
    """The suite files of the project, by name.

    All files in the suites folder that may be suites, and below it those with recordings: a file without any may be
    data that a suite reads.
    """
    folder = config.suites
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix in SUFFIXES and (path.parent == folder or (path.with_suffix("") / "recordings").is_dir())
    )


def _named(name: str, folder: Path) -> Path | None:
    return next((path for suffix in SUFFIXES if (path := folder / f"{name}{suffix}").is_file()), None)


def parse_suite(text: str, path: Path) -> Suite:
    """A suite out of the text of its file, whose ending says how it is written.

    Raises:
        SuiteError: It has no cases, two of one name, or cannot be read.
    """
    return _Parser(path).suite(text)


def _find(operand: str | Path, config: Config) -> Path:
    path = Path(operand)
    if path.is_file():
        return path
    found = _named(str(operand), config.suites)
    if found is not None:
        return found
    names = [file.relative_to(config.suites).with_suffix("").as_posix() for file in list_suites(config)]
    known = f"suites in {show_path(config.suites)}: {', '.join(names)}" if names else None
    raise SuiteError(f"no suite {str(operand)!r}.{did_you_mean(str(operand), names)}", remedy=known)


class _Parser:
    """Collects the cases of one file; knows its name for errors."""

    def __init__(self, path: Path, outer: _Parser | None = None, *, of_data: bool = False) -> None:
        self._path = path
        self._of_data = of_data
        self._shown = show_path(path)
        self._outer = outer
        self._default: Mapping[str, Any] = outer._default if outer else {}
        self._notes: list[str] = outer._notes if outer else []
        self._derived: tuple[DerivedMetric, ...] = ()
        self._alike: dict[object, Assertion] = {}

    def _tests_of(self, text: str) -> Iterable[_Test]:
        suffix = self._path.suffix.lower()
        if suffix == ".csv":
            return ((self, test) for test in read_csv(text, self._shown))
        if suffix == ".jsonl":
            return ((self, test) for test in self._json_lines(text))
        return self._document(text)

    def _document(self, text: str) -> Iterable[_Test]:
        """The tests of a YAML or JSON document: a list, or a mapping with ``tests``."""
        if self._path.suffix.lower() == ".json":
            # JSON is YAML, and this loader knows lines.
            text = _SURROGATES.sub(_joined, text)
        document = load_yaml(text, self._shown, error=SuiteError)
        if isinstance(document, list):
            return self._tests(document, None)
        if not isinstance(document, Mapping):
            raise self._error("is not a suite: expected a mapping with `tests`, or a list of tests", None)
        for key in document:
            if key in _TOP_IGNORED:
                self._notes.append(f"`{key}` is not used")
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

    def _json_lines(self, text: str) -> Iterator[Any]:
        """One test a line; a line with ``input`` and ``target`` is a sample of inspect's."""
        number = 0
        decoder = json.JSONDecoder(object_pairs_hook=lambda pairs: _located(number, pairs))
        for number, line in enumerate(lines_of(text), 1):
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

    def suite(self, text: str) -> Suite:
        """The suite of the file whose text this is."""
        cases: dict[str, Case] = {}
        for number, (parser, test) in enumerate(self._tests_of(text), 1):
            if not isinstance(test, Mapping):
                raise parser._error(f"test {number} is {test!r}, not a mapping", None)
            for case in parser._cases(test):
                if case.name in cases:
                    remedy = "give each case its own description: recordings are found by it"
                    raise parser._error(f"two cases are named {case.name!r}", test, remedy=remedy)
                cases[case.name] = case
        if not cases:
            raise self._error("has no cases", None, remedy="add at least one under `tests`")
        notes = tuple(dict.fromkeys(self._notes))
        return Suite(self._path.stem, self._path, tuple(cases.values()), notes, self._derived)

    def _tests(self, value: Any, line: int | None) -> Iterable[_Test]:
        """``tests`` as a list, or as ``file://`` of another file."""
        if value is None:
            return []
        entries = [value] if isinstance(value, str) or _is_dataset(value) else value
        if not isinstance(entries, list):
            raise SuiteError(f"tests: {value!r} is not a list", path=self._shown, line=line)
        tests: list[_Test] = []
        try:
            entries = expand_patterns(entries, self._folders)
        except ValueError as error:
            raise SuiteError(f"tests: {error}", path=self._shown, line=line) from None
        for entry in entries:
            if _is_dataset(entry):
                tests.extend(self._dataset(entry))
            else:
                tests.extend(self._other_file(entry, line) if isinstance(entry, str) else [(self, entry)])
        return tests

    def _dataset(self, entry: Mapping[str, Any]) -> Iterable[_Test]:
        def fail(message: str, key: str | None, remedy: str | None) -> SuiteError:
            return self._error(f"tests: {message}", entry, key, remedy)

        dataset = dataset_of(entry, lambda path: find_file(path, self._folders), fail)
        parser = _Parser(dataset.path, self, of_data=True)
        return ((parser, test) for test in dataset.tests())

    def _other_file(self, entry: str, line: int | None) -> Iterable[_Test]:
        path = find_file(entry, self._folders)
        if path.suffix.lower() not in SUFFIXES:
            raise SuiteError(f"tests: cannot read {entry!r}", path=self._shown, line=line)
        if any(path.resolve() == parser._path.resolve() for parser in self._opened()):
            raise SuiteError(f"tests: {entry!r} leads back to itself", path=self._shown, line=line)
        try:
            text = decode(path.read_bytes(), show_path(path), SuiteError)
        except OSError as error:
            raise SuiteError(f"tests: {entry!r}: {error.strerror}", path=self._shown, line=line) from None
        return _Parser(path, self)._tests_of(text)

    @cached_property
    def _folders(self) -> tuple[Path, ...]:
        """Where a ``file://`` is looked for: beside the suite, as in promptfoo, then beside the file that names it."""
        return tuple(dict.fromkeys((*(self._outer._folders if self._outer else ()), self._path.parent)))

    def _opened(self) -> Iterator[_Parser]:
        yield self
        if self._outer is not None:
            yield from self._outer._opened()

    def _cases(self, test: Mapping[str, Any]) -> Iterator[Case]:
        self._check_test(test)
        given = {**self._mapping(self._default, "vars"), **self._mapping(test, "vars")}
        options = self._with_files({**self._mapping(self._default, "options"), **self._mapping(test, "options")}, test)
        asserts = (*self._default_asserts, *self._asserts(test))
        threshold = test.get("threshold", self._default.get("threshold"))
        metadata = {**self._mapping(self._default, "metadata"), **self._mapping(test, "metadata")}
        description = test.get("description")
        try:
            written = {name: expand_patterns(value, self._folders) for name, value in given.items()}
            for suffix, expanded in self._expanded(written, options):
                read = {name: read_variable(value, self._folders) for name, value in expanded.items()}
                variables, plain = render_variables(read, self._mapping(test, "vars") if self._of_data else ())
                self._notes += [f"the variable {name!r} is not rendered: its braces name no variable" for name in plain]
                turns = self._turns(test, read)
                # The name is of what is written, so that it stays when another variable is changed.
                # A picture is called as its file: a recording of the case is then stale once the file is another.
                named = {key: expanded[key] if isinstance(value, Media) else value for key, value in read.items()}
                name = str(description) if description is not None else self._unnamed(named, test)
                yield Case(
                    name=intern(name + suffix),
                    vars=variables,
                    asserts=asserts,
                    threshold=self._fraction(threshold, "threshold", test),
                    metadata=metadata or _NOTHING,
                    line=self._line(test),
                    tool_results=self._tool_results(variables, self._default, test),
                    max_steps=self._max_steps(test),
                    turns=turns,
                    options=options or _NOTHING,
                )
        except ValueError as error:
            raise self._error(str(error), test, "vars") from None

    def _tool_results(self, variables: Mapping[str, Any], *places: Mapping[str, Any]) -> ToolResults | None:
        """Those of the defaults, of the test and of a turn by tool; a list, in order, replaces those before."""
        written: Any = None
        where = places[0]
        for place in places:
            given = place.get("tool_results")
            if given is not None:
                where, both = place, isinstance(given, Mapping) and isinstance(written, Mapping)
                written = {**written, **given} if both else given
        if written is None:
            return None
        try:
            return read_tool_results(fill(written, variables), self._folders)
        except ValueError as error:
            raise self._error(f"tool_results: {error}", where, "tool_results") from None

    def _turns(self, test: Mapping[str, Any], variables: Mapping[str, Any]) -> tuple[Turn, ...]:
        """Those of the test, else those of the defaults."""
        place = test if test.get("turns") is not None else self._default
        if place.get("turns") is None:
            return ()

        def results(turn: Mapping[str, Any], filled: Mapping[str, Any]) -> ToolResults | None:
            return self._tool_results(filled, self._default, test, turn)

        return read_turns(place, variables, self._folders, self._asserts, results, self._error)

    def _unnamed(self, variables: Mapping[str, Any], test: Mapping[str, Any]) -> str:
        """The name of a case without one, by what is asked."""
        turns = test.get("turns") or self._default.get("turns") or []
        said = [[turn.get("user"), turn.get("vars")] if isinstance(turn, Mapping) else [turn] for turn in turns]
        return f"case-{sha256_hex(canonical_json({**variables, 'turns': said} if said else variables))[:8]}"

    def _max_steps(self, test: Mapping[str, Any]) -> int:
        value = test.get("max_steps", self._default.get("max_steps", MAX_STEPS))
        if type(value) is not int or value < 1:
            raise self._error(f"max_steps: {value!r} is not a whole number of at least 1", test, "max_steps")
        return value

    def _expanded(
        self, variables: Mapping[str, Any], options: Mapping[str, Any]
    ) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """One case for each combination of the values of lists of texts, as promptfoo has it, with a note."""
        lists = {
            name: value
            for name, value in variables.items()
            if isinstance(value, list) and value and all(isinstance(item, str) for item in value)
        }
        if not lists or options.get("disableVarExpansion") is True:
            yield "", variables
            return
        count = 1
        for value in lists.values():
            count *= len(value)
        self._notes.append(
            f"the list {' x '.join(lists)} makes {count} cases of one, as in promptfoo; "
            "`options: {disableVarExpansion: true}` keeps a list whole"
        )
        for values in itertools.product(*lists.values()):
            chosen = dict(zip(lists, values, strict=True))
            suffix = ", ".join(f"{name}={value}" for name, value in chosen.items())
            yield f" [{suffix}]", {**variables, **chosen}

    @cached_property
    def _default_asserts(self) -> tuple[Assertion, ...]:
        """The same for every case; read with the first, when the defaults are known."""
        return self._asserts(self._default)

    def _asserts(self, test: Mapping[str, Any]) -> tuple[Assertion, ...]:
        entries = test.get("assert")
        if entries is None:
            return ()
        if not isinstance(entries, list):
            raise self._error("assert is not a list", test, "assert")
        return tuple(self._assertion(entry, test) for entry in entries)

    def _assertion(self, entry: Any, test: Mapping[str, Any]) -> Assertion:
        if not isinstance(entry, (dict, Mapping)) or not isinstance(entry.get("type"), str):
            raise self._error(f"an assert without a type: {entry!r}", entry if isinstance(entry, Mapping) else test)
        written = entry["type"]
        # A large suite has few asserts, which its cases repeat; texts are what most of them hold.
        alike = tuple(entry.items()) if all(type(value) is str for value in entry.values()) else None
        if (known := self._alike.get(alike)) is not None:
            return known.at(self._line(entry))
        threshold = entry.get("threshold")
        if threshold is not None:
            threshold = self._number(threshold, "threshold", entry)
        found = Assertion(
            type=intern(written.removeprefix("not-")),
            negated=written.startswith("not-"),
            value=self._value(entry.get("value"), written.removeprefix("not-"), entry),
            threshold=threshold,
            weight=self._number(entry.get("weight", 1), "weight", entry),
            options=self._with_files({key: value for key, value in entry.items() if key not in ASSERT_KEYS}, entry)
            or _NOTHING,
            metric=self._metric(entry),
            line=self._line(entry),
        )
        if alike is not None and len(self._alike) < _MOST_ALIKE:
            self._alike[alike] = found
        return found

    def _with_files(self, options: Mapping[str, Any], where: Mapping[str, Any]) -> Mapping[str, Any]:
        """Options in which the file of a ``rubricPrompt`` is read, and that of a ``transform`` is a whole path."""
        code = options.get("transform")
        if isinstance(code, str) and is_file(code):
            options = {**options, "transform": f"{FILE}{find_file(code, self._folders).absolute()}"}
        if not is_file(prompt := options.get("rubricPrompt")):
            return options
        try:
            return {**options, "rubricPrompt": read_prompt(str(prompt), self._folders)}
        except ValueError as error:
            raise self._error(f"rubricPrompt: {error}", where, "rubricPrompt") from None

    def _metric(self, entry: Mapping[str, Any]) -> str | None:
        metric = entry.get("metric")
        if isinstance(metric, Mapping | list):
            raise self._error(f"metric: {metric!r} is not a name", entry, "metric")
        return None if metric is None or not str(metric).strip() else str(metric).strip()

    def _value(self, value: Any, kind: str, entry: Mapping[str, Any]) -> Any:
        """An assert's value: the content of a ``file://``, or the place of one that its scorer opens."""
        if kind not in _TEXT_TYPES:
            return f"{FILE}{find_file(value, self._folders)}" if is_file(value) else value
        try:
            return read_value(value, self._folders)
        except ValueError as error:
            raise self._error(f"assert {kind}: {error}", entry, "value") from None

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

    def _number(self, value: Any, key: str, entry: Mapping[str, Any]) -> float:
        try:
            number = float(value) if not isinstance(value, bool) else -1.0
        except (TypeError, ValueError):
            number = -1.0
        if not 0 <= number < float("inf"):
            raise self._error(f"{key}: {value!r} is not a number of at least 0", entry, key)
        return number

    def _line(self, mapping: Mapping[str, Any]) -> int | None:
        # Cases know their line in the suite's own file; those of a file that it names have none there.
        return None if self._outer else line_of(mapping)

    def _fraction(self, value: Any, key: str, entry: Mapping[str, Any]) -> float | None:
        if value is None:
            return None
        number = self._number(value, key, entry)
        if number > 1:
            raise self._error(f"{key}: {value!r} is not between 0 and 1", entry, key)
        return number

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


_Test = tuple[_Parser, Any]
"""A test as written, and the parser of the file that it is in."""

# JSON writes 😀 as two escapes, which YAML knows only as one character.
_SURROGATES = re.compile(r"(?<!\\)((?:\\\\)*)(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})")


def _joined(match: re.Match[str]) -> str:
    return str(match[1]) + str(json.loads(f'"{match[2]}"'))


def _located(line: int, pairs: list[tuple[str, Any]]) -> Located:
    mapping = Located(line)
    for key, value in pairs:
        if key in mapping:
            raise ValueError(f"the key {key!r} appears twice")
        mapping[key] = value
    return mapping
