"""The ledger in a file: SQLite, or lines of JSON."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import get_args, get_type_hints

from promptopt.errors import InputError, UsageError
from promptopt.files import show_path
from promptopt.gateway.clock import SYSTEM_CLOCK, Clock
from promptopt.gateway.stores.base import StoreDown
from promptopt.gateway.stores.database import Database, Unstorable, make_folder, open_private
from promptopt.gateway.stores.ledger_row import COLUMNS, LedgerRow, LedgerStore, Making, row_dict, row_of_dict, storable
from promptopt.gateway.stores.write_behind import WriteBehind, write_now

log = logging.getLogger("promptopt.gateway")
_HELD_MOST = 100_000
_TIDY_S = 3600.0
_TYPES = {int: "INTEGER", float: "REAL", bool: "INTEGER"}


def _columns() -> dict[str, str]:
    hints = get_type_hints(LedgerRow)
    kinds = [(get_args(hints[name]) or (hints[name],))[0] for name in LedgerRow._fields]
    return {column: f'"{column}" {_TYPES.get(kind, "TEXT")}' for column, kind in zip(COLUMNS, kinds, strict=True)}


def _schema() -> str:
    # No index: each would be one page more to write for a call; rows are read in order, and mostly all of them.
    return f"CREATE TABLE IF NOT EXISTS calls (id INTEGER PRIMARY KEY, {', '.join(_columns().values())})"


def _add_columns(connection: sqlite3.Connection) -> None:
    """Bring a file that an earlier version made up to date."""
    known = {row[1] for row in connection.execute("PRAGMA table_info(calls)")}
    for name, column in _columns().items():
        if name not in known:
            connection.execute(f"ALTER TABLE calls ADD COLUMN {column}")


class SqliteLedger:
    """Rows in the table ``calls`` of a SQLite file, written a little later: a row waits for others for up to 20 ms.

    A process that ends writes all that waits; one that is killed loses the rows of its last 20 ms. While the disk
    takes none, rows stay in memory. A row that SQLite does not take as it is, is written as far as it can be.

    Attributes:
        damaged: Rows, so far, that could not be written as they were, or not at all.
    """

    def __init__(self, path: Path, keep_s: float | None = None, clock: Clock = SYSTEM_CLOCK) -> None:
        """Open the file, or make it.

        Args:
            keep_s: After how many seconds rows are deleted; ``None`` keeps them.

        Raises:
            InputError: No database can be at ``path``.
        """
        self._keep_s = keep_s
        self._clock = clock
        self._tidied = float("-inf")
        names = ", ".join(f'"{name}"' for name in COLUMNS)
        self._insert = f"INSERT INTO calls ({names}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608 - constants
        sets = ", ".join(f'"{name}" = ?' for name in COLUMNS)
        self._update = f"UPDATE calls SET {sets} WHERE id = ?"  # noqa: S608 - constants
        self._database = Database(path, _schema(), what="the ledger")
        try:
            self._database.write(_add_columns)
        except StoreDown as error:
            raise InputError(f"the ledger cannot be brought up to date: {error}", path=show_path(path)) from None
        self._rows = _RowMaker()
        self._begin()
        self._writer = WriteBehind(path, self._write, forked=self._begin)

    @property
    def damaged(self) -> int:
        return self._rows.damaged

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._held: dict[int, Making] = {}
        self._ids: dict[int, int] = {}
        self._last = 0
        self._lost = 0
        self._told = False

    def begin(self, row: Making) -> int:
        return self._hold(0, row)

    def finish(self, number: int, row: Making) -> None:
        self._hold(number, row)

    def _hold(self, number: int, row: Making) -> int:
        with self._lock:
            if not number:
                number = self._last = self._last + 1
            # A row that ends before it was written is written once, as it ended.
            self._held[number] = row
        self._writer.due()
        return number

    def _write(self) -> bool:
        """Write what is held, in one transaction; whether the disk took it."""
        with self._writing:
            with self._lock:
                held, self._held = self._held, {}
            if not held:
                return True
            rows = {number: row for number, making in held.items() if (row := self._rows.made(making)) is not None}
            try:
                begun = self._written(rows)
            except StoreDown as error:
                self._keep(rows, error)
                return False
            except BaseException:
                with self._lock:
                    self._held = {**rows, **self._held}
                raise
            for number, row in rows.items():
                if row.status != "sent":
                    self._ids.pop(number, None)
            self._ids.update(begun)
            self._told = False
            self._tidy()
            return True

    def _tidy(self) -> None:
        """Once an hour, delete the rows that are too old."""
        now = self._clock.time()
        if self._keep_s is None or abs(now - self._tidied) < _TIDY_S:
            return
        self._tidied, oldest = now, now - self._keep_s
        with suppress(StoreDown):
            self._database.execute("DELETE FROM calls WHERE at < ?", (oldest,))

    def _written(self, rows: Mapping[int, LedgerRow]) -> dict[int, int]:
        try:
            return self._database.write(lambda connection: self._write_rows(connection, rows))
        except Unstorable as error:
            if len(rows) == 1:
                self._rows.bad("a row is lost that SQLite does not take: %s", error)
                return {}
            # The others are not lost with it.
            return {new: place for number, row in rows.items() for new, place in self._written({number: row}).items()}

    def _write_rows(self, connection: sqlite3.Connection, rows: Mapping[int, LedgerRow]) -> dict[int, int]:
        """Write rows; the database's numbers of those whose end is still to come."""
        ids = self._ids
        connection.executemany(self._update, [(*row, ids[number]) for number, row in rows.items() if number in ids])
        new = {number: row for number, row in rows.items() if number not in ids}
        connection.executemany(self._insert, [row for row in new.values() if row.status != "sent"])
        begun = {number: row for number, row in new.items() if row.status == "sent"}
        return {number: connection.execute(self._insert, row).lastrowid or 0 for number, row in begun.items()}

    def _keep(self, rows: Mapping[int, Making], error: StoreDown) -> None:
        with self._lock:
            held = {**rows, **self._held}
            self._held = dict(islice(held.items(), _HELD_MOST))
            self._lost += len(held) - len(self._held)
            if not self._told:
                self._told = True
                log.warning("the ledger: %s; rows are held in memory until the disk takes them", error)

    def rows(self, since: float | None = None) -> Iterator[LedgerRow]:
        write_now(self._database.path)
        names = ", ".join(f'"{name}"' for name in COLUMNS)
        query = f"SELECT {names} FROM calls WHERE at >= ? ORDER BY at, id"  # noqa: S608 - constants
        for row in self._database.do(lambda connection: connection.execute(query, (since or 0.0,)).fetchall()):
            yield LedgerRow._make(row)

    def close(self) -> None:
        """Write what is held and close the file; what the disk does not take now is lost, and said so."""
        self._write()
        with self._lock:
            lost, self._lost = self._lost + len(self._held), 0
            self._held = {}
        if lost:
            log.error("the ledger: rows are lost that the disk did not take: %d", lost)
        self._database.close()


