"""What raises a bill though no text grew: each cause fails under its own name, and only where it is the branch's."""

import shlex
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner
from guarded_project import LONGER, STATIC, SUITE, check, commit, kinds, lock, make_gate, prompt_text, record

from promptopt.budget.lock import read_lock
from promptopt.budget.result import Result
from promptopt.budget.update import draft_updates
from promptopt.cli import cli
from promptopt.errors import ConfigError, UsageError

HEAD = "max_output_tokens: 60\n"


def with_front(*lines: str, text: str = "") -> str:
    return (text or prompt_text()).replace(HEAD, HEAD + "".join(f"{line}\n" for line in lines))


def front(**changes: Any) -> str:
    """The prompt with other values in its front matter; ``None`` removes a key."""
    text = prompt_text()
    for key, value in changes.items():
        old = next(line for line in text.splitlines() if line.startswith(f"{key}:"))
        text = text.replace(old + "\n", "" if value is None else f"{key}: {value}\n")
    return text


def causes(results: dict[str, Result]) -> dict[str, str]:
    """Level by name of the cause."""
    return {finding.metric: finding.level for finding in results["triage"].findings if finding.kind == "cause"}


def failed(results: dict[str, Result]) -> list[str]:
    return [finding.metric for result in results.values() for finding in result.findings if finding.level == "error"]


def branch(project: Any) -> None:
    """What is there is on main; a branch begins."""
    project.git("init", "-q", "-b", "main")
    commit(project)
    project.git("checkout", "-qb", "topic")
    project.write({"other.txt": "x"})
    commit(project)


@pytest.mark.parametrize("on_branch", [False, True])
@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"model": "gpt-4o"}, "model"),
        ({"max_output_tokens": None}, "max_output_tokens"),
        ({"calls_per_month": 300_001}, "calls_per_month"),
        ({"calls_per_month": None}, "calls_per_month"),
    ],
)
def test_a_higher_bill_fails_under_the_name_of_its_cause(
    locked: Any, changes: dict[str, Any], cause: str, on_branch: bool
) -> None:
    if on_branch:
        branch(locked)
    locked.write({"prompts/triage/v1.j2": front(**changes)})
    if on_branch:
        commit(locked)
    results = check()
    assert failed(results) == [cause]
    assert causes(results)[cause] == "error"
    assert "this branch adds nothing" not in results["triage"].text
    with pytest.raises(UsageError, match="this would raise"):
        lock("")
    lock("because")
    assert not failed(check())


@pytest.mark.parametrize(
    ("changes", "cause"),
    [({"model": "gpt-4.1-nano"}, "model"), ({"calls_per_month": 5}, "calls_per_month")],
)
def test_a_lower_bill_is_only_noted(locked: Any, changes: dict[str, Any], cause: str) -> None:
    locked.write({"prompts/triage/v1.j2": front(**changes)})
    assert causes(check()) == {cause: "note"}
    assert not failed(check())


@pytest.mark.parametrize(
    ("before", "after", "level"),
    [
        ("", "reasoning_effort: high", "error"),
        ("reasoning_effort: low", "reasoning_effort: high", "error"),
        ("reasoning_effort: high", "reasoning_effort: low", "note"),
        ("reasoning_effort: high", "", "error"),
        ("verbosity: low", "verbosity: medium", "error"),
        ("verbosity: medium", "verbosity: low", "note"),
        ("stop: [END]", "", "error"),
        ("stop: [END]", "stop: [END, STOP]", "note"),
        ("temperature: 0", "temperature: 1", "note"),
        ("seed: 1", "", "note"),
        ("", "top_p: 0.4", "note"),
        ("", "logprobs: true", "note"),
        ("", "extra_body: {thinking: {budget_tokens: 9000}}", "error"),
    ],
)
def test_each_setting_has_its_name_and_may_need_a_reason(guarded: Any, before: str, after: str, level: str) -> None:
    guarded.write({"prompts/triage/v1.j2": with_front(before)})
    lock()
    guarded.write({"prompts/triage/v1.j2": with_front(after)})
    name = (before or after).partition(":")[0]
    assert causes(check()) == {name: level}
    assert (failed(check()) == [name]) is (level == "error")
    assert causes(check(overrides=["parameters=off"])) == {name: "note"}
    # What the check takes for a raise, the update takes for one too.
    (draft,) = draft_updates({name: (prompt, None) for name, prompt in make_gate().prompts.items()}, "")
    assert bool(draft.raises) is (level == "error")


