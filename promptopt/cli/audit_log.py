"""The log that ``promptopt audit`` works on: its options, its reading and its settling."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from promptopt.errors import InputError, UsageError

if TYPE_CHECKING:
    from promptopt.auditing.audit import AuditInput
    from promptopt.auditing.log import CachedRelation, CallLog

_MOST_REJECTED = 0.01


def log_options(function: Any) -> Any:
    """The arguments of a command that reads a log; as :func:`read_input` takes them."""
    for option in reversed(
        (
            click.argument("logs", nargs=-1, required=True, type=click.Path(path_type=Path)),
            click.option(
                "--format", "format_name", metavar="NAME", help="The log's format [default: as its records look]."
            ),
            click.option(
                "--map",
                "columns",
                multiple=True,
                metavar="NAME=COLUMN",
                help="What a column of plain rows is; NAME==VALUE for all rows.",
            ),
            click.option("--model", metavar="NAME", help="The model of rows that name none."),
            click.option(
                "--accounting",
                multiple=True,
                metavar="GROUP=inside|beside",
                help="Whether cached tokens are counted inside input tokens; GROUP is provider/model, or all.",
            ),
            click.option(
                "--rejects", type=click.Path(path_type=Path), help="Write where the rejected rows are, and why."
            ),
            click.option("--allow-rejected", is_flag=True, help="Go on if more than 1% of the rows cannot be read."),
        )
    ):
        function = option(function)
    return function


def read_input(
    logs: Sequence[Path],
    format_name: str | None,
    columns: tuple[str, ...],
    model: str | None,
    accounting: Sequence[str],
    rejects: Path | None,
    allow_rejected: bool,
    *,
    questions: bool = False,
) -> AuditInput:
    """The log, settled; with ``questions``, the last user message of each call is kept as text."""
    from promptopt.auditing.accounting import settle
    from promptopt.auditing.audit import AuditInput
    from promptopt.auditing.readers.files import read_log
    from promptopt.auditing.skeleton import is_skeleton, read_skeleton
    from promptopt.config import load_config
    from promptopt.files import replace_file

    config = load_config()
    for path in logs:
        if not path.exists():
            raise InputError("there is no such file", path=path)
    skeletons = [path for path in logs if path.is_file() and is_skeleton(path)]
    if skeletons:
        if len(logs) > 1:
            raise InputError("is a skeleton, whose digests no other log shares: audit it alone", path=skeletons[0])
        return read_skeleton(logs[0])
    progress = _Progress()
    read = read_log(logs, format_name=format_name, columns=columns, model=model, questions=questions, progress=progress)
    progress.end()
    if rejects is not None and read.samples:
        replace_file(
            rejects, "".join(json.dumps({"place": each.place, "reason": each.reason}) + "\n" for each in read.samples)
        )
    if read.rejected:
        click.echo(
            f"{read.rejected:,} rows were not read; the first: {read.samples[0].place}: {read.samples[0].reason}",
            err=True,
        )
    if not len(read.log):
        raise InputError(
            f"holds no calls{f'; {read.rejected:,} rows cannot be read' if read.rejected else ''}", path=logs[0]
        )
    if read.rejected > _MOST_REJECTED * (read.rejected + len(read.log)) and not allow_rejected:
        _ask_to_go_on(read.rejected, len(read.log))
    log, found = settle(read.log, config, _told(accounting))
    return AuditInput(log, found, read.formats, read.rejected, read.duplicates)


def _ask_to_go_on(rejected: int, calls: int) -> None:
    share = f"{rejected / (rejected + calls):.1%} of the rows cannot be read"
    if sys.stdin.isatty() and sys.stderr.isatty():
        click.confirm(f"{share}. Go on?", abort=True, err=True)
    else:
        raise InputError(f"{share}: look at them (--rejects FILE), or go on with --allow-rejected")


class _Progress:
    """Calls read so far, on a terminal."""

    def __init__(self) -> None:
        self._began, self._shown = time.monotonic(), False

    def __call__(self, calls: int) -> None:
        if calls and sys.stderr.isatty():
            rate = calls / max(1e-3, time.monotonic() - self._began)
            click.echo(f"\rread {calls:,} calls, {rate:,.0f} a second", nl=False, err=True)
            self._shown = True

    def end(self) -> None:
        if self._shown:
            click.echo(err=True)


def _told(entries: Sequence[str]) -> dict[str, CachedRelation]:
    told: dict[str, CachedRelation] = {}
    for entry in entries:
        group, _, relation = entry.rpartition("=")
        if relation not in ("inside", "beside"):
            raise UsageError(f"--accounting {entry!r} is not written GROUP=inside or GROUP=beside")
        told[group or "all"] = cast("CachedRelation", relation)
    return told


def period(log: CallLog, text: str) -> CallLog:
    """The calls of a month, a day, or the days from one to another; or of a prompt, or a version of it."""
    import numpy as np

    names = log.names["prompt"]
    if text in names or any(name.startswith(f"{text}@") for name in names):
        codes = [code for code, name in enumerate(names) if name == text or name.startswith(f"{text}@")]
        return log.take(np.isin(log.codes["prompt"], codes))
    first, _, last = text.partition("..")
    start, end = _bounds(first)[0], _bounds(last or first)[1]
    rows = (log.at >= start) & (log.at < end)
    if not rows.any():
        known = log.at[~np.isnan(log.at)]
        span = f"{_day(known.min())} to {_day(known.max())}" if len(known) else "no known time"
        raise InputError(f"no call in {text}; the log has {span}")
    return log.take(rows)


def undated(log: CallLog) -> int:
    """How many calls have no time."""
    import numpy as np

    return int(np.isnan(log.at).sum())


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()


def _bounds(text: str) -> tuple[float, float]:
    from datetime import timedelta

    try:
        if len(text) == 7:
            start = datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)
            return start.timestamp(), (start + timedelta(days=32)).replace(day=1).timestamp()
        start = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise UsageError(
            f"{text!r} is not a month (2026-09), a day (2026-09-01), days (2026-09-01..2026-09-07), or a prompt "
            "of the log (triage@v1)"
        ) from None
    return start.timestamp(), (start + timedelta(days=1)).timestamp()
