"""What a call may cost at worst: nothing that a request refers to passes a budget unseen."""

import asyncio
import base64
import json
import sqlite3
import struct
from contextlib import closing
from dataclasses import fields, replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from upstream import Reply, answer, ask, response, wait_until

import promptopt
from promptopt.call_options import CallOptions
from promptopt.config import OwnPrice, load_config
from promptopt.gateway.bounds import Unbounded, bound_of, is_possible, loose_bound
from promptopt.gateway.call import Answer, Call, Wire
from promptopt.gateway.costs import Costs, nano
from promptopt.gateway.images import part_tokens
from promptopt.gateway.openai.state import self_contained
from promptopt.prices import find_price
from promptopt.values import Usage

WINDOW = 128_000
MINI = "gpt-4o-mini"
TEXT = {"type": "text", "text": "What is this?"}


def bound(endpoint="chat", model=MINI, **body):
    given_input = {"messages": [{"role": "user", "content": "hi"}]} if endpoint == "chat" else {"input": "hi"}
    cap = {"max_completion_tokens": 10} if endpoint == "chat" else {"max_output_tokens": 10}
    call = Call.of(endpoint, "", {"model": model, **given_input, **cap, **body})
    return bound_of(call, find_price(model)).usage


def parts(*content):
    return [{"role": "user", "content": list(content)}]


@pytest.mark.parametrize(
    "body",
    [
        {"previous_response_id": "resp_1"},
        {"conversation": "conv_1"},
        {"conversation": {"id": "conv_1"}},
        {"prompt": {"id": "pmpt_1"}},
        {"input": [{"type": "item_reference", "id": "msg_1"}]},
        {"input": parts({"type": "input_file", "file_id": "file_1"})},
        {"input": parts({"type": "input_file", "file_url": "https://example.com/a.pdf"})},
        {"input": parts({"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"})},
        {
            "input": [
                {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_file", "file_id": "f"}]}
            ]
        },
    ],
    ids=str,
)
def test_what_a_response_refers_to_may_fill_the_context_window(body):
    assert bound("responses", **body).input_tokens == WINDOW - 10


@pytest.mark.parametrize(
    "part",
    [
        {"type": "file", "file": {"file_id": "file_1"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}},
        {"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}},
    ],
    ids=str,
)
def test_what_a_message_refers_to_may_fill_the_context_window(part):
    assert bound(messages=parts(TEXT, part)).input_tokens == WINDOW - 10


def test_all_text_of_a_request_counts():
    long = "seven small words are in this line " * 1000
    calls = [{"id": "1", "type": "function", "function": {"name": "f", "arguments": json.dumps({"q": long})}}]
    plain = bound(messages=[{"role": "user", "content": long}]).input_tokens
    assert plain > 7000
    for messages in (
        [{"role": "assistant", "content": None, "tool_calls": calls}],
        [{"role": "assistant", "content": None, "function_call": calls[0]["function"]}],
        [{"role": "assistant", "content": [{"type": "refusal", "refusal": long}]}],
        [{"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": long}]}],
        [{"role": "user", "name": long, "content": "x"}],
        [{"role": "user", "content": {"type": "odd", "inner": [long]}}],
    ):
        assert bound(messages=messages).input_tokens >= plain - 20, messages
    for items in (
        [{"type": "function_call", "call_id": "1", "name": "f", "arguments": long}],
        [{"type": "function_call_output", "call_id": "1", "output": long}],
        [{"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": long}]}],
        [{"type": "reasoning", "id": "r", "summary": [], "encrypted_content": "A" * 40_000}],
        [{"type": "mcp_call", "id": "m", "name": "f", "arguments": "{}", "output": long, "content": "x"}],
    ):
        assert bound("responses", input=items).input_tokens >= plain - 20, items


