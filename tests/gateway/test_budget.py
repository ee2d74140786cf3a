import contextlib
import multiprocessing
import sqlite3
import threading
from decimal import Decimal
from functools import partial
from unittest import mock

import openai
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from upstream import Reply, answer, ask, chat, wait_until

import promptopt
from promptopt.cli import cli
from promptopt.config import load_config
from promptopt.errors import ConfigError, UsageError
from promptopt.gateway.call import Call
from promptopt.gateway.costs import Costs, from_nano, nano
from promptopt.gateway.layers.budget import Budget
from promptopt.gateway.stores.base import RESERVED_S, BudgetScope, level_of
from promptopt.gateway.stores.budget import SqliteBudgets
from promptopt.gateway.stores.memory import MemoryBudgets
from promptopt.gateway.stores.redis import RedisBudgets, RedisLink
from promptopt.gateway.stores.write_behind import WriteBehind

# gpt-4o-mini: $0.15 and $0.60 per million tokens.
CALL_USD = Decimal("0.15") * 8 / 1_000_000 + Decimal("0.60") * 100 / 1_000_000


@pytest.fixture(params=["sqlite", "redis", "memory"])
def store(request, tmp_path):
    if request.param == "sqlite":
        return SqliteBudgets(tmp_path / "b.sqlite")
    if request.param == "memory":
        return MemoryBudgets()
    return RedisBudgets(RedisLink(request.getfixturevalue("redis_server").url))


def paid(upstream):
    """The upstream bills exactly what was reserved: 8 tokens in, the cap of 100 out."""
    upstream.on = lambda path, body: Reply(body=chat(body, prompt_tokens=8, completion_tokens=100))


def test_reserve_and_settle(store):
    day, tag = BudgetScope("day:x", 100), BudgetScope("tag:y", 30)
    assert store.reserve("a", [day, tag], 20, 0.0) is None
    full = store.reserve("b", [day, tag], 20, 0.0)
    assert (full.scope, full.spent, full.reserved) == (tag, 0, 20)
    assert store.spent("day:x") == (0, 20)
    crossed = []
    store.on_crossed = crossed.append
    store.settle("a", [day, tag], 20, 25)
    assert store.spent("day:x") == (25, 0)
    assert [(each.scope.name, each.level) for each in crossed] == [("tag:y", 50), ("tag:y", 80)]
    assert store.reserve("c", [day], 75, 0.0) is None
    crossed.clear()
    store.settle("c", [day], 75, 75)
    assert store.reserve("d", [day], 1, 0.0).spent == 100
    assert [each.level for each in crossed] == [50, 80, 100]
    assert store.alert(day, 100) is None


def test_a_reservation_whose_caller_died_counts_as_spent(tmp_path):
    dead, store = SqliteBudgets(tmp_path / "b.sqlite"), SqliteBudgets(tmp_path / "b.sqlite")
    day = BudgetScope("day:x", 100)
    dead.reserve("dead", [day], 40, 0.0)
    store.reserve("next", [day], 10, RESERVED_S + 1)
    assert store.spent("day:x") == (40, 10)
    # It lives after all.
    dead.settle("dead", [day], 40, 5)
    assert store.spent("day:x") == (5, 10)


def test_calls_that_follow_each_other_find_reserved_what_they_need(tmp_path, monkeypatch):
    store, day = SqliteBudgets(tmp_path / "b.sqlite"), BudgetScope("day:x", 1_000_000)
    monkeypatch.setattr(store._writer, "due", lambda **_: None)
    write, written = store._database.write, []
    monkeypatch.setattr(store._database, "write", lambda work: written.append(None) or write(work))
    for tick in range(3):
        for number in range(10):
            assert store.reserve(f"{tick} {number}", [day], 100, 0.0) is None
            store.settle(f"{tick} {number}", [day], 100, 1)
        store._write()
    # The first call reserves itself, and the writer for all others.
    assert len(written) == 4
    with contextlib.closing(sqlite3.connect(tmp_path / "b.sqlite")) as read:
        query = "SELECT spent, reserved FROM budgets"
        # For four times as many calls as came.
        assert read.execute(query).fetchone() == (30, 4 * 10 * 100)
        store._write()
        assert read.execute(query).fetchone() == (30, 0)
    store.close()


def test_a_fast_process_reserves_for_as_many_calls_as_come_and_only_its_first_ones_write_themselves(
    tmp_path, monkeypatch
):
    store, day = SqliteBudgets(tmp_path / "b.sqlite"), BudgetScope("day:x", 10_000_000)
    monkeypatch.setattr(store._writer, "due", lambda **_: None)
    write, written = store._database.write, []
    monkeypatch.setattr(store._database, "write", lambda work: written.append(None) or write(work))
    ticks = []
    for _ in range(6):
        written.clear()
        for number in range(300):
            assert store.reserve(f"{number}", [day], 100, 0.0) is None
            store.settle_soon([day], 100, lambda: 1)
        store._write()
        ticks.append(len(written))
    # Later only the writer does.
    assert ticks[0] > 1
    assert ticks[2:] == [1, 1, 1, 1]
    assert store.spent("day:x")[0] == 6 * 300
    store.close()


