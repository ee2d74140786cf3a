"""docs/providers.md is enough to put a program of one's own under test: its files and commands, as a user has them."""

import json
import re
import stat
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@pytest.fixture
def page(project, repository) -> str:
    """The page; its files are in the project."""
    text = (repository / "docs" / "providers.md").read_text(encoding="utf-8")
    files = dict(re.findall(r"^`([\w./-]+)`\n\n```\w+\n(.*?)^```$", text, re.DOTALL | re.MULTILINE))
    assert files.keys() == {"pyproject.toml", "app.py", "answer.sh", "prompts/order.j2", "suites/order.yaml"}
    project.write(files)
    script = project.root / "answer.sh"
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return text


def shown(page: str, name: str) -> str:
    """The output on the page that has a text in it."""
    (found,) = [text for text in re.findall(r"^```text\n(.*?)^```$", page, re.DOTALL | re.MULTILINE) if name in text]
    return found


def test_a_function_is_put_under_test(project, page) -> None:
    (command,) = re.findall(r"^```sh\npromptopt (.*)\n```$", page, re.MULTILINE)
    done = project.run(*command.split())
    assert shown(page, "app.py") in done.stdout
    assert "unpriced" in done.stdout
    again = project.run("compare", "order", "--model", "python:file://app.py:answer", "--record", "missing")
    assert "raised KeyError at app.py:7" in again.stdout


def test_a_command_is_put_under_test(project, page) -> None:
    done = project.run("compare", "order", "--model", "shell", "--record", "missing")
    assert shown(page, "answer.sh") in done.stdout


def test_an_endpoint_is_put_under_test(project, page) -> None:
    seen = []

    class Desk(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append(
                (self.headers["authorization"], json.loads(self.rfile.read(int(self.headers["content-length"]))))
            )
            usage = {"prompt_tokens": 40, "completion_tokens": 8}
            content = json.dumps({"data": {"answer": "It is sent or lost; no order."}, "usage": usage}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Desk)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        table = (project.root / "pyproject.toml").read_text().replace("8901", str(server.server_port))
        project.write({"pyproject.toml": table})
        done = project.run("compare", "order", "--model", "desk", "--record", "missing", DESK_TOKEN="t0")
    finally:
        server.shutdown()
        server.server_close()
    assert done.returncode == 0, done.stderr
    assert "100.0%" in done.stdout
    # 40 x $0.15 + 8 x $0.60 a million.
    assert "$0.0108" in done.stdout
    (sent,) = re.findall(r"^```json\n(.*?)\n```$", page, re.MULTILINE)
    assert ("Token t0", json.loads(sent)) in seen


@pytest.mark.parametrize("number", [0, 1])
def test_an_error_reads_as_the_page_says(project, page, number: int) -> None:
    expected = re.findall(r"^    (promptopt: .*)\n    (  .*)$", page, re.MULTILINE)[number]
    tables = [
        '[tool.promptopt.providers.app]\ntype = "pyhton"\n',
        '[tool.promptopt.providers.claude]\ntype = "anthropic"\napi_key_env = "TEAM_ANTHROPIC_KEY"\n',
    ]
    project.write({"pyproject.toml": tables[number]})
    model = ("app", "claude:claude-haiku-4-5")[number]
    done = project.run("compare", "order", "--model", model, "--record", "missing", "--max-cost", "10")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-2:] == list(expected)


def test_every_table_on_the_page_is_taken(project, page, monkeypatch: pytest.MonkeyPatch) -> None:
    from promptopt.config import load_config
    from promptopt.providers import is_free

    for table in re.findall(r"^```toml\n(.*?)^```$", page, re.DOTALL | re.MULTILINE):
        project.write({"pyproject.toml": table})
        for name in load_config().providers:
            assert is_free(f"{name}:m") == (name == "gpu")
