"""Recordings of a run that is too large for memory: a temporary database on disk knows where each line begins."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO

from promptopt.errors import RecordingError
from promptopt.files import locked_file, replace_file, show_path
from promptopt.providers.recordings import Recording, RecordingFile, RecordingFiles, RecordingKey, read_line
from promptopt.values import Request

# Texts as bytes: SQLite orders them as Python orders the texts, and half of a surrogate pair, which JSON may hold, too.
_TABLE = """
    CREATE TABLE line (
        name BLOB, repetition INTEGER, model BLOB, step INTEGER, start INTEGER,
        PRIMARY KEY (name, repetition, model, step)
    ) WITHOUT ROWID
"""


class LongRecordingFile(RecordingFile):
    """As a ``RecordingFile``, for one thread, and ``lines`` stays empty: a line is read when it is looked up."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        # A file of SQLite's own that nobody else sees and that ends with the connection.
        self._index = sqlite3.connect("", isolation_level=None)
        self._index.execute(_TABLE)
        self._open: IO[bytes] | None = None

    def find(self, request: Request) -> Recording | None:
        """The recording of this request or of an older form of it."""
        if request.origin is None or request.origin.case is None:
            return None
        key = _row(request.origin.case, request.sample, request.model, request.origin.step)
        where = "name = ? AND repetition = ? AND model = ? AND step = ?"
        found = self._index.execute(f"SELECT start FROM line WHERE {where}", key).fetchone()  # noqa: S608 - fixed text
        if found is None or self._open is None:
            return None
        self._open.seek(found[0])
        return Recording.from_json(json.loads(self._open.readline()), 0)

    def models(self) -> list[str]:
        """The models that recorded answers were asked of."""
        return sorted(_text(model) for (model,) in self._index.execute("SELECT DISTINCT model FROM line"))

    def append(self, *recordings: Recording) -> None:
        """Put lines on disk, as ``RecordingFile.append`` does."""
        super().append(*recordings)
        self.lines = {}
        if self._open is None or not os.path.samestat(os.fstat(self._open.fileno()), self.path.stat()):
            # It is new, or another process has replaced it.
            self._load()
        else:
            self._read_on(self._open.seek(self._end), self._count)

    def close(self) -> None:
        """Give back the file and the database."""
        if self._open is not None:
            self._open.close()
        self._index.close()

    def _load(self, written: dict[RecordingKey, str] | None = None) -> None:  # noqa: ARG002 - nothing is kept
        self.cut_off, self._untidy = None, False
        self._index.execute("DELETE FROM line")
        if self._open is not None:
            self._open.close()
            self._open = None
        try:
            self._open = self.path.open("rb")
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise RecordingError(f"cannot be read: {error.strerror}", path=show_path(self.path)) from None
        self._last: tuple[bytes, int, bytes, int] | None = None
        self._index.execute("BEGIN")
        self._read_on(0, 0)
        self._index.execute("COMMIT")

    def _read_on(self, start: int, count: int) -> None:
        """Take the lines from a position on into the index."""
        assert self._open is not None
        self._open.seek(start)
        for data in self._open:
            count += 1
            if not data.endswith(b"\n"):
                # A crash cut it off.
                self.cut_off, self._untidy = count, True
                break
            text = self._decoded(data, count)
            if text.strip():
                self._note(read_line(text, count, show_path(self.path)), start)
            start += len(data)
        self._end, self._count = start, count

    def _decoded(self, data: bytes, number: int) -> str:
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            bad = f"byte 0x{data[error.start]:02x} ({error.reason})"
            raise RecordingError(
                f"is not UTF-8: {bad}", path=show_path(self.path), line=number, remedy="save the file as UTF-8"
            ) from None

    def _note(self, recording: Recording, start: int) -> None:
        row = _row(recording.case, recording.repetition, recording.model_requested, recording.step)
        if self._last is not None and row <= self._last:
            self._untidy = True
        self._last = row
        self._index.execute("INSERT OR REPLACE INTO line VALUES (?, ?, ?, ?, ?)", (*row, start))

    def _rewrite(self, without: Collection[RecordingKey] = ()) -> None:
        if without:
            raise NotImplementedError("lines are taken out of a RecordingFile")
        try:
            with locked_file(self.path, os.O_RDONLY):
                # Another process may have added lines.
                self._load()
                replace_file(self.path, self._sorted(), RecordingError)
        except FileNotFoundError:
            # Somebody took it away.
            pass
        except OSError as error:
            raise RecordingError(f"cannot be written: {error.strerror}", path=show_path(self.path)) from None
        self._load()

    def _sorted(self) -> Iterator[bytes]:
        order = "ORDER BY name, repetition, model, step"
        for (start,) in self._index.execute(f"SELECT start FROM line {order}"):  # noqa: S608 - fixed text
            assert self._open is not None
            self._open.seek(start)
            yield self._open.readline().removeprefix(b"\xef\xbb\xbf")


def _row(case: str, repetition: int, model: str, step: int) -> tuple[bytes, int, bytes, int]:
    return case.encode("utf-8", "surrogatepass"), repetition, model.encode("utf-8", "surrogatepass"), step


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


class LongRecordingFiles(RecordingFiles):
    """The recording files of one run that is too large for memory."""

    def read(self, path: Path) -> RecordingFile:
        """As :meth:`LongRecordingFile.read`, once for each file."""
        place = path.resolve()
        if place not in self._files:
            self._files[place] = LongRecordingFile.read(path)
        return self._files[place]

    def close(self) -> None:
        """Give back all files and databases."""
        for file in self._files.values():
            if isinstance(file, LongRecordingFile):
                file.close()