def test_what_a_process_holds_in_advance_comes_back(tmp_path):
    one, other = SqliteBudgets(tmp_path / "b.sqlite"), SqliteBudgets(tmp_path / "b.sqlite")
    day = BudgetScope("day:x", 100_000)
    assert one.reserve("a", [day], 100, 0.0) is None
    read = sqlite3.connect(tmp_path / "b.sqlite")
    assert read.execute("SELECT reserved FROM budgets").fetchone()[0] > 100
    assert wait_until(lambda: read.execute("SELECT reserved FROM budgets").fetchone() == (100,))
    for number in range(20):
        assert one.reserve(str(number), [day], 100, 0.0) is None
        one.settle(str(number), [day], 100, 1)
    assert wait_until(lambda: read.execute("SELECT spent, reserved FROM budgets").fetchone() == (20, 100))
    assert other.reserve("all the rest", [day], 100_000 - 120, 0.0) is None
    assert other.reserve("more", [day], 1, 0.0).reserved == 100_000 - 20
    read.close()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 50)), max_size=20), st.integers(0, 120))
def test_never_more_than_the_limit(tmp_path_factory, steps, limit):
    store = SqliteBudgets(tmp_path_factory.mktemp("b") / "b.sqlite")
    scope, held, total = BudgetScope("s", limit), [], 0
    for number, (amount, share) in enumerate(steps):
        full = store.reserve(str(number), [scope], amount, 0.0)
        spent, reserved = store.spent("s")
        assert spent + reserved <= limit
        assert (full is None) == (total + sum(a for _, a in held) + amount <= limit)
        if full is None:
            held.append((number, amount))
        if share % 2 and held:
            first, reserved_amount = held.pop(0)
            cost = min(share, reserved_amount)
            store.settle(str(first), [scope], reserved_amount, cost)
            total += cost
    store.close()


STEP = st.tuples(st.sampled_from(["reserve", "settle", "soon", "write", "end"]), st.integers(0, 1), st.integers(1, 60))


@settings(max_examples=40, deadline=None)
@given(st.lists(STEP, max_size=40), st.integers(0, 4000))
def test_two_processes_never_have_more_than_the_limit_spent_and_in_flight(tmp_path_factory, steps, limit):
    """Whatever each of them keeps in advance, and however late it settles: what both let pass fits."""
    path, scope = tmp_path_factory.mktemp("b") / "b.sqlite", BudgetScope("s", limit)
    flying, paid = ([], []), 0
    with mock.patch.object(WriteBehind, "due"):
        stores = [SqliteBudgets(path), SqliteBudgets(path)]
        for number, (step, which, amount) in enumerate(steps):
            store, mine = stores[which], flying[which]
            if step == "reserve" and store.reserve(str(number), [scope], amount, 0.0) is None:
                mine.append((str(number), amount))
            elif step in ("settle", "soon") and mine:
                name, worst = mine.pop(0)
                cost = min(amount, worst)
                if step == "settle":
                    store.settle(name, [scope], worst, cost)
                else:
                    store.settle_soon([scope], worst, partial(int, cost))
                paid += cost
            elif step in ("write", "end"):
                store._write_all(refill=step == "write")
            assert paid + sum(worst for each in flying for _, worst in each) <= limit
        for store in stores:
            store.close()
        assert SqliteBudgets(path).spent("s") == (paid, sum(worst for each in flying for _, worst in each))


@given(st.decimals(min_value=0, max_value=1000, places=12))
def test_nano_rounds_up(usd):
    assert 0 <= from_nano(nano(usd)) - usd < Decimal("1e-9")


def test_levels():
    assert [level_of(spent, 100) for spent in (0, 49, 50, 79, 80, 99, 100, 500)] == [0, 0, 50, 50, 80, 80, 100, 100]
    assert level_of(0, 0) == 100


def test_hard_stop_and_alerts_once_each(client, upstream, caplog):
    paid(upstream)
    alerts = []
    sdk = client(budget={"day": CALL_USD * 10}, cache=False, on_alert=alerts.append)
    for number in range(10):
        ask(sdk, "hi", max_completion_tokens=100, seed=number)
    for _ in range(3):
        with pytest.raises(openai.RateLimitError) as caught:
            ask(sdk, max_completion_tokens=100)
    assert caught.value.code == "budget_exceeded"
    assert isinstance(caught.value, promptopt.BudgetExceeded)
    assert caught.value.retry_after is None
    assert "this call may cost $0.000061" in str(caught.value)
    assert [alert.level for alert in alerts] == [50, 80, 100]
    assert caplog.text.count("budget day:") == 3
    assert "100% reached: $0.000612 of $0.000612 spent" in caplog.text
    assert upstream.calls == 10
    assert [row.status for row in sdk._client.gateway.ledger.rows()] == ["ok"] * 10 + ["refused"] * 3


