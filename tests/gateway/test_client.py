import asyncio
import json
import logging
import resource
import subprocess
import sys
import threading

import openai
import pytest
from upstream import Reply, answer, ask, chat_events, error, wait_until

import promptopt


def rows(client):
    return list(client._client.gateway.ledger.rows())


def test_one_line_caches_and_keeps_the_ledger_below_dot_promptopt(client, upstream, folder):
    sdk = client()
    first, second = ask(sdk), ask(sdk)
    assert first == second
    assert upstream.calls == 1
    assert sorted(p.name for p in (folder / ".promptopt").glob("*.sqlite")) == ["cache.sqlite", "ledger.sqlite"]
    miss, hit = rows(sdk)
    assert (miss.cache, miss.status, miss.input_tokens, miss.output_tokens) == ("miss", "ok", 10, 2)
    assert (hit.cache, hit.incurred_usd) == ("cache", 0.0)
    assert hit.list_usd == miss.list_usd == miss.incurred_usd == pytest.approx(10 * 0.15e-6 + 2 * 0.6e-6)


def test_async(aclient, upstream):
    async def main():
        async with aclient() as sdk:
            message = [{"role": "user", "content": "hi"}]
            calls = [
                sdk.chat.completions.create(model="gpt-4o-mini", messages=message, temperature=0) for _ in range(20)
            ]
            answers = await asyncio.gather(*calls)
            assert {each.choices[0].message.content for each in answers} == {"ok"}
            return rows(sdk)

    found = asyncio.run(main())
    assert upstream.calls == 1
    assert len(found) == 20
    assert {row.cache for row in found} <= {"miss", "shared", "cache"}


def test_responses_and_parse(client, upstream):
    sdk = client()
    for _ in range(2):
        assert sdk.responses.create(model="gpt-4o-mini", input="hi", temperature=0).output_text == "ok"
    assert upstream.calls == 1
    assert [row.endpoint for row in rows(sdk)] == ["responses", "responses"]


def test_other_endpoints_pass_untouched(client, upstream):
    upstream.on = lambda path, body: Reply(body={"id": "modr-1", "model": "m", "results": []})
    sdk = client()
    sdk.moderations.create(input="x", extra_headers={"x-promptopt-user": "ann@example.com"})
    assert rows(sdk) == []
    assert not [name for name in upstream.requests[0][2] if name.startswith("x-promptopt")]


@pytest.mark.parametrize("include_usage", [False, True])
def test_stream_passes_and_is_accounted_for(client, upstream, include_usage):
    sdk = client()
    options = {"stream_options": {"include_usage": True}} if include_usage else {}
    for _ in range(2):
        chunks = list(ask(sdk, stream=True, **options))
        text = [c.choices[0].delta.content for c in chunks if c.choices]
        assert text == ["ok", "then", None]
        assert any(c.usage for c in chunks) is include_usage
        assert all(c.choices for c in chunks) is not include_usage
    assert upstream.calls == 1
    assert upstream.requests[0][1]["stream_options"] == {"include_usage": True}
    miss, hit = rows(sdk)
    assert (miss.input_tokens, miss.output_tokens, miss.basis) == (10, 2, "measured")
    assert (hit.cache, hit.incurred_usd, hit.list_usd) == ("cache", 0.0, miss.list_usd)


@pytest.mark.parametrize("include_usage", [False, True])
def test_usage_in_a_part_of_the_answer_is_for_those_who_asked(client, upstream, include_usage):
    """Some endpoints send it with the last choice, and some with every part, counted so far."""

    def reply(path, body):
        *events, usage, done = chat_events(body)
        for number, event in enumerate(events):
            event["usage"] = usage["usage"] | {"completion_tokens": number} if number else None
        return Reply(events=[*events[:-1], events[-1] | {"usage": usage["usage"]}, done])

    upstream.on = reply
    sdk = client()
    options = {"stream_options": {"include_usage": True}} if include_usage else {}
    for _ in range(2):
        chunks = list(ask(sdk, stream=True, **options))
        assert [chunk.choices[0].delta.content for chunk in chunks] == ["ok", "then", None]
        assert chunks[-1].choices[0].finish_reason == "stop"
        assert any(chunk.usage for chunk in chunks) is include_usage
    assert upstream.calls == 1
    assert [(row.input_tokens, row.output_tokens, row.basis) for row in rows(sdk)] == [(10, 2, "measured")] * 2


