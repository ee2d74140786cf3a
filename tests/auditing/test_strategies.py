"""What a replay says is what the gateway's own layers do with the same calls on the same clock."""

from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptopt.auditing.accounting import settle
from promptopt.auditing.actions import gateway_settings
from promptopt.auditing.audit import AuditInput, audit, merged, partial_text, read_partial
from promptopt.auditing.log import LoggedCall
from promptopt.auditing.log_builder import LogBuilder
from promptopt.auditing.prompt_digests import text_of
from promptopt.auditing.report import report_data, report_text
from promptopt.auditing.strategies import LogReplay
from promptopt.auditing.strategy_settings import STRATEGIES, AuditSettings, needs
from promptopt.auditing.waterfall import all_sets, chain, shapley, steps
from promptopt.config import Config
from promptopt.errors import InputError
from promptopt.gateway.assembly import build_gateway
from promptopt.gateway.call import Answer, Call, Labels
from promptopt.gateway.failures import CallFailed
from promptopt.gateway.layers.cache import CachePolicy
from promptopt.gateway.settings import GatewaySettings
from promptopt.gateway.simulate import Arrival, SimulatedClock, simulate
from promptopt.prices import find_price
from promptopt.values import Usage

START = 1_790_000_000.0
NOWHERE = Path("nowhere")
CONFIG = Config(NOWHERE, NOWHERE, NOWHERE)


def log_of(calls):
    builder = LogBuilder()
    for each in calls:
        builder.add(each)
    return settle(builder.build(), CONFIG)[0]


def replayed(calls, names, **options):
    return LogReplay(log_of(calls), AuditSettings(**options), CONFIG).outcome(frozenset(names))


workloads = st.lists(
    st.tuples(
        st.integers(0, 200),  # when, in tenths of a second
        st.integers(0, 3),  # which request
        st.integers(1, 60),  # how long, in tenths
        st.integers(1, 500),  # output
        st.sampled_from([False, False, False, True]),  # failed
    ),
    min_size=1,
    max_size=30,
    # Two calls at one moment have no order of their own.
    unique_by=lambda row: row[0],
)


@pytest.mark.parametrize(("cache", "flight"), [(True, False), (False, True), (True, True)])
@given(workloads)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_prediction_is_what_the_layers_do(tmp_path, cache, flight, rows):
    # An end and a beginning at one moment have no order either.
    rows = [(at + place * 0.0007, *rest) for place, (at, *rest) in enumerate(sorted(rows))]
    names = [name for name, on in (("exact-cache", cache), ("single-flight", flight)) if on]
    predicted = replayed(
        [
            LoggedCall(
                "gpt-4o-mini",
                START + at / 10,
                100,
                output_tokens=out,
                digest=request + 1,
                latency_s=takes / 10,
                failed=failed,
            )
            for at, request, takes, out, failed in rows
        ],
        names,
        ttl_s=10.0,
    )
    clock = SimulatedClock(START)
    built = build_gateway(
        GatewaySettings(
            tmp_path, store="memory", ledger=tmp_path / "none", single_flight=flight,
            cache=CachePolicy(ttl_s=10.0, time_sensitive_ttl_s=10.0) if cache else None,
        ),
        Config(tmp_path, tmp_path, tmp_path),
        clock=clock,
        random=Random(1),
    )  # fmt: skip
    sent = []

    def call(number, request):
        body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": f"{request}"}], "temperature": 0}
        # The label travels with the call, and is no part of what makes two calls the same.
        return Call.of("chat", "u", body, Labels(tag=str(number)))

    def upstream(asked):
        number = int(asked.labels.tag)
        sent.append(number)
        _, _, takes, out, failed = rows[number]
        answer = Answer("ok", "gpt-4o-mini", usage=Usage(100, 0, 0, out), sent_to="gpt-4o-mini")
        return takes / 10, CallFailed("server_error", sent=True) if failed else answer

    arrivals = [Arrival(START + row[0] / 10, call(number, row[1])) for number, row in enumerate(rows)]
    simulate(built.handler, arrivals, upstream, clock)
    assert predicted.bill.calls == len(sent)
    tokens = sum(sum(each) for each in predicted.bill.tokens.values())
    assert tokens == sum(100 + rows[number][3] for number in sent)


