"""Running Lua scripts in Redis, several of them in one request, over connections that are kept for a moment.

Taking a connection out of redis-py's pool looks whether it still lives and costs as much as a script; what the library
does around a command costs that again. So a connection is kept for a second, through which most of a busy program's
scripts go; then the pool has it again, with all that it does about dead connections, new passwords and new masters.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from promptopt.gateway.clock import SYSTEM_CLOCK

if TYPE_CHECKING:
    import redis

_KEPT_S = 1.0


class Script(NamedTuple):
    """A Lua script, and what it is run with."""

    source: str
    keys: list[str]
    values: list[Any]


class Scripts:
    """Runs scripts by their names; by their texts the first time."""

    def __init__(self) -> None:
        """Nothing is known of a Redis yet."""
        import redis

        self._wrong: type[Exception] = redis.ResponseError
        self._no_script: type[Exception] = redis.exceptions.NoScriptError
        self._known: set[str] = set()
        self.after_fork()

    def after_fork(self) -> None:
        """The connections of a parent are its own."""
        self._kept: list[tuple[Any, float]] = []

    def run(self, client: redis.Redis, scripts: Sequence[Script]) -> list[Any]:
        """What each script gave, in one request; an error in the place of the result of one that failed.

        Raises:
            redis.RedisError: Redis is away; so does ``OSError``.
        """
        results = self._sent(client, [self._command(script) for script in scripts])
        for at, (script, result) in enumerate(zip(scripts, results, strict=True)):
            if isinstance(result, self._no_script):
                results[at] = self._sent(client, [_by_text(script)])[0]
        return results

    def run_in_cluster(self, client: redis.Redis, script: Script) -> Any:
        """What a script gave, run by the server that has its keys; an error in the place of the result if it failed.

        Raises:
            redis.RedisError: Redis is away; so does ``OSError``.
        """
        try:
            try:
                return client.execute_command(*self._command(script))  # type: ignore[no-untyped-call]  # redis-py
            except self._no_script:
                return client.execute_command(*_by_text(script))  # type: ignore[no-untyped-call]  # redis-py
        except self._wrong as error:
            return error

    def _command(self, script: Script) -> tuple[Any, ...]:
        # A Redis that was started again knows none by its name.
        if script.source not in self._known:
            self._known.add(script.source)
            return _by_text(script)
        return "EVALSHA", _digest(script.source), len(script.keys), *script.keys, *script.values

    def _sent(self, client: redis.Redis, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        connection, until = self._taken(client)
        try:
            found: list[Any] = connection.retry.call_with_retry(
                lambda: self._exchanged(connection, commands), lambda _error: connection.disconnect()
            )
        except BaseException:
            # What comes over it may be the answer to something else.
            connection.disconnect()
            client.connection_pool.release(connection)
            raise
        if SYSTEM_CLOCK.monotonic() < until:
            self._kept.append((connection, until))
        else:
            client.connection_pool.release(connection)
        return found

    def _taken(self, client: redis.Redis) -> tuple[Any, float]:
        """A connection of the caller's own, and until when it may be kept."""
        now = SYSTEM_CLOCK.monotonic()
        while self._kept:
            try:
                connection, until = self._kept.pop()
            except IndexError:
                # Another thread took the last one.
                break
            if now < until:
                return connection, until
            client.connection_pool.release(connection)
        return client.connection_pool.get_connection(), now + _KEPT_S

    def _exchanged(self, connection: Any, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        connection.send_packed_command([b"".join(map(packed, commands))])
        return [self._read(connection) for _ in commands]

    def _read(self, connection: Any) -> Any:
        try:
            return connection.read_response()
        except self._wrong as error:
            return error

    def close(self, client: redis.Redis) -> None:
        """Give back what is kept."""
        while self._kept:
            client.connection_pool.release(self._kept.pop()[0])


def packed(command: tuple[Any, ...]) -> bytes:
    """A command of texts, numbers and bytes as Redis reads it (https://redis.io/docs/latest/develop/reference/protocol-spec).

    redis-py takes two and a half times as long for the same bytes.
    """
    parts = [part if isinstance(part, bytes) else str(part).encode() for part in command]
    return b"*%d\r\n%b" % (len(parts), b"".join([b"$%d\r\n%b\r\n" % (len(part), part) for part in parts]))


def _by_text(script: Script) -> tuple[Any, ...]:
    return "EVAL", script.source, len(script.keys), *script.keys, *script.values


@lru_cache(maxsize=64)
def _digest(source: str) -> str:
    """What Redis calls a script."""
    return hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
