"""Suites whose asserts ask a model: a judge behind a real endpoint, recorded, replayed, priced."""

import json
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from browser import data_of
from click.testing import CliRunner

from promptopt.cli import cli
from promptopt.judges.settings import JudgeSettings

SUITE = """
defaultTest:
  assert:
    - {type: llm-rubric, value: "names the colour {{ colour }}"}
tests:
  - {description: sky, vars: {thing: sky, colour: blue}}
  - {description: grass, vars: {thing: grass, colour: green}}
  - {description: snow, vars: {thing: snow, colour: white}}
"""
PROMPT = "---\nmodel: gpt-4o-mini\nmax_output_tokens: 20\n---\nWhich colour has {{ thing }}?"
CONFIG = '[tool.promptopt.judge]\nmodel = "gpt-4o"\n'
COLOURS = {"sky": "blue", "grass": "green", "snow": "white"}


def is_judge(body: dict[str, Any]) -> bool:
    return body["model"] == "gpt-4o"


def verdict(passed: bool, score: float | None = None, reason: str = "because") -> str:
    return json.dumps({"reason": reason, "pass": passed, "score": float(passed) if score is None else score})


def by_the_rubric(body: dict[str, Any]) -> str:
    """A judge that is right."""
    system, user = (message["content"] for message in body["messages"])
    colour = re.findall(r"the colour (\w+)", system)[0]
    return verdict(colour in user, reason=f"{colour} is what it says" if colour in user else f"no {colour}")


def answers(judge: Callable[[dict[str, Any]], Any] = by_the_rubric, wrong: str = "") -> Callable[[dict[str, Any]], Any]:
    def reply(body: dict[str, Any]) -> Any:
        if is_judge(body):
            return judge(body)
        thing = re.findall(r"has (?:the )?(\w+)", body["messages"][-1]["content"])[0]
        return "red" if thing == wrong else f"It is {COLOURS[thing]}."

    return reply


@pytest.fixture
def judged(project, endpoint):
    project.write({"prompts/colours/v1.j2": PROMPT, "suites/colours.yaml": SUITE, "pyproject.toml": CONFIG})
    endpoint.reply = answers()
    return project


def run(*arguments: str, **environment: str) -> SimpleNamespace:
    """The command line, in this process."""
    result = CliRunner().invoke(cli, arguments, env=environment)
    error = "" if result.exception is None or isinstance(result.exception, SystemExit) else str(result.exception)
    return SimpleNamespace(
        returncode=2 if error else result.exit_code, stdout=result.stdout, stderr=result.stderr + error
    )


def compare(project, *arguments: str, **environment: str) -> SimpleNamespace:
    prompts = [argument for argument in arguments if argument.endswith(".j2")] or ["prompts/colours/v1.j2"]
    rest = [argument for argument in arguments if not argument.endswith(".j2")]
    return run("compare", *prompts, *rest, **environment)


def rows(result) -> list[dict[str, Any]]:
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)["judgements"]