def test_stream_of_responses(client, upstream):
    sdk = client()
    for _ in range(2):
        events = list(sdk.responses.create(model="gpt-4o-mini", input="hi", temperature=0, stream=True))
        assert events[-1].response.output_text == "ok then"
    assert upstream.calls == 1
    assert rows(sdk)[0].output_tokens == 2


def test_async_stream(aclient, upstream):
    async def main():
        async with aclient() as sdk:
            for _ in range(2):
                message = [{"role": "user", "content": "hi"}]
                stream = await sdk.chat.completions.create(
                    model="gpt-4o-mini", messages=message, temperature=0, stream=True
                )
                assert [c.choices[0].delta.content async for c in stream] == ["ok", "then", None]
            return rows(sdk)

    assert [row.cache for row in asyncio.run(main())] == ["miss", "cache"]
    assert upstream.calls == 1


def test_stream_without_usage_is_counted(client, upstream):
    def on(path, body):
        return Reply(events=chat_events({**body, "stream_options": {}}))

    upstream.on = on
    sdk = client()
    list(ask(sdk, stream=True))
    (row,) = rows(sdk)
    assert row.basis == "counted"
    assert (row.input_tokens, row.output_tokens) == (8, 2)


def test_stream_left_early_is_abandoned_and_not_kept(client, upstream):
    upstream.on = lambda path, body: Reply(events=chat_events(body, " ".join(["word"] * 2000)))
    sdk = client()
    with ask(sdk, stream=True) as stream:
        next(iter(stream))
    (row,) = rows(sdk)
    assert row.status == "abandoned"
    assert row.output_tokens >= 1
    list(ask(sdk, stream=True))
    assert upstream.calls == 2


