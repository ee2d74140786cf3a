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
from promptopt.gateway.layers.concurrency import pause_of
from promptopt.gateway.provider import failure_of
from promptopt.providers import make_provider
from promptopt.providers.openai.client import OpenAIProvider
from promptopt.providers.openai.waits import asked_wait_s
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
    own, slept = threading.get_ident(), time.sleep
    # A thread that another test left behind goes on with what it does.
    monkeypatch.setattr(time, "sleep", lambda s: found.append(s) if threading.get_ident() == own else slept(s))
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


@pytest.mark.parametrize("form", ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"])
def test_a_date_in_each_form_of_http_says_how_long_to_wait(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        headers = {"retry-after": time.strftime(form, time.gmtime(time.time() + 30))}
        assert asked_wait_s(headers, time.time()) == pytest.approx(29, abs=2)
        assert pause_of(headers, time.time(), throttled=True) == pytest.approx(29, abs=2)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_key_is_sent_without_the_line_end_of_its_file(server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", f" {server.url}/v1\n")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1\n")
    provider = make_provider("gpt-4o-mini", 5)
    provider.complete(ASK)
    provider.close()
    assert server.seen[0][2]["authorization"] == "Bearer sk-1"


@pytest.mark.parametrize("key", ["sk-1\nsk-2", "sk-1\x00", "schlüssel"])
def test_a_key_is_never_in_a_message(project, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    with pytest.raises(ProviderUnusable, match="characters that HTTP does not take") as raised:
        OpenAIProvider(base_url="http://127.0.0.1:9/v1", api_key=key)
    assert key[:4] not in str(raised.value)
    if "\x00" in key:
        return
    monkeypatch.setenv("MINE", key)
    tables = [
        'type = "openai"\nbase_url = "http://127.0.0.1:9/v1"\napi_key_env = "MINE"\n',
        'type = "http"\nurl = "http://127.0.0.1:9/v1"\nheaders = {X-Key = "${MINE}"}\n',
    ]
    for table in tables:
        project.write({"pyproject.toml": f"[tool.promptopt.providers.mine]\n{table}"})
        with pytest.raises(ProviderUnusable, match=r"MINE|X-Key") as raised:
            make_provider("mine:m", 5)
        assert key[:4] not in str(raised.value)


def test_a_password_in_an_address_is_never_in_a_message(server, waits) -> None:
    server.answer = lambda: (404, {})
    for port in (server.url.rpartition(":")[2], 9):
        provider = OpenAIProvider(base_url=f"http://me:hidden@127.0.0.1:{port}/v1", api_key="k")
        with pytest.raises(ProviderUnusable, match=rf"http://127\.0\.0\.1:{port}/v1") as raised:
            provider.complete(ASK)
        provider.close()
        assert "hidden" not in str(raised.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/v1?api-version=1", "http://127.0.0.1:9/v1#chat"])
def test_an_address_with_more_than_a_path_is_refused(url: str) -> None:
    with pytest.raises(
        ProviderUnusable, match=r"OPENAI_BASE_URL: http://127\.0\.0\.1:9/v1.* has a query or a fragment"
    ):
        OpenAIProvider(base_url=url, api_key="k")


def test_an_address_without_a_port_number_is_named(waits) -> None:
    provider = OpenAIProvider(base_url="http://127.0.0.1:abc/v1", api_key="k")
    with pytest.raises(ProviderUnusable, match=r"is not an address: .*abc.*Is OPENAI_BASE_URL right"):
        provider.complete(ASK)
    provider.close()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("HTTP_PROXY", "ftp://me:hidden@127.0.0.1:9", "names a proxy that cannot be used"),
        ("ALL_PROXY", "http://127.0.0.1:abc", "names a proxy that cannot be used"),
        ("SSL_CERT_FILE", "/nowhere/ca.pem", "SSL_CERT_FILE or SSL_CERT_DIR names cannot be read"),
    ],
)
def test_an_environment_that_makes_no_client_is_named(
    project, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    project.write({"pyproject.toml": '[tool.promptopt.providers.desk]\ntype = "http"\nurl = "http://127.0.0.1:9/"\n'})
    for model in ("gpt-4o-mini", "desk:m"):
        with pytest.raises(ProviderUnusable, match=said) as raised:
            make_provider(model, 5)
        assert "hidden" not in str(raised.value)


def test_a_proxy_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, waits) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://me:hidden@127.0.0.1:9")
    provider = OpenAIProvider(base_url="http://models.example/v1", api_key="k")
    with pytest.raises(ProviderUnusable, match=r"names the proxy http://127\.0\.0\.1:9$"):
        provider.complete(ASK)
    provider.close()


@pytest.mark.parametrize(
    ("path", "version", "asked"),
    [
        ("/openai", '"2024-10-21"', "/openai/deployments/m/chat/completions?api-version=2024-10-21"),
        ("/openai/v1/", '"preview"', "/openai/v1/chat/completions?api-version=preview"),
        ("/openai/", None, "/openai/v1/chat/completions"),
    ],
)
def test_an_azure_address_may_end_as_its_portal_shows_it(
    project, server, monkeypatch: pytest.MonkeyPatch, path: str, version: str | None, asked: str
) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "az")
    line = "" if version is None else f"api_version = {version}\n"
    table = f'[tool.promptopt.providers.az]\ntype = "azure"\n{line}base_url = "{server.url}{path}"\n'
    project.write({"pyproject.toml": table})
    provider = make_provider("az:m", 5)
    provider.complete(Request("az:m", ASK.messages, ASK.params))
    provider.close()
    assert server.seen[0][0] == asked


@pytest.mark.parametrize(
    "change", [{"finish_reason": "error"}, {"error": {"code": 502, "message": "upstream"}}], ids=str
)
def test_a_choice_that_failed_is_a_failed_call(server, change) -> None:
    choice = {**BODY["choices"][0], "message": {"role": "assistant", "content": ""}, **change}
    server.answer = lambda: (200, {}, {**BODY, "choices": [choice]})
    provider = OpenAIProvider(base_url=f"{server.url}/v1", api_key="k")
    with pytest.raises(ProviderError, match=r"answer is an error: '(upstream|no reason given)'") as raised:
        provider.complete(ASK)
    provider.close()
    assert failure_of(raised.value).kind == "server"


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        {"prompt_tokens": 9},
        {"prompt_tokens": 0, "completion_tokens": 3},
    ],
    ids=str,
)
def test_a_usage_that_leaves_out_what_is_there_is_none(server, usage) -> None:
    server.answer = lambda: (200, {}, {**BODY, "usage": usage})
    provider = OpenAIProvider(base_url=f"{server.url}/v1", api_key="k")
    assert provider.complete(ASK).usage is None
    provider.close()
