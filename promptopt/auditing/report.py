"""What an audit says, as data and as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from promptopt.auditing.actions import assumed, carried_out
from promptopt.auditing.audit import LogAudit, shares_of
from promptopt.auditing.bill import TokenBill
from promptopt.auditing.forecast import Forecast, forecast
from promptopt.auditing.profile import GROUPS, curve, shutdowns, spikes, successor
from promptopt.auditing.strategy_settings import STRATEGIES, StrategyName
from promptopt.auditing.waterfall import AuditStep, shapley, steps
from promptopt.money import UNPRICED, usd
from promptopt.tables import table

VERSION = 1
"""Of the JSON."""
_LISTED, _SHOWN, _LEAST_STABLE = 50, 8, 3


def report_data(audit: LogAudit, now: datetime | None = None) -> dict[str, Any]:
    """The audit as JSON has it; what docs/audit.md documents."""
    baseline = audit.profile.bill
    assessed = {step.strategy: step for step in steps(audit.outcomes, audit.order)}
    named = [name for name in STRATEGIES if name in assessed or name in audit.needs]
    ordered = [*audit.order, *(name for name in named if name not in assessed)]
    data: dict[str, Any] = {
        "version": VERSION,
        "rows": audit.rows,
        "rejected": audit.rejected,
        "duplicates": audit.duplicates,
        "formats": dict(audit.formats),
        "accounting": asdict(audit.accounting),
        "settings": asdict(audit.settings),
        "baseline_usd": float(baseline.usd) if _is_priced(baseline) else None,
        "unpriced": baseline.unpriced,
        "shares": shares_of(baseline) if _is_priced(baseline) else None,
        "steps": [_step(audit, name, assessed.get(name)) for name in ordered],
        "left_usd": float(audit.outcomes[frozenset(audit.order)].bill.usd) if _is_priced(baseline) else None,
        "profile": _profile(audit, now or datetime.now(UTC)),
    }
    if len(audit.outcomes) == 2 ** len(audit.order) and len(audit.order) > 1:
        data["shapley"] = [
            {
                "strategy": each.strategy,
                "saved_usd": float(each.saved_usd),
                "least_usd": float(each.least_usd),
                "most_usd": float(each.most_usd),
            }
            for each in shapley(audit.outcomes, audit.order)
        ]
    return data


def _is_priced(bill: TokenBill) -> bool:
    return bill.calls == 0 or bill.unpriced < bill.calls


def _step(audit: LogAudit, name: StrategyName, step: AuditStep | None) -> dict[str, Any]:
    needed = audit.needs.get(name)
    priced = step is not None and _is_priced(audit.profile.bill)
    whole = audit.profile.bill.usd
    saved = step.saved_usd if step is not None and priced else None
    counts = dict(step.counts) if step is not None else {}
    calls = audit.profile.bill.calls
    return {
        "strategy": name,
        "saved_usd": None if saved is None else float(saved),
        "saved_share": float(saved / whole) if saved is not None and whole else None,
        "low": step.low if step is not None and priced else None,
        "high": step.high if step is not None and priced else None,
        "latency_s": -counts["saved_ms"] / 1000 / calls if counts.get("saved_ms") and calls else None,
        "needs": needed,
        "assumes": assumed(name, audit),
        "do": carried_out(name, audit),
        "details": _details(name, counts, audit),
    }


def _details(name: StrategyName, counts: Mapping[str, int], audit: LogAudit) -> dict[str, Any]:
    details: dict[str, Any] = dict(counts)
    calls = audit.profile.bill.calls
    if "cached_tokens" in counts:
        details["cached_input_share"] = (
            counts["cached_tokens"] / counts["input_tokens"] if counts["input_tokens"] else 0.0
        )
    elif name == "output-cap" and counts:
        details |= {
            "cap": audit.settings.cap,
            "cut_share": counts["calls"] / counts["answers"] if counts["answers"] else 0.0,
        }
    elif "calls" in counts:
        details["call_share"] = counts["calls"] / calls if calls else 0.0
    return details


def _profile(audit: LogAudit, now: datetime) -> dict[str, Any]:
    sums, counts = audit.profile.groups, audit.profile.counts
    month = forecast({slot: float(spent) for slot, spent in audit.profile.bill.slots_usd.items()})
    groups: dict[str, list[dict[str, Any]]] = {}
    for column in GROUPS:
        ranked = sorted(sums[column].items(), key=lambda item: (-item[1].usd, item[0]))
        groups[column] = [
            # Calls of which none has a price are not free.
            {"name": name, "calls": each.calls, "usd": float(each.usd) if each.tokens else None}
            for name, each in ranked[:_LISTED]
        ]
    for row in groups["prompt"]:
        _, shared, blocks = audit.profile.prefixes.get(row["name"], (0, 0, 0))
        row["shared"] = shared / blocks if blocks else None
    types = sums["prompt"] if len(sums["prompt"]) > 1 else sums["tag"]
    return {
        "groups": groups,
        "distinct": {column: len(sums[column]) for column in GROUPS},
        "curve": curve(types),
        "counts": dict(counts),
        "losses": {name: float(each.usd) for name, each in audit.profile.losses.items()},
        "month": None if month is None else asdict(month),
        "spikes": [
            {"day": day, "usd": spent, "median_usd": middle} for day, spent, middle in spikes(audit.profile.bill)
        ],
        "shutdowns": [
            {
                "model": name,
                "day": day.isoformat(),
                "calls": calls,
                "successor": None if (next_one := successor(name, sums["model"][name])) is None else next_one[0],
                "successor_saves": None if next_one is None else next_one[1],
            }
            for name, day, calls in shutdowns(sums["model"], now.date())
        ],
    }


def report_text(data: Mapping[str, Any]) -> str:
    """The audit for a terminal of 80 columns."""
    parts = [head(data), _waterfall(data), *_groups(data["profile"]), _facts(data)]
    return "\n\n".join(part for part in parts if part)


def head(data: Mapping[str, Any]) -> str:
    """What was read, what it costs, and how its numbers were taken, in lines."""
    read = ", ".join(f"{count:,} {name}" for name, count in data["formats"].items())
    lines = [f"{data['rows']:,} calls ({read}), {data['rejected']:,} rows rejected, {data['duplicates']:,} duplicates"]
    if data["baseline_usd"] is None:
        lines.append(
            "unpriced: no model of this log has a known price; name one with --model, or [tool.promptopt.prices]"
        )
    else:
        shares = ", ".join(f"{name} {share:.1%}" for name, share in data["shares"].items())
        lines.append(f"{usd(data['baseline_usd'])} at list price: {shares}")
        if data["unpriced"]:
            lines.append(f"{data['unpriced']:,} calls are unpriced, and in no sum")
    accounting = data["accounting"]
    settled = sorted(accounting["settled"], key=lambda each: -each["rows"])
    lines += [
        f"cached tokens {each['relation']} input: {each['group']}, {each['rows']:,} rows, by {each['witness']}"
        for each in settled[:_SHOWN]
    ]
    if len(settled) > _SHOWN:
        rows = sum(each["rows"] for each in settled[_SHOWN:])
        lines.append(f"... and {len(settled) - _SHOWN:,} more groups, {rows:,} rows")
    lines += [
        f"unexplained: the totals of {rows:,} rows of {group} are {tokens:+,} tokens against the parts that the log "
        "names; only the parts are billed here"
        for group, (rows, tokens) in sorted(accounting["unexplained"].items())
    ]
    if accounting["compared"]:
        differing = sorted(accounting["differing"].items(), key=lambda item: -item[1])
        off = ", ".join(f"{group} {rows:,}" for group, rows in differing[:_SHOWN]) or "none"
        off += f", and {len(differing) - _SHOWN:,} more groups" if len(differing) > _SHOWN else ""
        lines.append(
            f"the log says {usd(accounting['said_usd'])} for {accounting['compared']:,} calls, list price is "
            f"{usd(accounting['listed_usd'])}; rows that differ: {off}"
        )
    return "\n".join(lines)


def _waterfall(data: Mapping[str, Any]) -> str:
    rows: list[list[str]] = []
    for step in data["steps"]:
        if step["needs"]:
            continue
        if step["saved_usd"] is None:
            rows.append([step["strategy"], "unpriced", "", "", did(step)])
            continue
        interval = "" if step["low"] is None else f"{usd(step['low'])} to {usd(step['high'])}"
        rows.append([step["strategy"], usd(step["saved_usd"]), f"{step['saved_share'] or 0:.1%}", interval, did(step)])
    if data["left_usd"] is not None:
        whole = data["baseline_usd"]
        rows.append(["left", usd(data["left_usd"]), f"{data['left_usd'] / whole:.1%}" if whole else "", "", ""])
    text = table(
        rows,
        ["step", "saves", "of bill", "95% interval", "what it did"],
        columns=["left", "right", "right", "right", "left"],
    )
    lacking = [f"not assessable: {step['strategy']} needs {step['needs']}" for step in data["steps"] if step["needs"]]
    return "\n".join([text, *([""] if lacking else []), *lacking])


def did(step: Mapping[str, Any]) -> str:
    """What a step did, in a few words."""
    details = step["details"]
    if "cached_input_share" in details:
        return f"{details['cached_input_share']:.1%} of input cached"
    if "cut_share" in details:
        return f"cuts {details['cut_share']:.1%} of answers"
    return f"{details['calls']:,} calls" if "calls" in details else ""


def priced(amount: float | None) -> str:
    """Dollars, or that there is no price."""
    return UNPRICED if amount is None else usd(amount)


def _groups(profile: Mapping[str, Any]) -> list[str]:
    found = []
    for column in GROUPS:
        listed = profile["groups"][column]
        if column == "hour" or len(listed) < 2:
            continue
        rows = [[each["name"][:40], f"{each['calls']:,}", priced(each["usd"])] for each in listed[:_SHOWN]]
        more = profile["distinct"][column] - len(rows)
        found.append(table(rows, [column, "calls", "list price"]) + (f"\n... and {more:,} more" if more > 0 else ""))
    return found


def _facts(data: Mapping[str, Any]) -> str:
    return "\n".join(f"{name:26} {value}" for name, value in facts(data))


def facts(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What else the log says: repeats, answers that were cut off, the next thirty days."""
    profile = data["profile"]
    counts, month = profile["counts"], profile["month"]
    calls = counts["calls"] or 1
    found = [
        ("top 20% of call types", f"{profile['curve'][1]:.0%} of the bill" if profile["curve"] else "-"),
        (
            "repeated requests",
            f"{counts['repeated'] / calls:.1%}" if counts["with_digest"] else "not assessable: no requests",
        ),
        (
            "near repeats",
            f"{counts['near_repeated'] / calls:.1%}, the same but for case, punctuation and digits"
            if counts["with_text"]
            else "not assessable: no requests as texts",
        ),
        ("without an output cap", f"{counts['uncapped']:,} calls"),
        ("cut off at the cap", f"{counts['cut_off']:,} calls"),
        ("failed and billed", _lost(counts["failed_and_billed"], counts["failed_tokens"], profile["losses"]["failed"])),
        ("lost to retries", _lost(counts["retried"], counts["retried_tokens"], profile["losses"]["retried"])),
        ("own cache's hits", f"{counts['own_hits']:,} calls"),
    ]
    if counts.get("unmeasured"):
        found.append(("usage not known", f"{counts['unmeasured']:,} calls that may have been billed, in no sum"))
    if counts["undated"]:
        found.append(("without a time", f"{counts['undated']:,} calls, in no strategy that needs times"))
    if counts["written_tokens"]:
        share = counts["written_unread_tokens"] / counts["written_tokens"]
        premium = usd(profile["losses"]["cache written, never read"])
        found.append(
            (
                "cache written, never read",
                f"{counts['written_unread_tokens']:,} tokens ({share:.0%} of what is written), {premium} too much",
            )
        )
    known = [each for each in profile["groups"]["prompt"] if each["shared"] is not None]
    known.sort(key=lambda each: -(1 - each["shared"]) * (each["usd"] or 0.0))
    if known:
        found.append(
            ("stable prefix", ", ".join(f"{each['name']} {each['shared']:.0%}" for each in known[:_LEAST_STABLE]))
        )
    if month is not None:
        found.append(("the next thirty days", Forecast(**month).text))
    found += [
        ("spike", f"{each['day']} {usd(each['usd'])} (median {usd(each['median_usd'])})") for each in profile["spikes"]
    ]
    found += [
        (
            "shutdown announced",
            f"{each['model']} on {each['day']} ({each['calls']:,} calls)"
            + (f"; {each['successor']} costs {each['successor_saves']:.0%} less" if each["successor"] else ""),
        )
        for each in profile["shutdowns"]
    ]
    mispriced = sorted(data["accounting"]["mispriced"].items(), key=lambda item: -item[1][1])
    found += [
        ("mispriced", f"{group}: the log says {usd(said)} for {rows:,} calls, list price is {usd(listed)}")
        for group, (rows, said, listed) in mispriced[:_SHOWN]
    ]
    return found


