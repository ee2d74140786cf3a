"""Bodies that no API promises: the caller gets them as from the endpoint, with no error of the gateway's own."""

import json
import time

import openai
import pytest
from upstream import Reply, answer, ask, chat, chat_events

import promptopt
from promptopt.gateway.call import Call
from promptopt.gateway.openai.events import EventCollector

CHAT = Call.of("chat", "", {"model": "m", "messages": [], "stream": True})
THOUGHTS = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]


def rows(client):
    return [(row.status, row.cache, row.incurred_usd) for row in client._client.gateway.ledger.rows()]


def test_content_in_parts(client, upstream):
    upstream.on = lambda path, body: Reply(body=chat(body, text=[*THOUGHTS, {"type": "text", "text": "yes"}]))
    sdk = client()
    for _ in range(2):
        assert ask(sdk).choices[0].message.content[1]["text"] == "yes"
    assert upstream.calls == 1
    assert [entry.answer.text for entry in sdk._client.gateway.cache.store.entries()] == ["yes"]


def test_content_in_parts_of_a_stream(client, upstream):
    def on(path, body):
        first, *others = chat_events(body, text="x yes")
        first["choices"][0]["delta"]["content"] = THOUGHTS
        return Reply(events=[first, *others])

    upstream.on = on
    sdk = client()
    for _ in range(2):
        assert [c.choices[0].delta.content for c in ask(sdk, stream=True)] == [THOUGHTS, "yes", None]
    assert upstream.calls == 1


@pytest.mark.parametrize(
    ("body", "kept_status"),
    [
        ({"error": {"message": "Provider overloaded: retry in 20 s", "code": 502}}, "error"),
        ({"error": "no"}, "error"),
        ({"detail": "Not Found"}, "error"),
        ({"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": []}, "ok"),
    ],
)
def test_an_object_that_is_no_answer_passes_as_it_is_and_is_not_kept(client, upstream, body, kept_status):
    upstream.on = lambda path, _: Reply(body=body)
    sdk = client(max_retries=2)
    bare = openai.OpenAI(base_url=upstream.url, api_key="k", max_retries=2)
    plain = ask(bare).model_dump()
    assert [ask(sdk).model_dump() for _ in range(2)] == [plain, plain]
    assert upstream.calls == 3
    assert [status for status, _, _ in rows(sdk)] == [kept_status] * 2
    bare.close()


def test_another_model_answers_after_an_error_with_a_good_status(client, upstream):
    broken = {"error": {"message": "overloaded", "code": 529}}
    upstream.on = lambda path, body: Reply(body=broken if body["model"] == "gpt-4o" else chat(body))
    sdk = client(fallback={"models": ["gpt-4o-mini"], "after_retries": 0})
    assert ask(sdk, model="gpt-4o").model == "gpt-4o-mini"


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 10_000])
def test_events_in_pieces_of_any_size(line_end, size):
    events = chat_events({"model": "m"}, text="é ☃ ok")
    plain = b"".join(
        b"data: " + (e if isinstance(e, str) else json.dumps(e)).encode() + line_end * 2 for e in [*events]
    )
    plain = b": keep-alive" + line_end * 2 + line_end + plain
    collector = EventCollector(CHAT)
    passed = b"".join(collector.feed(plain[at : at + size]) for at in range(0, len(plain), size))
    rest, answer = collector.last(), collector.finish()
    assert passed + rest == plain.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    assert answer.text == "é☃ok"
    assert answer.keepable


