"""Cases with turns: what is asked, what it costs, what is recorded, and what is refused."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from promptopt import compare
from promptopt.config import load_config
from promptopt.errors import ProviderError, RecordingError
from promptopt.experiment.comparison import Comparison
from promptopt.experiment.inventory import check_recordings
from promptopt.experiment.runs import Answered, Failed
from promptopt.providers.base import ProviderBase
from promptopt.values import Request, Response, ToolCall, Usage

HEAD = "---\nmodel: test-model\nmax_output_tokens: 20\n---\n"
SYSTEM = HEAD + '{% chat role="system" %}You answer guests of a hotel.{% endchat %}\n'
LOOP = """{% for turn in history %}
{% chat role=turn.role tool_calls=turn.tool_calls tool_call_id=turn.tool_call_id %}{{ turn.content }}{% endchat %}
{% endfor %}
"""
FULL = SYSTEM + LOOP + '{% chat role="user" %}Guest: {{ user }}{% endchat %}\n'
SUITE = """
- description: late
  vars: {hour: 11, room: 7}
  turns:
  - user: When is breakfast in room {{ room }}?
    assert: [{type: contains, value: "{{ hour }}"}]
  - user: And on Sundays?
    assert: [{type: icontains, value: sunday}]
  assert: [{type: contains, value: Sunday}]
"""


class Waiter(ProviderBase):
    """Says how many turns of the user it sees and repeats the last one; ``answers`` are said in their place."""

    def __init__(self, answers: dict[int, object] | None = None) -> None:
        self.answers = answers or {}
        self.asked: list[Request] = []

    def complete(self, request: Request) -> Response:
        self.asked.append(request)
        said = [message.content for message in request.messages if message.role == "user"]
        steps = sum(message.role == "assistant" for message in request.messages)
        usage = Usage(input_tokens=50 + 10 * len(request.messages), output_tokens=5 + steps)
        answer = self.answers.get(steps, f"{len(said)}: {said[-1]} at 11, Sunday too")
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, ToolCall):
            return Response("test-model", "", "tool_calls", usage, tool_calls=(answer,))
        return answer if isinstance(answer, Response) else Response("test-model", str(answer), "stop", usage)


@pytest.fixture
def hotel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    prices = '[tool.promptopt.prices."test-model"]\ninput_mtok = 1\ncache_read_mtok = 0.1\noutput_mtok = 10\n'
    (tmp_path / "pyproject.toml").write_text(prices, encoding="utf-8")
    for name in ("prompts", "suites"):
        (tmp_path / name).mkdir()
    write(tmp_path, FULL, SUITE)
    return tmp_path


def write(folder: Path, prompt: str | None = None, suite: str | None = None) -> None:
    if prompt is not None:
        (folder / "prompts" / "hotel.j2").write_text(prompt, encoding="utf-8")
    if suite is not None:
        (folder / "suites" / "hotel.yaml").write_text(suite, encoding="utf-8")


def only(comparison: Comparison) -> Answered:
    ((trial,),) = (run.trials for run in comparison.runs)
    assert isinstance(trial, Answered), trial
    return trial


def shown(request: Request) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in request.messages]


def test_a_prompt_with_history_is_rendered_again_for_each_turn(hotel: Path) -> None:
    waiter = Waiter({0: "At 11.", 1: "Also on Sunday."})
    trial = only(compare("hotel", provider=waiter))
    assert trial.passed, trial.complaint
    assert trial.response.text == "Also on Sunday."
    first, second = waiter.asked
    assert shown(first) == [
        ("system", "You answer guests of a hotel."),
        ("user", "Guest: When is breakfast in room 7?"),
    ]
    assert shown(second) == [
        ("system", "You answer guests of a hotel."),
        # The history has what the user said, as a program keeps it, and not what the prompt made of it.
        ("user", "When is breakfast in room 7?"),
        ("assistant", "At 11."),
        ("user", "Guest: And on Sundays?"),
    ]


@pytest.mark.parametrize(
    ("prompt", "first"),
    [
        (SYSTEM, "When is breakfast in room 7?"),
        (SYSTEM + '{% chat role="user" %}Guest: {{ user }}{% endchat %}\n', "Guest: When is breakfast in room 7?"),
        (SYSTEM + LOOP, "When is breakfast in room 7?"),
        (HEAD + "Guest: {{ user }}", "Guest: When is breakfast in room 7?"),
        (HEAD + '[{"role": "system", "content": "Be kind."}]\n', "When is breakfast in room 7?"),
        (HEAD + "{{ history | tojson }}\n", "When is breakfast in room 7?"),
    ],
)
def test_a_prompt_without_history_gets_answers_and_turns_as_messages(hotel: Path, prompt: str, first: str) -> None:
    write(hotel, prompt)
    waiter = Waiter({0: "At 11.", 1: "Also on Sunday."})
    assert only(compare("hotel", provider=waiter)).passed
    before, after = map(shown, waiter.asked)
    assert before[-1] == ("user", first)
    assert after == [*before, ("assistant", "At 11."), ("user", "And on Sundays?")]


def test_asserts_of_a_turn_judge_its_answer_and_those_of_the_case_the_last(hotel: Path) -> None:
    trial = only(compare("hotel", provider=Waiter({0: "I do not know.", 1: "Also on Sunday."})))
    assert [(score.name, score.passed) for score in trial.score.scores] == [
        ("contains", False),
        ("icontains", True),
        ("contains", True),
    ]
    assert trial.score.asserts == (0, 1, 2)
    assert trial.quality == pytest.approx(2 / 3)
    assert trial.complaint.startswith("turn 1: ")


def test_the_cost_is_that_of_the_whole_conversation(hotel: Path) -> None:
    compared = compare("hotel", provider=Waiter())
    trial = only(compared)
    assert trial.steps == 2
    assert trial.usage == Usage(input_tokens=70 + 90, output_tokens=5 + 6)
    assert trial.cost is not None
    assert float(trial.cost.total_usd) == pytest.approx((160 + 110) / 1e6)
    assert compared.variants[0].incurred_usd == pytest.approx(270 / 1e6)


def test_a_replay_is_what_was_live(hotel: Path) -> None:
    live = only(compare("hotel", provider=Waiter()))
    rows = [json.loads(line) for line in (hotel / "suites/hotel/recordings/hotel.jsonl").read_text().splitlines()]
    assert [row.get("step") for row in rows] == [None, 1]
    replayed = only(compare("hotel", record="none"))
    assert replace(replayed, recorded_at=None) == live
    assert check_recordings(load_config()) == ([], 2)


def test_a_conversation_that_broke_off_goes_on_and_asks_nothing_twice(hotel: Path) -> None:
    gone = ProviderError("the line went dead")
    compared = compare("hotel", provider=Waiter({1: gone}), record="missing")
    ((failed,),) = (run.trials for run in compared.runs)
    assert isinstance(failed, Failed)
    assert failed.error == "turn 2 of 2: the line went dead"
    # The first turn was answered, and paid.
    assert compared.variants[0].incurred_usd == pytest.approx((70 + 50) / 1e6)
    assert compared.variants[0].errors == 1
    with pytest.raises(RecordingError, match="no recorded answer to 1 case"):
        compare("hotel", record="none")
    waiter = Waiter()
    again = compare("hotel", provider=waiter, record="missing")
    assert [len(request.messages) for request in waiter.asked] == [4]
    assert only(again).usage == Usage(input_tokens=160, output_tokens=11)
    assert again.variants[0].incurred_usd == pytest.approx((90 + 60) / 1e6)
    assert only(compare("hotel", record="none")).replayed


def test_each_repetition_is_a_conversation_of_its_own(hotel: Path) -> None:
    waiter = Waiter()
    compared = compare("hotel", provider=waiter, trials=3)
    assert sorted((request.sample, len(request.messages)) for request in waiter.asked) == [
        (sample, messages) for sample in range(3) for messages in (2, 4)
    ]
    assert [trial.steps for trial in compared.runs[0].answered] == [2, 2, 2]
    assert [trial.replayed for trial in compare("hotel", record="none", trials=3).runs[0].answered] == [True] * 3


TOOLS = """
- description: move
  vars: {}
  tool_results: {find_room: {room: 7}}
  turns:
  - user: Where am I?
    assert: [{type: tool-call, value: [find_room]}, {type: contains, value: "7"}]
  - user: Move me to 9.
    tool_results: {find_room: {room: 9}}
    assert: [{type: tool-call, value: [find_room]}]
  assert: [{type: tool-call, value: [find_room, find_room], order: exact}]
