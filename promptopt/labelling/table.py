"""``labels.csv``: ``case,repetition,variant,answer_sha256,label,labeller,at,note``, a row for each recorded answer."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from promptopt.errors import InputError
from promptopt.files import decode, locked_file, replace_file, show_path
from promptopt.judges.labels import FEWEST_DIGITS
from promptopt.labelling.answers import ShownAnswer
from promptopt.suites.table import read_rows


@dataclass(frozen=True, slots=True)
class LabelledRow:
    """One label of one recorded answer.

    Attributes:
        label: ``pass``, ``fail``, or a number from 0 to 1.
        at: When, in UTC, ISO 8601 to the second.
    """

    case: str
    repetition: str
    variant: str
    answer_sha256: str
    label: str
    labeller: str = ""
    at: str = ""
    note: str = ""


_COLUMNS = tuple(field.name for field in fields(LabelledRow))


class LabelTable:
    """A file of labels. What others wrote into it stays, in its columns and its order."""

    def __init__(self, path: Path) -> None:
        """Read the file; one that is not there is empty.

        Raises:
            InputError: It cannot be read, or is not a file of labels.
        """
        self.path = path
        self._read()

    def _read(self) -> None:
        self._header, self._rows = list(_COLUMNS), list[dict[str, str]]()
        shown = show_path(self.path)
        try:
            text = decode(self.path.read_bytes(), shown, InputError)
        except FileNotFoundError:
            return
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}", path=shown) from None
        self._rows = [row for _, row in read_rows(text, shown, InputError)]
        header = [name.strip() for name in next(csv.reader(io.StringIO(text.removeprefix("\ufeff"))), [])]
        missing = [name for name in ("case", "answer_sha256", "label") if name not in header]
        if header and missing:
            raise InputError(
                f"has no column {missing[0]!r}", path=shown, line=1, remedy=f"columns: {', '.join(_COLUMNS)}"
            )
        self._header = [*header, *(name for name in _COLUMNS if name not in header)]

    def labelled_by(self, labeller: str) -> dict[tuple[str, str], str]:
        """What somebody has said of which answers to which cases, by the first digits of an answer's digest."""
        return {
            _key(row): row["label"]
            for row in self._rows
            if row.get("label", "").strip() and row.get("labeller", "") == labeller
        }

    def add(self, answer: ShownAnswer, label: str, labeller: str, *, note: str = "", at: str | None = None) -> None:
        """Write what somebody says of an answer, in the place of what they said before.

        Raises:
            InputError: The disk does not take it; the file is as it was.
        """
        self.add_all([(answer, label, note, at)], labeller)

    def add_all(self, labels: Iterable[tuple[ShownAnswer, str, str, str | None]], labeller: str) -> None:
        """Write answers with their label, note and time (by default now) at once."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        with self._changed():
            for answer, label, note, at in labels:
                self._rows = _without(self._rows, answer, labeller)
                for repetition, variant in answer.places:
                    row = LabelledRow(
                        *(answer.case, str(repetition), variant, answer.answer_sha256, label, labeller, at or now, note)
                    )
                    self._rows.append({name: getattr(row, name) for name in _COLUMNS})

    def remove(self, answer: ShownAnswer, labeller: str) -> None:
        """Take back what somebody said of an answer. Raises InputError as :meth:`add`."""
        with self._changed():
            self._rows = _without(self._rows, answer, labeller)

    @contextmanager
    def _changed(self) -> Iterator[None]:
        """The rows as the file has them now, then written; who else labels waits for that long."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Of the folder, since the file itself is replaced; Windows opens no folder, and has no such lock.
            folder = locked_file(self.path.parent, os.O_RDONLY) if os.name == "posix" else nullcontext()
            with folder:
                self._read()
                yield
                self._write(self._rows)
        except OSError as error:
            raise InputError(f"cannot be written: {error.strerror}", path=show_path(self.path)) from None

    def _write(self, rows: list[dict[str, str]]) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, self._header, restval="", extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        replace_file(self.path, text.getvalue())


def _key(row: Mapping[str, str]) -> tuple[str, str]:
    return row.get("case", ""), row.get("answer_sha256", "").strip().lower()[:FEWEST_DIGITS]


def _without(rows: list[dict[str, str]], answer: ShownAnswer, labeller: str) -> list[dict[str, str]]:
    return [row for row in rows if _key(row) != answer.key or row.get("labeller", "") != labeller]
