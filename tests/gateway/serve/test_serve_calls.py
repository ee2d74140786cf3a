"""Calls through the proxy, made with the OpenAI SDK and with plain HTTP."""

import asyncio
import json
import shutil
import socket
import subprocess
import sys
import threading
import time

import anthropic
import httpx2
import openai
import pytest
from upstream import Reply, answer, ask, error, wait_until

CHAT = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}


def test_a_chat_completion_passes_and_its_second_asking_is_kept(proxy, upstream):
    server = proxy()
    client = server.openai()
    assert [ask(client).choices[0].message.content for _ in range(2)] == ["ok", "ok"]
    assert upstream.calls == 1
    raw = client.chat.completions.with_raw_response.create(**CHAT, temperature=0)
    assert raw.headers["x-promptopt-source"] == "cache"


def test_what_is_sent_are_the_clients_bytes_with_the_servers_key_and_no_other_header_of_the_client(proxy, upstream):
    server = proxy()
    body = b'{ "model":"gpt-4o-mini",  "messages":[{"role":"user","content":"hi"}] }'
    headers = {
        "content-type": "application/json; charset=utf-8", "authorization": "Bearer client", "cookie": "a=b",
        "openai-organization": "org-of-the-client", "x-promptopt-tag": "search", "openai-beta": "assistants=v2",
    }  # fmt: skip
    response = httpx2.post(f"{server.url}/v1/chat/completions", content=body, headers=headers)
    assert response.json()["choices"][0]["message"]["content"] == "ok"
    _, sent, got = upstream.requests[0]
    assert sent == json.loads(body)
    assert int(got["content-length"]) == len(body)
    assert got["authorization"] == "Bearer sk-of-the-server"
    assert got["openai-beta"] == "assistants=v2"
    assert not {"cookie", "openai-organization", "x-promptopt-tag"} & set(got)
    (row,) = server.rows()
    assert (row.tag, row.status, row.input_tokens, row.output_tokens) == ("search", "ok", 10, 2)


def test_responses_pass(proxy):
    client = proxy().openai()
    assert client.responses.create(model="gpt-4o-mini", input="hi").output_text == "ok"
    stream = client.responses.create(model="gpt-4o-mini", input="hi", stream=True)
    assert "".join(event.delta for event in stream if event.type == "response.output_text.delta") == "okthen"


