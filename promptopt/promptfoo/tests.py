"""The tests of a config as they are written: inline, in files, from code, from data sets, and in scenarios."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from promptopt.errors import SuiteError
from promptopt.files import show_path
from promptopt.functions import load_function
from promptopt.promptfoo.document import ConfigFile, copy_mapping, is_script, read_data, read_text, split_function
from promptopt.promptfoo.prompts import expand_glob
from promptopt.promptfoo.scripts import run_script
from promptopt.suites.rows import read_table
from promptopt.suites.table import read_rows, short_assert
from promptopt.suites.variables import FILE
from promptopt.yaml import Located

_DATASET = "huggingface://datasets/"
_SERVICES = ("https://docs.google.com/", "az://", "https://", "http://")
_TEST_KEYS = (
    *("description", "vars", "assert", "threshold", "metadata", "options", "provider", "providers", "prompts"),
    *("providerOutput", "assertScoringFunction", "id", "tags", "turns", "tool_results", "max_steps", "extensions"),
)


def read_tests(document: ConfigFile) -> list[Mapping[str, Any]]:
    """All tests of a config, those of its scenarios too. What cannot be read is left out with a note."""
    tests = list(_tests(document, document.table.get("tests"), "tests"))
    if isinstance(scenarios := document.load(document.table.get("scenarios")), list):
        for number, scenario in enumerate(scenarios):
            with document.leaving_out(f"scenario {number + 1}", scenario, None):
                tests += _scenario(document, document.load(scenario), number)
    if not tests and not document.table.get("tests") and not document.table.get("scenarios"):
        # As promptfoo has it: a config without tests asks each prompt once.
        tests = [{}]
    found = []
    for test in tests:
        with document.leaving_out(f"the test {str(test.get('description') or '')!r}", test):
            found.append(_checked(document, test))
    return found


def default_test(document: ConfigFile) -> Mapping[str, Any]:
    """What holds for every test: ``defaultTest``, which may be in a file of its own."""
    with document.leaving_out("defaultTest", document.table, "defaultTest"):
        found = document.load(document.table.get("defaultTest"))
        if isinstance(found, Mapping):
            return _checked(document, found)
        if found is not None:
            raise ValueError(f"{str(found)[:60]!r} is not a mapping")
    return {}


def _checked(document: ConfigFile, test: Mapping[str, Any]) -> Mapping[str, Any]:
    for key in test:
        if key not in _TEST_KEYS:
            document.note("left out", f"`{key}` of a test is not used", test, key)
    variables = test.get("vars")
    if isinstance(variables, str | list):
        test = copy_mapping(test, {**test, "vars": _variables(document, variables)})
    return test


def _variables(document: ConfigFile, written: str | list[Any]) -> dict[str, Any]:
    """Variables that files hold; those of a later one take the place of those of an earlier one."""
    found: dict[str, Any] = {}
    for entry in written if isinstance(written, list) else [written]:
        if isinstance(entry, Mapping):
            found |= entry
            continue
        for path in expand_glob(document.folder, str(entry).removeprefix(FILE)) or [document.find(str(entry))]:
            data = read_data(path)
            if not isinstance(data, Mapping):
                raise SuiteError("holds no variables by name", path=show_path(path))
            found |= data
    return found


def _tests(document: ConfigFile, written: Any, key: str) -> Iterator[Mapping[str, Any]]:
    """Each test of a list, a file or a mapping with ``path``."""
    if written is None:
        return
    if isinstance(written, Mapping) and "path" not in written:
        written = [written]
    for number, entry in enumerate(written if isinstance(written, list) else [written], 1):
        where, place = (entry, None) if isinstance(entry, Located) else (document.table, key)
        name, config = (
            (entry, None)
            if isinstance(entry, str)
            else (entry.get("path"), entry.get("config"))
            if isinstance(entry, Mapping)
            else (None, None)
        )
        with document.leaving_out(f"tests of {name!r}" if isinstance(name, str) else f"test {number}", where, place):
            if isinstance(name, str):
                yield from _named(document, name, config)
            elif isinstance(entry, Mapping):
                yield entry
            else:
                raise ValueError(f"{str(entry)[:60]!r} is neither a test nor a file of tests")


def _named(document: ConfigFile, name: str, config: Any) -> Iterator[Mapping[str, Any]]:
    """The tests that a reference names."""
    name = str(document.with_env(name))
    if name.startswith(_DATASET):
        yield from _dataset(document, name)
        return
    if name.startswith(_SERVICES):
        raise ValueError("it is kept by a service: save it in a CSV file and name that")
    bare, function = split_function(name)
    bare = bare.removeprefix(FILE).partition("#")[0]
    path = document.find(bare)
    if path.suffix == ".py" or is_script(bare):
        yield from _generated(path, function, document.load_all(config))
        return
    files = [path] if path.is_file() else expand_glob(document.folder, bare)
    if not files:
        raise ValueError(f"no file matches it: {show_path(path)} does not exist")
    for file in files:
        yield from _file(document, file)


def _file(document: ConfigFile, path: Path) -> Iterator[Mapping[str, Any]]:
    suffix = path.suffix.lower()
    if suffix == ".csv":
        for number, test in enumerate(csv_tests(read_text(path), show_path(path)), 1):
            test.setdefault("description", f"Row #{number}")
            yield test
        return
    if suffix in (".xlsx", ".xls"):
        raise ValueError("a spreadsheet is not read: save it as CSV and name that")
    if suffix not in (".yaml", ".yml", ".json", ".jsonl"):
        raise ValueError(f"a file of the kind {suffix or path.name!r} has no tests")
    yield from _listed(document, read_data(path), path)


def _listed(document: ConfigFile, data: Any, path: Path) -> Iterator[Mapping[str, Any]]:
    entries = data if isinstance(data, list) else [data]
    if isinstance(data, Mapping) and "tests" in data and not {"vars", "assert"} & data.keys():
        entries = list(_tests(document, data["tests"], "tests"))
    for entry in entries:
        if isinstance(entry, str) and entry.startswith(FILE):
            yield from _named(document, entry, None)
        elif isinstance(entry, Mapping):
            # Lines of another file are none of the config.
            yield dict(entry)
        elif entry is not None:
            raise SuiteError(f"{str(entry)[:60]!r} is not a test", path=show_path(path))


def _generated(path: Path, function: str | None, config: Any) -> Iterable[Mapping[str, Any]]:
    """Tests that code of the user's own makes, as promptfoo calls it."""
    arguments = [] if config is None else [config]
    if path.suffix == ".py":
        made = load_function(f"{FILE}{path}:{function or 'generate_tests'}")(*arguments)
    else:
        made = run_script(path, function, arguments)
    made = list(made) if isinstance(made, Iterable) and not isinstance(made, str | Mapping) else made
    if not isinstance(made, list) or not all(isinstance(test, Mapping) for test in made):
        raise ValueError(f"it returned {type(made).__name__}, not a list of tests")
    return [json.loads(json.dumps(dict(test), default=str)) for test in made]


