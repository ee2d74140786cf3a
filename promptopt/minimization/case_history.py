"""What the cases of a prompt were used for: which ones searches have seen, and what they have judged.

A version that may be confirmed again and again on the same cases is confirmed by chance at last. So it is kept, beside
the answers of the searches, which versions which cases have judged. Runs share the 5%: what is new to cases that have
judged in other runs before is accepted at 5% divided by the number of these runs, its own included (Bonferroni). Within
a run, a fixed sequence costs nothing (see :func:`promptopt.minimization.confirmation.confirm`). The same version on the
same cases is the same judgement, however often it is read.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from promptopt.errors import RecordingError
from promptopt.files import append_lines, decode, lines_of, show_path
from promptopt.suites import Case
from promptopt.values import sha256_hex

_DIGITS = 16
_VERDICT = frozenset({"version", "run", "shared_by", "accepted", "cases"})


def case_key(case: Case) -> str:
    """What a case is recognised by, whatever it is called and wherever it is: what the prompt is given."""
    return sha256_hex(json.dumps(case.given, sort_keys=True, default=repr, ensure_ascii=False))[:_DIGITS]


@dataclass(frozen=True, slots=True)
class PastVerdict:
    """A verdict that was given.

    Attributes:
        version: Digest of what was compared with what.
        run: Which runs' 5% it is of, from 1; ``shared_by`` of them share the 5%.
        cases: Keys of the cases that judged it.
    """

    version: str
    run: int
    shared_by: int
    cases: frozenset[str]
    accepted: bool


@dataclass(frozen=True, slots=True)
class LevelShare:
    """What a version is judged at.

    Attributes:
        run: See :class:`PastVerdict`; ``shared_by`` likewise.
        before: How many other versions these cases have judged before, in other runs.
    """

    run: int = 1
    shared_by: int = 1
    before: int = 0


ALONE = LevelShare()
"""Of the first version that some cases judge."""


class CaseHistory:
    """The file of it; without a path it is kept in memory, for a provider that is a part of the program.

    Attributes:
        searched: Keys of the cases that searches have seen.
    """

    def __init__(self, path: Path | None) -> None:
        """Raises RecordingError if the file cannot be read, or a line is broken."""
        self._path = path
        self.searched: frozenset[str] = frozenset()
        self._judged: list[PastVerdict] = []
        for row in () if path is None else _rows(path):
            self._take(row)

    def note_search(self, cases: Iterable[Case]) -> None:
        """Keep which cases a search has seen."""
        keys = {case_key(case) for case in cases}
        if not keys <= self.searched:
            self._append({"searched": sorted(keys)})

    def standing(self, version: str, cases: Collection[str], run: int | None = None) -> LevelShare:
        """What a version is judged at by some cases.

        Args:
            cases: Their keys.
            run: The one that the versions judged just before it are of.
        """
        key = frozenset(cases)
        known = next((each for each in self._judged if (each.version, each.cases) == (version, key)), None)
        if known is not None:
            before = self._others(key, known.run, self._judged[: self._judged.index(known)])
            return LevelShare(known.run, known.shared_by, len({each.version for each in before} - {version}))
        if run is not None and all(each.accepted for each in self._judged if each.run == run):
            shared_by = next(each.shared_by for each in self._judged if each.run == run)
        else:
            run = max((each.run for each in self._judged), default=0) + 1
            shared_by = len({each.run for each in self._judged if each.cases & key}) + 1
        before = self._others(key, run, self._judged)
        return LevelShare(run, shared_by, len({each.version for each in before}))

    def _others(self, cases: frozenset[str], run: int, judged: Iterable[PastVerdict]) -> list[PastVerdict]:
        return [each for each in judged if each.cases & cases and each.run != run]

    def used(self, cases: Collection[str]) -> tuple[int, int]:
        """How many versions some of these cases have judged, and in how many runs."""
        found = self._others(frozenset(cases), 0, self._judged)
        return len({each.version for each in found}), len({each.run for each in found})

    def note_verdict(
        self, version: str, label: str, standing: LevelShare, cases: Collection[str], accepted: bool
    ) -> None:
        """Keep a verdict, unless it is known.

        Raises:
            RecordingError: The disk does not take it.
        """
        key = frozenset(cases)
        if any((each.version, each.cases) == (version, key) for each in self._judged):
            return
        row = {"version": version, "label": label, "run": standing.run, "shared_by": standing.shared_by}
        self._append({**row, "accepted": accepted, "cases": sorted(key)})

    def _take(self, row: dict[str, Any]) -> None:
        if "searched" in row:
            self.searched |= frozenset(row["searched"])
        else:
            given = row["version"], row["run"], row["shared_by"], frozenset(row["cases"]), row["accepted"]
            self._judged.append(PastVerdict(*given))

    def _append(self, row: dict[str, Any]) -> None:
        if self._path is not None:
            line = {"v": 1, "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), **row}
            try:
                append_lines(self._path, f"{json.dumps(line)}\n".encode())
            except OSError as error:
                shown = show_path(self._path)
                raise RecordingError(f"cannot be written: {error.strerror or error}", path=shown) from None
        self._take(row)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a history; one that a crash cut off is left out."""
    shown = show_path(path)
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise RecordingError(f"cannot be read: {error.strerror}", path=shown) from None
    # What follows the last line end was cut off by a crash.
    whole = data[: data.rfind(b"\n") + 1]
    for number, line in enumerate(lines_of(decode(whole, shown, RecordingError)), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            if "searched" not in row and not set(row) >= _VERDICT:
                raise ValueError("keys are missing")
        except (ValueError, TypeError, RecursionError):
            raise RecordingError(
                f"not a line of what cases were used for: {line.strip()[:60]!r}",
                path=shown, line=number, remedy="remove the line",
            ) from None  # fmt: skip
        yield row
