"""Fixtures of the server's tests: `promptopt serve` as a process, and its application in a thread of this one."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx2
import openai
import pytest
import uvicorn

from promptopt.config import load_config_file
from promptopt.gateway.serve.app import Service
from promptopt.gateway.serve.server import server_config
from promptopt.gateway.serve.settings import read_configuration


class Proxy:
    """A running server."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._clients: list[openai.OpenAI] = []

    def close(self) -> None:
        for client in self._clients:
            client.close()

    def openai(self, key="none", **options):
        """A client; it is closed at the end of the test."""
        client = openai.OpenAI(base_url=f"{self.url}/v1", api_key=key, max_retries=0, **options)
        self._clients.append(client)
        return client

    def aopenai(self, key="none"):
        return openai.AsyncOpenAI(base_url=f"{self.url}/v1", api_key=key, max_retries=0)

    def post(self, body: object, path: str = "/v1/chat/completions", **headers: str) -> httpx2.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx2.post(f"{self.url}{path}", json=body, headers=named, timeout=30)

    def get(self, path: str, **headers: str) -> httpx2.Response:
        return httpx2.get(f"{self.url}{path}", headers=headers, timeout=30)


class ThreadProxy(Proxy):
    """The application in a thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        configuration = read_configuration(load_config_file(path))
        self.service = Service(configuration)
        config = server_config(self.service, configuration.serve)
        config.port = 0
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive(), "the server ended at its start"
            time.sleep(0.005)
        super().__init__(f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}")

    def rows(self) -> list:
        ledger = self.service.serving.gateway.ledger
        assert ledger is not None
        return list(ledger.rows())

    def close(self) -> None:
        super().close()
        self._server.should_exit = True
        self._thread.join(10)


class ProcessProxy(Proxy):
    """`promptopt serve` as users start it."""

    def __init__(self, path: Path, *options: str, found: bool = False, **environment: str) -> None:
        """``found`` lets it find the pyproject.toml of the current folder."""
        self.log = path.with_name(f"{path.stem}.{time.monotonic_ns()}.log")
        named = [] if found else ["--config", str(path)]
        command = [sys.executable, "-m", "promptopt", "serve", *named, "--port", "0", *options]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stderr=log, stdout=log, env={**os.environ, **environment})
        super().__init__(self._address())

    def _address(self) -> str:
        until = time.monotonic() + 30
        while time.monotonic() < until and self.process.poll() is None:
            if found := re.search(r"serves (http://\S+)/v1", self.text()):
                return found[1]
            time.sleep(0.02)
        raise AssertionError(self.text())

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def says(self, text: str, timeout_s: float = 10) -> bool:
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            if text in self.text():
                return True
            time.sleep(0.02)
        return False

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)

    def close(self) -> None:
        super().close()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def configured(folder, upstream, monkeypatch):
    """Writes a configuration; `UPSTREAM` in it is the upstream's address."""
    monkeypatch.setenv("OPENAI_BASE_URL", upstream.url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-server")

    def write(text: str = "") -> Path:
        path = folder / "proxy.toml"
        path.write_text(text.replace("UPSTREAM", upstream.url))
        return path

    return write


@pytest.fixture
def proxy(configured):
    """Serves a configuration from a thread: ``proxy("[tool.promptopt.gateway]...")``."""
    made: list[ThreadProxy] = []

    def make(text: str = "") -> ThreadProxy:
        made.append(ThreadProxy(configured(text)))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def process(configured):
    """Serves a configuration as a process of its own."""
    made: list[ProcessProxy] = []

    def make(text: str = "", *options: str, found: bool = False, **environment: str) -> ProcessProxy:
        made.append(ProcessProxy(configured(text), *options, found=found, **environment))
        return made[-1]

    yield make
    for each in made:
        each.close()