def test_a_stream_passes_to_a_thread_and_to_an_event_loop_and_is_counted(proxy, upstream):
    server = proxy()
    chunks = list(server.openai().chat.completions.create(**CHAT, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "okthen"

    async def ask_async() -> str:
        async with server.aopenai() as client:
            stream = await client.chat.completions.create(**CHAT, stream=True, stream_options={"include_usage": True})
            return "".join([c.choices[0].delta.content or "" async for c in stream if c.choices])

    assert asyncio.run(ask_async()) == "okthen"
    assert wait_until(lambda: [row.status for row in server.rows()] == ["ok", "ok"])
    assert {row.input_tokens for row in server.rows()} == {10}
    assert all(body["stream_options"] == {"include_usage": True} for _, body, _ in upstream.requests)


def test_the_first_bytes_of_a_stream_come_before_the_last_are_there(proxy, upstream):
    gate = threading.Event()

    class Slow(list):
        def __iter__(self):
            yield from answer({**CHAT, "stream": True}).events[:1]
            gate.wait(10)
            yield from answer({**CHAT, "stream": True}).events[1:]

    # The upstream waits in its own event loop, so that it can write nothing more.
    upstream.on = lambda path, body: Reply(events=Slow())
    stream = proxy().openai().chat.completions.create(**CHAT, stream=True)
    assert next(iter(stream)).choices[0].delta.content == "ok"
    assert not gate.is_set()
    gate.set()
    assert next(iter(stream)).choices[0].delta.content == "then"


def test_an_upstreams_error_passes_as_it_is(proxy, upstream):
    upstream.on = lambda path, body: error(429, "rate_limit_exceeded", "slow down", retry_after="7")
    with pytest.raises(openai.RateLimitError) as caught:
        ask(proxy().openai())
    assert caught.value.code == "rate_limit_exceeded"
    assert caught.value.response.headers["retry-after"] == "7"


def test_a_wrong_key_of_the_server_is_not_the_clients_fault_and_is_not_shown(proxy, upstream):
    upstream.on = lambda path, body: error(401, "invalid_api_key", "Incorrect API key provided: sk-of***ver")
    response = proxy().post(CHAT)
    assert (response.status_code, response.json()["error"]["code"]) == (502, "upstream_auth")
    assert "sk-of" not in response.text
    assert response.headers["x-should-retry"] == "false"


@pytest.mark.parametrize(
    ("reply", "status", "code"),
    [
        (Reply(reset=True), 502, "upstream_unreachable"),
        (Reply(body=b"<html>"), 502, "invalid_body"),
        (Reply(hang_s=30), 504, "upstream_timeout"),
    ],
)
def test_what_becomes_of_a_broken_upstream(proxy, upstream, reply, status, code):
    upstream.on = lambda path, body: reply
    response = proxy("[tool.promptopt.serve]\ntimeout = 0.3").post(CHAT)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)


def test_an_upstream_that_is_not_there(proxy):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    server = proxy(f'[[tool.promptopt.gateway.upstreams]]\nname = "a"\nurl = "http://127.0.0.1:{port}/v1"')
    response = server.post(CHAT)
    assert (response.status_code, response.json()["error"]["code"]) == (502, "upstream_unreachable")
    assert server.rows()[0].incurred_usd == 0


def test_a_stream_that_breaks_off_ends_with_an_error_that_the_sdk_raises(proxy, upstream):
    first, *_ = answer({**CHAT, "stream": True}).events
    piece = b"data: " + json.dumps(first).encode() + b"\n\n"
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    upstream.on = lambda path, body: Reply(raw=head + b"%x\r\n" % len(piece) + piece + b"\r\n")
    server = proxy()
    stream = server.openai().chat.completions.create(**CHAT, stream=True)
    with pytest.raises(openai.APIError, match="the upstream ended the connection"):
        list(stream)
    assert wait_until(lambda: [row.status for row in server.rows()] == ["error"])


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_goes_away_gives_its_slot_back_at_once(proxy, upstream, stream):
    hang = [True]
    upstream.on = lambda path, body: Reply(hang_s=30) if hang[0] else answer(body, path)
    server = proxy("[tool.promptopt.gateway]\nconcurrency = 1\nbudget = {day = 1}")
    body = json.dumps({**CHAT, "stream": stream, "max_completion_tokens": 10}).encode()
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\n\r\n%b" % (len(body), body)
        )
        assert wait_until(lambda: upstream.calls == 1)
    hang[0] = False
    started = time.monotonic()
    assert server.post({**CHAT, "max_completion_tokens": 10}).status_code == 200
    assert time.monotonic() - started < 2
    assert [row.status for row in server.rows()] == ["abandoned", "ok"]
    assert server.service.serving.in_flight == 0


