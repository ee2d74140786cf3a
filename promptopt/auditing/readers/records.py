"""Records of log files: JSON, JSONL, CSV and Parquet, plain or gzipped, one by one."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np

from promptopt.auditing.readers.fields import BadRow, as_mapping
from promptopt.errors import InputError, MissingExtra
from promptopt.files import show_path

if TYPE_CHECKING:
    from numpy.typing import NDArray

LONGEST_LINE = 64 * 2**20
"""Bytes of a line; a longer one is a bad row, and is not held in memory."""
LARGEST_DOCUMENT = 256 * 2**20
"""Bytes of a JSON document that is not lines; it is parsed as a whole."""
_CONTAINERS = ("data", "rows", "calls", "records", "items", "logs", "results", "observations")
_BUCKET = frozenset({"start_time", "starting_at"})
_MAY_HOLD = _BUCKET.union(_CONTAINERS)
_SCAN: Any = json.JSONDecoder().scan_once  # type: ignore[attr-defined] # not in the stubs
_ROWS, _PARQUET_ROWS = 20_000, 100_000
_ROWS_FROM_TO = "read_parquet(?, file_row_number = true) WHERE file_row_number >= ? AND file_row_number < ?"

LogRecord = Mapping[str, Any]


def documents(path: Path) -> Generator[tuple[int, LogRecord | BadRow], None, None]:
    """The records of a file with their lines, or their numbers in one JSON document.

    Raises:
        InputError: The file cannot be read at all.
    """
    _refuse_other_encodings(path)
    if starts_with(path, b"PAR1"):
        yield from enumerate(_parquet(path), 1)
        return
    with open_log(path) as file:
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
    if start not in (b"[", b"{") and b"SamplingParams(" in head:
        raise InputError(
            f"{show_path(path)}: is a request log of vLLM's, which has no token counts: audit its spans "
            "(--otlp-traces-endpoint), or the answers with their usage"
        )
    if start == b"[" or (start == b"{" and not _is_lines(head)):
        yield from _whole(path, file)
    elif start == b"{":
        yield from lines_of(file)
    else:
        yield from _csv(path, file)


def has_lines(path: Path) -> bool:
    """Whether a file holds JSON objects, one a line."""
    with open_log(path) as file:
        try:
            head = file.peek(4096) if isinstance(file, io.BufferedReader) else b""  # type: ignore[unreachable,unused-ignore]
        except (EOFError, OSError, zlib.error):
            return False
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and _is_lines(head)


def _is_lines(head: bytes) -> bool:
    """Whether the first line is a JSON object of its own; a line that is longer than what is seen may be."""
    line, end, _ = head.lstrip(b"\xef\xbb\xbf \t\r\n").partition(b"\n")
    if not end:
        return True
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def lines_of(file: IO[bytes]) -> Iterator[tuple[int, LogRecord | BadRow]]:
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


def line_batches(piece: bytes, size: int) -> Iterator[list[tuple[int, LogRecord | BadRow]]]:
    """The records of whole lines with their places, so many lines at a time: parsed as one array if that goes."""
    lines = piece.split(b"\n")
    for start in range(0, len(lines), size):
        some = lines[start : start + size]
        places: Sequence[int] = range(start + 1, start + 1 + len(some))
        if not all(some):
            places, some = [at for at, line in zip(places, some, strict=True) if line], [line for line in some if line]
        records = _parsed_together(some)
        if records is not None:
            yield list(zip(places, records, strict=True))
            continue
        found: list[tuple[int, LogRecord | BadRow]] = []
        for place, line in zip(places, some, strict=True):
            found += [(place, record) for _, record in lines_of(io.BytesIO(line + b"\n"))]
        yield found


def _parsed_together(lines: Sequence[bytes]) -> list[LogRecord] | None:
    """A record for each line; ``None`` if one is not exactly one object, or may hold others."""
    if (
        not all(line[:1] == b"{" and line[-1:] == b"}" for line in lines)
        or max(map(len, lines), default=0) >= LONGEST_LINE
    ):
        return None
    try:
        records: list[LogRecord] = json.loads(b"[" + b",".join(lines) + b"]")
    except (ValueError, RecursionError):
        return None
    shapes = set(map(tuple, records))
    return records if len(records) == len(lines) and all(map(_MAY_HOLD.isdisjoint, shapes)) else None


def _parsed(line: bytes) -> LogRecord | BadRow:
    try:
        text = line.removeprefix(b"\xef\xbb\xbf").decode()
        # Half of the time of json.loads goes into what surrounds this.
        value, end = _SCAN(text, 0)
        if end < len(text.rstrip()):
            value = json.loads(text)
    except (ValueError, RecursionError, StopIteration):
        try:
            value = json.loads(line.removeprefix(b"\xef\xbb\xbf"))
        except (ValueError, RecursionError) as error:
            return BadRow(f"is not JSON: {error}")
    return value if isinstance(value, dict) else BadRow("is not a JSON object")


def _whole(path: Path, file: IO[bytes]) -> Iterator[tuple[int, LogRecord | BadRow]]:
    content = file.read(LARGEST_DOCUMENT + 1)
    if len(content) > LARGEST_DOCUMENT:
        raise InputError(
            f"is one JSON document of more than {LARGEST_DOCUMENT // 2**20} MB, which would be held in memory: write a "
            "record a line (jq -c '.[]' FILE)",
            path=show_path(path),
        )
    try:
        value = json.loads(content.removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, RecursionError) as error:
        lines = list(lines_of(io.BytesIO(content)))
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
    if _MAY_HOLD.isdisjoint(value):
        return [value]
    if _BUCKET & value.keys():
        # The results of a bucket are of its day.
        return [value]
    for name in _CONTAINERS:
        held = value.get(name)
        if isinstance(held, list) and held and "spans" not in as_mapping(held[0]) and "trace" not in value:
            return held
    return [value]


class _TextLines:
    """The lines of a table; one that is too long is an error of the row that it is in, and is not held in memory."""

    def __init__(self, text: io.TextIOWrapper, before: int) -> None:
        self._text = text
        self.place = before

    def __iter__(self) -> _TextLines:
        return self

    def __next__(self) -> str:
        line = self._text.readline(LONGEST_LINE)
        if not line:
            raise StopIteration
        self.place += 1
        if len(line) >= LONGEST_LINE and not line.endswith("\n"):
            while (rest := self._text.readline(LONGEST_LINE)) and not rest.endswith("\n"):
                pass
            raise csv.Error(f"the line is longer than {LONGEST_LINE // 2**20} MB")
        return line


def _csv(path: Path, file: IO[bytes]) -> Iterator[tuple[int, LogRecord | BadRow]]:
    csv.field_size_limit(LONGEST_LINE)
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")
    skipped, first = 0, text.readline(LONGEST_LINE)
    # Excel names the separator in a line of its own.
    while first and (not first.strip() or first[:4].lower() == "sep="):
        skipped, first = skipped + 1, text.readline(LONGEST_LINE)
    if len(first) >= LONGEST_LINE:
        text.detach()
        raise InputError(f"the first line is longer than {LONGEST_LINE // 2**20} MB", path=show_path(path))
    dialect = max((",", ";", "\t", "|"), key=first.count)
    names = [name.strip() for name in next(csv.reader([first], delimiter=dialect), [])]
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        text.detach()
        raise InputError(
            f"has two columns named {twice!r}: rename one, or write a header if there is none", path=show_path(path)
        )
    lines = _TextLines(text, skipped + 1)
    rows = csv.reader(lines, delimiter=dialect)
    try:
        while True:
            try:
                row = next(rows)
            except csv.Error as error:
                yield lines.place, BadRow(str(error))
                continue
            if len(row) == len(names):
                yield lines.place, dict(zip(names, row, strict=True))
            elif row:
                yield lines.place, BadRow(f"has {len(row)} columns, the header {len(names)}")
    except StopIteration:
        pass
    finally:
        # The file is closed by who opened it.
        text.detach()


@dataclass(frozen=True, slots=True)
class ParquetPart:
    """Some rows of a Parquet file as columns.

    Attributes:
        first: The number of its first row in the file.
        values: By column, without that of prefixes if ``prefix`` has it.
        prefix: Whole numbers of all rows' blocks one after the other, and how many each row has.
    """

    path: Path
    first: int
    rows: int
    values: Mapping[str, list[Any]]
    prefix: tuple[NDArray[np.int64], NDArray[np.int64]] | None

    def records(self) -> list[LogRecord]:
        """The rows one by one, as the file has them."""
        query = f"SELECT * EXCLUDE (file_row_number) FROM {_ROWS_FROM_TO}"  # noqa: S608 - a constant
        found = _duckdb().connect().execute(query, [str(self.path), self.first, self.first + _PARQUET_ROWS])
        names = [each[0] for each in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def columns_of(path: Path) -> tuple[str, ...]:
    """The names of a Parquet file's columns."""
    found = _duckdb().connect().execute("SELECT * FROM read_parquet(?) LIMIT 0", [str(path)])
    return tuple(each[0] for each in found.description or ())