def lines(project) -> list[dict[str, Any]]:
    text = (project.root / "suites/colours/judges/colours/v1.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_a_judged_suite_is_recorded_and_replays_in_ci_without_a_key(judged, endpoint) -> None:
    live = compare(judged, "--json", **endpoint.environment)
    assert [(row["case"], row["passed"], row["reason"]) for row in rows(live)] == [
        ("sky", True, "blue is what it says"),
        ("grass", True, "green is what it says"),
        ("snow", True, "white is what it says"),
    ]
    asked = len(endpoint.requests)
    assert asked == 6
    kept = (judged.root / "suites/colours/judges/colours/v1.jsonl").read_text()
    replayed = compare(judged, "--json", CI="1")
    assert rows(replayed) == rows(live)
    assert len(endpoint.requests) == asked
    assert (judged.root / "suites/colours/judges/colours/v1.jsonl").read_text() == kept


def test_the_judge_is_sent_the_rubric_before_the_answer_and_a_schema(judged, endpoint) -> None:
    compare(judged, **endpoint.environment)
    (body, *_) = [body for body in endpoint.requests if is_judge(body) and "blue" in str(body)]
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert "names the colour blue" in body["messages"][0]["content"]
    assert "It is blue." in body["messages"][1]["content"]
    assert body["response_format"]["json_schema"]["schema"]["required"] == ["reason", "pass", "score"]
    assert (body["temperature"], body["max_completion_tokens"]) == (0.0, 1024)


def test_without_a_judge_there_is_one_clear_error_and_no_call(judged, endpoint) -> None:
    judged.write({"pyproject.toml": ""})
    result = compare(judged, **endpoint.environment)
    assert result.returncode == 2
    assert "no model judges: an assert 'llm-rubric' asks one. Name it with --judge MODEL" in result.stderr
    assert not endpoint.requests
    assert compare(judged, "--judge", "gpt-4o", **endpoint.environment).returncode == 0


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("I think it is fine.", "no verdict in the judge's answer 'I think it is fine.'"),
        ("pass: true", "it is not JSON"),
        ('{"pass": true} or {"pass": false}', "2 different JSON values"),
        ("", "answered nothing"),
        ('{"score": 1, "reason": "good"}', "no verdict in the judge's answer"),
        ('{"pass": null, "score": 1}', "no verdict in the judge's answer"),
        ('{"pass": true, "score": 0}', "pass with a score of 0, which contradicts itself"),
        ('{"pass": false, "score": 1}', "fail with a score of 1, which contradicts itself"),
        ('{"pass": true, "score": 8}', "the score 8, which is not between 0 and 1"),
        ('{"pass": true, "score": -0.1}', "the score -0.1, which is not between 0 and 1"),
        ('{"pass": true, "sc', "no verdict in the judge's answer"),
    ],
)
@pytest.mark.parametrize("kind", ["llm-rubric", "not-llm-rubric"])
def test_what_is_no_verdict_passes_nothing(judged, endpoint, answer: str, why: str, kind: str) -> None:
    judged.write({"suites/colours.yaml": SUITE.replace("llm-rubric", kind)})
    endpoint.reply = answers(lambda _: answer)
    result = json.loads(compare(judged, "--json", **endpoint.environment).stdout)
    assert result["variants"][0]["pass_rate"] == 0
    assert result["variants"][0]["scorer_errors"] == 3
    assert {row["passed"] for row in result["judgements"]} == {None}
    assert why in result["judgements"][0]["error"]


@pytest.mark.parametrize(
    ("answer", "threshold", "passes", "quality"),
    [
        (verdict(True, 0.6), None, True, 0.6),
        (verdict(True, 0.6), 0.5, True, 0.6),
        (verdict(True, 0.4), 0.5, False, 0.4),
        (verdict(False, 0.9), 0.5, False, 0.9),
        ('{"pass": true}', 0.5, True, 1.0),
        ('{"pass": "true", "score": "0.7"}', None, True, 0.7),
        ('```json\n{"pass": false, "reason": "x"}\n```', None, False, 0.0),
        ('Here you are: {"pass": true, "score": 0.5, "reason": null}', None, True, 0.5),
    ],
)
def test_pass_and_threshold_must_both_hold(judged, endpoint, answer, threshold, passes, quality) -> None:
    assertion = f"type: llm-rubric, threshold: {threshold}" if threshold else "type: llm-rubric"
    judged.write({"suites/colours.yaml": SUITE.replace("type: llm-rubric", assertion)})
    endpoint.reply = answers(lambda _: answer)
    variant = json.loads(compare(judged, "--json", **endpoint.environment).stdout)["variants"][0]
    assert (variant["pass_rate"], variant["quality"]) == (float(passes), quality)


