"""The OpenAI provider against an endpoint that answers well, badly, late or not at all."""

import json
import socket
import time
from typing import Any

import pytest

from promptopt.call_options import CallOptions
from promptopt.errors import ProviderError, ProviderUnusable
from promptopt.providers import make_provider, split_model
from promptopt.providers.openai.client import OpenAIProvider
from promptopt.values import Message, Request, Response, ToolCall, Usage

SCHEMA = {
    "title": "The answer!",
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}
ASK = Request("gpt-4o-mini", (Message("user", "hi"),))
USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}


def body(**changes: Any) -> bytes:
    whole = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "ok"}}],
        "usage": USAGE,
        **changes,
    }
    return json.dumps({key: value for key, value in whole.items() if value is not ...}).encode()


def choice(content: Any = "ok", **changes: Any) -> list[dict[str, Any]]:
    return [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}, **changes}]


@pytest.fixture
def provider(endpoint):
    made = OpenAIProvider(base_url=endpoint.url, api_key="test", timeout_s=5)
    yield made
    made.close()


def test_a_request_travels_with_all_that_shapes_the_answer(endpoint, provider) -> None:
    messages = (Message("system", "Be brief."), Message("user", "hi"), Message("assistant", "ä 😀"))
    options = CallOptions(temperature=0.0, max_output_tokens=60, seed=7, stop=("END",))
    provider.complete(Request("gpt-4o", messages, options, SCHEMA))
    assert endpoint.requests == [
        {
            "model": "gpt-4o",
            "messages": [{"role": message.role, "content": message.content} for message in messages],
            "temperature": 0.0,
            "max_completion_tokens": 60,
            "seed": 7,
            "stop": ["END"],
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "The_answer_", "strict": True, "schema": SCHEMA},
            },
        }
    ]


def test_a_connection_that_is_closed_without_an_answer_costs_one_call(endpoint) -> None:
    def drop(body):
        if "drop" in body["messages"][0]["content"]:
            raise ConnectionError
        return "ok"

    endpoint.reply = drop
    provider = OpenAIProvider(base_url=endpoint.url, api_key="test").without_retries()
    with pytest.raises(ProviderError, match="closed the connection without an answer") as raised:
        provider.complete(Request("gpt-4o-mini", (Message("user", "drop this"),)))
    assert not isinstance(raised.value, ProviderUnusable)
    assert provider.complete(ASK).text == "ok"
    provider.close()


def test_what_is_not_set_does_not_travel(endpoint, provider) -> None:
    provider.complete(ASK)
    assert endpoint.requests == [{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}]


def test_an_answer_is_read_with_its_model_usage_and_duration(endpoint, provider) -> None:
    endpoint.reply = lambda _: (200, {}, body())
    started = time.perf_counter()
    response = provider.complete(ASK)
    taken = time.perf_counter() - started
    assert response == Response(
        "gpt-4o-mini-2024-07-18", "ok", usage=Usage(100, 0, 0, 20), duration_s=response.duration_s
    )
    assert response.duration_s is not None
    assert 0 < response.duration_s <= taken


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (USAGE, Usage(100, 0, 0, 20)),
        ({**USAGE, "prompt_tokens_details": {"cached_tokens": 64}}, Usage(100, 64, 0, 20)),
        ({**USAGE, "prompt_tokens_details": {"cached_tokens": None}}, Usage(100, 0, 0, 20)),
        ({**USAGE, "completion_tokens_details": {"reasoning_tokens": 15}}, Usage(100, 0, 0, 20, 15)),
        ({**USAGE, "prompt_tokens_details": {"cached_tokens": 400}}, Usage(100, 100, 0, 20)),
        ({**USAGE, "prompt_tokens_details": None, "completion_tokens_details": None}, Usage(100, 0, 0, 20)),
        (None, None),
        (..., None),
        ({}, None),
        ([1], None),
    ],
)
def test_usage_includes_cached_and_reasoning_tokens(endpoint, provider, usage: Any, expected: Usage | None) -> None:
    endpoint.reply = lambda _: (200, {}, body(usage=usage))
    assert provider.complete(ASK).usage == expected


