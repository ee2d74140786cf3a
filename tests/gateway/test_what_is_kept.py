"""What is never kept: answers that are not whole, and calls that mean something else the next time."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from upstream import Reply, answer, ask, chat, chat_events, error, response

import promptopt
from promptopt.errors import UsageError
from promptopt.gateway.call import Call, Labels
from promptopt.gateway.failures import BadCacheControl
from promptopt.gateway.layers.cache import CacheControl, CachePolicy

HOUR, DAY = 3600, 86400
PICTURE = "data:image/png;base64,aGk="


def kept_for(client):
    """Seconds for which each kept answer may be used."""
    return [entry.expires - entry.created for entry in client._client.gateway.cache.store.entries()]


@pytest.mark.parametrize(
    "reason",
    ["length", "content_filter", "error", "insufficient_system_resource", "malformed_function_call", "SAFETY", None],
)
@pytest.mark.parametrize("stream", [False, True])
def test_answers_that_ended_otherwise(client, upstream, reason, stream):
    def on(path, body):
        if not stream:
            return Reply(body=chat(body, finish=reason))
        *parts, last, done = chat_events({**body, "stream_options": None})
        last["choices"][0]["finish_reason"] = reason
        return Reply(events=[*parts, last, done])

    upstream.on = on
    sdk = client()
    for _ in range(2):
        found = ask(sdk, stream=stream)
        if stream:
            assert [part.choices[0].finish_reason for part in found][-1] == reason
        else:
            assert found.choices[0].finish_reason == reason
    assert upstream.calls == 2


FILTERED = {"content_filter_results": {"hate": {"filtered": True, "severity": "high"}}}
CALLS = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]


@pytest.mark.parametrize(
    ("message", "choice", "asked"),
    [
        ({"content": ""}, {}, 2),
        ({"content": " \n"}, {}, 2),
        ({"content": None}, {}, 2),
        ({"content": None, "refusal": "I can't help with that."}, {}, 2),
        ({"content": "h***"}, FILTERED, 2),
        ({"content": [{"type": "thinking", "thinking": []}]}, {}, 2),
        ({"content": "fine"}, {"content_filter_results": {"hate": {"filtered": False}}}, 1),
        ({"content": [{"type": "text", "text": "fine"}]}, {}, 1),
        ({"content": None, "tool_calls": CALLS}, {"finish_reason": "tool_calls"}, 1),
    ],
)
def test_empty_refused_and_filtered_answers(client, upstream, message, choice, asked):
    def on(path, body):
        whole = chat(body)
        whole["choices"][0].update(choice)
        whole["choices"][0]["message"] = {"role": "assistant", **message}
        return Reply(body=whole)

    upstream.on = on
    sdk = client()
    assert [ask(sdk).choices[0].message.refusal for _ in range(2)] == [message.get("refusal")] * 2
    assert upstream.calls == asked


def test_one_bad_choice_of_several(client, upstream):
    def on(path, body):
        whole = chat(body)
        whole["choices"].append({**whole["choices"][0], "index": 1, "finish_reason": "length"})
        return Reply(body=whole)

    upstream.on = on
    sdk = client()
    for _ in range(2):
        ask(sdk, n=2)
    assert upstream.calls == 2


def test_a_choice_of_a_stream_that_never_ended(client, upstream):
    def on(path, body):
        *events, usage, done = chat_events(body)
        begun = {**events[0], "choices": [{"index": 1, "delta": {"content": "and"}, "finish_reason": None}]}
        return Reply(events=[begun, *events, usage, done])

    upstream.on = on
    sdk = client()
    for _ in range(2):
        list(ask(sdk, n=2, stream=True))
    assert upstream.calls == 2


TWICE = [
    {"previous_response_id": "resp_0"},
    {"conversation": "conv_1"},
    {"background": True},
    {"prompt": {"id": "pmpt_1"}},
    {"store": True},
    {"tools": [{"type": "web_search"}]},
    {"tools": [{"type": "file_search", "vector_store_ids": ["v"]}]},
    {"tools": [{"type": "mcp", "server_label": "crm", "server_url": "https://x", "require_approval": "never"}]},
    {"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]},
    {"tools": [{"type": "a_tool_of_next_year"}]},
    {"input": [{"type": "item_reference", "id": "msg_1"}]},
    {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "https://cam.example/now.png"}]}]},
    {"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "https://x.example/today.pdf"}]}]},
    {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "file-1"}]}]},
    {"extra_body": {"a_field_of_next_year": 1}},
    {"model": "gpt-4o-search-preview"},
]
ONCE = [
    {},
    {"store": False},
    {"tools": [{"type": "function", "name": "f", "parameters": {}, "strict": False}]},
    {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": PICTURE, "detail": "low"}]}]},
    {"input": [{"type": "function_call_output", "call_id": "c", "output": "7"}]},
]


@pytest.mark.parametrize(("options", "asked"), [*((each, 2) for each in TWICE), *((each, 1) for each in ONCE)])
def test_responses_with_state_or_tools_of_the_provider(client, upstream, options, asked):
    sdk = client()
    for _ in range(2):
        sdk.responses.create(**{"model": "gpt-4o-mini", "temperature": 0, "input": "do it", **options})
    assert upstream.calls == asked


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ({"store": True}, 2),
        ({"web_search_options": {}}, 2),
        ({"extra_body": {"plugins": [{"id": "web"}]}}, 2),
        ({"extra_body": {"search_parameters": {"mode": "on"}}}, 2),
        ({"modalities": ["text", "audio"], "audio": {"voice": "ash", "format": "mp3"}}, 2),
        ({"model": "sonar-pro"}, 2),
        ({"extra_body": {"top_k": 1, "guided_json": {}}}, 1),
        ({"seed": 1, "stop": ["x"], "response_format": {"type": "json_object"}}, 1),
    ],
)
def test_chat_completions_with_state_or_tools_of_the_provider(client, upstream, options, asked):
    sdk = client()
    for _ in range(2):
        ask(sdk, **options)
    assert upstream.calls == asked


def test_events_of_several_lines_are_kept(client, upstream):
    def on(path, body):
        events = [json.dumps(each, indent=1) for each in chat_events(body)[:-1]]
        lines = "".join("".join(f"data: {line}\n" for line in each.splitlines()) + "\n" for each in [*events, "[DONE]"])
        head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
        return Reply(raw=(head + lines).encode())

    upstream.on = on
    for _ in range(2):
        # Another client reads the file.
        with client() as sdk:
            parts = [each.choices[0].delta.content or "" for each in ask(sdk, stream=True) if each.choices]
            assert "".join(parts) == "okthen"
    assert upstream.calls == 1


def test_store_makes_another_call(client, upstream):
    sdk = client()
    for store in (False, True, True):
        sdk.responses.create(model="gpt-4o-mini", temperature=0, input="s", store=store)
    assert upstream.calls == 3


def test_items_of_the_providers_tools_in_an_answer(client, upstream):
    def on(path, body):
        whole = response(body)
        whole["output"].insert(0, {"type": "web_search_call", "id": "ws_1", "status": "completed"})
        return Reply(body=whole)

    upstream.on = on
    sdk = client()
    for _ in range(2):
        sdk.responses.create(model="gpt-4o-mini", temperature=0, input="news?")
    assert upstream.calls == 2


@pytest.mark.parametrize(
    "text",
    [
        *("what time is it", "price of Apple stock", "who is president", "Wie spät ist es?", "今何時ですか"),
        *("quel temps fait-il", "¿Cuánto cuesta un bitcoin?", "курс доллара", "any news?", "plain"),
    ],
)  # fmt: skip
def test_no_question_of_a_language_is_answered_from_yesterday(client, upstream, text):
    sdk = client(cache={"ttl": "7d"})
    ask(sdk, text)
    assert kept_for(sdk) == [HOUR]


def test_what_lasts_is_said_by_who_knows_the_prompt(client, upstream):
    sdk = client(cache={"ttl": "7d", "lasting": ["triage", "route@v2"]})
    for prompt, version in [("triage", "v1"), ("route", "v1"), ("route", "v2"), ("weather", "v1")]:
        with promptopt.labels(prompt=prompt, version=version):
            ask(sdk, f"{prompt} {version}")
            ask(sdk, f"{prompt} {version} today")
    short = [seconds for seconds in kept_for(sdk) if seconds == HOUR]
    assert (len(short), len(kept_for(sdk))) == (6, 8)
    assert max(kept_for(sdk)) == 7 * DAY


def control(word, text="hi", **options):
    return {"extra_headers": {"x-promptopt-cache": word}, "text": text, **options}


def test_no_store_neither_reads_nor_keeps(client, upstream):
    sdk = client()
    for word in ("no-store", "no-store", ""):
        ask(sdk, **control(word))
    ask(sdk)
    ask(sdk, **control("no-store"))
    assert upstream.calls == 4
    assert "x-promptopt-cache" not in upstream.requests[0][2]


def test_refresh_replaces_what_is_kept(client, upstream):
    upstream.on = lambda path, body: answer(body, path, text=f"answer {next(upstream.numbers)}")
    sdk = client()
    texts = [ask(sdk, **control(word)).choices[0].message.content for word in ("", "", "refresh", "", "")]
    assert texts == ["answer 0"] * 2 + ["answer 1"] * 3


def test_ttl_keeps_at_any_temperature_but_never_state(client, upstream):
    sdk = client()
    for _ in range(2):
        ask(sdk, **control("ttl=2h", temperature=1))
        ask(sdk, **control("ttl=90", text="news", web_search_options={}))
        ask(sdk, **control("ttl=1d", text="stored", store=True))
    assert upstream.calls == 4
    assert sorted(kept_for(sdk)) == [90, 2 * HOUR]


@pytest.mark.parametrize("settings", [{}, {"cache": False}, {"single_flight": False}])
def test_only_never_asks(client, upstream, settings):
    sdk = client(**settings)
    with pytest.raises(promptopt.NotCached, match="only") as refused:
        ask(sdk, **control("only"))
    assert refused.value.status_code == 504
    assert refused.value.code == "not_cached"
    assert upstream.calls == 0
    ask(sdk)
    if settings.get("cache", True):
        assert ask(sdk, **control("only")).choices[0].message.content == "ok"
    assert upstream.calls == 1


def test_a_label_for_programs_without_headers(client, upstream):
    sdk = client()
    with promptopt.labels(cache="refresh, ttl=5m"):
        ask(sdk)
        ask(sdk)
    assert upstream.calls == 2
    assert kept_for(sdk) == [300]


@pytest.mark.parametrize("word", ["nostore", "ttl=", "ttl=0", "ttl=15d", "ttl=-1", "ttl=1y", "only, refresh"])
def test_a_wish_that_cannot_be_read_is_refused(client, upstream, word):
    with pytest.raises(promptopt.Refused, match="x-promptopt-cache") as refused:
        ask(client(), **control(word))
    assert refused.value.status_code == 400
    assert upstream.calls == 0


@given(st.text(max_size=30))
def test_any_wish_is_read_or_refused(text):
    call = Call.of("chat", "", {}, Labels(cache=text))
    try:
        ttl = CacheControl.of(call).ttl_s
    except BadCacheControl:
        return
    assert ttl is None or 0 < ttl <= 14 * DAY


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["type", "content", "image_url", "file", "source", "url", "tools", "text"]),
        inner,
        max_size=3,
    ),
)  # fmt: skip


@given(st.sampled_from(["chat", "responses", "embeddings", "messages"]), st.dictionaries(
    st.sampled_from(["messages", "input", "tools", "temperature", "store", "prompt", "system"]), JSON
))  # fmt: skip
def test_any_body_can_be_judged(endpoint, body):
    call = Call.of(endpoint, "", {"model": "m", **body})
    assert CachePolicy(deterministic_only=False).shareable(call) in (True, False)


def test_embeddings_are_kept_and_paid_once(client, upstream):
    def on(path, body):
        rows = [{"object": "embedding", "index": at, "embedding": [0.5]} for at in range(len(body["input"]))]
        usage = {"prompt_tokens": 1000, "total_tokens": 1000}
        return Reply(body={"object": "list", "model": body["model"], "data": rows, "usage": usage})

    upstream.on = on
    sdk = client(cache={"ttl": "3d"}, budget={"day": 1}, fallback={"models": ["gpt-4o-mini"]})
    for _ in range(2):
        vectors = sdk.embeddings.create(model="text-embedding-3-small", input=["a", "b"], encoding_format="float")
    assert [row.embedding for row in vectors.data] == [[0.5], [0.5]]
    assert upstream.calls == 1
    assert kept_for(sdk) == [3 * DAY]
    miss, hit = sdk._client.gateway.ledger.rows()
    assert (miss.endpoint, miss.input_tokens, miss.output_tokens) == ("embeddings", 1000, 0)
    assert (miss.incurred_usd, hit.incurred_usd) == (pytest.approx(1000 * 0.02e-6), 0)


def test_vectors_of_another_model_never_take_the_place_of_those_asked_for(client, upstream):
    upstream.on = lambda path, body: error(404, "model_not_found")
    sdk = client(
        fallback={"models": ["text-embedding-3-large"]},
        router=[{"model": "text-embedding-3-large", "max_chars": 99}],
        cascade=[{"model": "gpt-4o-mini", "validators": {"finished": True}}, {"model": "text-embedding-3-small"}],
    )
    with pytest.raises(Exception, match="404"):
        sdk.embeddings.create(model="text-embedding-3-small", input="a")
    assert [body["model"] for _, body, _ in upstream.requests] == ["text-embedding-3-small"]


def test_a_list_with_a_row_missing_is_not_kept(client, upstream):
    rows = [{"object": "embedding", "index": 0, "embedding": [0.5]}]
    upstream.on = lambda path, body: Reply(body={"object": "list", "model": "e", "data": rows, "usage": None})
    sdk = client()
    for _ in range(2):
        sdk.embeddings.create(model="e", input=["a", "b"], encoding_format="float")
    assert upstream.calls == 2


def test_bad_settings(client):
    with pytest.raises(UsageError, match="lasting"):
        client(cache={"lasting": "triage"})