def test_a_client_that_leaves_a_running_stream_is_billed_for_what_had_come(proxy, upstream):
    class Endless(list):
        def __iter__(self):
            first, *_ = answer({**CHAT, "stream": True}).events
            while True:
                yield first

    upstream.on = lambda path, body: Reply(events=Endless())
    server = proxy("[tool.promptopt.gateway]\nbudget = {day = 1}")
    stream = server.openai().chat.completions.create(**CHAT, stream=True, max_completion_tokens=100)
    next(iter(stream))
    stream.close()
    assert wait_until(lambda: [row.status for row in server.rows()] == ["abandoned"])
    (row,) = server.rows()
    assert row.basis == "counted"
    assert row.output_tokens > 0


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        (b"{", {}, 400, "invalid_json"),
        (b"[1]", {}, 400, "invalid_json"),
        (b"\xff", {}, 400, "invalid_json"),
        (b"[" * 100_000, {}, 400, "invalid_json"),
        (b'{"messages": []}', {}, 400, "missing_model"),
        (b'{"model": 7}', {}, 400, "missing_model"),
        (b"{}", {"content-type": "text/plain"}, 415, "unsupported_media_type"),
        (b"{}", {"content-type": ""}, 415, "unsupported_media_type"),
        (b"\x1f\x8b", {"content-encoding": "gzip"}, 415, "unsupported_media_type"),
        (b" " * 2_000_000, {}, 413, "body_too_large"),
    ],
)
def test_a_request_that_is_no_call_gets_an_error_of_the_apis_form(proxy, upstream, content, headers, status, code):
    server = proxy("[tool.promptopt.serve]\nmax_body_mb = 1")
    headers = {"content-type": "application/json", **headers}
    response = httpx2.post(f"{server.url}/v1/chat/completions", content=content, headers=headers)
    assert response.status_code == status
    assert response.json()["error"]["code"] == code
    assert set(response.json()["error"]) >= {"message", "type", "param", "code"}
    assert upstream.calls == 0


def test_other_paths_are_refused_unless_the_configuration_lets_them_pass(proxy, upstream):
    upstream.on = lambda path, body: Reply(body={"object": "list", "data": [], "path": path})
    server = proxy('[tool.promptopt.serve]\npass = ["/v1/files"]')
    assert server.get("/v1/files/f-1?limit=2").json()["path"] == "GET /v1/files/f-1?limit=2"
    for path in ("/v1/images/generations", "/v1/filesystem", "/v1/files/../images"):
        assert server.get(path).status_code == 404
    response = server.get("/v1/batches")
    assert response.json()["error"]["code"] == "not_served"
    assert "`pass`" in response.json()["error"]["message"]
    assert server.get("/chat/completions").json()["error"]["code"] == "not_found"
    assert server.get("/v1/chat/completions").json()["error"]["code"] == "not_served"
    assert httpx2.post(f"{server.url}/healthz").json()["error"]["code"] == "method_not_allowed"


def test_the_models_are_those_of_the_upstream(proxy, upstream):
    models = [{"id": "gpt-4o", "object": "model", "created": 1, "owned_by": "openai"}]
    upstream.on = lambda path, body: Reply(body={"object": "list", "data": models})
    client = proxy().openai()
    assert [model.id for model in client.models.list()] == ["gpt-4o"]
    assert client.models.retrieve("gpt-4o").id == "gpt-4o"
    with pytest.raises(openai.NotFoundError, match="no upstream lists the model 'o9'"):
        client.models.retrieve("o9")


def test_upstreams_that_have_more_models_than_are_named_are_asked_for_them(proxy, upstream, monkeypatch):
    monkeypatch.setenv("CLAUDE_KEY", "sk-ant")
    lists = {"openai": ["gpt-4o", "gpt-4o-mini", "o9"], "claude": ["claude-sonnet-4-6"], "away": None}

    def listed(path, body):
        models = lists[path.split("/")[2]]
        return Reply(500) if models is None else Reply(body={"data": [{"id": name} for name in models]})

    upstream.on = listed
    named = "".join(
        f'[[tool.promptopt.gateway.upstreams]]\nname = "{name}"\nurl = "UPSTREAM/{url}"\nmodels = {models}\n{more}'
        for name, url, models, more in (
            ("openai", "openai", '["gpt-4o*"]', ""),
            ("claude", "claude", '["claude-*"]', 'key_env = "CLAUDE_KEY"\nheader = "x-api-key"\n'),
            ("azure", "azure/{model}", '["phi*"]', ""),
            ("local", "local", '["llama-3.3-70b"]', ""),
            ("away", "away", '["qwen*"]', ""),
        )
    )
    found = [model.id for model in proxy(named).openai().models.list()]
    assert found == ["claude-sonnet-4-6", "gpt-4o", "gpt-4o-mini", "llama-3.3-70b"]
    assert sorted(path for path, *_ in upstream.requests) == [f"/v1/{name}/models" for name in sorted(lists)]
    assert {headers.get("x-api-key") for path, _, headers in upstream.requests if "claude" in path} == {"sk-ant"}


