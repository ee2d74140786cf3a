"""``promptopt audit``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from promptopt.cli.audit_log import log_options, period, read_input, undated
from promptopt.cli.options import one_output, page_option
from promptopt.errors import InputError, UsageError

if TYPE_CHECKING:
    from promptopt.auditing.audit import LogAudit
    from promptopt.auditing.evidence import TokenKind
    from promptopt.auditing.reconcile import Covered
    from promptopt.auditing.strategy_settings import AuditSettings, StrategyName
    from promptopt.config import Config

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


@command.command("run")
@log_options
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
@click.option("--to-effort", metavar="LEVEL", help="A lower effort that quality labels in the log may show.")
@click.option("--to-model", metavar="NAME", help="A smaller model; with --evidence.")
@click.option("--evidence", type=click.Path(path_type=Path), help="The JSON of `promptopt compare` that shows it.")
@click.option(
    "--semantic",
    metavar="FILE|COSINE",
    help="When two questions may share an answer: the file of `promptopt cache calibrate`, or a cosine.",
)
@click.option(
    "--cascade",
    type=click.Path(path_type=Path),
    help="The JSON of `promptopt compare` that has measured the cascade of the gateway's settings.",
)
@click.option("--partition", metavar="I/N", help="Audit one of N parts; prints it for `promptopt audit merge`.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--markdown", is_flag=True, help="Print Markdown.")
@click.option(
    "--write-gateway",
    type=click.Path(path_type=Path),
    help="Write the gateway's settings that carry it out to this file.",
)
@page_option
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
    output: tuple[Path, ...],
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
    config = load_config()
    settings = _settings(options, config)
    names = _order(only, order)
    part = _part(partition)
    if output and part is not None:
        raise UsageError("a part of an audit has no page: write it with `promptopt audit merge -o FILE.html`")
    questions = settings.semantic_threshold is not None and "semantic-cache" in names
    given = read_input(**{name: options[name] for name in _READ}, questions=questions)
    found = audit(given, settings, config, order=names, every_order=all_orders, part=part or (1, 1))
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
@page_option
def _merge(
    parts: tuple[Path, ...], as_json: bool, markdown: bool, write_gateway: Path | None, output: tuple[Path, ...]
) -> None:
    """Merge the parts of an audit that ``--partition`` made."""
    from promptopt.auditing.audit import merged, read_partial

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
@log_options
@one_output("The Parquet file to write.", required=True)
def _skeleton(output: Path, **source: Any) -> None:
    """Write a log that may be shown: salted digests, counts, times and models; no text and no user."""
    from promptopt.auditing.skeleton import write_skeleton
    from promptopt.files import show_path

    if any(output.resolve() == log.resolve() for log in source["logs"]):
        raise UsageError(f"{output}: is the log itself; name another file for -o")
    if not output.absolute().parent.is_dir():
        raise UsageError(f"{output}: there is no such folder")
    given = read_input(**source)
    write_skeleton(given, output)
    click.echo(f"{show_path(output)}: {len(given.log):,} calls, no text, no user", err=True)


@command.command("explain")
@log_options
@click.option(
    "--from",
    "before",
    required=True,
    metavar="PERIOD",
    help="The first period: 2026-09, 2026-09-01, or 2026-09-01..2026-09-07; or a version of a prompt: triage@v1.",
)
@click.option("--to", "after", required=True, metavar="PERIOD", help="The second.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def _explain(before: str, after: str, as_json: bool, **source: Any) -> None:
    """Split the difference of two periods' bills, or two prompts', into its causes.

    They are traffic, mix, model, tokenizer, prompt, cache, output length and price.
    """
    from dataclasses import asdict

    from promptopt.auditing.explain import explain
    from promptopt.config import load_config
    from promptopt.money import usd
    from promptopt.tables import fold, table

    given = read_input(**source)
    timeless = undated(given.log)
    if timeless:
        click.echo(f"{timeless:,} of {len(given.log):,} calls have no time, and are in no period", err=True)
    first, second = (period(given.log, each) for each in (before, after))
    found = explain(first, second, load_config())
    if as_json:
        click.echo(json.dumps({"version": 1, "from": before, "to": after, **asdict(found)}, indent=2))
        return
    change = found.after_usd - found.before_usd
    rows = [[cause, _signed(part), f"{part / change:+.1%}" if change else ""] for cause, part in found.parts.items()]
    rows.append(["difference", _signed(change), ""])
    lines = [
        (
            f"{before}: {usd(found.before_usd)} for {found.before_calls:,} calls; "
            f"{after}: {usd(found.after_usd)} for {found.after_calls:,}"
        )
    ]
    if found.unpriced:
        lines.append(f"{found.unpriced:,} calls are unpriced, and in no sum")
    if found.textless:
        lines.append(
            f"{found.textless:,} calls have no texts in the log: what another tokenizer changes is in the model's part"
        )
    click.echo(fold("\n".join(lines)))
    click.echo(table(rows, ["cause", "dollars", "of the difference"]))


@command.command("reconcile")
@log_options
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
    given = read_input(**source)
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


def _settings(options: dict[str, Any], config: Config) -> AuditSettings:
    from promptopt.auditing.evidence import measured_cascade, measured_ratio, model_evidence
    from promptopt.auditing.similar_answers import read_similarity
    from promptopt.auditing.strategy_settings import AuditSettings
    from promptopt.gateway.settings import seconds

    def ratio(name: str, kind: TokenKind) -> float | None:
        given = options[f"{name}_ratio"]
        return None if given is None else measured_ratio(given, kind, f"--{name}-ratio")

    model, evidence = options["to_model"], options["evidence"]
    if evidence is not None and model is None:
        raise UsageError("--evidence is of a smaller model: name it with --to-model")
    cascade = None if options["cascade"] is None else measured_cascade(options["cascade"])
    semantic = options["semantic"] or _own_calibration(config)
    similarity = None if semantic is None else read_similarity(semantic)
    return AuditSettings(
        ttl_s=seconds(options["ttl"], "--ttl"),
        lifetime_s=seconds(options["cache_lifetime"], "--cache-lifetime"),
        renew=options["renew"],
        minimum=options["cache_minimum"],
        cap=options["cap"],
        no_wait=options["no_wait"],
        to_model=model,
        input_ratio=ratio("input", "input"),
        output_ratio=ratio("output", "output"),
        to_effort=options["to_effort"] and options["to_effort"].lower(),
        effort_ratio=ratio("effort", "reasoning"),
        model_evidence=None if evidence is None else model_evidence(evidence, model),
        semantic_threshold=None if similarity is None else similarity.threshold,
        semantic_calibration=None if similarity is None else similarity.calibration,
        false_hits=None if similarity is None else similarity.bound,
        cascade=() if cascade is None else cascade.models,
        escalated=() if cascade is None else cascade.escalated,
        cascade_steps="" if cascade is None else cascade.toml,
        cascade_evidence=None if cascade is None else str(options["cascade"]),
    )


def _own_calibration(config: Config) -> str | None:
    """The calibration of the project's semantic cache, if it has one."""
    if not config.gateway.get("semantic"):
        return None
    from promptopt.gateway.settings import read_settings

    settings = read_settings(config)
    path = (settings.semantic and settings.semantic.calibration) or settings.path / "semantic.json"
    return str(path) if path.is_file() else None


