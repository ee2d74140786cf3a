"""What a call cost whose endpoint does not say it, or says what cannot be: all that the model wrote is counted."""

import contextlib
import json
import sqlite3

import anthropic
import openai
import pytest
from upstream import Reply, chat, chat_events

import promptopt
from promptopt.gateway.call import Call
from promptopt.gateway.openai.counted import may_hide_thoughts
from promptopt.gateway.openai.events import EventCollector
from promptopt.tokens import tokenizer_for

PLACES = json.dumps({"places": [f"street number {number}" for number in range(100)]})
LONG = " ".join(["word"] * 300)


def tokens(text):
    return tokenizer_for("gpt-4o-mini").count(text)


def ask(sdk, **options):
    messages = [{"role": "user", "content": "hi"}]
    return sdk.chat.completions.create(model="gpt-4o-mini", messages=messages, **options)


def row_of(sdk):
    (row,) = sdk._client.gateway.ledger.rows()
    return row


def called(index=0):
    return {"index": index, "id": "call_1", "type": "function", "function": {"name": "find", "arguments": PLACES}}


def with_call(body):
    answer = chat(body, text=None, finish="tool_calls")
    answer["choices"][0]["message"]["tool_calls"] = [called()]
    return answer


def call_events(body):
    first, *_, last, done = chat_events({**body, "stream_options": {}})
    arguments = [PLACES[start : start + 50] for start in range(0, len(PLACES), 50)]
    deltas = [{**called(), "function": {"name": "find", "arguments": ""}}]
    deltas += [{"index": 0, "function": {"arguments": part}} for part in arguments]
    choices = [{"index": 0, "delta": {"tool_calls": [delta]}, "finish_reason": None} for delta in deltas]
    return [first, *({**first, "choices": [choice]} for choice in choices), last, done]


@pytest.mark.parametrize("stream", [False, True])
def test_calls_of_tools_are_counted_where_no_usage_is_said(client, upstream, folder, stream):
    def on(path, body):
        answer = with_call(body)
        del answer["usage"]
        return Reply(events=call_events(body)) if stream else Reply(body=answer)

    upstream.on = on
    sdk = client(budget={"day": 1})
    answer = ask(sdk, stream=stream)
    if stream:
        list(answer)
    row = row_of(sdk)
    assert row.basis == "counted"
    assert tokens(PLACES) <= row.output_tokens <= tokens(PLACES) + 60
    sdk.close()
    with contextlib.closing(sqlite3.connect(folder / ".promptopt" / "budget.sqlite")) as connection:
        assert connection.execute("SELECT spent FROM budgets").fetchall() == [(round(row.incurred_usd * 1e9),)]


@pytest.mark.parametrize("stream", [False, True])
def test_all_choices_are_counted_where_no_usage_is_said(client, upstream, stream):
    def on(path, body):
        answer = chat(body, text=LONG)
        del answer["usage"]
        answer["choices"] = [{**answer["choices"][0], "index": index} for index in range(3)]
        base = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": body["model"]}
        events = [
            {**base, "choices": [{"index": index, "delta": delta, "finish_reason": reason}]}
            for delta, reason in (({"role": "assistant", "content": LONG}, None), ({}, "stop"))
            for index in range(3)
        ]
        return Reply(events=[*events, "[DONE]"]) if stream else Reply(body=answer)

    upstream.on = on
    sdk = client()
    answer = ask(sdk, stream=stream, n=3)
    if stream:
        list(answer)
    assert row_of(sdk).output_tokens == pytest.approx(3 * tokens(LONG), abs=10)


