"""OpenAI-compatible presets, the Responses API, Anthropic's and Google's SDK, each against a local server."""

import json
import threading
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
from anthropic.types import Message as AnthropicMessage
from google.genai import types as google
from openai.types.responses import Response as OpenAIResponse

from promptopt import compare
from promptopt.call_options import CallOptions
from promptopt.config import load_config
from promptopt.errors import ProviderError, ProviderUnusable, UsageError
from promptopt.prices import find_price
from promptopt.providers import is_configured, is_free, make_provider
from promptopt.values import Message, Request, Tool, ToolCall, Usage

TOOL = Tool("look_up", "Finds an order.", {"type": "object", "properties": {"id": {"type": "integer"}}})


@pytest.fixture
def served():
    """A server that keeps what it is asked; ``status`` and ``body`` are what it answers."""
    state = SimpleNamespace(seen=[], status=200, body={}, url="")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = json.loads(self.rfile.read(int(self.headers["content-length"])))
            state.seen.append(SimpleNamespace(path=self.path, headers=self.headers, body=sent))
            content = state.body if isinstance(state.body, bytes) else json.dumps(state.body).encode()
            self.send_response(state.status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    yield state
    server.shutdown()
    server.server_close()


CHAT = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "two"}}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6},
}


def asked(project, table: str, model: str, **settings):
    project.write({"pyproject.toml": table})
    provider = make_provider(model, 5)
    if hasattr(provider, "without_retries"):
        provider = provider.without_retries()
    request = Request(
        model, (Message("system", "Add."), Message("user", "1+1")), CallOptions(**settings), tools=(TOOL,)
    )
    try:
        return provider.complete(request)
    finally:
        provider.close()


@pytest.mark.parametrize(
    ("kind", "more", "path", "cap"),
    [
        ("openai", "", "/v1/chat/completions", "max_completion_tokens"),
        ("ollama", "", "/v1/chat/completions", "max_tokens"),
        ("vllm", "", "/v1/chat/completions", "max_completion_tokens"),
        ("openrouter", 'api_key_env = "MINE_KEY"', "/v1/chat/completions", "max_completion_tokens"),
    ],
)
def test_presets_speak_chat_completions(project, served, monkeypatch, kind, more, path, cap) -> None:
    monkeypatch.setenv("MINE_KEY", "sk-mine")
    served.body = CHAT
    headers = 'headers = {X-Team = "search ${MINE_KEY}"}'
    table = f'[tool.promptopt.providers.mine]\ntype = "{kind}"\nbase_url = "{served.url}/v1"\n{headers}\n{more}\n'
    response = asked(project, table, "mine:org/m", max_output_tokens=9)
    assert (response.text, response.usage) == ("two", Usage(5, 0, 0, 1))
    (seen,) = served.seen
    assert seen.path == path
    assert seen.body["model"] == "org/m"
    assert seen.body[cap] == 9
    assert seen.headers["x-team"] == "search sk-mine"
    assert seen.headers["authorization"] == ("Bearer sk-mine" if more else "Bearer none")


@pytest.mark.parametrize(
    ("version", "path"),
    [
        ("", "/openai/v1/chat/completions"),
        ('api_version = "2026-01-01"', "/openai/deployments/triage/chat/completions?api-version=2026-01-01"),
    ],
)
def test_azure_is_asked_for_a_deployment_with_its_key(project, served, monkeypatch, version: str, path: str) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "az-key")
    served.body = CHAT
    table = f'[tool.promptopt.providers.az]\ntype = "azure"\nbase_url = "{served.url}"\n{version}\n'
    assert asked(project, table, "az:triage").text == "two"
    assert served.seen[0].path == path
    assert served.seen[0].headers["api-key"] == "az-key"


