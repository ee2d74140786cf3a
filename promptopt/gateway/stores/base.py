"""Where a gateway keeps what its calls share: a SQLite file, or Redis; and what happens when one is away."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar
from urllib.parse import urlsplit

from promptopt.errors import InputError, MissingExtra, UsageError
from promptopt.files import show_path
from promptopt.gateway.failures import GatewayUnavailable
from promptopt.gateway.flow import Remote, Step
from promptopt.gateway.stores.write_behind import Living

if TYPE_CHECKING:
    import redis

T = TypeVar("T")
Policy = Literal["degrade", "refuse"]
log = logging.getLogger("promptopt.gateway")

_BUSY_S = 30.0
_PAUSE_S = 0.01
# After a failure Redis is left alone for so long, so that a call does not wait for it again and again.
_REST_S = 1.0
_REDIS_TIMEOUT_S = 2.0


class StoreDown(Exception):
    """A store did not take or give something; the message names it without credentials."""


class Store(Protocol):
    """What a layer needs to know of any store.

    Attributes:
        remote: Whether it is behind a network, so that an event loop must not wait for it.
    """

    remote: bool


def using(store: Store, function: Callable[[], T]) -> Step[T]:
    """The result of a store's function, out of the event loop where the store is remote."""
    if not store.remote:
        return function()
    result: T = yield Remote(function)
    return result


class Outage:
    """What a layer does while its store is away: goes on without (and says so once), or refuses."""

    def __init__(self, what: str, policy: Policy = "degrade") -> None:
        self._what = what
        self._policy = policy
        self._told = False

    def met(self, error: StoreDown) -> None:
        """Raises GatewayUnavailable where the policy is to refuse."""
        self.tell(str(error))
        if self._policy == "refuse":
            raise GatewayUnavailable(f"{self._what}: {error}") from error

    def tell(self, reason: str) -> None:
        """Say once that the store is away."""
        if not self._told:
            self._told = True
            consequence = "calls go on without it" if self._policy == "degrade" else "calls are refused"
            log.warning("%s: %s; %s", self._what, reason, consequence)

    def over(self) -> None:
        """The store works again; its next failure is told again."""
        if self._told:
            self._told = False
            log.warning("%s: works again", self._what)


