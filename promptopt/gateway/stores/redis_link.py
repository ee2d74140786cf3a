"""The way to a Redis that machines share: one server, one that Sentinel names, or a cluster."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit

from promptopt.errors import MissingExtra, UsageError
from promptopt.gateway.clock import SYSTEM_CLOCK, Clock
from promptopt.gateway.stores.base import Outage, OutagePolicy, StoreDown

if TYPE_CHECKING:
    import redis
    from redis.retry import Retry

T = TypeVar("T")

PREFIX = "promptopt:"
# After a failure Redis is not asked for this time, twice as long after the next one, so that calls do not wait for it
# again and again.
_REST_S, _LONGEST_REST_S = 1.0, 5.0
_TIMEOUT_S = 2.0
_SENTINEL = "redis+sentinel://"
_SCHEMES = ("redis://", "rediss://", "unix://", "redis+unix://", "redis+cluster://", _SENTINEL)


class WrongValue(StoreDown):
    """Redis is there, and has something of another kind under the name of what was asked for."""


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
        self._errors: tuple[type[Exception], ...] = (redis.RedisError, OSError)
        self._clock = clock
        self._lock = threading.Lock()
        self._rest_s = 0.0
        self._resting_until = float("-inf")
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
        if self._rest_s:
            self._look_again()
        try:
            result = function(self.client if self._known else self._look())
        except self._errors as error:
            if isinstance(error, self._wrong) and "WRONGTYPE" in str(error):
                raise WrongValue(f"{self.name}: {error}") from None
            self._rest()
            raise StoreDown(f"{self.name} is away ({type(error).__name__})") from None
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
            self._scripts.clear()
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
        """The result of a Lua script, which Redis runs as one step."""
        if source not in self._scripts:
            self._scripts[source] = self.client.register_script(source)
        return self.do(lambda client: self._scripts[source](keys=keys, args=values, client=client))

    def close(self) -> None:
        """Give the connections back."""
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
