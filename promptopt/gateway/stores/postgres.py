"""The ledger in PostgreSQL, which several machines write and anything can read."""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

from promptopt.errors import InputError, MissingExtra
from promptopt.gateway.clock import SYSTEM_CLOCK, Clock
from promptopt.gateway.stores.base import StoreDown
from promptopt.gateway.stores.database import Unstorable
from promptopt.gateway.stores.later_ledger import LaterLedger
from promptopt.gateway.stores.ledger_row import COLUMNS, LedgerRow
from promptopt.gateway.stores.write_behind import write_now

T = TypeVar("T")
log = logging.getLogger("promptopt.gateway")

_TYPES = {int: "BIGINT", float: "DOUBLE PRECISION", bool: "BOOLEAN"}
# Whoever waits for a server that is away keeps all that this process writes later waiting.
_OPTIONS: Mapping[str, Any] = {"connect_timeout": 2, "tcp_user_timeout": 5000, "application_name": "promptopt"}
# Any number will do, as long as it is always the same: one process at a time makes the table.
_MAKING = 7_766_301
_PAGE = 5_000


def _columns() -> dict[str, str]:
    hints = get_type_hints(LedgerRow)
    kinds = [(get_args(hints[name]) or (hints[name],))[0] for name in LedgerRow._fields]
    return {column: f'"{column}" {_TYPES.get(kind, "TEXT")}' for column, kind in zip(COLUMNS, kinds, strict=True)}