def test_stream_that_breaks_off_is_an_error_of_the_sdks(client, upstream):
    raw = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n7\r\ndata: {\r\n"
    upstream.on = lambda path, body: Reply(raw=raw)
    sdk = client()
    with pytest.raises(openai.APIConnectionError):
        list(ask(sdk, stream=True))
    (row,) = rows(sdk)
    assert (row.status, row.error, row.basis) == ("error", "connection", "assumed")


def test_labels_by_header_and_by_context(client, upstream):
    sdk = client()
    headers = {"X-Promptopt-Prompt": "triage", "x-promptopt-version": "v2", "x-promptopt-tag": "search"}
    ask(sdk, extra_headers=headers)
    with promptopt.labels(tag="mail", user="u1"):
        ask(sdk, "other")
    first, second = rows(sdk)
    assert (first.prompt, first.version, first.tag, first.kind) == ("triage", "v2", "search", "triage")
    assert (second.tag, second.user) == ("mail", "u1")
    assert not [name for _, _, sent in upstream.requests for name in sent if name.startswith("x-promptopt")]


def test_samples_are_kept_apart(client, upstream):
    sdk = client()
    for sample in (0, 1, 1):
        with promptopt.labels(sample=sample):
            ask(sdk)
    assert upstream.calls == 2


@pytest.mark.parametrize("temperature", [0.7, None])
def test_only_deterministic_requests_are_kept(client, upstream, temperature):
    sdk = client()
    for _ in range(2):
        sdk.chat.completions.create(
            model="m", messages=[], **({} if temperature is None else {"temperature": temperature})
        )
    assert upstream.calls == 2
    assert {row.cache for row in rows(sdk)} == {"none"}
    sdk = client(cache={"deterministic_only": False})
    for _ in range(2):
        sdk.chat.completions.create(model="m", messages=[], temperature=0.7)
    assert upstream.calls == 3


def test_what_shapes_the_answer_is_in_the_key(client, upstream):
    sdk = client()
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    schema = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
    for extra in ({}, {"seed": 1}, {"top_p": 0.5}, {"tools": [tool]}, {"response_format": schema}, {"stop": ["x"]}):
        ask(sdk, **extra)
    ask(sdk, model="gpt-4o")
    assert upstream.calls == 7
    ask(sdk, user="somebody else")
    assert upstream.calls == 7


@pytest.mark.parametrize(
    ("reply", "kind", "attempts"),
    [
        (error(429, "insufficient_quota"), openai.RateLimitError, 1),
        (error(401, "invalid_api_key"), openai.AuthenticationError, 1),
        (error(400, "context_length_exceeded"), openai.BadRequestError, 1),
        (error(429, "rate_limit_exceeded", retry_after="0.01"), openai.RateLimitError, 3),
        (error(500, None), openai.InternalServerError, 3),
        (Reply(body=b"{broken"), openai.InternalServerError, 3),
        (Reply(body=b'{"choices": "\xff"}'), openai.InternalServerError, 3),
        (Reply(reset=True), openai.APIConnectionError, 3),
    ],
    ids=["quota", "auth", "bad-request", "rate", "server", "broken-json", "wrong-encoding", "reset"],
)
def test_retries_are_the_sdks_and_only_if_they_help(client, upstream, monkeypatch, reply, kind, attempts):
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)
    upstream.on = lambda path, body: reply
    sdk = client(max_retries=2)
    with pytest.raises(kind):
        ask(sdk)
    assert upstream.calls == attempts
    assert [row.status for row in rows(sdk)] == ["error"] * attempts
    upstream.on = answer
    upstream.on = lambda path, body: answer(body)
    assert ask(sdk).choices[0].message.content == "ok"


def test_secrets_reach_neither_ledger_nor_cache_nor_log(client, upstream, folder, caplog):
    caplog.set_level(logging.DEBUG, "promptopt")
    secret = "sk-" + "a1B2" * 8
    sdk = client(redis="redis://user:hunter22@127.0.0.1:1/0")
    sdk.api_key = secret
    ask(sdk, f"my key is {secret}", extra_headers={"x-promptopt-tag": secret})
    upstream.on = lambda path, body: error(401, "invalid_api_key", f"Incorrect API key provided: {secret}")
    with pytest.raises(openai.AuthenticationError):
        ask(sdk, "again")
    sdk.close()
    kept = b"".join(path.read_bytes() for path in (folder / ".promptopt").iterdir())
    assert secret.encode() not in kept
    assert secret not in caplog.text
    assert "hunter22" not in caplog.text
    assert "127.0.0.1:1" in caplog.text


def test_same_transport_option_names_as_httpx(client):
    with pytest.raises(promptopt.PromptoptError, match=r"unknown setting 'budgett'.*Did you mean 'budget'"):
        client(budgett={"day": 1})
    assert client(timeout=3.0).timeout.read == 3.0


