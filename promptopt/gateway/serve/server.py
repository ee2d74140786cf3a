"""Runs the proxy: one process, one event loop. SIGHUP reloads its configuration, SIGTERM ends it in good order."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import sys
from collections.abc import Callable

import uvicorn

from promptopt.errors import PromptoptError, UsageError
from promptopt.gateway.serve.app import Service
from promptopt.gateway.serve.connection import connections
from promptopt.gateway.serve.routes import make_app
from promptopt.gateway.serve.settings import Configuration, ServeSettings

log = logging.getLogger("promptopt.serve")

_BACKLOG = 2048
# How long connections may take to close whose calls have ended.
_CLOSING_S = 2
_SWITCH_S = 0.001
# A collection of all objects holds up all calls, for longer the more is kept, and finds next to nothing: what a call
# makes goes without one. So they come when no call is in flight, or after a minute, not with so many objects.
_YOUNG, _MIDDLE, _NEVER = 5_000, 20, 1_000_000
_IDLE_S, _BUSY_S = 5.0, 60.0


class _Server(uvicorn.Server):
    """Lets calls in flight end before it closes its connections."""

    def __init__(
        self, config: uvicorn.Config, service: Service, started: Callable[[str], None], grace_s: float
    ) -> None:
        super().__init__(config)
        self._service = service
        self._started = started
        self._grace_s = grace_s

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # What is made before the first call lives as long as the server: no collection has to look through it, which
        # would hold up all calls.
        gc.collect()
        gc.freeze()
        gc.set_threshold(_YOUNG, _MIDDLE, _NEVER)
        self._collecting = asyncio.ensure_future(collect_when_idle(lambda: bool(self._service.serving.in_flight)))
        assert sockets is not None
        host, port = sockets[0].getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        self._started(f"http://{shown}:{port}")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Connections are taken meanwhile, so that `/readyz` answers who asks.
        await self._service.in_flight.end(self._grace_s, lambda: self.force_exit)
        self._collecting.cancel()
        await super().shutdown(sockets)


async def collect_when_idle(busy: Callable[[], bool], look_s: float = _IDLE_S, most_s: float = _BUSY_S) -> None:
    """Collect garbage of all ages, every ``look_s`` seconds if nothing is to be done, else after ``most_s`` of them."""
    waited = 0.0
    while True:
        await asyncio.sleep(look_s)
        waited += look_s
        # What a server that does nothing has looked through needs no other look.
        if gc.get_count()[2] and (not busy() or waited >= most_s):
            gc.collect()
            waited = 0.0


def serve(configuration: Configuration, read: Callable[[], Configuration], *, started: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        read: Reads the configuration again, when SIGHUP comes.
        started: Called with the address once the server listens.

    Raises:
        UsageError: The address cannot be listened on.
    """
    settings = configuration.serve
    listening = _listen(settings)
    # So long at most a thread that writes rows may hold up the loop, each time.
    sys.setswitchinterval(_SWITCH_S)
    service = Service(configuration)
    config = server_config(service, settings)
    # uvicorn raises the signal once more when all is done, to end the process; this one then ends by itself.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    server = _Server(config, service, started, settings.grace_s)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        if hasattr(signal, "SIGHUP"):
            loop.add_signal_handler(signal.SIGHUP, lambda: _reload(service, read))
        await server.serve([listening])

    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(run())


def server_config(service: Service, settings: ServeSettings) -> uvicorn.Config:
    """How uvicorn serves."""
    return uvicorn.Config(
        make_app(service),
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        # Nothing here goes by a client's address.
        proxy_headers=False,
        http=connections(settings.body_timeout_s),
        # Nothing is worked on any more then.
        timeout_graceful_shutdown=_CLOSING_S,
    )


def _listen(settings: ServeSettings) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        # A server that has just ended leaves its port resting.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)
    except OSError as error:
        raise UsageError(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror}. Name another `--host` or `--port`"
        ) from None
    return listening


def _reload(service: Service, read: Callable[[], Configuration]) -> None:
    """Go by the configuration as it is now; one that is wrong changes nothing."""
    try:
        service.replace(read())
    except PromptoptError as error:
        log.error("the configuration was not reloaded, the old one stays in force: %s", error)
    else:
        log.warning("the configuration was reloaded")
