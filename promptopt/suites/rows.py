"""Rows of data sets on disk: CSV, JSON, JSONL and Parquet."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from promptopt.errors import MissingExtra, SuiteError
from promptopt.files import decode, lines_of_file, show_path
from promptopt.suites.table import read_rows

ROW_SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".parquet")

RowPlace = tuple[int | None, int]
"""Where a row is: its line, if the file has one for it, and its number from 1."""


def read_table(path: Path) -> Iterator[Mapping[str, Any]]:
    """The rows of a file by column.

    Raises:
        SuiteError: As :func:`placed_rows`.
        MissingExtra: As there.
    """
    return (row for _, row in placed_rows(path))


def placed_rows(path: Path) -> Iterator[tuple[RowPlace, Mapping[str, Any]]]:
    """The rows of a file by column, each with its place in the file.

    Raises:
        SuiteError: It cannot be read, or a line of it is not a row.
        MissingExtra: It is Parquet, and what reads that is not installed.
    """
    suffix = path.suffix.lower()
    if suffix not in ROW_SUFFIXES:
        raise SuiteError(f"is not a file of rows: {', '.join(ROW_SUFFIXES)}", path=show_path(path))
    if not path.is_file():
        raise SuiteError("does not exist", path=show_path(path))
    if suffix == ".parquet":
        yield from (((None, number), row) for number, row in enumerate(_parquet(path), 1))
        return
    if suffix == ".csv":
        rows = read_rows(lines_of_file(path, SuiteError), show_path(path), SuiteError)
        yield from (((line, number), row) for number, (line, row) in enumerate(rows, 1))
        return
    if suffix == ".json":
        text = decode(path.read_bytes(), show_path(path), SuiteError)
        loaded = _loaded(text, path, None)
        if not isinstance(loaded, list):
            remedy = "write the list alone into a file, as by `jq .data FILE`" if isinstance(loaded, dict) else None
            raise SuiteError(f"is {text.strip()[:40]!r}, not a list of rows", path=show_path(path), remedy=remedy)
        yield from _objects(path, ((None, row) for row in loaded))
        return
    lines = ((number, line) for number, line in enumerate(lines_of_file(path, SuiteError), 1) if line.strip())
    yield from _objects(path, ((number, _loaded(line, path, number)) for number, line in lines))


def _loaded(text: str, path: Path, line: int | None) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SuiteError(f"is not JSON: {error}", path=show_path(path), line=line) from None


def _objects(path: Path, rows: Iterable[tuple[int | None, Any]]) -> Iterator[tuple[RowPlace, Mapping[str, Any]]]:
    for number, (line, row) in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise SuiteError(f"row {number} is {str(row)[:40]!r}, not an object", path=show_path(path), line=line)
        yield (line, number), row


def _parquet(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        import duckdb
    except ImportError:
        raise MissingExtra("duckdb", "audit", f"the Parquet file {show_path(path)}") from None
    try:
        found = duckdb.connect().execute("SELECT * FROM read_parquet(?)", [str(path)])
        names = [column[0] for column in found.description or []]
        while rows := found.fetchmany(1000):
            yield from (dict(zip(names, row, strict=True)) for row in rows)
    except duckdb.Error as error:
        raise SuiteError(f"is not Parquet: {str(error).splitlines()[0]}", path=show_path(path)) from None
