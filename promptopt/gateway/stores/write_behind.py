"""Writing a little later, in a thread: many small writes become a few larger ones, and no call waits for them."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

# How long something waits to be written at most: what a killed process loses.
DELAY_S = 0.02
_RETRY_S = 1.0
_IDLE_S = 5.0


T = TypeVar("T")
log = logging.getLogger("promptopt.gateway")


class WeakRegistry(Generic[T]):
    """Objects that are alive, held weakly. Unlike ``weakref.WeakSet`` it may be listed while another thread adds."""

    def __init__(self) -> None:
        self._refs: list[weakref.ref[T]] = []

    def add(self, item: T) -> None:
        """Note an object, for as long as somebody else refers to it."""
        self._refs.append(weakref.ref(item, self._refs.remove))

    def __iter__(self) -> Iterator[T]:
        return (item for ref in list(self._refs) if (item := ref()) is not None)


class WriteBehind:
    """Calls ``write`` soon after it is ``due``, again until it succeeds, and at the end of the process.

    What is due keeps its object alive.

    Attributes:
        last: Whether ``write`` is to write all that there is, since somebody reads it or the process ends.
    """

    def __init__(
        self, place: Path, write: Callable[[], bool], *, forked: Callable[[], None],
        last_s: float = 0.0, apart_s: float = 0.0,
    ) -> None:  # fmt: skip
        """Nothing is due yet.

        Args:
            place: The file that is written to.
            write: A bound method that writes what is held and says whether it could; it is held weakly.
            forked: A bound method that forgets what is held, called in a forked child: it is the parent's to write.
            last_s: So many seconds ``end`` tries again.
            apart_s: So many seconds are between two writes of a busy program, unless one is due ``soon``.
        """
        self.place = place.resolve()
        self._write = weakref.WeakMethod(write)
        self._forked = weakref.WeakMethod(forked)
        self._is_due = False
        self._not_before = 0.0
        self._failed = False
        self._failing = False
        self._last_s = last_s
        self._apart_s = apart_s
        self.last = False
        _ALIVE.add(self)

    def due(self, *, soon: bool = False) -> None:
        """Say that something must be written; returns at once.

        Args:
            soon: Whether somebody may wait for it.
        """
        if soon and not self._failed:
            self._not_before = 0.0
        if self._is_due and _Writer.running:
            # As at most calls of a busy program.
            return
        if _Writer.ended:
            # No thread writes after the end of the process.
            self._now()
        else:
            if not self._is_due:
                # Whoever made it may be dropped before it is written.
                _HELD[self] = self._write()
            self._is_due = True
            if not _Writer.wake():
                self.tick()

    @property
    def ended(self) -> bool:
        """Whether the process ends, so that what cannot be written now never will be."""
        return _Writer.ended

    def tick(self) -> bool:
        """Write if that is due; whether it still is."""
        if not self._is_due:
            return False
        if time.monotonic() < self._not_before:
            return True
        self._is_due = False
        self._not_before = time.monotonic() + self._apart_s
        held = _HELD.pop(self, None)
        self._failed = not self._now()
        if self._failed:
            _HELD[self] = held
            self._is_due, self._not_before = True, time.monotonic() + _RETRY_S
        return self._is_due

    def end(self) -> None:
        """Write now whatever is held."""
        self.last = True
        until = time.monotonic() + self._last_s
        try:
            while not self._now() and time.monotonic() < until:
                time.sleep(self._last_s / 10)
        finally:
            self.last = False

    def after_fork(self) -> None:
        """Start again in a forked child."""
        self._is_due = False
        if (forked := self._forked()) is not None:
            forked()

    def _now(self) -> bool:
        """Whether all is written. What a writer raises ends neither the thread that writes for all nor a call."""
        write = self._write()
        if write is None:
            return True
        try:
            written = write()
        except Exception:
            if not self._failing:
                self._failing = True
                log.exception("%s: could not be written; tried again every %g s", self.place.name, _RETRY_S)
            return False
        self._failing = False
        return written


def write_now(place: Path) -> None:
    """Write everything that waits in this process for a file, so that the next reader finds all."""
    resolved = place.resolve()
    for each in _ALIVE:
        if each.place == resolved:
            each.end()


_ALIVE: WeakRegistry[WriteBehind] = WeakRegistry()
# What is due, and whose it is.
_HELD: dict[WriteBehind, Callable[[], bool] | None] = {}


class _Writer:
    """The one thread of a process that writes for all; it starts when something is due and ends when nothing is."""

    ended = False
    running = False
    _pid: int | None = None
    _lock = threading.Lock()
    _due = threading.Event()
    _thread: threading.Thread | None = None

    @classmethod
    def wake(cls) -> bool:
        """Have the thread write soon; whether there is a thread."""
        thread = cls._thread
        alive = thread is not None and thread.is_alive()
        if alive and cls._due.is_set():
            return True
        cls._due.set()
        if alive and thread is cls._thread:
            return True
        with cls._lock:
            if cls._thread is not None:
                if cls._thread.is_alive():
                    return True
                log.error("the thread that writes for the gateway had died; it is started again")
            cls._watch()
            cls._thread = threading.Thread(target=cls._run, name="promptopt-writer", daemon=True)
            cls.running = True
            try:
                cls._thread.start()
            except RuntimeError as error:
                # The system has no thread left, or Python is ending: whoever has something to write writes it.
                cls._thread, cls.running = None, False
                # From Python 3.12 on there is no new thread after the main one has ended, which is nobody's fault.
                level = logging.WARNING if threading.main_thread().is_alive() else logging.DEBUG
                log.log(level, "the gateway has no thread to write in (%s); calls write themselves", error)
                return False
            return True

    @classmethod
    def _run(cls) -> None:
        try:
            cls._write_all()
        except BaseException:
            cls.running = False
            raise

    @classmethod
    def _write_all(cls) -> None:
        while True:
            if not cls._due.wait(_IDLE_S):
                with cls._lock:
                    if not cls._due.is_set():
                        cls._thread, cls.running = None, False
                        return
            time.sleep(DELAY_S)
            cls._due.clear()
            for each in _ALIVE:
                if each.tick():
                    cls._due.set()

    @classmethod
    def _watch(cls) -> None:
        """Hear of the end of this process: a child of multiprocessing does not run what ``atexit`` has."""
        if cls._pid == os.getpid():
            return
        cls._pid = os.getpid()
        util, process = sys.modules.get("multiprocessing.util"), sys.modules.get("multiprocessing.process")
        if util is not None and process is not None and process.parent_process() is not None:
            util.Finalize(None, cls.end, exitpriority=0)

    @classmethod
    def end(cls) -> None:
        cls.ended, cls.running = True, False
        for each in _ALIVE:
            each.end()

    @classmethod
    def forked(cls) -> None:
        cls.ended, cls.running, cls._thread = False, False, None
        cls._lock, cls._due = threading.Lock(), threading.Event()
        for each in _ALIVE:
            each.after_fork()
        _HELD.clear()


atexit.register(_Writer.end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_Writer.forked)
