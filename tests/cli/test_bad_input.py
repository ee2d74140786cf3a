"""Bad input on the real command line: one clear message, the right exit code, nothing lost or half-written.

What hangs on the process (signals, limits, threads that wait) is run in one of its own, and so is one example of most
kinds; further examples call the command line's ``main``, which the installed script calls.
"""

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

import promptopt
from promptopt.cli import main

FRONT = "---\nmodel: gpt-4o-mini\nmax_output_tokens: 20\n---\n"
NAMES = ["ada", "bob", "cyd"]
SUITE = "tests:\n" + "".join(
    f"- {{description: {name}, vars: {{name: {name}}}, assert: [{{type: contains, value: ok}}]}}\n" for name in NAMES
)
COMPARE = ("compare", "greet@v1", "greet@v2")


@pytest.fixture
def greet(project):
    """Two prompts, a suite of three cases, and no answers."""
    project.write(
        {
            "prompts/greet/v1.j2": FRONT + "Please greet {{ name }} as kindly as you can.",
            "prompts/greet/v2.j2": FRONT + "Greet {{ name }}.",
            "suites/greet.yaml": SUITE,
        }
    )
    return project


def answered(project, version: str) -> list[str]:
    """The cases on disk, in the order of the file."""
    path = project.root / f"suites/greet/recordings/greet/{version}.jsonl"
    return [json.loads(line)["case"] for line in path.read_text().splitlines()] if path.exists() else []


def files(project) -> dict[str, bytes]:
    return {
        str(path.relative_to(project.root)): path.read_bytes() for path in project.root.rglob("*") if path.is_file()
    }


