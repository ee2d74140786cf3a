"""Cases from CSV, with promptfoo's special columns.

``__expected`` (and ``__expected1``, ``__expected2``, ...) is an assert in short form: ``contains: 4``,
``not-icontains: sorry``, ``levenshtein(5): text``, ``contains-any: a, b``, ``is-json``, or a bare text, which the
answer must equal. ``__description`` names the case, ``__threshold`` and ``__metadata:KEY`` set what they say; every
other column is a variable.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from typing import Any

from promptopt.errors import SuiteError
from promptopt.yaml import Located

_EXPECTED = re.compile(r"__expected\d*")
_SHORT = re.compile(
    r"(?P<type>(?:not-)?[a-z][a-z0-9-]*)(?:\((?P<threshold>[0-9.]+)\))?\s*(?::\s*(?P<value>.*))?", re.DOTALL
)
_WITHOUT_VALUE = frozenset({"is-json", "contains-json"})
_LISTS = frozenset({"contains-any", "contains-all", "icontains-any", "icontains-all"})


def read_csv(text: str, path: str) -> Iterator[Mapping[str, Any]]:
    """One test for each row.

    Raises:
        SuiteError: A row has more cells than the header, or a special column is unknown.
    """
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in reader:
            if None in row:
                raise SuiteError("has more cells than the header", path=path, line=reader.line_num)
            yield _test(row, path, reader.line_num)
    except csv.Error as error:
        raise SuiteError(f"is not CSV: {error}", path=path, line=reader.line_num) from None


def _test(row: Mapping[str, str | None], path: str, line: int) -> Located:
    test = Located(line)
    test.update({"vars": {}, "assert": [], "metadata": {}})
    for column, cell in row.items():
        value = cell or ""
        if not column.startswith("__"):
            test["vars"][column] = value
        elif _EXPECTED.fullmatch(column):
            if value:
                test["assert"].append(short_assert(value))
        elif column == "__description":
            test["description"] = value
        elif column == "__threshold":
            if value:
                test["threshold"] = value
        elif column.startswith("__metadata:"):
            test["metadata"][column.removeprefix("__metadata:")] = value
        else:
            raise SuiteError(
                f"unknown column {column!r}",
                path=path,
                line=line,
                remedy="special columns: __expected, __description, __threshold, __metadata:KEY",
            )
    return test


def short_assert(text: str) -> dict[str, Any]:
    """An ``__expected`` cell as an assert."""
    match = _SHORT.fullmatch(text.strip())
    # `Paris` is a value; `contains: Paris` and `is-json` are asserts.
    if match is None or (match["value"] is None and match["type"].removeprefix("not-") not in _WITHOUT_VALUE):
        return {"type": "equals", "value": text.strip()}
    entry: dict[str, Any] = {"type": match["type"]}
    if match["threshold"]:
        entry["threshold"] = match["threshold"]
    if match["value"]:
        value: Any = match["value"].strip()
        if match["type"].removeprefix("not-") in _LISTS:
            value = [part.strip() for part in value.split(",")]
        entry["value"] = value
    return entry
