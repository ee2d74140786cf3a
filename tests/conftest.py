"""Fixtures: a project folder, the real command line, and an endpoint that speaks OpenAI's wire format."""

import os
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import forks
import pytest
from corpora import ABSENT, DATA, REPOSITORY
from wire import Sent, answering, completion

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that starts the tests in the background lets them ignore Ctrl-C, and the commands that they start too.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the developer's keys, or whether it runs in CI."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "CI", "COLUMNS", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def repository() -> Path:
    """The root of the repository."""
    return REPOSITORY


@pytest.fixture
def data() -> Path:
    """The folder of the real data; a test that needs it is skipped if it is absent."""
    if not DATA.is_dir():
        pytest.skip(ABSENT.format("the real data"))
    return DATA


@pytest.fixture
def small_disk():
    """Files of this process end after 4,096 bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, ignored)


@dataclass
class Project:
    """A folder with prompts and suites, which is the current folder of the test."""

    root: Path

    def write(self, files: dict[str, str | bytes]) -> None:
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def run(self, *arguments: str, timeout: float = 60, **environment: str) -> subprocess.CompletedProcess[str]:
        """The real command line, in a process of its own."""
        return forks.run("promptopt", arguments, cwd=self.root, env={**os.environ, **environment}, timeout=timeout)

    def git(self, *arguments: str) -> str:
        command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.invalid", *arguments]
        return subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """An empty project; its pyproject.toml keeps the search for one from leaving the folder."""
    monkeypatch.chdir(tmp_path)
    made = Project(tmp_path)
    made.write({"pyproject.toml": ""})
    return made


Reply = Callable[[dict[str, Any]], "str | tuple[int, dict[str, str], bytes]"]


@dataclass
class Endpoint:
    """A local OpenAI-compatible endpoint.

    ``reply`` gets the request's body and returns a text, or a status, headers and a body.
    """

    reply: Reply = lambda body: "ok"
    requests: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""

    @property
    def environment(self) -> dict[str, str]:
        return {"OPENAI_BASE_URL": self.url, "OPENAI_API_KEY": "test"}


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """An endpoint that answers ``ok`` until its ``reply`` is set."""
    served = Endpoint()

    def reply(body: dict[str, Any]) -> Sent:
        served.requests.append(body)
        said = served.reply(body)
        return completion(said, body["model"]) if isinstance(said, str) else said

    with answering(reply) as served.url:
        yield served
