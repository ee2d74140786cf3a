"""``promptopt audit``."""

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
    from promptopt.auditing.audit import AuditInput, LogAudit
    from promptopt.auditing.evidence import TokenKind
    from promptopt.auditing.log import CachedRelation, CallLog
    from promptopt.auditing.reconcile import Covered
    from promptopt.auditing.strategies import AuditSettings, StrategyName

_MOST_REJECTED = 0.01
_READ = ("logs", "format_name", "columns", "model", "accounting", "rejects", "allow_rejected")


class _AuditGroup(click.Group):
    """``audit LOG`` without a command's name is ``audit run LOG``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, "--help", "-h"):
            args = ["run", *args]
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options of ``audit LOG``, and the other commands."""
        _run.format_options(ctx, formatter)
        self.format_commands(ctx, formatter)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in super().list_commands(ctx) if name != "run"]


@click.group("audit", cls=_AuditGroup)
def command() -> None:
    """Say where the money of a request log went, and what each strategy would have saved of it.

    \b
    promptopt audit calls.jsonl
    promptopt audit calls.csv --map input=prompt_toks --map output=answer_toks --model gpt-4o
    promptopt audit explain calls.jsonl --from 2026-09 --to 2026-10
    """


def _log_options(function: Any) -> Any:
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


@command.command("run")
@_log_options
@click.option("--only", multiple=True, metavar="STRATEGY", help="Only these strategies.")
@click.option("--order", metavar="A,B,...", help="The order of the waterfall.")
@click.option("--all-orders", is_flag=True, help="Each strategy's Shapley value over all orders, and its range.")
@click.option("--ttl", default="1h", show_default=True, help="How long an exact cache keeps an answer.")
@click.option("--cache-lifetime", default="5m", show_default=True, help="How long a provider keeps a prefix.")
@click.option("--renew/--no-renew", default=True, show_default=True, help="Whether use renews a prefix.")
@click.option("--cache-minimum", default=1024, show_default=True, help="Tokens below which a provider keeps nothing.")
@click.option("--cap", type=click.IntRange(1), help="An output cap in tokens.")
@click.option("--no-wait", multiple=True, metavar="TAG", help="A tag or prompt whose calls nobody waits for.")
@click.option(
    "--input-ratio",
    metavar="RATIO|FILE",
    help="Input tokens after compression, by before: a number, or `promptopt compare --json`.",
)
@click.option(
    "--output-ratio",
    metavar="RATIO|FILE",
    help="Output tokens with structured output, by without: a number, or `promptopt compare --json`.",
)
@click.option(
    "--effort-ratio",
    metavar="RATIO|FILE",
    help="Reasoning tokens at a lower effort, by before: a number, or `promptopt compare --json`.",
)
@click.option("--to-model", metavar="NAME", help="A smaller model; with --evidence.")
@click.option(
    "--evidence",
    type=click.Path(path_type=Path),
    help="The JSON of `promptopt compare` that shows that it does the job.",
)
@click.option("--partition", metavar="I/N", help="Audit one of N parts; prints it for `promptopt audit merge`.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--markdown", is_flag=True, help="Print Markdown.")
@click.option(
    "--write-gateway",
    type=click.Path(path_type=Path),
    help="Write the gateway's settings that carry it out to this file.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Also write FILE.html, a page that opens offline."
)
@click.option(
    "--seed-suite", type=click.IntRange(1), metavar="N", help="Print a suite of N requests of the log instead, in YAML."
)
def _run(
    seed_suite: int | None,
    only: tuple[str, ...],
    order: str | None,
    all_orders: bool,
    partition: str | None,
    as_json: bool,
    markdown: bool,
    write_gateway: Path | None,
    output: Path | None,
    **options: Any,
) -> None:
    """Audit a log: where its money went, and what each strategy would have saved."""
    from promptopt.auditing.audit import audit, partial_text
    from promptopt.config import load_config

    if seed_suite is not None:
        from promptopt.auditing.seed_suite import seed_suite as drawn

        source = {"format_name": options["format_name"], "columns": options["columns"]}
        click.echo(drawn(options["logs"], seed_suite, **source), nl=False)
        return
    settings = _settings(options)
    names = _order(only, order)
    part = _part(partition)
    _check_output(output, part)
    given = _read(**{name: options[name] for name in _READ})
    found = audit(given, settings, load_config(), order=names, every_order=all_orders, part=part or (1, 1))
    if part is not None:
        click.echo(partial_text(found, part))
        return
    _show(found, as_json, markdown, write_gateway, output)


