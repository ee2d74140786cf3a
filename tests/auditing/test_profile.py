"""Forecast, spikes, the curve and what was written to caches for nothing."""

import csv
import itertools
from collections import Counter
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptopt.auditing.accounting import settle
from promptopt.auditing.audit import AuditInput, audit
from promptopt.auditing.bill import SLOT_S, TokenBill, TokenRate
from promptopt.auditing.explain import explain
from promptopt.auditing.forecast import forecast, next_days
from promptopt.auditing.log import LoggedCall
from promptopt.auditing.log_builder import LogBuilder
from promptopt.auditing.profile import GroupSums, curve, spikes
from promptopt.auditing.report import report_data, report_text
from promptopt.auditing.strategy_settings import AuditSettings
from promptopt.config import Config

RATE = TokenRate("m", "standard", (Decimal(1),) * 6)
FIRST = 1_790_000_000 // SLOT_S


def bill_of(days):
    """A bill of one dollar's slot a day."""
    cells = {(RATE, FIRST + day * 144): (round(usd * 1_000_000), 0, 0, 0, 0, 0) for day, usd in enumerate(days)}
    return TokenBill({**cells, (RATE, FIRST + len(days) * 144 - 1): (0,) * 6}, len(days), 0)


def slots_of(days):
    """The dollars of a day in its first slot, and the end of the last day."""
    return {**{FIRST + day * 144: usd for day, usd in enumerate(days)}, FIRST + len(days) * 144 - 1: 0.0}


ALIKE = [10.0, 10.1, 9.9, 10.0, 10.05, 9.95, 10.0, 10.1]


def test_days_that_are_alike_make_a_narrow_interval():
    found = forecast(slots_of(ALIKE))
    assert 280 < found.low < found.usd < found.high < 320


@pytest.mark.parametrize("astray", [0, FIRST + 400 * 144])
def test_a_call_whose_clock_is_wrong_does_not_change_the_month(astray):
    assert forecast({**slots_of(ALIKE), astray: 0.01}) == forecast(slots_of(ALIKE))


def test_months_apart_with_real_spending_are_both_known():
    slots = slots_of(ALIKE)
    assert forecast({**slots, **{slot + 60 * 144: usd for slot, usd in slots.items()}}) != forecast(slots)


def test_two_days_make_no_interval():
    found = forecast(slots_of([10.0, 20.0]))
    assert (found.usd, found.low, found.high) == (pytest.approx(450.0), None, None)
    assert forecast({1: 0.1}) is None


def test_intervals_hold_the_next_day_of_a_walk():
    random, held = np.random.default_rng(3), 0
    for _ in range(300):
        logs = np.cumsum(random.normal(0, 0.1, 11)) + random.normal(0, 0.05, 11)
        low, high = np.percentile(next_days(np.exp(logs[:10]), 1), [2.5, 97.5])
        held += low <= np.exp(logs[10]) <= high
    assert held >= 0.93 * 300


def test_intervals_hold_the_days_and_weeks_of_a_production_workload(data):
    days = Counter()
    for path in sorted((data / "servegen" / "data" / "language" / "m-small").glob("*-trace.csv")):
        for row in csv.reader(path.read_text(encoding="utf-8").splitlines()):
            days[int(float(row[0]) // 86_400)] += float(row[1]) * 600
    series = np.array([days[day] for day in range(14)])
    for horizon, tries in ((1, 45), (7, 6)):
        held, asked = 0, 0
        for size in range(5, 14):
            for start in range(14 - size - horizon + 1):
                known, after = series[start : start + size], series[start + size : start + size + horizon].sum()
                low, high = np.percentile(next_days(known, horizon), [2.5, 97.5])
                held += low <= after <= high
                asked += 1
        assert asked == tries
        assert held >= 0.95 * asked


def test_a_spike_is_a_day_far_above_the_median():
    assert [day for day, _, _ in spikes(bill_of([10, 11, 10, 60, 10]))] == ["2026-09-24"]
    assert spikes(bill_of([10, 11, 10, 12, 10])) == []


def test_the_curve_ends_at_the_whole_bill():
    sums = {f"{n}": GroupSums(1, {RATE: (usd * 1_000_000, 0, 0, 0, 0, 0)}) for n, usd in enumerate([80, 5, 5, 5, 5])}
    found = curve(sums)
    assert found[1] == pytest.approx(0.8)
    assert found[-1] == pytest.approx(1.0)
    assert found == sorted(found)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=30).filter(any))
def test_each_tenth_of_the_curve_adds_no_more_than_the_one_before(dollars: list[int]) -> None:
    sums = {f"{n}": GroupSums(1, {RATE: (usd * 1_000_000, 0, 0, 0, 0, 0)}) for n, usd in enumerate(dollars)}
    found = [0.0, *curve(sums)]
    added = [after - before for before, after in itertools.pairwise(found)]
    assert all(after <= before + 1e-9 for before, after in itertools.pairwise(added))
    assert found[-1] == pytest.approx(1.0)


def test_a_log_of_many_models_is_summed_up_not_listed():
    builder = LogBuilder()
    for number in range(3000):
        builder.add(LoggedCall(f"m{number}", at=1.79e9 + number, input_tokens=10, cache_read_tokens=4,
                               output_tokens=1, total_tokens=11))  # fmt: skip
    config = Config(Path("nowhere"), Path("nowhere"), Path("nowhere"))
    log, accounting = settle(builder.build(), config)
    assert len(accounting.settled) == 3000
    text = report_text(report_data(audit(AuditInput(log, accounting, {}), AuditSettings(), config)))
    assert "... and 2,992 more groups, 2,992 rows" in text
    assert text.count("cached tokens inside input") == 8


def test_two_periods_without_a_price_are_explained_as_nothing():
    builder = LogBuilder()
    builder.add(LoggedCall("no-such-model", at=1.79e9, input_tokens=10))
    log = builder.build()
    found = explain(log, log, Config(Path("nowhere"), Path("nowhere"), Path("nowhere")))
    assert (found.before_usd, found.unpriced) == (0, 2)


def test_a_group_of_calls_without_a_price_is_unpriced_and_not_free(tmp_path):
    builder = LogBuilder()
    for at in range(4):
        name = "gpt-4o-mini" if at % 2 else "nobody-knows-it"
        builder.add(LoggedCall(name, 1_790_000_000.0 + at, 1000, output_tokens=10, prompt=f"p{at}"))
    config = Config(tmp_path, tmp_path, tmp_path)
    given = AuditInput(*settle(builder.build(), config), {"plain": 4})
    data = report_data(audit(given, AuditSettings(), config, order=("waste",)))
    costs = {each["name"]: each["usd"] for each in data["profile"]["groups"]["model"]}
    assert costs["nobody-knows-it"] is None
    assert costs["gpt-4o-mini"] > 0
    (line,) = (each for each in report_text(data).splitlines() if each.startswith("nobody-knows-it"))
    assert line.split() == ["nobody-knows-it", "2", "unpriced"]
