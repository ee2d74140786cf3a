"""Streams on their way to whoever reads them: which are held by their reader, and which nobody can read any more."""

from __future__ import annotations

import asyncio
import atexit
import gc
import logging
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar

from promptopt.gateway.clock import SYSTEM_CLOCK

# A reader that has not come back for so long holds its stream: nobody waits for it.
STALL_S = 0.1
_BEAT_S = 0.05
# Whoever waits for what a stream holds may come in the middle of a collection: it is done again after these pauses, or
# after so many times what it took, which is seconds in a program with many objects.
_AGAIN_S, _AGAIN_TIMES = (1.0, 2.0, 4.0), 20
# A stream that was open when Python collected is none of a young collection's. If nobody waits for what it holds, one
# full collection looks for it after this time, and the next full one comes after so many times what that took.
_OLD_S, _OLD_TIMES = 1.0, 200
_END_S = 5.0
log = logging.getLogger("promptopt.gateway")


class Reading:
    """Where a stream is: awaited from the provider, or with its reader, who may never take more of it."""

    __slots__ = ("_end", "_handed_at", "_let_go", "_looked_for", "_stalled", "_taken", "is_closed_surely", "loop")

    def __init__(self, *let_go: Callable[[], None]) -> None:
        """``let_go`` is as for :meth:`on_held`."""
        self._let_go = [*let_go]
        self._handed_at: float | None = None
        self._stalled = False
        self._looked_for = False
        self._end: Any = None
        self._taken = False
        self.is_closed_surely = False
        self.loop: asyncio.AbstractEventLoop | None = None

    def on_held(self, let_go: Callable[[], None]) -> None:
        """Call ``let_go`` once, in a thread of its own, when the reader holds the stream: nobody need wait for that."""
        self._let_go.append(let_go)

    def opened(
        self, stream: object, flow: Any, abandon: Callable[[Any], None], *, is_closed_surely: bool = False
    ) -> None:
        """Let ``flow`` wait for the end of ``stream``; ``abandon(flow)`` ends it in a thread if nobody can read it.

        Args:
            is_closed_surely: Whether its reader closes it in any case, so that no collection of garbage need find it.
        """
        self.is_closed_surely = is_closed_surely
        # What ends a flow holds it: within the garbage that a stream is, it would be thrown away before it could.
        self._end = weakref.finalize(stream, _Watch.abandoned, self, flow, abandon)
        self._end.atexit = False
        self.loop = asyncio._get_running_loop()
        self.handed()
        _Watch.over(self)

    def handed(self) -> None:
        """A part of the stream went to the reader."""
        self._handed_at = SYSTEM_CLOCK.monotonic()

    def awaited(self) -> None:
        """The reader wants more."""
        self._handed_at = None

    def ended(self) -> Any:
        """The flow that goes on now, once; ``None`` if it did before."""
        self._handed_at = None
        found = None if self._end is None else self._end.detach()
        if found is None:
            return None
        self._taken = True
        return found[2][1]

    def abandon(self) -> None:
        """End the flow here and now, as that of a stream that nobody reads any more."""
        if self._end is not None and (found := self._end.detach()) is not None:
            self.abandoned(*found[2][1:])

    def leave(self) -> None:
        """As :meth:`abandon`, a little later."""
        if self._end is not None and (found := self._end.detach()) is not None:
            _Watch.abandoned(*found[2])

    def abandoned(self, flow: Any, abandon: Callable[[Any], None]) -> None:
        """End the flow, which was taken from the stream."""
        self._taken = True
        abandon(flow)

    @property
    def is_open(self) -> bool:
        """Whether a flow waits for the end of the stream, or to be ended since the stream is garbage."""
        return self._end is not None and not self._taken

    def is_held(self, now: float) -> bool:
        """Whether the reader has held the stream for too long."""
        held = self._handed_at
        return held is not None and now - held >= STALL_S

    def look(self, now: float) -> bool:
        """Let go if the reader holds the stream; whether that was found just now."""
        if self._stalled or not self.is_held(now):
            return False
        self._stalled = True
        if self._let_go:
            _Watch.apart(self._all_let_go)
        return True

    def is_old(self, now: float) -> bool:
        """Whether the reader has held the stream for so long that it may be garbage which no young collection finds."""
        held = self._handed_at
        return not self._looked_for and held is not None and now - held >= _OLD_S

    def looked_for(self) -> None:
        """A full collection has looked for the stream: one is enough."""
        self._looked_for = True

    def _all_let_go(self) -> None:
        for let_go in self._let_go:
            let_go()


def close_what_is_left() -> None:
    """Somebody waits for what streams hold: close soon those that nobody can read any more."""
    _Watch.wanted = len(_AGAIN_S)


