"""Cases whose calls of tools are answered: run, recorded step by step, replayed, and what they cost together."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from promptopt import compare
from promptopt.config import load_config
from promptopt.errors import RecordingError, SuiteError, UsageError
from promptopt.experiment.comparison import Comparison
from promptopt.experiment.inventory import check_recordings
from promptopt.providers.base import ProviderBase
from promptopt.suites import load_suite
from promptopt.values import Request, Response, ToolCall, Usage

PROMPT = """---
model: test-model
tools:
- {name: find_order, parameters: {properties: {order_id: {type: string}}, required: [order_id]}}
- {name: cancel, parameters: {properties: {order_id: {type: string}}}}
---
Help: {{ message }}
"""
CASE = """
- description: a
  vars: {message: "cancel A-1", order: A-1}
  tool_results: RESULTS
  assert:
  - {type: contains, value: done}
  - {type: tool-call, value: [find_order, cancel], order: exact}
"""
BY_NAME = "{find_order: {status: open, id: '{{ order }}'}, cancel: ok}"


class Desk(ProviderBase):
    """Looks the order up, cancels it, and says what came back."""

    def __init__(self, *answers: list[ToolCall] | str) -> None:
        self.answers = answers or ([call("find_order")], [call("cancel")], "done: {}")
        self.asked: list[Request] = []

    def complete(self, request: Request) -> Response:
        self.asked.append(request)
        results = [message.content for message in request.messages if message.role == "tool"]
        steps = sum(message.role == "assistant" for message in request.messages)
        answer = self.answers[min(steps, len(self.answers) - 1)]
        usage = Usage(input_tokens=100 * (steps + 1), output_tokens=10)
        if isinstance(answer, str):
            return Response("test-model", answer.format(results), "stop", usage)
        return Response("test-model", "", "tool_calls", usage, tool_calls=tuple(answer))


def call(name: str, arguments: str = '{"order_id": "A-1"}', identity: str = "c1") -> ToolCall:
    return ToolCall(identity, name, arguments)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    prices = '[tool.promptopt.prices."test-model"]\ninput_mtok = 1\noutput_mtok = 10\n'
    (tmp_path / "pyproject.toml").write_text(prices, encoding="utf-8")
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "desk.j2").write_text(PROMPT, encoding="utf-8")
    write_suite(tmp_path)
    return tmp_path


def write_suite(folder: Path, results: str = BY_NAME, more: str = "") -> None:
    (folder / "suites").mkdir(exist_ok=True)
    (folder / "suites" / "desk.yaml").write_text(CASE.replace("RESULTS", results) + more, encoding="utf-8")


def only(comparison: Comparison):
    (run,) = comparison.runs
    return run.answered[0]


def test_the_model_gets_the_results_of_its_calls_until_it_answers(desk: Path) -> None:
    provider = Desk()
    trial = only(compare("desk", provider=provider))
    assert trial.passed, trial.score.scores
    assert trial.response.text == """done: ['{"status": "open", "id": "A-1"}', 'ok']"""
    last = provider.asked[-1].messages
    assert [message.role for message in last] == ["user", "assistant", "tool", "assistant", "tool"]
    assert last[2].tool_call_id == "c1"
    assert last[1].tool_calls == (call("find_order"),)


def test_a_case_costs_what_all_its_calls_cost(desk: Path) -> None:
    compared = compare("desk", provider=Desk())
    trial = only(compared)
    assert trial.steps == 3
    assert trial.usage == Usage(input_tokens=600, output_tokens=30)
    assert trial.cost is not None
    assert float(trial.cost.total_usd) == pytest.approx((600 + 300) / 1e6)
    assert "3.0 calls of the model a case" in str(compared)


def test_steps_are_recorded_and_replayed(desk: Path) -> None:
    live = only(compare("desk", provider=Desk()))
    file = desk / "suites/desk/recordings/desk.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert [row.get("step") for row in rows] == [None, 1, 2]
    assert "done" not in file.read_text().splitlines()[0]
    replayed = only(compare("desk", record="none"))
    assert replayed.replayed
    assert replace(replayed, recorded_at=None) == replace(live, recorded_at=None)
    assert check_recordings(load_config()) == ([], 3)


def test_a_run_that_broke_off_within_a_case_goes_on_from_there(desk: Path) -> None:
    compare("desk", provider=Desk())
    file = desk / "suites/desk/recordings/desk.jsonl"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:2]))
    with pytest.raises(RecordingError, match="no recorded answer to 1 case"):
        compare("desk", record="none")
    provider = Desk()
    trial = only(compare("desk", provider=provider, record="missing"))
    assert len(provider.asked) == 1
    assert trial.usage == Usage(input_tokens=600, output_tokens=30)


def test_another_result_makes_the_steps_after_it_stale(desk: Path) -> None:
    compare("desk", provider=Desk())
    write_suite(desk, "{find_order: {status: sent}, cancel: ok}")
    with pytest.raises(RecordingError, match="stale answers to 1 case"):
        compare("desk", record="none")
    problems, good = check_recordings(load_config())
    assert [(problem.kind, problem.line) for problem in problems] == [("stale", 2), ("stale", 3)]
    assert good == 1


def test_steps_that_are_no_longer_reached_are_reported(desk: Path) -> None:
    compare("desk", provider=Desk())
    compare("desk", provider=Desk("done at once"), record="all")
    assert only(compare("desk", record="none")).steps == 1
    problems, _ = check_recordings(load_config())
    assert ["the case ends with step 0" in problem.message for problem in problems[:1]] == [True]


@pytest.mark.parametrize(
    ("results", "answers", "text"),
    [
        (
            "{find_order: [{arguments: {order_id: A-2}, result: two}, {result: other}]}",
            ([call("find_order")],),
            "['other']",
        ),
        (
            "{find: [{arguments: {n: true}, result: yes}, {arguments: {of: {a: 1}}, result: part}, {result: other}]}",
            ([call("find", '{"n": 1, "of": {"a": 1.0, "b": 2}}')],),
            "['part']",
        ),
        (
            "[{tool: find_order, result: first}, {tool: find_order, result: second}]",
            ([call("find_order")], [call("find_order")]),
            "['first', 'second']",
        ),
        ("{find_order: [1, 2]}", ([call("find_order")],), "['[1, 2]']"),
        (
            "{find_order: x, cancel: y}",
            ([call("find_order"), call("cancel", identity="c2")],),
            "['x', 'y']",
        ),
    ],
)
def test_results_are_found_by_tool_by_arguments_or_in_order(
    desk: Path, results: str, answers: tuple[list[ToolCall], ...], text: str
) -> None:
    write_suite(desk, results)
    assert only(compare("desk", provider=Desk(*answers, "{}"))).response.text == text


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        (([call("cancel")],), "`tool_results` has no result for cancel("),
        (([call("find_ordr")],), "the prompt has no tool 'find_ordr'. Did you mean 'find_order'?"),
        (([call("cancel", "{")],), "are not JSON"),
    ],
)
def test_a_call_without_a_result_ends_the_case_and_is_said(
    desk: Path, answers: tuple[list[ToolCall], ...], says: str
) -> None:
    write_suite(desk, "{find_order: x}")
    compared = compare("desk", provider=Desk(*answers))
    trial = only(compared)
    assert not trial.passed
    assert says in trial.complaint
    assert "1 ended at a call of a tool without a result: case a: " in str(compared)


def test_a_model_that_goes_on_calling_is_stopped(desk: Path) -> None:
    write_suite(desk, more="  max_steps: 4\n")
    provider = Desk([call("find_order")])
    trial = only(compare("desk", provider=provider))
    assert len(provider.asked) == 4
    assert "still calls tools after the last step" in trial.complaint


def test_without_results_a_call_is_the_answer(desk: Path) -> None:
    suite = desk / "suites" / "desk.yaml"
    suite.write_text("- {description: a, vars: {message: x}, assert: [{type: tool-call, value: find_order}]}\n")
    assert only(compare("desk", provider=Desk())).passed


@pytest.mark.parametrize(
    ("results", "more", "says"),
    [
        ("5", "", "tool_results: 5 is not a mapping of tools"),
        ("[{tool: find_order}]", "", "entry 1 is not a mapping with `tool` and `result`"),
        ("[{tool: a, result: b, argument: {}}]", "", "Did you mean 'arguments'?"),
        ("{find_order: '{{ nobody }}'}", "", "'nobody' is undefined"),
        ("{}", "  max_steps: 0\n", "max_steps: 0 is not a whole number"),
    ],
)
def test_results_that_cannot_be_read_are_refused_with_their_line(
    desk: Path, results: str, more: str, says: str
) -> None:
    write_suite(desk, results, more)
    with pytest.raises(SuiteError, match=r"desk\.yaml:\d") as caught:
        load_suite("desk")
    assert says in str(caught.value)


def test_defaults_of_the_suite_are_added_to_by_tool(desk: Path) -> None:
    (desk / "suites" / "desk.yaml").write_text(
        "defaultTest: {tool_results: {find_order: x, cancel: no}, max_steps: 3}\n"
        "tests:\n- {description: a, vars: {message: x}, tool_results: {cancel: ok}}\n"
    )
    case = load_suite("desk").cases[0]
    assert case.max_steps == 3
    assert case.tool_results is not None
    assert case.tool_results.answers([call("find_order"), call("cancel")]) == ["x", "ok"]


def test_a_batch_of_such_cases_is_refused(desk: Path) -> None:
    with pytest.raises(UsageError, match="--batch asks each case once"):
        compare("desk", batch=True, record="all")


def test_cases_with_other_results_of_their_tools_ask_something_else(desk: Path) -> None:
    case = CASE.replace("RESULTS", BY_NAME)
    other = case.replace("description: a", "description: b").replace("status: open", "status: lost")
    (desk / "suites/desk.yaml").write_text(case + other + other.replace("description: b", "description: c"))
    found = compare("desk", provider=Desk(), price_as="gpt-4o-mini")
    assert "note: 1 of 3 cases ask the same as another one" in str(found)
