"""What a search will ask, and what its dollars buy. Nothing is called here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from functools import partial
from itertools import chain

from promptopt.errors import CostLimitError
from promptopt.experiment.plan import ASK_ABOVE_USD
from promptopt.minimization.case_history import CaseHistory, case_key
from promptopt.minimization.choices import Reduced, Workbench
from promptopt.minimization.confirmation import FEWEST_TO_SEARCH, CaseSplit, fewest_cases, split_cases
from promptopt.minimization.oracle import Oracle
from promptopt.money import dollars
from promptopt.values import Usage

Divide = Callable[..., CaseSplit]
"""Divides the cases of a suite; ``most`` is how many are confirmed at most."""

_HOW_TO_PRICE = (
    "what it costs can be given in [tool.promptopt.prices]; --price-as MODEL counts what is saved as for another model"
)


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """What a search has before it, known before the first call.

    Attributes:
        prompt: Its label, ``reviews@v1``.
        units: How many units may go, which cost ``unit_tokens`` of the ``tokens`` of a call's input.
        margin: Points of quality (0 to 100) that may be lost.
        steps: Nested choices that are confirmed at most.
        limit: Dollars that may be spent; ``None``: no limit, as nothing is paid.
        trials: Answers to each case.
        usd_per_case: The most that its answers cost; ``None`` if nothing is paid.
        unrecorded: Calls for the prompt as it is that are not recorded yet.
        candidates: Choices that can be asked of all cases of the search, beside the confirmation; ``None``: no limit.
        full_usd: Dollars that would buy one such choice, if these do not; else ``None``.
        unpriced: The model if what it costs is not known.
        left_out: Which cases do not count, and why; empty if all do.
        used: What the confirmation's cases were used for before, in words; empty if they are new.
        unread: So many units are not in English, so that each may state a fact.
    """

    prompt: str
    units: int
    unit_tokens: float
    tokens: float
    margin: float
    split: CaseSplit
    steps: int
    limit: Decimal | None
    trials: int
    usd_per_case: Decimal | None
    unrecorded: int
    candidates: int | None
    full_usd: Decimal | None = None
    unpriced: str = ""
    left_out: str = ""
    used: str = ""
    unread: int = 0

    def __str__(self) -> str:
        search, held = len(self.split.search), len(self.split.confirm)
        many = "" if self.candidates == 1 else "s"
        buys = "any number of candidates" if self.candidates is None else f"{self.candidates:,} candidate{many}"
        free = f"{self.unpriced} is unpriced, nothing limits what is spent" if self.unpriced else "no call is paid"
        money = free if self.limit is None else f"{dollars(self.limit)} buys"
        verb = ": " if self.limit is None else " "
        times = f", {self.trials} answers to each" if self.trials > 1 else ""
        more = ""
        if self.full_usd is not None:
            buys, more = "less than one candidate", f" (--max-cost {_cents(self.full_usd)} would buy one)"
        unread = (
            f"{self.unread} units are not in English: of these, what no case tests is kept without --untested remove\n"
        )
        points = f"{self.margin:g} point{'s' * (self.margin != 1)}"
        return (
            f"minimize {self.prompt}: {self.units} units can go, "
            f"{self.unit_tokens:,.0f} of {self.tokens:,.0f} input tokens\n"
            f"{unread * bool(self.unread)}{self.left_out}{chr(10) * bool(self.left_out)}"
            f"{search:,} cases to search, {held:,} never seen until the one confirmation; "
            f"{self.unrecorded:,} calls of the prompt itself are not recorded\n"
            f"{self.used}{chr(10) * bool(self.used)}"
            f"{money}{verb}{buys} of {search:,} cases beside the confirmation{times}{more}; "
            f"below {self.split.fewest:,} cases nothing can be confirmed at a margin of {points}"
            + (f"\n{_HOW_TO_PRICE}" if self.unpriced else "")
        )


def make_plan(
    bench: Workbench, oracle: Oracle, margin: float, steps: int, limit: Decimal | None, paid: bool, history: CaseHistory
) -> SearchPlan:
    """The plan of a search, with as many cases for the confirmation as are worth it and can be paid.

    What is recorded already changes nothing in it: a search that goes on has the plan that it began with.

    Args:
        margin: Points, 0 to 100.
        limit: Dollars; ``None``: a dollar, if calls are paid.
        paid: Whether live calls are paid.
        history: What the cases were used for.

    Raises:
        UsageError: Nothing can be confirmed with so few cases.
        CostLimitError: Nothing can be confirmed for so few dollars, or what a call may cost is not known.
        RecordingError: An answer of the prompt is not recorded, and may not be asked for.
    """
    divide = partial(split_cases, bench.suite, margin / 100, note=bench.left_out, searched=history.searched)
    split, whole = divide(), bench.variant(Reduced())
    assert whole is not None
    price = price_of_case(oracle, limit) if paid else None
    limit = None if price is None else ASK_ABOVE_USD if limit is None else limit
    candidates = full = None
    if price is not None and limit is not None:
        wanted = split, steps
        split, steps, candidates = _within(divide, *wanted, limit, price)
        full = None if candidates else _for_one(divide, wanted, limit, price)
    missing, _ = oracle.missing(Reduced(), [*split.search, *split.confirm])
    tokens = bench.unit_tokens
    return SearchPlan(
        prompt=bench.units.template.origin.label,
        units=len(bench.units.units),
        unit_tokens=sum(tokens.values()),
        tokens=bench.input_tokens(Reduced()),
        margin=margin,
        split=split,
        steps=steps,
        limit=limit,
        trials=oracle.trials,
        usd_per_case=price,
        unrecorded=missing,
        candidates=candidates,
        full_usd=full,
        unpriced=whole.model if paid and price is None and not whole.free else "",
        left_out=bench.left_out,
        used=_used(bench, history, split, margin / 100),
        unread=sum(not unit.readable for unit in bench.units.units),
    )


def _used(bench: Workbench, history: CaseHistory, split: CaseSplit, margin: float) -> str:
    """What cases were used for before, as sentences."""
    found = []
    if split.kept:
        found.append(f"{split.kept:,} cases stay to search, since an earlier search has seen them")
    versions, runs = history.used([case_key(bench.suite.cases[number]) for number in split.confirm])
    if versions:
        many = f"{versions:,} version{'s' * (versions != 1)} in {runs:,} run{'s' * (runs != 1)}"
        needed = fewest_cases(margin, runs + 1)
        few = f", for which {needed:,} are needed" if needed > len(split.confirm) else ""
        found.append(f"those never seen have judged {many} before: another one is accepted at 5% / {runs + 1}{few}")
    return "; ".join(found)


def _for_one(divide: Divide, wanted: tuple[CaseSplit, int], limit: Decimal, price: Decimal) -> Decimal:
    """Dollars, more than ``limit``, that buy a candidate of all cases of the search: with more, more is confirmed."""
    while True:
        split, steps, candidates = _within(divide, *wanted, limit, price)
        if candidates:
            return limit
        needed = ((steps + 1) * len(split.confirm) + 2 * len(split.search)) * price
        limit = max(needed, limit * Decimal("1.1"))


def _cents(usd: Decimal) -> Decimal:
    return usd.quantize(Decimal("0.01"), ROUND_UP)


def _within(divide: Divide, split: CaseSplit, steps: int, limit: Decimal, price: Decimal) -> tuple[CaseSplit, int, int]:
    """As many steps and cases as can be confirmed for half of the dollars, and what is left for candidates.

    Half is for the search: with more cases to confirm than that, more dollars would find less. If even few cases cost
    more than half, few are confirmed.
    """
    few = round(1.15 * split.fewest)
    sizes = [size for size in (3 * len(split.confirm) // 4, len(split.confirm) // 2) if size > few]
    smaller = ((divide(most=size), 1) for size in (*sizes, few, split.fewest))
    needed = Decimal(0)
    for each, number in chain(((split, number) for number in range(steps, 0, -1)), smaller):
        fixed = (len(each.search) + (1 + number) * len(each.confirm)) * price
        left = limit - fixed
        needed = fixed + 3 * FEWEST_TO_SEARCH * price
        if limit >= needed and (2 * left >= limit or len(each.confirm) <= few):
            return each, number, int(left / (len(each.search) * price))
    raise CostLimitError(
        f"{dollars(limit)} can confirm nothing: the fewest cases, {split.fewest:,}, and three candidates of "
        f"{FEWEST_TO_SEARCH} cost up to {dollars(needed)}. Allow that with --max-cost "
        f"{_cents(needed)}, or a larger loss with --margin"
    )


def price_of_case(oracle: Oracle, limit: Decimal | None) -> Decimal | None:
    """The most that a case of the prompt as it is costs, in dollars; ``None`` if it costs nothing, or nobody knows.

    Raises:
        CostLimitError: There is a limit and no price, or no output cap.
    """
    bench, variant = oracle.bench, oracle.variant(Reduced())
    assert variant is not None
    if variant.free:
        return None
    price = variant.live_price
    if price is None:
        if limit is None:
            return None
        raise CostLimitError(
            f"--max-cost cannot be kept: {variant.model} is unpriced. Give its price in [tool.promptopt.prices]; "
            "--price-as counts what is saved, and not what is spent"
        )
    cap = variant.params.max_output_tokens
    if cap is None:
        raise CostLimitError(
            f"{variant.label} sets no max_output_tokens, so that a search may cost anything: set it in the front matter"
        )
    most = round(bench.input_tokens(Reduced())) + 1
    return oracle.trials * price.cost(Usage(input_tokens=most, output_tokens=cap)).total_usd