def call(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line's own `main`, in this process, which saves the start of another one."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["promptopt", *arguments])
        for name, value in environment.items():
            patch.setenv(name, value)
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as left:
            main()
    assert isinstance(left.value.code, int)
    return subprocess.CompletedProcess(arguments, left.value.code, out.getvalue(), err.getvalue())


def refused(project, *arguments: str, run: Any = call, code: int = 2, **environment: str) -> str:
    """What the command says as it refuses; it must say it once, on stderr, and change no file."""
    before = files(project)
    done = run(*arguments, **environment)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert files(project) == before
    return done.stderr


TEMPLATES: list[tuple[str, str]] = [
    ("Greet {{ nam }}.", r"v2\.j2:5: the variable 'nam' is undefined\. Did you mean 'name'\? \(in case 'ada'\)"),
    ("\n{{ name|uper }}", r"v2\.j2:6: unknown filter 'uper'\. Did you mean 'upper'"),
    ("\n{% if name %}", r"v2\.j2:6: Unexpected end of template"),
    ("{{ name }", r"v2\.j2:5: unexpected '}'"),
    ("{% include '../suites/greet.yaml' %}", r"v2\.j2:5: '\.\./suites/greet\.yaml' is outside the folder prompts"),
    ("{{ name.__class__.__mro__ }}", r"v2\.j2:5: .*unsafe"),
]


@pytest.mark.parametrize(("text", "message"), TEMPLATES)
def test_a_broken_template(greet, text: str, message: str) -> None:
    greet.write({"prompts/greet/v2.j2": FRONT + text})
    run = greet.run if "uper" in text else call
    assert re.match(rf"promptopt: prompts/greet/{message}", refused(greet, *COMPARE, run=run))


def test_a_missing_and_an_unknown_variable(greet) -> None:
    missing = refused(greet, "render", "greet", run=greet.run)
    assert missing.startswith("promptopt: prompts/greet/v2.j2:5: the variable 'name' is undefined.")
    unknown = refused(greet, "render", "greet", "--var", "name=Ada", "--var", "nmae=Ada")
    assert unknown == (
        "promptopt: prompts/greet/v2.j2: uses no variable 'nmae'. Did you mean 'name'?\n  it uses: name\n"
    )
    assert "--var 'name' is not written NAME=VALUE" in refused(greet, "render", "greet", "--var", "name")
    assert "none.txt: No such file" in refused(greet, "render", "greet", "--var", "name=@none.txt")


@pytest.mark.parametrize(
    ("front", "message"),
    [
        ("modle: x", r":2: unknown key 'modle' in the front matter\. Did you mean 'model'\?\n  known keys: "),
        ("answer: '('", r":2: answer: '\(' is not a regular expression: missing \)"),
        ("output_schema: {type: array}", r":2: strict mode refuses the output schema:\n    the root: .*wrap it in"),
        ("output_schema: none.json", r":2: output_schema: the file 'none\.json' does not exist"),
    ],
)
def test_broken_front_matter(greet, front: str, message: str) -> None:
    greet.write({"prompts/greet/v2.j2": f"---\n{front}\n---\nHi"})
    assert re.match(rf"promptopt: prompts/greet/v2\.j2{message}", refused(greet, "render", "greet"))


@pytest.mark.parametrize(
    ("suite", "message"),
    [
        ("tests: []", r": has no cases\n  add at least one under `tests`"),
        ("tests:\n- description: a\n- description: a\n", r":3: two cases are named 'a'\n  give each case its own"),
        (
            "tests:\n- vars: {name: a}\n  assert:\n  - {type: contians, value: x}\n",
            r":4: unknown assert type 'contians'\. Did you mean 'contains'.*\n  known types, .*is-json",
        ),
        (
            "tests:\n- vars: {name: a}\n  assert:\n  - {type: regex, value: '['}\n",
            r":4: assert regex: '\[' is not a regular expression",
        ),
        ("tests:\n- var: {name: a}\n", r":2: unknown key 'var' in a test\. Did you mean 'vars'"),
        ("tests: [", r":\d: is not YAML"),
        (b"tests:\n- vars: {name: caf\xe9}\n", r":2: is not UTF-8: byte 0xe9 .*\n  save the file as UTF-8"),
    ],
)
def test_a_broken_suite(greet, endpoint, suite: str | bytes, message: str) -> None:
    greet.write({"suites/greet.yaml": suite})
    assert re.match(
        rf"promptopt: suites/greet\.yaml{message}", refused(greet, *COMPARE, **endpoint.environment), re.DOTALL
    )
    assert endpoint.requests == []


def test_a_prompt_that_is_not_utf_8(greet) -> None:
    greet.write({"prompts/greet/v2.j2": b"one\ncaf\xe9\n"})
    assert refused(greet, *COMPARE).startswith("promptopt: prompts/greet/v2.j2:2: is not UTF-8: byte 0xe9")


def test_a_git_reference_that_does_not_exist(greet) -> None:
    greet.git("init", "-q")
    greet.git("add", ".")
    greet.git("commit", "-q", "-m", "one")
    said = refused(greet, "compare", "HEAD~1:prompts/greet/v1.j2", "greet@v1")
    assert "git knows no commit 'HEAD~1'" in said
    assert "a shallow clone holds only the newest commit" in said
    assert "prompts/greet/v7.j2 does not exist at HEAD" in refused(greet, "render", "HEAD:prompts/greet/v7.j2")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("compare",), "name a prompt, or a promptfoo config with -c"),
        (("compar",), "No such command 'compar'"),
        (("compare", "gret"), "no prompt 'gret'. Did you mean 'greet'?\n  prompts in prompts: greet"),
        (("compare", "greet@v3"), "'greet' has no version 'v3'; it has v1, v2"),
        ((*COMPARE, "--suite", "gret"), "no suite 'gret'. Did you mean 'greet'?\n  suites in suites: greet"),
        ((*COMPARE, "--trials", "0"), "Invalid value for '--trials'"),
        ((*COMPARE, "--margin", "0"), "margin and accept are points of quality, between 0 and 100"),
        ((*COMPARE, "--margin", "nan"), "margin and accept are points of quality, between 0 and 100"),
        ((*COMPARE, "--record", "some"), "Invalid value for '--record'"),
        ((*COMPARE, "--max-cost", "much"), "--max-cost 'much' is not an amount of dollars"),
        ((*COMPARE, "-o", "report.pdf"), "unknown ending '.pdf'"),
        ((*COMPARE, "-j", "0"), "Invalid value for '-j'"),
        (("recordings", "import", "none.jsonl", "--prompt", "greet", "--suite", "greet", "--model", "m"), "none.jsonl"),
    ],
)
def test_wrong_usage(greet, arguments: tuple[str, ...], message: str) -> None:
    assert message in refused(greet, *arguments)


