"""The ledger's rows: in a SQLite file, or as lines of JSON."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal, Protocol

from promptopt.errors import InputError
from promptopt.files import show_path
from promptopt.providers.gateway.stores import Database, StoreDown

log = logging.getLogger("promptopt.gateway")
Status = Literal["sent", "ok", "error", "refused", "abandoned"]
CacheState = Literal["none", "miss", "cache", "semantic", "shared"]
_HELD_MOST = 100_000


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One call.

    Attributes:
        at: When it began, in seconds since 1970.
        model: The model that was asked; ``model_answered`` is what the answer says.
        list_usd: Usage times price; ``None`` where unpriced. ``incurred_usd`` is what was paid: nothing for an answer
            that was kept or shared, the worst case for a call that may have been billed though nobody got its answer.
        basis: Whether tokens were measured, counted or assumed.
        cache: ``none`` (may not be shared), ``miss``, ``cache``, ``semantic`` or ``shared`` (with a call in flight).
        status: ``sent`` is a call whose end was never seen: the process died.
        error: The class of a failure, or the code of a refusal.
        max_output_tokens: The output cap; ``None`` without one.
        digest: The key of the request; the same for the same request.
        kind: What sort of call it is: its prompt's name, or a digest of its instructions.
        step: 0 for the first model that was asked, 1 for the one it escalated or fell back to, and so on.
        attempt: The SDK's count of retries.
        expected_cached_tokens: Input tokens that the provider's prompt cache was expected to hold.
    """

    at: float
    model: str
    prompt: str | None = None
    version: str | None = None
    model_answered: str | None = None
    endpoint: str = "chat"
    input_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    output_tokens: int | None = None
    output_reasoning_tokens: int | None = None
    basis: str = "measured"
    list_usd: float | None = None
    incurred_usd: float | None = None
    latency_ms: float | None = None
    finish_reason: str | None = None
    cache: CacheState = "none"
    tag: str | None = None
    task: str | None = None
    user: str | None = None
    tier: str | None = None
    run: str | None = None
    status: Status = "ok"
    error: str | None = None
    http_status: int | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    digest: str = ""
    kind: str = ""
    step: int = 0
    attempt: int = 0
    stream: bool = False
    expected_cached_tokens: int | None = None

    @property
    def day(self) -> str:
        """The day in UTC, ``2026-11-21``."""
        return datetime.fromtimestamp(self.at, UTC).strftime("%Y-%m-%d")

    @property
    def upstream(self) -> bool:
        """Whether the provider was asked."""
        return self.cache in ("none", "miss") and self.status != "refused"


COLUMNS = tuple(field.name for field in fields(LedgerRow))
# dataclasses.astuple copies every value deeply, which costs more than the write.
_values = attrgetter(*COLUMNS)
_TYPES = {"str": "TEXT", "int": "INTEGER", "float": "REAL", "bool": "INTEGER"}


def _schema() -> str:
    columns = ", ".join(
        f'"{field.name}" {_TYPES.get(str(field.type).partition(" ")[0], "TEXT")}' for field in fields(LedgerRow)
    )
    # No index: each would be one page more to write, twice a call; rows are read in order, and mostly all of them.
    return f"CREATE TABLE IF NOT EXISTS calls (id INTEGER PRIMARY KEY, {columns})"


class LedgerStore(Protocol):
    """Keeps rows. A row is begun before its call is sent, so that a crash loses none."""

    def begin(self, row: LedgerRow) -> int:
        """Note that a call is about to be sent; the number is for :meth:`finish`."""

    def finish(self, number: int, row: LedgerRow) -> None:
        """Note how it ended; number 0 is a row that was not begun."""

    def rows(self, since: float | None = None) -> Iterator[LedgerRow]:
        """All rows, the oldest first."""

    def close(self) -> None:
        """Write what is held and close the file."""