@pytest.mark.parametrize(
    ("changes", "text", "finish_reason"),
    [
        ({"choices": choice("")}, "", "stop"),
        ({"choices": choice("cut", finish_reason="length")}, "cut", "length"),
        ({"choices": choice(None, finish_reason="content_filter")}, "", "content_filter"),
        ({"choices": choice("x", finish_reason=None)}, "x", "stop"),
        ({"choices": [{"message": {"role": "assistant", "refusal": "I cannot."}}]}, "I cannot.", "refusal"),
        ({"model": ...}, "ok", "stop"),
    ],
)
def test_unusual_answers_are_read_too(endpoint, provider, changes: Any, text: str, finish_reason: str) -> None:
    endpoint.reply = lambda _: (200, {}, body(**changes))
    response = provider.complete(ASK)
    assert (response.text, response.finish_reason) == (text, finish_reason)
    assert response.model in ("gpt-4o-mini", "gpt-4o-mini-2024-07-18")


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (b"{", {}),
        (b"", {}),
        (b"null", {}),
        (b"[]", {}),
        (b"<html>Hello</html>", {"content-type": "text/html"}),
        (b'{"error": "no"}', {}),
        (body(choices=[]), {}),
        (body(choices=None), {}),
        (body(choices=[{}]), {}),
        (body(choices=[{"message": None}]), {}),
        (body(choices=choice([{"type": "text", "text": "ok"}])), {}),
        (body(choices=choice(7)), {}),
        (body(usage={"prompt_tokens": -1, "completion_tokens": 1}), {}),
        (body(usage={"prompt_tokens": "many", "completion_tokens": 1}), {}),
        (b"\xff\xfe", {}),
    ],
)
def test_what_is_no_completion_is_one_failed_call_and_no_traceback(endpoint, provider, content, headers) -> None:
    endpoint.reply = lambda _: (200, headers, content)
    with pytest.raises(ProviderError, match="the endpoint's answer") as caught:
        provider.complete(ASK)
    assert not isinstance(caught.value, ProviderUnusable)