@pytest.mark.parametrize("timeout", ["0", "-1", "nan"])
def test_a_timeout_that_is_none(greet, endpoint, timeout: str) -> None:
    said = refused(greet, *COMPARE, "--timeout", timeout, **endpoint.environment)
    assert said == f"promptopt: timeout = {timeout} is not a positive number of seconds\n"
    assert endpoint.requests == []


def test_a_broken_configuration(greet) -> None:
    greet.write({"pyproject.toml": "[tool.promptopt]\nmargn = 3\n"})
    said = refused(greet, *COMPARE, run=greet.run)
    assert re.search(r"pyproject\.toml:2: unknown key 'margn' in \[tool\.promptopt\]\. Did you mean 'margin' or", said)


def test_without_a_model_to_ask_the_missing_answers_are_named_with_the_remedy(greet) -> None:
    assert refused(greet, *COMPARE) == (
        "promptopt: suites/greet/recordings/greet/v1.jsonl: greet@v1: no recorded answer to 3 cases (ada, bob, cyd)\n"
        "  record with the model gpt-4o-mini: the same command with --record missing (--model names another model)\n"
    )


def test_the_name_of_a_case_does_not_act_on_a_terminal(greet) -> None:
    greet.write({"suites/greet.yaml": 'tests:\n- {description: "a\\a \\e[31m", vars: {name: ada}}\n' + SUITE[7:]})
    assert r"(a\x07 \x1b[31m, ada, bob, cyd)" in refused(greet, *COMPARE)
    greet.write({"answers.jsonl": '{"case": "cyd", "output": "ok"}\n'})
    given = ("--prompt", "greet@v1", "--suite", "greet", "--model", "gpt-4o-mini")
    done = call("recordings", "import", "answers.jsonl", *given)
    assert done.stdout.endswith("v1.jsonl: 1 answer of gpt-4o-mini, 1 without usage: their tokens will be counted\n")
    assert done.stderr == "3 cases have no answer: a\\x07 \\x1b[31m, ada, bob\n"


def record(project, endpoint) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in endpoint.environment.items():
            patch.setenv(name, value)
        promptopt.compare(*COMPARE[1:], suite="greet")
    assert answered(project, "v1") == answered(project, "v2") == NAMES
    endpoint.requests.clear()


def test_a_recording_of_another_model_is_not_used(greet, endpoint) -> None:
    record(greet, endpoint)
    said = refused(greet, *COMPARE, "--model", "gpt-4o", "--record", "none", **endpoint.environment)
    assert "no recorded answer to 3 cases (ada, bob, cyd); the file holds answers of gpt-4o-mini, not of gpt-4o" in said


def test_a_stale_recording_is_not_used_and_says_what_changed(greet, endpoint) -> None:
    record(greet, endpoint)
    greet.write({"prompts/greet/v2.j2": FRONT.replace("20", "30") + "Greet {{ name }}."})
    said = refused(greet, *COMPARE, **endpoint.environment)
    assert "greet@v2: stale answers to 3 cases (ada, bob, cyd): changed since they were recorded: max_output_t" in said
    assert "the same command with --record stale" in said
    assert endpoint.requests == []


