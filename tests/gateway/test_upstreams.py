"""Several upstreams: which one is asked, which one rests, and what the others do for it."""

from collections import Counter
from decimal import Decimal
from random import Random

import openai
import pytest
from upstream import Reply, Upstream, ask, error

import promptopt
from promptopt.config import Config, OwnPrice
from promptopt.errors import UsageError
from promptopt.gateway.call import Answer, Call
from promptopt.gateway.call import Upstream as Endpoint
from promptopt.gateway.costs import Costs
from promptopt.gateway.failures import CallFailed
from promptopt.gateway.flow import run
from promptopt.gateway.layers.upstreams import NoUpstream, UpstreamPlan, Upstreams
from promptopt.gateway.simulate import SimulatedClock
from promptopt.values import Usage


class World:
    """A layer on a clock of its own, whose upstreams answer as `on(name)` says: seconds, or how they fail."""

    def __init__(self, tmp_path, *upstreams, on=lambda name: 1.0, **plan):
        self.clock = SimulatedClock(start=1_790_000_000)
        self.on = on
        self.asked = []
        config = Config(tmp_path, tmp_path, tmp_path)
        self.layer = Upstreams(
            UpstreamPlan(upstreams, **plan), Costs(config, self.clock), clock=self.clock, random=Random(7)
        )

    def call(self, model="gpt-4o-mini"):
        call = Call.of("chat", "", {"model": model, "messages": [], "max_completion_tokens": 10})
        return run(self.layer.handle(call, self._inner), lambda call: Answer(), self.clock)

    def _inner(self, call):
        self.asked.append(call.upstream.name)
        found = self.on(call.upstream.name)
        if isinstance(found, CallFailed):
            raise found
        self.clock.sleep(found)
        return Answer("ok", usage=Usage(1, 0, 0, 1))
        yield


def endpoints(*names, **options):
    return [Endpoint(name, f"http://{name}", **options) for name in names]


def test_weights_share_the_calls(tmp_path):
    world = World(tmp_path, Endpoint("a", "http://a", weight=3), Endpoint("b", "http://b"))
    for _ in range(400):
        world.call()
    assert 270 <= Counter(world.asked)["a"] <= 330


def test_a_failed_call_is_asked_of_another_upstream_and_the_failing_one_rests(tmp_path):
    failing = {"a": CallFailed("server", status=500)}
    world = World(tmp_path, *endpoints("a", "b"), on=lambda name: failing.get(name, 1.0), cooldown_s=30, failures=2)
    while world.asked.count("a") < 2:
        assert world.call().text == "ok"
    assert world.layer.resting()["a"] > 0
    world.asked.clear()
    for _ in range(20):
        world.call()
    assert set(world.asked) == {"b"}
    world.clock.sleep(31)
    failing.clear()
    for _ in range(20):
        world.call()
    assert "a" in world.asked


def test_retry_after_says_how_long_an_upstream_rests(tmp_path):
    throttled = CallFailed("rate_limit", status=429, headers={"retry-after": "100"})
    world = World(tmp_path, *endpoints("a", "b"), on=lambda name: throttled if name == "a" else 0.1)
    while "a" not in world.asked:
        world.call()
    assert 90 < world.layer.resting()["a"] <= 100


def test_a_bad_request_is_asked_once_and_rests_nobody(tmp_path):
    world = World(tmp_path, *endpoints("a", "b"), on=lambda name: CallFailed("bad_request", status=400))
    with pytest.raises(CallFailed):
        world.call()
    assert len(world.asked) == 1
    assert set(world.layer.resting().values()) == {0}


def test_what_the_client_has_seen_a_part_of_is_not_asked_again(tmp_path):
    world = World(tmp_path, *endpoints("a", "b"), on=lambda name: CallFailed("connection", passed=True))
    with pytest.raises(CallFailed):
        world.call()
    assert len(world.asked) == 1


def test_if_all_rest_the_one_that_rests_the_shortest_is_asked(tmp_path):
    headers = {"a": {"retry-after": "50"}, "b": {"retry-after": "20"}}
    world = World(tmp_path, *endpoints("a", "b"), on=lambda name: CallFailed("rate_limit", headers=headers[name]))
    for _ in range(2):
        world.asked.clear()
        with pytest.raises(CallFailed, match="rate_limit"):
            world.call()
    assert world.asked == ["b", "a"]


def test_latency_asks_the_fast_one_and_comes_back_to_one_that_has_become_fast(tmp_path):
    took = {"a": 5.0, "b": 1.0}
    world = World(tmp_path, *endpoints("a", "b"), on=lambda name: took[name], balance="latency")
    for _ in range(20):
        world.call()
    assert Counter(world.asked[2:])["b"] > 12
    took["a"], took["b"] = 0.2, 8.0
    world.asked.clear()
    for _ in range(30):
        world.call()
    assert Counter(world.asked)["a"] > 20