class Database:
    """A SQLite file that many threads and processes share.

    A damaged file is set aside with a warning and begun anew. Transactions survive the end of the process at any
    point (write-ahead log); the last of them may be lost when the machine itself loses power.
    """

    remote = False

    def __init__(self, path: Path, schema: str, *, what: str, disposable: bool = False) -> None:
        """Open or make the file.

        Args:
            what: What is kept in it, for messages.
            disposable: Whether it may be lost when the machine loses power, so that no write waits for the disk.

        Raises:
            InputError: No database can be at ``path``.
        """
        self._disposable = disposable
        self.path = path
        self._schema = schema
        self._what = what
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        _DATABASES.add(self)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.do(lambda connection: connection.execute("PRAGMA user_version"))
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from None
        except StoreDown as error:
            raise self._unusable(str(error.__cause__ or error)) from None

    def _unusable(self, reason: str) -> InputError:
        return InputError(
            f"{self._what} cannot be kept here: {reason}",
            path=show_path(self.path),
            remedy="name a folder that can be written: http_client(path=...) or [tool.promptopt.gateway] path",
        )

    def do(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """The result of a function on the connection.

        Raises:
            StoreDown: The disk is full, the file is locked for too long, or it cannot be read.
        """
        with self._lock:
            try:
                return function(self._connection or self._open())
            except sqlite3.Error as error:
                self._recover(error)
            try:
                return function(self._open())
            except sqlite3.Error as error:
                self._shut()
                raise self._down(error) from error

    def write(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """As :meth:`do`, in one transaction that no other process can come between."""
        return self.do(lambda connection: _transaction(connection, function))

    def execute(self, statement: str, values: tuple[Any, ...] = ()) -> int:
        """Run one statement; the number of rows that it changed."""
        return self.do(lambda connection: connection.execute(statement, values).rowcount)

    def _recover(self, error: sqlite3.Error) -> None:
        """Set a damaged file aside. Raises StoreDown after any other trouble."""
        # Damage is a DatabaseError itself; its subclasses are a full disk, a lock, a wrong use of it, and so on.
        if type(error) is not sqlite3.DatabaseError:
            self._shut()
            raise self._down(error) from error
        self._set_aside(error)

    def _down(self, error: sqlite3.Error) -> StoreDown:
        return StoreDown(f"{show_path(self.path)}: {error}")

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        given_up = time.monotonic() + _BUSY_S
        while True:
            try:
                self._prepare(connection)
            except sqlite3.Error as error:
                # Whoever finds a file between two modes is turned away at once, whatever the timeout: as where several
                # processes start together.
                if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY and time.monotonic() < given_up:
                    time.sleep(_PAUSE_S)
                    continue
                connection.close()
                raise
            self._connection = connection
            return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={'OFF' if self._disposable else 'NORMAL'}")
        # Fewer and larger checkpoints: each one waits for the disk.
        connection.execute("PRAGMA wal_autocheckpoint=8000")
        connection.executescript(self._schema)

    def _shut(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def after_fork(self) -> None:
        """Begin anew in a child: a connection must not be carried over a fork, nor closed by the child."""
        self._lock = threading.RLock()
        if self._connection is not None:
            _PARENTS.append(self._connection)
        self._connection = None

    def _set_aside(self, error: sqlite3.DatabaseError) -> None:
        self._shut()
        aside = self.path.with_name(f"{self.path.name}.damaged-{time.strftime('%Y%m%dT%H%M%S')}")
        log.warning("%s is damaged (%s); set aside as %s, begun anew", show_path(self.path), error, aside.name)
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


_DATABASES: Living[Database] = Living()
# Connections of a parent process, kept so that nothing closes them here.
_PARENTS: list[sqlite3.Connection] = []


def _after_fork() -> None:
    for database in _DATABASES:
        database.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _transaction(connection: sqlite3.Connection, function: Callable[[sqlite3.Connection], T]) -> T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = function(connection)
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    return result


class RedisLink:
    """A Redis or Valkey that machines share."""

    remote = True

    def __init__(self, url: str, *, policy: Policy = "degrade") -> None:
        """Connect.

        Raises:
            UsageError: The address is not one of Redis.
            MissingExtra: redis-py is not installed.
            GatewayUnavailable: It is away, and the policy is to refuse.
        """
        if not url.startswith(("redis://", "rediss://", "unix://")):
            raise UsageError(f"redis = {_host(url)!r} is not an address like redis://host:6379/0")
        try:
            import redis
        except ImportError:
            raise MissingExtra("redis", "gateway", "a shared cache in Redis") from None
        self.name = _host(url)
        try:
            self.client: redis.Redis = redis.Redis.from_url(
                url, socket_timeout=_REDIS_TIMEOUT_S, socket_connect_timeout=_REDIS_TIMEOUT_S
            )
        except ValueError as error:
            raise UsageError(f"redis = {self.name!r}: {error}") from None
        self._errors: tuple[type[Exception], ...] = (redis.RedisError, OSError)
        self._resting_until = 0.0
        self._scripts: dict[str, Any] = {}
        self.outage = Outage("Redis", policy)
        try:
            self.do(lambda client: client.ping())
        except StoreDown as error:
            self.outage.met(error)

    def do(self, function: Callable[[redis.Redis], T]) -> T:
        """The result of a function on the client.

        Raises:
            StoreDown: Redis is away.
        """
        if time.monotonic() < self._resting_until:
            raise StoreDown(f"{self.name} is away")
        try:
            result = function(self.client)
        except self._errors as error:
            self._resting_until = time.monotonic() + _REST_S
            raise StoreDown(f"{self.name} is away ({type(error).__name__})") from None
        self.outage.over()
        return result

    def script(self, source: str, keys: list[str], values: list[Any]) -> Any:
        """The result of a Lua script, which Redis runs as one step."""
        if source not in self._scripts:
            self._scripts[source] = self.client.register_script(source)
        return self.do(lambda client: self._scripts[source](keys=keys, args=values, client=client))

    def close(self) -> None:
        """Give the connections back."""
        self.client.close()


def _host(url: str) -> str:
    """An address without the user and password in it."""
    parts = urlsplit(url)
    return f"{parts.hostname or parts.path or url[:20]}{f':{_port(url)}' if _port(url) else ''}"


def _port(url: str) -> int | None:
    try:
        return urlsplit(url).port
    except ValueError:
        return None


@contextmanager
def tolerating(outage: Outage) -> Iterator[None]:
    """What is inside may fail with its store; the outage decides what that means."""
    try:
        yield
    except StoreDown as error:
        outage.met(error)
    else:
        outage.over()
