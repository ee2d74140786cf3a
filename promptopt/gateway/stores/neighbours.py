"""Whether other processes use a file, known by one look at its folder: each process that does holds a lock there.

A process that is alone needs no lease for its flights, since it shares them in memory. A lease saves calls and nothing
else, so that what happens in the moment in which a second process begins may cost at most one call twice for each
flight that was under way:

- Both look after they have entered themselves, so that of two that begin together at least one sees the other. The
  first one sees the second from its next look on, that is from its next call on, or the one after a millisecond, and
  enters the flights under way when their leases are next renewed (every 1.7 s).
- The system gives a lock back when its process ends, however it ends: the file of one that was killed is no neighbour.
"""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from itertools import islice
from pathlib import Path

from promptopt.gateway.clock import SYSTEM_CLOCK
from promptopt.gateway.flow import AFTER_FORK
from promptopt.gateway.stores.base import LEASE_S
from promptopt.gateway.stores.database import make_folder

# Other systems have no such locks.
_LOCKS = os.name == "posix"
if _LOCKS:
    import fcntl

# Two changes of a folder within one tick of the system's clock leave the same time.
_TICK_NS = 100_000_000
_MOST = 500
_MOMENT_S = 0.001


class Neighbours:
    """The processes that use a file; and, in one process, the clients that do.

    Attributes:
        looks: How often the folder was looked through, since it had changed.
    """

    def __init__(self, path: Path) -> None:
        """Enter this process.

        Args:
            path: The file, ``cache.sqlite``; beside it each process has an empty file, ``cache-user-...``.
        """
        self._folder, self._start = path.parent, f"{path.stem}-user-"
        self._place = str(self._folder)
        self._own: int | None = None
        self._entry: Path | None = None
        self._seen: tuple[int, int] | None = None
        self._alone = False
        self._looked = self._asked = float("-inf")
        self.looks = 0
        AFTER_FORK.add(self)
        # Who begins to ask later finds it.
        self.alone()

    def alone(self) -> bool:
        """Whether nobody else is known to use the file now; ``False`` if that cannot be said."""
        if not _LOCKS:
            return False
        try:
            if self._own is None:
                self._enter()
            found = os.stat(self._place)  # noqa: PTH116 - before each call; a Path is made a text each time
            seen = (found.st_mtime_ns, found.st_ino)
            # One that was killed leaves the folder as it is.
            self._asked = SYSTEM_CLOCK.monotonic()
            if seen == self._seen and (self._alone or self._asked - self._looked < LEASE_S):
                return self._alone
            self._alone = not self._others()
        except OSError:
            self._asked = float("-inf")
            return False
        self._looked = SYSTEM_CLOCK.monotonic()
        self.looks += 1
        self._seen = seen if abs(SYSTEM_CLOCK.time() * 1e9 - seen[0]) > _TICK_NS else None
        return self._alone

    def alone_just_now(self) -> bool:
        """As :meth:`alone`, by the look of the same call a moment ago if there was one."""
        return self._alone if SYSTEM_CLOCK.monotonic() - self._asked < _MOMENT_S else self.alone()

    @property
    def settled(self) -> bool:
        """Whether the next look counts again only if the folder changes until then."""
        return self._seen is not None

    def _others(self) -> bool:
        """Whether there are others, or more files than are looked through for them."""
        with os.scandir(self._folder) as places:
            entries = list(islice(places, _MOST))
        found = [Path(each.path) for each in entries if each.name.startswith(self._start)]
        lives = [each for each in found if each != self._entry and self._lives(each)]
        return bool(lives) or len(entries) == _MOST

    def _enter(self) -> None:
        make_folder(self._folder)
        while self._own is None:
            entry = self._folder / f"{self._start}{os.getpid()}-{uuid.uuid4().hex[:12]}"
            own = os.open(entry, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            fcntl.flock(own, fcntl.LOCK_EX)
            # Somebody may have taken it for one that was left, before it was locked.
            if entry.exists():
                self._own, self._entry = own, entry
            else:
                os.close(own)

    @staticmethod
    def _lives(entry: Path) -> bool:
        """Whether the process of an entry is there; the entry of one that is not is deleted."""
        try:
            other = os.open(entry, os.O_WRONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            entry.unlink(missing_ok=True)
        except BlockingIOError:
            return True
        finally:
            os.close(other)
        return False

    def after_fork(self) -> None:
        """A child is a process of its own; the lock is its parent's."""
        if self._own is not None:
            os.close(self._own)
        self._own = self._entry = self._seen = None
        self._asked = float("-inf")

    def leave(self) -> None:
        """Use the file no more; the next look enters again."""
        if self._own is not None and self._entry is not None:
            with suppress(OSError):
                self._entry.unlink(missing_ok=True)
            os.close(self._own)
        self._own = self._entry = self._seen = None
        self._asked = float("-inf")