def test_price_asks_the_cheapest_that_works(tmp_path):
    cheap = {"gpt-4o-mini": OwnPrice(Decimal("0.01"), Decimal("0.02"))}
    broken = {}
    world = World(
        tmp_path,
        Endpoint("usual", "http://a"),
        Endpoint("cheap", "http://b", prices=cheap),
        on=lambda name: broken.get(name, 1.0),
        balance="price",
    )
    for _ in range(5):
        world.call()
    assert set(world.asked) == {"cheap"}
    broken["cheap"] = CallFailed("auth", status=401)
    world.call()
    assert world.asked[-2:] == ["cheap", "usual"]


def test_a_model_goes_where_it_is_and_one_that_is_nowhere_is_refused(tmp_path):
    a, b = (
        Endpoint("a", "http://a", models={"gpt-4o": "gpt-4o"}),
        Endpoint("b", "http://b", models={"llama-*": "llama-*"}),
    )
    world = World(tmp_path, a, b)
    world.call("gpt-4o")
    world.call("llama-3")
    assert world.asked == ["a", "b"]
    with pytest.raises(NoUpstream, match="no upstream has the model 'o3'"):
        world.call("o3")


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ({"upstreams": []}, "there is none"),
        ({"upstreams": endpoints("a", "a")}, "two are named 'a'"),
        ({"upstreams": endpoints("a"), "cooldown_s": 0}, "give positive numbers"),
    ],
)
def test_a_wrong_plan_is_refused(plan, said):
    with pytest.raises(UsageError, match=said):
        UpstreamPlan(**plan)


@pytest.fixture
def others():
    made = []

    def make(on=None):
        made.append(Upstream(on))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_the_sdk_falls_over_to_another_endpoint_with_that_ones_key_and_name(client, upstream, others, monkeypatch):
    monkeypatch.setenv("EU_KEY", "sk-eu")
    broken, eu = others(lambda path, body: error(500, "server_error")), others()
    upstreams = [
        {"name": "us", "url": broken.url, "weight": 1_000_000},
        {"name": "eu", "url": eu.url, "key_env": "EU_KEY", "header": "api-key", "models": {"gpt-4o-mini": "mini-eu"}},
    ]
    sdk = client(upstreams=upstreams, cache=False)
    assert ask(sdk).choices[0].message.content == "ok"
    assert upstream.calls == 0
    _, body, headers = eu.requests[0]
    assert (body["model"], headers["api-key"]) == ("mini-eu", "sk-eu")
    assert "authorization" not in headers
    assert "authorization" not in broken.requests[0][2]
    rows = list(sdk._client.gateway.ledger.rows())
    assert [(row.model, row.status, row.step) for row in rows] == [
        ("gpt-4o-mini", "error", 0),
        ("gpt-4o-mini", "ok", 1),
    ]


def test_a_fallback_reaches_another_providers_endpoint(client, others):
    first = others(lambda path, body: error(429, "insufficient_quota"))
    second = others()
    upstreams = [
        {"name": "one", "url": first.url, "models": ["gpt-4o-mini"]},
        {
            "name": "two",
            "url": second.url,
            "models": ["llama-3"],
            "prices": {"llama-3": {"input_mtok": 1, "output_mtok": 1}},
        },
    ]
    sdk = client(upstreams=upstreams, fallback=["llama-3"])
    assert ask(sdk).model == "llama-3"
    assert first.calls == second.calls == 1


def test_a_budget_settles_at_the_price_of_the_upstream_that_answered(client, others):
    endpoint = others()
    prices = {"house-model": {"input_mtok": "1000", "output_mtok": "2000"}}
    sdk = client(upstreams=[{"name": "a", "url": endpoint.url, "prices": prices}], budget={"day": 100})
    ask(sdk, model="house-model", max_completion_tokens=5)
    (row,) = sdk._client.gateway.ledger.rows()
    assert row.list_usd == pytest.approx(10 * 0.001 + 2 * 0.002)


def test_a_stream_of_the_sdk_comes_from_an_upstream(client, others):
    endpoint = others()
    sdk = client(upstreams=[{"name": "a", "url": endpoint.url}])
    chunks = list(ask(sdk, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "okthen"


def test_a_key_that_is_not_in_the_environment_is_said(monkeypatch):
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    with pytest.raises(UsageError, match="upstreams a: the environment variable NO_SUCH_KEY is not set"):
        promptopt.http_client(upstreams=[{"name": "a", "url": "http://a", "key_env": "NO_SUCH_KEY"}])


def test_a_model_that_nobody_has_is_the_sdks_error(client, others):
    sdk = client(upstreams=[{"name": "a", "url": others().url, "models": ["gpt-4o"]}])
    with pytest.raises(openai.APIStatusError, match="no upstream has the model") as caught:
        ask(sdk)
    assert caught.value.status_code == 404


def test_a_broken_upstream_is_left_for_the_next(client, others):
    broken, good = others(lambda path, body: Reply(reset=True)), others()
    upstreams = [{"name": "a", "url": broken.url, "weight": 10**6}, {"name": "b", "url": good.url}]
    assert ask(client(upstreams=upstreams)).choices[0].message.content == "ok"
