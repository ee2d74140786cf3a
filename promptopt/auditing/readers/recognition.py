"""Which reader a file of records is for: the named one, or the one that recognises them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import cast

from promptopt.auditing.log import LoggedCall
from promptopt.auditing.readers import plain
from promptopt.auditing.readers.fields import BadRow, LogReader
from promptopt.auditing.readers.records import LogRecord
from promptopt.errors import InputError, UsageError, did_you_mean
from promptopt.files import show_path
from promptopt.registry import load, registered


def formats() -> tuple[str, ...]:
    """The names of the formats that can be read."""
    return tuple(registered("reader"))


def reader_of(
    path: Path, first: Sequence[LogRecord | BadRow], format_name: str | None, columns: tuple[str, ...]
) -> LogReader:
    """The reader of a file whose first records are these.

    Raises:
        InputError: No format is recognised.
        UsageError: The named format is not known, or ``--map`` is not for it.
    """
    sample = [record for record in first if not isinstance(record, BadRow)]
    bad = next((record for record in first if isinstance(record, BadRow)), None) if not sample else None
    if columns:
        if format_name not in (None, plain.NAME):
            raise UsageError(f"--map is for plain rows, not for --format {format_name}")
        return plain.PlainReader(columns)
    if format_name is not None:
        if format_name not in formats():
            raise UsageError(
                f"--format {format_name!r} is not known.{did_you_mean(format_name, formats())} "
                f"Known: {', '.join(formats())}"
            )
        return plain.PlainReader() if format_name == plain.NAME else cast("LogReader", load("reader", format_name))
    # Plain rows are what any format looks like, so they are asked last.
    for name in sorted(formats(), key=lambda each: each == plain.NAME):
        reader = cast("LogReader", load("reader", name))
        if any(reader.recognises(record) for record in sample):
            return plain.PlainReader() if name == plain.NAME else reader
    if bad is not None:
        raise InputError(f"{show_path(path)}: no record of it can be read: {bad}")
    names = ", ".join(sorted({key for record in sample for key in record})[:12]) or "no records"
    raise InputError(
        f"{show_path(path)}: is not a log of a known format; its records have: {names}\n"
        f"  name the format (--format {'|'.join(formats())}), or the columns (--map input=COLUMN --map output=COLUMN)"
    )


def other_reader(reader: LogReader, others: Sequence[LogReader], record: LogRecord) -> LogReader | None:
    """The reader of a record that is of another format than those before it in its file; ``None`` if it is not."""
    if reader.recognises(record):
        return None
    return next((other for other in others if other is not reader and other.recognises(record)), None)


def calls_of(
    calls: Callable[[LogRecord], Iterator[LoggedCall | BadRow]], record: LogRecord | BadRow
) -> Iterator[LoggedCall | BadRow]:
    """The calls of a record; a shape that its reader does not expect is a bad row."""
    if isinstance(record, BadRow):
        raise record
    try:
        yield from calls(record)
    except (AttributeError, TypeError, KeyError, IndexError) as error:
        raise BadRow(f"has another shape than its format: {error}") from None
