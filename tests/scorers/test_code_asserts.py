"""Asserts that are code, and those that look at what comes with an answer."""

import json
import math
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptopt.errors import SuiteError
from promptopt.scorers import Subject
from promptopt.scorers.base import make_check
from promptopt.suites import Assertion
from promptopt.values import Response, Score


def score(kind: str, value: Any = None, *, text: str = "Paris, France", **more: Any) -> Score:
    response = more.pop("response", Response("gpt-4o-mini", text))
    variables, threshold = more.pop("variables", {}), more.pop("threshold", None)
    assertion = Assertion(kind.removeprefix("not-"), kind.startswith("not-"), value, threshold, options=more)
    found = make_check(assertion, "s.yaml")(Subject(text.strip(), response, variables=variables, prompt="Which?"))
    assert found is not None
    return found


@pytest.mark.parametrize("kind", ["javascript", "python"])
def test_code_sees_the_answer_and_what_belongs_to_it(kind: str) -> None:
    variables = {"city": "Paris", "list": [1, 2]}
    code = {
        "javascript": """const c = context
return output.startsWith(c.vars.city) && c.vars.list[1] === 2 && c.config.least === 3 && c.prompt === 'Which?'
  && c.provider.id === 'gpt-4o-mini' && c.providerResponse.finishReason === 'stop' && c.test.vars.city === 'Paris'
  && c.logProbs.length === 2""",
        "python": """c = context
return output.startswith(c["vars"]["city"]) and c["vars"]["list"][1] == 2 and c["config"]["least"] == 3 \\
  and c["prompt"] == "Which?" and c["provider"]["id"] == "gpt-4o-mini" and len(c["logProbs"]) == 2""",
    }[kind]
    response = Response("gpt-4o-mini", "Paris, France", logprobs=(-0.1, -0.2))
    found = score(kind, code, variables=variables, config={"least": 3}, response=response)
    assert found.passed, found.explanation


@pytest.mark.parametrize(
    ("code", "value", "passed", "why"),
    [
        ("output.length > 5", 1, True, ""),
        ("output.length > 50", 0, False, "returned false"),
        ("0.25", 0.25, True, ""),
        ("output.length", 1, True, "the score 13 counts as 1"),
        ("-3", 0, False, "scored -3; the score -3 counts as 0"),
        ("({pass: true, score: 0, reason: 'as it says'})", 0, True, "as it says"),
        ("({pass: true, score: 1})", 0, False, "without a text as `reason`"),
        ("'yes'", 0, False, "which is not true or false"),
        ("missing.x", 0, False, "line 1: ReferenceError"),
        ("0 / 0", 0, False, "returned NaN"),
    ],
)
def test_what_javascript_returns_is_the_score(code: str, value: float, passed: bool, why: str) -> None:
    found = score("javascript", code)
    assert (found.value, found.passed) == (value, passed)
    assert why in found.explanation
    assert found.broken is ("raised" in found.explanation)


@given(st.sampled_from(["javascript", "python"]), st.integers(0, 100), st.none() | st.integers(0, 100))
def test_not_turns_what_passes_and_keeps_a_number(kind: str, hundredths: int, threshold: int | None) -> None:
    least = None if threshold is None else threshold / 100
    plain = score(kind, f"{hundredths} / 100", threshold=least)
    negated = score(f"not-{kind}", f"{hundredths} / 100", threshold=least)
    assert plain.value == negated.value == hundredths / 100
    assert plain.passed is not negated.passed
    assert plain.passed is (hundredths > 0 if least is None else hundredths / 100 >= least)


def test_white_space_around_an_answer_is_seen_by_code() -> None:
    assert score("javascript", "output.endsWith('\\n')", text="Paris\n").passed
    assert score("python", "output.endswith('\\n')", text="Paris\n").passed


def test_javascript_in_a_file(tmp_path) -> None:
    path = tmp_path / "checks.js"
    path.write_text("module.exports = { long: (output, { config }) => output.length >= config.least };\n")
    assert score("javascript", f"file://{path}:long", config={"least": 3}).passed
    assert "exports no function short" in score("javascript", f"file://{path}:short").explanation


def test_a_python_function_gives_what_promptfoo_takes(tmp_path) -> None:
    path = tmp_path / "own.py"
    path.write_text("def get_assert(output, context):\n    return {'pass_': True, 'score': 0.4, 'reason': 'r'}\n")
    assert score("python", f"file://{path}").passed
    assert not score("python", f"file://{path}", threshold=0.5).passed