def test_answers_that_are_recorded_with_a_setting_say_what_it_costs(guarded: Any) -> None:
    record({"refund": "billing", "parcel": "delivery"})
    lock()
    guarded.write({"prompts/triage/v1.j2": with_front("reasoning_effort: high")})
    assert causes(check())["reasoning_effort"] == "error"
    record({"refund": "billing", "parcel": "delivery"}, output_tokens=9)
    assert not failed(check())


def test_a_raised_cap_fails_with_recorded_answers_too(guarded: Any) -> None:
    record({"refund": "billing", "parcel": "delivery"})
    lock()
    guarded.write({"prompts/triage/v1.j2": front(max_output_tokens=6000)})
    assert failed(check()) == ["max_output_tokens"]


def test_a_cap_is_exact_and_fails_by_one_token(locked: Any) -> None:
    locked.write({"prompts/triage/v1.j2": front(max_output_tokens=61)})
    assert failed(check()) == ["output", "output"]
    # A limit for output is that of a cap too.
    assert not failed(check(overrides=["output=5%"]))


def test_a_tier_without_a_known_price_is_unpriced(locked: Any) -> None:
    locked.write({"prompts/triage/v1.j2": with_front("service_tier: scale")})
    text = check()["triage"].text
    assert "service_tier 'scale' is not known: the prompt is unpriced" in text
    assert check()["triage"].failed


def test_limits_in_dollars_judge_model_and_volume_if_there_are_any(locked: Any) -> None:
    locked.write({"prompts/triage/v1.j2": front(calls_per_month=303_000)})
    assert not failed(check(overrides=["usd_month=2%"]))
    assert failed(check(overrides=["usd_month=0.5%"])) == ["usd_month"]
    locked.write({"prompts/triage/v1.j2": front(model="gpt-4o")})
    assert failed(check(overrides=["usd_call=5%"])) == ["usd_call", "usd_call"]
    assert not failed(check(overrides=["usd_call=2000%"]))
    # A limit that names the cause applies, whatever the dollars may do.
    assert failed(check(overrides=["usd_call=2000%", "model=5%"])) == ["model"]


def test_the_base_has_its_own_growth_of_every_metric(guarded: Any) -> None:
    guarded.write(
        {
            "pyproject.toml": '[tool.promptopt.budget]\nusd_call = "1% | $0.00001"\nusd_month = "1%"\n',
            "prompts/triage/v1.j2": prompt_text(STATIC),
        }
    )
    lock()
    red = prompt_text("{{ ticket }}\n" + STATIC + LONGER).replace("60", "600").replace("300000", "400000")
    guarded.write({"prompts/triage/v1.j2": red, "suites/triage.yaml": SUITE + "  - vars: {ticket: new}\n"})
    branch(guarded)
    assert not failed(check())
    # What the branch does to one metric says nothing of the others.
    guarded.write({"prompts/triage/v1.j2": red.replace("{{ ticket }}\n", "").replace("600", "900")})
    metrics = failed(check())
    assert "output" in metrics
    assert "cacheable" not in metrics
    assert "calls_per_month" not in metrics


