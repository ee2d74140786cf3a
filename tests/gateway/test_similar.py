"""`similar`: how near the embedding of an answer is to that of a text."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from promptopt.errors import SuiteError
from promptopt.scorers import Subject
from promptopt.scorers.base import make_check
from promptopt.suites import Assertion
from promptopt.values import Response, Score

pytest.importorskip("wordllama")


def score(kind: str, value: Any, text: str, threshold: float | None = None, **options: Any) -> Score:
    assertion = Assertion(kind.removeprefix("not-"), kind.startswith("not-"), value, threshold, options=options)
    found = make_check(assertion, "s.yaml")(Subject(text, Response("m", text)))
    assert found is not None
    return found


@pytest.mark.parametrize("kind", ["similar", "similar:cosine", "similar:dot"])
def test_a_like_text_is_near_and_another_is_not(kind: str) -> None:
    near = score(kind, "The cat sleeps on the sofa", "A cat is sleeping on the sofa")
    far = score(kind, "The cat sleeps on the sofa", "Interest rates rose by half a point")
    assert near.passed
    assert not far.passed
    assert near.value > 0.75 > far.value
    assert "the likeness" in far.explanation
    assert score(f"not-{kind}", "The cat sleeps on the sofa", "Interest rates rose by half a point").passed


def test_a_distance_passes_up_to_the_threshold() -> None:
    same = score("similar:euclidean", "one text", "one text", 0.1)
    assert same.passed
    assert same.value == pytest.approx(1)
    far = score("similar:euclidean", "one text", "Interest rates rose", 0.1)
    assert not far.passed
    assert 0 < far.value < 1


def test_one_of_several_texts_is_enough_and_with_not_none_may_be_near() -> None:
    texts = ["Interest rates rose", "A cat is sleeping"]
    assert score("similar", texts, "The cat is sleeping").passed
    assert not score("not-similar", texts, "The cat is sleeping").passed


def test_what_is_not_an_embedder_is_refused_before_anything_is_called() -> None:
    for provider in ("mistral:mistral-embed", {"id": "openai:"}, 3):
        with pytest.raises(SuiteError, match="is not an embedder; known are wordllama and openai:MODEL"):
            score("similar", "a", "b", provider=provider)
    with pytest.raises(SuiteError, match="needs a text or a list of texts"):
        score("similar", ["a", " "], "b")


class _Embeddings(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(body["model"])  # type: ignore[attr-defined]  # the fixture's list
        rows = [
            {"index": n, "object": "embedding", "embedding": [len(text), 3.0]} for n, text in enumerate(body["input"])
        ]
        data = {
            "object": "list",
            "model": body["model"],
            "data": rows,
            "usage": {"prompt_tokens": 1, "total_tokens": 1},
        }
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(data).encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[HTTPServer]:
    with HTTPServer(("127.0.0.1", 0), _Embeddings) as server:
        server.asked = []  # type: ignore[attr-defined]  # the models that were asked
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_port}/v1")
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_an_endpoint_gives_the_vectors(endpoint) -> None:
    found = score("similar", "four", "text", 0.99, provider="openai:embedding:text-embedding-3-small")
    assert found.passed, found.explanation
    assert found.value == pytest.approx(1)
    assert set(endpoint.asked) == {"text-embedding-3-small"}
