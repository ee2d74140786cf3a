"""Failures as endpoints report them, models that keep failing, and what a failing call costs its user."""

import json
from typing import get_args

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from upstream import Reply, answer, ask, error, wait_until

import promptopt
from promptopt.errors import UsageError
from promptopt.gateway.layers.routing import Cooldown
from promptopt.gateway.simulate import SimulatedClock
from promptopt.providers.openai.errors import FailureKind, classify

BIG, SMALL = "gpt-4o", "gpt-4o-mini"


def said(message, **fields):
    """An error in the form that most endpoints have."""
    return {"error": {"message": message, "param": None, **fields}}


LIMIT = "maximum context length is 4096 tokens. However, you requested 5120 tokens"
TOO_LONG = {
    "vllm": (400, {"object": "error", "message": f"This model's {LIMIT}.", "type": "BadRequestError", "code": 400}),
    "vllm, newer": (400, said("The decoder prompt (length 9000) is longer than the maximum model length of 4096.")),
    "llama.cpp": (400, said("the request exceeds the available context size, try increasing it", code=400)),
    "llama.cpp, by its type": (400, said("no", code=400, type="exceed_context_size_error", n_ctx=4096)),
    "together": (422, said("Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193", code=None)),
    "deepseek": (400, said(f"This model's {LIMIT}.", type="invalid_request_error", code="invalid_request_error")),
    "openrouter": (400, said(f"This endpoint's {LIMIT}.", code=400, metadata={"provider_name": None})),
    "openrouter, with a good status": (200, said(f"This endpoint's {LIMIT}.", code=400)),
    "sglang": (400, {"message": "The input (5000 tokens) is longer than the model's context length (4096 tokens)."}),
    "fastapi": (422, {"detail": f"Requested token count exceeds the model's {LIMIT}"}),
    "xai": (400, {"code": "invalid argument", "error": "This model's maximum prompt length is 131072 tokens"}),
    "gemini": (400, [said("The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).")]),
    "anthropic": (
        400,
        {"type": "error", **said("prompt is too long: 9 tokens > 8 maximum", type="invalid_request_error")},
    ),
    "openai": (400, said("x", code="context_length_exceeded")),
}


@pytest.mark.parametrize("who", TOO_LONG)
def test_a_longer_model_answers_what_is_too_long(client, upstream, who):
    status, body = TOO_LONG[who]
    upstream.on = lambda path, sent: (
        Reply(status=status, body=json.dumps(body).encode()) if sent["model"] == SMALL else answer(sent, path)
    )
    sdk = client(fallback={"by_kind": {"context_length": [BIG]}, "on": []})
    assert ask(sdk).model == BIG


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (400, "max_tokens is too large: 20000. This model supports at most 16384 completion tokens", "bad_request"),
        (400, "Invalid schema: the maximum length of a string is 10", "bad_request"),
        (429, "Rate limit reached: please reduce the length of the messages", "rate_limit"),
        (402, "Insufficient Balance", "quota"),
        (400, "Your credit balance is too low to access the API", "quota"),
        (529, "Overloaded", "server"),
        (500, "context size exceeded", "context_length"),
        (400, "The prompt triggered Azure OpenAI's content management policy.", "content_filter"),
        (400, "Output blocked by content filtering policy", "content_filter"),
        (400, "Invalid prompt: your prompt was flagged as potentially violating our usage policy.", "content_filter"),
        (403, "Your chosen model requires moderation and your input was flagged", "content_filter"),
        (403, "<html><title>Attention Required! | Cloudflare</title></html>", "bad_request"),
        (403, "Country, region, or territory not supported", "auth"),
    ],
)
def test_what_is_said_decides_only_if_no_code_does(status, text, kind):
    assert classify(status, None, text) == kind


@given(st.integers(400, 599), st.none() | st.text(max_size=20), st.text(max_size=60))
def test_every_error_has_a_class(status, code, text):
    assert classify(status, code, text) in get_args(FailureKind)


def test_a_model_that_fails_again_and_again_is_not_asked_for_a_while(client, upstream):
    broken = {"on": True}
    upstream.on = lambda path, body: error(500) if broken["on"] and body["model"] == BIG else answer(body, path)
    plan = {"models": [SMALL], "after_retries": 0, "cooldown": "1s", "cooldown_after": 2}
    sdk = client(cache=False, fallback=plan)
    assert {ask(sdk, f"{number}", model=BIG).model for number in range(6)} == {SMALL}
    assert [body["model"] for _, body, _ in upstream.requests] == [BIG, SMALL] * 2 + [SMALL] * 4
    broken["on"] = False
    assert wait_until(lambda: ask(sdk, "again", model=BIG).model == BIG)


def test_if_all_rest_the_one_that_is_wanted_is_asked(client, upstream):
    upstream.on = lambda path, body: error(500)
    sdk = client(cache=False, fallback={"models": [SMALL], "after_retries": 0, "cooldown_after": 1})
    for _ in range(3):
        with pytest.raises(openai.InternalServerError):
            ask(sdk, model=BIG)
    assert [body["model"] for _, body, _ in upstream.requests][::2] == [BIG] * 3


def test_faults_of_a_request_rest_no_model(client, upstream):
    upstream.on = lambda path, body: (
        error(400, "context_length_exceeded") if body["model"] == SMALL else answer(body, path)
    )
    sdk = client(cache=False, fallback={"models": [BIG], "cooldown_after": 1})
    for number in range(3):
        ask(sdk, f"{number}")
    assert [body["model"] for _, body, _ in upstream.requests] == [SMALL, BIG] * 3


@given(st.lists(st.tuples(st.sampled_from(["failed", "worked"]), st.floats(0, 40)), max_size=30), st.integers(1, 4))
def test_a_pause_needs_so_many_failures_in_a_row(events, after):
    clock = SimulatedClock(0)
    cooldown = Cooldown(30, after, clock=clock)
    row, last = 0, None
    for event, seconds in events:
        clock.now += seconds
        getattr(cooldown, event)("m")
        row = row + 1 if event == "failed" else 0
        last = clock.now if event == "failed" else last
        assert cooldown.rests("m") is (row >= after)
    if row >= after:
        clock.now = last + 30.1
        assert not cooldown.rests("m")


@pytest.mark.parametrize("value", [{"models": ["m"], "cooldown": "x"}, {"models": ["m"], "cooldown_after": -1}])
def test_bad_cooldowns(client, value):
    with pytest.raises(UsageError, match="cooldown"):
        client(fallback=value)


@pytest.mark.parametrize("shared", [False, True])
def test_a_failing_call_is_one_call_of_its_user(client, upstream, request, shared):
    settings = {"redis": request.getfixturevalue("redis_server").url} if shared else {}
    upstream.on = lambda path, body: error(500, retry_after="0")
    sdk = client(max_retries=2, limits={"per_user": "3/hour"}, **settings)
    for _ in range(2):
        with pytest.raises(openai.InternalServerError):
            ask(sdk)
    assert upstream.calls == 6
    upstream.on = lambda path, body: answer(body, path)
    ask(sdk)
    with pytest.raises(promptopt.LimitExceeded):
        ask(sdk, "other")


def test_who_only_says_that_it_is_a_retry_is_counted(client, upstream):
    sdk = client(limits={"per_user": "2/hour"}, cache=False)
    said = {"x-stainless-retry-count": "1"}
    for number in range(2):
        ask(sdk, f"{number}", extra_headers=said)
    with pytest.raises(promptopt.LimitExceeded):
        ask(sdk, "third", extra_headers=said)
