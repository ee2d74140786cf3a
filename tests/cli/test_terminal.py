"""What all commands have in common on a terminal and in a pipe."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from promptopt.cli import COMMANDS, cli
from promptopt.cli.compare import RunSpend
from promptopt.gateway.stores.ledger import open_ledger
from promptopt.gateway.stores.ledger_row import LedgerRow
from promptopt.values import Message, Request, Response, Usage

NAME = "answers-of-the-support-team-in-the-northern-islands-with-all-attachments"
SCHEMA = """{"type": "object", "properties": {"team": {"type": "string"}}, "required": ["team"],
"additionalProperties": false}"""
MODEL = "gpt-4o-mini-2024-07-18"


@pytest.fixture
def long_names(project) -> Path:
    """A prompt of two versions with a suite, recordings, a lock, a ledger and a log, all with long names."""
    text = "You are a very helpful assistant. Please make sure that you answer the ticket of the customer in one word."
    project.write(
        {
            "pyproject.toml": '[tool.promptopt.gateway]\nledger = "ledger.jsonl"\n',
            **{
                f"prompts/{NAME}/{version}.j2": f"---\nmodel: {MODEL}\nmax_output_tokens: 9\n"
                f"calls_per_month: 12345678\n---\n{more}{text}\n{{{{ the_whole_ticket_of_the_customer }}}}\n"
                for version, more in (("v1", "Thank you! "), ("v2", ""))
            },
            f"suites/{NAME}.yaml": "tests:\n"
            + "".join(
                f"- description: case {number} {'of many words ' * 6}\n"
                f"  vars: {{the_whole_ticket_of_the_customer: 'lost parcel {number}'}}\n"
                "  assert: [{type: contains, value: team}, {type: icontains, value: delivery}]\n"
                for number in range(3)
            ),
            **{
                f"{version}.jsonl": "".join(
                    json.dumps({"case": f"case {number} {'of many words ' * 6}".strip(), "output": f"{version} team"})
                    + "\n"
                    for number in range(3)
                )
                for version in ("v1", "v2")
            },
            "schema.json": SCHEMA,
            "calls.jsonl": "".join(
                json.dumps(
                    {"time": 1790000078 + 90_000 * n, "model": MODEL, "prompt": f"{NAME}-{n % 3}", "user": NAME}
                )[:-1]
                + ', "input_tokens": 123456789, "output_tokens": 98765432, "status": "ok"}\n'
                for n in range(9)
            ),
        }
    )
    ledger = open_ledger(project.root / "ledger.jsonl")
    for number in range(4):
        row = LedgerRow(at=1.79e9 + number, model=MODEL, prompt=f"{NAME}{number % 2}", input_tokens=10**9, user=NAME)
        ledger.finish(ledger.begin(row), row)
    ledger.close()
    for version in ("v1", "v2"):
        shown = run(
            "recordings",
            "import",
            f"{version}.jsonl",
            "--prompt",
            f"{NAME}@{version}",
            "--suite",
            NAME,
            "--model",
            MODEL,
        )
        assert "3 answers" in shown
    run("budget", "update")
    return project.root


def run(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == code, done.output + repr(done.exception)
    return done.stdout


TABLES = (
    ("compare", f"{NAME}@v1", f"{NAME}@v2", "--cases"),
    ("count", NAME, "--lines"),
    ("estimate", "--prompt", NAME, "--users", "1000000", "--calls", "200"),
    ("list",),
    ("usage", "--by", "prompt", "--by", "user", "--by", "day"),
    ("audit", "calls.jsonl"),
    ("audit", "explain", "calls.jsonl", "--from", "2026-09-21", "--to", "2026-09-22"),
    ("check", "--rules"),
    ("budget", "check"),
    ("budget", "diff"),
    ("recordings", "check"),
)
JSON = (
    *(
        command
        for command in (tuple(word for word in each if word != "--cases") for each in TABLES)
        if command[0] not in ("check", "budget")
    ),
    ("compress", NAME),
    ("structure", NAME, "--schema", "schema.json"),
    ("schema", "check", "schema.json"),
    ("cache", "list"),
)


def test_every_table_fits_80_columns(long_names: Path) -> None:
    for command in TABLES:
        shown = run(*command)
        assert shown
        # A command is to be pasted, and stays whole.
        long = [line for line in shown.splitlines() if cell_len(line) > 80 and ": promptopt " not in line]
        assert long == [], command


def test_a_wide_terminal_is_used(long_names: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    widest = max(map(len, run("list").splitlines()))
    assert 80 < widest <= 160


def test_json_is_all_that_is_on_stdout(long_names: Path) -> None:
    for command in JSON:
        done = CliRunner().invoke(cli, [*command, "--json"])
        assert done.exit_code == 0, (command, done.output)
        assert json.loads(done.stdout) is not None
    assert json.loads(run("check", "--format", "json"))["findings"]
    assert json.loads(run("check", "--format", "sarif"))["runs"]


def test_every_command_says_less_or_more_on_stderr(long_names: Path) -> None:
    for name in COMMANDS:
        commands = [[name]]
        shown = run(name, "--help")
        if "COMMAND [ARGS]" in shown and name != "audit":
            commands = [
                [name, each] for each in re.findall(r"^  ([a-z-]+)  ", shown.partition("Commands:")[2], re.MULTILINE)
            ]
        for command in commands:
            help_text = run(*command, "--help")
            assert "-q, --quiet" in help_text, command
            assert "-v, --verbose" in help_text, command


def test_quiet_leaves_notes_out_and_verbose_says_what_is_read(long_names: Path) -> None:
    plain, quiet, verbose = (CliRunner().invoke(cli, ["check", *more]) for more in ((), ("-q",), ("-v",)))
    assert plain.stdout == quiet.stdout == verbose.stdout
    assert "findings in 1 prompt" in plain.stderr
    assert quiet.stderr == ""
    assert str(long_names) in verbose.stderr
    assert re.search(r"\d seconds", verbose.stderr)


def test_a_quiet_command_that_fails_says_why(long_names: Path) -> None:
    pairs = long_names / "pairs.csv"
    pairs.write_text("text_a,text_b,same\na,b,0\n")
    quiet = subprocess.run(
        [sys.executable, "-m", "promptopt", "compare", "nothing-here", "-q"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert quiet.returncode == 2
    assert "nothing-here" in quiet.stderr
    assert quiet.stdout == ""
    # What was held back is said if the command fails.
    (long_names / "schema.json").write_text(
        '{"type": "object", "properties": {"a": {"type": "string", "format": "x"}}, "not": {}}'
    )
    held = CliRunner().invoke(cli, ["schema", "fix", "schema.json", "-q"])
    assert held.exit_code == 1
    assert "left for you" in held.stderr


def test_verbose_errors_have_a_traceback_and_others_none(long_names: Path) -> None:
    for more, expected in (([], False), (["-v"], True)):
        done = subprocess.run(
            [sys.executable, "-m", "promptopt", "count", "nothing-here", *more],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        assert ("Traceback" in done.stderr) is expected


def on_terminal(*arguments: str, **environment: str) -> str:
    """What a command writes to a terminal that is its stdout and stderr."""
    own, other = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "promptopt", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=other,
        stderr=other,
        env={**os.environ, "TERM": "xterm", **environment},
    )
    os.close(other)
    said = b""
    while True:
        try:
            part = os.read(own, 65536)
        except OSError:
            break
        if not part:
            break
        said += part
    os.close(own)
    process.wait(timeout=60)
    return said.decode()


def without_colour(text: str) -> str:
    return re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", text)


def test_colour_is_for_terminals_and_never_the_only_signal(long_names: Path) -> None:
    coloured = on_terminal("compress", NAME)
    assert "\x1b[31m-" in coloured
    assert "\x1b[32m+" in coloured
    assert "\x1b[" not in on_terminal("compress", NAME, NO_COLOR="1")
    assert "\x1b[" not in run("compress", NAME)


def test_progress_says_how_fast_what_it_costs_and_how_long(long_names: Path, endpoint) -> None:
    said = on_terminal(
        "compare", NAME, "--model", "gpt-4o-mini", "--record", "all", "-j", "1", COLUMNS="120", **endpoint.environment
    )
    assert re.search(r"asking .*3/3 .*\d/s .*\$0\.\d+ spent .*0:00:0\d", without_colour(said))
    assert len(endpoint.requests) == 3
    assert "asking" not in on_terminal(
        "compare", NAME, "--model", "gpt-4o-mini", "--record", "all", "-q", **endpoint.environment
    )


def test_what_is_spent_is_known_only_if_every_model_has_a_price(project) -> None:
    spent = RunSpend()
    messages = (Message("user", "x"),)
    response = Response("m", "x", usage=Usage(1_000_000, output_tokens=0))
    spent.add(Request("gpt-4o-mini", messages), response)
    assert str(spent) == "$0.1500 spent"
    spent.add(Request("nobody-prices-me", messages), response)
    assert str(spent) == "at least $0.1500 spent"