def test_a_page_of_another_address_cannot_spend_through_a_browser(proxy, upstream):
    server = proxy('[tool.promptopt.serve]\npass = ["/v1/files"]')
    for origin in ("https://evil.example", "null", "http://localhost.evil.example:4141"):
        for path in ("/v1/chat/completions", "/v1/files"):
            response = httpx2.post(server.url + path, json=CHAT, headers={"origin": origin})
            assert (response.status_code, response.json()["error"]["code"]) == (403, "wrong_origin")
    assert upstream.calls == 0
    own = {"origin": "http://localhost:3000"}
    assert httpx2.post(f"{server.url}/v1/files", json=CHAT, headers=own).status_code == 200


def test_health_and_readiness(proxy):
    server = proxy()
    assert (server.get("/healthz").status_code, server.get("/readyz").status_code) == (200, 200)


def test_a_page_under_another_name_cannot_spend_from_a_browser_on_this_machine(proxy, upstream):
    response = proxy().post(CHAT, host="evil.example:4141")
    assert (response.status_code, response.json()["error"]["code"]) == (403, "wrong_host")
    assert upstream.calls == 0


def test_a_budget_and_a_limit_refuse_with_their_status_and_say_when_to_come_again(proxy, upstream):
    server = proxy('[tool.promptopt.gateway]\ncache = false\nlimits = {per_user = "1/hour"}')
    assert server.post({**CHAT, "user": "u1"}).status_code == 200
    response = server.post({**CHAT, "user": "u1"})
    assert (response.status_code, response.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert 0 < float(response.headers["retry-after"]) <= 3600
    broke = proxy("[tool.promptopt.gateway]\nbudget = {day = 0}")
    response = broke.post({**CHAT, "max_completion_tokens": 5})
    assert (response.status_code, response.json()["error"]["code"]) == (429, "budget_exceeded")
    assert response.headers["x-should-retry"] == "false"


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_a_program_in_another_language(proxy):
    script = """
    const body = {model: "gpt-4o-mini", messages: [{role: "user", content: "hi"}], stream: true};
    const response = await fetch(process.argv[1] + "/v1/chat/completions", {
      method: "POST", headers: {"content-type": "application/json"}, body: JSON.stringify(body)});
    let text = "";
    for await (const part of response.body) text += new TextDecoder().decode(part);
    const chunks = text.split("\\n\\n").filter(e => e.startsWith("data: {")).map(e => JSON.parse(e.slice(6)));
    console.log(response.status, chunks.map(c => c.choices[0].delta.content ?? "").join(""));
    """
    command = ["node", "--input-type=module", "-e", script, proxy().url]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "200 okthen"


def test_curl_with_nothing_but_a_body(proxy):
    command = ["curl", "-sS", f"{proxy().url}/v1/chat/completions", "-H", "Content-Type: application/json", "-d"]
    got = subprocess.run([*command, json.dumps(CHAT)], capture_output=True, text=True, check=True).stdout
    assert json.loads(got)["choices"][0]["message"]["content"] == "ok"


def test_embeddings_pass_and_are_kept(proxy, upstream):
    data = [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}]
    usage = {"prompt_tokens": 3, "total_tokens": 3}
    body = {"object": "list", "model": "text-embedding-3-small", "data": data, "usage": usage}
    upstream.on = lambda path, asked: Reply(body=body)
    server = proxy()
    client = server.openai()
    for _ in range(2):
        got = client.embeddings.create(model="text-embedding-3-small", input="hi", encoding_format="float")
        assert got.data[0].embedding == [0.5, 0.25]
    assert upstream.calls == 1
    assert wait_until(lambda: [row.cache for row in server.rows()] == ["miss", "cache"])
    assert server.rows()[0].input_tokens == 3


def test_an_error_with_a_good_status_passes_as_it_is(proxy, upstream):
    upstream.on = lambda path, body: Reply(body={"error": {"message": "overloaded", "code": 502}})
    server = proxy()
    response = server.post(CHAT)
    assert (response.status_code, response.json()["error"]["message"]) == (200, "overloaded")
    assert wait_until(lambda: [row.status for row in server.rows()] == ["error"])