def _order(only: Sequence[str], order: str | None) -> tuple[StrategyName, ...]:
    from promptopt.auditing.strategy_settings import STRATEGIES
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


def _share_text(row: Covered) -> str:
    if row.share is not None:
        return f"{row.share:.1%}"
    if row.invoice_usd is None and row.invoice_tokens is None:
        return "not in the invoice"
    return "unpriced" if row.log_usd is None else "nothing invoiced"


def _show(found: LogAudit, as_json: bool, markdown: bool, write_gateway: Path | None, output: tuple[Path, ...]) -> None:
    from promptopt.auditing.report import report_data, report_markdown, report_text
    from promptopt.tables import fold, printable

    data = report_data(found)
    if output:
        from promptopt.auditing.html_report import audit_page
        from promptopt.webpage.page import write_page

        write_page(audit_page(data), *output)
    if write_gateway is not None:
        _write_gateway(found, write_gateway)
    if as_json:
        click.echo(json.dumps(data, indent=2, default=str))
    else:
        click.echo(printable(report_markdown(data)) if markdown else fold(printable(report_text(data))))


def _write_gateway(found: LogAudit, path: Path) -> None:
    from promptopt.auditing.actions import gateway_settings
    from promptopt.files import replace_file, show_path

    if path.exists():
        raise UsageError(f"{path}: is there already; name a new file for --write-gateway, and join it by hand")
    replace_file(path, gateway_settings(found))
    click.echo(f"{show_path(path)}: settings for [tool.promptopt.gateway]", err=True)