def test_a_large_event_takes_linear_time():
    def seconds(megabytes):
        part = {"model": "m", "choices": [{"index": 0, "delta": {"content": "x" * (megabytes << 20)}}]}
        end = {"model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        data = b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in (part, end)) + b"data: [DONE]\n\n"
        collector = EventCollector(CHAT)
        start = time.process_time()
        for at in range(0, len(data), 4096):
            collector.feed(data[at : at + 4096])
        spent = time.process_time() - start
        collector._state.fields()
        return spent

    seconds(1)
    # Five times as much takes about five times as long; it took twenty-five times.
    assert seconds(20) < 12 * seconds(4) + 0.2


def test_a_server_that_knows_no_stream_options_is_asked_without(client, upstream):
    refused = {"error": {"message": "Unrecognized request argument supplied: stream_options", "code": None}}

    def on(path, body):
        if "stream_options" in body:
            return Reply(status=400, body=refused)
        return Reply(events=chat_events(body, text="a b"))

    upstream.on = on
    sdk = client(cache=False)
    for text in ("one", "two"):
        assert [c.choices[0].delta.content for c in ask(sdk, text, stream=True)] == ["a", "b", None]
    assert ["stream_options" in body for _, body, _ in upstream.requests] == [True, False, False]
    assert [row.basis for row in sdk._client.gateway.ledger.rows()] == ["counted"] * 2
    with pytest.raises(openai.BadRequestError):
        ask(sdk, "three", stream=True, stream_options={"include_usage": True})


def test_nothing_is_asked_for_if_that_is_switched_off(client, upstream):
    sdk = client(stream_usage=False)
    list(ask(sdk, stream=True))
    assert "stream_options" not in upstream.requests[0][1]


def test_a_kept_answer_keeps_the_providers_request_id(client, upstream, redis_server):
    upstream.on = lambda path, body: Reply(body=chat(body), headers={"x-request-id": f"req_{upstream.calls}"})
    for settings in ({}, {"redis": redis_server.url}):
        sdk = client(**settings)
        first, second = ask(sdk), ask(sdk)
        assert first._request_id == second._request_id == f"req_{upstream.calls}"
        raw = sdk.chat.completions.with_raw_response.create(
            model="gpt-4o-mini", temperature=0, messages=[{"role": "user", "content": "hi"}]
        )
        assert raw.headers["x-promptopt-source"] == "cache"


@pytest.mark.parametrize("settings", [{}, {"cache": False}])
def test_a_whole_answer_can_be_read_byte_by_byte(client, upstream, settings):
    sdk = client(**settings)
    asked = {"model": "gpt-4o-mini", "temperature": 0, "messages": [{"role": "user", "content": "hi"}]}
    for _ in range(2):
        with sdk.chat.completions.with_streaming_response.create(**asked) as response:
            data = b"".join(response.http_response.iter_raw())
        assert json.loads(data)["choices"][0]["message"]["content"] == "ok"


def test_an_object_in_the_place_of_a_stream_reaches_the_caller_or_a_fallback_takes_over(client, upstream):
    refused = {"error": {"message": "overloaded", "code": "overloaded"}}
    asked = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    upstream.on = lambda path, body: answer(body) if body["model"] == "gpt-4o" else Reply(body=refused)
    with client().chat.completions.with_streaming_response.create(**asked) as response:
        assert response.json() == refused
    parts = client(fallback={"models": ["gpt-4o"], "after_retries": 0}).chat.completions.create(**asked)
    assert "".join(part.choices[0].delta.content or "" for part in parts) == "okthen"


@pytest.mark.parametrize("status", [301, 302, 303])
@pytest.mark.parametrize("stream", [False, True])
def test_a_redirect_that_makes_another_request_of_a_call_is_an_error(client, upstream, status, stream):
    """The SDK's client makes a GET without a body of it, and would take what that gives for the answer."""
    upstream.on = lambda path, body: (
        Reply(body=chat({"model": "gpt-4o-mini"}, "of something else"))
        if path.startswith("GET ")
        else Reply(status=status, body=b"", headers={"location": "/v1/new/chat/completions"})
    )
    sdk = client(budget={"day": 1})
    with pytest.raises(openai.APIStatusError, match="redirects elsewhere") as raised:
        ask(sdk, stream=stream)
    assert raised.value.code == "redirected"
    assert [(row.error, row.incurred_usd) for row in sdk._client.gateway.ledger.rows()] == [("redirected", 0.0)]


@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize("stream", [False, True])
def test_a_redirect_that_keeps_the_request_is_followed(client, upstream, status, stream):
    upstream.on = lambda path, body: (
        answer(body)
        if "/new/" in path
        else Reply(status=status, body=b"", headers={"location": "/v1/new/chat/completions"})
    )
    found = ask(client(), stream=stream)
    assert (list(found)[-1] if stream else found).choices[0].finish_reason == "stop"


def test_a_number_that_python_does_not_read_passes_no_budget(client, upstream):
    sdk = client(budget={"day": 1})
    content = b'{"model": "gpt-4o-mini", "messages": [], "seed": ' + b"9" * 5000 + b"}"
    with pytest.raises(promptopt.Refused, match="more than 4,300 digits") as raised:
        sdk._client.post(
            f"{upstream.url}/chat/completions", content=content, headers={"content-type": "application/json"}
        )
    assert isinstance(raised.value, openai.BadRequestError)
    assert not upstream.calls