def test_stopped_short_of_the_limit_alerts_100_and_does_not_say_that_all_is_spent(client, upstream, caplog):
    paid(upstream)
    alerts = []
    sdk = client(budget={"run": CALL_USD * Decimal("1.9")}, on_alert=alerts.append)
    with promptopt.labels(run="r1"):
        for number in range(50):
            try:
                ask(sdk, seed=number, max_completion_tokens=100)
            except promptopt.BudgetExceeded:
                break
    assert [alert.level for alert in alerts] == [50, 100]
    assert str(alerts[0]).startswith("budget run:r1: 50% reached: $")
    assert str(alerts[1]).startswith("budget run:r1: a call was refused, since its worst case is above what is left: $")
    assert "100%" not in caplog.text
    with promptopt.labels(run="r2"):
        ask(sdk, max_completion_tokens=100)


def test_tag_and_month(client, upstream):
    paid(upstream)
    sdk = client(budget={"month": 1, "tags": {"mail": float(CALL_USD)}})
    with promptopt.labels(tag="mail"):
        ask(sdk, max_completion_tokens=100)
        with pytest.raises(promptopt.BudgetExceeded, match="tag:mail"):
            ask(sdk, max_completion_tokens=100, seed=1)
    ask(sdk, max_completion_tokens=100, seed=2)


def test_downgrade_up_to_the_ceiling(client, upstream):
    paid(upstream)
    budget = {"day": CALL_USD, "at_limit": "downgrade", "downgrade": "gpt-5-nano", "ceiling": 2}
    sdk = client(budget=budget)
    ask(sdk, max_completion_tokens=100)
    models = []
    for number in range(20):
        try:
            models.append(ask(sdk, max_completion_tokens=100, seed=number).model)
        except promptopt.BudgetExceeded:
            break
    assert set(models) == {"gpt-5-nano"}
    assert 0 < len(models) < 20


def test_what_has_no_bound_is_refused(client, upstream):
    sdk = client(budget={"day": 1})
    with pytest.raises(promptopt.BudgetExceeded, match=r"'my-model' is unpriced. Give its price"):
        ask(sdk, model="my-model", max_completion_tokens=1)
    assert upstream.calls == 0
    # Without a cap the whole context window is reserved: $0.08 for gpt-4o-mini.
    ask(sdk)
    with pytest.raises(promptopt.BudgetExceeded, match="may cost"):
        ask(client(budget={"day": 0.01}), "something else")


def test_failures_are_settled(client, upstream):
    sdk = client(budget={"run": CALL_USD * 3}, timeout=0.3)
    scope = "run:default"
    upstream.on = lambda path, body: Reply(status=500, body={"error": {}})
    for _ in range(9):
        with pytest.raises(openai.InternalServerError):
            ask(sdk, max_completion_tokens=100)
    store = next(layer._store for layer in sdk._client.gateway.layers if type(layer).__name__ == "Budget")
    assert store.spent(scope) == (0, 0)
    upstream.on = lambda path, body: Reply(hang_s=1, body={})
    with pytest.raises(openai.APITimeoutError):
        ask(sdk, max_completion_tokens=100)
    # It may have been billed: the worst case counts.
    assert store.spent(scope) == (nano(CALL_USD), 0)


def hammer(url, budget, redis, queue, each):
    options = {"redis": redis} if redis else {}
    alerts = []
    options["on_alert"] = lambda alert: alerts.append(alert.level)
    sdk = openai.OpenAI(
        base_url=url,
        api_key="k",
        max_retries=0,
        http_client=promptopt.http_client(cache=False, budget=budget, **options),
    )
    done = []

    def work(thread):
        for number in range(each):
            try:
                sdk.chat.completions.create(
                    model="gpt-4o-mini",
                    messages=[{"role": "user", "content": "hi"}],
                    max_completion_tokens=100,
                    seed=thread * 100 + number,
                )
                done.append(1)
            except promptopt.BudgetExceeded:
                done.append(0)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sdk.close()
    queue.put((sum(done), len(done), alerts))