def test_a_changed_rubric_model_or_answer_is_stale_and_says_so(judged, endpoint) -> None:
    compare(judged, **endpoint.environment)
    judged.write({"suites/colours.yaml": SUITE.replace("names the colour", "says the colour")})
    result = compare(judged, CI="1")
    assert result.returncode == 2
    assert "stale answers, changed since they were recorded: the rubric: sky (1 llm-rubric), grass" in result.stderr
    assert "--record stale" in result.stderr
    assert compare(judged, "--record", "missing", **endpoint.environment).returncode == 2
    asked = len(endpoint.requests)
    assert compare(judged, "--record", "stale", **endpoint.environment).returncode == 0
    assert len(endpoint.requests) == asked + 3
    assert len(lines(judged)) == 3

    judged.write({"pyproject.toml": CONFIG + "seed = 7\n"})
    assert "recorded: seed (unset to 7)" in compare(judged, CI="1").stderr
    judged.write({"pyproject.toml": CONFIG.replace("gpt-4o", "gpt-4.1")})
    assert "no recorded answer to 3 questions to the judge gpt-4.1" in compare(judged, CI="1").stderr

    judged.write({"pyproject.toml": CONFIG})
    file = judged.root / "suites/colours/recordings/colours/v1.jsonl"
    file.write_text(file.read_text().replace("It is blue.", "It is light blue."))
    assert "recorded: the answer that is judged, or a variable" in compare(judged, CI="1").stderr


def test_an_edited_recording_of_a_judge_that_is_broken_names_file_and_line(judged, endpoint) -> None:
    compare(judged, **endpoint.environment)
    file = judged.root / "suites/colours/judges/colours/v1.jsonl"
    file.write_text(file.read_text() + "{}\n")
    result = compare(judged, CI="1")
    assert result.returncode == 2
    assert "suites/colours/judges/colours/v1.jsonl:4: not a recording" in result.stderr


def test_one_answer_of_two_prompts_is_judged_once_and_each_file_is_whole(judged, endpoint) -> None:
    judged.write({"prompts/colours/v2.j2": PROMPT.replace("Which colour has", "What colour has the")})
    both = ("prompts/colours/v1.j2", "prompts/colours/v2.j2")
    first = compare(judged, *both, "--json", **endpoint.environment)
    assert sum(map(is_judge, endpoint.requests)) == 3
    (judged.root / "suites/colours/judges/colours/v1.jsonl").unlink()
    alone = compare(judged, "prompts/colours/v2.j2", "--json", CI="1")
    assert [row["passed"] for row in rows(alone)] == [True] * 3
    assert json.loads(first.stdout)["judging"]["calls"] == 3


def test_cost_of_judging_is_apart_and_max_cost_covers_both(judged, endpoint) -> None:
    result = compare(judged, "--max-cost", "0.01", **endpoint.environment)
    assert result.returncode == 2
    assert re.search(r"more than --max-cost \$0.01: 3 calls, .* judges: 3 calls, \$0.00", result.stderr)
    assert not endpoint.requests
    result = compare(judged, "--max-cost", "0.1", **endpoint.environment)
    assert "judged      by      scores  calls  $/1k judged" in result.stdout
    assert re.search(
        r"this run itself cost \$0\.0000\d*\njudges: 3 live calls, which cost \$0\.0\d+ beside", result.stdout
    )
    summary = json.loads(compare(judged, "--json", CI="1").stdout)
    (variant,) = summary["variants"]
    assert variant["judge_usd_per_1k_calls"] > 10 * variant["usd_per_1k_calls"]
    assert (variant["incurred_usd"], summary["judging"]) == (0, {"calls": 0, "incurred_usd": 0})


def test_an_unpriced_judge_refuses_a_limit(judged, endpoint) -> None:
    result = compare(judged, "--judge", "no-such-model", "--max-cost", "5", **endpoint.environment)
    assert "--max-cost cannot be kept: no-such-model is unpriced" in result.stderr
    assert not endpoint.requests