def _dataset(document: ConfigFile, name: str) -> Iterator[Mapping[str, Any]]:
    """The rows of a data set on Hugging Face out of a local copy."""
    wanted, _, query = name.removeprefix(_DATASET).partition("?")
    path = document.datasets.get(wanted)
    if path is None:
        raise ValueError(f"nothing is fetched: download {wanted} and name its file with --dataset {wanted}=FILE")
    limit = re.search(r"(?:^|&)limit=(\d+)", query)
    for number, row in enumerate(read_table(path)):
        if limit and number >= int(limit[1]):
            return
        yield {"vars": dict(row), "options": {"disableVarExpansion": True}}


def csv_tests(text: str, path: str) -> Iterator[dict[str, Any]]:
    """The tests of a CSV text with all special columns of promptfoo's.

    Raises:
        SuiteError: As :func:`promptopt.suites.table.read_rows`, or an ``__expected`` is nearly an assert.
    """
    for line, row in read_rows(text.lstrip("\ufeff"), path, SuiteError):
        if any(value.strip() for value in row.values()):
            yield _row(row, path, line)


def _row(row: Mapping[str, str], path: str, line: int) -> dict[str, Any]:
    test: dict[str, Any] = {"vars": {}, "assert": [], "options": {}, "metadata": {}}
    thresholds: dict[int, str] = {}
    for column, value in row.items():
        name, _, rest = column.partition(":")
        if not column.startswith("__"):
            test["vars"][column] = value
        elif re.fullmatch(r"__expected([1-9]\d*)?", column):
            test["assert"] += [_short(value, path, line)] if value.strip() else []
        elif column in ("__prefix", "__suffix"):
            test["options"][column[2:]] = value
        elif name == "__metadata":
            test["metadata"] |= _metadata(rest, value)
        elif name == "__config" or name.startswith("__expected"):
            thresholds[_config_of(column, path)] = value
        elif column in ("__description", "__threshold", "__providerOutput"):
            test |= {column[2:]: value} if value.strip() else {}
        elif column != "__metric":
            test["vars"][column] = value
    for number, entry in enumerate(test["assert"]):
        entry.update({"metric": row["__metric"]} if row.get("__metric") else {})
        entry.update({"threshold": thresholds[number]} if thresholds.get(number) else {})
    return test