class _RowMaker:
    """Makes rows that every store takes, and counts and reports those that had to be changed."""

    def __init__(self) -> None:
        self.damaged = 0

    def made(self, making: Making) -> LedgerRow | None:
        """The row; ``None`` if it cannot be made."""
        try:
            row = making() if callable(making) else making
            kept = storable(row)
        except Exception as error:  # noqa: BLE001 - whatever a label of a caller's raises
            self.bad("a row could not be made: %s", f"{type(error).__name__}: {error}")
            return None
        if kept is not row:
            names = [name for name, old, new in zip(COLUMNS, row, kept, strict=True) if old is not new]
            self.bad("a row is written without what cannot be stored: %s", ", ".join(names))
        return kept

    def bad(self, message: str, *values: object) -> None:
        """Count a row, and report the 1st, 10th, 100th ... of them."""
        self.damaged += 1
        if set(str(self.damaged)[1:]) <= {"0"} and str(self.damaged)[0] == "1":
            log.error("the ledger: " + message + " (%d so far)", *values, self.damaged)


class JsonlLedger:
    """Rows as lines of JSON, one write each, so that processes may share the file."""

    def __init__(self, path: Path) -> None:
        """Raises InputError if no file can be at ``path``."""
        self._path = path
        self._lock = threading.Lock()
        self._held: list[bytes] = []
        self._told = False
        self._rows = _RowMaker()
        try:
            make_folder(path.parent)
            with open_private(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT):
                pass
        except OSError as error:
            raise InputError(
                f"the ledger cannot be kept here: {error.strerror}",
                path=show_path(path),
                remedy="name a file that can be written",
            ) from None

    def begin(self, row: Making) -> int:  # noqa: ARG002 - a line cannot be changed later
        return 0

    def finish(self, number: int, row: Making) -> None:  # noqa: ARG002 - see begin
        made = self._rows.made(row)
        if made is None:
            return
        line = json.dumps({"v": 1, **row_dict(made)}).encode() + b"\n"
        with self._lock:
            self._held.append(line)
            try:
                descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
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
        """Raises InputError if a line is not a row; a last line that a crash cut off is left out."""
        data = self._path.read_bytes()
        whole = data.rpartition(b"\n")[0]
        for number, line in enumerate(whole.split(b"\n"), 1):
            if not line.strip():
                continue
            try:
                row = row_of_dict(json.loads(line))
            except (ValueError, TypeError, KeyError) as error:
                raise InputError(f"not a ledger row: {error}", path=show_path(self._path), line=number) from None
            if since is None or row.at >= since:
                yield row

    def close(self) -> None:
        """There is nothing to give back."""


def open_ledger(path: Path, keep_s: float | None = None) -> LedgerStore:
    """The ledger of a file, by its ending: ``.jsonl``, or SQLite.

    Raises:
        InputError: There can be none.
        UsageError: Rows of JSON lines are to be deleted after ``keep_s`` seconds, which would lose those of others.
    """
    if path.suffix != ".jsonl":
        return SqliteLedger(path, keep_s)
    if keep_s is not None:
        raise UsageError("ledger_keep needs a ledger in SQLite: lines of JSON are only ever added")
    return JsonlLedger(path)
