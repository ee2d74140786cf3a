"""The connections to upstreams that are open, by where they go; new ones are made as aiohttp makes its own."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import defaultdict
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, NamedTuple

import aiohappyeyeballs
import aiohttp
from aiohttp.http import SERVER_SOFTWARE
from yarl import URL

from promptopt.gateway.serve.upstream_http import UpstreamConnection

# So long addresses are good that were looked up, and so far apart the addresses of a host are tried.
_LOOKED_UP_S, _APART_S = 10.0, 0.25


class _Place(NamedTuple):
    """What connections are told apart by; errors of aiohttp name it."""

    scheme: str
    host: str
    port: int

    @property
    def is_ssl(self) -> bool:
        return self.scheme == "https"

    @property
    def ssl(self) -> bool:
        """Whether certificates are looked at, for the text of an error."""
        return True


class UpstreamPool:
    """Sends requests over connections that rest, or over new ones; how many there are is not its business."""

    def __init__(self, *, connect_timeout_s: float, timeout_s: float, keepalive_s: float) -> None:
        """Opens nothing; must be made in an event loop.

        Args:
            timeout_s: Seconds without a byte after which a response has failed.
            keepalive_s: Seconds after which a connection that rests is closed.
        """
        self._loop = asyncio.get_running_loop()
        self._connect_timeout_s = connect_timeout_s
        self._timeout_s = timeout_s
        self._keepalive_s = keepalive_s
        self._resting: dict[_Place, list[UpstreamConnection]] = defaultdict(list)
        self._all: set[UpstreamConnection] = set()
        self._found: dict[tuple[str, int], tuple[float, asyncio.Task[list[Any]]]] = {}
        self._cleaning: asyncio.TimerHandle | None = None

    @staticmethod
    def takes(url: URL) -> bool:
        """Whether requests to an address may go this way."""
        return url.scheme in ("http", "https") and bool(url.raw_host) and url.user is None and url.password is None

    async def connection(self, url: URL) -> UpstreamConnection:
        """A connection to where an address is. Raises ClientConnectorError or ConnectionTimeoutError."""
        place = _Place(url.scheme, url.raw_host or "", url.port or 0)
        resting, oldest = self._resting[place], self._loop.time() - self._keepalive_s
        while resting:
            found = resting.pop()
            if found.is_open and found.rests_since > oldest:
                return found
            found.close()
        return await self._connected(place)

    async def _connected(self, place: _Place) -> UpstreamConnection:
        try:
            addresses = [*await self._addresses(place)]
        except OSError as error:
            raise aiohttp.ClientConnectorDNSError(place, error) from error  # type: ignore[arg-type]  # all that it reads
        while True:
            try:
                return await self._reached(place, addresses)
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
                # One that takes connections may not speak TLS.
                aiohappyeyeballs.pop_addr_infos_interleave(addresses)
                if not addresses:
                    raise

    async def _reached(self, place: _Place, addresses: list[Any]) -> UpstreamConnection:
        """A connection to the first of these addresses that can be reached."""
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                taken = await aiohappyeyeballs.start_connection(addresses, happy_eyeballs_delay=_APART_S)
                return await self._spoken(place, taken)
        except ssl.CertificateError as error:
            raise aiohttp.ClientConnectorCertificateError(place, error) from error  # type: ignore[arg-type]
        except ssl.SSLError as error:
            raise aiohttp.ClientConnectorSSLError(place, error) from error
        except OSError as error:
            # The system's own has a number.
            if isinstance(error, TimeoutError) and error.errno is None:
                raise aiohttp.ConnectionTimeoutError(f"Connection timeout to host {place.host}") from error
            raise aiohttp.ClientConnectorError(place, error) from error  # type: ignore[arg-type]

    async def _spoken(self, place: _Place, taken: socket.socket) -> UpstreamConnection:
        """The connection over a socket that is connected."""

        def made() -> UpstreamConnection:
            return UpstreamConnection(self._loop, self._timeout_s, lambda found: self._rests(place, found), self._all)

        named: dict[str, Any] = {"ssl": _trusting(), "server_hostname": place.host.rstrip(".")} if place.is_ssl else {}
        try:
            _, connection = await self._loop.create_connection(made, sock=taken, **named)
        except BaseException:
            taken.close()
            raise
        return connection

    async def _addresses(self, place: _Place) -> list[Any]:
        """The addresses of a host; who asks at the same time asks once."""
        now, known = self._loop.time(), self._found.get((place.host, place.port))
        if known is None or now - known[0] > _LOOKED_UP_S or (known[1].done() and known[1].exception()):
            # A number is good whatever addresses this machine has itself.
            flags = 0 if _is_number(place.host) else socket.AI_ADDRCONFIG
            lookup = self._loop.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM, flags=flags)
            known = self._found[place.host, place.port] = now, asyncio.ensure_future(lookup)
        return await asyncio.shield(known[1])

    def _rests(self, place: _Place, connection: UpstreamConnection) -> None:
        self._resting[place].append(connection)
        if self._cleaning is None:
            self._cleaning = self._loop.call_later(self._keepalive_s, self._clean)

    def _clean(self) -> None:
        """Close what has rested for too long."""
        self._cleaning = None
        oldest = self._loop.time() - self._keepalive_s
        for place, resting in list(self._resting.items()):
            for each in resting:
                if each.rests_since <= oldest or not each.is_open:
                    each.close()
            left = self._resting[place] = [each for each in resting if each.is_open]
            if not left:
                del self._resting[place]
        if self._resting:
            self._cleaning = self._loop.call_later(self._keepalive_s / 4, self._clean)

    async def close(self) -> None:
        """Close all connections."""
        if self._cleaning is not None:
            self._cleaning.cancel()
        for _, lookup in self._found.values():
            lookup.cancel()
        for each in list(self._all):
            each.close()


def _is_number(host: str) -> bool:
    """Whether a host is given by its address."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=1)
def _trusting() -> ssl.SSLContext:
    """Trusts whom the system trusts."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


@lru_cache(maxsize=256)
def request_head(url: URL, headers: tuple[tuple[str, str], ...]) -> bytes:
    """The head of a POST request up to the length of its body; most calls have the same one.

    Raises:
        ValueError: A header would end its line.
    """
    given = {name.lower() for name, _ in headers}
    lines = [("Host", url.host_port_subcomponent or ""), *headers]
    lines += [
        (name, value)
        for name, value in (("Accept", "*/*"), ("User-Agent", SERVER_SOFTWARE))
        if name.lower() not in given
    ]
    if any(mark in text for line in lines for text in line for mark in "\r\n\0"):
        raise ValueError("a header has a line end in it")
    head = "".join(f"{name}: {value}\r\n" for name, value in lines)
    return f"POST {url.raw_path_qs} HTTP/1.1\r\n{head}Content-Length: ".encode()