@pytest.mark.parametrize(
    ("body", "most"),
    [
        ({"n": 5}, 50),
        ({"n": 5, "max_completion_tokens": None}, 5 * (WINDOW - 8)),
        ({"max_completion_tokens": None, "max_tokens": -1}, WINDOW - 8),
        ({"max_completion_tokens": None, "max_tokens": 0}, WINDOW - 8),
        ({"max_completion_tokens": 10, "max_tokens": 30}, 30),
        ({"max_completion_tokens": True}, WINDOW - 8),
        ({"prediction": {"type": "content", "content": "one two three"}}, 14),
    ],
    ids=str,
)
def test_output(body, most):
    assert bound(**body).output_tokens == most


@pytest.mark.parametrize("n", ["3", 0, -1, 2.0, True, [1]], ids=repr)
def test_an_odd_number_of_choices_is_not_bounded(n):
    with pytest.raises(Unbounded, match="is not a number of choices"):
        bound(n=n)


def test_tools_of_the_provider_need_a_number_of_calls_and_a_price():
    function = {"type": "function", "name": "f", "parameters": {}}
    search, code = {"type": "web_search"}, {"type": "code_interpreter"}
    assert bound("responses", tools=[function]).input_tokens < 100
    with pytest.raises(Unbounded, match=r"nothing bounds how often the provider uses web_search\. Set max_tool_calls"):
        bound("responses", tools=[search])
    with pytest.raises(Unbounded, match="'code_interpreter' costs is not in the price table"):
        bound("responses", tools=[code], max_tool_calls=2)
    assert 3 * WINDOW < bound("responses", tools=[search], max_tool_calls=3).input_tokens < 3 * WINDOW + 100
    call = Call.of("responses", "", {"model": MINI, "input": "x", "tools": [search], "max_tool_calls": 3})
    assert bound_of(call, find_price(MINI)).fees_usd == Decimal("0.03")


@pytest.mark.parametrize(
    "body",
    [{"web_search_options": {}}, {"plugins": [{"id": "web"}]}, {"models": ["a", "b"]}, {"fallbacks": [{"model": "b"}]}],
    ids=str,
)
def test_what_a_provider_does_on_its_own_is_not_bounded(body):
    with pytest.raises(Unbounded, match="on its own"):
        bound(**body)


def png(width, height):
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height)
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{base64.b64encode(head).decode()}"}}


def jpeg(width, height):
    app = b"\xff\xe0" + struct.pack(">H", 16) + b"JFIF\0" + bytes(9)
    frame = b"\xff\xc2" + struct.pack(">HBHH", 11, 8, height, width) + bytes(4)
    data = base64.b64encode(b"\xff\xd8" + app + frame).decode()
    return {"type": "input_image", "image_url": f"data:image/jpeg;base64,{data}"}


@pytest.mark.parametrize(
    ("model", "part", "tokens"),
    [
        # The provider's own examples.
        ("gpt-4o", png(1024, 1024), 765),
        ("gpt-4o", png(2048, 4096), 1105),
        ("gpt-4o", {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}}, 85),
        ("gpt-4.1-mini", png(1024, 1024), 1659),
        ("gpt-4o-2024-08-06", jpeg(1024, 1024), 765),
        ("ft:gpt-4o-2024-08-06:acme::x", png(1024, 1024), 765),
        # Nothing is known of the size: the largest.
        ("gpt-4o", {"type": "input_image", "file_id": "file_1"}, 85 + 8 * 170),
        ("gpt-4o", {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}, 85 + 8 * 170),
        (MINI, {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}, 2833 + 8 * 5667),
        ("o4-mini", png(30_000, 30_000), 2642),
        ("gpt-5-2025-08-07", png(100, 100), 210),
        ("gpt-5.6", png(100, 100), None),
        ("my-own", png(100, 100), None),
    ],
    ids=str,
)
def test_images(model, part, tokens):
    assert part_tokens(model, part) == tokens


@given(st.integers(1, 40_000), st.integers(1, 40_000), st.sampled_from(["gpt-4o", MINI, "o3", "o4-mini", "gpt-4.1"]))
def test_no_image_is_more_than_the_largest(width, height, model):
    largest = part_tokens(model, {"type": "input_image", "file_id": "f"})
    assert 0 < part_tokens(model, png(width, height)) <= largest


