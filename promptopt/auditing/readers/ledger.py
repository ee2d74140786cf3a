"""promptopt's own ledger: SQLite, or the JSON that ``row_dict`` makes of its rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from promptopt.auditing.log import LoggedCall
from promptopt.auditing.readers.fields import CUT_OFF, BadRow
from promptopt.errors import InputError
from promptopt.files import show_path
from promptopt.gateway.stores.ledger_row import LedgerRow, row_of_dict

NAME = "promptopt"


_NOTHING_USED: Mapping[str, Any] = dict.fromkeys(
    (
        *("input_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens", "output_tokens"),
        *("output_reasoning_tokens", "incurred_usd"),
    )
)


def recognises(record: Mapping[str, Any]) -> bool:
    return "list_usd" in record and "incurred_usd" in record and "basis" in record


def calls(record: Mapping[str, Any]) -> Iterator[LoggedCall]:
    try:
        row = row_of_dict(record)
    except (KeyError, TypeError, ValueError) as error:
        raise BadRow(f"is not a row of a ledger: {error}") from None
    yield from row_calls(row)


def row_calls(row: LedgerRow) -> Iterator[LoggedCall]:
    """The call of a row; none for one that was refused, or whose end nobody saw."""
    if row.status in ("refused", "sent"):
        return
    kept = not row.upstream
    unmeasured = row.basis == "assumed" and not kept
    if unmeasured:
        # What a budget has to reckon with is no bill: the worst case of a call without a cap is its context window.
        row = row._replace(**_NOTHING_USED)
    yield LoggedCall(
        row.model_answered or row.model,
        at=row.at,
        input_tokens=row.input_tokens or 0,
        cache_read_tokens=row.cache_read_tokens or 0,
        cache_write_tokens=(row.cache_write_tokens or 0) - (row.cache_write_1h_tokens or 0),
        cache_write_1h_tokens=row.cache_write_1h_tokens or 0,
        output_tokens=row.output_tokens or 0,
        reasoning_tokens=row.output_reasoning_tokens or 0,
        relation="inside",
        cost_usd=row.incurred_usd,
        prompt=(f"{row.prompt}@{row.version}" if row.version else row.prompt) or row.kind or None,
        tag=row.tag,
        user=row.user,
        team=row.team,
        session=row.run,
        tier="batch" if row.endpoint == "batch" else row.service_tier,
        digest=(int(row.digest[:16], 16) >> 1 or 1) if _is_hex(row.digest) else 0,
        cap=row.max_output_tokens,
        latency_s=None if row.latency_ms is None else row.latency_ms / 1000,
        failed=row.status != "ok",
        cut_off=row.finish_reason in CUT_OFF,
        own_hit=kept,
        unmeasured=unmeasured,
        waits=False if row.endpoint == "batch" else None,
    )


def _is_hex(digest: str) -> bool:
    return len(digest) >= 16 and all(letter in "0123456789abcdef" for letter in digest[:16])


def is_ledger(path: Path, *, whole: bool = False) -> bool:
    """Whether a file of SQLite has a table of calls; with ``whole``, all of it is looked at.

    Raises:
        InputError: It is damaged.
    """
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            if whole and (found := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                raise sqlite3.DatabaseError(found.splitlines()[-1])
            return connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'calls'").fetchone() is not None
    except sqlite3.DatabaseError as error:
        raise InputError(f"is SQLite, and damaged ({error})", path=show_path(path)) from None


def file_calls(path: Path) -> Iterator[tuple[int, Iterator[LoggedCall | BadRow]]]:
    """The calls of a ledger's file, with the numbers of their rows.

    Raises:
        InputError: It is another SQLite file.
    """
    from promptopt.gateway.stores.ledger import open_ledger

    # A ledger that is opened is made, and set aside if it is damaged: what is only read is not.
    if not is_ledger(path, whole=True):
        raise InputError("is SQLite, and not a ledger of promptopt's: it has no table of calls", path=show_path(path))
    store = open_ledger(path)
    try:
        for place, row in enumerate(store.rows(), 1):
            yield place, row_calls(row)
    finally:
        store.close()