def test_an_endpoint_that_refuses_to_be_asked_for_usage_is_asked_without(proxy, upstream):
    def on(path, body):
        return error(400, "bad", "unknown field stream_options") if "stream_options" in body else answer(body, path)

    upstream.on = on
    client = proxy().openai()
    for _ in range(2):
        chunks = list(client.chat.completions.create(**CHAT, stream=True))
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "okthen"
    assert ["stream_options" in body for _, body, _ in upstream.requests] == [True, False, False]


def test_a_call_says_of_the_cache_what_it_wants(proxy, upstream):
    server = proxy()
    only = {"x_promptopt_cache": "only"}
    refused = server.post({**CHAT, "temperature": 0}, **only)
    assert refused.status_code >= 400
    assert upstream.calls == 0
    server.post({**CHAT, "temperature": 0})
    assert server.post({**CHAT, "temperature": 0}, **only).headers["x-promptopt-source"] == "cache"


def test_calls_of_two_apis_share_no_answer(proxy, upstream):
    server = proxy()
    for beta in ("a=v1", "a=v2"):
        server.post({**CHAT, "temperature": 0}, openai_beta=beta)
    assert upstream.calls == 2


def test_the_anthropic_sdk_asks_its_own_endpoint_through_the_same_layers(proxy, upstream, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant")
    message = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-6", "stop_reason": "end_turn",
        "stop_sequence": None, "content": [{"type": "text", "text": "Hello."}],
        "usage": {"input_tokens": 12, "output_tokens": 3},
    }  # fmt: skip
    upstream.on = lambda path, body: Reply(body=message)
    server = proxy(
        '[[tool.promptopt.gateway.upstreams]]\nname = "anthropic"\nurl = "UPSTREAM"\nkey_env = "ANTHROPIC_API_KEY"\n'
        'header = "x-api-key"\nmodels = ["claude-*"]'
    )
    client = anthropic.Anthropic(base_url=server.url, api_key="of-the-client", max_retries=0)
    asked = {"model": "claude-sonnet-4-6", "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]}
    with client:
        for _ in range(2):
            assert client.messages.create(**asked, extra_body={"temperature": 0}).content[0].text == "Hello."
    (path, _, headers), *_ = upstream.requests
    assert (path, headers["x-api-key"]) == ("/v1/messages", "sk-ant")
    assert headers["anthropic-version"]
    assert upstream.calls == 1
    assert wait_until(lambda: len(server.rows()) == 2)
    assert [(row.input_tokens, row.cache) for row in server.rows()] == [(12, "miss"), (12, "cache")]


def _chunked(*pieces: bytes, end: bool) -> bytes:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + (b"0\r\n\r\n" if end else b"")


def _events() -> list[bytes]:
    found = answer({**CHAT, "stream": True, "stream_options": {"include_usage": True}}).events
    return [f"data: {each if isinstance(each, str) else json.dumps(each)}\n\n".encode() for each in found]


def test_a_connection_that_breaks_after_the_end_of_a_stream_costs_no_answer(proxy, upstream):
    upstream.on = lambda path, body: Reply(raw=_chunked(*_events(), end=False))
    server = proxy("[tool.promptopt.gateway]\nbudget = {day = 1}")
    text = server.post({**CHAT, "stream": True, "max_tokens": 100}).text
    assert text.endswith("data: [DONE]\n\n")
    assert "error" not in text
    assert wait_until(lambda: [row.status for row in server.rows()] == ["ok"])
    (row,) = server.rows()
    assert (row.basis, row.output_tokens) == ("measured", 2)


def test_a_client_that_leaves_at_the_end_of_a_stream_is_billed_what_the_upstream_measured(proxy, upstream):
    class Lingering(list):
        def __iter__(self):
            yield from super().__iter__()
            while True:
                yield "[DONE]"

    upstream.on = lambda path, body: Reply(events=Lingering(answer(body).events))
    server = proxy("[tool.promptopt.gateway]\nbudget = {day = 1}")
    with server.openai().chat.completions.create(**CHAT, stream=True, max_completion_tokens=100) as stream:
        assert len(list(stream)) > 1
    assert wait_until(lambda: [row.status for row in server.rows()] == ["ok"])
    (row,) = server.rows()
    assert (row.basis, row.output_tokens) == ("measured", 2)


def test_half_an_event_does_not_hide_the_error_of_a_stream(proxy, upstream):
    first, *_ = _events()
    upstream.on = lambda path, body: Reply(raw=_chunked(first, first[:20], end=False))
    with pytest.raises(openai.APIError, match="ended the connection"):
        list(proxy().openai().chat.completions.create(**CHAT, stream=True))


def test_an_object_in_the_place_of_a_stream_reaches_the_client_and_is_counted(proxy, upstream):
    upstream.on = lambda path, body: answer({**body, "stream": False}, text="whole")
    server = proxy("[tool.promptopt.gateway]\nbudget = {day = 1}")
    for _ in range(2):
        response = server.post({**CHAT, "stream": True, "max_tokens": 100, "temperature": 0})
        assert response.headers["content-type"] == "application/json"
        assert response.json()["choices"][0]["message"]["content"] == "whole"
    assert upstream.calls == 2
    assert {(row.status, row.basis, row.output_tokens) for row in server.rows()} == {("ok", "measured", 2)}


def test_an_error_object_in_the_place_of_a_stream_lets_a_fallback_take_over_or_passes(proxy, upstream):
    refused = {"error": {"message": "overloaded", "code": "overloaded"}}
    upstream.on = lambda path, body: answer(body) if body["model"] == "gpt-4o" else Reply(body=refused)
    body = {**CHAT, "stream": True}
    assert proxy().post(body).json() == refused
    server = proxy('[tool.promptopt.gateway]\nfallback = {models = ["gpt-4o"], after_retries = 0}')
    assert server.post(body).text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [307, 308])
