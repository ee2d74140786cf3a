"""What takes the place of a model, a clock and a store in tests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import Any

from promptopt.config import Config
from promptopt.gateway.assembly import GatewayParts
from promptopt.gateway.settings import read_settings
from promptopt.gateway.simulate import SimulatedClock
from promptopt.providers import ProviderBase
from promptopt.values import Request, Response, Usage


class ScriptedProvider(ProviderBase):
    """A provider that answers from a script and keeps what it was asked. It is safe to call from many threads.

    Args:
        replies: What to answer, one after the other: a text, a whole :class:`Response`, or an exception to raise; or a
            function that gives one of these for a request.

    Attributes:
        requests: What was asked, in order.
        closed: How often it was closed.
    """

    free = True

    def __init__(
        self, replies: Iterable[str | Response | Exception] | Callable[[Request], str | Response | Exception]
    ) -> None:
        self.requests: list[Request] = []
        self.closed = 0
        self._lock = threading.Lock()
        self._replies = replies if callable(replies) else iter(replies)

    def complete(self, request: Request) -> Response:
        """The next answer of the script.

        Raises:
            AssertionError: The script is at its end.
        """
        with self._lock:
            self.requests.append(request)
            if callable(self._replies):
                reply = self._replies(request)
            else:
                try:
                    reply = next(self._replies)
                except StopIteration:
                    raise AssertionError(f"request {len(self.requests)} comes after the end of the script") from None
        if isinstance(reply, Exception):
            raise reply
        if isinstance(reply, Response):
            return reply
        usage = Usage(sum(len(m.content.split()) for m in request.messages), output_tokens=len(reply.split()))
        return Response(request.model, reply, usage=usage)

    def close(self) -> None:
        self.closed += 1


def make_parts(clock: SimulatedClock | None = None, **settings: Any) -> GatewayParts:
    """What a layer is made from: settings, a store in memory, a clock that only a test moves, and seeded chance.

    Args:
        settings: As in ``[tool.promptopt.gateway]``.

    Raises:
        UsageError: A setting is wrong.
    """
    here = Path.cwd()
    config = Config(here, here / "prompts", here / "suites")
    wanted = read_settings(config, {"store": "memory", **settings})
    chance = Random(0)  # noqa: S311 - the same in every test
    return GatewayParts(wanted, config, clock or SimulatedClock(), chance, sdk_retries=False)
