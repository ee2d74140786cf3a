"""Two replicas on one Redis: they keep a budget, a limit and a cache together."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from upstream import wait_until

from promptopt.gateway.stores.ledger import open_ledger

SHARED = """
[tool.promptopt.gateway]
redis = "REDIS"
ledger = "LEDGER"
path = "NAME"
"""
# 10 tokens in and 2 out of gpt-4o-mini; the worst case is a little more.
COST = 2.7e-6


@pytest.fixture
def replicas(process, redis_server, postgres_server):
    """Two servers that share a Redis, and a ledger in PostgreSQL."""

    def make(more):
        text = SHARED.replace("REDIS", redis_server.url).replace("LEDGER", postgres_server.url)
        return [process(text.replace("NAME", name) + more) for name in ("one", "two")]

    return make


def asked(servers, count, **options):
    """How many of some calls, made at once and in turns, each status had."""

    def ask(number):
        messages = [{"role": "user", "content": f"q{number}"}]
        body = {"model": "gpt-4o-mini", "messages": messages, "max_completion_tokens": 2, **options}
        return servers[number % 2].post(body).status_code

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(ask, range(count)))
    return {status: found.count(status) for status in set(found)}


def test_a_budget_holds_over_both_and_one_ledger_has_all_rows(replicas, upstream, postgres_server):
    servers = replicas(f"budget = {{day = {COST * 20}}}\n")
    found = asked(servers, 60)
    assert found[200] == upstream.calls
    assert 15 <= found[200] <= 20
    assert found[429] == 60 - found[200]
    ledger = open_ledger(postgres_server.url)
    assert wait_until(lambda: len(list(ledger.rows())) == 60)
    assert sum(row.incurred_usd or 0 for row in ledger.rows()) <= COST * 20 + 1e-12
    ledger.close()
    assert [server.stop() for server in servers] == [0, 0]


def test_a_limit_holds_over_both(replicas, upstream):
    servers = replicas('limits = {per_user = "10/hour"}\ncache = false\n')
    found = asked(servers, 30, user="u1")
    # Two processes may let one call too many pass.
    assert 10 <= found[200] <= 11
    assert found[429] == 30 - found[200]
    assert upstream.calls == found[200]


def test_what_one_was_answered_the_other_has(replicas, upstream):
    one, two = replicas("")
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}], "temperature": 0}
    assert one.post(body).json() == two.post(body).json()
    assert two.post(body).headers["x-promptopt-source"] == "cache"
    assert upstream.calls == 1