def test_an_upstream_that_redirects_on_its_own_server_gets_the_same_request_there(proxy, upstream, stream, status):
    def on(path, body):
        place = path.replace("/v1/", "/v1/new/")
        return answer(body) if "/new/" in path else Reply(status=status, body=b"moved", headers={"location": place})

    upstream.on = on
    response = proxy().post({**CHAT, "stream": stream})
    assert response.status_code == 200
    assert "ok" in response.text
    (_, first, headers), (path, second, again) = upstream.requests
    assert (path, second) == ("/v1/new/chat/completions", first)
    assert headers["authorization"] == again["authorization"] == "Bearer sk-of-the-server"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("status", "place"),
    [
        *((status, "/v1/new/chat/completions") for status in (300, 301, 302, 303)),
        *((status, "http://127.0.0.1:1/v1/chat/completions?key=secret") for status in (302, 307, 308)),
        *((307, place) for place in ("/v1/chat/completions", "http://[", "")),
    ],
)
def test_no_other_request_is_made_of_a_call_that_is_redirected(proxy, upstream, stream, status, place, caplog):
    """Clients make a GET without a body of what 301, 302 and 303 redirect."""
    upstream.on = lambda path, body: Reply(status=status, body=b"moved", headers={"location": place})
    server = proxy("[tool.promptopt.gateway]\nbudget = {day = 1}")
    response = server.post({**CHAT, "stream": stream})
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (502, "upstream_redirected")
    assert response.headers["x-should-retry"] == "false"
    assert all(path == "/v1/chat/completions" and body["model"] == "gpt-4o-mini" for path, body, _ in upstream.requests)
    assert upstream.calls <= 4
    # Nothing was worked on.
    assert [(row.error, row.incurred_usd) for row in server.rows()] == [("upstream_redirected", 0.0)]
    assert f"answers {status}" in caplog.text
    assert "secret" not in caplog.text + response.text


