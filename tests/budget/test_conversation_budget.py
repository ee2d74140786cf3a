"""What the budget measures of a case with turns: the prompt's tokens of the whole conversation."""

from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner

from promptopt.budget.guarded_prompt import case_tokens
from promptopt.cli import cli
from promptopt.experiment.conversation import case_requests
from promptopt.suites import load_suite
from promptopt.templates import load_prompt
from promptopt.tokens import count_tokens

HEAD = "---\nmodel: gpt-4o-mini\nmax_output_tokens: 30\n---\n"
RULES = "You answer guests of a hotel. "
APPENDED = HEAD + '{% chat role="system" %}' + RULES + "{% endchat %}\n"
AGAIN = (
    APPENDED
    + "{% for turn in history %}\n{% chat role=turn.role %}{{ turn.content }}{% endchat %}\n{% endfor %}\n"
    + '{% chat role="user" %}{{ user }}{% endchat %}\n'
)
SUITE = "- description: stay\n  turns: [Is there a pool?, Is it heated?, Thank you.]\n"


@pytest.fixture
def hotel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "prompts" / "hotel").mkdir(parents=True)
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "hotel.yaml").write_text(SUITE)
    return tmp_path


def write(folder: Path, text: str) -> None:
    (folder / "prompts" / "hotel" / "v1.j2").write_text(text)


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli, arguments)
    return done.exit_code, done.output


@pytest.mark.parametrize("prompt", [APPENDED, AGAIN])
def test_the_input_is_that_of_all_turns(hotel: Path, prompt: str) -> None:
    write(hotel, prompt)
    (case,) = load_suite("hotel").cases
    requests = case_requests(load_prompt("hotel"), case)
    assert [len(request.messages) for request in requests] == [2, 4, 6]
    tokens, served = case_tokens(load_prompt("hotel"), case, "gpt-4o-mini")
    assert tokens == sum(count_tokens(request).tokens for request in requests)
    assert served == 0
    assert run("budget", "update")[0] == 0
    lock = (hotel / "prompts" / "hotel.lock.toml").read_text()
    assert f"input = {tokens}\n" in lock
    assert "output_max = 90\n" in lock


def test_what_a_cache_keeps_of_the_turns_before_is_locked(hotel: Path) -> None:
    write(hotel, APPENDED.replace(RULES, RULES * 170))
    (case,) = load_suite("hotel").cases
    counts = [count_tokens(request).tokens for request in case_requests(load_prompt("hotel"), case)]
    tokens, served = case_tokens(load_prompt("hotel"), case, "gpt-4o-mini")
    repeated = [before - 3 for before, _ in pairwise(counts)]
    assert served == sum(each // 128 * 128 for each in (counts[0] - 20, *repeated))
    assert 3 * 1024 <= served < tokens


@pytest.mark.parametrize("prompt", [APPENDED, AGAIN])
def test_a_line_that_is_sent_in_every_turn_counts_in_every_turn(hotel: Path, prompt: str) -> None:
    write(hotel, prompt)
    run("budget", "update")
    write(hotel, prompt.replace("hotel. ", "hotel. Always be exceedingly polite, kind and patient with each of them. "))
    code, output = run("budget", "check")
    added = count_tokens("Always be exceedingly polite, kind and patient with each of them. ").tokens
    assert code == 1, output
    assert f"+{3 * added}" in output or f"+{3 * (added - 1)}" in output, output
    assert "v1.j2:5" in output


def test_a_loop_over_the_history_is_not_a_line_that_no_case_prints(hotel: Path) -> None:
    write(hotel, AGAIN.replace("{{ turn.content }}", "Before: {{ turn.content }}"))
    run("budget", "update")
    code, output = run("budget", "check")
    assert code == 0, output
    assert "no case prints" not in output


def test_an_edited_turn_is_a_changed_case(hotel: Path) -> None:
    write(hotel, APPENDED)
    run("budget", "update")
    (hotel / "suites" / "hotel.yaml").write_text(SUITE.replace("Is it heated?", "Is it heated in winter, too?"))
    assert "the case has other variables than when it was locked" in run("budget", "check")[1]


def test_a_prompt_that_names_no_model_is_counted(hotel: Path) -> None:
    write(hotel, APPENDED.replace("model: gpt-4o-mini\n", ""))
    (hotel / "pyproject.toml").write_text('[tool.promptopt]\nmodel = "gpt-4o-mini"\n')
    code, output = run("budget", "update")
    assert code == 0, output