def test_half_a_line_at_the_end_of_a_recording(greet, endpoint) -> None:
    record(greet, endpoint)
    path = greet.root / "suites/greet/recordings/greet/v1.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.rindex(b'"usage"')])
    said = refused(greet, *COMPARE, "--record", "none", run=greet.run)
    assert "no recorded answer to 1 case (cyd); line 3 is cut off, as by a crash while it was written" in said
    done = call(*COMPARE, **endpoint.environment)
    assert done.returncode in (0, 1), done.stderr
    assert len(endpoint.requests) == 1
    assert answered(greet, "v1") == NAMES


def test_a_broken_line_is_not_a_secret_whatever_it_quotes(greet, endpoint) -> None:
    record(greet, endpoint)
    path = greet.root / "suites/greet/recordings/greet/v1.jsonl"
    path.write_text('looks like "v": 1\n' + path.read_text())
    done = call("recordings", "check")
    assert done.returncode == 1
    assert "v1.jsonl:1: broken: not a recording: " in done.stdout
    assert "secret" not in done.stdout


def test_a_broken_line_within_a_recording(greet, endpoint) -> None:
    record(greet, endpoint)
    path = greet.root / "suites/greet/recordings/greet/v1.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1][:40], lines[2], ""]))
    said = refused(greet, *COMPARE, **endpoint.environment)
    assert said.startswith("promptopt: suites/greet/recordings/greet/v1.jsonl:2: not a recording: ")
    assert "restore the file from git, or delete the line" in said


def failing(status: int, code: str | None = None):
    content = json.dumps({"error": {"message": f"error number {status}", "code": code}}).encode()
    return lambda _: (status, {"retry-after-ms": "1"}, content)


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (failing(401), r"answered 401: error number 401\. Check OPENAI_API_KEY"),
        (failing(404), r"answered 404: error number 404\. Check the model's name"),
        (failing(429), r"not one of 6 calls was answered; the first: .*answered 429: error number 429"),
        (failing(429, "insufficient_quota"), r"answered 429: error number 429\. Check the account's plan"),
        (failing(500), r"not one of 6 calls was answered; the first: .*answered 500: error number 500"),
        (lambda _: (200, {}, b"{"), r"not one of 6 calls was answered; the first: the endpoint's answer is not JSON"),
        (
            lambda _: (200, {}, b'{"choices": []}'),
            r"not one of 6 calls .*answer is not a chat completion: '{\"choices\":\[\]}'",
        ),
    ],
    ids=["401", "404", "429", "quota", "500", "broken JSON", "no choice"],
)
def test_an_endpoint_that_answers_badly(greet, endpoint, reply: Any, message: str) -> None:
    endpoint.reply = reply
    # If every call failed, and another time it may not, nothing was measured; else a person has to change something.
    code = 3 if "not one of 6 calls" in message else 2
    run = greet.run if "401" in message else call
    said = refused(greet, *COMPARE, run=run, code=code, **endpoint.environment)
    assert re.search(rf"^promptopt: .*{message}", said, re.MULTILINE)


def test_an_endpoint_that_refuses(greet) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        said = refused(greet, *COMPARE, run=greet.run, OPENAI_BASE_URL=url)
    assert f"promptopt: cannot reach {url}: " in said
    assert "Is OPENAI_BASE_URL right, and the endpoint running?" in said


def test_an_endpoint_that_hangs(greet, endpoint) -> None:
    endpoint.reply = lambda _: time.sleep(1) or "too late"
    said = refused(greet, *COMPARE, "--timeout", "0.2", run=greet.run, code=3, **endpoint.environment)
    assert re.search(r"not one of 6 calls was answered; the first: .* did not answer in time \(see --timeout\)", said)


