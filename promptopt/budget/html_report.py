"""A run of the gate as a page: what failed and why, what each prompt costs beside its lock, and this branch's bill."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from promptopt.budget.failure_text import metric_change
from promptopt.budget.impact import Impact, PromptChange, short
from promptopt.budget.limits import METRICS
from promptopt.budget.result import Result, finding_lines, summed
from promptopt.money import usd
from promptopt.webpage.blocks import PageBlock, PageSection, PlotBlock, ReportPage, TableBlock, TextBlock, VerdictBlock


def budget_page(results: Sequence[Result], impact: Impact | None, counts: Sequence[str]) -> ReportPage:
    """The page of ``promptopt budget check``.

    Args:
        counts: Lines that say how many cases passed, and what is guarded.
    """
    failed = any(result.failed for result in results)
    prompts: dict[str, list[Result]] = {}
    for result in results:
        prompts.setdefault(result.prompt, []).append(result)
    guarded = sum(any(result.case for result in of) for of in prompts.values())
    return ReportPage(
        kind="promptopt budget",
        title=f"{guarded:,} guarded prompt{'s' * (guarded != 1)}",
        lead=[
            VerdictBlock(
                "failed" if failed else "passed",
                "a limit is exceeded" if failed else "no prompt costs more than its lock and limits allow",
                tuple(counts),
                "bad" if failed else "good",
            )
        ],
        sections=[
            PageSection("Failures", list(_findings(results, ("error",)))),
            PageSection("Warnings and notes", list(_findings(results, ("warn", "note")))),
            PageSection("Prompts", list(_prompts(prompts))),
            PageSection("This branch", list(_impact(impact)) if impact is not None else []),
            PageSection("Cases", list(_cases(results))),
        ],
    )


def _findings(results: Sequence[Result], levels: Sequence[str]) -> Iterator[PageBlock]:
    lines = [
        line
        for result in results
        for finding in result.findings
        if finding.level in levels
        for line in finding_lines(result.label, finding)
    ]
    if lines:
        yield TextBlock("\n".join(lines), preformatted=True)


def _prompts(prompts: dict[str, list[Result]]) -> Iterator[PageBlock]:
    """Mean tokens of a call of each prompt, locked and today."""
    rows, bars = [], []
    for prompt, results in prompts.items():
        cases = [result for result in results if result.case]
        for metric, (locked, now) in summed(cases).items():
            rows.append(
                [
                    prompt,
                    metric,
                    f"{len(cases):,}",
                    f"{locked:,}",
                    f"{now:,}",
                    f"{(now - locked) / locked:+.1%}" if locked else "",
                    "failed" if any(result.failed for result in results) else "ok",
                ]
            )
            if metric == "output" and (
                reasoned := [r.numbers["reasoning"][1] for r in cases if "reasoning" in r.numbers]
            ):
                gate = rows[-1][-1]
                rows.append([prompt, "of it reasoning", f"{len(reasoned):,}", "", f"{sum(reasoned):,}", "", gate])
            if metric == "input" and locked != now:
                bars.append({"label": f"{prompt}, locked", "kind": "input tokens", "value": locked / len(cases)})
                bars.append({"label": f"{prompt}, today", "kind": "input tokens", "value": now / len(cases)})
    if bars:
        said = "; ".join(f"{bar['label']} {bar['value']:,.1f}" for bar in bars)
        data = {"kinds": ["input tokens"], "bars": bars, "unit": "input tokens of a case"}
        yield PlotBlock("bars", "Mean input tokens of the prompts that changed, locked and today", data, said)
    if rows:
        headers = ("prompt", "metric", "cases", "locked", "today", "change", "gate")
        yield TableBlock(headers, rows, left=2, texts=(6,), note="Sums over the cases that have both numbers.")


def _impact(impact: Impact) -> Iterator[PageBlock]:
    month = "dollars a month unknown" if impact.usd_month is None else f"{usd(impact.usd_month, sign=True)} a month"
    if not impact.changes:
        yield TextBlock(f"Against {impact.base} no prompt changed.")
        return
    rows = [
        [
            change.prompt,
            _input(change),
            "unknown" if change.usd_month is None else usd(change.usd_month, sign=True),
            "; ".join(filter(None, [change.note, *(f"{cause.name} {cause.detail}" for cause in change.causes)])),
            "; ".join(change.reasons) or "none",
        ]
        for change in impact.changes
    ]
    headers = ("prompt", "input tokens", "$ a month", "cause", "reason")
    yield TableBlock(headers, rows, f"Against {impact.base}: {month}", texts=(3, 4))


def _input(change: PromptChange) -> str:
    return " → ".join("none" if bill is None else short(bill.input) for bill in (change.before, change.after))


def _cases(results: Sequence[Result]) -> Iterator[PageBlock]:
    """The cases whose numbers changed."""
    rows = []
    for result in results:
        changes = [
            metric_change(metric, Decimal(str(old)), Decimal(str(now)))
            for metric in METRICS
            for old, now in [result.numbers.get(metric, (None, None))]
            if result.case and old is not None and now is not None and old != now
        ]
        if changes:
            rows.append([result.label, "; ".join(changes), "failed" if result.failed else "ok"])
    cases = sum(bool(result.case) for result in results)
    if rows:
        note = f"The other {cases - len(rows):,} of {cases:,} cases have the locked numbers."
        yield TableBlock(("case", "change", "gate"), rows, left=3, note=note)
    elif cases:
        yield TextBlock(f"All {cases:,} cases have the locked numbers.")