def parquet_parts(path: Path, shape: Sequence[str], prefix: str | None) -> Iterator[ParquetPart]:
    """The rows of a Parquet file by columns; ``prefix`` is the column of lists of blocks."""
    connection = _duckdb().connect()
    (rows,) = connection.execute("SELECT count(*) FROM read_parquet(?)", [str(path)]).fetchone() or (0,)
    described = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
    kinds = {row[0]: row[1] for row in described}
    lists = prefix is not None and kinds[prefix] in ("BIGINT[]", "INTEGER[]", "UINTEGER[]", "SMALLINT[]")
    quoted = {name: '"' + name.replace('"', '""') + '"' for name in shape}
    shown = ", ".join(quoted[name] for name in shape if not (lists and name == prefix))
    for first in range(0, rows, _PARQUET_ROWS):
        span = [str(path), first, first + _PARQUET_ROWS]
        query = f"SELECT {shown} FROM {_ROWS_FROM_TO}"  # noqa: S608 - names of columns, quoted
        columns = connection.execute(query, span).fetchnumpy()
        values = {name: column.tolist() for name, column in columns.items()}
        blocks = None
        if lists and prefix is not None:
            ask = f"SELECT {{}}({quoted[prefix]}) AS n FROM {_ROWS_FROM_TO}"  # noqa: S608 - likewise
            flat, counts = (connection.execute(ask.format(what), span).fetchnumpy()["n"] for what in ("unnest", "len"))
            counts = counts.filled(0) if isinstance(counts, np.ma.MaskedArray) else counts
            if not (isinstance(flat, np.ma.MaskedArray) and flat.mask.any()):
                blocks = np.asarray(flat, np.int64), np.asarray(counts, np.int64)
        yield ParquetPart(path, first, min(_PARQUET_ROWS, rows - first), values, blocks)


def _parquet(path: Path) -> Iterator[LogRecord]:
    duckdb = _duckdb()
    try:
        rows = duckdb.connect().execute("SELECT * FROM read_parquet(?)", [str(path)])
        names = [each[0] for each in rows.description or ()]
        while batch := rows.fetchmany(_ROWS):
            for row in batch:
                yield dict(zip(names, row, strict=True))
    except duckdb.Error as error:
        raise InputError(f"{show_path(path)}: cannot be read as Parquet: {str(error).splitlines()[0]}") from None


def _duckdb() -> Any:
    try:
        import duckdb
    except ImportError:
        raise MissingExtra("duckdb", "audit", "reading Parquet") from None
    return duckdb


def starts_with(path: Path, magic: bytes) -> bool:
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


def open_log(path: Path) -> IO[bytes]:
    if starts_with(path, b"\x1f\x8b"):
        return io.BufferedReader(cast("io.RawIOBase", gzip.open(path)))
    return path.open("rb")
