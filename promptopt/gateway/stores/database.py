"""A SQLite file that many threads and processes share."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar, cast

from promptopt.errors import InputError
from promptopt.files import show_path
from promptopt.gateway.clock import SYSTEM_CLOCK, Clock
from promptopt.gateway.stores.base import PAUSES_S, StoreBusy, StoreDown, StoreLock, in_event_loop
from promptopt.gateway.stores.write_behind import WeakRegistry

T = TypeVar("T")
log = logging.getLogger("promptopt.gateway")


class Unstorable(StoreDown):
    """SQLite does not take a value that it was given; the file is as it was."""


# Values that SQLite does not take: what Python's driver raises before it asks SQLite, and SQLite's own refusals.
_BAD_VALUES = (
    *(OverflowError, UnicodeError),
    *(sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.DataError, sqlite3.IntegrityError),
)


_CACHE_KB = 512


class WrongFile(StoreDown):
    """A file is not the one that it should be, and no other may take its place."""


class Guard(Protocol):
    """Looks at a file that must not be lost."""

    def before(self) -> None:
        """Called before it is opened. Raises WrongFile."""

    def opened(self, connection: sqlite3.Connection) -> None:
        """Called when it was. Raises WrongFile."""

    def damaged(self, error: sqlite3.Error) -> WrongFile:
        """The error for one that cannot be read."""


def open_private(path: Path, flags: int) -> IO[bytes]:
    """A file that its owner alone may read, made if need be. Raises OSError."""
    file = os.fdopen(os.open(path, flags, 0o600), "ab" if flags & os.O_APPEND else "r+b" if flags & os.O_RDWR else "wb")
    make_private(path)
    return file


def make_private(path: Path) -> None:
    """Let the owner alone read a file of an earlier version; one of somebody else stays as it is."""
    with suppress(OSError):
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)


def make_folder(path: Path) -> None:
    """Make a folder that its owner alone may read; one that is there stays as it is, but for ``.promptopt``.

    Raises:
        OSError: There can be none.
    """
    if path.is_dir():
        if path.name == ".promptopt":
            with suppress(OSError):
                path.chmod(0o700)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=0o700, exist_ok=True)


class Database:
    """A SQLite file that many threads and processes share.

    A damaged file is set aside with a warning, and a new one begins. Transactions survive the end of the process at any
    point (write-ahead log); the last of them may be lost when the machine itself loses power.
    """

    networked = False

    def __init__(
        self, path: Path, schema: str, *, what: str, disposable: bool = False, clock: Clock = SYSTEM_CLOCK,
        guard: Guard | None = None, upgrade: Callable[[sqlite3.Connection], None] | None = None,
    ) -> None:  # fmt: skip
        """Open or make the file.

        Args:
            what: What is kept in it, for messages.
            upgrade: Brings the tables of an earlier version up to date, each time it is opened.
            guard: Looks at the file each time it is opened; a damaged one is then an error, and is not set aside.
            disposable: Whether it may be lost when the machine loses power, so that no write waits for the disk.

        Raises:
            InputError: No database can be at ``path``.
        """
        self._disposable = disposable
        self.clock = clock
        self.path = path
        self._schema = schema
        self._what = what
        self._guard = guard
        self._upgrade = upgrade
        self._lock = StoreLock()
        # The file that is open, whatever is at its path by now.
        self._file: tuple[int, int] | None = None
        self._connection: sqlite3.Connection | None = None
        # A second way into the file, for those who look while somebody writes.
        self._aside_lock = threading.Lock()
        self._aside: sqlite3.Connection | None = None
        self._closing: Any = None
        self._closing_aside: Any = None
        _DATABASES.add(self)
        try:
            make_folder(path.parent)
            self._do(lambda connection: connection.execute("PRAGMA user_version"), PAUSES_S)
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from None
        except WrongFile as error:
            remedy = "restore it, or begin again with what the ledger says was spent: promptopt gateway reset-budget"
            raise InputError(f"{self._what} cannot be kept: {error}", remedy=remedy) from None
        except StoreDown as error:
            raise self._unusable(str(error.__cause__ or error)) from None

    def _unusable(self, reason: str) -> InputError:
        return InputError(
            f"{self._what} cannot be kept here: {reason}",
            path=show_path(self.path),
            remedy="name a folder that can be written: http_client(path=...) or [tool.promptopt.gateway] path",
        )

    def do(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """The result of a function on the connection; it is called again if another process has the file locked.

        Raises:
            StoreBusy: It is, and an event loop runs in this thread, which must not wait.
            StoreDown: The disk is full, the file is locked for too long, or it cannot be read.
            Unstorable: A value is one that SQLite does not take.
        """
        return self._do(function, () if in_event_loop() else PAUSES_S)

    def look(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """As :meth:`do`, for a function that only reads: it does not wait for a thread that writes."""
        if not self._lock.taken_at_once():
            found, result = self._looked_aside(function)
            return cast("T", result) if found else self.do(function)
        try:
            if self._connection is not None:
                return function(self._connection)
        except (sqlite3.Error, UnicodeDecodeError):
            # What is wrong is found out, and dealt with, by ``do``.
            pass
        finally:
            self._lock.give_back()
        return self.do(function)

    def _looked_aside(self, function: Callable[[sqlite3.Connection], T]) -> tuple[bool, T | None]:
        """Whether a function could be called on the second connection, and its result."""
        try:
            with self._aside_lock:
                if self._aside is None and self._connection is not None:
                    self._aside, self._closing_aside = self._connected()
                return (False, None) if self._aside is None else (True, function(self._aside))
        except (sqlite3.Error, UnicodeDecodeError):
            return False, None

    def _do(self, function: Callable[[sqlite3.Connection], T], pauses: Sequence[float]) -> T:
        with self._lock:
            for pause in pauses:
                try:
                    return self._once(function)
                except StoreBusy:
                    self.clock.sleep(pause)
            try:
                return self._once(function)
            except StoreBusy as error:
                if not pauses:
                    raise
                raise StoreDown(str(error)) from error.__cause__

    def _once(self, function: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return function(self._connection or self._open())
        except UnicodeDecodeError as error:
            # SQLite's message about a damaged file has the damage in it, which Python cannot read.
            self._recover(sqlite3.DatabaseError(f"malformed: {error}"))
        except _BAD_VALUES as error:
            raise Unstorable(f"{type(error).__name__}: {error}") from error
        except sqlite3.Error as error:
            self._recover(error)
        try:
            return function(self._open())
        except sqlite3.Error as error:
            self._shut()
            raise self._down(error) from error

    def write(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """As :meth:`do`, in one transaction that no other process can come between.

        If the file was deleted or replaced since it was opened, the one that is at its path now is written.
        """
        self._look_where_it_is()
        return self.do(lambda connection: transaction(connection, function))

    def _look_where_it_is(self) -> None:
        # What is lost with a file that has a guard is the guard's to say.
        if self._guard is None and self._file not in (None, _identity(self.path)):
            with self._lock:
                if self._connection is None:
                    return
                self._shut()
            log.warning(
                "%s was deleted or replaced while it was used; %s goes to the file that is there now",
                *(show_path(self.path), self._what),
            )

    def execute(self, statement: str, values: tuple[Any, ...] | Mapping[str, Any] = ()) -> int:
        """Run one statement; the number of rows that it changed."""
        return self.do(lambda connection: connection.execute(statement, values).rowcount)

    def _recover(self, error: sqlite3.Error) -> None:
        """Set a damaged file aside. Raises StoreBusy if it is locked, and StoreDown after any other trouble."""
        if _is_busy(error):
            raise StoreBusy(f"{show_path(self.path)}: {error}") from error
        # Damage is a DatabaseError itself; its subclasses are a full disk, a lock, a wrong use of it, and so on.
        if type(error) is not sqlite3.DatabaseError:
            self._shut()
            raise self._down(error) from error
        if self._guard is not None:
            self._shut()
            raise self._guard.damaged(error) from error
        self._set_aside(error)

    def _down(self, error: sqlite3.Error) -> StoreDown:
        return StoreDown(f"{show_path(self.path)}: {error}")

    def _open(self) -> sqlite3.Connection:
        if self._guard is not None:
            self._guard.before()
        # SQLite makes the files beside it as readable as it is, and says why a file cannot be opened. One that is there
        # is not opened here: closing it again would drop the locks of all connections that this process has to it
        # (POSIX), and another process would take itself for the last one and delete the write-ahead log.
        try:
            open_private(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL).close()
        except FileExistsError:
            make_private(self.path)
        except OSError:
            pass
        connection, closing = self._connected()
        try:
            self._prepare(connection)
            if self._guard is not None:
                self._guard.opened(connection)
        except BaseException:
            closing()
            raise
        self._connection, self._closing = connection, closing
        return connection

    def _connected(self) -> tuple[sqlite3.Connection, weakref.finalize[..., Any]]:
        """A way into the file, and what closes it."""
        # Who waits for a lock, and how, is decided by ``do``.
        connection = sqlite3.connect(self.path, timeout=0, isolation_level=None, check_same_thread=False)
        # A client that nobody closes leaves no open file; Python 3.13 warns of one.
        closing = weakref.finalize(self, connection.close)
        closing.atexit = False
        # SQLite would keep 2 MB of each file; the system keeps pages of it anyway.
        connection.execute(f"PRAGMA cache_size=-{_CACHE_KB}")
        # A statement of several rows can be taken back; what that needs is made anew for each, and would be a file.
        connection.execute("PRAGMA temp_store=MEMORY")
        return connection, closing

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={'OFF' if self._disposable else 'NORMAL'}")
        # Fewer and larger checkpoints: each one waits for the disk.
        connection.execute("PRAGMA wal_autocheckpoint=8000")
        connection.executescript(self._schema)
        if self._upgrade is not None:
            self._upgrade(connection)
        self._file = _identity(self.path)

    def _shut(self) -> None:
        if self._connection is not None:
            self._closing()
        self._connection = None
        with self._aside_lock:
            if self._aside is not None:
                self._closing_aside()
            self._aside = None

    def after_fork(self) -> None:
        """Start again in a child: a connection must not be carried over a fork, nor closed by the child."""
        self._lock, self._aside_lock = StoreLock(), threading.Lock()
        for connection, closing in ((self._connection, self._closing), (self._aside, self._closing_aside)):
            if connection is not None:
                closing.detach()
                _PARENTS.append(connection)
        self._connection = self._aside = None

    def _set_aside(self, error: sqlite3.DatabaseError) -> None:
        self._shut()
        moment = datetime.fromtimestamp(self.clock.time()).astimezone().strftime("%Y%m%dT%H%M%S")
        aside = self.path.with_name(f"{self.path.name}.damaged-{moment}")
        log.warning("%s is damaged (%s); set aside as %s, a new one begins", show_path(self.path), error, aside.name)
        try:
            for ending in ("", "-wal", "-shm"):
                part = self.path.with_name(self.path.name + ending)
                if part.exists():
                    part.replace(aside.with_name(aside.name + ending))
        except OSError as problem:
            raise StoreDown(f"{show_path(self.path)}: {problem.strerror}") from problem

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            self._shut()


_DATABASES: WeakRegistry[Database] = WeakRegistry()
# Connections of a parent process, kept so that nothing closes them here.
_PARENTS: list[sqlite3.Connection] = []


def _after_fork() -> None:
    for database in _DATABASES:
        database.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells the file at a path from another one; ``None`` if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _is_busy(error: sqlite3.Error) -> bool:
    """Whether a file is locked; one between two modes is, too, as when several processes start together."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def in_chunks(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """Rows for statements of several rows each.

    Python's driver gives other threads a turn for each statement, which takes longer than to write a row.
    """
    return (rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK))


# SQLite may take no more than 999 values in a statement.
_CHUNK = 16


def transaction(connection: sqlite3.Connection, function: Callable[[sqlite3.Connection], T]) -> T:
    """The result of a function, in one transaction that no other process can come between."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = function(connection)
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    return result