def a_log(size=400, seed=1):
    random, calls, at = Random(seed), [], START
    for _ in range(size):
        at += random.expovariate(0.05)
        prompt, question = random.randrange(4), random.randrange(12)
        calls.append(
            LoggedCall(
                random.choice(["gpt-4o", "gpt-4o-mini", "claude-sonnet-4-5"]), at, 1500 + 100 * prompt,
                output_tokens=random.randrange(500), prompt=f"p{prompt}", tag="nightly" if prompt == 3 else "live",
                digest=prompt * 100 + question + 1, blocks=[prompt + 1, prompt + 10, 1000 + prompt * 100 + question],
                block_tokens=512, latency_s=random.uniform(0.5, 30), failed=random.random() < 0.05, user=f"u{question}",
            )
        )  # fmt: skip
    return calls


EVERY = {"cap": 200, "no_wait": ("nightly",), "input_ratio": 0.9, "output_ratio": 0.5, "effort_ratio": 0.5}


def test_a_prefix_is_read_from_the_cache_while_it_lives():
    def call(at, blocks, tokens=2048):
        return LoggedCall("gpt-4o", START + at, tokens, blocks=blocks, block_tokens=512)

    calls = [call(0, [1, 2, 3, 4]), call(200, [1, 2, 3, 5]), call(450, [1, 2, 3, 4]), call(1000, [1, 2, 3, 4])]

    def cached(**options):
        return replayed(calls, ["provider-cache"], **options).counts["provider-cache"]["cached_tokens"]

    # Use renews the first three blocks until 500; the fourth was written at 0 and is over by 450.
    assert cached(minimum=0) == 3 * 512 + 3 * 512
    assert cached(minimum=0, renew=False) == 3 * 512
    assert cached(minimum=0, lifetime_s=3600.0) == 3 * 512 + 4 * 512 + 4 * 512
    assert cached(minimum=1600, lifetime_s=3600.0) == 4 * 512 + 4 * 512


def test_writing_to_a_cache_that_nobody_reads_costs_more():
    calls = [
        LoggedCall("claude-sonnet-4-5", START + n, 2000, blocks=[n + 1, n + 2], block_tokens=1000) for n in range(5)
    ]
    before, after = (replayed(calls, names).bill.usd for names in ([], ["provider-cache"]))
    price = find_price("claude-sonnet-4-5")
    assert after - before == 5 * 2000 * (price.cache_write_mtok - price.input_mtok) / 1_000_000


def test_what_the_log_was_billed_as_cached_stays():
    calls = [
        LoggedCall("gpt-4o", START, 2000, cache_read_tokens=1500, blocks=[1, 2], relation="inside", block_tokens=1000)
    ]
    assert replayed(calls, ["provider-cache"]).bill.usd == replayed(calls, []).bill.usd


def test_a_cap_cuts_answers():
    outcome = replayed(
        [LoggedCall("gpt-4o", START, 1, output_tokens=out) for out in (100, 300, 301, 900)], ["output-cap"], cap=300
    )
    assert outcome.counts["output-cap"] == {"calls": 2, "answers": 4}
    assert sum(tokens[4] for tokens in outcome.bill.tokens.values()) == 1000


def test_batch_is_for_calls_that_nobody_waits_for():
    calls = [LoggedCall("gpt-4o", START, 1000, output_tokens=100, tag=tag) for tag in ("live", "nightly")]
    before = replayed(calls, [], no_wait=("nightly",)).bill.usd
    after = replayed(calls, ["batch"], no_wait=("nightly",)).bill.usd
    assert after == before * 3 / 4


def test_a_strategy_that_costs_more_for_a_call_is_not_taken_for_it():
    calls = [LoggedCall("gpt-4o-mini", START, 1000, output_tokens=100)]
    options = {"to_model": "gpt-4o", "model_evidence": "x"}
    assert replayed(calls, ["smaller-model"], **options).bill.usd == replayed(calls, []).bill.usd


def test_what_cannot_be_decided_is_said():
    lacking = needs(log_of([LoggedCall("gpt-4o", None, 10)]), AuditSettings())
    assert set(lacking) == set(STRATEGIES)
    assert lacking["exact-cache"] == "the time of each call"
    lacking = needs(log_of(a_log()), AuditSettings(**EVERY))
    assert set(lacking) == {"semantic-cache", "layout", "smaller-model", "cascade"}


def audited(**options):
    log, accounting = settle(log_of(a_log()), CONFIG)
    return audit(AuditInput(log, accounting, {"plain": len(log)}), AuditSettings(**EVERY), CONFIG, **options)


