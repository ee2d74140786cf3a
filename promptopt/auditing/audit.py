"""An audit: a log's accounting, profile and waterfall, whole or in parts that are merged."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from promptopt.auditing.accounting import Accounting, Settled
from promptopt.auditing.bill import KINDS, TokenBill, TokenRate, slots_of
from promptopt.auditing.evidence import effort_evidence, label_evidence
from promptopt.auditing.log import CallLog
from promptopt.auditing.profile import GroupSums, SpendProfile, near_repeats, profile, stable_blocks
from promptopt.auditing.replays import fixed_shares
from promptopt.auditing.strategies import LogReplay, ReplayOutcome, in_part, outcomes
from promptopt.auditing.strategy_settings import STRATEGIES, AuditSettings, StrategyName, needs
from promptopt.auditing.waterfall import all_sets, chain
from promptopt.config import Config
from promptopt.errors import InputError

MOST_ORDERED = 8
"""Strategies of which all orders are looked at, at most: 256 replays."""
_VERSION = 2
_OF_ONE_AUDIT = ("settings", "order", "accounting", "log_sums")


@dataclass(frozen=True)
class LogAudit:
    """What an audit found; those of the parts of a log are merged by :func:`merged`.

    Attributes:
        rows: Calls that were read.
        order: The strategies that can be assessed, in the order of the waterfall.
        needs: What the others need.
        outcomes: By set of strategies.
        labelled: Prompts (or tags, as ``labelled_by`` says) whose labels show that the smaller model does the job.
        effort_labelled: Likewise those whose labels show that the lower effort does.
        log_sums: Calls, input and output tokens of the whole log: parts of one log have the same.
    """

    rows: int
    rejected: int
    duplicates: int
    formats: Mapping[str, int]
    accounting: Accounting
    settings: AuditSettings
    order: tuple[StrategyName, ...]
    needs: Mapping[StrategyName, str]
    profile: SpendProfile
    outcomes: Mapping[frozenset[StrategyName], ReplayOutcome]
    log_sums: tuple[int, int, int] = (0, 0, 0)
    labelled: tuple[str, ...] = ()
    labelled_by: str = "prompt"
    effort_labelled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AuditInput:
    """A log that is read and settled, with what its reading said."""

    log: CallLog
    accounting: Accounting
    formats: Mapping[str, int]
    rejected: int = 0
    duplicates: int = 0


def audit(
    given: AuditInput,
    settings: AuditSettings,
    config: Config,
    *,
    order: Sequence[StrategyName] = STRATEGIES,
    every_order: bool = False,
    part: tuple[int, int] = (1, 1),
) -> LogAudit:
    """Audit a log, or part ``i`` of ``n`` of it.

    Raises:
        InputError: Too many strategies for all orders.
    """
    labels, effort = label_evidence(given.log, settings.to_model), effort_evidence(given.log, settings.to_effort)
    lacking = {name: text for name, text in needs(given.log, settings, labels, effort).items() if name in order}
    able = tuple(name for name in order if name not in lacking)
    if every_order and len(able) > MOST_ORDERED:
        raise InputError(f"--all-orders takes at most {MOST_ORDERED} strategies, not {len(able)}: choose with --only")
    log, fixed = given.log, fixed_shares(given.log) if "layout" in able else None
    repeated = near_repeats(log), stable_blocks(log)
    if part[1] > 1:
        # Questions that are alike, and prompts with another layout, begin alike only by chance.
        rows = in_part(log, *part, by_model="layout" in able or "semantic-cache" in able)
        log, fixed = log.take(rows), fixed and (fixed[0][rows], fixed[1][rows])
        labels, effort = labels and labels.take(rows), effort and effort.take(rows)
        repeated = repeated[0][rows], repeated[1][rows]
    replay = LogReplay(log, settings, config, fixed, labels, effort)
    sets = all_sets(able) if every_order else chain(able)
    return LogAudit(
        rows=len(log),
        rejected=given.rejected if part[0] == 1 else 0,
        duplicates=given.duplicates if part[0] == 1 else 0,
        formats=dict(given.formats) if part[0] == 1 else {},
        accounting=given.accounting,
        settings=settings,
        order=able,
        needs=lacking,
        profile=profile(log, replay.usages, slots_of(log), settings.lifetime_s, *repeated),
        outcomes=outcomes(replay, sets),
        log_sums=(len(given.log), int(given.log.input_tokens.sum()), int(given.log.output_tokens.sum())),
        labelled=() if labels is None else labels.prompts,
        labelled_by="prompt" if labels is None else labels.column,
        effort_labelled=() if effort is None else effort.prompts,
    )


def merged(parts: Sequence[LogAudit]) -> LogAudit:
    """The audit of the whole log.

    Raises:
        InputError: The parts were made with different settings.
    """
    first, *others = parts
    whole = first
    for other in others:
        if any(getattr(other, name) != getattr(first, name) for name in _OF_ONE_AUDIT):
            raise InputError("these parts are of different audits: their settings or their logs are not the same")
        whole = LogAudit(
            rows=whole.rows + other.rows,
            rejected=whole.rejected + other.rejected,
            duplicates=whole.duplicates + other.duplicates,
            formats=whole.formats or other.formats,
            accounting=first.accounting,
            settings=first.settings,
            order=first.order,
            needs=first.needs,
            profile=whole.profile.plus(other.profile),
            outcomes={each: whole.outcomes[each].plus(other.outcomes[each]) for each in whole.outcomes},
            log_sums=first.log_sums,
            labelled=first.labelled,
            labelled_by=first.labelled_by,
            effort_labelled=first.effort_labelled,
        )
    return whole


def partial_text(audit: LogAudit, part: tuple[int, int]) -> str:
    """A part of an audit as JSON, for :func:`read_partial`; whole numbers only, so that nothing is rounded."""
    rates: dict[TokenRate, int] = {}

    def number(rate: TokenRate) -> int:
        return rates.setdefault(rate, len(rates))

    def bill(each: TokenBill) -> dict[str, Any]:
        cells = [[number(rate), slot, *tokens] for (rate, slot), tokens in each.tokens.items()]
        return {"cells": cells, "calls": each.calls, "unpriced": each.unpriced}

    def group(sums: GroupSums) -> list[Any]:
        return [sums.calls, [[number(rate), *tokens] for rate, tokens in sums.tokens.items()]]

    body = {
        "promptopt_audit_part": _VERSION,
        "part": list(part),
        "rows": audit.rows,
        "rejected": audit.rejected,
        "duplicates": audit.duplicates,
        "formats": audit.formats,
        "log_sums": audit.log_sums,
        "labelled": audit.labelled,
        "labelled_by": audit.labelled_by,
        "effort_labelled": audit.effort_labelled,
        "accounting": asdict(audit.accounting),
        "settings": asdict(audit.settings),
        "order": audit.order,
        "needs": audit.needs,
        "profile": {
            "groups": {
                column: {name: group(sums) for name, sums in names.items()}
                for column, names in audit.profile.groups.items()
            },
            "counts": audit.profile.counts,
            "losses": {name: group(sums) for name, sums in audit.profile.losses.items()},
            "prefixes": audit.profile.prefixes,
            "bill": bill(audit.profile.bill),
        },
        "outcomes": [
            {"strategies": sorted(names), "bill": bill(outcome.bill), "counts": outcome.counts}
            for names, outcome in audit.outcomes.items()
        ],
    }
    body["rates"] = [[rate.model, rate.processing, [str(usd) for usd in rate.usd_mtok], rate.long] for rate in rates]
    return json.dumps(body)


def read_partial(path: Path) -> tuple[LogAudit, tuple[int, int]]:
    """A part of an audit, and which of how many it is.

    Raises:
        InputError: The file is not one.
    """
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        return _partial(body), (body["part"][0], body["part"][1])
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        raise InputError(f"is not a part of an audit ({error}): make one with --partition", path=path) from None


def _partial(body: Mapping[str, Any]) -> LogAudit:
    if body["promptopt_audit_part"] != _VERSION:
        raise ValueError(f"version {body['promptopt_audit_part']}")
    rates = [
        TokenRate(model, kind, tuple(Decimal(usd) for usd in usds), is_long)
        for model, kind, usds, is_long in body["rates"]
    ]

    def bill(each: Mapping[str, Any]) -> TokenBill:
        tokens = {(rates[cell[0]], cell[1]): tuple(cell[2:]) for cell in each["cells"]}
        return TokenBill(tokens, each["calls"], each["unpriced"])

    def group(each: Sequence[Any]) -> GroupSums:
        return GroupSums(each[0], {rates[row[0]]: tuple(row[1:]) for row in each[1]})

    accounting, settings, sums = body["accounting"], body["settings"], body["profile"]
    settled = tuple(Settled(**each) for each in accounting["settled"])
    return LogAudit(
        rows=body["rows"],
        rejected=body["rejected"],
        duplicates=body["duplicates"],
        formats=body["formats"],
        accounting=Accounting(**{**accounting, "settled": settled}),
        settings=AuditSettings(
            **{**settings, **{name: tuple(settings[name]) for name in ("no_wait", "cascade", "escalated")}}
        ),
        order=tuple(body["order"]),
        needs=body["needs"],
        profile=SpendProfile(
            {column: {name: group(each) for name, each in names.items()} for column, names in sums["groups"].items()},
            sums["counts"],
            bill(sums["bill"]),
            {name: group(each) for name, each in sums["losses"].items()},
            {name: tuple(each) for name, each in sums["prefixes"].items()},
        ),
        outcomes={
            frozenset(each["strategies"]): ReplayOutcome(bill(each["bill"]), each["counts"])
            for each in body["outcomes"]
        },
        log_sums=tuple(body["log_sums"]),
        labelled=tuple(body["labelled"]),
        labelled_by=body["labelled_by"],
        effort_labelled=tuple(body.get("effort_labelled", ())),
    )


def shares_of(bill: TokenBill) -> dict[str, float]:
    """Shares of dollars: input that was not cached (what is written to a cache included), cached, output, reasoning."""
    usd = bill.kinds_usd
    whole = sum(usd.values(), Decimal(0))
    parts = {
        "input": usd["input"] + usd["written"] + usd["written_1h"],
        "cached": usd["cached"],
        "output": usd["output"],
        "reasoning": usd["reasoning"],
    }
    assert set(usd) == set(KINDS)
    return {name: float(part / whole) if whole else 0.0 for name, part in parts.items()}