class _Hook(BaseHTTPRequestHandler):
    seen: list[Any]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append(body)  # type: ignore[attr-defined]  # the fixture's list
        answer = {
            "/ok": (200, '{"pass": true}'),
            "/no": (200, '{"pass": false, "score": 0.25, "reason": "too short"}'),
            "/down": (503, "{}"),
            "/text": (200, "yes"),
            "/odd": (200, '{"score": 1}'),
        }[self.path]
        self.send_response(answer[0])
        self.end_headers()
        self.wfile.write(answer[1].encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def hook() -> Iterator[HTTPServer]:
    with HTTPServer(("127.0.0.1", 0), _Hook) as server:
        server.seen = []  # type: ignore[attr-defined]  # what was posted
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_web_hook_says_what_passes(hook) -> None:
    address = f"http://127.0.0.1:{hook.server_port}"
    found = {
        path: score("webhook", f"{address}/{path}", variables={"q": "ü"})
        for path in ("ok", "no", "down", "text", "odd")
    }
    assert hook.seen[0] == {"output": "Paris, France", "context": {"prompt": "Which?", "vars": {"q": "ü"}}}
    assert (found["ok"].value, found["ok"].passed) == (1, True)
    assert (found["no"].value, found["no"].passed, found["no"].explanation) == (0.25, False, "too short")
    assert "answered with status 503" in found["down"].explanation
    assert all(found[path].broken for path in ("down", "text", "odd"))
    negated = score("not-webhook", f"{address}/no")
    assert (negated.value, negated.passed) == (0.75, True)


def test_a_web_hook_that_is_not_there_is_a_failed_score() -> None:
    with HTTPServer(("127.0.0.1", 0), _Hook) as server:
        port = server.server_port
    found = score("webhook", f"http://127.0.0.1:{port}/ok")
    assert not found.passed
    assert "does not answer" in found.explanation


def test_perplexity_is_of_the_tokens_probabilities() -> None:
    response = Response("m", "a b", logprobs=(math.log(0.5), math.log(0.125)))
    assert score("perplexity", response=response, threshold=4).passed
    assert not score("perplexity", response=response, threshold=3.9).passed
    assert score("perplexity-score", response=response).value == pytest.approx(0.2)
    assert "no log-probabilities" in score("perplexity").explanation


@pytest.mark.parametrize(
    ("kind", "reason", "text", "passed"),
    [
        ("finish-reason", "length", "cut", False),
        ("finish-reason", "stop", "whole", True),
        ("guardrails", "content_filter", "", False),
        ("guardrails", "refusal", "I can't", False),
        ("guardrails", "stop", "fine", True),
        ("is-refusal", "stop", "I'm sorry, but I can’t help with that", True),
        ("is-refusal", "stop", "Sure, here it is", False),
        ("is-refusal", "stop", " ", True),
        ("is-refusal", "refusal", "Let us talk of something else", True),
    ],
)
def test_what_comes_with_an_answer(kind: str, reason: str, text: str, passed: bool) -> None:
    value = "stop" if kind == "finish-reason" else None
    assert score(kind, value, response=Response("m", text, reason), text=text).passed is passed


def test_a_document_with_entities_of_its_own_is_not_read() -> None:
    bomb = '<!DOCTYPE a [<!ENTITY x "y"><!ENTITY z "&x;&x;">]><a>&z;</a>'
    assert "defines entities" in score("is-xml", text=bomb).explanation


@pytest.mark.parametrize(
    ("kind", "remedy"),
    [
        ("ruby", "write the check as a `javascript` or `python` assert"),
        ("not-trace-span-count", "there are no traces of spans"),
        ("promptfoo:redteam:pii", "red teaming is not carried"),
        ("pi", "its service is closed"),
    ],
)
def test_a_type_that_is_not_carried_over_is_refused_with_what_to_do(kind: str, remedy: str) -> None:
    with pytest.raises(SuiteError, match=f"^s.yaml: unknown assert type '{kind}': {remedy}"):
        score(kind, "true")


def test_code_sees_what_was_sent(project) -> None:
    """Through a whole comparison, of which every answer is the same."""
    import promptopt
    from promptopt.testing import ScriptedProvider

    suite = """tests:
- description: a
  vars: {city: Paris}
  assert:
  - {type: javascript, value: "context.prompt === 'Where is Paris?' && output === 'Paris'"}
  - {type: python, value: "context['prompt'] == 'Where is Paris?'"}
  - {type: python, value: "file://own.py:sent"}
"""
    project.write(
        {
            "prompts/where/v1.j2": "---\nmodel: gpt-4o-mini\n---\nWhere is {{ city }}?",
            "prompts/where/v2.j2": "---\nmodel: gpt-4o-mini\n---\nAnd {{ city }}?",
            "suites/where.yaml": suite,
            "suites/own.py": "def sent(output, context):\n    return context['prompt'].startswith('Where')\n",
        }
    )
    comparison = promptopt.compare(
        "where@v1", "where@v2", suite="where", provider=ScriptedProvider(["Paris"] * 2), record="all"
    )
    first, second = (run.trials[0].score.scores for run in comparison.runs)
    assert [score.passed for score in first] == [True] * 3, first
    assert [score.passed for score in second] == [False] * 3, second


@pytest.mark.parametrize(
    ("kind", "value", "text", "transform", "passed"),
    [
        ("javascript", "output.city === 'Paris'", '{"city": "Paris"}', "JSON.parse(output)", True),
        ("python", "output['city'] == 'Paris'", '{"city": "Paris"}', "JSON.parse(output)", True),
        ("equals", "Paris", '{"city": "Paris"}', "JSON.parse(output).city", True),
        ("contains", '{"city":"Paris"}', '{"city": "Paris"}', "JSON.parse(output)", True),
        ("is-json", None, 'So: {"a": 1}', "output.slice(4)", True),
        ("is-json", {"required": ["b"]}, 'So: {"a": 1}', "output.slice(4)", False),
        ("is-refusal", None, "[I'm sorry, no]", "output.slice(1)", True),
        ("javascript", "output === 3", "one two three", "output.split(' ').length", True),
        ("is-json", None, "[1]", "missing.x", False),
    ],
)
def test_a_transform_comes_before_the_assert(kind: str, value: Any, text: str, transform: str, passed: bool) -> None:
    found = score(kind, value, text=text, transform=transform)
    assert found.passed is passed, found.explanation
    assert found.broken is ("missing" in transform)