class PostgresLedger(LaterLedger):
    """Rows in the table ``calls``, with an index on the time; columns that a later version adds are added."""

    def __init__(self, address: str, keep_s: float | None = None, clock: Clock = SYSTEM_CLOCK) -> None:
        """Open it.

        Args:
            keep_s: As for :class:`LaterLedger`.
            address: As ``postgresql://user@host/database``; what it leaves out, such as the password, comes from the
                variables and files that all programs of PostgreSQL read (``PGPASSWORD``, ``~/.pgpass``).

        Raises:
            InputError: The server cannot be reached, or the table cannot be made.
            MissingExtra: The package psycopg is not installed.
        """
        try:
            import psycopg
        except ImportError:
            raise MissingExtra("psycopg", "serve", "a ledger in PostgreSQL") from None
        self._psycopg = psycopg
        self._address = address
        self._shown = _without_password(address)
        names, marks = ", ".join(f'"{name}"' for name in COLUMNS), ", ".join(["%s"] * len(COLUMNS))
        sets = ", ".join(f'"{name}" = %s' for name in COLUMNS)
        self._insert = f"INSERT INTO calls ({names}) VALUES ({marks})"  # noqa: S608 - constants
        # In a table that was made again, or emptied, the number may be another call's.
        self._update = f'UPDATE calls SET {sets} WHERE id = %s AND "at" = %s'  # noqa: S608 - constants
        self._select = f"SELECT {names} FROM calls WHERE at >= %s ORDER BY at, id"  # noqa: S608 - constants
        self._using = threading.Lock()
        self._connection: Any = None
        self._pid = os.getpid()
        try:
            self._do(_make_table)
        except StoreDown as error:
            remedy = "is the server there, and may this user make tables? `ledger` in [tool.promptopt.gateway] names it"
            raise InputError(f"the ledger cannot be kept here: {error}", remedy=remedy) from None
        # No file: a name that only ledgers of the same address have.
        mark = hashlib.sha256(address.encode()).hexdigest()[:16]
        super().__init__(Path(f"postgresql-{mark}"), keep_s, clock)

    def _begin(self) -> None:
        super()._begin()
        self._using = threading.Lock()
        if self._connection is not None and os.getpid() != self._pid:
            # In a forked child: the connection is the parent's, and is neither used nor closed here.
            self._closing.detach()
            _PARENTS.append(self._connection)
            self._connection = None
        self._pid = os.getpid()

    def _forget(self, oldest: float) -> None:
        self._do(lambda connection: connection.execute("DELETE FROM calls WHERE at < %s", (oldest,)))

    def _store(self, rows: Mapping[int, LedgerRow]) -> dict[int, int]:
        return self._do(lambda connection: self._write_rows(connection, rows))

    def _write_rows(self, connection: Any, rows: Mapping[int, LedgerRow]) -> dict[int, int]:
        with connection.transaction(), connection.cursor() as cursor:
            there = self._changed(cursor, {number: row for number, row in rows.items() if number in self._ids})
            new = {number: row for number, row in rows.items() if number not in there}
            ended = [_values(row) for row in new.values() if row.status != "sent"]
            if ended:
                cursor.executemany(self._insert, ended)
            return {
                number: cursor.execute(f"{self._insert} RETURNING id", _values(row)).fetchone()[0]
                for number, row in new.items()
                if row.status == "sent"
            }

    def _changed(self, cursor: Any, rows: Mapping[int, LedgerRow]) -> Collection[int]:
        """Write rows again that were written before; the numbers of those that are still there."""
        if not rows:
            return ()
        ids = self._ids
        cursor.executemany(self._update, [(*_values(row), ids[number], row.at) for number, row in rows.items()])
        if cursor.rowcount == len(rows):
            return rows
        query = 'SELECT id, "at" FROM calls WHERE id = ANY(%s)'
        found = {*cursor.execute(query, ([ids[number] for number in rows],)).fetchall()}
        return [number for number, row in rows.items() if (ids[number], row.at) in found]

    def rows(self, since: float | None = None) -> Iterator[LedgerRow]:
        write_now(self._place)
        # A connection of its own: a long reading keeps no row from being written.
        try:
            with self._connect() as connection, connection.transaction(), connection.cursor("rows") as cursor:
                cursor.itersize = _PAGE
                for row in cursor.execute(self._select, (since or 0.0,)):
                    yield LedgerRow._make(row)
        except self._psycopg.Error as error:
            raise self._down(error) from error

    def _read(self, query: str, value: float) -> list[tuple[Any, ...]]:
        try:
            # As in `rows`: reading keeps nobody waiting who writes.
            with self._connect() as connection:
                return list(connection.execute(query.format("%s"), (value,)).fetchall())
        except self._psycopg.Error as error:
            raise self._down(error) from error

    def _do(self, function: Callable[[Any], T]) -> T:
        psycopg = self._psycopg
        with self._using:
            try:
                if self._connection is None or self._connection.closed:
                    self._connection = self._open()
                return self._made_again(function, self._connection)
            except (psycopg.DataError, psycopg.IntegrityError, UnicodeEncodeError) as error:
                raise Unstorable(f"{self._shown}: {error}") from error
            except psycopg.Error as error:
                self._shut()
                raise self._down(error) from error

    def _made_again(self, function: Callable[[Any], T], connection: Any) -> T:
        """What a function gives; if somebody dropped the table, it is made again before."""
        try:
            return function(connection)
        except (self._psycopg.errors.UndefinedTable, self._psycopg.errors.UndefinedColumn) as error:
            log.warning("the ledger: %s; the table is made again", self._down(error))
        _make_table(connection)
        return function(connection)

    def _connect(self) -> Any:
        return self._psycopg.connect(self._address, autocommit=True, **_OPTIONS)

    def _open(self) -> Any:
        """The connection that rows are written by; a ledger that nobody closes leaves none open."""
        connection = self._connect()
        self._closing = weakref.finalize(self, connection.close)
        # What is held is written at the end of the process, perhaps after this would be called.
        self._closing.atexit = False
        return connection

    def _down(self, error: Exception) -> StoreDown:
        return StoreDown(f"{self._shown}: {str(error).strip().splitlines()[0] if str(error) else type(error).__name__}")

    def _shut(self) -> None:
        if self._connection is not None:
            self._closing()
        self._connection = None

    def _give_back(self) -> None:
        with self._using:
            self._shut()


# Connections of a parent process, kept so that nothing closes them here.
_PARENTS: list[Any] = []


def _make_table(connection: Any) -> None:
    columns = _columns()
    with connection.transaction():
        # Two that make the same table at once fail, whatever IF NOT EXISTS says.
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MAKING,))
        connection.execute(
            f"CREATE TABLE IF NOT EXISTS calls (id BIGSERIAL PRIMARY KEY, {', '.join(columns.values())})"
        )
        for column in columns.values():
            connection.execute(f"ALTER TABLE calls ADD COLUMN IF NOT EXISTS {column}")
        connection.execute('CREATE INDEX IF NOT EXISTS calls_at ON calls ("at")')


def _values(row: LedgerRow) -> tuple[Any, ...]:
    """A row as PostgreSQL takes it: its texts have no zero byte."""
    return tuple(value.replace("\0", "") if isinstance(value, str) else value for value in row)


def _without_password(address: str) -> str:
    """An address that may be shown."""
    scheme, mark, rest = address.partition("://")
    place = rest.rpartition("@")[2].partition("?")[0]
    return f"{scheme}{mark}{place}"
