"""Fixtures of the gateway's tests: an upstream on a free port, a Redis, and SDK clients with a gateway in them."""

import os
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path
from tempfile import gettempdir
from types import SimpleNamespace

import openai
import pytest
from redis_process import RedisServer
from upstream import Upstream

import promptopt


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Each test works in a folder of its own, as a program of a user's would."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    return tmp_path


@pytest.fixture
def upstream():
    server = Upstream()
    yield server
    server.close()


@pytest.fixture
def client(upstream):
    """Makes SDK clients: ``client(cache=False, max_retries=0)``."""
    made = []

    def make(*, max_retries=0, **options):
        made.append(
            openai.OpenAI(
                base_url=upstream.url,
                api_key="sk-test",
                max_retries=max_retries,
                http_client=promptopt.http_client(**options),
            )
        )
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def aclient(upstream):
    """As ``client``, for event loops; whoever makes one closes it."""

    def make(*, max_retries=0, **options):
        return openai.AsyncOpenAI(
            base_url=upstream.url,
            api_key="sk-test",
            max_retries=max_retries,
            http_client=promptopt.async_http_client(**options),
        )

    return make


@pytest.fixture
def busy_port():
    """A port whose line is full, so that whoever connects waits."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        waiting = []
        while True:
            waiting.append(socket.socket())
            waiting[-1].settimeout(0.2)
            try:
                waiting[-1].connect(listening.getsockname())
            except TimeoutError:
                break
        yield listening.getsockname()[1]
        for each in waiting:
            each.close()


@pytest.fixture
def redis_server():
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    server = RedisServer()
    yield server
    server.kill()


class PostgresServer:
    """A PostgreSQL in a folder of its own, on a free port, as a user that is not root."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        # The folder of a test belongs to its user, who may be root.
        made = self._run("mktemp", "-d", "-p", gettempdir(), capture_output=True, text=True)
        self.folder = made.stdout.strip()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"postgresql://promptopt@127.0.0.1:{self.port}/postgres"
        self._run(programs / "initdb", "-D", self.folder, "-U", "promptopt", "-A", "trust", "--no-sync", "-E", "UTF8")
        self.start()

    def start(self) -> None:
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        log = f"{self.folder}/log"
        self._run(self._programs / "pg_ctl", "-D", self.folder, "-w", "-l", log, "-o", options, "start")

    def stop(self) -> None:
        self._run(self._programs / "pg_ctl", "-D", self.folder, "-w", "-m", "immediate", "stop")

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def _run(self, *command, **options):
        options = {"stdout": subprocess.DEVNULL, **options} if "capture_output" not in options else options
        return subprocess.run([*self._as_user, *map(str, command)], check=True, cwd=gettempdir(), **options)


@pytest.fixture(scope="session")
def postgres_programs():
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    return found[-1].parent


@pytest.fixture
def postgres_server(postgres_programs):
    server = PostgresServer(postgres_programs)
    yield server
    server.close()


@pytest.fixture
def scripted():
    """Says what ``says`` has, one piece for each request; ``accepted`` counts connections."""

    found = SimpleNamespace(says=[], accepted=0, requests=[])
    listening = socket.create_server(("127.0.0.1", 0))
    found.url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1/else"

    def serve(connection):
        with connection:
            while data := connection.recv(65536):
                head, _, body = data.partition(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
                while len(body) < length:
                    body += connection.recv(65536)
                found.requests.append(body)
                said = found.says.pop(0)
                if said is None:
                    time.sleep(30)
                if not said:
                    return
                connection.sendall(said)

    def accept():
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            found.accepted += 1
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield found
    listening.close()
