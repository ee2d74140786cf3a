"""The way to a Redis that machines share: one server, one that Sentinel names, or a cluster."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import unquote, urlsplit

from promptopt.errors import MissingExtra, UsageError
from promptopt.gateway.clock import SYSTEM_CLOCK, Clock
from promptopt.gateway.stores.base import RESERVED_S, Outage, OutagePolicy, StoreDown
from promptopt.gateway.stores.redis_scripts import Script, Scripts
from promptopt.gateway.stores.write_behind import WriteBehind

if TYPE_CHECKING:
    import redis
    from redis.retry import Retry

T = TypeVar("T")
log = logging.getLogger("promptopt.gateway")

PREFIX = "promptopt:"
# After a failure Redis is not asked for this time, twice as long after the next one, so that calls do not wait for it
# again and again.
_REST_S, _LONGEST_REST_S = 1.0, 5.0
_TIMEOUT_S = 2.0
_SENTINEL = "redis+sentinel://"
_SCHEMES = ("redis://", "rediss://", "unix://", "redis+unix://", "redis+cluster://", _SENTINEL)


class WrongValue(StoreDown):
    """Redis is there, and has something of another kind under the name of what was asked for."""


class Unanswered(StoreDown):
    """Redis was asked, and nobody knows whether it has done it, or does it yet."""


class _Step(NamedTuple):
    """A script that is to be run, and who hears what it gave, or what kept it from being run."""

    script: Script
    told: Callable[[Any], None]
    # What it is run with once more if nobody knows whether it was; ``None`` if it must not be.
    again: list[Any] | None = None
    # Until when it is run again, by a monotonic clock.
    until: float = 0.0


# Steps that wait at most; one more, and they are run at once.
_MOST_LATER = 1000
# So long a step is run again, and so long the end of a process or client waits for that.
_AGAIN_S, _LAST_S = RESERVED_S, 5.0


class RedisLink:
    """A Redis or Valkey that machines share.

    Addresses are ``redis://``, ``rediss://``, ``unix://PATH``, ``redis+sentinel://HOST:PORT,HOST:PORT/SERVICE/DB`` and
    ``redis+cluster://HOST:PORT``; a cluster is known as one by any of its servers' plain addresses, too.
    """

    networked = True

    def __init__(
        self, url: str, *, policy: OutagePolicy = "degrade", clock: Clock = SYSTEM_CLOCK, prefix: str = PREFIX
    ) -> None:
        """Connect.

        Args:
            prefix: What every name in Redis begins with.

        Raises:
            UsageError: The address is not one of Redis.
            MissingExtra: redis-py is not installed.
            GatewayUnavailable: It is away, and the policy is to refuse.
        """
        if not url.startswith(_SCHEMES):
            raise UsageError(f"redis = {_host(url)!r} is not an address like redis://host:6379/0")
        try:
            import redis
        except ImportError:
            raise MissingExtra("redis", "gateway", "a shared cache in Redis") from None
        self.name = _host(url)
        self.prefix = prefix
        self.cluster = False
        self._url = url
        self._known = False
        try:
            self.client: redis.Redis = _sentinel(url) if url.startswith(_SENTINEL) else _plain(url)
        except ValueError as error:
            raise UsageError(f"redis = {self.name!r}: {error}") from None
        self._wrong: type[Exception] = redis.ResponseError
        self._scripts = Scripts()
        self._errors: tuple[type[Exception], ...] = (redis.RedisError, OSError)
        self._lost: tuple[type[Exception], ...] = (redis.ConnectionError, redis.TimeoutError, OSError)
        self._clock = clock
        self._lock = threading.Lock()
        self._rest_s = 0.0
        self._resting_until = float("-inf")
        self.outage = Outage("Redis", policy, clock)
        self._begin()
        place = Path(f"redis-{self.name}-{prefix}")
        self._writer = WriteBehind(place, self._write, forked=self._begin, last_s=_LAST_S)
        try:
            self.do(lambda client: client.ping())
        except StoreDown as error:
            self.outage.met(error)

    def _begin(self) -> None:
        self._scripts.after_fork()
        # By process: what a forked child would find here is its parent's to do.
        self._later: list[_Step] = []
        self._adding = threading.Lock()
        # Whoever hears what came of a step may leave another one.
        self._writing = threading.RLock()

    def do(self, function: Callable[[redis.Redis], T]) -> T:
        """The result of a function on the client, after what was left for later.

        Raises:
            StoreDown: Redis is away.
        """
        if self._later:
            self._write()
        return self._do(function)

    def _do(self, function: Callable[[redis.Redis], T]) -> T:
        if self._rest_s:
            self._look_again()
        try:
            result = function(self.client if self._known else self._look())
        except self._errors as error:
            found = self._error(error)
            if not isinstance(found, WrongValue):
                self._rest()
            raise found from None
        self._rest_s = 0.0
        self.outage.over()
        return result

    def _look(self) -> redis.Redis:
        """The client, now that a server is there to ask what it is."""
        import redis

        try:
            info: Any = self.client.info("cluster")
        except redis.ResponseError:
            # Who may not ask has a plain server.
            info = {}
        if info.get("cluster_enabled"):
            plain, self.client = self.client, _cluster(self._url)
            plain.close()
            self.cluster = True
        self._known = True
        return self.client

    def named(self, kind: str, name: str) -> str:
        """What something is called in Redis; a cluster keeps all of the same name on one server."""
        return f"{self.prefix}{kind}:{{{name}}}" if self.cluster else f"{self.prefix}{kind}:{name}"

    def check(self) -> None:
        """Raises StoreDown while Redis is not asked."""
        if self._clock.monotonic() < self._resting_until:
            raise StoreDown(f"{self.name} is away")

    def _look_again(self) -> None:
        """Let one caller see whether Redis is back; the others do not wait for what it finds."""
        with self._lock:
            self.check()
            self._resting_until = self._clock.monotonic() + _TIMEOUT_S
            self._rest_s = min(2 * self._rest_s, _LONGEST_REST_S)

    def _rest(self) -> None:
        with self._lock:
            self._rest_s = self._rest_s or _REST_S
            self._resting_until = self._clock.monotonic() + self._rest_s

    def script(self, source: str, keys: list[str], values: list[Any]) -> Any:
        """The result of a Lua script, which Redis runs as one step, after what was left for later.

        Raises:
            StoreDown: Redis is away.
        """
        script = Script(source, keys, values)
        if not self._later:
            return self._do(lambda client: self._one(client, script))
        found: list[Any] = []
        self._run([*self._taken(), _Step(script, found.append)])
        if isinstance(found[0], StoreDown):
            raise found[0]
        return found[0]

    @property
    def defers(self) -> bool:
        """Whether :meth:`later` takes a step without asking the network; a cluster cannot take several at once."""
        return self._known and not self.cluster

    def later(
        self,
        source: str,
        keys: list[str],
        values: list[Any],
        told: Callable[[Any], None],
        again: list[Any] | None = None,
    ) -> None:
        """Run a script for whose result nobody waits: with the next one, or up to 20 ms later, in the writer's thread.

        Args:
            told: Gets its result, or the StoreDown that kept it from being run.
            again: The values that it is run with, each second for half an hour while nobody knows whether Redis has run
                it, or Redis takes nothing; without them it is run once.
        """
        step = _Step(Script(source, keys, values), told, again, self._clock.monotonic() + _AGAIN_S)
        if not self.defers:
            if not self._run([step]):
                self._writer.due()
            return
        with self._adding:
            self._later.append(step)
        if len(self._later) < _MOST_LATER:
            self._writer.due()
        else:
            self._write()

    def _taken(self) -> list[_Step]:
        with self._adding:
            taken, self._later = self._later, []
        return taken

    def _write(self) -> bool:
        # One at a time: who closes waits for what another thread has sent, since its connections end with the client.
        with self._writing:
            return self._run(self._taken())

    def _run(self, steps: Sequence[_Step]) -> bool:
        """Run scripts, one after the other, with one request if that can be; false if some are to be run again."""
        if not steps:
            return True
        results: Sequence[Any]
        try:
            results = self._do(lambda client: self._all(client, [step.script for step in steps]))
        except StoreDown as error:
            results = [error] * len(steps)
        except Exception as error:
            # redis-py raises more than its own errors, as where a connection is closed while it is read.
            log.exception("%s: what was left for later could not be run", self.name)
            results = [self._error(error)] * len(steps)
        back = []
        for step, result in zip(steps, results, strict=True):
            found = self._error(result) if isinstance(result, self._errors) else result
            # Whether Redis has run it nobody knows; or it takes nothing just now: it reads only, is full, or loads.
            unknown = isinstance(found, StoreDown) and not isinstance(found, WrongValue)
            if unknown and step.again is not None and self._clock.monotonic() < step.until:
                back.append(step._replace(script=step.script._replace(values=step.again)))
                continue
            try:
                step.told(found)
            except Exception:
                log.exception("%s: what came of a step could not be told", self.name)
        with self._adding:
            self._later += back
        return not back

    def _one(self, client: redis.Redis, script: Script) -> Any:
        (result,) = self._all(client, [script])
        if isinstance(result, Exception):
            raise result
        return result

    def _all(self, client: redis.Redis, scripts: Sequence[Script]) -> list[Any]:
        """What each script gave; an error in the place of the result of one that failed."""
        if self.cluster:
            return [self._scripts.run_in_cluster(client, script) for script in scripts]
        return self._scripts.run(client, scripts)

    def _error(self, error: Exception) -> StoreDown:
        if isinstance(error, self._wrong) and "WRONGTYPE" in str(error):
            return WrongValue(f"{self.name}: {error}")
        kind = Unanswered if isinstance(error, self._lost) else StoreDown
        return kind(f"{self.name} is away ({type(error).__name__})")

    def close(self) -> None:
        """Run what was left for later, and give the connections back."""
        self._writer.end()
        for step in self._taken():
            step.told(StoreDown(f"{self.name} is away"))
        self._scripts.close(self.client)
        self.client.close()


def _once_more() -> Retry:
    """Send a command again over a new connection if the old one was closed, and never after a timeout."""
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))


def _plain(url: str) -> redis.Redis:
    import redis

    url = url.replace("redis+unix://", "unix://").replace("redis+cluster://", "redis://")
    client: redis.Redis = redis.Redis.from_url(
        url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S, retry=_once_more()
    )
    return client


def _cluster(url: str) -> Any:
    """A client that knows which server of the cluster has what; a cluster has no numbered databases."""
    from redis.cluster import RedisCluster

    parts = urlsplit(url)
    plain = parts._replace(scheme="rediss" if parts.scheme == "rediss" else "redis", path="").geturl()
    return RedisCluster.from_url(
        plain, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S, retry=_once_more()
    )


def _sentinel(url: str) -> redis.Redis:
    """A client of the server that Sentinel says is the master, whichever that is at the time.

    Raises:
        ValueError: The address names no service, or a port is none.
    """
    from redis.sentinel import Sentinel

    login, _, places = url.removeprefix(_SENTINEL).rpartition("@")
    places, _, path = places.partition("/")
    service, _, database = path.partition("/")
    if not service:
        raise ValueError("name the service: redis+sentinel://host:26379,host:26379/SERVICE/0")
    hosts = [(host, int(port or 26379)) for host, _, port in (place.partition(":") for place in places.split(","))]
    user, _, password = login.rpartition(":") if ":" in login else ("", "", login)
    timeouts: Mapping[str, Any] = {"socket_timeout": _TIMEOUT_S, "socket_connect_timeout": _TIMEOUT_S}
    options: dict[str, Any] = {**timeouts, "db": int(database or 0), "retry": _once_more()}
    if password:
        options |= {"username": unquote(user) or None, "password": unquote(password)}
    sentinel = Sentinel(hosts, sentinel_kwargs=dict(timeouts), **options)  # type: ignore[no-untyped-call]  # redis-py
    master: redis.Redis = sentinel.master_for(service)  # type: ignore[no-untyped-call]  # redis-py
    return master


def _host(url: str) -> str:
    """An address without the user and password in it, whatever it is."""
    scheme, found, rest = url.partition("://")
    place = (rest if found else scheme).rpartition("@")[2].partition("?")[0]
    return place if place.startswith("/") else place.partition("/")[0]
