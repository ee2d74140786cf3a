"""Anthropic's SDK on the gateway: the same layers, its own accounting, and breakpoints for its prompt cache."""

import asyncio
import json

import anthropic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from upstream import Reply, error, wait_until

import promptopt
from promptopt.auditing.readers.ledger import row_calls
from promptopt.gateway.anthropic.hints import has_own, minimum_tokens
from promptopt.gateway.anthropic.wire import read_usage
from promptopt.gateway.call import Call
from promptopt.gateway.layers.prompt_cache_hints import PromptCacheHints
from promptopt.gateway.openai.events import EventCollector, read_stream

SONNET, HAIKU = "claude-sonnet-4-6", "claude-haiku-4-5"
# Input, output, reads and writes of the cache: dollars per million tokens.
PRICES = {SONNET: (3, 15, 0.3, 3.75), HAIKU: (1, 5, 0.1, 1.25)}
LONG = "Route each ticket to one of the teams below, and say why. " * 250
TOOLS = [{"name": "look_up", "description": LONG[:12_000], "input_schema": {"type": "object", "properties": {}}}]


def message(body, blocks=None, *, reason="end_turn", read=0, written=0, output=5):
    """An answer of the API; its input counts the cached tokens beside it."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [{"type": "text", "text": "four"}] if blocks is None else blocks,
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": {
            "input_tokens": 10,
            "cache_read_input_tokens": read,
            "cache_creation_input_tokens": written,
            "output_tokens": output,
        },
    }


def events(body, text="two words", *, reason="end_turn", read=0):
    """The same as a stream."""
    start = {**message(body, [], read=read, output=1), "stop_reason": None}
    found = [{"type": "message_start", "message": start}, {"type": "ping"}]
    found.append({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
    deltas = [{"type": "text_delta", "text": word} for word in text.split(" ")]
    found += [{"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas]
    found.append({"type": "content_block_stop", "index": 0})
    end = {"stop_reason": reason, "stop_sequence": None}
    found.append({"type": "message_delta", "delta": end, "usage": {"output_tokens": 7}})
    return [*found, {"type": "message_stop"}]


def reply(path, body):
    return Reply(events=events(body)) if body.get("stream") else Reply(body=message(body))


@pytest.fixture
def claude(upstream):
    """Makes clients of Anthropic's SDK."""
    made = []
    upstream.on = reply

    def make(*, max_retries=0, **options):
        http = promptopt.http_client(**options)
        base = upstream.url.removesuffix("/v1")
        made.append(anthropic.Anthropic(api_key="sk-ant", base_url=base, max_retries=max_retries, http_client=http))
        return made[-1]

    yield make
    for each in made:
        each.close()


def ask(client, text="2+2?", **options):
    """One message; the SDK has no argument for the temperature."""
    plain = {"model": SONNET, "max_tokens": 50, "messages": [{"role": "user", "content": text}]}
    body = {"temperature": 0, **options.pop("extra_body", {})}
    return client.messages.create(**{**plain, **options}, extra_body=body)


def rows(client):
    return list(client._client.gateway.ledger.rows())


def cost(model, plain, output, read=0, written=0):
    prices = PRICES[model]
    return (plain * prices[0] + output * prices[1] + read * prices[2] + written * prices[3]) / 1e6


def test_a_message_is_kept_and_paid_once(claude, upstream):
    upstream.on = lambda path, body: Reply(body=message(body, read=2000, written=100), headers={"request-id": "req_7"})
    sdk = claude()
    first, second = ask(sdk), ask(sdk)
    assert first == second
    assert first._request_id == second._request_id == "req_7"
    assert upstream.calls == 1
    miss, hit = rows(sdk)
    assert (miss.endpoint, miss.cache, hit.cache, hit.incurred_usd) == ("messages", "miss", "cache", 0)
    assert (miss.input_tokens, miss.cache_read_tokens, miss.cache_write_tokens, miss.output_tokens) == (
        2110,
        2000,
        100,
        5,
    )
    assert miss.incurred_usd == pytest.approx(cost(SONNET, 10, 5, 2000, 100))
    assert (miss.finish_reason, miss.max_output_tokens) == ("stop", 50)