def test_five_votes_are_asked_and_the_majority_decides(judged, endpoint) -> None:
    counts: dict[str, int] = {}

    def judge(body: dict[str, Any]) -> str:
        about = body["messages"][-1]["content"]
        counts[about] = counts.get(about, 0) + 1
        return verdict(counts[about] % 2 == 1, 0.9 if counts[about] % 2 else 0.1, f"vote {counts[about]}")

    judged.write({"suites/colours.yaml": SUITE.replace("type: llm-rubric", "type: llm-rubric, votes: 5")})
    endpoint.reply = answers(judge)
    live = compare(judged, "--json", "-j", "1", **endpoint.environment)
    row = rows(live)[0]
    assert (row["passed"], row["passes"], row["score"]) == (True, 3, pytest.approx(0.58))
    assert sorted(row["votes"]) == [0.1, 0.1, 0.9, 0.9, 0.9]
    assert "temperature" not in next(filter(is_judge, endpoint.requests))
    text = compare(judged, CI="1").stdout
    assert "votes split" in text
    assert rows(compare(judged, "--json", CI="1")) == rows(live)


def test_votes_without_a_majority_are_an_error(judged, endpoint) -> None:
    replies = iter(["nothing", verdict(True), verdict(False)] * 3)
    judged.write({"suites/colours.yaml": SUITE.replace("type: llm-rubric", "type: llm-rubric, votes: 3")})
    endpoint.reply = answers(lambda _: next(replies))
    row = rows(compare(judged, "--json", "-j", "1", **endpoint.environment))[0]
    assert row["passed"] is None
    assert "no majority: 1 of 3 votes pass, 1 without a verdict" in row["error"]


@pytest.mark.parametrize("votes", ["2", "0", "-1", "many", "1.5"])
def test_an_even_number_of_votes_is_refused(judged, endpoint, votes: str) -> None:
    judged.write({"suites/colours.yaml": SUITE.replace("type: llm-rubric", f"type: llm-rubric, votes: {votes}")})
    result = compare(judged, **endpoint.environment)
    assert result.returncode == 2
    assert "suites/colours.yaml:4: assert llm-rubric: votes: " in result.stderr
    assert not endpoint.requests


def test_who_judges_is_named_by_the_assert_then_the_case_then_the_command_line(judged, endpoint) -> None:
    def models(suite: str, *arguments: str, config: str = CONFIG) -> set[str]:
        judged.write({"suites/colours.yaml": suite, "pyproject.toml": config})
        result = json.loads(compare(judged, "--json", "--record", "all", *arguments, **endpoint.environment).stdout)
        return {row["judge"] for row in result["judgements"]}

    endpoint.reply = lambda body: verdict(True) if "<rubric>" in str(body) else "It is blue."
    case = SUITE.replace("defaultTest:", "defaultTest:\n  options: {provider: 'openai:chat:gpt-4.1'}")
    own = case.replace("type: llm-rubric", "type: llm-rubric, provider: {id: gpt-4.1-mini, config: {temperature: 1}}")
    assert models(SUITE) == {"gpt-4o"}
    assert models(case) == {"openai:gpt-4.1"}
    assert models(own) == {"gpt-4.1-mini"}
    assert endpoint.requests[-1]["temperature"] == 1
    assert models(own, "--judge", "gpt-4o-mini") == {"gpt-4o-mini"}
    assert models(own, config="") == {"gpt-4.1-mini"}


CHAT = [{"role": "system", "content": "Be {{ rubric }}"}, {"role": "user", "content": "{{ output }} {{ thing }}"}]