def test_another_upstream_takes_over_from_one_that_redirects(proxy, upstream):
    upstream.on = lambda path, body: (
        answer(body) if path.startswith("/v1/") else Reply(status=302, body=b"", headers={"location": "/login"})
    )
    old = upstream.url.removesuffix("/v1")
    text = f"""
    [[tool.promptopt.gateway.upstreams]]
    name = "old"
    url = "{old}/old"
    weight = 1000000
    [[tool.promptopt.gateway.upstreams]]
    name = "new"
    url = "{upstream.url}"
    weight = 1
    """
    assert proxy(text).post(CHAT).status_code == 200


def test_a_client_is_redirected_where_nothing_is_counted(proxy, upstream):
    server = proxy('[tool.promptopt.serve]\npass = ["/v1/files"]')
    base = upstream.url
    for given, shown in (
        ("https://storage.example/f?signature=1", "https://storage.example/f?signature=1"),
        ("/v1/files/f-2/content", "/v1/files/f-2/content"),
        (f"{base}/files/f-2?x=1", "/v1/files/f-2?x=1"),
    ):
        reply = Reply(status=302, body=b"", headers={"location": given})
        upstream.on = lambda path, body, reply=reply: reply
        response = httpx2.get(f"{server.url}/v1/files/f-1/content", follow_redirects=False)
        assert (response.status_code, response.headers["location"]) == (302, shown)


@pytest.mark.parametrize("body", [
    '{"model": "gpt-4o", "model": "gpt-4o-mini", "messages": []}',
    '{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "x", "content": "y"}]}',
])  # fmt: skip
def test_a_name_that_is_there_twice_is_refused_since_readers_differ_over_it(proxy, upstream, body):
    url = f"{proxy().url}/v1/chat/completions"
    response = httpx2.post(url, content=body, headers={"content-type": "application/json"})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_json")
    assert "twice" in response.json()["error"]["message"]
    assert not upstream.calls


