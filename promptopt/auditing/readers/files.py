"""Log files: JSON, JSONL, CSV, Parquet and SQLite, plain or gzipped, read record by record."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sqlite3
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, cast

from promptopt.auditing.log import UNKNOWN, CallLog, LogBuilder, LoggedCall
from promptopt.auditing.readers import codex, ledger, otel, plain
from promptopt.auditing.readers.fields import BadRow, LogReader, as_mapping
from promptopt.errors import InputError, MissingExtra, UsageError, did_you_mean
from promptopt.files import show_path
from promptopt.registry import load, registered

LONGEST_LINE = 64 * 2**20
"""Bytes of a line; a longer one is a bad row, and is not held in memory."""
SAMPLES = 20
_LOOKED_AT = 20
_CONTAINERS = ("data", "rows", "calls", "records", "items", "logs", "results", "observations")
_BUCKET = frozenset({"start_time", "starting_at"})
_EVERY, _BATCH = 20_000, 5_000
_SUFFIXES = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet", ".gz", ".sqlite", ".sqlite3", ".db", ".log")

LogRecord = Mapping[str, Any]
ReadProgress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that was not read.

    Attributes:
        place: File and line, or file and number of the record.
    """

    place: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReadLog:
    """What was read.

    Attributes:
        formats: How many calls came from files of each format.
        rejected: Rows that could not be read; the first of them are in ``samples``.
        duplicates: Calls whose id had been seen before; they are not in ``log``.
    """

    log: CallLog
    formats: Mapping[str, int]
    rejected: int
    samples: tuple[RejectedRow, ...]
    duplicates: int


def read_log(
    paths: Sequence[Path],
    *,
    format_name: str | None = None,
    columns: tuple[str, ...] = (),
    model: str | None = None,
    progress: ReadProgress = lambda _: None,
) -> ReadLog:
    """The calls of some files, in the order of time.

    Args:
        format_name: One of :func:`formats`; by default the files' own records say which it is.
        columns: Entries of ``--map``, which make the format ``plain``.
        model: For rows that name none.
        progress: Called with the number of calls so far, from time to time.

    Raises:
        InputError: A file is not there, or is not a log of a known format.
        UsageError: The format is not known.
    """
    reading = _Reading(model, progress)
    for path in paths:
        for file in _logs_in(path) if path.is_dir() else [path]:
            reading.file(file, format_name, columns)
    return reading.done()


def _logs_in(folder: Path) -> list[Path]:
    # Logs that are rotated leave empty files.
    found = sorted(
        file
        for file in folder.rglob("*")
        if file.is_file() and file.suffix.lower() in _SUFFIXES and file.stat().st_size
    )
    if not found:
        raise InputError(f"holds no log ({', '.join(_SUFFIXES)})", path=show_path(folder))
    return found


def formats() -> tuple[str, ...]:
    """The names of the formats that can be read."""
    return tuple(registered("reader"))