"""
WITH_TOOL = FULL.replace("---\n{", "tools: [{name: find_room, parameters: {}}]\n---\n{", 1)


@pytest.mark.parametrize("prompt", [WITH_TOOL, SYSTEM.replace("---\n{", "tools: [{name: find_room}]\n---\n{", 1)])
def test_calls_of_tools_are_answered_within_turns(hotel: Path, prompt: str) -> None:
    write(hotel, prompt, TOOLS)
    ask = ToolCall("c1", "find_room", "{}")
    waiter = Waiter({0: ask, 1: "You are in 7.", 2: replace(ask, id="c2"), 3: "Now in 9."})
    trial = only(compare("hotel", provider=waiter))
    assert trial.passed, trial.score.scores
    assert trial.steps == 4
    last = waiter.asked[-1].messages
    assert [message.role for message in last] == [
        *("system", "user", "assistant", "tool", "assistant"),
        *("user", "assistant", "tool"),
    ]
    assert [message.content for message in last if message.role == "tool"] == ['{"room": 7}', '{"room": 9}']
    assert last[2].tool_calls == (ask,)
    assert only(compare("hotel", record="none")).passed


def test_a_turn_without_an_answer_ends_the_conversation_and_fails_the_turns_after_it(hotel: Path) -> None:
    waiter = Waiter({0: ""})
    trial = only(compare("hotel", provider=waiter))
    assert len(waiter.asked) == 1
    assert [score.explanation for score in trial.score.scores] == [
        "turn 1: no answer: the response is empty",
        "turn 2 was not asked, because turn 1 has no answer",
        "no answer: the response is empty",
    ]


def test_a_call_that_nothing_answers_ends_the_conversation(hotel: Path) -> None:
    waiter = Waiter({0: ToolCall("c1", "find_room", "{}")})
    trial = only(compare("hotel", provider=waiter))
    assert len(waiter.asked) == 1
    assert not trial.passed
    assert trial.response.finish_reason == "no_tool_result"


def test_scorers_see_the_turn_and_what_was_said_before(hotel: Path) -> None:
    (hotel / "checks.py").write_text(
        "def seen(answer, context):\n"
        "    given = context['vars']\n"
        "    said = [(each['role'], each['content']) for each in given['history']]\n"
        "    return {'pass': False, 'score': 0, 'reason': repr((given['turn'], given['user'], said, given['room']))}\n"
    )
    suite = SUITE.replace("assert: [{type: icontains, value: sunday}]", "assert: [{type: python, value: checks.seen}]")
    write(hotel, SYSTEM, suite)
    trial = only(compare("hotel", provider=Waiter({0: "At 11."})))
    history = [("user", "When is breakfast in room 7?"), ("assistant", "At 11.")]
    assert trial.score.scores[1].explanation == f"turn 2: {(2, 'And on Sundays?', history, 7)!r}"
