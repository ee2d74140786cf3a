"""Answers out of recordings, and answers into them, as layers around a provider."""

import json
import threading
from pathlib import Path

import pytest

from promptopt.errors import ProviderError, RecordingError
from promptopt.gateway.flow import run, stack
from promptopt.gateway.layers.replay import Record, Replay
from promptopt.gateway.provider import WrappedProvider, make_call
from promptopt.providers.recordings import Recording, RecordingFile
from promptopt.values import Message, Origin, Request, Response, Usage

AT = "2026-11-21T10:00:00Z"


def request(case: str = "a", *, text: str = "hi") -> Request:
    return Request("m", (Message("user", text),), origin=Origin("greet", "v1", case))


class Echo:
    """Answers with what it is asked, or fails."""

    def __init__(self, error: ProviderError | None = None) -> None:
        self.asked = 0
        self.error = error

    def complete(self, request: Request) -> Response:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return Response(request.model, f"answer {request.messages[0].content} " + "x" * 500, usage=Usage(3))

    def close(self) -> None:
        pass


def test_a_replay_answers_only_what_was_asked_and_claims_no_latency(tmp_path: Path) -> None:
    path = tmp_path / "v1.jsonl"
    file = RecordingFile.read(path)
    file.append(Recording.of(request("a"), Response("m-1", "ok", usage=Usage(3), duration_s=0.25), AT))
    file.tidy()
    assert json.loads(path.read_text())["latency_ms"] == 250.0
    echo = Echo()
    provider = WrappedProvider(echo, Replay(RecordingFile.read(path)))
    assert provider.complete(request("a")) == Response("m-1", "ok", usage=Usage(3), duration_s=None)
    for other, status in ((request("b"), "missing"), (request("a", text="x"), "stale")):
        with pytest.raises(RecordingError, match=f"{status} recording of case"):
            provider.complete(other)
    assert echo.asked == 0


def test_a_replayed_answer_says_that_nobody_was_asked_or_paid(tmp_path: Path) -> None:
    file = RecordingFile.read(tmp_path / "v1.jsonl")
    file.append(Recording.of(request("a"), Response("m-1", "ok", usage=Usage(3)), AT))
    answer = run(stack([Replay(file)])(make_call(request("a"))), lambda call: pytest.fail(f"sent: {call}"))
    assert (answer.source, answer.text) == ("replay", "ok")


def test_what_is_recorded_is_replayed(tmp_path: Path) -> None:
    file = RecordingFile.read(tmp_path / "v1.jsonl")
    answered = WrappedProvider(Echo(), Record(file)).complete(request("a"))
    assert WrappedProvider(Echo(), Replay(file)).complete(request("a")) == answered


def test_a_failed_call_is_not_recorded_and_its_error_is_the_providers_own(tmp_path: Path) -> None:
    file = RecordingFile.read(tmp_path / "v1.jsonl")
    error = ProviderError("the endpoint answered 500")
    with pytest.raises(ProviderError) as raised:
        WrappedProvider(Echo(error), Record(file)).complete(request("a"))
    assert raised.value is error
    assert not file.lines


def test_a_request_without_a_case_cannot_be_recorded(tmp_path: Path) -> None:
    provider = WrappedProvider(Echo(), Record(RecordingFile.read(tmp_path / "v1.jsonl")))
    with pytest.raises(ValueError, match="only the request of a case can be recorded"):
        provider.complete(Request("m", (Message("user", "hi"),)))


def test_many_threads_record_into_one_file(tmp_path: Path) -> None:
    path = tmp_path / "v1.jsonl"
    file = RecordingFile.read(path)
    provider = WrappedProvider(Echo(), Record(file))
    threads = [
        threading.Thread(
            target=lambda n=n: [provider.complete(request(f"{n}-{i}", text=f"{n}-{i}")) for i in range(25)]
        )
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(RecordingFile.read(path).lines) == 200
    file.tidy()
    read = RecordingFile.read(path)
    assert len(read.lines) == 200
    assert all(item.response.text.startswith(f"answer {item.case} ") for item in read.lines.values())
    assert [json.loads(line)["case"] for line in path.read_text().splitlines()] == sorted(key[0] for key in read.lines)
