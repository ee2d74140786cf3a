"""``promptopt minimize`` as a user runs it, against a local endpoint with the real SDK."""

import json
import re
from typing import Any

import pytest
from click.testing import CliRunner
from planted_model import USELESS, Planted, Write, sentences
from wire import completion

from promptopt.cli import cli
from promptopt.errors import PromptoptError


def reply(model: Planted) -> Any:
    from promptopt import Message, Request

    def answer(body: dict[str, Any]) -> Any:
        messages = tuple(Message(each["role"], each["content"]) for each in body["messages"])
        response = model.complete(Request(body["model"], messages))
        assert response.usage is not None
        return (
            200,
            {"content-type": "application/json"},
            completion(response.text, body["model"], response.usage.input_tokens),
        )

    return answer


def test_a_search_goes_on_from_its_recordings_and_writes_the_next_version(
    planted: Write, project: Any, endpoint: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = [*USELESS[:2], "Answer in capitals.", USELESS[5]]
    planted(some, 80)
    endpoint.reply = reply(Planted({"Answer in capitals.": 0.5}))
    command = ("minimize", "p", "--margin", "10", "--no-rules", "--steps", "1")
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    monkeypatch.setenv("OPENAI_BASE_URL", endpoint.url)
    planned = CliRunner().invoke(cli, [*command, "--dry-run"], catch_exceptions=False)
    assert planned.exit_code == 0, planned.stderr
    assert re.search(r"below (29|30) cases nothing can be confirmed at a margin of 10 points", planned.stderr)
    assert "buys" in planned.stderr
    assert not endpoint.requests
    done = CliRunner().invoke(cli, [*command, "--write"], catch_exceptions=False)
    assert done.exit_code == 0, done.stdout + done.stderr
    asked = len(endpoint.requests)
    assert asked > 100
    written = (project.root / "prompts/p/v2.j2").read_text()
    assert "Answer in capitals." in written
    assert not any(sentence in written for sentence in USELESS)
    assert "confirmed on" in done.stdout
    assert "has paid for itself after" in done.stdout
    again = CliRunner().invoke(cli, ["minimize", "p@v1", *command[2:], "--json"], catch_exceptions=False)
    assert len(endpoint.requests) == asked
    data = json.loads(again.stdout)
    assert data["calls"] == 0
    assert data["text"] == written


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--margin", "2"), "can confirm nothing"),
        (("--margin", "5", "--max-cost", "0.0001"), "--max-cost"),
        (("--margin", "5", "-o", "prompts/p/v1.j2"), "not overwritten"),
        (("--set", "top_p"), "KEY=VALUE"),
    ],
)
def test_what_cannot_succeed_is_refused(
    planted: Write, endpoint: Any, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], said: str
) -> None:
    planted(sentences(), 140)
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    monkeypatch.setenv("OPENAI_BASE_URL", endpoint.url)
    done = CliRunner().invoke(cli, ["minimize", "p", *options])
    assert isinstance(done.exception, PromptoptError)
    assert done.exception.exit_code == 2
    assert said in str(done.exception)
    assert not endpoint.requests
