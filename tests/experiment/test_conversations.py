"""Cases with turns: what is asked, what it costs, what is recorded, and what is refused."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptopt import compare
from promptopt.config import load_config
from promptopt.errors import ProviderError, RecordingError, SuiteError, TemplateError, UsageError
from promptopt.experiment.comparison import Comparison
from promptopt.experiment.conversation import most_usage, render_case
from promptopt.experiment.inventory import check_recordings
from promptopt.experiment.plan import cost_range, make_plans
from promptopt.experiment.report.cases import cases_block
from promptopt.experiment.report.write import write_report
from promptopt.experiment.runs import Answered, Failed
from promptopt.experiment.text import case_differences
from promptopt.experiment.variant import make_variant
from promptopt.providers.base import ProviderBase
from promptopt.suites import load_suite
from promptopt.templates import load_prompt
from promptopt.tokens import count_tokens
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
        if isinstance(answer, BaseException):
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


def test_reports_show_what_was_said_in_each_turn(hotel: Path) -> None:
    write(
        hotel,
        suite="- vars: {}\n  turns: [{user: When?}, {user: And today?, assert: [{type: equals, value: no}]}]\n",
    )
    compared = compare("hotel", provider=Waiter({0: "At 11,\nas ever.", 1: "Also today."}))
    assert [(said, answer.text) for said, answer in only(compared).turns] == [
        ("When?", "At 11,\nas ever."),
        ("And today?", "Also today."),
    ]
    assert cases_block(compared.suite, compared.runs).answers[0].texts == [
        "user: When?\nassistant: At 11,\nas ever.\n\nuser: And today?\nassistant: Also today."
    ]
    write_report(compared, hotel / "all.csv")
    (row,) = csv.DictReader(io.StringIO((hotel / "all.csv").read_text(encoding="utf-8"), newline=""))
    assert [each["answer"] for each in json.loads(row["turns"])] == ["At 11,\nas ever.", "Also today."]
    other = compare("hotel", provider=Waiter({0: "At 11.", 1: "no"}))
    listed = case_differences((*compared.runs, *other.runs))
    assert "'At 11, as ever. / Also today.'" in listed
    assert "'At 11. / no'" in listed


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


LOSES_ROLES = (
    SYSTEM
    + """{% for turn in history if turn.role == "assistant" %}
{% chat role="assistant" %}{{ turn.content }}{% endchat %}
{% endfor %}
{% chat role="user" %}{{ user }}{% endchat %}
"""
)
ONE_VARIABLE = SUITE.replace("- user: And on Sundays?", "- vars: {day: Sunday}")


@pytest.mark.parametrize(
    ("prompt", "suite", "says"),
    [
        (HEAD + "Be short.", SUITE, "turn 1 of the user has no place: the prompt uses neither `user` nor `history`"),
        (SYSTEM + '{% chat role="user" %}Hello{% endchat %}', SUITE, "ends with a message of the user"),
        (LOSES_ROLES, SUITE.replace("  - user: When is breakfast in room {{ room }}?", "  - user: Hi"), ""),
        (
            SYSTEM + "{% for t in history %}{% chat role='assistant' %}{{ t.content }}{% endchat %}{% endfor %}",
            SUITE,
            "two",
        ),
        (FULL.replace("turn.content", "turn.text"), SUITE, "no attribute 'text'"),
        (FULL, ONE_VARIABLE, "uses `user`, which turn 2 does not have"),
        (SYSTEM, ONE_VARIABLE, "turn 2 has variables only"),
        (SYSTEM.replace("hotel", "{{ town }}"), SUITE, "'town' is undefined"),
    ],
)
def test_a_prompt_that_cannot_take_the_turns_is_refused_before_any_call(
    hotel: Path, prompt: str, suite: str, says: str
) -> None:
    write(hotel, prompt, suite)
    waiter = Waiter()
    if not says:
        # Answers without their questions are an order of turns that models take.
        assert only(compare("hotel", provider=waiter)).steps == 2
        return
    with pytest.raises(TemplateError) as caught:
        compare("hotel", provider=waiter)
    assert says in str(caught.value)
    assert "(in case 'late')" in str(caught.value)
    assert "hotel.j2" in str(caught.value)
    assert not waiter.asked


def test_the_first_turn_may_be_what_the_prompt_says(hotel: Path) -> None:
    suite = SUITE.replace("- user: When is breakfast in room {{ room }}?\n    assert", "- assert")
    write(hotel, SYSTEM + '{% chat role="user" %}Breakfast in {{ room }}?{% endchat %}', suite)
    waiter = Waiter({0: "At 11."})
    assert only(compare("hotel", provider=waiter)).steps == 2
    assert [content for _, content in shown(waiter.asked[1])][1:] == ["Breakfast in 7?", "At 11.", "And on Sundays?"]


def test_a_prompt_for_promptfoo_reads_the_turns_before(hotel: Path) -> None:
    prompt = (
        HEAD
        + """[
  {% for completion in _conversation %}
  {"role": "user", "content": {{ completion.input | tojson }}},
  {"role": "assistant", "content": {{ completion.output | tojson }}},
  {% endfor %}
  {"role": "user", "content": {{ question | tojson }}}
]"""
    )
    suite = "- {description: a, turns: [{vars: {question: one}}, {vars: {question: two}}, {vars: {question: three}}]}"
    write(hotel, prompt, suite)
    waiter = Waiter({0: "first", 1: "second"})
    only(compare("hotel", provider=waiter))
    assert [content for _, content in shown(waiter.asked[-1])] == ["one", "first", "two", "second", "three"]


def test_an_assert_of_a_turn_that_nobody_knows_is_refused_with_its_line(hotel: Path) -> None:
    write(hotel, suite=SUITE.replace("type: icontains, value: sunday", "type: icontain, value: sunday"))
    with pytest.raises(SuiteError, match=r"hotel\.yaml:8: unknown assert type 'icontain'"):
        compare("hotel", provider=Waiter())


def test_a_batch_of_conversations_is_refused(hotel: Path) -> None:
    with pytest.raises(UsageError, match="conversations, cases with `turns`, are asked without it"):
        compare("hotel", batch=True, record="all")


def test_a_prompt_that_an_answer_breaks_fails_the_case_and_counts_what_was_paid(hotel: Path) -> None:
    odd = "{% if history and 'bad' in history[-1].content %}{{ gone }}{% endif %}"
    write(hotel, FULL.replace("Guest: {{ user }}", f"Guest: {odd}{{{{ user }}}}"))
    compared = compare("hotel", provider=Waiter({0: "bad at 11"}))
    ((failed,),) = (run.trials for run in compared.runs)
    assert isinstance(failed, Failed)
    assert failed.error.startswith("turn 2 of 2: ")
    assert "'gone' is undefined" in failed.error
    assert compared.variants[0].incurred_usd == pytest.approx((70 + 50) / 1e6)


def test_a_run_for_all_that_broke_off_goes_on_within_a_conversation(hotel: Path) -> None:
    compare("hotel", provider=Waiter(), record="all")
    with pytest.raises(KeyboardInterrupt):
        compare("hotel", provider=Waiter({1: KeyboardInterrupt()}), record="all")
    waiter = Waiter()
    assert only(compare("hotel", provider=waiter, record="all")).steps == 2
    assert [len(request.messages) for request in waiter.asked] == [4]


def test_an_edited_turn_makes_its_answer_stale_and_those_after_it(hotel: Path) -> None:
    compare("hotel", provider=Waiter())
    write(hotel, suite=SUITE.replace("And on Sundays?", "And on Mondays?"))
    with pytest.raises(RecordingError, match="stale answers to 1 case"):
        compare("hotel", record="none")
    assert [problem.line for problem in check_recordings(load_config())[0]] == [2]
    write(hotel, suite=SUITE.replace("When is", "Where is"))
    assert [problem.line for problem in check_recordings(load_config())[0]] == [1, 2]
    waiter = Waiter()
    compare("hotel", provider=waiter, record="stale")
    assert len(waiter.asked) == 2


LONG = "Our house rules. " + "Guests keep quiet after ten and leave their keys at the desk. " * 120


def test_the_prefix_that_a_cache_serves_grows_from_turn_to_turn(hotel: Path) -> None:
    write(hotel, SYSTEM, SUITE.replace("When is breakfast", LONG + "When is breakfast"))
    waiter = Waiter({0: "At 11."})
    compared = compare("hotel", provider=waiter, price_as="gpt-5.6-luna")
    trial, row = only(compared), compared.variants[0]
    first = count_tokens(waiter.asked[0], "gpt-5.6-luna").tokens
    assert first > 1024
    # Three tokens begin the answer, which is not yet there.
    assert trial.repeated_tokens == first - 3
    assert row.conversation is not None
    assert row.conversation.warm_tokens == (first - 3) // 128 * 128
    assert row.conversation.warm_usd_per_1k is not None
    assert row.usd_per_1k_calls is not None
    assert row.conversation.warm_usd_per_1k < row.usd_per_1k_calls


def test_a_prompt_that_writes_earlier_turns_otherwise_gives_up_the_cache(hotel: Path) -> None:
    # `Guest:` is before the turn of today only: in the history the same turn is another text.
    write(hotel, FULL, SUITE.replace("When is breakfast", LONG + "When is breakfast"))
    compared = compare("hotel", provider=Waiter({0: "At 11."}), price_as="gpt-5.6-luna")
    assert 0 < only(compared).repeated_tokens < 30
    assert compared.variants[0].conversation is not None
    assert compared.variants[0].conversation.warm_tokens == 0


def test_a_provider_that_shows_its_cache_is_judged_with_the_prefix_of_the_turns(hotel: Path) -> None:
    class Caching(Waiter):
        def complete(self, request: Request) -> Response:
            usage = Usage(count_tokens(request, "gpt-5.6-luna").tokens, cache_read_tokens=0, output_tokens=5)
            served = 1024 if len(self.asked) else 0
            return replace(super().complete(request), usage=replace(usage, cache_read_tokens=served))

    write(hotel, SYSTEM.replace("test-model", "gpt-5.6-luna"), SUITE.replace("When is", LONG + "When is"))
    compared = compare("hotel", provider=Caching({0: "At 11."}))
    trial, row = only(compared), compared.variants[0]
    assert trial.measured.warm_tokens == trial.repeated_tokens // 128 * 128 > 1024
    assert row.warm_cached_tokens == trial.measured.warm_tokens
    assert row.conversation is not None
    assert row.conversation.warm_usd_per_1k == pytest.approx(row.warm_usd_per_1k_calls)


def test_a_short_conversation_is_below_what_a_cache_keeps(hotel: Path) -> None:
    write(hotel, SYSTEM)
    compared = compare("hotel", provider=Waiter(), price_as="gpt-5.6-luna")
    said = compared.variants[0].conversation
    assert said is not None
    assert (said.calls, said.warm_tokens) == (2, 0)
    assert 0 < said.repeated_tokens < (compared.variants[0].counted_input_tokens or 0)
    assert "are those of the call before; a warm prompt cache serves none, as calls are too short" in str(compared)


texts = st.text("abc xyz?", min_size=1, max_size=30).filter(lambda text: bool(text.strip()))
answers = st.lists(st.one_of(texts, st.just("")), min_size=1, max_size=5)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data(), turns=st.lists(texts, min_size=1, max_size=4), uses=st.sampled_from([FULL, SYSTEM]))
def test_whatever_is_said_costs_add_up_and_a_broken_off_recording_goes_on(
    hotel: Path, data: st.DataObject, turns: list[str], uses: str
) -> None:
    said = dict(enumerate(data.draw(answers)))
    write(hotel, uses, json.dumps([{"description": "a", "turns": [{"user": text} for text in turns]}]))
    file = hotel / "suites/hotel/recordings/hotel.jsonl"
    file.unlink(missing_ok=True)
    waiter = Waiter(said)
    live = only(compare("hotel", provider=waiter))
    responses = [Waiter(said).complete(request) for request in waiter.asked]
    usages = [response.usage for response in responses if response.usage]
    assert live.usage == sum(usages[1:], usages[0])
    assert live.cost is not None
    assert float(live.cost.total_usd) == pytest.approx(
        sum(usage.input_tokens + 10 * usage.output_tokens for usage in usages) / 1e6
    )
    ended = next((number for number in range(len(turns)) if not said.get(number, "x").strip()), len(turns) - 1)
    assert live.steps == ended + 1
    assert live.counted_tokens == sum(count_tokens(request).tokens for request in waiter.asked)

    assert replace(only(compare("hotel", record="none")), recorded_at=None) == live

    kept = data.draw(st.integers(0, live.steps))
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:kept]))
    again = Waiter(said)
    resumed = only(compare("hotel", provider=again, record="missing"))
    assert [request.digest for request in again.asked] == [request.digest for request in waiter.asked[kept:]]
    assert replace(resumed, recorded_at=None) == live


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(turns=st.lists(texts, min_size=1, max_size=4), uses=st.sampled_from([FULL, SYSTEM]), done=st.integers(0, 3))
def test_no_conversation_uses_more_than_its_upper_bound(hotel: Path, turns: list[str], uses: str, done: int) -> None:
    write(hotel, uses, json.dumps([{"description": "a", "turns": [{"user": text} for text in turns]}]))
    waiter = Waiter(dict.fromkeys(range(5), "seven words of an answer, as capped"))
    compare("hotel", provider=waiter)
    done = min(done, len(waiter.asked) - 1)
    responses = [waiter.complete(request) for request in waiter.asked[:done]]
    template, (case,) = load_prompt("hotel"), load_suite("hotel").cases
    most = most_usage(template, case, waiter.asked[done], 20, responses)
    left = waiter.asked[done : len(turns)]
    assert most.input_tokens >= sum(count_tokens(request).tokens for request in left)
    assert most.output_tokens == 20 * len(left)


def test_the_cost_range_is_of_whole_conversations(hotel: Path) -> None:
    template, suite = load_prompt("hotel"), load_suite("hotel")
    variant = make_variant(template, suite, load_config())
    expected = cost_range(make_plans([variant], suite, "missing", trials=3))
    first = count_tokens(render_case(template, suite.cases[0]), "test-model").tokens
    assert expected.calls == 6
    assert float(expected.low_usd) > 3 * 2 * first / 1e6
    assert expected.high_usd is not None
    assert float(expected.high_usd) > float(expected.low_usd) + 3 * 2 * 20 * 10 / 1e6


def test_prompts_that_begin_alike_and_go_on_otherwise_are_not_the_same(hotel: Path) -> None:
    one, other = hotel / "prompts" / "one.j2", hotel / "prompts" / "other.j2"
    one.write_text(SYSTEM + '{% chat role="user" %}{{ user }}{% endchat %}\n')
    other.write_text(SYSTEM + LOOP + '{% chat role="user" %}{% if history %}Now: {% endif %}{{ user }}{% endchat %}\n')
    compared = compare("one", "other", suite="hotel", provider=Waiter())
    assert "the requests are the same" not in str(compared)
    other.write_text(one.read_text())
    assert "the requests are the same" in str(compare("one", "other", suite="hotel", provider=Waiter()))
