"""Log files: each is read by the reader of its format, large ones by several processes."""

from __future__ import annotations

import gc
import multiprocessing
import os
import threading
import zlib
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain, islice
from pathlib import Path
from typing import IO, cast

import numpy as np

from promptopt.auditing.log import UNKNOWN, CallLog, LoggedCall
from promptopt.auditing.log_builder import LogBuilder
from promptopt.auditing.readers import codex, ledger, otel, plain
from promptopt.auditing.readers.fields import BadRow, LogReader
from promptopt.auditing.readers.recognition import calls_of, formats, other_reader, reader_of
from promptopt.auditing.readers.records import (
    LONGEST_LINE,
    LogRecord,
    columns_of,
    documents,
    has_lines,
    line_batches,
    open_log,
    parquet_parts,
    starts_with,
)
from promptopt.errors import InputError
from promptopt.files import show_path
from promptopt.registry import load

SAMPLES = 100_000
"""Rejected rows of which the place and the reason are kept."""
_LOOKED_AT = 20
_EVERY, _BATCH = 20_000, 5_000
LARGE = 64 * 2**20
"""Bytes of a file of JSON lines from which on several processes read it."""
_PIECE, _MOST_PROCESSES = 16 * 2**20, 8
_SUFFIXES = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet", ".gz", ".sqlite", ".sqlite3", ".db", ".log")

_SQLITE = b"SQLite format 3\0"

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
    questions: bool = False,
    progress: ReadProgress = lambda _: None,
) -> ReadLog:
    """The calls of some files, in the order of time.

    Args:
        format_name: One of :func:`formats`; by default the files' own records say which it is.
        columns: Entries of ``--map``, which make the format ``plain``.
        model: For rows that name none.
        questions: Whether the last user message of each call is kept as text.
        progress: Called with the number of calls so far, from time to time.

    Raises:
        InputError: A file is not there, or is not a log of a known format.
        UsageError: The format is not known.
    """
    reading = _Reading(model, progress, questions)
    for path in paths:
        for file in _logs_in(path) if path.is_dir() else [path]:
            reading.file(file, format_name, columns)
    return reading.done()


def _logs_in(folder: Path) -> list[Path]:
    # Logs that are rotated leave empty files, and the gateway keeps its cache and budgets beside its ledger.
    files = (file for file in folder.rglob("*") if file.is_file() and file.suffix.lower() in _SUFFIXES)
    found = sorted(
        file for file in files if file.stat().st_size and (not starts_with(file, _SQLITE) or ledger.is_ledger(file))
    )
    if not found:
        raise InputError(f"holds no log ({', '.join(_SUFFIXES)})", path=show_path(folder))
    return found


@dataclass
class _Piece:
    """What one process has read of a file; its rows count from 0, and its places from the piece's first line."""

    builder: LogBuilder
    names: list[str]
    formats: array[int]
    samples: list[RejectedRow]
    rejected: int
    duplicates: int
    seen: dict[int, int]
    parents: dict[str, str]
    lines: int = 0


@dataclass(frozen=True)
class _How:
    """How a file is read."""

    path: Path
    name: str
    columns: tuple[str, ...]
    is_named: bool
    model: str | None
    questions: bool