def test_steps_and_what_is_left_add_up_to_the_bill():
    found = audited()
    whole = steps(found.outcomes, found.order)
    assert len(whole) == len(STRATEGIES) - 4
    left = found.outcomes[frozenset(found.order)].bill.usd
    assert sum(step.saved_usd for step in whole) + left == found.profile.bill.usd
    for step in whole:
        assert step.low <= float(step.saved_usd) <= step.high


@given(st.permutations(["exact-cache", "single-flight", "provider-cache", "output-cap"]))
@settings(max_examples=10, deadline=None)
def test_the_order_changes_steps_and_not_their_sum(order):
    replay = LogReplay(log_of(a_log(120)), AuditSettings(**EVERY), CONFIG)
    outcomes = {each: replay.outcome(each) for each in all_sets(order)}
    saved = sum(step.saved_usd for step in steps(outcomes, order))
    values = shapley(outcomes, order)
    assert saved == outcomes[frozenset()].bill.usd - outcomes[frozenset(order)].bill.usd
    assert sum(each.saved_usd for each in values) == pytest.approx(saved)
    for each in values:
        assert each.least_usd <= each.saved_usd <= each.most_usd


def test_an_empty_strategy_changes_nothing():
    calls = [
        LoggedCall("gpt-4o", START + n, 10, output_tokens=5, digest=n + 1, latency_s=1.0, failed=False)
        for n in range(5)
    ]
    before = replayed(calls, []).bill
    for names in (["waste"], ["exact-cache"], ["single-flight"], ["exact-cache", "single-flight"]):
        assert replayed(calls, names).bill == before


@pytest.mark.parametrize("blocks", [True, False])
def test_what_was_written_and_not_read_is_the_same_in_parts(blocks):
    """Calls of one prompt differ in their requests: who reads a prefix is not who wrote it."""
    calls = [
        each._replace(
            blocks=each.blocks if blocks else (),
            cache_write_tokens=500 if number % 3 else 0,
            cache_read_tokens=0 if number % 3 else 400,
            relation="inside",
        )
        for number, each in enumerate(a_log(120))
    ]
    log, accounting = settle(log_of(calls), CONFIG)
    given_log = AuditInput(log, accounting, {})
    whole = audit(given_log, AuditSettings(), CONFIG, order=("exact-cache",))
    parts = [audit(given_log, AuditSettings(), CONFIG, order=("exact-cache",), part=(n, 8)) for n in range(1, 9)]
    assert whole.profile.counts["written_unread_tokens"] > 0
    assert report_data(merged(parts)) == report_data(whole)


@pytest.mark.parametrize("parts", [2, 8, 64])
@pytest.mark.parametrize("every_order", [False, True])
def test_parts_are_merged_to_the_whole(tmp_path, parts, every_order):
    order = ("waste", "exact-cache", "single-flight", "provider-cache", "output-cap")
    whole = audited(order=order, every_order=every_order)
    read = []
    for number in range(1, parts + 1):
        path = tmp_path / f"{number}.json"
        made = audited(order=order, every_order=every_order, part=(number, parts))
        path.write_text(partial_text(made, (number, parts)), encoding="utf-8")
        read.append(read_partial(path)[0])
    assert report_data(merged(read)) == report_data(whole)


def test_parts_of_different_audits_are_refused():
    with pytest.raises(InputError, match="different audits"):
        merged([audited(order=("waste",)), audited(order=("exact-cache",))])


def test_the_report_says_what_it_needs_and_what_to_do():
    data = report_data(audited())
    assert {step["strategy"] for step in data["steps"]} == set(STRATEGIES)
    for step in data["steps"]:
        assert (step["needs"] is None) == (step["saved_usd"] is not None)
    text = report_text(data)
    assert "not assessable: cascade needs a measured cascade" in text
    assert max(len(line) for line in text.splitlines() if not line.startswith("not assessable")) <= 100
    assert "single_flight = true" in gateway_settings(audited())


def test_models_without_a_price_are_in_no_sum():
    log = log_of([LoggedCall("nobody-knows-it", START, 10), LoggedCall("gpt-4o", START, 1_000_000)])
    found = audit(AuditInput(log, settle(log, CONFIG)[1], {}), AuditSettings(), CONFIG)
    assert (found.profile.bill.unpriced, float(found.profile.bill.usd)) == (1, 2.5)
    alone = log.take(log.codes["model"] == 0)
    data = report_data(audit(AuditInput(alone, settle(alone, CONFIG)[1], {}), AuditSettings(), CONFIG))
    assert data["baseline_usd"] is None
    assert data["shares"] is None
    assert "unpriced" in report_text(data)


