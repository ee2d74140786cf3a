"""Data sets on disk as tests: SQuAD, GSM8K, OpenAI evals, Langfuse, inspect, and any other rows by a map."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import Any, NoReturn

from promptopt.errors import SuiteError, did_you_mean
from promptopt.files import show_path
from promptopt.suites.rows import placed_rows
from promptopt.suites.variables import is_file
from promptopt.yaml import Located

# They change what a model is asked or can do, so a sample without them is another one.
_UNSUPPORTED = ("sandbox", "files", "setup")
DATASET_KEYS = ("path", "format", "map", "assert")

_MAPS: Mapping[str, Mapping[str, str]] = {
    "rows": {},
    "squad": {
        "question": "vars.question",
        "context": "vars.context",
        "answers.text": "expected",
        "id": "description",
    },
    "gsm8k": {"question": "vars.question", "answer": "expected"},
}
FORMATS = (*_MAPS, "inspect", "langfuse", "openai-evals")
_TARGET = re.compile(r"vars\.\w+|metadata\..+|expected|description")
_OWN_TESTS = "tests of your own may: `tests: file://tests.jsonl`"
# The value of these asserts may be a list; the others compare with one value.
SEVERAL = re.compile(r".*-(any|all)|bleu|gleu|similar")
_LAST = re.compile(r"####\s*(-?[\d,]*\.?\d+)\s*\Z")


@dataclass(frozen=True, slots=True)
class Dataset:
    """An entry of ``tests`` that names a data set.

    Attributes:
        path: The file: CSV, JSON, JSONL or Parquet.
        format: What its rows are.
        columns: What each of its columns becomes, by its name or by the path of a field in it (``answers.text``).
        kind: The type of assert that compares the answer with what a row expects; ``None``: that of the format.
    """

    path: Path
    format: str
    columns: Mapping[str, str]
    kind: str | None

    def tests(self) -> Iterator[Located]:
        """One test for each row.

        Raises:
            SuiteError: A row cannot be measured as it is; the message has its line, or its number in Parquet and JSON.
            MissingExtra: It is Parquet, and what reads that is not installed.
        """
        count = 0
        for (line, number), row in placed_rows(self.path):
            count = number
            shown = show_path(self.path)
            place = _Row(row, shown if line else f"{shown}: row {number}", line)
            test = self._test(place)
            if any(isinstance(value, list) for value in test["vars"].values()):
                test["options"] = {"disableVarExpansion": True}
            for value in (*test["vars"].values(), *(each["value"] for each in test["assert"])):
                _open_nothing(value, place)
            for each in test["assert"]:
                each["value"] = _literal(each["value"], place)
            yield test
        if not count:
            raise SuiteError("has no rows", path=show_path(self.path))

    def _test(self, row: _Row) -> Located:
        if self.format == "inspect":
            return self._inspect(row)
        if self.format == "langfuse":
            return self._langfuse(row)
        if self.format == "openai-evals":
            return self._openai(row)
        return self._mapped(row)

    def _mapped(self, row: _Row) -> Located:
        test = row.test()
        for field, target in self.columns.items():
            value = row.field(field)
            place, _, name = target.partition(".")
            if place == "expected":
                self._expect(test, row, _last_number(value, row, field) if self.format == "gsm8k" else value, field)
            elif place == "description":
                test[place] = str(value)
            else:
                test[place][name] = value
        return test

    def _openai(self, row: _Row) -> Located:
        test = row.test()
        test["vars"] = _messages(row.field("input"), row)
        self._expect(test, row, row.field("ideal"), "ideal")
        return _labelled(test, row)

    def _langfuse(self, row: _Row) -> Located:
        if row.either("status", "status") == "ARCHIVED":
            row.fail("the item is archived", "take archived items out of the export")
        test = row.test()
        given = row.json("input", "input")
        if isinstance(given, Mapping):
            test["vars"] = dict(given)
        elif given is None:
            row.fail("`input` is null", "give the item an input, or take it out")
        else:
            test["vars"] = _messages(given, row)
        expected = row.json("expectedOutput", "expected_output")
        if isinstance(expected, Mapping | list) and self.kind in (None, "equals"):
            test["assert"] = [{"type": "equals", "value": expected}]
        elif expected is not None:
            self._expect(test, row, expected, "expectedOutput")
        return _labelled(test, row)

    def _inspect(self, row: _Row) -> Located:
        row.field("input")
        test = read_sample(row.cells, row.path, row.line or 0) if row.line else _without_line(row)
        if self.kind is not None:
            targets = [each["value"] for each in test["assert"]]
            test["assert"] = []
            if targets:
                self._expect(test, row, targets[0], "target")
        return test

    def _expect(self, test: Located, row: _Row, value: Any, field: str) -> None:
        """The assert that compares with what the row expects."""
        kind = self.kind or ("numeric" if self.format == "gsm8k" else "contains-any")
        values = value if isinstance(value, list) else [value]
        if not all(type(each) in (str, int, float) and str(each).strip() for each in values):
            row.fail(f"`{field}` is {value!r:.60}, not a text, a number or a list of them")
        if not values:
            row.fail(
                f"`{field}` is an empty list: nothing is expected",
                "take such rows out, or write asserts of your own and a `map` without `expected`",
            )
        values = list(dict.fromkeys(values))
        if SEVERAL.fullmatch(kind):
            test["assert"].append({"type": kind, "value": values})
        elif len(values) > 1:
            row.fail(
                f"`{field}` has {len(values)} values, and `{kind}` compares with one: {values!r:.60}",
                "an assert such as `contains-any` takes them all",
            )
        else:
            test["assert"].append({"type": kind, "value": values[0]})


@dataclass(frozen=True, slots=True)
class _Row:
    cells: Mapping[str, Any]
    path: str
    line: int | None

    def fail(self, message: str, remedy: str | None = None) -> NoReturn:
        raise SuiteError(message, path=self.path, line=self.line, remedy=remedy)

    def test(self) -> Located:
        test = Located(self.line or 1)
        test.update({"vars": {}, "assert": [], "metadata": {}})
        return test

    def field(self, name: str) -> Any:
        """A column, or a field in one; of a list of objects the field of each."""
        if name in self.cells:
            value = self.cells[name]
        else:
            value = self.cells
            for part in name.split("."):
                if isinstance(value, list) and all(isinstance(each, Mapping) and part in each for each in value):
                    value = [each[part] for each in value]
                elif isinstance(value, Mapping) and part in value:
                    value = value[part]
                else:
                    known = ", ".join(map(str, self.cells))
                    self.fail(f"has no field {name!r}", f"its columns are {known}; `map` says which one is what")
        if value is None:
            self.fail(f"`{name}` is null", "fill it in, or take the row out")
        return self._plain(value, name)

    def _plain(self, value: Any, name: str) -> Any:
        """A value of Parquet as JSON has it."""
        if isinstance(value, list):
            return [self._plain(each, name) for each in value]
        if isinstance(value, Mapping):
            return {key: self._plain(each, name) for key, each in value.items()}
        if isinstance(value, date | time):
            return value.isoformat()
        if isinstance(value, Decimal):
            value = int(value) if value == value.to_integral_value() else float(value)
        if not (value is None or isinstance(value, str | int | float)) or (
            type(value) is float and not isfinite(value)
        ):
            self.fail(f"`{name}` is {value!r:.60}, not a text or a number", "map another column, or take the row out")
        return value

    def either(self, camel: str, snake: str) -> Any:
        return self.cells.get(camel, self.cells.get(snake))

    def json(self, camel: str, snake: str) -> Any:
        """A cell that a CSV has as JSON, as it was."""
        value = self._plain(self.either(camel, snake), camel)
        if isinstance(value, str) and Path(self.path.partition(": row ")[0]).suffix.lower() == ".csv":
            try:
                return json.loads(value) if value.strip() else None
            except (ValueError, RecursionError):
                return value
        return value


def _open_nothing(value: Any, row: _Row) -> None:
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, list):
            _open_nothing(each, row)
        elif is_file(each):
            row.fail(f"{each!r:.60} is the address of a file, and the rows of a data set open none", _OWN_TESTS)


def _literal(value: Any, row: _Row) -> Any:
    """What a row expects, as the value of an assert: braces in it are no variables."""
    if isinstance(value, list):
        return [_literal(each, row) for each in value]
    if isinstance(value, Mapping):
        return {key: _literal(each, row) for key, each in value.items()}
    if not isinstance(value, str) or "{{" not in value:
        return value
    if "endraw" in value:
        row.fail(f"{value!r:.60} has both braces and `endraw`", "take the row out")
    return f"{{% raw %}}{value}{{% endraw %}}"


def _without_line(row: _Row) -> Located:
    try:
        return read_sample(row.cells, row.path, 1)
    except SuiteError as error:
        # The file has no line for it; its number is in the path.
        raise SuiteError(error.message, path=row.path, remedy=error.remedy) from None


def _messages(value: Any, row: _Row) -> dict[str, Any]:
    """The variables of a chat: what the user says, and what the system message says if there is one."""
    if isinstance(value, str | int | float):
        return {"input": value}
    whole = isinstance(value, list) and all(isinstance(each, Mapping) for each in value)
    roles = [each.get("role") for each in value] if whole else []
    texts = [each.get("content") for each in value] if whole else []
    if roles not in (["user"], ["system", "user"]) or not all(isinstance(text, str) for text in texts):
        row.fail(
            f"`input` is {json.dumps(value, default=str)[:60]}, not a text or a chat of one user message, "
            "with or without a system message before it",
            "examples and earlier turns belong in the prompt",
        )
    return {"input" if role == "user" else "system": text for role, text in zip(roles, texts, strict=True)}


def _last_number(value: Any, row: _Row, field: str) -> str:
    """What is after ``####``, without the commas of thousands."""
    found = (
        _LAST.fullmatch("####" + value.rpartition("####")[2]) if isinstance(value, str) and "####" in value else None
    )
    if found is None:
        tail = value[-40:] if isinstance(value, str) else value
        row.fail(f"`{field}` ends with {tail!r}, not with `#### NUMBER`", "take the row out, or read it as `rows`")
    return found[1].replace(",", "")