def test_a_saved_token_does_not_hide_a_lost_prefix(guarded: Any) -> None:
    guarded.write({"prompts/triage/v1.j2": prompt_text("Be kind and fair.\n" + STATIC)})
    lock()
    branch(guarded)
    guarded.write({"prompts/triage/v1.j2": prompt_text("{{ ticket[:1] }}\n" + STATIC)})
    commit(guarded)
    assert failed(check(overrides=["cacheable=off", "usd_call=1%"])) == ["usd_call", "usd_call"]


def test_a_copy_of_a_version_has_the_locked_answers(guarded: Any) -> None:
    guarded.write(
        {"pyproject.toml": '[tool.promptopt.budget]\nusd_call = "1%"\nusd_month = "1%"\nrecordings = "error"\n'}
    )
    record({"refund": "billing", "parcel": "delivery"})
    lock()
    guarded.write({"prompts/triage/v2.j2": prompt_text()})
    results = check()
    assert not any(result.findings for result in results.values())
    # Another setting is another request.
    guarded.write({"prompts/triage/v2.j2": with_front("temperature: 1")})
    assert ("missing", "output", "error") in kinds(check()["triage [refund]"])


def test_prices_are_those_of_the_lock_whatever_the_table_says(guarded: Any) -> None:
    table = '[tool.promptopt.prices."gpt-4o-mini"]\ninput_mtok = 1\noutput_mtok = {}\n'
    guarded.write({"pyproject.toml": table.format(1)})
    lock()
    cap = f"usd_call=| ${check()['triage [refund]'].numbers['usd_call'][1]}"
    guarded.write({"pyproject.toml": table.format(2)})
    results = check(overrides=[cap, "usd_month=1%"])
    assert not failed(results)
    assert causes(results) == {"price": "warn"}
    assert failed(check(overrides=["price=50%"])) == ["price"]
    assert not failed(check(overrides=["price=100%"]))
    guarded.write({"pyproject.toml": table.format("0.5")})
    assert causes(check()) == {"price": "note"}


def test_a_longer_schema_has_its_name_beside_the_input_that_it_adds(guarded: Any) -> None:
    schema = "output_schema: {type: object, properties: {team: {type: string%s}}, required: [team], "
    schema += "additionalProperties: false}"
    guarded.write({"prompts/triage/v1.j2": with_front(schema % "")})
    lock()
    guarded.write({"prompts/triage/v1.j2": with_front(schema % ", description: The team that answers the ticket")})
    results = check()
    assert failed(results) == ["input", "input"]
    assert causes(results) == {"schema": "note"}
    assert "output schema and tools: " in results["triage"].text


def test_one_flipped_answer_of_forty_is_not_shown_to_be_worse(guarded: Any) -> None:
    rows = "".join(
        f"  - {{description: c{n}, vars: {{ticket: parcel {n}}}, assert: [{{type: contains, value: delivery}}]}}\n"
        for n in range(40)
    )
    guarded.write({"suites/triage.yaml": "tests:\n" + rows})
    record({f"c{n}": "delivery" for n in range(40)})
    lock()
    record({"c0": "hm"})
    assert kinds(check()["triage"]) == [("quality", "quality", "warn")]
    record({f"c{n}": "hm" for n in range(8)})
    assert kinds(check()["triage"]) == [("quality", "quality", "error")]