def test_a_waterfall_begins_with_nothing():
    assert chain(["waste", "batch"]) == [frozenset(), frozenset(["waste"]), frozenset(["waste", "batch"])]


def test_a_call_without_a_time_is_billed_and_set_aside():
    calls = [
        LoggedCall("gpt-4o", at=START + number, input_tokens=1000, output_tokens=10, digest=7, latency_s=1.0)
        for number in (0, 10, 20)
    ]
    calls.append(calls[0]._replace(at=None))
    log = log_of(calls)
    assert "exact-cache" not in needs(log, AuditSettings())
    found = LogReplay(log, AuditSettings(), CONFIG).outcome(frozenset(["exact-cache"]))
    assert (found.bill.calls, found.counts["exact-cache"]["calls"]) == (2, 2)
    data = report_data(audit(AuditInput(log, settle(log, CONFIG)[1], {}), AuditSettings(), CONFIG))
    assert data["profile"]["counts"]["undated"] == 1
    assert "1 calls, in no strategy that needs times" in report_text(data)


def test_an_answer_that_was_cut_off_and_asked_again_is_waste():
    first = LoggedCall("gpt-4o", at=START, input_tokens=10, output_tokens=50, digest=7, cut_off=True, failed=False)
    again = first._replace(at=START + 5, output_tokens=90, cut_off=False)
    late = first._replace(digest=8), first._replace(digest=8, at=START + 3600, cut_off=False)
    found = replayed([first, again, *late], ["waste"])
    assert found.counts["waste"] == {"calls": 1, "failed": 0, "cut": 1}
    assert found.bill.calls == 3


def asked(number, text, at):
    return LoggedCall("gpt-4o", at=at, input_tokens=2048, output_tokens=5, prompt=f"p{number}", **text_of(text))


RULES = "\n".join(f"Rule {number}: " + "x" * 85 for number in range(40))


def test_layout_moves_the_lines_that_every_call_has_to_the_front():
    calls = [asked(1, f"Question {number}\n{RULES}\n", START + number * 60) for number in range(4)]
    calls += [asked(2, f"Alone {number}", START) for number in range(2)]
    log = log_of(calls)
    assert "layout" not in needs(log, AuditSettings())
    plain = LogReplay(log, AuditSettings(), CONFIG).outcome(frozenset(["provider-cache"]))
    assert plain.counts["provider-cache"]["cached_tokens"] == 0
    moved = LogReplay(log, AuditSettings(), CONFIG).outcome(frozenset(["provider-cache", "layout"]))
    # All but the question, in steps of 128 tokens, and the first call writes it.
    share = len(RULES) / len(f"Question 0\n{RULES}\n")
    assert moved.counts["layout"]["cached_tokens"] == 3 * (int(share * 2048) // 128 * 128)
    assert moved.bill.usd < plain.bill.usd
    apart = LogReplay(log, AuditSettings(lifetime_s=59), CONFIG).outcome(frozenset(["layout"]))
    assert apart.counts["layout"]["cached_tokens"] == 0


def test_layout_needs_the_texts_of_requests():
    log = log_of([LoggedCall("gpt-4o", at=START, input_tokens=5, blocks=[1], digest=1)])
    assert needs(log, AuditSettings())["layout"] == "requests as texts"


def test_an_audit_of_layout_in_parts_is_that_of_the_whole():
    calls = [
        asked(number % 3, f"Question {number}\n{RULES}\n", START + number * 60)._replace(model=model, digest=number)
        for number in range(40)
        for model in ("gpt-4o", "gpt-4o-mini")
    ]
    log = log_of(calls)
    given = AuditInput(log, settle(log, CONFIG)[1], {"plain": len(log)})
    whole = report_data(audit(given, AuditSettings(), CONFIG))
    for count in (2, 8):
        parts = [audit(given, AuditSettings(), CONFIG, part=(part, count)) for part in range(1, count + 1)]
        assert report_data(merged(parts)) == whole


def test_a_lower_effort_has_its_measured_share_of_reasoning():
    call = LoggedCall("gpt-5", at=START, input_tokens=10, output_tokens=300, reasoning_tokens=200)
    found = replayed([call], ["lower-effort"], effort_ratio=0.25)
    assert found.bill.usd == replayed([call._replace(output_tokens=150, reasoning_tokens=50)], []).bill.usd
    assert "--effort-ratio" in needs(log_of([call]), AuditSettings())["lower-effort"]
