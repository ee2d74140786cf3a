"""The one clock of a gateway, and its one source of chance. All layers and stores go by them, simulated or not."""

from __future__ import annotations

import time as system
from random import Random, SystemRandom
from typing import Protocol


class Clock(Protocol):
    """Tells the time, and waits."""

    def time(self) -> float:
        """Seconds since 1970; it may be set back."""

    def monotonic(self) -> float:
        """Seconds since some moment; it never goes back."""

    def sleep(self, seconds: float) -> None:
        """Return after ``seconds``."""


class SystemClock:
    """The clock of the machine."""

    time = staticmethod(system.time)
    monotonic = staticmethod(system.monotonic)
    sleep = staticmethod(system.sleep)


SYSTEM_CLOCK: Clock = SystemClock()
# A forked child has a source of its own.
SYSTEM_RANDOM: Random = SystemRandom()
