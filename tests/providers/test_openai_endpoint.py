"""What the OpenAI provider sends, and sends again, beside what the SDK does with the same server."""

import json
import threading
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import openai
import pytest

from promptopt.call_options import CallOptions
from promptopt.errors import ProviderError, ProviderUnusable
from promptopt.gateway.provider import failure_of
from promptopt.providers import make_provider
from promptopt.providers.openai.client import OpenAIProvider
from promptopt.values import Message, Request

ASK = Request("gpt-4o-mini", (Message("system", "Be brief."), Message("user", "ä 😀")), CallOptions(temperature=0.5))
ARGUMENTS = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "ä 😀"}],
    "temperature": 0.5,
}
INPUT = {key: value for key, value in ARGUMENTS.items() if key != "messages"} | {"input": ARGUMENTS["messages"]}
BODY = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [
    {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "two"}}]}  # fmt: skip
# Of these it matters that both send the same.
HEADERS = ("authorization", "api-key", "openai-organization", "openai-project", "content-type", "accept", "x-team")


@pytest.fixture
def server():
    """A server that keeps each request as it came, and answers what ``answer`` says: a status and headers."""
    state = SimpleNamespace(seen=[], answer=lambda: (200, {}), url="")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["content-length"]))
            headers = {name: self.headers.get(name) for name in HEADERS}
            state.seen.append((self.path, content, headers))
            status, more, *body = state.answer()
            sent = json.dumps(
                *body or [BODY if status == 200 else {"error": {"message": "no", "code": "odd"}}]
            ).encode()
            self.send_response(status)
            for name, value in {"content-type": "application/json", "content-length": len(sent), **more}.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *_: object) -> None:
            pass

    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.daemon_threads = True
    threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True).start()
    state.url = f"http://127.0.0.1:{made.server_port}"
    yield state
    made.shutdown()
    made.server_close()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch):
    """The seconds that somebody would have slept."""
    found: list[float] = []
    monkeypatch.setattr(time, "sleep", found.append)
    return found


def test_a_chat_is_sent_as_the_sdk_sends_it(server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1/")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    monkeypatch.setenv("OPENAI_ORG_ID", "org")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Team: search\nno colon")
    provider = make_provider("gpt-4o-mini", 5)
    assert provider.complete(ASK).text == "two"
    provider.close()
    with openai.OpenAI() as sdk:
        sdk.chat.completions.create(**ARGUMENTS)
    ours, theirs = server.seen
    assert ours == theirs
    assert ours[0] == "/v1/chat/completions"
    assert ours[2]["x-team"] == "search"


def test_a_response_is_asked_for_as_the_sdk_does(project, server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINE", "sk-2")
    project.write(
        {
            "pyproject.toml": '[tool.promptopt.providers.mine]\ntype = "openai"\napi = "responses"\n'
            f'base_url = "{server.url}/v1"\napi_key_env = "MINE"\n'
        }
    )
    provider = make_provider("mine:gpt-4o-mini", 5)
    with pytest.raises(ProviderError, match="is not a response"):
        provider.complete(ASK)
    provider.close()
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="sk-2") as sdk:
        sdk.post("/responses", cast_to=object, body=json.loads(server.seen[0][1]))
    assert server.seen[0] == server.seen[1]
    assert json.loads(server.seen[0][1]).keys() >= {"model", "input", "temperature"}


def test_azure_with_a_version_is_asked_as_the_sdk_asks(project, server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "az")
    project.write(
        {
            "pyproject.toml": '[tool.promptopt.providers.az]\ntype = "azure"\napi_version = "2024-10-21"\n'
            f'base_url = "{server.url}"\n'
        }
    )
    provider = make_provider("az:our gpt/4o", 5)
    assert provider.complete(Request("az:our gpt/4o", ASK.messages, ASK.params)).text == "two"
    provider.close()
    with openai.AzureOpenAI(azure_endpoint=server.url, api_version="2024-10-21", api_key="az") as sdk:
        sdk.chat.completions.create(**{**ARGUMENTS, "model": "our gpt/4o"})
    ours, theirs = server.seen
    assert ours == theirs
    assert ours[0] == "/openai/deployments/our%20gpt%2F4o/chat/completions?api-version=2024-10-21"


