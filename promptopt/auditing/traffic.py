"""What a prompt will cost without a log: tokens and price of a call, times who calls how often."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from promptopt.experiment.estimate import Estimate
from promptopt.money import UNPRICED, cents, usd
from promptopt.tables import table

DAYS = 30
"""Days of a month."""
_MTOK = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Traffic:
    """Who calls how often.

    Attributes:
        calls: Of one user in a day.
    """

    users: int
    calls: float

    @property
    def per_day(self) -> Decimal:
        return self.users * Decimal(str(self.calls))


def traffic_data(found: Estimate, traffic: Traffic) -> dict[str, Any]:
    """One model's part of the JSON; ``None`` where a price or the output is not known."""
    cost = found.cost(found.price) if found.output_tokens is not None else None
    call = None if cost is None else cost.total_usd
    return {
        "model": found.model,
        "input_tokens": found.input_tokens,
        "output_tokens": found.output_tokens,
        "output_basis": found.output_basis,
        "usd_per_call": None if call is None else float(call),
        "usd_per_day": None if call is None else float(call * traffic.per_day),
        "usd_per_month": None if call is None else float(call * traffic.per_day * DAYS),
        "batch_usd_per_month": _batch(found, traffic),
    }


def _batch(found: Estimate, traffic: Traffic) -> float | None:
    cost = found.cost(found.batch) if found.output_tokens is not None else None
    return None if cost is None else float(cost.total_usd * traffic.per_day * DAYS)


def traffic_text(estimates: list[Estimate], traffic: Traffic) -> str:
    """The models side by side, and the arithmetic by which anybody can check them."""
    rows = []
    for found in estimates:
        data = traffic_data(found, traffic)
        price = UNPRICED if found.price is None else "-"
        shown = [
            price if data[name] is None else form(data[name])
            for name, form in (("usd_per_call", usd), ("usd_per_day", cents), ("usd_per_month", cents))
        ]
        output = "-" if found.output_tokens is None else f"{found.output_tokens:,.1f}"
        rows.append([found.model or "-", f"{found.input_tokens:,.1f}", output, *shown])
    lines = [table(rows, ["model", "input", "output", "$ per call", "$ per day", "$ per month"]), ""]
    day = traffic.per_day.normalize()
    lines.append(f"{traffic.users:,} users x {traffic.calls:g} calls a day = {day:,f} calls a day; {DAYS} days a month")
    lines += [_arithmetic(found) for found in estimates]
    return "\n".join(lines)


def _arithmetic(found: Estimate) -> str:
    name = found.model or "no model"
    if found.price is None:
        return f"{name}: unpriced"
    if found.output_tokens is None:
        return f"{name}: nothing caps its output, and no answer is recorded: set max_output_tokens"
    cost = found.cost(found.price)
    if cost is None:
        return f"{name}: not countable: {found.uncounted[0]}"
    # The rates that were applied: those of a long input are others than the table's first.
    rates = [
        part / Decimal(tokens) * _MTOK if tokens else Decimal(0)
        for part, tokens in ((cost.input_usd, found.input_tokens), (cost.output_usd, found.output_tokens))
    ]
    basis = "at most"
    if found.output_basis == "recorded":
        basis = "as recorded" if found.output_model == found.model else f"as recorded of {found.output_model}"
    return (
        f"{name}: {found.input_tokens:,.1f} input x {usd(rates[0])} a million + {found.output_tokens:,.1f} output "
        f"({basis}) x {usd(rates[1])} a million = {usd(cost.total_usd)} a call"
    )