def test_a_body_that_is_nested_too_deeply_is_the_clients_error(proxy, upstream):
    content = "[" * 900 + "]" * 900
    body = f'{{"model": "gpt-4o-mini", "temperature": 0, "messages": [{{"role": "user", "content": {content}}}]}}'
    url = f"{proxy().url}/v1/chat/completions"
    response = httpx2.post(url, content=body, headers={"content-type": "application/json"})
    # From Python 3.12 on, what C reads and writes of JSON has a limit of its own, beyond 900.
    if sys.version_info >= (3, 12) and response.status_code == 200:
        assert upstream.calls == 1
    else:
        assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_json")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"model": "gpt-4o-mini", "messages": [], "seed": ' + b"9" * 5000 + b"}", "more than 4,300 digits"),
        (b'{"model": "gpt-4o-mini", "messages": [], "seed": -1' + b"0" * 5000 + b"}", "more than 4,300 digits"),
        (b'{"model": "gpt-4o-mini", "messages": ["\xff"]}', "not UTF-8, from byte 40 on"),
        (b'{"model": "gpt-4o-mini", "messages": [}', "column 39"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_wrong_with_a_body_is_said_as_it_is(proxy, upstream, content, said):
    url = f"{proxy().url}/v1/chat/completions"
    response = httpx2.post(url, content=content, headers={"content-type": "application/json"})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_json")
    assert said in response.json()["error"]["message"]
    assert not upstream.calls


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize(
    "path",
    ["chat/completions", "responses", "embeddings", "messages", "messages/count_tokens", "responses/input_tokens"],
)
def test_what_takes_calls_takes_nothing_else(proxy, upstream, method, path):
    got = httpx2.request(method, f"{proxy().url}/v1/{path}")
    assert (got.status_code, got.headers["allow"]) == (405, "POST")
    assert "the path takes POST" in got.json()["error"]["message"]
    assert upstream.calls == 0


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("POST", "/v1/models", "GET, HEAD"),
        ("POST", "/healthz", "GET, HEAD"),
        ("POST", "/v1/responses/resp_1", "DELETE, GET, HEAD"),
        ("GET", "/v1/responses/resp_1/cancel", "POST"),
        ("DELETE", "/v1/responses/resp_1/input_items", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_named_with_the_right_ones(proxy, method, path, allow):
    got = httpx2.request(method, proxy().url + path, content=b"{}", headers={"content-type": "application/json"})
    assert (got.status_code, got.headers["allow"]) == (405, allow)


def test_tokens_are_counted_by_the_upstream_that_has_the_model_and_cost_nothing(proxy, upstream, monkeypatch):
    monkeypatch.setenv("CLAUDE_KEY", "sk-ant")
    upstream.on = lambda path, body: Reply(body={"input_tokens": 14})
    named = "".join(
        f'[[tool.promptopt.gateway.upstreams]]\nname = "{name}"\nurl = "UPSTREAM/{name}"\nmodels = ["{models}"]\n{more}'
        for name, models, more in (
            ("openai", "gpt-*", 'key_env = "OPENAI_API_KEY"\n'),
            ("claude", "claude-*", 'key_env = "CLAUDE_KEY"\nheader = "x-api-key"\n'),
        )
    )
    server = proxy(named)
    client = anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0)
    found = client.messages.count_tokens(model="claude-sonnet-4-6", messages=CHAT["messages"])
    client.close()
    assert found.input_tokens == 14
    path, _, headers = upstream.requests[0]
    assert (path, headers["x-api-key"]) == ("/v1/claude/messages/count_tokens", "sk-ant")
    assert server.openai().responses.input_tokens.count(model="gpt-4o-mini", input="hi").input_tokens == 14
    assert upstream.requests[1][0] == "/v1/openai/responses/input_tokens"
    assert server.rows() == []
    broken = httpx2.post(
        f"{server.url}/v1/messages/count_tokens", content=b"{", headers={"content-type": "application/json"}
    )
    assert broken.status_code == 400


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses/resp_1"])
@pytest.mark.parametrize("sent", [b"", b'{"model": '])
def test_a_body_that_never_ends_is_not_waited_for(proxy, upstream, path, sent):
    server = proxy("[tool.promptopt.serve]\nbody_timeout = 0.3")
    host, port = server.url.removeprefix("http://").split(":")
    method = b"DELETE" if path.endswith("1") else b"POST"
    head = b"%s %s HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(head % (method, path.encode()) + sent)
        got = b""
        while part := connection.recv(1000):
            got += part
    assert got.startswith(b"HTTP/1.1 408 ")
    assert b"`body_timeout` sets that" in got
    assert upstream.calls == 0
    assert server.service.serving.in_flight == 0


def test_a_message_that_breaks_off_ends_with_an_error_that_anthropics_sdk_raises(proxy, upstream):
    piece = b'event: ping\ndata: {"type": "ping"}\n\n'
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    upstream.on = lambda path, body: Reply(raw=head + b"%x\r\n" % len(piece) + piece + b"\r\n")
    client = anthropic.Anthropic(base_url=proxy().url, api_key="none", max_retries=0)
    with client, pytest.raises(anthropic.APIError, match="the upstream ended the connection"):
        list(client.messages.create(model="claude-sonnet-4-6", max_tokens=9, messages=CHAT["messages"], stream=True))


@pytest.mark.parametrize("half", [b"", b'data: {"id": "c'])
def test_a_stream_that_ends_before_its_answer_ends_with_an_error(proxy, upstream, half):
    """Its connection ends as after a whole answer, and who reads it would take a part for all of it."""
    first, *_ = answer({**CHAT, "stream": True}).events
    piece = f"data: {json.dumps(first)}\n\n".encode() + half
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    upstream.on = lambda path, body: Reply(raw=head + f"{len(piece):x}\r\n".encode() + piece + b"\r\n0\r\n\r\n")
    server = proxy()
    stream = server.openai().chat.completions.create(**CHAT, stream=True)
    with pytest.raises(openai.APIError, match="ended the stream before its answer did"):
        list(stream)
    assert [(row.status, row.error) for row in server.rows()] == [("error", "invalid_body")]