def test_the_images_of_a_model_without_a_rule_may_fill_its_window():
    usage = bound(model="gpt-5.6", messages=parts(TEXT, png(10, 10)))
    assert usage.input_tokens == find_price("gpt-5.6").context_window - 10


def test_sound_has_its_own_price():
    sound = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}}
    usage = bound(model="gpt-audio", messages=parts(TEXT, sound), modalities=["text", "audio"])
    assert usage.input_audio_tokens == usage.input_tokens == WINDOW - 10
    assert usage.output_audio_tokens == usage.output_tokens == 10
    price = find_price("gpt-audio")
    heard = Usage(input_tokens=100, output_tokens=10, input_audio_tokens=80, output_audio_tokens=5)
    assert price.cost(heard).input_usd == Decimal("0.0000025") * 20 + Decimal("0.000032") * 80
    assert price.cost(heard).output_usd == Decimal("0.00001") * 5 + Decimal("0.000064") * 5


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.sampled_from(["text", "input_text", "image_url", "input_file", "web_search", "audio", "function"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "content", "role", "text", "image_url", "url", "output", "arguments", "id", "file_id"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
bodies = st.dictionaries(
    st.sampled_from(
        [
            "messages",
            "input",
            "tools",
            "n",
            "max_tokens",
            "max_output_tokens",
            "prediction",
            "modalities",
            "prompt",
            "instructions",
            "text",
            "functions",
            "response_format",
            "service_tier",
            "max_tool_calls",
            "conversation",
        ]
    ),
    json_values,
    max_size=6,
)


@given(st.sampled_from(["chat", "responses"]), bodies)
@settings(max_examples=400, deadline=None)
def test_whatever_is_in_a_body_it_is_bounded_or_refused(endpoint, body):
    call = Call.of(endpoint, "", {**body, "model": MINI})
    costs = Costs(load_config())
    try:
        worst = costs.worst_case(call)
    except Unbounded:
        pass
    else:
        assert worst.cost.total_usd >= 0
        assert worst.usage.input_tokens >= 0
    assert costs.worst_bill(call).basis == "assumed"


def tier_usd(tier, answered="", model="gpt-5-mini"):
    body = {"model": model, "messages": [{"role": "user", "content": "x"}]} | ({"service_tier": tier} if tier else {})
    call = Call.of("chat", "", body)
    usage = Usage(input_tokens=1_000_000, output_tokens=1_000_000)
    return Costs(load_config()).bill(call, Answer(usage=usage, service_tier=answered)).usd


def test_tiers_have_their_own_prices():
    standard, flex, priority = (tier_usd(tier) for tier in (None, "flex", "priority"))
    assert flex < standard < priority
    assert tier_usd("default") == tier_usd("auto") == standard
    assert tier_usd("batch") == flex
    assert tier_usd("ultra") is None


def test_a_speed_of_anthropic_s_is_a_tier_without_a_price():
    def usd(config, **body):
        call = Call.of("messages", "", {"model": "claude-opus-4-6", "max_tokens": 10, "messages": [], **body})
        bill = Costs(config).bill(call, Answer(usage=Usage(input_tokens=100_000, output_tokens=10)))
        return bill.usd, bill.service_tier

    config = load_config()
    standard = usd(config)
    assert usd(config, speed="standard") == standard
    assert usd(config, speed="fast") == (None, "fast")
    own = replace(config, prices={"claude-opus-4-6@fast": OwnPrice(Decimal(30), Decimal(150))})
    assert usd(own, speed="fast") == (standard[0] * 6, "fast")
    assert usd(own) == standard


@pytest.mark.parametrize(
    "more", [{"compaction": {}}, {"context_management": {"edits": [{"type": "compact_20260112"}]}}], ids=str
)
def test_a_context_that_may_be_compacted_is_bounded_as_read_twice(more):
    body = {"model": "claude-sonnet-4-6", "max_tokens": 10, "messages": [{"role": "user", "content": "a book"}]}
    price = find_price("claude-sonnet-4-6")
    plain, twice = (bound_of(Call.of("messages", "", each), price).usage for each in (body, body | more))
    assert (twice.input_tokens, twice.output_tokens) == (2 * plain.input_tokens, 2 * plain.output_tokens)
    cleared = body | {"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}}
    assert bound_of(Call.of("messages", "", cleared), price).usage == plain


def test_an_answer_may_name_a_tier_that_costs_more():
    assert tier_usd("auto", "priority") == tier_usd("priority")
    assert tier_usd("priority", "default") == tier_usd("priority")


def test_the_providers_searches_are_billed_as_the_answer_shows_them():
    body = {"model": MINI, "input": "x", "tools": [{"type": "web_search"}], "max_tool_calls": 5}
    output = [{"type": "web_search_call"}, {"type": "web_search_call"}, {"type": "function_call"}, {"type": "message"}]
    usage = Usage(input_tokens=1, output_tokens=1)
    answered = Answer(usage=usage, wire=Wire(json.dumps({"output": output}).encode()))
    costs, tokens = Costs(load_config()), Decimal("0.00000075")
    assert costs.bill(Call.of("responses", "", body), answered).usd == Decimal("0.02") + tokens
    unseen = Answer(usage=usage, wire=Wire(b"data: {}", "text/event-stream"))
    assert costs.bill(Call.of("responses", "", body), unseen).usd == Decimal("0.05") + tokens


SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 5}
USED = {"type": "server_tool_use", "name": "web_search", "input": {}}


def message_wire(uses, blocks, *, stream):
    usage = {"input_tokens": 10, "output_tokens": 1, "server_tool_use": uses}
    if not stream:
        return Wire(json.dumps({"type": "message", "content": blocks, "usage": usage}).encode())
    events = [
        {"type": "message_start", "message": {"content": [], "usage": {"server_tool_use": {"web_search_requests": 0}}}},
        *({"type": "content_block_start", "content_block": block} for block in blocks),
        {"type": "message_delta", "delta": {}, "usage": usage},
        {"type": "message_stop"},
    ]
    return Wire("".join(f"data: {json.dumps(event)}\n\n" for event in events).encode(), "text/event-stream")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("uses", "blocks", "searches"),
    [
        ({"web_search_requests": 3}, [USED] * 4, 3),
        ({"web_search_requests": 0, "web_fetch_requests": 0}, [], 0),
        (None, [{"type": "text", "text": "hi"}], 0),
        ({"web_search_requests": 10**12}, [], 5),
    ],
)
def test_a_message_s_searches_are_billed_as_its_usage_says(uses, blocks, searches, stream):
    body = {"model": "claude-sonnet-4-5", "max_tokens": 100, "messages": [], "tools": [SEARCH]}
    answered = Answer(usage=Usage(10, output_tokens=1), wire=message_wire(uses, blocks, stream=stream))
    cost = Costs(load_config()).bill(Call.of("messages", "", body), answered).cost
    assert cost.total_usd == Decimal("0.01") * searches + Decimal("0.000045")


def test_a_message_that_ran_a_tool_without_a_known_price_is_unpriced():
    body = {"model": "claude-sonnet-4-5", "max_tokens": 100, "messages": [], "tools": [SEARCH]}
    ran = message_wire({"web_search_requests": 1}, [{**USED, "name": "code_execution"}], stream=False)
    answered = Answer(usage=Usage(10, output_tokens=1), wire=ran)
    assert Costs(load_config()).bill(Call.of("messages", "", body), answered).cost is None


def test_searches_of_a_streamed_response_are_in_its_last_event():
    body = {"model": MINI, "input": "x", "tools": [{"type": "web_search"}], "max_tool_calls": 5}
    done = {"type": "response.completed", "response": {"output": [{"type": "web_search_call"}]}}
    begun = {"type": "response.created", "response": {"output": []}}
    events = Wire(f"data: {json.dumps(begun)}\n\ndata: {json.dumps(done)}\n\n".encode(), "text/event-stream")
    answered = Answer(usage=Usage(1, output_tokens=1), wire=events)
    assert Costs(load_config()).bill(Call.of("responses", "", body), answered).usd == Decimal("0.01000075")


def spent():
    with closing(sqlite3.connect(".promptopt/budget.sqlite")) as connection, connection:
        return connection.execute("SELECT spent, reserved FROM budgets").fetchone()


@pytest.mark.parametrize(
    "body",
    [
        {"model": MINI, "previous_response_id": "resp_1"},
        {"model": MINI, "input": parts({"type": "input_file", "file_id": "f"})},
        {"prompt": {"id": "pmpt_1"}},
        {"model": MINI, "service_tier": "ultra"},
        {"model": MINI, "tools": [{"type": "web_search"}]},
    ],
    ids=str,
)
def test_none_of_it_reaches_the_provider_past_a_small_budget(client, upstream, body):
    sdk = client(budget={"day": "0.01"})
    with pytest.raises(promptopt.BudgetExceeded):
        sdk.responses.create(**{"input": "x", "max_output_tokens": 10, **body})
    assert upstream.calls == 0


def test_a_stored_prompt_without_a_budget_passes_and_is_in_the_ledger(client, upstream):
    upstream.on = lambda path, body: Reply(body=response({**body, "model": MINI}))
    sdk = client()
    sdk.responses.create(prompt={"id": "pmpt_1"}, input="x")
    rows = list(sdk._client.gateway.ledger.rows())
    assert [(row.model, row.model_answered, row.input_tokens) for row in rows] == [("", MINI, 10)]
    assert rows[0].list_usd > 0


@pytest.mark.parametrize("store", ["sqlite", "memory", "redis"])
def test_a_response_in_the_background_is_settled_when_it_ends(client, upstream, store, request):
    options = {"redis": request.getfixturevalue("redis_server").url} if store == "redis" else {"store": store}
    upstream.on = background
    sdk = client(budget={"day": "0.001"}, **options)
    started = sdk.responses.create(model=MINI, input="a book", max_output_tokens=500, background=True)
    budgets = sdk._client.gateway.layers[-2]._store
    scope = next(iter(sdk._client.gateway.layers[-2].scopes(Call.of("responses", "", {})))).name
    assert budgets.spent(scope)[0] > 300_000
    (row,) = sdk._client.gateway.ledger.rows()
    assert (row.status, row.basis, row.output_tokens) == ("sent", "assumed", 500)
    sdk.responses.retrieve("resp_7")
    assert budgets.spent(scope)[0] > 300_000
    sdk.responses.retrieve(started.id)
    sdk.responses.retrieve(started.id)
    assert budgets.spent(scope) == (2700, 0)
    (row,) = sdk._client.gateway.ledger.rows()
    assert (row.status, row.basis, row.output_tokens) == ("ok", "measured", 2)


def background(path, body):
    """A provider that works on every response but ``resp_7`` until it is asked about it."""
    if path.startswith("GET"):
        working = path.endswith("resp_7")
        content = response({"model": MINI}, status="in_progress" if working else "completed")
    else:
        content = response(body, status="queued")
    usage = None if content["status"] in ("queued", "in_progress") else content["usage"]
    return Reply(body={**content, "usage": usage, "background": True})


def test_another_process_may_see_the_end(client, upstream):
    upstream.on = background
    first, second = client(budget={"day": "0.001"}), client(budget={"day": "0.001"})
    started = first.responses.create(model=MINI, input="a book", max_output_tokens=500, background=True)
    first.close()
    assert spent()[0] > 300_000
    second.responses.retrieve(started.id)
    assert spent() == (2700, 0)


def test_background_cannot_outspend_a_budget(client, upstream):
    upstream.on = background
    sdk = client(budget={"day": "0.001"})

    def start(number):
        sdk.responses.create(model=MINI, input=f"book {number}", max_output_tokens=500, background=True)

    for number in range(3):
        start(number)
    with pytest.raises(promptopt.BudgetExceeded):
        start(3)


def test_the_end_is_seen_in_an_event_loop(aclient, upstream):
    upstream.on = background

    async def main():
        sdk = aclient(budget={"day": "0.001"})
        started = await sdk.responses.create(model=MINI, input="a book", max_output_tokens=500, background=True)
        await sdk.responses.retrieve(started.id)
        await sdk.close()

    asyncio.run(main())
    assert spent() == (2700, 0)


def test_tools_may_say_themselves_how_often_they_are_used():
    search = {"type": "web_search_20250305", "name": "web_search", "max_uses": 2}
    usage = bound(model="claude-sonnet-4-6", tools=[search, {"type": "bash_20250124", "name": "bash"}])
    window = find_price("claude-sonnet-4-6").context_window
    assert 2 * window < usage.input_tokens < 2 * window + 200
    with pytest.raises(Unbounded, match="Set max_tool_calls"):
        bound(model="claude-sonnet-4-6", tools=[search, {**search, "max_uses": "2"}])


def test_an_unpriced_tier_is_not_priced_at_the_standard(client, upstream):
    sdk = client()
    upstream.on = lambda path, body: answer(body)
    ask(sdk, model=MINI, extra_body={"service_tier": "ultra"})
    assert wait_until(lambda: bool(list(sdk._client.gateway.ledger.rows())))
    assert [row.list_usd for row in sdk._client.gateway.ledger.rows()] == [None]


def test_a_body_that_cannot_be_read_is_refused_by_a_budget_and_else_passes(client, upstream):
    upstream.on = lambda path, body: answer({"model": MINI, "messages": []})
    with pytest.raises(promptopt.BudgetExceeded, match="the request cannot be read"):
        client(budget={"day": 1}).chat.completions.create(model=MINI, messages=5)
    client(path="other").chat.completions.create(model=MINI, messages=5)


def used(usage, **body):
    call = Call.of("chat", "", {"model": MINI, "messages": [{"role": "user", "content": "hi"}], **body})
    return is_possible(usage, call, find_price(MINI))


@pytest.mark.parametrize("tokens", [10**7, 10**9, 10**20, 10**400])
@pytest.mark.parametrize("side", ["input_tokens", "output_tokens"])
def test_no_call_of_a_short_request_uses_millions_of_tokens(side, tokens):
    assert not used(Usage(**{"input_tokens": 5, side: tokens}), max_tokens=20)
    assert not used(Usage(**{"input_tokens": 5, side: tokens * 1000}), max_tokens=10**30, n=10**30)


@pytest.mark.parametrize(
    ("usage", "body"),
    [
        (Usage(50_000, output_tokens=60_000), {"max_tokens": 20}),
        (Usage(900_000, output_tokens=5), {"messages": [{"role": "user", "content": "a b " * 250_000}]}),
        (Usage(1_900_000), {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]}),
        (Usage(5_000_000), {"tools": [{"type": "web_search"}], "max_tool_calls": 5}),
        (Usage(10, output_tokens=500_000), {}),
    ],
)
def test_what_a_large_call_may_use_is_believed(usage, body):
    assert used(usage, **body)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("tokens", [10**9, 10**30])
