"""An audit as a page: what can be saved, step by step; where the money goes; what could not be assessed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from promptopt.auditing.profile import GROUPS
from promptopt.auditing.report import did, facts, head, priced
from promptopt.money import usd
from promptopt.webpage.blocks import PageBlock, PageSection, PlotBlock, ReportPage, TableBlock, VerdictBlock


def audit_page(data: Mapping[str, Any]) -> ReportPage:
    """The page of an audit, out of what :func:`promptopt.auditing.report.report_data` says."""
    profile = data["profile"]
    lacking = [[step["strategy"], step["needs"]] for step in data["steps"] if step["needs"]]
    return ReportPage(
        kind="promptopt audit",
        title=f"{data['rows']:,} calls" + ("" if data["baseline_usd"] is None else f", {usd(data['baseline_usd'])}"),
        lead=[_verdict(data)],
        sections=[
            PageSection("What each strategy saves", list(_waterfall(data))),
            PageSection("In any order", list(_shapley(data.get("shapley", ())))),
            PageSection("Where the money goes", list(_money(data, profile))),
            PageSection("What else the log says", [TableBlock(("fact", "value"), facts(data), texts=(1,))]),
            PageSection("Not assessable", [TableBlock(("strategy", "it needs"), lacking, left=2)] if lacking else []),
        ],
    )


def _verdict(data: Mapping[str, Any]) -> VerdictBlock:
    lines = tuple(head(data).splitlines())
    whole, left = data["baseline_usd"], data["left_usd"]
    if whole is None:
        return VerdictBlock("unpriced", "no dollars can be said", lines)
    saved = whole - left
    if saved <= 0 or not whole:
        return VerdictBlock("nothing to save", "by the strategies that could be assessed", lines)
    about = f"of {usd(whole)} by all strategies that could be assessed; {usd(left)} is left"
    return VerdictBlock(f"{saved / whole:.1%} can be saved", about, lines, "good")


def _waterfall(data: Mapping[str, Any]) -> Iterator[PageBlock]:
    steps = [step for step in data["steps"] if not step["needs"]]
    if data["baseline_usd"] is not None:
        drawn = [{"label": "list price", "from": 0.0, "to": data["baseline_usd"], "kind": "total"}]
        before = data["baseline_usd"]
        for step in steps:
            after = before - step["saved_usd"]
            drawn.append({"label": step["strategy"], "from": before, "to": after, "kind": "saving"})
            before = after
        drawn.append({"label": "left", "from": 0.0, "to": data["left_usd"], "kind": "total"})
        said = ", ".join(f"{step['strategy']} {usd(step['saved_usd'])}" for step in steps)
        yield PlotBlock(
            "waterfall",
            "The bill, step by step",
            {"steps": drawn, "x": "dollars"},
            f"{usd(data['baseline_usd'])} at list price; saved by {said}; {usd(data['left_usd'])} is left",
            "Each step saves of what the ones before it left, so that the steps add up to the bill.",
        )
    rows = [
        [
            step["strategy"],
            "unpriced" if step["saved_usd"] is None else usd(step["saved_usd"]),
            "" if step["saved_share"] is None else f"{step['saved_share']:.1%}",
            "" if step["low"] is None else f"{usd(step['low'])} to {usd(step['high'])}",
            did(step),
            step["assumes"],
            step["do"],
        ]
        for step in steps
    ]
    headers = ("step", "saves", "of bill", "95% interval", "what it did", "if", "carried out by")
    yield TableBlock(headers, rows, texts=(4, 5, 6))


def _shapley(values: Sequence[Mapping[str, Any]]) -> Iterator[PageBlock]:
    if not values:
        return
    rows = [
        {"label": each["strategy"], "value": each["saved_usd"], "low": each["least_usd"], "high": each["most_usd"]}
        for each in values
    ]
    yield PlotBlock(
        "ranges",
        "Savings over all orders of the strategies",
        {"rows": rows, "x": "dollars saved"},
        "; ".join(f"{row['label']} {usd(row['value'])} ({usd(row['low'])} to {usd(row['high'])})" for row in rows),
        "The dot is the mean over all orders (the Shapley value), the line goes from the least to the most that any "
        "order gives: a long line says that strategies save the same money.",
    )
    cells = [[each["strategy"], *(usd(each[key]) for key in ("saved_usd", "least_usd", "most_usd"))] for each in values]
    yield TableBlock(("strategy", "mean", "least", "most"), cells)


def _money(data: Mapping[str, Any], profile: Mapping[str, Any]) -> Iterator[PageBlock]:
    if data["shares"]:
        bars = [{"label": name, "kind": "share", "value": share * 100} for name, share in data["shares"].items()]
        said = ", ".join(f"{name} {share:.1%}" for name, share in data["shares"].items())
        yield PlotBlock("bars", "By kind of token", {"kinds": ["share"], "bars": bars, "unit": "% of the bill"}, said)
    if profile["curve"]:
        points = [[0.0, 0.0], *([(at + 1) / 10, share] for at, share in enumerate(profile["curve"]))]
        yield PlotBlock(
            "curve",
            "The most expensive types of calls first",
            {
                "lines": [{"label": "bill", "points": points}],
                "x": "types of calls, the most expensive first",
                "y": "of the bill",
            },
            f"the most expensive 20% of the types of calls are {profile['curve'][1]:.0%} of the bill",
            f"The most expensive 20% are {profile['curve'][1]:.0%} of the bill. The dashed line: all cost the same.",
        )
    for column in GROUPS:
        listed = profile["groups"][column]
        if len(listed) < 2:
            continue
        rows = [[each["name"], f"{each['calls']:,}", priced(each["usd"])] for each in listed]
        more = profile["distinct"][column] - len(rows)
        yield TableBlock((column, "calls", "list price"), rows, f"By {column}", note=f"And {more:,} more." * (more > 0))