@pytest.mark.parametrize("status", [400, 401, 408, 409, 425, 429, 500, 529])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-should-retry": "true"},
        {"x-should-retry": "false"},
        {"retry-after": "7"},
        {"retry-after": "0"},
        {"retry-after": "-3"},
        {"retry-after": "121"},
        {"retry-after": "1e400"},
        {"retry-after": "nan"},
        {"retry-after": "soon"},
        {"retry-after-ms": "250", "retry-after": "9"},
        {"retry-after-ms": "x", "retry-after": "9"},
        {"retry-after": "121", "x-should-retry": "true"},
    ],
    ids=str,
)
def test_what_fails_is_sent_again_as_often_as_by_the_sdk(server, waits, status: int, headers) -> None:
    server.answer = lambda: (status, headers)
    provider = OpenAIProvider(base_url=f"{server.url}/v1", api_key="k")
    with pytest.raises(ProviderError, match=f"answered {status}: no") as raised:
        provider.complete(ASK)
    provider.close()
    ours, our_waits = len(server.seen), list(waits)
    server.seen.clear()
    waits.clear()
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="k") as sdk, pytest.raises(openai.APIStatusError):
        sdk.chat.completions.create(**ARGUMENTS)
    assert ours == len(server.seen) == 1 + len(our_waits)
    # Each is shortened by up to a quarter, at random, unless the endpoint said how long.
    assert our_waits == pytest.approx(waits, rel=0.35)
    failure = failure_of(raised.value)
    assert (failure.status, failure.code) == (status, "odd")


def test_a_date_says_how_long_to_wait(server, waits) -> None:
    server.answer = lambda: (429, {"retry-after": formatdate(time.time() + 30, usegmt=True)})
    provider = OpenAIProvider(base_url=f"{server.url}/v1", api_key="k")
    with pytest.raises(ProviderError):
        provider.complete(ASK)
    provider.close()
    assert [round(wait) in (29, 30) for wait in waits] == [True, True]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            (302, {"location": "/v2?token=t"}),
            r"answered 302: a redirect to /v2, which drops what is asked\. Is OPENAI_BASE",
        ),
        ((307, {"location": "/v1/chat/completions"}), "redirects in a circle: "),
        ((200, {"content-encoding": "gzip"}), "packed its answer in another way than it says: "),
        (
            (404, {}, {"detail": "no such route"}),
            r"answered 404: no such route\. Check the model's name and OPENAI_BASE",
        ),
        ((400, {}, {"error": "not loaded"}), "answered 400: not loaded"),
        ((400, {}, [{"error": {"message": "no key"}}]), "answered 400: .*no key"),
    ],
)
def test_an_odd_answer_is_said_as_what_it_is(server, waits, answer, said: str) -> None:
    server.answer = lambda: answer
    provider = OpenAIProvider(base_url=f"{server.url}/v1", api_key="k")
    with pytest.raises(ProviderError, match=said):
        provider.complete(ASK)
    provider.close()


def test_a_redirect_that_keeps_what_is_asked_is_followed(server) -> None:
    answers = [(308, {"location": "/v2/chat"}), (200, {})]
    server.answer = lambda: answers.pop(0)
    provider = OpenAIProvider(base_url=f"{server.url}/v1", api_key="k")
    assert provider.complete(ASK).text == "two"
    provider.close()
    (_, first, _), (path, second, _) = server.seen
    assert path == "/v2/chat"
    assert first == second


def test_a_connection_that_cannot_be_made_is_tried_again(waits) -> None:
    provider = OpenAIProvider(base_url="http://127.0.0.1:9/v1", api_key="k")
    with pytest.raises(ProviderUnusable, match=r"cannot reach http://127\.0\.0\.1:9/v1: ") as raised:
        provider.complete(ASK)
    provider.close()
    assert len(waits) == 2
    failure = failure_of(raised.value)
    assert (failure.kind, failure.sent) == ("connection", False)


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://127.0.0.1/v1"])
def test_an_address_that_is_none_ends_the_run(waits, url: str) -> None:
    provider = OpenAIProvider(base_url=url, api_key="k")
    with pytest.raises(ProviderUnusable, match=f"cannot reach {url}: .*protocol.*Is OPENAI_BASE_URL right"):
        provider.complete(ASK)
    provider.close()


def test_a_key_that_no_header_takes_is_named() -> None:
    with pytest.raises(ProviderUnusable, match="OPENAI_API_KEY, or a header, has characters that HTTP does not take"):
        OpenAIProvider(base_url="http://127.0.0.1:9/v1", api_key="schlüssel–")


def test_the_sdk_is_not_loaded_for_a_call(pytester: pytest.Pytester, server) -> None:
    script = pytester.makepyfile(
        "import sys\n"
        "from promptopt.providers.openai.client import OpenAIProvider\n"
        "from promptopt.values import Message, Request\n"
        f"provider = OpenAIProvider(base_url='{server.url}/v1', api_key='k')\n"
        "print(provider.complete(Request('m', (Message('user', 'hi'),))).text)\n"
        "print(sorted({'openai', 'aiohttp', 'pydantic'} & sys.modules.keys()))\n"
    )
    assert pytester.runpython(script).outlines == ["two", "[]"]