def test_a_count_that_cannot_be_is_not_kept_as_measured(client, upstream, caplog, tokens, stream):
    upstream.on = lambda path, body: answer(body, completion_tokens=tokens)
    sdk = client(budget={"day": 5}, stream_usage=True)
    for seed in range(2):
        found = ask(sdk, max_completion_tokens=10, stream=stream, seed=seed)
        assert not stream or list(found)
    rows = list(sdk._client.gateway.ledger.rows())
    assert [row.basis for row in rows] == ["assumed"] * 2
    assert all(0 < row.incurred_usd < 0.001 and row.output_tokens == 10 for row in rows)
    assert "which this request cannot" in caplog.text
    sdk.close()
    with closing(sqlite3.connect(".promptopt/budget.sqlite")) as connection, connection:
        ((counted,),) = connection.execute("SELECT spent FROM budgets").fetchall()
    assert counted == pytest.approx(sum(row.incurred_usd for row in rows) * 1e9, rel=0.01)


def test_an_own_price_may_say_the_context_window(client, upstream, folder):
    (folder / "pyproject.toml").write_text(
        "[tool.promptopt.prices.mine]\ninput_mtok = 1\noutput_mtok = 2\ncontext_window = 1000\n"
    )
    sdk = client(budget={"day": 5})
    ask(sdk, model="mine", seed=1)
    assert upstream.calls == 1
    with pytest.raises(promptopt.BudgetExceeded, match="this call may cost"):
        ask(client(budget={"day": "0.0005"}, path="other"), model="mine")
    (folder / "pyproject.toml").write_text("[tool.promptopt.prices.mine]\ninput_mtok = 1\noutput_mtok = 2\n")
    with pytest.raises(promptopt.BudgetExceeded, match="nothing bounds the output"):
        ask(client(budget={"day": 5}, path="third"), model="mine")