@pytest.mark.parametrize("stream", [False, True])
def test_what_is_written_for_an_hour_costs_twice_the_input(claude, upstream, stream):
    def answered(path, body):
        found = message(body, [] if stream else None, read=2000, written=100, output=7)
        found["usage"]["cache_creation"] = {"ephemeral_5m_input_tokens": 40, "ephemeral_1h_input_tokens": 60}
        if not stream:
            return Reply(body=found)
        return Reply(events=[{"type": "message_start", "message": found}, *events(body)[1:]])

    upstream.on = answered
    sdk = claude()
    answer = ask(sdk, stream=stream)
    if stream:
        list(answer)
    assert wait_until(lambda: len(rows(sdk)) == 1)
    (row,) = rows(sdk)
    assert (row.cache_write_tokens, row.cache_write_1h_tokens) == (100, 60)
    assert row.incurred_usd == pytest.approx(cost(SONNET, 10, 7, 2000, 40) + 60 * 6 / 1e6)
    (logged,) = row_calls(row)
    assert (logged.cache_write_tokens, logged.cache_write_1h_tokens) == (40, 60)


def test_a_budget_reserves_for_what_is_written_for_an_hour(claude, upstream):
    def refused(ttl):
        kept = {"type": "ephemeral", **({"ttl": ttl} if ttl else {})}
        block = {"type": "text", "text": LONG, "cache_control": kept}
        # Some 3,300 tokens: one and a quarter cents at the rate of five minutes, two at that of an hour.
        sdk = claude(budget={"day": 0.016}, path=str(ttl), cache=False)
        ask(sdk, messages=[{"role": "user", "content": [block]}])

    refused(None)
    with pytest.raises(promptopt.BudgetExceeded):
        refused("1h")


def test_streams(claude, upstream):
    upstream.on = lambda path, body: Reply(events=events(body, read=3000))
    sdk = claude()
    for _ in range(2):
        with sdk.messages.stream(
            model=SONNET,
            max_tokens=50,
            messages=[{"role": "user", "content": "hi"}],
            extra_body={"temperature": 0},
        ) as stream:
            assert list(stream.text_stream) == ["two", "words"]
            assert stream.get_final_message().usage.output_tokens == 7
    assert wait_until(lambda: len(rows(sdk)) == 2)
    assert upstream.calls == 1
    assert (rows(sdk)[0].input_tokens, rows(sdk)[0].cache_read_tokens, rows(sdk)[0].output_tokens) == (3010, 3000, 7)


def test_async(upstream):
    upstream.on = reply

    async def main():
        async with anthropic.AsyncAnthropic(
            api_key="k", base_url=upstream.url.removesuffix("/v1"), http_client=promptopt.async_http_client()
        ) as sdk:
            messages = [{"role": "user", "content": "hi"}]
            asked = [
                sdk.messages.create(model=SONNET, max_tokens=9, messages=messages, extra_body={"temperature": 0})
                for _ in range(10)
            ]
            return {answer.content[0].text for answer in await asyncio.gather(*asked)}

    assert asyncio.run(main()) == {"four"}
    assert upstream.calls == 1


TOOL_USE = [{"type": "tool_use", "id": "t", "name": "look_up", "input": {}}]
SEARCHED = [
    {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
    {"type": "text", "text": "sunny"},
]


@pytest.mark.parametrize(
    ("blocks", "reason", "asked"),
    [
        (None, "end_turn", 1),
        (None, "stop_sequence", 1),
        (TOOL_USE, "tool_use", 1),
        (None, "max_tokens", 2),
        (None, "refusal", 2),
        (None, "pause_turn", 2),
        (None, "model_context_window_exceeded", 2),
        ([], "end_turn", 2),
        (SEARCHED, "end_turn", 2),
    ],
)
def test_what_is_kept_of_answers(claude, upstream, blocks, reason, asked):
    upstream.on = lambda path, body: Reply(body=message(body, blocks, reason=reason))
    sdk = claude()
    for _ in range(2):
        assert ask(sdk).stop_reason == reason
    assert upstream.calls == asked


PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
LINK = {"type": "image", "source": {"type": "url", "url": "https://cam.example/now.png"}}


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ({"tools": TOOLS}, 1),
        ({"messages": [{"role": "user", "content": [PICTURE]}]}, 1),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, 2),
        ({"messages": [{"role": "user", "content": [LINK]}]}, 2),
        ({"extra_body": {"container": "c"}}, 2),
        ({"extra_body": {"mcp_servers": [{"type": "url", "url": "https://x", "name": "x"}]}}, 2),
        ({"extra_body": {"temperature": 1}}, 2),
    ],
)
def test_what_is_kept_of_calls(claude, upstream, options, asked):
    sdk = claude()
    for _ in range(2):
        ask(sdk, **options)
    assert upstream.calls == asked


def test_another_version_of_the_api_is_another_call(claude, upstream):
    sdk = claude()
    for beta in ("one", "two", "one"):
        ask(sdk, extra_headers={"anthropic-beta": beta})
    assert upstream.calls == 2