@pytest.mark.parametrize(("shared", "billed", "count"), [("sqlite", 100, 4), ("redis", 25, 2)])
def test_16_threads_in_4_processes_neither_overspend_nor_block_falsely(upstream, request, shared, billed, count):
    """The budget is enough for 20 of 32 calls a process as the upstream bills them, which may be less than reserved."""
    upstream.on = lambda path, body: Reply(body=chat(body, prompt_tokens=8, completion_tokens=billed))
    one = nano(Decimal("0.15") * 8 / 1_000_000 + Decimal("0.60") * billed / 1_000_000)
    worst = nano(CALL_USD)
    budget = {"day": from_nano(one * (20 * count - 1) + worst)}
    redis = request.getfixturevalue("redis_server").url if shared == "redis" else None
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    processes = [context.Process(target=hammer, args=(upstream.url, budget, redis, queue, 2)) for _ in range(count)]
    for process in processes:
        process.start()
    counts = [queue.get(timeout=100) for _ in processes]
    for process in processes:
        process.join()
    assert sum(total for _, total, _ in counts) == 32 * count
    spent = upstream.calls * one
    assert spent <= nano(budget["day"])
    assert spent + worst > nano(budget["day"])
    assert sum(done for done, _, _ in counts) == upstream.calls
    # Each is reported once, by the process that crosses the level.
    assert sorted(level for _, _, alerts in counts for level in alerts) == [50, 80, 100]


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ({"day": -1}, "budget day = -1 is not an amount of dollars"),
        ({"day": "lots"}, "budget day = 'lots' is not an amount"),
        ({"dai": 1}, "unknown key 'dai' in budget. Did you mean 'day'"),
        ({"day": 1, "at_limit": "downgrade"}, "needs `downgrade`"),
        ({"day": 1, "at_limit": "explode"}, "is not 'stop' or 'downgrade'"),
        ({"tags": {"a": -2}}, "budget tags.a day = -2"),
        (5, "is not a table"),
    ],
)
def test_bad_budget(client, budget, message):
    with pytest.raises(UsageError) as caught:
        client(budget=budget)
    assert message in str(caught.value)


def test_bad_budget_in_pyproject_names_the_line(folder):
    (folder / "pyproject.toml").write_text("[tool.promptopt.gateway]\ncache = true\nbudget = {day = -3}\n")
    with pytest.raises(ConfigError, match=r"pyproject.toml:3: .*budget day = -3 is not an amount"):
        promptopt.http_client()
    result = CliRunner().invoke(cli, ["usage"])
    assert isinstance(result.exception, ConfigError)


def test_ledger_and_budget_agree(client, upstream):
    upstream.on = lambda path, body: answer(body)
    sdk = client(budget={"run": 1})
    for number in range(5):
        ask(sdk, seed=number, max_completion_tokens=10)
    store = next(layer._store for layer in sdk._client.gateway.layers if type(layer).__name__ == "Budget")
    incurred = sum(row.incurred_usd for row in sdk._client.gateway.ledger.rows())
    assert float(from_nano(store.spent("run:default")[0])) == pytest.approx(incurred)


def test_a_callback_that_fails_costs_no_answer(client, upstream, caplog):
    paid(upstream)
    sdk = client(budget={"run": CALL_USD}, cache=False, on_alert=lambda alert: 1 / 0)
    assert ask(sdk, max_completion_tokens=100).choices[0].message.content == "ok"
    assert caplog.text.count("on_alert failed") == 3


def test_a_call_that_is_little_of_a_budget_is_refused_by_its_counted_tokens_only(upstream, tmp_path):
    """100 letters of one token: $0.000016 at most if they are taken for tokens, $0.0000025 as counted."""
    call = {"messages": [{"role": "user", "content": "a" * 100}], "max_completion_tokens": 1}
    counted = Call.of("chat", "", {"model": "gpt-4o-mini", **call})
    costs = Costs(load_config())
    worst, loose = nano(costs.worst_case(counted).cost.total_usd), costs.loose_case(counted)
    assert loose > 2 * worst
    upstream.on = lambda path, body: Reply(body=chat(body, prompt_tokens=20, completion_tokens=1))
    paid_usd = nano(Decimal("0.15") * 20 / 1_000_000 + Decimal("0.60") / 1_000_000)
    day = loose * 20_000
    with openai.OpenAI(
        base_url=upstream.url,
        api_key="k",
        http_client=promptopt.http_client(path=tmp_path, budget={"day": from_nano(day)}),
    ) as client:
        client.chat.completions.create(model="gpt-4o-mini", **call)
        budget = next(layer for layer in client._client.gateway.layers if isinstance(layer, Budget))
        (standing,) = budget.standings()
        assert nano(standing.spent_usd) == paid_usd
        # What is left is enough for what the call can cost, and not for what it reserves loosely.
        budget._store.give_back([standing.scope], -(day - paid_usd - worst))
        client.chat.completions.create(model="gpt-4o-mini", **{**call, "user": "second"})
        budget._store.give_back([standing.scope], -(worst - paid_usd))
        with pytest.raises(promptopt.BudgetExceeded):
            client.chat.completions.create(model="gpt-4o-mini", **{**call, "user": "third"})
