"""`promptopt serve` as a process: its start, what it says about a wrong configuration, signals."""

import json
import signal
import socket
import subprocess
import sys
import threading

import anthropic
import openai
import pytest
from upstream import Reply, answer, ask, wait_until

from promptopt.config import load_config_file
from promptopt.gateway.keys import key_sha256
from promptopt.gateway.stores.ledger import open_ledger

MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "content": [],
    "model": "claude-sonnet-4-6",
    "stop_reason": None,
    "stop_sequence": None,
}
CHAT = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}


def run(path, *options):
    command = [sys.executable, "-m", "promptopt", "serve", "--config", str(path), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_it_says_where_it_listens_and_ends_in_good_order(process):
    server = process()
    assert ask(server.openai()).choices[0].message.content == "ok"
    assert server.stop() == 0
    assert server.text().splitlines() == [f"promptopt serves {server.url}/v1"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool.promptopt.serve]\nprot = 1", "proxy.toml:2: [tool.promptopt.serve]: unknown key 'prot'"),
        ("[tool.promptopt.serve]\n\nport = 70000", "proxy.toml:3: [tool.promptopt.serve]: port = 70000 is not a port"),
        ("[tool.promptopt.serve]\ngrace = 'soon'", "grace = 'soon' is not a time"),
        ('[tool.promptopt.serve]\npass = ["files"]', "pass = ['files'] is not a list of paths such as '/v1/files'"),
        ("[tool.promptopt.gateway]\nbudget = {dya = 1}", "proxy.toml:2: [tool.promptopt.gateway]: unknown key 'dya'"),
        ('[tool.promptopt.serve]\nhost = "0.0.0.0"', "host = '0.0.0.0' is open to other machines"),
        ("[tool.promptopt", "proxy.toml: is not TOML"),
        (
            '[[tool.promptopt.gateway.upstreams]]\nname = "eu"\nurl = "http://eu/v1"\nkey_env = "EU_KEY"',
            "proxy.toml:4: the key of the upstream 'eu' is not there: the environment variable EU_KEY is not set",
        ),
        ('[[tool.promptopt.gateway.upstreams]]\nname = "eu"\nurl = "eu/v1"', "url = 'eu/v1' is not an address"),
        (
            '[[tool.promptopt.gateway.upstreams]]\nname = "eu"\nurl = "http://eu"\nkey = "sk-1"',
            "keys do not belong into a file: name an environment variable by `key_env`",
        ),
    ],
)
def test_a_wrong_configuration_is_said_in_one_message(configured, text, said):
    done = run(configured(text), "--check")
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_good_configuration_is_only_checked(configured):
    done = run(configured(), "--check")
    assert (done.returncode, done.stdout.strip()) == (0, "the configuration is good")


def test_a_taken_port_is_said(configured):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run(configured(), "--port", str(taken.getsockname()[1]))
    assert done.returncode == 2
    assert "cannot listen on 127.0.0.1" in done.stderr
    assert "Traceback" not in done.stderr


def test_another_address_is_served_with_keys(process):
    keys = f'[tool.promptopt.gateway.keys.a]\nsha256 = "{key_sha256("po-a")}"\n[tool.promptopt.serve]\nhost = "0.0.0.0"'
    server = process(keys)
    assert "http://0.0.0.0:" in server.url
    server.url = server.url.replace("0.0.0.0", "127.0.0.1")
    assert server.post(CHAT).status_code == 401
    assert server.post(CHAT, authorization="Bearer po-a").status_code == 200


def test_sighup_reloads_and_a_wrong_configuration_changes_nothing(process, configured, upstream):
    server = process("[tool.promptopt.gateway]\ncache = false\nledger = false")
    configured("[tool.promptopt.gateway]\nbudget = {day = 0}")
    server.process.send_signal(signal.SIGHUP)
    assert server.says("the configuration was reloaded")
    refused = server.post({**CHAT, "max_completion_tokens": 5})
    assert refused.json()["error"]["code"] == "budget_exceeded"
    configured("[tool.promptopt.gateway]\nbudget = 'none'")
    server.process.send_signal(signal.SIGHUP)
    assert server.says("the old one stays in force")
    assert "proxy.toml:2" in server.text()
    assert server.post({**CHAT, "max_completion_tokens": 5}).json()["error"]["code"] == "budget_exceeded"
    assert server.stop() == 0


def test_a_reload_opens_nothing_that_was_closed(process, configured):
    keys = f'[tool.promptopt.gateway.keys.a]\nsha256 = "{key_sha256("po-a")}"\n[tool.promptopt.serve]\nhost = "0.0.0.0"'
    server = process(keys)
    server.url = server.url.replace("0.0.0.0", "127.0.0.1")
    configured('[tool.promptopt.serve]\nhost = "127.0.0.1"')
    server.process.send_signal(signal.SIGHUP)
    assert server.says("host = '0.0.0.0' is open to other machines")
    assert server.post(CHAT).status_code == 401


def test_a_reload_of_a_file_that_is_gone_changes_nothing(folder, monkeypatch, configured, process):
    configured().with_name("pyproject.toml").write_text("[tool.promptopt.gateway]\nbudget = {day = 0}")
    server = process(found=True)
    (folder / "pyproject.toml").unlink()
    server.process.send_signal(signal.SIGHUP)
    assert server.says("pyproject.toml: cannot be read")
    assert server.post({**CHAT, "max_completion_tokens": 5}).json()["error"]["code"] == "budget_exceeded"