def test_the_responses_api_is_asked_and_read(project, served) -> None:
    call = {"type": "function_call", "id": "f", "call_id": "c1", "name": "look_up", "arguments": '{"id": 7}'}
    text = {"type": "output_text", "text": "two", "annotations": []}
    message = {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [text]}
    served.body = {
        "id": "r",
        "object": "response",
        "created_at": 1,
        "model": "gpt-5.6-luna",
        "output": [{"type": "reasoning", "id": "t", "summary": []}, message, call],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 50,
            "input_tokens_details": {"cached_tokens": 30, "cache_write_tokens": 5},
            "output_tokens": 20,
            "output_tokens_details": {"reasoning_tokens": 12},
            "total_tokens": 70,
        },
    }
    OpenAIResponse.model_validate(served.body)
    table = f'[tool.promptopt.providers.mine]\ntype = "openai"\napi = "responses"\nbase_url = "{served.url}/v1"\n'
    response = asked(project, table, "mine:gpt-5.6-luna", reasoning_effort="low")
    assert served.seen[0].path == "/v1/responses"
    assert served.seen[0].body["reasoning"] == {"effort": "low"}
    assert response.text == "two"
    assert response.usage == Usage(50, 30, 5, 20, 12)
    assert response.tool_calls == (ToolCall("c1", "look_up", '{"id": 7}'),)
    served.body |= {"output": [message], "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    assert asked(project, table, "mine:gpt-5.6-luna").finish_reason == "length"


@pytest.mark.parametrize(
    ("call", "read"),
    [
        ({"id": "a", "type": "function", "function": {"name": "f", "arguments": {"x": 1}}}, ("a", '{"x": 1}')),
        ({"id": "a", "type": "function", "function": {"name": "f", "arguments": None}}, ("a", "{}")),
        ({"id": "a", "function": {"name": "f", "arguments": "{}"}}, ("a", "{}")),
        ({"id": "", "type": None, "function": {"name": "f", "arguments": "{}"}}, ("call_1", "{}")),
    ],
)
def test_calls_of_tools_as_other_endpoints_write_them_are_answered_and_recorded(project, served, call, read) -> None:
    """Ollama gives arguments as an object, and gateways leave out the type and the id."""
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    served.body = CHAT | {"choices": [{"index": 0, "finish_reason": "tool_calls", "message": message}]}
    project.write(
        {
            "pyproject.toml": f'[tool.promptopt.providers.gw]\ntype = "openai"\nbase_url = "{served.url}/v1"\n',
            "prompts/ask.j2": "---\nmodel: gw:m\n---\nGo.",
            "suites/ask.yaml": "[{description: one, assert: [{type: tool-call, value: f}], tool_results: {f: ok},"
            " max_steps: 2}]",
        }
    )
    (run,) = compare("ask", record="missing").runs
    assert run.answered[0].passed
    assert {(each.id, each.arguments) for each in run.answered[0].response.tool_calls} == {read}
    assert served.seen[1].body["messages"][-1]["tool_call_id"] == read[0]
    assert compare("ask", record="none").runs[0].answered[0].response.tool_calls[0] == ToolCall(read[0], "f", read[1])


@pytest.mark.parametrize("name", [None, 3])
def test_a_call_of_a_tool_without_a_name_is_one_failed_call(project, served, name) -> None:
    call = {"id": "a", "type": "function", "function": {"name": name, "arguments": "{}"}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    served.body = CHAT | {"choices": [{"index": 0, "finish_reason": "stop", "message": message}]}
    table = f'[tool.promptopt.providers.mine]\ntype = "openai"\nbase_url = "{served.url}/v1"\n'
    with pytest.raises(ProviderError, match=f"a tool call's name is {name}, not a text"):
        asked(project, table, "mine:m")


CLAUDE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-haiku-4-5-20251001",
    "content": [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "text", "text": "two"},
        {"type": "tool_use", "id": "c1", "name": "look_up", "input": {"id": 7}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 7,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 20,
        "output_tokens": 30,
        "output_tokens_details": {"thinking_tokens": 11},
    },
}


def test_anthropic_s_sdk_asks_and_its_usage_beside_the_cache_becomes_a_whole(project, served, monkeypatch) -> None:
    AnthropicMessage.model_validate(CLAUDE)
    monkeypatch.setenv("CLAUDE_KEY", "sk-ant")
    served.body = CLAUDE
    head = '[tool.promptopt.providers.claude]\ntype = "anthropic"\napi_key_env = "CLAUDE_KEY"\n'
    table = f'{head}base_url = "{served.url}"\n'
    response = asked(project, table, "claude:claude-haiku-4-5", max_output_tokens=60, temperature=0.5)
    (seen,) = served.seen
    assert seen.path == "/v1/messages"
    assert seen.headers["authorization"] == "Bearer sk-ant"
    assert seen.body["temperature"] == 0.5
    assert seen.body["system"] == "Add."
    assert seen.body["model"] == "claude-haiku-4-5"
    assert seen.body["tools"][0]["input_schema"] == TOOL.parameters
    assert response.text == "two"
    assert response.finish_reason == "tool_calls"
    assert response.usage == Usage(127, 100, 20, 30, 11)
    assert response.tool_calls == (ToolCall("c1", "look_up", '{"id": 7}'),)


GEMINI = {
    "candidates": [
        {
            "content": {
                "role": "model",
                "parts": [
                    {"text": "hm", "thought": True},
                    {"text": "two"},
                    {"functionCall": {"name": "look_up", "args": {"id": 7}}},
                ],
            },
            "finishReason": "STOP",
        }
    ],
    "modelVersion": "gemini-3-flash-001",
    "usageMetadata": {
        "promptTokenCount": 50,
        "cachedContentTokenCount": 30,
        "candidatesTokenCount": 8,
        "thoughtsTokenCount": 12,
        "totalTokenCount": 70,
    },
}


def test_google_s_sdk_asks_and_thoughts_are_output(project, served, monkeypatch) -> None:
    google.GenerateContentResponse.model_validate(GEMINI)
    monkeypatch.setenv("GEMINI_API_KEY", "g-key")
    served.body = GEMINI
    table = f'[tool.promptopt.providers.gem]\ntype = "google"\nbase_url = "{served.url}"\n'
    response = asked(project, table, "gem:gemini-3-flash", max_output_tokens=60, reasoning_effort="low")
    (seen,) = served.seen
    assert seen.path.endswith("/models/gemini-3-flash:generateContent")
    assert seen.headers["x-goog-api-key"] == "g-key"
    assert seen.body["systemInstruction"]["parts"] == [{"text": "Add."}]
    assert seen.body["generationConfig"]["maxOutputTokens"] == 60
    assert response.text == "two"
    assert response.usage == Usage(50, 30, 0, 20, 12)
    assert response.tool_calls == (ToolCall("call_1", "look_up", '{"id": 7}'),)
    served.body = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 5}}
    with pytest.raises(ProviderError, match=r"the prompt was blocked \(SAFETY\)"):
        asked(project, table, "gem:gemini-3-flash")


