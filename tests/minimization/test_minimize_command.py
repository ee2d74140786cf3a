"""``promptopt minimize`` as a user runs it, against a local endpoint with the real SDK."""

import json
import re
from typing import Any

import pytest
from click.testing import CliRunner
from planted_model import USELESS, Planted, Write, sentences, share
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
    plan = " ".join(planned.stderr.split())
    assert re.search(r"below (29|30) cases nothing can be confirmed at a margin of 10 points", plan)
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
    # What the first run cost has to be paid back too.
    assert data["earlier_usd"] > 0
    repaid = f"after {data['calls_to_repay']:,} calls"
    assert repaid in " ".join(done.stdout.split())


def test_calls_that_fail_are_named_and_may_be_allowed(
    planted: Write, endpoint: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted([*USELESS[:2], "Answer in capitals."], 60)
    answer = reply(Planted({"Answer in capitals.": 0.5}))

    def some_fail(body: dict[str, Any]) -> Any:
        if share(body["messages"][0]["content"]) < 0.06:
            return 500, {"content-type": "application/json"}, b'{"error": {"message": "out of order"}}'
        return answer(body)

    endpoint.reply = some_fail
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    monkeypatch.setenv("OPENAI_BASE_URL", endpoint.url)
    command = ("minimize", "p", "--margin", "12", "--no-rules", "--steps", "1", "--retries", "0")
    done = CliRunner().invoke(cli, command, catch_exceptions=False)
    assert done.exit_code == 3, done.stdout + done.stderr
    assert re.search(r"calls failed \(\d+\.\d%\), above --max-failed 2%", done.stdout)
    assert re.search(r"\n  the first is case 'case-\d+': .*500", done.stdout)
    allowed = CliRunner().invoke(cli, [*command, "--max-failed", "20", "--json"], catch_exceptions=False)
    assert allowed.exit_code == 0, allowed.stdout + allowed.stderr
    [confirmed] = json.loads(allowed.stdout)["confirmed"]
    assert confirmed["accepted"]
    assert "500" in confirmed["error"]
    count = confirmed["failed_cases"]
    assert 0 < count < confirmed["cases"]
    assert f"\n  {count} of {confirmed['cases']} cases did not count, since calls failed\n  the first is" in done.stdout


def test_that_no_call_is_answered_any_more_is_said_with_what_is_kept(
    planted: Write, endpoint: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted([*USELESS[:2], "Answer in capitals."], 60)
    answer = reply(Planted({"Answer in capitals.": 0.5}))
    refused = 429, {"content-type": "application/json"}, b'{"error": {"message": "enough"}}'
    endpoint.reply = lambda body: answer(body) if len(endpoint.requests) <= 50 else refused
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    monkeypatch.setenv("OPENAI_BASE_URL", endpoint.url)
    done = CliRunner().invoke(cli, ["minimize", "p", "--margin", "12", "--no-rules", "--retries", "0", "-j", "1"])
    assert isinstance(done.exception, PromptoptError)
    assert re.match(r"after 50 answers, not one of \d+ calls was answered", str(done.exception))
    assert str(done.exception).endswith("they are kept: run the same command again")


def test_drafts_that_fail_change_nothing_of_what_is_found_and_old_ones_are_named_first(
    planted: Write, project: Any, endpoint: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted([*USELESS[:2], "Answer in capitals.", "If the text is empty, answer none."], 60)
    answer = reply(Planted({"Answer in capitals.": 0.5}))
    endpoint.reply = lambda body: (
        answer(body)
        if body["model"] == "gpt-4o-mini"
        else (200, {"content-type": "application/json"}, completion('{"vars": {}}', body["model"], 9))
    )
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    monkeypatch.setenv("OPENAI_BASE_URL", endpoint.url)
    command = ["minimize", "p@v1", "--margin", "12", "--no-rules", "--draft-cases", "gpt-4.1", "--json"]
    done = CliRunner().invoke(cli, [*command, "--write"], catch_exceptions=False)
    assert done.exit_code == 0, done.stdout + done.stderr
    assert (project.root / "prompts/p/v2.j2").exists()
    assert "no draft for line" in done.stderr
    assert json.loads(done.stdout)["calls"] == len(endpoint.requests)
    project.write({"suites/p.drafts.yaml": "tests: []"})
    asked = len(endpoint.requests)
    refused = CliRunner().invoke(cli, command)
    assert "p.drafts.yaml exists already, and is not overwritten: move the cases" in str(refused.exception)
    assert len(endpoint.requests) == asked


@pytest.mark.parametrize("options", [("--write",), ("-o", "file/next.j2"), ("-o", "file/page.html")])
def test_a_folder_that_cannot_be_written_is_said_before_the_first_call(
    planted: Write, project: Any, endpoint: Any, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    from promptopt.files import check_writable

    planted(sentences(), 140)
    project.write({"file": "no folder"})
    if options == ("--write",):
        # Permissions say nothing to a superuser: the next version would be below a file.
        monkeypatch.setattr("promptopt.minimization.result.next_version", lambda path: path / "v2.j2")
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    monkeypatch.setenv("OPENAI_BASE_URL", endpoint.url)
    done = CliRunner().invoke(cli, ["minimize", "p", "--margin", "5", *options])
    assert isinstance(done.exception, PromptoptError)
    assert "cannot be written" in str(done.exception)
    assert not endpoint.requests
    check_writable(project.root / "new" / "folder" / "next.j2")
    assert not (project.root / "new").exists()


def test_that_no_call_is_answered_is_incomplete(planted: Write, endpoint: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    planted(sentences(), 140)
    endpoint.reply = lambda body: (500, {"content-type": "application/json"}, b'{"error": {"message": "no"}}')
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    monkeypatch.setenv("OPENAI_BASE_URL", endpoint.url)
    for verb in ("minimize", "ablate"):
        done = CliRunner().invoke(cli, [verb, "p", "--margin", "5", "--retries", "0"])
        assert isinstance(done.exception, PromptoptError)
        assert "not one of" in str(done.exception)
        assert done.exception.exit_code == 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--margin", "5", "--max-failed", "100"), "max_failed = 100 is not a percentage"),
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