@pytest.mark.parametrize(
    "prompt",
    [
        "'Is {{ output }} as in {{ rubric }}? {{ thing }}'",
        "'" + json.dumps(CHAT) + "'",
        "[{role: system, content: 'Be {{ rubric }}'}, {role: user, content: '{{ output }} {{ thing }}'}]",
        "file://rubric.txt",
        "file://rubric.yaml",
    ],
)
def test_a_rubric_prompt_is_a_text_or_a_chat_with_promptfoos_names(judged, endpoint, prompt: str) -> None:
    chat = "- {role: system, content: 'Be {{ rubric }}'}\n- {role: user, content: '{{ output }} {{ thing }}'}\n"
    judged.write(
        {
            "suites/colours.yaml": SUITE.replace("value:", f"rubricPrompt: {prompt}, value:"),
            "suites/rubric.txt": "Is {{ output }} as in {{ rubric }}? {{ thing }}",
            "suites/rubric.yaml": chat,
        }
    )
    endpoint.reply = answers(lambda _: verdict(True))
    result = compare(judged, "--json", **endpoint.environment)
    assert [row["passed"] for row in rows(result)] == [True] * 3
    sent = next(body for body in endpoint.requests if is_judge(body) and "sky" in str(body))["messages"]
    if "txt" in prompt or "Is " in prompt:
        assert sent == [{"role": "user", "content": "Is It is blue. as in names the colour blue? sky"}]
    else:
        assert [message["content"] for message in sent] == ["Be names the colour blue", "It is blue. sky"]


@pytest.mark.parametrize(("value", "passed"), [("{{ output | dump }}", True), ('"{{ output }} "really""', None)])
def test_a_rubric_prompt_may_be_a_template_that_writes_a_chat(judged, endpoint, value: str, passed: object) -> None:
    chat = '[{% set said %}Be "strict"{% endset %}{"role": "system", "content": {{ said | dump }}},'
    chat += '{"role": "user", "content": ' + value + "}]"
    prompt = "rubricPrompt: file://rubric.json, value:"
    judged.write({"suites/colours.yaml": SUITE.replace("value:", prompt), "suites/rubric.json": chat})
    endpoint.reply = answers(lambda _: verdict(True))
    found = rows(compare(judged, "--json", **endpoint.environment))
    assert [row["passed"] for row in found] == [passed] * 3
    if passed:
        sent = next(body for body in endpoint.requests if is_judge(body))
        assert sent["messages"][0] == {"role": "system", "content": 'Be "strict"'}
    else:
        assert "filled in it is not a chat in JSON" in found[0]["error"]


def test_a_rubric_prompt_with_an_unknown_variable_is_an_error_that_names_it(judged, endpoint) -> None:
    prompt = "rubricPrompt: 'Is {{ outptu }} good?', value:"
    judged.write({"suites/colours.yaml": SUITE.replace("value:", prompt)})
    row = rows(compare(judged, "--json", **endpoint.environment))[0]
    assert row["passed"] is None
    assert "'outptu' is undefined" in row["error"]


def test_a_judge_that_cannot_be_reached_fails_the_trial_and_the_rest_goes_on(judged, endpoint) -> None:
    def judge(body: dict[str, Any]) -> Any:
        return (400, {}, b'{"error": {"message": "no"}}') if "green" in str(body) else by_the_rubric(body)

    endpoint.reply = answers(judge)
    result = compare(judged, "--json", **endpoint.environment)
    assert [row["passed"] for row in rows(result)] == [True, None, True]
    endpoint.reply = answers()
    asked = len(endpoint.requests)
    assert [row["passed"] for row in rows(compare(judged, "--json", **endpoint.environment))] == [True] * 3
    assert len(endpoint.requests) == asked + 1


def test_a_judge_whose_key_is_wrong_ends_the_run_and_answers_are_kept(judged, endpoint) -> None:
    endpoint.reply = answers(lambda _: (401, {}, b'{"error": {"message": "bad key", "code": "invalid_api_key"}}'))
    result = compare(judged, **endpoint.environment)
    assert result.returncode == 2
    assert "bad key" in result.stderr
    endpoint.reply = answers()
    endpoint.requests.clear()
    assert compare(judged, **endpoint.environment).returncode == 0
    assert all(map(is_judge, endpoint.requests))


def test_a_reason_with_a_secret_is_not_recorded(judged, endpoint) -> None:
    secret = "sk-proj-" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7" * 2
    endpoint.reply = answers(lambda _: verdict(True, reason=f"the key {secret}"))
    result = compare(judged, "--json", **endpoint.environment)
    assert [row["passed"] for row in rows(result)] == [None] * 3
    assert "holds what looks like" in rows(result)[0]["error"]
    file = judged.root / "suites/colours/judges/colours/v1.jsonl"
    assert not file.exists() or secret not in file.read_text()