def _metadata(key: str, value: str) -> dict[str, Any]:
    if key.endswith("[]"):
        items = [part.replace("\\,", ",").strip() for part in re.split(r"(?<!\\),", value)]
        return {key[:-2]: items} if value.strip() else {}
    return {key: value} if key and value.strip() else {}


def _config_of(column: str, path: str) -> int:
    """Which assert a column is about the threshold of, from 0. Raises SuiteError if it is about none."""
    found = re.fullmatch(r"__config:__expected([1-9]\d*)?:threshold", column)
    if found is None:
        remedy = "asserts are __expected, __expected1, __expected2, ...; a threshold is __config:__expected1:threshold"
        raise SuiteError(f"unknown column {column!r}", path=path, line=1, remedy=remedy)
    return int(found[1] or 1) - 1


def _short(text: str, path: str, line: int) -> dict[str, Any]:
    """An ``__expected`` cell; a file of code is an assert of its language."""
    text = text.strip()
    if text.startswith(FILE):
        name, _ = split_function(text)
        if name.endswith(".py") or is_script(name):
            return {"type": "python" if name.endswith(".py") else "javascript", "value": text}
    return dict(short_assert(text, path, line))


def _scenario(document: ConfigFile, scenario: Any, number: int) -> Iterator[Mapping[str, Any]]:
    """Each test of a scenario with each entry of its ``config``."""
    if not isinstance(scenario, Mapping):
        raise ValueError("is not a mapping with `config` and `tests`")
    config = scenario.get("config")
    if not isinstance(config, list):
        config = document.load(config)
    entries = [
        row for entry in (config if isinstance(config, list) else [config]) for row in _as_list(document.load(entry))
    ]
    tests = list(_tests(document, scenario.get("tests"), "scenarios")) or [{}]
    checked = [_checked(document, test) for test in tests]
    for data in (entry if isinstance(entry, Mapping) else {} for entry in entries):
        for test in checked:
            merged = {**data, **test}
            for key in ("vars", "options", "metadata"):
                merged[key] = {**(data.get(key) or {}), **(test.get(key) or {})}
            merged["assert"] = [*(data.get("assert") or []), *(test.get("assert") or [])]
            description = [str(each["description"]) for each in (data, test) if each.get("description")]
            if description:
                merged["description"] = " / ".join(description)
            merged["metadata"].setdefault("conversationId", f"__scenario_{number}__")
            yield copy_mapping(test, merged)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