def test_one_failing_case_is_a_failed_trial_with_its_error_and_not_a_lost_run(greet, endpoint) -> None:
    def reply(body: dict[str, Any]):
        return failing(400)(body) if "bob" in body["messages"][0]["content"] else "ok"

    endpoint.reply = reply
    done = greet.run(*COMPARE, "--json", **endpoint.environment)
    report = json.loads(done.stdout)
    # One of three calls is more than the 2% that may fail.
    assert done.returncode == 3
    assert {row["verdict"] for row in report["comparisons"]} == {"incomplete"}
    assert [(row["prompt"], row["case"]) for row in report["errors"]] == [("greet@v1", "bob"), ("greet@v2", "bob")]
    assert "answered 400: error number 400" in report["errors"][0]["error"]
    assert [row["pass_rate"] for row in report["variants"]] == [1.0, 1.0]
    assert answered(greet, "v1") == answered(greet, "v2") == ["ada", "cyd"]
    endpoint.reply = lambda _: "ok"
    endpoint.requests.clear()
    call(*COMPARE, **endpoint.environment)
    assert len(endpoint.requests) == 2
    assert answered(greet, "v1") == NAMES


def test_what_was_answered_before_the_key_expired_is_kept(greet, endpoint) -> None:
    endpoint.reply = lambda _: "ok" if len(endpoint.requests) <= 4 else failing(401)({})
    done = call(*COMPARE, "-j", "1", **endpoint.environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert "answered 401" in done.stderr
    assert len(answered(greet, "v1")) + len(answered(greet, "v2")) == 4


@pytest.mark.parametrize("where", ["assert", "answer"])
def test_a_pattern_that_runs_away_is_a_failed_case(greet, endpoint, where: str) -> None:
    pattern = "(a|aa)+$"
    kind = f"regex, value: '{pattern}'" if where == "assert" else "contains, value: a"
    greet.write({"suites/greet.yaml": f"tests: [{{description: a, vars: {{name: a}}, assert: [{{type: {kind}}}]}}]"})
    if where == "answer":
        greet.write({"prompts/greet/v1.j2": f"---\nmodel: gpt-4o-mini\nanswer: '{pattern}'\n---\n{{{{ name }}}}"})
    endpoint.reply = lambda _: "a" * 60 + "b"
    done = call("compare", "greet@v1", "--json", **endpoint.environment)
    assert done.returncode in (0, 1), done.stderr
    assert [row["pass_rate"] for row in json.loads(done.stdout)["variants"]] == [0.0]
    assert "Traceback" not in done.stderr


def _limited(project, endpoint, limit: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command on a disk on which no file grows above ``limit`` bytes."""
    code = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit})); from promptopt.cli import main; main()"
    )
    return subprocess.run(
        [sys.executable, "-B", "-c", code, *arguments],
        cwd=project.root,
        env={**os.environ, **endpoint.environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_disk_that_fills_up_while_answers_come_in(greet, endpoint) -> None:
    done = _limited(greet, endpoint, 1100, *COMPARE, "-j", "1")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    assert re.search(
        r"v[12]\.jsonl: cannot be written: File too large\n  what was answered before is kept", done.stderr
    )
    kept = [*answered(greet, "v1"), *answered(greet, "v2")]
    assert 0 < len(kept) < 6
    assert [path.name for path in (greet.root / "suites").rglob("*.tmp")] == []
    before = len(endpoint.requests)
    assert call(*COMPARE, **endpoint.environment).returncode in (0, 1)
    assert len(endpoint.requests) - before == 6 - len(kept)


def test_a_report_that_does_not_fit_on_the_disk(greet, endpoint) -> None:
    record(greet, endpoint)
    greet.write({"report.json": "old"})
    before = files(greet)
    done = _limited(greet, endpoint, 1000, *COMPARE, "-o", "report.json")
    assert done.returncode == 2
    assert done.stderr == "promptopt: report.json: cannot be written: File too large\n"
    assert files(greet) == before


@pytest.mark.parametrize("buffered", [True, False])
@pytest.mark.parametrize("command", [COMPARE, ["check", "--strict"]])
def test_a_full_disk_under_stdout(greet, endpoint, buffered: bool, command: list[str]) -> None:
    record(greet, endpoint)
    # Buffered, what is printed fails when the process ends.
    unbuffered = {} if buffered else {"PYTHONUNBUFFERED": "1"}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "promptopt", *command],
            cwd=greet.root,
            env={**{k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}, **unbuffered},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_secret_in_an_answer_is_not_recorded(greet, endpoint) -> None:
    endpoint.reply = lambda _: "use sk-proj-abcdefghijklmnopqrstuvwx"
    done = call(*COMPARE, **endpoint.environment)
    assert done.returncode == 3
    assert "holds what looks like an OpenAI or Anthropic key; it is not recorded" in done.stderr
    assert "sk-proj-abc" not in done.stderr
    assert not any(b"sk-proj" in content for content in files(greet).values())


def test_interrupted_a_run_keeps_what_was_answered_and_goes_on_from_there(greet, endpoint) -> None:
    held = threading.Event()

    def reply(body: dict[str, Any]) -> str:
        if len(endpoint.requests) > 3:
            held.wait(20)
        return "ok"

    endpoint.reply = reply
    process = subprocess.Popen(
        [sys.executable, "-m", "promptopt", *COMPARE, "-j", "2"],
        cwd=greet.root,
        env={**os.environ, **endpoint.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 30
    while len(endpoint.requests) < 5 and time.monotonic() < deadline:
        time.sleep(0.02)
    kept = [*answered(greet, "v1"), *answered(greet, "v2")]
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    held.set()
    assert (process.returncode, out) == (130, "")
    assert err.endswith("promptopt: interrupted; answers so far are kept, and the same command continues from there\n")
    assert "Traceback" not in err
    assert len(kept) == 3
    assert sorted([*answered(greet, "v1"), *answered(greet, "v2")]) == sorted(kept)
    assert len(endpoint.requests) == 5

    asked = {body["messages"][0]["content"] for body in endpoint.requests[:3]}
    endpoint.requests.clear()
    endpoint.reply = lambda _: "ok"
    done = call(*COMPARE, **endpoint.environment)
    assert done.returncode in (0, 1), done.stderr
    assert len(endpoint.requests) == 3
    assert not asked & {body["messages"][0]["content"] for body in endpoint.requests}
    assert answered(greet, "v1") == answered(greet, "v2") == NAMES


def test_a_run_above_its_limit_is_refused_before_any_call(greet, endpoint) -> None:
    said = refused(greet, *COMPARE, "--max-cost", "0.00000001", **endpoint.environment)
    assert "this run may cost more than --max-cost $" in said
    assert endpoint.requests == []


def test_an_import_is_all_or_nothing(greet) -> None:
    rows = [{"case": "ada", "output": "ok"}, {"case": "eve", "output": "ok"}]
    greet.write({"answers.jsonl": "\n".join(map(json.dumps, rows))})
    said = refused(
        greet, "recordings", "import", "answers.jsonl", "--prompt", "greet", "--suite", "greet", "--model", "m"
    )
    assert said.startswith("promptopt: answers.jsonl:2: the suite has no case 'eve'.")


def test_code_that_leaves_by_sys_exit_is_no_verdict(project) -> None:
    project.write({"promptfooconfig.yaml": LEAVES, "leave.py": "import sys\ndef get_var(*given): sys.exit(0)\n"})
    assert "sys.exit(0)" in refused(project, "compare", "-c", "promptfooconfig.yaml", "--record", "none")


LEAVES = """\
prompts: ["Say {{ x }}", "Say {{ x }} now"]
providers: [openai:gpt-4o-mini]
tests: [{vars: {x: "file://leave.py"}}]
"""


def test_a_reader_that_goes_away_is_told_nothing(project) -> None:
    command = [sys.executable, "-m", "promptopt", "formats", "suite"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