@command.command("merge")
@click.argument("parts", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--markdown", is_flag=True, help="Print Markdown.")
@click.option(
    "--write-gateway",
    type=click.Path(path_type=Path),
    help="Write the gateway's settings that carry it out to this file.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Also write FILE.html, a page that opens offline."
)
def _merge(
    parts: tuple[Path, ...], as_json: bool, markdown: bool, write_gateway: Path | None, output: Path | None
) -> None:
    """Merge the parts of an audit that ``--partition`` made."""
    from promptopt.auditing.audit import merged, read_partial

    _check_output(output)

    read = [read_partial(path) for path in parts]
    counts = {part[1] for _, part in read}
    numbers = sorted(part[0] for _, part in read)
    if len(counts) != 1 or numbers != list(range(1, counts.copy().pop() + 1)):
        raise InputError(
            f"these are parts {', '.join(f'{i}/{n}' for _, (i, n) in read)}: give each part of one audit once"
        )
    _show(
        merged([each for each, _ in sorted(read, key=lambda item: item[1])]), as_json, markdown, write_gateway, output
    )


@command.command("skeleton")
@_log_options
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The Parquet file to write.")
def _skeleton(output: Path, **source: Any) -> None:
    """Write a log that may be shown: salted digests, counts, times and models; no text and no user."""
    from promptopt.auditing.skeleton import write_skeleton
    from promptopt.files import show_path

    if any(output.resolve() == log.resolve() for log in source["logs"]):
        raise UsageError(f"{output}: is the log itself; name another file for -o")
    if not output.absolute().parent.is_dir():
        raise UsageError(f"{output}: there is no such folder")
    given = _read(**source)
    write_skeleton(given, output)
    click.echo(f"{show_path(output)}: {len(given.log):,} calls, no text, no user", err=True)


@command.command("explain")
@_log_options
@click.option(
    "--from",
    "before",
    required=True,
    metavar="PERIOD",
    help="The first period: 2026-09, 2026-09-01, or 2026-09-01..2026-09-07.",
)
@click.option("--to", "after", required=True, metavar="PERIOD", help="The second.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def _explain(before: str, after: str, as_json: bool, **source: Any) -> None:
    """Split the difference of two periods' bills into traffic, mix, model, prompt, cache, output length and price."""
    from dataclasses import asdict

    from promptopt.auditing.explain import explain
    from promptopt.config import load_config
    from promptopt.money import usd
    from promptopt.tables import table

    given = _read(**source)
    undated = _undated(given.log)
    if undated:
        click.echo(f"{undated:,} of {len(given.log):,} calls have no time, and are in no period", err=True)
    first, second = (_period(given.log, each) for each in (before, after))
    found = explain(first, second, load_config())
    if as_json:
        click.echo(json.dumps({"version": 1, "from": before, "to": after, **asdict(found)}, indent=2))
        return
    change = found.after_usd - found.before_usd
    rows = [[cause, _signed(part), f"{part / change:+.1%}" if change else ""] for cause, part in found.parts.items()]
    rows.append(["difference", _signed(change), ""])
    click.echo(
        f"{before}: {usd(found.before_usd)} for {found.before_calls:,} calls; "
        f"{after}: {usd(found.after_usd)} for {found.after_calls:,}"
    )
    if found.unpriced:
        click.echo(f"{found.unpriced:,} calls are unpriced, and in no sum")
    click.echo(table(rows, ["cause", "dollars", "of the difference"]))


@command.command("reconcile")
@_log_options
@click.option("--invoice", required=True, type=click.Path(path_type=Path), help="A provider's usage or costs by day.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def _reconcile(invoice: Path, as_json: bool, **source: Any) -> None:
    """Say what share of an invoice the log covers, by model and day."""
    from dataclasses import asdict

    from promptopt.auditing.reconcile import read_invoice, reconcile
    from promptopt.config import load_config
    from promptopt.money import usd
    from promptopt.tables import table

    invoiced = read_invoice(invoice)
    given = _read(**source)
    rows = reconcile(given.log, invoiced, load_config())
    if as_json:
        click.echo(json.dumps({"version": 1, "rows": [asdict(row) for row in rows]}, indent=2))
        return

    def dollars(value: float | None) -> str:
        return "-" if value is None else usd(value)

    shown = [
        [
            row.day,
            row.model,
            dollars(row.log_usd),
            dollars(row.invoice_usd),
            f"{row.log_tokens:,}",
            "-" if row.invoice_tokens is None else f"{row.invoice_tokens:,}",
            _share_text(row),
        ]
        for row in rows
    ]
    click.echo(table(shown, ["day", "model", "log $", "invoice $", "log tokens", "invoice tokens", "covered"]))


def _signed(value: float) -> str:
    from promptopt.money import usd

    return f"-{usd(-value)}" if value < 0 else f"+{usd(value)}"


def _read(
    logs: Sequence[Path],
    format_name: str | None,
    columns: tuple[str, ...],
    model: str | None,
    accounting: Sequence[str],
    rejects: Path | None,
    allow_rejected: bool,
) -> AuditInput:
    """The log, settled."""
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
    read = read_log(logs, format_name=format_name, columns=columns, model=model, progress=progress)
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


def _settings(options: dict[str, Any]) -> AuditSettings:
    from promptopt.auditing.evidence import measured_ratio, model_evidence
    from promptopt.auditing.strategies import AuditSettings
    from promptopt.gateway.settings import seconds

    def ratio(name: str, kind: TokenKind) -> float | None:
        given = options[f"{name}_ratio"]
        return None if given is None else measured_ratio(given, kind, f"--{name}-ratio")

    model, evidence = options["to_model"], options["evidence"]
    if evidence is not None and model is None:
        raise UsageError("--evidence is of a smaller model: name it with --to-model")
    return AuditSettings(
        ttl_s=seconds(options["ttl"], "--ttl"),
        lifetime_s=seconds(options["cache_lifetime"], "--cache-lifetime"),
        renew=options["renew"],
        minimum=options["cache_minimum"],
        cap=options["cap"],
        no_wait=options["no_wait"],
        to_model=options["to_model"],
        input_ratio=ratio("input", "input"),
        output_ratio=ratio("output", "output"),
        effort_ratio=ratio("effort", "reasoning"),
        model_evidence=None if evidence is None else model_evidence(evidence, model),
    )


def _order(only: Sequence[str], order: str | None) -> tuple[StrategyName, ...]:
    from promptopt.auditing.strategies import STRATEGIES
    from promptopt.errors import did_you_mean

    asked = [name.strip() for entry in only for name in entry.split(",")]
    ordered = [name.strip() for name in order.split(",")] if order else []
    for name in (*asked, *ordered):
        if name not in STRATEGIES:
            raise UsageError(
                f"{name!r} is not a strategy.{did_you_mean(name, STRATEGIES)} Known: {', '.join(STRATEGIES)}"
            )
    rest = [name for name in STRATEGIES if name not in ordered]
    names = [name for name in dict.fromkeys((*ordered, *rest)) if not asked or name in asked]
    return tuple(cast("list[StrategyName]", names))


def _part(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    first, slash, last = text.partition("/")
    if not slash or not first.isdigit() or not last.isdigit() or not 1 <= int(first) <= int(last):
        raise UsageError(f"--partition {text!r} is not written I/N, such as 1/8")
    return int(first), int(last)


def _period(log: CallLog, text: str) -> CallLog:
    """The calls of a month, a day, or the days from one to another."""
    import numpy as np

    first, _, last = text.partition("..")
    start, end = _bounds(first)[0], _bounds(last or first)[1]
    rows = (log.at >= start) & (log.at < end)
    if not rows.any():
        known = log.at[~np.isnan(log.at)]
        span = f"{_day(known.min())} to {_day(known.max())}" if len(known) else "no known time"
        raise InputError(f"no call in {text}; the log has {span}")
    return log.take(rows)


def _share_text(row: Covered) -> str:
    if row.share is not None:
        return f"{row.share:.1%}"
    if row.invoice_usd is None and row.invoice_tokens is None:
        return "not in the invoice"
    return "unpriced" if row.log_usd is None else "nothing invoiced"


def _undated(log: CallLog) -> int:
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
            f"{text!r} is not a month (2026-09), a day (2026-09-01), or days (2026-09-01..2026-09-07)"
        ) from None
    return start.timestamp(), (start + timedelta(days=1)).timestamp()


def _check_output(output: Path | None, part: tuple[int, int] | None = None) -> None:
    from promptopt.webpage.page import check_page_path

    if output is not None:
        if part is not None:
            raise UsageError("a part of an audit has no page: write it with `promptopt audit merge -o FILE.html`")
        check_page_path(output)


def _show(found: LogAudit, as_json: bool, markdown: bool, write_gateway: Path | None, output: Path | None) -> None:
    from promptopt.auditing.report import report_data, report_markdown, report_text
    from promptopt.tables import fold, printable

    data = report_data(found)
    if output is not None:
        from promptopt.auditing.html_report import audit_page
        from promptopt.webpage.page import write_page

        write_page(audit_page(data), output)
    if write_gateway is not None:
        _write_gateway(found, write_gateway)
    if as_json:
        click.echo(json.dumps(data, indent=2, default=str))
    else:
        click.echo(printable(report_markdown(data)) if markdown else fold(printable(report_text(data))))


def _write_gateway(found: LogAudit, path: Path) -> None:
    from promptopt.auditing.report import gateway_settings
    from promptopt.files import replace_file, show_path

    if path.exists():
        raise UsageError(f"{path}: is there already; name a new file for --write-gateway, and join it by hand")
    replace_file(path, gateway_settings(found))
    click.echo(f"{show_path(path)}: settings for [tool.promptopt.gateway]", err=True)