def test_a_prompt_out_of_git_replays_what_is_recorded_and_writes_no_file(judged, endpoint) -> None:
    compare(judged, **endpoint.environment)
    judged.git("init", "-q")
    judged.git("add", ".")
    judged.git("commit", "-qm", "all")
    before = sorted(judged.root.rglob("*.jsonl"))
    asked = len(endpoint.requests)
    result = run("compare", "HEAD:prompts/colours/v1.j2", "prompts/colours/v1.j2", "--json", **endpoint.environment)
    assert result.returncode == 0, result.stderr
    assert len(endpoint.requests) == asked
    assert sorted(judged.root.rglob("*.jsonl")) == before


def test_reasons_are_in_the_text_the_page_and_the_json(judged, endpoint) -> None:
    judged.write({"prompts/colours/v2.j2": PROMPT.replace("Which colour has", "What colour has the")})
    endpoint.reply = lambda body: (
        by_the_rubric(body)
        if is_judge(body)
        else ("red" if "What" in str(body["messages"]) else "It is blue, green or white.")
    )
    both = ("prompts/colours/v1.j2", "prompts/colours/v2.j2")
    text = compare(judged, *both, "--cases", "-o", "report.html", **endpoint.environment).stdout
    page = str(data_of((judged.root / "report.html").read_text()))
    for said in ("blue is what it says", "no blue"):
        assert f"({said})" in text
        assert said in page


def test_the_budget_replays_judges_and_counts_nothing_of_them(judged, endpoint) -> None:
    compare(judged, **endpoint.environment)
    asked = len(endpoint.requests)
    assert run("budget", "update").returncode == 0
    assert (judged.root / "prompts/colours.lock.toml").read_text().count("quality = 1.0") == 3
    assert run("budget", "check", CI="1").returncode == 0
    assert len(endpoint.requests) == asked
    (judged.root / "suites/colours/judges/colours/v1.jsonl").unlink()
    result = run("budget", "check", CI="1")
    assert result.returncode == 2
    said = " ".join((result.stdout + result.stderr).split())
    assert "no recorded answer to 1 question to the judge gpt-4o: sky (1 llm-rubric)" in said


def test_batches_judge_several_answers_in_one_call_in_a_drawn_order(judged, endpoint) -> None:
    suite = SUITE.replace("names the colour {{ colour }}", "names a colour")
    config = CONFIG + "batch = 3\n"
    judged.write({"suites/colours.yaml": suite, "pyproject.toml": config})
    orders: list[list[str]] = []

    def judge(body: dict[str, Any]) -> str:
        system, user = (message["content"] for message in body["messages"])
        assert "names a colour" in system
        found = re.findall(r'<output id="(\d)">\n(.*?)\n</output>', user, re.DOTALL)
        orders.append([text for _, text in found])
        given = [
            {"id": int(number), "reason": text, "pass": "white" not in text, "score": 0.1 + 0.8 * ("white" not in text)}
            for number, text in found
        ]
        return json.dumps({"verdicts": given[::-1]})

    endpoint.reply = answers(judge)
    live = compare(judged, "--json", **endpoint.environment)
    assert [(row["passed"], row["reason"]) for row in rows(live)] == [
        (True, "It is blue."),
        (True, "It is green."),
        (False, "It is white."),
    ]
    assert len(orders) == 1
    assert json.loads(live.stdout)["judging"]["calls"] == 1
    assert {line["params"]["place"] for line in lines(judged)} == {0.0, 0.5, 1.0}
    assert rows(compare(judged, "--json", CI="1")) == rows(live)
    judged.write({"pyproject.toml": CONFIG})
    assert "recorded: batch (3 to unset)" in compare(judged, CI="1").stderr


