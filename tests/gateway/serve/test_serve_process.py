"""`promptopt serve` as a process: its start, what it says about a wrong configuration, signals."""

import signal
import socket
import subprocess
import sys
import threading

import pytest
from upstream import Reply, answer, ask, wait_until

from promptopt.config import load_config_file
from promptopt.gateway.keys import key_sha256

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

    def __init__(self, gate):
        self.gate = gate

    def __iter__(self):
        events = answer({**CHAT, "stream": True}).events
        yield events[0]
        self.gate.wait(20)
        yield from events[1:]


def test_a_stream_ends_before_the_server_does(process, upstream):
    gate = threading.Event()
    upstream.on = lambda path, body: Reply(events=Gated(gate))
    server = process("[tool.promptopt.serve]\ngrace = 20")
    stream = iter(server.openai().chat.completions.create(**CHAT, stream=True))
    assert next(stream).choices[0].delta.content == "ok"
    server.process.send_signal(signal.SIGTERM)
    assert wait_until(lambda: _refuses(server.url))
    gate.set()
    assert next(stream).choices[0].delta.content == "then"
    assert next(stream).choices[0].finish_reason == "stop"
    assert server.process.wait(20) == 0


def _refuses(url):
    host, port = url.removeprefix("http://").split(":")
    try:
        socket.create_connection((host, int(port))).close()
    except OSError:
        return True
    return False


def test_a_stream_that_takes_longer_than_the_grace_is_cut_off_and_written_down(process, upstream, folder):
    gate = threading.Event()
    upstream.on = lambda path, body: Reply(events=Gated(gate))
    server = process("[tool.promptopt.serve]\ngrace = 1")
    stream = iter(server.openai().chat.completions.create(**CHAT, stream=True))
    next(stream)
    assert server.stop() == 0
    gate.set()
    from promptopt.gateway.stores.ledger import open_ledger

    ledger = open_ledger(folder / ".promptopt" / "ledger.sqlite")
    assert [row.status for row in ledger.rows()] == ["abandoned"]
    ledger.close()