def _labelled(test: Located, row: _Row) -> Located:
    metadata = row.json("metadata", "metadata")
    if metadata is not None and not isinstance(metadata, Mapping):
        row.fail(f"`metadata` is {metadata!r:.60}, not an object")
    test["metadata"] = dict(metadata or {})
    if row.cells.get("id") is not None:
        test["description"] = str(row.cells["id"])
    return test


def dataset_of(
    entry: Mapping[str, Any], find: Callable[[str], Path], fail: Callable[[str, str | None, str | None], SuiteError]
) -> Dataset:
    """The data set that an entry of ``tests`` names.

    Args:
        entry: A mapping with ``path`` and ``format``.
        find: The file of a path.
        fail: Makes an error of a message, the key that it is about, and a remedy.

    Raises:
        SuiteError: The entry is not one.
    """
    for key in entry:
        if key not in DATASET_KEYS:
            known = f"known: {', '.join(DATASET_KEYS)}"
            raise fail(f"unknown key {key!r} in a data set.{did_you_mean(key, DATASET_KEYS)}", key, known)
    path, written, columns, kind = (entry.get(key) for key in DATASET_KEYS)
    if not isinstance(path, str) or not path:
        raise fail(f"path: {path!r} is not the path of a file", "path", None)
    if written not in FORMATS:
        guess = did_you_mean(str(written), FORMATS)
        raise fail(f"format: {written!r} is not known.{guess}", "format", f"formats: {', '.join(FORMATS)}")
    if kind is not None and not isinstance(kind, str):
        raise fail(f"assert: {kind!r} is not the name of a type of assert", "assert", None)
    if columns is not None and (written not in _MAPS or not isinstance(columns, Mapping)):
        raise fail(f"map: {columns!r:.60}", "map", f"a mapping of columns, with the formats {', '.join(_MAPS)}")
    for field, target in (columns or {}).items():
        if not isinstance(target, str) or not _TARGET.fullmatch(target):
            remedy = "write vars.NAME, metadata.NAME, expected or description"
            raise fail(f"map: {field}: {target!r} is not a part of a case", "map", remedy)
    columns = columns or _MAPS.get(written, {})
    if written in _MAPS and not any(str(target).startswith("vars.") for target in columns.values()):
        raise fail("map: no column becomes a variable", "map", "write such as `map: {question: vars.question}`")
    return Dataset(find(path), written, {str(key): str(value) for key, value in columns.items()}, kind)