KINDS = [("anthropic", "ANTHROPIC_API_KEY"), ("google", "GEMINI_API_KEY"), ("openrouter", "OPENROUTER_API_KEY")]


@pytest.mark.parametrize(("kind", "variable"), KINDS)
def test_what_fails_is_one_message_that_names_the_key_or_the_address(
    project, served, monkeypatch, kind: str, variable: str
) -> None:
    monkeypatch.setenv(variable, "k")
    table = f'[tool.promptopt.providers.mine]\ntype = "{kind}"\nbase_url = "{served.url}"\n'
    for status, message, ends in [
        (401, f"answered 401: wrong key. Check {variable}", True),
        (404, r"Check the model's name and base_url in \[tool\.promptopt\.providers\.mine\]", True),
        (500, "answered 500: wrong key", False),
        (400, "answered 400: wrong key", False),
    ]:
        served.status, served.body = status, {"error": {"message": "wrong key", "code": status}}
        with pytest.raises(ProviderError, match=message) as raised:
            asked(project, table, "mine:m")
        assert isinstance(raised.value, ProviderUnusable) == ends
    served.status, served.body = 200, b"<html>"
    with pytest.raises(ProviderError, match="the endpoint's answer is not"):
        asked(project, table, "mine:m")


@pytest.mark.parametrize(("kind", "variable"), KINDS)
def test_a_missing_key_is_named_with_and_without_a_table(project, monkeypatch, kind: str, variable: str) -> None:
    monkeypatch.delenv(variable, raising=False)
    assert not is_configured(f"{kind}:m")
    with pytest.raises(ProviderUnusable, match=f"the environment variable {variable} is not set"):
        make_provider(f"{kind}:m")
    project.write({"pyproject.toml": f'[tool.promptopt.providers.mine]\ntype = "{kind}"\napi_key_env = "MINE_KEY"\n'})
    assert not is_configured("mine:m")
    with pytest.raises(ProviderUnusable, match=r"pyproject\.toml:3: the provider 'mine' has no key: .* MINE_KEY"):
        make_provider("mine:m")