class _Reading:
    def __init__(self, model: str | None, progress: ReadProgress) -> None:
        self._builder, self._model, self._progress = LogBuilder(), model, progress
        self._formats: Counter[str] = Counter()
        self._samples: list[RejectedRow] = []
        self._rejected = self._duplicates = 0
        self._seen: dict[int, int] = {}
        self._parents: dict[str, str] = {}

    def file(self, path: Path, format_name: str | None, columns: tuple[str, ...]) -> None:
        if not path.is_file():
            raise InputError(f"{show_path(path)}: there is no such file")
        if _starts_with(path, b"SQLite format 3\0"):
            self._take(ledger.NAME, path, _ledger_calls(path))
            return
        records = iter(documents(path))
        first = list(islice(records, _LOOKED_AT))
        reader = _reader(path, [each for _, each in first], format_name, columns)
        if isinstance(reader, plain.PlainReader):
            self._take_plain(reader, path, chain(first, records))
            return
        calls = codex.CodexSession().calls if reader.NAME == codex.NAME else reader.calls
        if reader.NAME == otel.NAME:
            calls = self._with_parents
        others = (
            [] if format_name else [cast("LogReader", load("reader", name)) for name in formats() if name != plain.NAME]
        )
        for place, record in chain(first, records):
            other = None if isinstance(record, BadRow) else _other_reader(reader, others, record)
            name, read = (reader.NAME, calls) if other is None else (other.NAME, other.calls)
            self._take(name, path, ((place, _calls_of(read, record)),))

    def _with_parents(self, record: LogRecord) -> Iterator[LoggedCall | BadRow]:
        self._parents.update(otel.span_parents(record))
        return otel.calls(record)

    def _drop_repeated_sums(self) -> None:
        """Leave out spans that hold the span of another call, at any depth: they repeat what it used."""
        spans = {span: self._seen.get(_number(otel.NAME, span)) for span in self._parents}
        repeated: dict[str, int] = {}
        looked: set[str] = set()
        for span, row in spans.items():
            parent = self._parents.get(span) if row is not None else None
            while parent is not None and parent not in looked:
                looked.add(parent)
                above = self._seen.get(_number(otel.NAME, parent))
                if above is not None:
                    repeated[parent] = above
                parent = self._parents.get(parent)
        self._builder.drop(repeated.values())
        if repeated:
            self._formats[otel.NAME] -= len(repeated)

    def _take_plain(
        self, reader: plain.PlainReader, path: Path, records: Iterable[tuple[int, LogRecord | BadRow]]
    ) -> None:
        """Read many rows of one shape at once, which takes a tenth of the time; others one by one."""
        records = iter(records)
        while batch := list(islice(records, _BATCH)):
            rows = [record for _, record in batch if not isinstance(record, BadRow)]
            if len(rows) == len(batch) and reader.take(self._builder, rows, self._model or UNKNOWN):
                self._formats[reader.NAME] += len(rows)
                self._progress(len(self._builder))
            else:
                self._take(reader.NAME, path, ((place, _calls_of(reader.calls, record)) for place, record in batch))

    def _take(self, name: str, path: Path, found: Iterable[tuple[int, Iterator[LoggedCall | BadRow]]]) -> None:
        for place, calls in found:
            try:
                for call in calls:
                    if isinstance(call, BadRow):
                        self._reject(path, place, call)
                    else:
                        self._add(name, call)
            except BadRow as error:
                self._reject(path, place, error)

    def _reject(self, path: Path, place: int, error: BadRow) -> None:
        self._rejected += 1
        if len(self._samples) < SAMPLES:
            self._samples.append(RejectedRow(f"{show_path(path)}:{place}", str(error)))

    def _add(self, name: str, call: LoggedCall) -> None:
        if self._model is not None and call.model == UNKNOWN:
            call = call._replace(model=self._model)
        if call.identity is not None:
            number = _number(name, call.identity)
            before = self._seen.setdefault(number, len(self._builder))
            if before != len(self._builder):
                self._duplicates += 1
                # A message that is written block by block is whole in its last line.
                self._builder.raise_output(before, call.output_tokens)
                return
        self._builder.add(call)
        self._formats[name] += 1
        if len(self._builder) % _EVERY == 0:
            self._progress(len(self._builder))

    def done(self) -> ReadLog:
        self._progress(len(self._builder))
        self._drop_repeated_sums()
        return ReadLog(
            self._builder.build(), dict(self._formats), self._rejected, tuple(self._samples), self._duplicates
        )


def logged_records(
    paths: Sequence[Path], *, format_name: str | None = None, columns: tuple[str, ...] = ()
) -> Iterator[tuple[LoggedCall, LogRecord]]:
    """Each call that can be read, with the record that it is of; a ledger keeps no records."""
    for path in paths:
        for file in _logs_in(path) if path.is_dir() else [path]:
            if _starts_with(file, b"SQLite format 3\0"):
                continue
            records = iter(documents(file))
            first = list(islice(records, _LOOKED_AT))
            reader = _reader(file, [each for _, each in first], format_name, columns)
            for _, record in chain(first, records):
                if isinstance(record, BadRow):
                    continue
                try:
                    for call in _calls_of(reader.calls, record):
                        if isinstance(call, LoggedCall):
                            yield call, record
                except BadRow:
                    continue


def _number(name: str, identity: str) -> int:
    return int.from_bytes(blake2b(f"{name} {identity}".encode("utf-8", "replace"), digest_size=8).digest())