def read_sample(row: Mapping[str, Any], path: str, line: int) -> Located:
    """A sample as a test.

    The answer contains one of the targets; with ``choices``, a variable of the case, it equals the target's letter. An
    empty target, inspect's default, is not an assert. A chat of one user message is its text.

    Raises:
        SuiteError: The sample cannot be measured as it is.
    """

    def fail(message: str) -> SuiteError:
        return SuiteError(f"inspect sample: {message}", path=path, line=line)

    for key in _UNSUPPORTED:
        if row.get(key):
            raise fail(f"`{key}` is not supported")
    targets = row.get("target", [])
    targets = targets if isinstance(targets, list) else [targets]
    if not all(isinstance(target, (str, int, float)) for target in targets):
        raise fail(f"`target` is {row['target']!r}, not a text or a list of texts")
    targets = [str(target) for target in targets if target != ""]
    test = Located(line)
    test["vars"] = {"input": _only_text(row["input"], fail)}
    test["assert"] = [{"type": "contains-any", "value": targets}] if targets else []
    if choices := row.get("choices"):
        if not isinstance(choices, list) or not all(isinstance(choice, str) for choice in choices):
            raise fail(f"`choices` is {choices!r}, not a list of texts")
        letters = list(string.ascii_uppercase[: len(choices)])
        if len(targets) > 1 or any(target not in letters for target in targets):
            raise fail(f"`target` is {row['target']!r}, not one of the letters {', '.join(letters)}")
        test["vars"]["choices"] = choices
        test["options"] = {"disableVarExpansion": True}
        test["assert"] = [{"type": "equals", "value": target} for target in targets]
    test["metadata"] = row.get("metadata") or {}
    if row.get("id") is not None:
        test["description"] = str(row["id"])
    return test


def _only_text(value: Any, fail: Callable[[str], SuiteError]) -> Any:
    if isinstance(value, (str, int, float)):
        return value
    if not isinstance(value, list):
        raise fail(f"`input` is {value!r}, not a text")
    first = value[0] if len(value) == 1 and isinstance(value[0], Mapping) else {}
    if first.get("role") == "user" and isinstance(first.get("content"), str):
        return first["content"]
    raise fail(
        f"`input` is a chat of {len(value)} messages; only one user message with a text can be a variable, "
        "the others belong in the prompt"
    )