def test_keys_are_apart(upstream, claude):
    one = claude(path="shared")
    other = one.with_options(api_key="sk-ant-other")
    assert ask(one) == ask(other)
    assert upstream.calls == 2


def test_refusals_are_errors_of_both(claude, upstream):
    sdk = claude(limits={"per_user": "1/hour"}, cache=False, max_retries=2)
    ask(sdk)
    with pytest.raises(anthropic.RateLimitError) as refused:
        ask(sdk)
    assert isinstance(refused.value, promptopt.LimitExceeded)
    assert refused.value.retry_after > 3000
    assert refused.value.code == refused.value.body["error"]["type"] == "rate_limit_exceeded"
    assert "limit of 1 per 1 hour" in str(refused.value)
    assert upstream.calls == 1


def test_budgets_count_messages(claude, upstream):
    sdk = claude(budget={"day": 0.002}, cache=False)
    refused = None
    for number in range(50):
        try:
            ask(sdk, f"question {number}")
        except promptopt.BudgetExceeded as error_:
            refused = error_
            break
    assert isinstance(refused, anthropic.APIStatusError)
    assert 1 < upstream.calls < 50
    assert sum(row.incurred_usd for row in rows(sdk) if row.status == "ok") <= 0.002


@pytest.mark.parametrize(
    ("status", "kind", "text", "expected"),
    [
        (529, "overloaded_error", "Overloaded", HAIKU),
        (400, "invalid_request_error", "prompt is too long: 200100 tokens > 200000 maximum", HAIKU),
        (400, "invalid_request_error", "Your credit balance is too low to access the API", HAIKU),
        (400, "invalid_request_error", "messages: roles must alternate", None),
        (401, "authentication_error", "invalid x-api-key", None),
    ],
)
def test_fallback_by_what_failed(claude, upstream, status, kind, text, expected):
    failure = {"type": "error", "error": {"type": kind, "message": text}}
    upstream.on = lambda path, body: (
        Reply(status=status, body=failure) if body["model"] == SONNET else reply(path, body)
    )
    sdk = claude(fallback={"models": [HAIKU], "after_retries": 0})
    if expected:
        assert ask(sdk).model == expected
    else:
        with pytest.raises(anthropic.APIStatusError, match=text):
            ask(sdk)


def test_broken_answers_and_streams_reach_the_sdk(claude, upstream):
    upstream.on = lambda path, body: Reply(body=b"<html>")
    with pytest.raises(anthropic.InternalServerError):
        ask(claude())
    upstream.on = lambda path, body: Reply(events=events(body)[:4])
    sdk = claude(path="other")
    parts = list(ask(sdk, stream=True))
    assert [part.type for part in parts][-1] == "content_block_delta"
    assert not list(sdk._client.gateway.cache.store.entries())


def marks(body):
    """Where a request has breakpoints."""
    return [name for name in ("tools", "system", "messages") if "cache_control" in json.dumps(body.get(name))]


def test_breakpoints_after_what_never_changes(claude, upstream):
    sdk = claude(prompt_caching=True, cache=False)
    for number in range(2):
        ask(sdk, f"ticket {number}", system=LONG, tools=TOOLS)
    for _, body, _ in upstream.requests:
        assert marks(body) == ["tools", "system"]
        assert body["system"] == [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}]
        assert body["tools"][:-1] == TOOLS[:-1]
    first, second = rows(sdk)
    assert first.expected_cached_tokens == 0
    assert second.expected_cached_tokens > 2000


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"system": LONG[:3000]}, []),
        ({"system": LONG[:10_000]}, ["system"]),
        ({"system": LONG[:10_000], "model": HAIKU}, []),
        ({"system": LONG * 2, "model": HAIKU}, ["system"]),
        ({"system": [{"type": "text", "text": LONG}, {"type": "text", "text": "."}]}, ["system"]),
        ({"system": "short", "tools": TOOLS}, ["tools", "system"]),
        ({}, []),
    ],
)
def test_breakpoints_only_where_the_model_keeps_anything(claude, upstream, options, expected):
    ask(claude(prompt_caching=True), **options)
    assert marks(upstream.requests[0][1]) == expected


TEXT = {"type": "text", "text": "x"}
OWN = {"type": "ephemeral", "ttl": "1h"}