class _Watch:
    """The one thread of a process that looks after open streams; it ends when there is none.

    It waits for nothing but its beat: what asks a store, which may be slow or locked, is done in a thread of its own.
    """

    _lock = threading.Lock()
    _open: ClassVar[set[Reading]] = set()
    _left: ClassVar[deque[tuple[Reading, Any, Callable[[Any], None]]]] = deque()
    _thread: threading.Thread | None = None
    _apart: ClassVar[set[threading.Thread]] = set()
    _ends = False
    _next = _next_old = 0.0
    wanted = 0
    took_s = 0.0

    @classmethod
    def over(cls, reading: Reading) -> None:
        with cls._lock:
            if not cls._ends:
                # Registered after what the stores have, and therefore run before it.
                cls._ends = True
                atexit.register(cls.end)
            cls._open.add(reading)
            if cls._thread is None or not cls._thread.is_alive():
                cls._thread = threading.Thread(target=cls._run, name="promptopt-streams", daemon=True)
                cls._thread.start()

    @classmethod
    def abandoned(cls, reading: Reading, flow: Any, abandon: Callable[[Any], None]) -> None:
        """A stream is garbage. Its flow ends a little later: the collector may have come in the middle of anything."""
        cls._left.append((reading, flow, abandon))

    @classmethod
    def _run(cls) -> None:
        while cls._looked():
            SYSTEM_CLOCK.sleep(_BEAT_S)

    @classmethod
    def _looked(cls) -> bool:
        try:
            return cls._look()
        except Exception:
            # The other streams are looked after all the same.
            log.exception("a stream could not be looked after")
            return True

    @classmethod
    def _look(cls) -> bool:
        """Look at each open stream; whether there is any."""
        with cls._lock:
            found = list(cls._open)
        now = SYSTEM_CLOCK.monotonic()
        # The SDK's stream and its generator refer to each other, so that a stream that was left in the middle of a
        # loop is not closed before the collector comes. A young collection takes less than a millisecond; a full one
        # may take a hundred.
        stalled = [reading for reading in found if reading.look(now)]
        for reading in found:
            # Nobody goes on with what a loop has left that was closed in the middle of it.
            if reading.loop is not None and reading.loop.is_closed():
                reading.leave()
        left = [reading for reading in found if not reading.is_closed_surely]
        if cls.wanted and now >= cls._next and any(reading.is_held(now) for reading in left):
            # A loop that has not come to it is not asked again.
            _collect(found if cls.wanted == len(_AGAIN_S) else (), 2)
            cls._next = now + max(_AGAIN_S[-cls.wanted], _AGAIN_TIMES * cls.took_s)
            cls.wanted -= 1
        elif not gc.isenabled():
            # The program collects when it wants to.
            pass
        elif now >= cls._next_old and (old := [reading for reading in left if reading.is_old(now)]):
            for reading in old:
                reading.looked_for()
            _collect(found, 2)
            cls._next_old = now + _OLD_TIMES * cls.took_s
        elif not {*stalled}.isdisjoint(left):
            _collect(found, 1)
        cls._end_left()
        with cls._lock:
            cls._open = {reading for reading in cls._open if reading.is_open}
            if cls._open:
                return True
            cls._thread = None
            return False

    @classmethod
    def _end_left(cls) -> None:
        while cls._left:
            reading, flow, abandon = cls._left.popleft()
            cls.apart(partial(reading.abandoned, flow, abandon))

    @classmethod
    def apart(cls, function: Callable[[], None]) -> None:
        """Do what may take long in a thread of its own."""

        def work() -> None:
            try:
                function()
            except Exception:
                log.exception("a stream that was left could not be ended")
            finally:
                cls._apart.discard(threading.current_thread())

        thread = threading.Thread(target=work, name="promptopt-left", daemon=True)
        cls._apart.add(thread)
        try:
            thread.start()
        except RuntimeError:
            # The system has no thread left, or Python is ending.
            cls._apart.discard(thread)
            function()

    @classmethod
    def forked(cls) -> None:
        cls._lock, cls._thread = threading.Lock(), None
        # They are the parent's streams: their end must not give back here what the parent holds.
        _PARENTS.extend(reading.ended() for reading in cls._open)
        _PARENTS.extend(cls._left)
        cls._open, cls._left, cls._apart = set(), deque(), set()

    @classmethod
    def end(cls) -> None:
        """The process ends: what is open is settled, and written."""
        while cls._left:
            reading, flow, abandon = cls._left.popleft()
            reading.abandoned(flow, abandon)
        for reading in list(cls._open):
            reading.abandon()
        until = SYSTEM_CLOCK.monotonic() + _END_S
        for thread in list(cls._apart):
            thread.join(max(0.0, until - SYSTEM_CLOCK.monotonic()))


def _collect(found: Iterable[Reading], generation: int) -> None:
    """Have garbage collected, by the event loop that has streams, if one has.

    A loop closes those of its generators that become garbage. If another thread's collector goes on to the next one of
    a row meanwhile, it finds that the loop runs it: "async generator already executing".
    """
    for loop in {reading.loop for reading in found}:
        if loop is not None and loop.is_running():
            # It may end in this moment.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(_collect_now, generation)
                return
    _collect_now(generation)


def _collect_now(generation: int) -> None:
    began = SYSTEM_CLOCK.monotonic()
    gc.collect(generation)
    if generation == 2:
        _Watch.took_s = SYSTEM_CLOCK.monotonic() - began


# Flows of a parent process, kept so that nothing ends them here.
_PARENTS: list[Any] = []

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_Watch.forked)