def test_git_says_why_it_refuses_a_folder(locked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    branch(locked)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(UsageError, match=r"dubious ownership(?s:.*)safe\.directory"):
        make_gate(against="main")


def test_folders_with_umlauts(project: Any) -> None:
    name = "prompts/Fälle/größe"
    project.write(
        {f"{name}/v1.j2": prompt_text(), "suites/Fälle/größe.yaml": SUITE, "pyproject.toml": "[tool.promptopt]\n"}
    )
    lock()
    project.write({f"{name}/v1.j2": prompt_text(LONGER)})
    branch(project)
    results = check()
    assert not failed(results)
    assert "already on main +16" in results["Fälle/größe [refund]"].text


def test_a_lock_of_0_1_0_is_compared_with_the_volume_of_the_base(locked: Any) -> None:
    path = locked.root / "prompts/triage.lock.toml"
    made = read_lock(path)
    assert made is not None
    assert made.call is not None
    replace(made, call=None).write(path)
    branch(locked)
    locked.write({"prompts/triage/v1.j2": front(calls_per_month=900_000)})
    assert not failed(check())
    assert failed(check(overrides=["usd_month=5%"])) == ["usd_month"]


def test_an_unknown_model_is_an_error(locked: Any) -> None:
    locked.write({"prompts/triage/v1.j2": front(model="gpt-4o-minni")})
    assert check()["triage"].failed


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ("parameters=5%", 'write "error" or "warn" or "off"'),
        ("model=5 tokens", "wrong unit"),
        ("model=5% | $1", "write"),
        ("calls_per_month=5 tokens", "wrong unit"),
        ("price=5", "has no unit"),
    ],
)
def test_limits_of_causes_have_units(locked: Any, limit: str, message: str) -> None:
    with pytest.raises((UsageError, ConfigError), match=message):
        make_gate(overrides=[limit])


@pytest.mark.parametrize(
    ("limits", "text", "suite"),
    [
        # The limits in dollars judge the model, so that the cause itself is a note.
        ('usd_call = "5%"', front(model="o1-pro"), SUITE),
        ("", prompt_text(), SUITE.replace("I want my money back", "I want my money back and that is my last word")),
        ("", prompt_text(), SUITE.replace("I want my money back", "No")),
        ('input = "90%"', prompt_text(LONGER), SUITE.replace("description: refund", "description: money")),
    ],
    ids=["model", "longer case", "shorter case", "renamed case"],
)
def test_every_command_that_a_message_prints_can_be_pasted(locked: Any, limits: str, text: str, suite: str) -> None:
    locked.write(
        {
            "pyproject.toml": f"[tool.promptopt.budget]\n{limits}\n",
            "prompts/triage/v1.j2": text,
            "suites/triage.yaml": suite,
        }
    )
    results = check().values()
    lines = [line for result in results for line in result.text.splitlines()]
    commands = {line.partition("promptopt budget ")[2] for line in lines} - {""}
    assert commands
    before = read_lock(locked.root / "prompts/triage.lock.toml")
    for command in commands:
        assert before is not None
        before.write(locked.root / "prompts/triage.lock.toml")
        run = CliRunner().invoke(cli, ["budget", *shlex.split(command)])
        assert run.exit_code == 0, f"{command}: {run.output}"
        assert "lock.toml" in run.output


def test_a_prompt_that_a_link_leads_to_is_this_branchs_when_its_file_grows(locked: Any) -> None:
    """git names the file that was edited, which is outside the prompts folder."""
    locked.write({"lib/texts/v1.j2": prompt_text(), "suites/linked.yaml": SUITE})
    (locked.root / "prompts/linked").symlink_to("../lib/texts")
    lock()
    branch(locked)
    assert failed(check()) == []
    locked.write({"lib/texts/v1.j2": prompt_text(LONGER)})
    commit(locked)
    assert failed(check()) == ["input", "input"]


def test_growth_on_the_base_is_known_of_a_chat_in_yaml_too(locked: Any) -> None:
    chat = "- role: system\n  content: Be kind.\n- role: user\n  content: '{{ ticket }}'\n"
    settings = '[tool.promptopt]\nmodel = "gpt-4o-mini"\n'
    locked.write({"prompts/chat/v1.yaml": chat, "suites/chat.yaml": SUITE, "pyproject.toml": settings})
    lock()
    locked.write({"prompts/chat/v1.yaml": chat.replace("kind", "kind and good")})
    branch(locked)
    # As long as the base's, but not the same text.
    locked.write({"prompts/chat/v1.yaml": chat.replace("kind", "kind or good")})
    commit(locked)
    assert failed(check()) == []
