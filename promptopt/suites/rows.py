"""Rows of data sets on disk: CSV, JSON, JSONL and Parquet."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from promptopt.errors import MissingExtra, SuiteError
from promptopt.files import decode, lines_of, show_path
from promptopt.suites.table import read_rows

ROW_SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".parquet")


def read_table(path: Path) -> Iterator[Mapping[str, Any]]:
    """The rows of a file by column.

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
        yield from _parquet(path)
        return
    text = decode(path.read_bytes(), show_path(path), SuiteError)
    if suffix == ".csv":
        yield from (row for _, row in read_rows(text, show_path(path), SuiteError))
        return
    if suffix == ".json":
        yield from _objects(path, enumerate(_loaded(text, path, None), 1))
        return
    lines = ((number, line) for number, line in enumerate(lines_of(text), 1) if line.strip())
    yield from _objects(path, ((number, _loaded(line, path, number)) for number, line in lines))


def _loaded(text: str, path: Path, line: int | None) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SuiteError(f"is not JSON: {error}", path=show_path(path), line=line) from None


def _objects(path: Path, rows: Any) -> Iterator[Mapping[str, Any]]:
    for number, row in rows:
        if not isinstance(row, dict):
            raise SuiteError(f"row {number} is {str(row)[:40]!r}, not an object", path=show_path(path))
        yield row


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
