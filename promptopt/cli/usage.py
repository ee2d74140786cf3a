"""``promptopt usage``."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from promptopt.errors import UsageError
from promptopt.money import usd

if TYPE_CHECKING:
    from promptopt.auditing.spend import Spend, SpendSummary
    from promptopt.gateway.stores.ledger_row import LedgerRow

_SHOWN = 10
_GROUPS = ("prompt", "model", "tag", "team", "user", "key", "day")


@click.command("usage")
@click.option(
    "--by",
    multiple=True,
    type=click.Choice(["prompt", "model", "tag", "team", "user", "key", "day"]),
    help="Only these.",
)
@click.option("--since", metavar="WHEN", help="Only calls since a day (2026-11-01) or an age (7d, 12h).")
@click.option("--ledger", "path", type=click.Path(path_type=Path), help="The ledger's file [default: the project's].")
@click.option(
    "--otel", type=click.Path(path_type=Path), help="Write each call as OpenTelemetry GenAI attributes, JSONL."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of the tables.")
def command(by: tuple[str, ...], since: str | None, path: Path | None, otel: Path | None, as_json: bool) -> None:
    """Say where the money goes: spend, repeats, cache hits, errors, trend, risks, the month to come.

    \b
    promptopt usage --by prompt --by day --since 30d
    promptopt usage --otel calls.jsonl
    """
    from promptopt.auditing.spend import sum_up
    from promptopt.files import show_path
    from promptopt.tables import fold, printable

    place = path or _default_ledger()
    rows = _rows(place, since)
    if otel is not None:
        _export(rows, otel)
        click.echo(f"{show_path(otel)}: {len(rows)} calls", err=True)
        return
    if not rows:
        click.echo(f"{show_path(place) if isinstance(place, Path) else 'the ledger'}: no calls", err=True)
        return
    usage = sum_up(rows)
    if as_json:
        click.echo(json.dumps(asdict(usage), indent=2, default=str))
    else:
        click.echo(fold(printable(usage_text(usage, by or ("prompt", "model", "tag", "user", "day")))))


def _default_ledger() -> Path | str:
    from promptopt.config import load_config
    from promptopt.gateway.settings import read_settings

    settings = read_settings(load_config())
    if settings.ledger is None:
        raise UsageError("[tool.promptopt.gateway] keeps no ledger; name one with --ledger")
    return settings.ledger


def _rows(path: Path | str, since: str | None) -> list[LedgerRow]:
    from promptopt.auditing.spend import priced
    from promptopt.config import load_config
    from promptopt.files import show_path
    from promptopt.gateway.stores.ledger import open_ledger

    if isinstance(path, Path) and not path.is_file():
        raise UsageError(f"{show_path(path)}: no ledger here; the gateway writes one (promptopt.http_client())")
    ledger = open_ledger(path)
    try:
        return list(priced(ledger.rows(None if since is None else _moment(since)), load_config()))
    finally:
        ledger.close()


def _moment(text: str) -> float:
    from promptopt.gateway.settings import seconds

    try:
        return datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC).timestamp()
    except ValueError:
        return datetime.now(UTC).timestamp() - seconds(text, "--since")


def _export(rows: list[LedgerRow], path: Path) -> None:
    from promptopt.files import replace_file
    from promptopt.gateway.layers.meter import otel_attributes

    lines = [
        json.dumps(
            {
                "name": f"chat {row.model}",
                "start_time_unix_nano": int(row.at * 1e9),
                "duration_ms": row.latency_ms,
                "attributes": otel_attributes(row),
            }
        )
        for row in rows
    ]
    replace_file(path, "".join(f"{line}\n" for line in lines))


def usage_text(usage: SpendSummary, groups: tuple[str, ...]) -> str:
    """The report as the terminal shows it."""
    total = usage.total
    span = f"{usage.first:%Y-%m-%d} to {usage.last:%Y-%m-%d}"
    spent = f"{usd(total.incurred_usd)} paid, {usd(total.list_usd)} at list price"
    if total.unpriced:
        spent = "unpriced" if total.unpriced == total.calls else f"{spent}, without {total.unpriced:,} unpriced"
    parts = [f"{total.calls:,} call{'s' * (total.calls != 1)}, {span}: {spent}"]
    parts += [_group(name, usage.groups[name]) for name in groups]
    parts.append("\n".join(f"{name:24} {value}" for name, value in _facts(usage)))
    return "\n\n".join(parts)


def _group(name: str, spends: list[Spend]) -> str:
    from promptopt.tables import table

    shown = spends[-_SHOWN:] if name == "day" else spends[:_SHOWN]
    rows: list[list[Any]] = [
        [
            spend.name,
            f"{spend.calls:,}",
            f"{spend.asked:,}",
            f"{spend.input_tokens:,}",
            f"{spend.output_tokens:,}",
            "unpriced" if spend.unpriced == spend.calls else usd(spend.list_usd),
            "unpriced" if spend.unpriced == spend.calls else usd(spend.incurred_usd),
        ]
        for spend in shown
    ]
    more = f"\n... and {len(spends) - len(shown)} more" if len(spends) > len(shown) else ""
    return table(rows, [name, "calls", "asked", "input", "output", "list", "paid"]) + more


def _facts(usage: SpendSummary) -> list[tuple[str, str]]:
    top = "-" if usage.top_share is None else f"{usage.top_share:.0%} of spend, of {usage.kinds} types"
    facts = [
        ("top 20% of call types", top),
        ("repeated requests", f"{usage.repeat_rate:.1%}"),
        ("cache hit ratio", _percent(usage.hit_ratio)),
        ("provider's prompt cache", _prompt_cache(usage)),
        *[
            ("  wrong order", f"{name}: {tokens:,} static tokens come after what varies (promptopt check: PO501)")
            for name, tokens in list(usage.unordered.items())[:5]
        ],
        ("error rate", _percent(usage.error_rate) + _listed(usage.errors)),
        ("refused", f"{usage.refused:,}"),
        ("last 7 days", "no week before" if usage.trend is None else f"{usage.trend:+.0%} against the 7 before"),
        ("weeks", ", ".join(f"{week} {usd(spent)}" for week, spent in list(usage.weeks.items())[-4:])),
        ("spikes", ", ".join(f"{day} {usd(spent)} (median {usd(mid)})" for day, spent, mid in usage.spikes) or "none"),
        ("without an output cap", f"{sum(usage.uncapped.values()):,} calls" + _listed(usage.uncapped)),
        ("the next thirty days", "-" if usage.month is None else usage.month.text),
    ]
    facts += [
        ("shutdown announced", f"{each.model} on {each.day} ({each.calls:,} call{'s' * (each.calls != 1)})")
        for each in usage.shutdowns
    ]
    if usage.assumed_usd:
        facts.append(
            ("assumed", f"{usd(usage.assumed_usd)} of what was paid: calls that failed, and may have been billed")
        )
    if usage.lost:
        facts.append(("lost", f"{usage.lost:,} calls whose end was never seen"))
    if usage.total.unpriced:
        facts.append(("unpriced", f"{usage.total.unpriced:,} calls are in no sum; see [tool.promptopt.prices]"))
    return facts


def _prompt_cache(usage: SpendSummary) -> str:
    text = f"{_percent(usage.provider_hit_ratio)} of input tokens"
    if usage.expected_hit_ratio is not None:
        text += f" (with hints: expected {usage.expected_hit_ratio:.1%}, came {_percent(usage.hinted_hit_ratio)})"
    return text


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _listed(counts: dict[str, int]) -> str:
    shown = ", ".join(f"{name} {count:,}" for name, count in list(counts.items())[:5])
    return f" ({shown})" if shown else ""
