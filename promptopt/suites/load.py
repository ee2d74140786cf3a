"""Suites from files in promptfoo's vocabulary, in memory or, if they are too large for that, on disk."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath
from sys import intern
from typing import Any

from promptopt.config import Config, check_config, load_config
from promptopt.errors import SuiteError, UsageError, check_argument, did_you_mean
from promptopt.files import scratch_database, show_path
from promptopt.suites.case import ASSERT_KEYS, MAX_STEPS, Assertion, Case, Suite, Turn
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
from promptopt.suites.written import SUFFIXES, TestFile
from promptopt.values import Media, canonical_json, sha256_hex

# Asserts of one text each that a suite's reader remembers.
_MOST_ALIKE = 1024
# One for all cases and asserts that have none.
_NOTHING: Mapping[str, Any] = {}
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
    return _Parser(_find(operand, config)).suite()


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


class _Parser(TestFile):
    """Makes the cases of one file."""

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self._alike: dict[object, Assertion] = {}

    def suite(self, text: str | None = None) -> Suite:
        """The suite of the file; ``text`` is what is in it, if that was read already."""
        cases: dict[str, Case] = {}
        for parser, test in self._checked(text):
            shared = parser._shared(test)
            for suffix, variables in parser._forms(test):
                case = parser._case(test, shared, suffix, variables)
                if case.name in cases:
                    raise parser._twice(case, test)
                cases[case.name] = case
        return self._suite(tuple(cases.values()))

    def _checked(self, text: str | None = None) -> Iterator[tuple[_Parser, Mapping[str, Any]]]:
        number = 0
        for number, (parser, test) in enumerate(self.tests(text), 1):
            if not isinstance(test, Mapping):
                raise parser._error(f"test {number} is {test!r}, not a mapping", None)
            parser._check_test(test)
            yield parser, test
        if not number:
            raise self._error("has no cases", None, remedy="add at least one under `tests`")

    def _twice(self, case: Case, test: Mapping[str, Any]) -> SuiteError:
        remedy = "give each case its own description: recordings are found by it"
        return self._error(f"two cases are named {case.name!r}", test, remedy=remedy)

    def _suite(self, cases: tuple[Case, ...]) -> Suite:
        return Suite(self._path.stem, self._path, cases, tuple(self.notes), self._derived)

    def _forms(self, test: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """The variables of each case of a test, and what its name ends with."""
        given = {**self._mapping(self._default, "vars"), **self._mapping(test, "vars")}
        options = {**self._mapping(self._default, "options"), **self._mapping(test, "options")}
        try:
            written = {name: expand_patterns(value, self._folders) for name, value in given.items()}
        except ValueError as error:
            raise self._error(str(error), test, "vars") from None
        return self._expanded(written, options)

    def _shared(self, test: Mapping[str, Any]) -> dict[str, Any]:
        """What all cases of a test have."""
        options = {**self._mapping(self._default, "options"), **self._mapping(test, "options")}
        metadata = {**self._mapping(self._default, "metadata"), **self._mapping(test, "metadata")}
        return {
            "asserts": (*self._default_asserts, *self._asserts(test)),
            "threshold": self._fraction(test.get("threshold", self._default.get("threshold")), "threshold", test),
            "metadata": metadata or _NOTHING,
            "line": self._line(test),
            "max_steps": self._max_steps(test),
            "options": self._with_files(options, test) or _NOTHING,
        }

    def _case(self, test: Mapping[str, Any], shared: dict[str, Any], suffix: str, written: Mapping[str, Any]) -> Case:
        try:
            read = {name: read_variable(value, self._folders) for name, value in written.items()}
            variables, plain = render_variables(read, self._mapping(test, "vars") if self._of_data else ())
            for name in plain:
                self.notes[f"the variable {name!r} is not rendered: its braces name no variable"] = None
            turns = self._turns(test, read)
            # The name is of what is written, so that it stays when another variable is changed.
            # A picture is called as its file: a recording of the case is then stale once the file is another.
            named = {key: written[key] if isinstance(value, Media) else value for key, value in read.items()}
            description = test.get("description")
            name = str(description) if description is not None else self._unnamed(named, test)
            results = self._tool_results(variables, self._default, test)
        except ValueError as error:
            raise self._error(str(error), test, "vars") from None
        return Case(name=intern(name + suffix), vars=variables, tool_results=results, turns=turns, **shared)

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
        note = f"the list {' x '.join(lists)} makes {count} cases of one, as in promptfoo; "
        self.notes[note + "`options: {disableVarExpansion: true}` keeps a list whole"] = None
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

    def _number(self, value: Any, key: str, entry: Mapping[str, Any]) -> float:
        try:
            number = float(value) if not isinstance(value, bool) else -1.0
        except (TypeError, ValueError):
            number = -1.0
        if not 0 <= number < float("inf"):
            raise self._error(f"{key}: {value!r} is not a number of at least 0", entry, key)
        return number

    def _fraction(self, value: Any, key: str, entry: Mapping[str, Any]) -> float | None:
        if value is None:
            return None
        number = self._number(value, key, entry)
        if number > 1:
            raise self._error(f"{key}: {value!r} is not between 0 and 1", entry, key)
        return number


class LongSuite:
    """A suite that is too large for memory: its tests are in a temporary database on disk. Close it.

    Attributes:
        suite: It without its cases.
    """

    def __init__(self, operand: str | Path, *, config: Config | None = None) -> None:
        """Raises SuiteError as :func:`load_suite` does."""
        parser = _Parser(_find(operand, config or load_config()), long=True)
        self._files: dict[_Parser, int] = {}
        self._database = scratch_database(
            "CREATE TABLE one (number INTEGER PRIMARY KEY, name BLOB UNIQUE, file INTEGER, written TEXT)"
        )
        try:
            for file, test in parser._checked():
                self._add(file, test)
            self.suite = parser._suite(())
        except BaseException:
            self.close()
            raise
        self._parsers = list(self._files)

    def _add(self, file: _Parser, test: Mapping[str, Any]) -> None:
        shared, default = file._shared(test), file._mapping(file._default, "vars")
        # Of its variables their names say which are its own; what the defaults say is not written for each case.
        plain = {**test, "vars": dict.fromkeys(file._mapping(test, "vars"))}
        for suffix, variables in file._forms(test):
            case = file._case(test, shared, suffix, variables)
            own = {name: value for name, value in variables.items() if name not in default or value != default[name]}
            number = self._files.setdefault(file, len(self._files))
            # A label of Parquet may be a date; no call has it.
            row = (_key(case.name), number, json.dumps([plain, suffix, own], default=str))
            try:
                self._database.execute("INSERT INTO one (name, file, written) VALUES (?, ?, ?)", row)
            except self._database.IntegrityError:
                raise file._twice(case, test) from None

    def __iter__(self) -> Iterator[Case]:
        """The cases in the order of the file."""
        for file, written in self._database.execute("SELECT file, written FROM one ORDER BY number"):
            yield self._read(file, written)

    def get(self, name: str) -> Case | None:
        """The case of that name."""
        found = self._database.execute("SELECT file, written FROM one WHERE name = ?", (_key(name),)).fetchone()
        return None if found is None else self._read(*found)

    def _read(self, number: int, written: str) -> Case:
        file, (test, suffix, own) = self._parsers[number], json.loads(written)
        variables = {**file._mapping(file._default, "vars"), **own}
        return file._case(test, file._shared(test), suffix, variables)

    def close(self) -> None:
        """Give back the database."""
        self._database.close()


def _key(name: str) -> bytes:
    # Half of a surrogate pair is not a text of SQLite.
    return name.encode("utf-8", "surrogatepass")
