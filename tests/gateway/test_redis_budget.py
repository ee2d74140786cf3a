"""A budget in Redis that was emptied, replaced or partly lost refuses; it does not begin again at $0."""

from decimal import Decimal

import pytest
import redis
from click.testing import CliRunner
from upstream import ask

import promptopt
from promptopt.cli import cli
from promptopt.config import load_config
from promptopt.errors import UsageError
from promptopt.gateway.call import Call
from promptopt.gateway.costs import Costs
from promptopt.gateway.flow import Blocking, send
from promptopt.gateway.layers.budget import Budget
from promptopt.gateway.layers.budget_scopes import BudgetLimits
from promptopt.gateway.stores.base import BudgetScope, StoreDown, StoreOptions
from promptopt.gateway.stores.redis_budget import RedisBudgets, budget_marks
from promptopt.gateway.stores.redis_link import RedisLink

DAY = BudgetScope("day:2026-11-27", 1000)
TEAM = BudgetScope("team:a:2026-11-27", 1000)
CAP = {"max_completion_tokens": 10}


@pytest.fixture
def server(redis_server):
    made = redis.Redis.from_url(redis_server.url)
    yield made
    made.close()


@pytest.fixture
def make(redis_server, folder):
    """Budgets as another process on this machine, or on another one, has them."""
    links = []

    def make(place=folder):
        links.append(RedisLink(redis_server.url))
        marks = budget_marks(StoreOptions(place, url=redis_server.url))
        return RedisBudgets(links[-1], marks)

    yield make
    for link in links:
        link.close()


def spend(budgets, number, scopes=(DAY,), amount=100, paid=60):
    full = budgets.reserve(number, scopes, amount, 0.0)
    assert full is None
    budgets.settle(number, scopes, amount, paid)
    # What is asked after it finds it settled.
    budgets.spent(DAY.name)


@pytest.mark.parametrize("again", [False, True], ids=["running", "started again"])
def test_an_emptied_redis_refuses(make, server, again):
    budgets = make()
    spend(budgets, "a")
    server.flushall()
    if again:
        budgets = make()
    for number in ("b", "c"):
        with pytest.raises(StoreDown, match=r"was emptied, or is another one.*promptopt gateway reset-budget"):
            budgets.reserve(number, [DAY], 10, 0.0)
    with pytest.raises(StoreDown, match="was emptied"):
        budgets.names()
    assert server.keys("*") == []


def test_a_redis_that_somebody_else_has_begun_since_refuses(make, server, tmp_path):
    budgets = make()
    spend(budgets, "a")
    server.flushall()
    # Nobody on that machine remembers: nothing can be known there.
    spend(make(tmp_path / "another machine"), "b")
    with pytest.raises(StoreDown, match="was emptied, or is another one"):
        budgets.reserve("c", [DAY], 10, 0.0)
    with pytest.raises(StoreDown, match="was emptied, or is another one"):
        make().reserve("d", [DAY], 10, 0.0)


def test_a_settlement_after_a_loss_counts_nothing_and_gives_nothing_back(make, server, caplog):
    budgets = make()
    assert budgets.reserve("a", [DAY], 100, 0.0) is None
    server.flushall()
    budgets.settle("a", [DAY], 100, 5)
    budgets.give_back([DAY.name], 50)
    assert server.keys("*") == []
    assert "was emptied" in caplog.text
    assert "the worst case of a call stays reserved" in caplog.text


def test_one_budget_that_was_evicted_refuses_and_the_others_go_on(make, server):
    budgets = make()
    spend(budgets, "a", (DAY, TEAM))
    server.delete("promptopt:budget:team:a:2026-11-27")
    with pytest.raises(StoreDown, match="has lost the budget team:a:2026-11-27"):
        budgets.reserve("b", [DAY, TEAM], 10, 0.0)
    assert budgets.spent(DAY.name) == (60, 0)
    spend(budgets, "c")
    spend(budgets, "d", (BudgetScope("team:b:2026-11-27", 1000),))


