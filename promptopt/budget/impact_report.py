"""The impact of a branch as text, as Markdown and as data."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from promptopt.budget.impact import Cause, Impact, PromptChange, PromptCost, short
from promptopt.budget.result import one_line
from promptopt.money import usd

_NAMED = 20
_UNKNOWN = "unknown"
_WIDTH = 120


def impact_lines(impact: Impact) -> Iterator[str]:
    """The impact as it is printed; nothing if nothing changed."""
    changes = impact.changes
    if not changes:
        return
    count = f"{len(changes)} prompt{'s' * (len(changes) != 1)}"
    yield f"against {impact.base}: {count} changed, {_month(impact.usd_month)}"
    for change in _largest_first(changes)[:_NAMED]:
        yield f"  {_one_line(change.prompt)}  {', '.join(_parts(change))}"
        for cause in change.causes:
            yield f"      {_one_line(cause.name)}: {_one_line(cause.detail)}{_per_call(cause)}"
        for reason in change.reasons:
            yield f"      reason: {_one_line(reason)}"
    if len(changes) > _NAMED:
        yield f"  and {len(changes) - _NAMED} more prompts"


def impact_markdown(impact: Impact) -> str:
    """The impact as a table; empty if nothing changed."""
    changes = impact.changes
    if not changes:
        return ""
    rows = [
        f"\n#### Cost of this change against {_cell(impact.base)}: {_month(impact.usd_month)}\n",
        "| prompt | input tokens | dollars per call | dollars per month | cause | reason |",
        "|---|---|---|---|---|---|",
    ]
    for change in _largest_first(changes)[:_NAMED]:
        causes = "<br>".join(_cell(f"{cause.name} {cause.detail}") for cause in change.causes)
        notes = _cell(change.note) if change.note else ""
        cells = (
            _cell(change.prompt),
            _tokens(change),
            _call(change),
            _month_change(change),
            "<br>".join(filter(None, (notes, causes))),
            "<br>".join(map(_cell, change.reasons)) or "none",
        )
        rows.append(f"| {' | '.join(cells)} |")
    if len(changes) > _NAMED:
        rows.append(f"\n{len(changes) - _NAMED} more prompts changed; the log has them.")
    return "\n".join(rows) + "\n"


def impact_data(impact: Impact) -> dict[str, object]:
    """The impact as plain data; dollars are strings, and ``None`` if unknown."""
    return {
        "against": impact.base,
        "usd_month": _plain(impact.usd_month),
        "prompts": [
            {
                "prompt": change.prompt,
                "note": change.note or None,
                "before": _bill(change.before),
                "after": _bill(change.after),
                "usd_month": _plain(change.usd_month),
                "causes": [
                    {"cause": cause.name, "detail": cause.detail, "usd_call": _plain(cause.usd_call)}
                    for cause in change.causes
                ],
                "reasons": list(change.reasons),
            }
            for change in impact.changes
        ],
    }


def _bill(bill: PromptCost | None) -> dict[str, object] | None:
    if bill is None:
        return None
    return {
        "input": float(bill.input),
        "output": None if bill.output is None else float(bill.output),
        "usd_call": _plain(bill.usd_call),
        "calls_per_month": bill.calls,
        "usd_month": _plain(bill.usd_month),
    }


def _plain(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount.normalize():f}"


def _largest_first(changes: tuple[PromptChange, ...]) -> list[PromptChange]:
    """What is unknown first, then the largest change of a month."""
    months = {change: change.usd_month for change in changes}
    return sorted(changes, key=lambda change: (months[change] is not None, -abs(months[change] or Decimal(0))))


def _parts(change: PromptChange) -> Iterator[str]:
    if change.note:
        yield _one_line(change.note)
    if change.before is None and change.after is None:
        return
    yield f"input {_tokens(change)}"
    yield f"{_call(change)} per call"
    bill = change.after or change.before
    assert bill is not None
    if change.usd_month is not None and bill.calls is not None:
        yield f"{_month_change(change)} a month at {bill.calls:,} calls"
    else:
        yield "dollars a month unknown" + (": no calls_per_month" if bill.calls is None else "")


def _tokens(change: PromptChange) -> str:
    sides = [None if bill is None else bill.input for bill in (change.before, change.after)]
    old, new = sides
    if old is None or new is None:
        return " → ".join("none" if side is None else short(side) for side in sides)
    if old == new:
        return short(new)
    share = f", {(new - old) / old * 100:+,.1f}%" if old else ""
    return f"{short(old)} → {short(new)} ({short(new - old, sign=True)}{share})"


def _call(change: PromptChange) -> str:
    sides = [
        "none" if bill is None else _UNKNOWN if bill.usd_call is None else usd(bill.usd_call)
        for bill in (change.before, change.after)
    ]
    return sides[0] if sides[0] == sides[1] else " → ".join(sides)


def _month_change(change: PromptChange) -> str:
    return _UNKNOWN if change.usd_month is None else usd(change.usd_month, sign=True)


def _month(amount: Decimal | None) -> str:
    return "dollars a month unknown" if amount is None else f"{usd(amount, sign=True)} a month"


def _per_call(cause: Cause) -> str:
    if cause.usd_call is None:
        return f" (dollars {_UNKNOWN})"
    return f" ({usd(cause.usd_call, sign=True)} per call)" if cause.usd_call else ""


def _one_line(text: str) -> str:
    """Data that cannot begin a line of its own."""
    line = one_line(" ".join(text.split()))
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…"


def _cell(text: str) -> str:
    """Data in a table of Markdown: as code, in which nobody is mentioned and nothing is a link or HTML."""
    line = _one_line(text).replace("`", "'").replace("|", "\\|")
    return f"`{line}`" if line else ""
