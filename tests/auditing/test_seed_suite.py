"""A suite that is drawn from a log."""

import json

import pytest
import yaml
from click.testing import CliRunner

from promptopt.auditing.seed_suite import scrubbed
from promptopt.cli import cli
from promptopt.errors import InputError
from promptopt.suites import load_suite


def row(text, prompt="support", **more):
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]
    return {
        "timestamp": 1.79e9,
        "model": "gpt-4o",
        "input_tokens": 9,
        "output_tokens": 3,
        "messages": messages,
        "prompt": prompt,
        **more,
    }


@pytest.fixture
def drawn(project):
    def drawing(rows, size):
        path = project.root / "calls.jsonl"
        path.write_text("".join(json.dumps(each) + "\n" for each in rows), encoding="utf-8")
        return CliRunner().invoke(cli, ["audit", str(path), "--seed-suite", str(size)])

    return drawing


def test_kinds_take_turns_and_no_two_are_alike(drawn, project):
    rows = [row(f"Where is order {number}?") for number in range(50)] + [
        row("Refund me", "refunds"),
        row("refund me!", "refunds"),
    ]
    done = drawn(rows, 10)
    tests = yaml.safe_load(done.stdout)["tests"]
    assert len(tests) == 10
    assert [test["metadata"]["kind"] for test in tests].count("refunds") == 1
    project.write({"suites/drawn.yaml": done.stdout})
    assert len(load_suite("drawn").cases) == 10
    assert drawn(rows, 10).stdout == done.stdout


def test_what_names_a_person_is_replaced_and_secrets_are_left_out(drawn):
    secret = "sk-proj-" + "a1B2" * 12
    done = drawn(
        [row("Mail ottilie@example.com or call +49 170 1234567, DE89 3704 0044 0532 0130 00"), row(f"use {secret}")], 5
    )
    assert secret not in done.stdout
    (test,) = yaml.safe_load(done.stdout)["tests"]
    assert test["vars"]["input"] == "Mail [e-mail] or call [phone], [account]"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("card 4111111111111111 exp 12/27", "card [account] exp 12/27"),
        ("card 4111 1111 1111 1111.", "card [account]."),
        ("3782-822463-10005", "[account]"),
        ("call (212) 555-0123 or +1 (212) 555-0123.", "call [phone] or [phone]."),
        ("+49 (0)30 1234-5678", "[phone]"),
        ("o'neil+x@example.co.uk", "[e-mail]"),
        ("on 2026-01-05 12:30 and 05.01.2026 12:30", "on 2026-01-05 12:30 and 05.01.2026 12:30"),
        ("for 1,234,567.89 in 2026", "for 1,234,567.89 in 2026"),
    ],
)
def test_numbers_of_people_are_replaced_and_dates_are_not(text, shown):
    assert scrubbed(text) == shown


def test_a_log_without_texts_has_no_cases(drawn):
    done = drawn([{"model": "gpt-4o", "input_tokens": 9, "output_tokens": 3}], 5)
    assert isinstance(done.exception, InputError)
    assert "no call of the log has the text of a request" in str(done.exception)