@pytest.mark.parametrize(
    "said",
    [
        {"prompt_tokens": 10},
        {"prompt_tokens": 10, "completion_tokens": 0},
        {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_an_endpoint_that_says_nothing_was_written_is_not_believed(client, upstream, said, stream):
    def on(path, body):
        *events, done = chat_events({**body, "stream_options": {}}, LONG)
        if not stream:
            return Reply(body={**chat(body, text=LONG), "usage": said})
        return Reply(events=[*events, {**events[0], "choices": [], "usage": said}, done])

    upstream.on = on
    sdk = client()
    answer = ask(sdk, stream=stream)
    if stream:
        list(answer)
    row = row_of(sdk)
    assert (row.basis, row.input_tokens) == ("counted", said["prompt_tokens"] or 8)
    assert row.output_tokens >= 300
    assert row.incurred_usd > 300 * 0.6e-6


def test_an_empty_answer_is_believed(client, upstream):
    upstream.on = lambda path, body: Reply(body=chat(body, text="", completion_tokens=0, finish="content_filter"))
    sdk = client()
    ask(sdk)
    row = row_of(sdk)
    assert (row.basis, row.input_tokens, row.output_tokens) == ("measured", 10, 0)


def test_a_stream_that_is_left_counts_calls_of_tools(client, upstream):
    upstream.on = lambda path, body: Reply(events=call_events(body))
    sdk = client()
    with ask(sdk, stream=True) as stream:
        for event in stream:
            if event.choices[0].finish_reason:
                break
            calls = event.choices[0].delta.tool_calls
            if calls and "number 50" in (calls[0].function.arguments or ""):
                break
    row = row_of(sdk)
    assert (row.status, row.basis) == ("abandoned", "counted")
    assert row.output_tokens > tokens(PLACES) / 3


def test_a_message_that_is_left_counts_what_it_has_said_of_its_input(upstream):
    said = {"input_tokens": 40, "cache_creation_input_tokens": 5000, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-6", "content": []}
    block = {"type": "tool_use", "id": "t", "name": "find", "input": {}}
    delta = {"type": "input_json_delta", "partial_json": PLACES}
    events = [
        {"type": "message_start", "message": {**message, "stop_reason": None, "stop_sequence": None, "usage": said}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "I look. "}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": block},
        {"type": "content_block_delta", "index": 1, "delta": delta},
        {"type": "content_block_stop", "index": 1},
    ]
    body = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
    body += 'event: ping\ndata: {"type": "ping"}\n\n' * 2000
    head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
    upstream.on = lambda path, asked: Reply(raw=(head + body).encode())
    with anthropic.Anthropic(
        base_url=upstream.url.removesuffix("/v1"), api_key="k", max_retries=0, http_client=promptopt.http_client()
    ) as sdk:
        options = {"model": "claude-sonnet-4-6", "max_tokens": 3000, "messages": [{"role": "user", "content": "hi"}]}
        with sdk.messages.create(**options, stream=True) as stream:
            for event in stream:
                if event.type == "content_block_stop" and event.index == 1:
                    break
        row = row_of(sdk)
    assert (row.status, row.basis) == ("abandoned", "counted")
    assert (row.input_tokens, row.cache_write_tokens) == (5040, 5000)
    assert row.output_tokens >= tokens(PLACES)


def test_a_stream_that_ends_with_an_error_has_not_been_left(client, upstream):
    error = {"error": {"message": "overloaded", "type": "server_error", "code": "engine_overloaded"}}
    upstream.on = lambda path, body: Reply(events=[*chat_events(body)[:2], error])
    sdk = client()
    with pytest.raises(openai.APIError, match="overloaded"):
        list(ask(sdk, stream=True, max_completion_tokens=50))
    row = row_of(sdk)
    assert (row.status, row.error, row.basis) == ("error", "engine_overloaded", "assumed")
    assert row.output_tokens == 50


def test_a_response_that_is_left_counts_what_is_not_text():
    call = Call.of("responses", "", {"model": "gpt-4o-mini", "input": "hi", "stream": True})
    collector = EventCollector(call)
    for name in ("output_text", "function_call_arguments", "reasoning_summary_text"):
        event = {"type": f"response.{name}.delta", "delta": LONG}
        collector.feed(f"data: {json.dumps(event)}\n\n".encode())
    assert tokens(collector.failed("abandoned").written) == pytest.approx(3 * tokens(LONG), abs=10)


def thought(model="gpt-5-mini", **body):
    return Call.of("chat", "u", {"model": model, "messages": [{"role": "user", "content": "hi"}], **body})


@pytest.mark.parametrize(
    ("call", "hidden"),
    [
        (thought(), True),
        (thought("openai/o3-2025-04-16"), True),
        (thought("gemini-2.5-pro"), True),
        (thought("gpt-5-mini", reasoning_effort="none"), False),
        (thought("gpt-5-mini", reasoning={"effort": "none"}), False),
        (thought("gpt-5-chat-latest"), False),
        (thought("gpt-4o-mini"), False),
        (thought("some-model", reasoning_effort="low"), True),
        (thought("some-model", reasoning={"max_tokens": 100}), True),
        (thought("some-model", reasoning={"enabled": False}), False),
        (thought("claude-sonnet-4-5", thinking={"type": "enabled", "budget_tokens": 2000}), True),
        (thought("claude-sonnet-4-5", thinking={"type": "disabled"}), False),
        (thought("claude-sonnet-4-5"), False),
    ],
)
def test_which_calls_may_have_thoughts_that_nobody_sees(call, hidden):
    assert may_hide_thoughts(call) is hidden


@pytest.mark.parametrize("how", ["left", "without usage", "left with usage"])
def test_thoughts_that_are_hidden_count_at_the_worst_case(client, upstream, folder, how):
    def on(path, body):
        first, second, last, *_ = chat_events({**body, "stream_options": {}}, LONG)
        usage = {"prompt_tokens": 10, "completion_tokens": 70, "total_tokens": 80}
        if how == "left with usage":
            first = {**first, "usage": usage}
        events = [first, second, *([] if how.startswith("left") else [last, "[DONE]"])]
        pieces = "".join(f"data: {each if isinstance(each, str) else json.dumps(each)}\n\n" for each in events).encode()
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
        return Reply(raw=head + pieces, stays_s=0 if how == "without usage" else 5)

    upstream.on = on
    sdk = client(budget={"day": 1}, stream_usage=False)
    options = {"model": "gpt-5-mini", "max_completion_tokens": 4000, "messages": [{"role": "user", "content": "hi"}]}
    stream = sdk.chat.completions.create(**options, stream=True)
    if how == "without usage":
        list(stream)
    else:
        next(iter(stream))
        stream.close()
    row = row_of(sdk)
    if how == "left with usage":
        assert (row.basis, row.output_tokens) == ("counted", 70)
    else:
        assert (row.basis, row.output_tokens) == ("assumed", 4000)
    sdk.close()
    with contextlib.closing(sqlite3.connect(folder / ".promptopt" / "budget.sqlite")) as connection:
        assert connection.execute("SELECT spent FROM budgets").fetchall() == [(round(row.incurred_usd * 1e9),)]