def test_a_reload_of_a_file_that_was_emptied_changes_nothing(configured, process):
    """As a full disk leaves it, or whoever is about to write it: it would have no budget and no keys."""
    server = process("[tool.promptopt.gateway]\nbudget = {day = 0}")
    configured("")
    server.process.send_signal(signal.SIGHUP)
    assert server.says("proxy.toml: is empty, and was not when the server began")
    assert server.post({**CHAT, "max_completion_tokens": 5}).json()["error"]["code"] == "budget_exceeded"


def test_the_files_of_a_server_are_beside_the_link_to_its_configuration(folder, configured):
    for name in ("first", "second"):
        (folder / name).mkdir()
        (folder / name / "proxy.toml").write_text("")
    link = folder / "linked.toml"
    for name in ("first", "second"):
        link.unlink(missing_ok=True)
        link.symlink_to(folder / name / "proxy.toml")
        assert load_config_file(link).root == folder.resolve()


class Gated(list):
    """Events of a stream, the last of which come when the gate opens."""

    def __init__(self, gate, events=None):
        self.gate = gate
        self.events = events or answer({**CHAT, "stream": True}).events

    def __iter__(self):
        yield self.events[0]
        self.gate.wait(20)
        yield from self.events[1:]


def test_a_stream_ends_before_the_server_does(process, upstream):
    gate = threading.Event()
    upstream.on = lambda path, body: Reply(events=Gated(gate))
    server = process("[tool.promptopt.serve]\ngrace = 20")
    stream = iter(server.openai().chat.completions.create(**CHAT, stream=True))
    assert next(stream).choices[0].delta.content == "ok"
    assert server.get("/readyz").status_code == 200
    server.process.send_signal(signal.SIGTERM)
    assert wait_until(lambda: server.get("/readyz").status_code == 503)
    assert server.get("/readyz").json() == {"status": "stopping"}
    assert server.get("/healthz").status_code == 200
    late = server.post(CHAT)
    assert (late.status_code, late.json()["error"]["code"]) == (503, "server_stopping")
    assert late.headers["connection"] == "close"
    gate.set()
    assert next(stream).choices[0].delta.content == "then"
    assert next(stream).choices[0].finish_reason == "stop"
    assert server.process.wait(20) == 0


@pytest.mark.parametrize("kind", ["chat", "responses", "messages"])
def test_a_stream_that_takes_longer_than_the_grace_ends_with_an_error_and_is_written_down(
    process, upstream, folder, kind
):
    gate = threading.Event()
    events = {
        "chat": answer({**CHAT, "stream": True}).events,
        "responses": answer({**CHAT, "stream": True}, "/v1/responses").events,
        "messages": [
            {"type": "message_start", "message": {**MESSAGE, "usage": {"input_tokens": 3, "output_tokens": 0}}},
            {"type": "message_stop"},
        ],
    }
    upstream.on = lambda path, body: Reply(events=Gated(gate, events[kind]))
    server = process("[tool.promptopt.serve]\ngrace = 1")
    got, failures = threading.Event(), []

    def read():
        try:
            for _ in streams[kind]():
                got.set()
        except (openai.APIError, anthropic.APIError) as error:
            failures.append(error)

    claude = anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0)
    client = server.openai()
    asked = {"model": "claude-sonnet-4-6", "max_tokens": 9, "messages": CHAT["messages"]}
    streams = {
        "chat": lambda: client.chat.completions.create(**CHAT, stream=True),
        "responses": lambda: client.responses.create(model="gpt-4o-mini", input="hi", stream=True),
        "messages": lambda: claude.messages.create(**asked, stream=True),
    }
    reader = threading.Thread(target=read)
    reader.start()
    assert got.wait(10)
    assert server.stop() == 0
    gate.set()
    reader.join(10)
    claude.close()
    assert "the server ended before this answer was whole" in str(failures[0])
    assert "Traceback" not in server.text()
    ledger = open_ledger(folder / ".promptopt" / "ledger.sqlite")
    assert [row.status for row in ledger.rows()] == ["abandoned"]
    ledger.close()


def test_a_call_that_takes_longer_than_the_grace_is_answered_with_an_error(process, upstream, folder):
    upstream.on = lambda path, body: Reply(hang_s=30)
    server = process("[tool.promptopt.serve]\ngrace = 0.5")
    found = []
    asking = threading.Thread(target=lambda: found.append(server.post(CHAT)))
    asking.start()
    assert wait_until(lambda: upstream.calls == 1)
    assert server.stop() == 0
    asking.join(10)
    assert (found[0].status_code, found[0].json()["error"]["code"]) == (503, "server_stopping")
    assert "Traceback" not in server.text()


def test_a_reader_that_takes_nothing_does_not_keep_the_server(process, upstream):
    upstream.on = lambda path, body: Reply(events=[{"choices": [], "filler": "x" * 100_000}] * 400)
    server = process("[tool.promptopt.serve]\ngrace = 0.5")
    host, port = server.url.removeprefix("http://").split(":")
    body = json.dumps({**CHAT, "stream": True}).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head + b"content-length: %d\r\n\r\n" % len(body) + body)
        assert connection.recv(10)
        assert server.stop() == 0
    assert "Traceback" not in server.text()


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nx: ",
        b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\nGET /he",
    ],
)
def test_who_never_ends_the_head_of_a_request_is_not_waited_for(process, sent):
    server = process("[tool.promptopt.serve]\nbody_timeout = 0.3")
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(sent)
        while connection.recv(1000):
            pass
    assert server.get("/healthz").status_code == 200
