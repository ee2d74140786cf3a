"""A run that asks for everything and is broken off goes on where it stopped: real processes, a real endpoint."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptopt import Request, Response, compare

CASES = 30
ALL = ("compare", "ask@v1", "--record", "all", "-j", "2")
QUOTA = (429, {}, json.dumps({"error": {"message": "no money", "code": "insufficient_quota"}}).encode())


@pytest.fixture
def asking(project):
    """One prompt, and cases of which each is asked once by a whole run."""
    cases = [
        {"description": f"c{n:02}", "vars": {"n": n}, "assert": [{"type": "contains", "value": "ok"}]}
        for n in range(CASES)
    ]
    project.write(
        {
            "prompts/ask/v1.j2": "---\nmodel: gpt-4o-mini\nmax_output_tokens: 5\n---\nAsk {{ n }}.",
            "suites/ask.jsonl": "".join(json.dumps(case) + "\n" for case in cases),
        }
    )
    return project


def asked(endpoint) -> Counter[str]:
    """How often each text was asked since the last time that this was called."""
    texts = Counter(body["messages"][-1]["content"] for body in endpoint.requests)
    endpoint.requests.clear()
    return texts


def start(project, endpoint, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "promptopt", *arguments],
        cwd=project.root,
        env={**os.environ, **endpoint.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def hold_after(endpoint, number: int) -> tuple[threading.Event, threading.Event]:
    """The endpoint answers so many calls and holds two; an event when it does, and one that lets it go on."""
    reached, go_on = threading.Event(), threading.Event()
    seen: list[int] = []

    def reply(_body: dict[str, Any]) -> str:
        seen.append(1)
        if len(seen) > number:
            # Two are in flight at once.
            if len(seen) == number + 2:
                reached.set()
            go_on.wait(60)
        return "ok"

    endpoint.reply = reply
    return reached, go_on


def stop_by(number: int) -> Callable[..., None]:
    def stop(project, endpoint) -> None:
        reached, go_on = hold_after(endpoint, 12)
        process = start(project, endpoint, *ALL)
        assert reached.wait(60)
        process.send_signal(number)
        output = process.communicate(timeout=60)
        go_on.set()
        assert process.returncode == (130 if number == signal.SIGINT else -signal.SIGKILL), output

    return stop


def out_of_quota(project, endpoint) -> None:
    seen: list[int] = []
    endpoint.reply = lambda body: seen.append(1) or ("ok" if len(seen) <= 12 else QUOTA)
    assert project.run(*ALL, **endpoint.environment).returncode == 2


@pytest.mark.parametrize(
    "broken_off", [stop_by(signal.SIGINT), stop_by(signal.SIGKILL), out_of_quota], ids=["ctrl-c", "kill -9", "quota"]
)
@pytest.mark.parametrize("before", [False, True], ids=["nothing recorded", "all recorded before"])
def test_a_run_that_was_broken_off_goes_on_and_a_whole_one_begins_anew(
    asking, endpoint, broken_off: Callable[..., None], before: bool
) -> None:
    if before:
        assert asking.run(*ALL, **endpoint.environment).returncode == 0
        assert asked(endpoint).total() == CASES
    broken_off(asking, endpoint)
    endpoint.requests.clear()
    endpoint.reply = lambda body: "ok"
    # Those that were in flight may be asked again.
    rest = asking.run(*ALL, **endpoint.environment)
    assert rest.returncode == 0, rest.stderr
    again = asked(endpoint)
    assert CASES - 14 <= again.total() <= CASES - 10
    assert f"{CASES - again.total()} more were answered before the last run was broken off" in rest.stderr
    lines = (asking.root / "suites/ask/recordings/ask/v1.jsonl").read_text().splitlines()
    assert len(lines) == CASES
    whole = asking.run(*ALL, **endpoint.environment)
    assert "broken off" not in whole.stderr
    assert asked(endpoint).total() == CASES
    assert not [*(asking.root / ".promptopt/unfinished").iterdir()]


def test_what_changed_since_or_is_another_models_is_asked_for(asking, endpoint) -> None:
    stop_by(signal.SIGKILL)(asking, endpoint)
    endpoint.requests.clear()
    endpoint.reply = lambda body: "ok"
    assert asking.run(*ALL, "--model", "gpt-4o", **endpoint.environment).returncode == 0
    assert asked(endpoint).total() == CASES
    # That one has ended; the first model's has not.
    assert asking.run(*ALL, "--model", "gpt-4o", **endpoint.environment).returncode == 0
    assert asked(endpoint).total() == CASES
    prompt = asking.root / "prompts/ask/v1.j2"
    prompt.write_text(prompt.read_text().replace("Ask", "Say"))
    assert asking.run(*ALL, **endpoint.environment).returncode == 0
    assert asked(endpoint).total() == CASES


def test_the_cost_of_what_is_left_is_what_a_limit_is_held_against(asking, endpoint) -> None:
    stop_by(signal.SIGKILL)(asking, endpoint)
    endpoint.reply = lambda body: "ok"
    whole = asking.run(*ALL, "--max-cost", "0.0000001", **endpoint.environment)
    assert whole.returncode == 2
    calls = int(whole.stderr.split("this run: ")[1].split(" ")[0])
    assert CASES - 14 <= calls <= CASES - 10
    # A run that was refused has changed nothing.
    assert f"this run: {calls} calls" in asking.run(*ALL, **endpoint.environment).stderr


def test_of_two_runs_at_a_time_each_asks_for_everything(asking, endpoint) -> None:
    reached, go_on = hold_after(endpoint, 12)
    first = start(asking, endpoint, *ALL)
    assert reached.wait(60)
    endpoint.reply = lambda body: "ok"
    endpoint.requests.clear()
    second = asking.run(*ALL, **endpoint.environment)
    assert (second.returncode, asked(endpoint).total()) == (0, CASES), second.stderr
    go_on.set()
    first.communicate(timeout=60)
    assert first.returncode == 0
    asked(endpoint)
    assert asking.run(*ALL, **endpoint.environment).returncode == 0
    assert asked(endpoint).total() == CASES


class Answering:
    """A provider of the caller's own, which may break."""

    def __init__(self, text: str, calls: int) -> None:
        self.text, self.left = text, calls

    def complete(self, request: Request) -> Response:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return Response(request.model, self.text)

    def close(self) -> None:
        pass


def test_another_function_that_answers_is_asked_for_everything(asking) -> None:
    with pytest.raises(KeyboardInterrupt):
        compare("ask@v1", provider=Answering("from the first", 12), jobs=1)
    result = compare("ask@v1", provider=Answering("from the second: ok", CASES), jobs=1)
    assert {trial.response.text for trial in result.runs[0].trials} == {"from the second: ok"}
    assert not (asking.root / ".promptopt").exists()


def test_a_folder_that_takes_no_file_costs_no_run(asking, endpoint) -> None:
    Path(asking.root / ".promptopt").write_text("not a folder")
    done = asking.run(*ALL, **endpoint.environment)
    assert (done.returncode, asked(endpoint).total()) == (0, CASES), done.stderr