def _lost(calls: int, tokens: int, dollars: float) -> str:
    return f"{calls:,} calls" + (f", {tokens:,} tokens, {usd(dollars)}" if tokens else "")


def report_markdown(data: Mapping[str, Any]) -> str:
    """The audit as Markdown."""
    lines = [
        "# LogAudit",
        "",
        *(f"- {line}" for line in head(data).splitlines()),
        "",
        "| step | saves | of bill | 95% interval | what it did | carried out by |",
        "|---|---:|---:|---|---|---|",
    ]
    for step in data["steps"]:
        if step["needs"]:
            continue
        interval = "" if step["low"] is None else f"{usd(step['low'])} to {usd(step['high'])}"
        saves = "unpriced" if step["saved_usd"] is None else usd(step["saved_usd"])
        lines.append(
            f"| {step['strategy']} | {saves} | {step['saved_share'] or 0:.1%} | {interval} | {did(step)} "
            f"| `{step['do']}` |"
        )
    if data["left_usd"] is not None:
        lines.append(f"| left | {usd(data['left_usd'])} | | | | |")
    lacking = [
        f"- {step['strategy']}: not assessable, needs {step['needs']}" for step in data["steps"] if step["needs"]
    ]
    return "\n".join([*lines, *(["", *lacking] if lacking else []), "", "```text", _facts(data), "```"])