def _calls_of(
    calls: Callable[[LogRecord], Iterator[LoggedCall | BadRow]], record: LogRecord | BadRow
) -> Iterator[LoggedCall | BadRow]:
    if isinstance(record, BadRow):
        raise record
    try:
        yield from calls(record)
    except (AttributeError, TypeError, KeyError, IndexError) as error:
        raise BadRow(f"has another shape than its format: {error}") from None


def _reader(
    path: Path, first: Sequence[LogRecord | BadRow], format_name: str | None, columns: tuple[str, ...]
) -> LogReader:
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


def _other_reader(reader: LogReader, others: Sequence[LogReader], record: LogRecord) -> LogReader | None:
    """The reader of a record that is of another format than those before it in its file; ``None`` if it is not."""
    if reader.recognises(record):
        return None
    return next((other for other in others if other is not reader and other.recognises(record)), None)


def documents(path: Path) -> Iterator[tuple[int, LogRecord | BadRow]]:
    """The records of a file with their lines, or their numbers in one JSON document.

    Raises:
        InputError: The file cannot be read at all.
    """
    _refuse_other_encodings(path)
    if _starts_with(path, b"PAR1"):
        yield from enumerate(_parquet(path), 1)
        return
    with _open(path) as file:
        yield from _broken_off(_documents(path, file))


def _broken_off(found: Iterator[tuple[int, LogRecord | BadRow]]) -> Iterator[tuple[int, LogRecord | BadRow]]:
    """The records up to where a compressed file is cut off or damaged, and that as a bad row."""
    place = 0
    try:
        for place, record in found:
            yield place, record
    except (EOFError, OSError, zlib.error) as error:
        yield place + 1, BadRow(f"the file is damaged or cut off here ({error}); what comes after is not read")


def _documents(path: Path, file: IO[bytes]) -> Iterator[tuple[int, LogRecord | BadRow]]:
    head = file.peek(4096) if isinstance(file, io.BufferedReader) else b""  # type: ignore[unreachable,unused-ignore]
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if start == b"[" or (start == b"{" and not _is_lines(head)):
        yield from _whole(path, file)
    elif start == b"{":
        yield from _lines(file)
    else:
        yield from _csv(path, file)