class _Reading:
    def __init__(self, model: str | None, progress: ReadProgress, questions: bool) -> None:
        self._builder, self._model, self._progress = LogBuilder(questions=questions), model, progress
        self._questions = questions
        # The format of each row, by its number.
        self._names: list[str] = []
        self._formats = array("B")
        self._samples: list[RejectedRow] = []
        self._rejected = self._duplicates = 0
        self._seen: dict[int, int] = {}
        self._parents: dict[str, str] = {}
        self._sessions: list[codex.CodexSession] = []

    def file(self, path: Path, format_name: str | None, columns: tuple[str, ...]) -> None:
        if not path.is_file():
            raise InputError(f"{show_path(path)}: there is no such file")
        if starts_with(path, _SQLITE):
            self._take(ledger.NAME, path, ledger.file_calls(path))
            return
        records = documents(path)
        first = list(islice(records, _LOOKED_AT))
        reader = reader_of(path, [each for _, each in first], format_name, columns)
        if isinstance(reader, plain.PlainReader) and starts_with(path, b"PAR1"):
            records.close()
            self._take_parquet(reader, path)
        elif reader.NAME != codex.NAME and path.stat().st_size >= LARGE and has_lines(path) and _may_fork():
            records.close()
            self._in_processes(_How(path, reader.NAME, columns, format_name is not None, self._model, self._questions))
        else:
            self.records(path, reader, chain(first, records), is_named=format_name is not None)

    def records(
        self, path: Path, reader: LogReader, records: Iterable[tuple[int, LogRecord | BadRow]], *, is_named: bool
    ) -> None:
        """Take the records of a file of one format; if it was not named, also those of others among them."""
        if isinstance(reader, plain.PlainReader):
            records = iter(records)
            self.take_plain(reader, path, iter(lambda: list(islice(records, _BATCH)), []))
            return
        calls = reader.calls
        if reader.NAME == codex.NAME:
            self._sessions.append(codex.CodexSession())
            calls = self._sessions[-1].calls
        elif reader.NAME == otel.NAME:
            calls = self._with_parents
        others = (
            [] if is_named else [cast("LogReader", load("reader", name)) for name in formats() if name != plain.NAME]
        )
        for place, record in records:
            other = None if isinstance(record, BadRow) else other_reader(reader, others, record)
            name, read = (reader.NAME, calls) if other is None else (other.NAME, other.calls)
            self._take(name, path, ((place, calls_of(read, record)),))

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

    def take_plain(
        self, reader: plain.PlainReader, path: Path, batches: Iterable[list[tuple[int, LogRecord | BadRow]]]
    ) -> None:
        """Read many rows of one shape at once, which takes a tenth of the time; others one by one."""
        for batch in batches:
            rows = [record for _, record in batch if not isinstance(record, BadRow)]
            if len(rows) == len(batch) and reader.take(self._builder, rows, self._model or UNKNOWN):
                self._formats.extend([self._format(reader.NAME)] * len(rows))
                self._progress(len(self._builder))
            else:
                self._take(reader.NAME, path, ((place, calls_of(reader.calls, record)) for place, record in batch))

    def _take_parquet(self, reader: plain.PlainReader, path: Path) -> None:
        """Read Parquet by columns, some rows at a time; those that are not of one kind row by row."""
        shape = columns_of(path)
        prefix = reader.prefix_column(shape)
        for part in parquet_parts(path, shape, prefix):
            given = part.values.__getitem__
            if reader.take_columns(self._builder, shape, part.rows, given, self._model or UNKNOWN, part.prefix):
                self._formats.extend([self._format(reader.NAME)] * part.rows)
                self._progress(len(self._builder))
            else:
                records = enumerate(part.records(), part.first + 1)
                self._take(reader.NAME, path, ((place, calls_of(reader.calls, record)) for place, record in records))

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
                self._builder.complete(before, call)
                return
        self._builder.add(call)
        self._formats.append(self._format(name))
        if len(self._builder) % _EVERY == 0:
            self._progress(len(self._builder))

    def _format(self, name: str) -> int:
        if name not in self._names:
            self._names.append(name)
        return self._names.index(name)

    def _in_processes(self, how: _How) -> None:
        """Read a file of lines in pieces, each in a process; they come back in order."""
        workers = min(os.cpu_count() or 1, _MOST_PROCESSES)
        lines, waiting = 0, deque[Future[_Piece]]()
        # Records hold no circles: the collector would look at them in vain.
        fork = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(workers, fork, gc.disable) as pool, open_log(how.path) as file:
            pieces = _pieces(file)
            while True:
                try:
                    piece = next(pieces, None)
                except (EOFError, OSError, zlib.error) as error:
                    for each in waiting:
                        lines = self._join(each.result(), how.path, lines)
                    self._reject(
                        how.path,
                        lines + 1,
                        BadRow(f"the file is damaged or cut off here ({error}); what comes after is not read"),
                    )
                    return
                if piece is not None:
                    waiting.append(pool.submit(_read_piece, how, piece))
                if len(waiting) > workers + 1 or (piece is None and waiting):
                    lines = self._join(waiting.popleft().result(), how.path, lines)
                elif piece is None:
                    return

    def piece(self, lines: int) -> _Piece:
        """What was read so far, for :meth:`_join` in another process."""
        return _Piece(
            self._builder, self._names, self._formats, self._samples, self._rejected, self._duplicates, self._seen,
            self._parents, lines,
        )  # fmt: skip

    def _join(self, piece: _Piece, path: Path, lines: int) -> int:
        """Take what a process has read after so many lines; how many lines there are now."""
        first = len(self._builder)
        self._builder.absorb(piece.builder)
        renamed = [self._format(name) for name in piece.names]
        self._formats.extend(renamed[each] for each in piece.formats)
        for number, row in piece.seen.items():
            before = self._seen.setdefault(number, first + row)
            if before != first + row:
                self._duplicates += 1
                self._builder.merge(before, first + row)
        self._parents.update(piece.parents)
        self._rejected += piece.rejected
        self._duplicates += piece.duplicates
        for sample in piece.samples[: SAMPLES - len(self._samples)]:
            place = int(sample.place.rpartition(":")[2]) + lines
            self._samples.append(RejectedRow(f"{show_path(path)}:{place}", sample.reason))
        self._progress(len(self._builder))
        return lines + piece.lines

    def done(self) -> ReadLog:
        self._progress(len(self._builder))
        self._drop_repeated_sums()
        copied = {self._seen.get(_number(codex.NAME, each), -1) for each in codex.copies(self._sessions)} - {-1}
        self._builder.drop(copied)
        self._duplicates += len(copied)
        codes = np.frombuffer(self._formats, np.uint8) if self._formats else np.zeros(0, np.uint8)
        kept = np.bincount(codes[self._builder.kept()], minlength=len(self._names)).tolist()
        read = {name: count for name, count in zip(self._names, kept, strict=True) if count}
        return ReadLog(self._builder.build(), read, self._rejected, tuple(self._samples), self._duplicates)