TEXTS = st.text(max_size=60) | st.sampled_from(
    ["", "\ud800", "ab" * 500, "\u00e9\u00e8", "1234567890" * 9, "    ", "!?" * 40]
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.builds(dict, role=st.sampled_from(["system", "user", "x" * 40]), content=TEXTS), max_size=4),
    st.sampled_from([MINI, "gpt-4", "claude-sonnet-4-5", "gemini-2.5-pro"]),
    st.sampled_from([None, "flex", "priority"]),
    st.sampled_from([{}, {"temperature": 0}, {"stream": True}, {"n": 2}, {"tools": []}, {"user": "u"}]),
)
def test_a_loose_bound_is_never_below_what_is_counted(messages, model, tier, more):
    body = {"model": model, "messages": messages, "max_completion_tokens": 10, "service_tier": tier, **more}
    call, costs = Call.of("chat", "", body), Costs(load_config())
    loose = costs.loose_case(call)
    if loose is None:
        assert costs.price(call) is None or not {"n", "tools"}.isdisjoint(body)
        return
    assert loose >= nano(costs.worst_case(call).cost.total_usd)


@pytest.mark.parametrize(
    "body",
    [
        {"messages": parts(TEXT)},
        {"messages": [{"role": "user", "content": "hi", "name": "n"}]},
        {"messages": "hi"},
        {"max_completion_tokens": None},
        {"model": "gpt-4o-mini-search-preview"},
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"n": 2},
        {"background": True},
        {"web_search_options": {}},
        {"response_format": {"type": "json_object"}},
        {"prediction": {"type": "content", "content": "x"}},
    ],
    ids=str,
)
def test_what_is_not_plain_is_counted(body):
    plain = {"model": MINI, "messages": [{"role": "user", "content": "hi"}], "max_completion_tokens": 10}
    assert Costs(load_config()).loose_case(Call.of("chat", "", plain)) is not None
    assert Costs(load_config()).loose_case(Call.of("chat", "", {**plain, **body})) is None