@pytest.mark.parametrize(
    "options",
    [
        {"system": [{"type": "text", "text": LONG, "cache_control": OWN}], "tools": TOOLS},
        {
            "system": LONG,
            "messages": [{"role": "user", "content": [{"type": "text", "text": "x", "cache_control": OWN}]}],
        },
        {"system": LONG, "extra_body": {"cache_control": OWN}},
    ],
)
def test_who_places_breakpoints_places_all(claude, upstream, options):
    sdk = claude(prompt_caching=True)
    ask(sdk, **options)
    sent = upstream.requests[0][1]
    assert json.dumps(sent).count('"cache_control"') == 1
    assert has_own(sent)


def test_a_prefix_that_is_another_one_each_time_is_not_written_for_ever(claude, upstream):
    sdk = claude(prompt_caching=True, cache=False)
    for number in range(8):
        ask(sdk, system=f"It is {number} o'clock. {LONG}")
    assert [bool(marks(body)) for _, body, _ in upstream.requests] == [True] * 3 + [False] * 5
    ask(sdk, system=f"It is 7 o'clock. {LONG}")
    assert marks(upstream.requests[-1][1]) == ["system"]


def test_nothing_is_placed_unless_it_is_asked_for(claude, upstream):
    ask(claude(), system=LONG)
    assert not marks(upstream.requests[0][1])


def test_minimums_of_models():
    names = SONNET, HAIKU, "claude-opus-4-5-20251101", "anthropic/claude-3-haiku-20240307"
    assert [minimum_tokens(name) for name in names] == [2048, 4096, 4096, 2048]
    assert [minimum_tokens(name) for name in ("claude-opus-5", "claude-sonnet-4-5", "another")] == [512, 1024, 1024]


KEYS = ["type", "text", "content", "cache_control", "usage", "delta"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "text", "content", "cache_control", "usage", "delta"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(("system", "tools", "messages", "cache_control"), JSON)))
def test_hints_leave_any_body_as_it_is_but_for_breakpoints(body):
    def inner(call):
        return call
        yield

    hints = PromptCacheHints()
    flow = hints.handle(Call.of("messages", "", {"model": SONNET, **body}), inner)
    with pytest.raises(StopIteration) as ended:
        next(flow)
    assert ended.value.value.body == {"model": SONNET, **body}


@given(st.lists(st.sampled_from(events({"model": "m"})) | JSON, max_size=12))
def test_any_events_are_read_or_refused(found):
    collector = EventCollector(Call.of("messages", "", {"model": "m", "messages": [], "stream": True}))
    data = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in found)
    assert collector.feed(data) == data
    try:
        collector.last()
        answer = collector.finish()
    except ValueError:
        return
    assert isinstance(answer.text, str)


@given(JSON | st.dictionaries(st.sampled_from(["input_tokens", "output_tokens", "cache_read_input_tokens"]), JSON))
def test_any_usage_is_read_or_none(usage):
    found = read_usage(usage)
    assert found is None or found.input_tokens >= found.cache_read_tokens


def test_errors_of_the_api_are_as_without_the_gateway(claude, upstream):
    upstream.on = lambda path, body: error(400, "invalid_request_error", "no")
    with pytest.raises(anthropic.BadRequestError):
        ask(claude())


@pytest.mark.parametrize(
    ("start", "delta", "tokens"),
    [
        (
            {"input_tokens": 0, "output_tokens": 0},
            {"input_tokens": 22, "cache_creation_input_tokens": 11},
            (33, 0, 11, 5),
        ),
        (
            {"input_tokens": 9, "cache_read_input_tokens": 1},
            {"input_tokens": 9, "cache_read_input_tokens": 1},
            (10, 1, 0, 5),
        ),
        ({"input_tokens": 9, "cache_read_input_tokens": 1, "output_tokens": 1}, {}, (10, 1, 0, 5)),
        ({"input_tokens": 2}, {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 4}, (6, 4, 0, 5)),
        # Its input is counted then.
        (None, {}, (8, 0, 0, 5)),
    ],
)
def test_a_streams_usage_wherever_its_events_say_it(start, delta, tokens):
    """As servers that are not Anthropic's do; https://github.com/envoyproxy/ai-gateway/issues/2279 and 2290."""
    body = {
        "model": "claude-sonnet-4-5",
        "max_tokens": 50,
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
    }
    message = {"id": "m", "model": "claude-sonnet-4-5", "content": [], **({} if start is None else {"usage": start})}
    events = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hello there"}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {**delta, "output_tokens": 5}},
        {"type": "message_stop"},
    ]
    content = "".join(f"event: {each['type']}\ndata: {json.dumps(each)}\n\n" for each in events).encode()
    usage = read_stream(EventCollector(Call.of("messages", "", body)), content).usage
    found = (usage.input_tokens, usage.cache_read_tokens, usage.cache_write_tokens, usage.output_tokens)
    assert found == tokens