def test_threads_share_one_call(client, upstream):
    upstream.delay_s = 0.1
    sdk = client()
    threads = [threading.Thread(target=ask, args=(sdk,)) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert upstream.calls == 1
    found = rows(sdk)
    assert len(found) == 100
    assert sum(row.incurred_usd for row in found) == pytest.approx(found[0].list_usd)


def test_errors_are_not_shared_as_answers(client, upstream):
    states = iter([error(500)] + [None] * 100)
    lock = threading.Lock()

    def on(path, body):
        with lock:
            return next(states) or answer(body)

    upstream.on, upstream.delay_s = on, 0.05
    sdk = client()
    got = []

    def one():
        try:
            got.append(ask(sdk).choices[0].message.content)
        except openai.InternalServerError:
            got.append("error")

    threads = [threading.Thread(target=one) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == ["error"] + ["ok"] * 19
    assert upstream.calls == 2


def test_a_cancelled_leader_gives_way(aclient, upstream):
    upstream.delay_s = 0.3

    async def main():
        async with aclient() as sdk:
            message = [{"role": "user", "content": "hi"}]

            def create():
                return sdk.chat.completions.create(model="gpt-4o-mini", messages=message, temperature=0)

            leader = asyncio.create_task(create())
            await asyncio.sleep(0.1)
            follower = asyncio.create_task(create())
            await asyncio.sleep(0.05)
            leader.cancel()
            answer = await follower
            return answer.choices[0].message.content, [row.status for row in rows(sdk)]

    assert asyncio.run(main()) == ("ok", ["abandoned", "ok"])


def test_wrapped_provider_sync_and_async(upstream):
    from promptopt.call_options import CallOptions
    from promptopt.providers.openai.client import OpenAIProvider
    from promptopt.values import Message, Request

    inner = OpenAIProvider(base_url=upstream.url, api_key="k")
    wrapped = promptopt.wrap(inner, budget={"day": 1})
    request = Request("gpt-4o-mini", (Message("user", "hi"),), CallOptions(temperature=0, max_output_tokens=5))
    first = wrapped.complete(request)
    assert first.text == "ok"
    assert first.duration_s > 0
    second = asyncio.run(wrapped.acomplete(request))
    assert (second.text, second.usage, second.duration_s) == ("ok", first.usage, None)
    assert upstream.calls == 1
    wrapped.close()


def test_gateway_import_is_lazy():
    code = "import promptopt, sys; print([m for m in ('openai','sqlite3','redis','limits') if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_request_digest_is_stable_json(upstream):
    from promptopt.gateway.call import Labels, identity_of

    assert identity_of("u", {"a": 1, "b": "é"}, Labels()) == identity_of(
        "u", json.loads('{"b":"\\u00e9","a":1}'), Labels()
    )
    assert identity_of("u", {"a": 1}, Labels()) != identity_of("u", {"a": 1}, Labels(sample=1))


def test_redis_dies_while_a_stream_passes(client, upstream, redis_server):
    sdk = client(redis=redis_server.url, budget={"run": 1})
    upstream.on = lambda path, body: Reply(events=chat_events(body, " ".join(["word"] * 50)))
    stream = ask(sdk, stream=True, max_completion_tokens=60)
    next(iter(stream))
    redis_server.kill()
    assert "".join(c.choices[0].delta.content or "" for c in stream).startswith("word")
    with pytest.raises(openai.InternalServerError, match="the budget"):
        ask(sdk, "next")


def test_a_full_disk_costs_no_answer_and_no_row(client, upstream, request, caplog):
    sdk = client()
    request.getfixturevalue("small_disk")
    for number in range(20):
        assert ask(sdk, f"{number} " * 100).choices[0].message.content == "ok"
    assert wait_until(lambda: "held in memory" in caplog.text)
    assert upstream.calls == 20
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    assert [row.status for row in rows(sdk)] == ["ok"] * 20
    assert caplog.text.count("held in memory") == 1


def test_a_thread_that_outlives_the_main_one_makes_calls(upstream, folder):
    """Python then loads no thread pools any more, and the tokenizer wants one."""
    code = f"""
import threading
import openai
import promptopt

sdk = openai.OpenAI(
    base_url={upstream.url!r}, api_key="k", max_retries=0, http_client=promptopt.http_client(budget={{"day": 1}})
)

def late():
    threading.main_thread().join()
    print(sdk.chat.completions.create(model="gpt-4o-mini", messages=[{{"role": "user", "content": "hi"}}]).model)

threading.Thread(target=late).start()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert (done.stdout, done.stderr) == ("gpt-4o-mini\n", "")