def _is_lines(head: bytes) -> bool:
    """Whether the first line is a JSON object of its own; a line that is longer than what is seen may be."""
    line, end, _ = head.lstrip(b"\xef\xbb\xbf \t\r\n").partition(b"\n")
    if not end:
        return True
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _lines(file: IO[bytes]) -> Iterator[tuple[int, LogRecord | BadRow]]:
    place = 0
    while line := file.readline(LONGEST_LINE):
        place += 1
        if len(line) >= LONGEST_LINE and not line.endswith(b"\n"):
            while (rest := file.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
                pass
            yield place, BadRow(f"the line is longer than {LONGEST_LINE // 2**20} MB")
        elif line.strip():
            parsed = _parsed(line)
            if isinstance(parsed, BadRow):
                yield place, parsed
                continue
            # A whole document may be one line.
            for record in _expanded(parsed):
                yield place, record if isinstance(record, dict) else BadRow("is not a JSON object")


def _parsed(line: bytes) -> LogRecord | BadRow:
    try:
        value = json.loads(line.removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, RecursionError) as error:
        return BadRow(f"is not JSON: {error}")
    return value if isinstance(value, dict) else BadRow("is not a JSON object")


def _whole(path: Path, file: IO[bytes]) -> Iterator[tuple[int, LogRecord | BadRow]]:
    content = file.read()
    try:
        value = json.loads(content.removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, RecursionError) as error:
        lines = list(_lines(io.BytesIO(content)))
        if any(isinstance(record, Mapping) for _, record in lines):
            yield from lines
            return
        raise InputError(f"{show_path(path)}: is not JSON: {error}") from None
    for place, record in enumerate(_expanded(value), 1):
        yield place, record if isinstance(record, dict) else BadRow("is not a JSON object")


def _expanded(value: Any) -> Sequence[Any]:
    """The records of a document: of a list, or of the list that an object holds beside figures about it."""
    if isinstance(value, list):
        return value
    if not isinstance(value, dict):
        return [value]
    if _BUCKET & value.keys():
        # The results of a bucket are of its day.
        return [value]
    for name in _CONTAINERS:
        held = value.get(name)
        if isinstance(held, list) and held and "spans" not in as_mapping(held[0]) and "trace" not in value:
            return held
    return [value]


def _csv(path: Path, file: IO[bytes]) -> Iterator[tuple[int, LogRecord | BadRow]]:
    csv.field_size_limit(LONGEST_LINE)
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")
    first = text.readline()
    dialect = max((",", ";", "\t", "|"), key=first.count)
    names = [name.strip() for name in next(csv.reader([first], delimiter=dialect), [])]
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        text.detach()
        raise InputError(
            f"has two columns named {twice!r}: rename one, or write a header if there is none", path=show_path(path)
        )
    rows = csv.reader(text, delimiter=dialect)
    try:
        while True:
            try:
                row = next(rows)
            except csv.Error as error:
                yield rows.line_num + 1, BadRow(str(error))
                continue
            if len(row) == len(names):
                yield rows.line_num + 1, dict(zip(names, row, strict=True))
            elif row:
                yield rows.line_num + 1, BadRow(f"has {len(row)} columns, the header {len(names)}")
    except StopIteration:
        pass
    finally:
        # The file is closed by who opened it.
        text.detach()


def _parquet(path: Path) -> Iterator[LogRecord]:
    try:
        import duckdb
    except ImportError:
        raise MissingExtra("duckdb", "audit", "reading Parquet") from None
    try:
        rows = duckdb.connect().execute("SELECT * FROM read_parquet(?)", [str(path)])
        names = [each[0] for each in rows.description or ()]
        while batch := rows.fetchmany(_EVERY):
            for row in batch:
                yield dict(zip(names, row, strict=True))
    except duckdb.Error as error:
        raise InputError(f"{show_path(path)}: cannot be read as Parquet: {str(error).splitlines()[0]}") from None


def _ledger_calls(path: Path) -> Iterator[tuple[int, Iterator[LoggedCall | BadRow]]]:
    from promptopt.gateway.stores.ledger import open_ledger

    # A ledger that is opened is made, so that a file of something else is not.
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'calls'").fetchone():
            raise InputError(
                "is SQLite, and not a ledger of promptopt's: it has no table of calls", path=show_path(path)
            )
    store = open_ledger(path)
    try:
        for place, row in enumerate(store.rows(), 1):
            yield place, ledger.row_calls(row)
    finally:
        store.close()


def _starts_with(path: Path, magic: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(magic)) == magic


_ENCODINGS: Mapping[bytes, str] = {
    b"\xff\xfe": "text in UTF-16: save it as UTF-8",
    b"\xfe\xff": "text in UTF-16: save it as UTF-8",
    b"PK\x03\x04": "a zip: unpack it",
    b"BZh": "compressed with bzip2: unpack it, or use gzip",
    b"\xfd7zXZ\x00": "compressed with xz: unpack it, or use gzip",
    b"\x28\xb5\x2f\xfd": "compressed with zstd: unpack it, or use gzip",
}


def _refuse_other_encodings(path: Path) -> None:
    """Say what a file is that can be known by its first bytes and cannot be read.

    Raises:
        InputError: It is empty, in another encoding, or compressed in another way than with gzip.
    """
    with path.open("rb") as file:
        head = file.read(6)
    if not head:
        raise InputError(f"{show_path(path)}: is empty")
    for magic, says in _ENCODINGS.items():
        if head.startswith(magic):
            raise InputError(f"{show_path(path)}: is {says}")
    if head.startswith(b"\x1f\x8b"):
        try:
            with gzip.open(path) as inside:
                head = inside.read(16)
        except (EOFError, OSError, zlib.error):
            return
        if head.startswith((b"PAR1", b"SQLite format 3\0")):
            raise InputError(f"{show_path(path)}: is Parquet or SQLite in gzip: unpack it first")


def _open(path: Path) -> IO[bytes]:
    if _starts_with(path, b"\x1f\x8b"):
        return io.BufferedReader(cast("io.RawIOBase", gzip.open(path)))
    return path.open("rb")