def _may_fork() -> bool:
    """Whether this process may be copied: not where it has threads of others, whose locks would be copied too."""
    return "fork" in multiprocessing.get_all_start_methods() and threading.active_count() == 1


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    """A file of lines in pieces of whole lines; of a line that is too long, so much that it is seen to be."""
    while piece := file.read(_PIECE):
        rest = b"" if piece.endswith(b"\n") else file.readline(LONGEST_LINE)
        yield piece + rest
        while len(rest) == LONGEST_LINE and not rest.endswith(b"\n"):
            rest = file.readline(LONGEST_LINE)


def _read_piece(how: _How, piece: bytes) -> _Piece:
    reading = _Reading(how.model, lambda _: None, how.questions)
    reader = plain.PlainReader(how.columns) if how.name == plain.NAME else cast("LogReader", load("reader", how.name))
    if isinstance(reader, plain.PlainReader):
        reading.take_plain(reader, how.path, line_batches(piece, _BATCH))
    else:
        reading.records(how.path, reader, chain.from_iterable(line_batches(piece, _BATCH)), is_named=how.is_named)
    return reading.piece(piece.count(b"\n") + (not piece.endswith(b"\n")))


def logged_records(
    paths: Sequence[Path], *, format_name: str | None = None, columns: tuple[str, ...] = ()
) -> Iterator[tuple[LoggedCall, LogRecord]]:
    """Each call that can be read, with the record that it is of; a ledger keeps no records."""
    for path in paths:
        for file in _logs_in(path) if path.is_dir() else [path]:
            if starts_with(file, _SQLITE):
                continue
            records = iter(documents(file))
            first = list(islice(records, _LOOKED_AT))
            reader = reader_of(file, [each for _, each in first], format_name, columns)
            for _, record in chain(first, records):
                if isinstance(record, BadRow):
                    continue
                try:
                    for call in calls_of(reader.calls, record):
                        if isinstance(call, LoggedCall):
                            yield call, record
                except BadRow:
                    continue


def _number(name: str, identity: str) -> int:
    return int.from_bytes(blake2b(f"{name} {identity}".encode("utf-8", "replace"), digest_size=8).digest())
