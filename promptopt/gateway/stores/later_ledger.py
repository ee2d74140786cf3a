"""Writing the rows of a ledger a little later, whatever database they go to."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from promptopt.gateway.clock import SYSTEM_CLOCK, Clock
from promptopt.gateway.stores.base import StoreDown
from promptopt.gateway.stores.database import Unstorable
from promptopt.gateway.stores.ledger_row import COLUMNS, SUMS_QUERY, LedgerRow, Making, Sums, storable
from promptopt.gateway.stores.write_behind import WriteBehind, write_now

log = logging.getLogger("promptopt.gateway")
_HELD_MOST = 100_000
_TIDY_S = 3600.0


class LaterLedger:
    """A ledger whose rows are written a little later: a row waits for others for up to 20 ms.

    A process that ends writes all that waits; one that is killed loses the rows of its last 20 ms. While the database
    takes none, rows stay in memory. A row that it does not take as it is, is written as far as it can be.

    Attributes:
        damaged: Rows, so far, that could not be written as they were, or not at all.
    """

    def __init__(self, place: Path, keep_s: float | None = None, clock: Clock = SYSTEM_CLOCK) -> None:
        """Begin to write.

        Args:
            place: Tells ledgers of this process apart: those of one place are written before it is read.
            keep_s: After how many seconds rows are deleted; ``None`` keeps them.
        """
        self._keep_s = keep_s
        self._clock = clock
        self._tidied = float("-inf")
        self._made = RowMaker()
        self._place = place
        self._begin()
        self._writer = WriteBehind(place, self._write, forked=self._begin)

    @property
    def damaged(self) -> int:
        return self._made.damaged

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._held: dict[int, Making] = {}
        self._ids: dict[int, int] = {}
        self._last = 0
        self._lost = 0
        self._told = self._closed = False

    def begin(self, row: Making) -> int:
        return self._hold(0, row)

    def finish(self, number: int, row: Making) -> None:
        self._hold(number, row)

    def _hold(self, number: int, row: Making) -> int:
        with self._lock:
            if not number:
                number = self._last = self._last + 1
            # A row that ends before it was written is written once, as it ended.
            self._held[number] = row
        self._writer.due()
        return number

    def _write(self) -> bool:
        """Write what is held, in one transaction; whether the database took it."""
        with self._writing:
            with self._lock:
                held, self._held = self._held, {}
            if not held:
                return True
            rows = {number: row for number, making in held.items() if (row := self._made(making)) is not None}
            try:
                begun = self._written(rows)
            except StoreDown as error:
                self._keep(rows, error)
                self._tell_of_the_lost()
                return False
            except BaseException:
                with self._lock:
                    self._held = {**rows, **self._held}
                raise
            for number, row in rows.items():
                if row.status != "sent":
                    self._ids.pop(number, None)
            self._ids.update(begun)
            self._told = False
            self._tidy()
            if self._closed:
                self._give_back()
            return True

    def _tidy(self) -> None:
        """Once an hour, delete the rows that are too old."""
        now = self._clock.time()
        if self._keep_s is None or abs(now - self._tidied) < _TIDY_S:
            return
        self._tidied, oldest = now, now - self._keep_s
        with suppress(StoreDown):
            self._forget(oldest)

    def _forget(self, oldest: float) -> None:
        """Delete the rows before a time. Raises StoreDown if they cannot be deleted now."""
        raise NotImplementedError

    def _written(self, rows: Mapping[int, LedgerRow]) -> dict[int, int]:
        try:
            return self._store(rows)
        except Unstorable as error:
            if len(rows) == 1:
                self._made.bad("a row is lost that the database does not take: %s", error)
                return {}
            # The others are not lost with it.
            return {new: place for number, row in rows.items() for new, place in self._written({number: row}).items()}

    def _store(self, rows: Mapping[int, LedgerRow]) -> dict[int, int]:
        """Write rows, in one transaction; the database's numbers of those whose end is still to come.

        Raises:
            Unstorable: It does not take one of them; StoreDown: it takes none.
        """
        raise NotImplementedError

    def sums(self, since: float) -> list[Sums]:
        """Calls since a time, added up. Raises StoreDown if they cannot be read."""
        write_now(self._place)
        return [Sums._make(row) for row in self._read(SUMS_QUERY, since)]

    def latest(self, most: int) -> list[LedgerRow]:
        """The last calls, the newest first. Raises StoreDown if they cannot be read."""
        write_now(self._place)
        names = ", ".join(f'"{name}"' for name in COLUMNS)
        query = f"SELECT {names} FROM calls ORDER BY at DESC, id DESC LIMIT {{}}"  # noqa: S608 - constants
        return [LedgerRow._make(row) for row in self._read(query, most)]

    def _read(self, query: str, value: float) -> list[tuple[Any, ...]]:
        """What a query finds, with one value in its place ``{}``."""
        raise NotImplementedError

    def _tell_of_the_lost(self) -> None:
        """Say at the end of the process what the database did not take until then."""
        if not self._writer.ended:
            return
        with self._lock:
            lost, self._lost = self._lost + len(self._held), 0
            self._held = {}
        log.error("the ledger: rows are lost that the disk did not take: %d", lost)

    def _keep(self, rows: Mapping[int, Making], error: StoreDown) -> None:
        with self._lock:
            held = {**rows, **self._held}
            self._held = dict(islice(held.items(), _HELD_MOST))
            self._lost += len(held) - len(self._held)
            if not self._told:
                self._told = True
                log.warning("the ledger: %s; rows are held in memory until it takes them", error)

    def close(self) -> None:
        """Write what is held and give the database back. What it does not take now it gets as soon as it does."""
        self._closed = True
        if not self._write():
            self._writer.due()
        self._give_back()

    def _give_back(self) -> None:
        """Close what is open; whoever writes or reads opens it again."""
        raise NotImplementedError


class RowMaker:
    """Makes rows that every store takes, and counts and reports those that had to be changed."""

    def __init__(self) -> None:
        self.damaged = 0

    def __call__(self, making: Making) -> LedgerRow | None:
        """The row; ``None`` if it cannot be made."""
        try:
            row = making() if callable(making) else making
            kept = storable(row)
        except Exception as error:  # noqa: BLE001 - whatever a label of a caller's raises
            self.bad("a row could not be made: %s", f"{type(error).__name__}: {error}")
            return None
        if kept is not row:
            names = [name for name, old, new in zip(COLUMNS, row, kept, strict=True) if old is not new]
            self.bad("a row is written without what cannot be stored: %s", ", ".join(names))
        return kept

    def bad(self, message: str, *values: object) -> None:
        """Count a row, and report the 1st, 10th, 100th ... of them."""
        self.damaged += 1
        if set(str(self.damaged)[1:]) <= {"0"} and str(self.damaged)[0] == "1":
            log.error("the ledger: " + message + " (%d so far)", *values, self.damaged)