class SqliteLedger:
    """Rows in the table ``calls`` of a SQLite file. While the disk takes none they are held in memory."""

    def __init__(self, path: Path) -> None:
        """Raises InputError where no database can be at ``path``."""
        names = ", ".join(f'"{name}"' for name in COLUMNS)
        self._insert = f"INSERT INTO calls ({names}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608 - constants
        sets = ", ".join(f'"{name}" = ?' for name in COLUMNS)
        self._update = f"UPDATE calls SET {sets} WHERE id = ?"  # noqa: S608 - constants
        self._database = Database(path, _schema(), what="the ledger")
        self._lock = threading.Lock()
        self._held: dict[int, LedgerRow] = {}
        self._next_held = -1
        self._told = False

    def begin(self, row: LedgerRow) -> int:
        try:
            number = self._database.do(lambda connection: connection.execute(self._insert, _values(row)).lastrowid)
        except StoreDown as error:
            return self._hold(row, error)
        return int(number or 0)

    def finish(self, number: int, row: LedgerRow) -> None:
        if number < 0:
            with self._lock:
                self._held[number] = row
            self._flush()
            return
        try:
            if number:
                self._database.execute(self._update, (*_values(row), number))
            else:
                self._database.execute(self._insert, _values(row))
        except StoreDown as error:
            self._hold(row, error, number or None)
        else:
            self._flush()

    def _hold(self, row: LedgerRow, error: StoreDown, number: int | None = None) -> int:
        with self._lock:
            if not self._told:
                self._told = True
                log.warning("the ledger: %s; rows are held in memory until the disk takes them", error)
            held = number or self._next_held
            if not number:
                self._next_held -= 1
            if len(self._held) < _HELD_MOST:
                self._held[held] = row
            return held

    def _flush(self) -> None:
        """Write what was held, once the disk takes rows again."""
        if not self._held:
            return
        with self._lock:
            held = {number: row for number, row in self._held.items() if row.status != "sent"}
            with suppress(StoreDown):
                self._database.write(lambda connection: self._write_held(connection, held))
                for number in held:
                    del self._held[number]
                self._told = bool(self._held)

    def _write_held(self, connection: sqlite3.Connection, held: Mapping[int, LedgerRow]) -> None:
        for number, row in held.items():
            if number > 0:
                connection.execute(self._update, (*_values(row), number))
            else:
                connection.execute(self._insert, _values(row))

    def rows(self, since: float | None = None) -> Iterator[LedgerRow]:
        self._flush()
        names = ", ".join(f'"{name}"' for name in COLUMNS)
        query = f"SELECT {names} FROM calls WHERE at >= ? ORDER BY at, id"  # noqa: S608 - constants
        for row in self._database.do(lambda connection: connection.execute(query, (since or 0.0,)).fetchall()):
            yield LedgerRow(*row)

    def close(self) -> None:
        """Write what is held and close the file; what the disk does not take now is lost, and said so."""
        self._flush()
        if self._held:
            log.error("the ledger: %d rows are lost, the disk did not take them", len(self._held))
        self._database.close()


class JsonlLedger:
    """Rows as lines of JSON, one write each, so that processes may share the file."""

    def __init__(self, path: Path) -> None:
        """Raises InputError where no file can be at ``path``."""
        self._path = path
        self._lock = threading.Lock()
        self._held: list[bytes] = []
        self._told = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab"):
                pass
        except OSError as error:
            raise InputError(
                f"the ledger cannot be kept here: {error.strerror}",
                path=show_path(path),
                remedy="name a file that can be written",
            ) from None

    def begin(self, row: LedgerRow) -> int:  # noqa: ARG002 - a line cannot be changed later
        return 0

    def finish(self, number: int, row: LedgerRow) -> None:  # noqa: ARG002 - see begin
        line = json.dumps({"v": 1, **row_dict(row)}).encode() + b"\n"
        with self._lock:
            self._held.append(line)
            try:
                descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
                try:
                    while self._held:
                        self._append(descriptor, self._held[0])
                        del self._held[0]
                finally:
                    os.close(descriptor)
                self._told = False
            except OSError as error:
                if not self._told:
                    self._told = True
                    log.warning("the ledger: %s: %s; rows are held in memory", show_path(self._path), error.strerror)

    @staticmethod
    def _append(descriptor: int, line: bytes) -> None:
        written = os.write(descriptor, line)
        if written < len(line):
            # A disk that is almost full takes part of a line; the rest says why.
            os.write(descriptor, line[written:])

    def rows(self, since: float | None = None) -> Iterator[LedgerRow]:
        """Raises InputError where a line is not a row; a last line that a crash cut off is left out."""
        data = self._path.read_bytes()
        whole = data.rpartition(b"\n")[0]
        for number, line in enumerate(whole.split(b"\n"), 1):
            if not line.strip():
                continue
            try:
                row = _row_of(json.loads(line))
            except (ValueError, TypeError, KeyError) as error:
                raise InputError(f"not a ledger row: {error}", path=show_path(self._path), line=number) from None
            if since is None or row.at >= since:
                yield row

    def close(self) -> None:
        """There is nothing to give back."""


def row_dict(row: LedgerRow) -> dict[str, Any]:
    """A row as JSON holds it, with its time as ISO 8601 in UTC."""
    values = asdict(row)
    values["at"] = datetime.fromtimestamp(row.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return values


def _row_of(values: dict[str, Any]) -> LedgerRow:
    known = {name: value for name, value in values.items() if name in COLUMNS}
    row = LedgerRow(**{**known, "at": 0.0})
    return replace(row, at=datetime.fromisoformat(values["at"]).timestamp())


def open_ledger(path: Path) -> SqliteLedger | JsonlLedger:
    """The ledger of a file, by its ending: ``.jsonl``, or SQLite."""
    return JsonlLedger(path) if path.suffix == ".jsonl" else SqliteLedger(path)