# A value of each setting, and whether a request with it is a plain one, whose text is all that it uses.
SETTINGS = {
    "temperature": (0.5, True),
    "max_output_tokens": (60, True),
    "seed": (7, True),
    "stop": (("END",), True),
    "reasoning_effort": ("low", False),
    "verbosity": ("low", False),
    "service_tier": ("flex", True),
    "top_p": (0.5, True),
    "frequency_penalty": (0.5, True),
    "presence_penalty": (0.5, True),
    "logprobs": (True, False),
    "top_logprobs": (2, False),
    "tool_choice": ("look", False),
    "parallel_tool_calls": (True, False),
    "response_format": ("json_object", False),
    "detail": ("low", True),
    "extra_body": ('{"min_p":0.1}', False),
}


def test_a_request_with_any_setting_is_bounded_and_says_all_itself():
    new = {option.name for option in fields(CallOptions)} ^ SETTINGS.keys()
    assert not new, (
        f"say in SETTINGS of {__file__} whether a request with {', '.join(new)} is plain, and in "
        "promptopt/gateway/bounds.py and promptopt/gateway/openai/state.py"
    )
    for name, (value, plain) in SETTINGS.items():
        given_options = CallOptions(**{name: value}).openai()
        given_options |= given_options.pop("extra_body", {})
        body = {"model": MINI, "messages": [{"role": "user", "content": "hi"}], "max_completion_tokens": 10}
        call = Call.of("chat", "", {**body, **given_options})
        assert self_contained(call), name
        assert (loose_bound(call) is not None) == plain, name
        assert bound_of(call, find_price(MINI)).usage.output_tokens == given_options.get("max_completion_tokens", 10)