@pytest.mark.parametrize(
    ("called", "expected"),
    [
        ({"function_call": {"name": "find", "arguments": '{"id": 7}'}}, ToolCall("call_1", "find", '{"id": 7}')),
        (
            {"tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "shell", "input": "ls -l"}}]},
            ToolCall("c", "shell", "ls -l"),
        ),
        (
            {"tool_calls": [{"function": {"name": "find", "arguments": "{}"}}], "function_call": None},
            ToolCall("call_1", "find", "{}"),
        ),
    ],
)
def test_calls_of_tools_are_read_in_every_form(endpoint, provider, called: dict[str, Any], expected: ToolCall) -> None:
    endpoint.reply = lambda _: (200, {}, body(choices=[{"message": {"role": "assistant", **called}}]))
    assert provider.complete(ASK).tool_calls == (expected,)


def failing(status: int, times: int = 99, code: str | None = None, **headers: str):
    """An endpoint that fails a number of times and then answers."""
    left = [times]

    def reply(_: dict[str, Any]):
        if left[0] == 0:
            return "ok"
        left[0] -= 1
        error = {"error": {"message": f"error number {status}", "code": code, "type": "x"}}
        return status, {"retry-after-ms": "1", **headers}, json.dumps(error).encode()

    return reply


def test_a_rate_limit_is_waited_out_as_long_as_the_endpoint_asks(endpoint, provider) -> None:
    endpoint.reply = failing(429, 1, **{"retry-after-ms": "300"})
    started = time.perf_counter()
    assert provider.complete(ASK).text == "ok"
    assert 0.3 <= time.perf_counter() - started < 5
    assert len(endpoint.requests) == 2


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
def test_what_may_pass_is_tried_again(endpoint, provider, status: int) -> None:
    endpoint.reply = failing(status, 2)
    assert provider.complete(ASK).text == "ok"
    assert len(endpoint.requests) == 3


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_does_not_pass_is_one_failed_call(endpoint, provider, status: int) -> None:
    endpoint.reply = failing(status)
    with pytest.raises(ProviderError, match=rf"127\.0\.0\.1:\d+/v1 answered {status}: error number {status}") as caught:
        provider.complete(ASK)
    assert not isinstance(caught.value, ProviderUnusable)
    assert len(endpoint.requests) == 3


@pytest.mark.parametrize(
    ("status", "code", "remedy"),
    [
        (401, "invalid_api_key", "Check OPENAI_API_KEY"),
        (403, None, "Check OPENAI_API_KEY"),
        (404, "model_not_found", "Check the model's name and OPENAI_BASE_URL"),
        (429, "insufficient_quota", "Check the account's plan and billing"),
    ],
)
def test_what_no_other_call_escapes_ends_the_run_with_a_remedy(endpoint, provider, status, code, remedy) -> None:
    endpoint.reply = failing(status, code=code)
    with pytest.raises(ProviderUnusable, match=rf"answered {status}: error number {status}\. {remedy}"):
        provider.complete(ASK)


def test_a_request_that_is_refused_is_one_failed_call_and_is_not_repeated(endpoint, provider) -> None:
    endpoint.reply = failing(400)
    with pytest.raises(ProviderError, match="answered 400: error number 400") as caught:
        provider.complete(ASK)
    assert not isinstance(caught.value, ProviderUnusable)
    assert len(endpoint.requests) == 1


def test_an_error_page_is_cut_to_its_first_line(endpoint, provider) -> None:
    endpoint.reply = lambda _: (400, {"content-type": "text/html"}, b"<html>\nproxy\n" + b"x" * 10_000)
    with pytest.raises(ProviderError) as caught:
        provider.complete(ASK)
    assert len(str(caught.value)) < 500
    assert "\n" not in str(caught.value)


def test_an_endpoint_that_hangs_is_given_up(endpoint) -> None:
    def hang(_: dict[str, Any]) -> str:
        time.sleep(0.6)
        return "too late"

    endpoint.reply = hang
    provider = OpenAIProvider(base_url=endpoint.url, api_key="test", timeout_s=0.2)
    with pytest.raises(ProviderError, match=r"did not answer in time \(see --timeout\)") as caught:
        provider.complete(ASK)
    provider.close()
    assert not isinstance(caught.value, ProviderUnusable)


def test_an_endpoint_that_refuses_ends_the_run() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        provider = OpenAIProvider(base_url=url, api_key="test", timeout_s=2)
        with pytest.raises(ProviderUnusable, match=rf"cannot reach {url}: .*Is OPENAI_BASE_URL right"):
            provider.complete(ASK)
        provider.close()


def test_half_a_surrogate_pair_is_one_failed_call(provider) -> None:
    with pytest.raises(ProviderError, match="the prompt has half of a surrogate pair, which no endpoint takes"):
        provider.complete(Request("m", (Message("user", "\ud83d"),)))


def test_the_environment_names_the_endpoint(endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", endpoint.url)
    provider = make_provider("gpt-4o-mini", 5)
    assert provider.complete(ASK).text == "ok"
    provider.close()
    provider.close()


def test_without_a_key_or_an_endpoint_nothing_is_called() -> None:
    with pytest.raises(
        ProviderUnusable, match=r"no endpoint for the model 'gpt-4o': set OPENAI_API_KEY, or OPENAI_BASE"
    ):
        make_provider("gpt-4o")


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gpt-4o", ("openai", "gpt-4o")),
        ("openai:gpt-4o", ("openai", "gpt-4o")),
        ("local:smollm2", ("local", "smollm2")),
        ("llama3:8b", ("openai", "llama3:8b")),
        ("ft:gpt-4o:acme", ("openai", "ft:gpt-4o:acme")),
    ],
)
def test_a_prefix_names_the_provider(model: str, expected: tuple[str, str]) -> None:
    assert split_model(model) == expected


def test_a_local_model_that_is_not_there_says_what_to_do() -> None:
    pytest.importorskip("xllamacpp", reason="the extra `local` is not installed")
    with pytest.raises(ProviderUnusable, match=r"no GGUF file 'none\.gguf'; give a path, or one of local:smollm2"):
        make_provider("local:none.gguf")