def test_budgets_whose_time_is_over_are_no_loss(make, server):
    budgets = make()
    spend(budgets, "a")
    server.zadd("promptopt:budget-list", {"promptopt:budget:day:2026-11-27": 1.0})
    server.delete("promptopt:budget:day:2026-11-27")
    spend(budgets, "b")
    assert budgets.spent(DAY.name) == (60, 0)


def test_budgets_of_an_earlier_version_count_on(make, server):
    server.hset("promptopt:budget:day:2026-11-27", mapping={"spent": 900, "reserved": 0})
    budgets = make()
    full = budgets.reserve("a", [DAY], 200, 0.0)
    assert full is not None
    assert full.spent == 900
    spend(budgets, "b", amount=50, paid=40)
    assert make().spent(DAY.name) == (940, 0)


def test_whoever_counts_goes_on_after_it_was_begun_again_on_purpose(make, server, tmp_path):
    budgets, other = make(), make(tmp_path / "another machine")
    spend(budgets, "a")
    spend(other, "b")
    assert other.reserve("held", [DAY], 100, 0.0) is None
    server.flushall()
    make().begin_again({DAY.name: 500})
    for each in (budgets, other):
        assert each.spent(DAY.name)[0] == 500
    other.settle("held", [DAY], 100, 30)
    other.spent(DAY.name)
    spend(budgets, "c")
    spend(other, "d")
    spend(make(), "e")
    assert budgets.spent(DAY.name) == (500 + 30 + 3 * 60, 0)


def test_a_process_that_can_write_nothing_counts_all_the_same(make, server, folder, caplog):
    (folder / "file").write_text("")
    budgets = make(folder / "file")
    spend(budgets, "a")
    assert "only this process remembers" in caplog.text
    server.flushall()
    with pytest.raises(StoreDown):
        budgets.reserve("b", [DAY], 10, 0.0)


def test_calls_are_refused_and_the_ledger_gives_the_money_back(client, upstream, server, redis_server, folder):
    (folder / "pyproject.toml").write_text(
        f'[tool.promptopt.gateway]\nredis = "{redis_server.url}"\nbudget = {{day = 1}}\n'
    )
    sdk = client()
    for number in range(3):
        ask(sdk, f"{number}", **CAP)
    sdk.close()
    runner = CliRunner()
    before = runner.invoke(cli, ["gateway", "status"]).output
    server.flushall()
    asked = upstream.calls
    for _ in range(2):
        with pytest.raises(promptopt.GatewayUnavailable, match="was emptied"):
            ask(client(cache=False), "more", **CAP)
    assert upstream.calls == asked
    shown = runner.invoke(cli, ["gateway", "status"])
    assert isinstance(shown.exception, UsageError)
    assert "promptopt gateway reset-budget" in str(shown.exception)
    done = runner.invoke(cli, ["gateway", "reset-budget", "--yes"])
    assert done.exit_code == 0, done.output
    assert "counted again from 3 calls in the ledger" in done.output
    assert runner.invoke(cli, ["gateway", "status"]).output == before
    ask(client(cache=False), "more", **CAP)
    assert upstream.calls == asked + 1


def test_the_ledger_remembers_what_the_file_beside_it_forgot(client, upstream, server, redis_server, folder):
    options = {"redis": redis_server.url, "budget": {"day": 1}, "cache": False}
    for _ in range(2):
        # The ledger is there from the first call on, and knows the mark from the next start on.
        sdk = client(**options)
        ask(sdk, "one", **CAP)
        sdk.close()
    for part in (folder / ".promptopt").glob("budget.redis-*.mark"):
        part.unlink()
    server.flushall()
    with pytest.raises(promptopt.GatewayUnavailable, match="was emptied"):
        ask(client(**options), "two", **CAP)


def test_a_cancelled_reservation_that_redis_does_not_take_back_stays(make, redis_server, caplog):
    budgets = make()
    layer = Budget(BudgetLimits(day=Decimal(5)), budgets, Costs(load_config()))
    call = Call.of("chat", "http://h/v1/chat/completions", {"model": "gpt-4o-mini", "messages": [], **CAP})
    effect = layer.handle(call, send).send(None)
    assert isinstance(effect, Blocking)
    result = effect.function()
    redis_server.kill()
    effect.undo(result)
    budgets._link.close()
    assert "stays reserved" in caplog.text
