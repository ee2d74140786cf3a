"""The ledger in a file: SQLite, or lines of JSON."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from itertools import chain, compress, groupby
from operator import is_not, itemgetter
from pathlib import Path
from typing import Any, get_args, get_type_hints

from promptopt.errors import InputError, UsageError
from promptopt.files import show_path
from promptopt.gateway.clock import SYSTEM_CLOCK, Clock
from promptopt.gateway.stores.database import Database, in_chunks, make_folder, open_private, transaction
from promptopt.gateway.stores.later_ledger import LaterLedger, RowMaker
from promptopt.gateway.stores.ledger_row import (
    COLUMNS,
    LedgerRow,
    LedgerStore,
    Making,
    row_dict,
    row_of_dict,
)
from promptopt.gateway.stores.postgres import PostgresLedger
from promptopt.gateway.stores.write_behind import write_now

log = logging.getLogger("promptopt.gateway")
_TYPES = {int: "INTEGER", float: "REAL", bool: "INTEGER"}


def _columns() -> dict[str, str]:
    hints = get_type_hints(LedgerRow)
    kinds = [(get_args(hints[name]) or (hints[name],))[0] for name in LedgerRow._fields]
    return {column: f'"{column}" {_TYPES.get(kind, "TEXT")}' for column, kind in zip(COLUMNS, kinds, strict=True)}


def _schema() -> str:
    # No index: each would be one page more to write for a call; rows are read in order, and mostly all of them.
    return f"CREATE TABLE IF NOT EXISTS calls (id INTEGER PRIMARY KEY, {', '.join(_columns().values())})"


_PLACES = ("id", *COLUMNS)
_is_given = partial(is_not, None)


def _known(place: int | None, row: LedgerRow) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    """The columns that a row has a value for, and the values.

    Python looks for an adapter for each ``None``, which takes longer than to write all else of a row.
    """
    values = (place, *row)
    given = [*map(_is_given, values)]
    return tuple(compress(_PLACES, given)), tuple(compress(values, given))


@lru_cache(maxsize=256)
def _insert(names: tuple[str, ...], rows: int = 1) -> str:
    """Writes rows with values for these columns, in the place of those that have their ids, if there are any."""
    columns, marks = ", ".join(f'"{name}"' for name in names), ", ".join("?" * len(names))
    return f"INSERT OR REPLACE INTO calls ({columns}) VALUES {', '.join([f'({marks})'] * rows)}"  # noqa: S608 - constants


def _add_columns(connection: sqlite3.Connection) -> None:
    """Bring a file that an earlier version made up to date."""
    if _missing(connection):
        transaction(
            connection,
            lambda locked: [locked.execute(f"ALTER TABLE calls ADD COLUMN {column}") for column in _missing(locked)],
        )


def _missing(connection: sqlite3.Connection) -> list[str]:
    known = {row[1] for row in connection.execute("PRAGMA table_info(calls)")}
    return [column for name, column in _columns().items() if name not in known]


class SqliteLedger(LaterLedger):
    """Rows in the table ``calls`` of a SQLite file."""

    def __init__(self, path: Path, keep_s: float | None = None, clock: Clock = SYSTEM_CLOCK) -> None:
        """As :class:`LaterLedger`. Raises InputError if no database can be at ``path``."""
        self._database = Database(path, _schema(), what="the ledger", upgrade=_add_columns)
        super().__init__(path, keep_s, clock)

    def _forget(self, oldest: float) -> None:
        self._database.execute("DELETE FROM calls WHERE at < ?", (oldest,))

    def _store(self, rows: Mapping[int, LedgerRow]) -> dict[int, int]:
        return self._database.write(lambda connection: self._write_rows(connection, rows))

    def _write_rows(self, connection: sqlite3.Connection, rows: Mapping[int, LedgerRow]) -> dict[int, int]:
        places = self._places(connection, rows)
        begun = {number for number, row in rows.items() if row.status == "sent" and number not in places}
        ended = [_known(places.get(number), row) for number, row in rows.items() if number not in begun]
        for names, several in groupby(ended, key=itemgetter(0)):
            for values in in_chunks([values for _, values in several]):
                connection.execute(_insert(names, len(values)), [*chain(*values)])
        found: dict[int, int] = {}
        sent = [(number, *_known(None, rows[number])) for number in rows if number in begun]
        for names, alike in groupby(sent, key=itemgetter(1)):
            for part in in_chunks([*alike]):
                given = [*chain.from_iterable(values for _, _, values in part)]
                last = connection.execute(_insert(names, len(part)), given).lastrowid or 0
                # Nobody else writes meanwhile, so that the rows of a statement have numbers in a row.
                found.update(zip((number for number, _, _ in part), range(last - len(part) + 1, last + 1), strict=True))
        return found

    def _places(self, connection: sqlite3.Connection, rows: Mapping[int, LedgerRow]) -> dict[int, int]:
        """Where rows are that were written before. In a table that was emptied their place may be another call's."""
        places = {number: place for number in rows if (place := self._ids.get(number)) is not None}
        if not places:
            return places
        # Whole numbers of our own.
        query = f"SELECT id, at FROM calls WHERE id IN ({', '.join(map(str, places.values()))})"  # noqa: S608
        there = {*connection.execute(query)}
        return {number: place for number, place in places.items() if (place, rows[number].at) in there}

    def rows(self, since: float | None = None) -> Iterator[LedgerRow]:
        write_now(self._database.path)
        names = ", ".join(f'"{name}"' for name in COLUMNS)
        query = f"SELECT {names} FROM calls WHERE at >= ? ORDER BY at, id"  # noqa: S608 - constants
        for row in self._database.do(lambda connection: connection.execute(query, (since or 0.0,)).fetchall()):
            yield LedgerRow._make(row)

    def _read(self, query: str, value: float) -> list[tuple[Any, ...]]:
        return self._database.do(lambda connection: connection.execute(query.format("?"), (value,)).fetchall())

    def _give_back(self) -> None:
        self._database.close()


class JsonlLedger:
    """Rows as lines of JSON, one write each, so that processes may share the file."""

    def __init__(self, path: Path) -> None:
        """Raises InputError if no file can be at ``path``."""
        self._path = path
        self._lock = threading.Lock()
        self._held: list[bytes] = []
        self._told = False
        self._rows = RowMaker()
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
        made = self._rows(row)
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


def open_ledger(path: Path | str, keep_s: float | None = None) -> LedgerStore:
    """The ledger of a file, by its ending: ``.jsonl``, or SQLite.

    Raises:
        InputError: There can be none.
        UsageError: Rows of JSON lines are to be deleted after ``keep_s`` seconds, which would lose those of others.
    """
    if isinstance(path, str):
        return PostgresLedger(path, keep_s)
    if path.suffix != ".jsonl":
        return SqliteLedger(path, keep_s)
    if keep_s is not None:
        raise UsageError("ledger_keep needs a ledger in SQLite: lines of JSON are only ever added")
    return JsonlLedger(path)
