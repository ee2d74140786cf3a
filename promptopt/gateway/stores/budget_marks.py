"""Who remembers that a budget's file was begun: a file beside it, and the ledger.

A budget that is deleted or damaged must not begin again at $0. The file has a mark inside; the same mark is in
``NAME.mark`` beside it and in the table ``witness`` of the ledger. A file without its mark is not the one that was
begun.
"""

from __future__ import annotations

import os
import sqlite3
import uuid
from contextlib import closing, suppress
from pathlib import Path

from promptopt.files import show_path
from promptopt.gateway.stores.base import StoreDown
from promptopt.gateway.stores.database import WrongFile, make_folder, open_private, transaction

SCHEMA = "CREATE TABLE IF NOT EXISTS mark (mark TEXT NOT NULL);"
_IN_LEDGER = "CREATE TABLE IF NOT EXISTS witness (path TEXT PRIMARY KEY, mark TEXT NOT NULL) WITHOUT ROWID"
_WAIT_S = 5.0


class Marks:
    """Marks of a budget outside of it: in a file, and in the ledger if that is SQLite's."""

    def __init__(self, beside: Path, ledger: Path | None, name: str) -> None:
        """``name`` is what the ledger calls the budget."""
        self._beside = beside
        self._ledger = ledger if ledger is not None and ledger.suffix != ".jsonl" else None
        self._name = name

    def known(self) -> set[str]:
        """The marks that somebody remembers: one, or none if no budget was begun, or two if they differ."""
        marks = set()
        with suppress(OSError):
            marks.add(self._beside.read_text(encoding="utf-8", errors="replace").strip())
        if self._ledger is not None and self._ledger.exists():
            # A ledger that is damaged, or knows of no budget, says nothing.
            with suppress(sqlite3.Error), self._of_ledger() as connection:
                query = "SELECT mark FROM witness WHERE path = ?"
                marks |= {mark for (mark,) in connection.execute(query, (self._name,))}
        return marks

    def note(self, mark: str) -> None:
        """Remember a mark. Raises StoreDown if the file cannot be written."""
        try:
            make_folder(self._beside.parent)
            self._write(mark)
        except OSError as error:
            raise StoreDown(f"{show_path(self._beside)}: {error.strerror}") from error
        if self._ledger is not None and self._ledger.exists():
            with suppress(sqlite3.Error), self._of_ledger() as connection, connection:
                connection.execute(_IN_LEDGER)
                connection.execute("INSERT OR REPLACE INTO witness VALUES (?, ?)", (self._name, mark))

    def _write(self, mark: str) -> None:
        with (
            suppress(FileExistsError),
            open_private(self._beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as file,
        ):
            file.write(f"{mark}\n".encode())

    def forget(self) -> None:
        """Remember nothing."""
        self._beside.unlink(missing_ok=True)
        if self._ledger is not None and self._ledger.exists():
            with self._of_ledger() as connection, connection:
                connection.execute(_IN_LEDGER)
                connection.execute("DELETE FROM witness WHERE path = ?", (self._name,))

    def _of_ledger(self) -> closing[sqlite3.Connection]:
        assert self._ledger is not None
        return closing(sqlite3.connect(self._ledger, timeout=_WAIT_S))


class MarkGuard:
    """Says whether a budget's file is the one that was begun here."""

    def __init__(self, path: Path, ledger: Path | None = None) -> None:
        self._path = path
        self._marks = Marks(path.with_name(f"{path.name}.mark"), ledger, str(path.resolve()))
        self._place: tuple[int, int] | None = None

    def before(self) -> None:
        """Called before the file is opened. Raises WrongFile if one was begun that is not there."""
        if not self._path.exists() and self._marks.known():
            raise self._wrong("is missing, though a budget was begun here")
        self.same()

    def opened(self, connection: sqlite3.Connection) -> None:
        """Called whenever the file was opened. Raises WrongFile if it is another one than the one that was begun."""
        row = connection.execute("SELECT mark FROM mark").fetchone() or transaction(connection, self._begun)
        if row is None or not self._marks.known() <= {row[0]}:
            raise self._wrong("is empty, or another one than the budget that was begun here")
        self._marks.note(row[0])
        self._place = self._now_at()

    def _begun(self, connection: sqlite3.Connection) -> tuple[str] | None:
        """The mark of a file that has none: it is the first one, or an earlier version made it."""
        row: tuple[str] | None = connection.execute("SELECT mark FROM mark").fetchone()
        if row is None and not self._marks.known():
            row = (uuid.uuid4().hex,)
            connection.execute("INSERT INTO mark VALUES (?)", row)
        return row

    def damaged(self, error: sqlite3.Error) -> WrongFile:
        """The error for a file that SQLite cannot read."""
        return self._wrong(f"is damaged ({error})")

    def _wrong(self, reason: str) -> WrongFile:
        return WrongFile(f"{show_path(self._path)} {reason}")

    def same(self) -> None:
        """Raises WrongFile if the file was deleted or replaced while it was open."""
        if self._place is not None and self._now_at() != self._place:
            raise self._wrong("was deleted or replaced while it was in use")

    def forget(self) -> None:
        """Remember nothing, so that the next file is the first."""
        self._marks.forget()
        self._place = None

    def _now_at(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino
