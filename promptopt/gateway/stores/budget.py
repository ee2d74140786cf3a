"""Budgets in a SQLite file, counted so that threads and processes cannot overspend together.

Amounts are billionths of a dollar. A reservation whose caller has died is taken as spent once its time is over.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from promptopt.gateway.stores.base import (
    ALERT_LEVELS,
    DEFERRED_S,
    RESERVED_S,
    BudgetFull,
    BudgetScope,
    Deferred,
    LevelCrossed,
    StoreBusy,
    StoreDown,
    StoreLock,
    level_of,
)
from promptopt.gateway.stores.budget_marks import SCHEMA, MarkGuard
from promptopt.gateway.stores.database import Database
from promptopt.gateway.stores.write_behind import WriteBehind, write_now

log = logging.getLogger("promptopt.gateway")

_LOOK_S = 60.0
# So far apart a busy program's settlements are written: until then the worst case of its calls is reserved.
_APART_S = 0.1
# For so many calls at least, and for four times as many as came since the last writing, a process reserves in advance.
_ADVANCE_CALLS = 32
# The largest whole number of SQLite. What was spent beyond it, $9 billion, is counted as that.
_MOST = 2**63 - 1

_SCHEMA = """
CREATE TABLE IF NOT EXISTS budgets (
    scope TEXT PRIMARY KEY, spent INTEGER NOT NULL DEFAULT 0, reserved INTEGER NOT NULL DEFAULT 0,
    alerted INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS grants (
    id TEXT PRIMARY KEY, scopes TEXT NOT NULL, amount INTEGER NOT NULL, expires REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS deferred (
    response TEXT PRIMARY KEY, scopes TEXT NOT NULL, amount INTEGER NOT NULL, note TEXT NOT NULL, expires REAL NOT NULL
) WITHOUT ROWID;
"""


@dataclass(slots=True)
class _Grant:
    """What a process has reserved in some budgets for its calls: one row, whichever calls it is for.

    Attributes:
        amount: Reserved in the file.
        used: Of that, for calls in flight.
        paid: What calls that ended cost and is not in the file yet. The rest is free for the next call.
        asked: What the last call wanted, if one came since the file was written.
        calls: How many came since.
        ahead: For how many calls something was reserved in advance.
    """

    number: str
    scopes: Sequence[BudgetScope]
    amount: int = 0
    used: int = 0
    paid: int = 0
    asked: int = 0
    calls: int = 0
    ahead: int = _ADVANCE_CALLS

    def advance(self, wanted: int, left: int) -> int:
        """How much to reserve if ``wanted`` is needed and ``left`` is left."""
        return wanted + max(0, min(wanted * self.ahead, (left - wanted) // 100))

    def is_little(self, wanted: int) -> bool:
        """Whether the next calls may find nothing, or other processes wait for what is left."""
        return self.amount - self.used - self.paid < wanted * self.ahead // 2


# What grants keep for no call yet, by their ``id``.
_Ahead = dict[int, int]


class _Books:
    """Budgets within one transaction: read once, and written once as they became."""

    def __init__(self, connection: sqlite3.Connection, scopes: Iterable[str]) -> None:
        self._connection = connection
        self.rows: dict[str, list[int]] = {name: [0, 0, 0] for name in scopes}
        self._read()

    def _read(self) -> None:
        query = f"SELECT * FROM budgets WHERE scope IN ({', '.join('?' * len(self.rows))})"  # noqa: S608 - constants
        for name, *values in self._connection.execute(query, tuple(self.rows)):
            self.rows[name] = values

    def write(self) -> None:
        """Write the budgets back."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO budgets (scope, spent, reserved, alerted) VALUES (?, ?, ?, ?)",
            [(name, *(max(-_MOST, min(value, _MOST)) for value in values)) for name, values in self.rows.items()],
        )

    def settle(self, grant: _Grant, amount: int, expires: float) -> list[LevelCrossed]:
        """Spend what was paid, and have ``amount`` reserved by the grant from now on."""
        spend, held = grant.paid, grant.amount
        if held and not self._change(grant.number, amount, expires):
            # Its time was over, so that it counts as spent already: what was not paid of it comes back.
            spend, held = spend - held, 0
        if amount and not held:
            values = (grant.number, json.dumps([scope.name for scope in grant.scopes]), amount, expires)
            self._connection.execute("INSERT INTO grants VALUES (?, ?, ?, ?)", values)
        for scope in grant.scopes:
            row = self.rows[scope.name]
            row[0] += spend
            row[1] += amount - held
        return [crossed for scope in grant.scopes for crossed in self._crossed(scope)] if grant.paid else []

    def settle_each(
        self, grants: Iterable[_Grant], expires: float, *, refill: bool
    ) -> tuple[_Ahead, list[LevelCrossed]]:
        """Settle grants, which keep what they use and, to refill them, something for the calls that follow."""
        ahead: _Ahead = {}
        crossed = []
        for grant in grants:
            more = grant.advance(grant.asked, self.room(grant)[0]) - grant.asked if refill else 0
            ahead[id(grant)] = more
            crossed += self.settle(grant, grant.used + more, expires)
        return ahead, crossed

    def _change(self, number: str, amount: int, expires: float) -> bool:
        """Whether the reservation was still there."""
        execute = self._connection.execute
        if not amount:
            return bool(execute("DELETE FROM grants WHERE id = ?", (number,)).rowcount)
        change = "UPDATE grants SET amount = ?, expires = ? WHERE id = ?"
        return bool(execute(change, (amount, expires, number)).rowcount)

    def _crossed(self, scope: BudgetScope) -> list[LevelCrossed]:
        spent, _, alerted = self.rows[scope.name]
        self.rows[scope.name][2] = level = max(alerted, level_of(spent, scope.limit))
        return [LevelCrossed(scope, each, spent) for each in ALERT_LEVELS if alerted < each <= level]

    def room(self, grant: _Grant) -> tuple[int, BudgetScope]:
        """What is left once the grant has settled and keeps what it uses, and the budget that leaves the least."""
        back = grant.amount - grant.used - grant.paid
        return min(
            ((scope.limit - sum(self.rows[scope.name][:2]) + back, scope) for scope in grant.scopes),
            key=lambda each: each[0],
        )

    def spend_expired(self, now: float) -> None:
        """Count reservations whose time is over as spent, in all budgets."""
        self.write()
        query = "SELECT id, scopes, amount FROM grants WHERE expires < ?"
        for number, names, amount in self._connection.execute(query, (now,)).fetchall():
            self._connection.execute("DELETE FROM grants WHERE id = ?", (number,))
            self._connection.executemany(
                "UPDATE budgets SET spent = spent + ?, reserved = reserved - ? WHERE scope = ?",
                [(amount, amount, name) for name in json.loads(names)],
            )
        self._read()


class SqliteBudgets:
    """Budgets in a SQLite file.

    A process reserves a little in advance (while 99% of what is left stays for others), and settles up to 0.1 s later:
    then it reserves for the next calls, or gives back what it keeps for no call if none came meanwhile. Until then more
    is reserved than was paid, never less. If settling may cross an alert's level, it is done at once, but for calls of
    next to nothing, which are settled ``soon``.
    """

    networked = False

    def __init__(self, path: Path, ledger: Path | None = None) -> None:
        """Open the budget's file, or make the first one.

        Args:
            ledger: A ledger's file, which remembers that the budget was begun.

        Raises:
            InputError: No database can be at ``path``, or the one that was begun there is damaged or deleted.
        """
        self.on_crossed: Callable[[LevelCrossed], None] | None = None
        self._guard = MarkGuard(path, ledger)
        self._database = Database(path, _SCHEMA + SCHEMA, what="the budget", guard=self._guard)
        self._begin()
        self._writer = WriteBehind(path, self._write, forked=self._begin, apart_s=_APART_S)

    def _begin(self) -> None:
        self._lock = StoreLock()
        self._grants: dict[tuple[str, ...], _Grant] = {}
        # Calls that ended, of which nobody has asked yet what they cost.
        self._ended: deque[tuple[Sequence[BudgetScope], int, Callable[[], int]]] = deque()
        self._seen: dict[str, list[int]] = {}
        self._now = self._looked = float("-inf")
        self._told = False

    def reserve(self, number: str, scopes: Sequence[BudgetScope], amount: int, now: float) -> BudgetFull | None:
        names = _key(scopes)
        with self._lock:
            grant = self._grants.get(names)
            if grant is None:
                grant = self._grants[names] = _Grant(number, scopes)
            grant.scopes, grant.asked = scopes, amount
            grant.calls += 1
            fresh = abs(now - self._now) < _LOOK_S
            if fresh and grant.amount - grant.used - grant.paid >= amount:
                grant.used += amount
                if grant.is_little(amount):
                    self._writer.due(soon=True)
                return None
            full, crossed = self._settle_all(now, grant, amount)
        self._tell(crossed)
        self._writer.due()
        return full

    def settle(self, number: str, scopes: Sequence[BudgetScope], amount: int, paid: int) -> None:  # noqa: ARG002 - by process
        with self._lock:
            grant = self._grants.get(_key(scopes))
            if grant is None:
                # Reserved before a fork: the parent has it.
                return
            grant.used -= amount
            grant.paid += paid
            # What this process saw last, with all that is reserved as if it were spent.
            near, more = False, max(0, paid - amount)
            for scope in scopes:
                spent, reserved, alerted = self._seen[scope.name]
                near = near or level_of(spent + reserved + more, scope.limit) > alerted
            little = grant.is_little(amount)
        if not near or not self._write_all():
            self._writer.due(soon=little)

    def settle_soon(self, scopes: Sequence[BudgetScope], amount: int, paid: Callable[[], int]) -> None:
        self._ended.append((scopes, amount, paid))
        self._writer.due()

    def _count_ended(self) -> None:
        """Count what calls cost that ended; for whoever has the lock."""
        while self._ended:
            scopes, amount, paid = self._ended.popleft()
            grant = self._grants.get(_key(scopes))
            if grant is not None:
                grant.used -= amount
                grant.paid += paid()

    def _write(self) -> bool:
        """Settle what is held, and reserve for calls that may follow; whether the disk took it."""
        return self._write_all(refill=not self._writer.last)

    def _write_all(self, *, refill: bool = False) -> bool:
        try:
            with self._lock:
                _, crossed = self._settle_all(self._now, refill=refill)
                kept = any(grant.amount != grant.used for grant in self._grants.values())
        except StoreBusy:
            return False
        except StoreDown as error:
            if not self._told:
                self._told = True
                log.warning("the budget: %s; the worst case of calls that ended stays reserved", error)
            return False
        self._told = False
        self._tell(crossed)
        if kept:
            self._writer.due()
        return True

    def _settle_all(
        self, now: float, wanting: _Grant | None = None, wanted: int = 0, *, refill: bool = False
    ) -> tuple[BudgetFull | None, list[LevelCrossed]]:
        """Spend what was paid, give back what is free, and reserve what a grant wants, in one transaction.

        Args:
            refill: Whether what is free stays reserved where calls came since the last time.
        """
        self._count_ended()
        grants = [each for each in self._grants.values() if each is wanting or each.amount != each.used or each.paid]
        if not grants:
            return None, []
        for grant in grants:
            grant.ahead = max(_ADVANCE_CALLS, 4 * grant.calls)
        looking = abs(now - self._looked) >= _LOOK_S
        expires = now + RESERVED_S

        def work(connection: sqlite3.Connection) -> tuple[_Books, _Ahead, list[LevelCrossed], BudgetFull | None]:
            books, full = _Books(connection, _names(grants)), None
            if looking:
                books.spend_expired(now)
            others = [grant for grant in grants if grant is not wanting]
            ahead, crossed = books.settle_each(others, expires, refill=refill)
            if wanting is not None:
                left, scope = books.room(wanting)
                if left < wanted and not looking:
                    # A reservation that is over may still count, which matters now.
                    books.spend_expired(now)
                    left, scope = books.room(wanting)
                more = wanting.advance(wanted, left) if left >= wanted else 0
                ahead[id(wanting)] = more
                crossed += books.settle(wanting, wanting.used + more, expires)
                full = None if left >= wanted else BudgetFull(scope, *books.rows[scope.name][:2])
            books.write()
            return books, ahead, crossed, full

        self._guard.same()
        books, ahead, crossed, full = self._database.write(work)
        self._now, self._looked = now, now if looking else self._looked
        # Budgets that nothing is reserved in are read again.
        self._seen = {
            name: self._seen[name] for name in _names(self._grants.values()) if name in self._seen
        } | books.rows
        for grant in grants:
            grant.paid, grant.asked, grant.calls, grant.amount = 0, 0, 0, grant.used + ahead[id(grant)]
        if wanting is not None and full is None:
            wanting.used += wanted
        self._grants = {names: each for names, each in self._grants.items() if each.amount}
        return full, crossed

    def _tell(self, crossed: Sequence[LevelCrossed]) -> None:
        for each in crossed:
            if self.on_crossed is not None:
                self.on_crossed(each)

    def alert(self, scope: BudgetScope, level: int) -> LevelCrossed | None:
        def mark(connection: sqlite3.Connection) -> LevelCrossed | None:
            books = _Books(connection, [scope.name])
            spent, _, alerted = books.rows[scope.name]
            if alerted >= level:
                return None
            books.rows[scope.name][2] = level
            books.write()
            return LevelCrossed(scope, level, spent)

        return self._database.write(mark)

    def names(self) -> list[str]:
        write_now(self._database.path)
        rows = self._database.do(lambda connection: connection.execute("SELECT scope FROM budgets").fetchall())
        return [name for (name,) in rows]

    def defer(self, response: str, deferred: Deferred, now: float) -> None:
        values = (response, json.dumps(deferred.scopes), deferred.amount, deferred.note, now + DEFERRED_S)

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM deferred WHERE expires < ?", (now,))
            connection.execute("INSERT OR REPLACE INTO deferred VALUES (?, ?, ?, ?, ?)", values)

        self._database.write(work)

    def take_deferred(self, response: str) -> Deferred | None:
        query = "DELETE FROM deferred WHERE response = ? RETURNING scopes, amount, note"
        row = self._database.do(lambda connection: connection.execute(query, (response,)).fetchone())
        return None if row is None else Deferred(tuple(json.loads(row[0])), row[1], row[2])

    def give_back(self, scopes: Sequence[str], amount: int) -> None:
        def work(connection: sqlite3.Connection) -> None:
            books = _Books(connection, scopes)
            for row in books.rows.values():
                row[0] -= amount
            books.write()

        self._database.write(work)

    def spent(self, scope: str) -> tuple[int, int]:
        write_now(self._database.path)
        spent, reserved, _ = self._database.do(lambda connection: _Books(connection, [scope]).rows[scope])
        return spent, reserved

    def close(self) -> None:
        """Settle what is held and close the file."""
        self._write_all()
        self._database.close()


def _key(scopes: Iterable[BudgetScope]) -> tuple[str, ...]:
    return tuple([scope.name for scope in scopes])


def _names(grants: Iterable[_Grant]) -> dict[str, None]:
    return {scope.name: None for grant in grants for scope in grant.scopes}


def begin_again(path: Path, ledger: Path | None, spent: Mapping[str, int]) -> Path | None:
    """Set a budget's file aside and begin another one.

    Args:
        ledger: As of ``SqliteBudgets``.
        spent: What is spent already, in billionths of a dollar, by budget.

    Returns:
        Where the old file is now; ``None`` if there was none.

    Raises:
        InputError: No file can be at ``path``; ``OSError`` if the old one cannot be moved.
    """
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    aside = path.with_name(f"{path.name}.before-{moment}")
    was = path.exists()
    for ending in ("", "-wal", "-shm"):
        part = path.with_name(path.name + ending)
        if part.exists():
            part.replace(aside.with_name(aside.name + ending))
    MarkGuard(path, ledger).forget()
    budgets = SqliteBudgets(path, ledger)
    for name, amount in spent.items():
        budgets.give_back([name], -amount)
    budgets.close()
    return aside if was else None