def test_a_verdict_that_a_batch_leaves_out_is_asked_alone(judged, endpoint) -> None:
    suite = SUITE.replace("names the colour {{ colour }}", "names a colour")
    judged.write({"suites/colours.yaml": suite, "pyproject.toml": CONFIG + "batch = 3\n"})

    def judge(body: dict[str, Any]) -> str:
        if "verdicts" not in str(body["messages"]):
            return verdict(False, 0.25, "alone")
        row = {"reason": "x", "pass": True, "score": 1}
        return json.dumps({"verdicts": [{"id": 1, **row}, {"id": 2, **row}, {"id": 2, **row}, {"id": 9, **row}]})

    endpoint.reply = answers(judge)
    found = rows(compare(judged, "--json", **endpoint.environment))
    assert sorted(row["reason"] for row in found) == ["alone", "alone", "x"]


def test_a_second_judge_is_asked_where_the_first_is_unsure(judged, endpoint) -> None:
    judged.write({"pyproject.toml": '[tool.promptopt.judge]\nmodel = "gpt-4.1-nano"\nsecond = "gpt-4o"\n'})

    def reply(body: dict[str, Any]) -> str:
        if body["model"] == "gpt-4.1-nano":
            return verdict(True, 0.5 if "green" in str(body["messages"][-1]) else 0.95, "cheap")
        return verdict(False, 0.1, "expensive") if is_judge(body) else answers()(body)

    endpoint.reply = reply
    live = compare(judged, "--json", **endpoint.environment)
    assert [(row["passed"], row["escalated"], row["reason"], row["judge"]) for row in rows(live)] == [
        (True, False, "cheap", "gpt-4.1-nano"),
        (False, True, "expensive", "gpt-4.1-nano, then gpt-4o"),
        (True, False, "cheap", "gpt-4.1-nano"),
    ]
    assert sum(map(is_judge, endpoint.requests)) == 1
    assert "second judge" in compare(judged, CI="1", COLUMNS="200").stdout
    assert rows(compare(judged, "--json", CI="1")) == rows(live)


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("modle = 'x'", "unknown key 'modle' in [tool.promptopt.judge]. Did you mean 'model'"),
        ("votes = 4", "votes: 4 is not an odd number"),
        ("batch = 0", "batch in [tool.promptopt.judge]: 0 is not a whole number"),
        ("unsure = [0.9, 0.1]", "not two scores [low, high]"),
        ("temperature = 9", "9.0 is not between 0 and 2"),
    ],
)
def test_a_wrong_setting_names_its_line(judged, endpoint, table: str, why: str) -> None:
    judged.write({"pyproject.toml": f"{CONFIG}{table}\n"})
    result = compare(judged, **endpoint.environment)
    assert result.returncode == 2
    assert f"pyproject.toml:3: {why}" in result.stderr or ("pyproject.toml:3" in result.stderr and why in result.stderr)


def test_a_prompt_without_a_cap_does_not_make_the_cost_of_judges_unbounded(judged, endpoint) -> None:
    judged.write({"prompts/colours/v1.j2": PROMPT.replace("max_output_tokens: 20\n", "")})
    done = compare(judged, "--max-cost", "5", **endpoint.environment)
    assert done.returncode == 0, done.stderr
    assert "no upper bound" not in done.stderr
    refused = compare(judged, "--record", "all", "--max-cost", "0.01", **endpoint.environment)
    assert refused.returncode == 2
    assert "may cost more than --max-cost $0.01" in refused.stderr


def test_a_provider_of_an_assert_may_give_settings_by_the_names_of_other_tools() -> None:
    config = {"topP": 0.5, "maxTokens": 9, "stop_sequences": ["x"], "frequencyPenalty": 1, "apiKey": "k"}
    settings = JudgeSettings().of({"provider": {"id": "openai:gpt-4o-mini", "config": config}})
    assert settings.params.to_dict() == {
        "top_p": 0.5,
        "max_output_tokens": 9,
        "stop": ["x"],
        "frequency_penalty": 1.0,
    }