def test_a_setting_that_an_api_does_not_take_fails_with_its_name(project, served, monkeypatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
    table = f'[tool.promptopt.providers.claude]\ntype = "anthropic"\nbase_url = "{served.url}"\n'
    with pytest.raises(ProviderError, match="claude:claude-haiku-4-5: Anthropic's API takes no seed"):
        asked(project, table, "claude:claude-haiku-4-5", seed=7)
    assert served.seen == []


def test_prices_are_those_of_the_type_and_unknown_for_an_address_of_one_s_own(project) -> None:
    tables = """
        [tool.promptopt.providers.claude]
        type = "anthropic"
        [tool.promptopt.providers.az]
        type = "azure"
        base_url = "https://x.openai.azure.com"
        [tool.promptopt.providers.mine]
        type = "openai"
        base_url = "http://h/v1"
        [tool.promptopt.providers.own]
        type = "openai"
        base_url = "http://h/v1"
        [tool.promptopt.providers.own.prices."gpt-4o-mini"]
        input_mtok = 1.0
        output_mtok = 2.0
    """
    project.write({"pyproject.toml": "\n".join(line.strip() for line in tables.splitlines())})
    listed = find_price("claude-haiku-4-5")
    assert find_price("claude:claude-haiku-4-5").input_mtok == listed.input_mtok
    assert find_price("az:gpt-4o-mini") is not None
    assert find_price("mine:gpt-4o-mini") is None
    assert find_price("own:gpt-4o-mini").output_mtok == Decimal("2.0")
    assert find_price("own:other") is None
    assert load_config().prices.keys() == {"own:gpt-4o-mini"}
    assert is_free("ollama:llama3")


TABLES = {
    "openai": 'type = "openai"\nbase_url = "{url}/v1"',
    "responses": 'type = "openai"\napi = "responses"\nbase_url = "{url}/v1"',
    "anthropic": 'type = "anthropic"\nbase_url = "{url}"\napi_key_env = "MINE_KEY"',
    "google": 'type = "google"\nbase_url = "{url}"\napi_key_env = "MINE_KEY"',
}
PAGE = b"<!doctype html><html><head><title>Sign in</title></head></html>"


@pytest.fixture
def odd(monkeypatch):
    """An address whose server sends what ``raw`` writes."""
    monkeypatch.setenv("MINE_KEY", "k")
    state = SimpleNamespace(raw=lambda _: None, url="")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            state.raw(self)
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    yield state
    server.shutdown()
    server.server_close()


def odd_answer(project, odd, kind: str, timeout_s: float = 5):
    project.write({"pyproject.toml": f"[tool.promptopt.providers.mine]\n{TABLES[kind].format(url=odd.url)}\n"})
    provider = make_provider("mine:m", timeout_s)
    if hasattr(provider, "without_retries"):
        provider = provider.without_retries()
    try:
        return provider.complete(Request("mine:m", (Message("user", "1+1"),)))
    finally:
        provider.close()


def head(status: str, kind: str, **more: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-type: {kind}", *(f"{name}: {value}" for name, value in more.items())]
    return "\r\n".join([*lines, "", ""]).encode()


@pytest.mark.parametrize("kind", TABLES)
def test_an_answer_in_drips_ends_with_the_timeout(project, odd, kind: str) -> None:
    stop = threading.Event()

    def drip(handler) -> None:
        handler.wfile.write(head("200 OK", "application/json"))
        while not stop.wait(0.05):
            handler.wfile.write(b" ")

    odd.raw = drip
    try:
        with pytest.raises(ProviderError, match=r"did not answer (in time|within 0\.3 s)"):
            odd_answer(project, odd, kind, 0.3)
    finally:
        stop.set()


@pytest.mark.parametrize("kind", TABLES)
def test_a_page_is_called_a_page(project, odd, kind: str) -> None:
    odd.raw = lambda handler: handler.wfile.write(head("502 Bad Gateway", "text/html") + PAGE)
    with pytest.raises(ProviderError, match=r"answered 502: a page \('Sign in'\)"):
        odd_answer(project, odd, kind)
    odd.raw = lambda handler: handler.wfile.write(head("200 OK", "text/html") + PAGE)
    said = "is not JSON" if kind == "google" else r"it is HTML \('Sign in'\), as of an error or a login page"
    with pytest.raises(ProviderError, match=said):
        odd_answer(project, odd, kind)


@pytest.mark.parametrize("kind", TABLES)
def test_a_redirect_to_nowhere_names_both_places(project, odd, kind: str) -> None:
    odd.raw = lambda handler: handler.wfile.write(head("307 X", "text/html", location="http://127.0.0.2:9/login"))
    said = "a redirect, which is not followed" if kind == "google" else r"cannot reach http://127\.0\.0\.2:9 \(http"
    with pytest.raises(ProviderError, match=said):
        odd_answer(project, odd, kind)


@pytest.mark.parametrize("kind", ["openai", "responses", "anthropic"])
@pytest.mark.parametrize("body", [b"null", b"[1]", b'{"a": 1}'])
def test_what_is_not_an_answer_is_shown_shortly(project, odd, kind: str, body: bytes) -> None:
    odd.raw = lambda handler: handler.wfile.write(head("200 OK", "application/json") + body)
    with pytest.raises(ProviderError, match="the endpoint's answer is not a ") as raised:
        odd_answer(project, odd, kind)
    assert len(str(raised.value)) < 100


@pytest.mark.parametrize(
    ("kind", "setting", "said"),
    [
        ("responses", "seed: 3", "mine:m: the Responses API takes no seed"),
        ("anthropic", "seed: 3", "mine:m: Anthropic's API takes no seed"),
        ("anthropic", "temperature: 1.5", "Anthropic's API does not take temperature 1.5"),
        ("google", "verbosity: low", "mine:m: Google's API takes no verbosity"),
        ("openai", "top_logprobs: 3", "top_logprobs needs `logprobs: true`"),
        ("openai", "tool_choice: required", "tool_choice needs tools, and the prompt has none"),
        ("openai", "parallel_tool_calls: true", "parallel_tool_calls needs tools, and the prompt has none"),
    ],
)
def test_a_setting_that_an_api_does_not_take_is_said_before_any_call(project, odd, kind, setting, said) -> None:
    odd.raw = lambda _: pytest.fail("it was asked")
    project.write({
        "pyproject.toml": f"[tool.promptopt.providers.mine]\n{TABLES[kind].format(url=odd.url)}\n",
        "prompts/q.j2": f"---\n{setting}\n---\n1+1",
        "suites/q.yaml": "[{description: sum, assert: [{type: contains, value: '2'}]}]",
    })  # fmt: skip
    with pytest.raises(UsageError, match=said):
        compare("q", model="mine:m", record="all")
