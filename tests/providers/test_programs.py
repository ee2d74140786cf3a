"""Programs and endpoints of the user's own in a model's place: what they are told, and what they may do wrong."""

import json
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from promptopt import compare
from promptopt.errors import ConfigError, ProviderError, ProviderUnusable
from promptopt.providers import is_configured, is_free, make_provider
from promptopt.providers.program import read_answer, usage_of
from promptopt.values import Message, Origin, Request, ToolCall, Usage

ASK = Request("app", (Message("user", "1+1"),), origin=Origin("q", "v1", "sum", variables={"question": "1+1"}))
APP = '[tool.promptopt.providers.app]\ntype = "python"\nfunction = "file://app.py:answer"\n'
SUITE = """
- {description: sum, vars: {question: "1+1"}, assert: [{type: contains, value: "2"}]}
- {description: boom, vars: {question: "boom"}, assert: [{type: contains, value: "2"}]}
"""


def asked(project, code: str, table: str = APP, timeout_s: float = 5, request: Request = ASK):
    project.write({"pyproject.toml": table, "app.py": code})
    provider = make_provider(request.model, timeout_s)
    try:
        return provider.complete(request)
    finally:
        provider.close()


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("def answer(question): return question", "1+1"),
        ("def answer(variables, prompt): return variables['question'] + prompt", "1+11+1"),
        ("def answer(request): return request.messages[0].content", "1+1"),
        ("def answer(messages, other='x'): return messages[0]['role'] + other", "userx"),
        ("async def answer(prompt): return prompt", "1+1"),
        ("def answer(prompt, /): return prompt", "1+1"),
        ("def answer(prompt, options, context): return {'output': context['vars']}", '{"question": "1+1"}'),
        ("from promptopt import Response\ndef answer(): return Response('mine', 'two')", "two"),
        ("class App:\n    def __call__(self, prompt): return prompt\nanswer = App()", "1+1"),
    ],
)
def test_a_function_gets_what_its_parameters_are_named_after(project, code: str, text: str) -> None:
    response = asked(project, code)
    assert response.text == text
    assert response.duration_s is not None


def test_the_place_of_an_error_is_in_the_program_and_not_in_the_library_that_it_called(project) -> None:
    with pytest.raises(ProviderError, match=r"raised JSONDecodeError at app\.py:3: Expecting value"):
        asked(project, "import json\ndef answer():\n    return json.loads('no')")
    with pytest.raises(ProviderError, match=r"raised TypeError at app\.py:3: its text is None, not a text"):
        asked(project, "from promptopt import Response\ndef answer():\n    return Response('mine', None)")


def test_a_file_may_hold_a_dataclass_and_import_its_neighbour(project) -> None:
    project.write({"helper_of_app.py": "WORD = 'two'"})
    code = """
        from __future__ import annotations
        from dataclasses import dataclass
        import helper_of_app
        @dataclass
        class Found:
            text: str
        def answer(): return Found(helper_of_app.WORD).text
    """
    assert asked(project, "\n".join(line[8:] for line in code.splitlines())).text == "two"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise KeyError('no such order')", r"raised KeyError at app\.py:1: 'no such order'"),
        ("import sys; sys.exit(3)", r"raised SystemExit at app\.py:1: 3"),
        ("return 7", r"returned no answer: 7 \(int\) is not a text, a dict or a Response"),
        ("return {'txt': 'x'}", "a dict with 'txt' has none of text, output, tool_calls"),
        ("return {'error': 'no money'}", "its error is 'no money'"),
        ("return {'text': 'x', 'usage': {'input_tokens': -1}}", "has no counts of tokens"),
        ("return {'tool_calls': [{'id': 'c'}]}", "its tool call 1 is .* which has no name"),
        ("import time; time.sleep(5)", r"did not return within 0\.2 s"),
    ],
)
@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_function_that_fails_is_one_failed_call(project, kind: str, body: str, message: str) -> None:
    if "sleep" in body and kind != "def":
        body = "import asyncio; await asyncio.sleep(5)"
    with pytest.raises(ProviderError, match=message) as raised:
        asked(project, f"{kind} answer(): {body}", timeout_s=0.2)
    assert not isinstance(raised.value, ProviderUnusable)
    assert "app (file://app.py:answer)" in str(raised.value)


UNSHOWABLE = "class E(Exception):\n    def __str__(self): raise RuntimeError('no')\n"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (UNSHOWABLE + "def answer(): raise E()", r"raised E at app\.py:3: it cannot be shown as a text"),
        (UNSHOWABLE + "async def answer(): raise E()", r"raised E at app\.py:3: it cannot be shown as a text"),
        ("import asyncio\nasync def answer(): raise asyncio.CancelledError()", "cancelled itself"),
        ("def answer(): return 'x' * 10_000_001", "its text has 10,000,001 characters"),
        ("def answer(): return {'output': ['x' * 10_000_001]}", "its text has 10,000,005 characters"),
        ("def answer(): return {'output': {1.5, 2.5}}", r"its output \{.* is not JSON: .*set is not JSON serializable"),
        ("def answer(): return {'output': {'share': float('nan')}}", "its output .* is not JSON: .*not JSON compliant"),
        ("def answer(): return (x for x in 'ab')", r"<generator object answer\.<locals>\.<genexpr>> \(generator\)"),
    ],
)
def test_what_a_program_does_worse_is_one_failed_call_too(project, code: str, message: str) -> None:
    with pytest.raises(ProviderError, match=message):
        asked(project, code, timeout_s=5)


def test_nothing_that_a_program_writes_comes_into_the_report(project) -> None:
    project.write({
        "pyproject.toml": APP,
        "app.py": """
import os, subprocess, sys, threading
def answer(question):
    print("by print")
    os.write(1, b"by the file\\n")
    sys.stdout.buffer.write(b"by the buffer\\n")
    subprocess.run(["echo", "by a process"])
    other = threading.Thread(target=print, args=("by a thread",))
    other.start()
    other.join()
    return "2"
""",
        "prompts/q.j2": "{{ question }}",
        "suites/q.yaml": SUITE,
    })  # fmt: skip
    done = project.run("compare", "q", "--model", "app", "--record", "all", "--json")
    assert json.loads(done.stdout)["variants"][0]["trials"] == 2
    for way in ("print", "the file", "the buffer", "a process", "a thread"):
        assert f"by {way}" in done.stderr


def test_a_program_that_closes_its_output_leaves_the_report_its_own(project) -> None:
    code = "import sys\ndef answer(question):\n    sys.stdout.close()\n    return 'two'"
    suite = '- {description: sum, vars: {question: "1+1"}, assert: [{type: equals, value: two}]}'
    files = {"pyproject.toml": APP, "app.py": code, "prompts/q.j2": "{{ question }}", "suites/q.yaml": suite}
    project.write(files)
    done = project.run("compare", "q", "--model", "app")
    assert done.returncode == 0, done.stderr
    assert "100.0%" in done.stdout


def test_an_unknown_parameter_names_what_there_is(project) -> None:
    with pytest.raises(ProviderError, match=r"has a parameter 'quetsion'.*of the case's variables: question"):
        asked(project, "def answer(quetsion): return ''")


def test_a_run_goes_on_after_a_fault_and_prints_stay_out_of_the_report(project) -> None:
    code = "def answer(question):\n    print('looking', question)\n    return {'1+1': '2'}[question]"
    files = {"pyproject.toml": APP, "app.py": code, "prompts/q.j2": "{{ question }}", "suites/q.yaml": SUITE}
    project.write(files)
    done = project.run("compare", "q", "--model", "app")
    assert "looking" not in done.stdout
    assert done.stderr.count("printed 'looking") == 1
    assert "in case 'sum'" in done.stderr or "in case 'boom'" in done.stderr
    assert "1 x app (file://app.py:answer) raised KeyError at app.py:3: 'boom' (boom)" in done.stdout


def test_recorded_answers_replay_until_the_program_or_the_variables_change(project) -> None:
    suite = '- {description: sum, vars: {question: "1+1", hidden: a}, assert: [{type: contains, value: "2"}]}'
    files = {"pyproject.toml": APP, "prompts/q.j2": "{{ question }}", "suites/q.yaml": suite}
    project.write({**files, "app.py": "def answer(question):\n    return '2'\n"})
    assert project.run("compare", "q", "--model", "app").returncode == 0
    # As git checks it out on Windows.
    (project.root / "app.py").write_bytes(b"def answer(question):\r\n    return '2'\r\n")
    assert "1 replayed" in project.run("compare", "q", "--model", "app", "--record", "none").stdout
    project.write({"suites/q.yaml": suite.replace("hidden: a", "hidden: b")})
    stale = project.run("compare", "q", "--model", "app", "--record", "none")
    assert stale.returncode == 2
    assert "the case's variables" in stale.stderr
    project.write({"suites/q.yaml": suite, "app.py": "def answer(question): return '1 + 1 = 2'"})
    stale = project.run("compare", "q", "--model", "app", "--record", "none")
    assert "the program that answers" in stale.stderr


@pytest.mark.parametrize(
    ("table", "line", "message"),
    [
        ('type = "pyhton"', 2, r"unknown type 'pyhton' .*Did you mean 'python'"),
        ('type = "python"\nfuntion = "a.b"', 3, r"unknown key 'funtion' .*Did you mean 'function'"),
        ('type = "python"', 2, "has no function"),
        ('function = "app.answer"', 1, r"\[tool\.promptopt\.providers\.app\] has no type"),
        ('type = "python"\nfunction = "file://none.py:f"', 3, r"the file .*none\.py' does not exist"),
        ('type = "http"\nurl = "localhost:80"', 3, "url = 'localhost:80' .* is not an address"),
        ('type = "http"\nurl = "http://h/"\nresponse = {text = "answer"}', 4, "is not JSON pointers by name"),
        ('type = "openai"\nbase_url = "http://h/"\ntimeout = -1', 4, "timeout = -1 .* is not a number of seconds"),
        ('type = "exec"\ncommand = "\'"', 3, "is not a command"),
        ('type = "local"', 2, "unknown type 'local'"),
    ],
)
def test_a_wrong_table_is_one_message_with_its_line(project, table: str, line: int, message: str) -> None:
    project.write({"pyproject.toml": f"[tool.promptopt.providers.app]\n{table}\n"})
    with pytest.raises(ConfigError, match=message) as raised:
        make_provider("app")
    assert raised.value.line == line


def test_a_program_without_a_price_is_unpriced_and_one_with_a_price_is_priced(project) -> None:
    code = "def answer(question): return {'text': '2', 'usage': {'input_tokens': 10, 'output_tokens': 5}}"
    project.write({"pyproject.toml": APP, "app.py": code, "prompts/q.j2": "{{ question }}", "suites/q.yaml": SUITE})
    assert not is_free("app")
    assert compare("q", model="app").variants[0].incurred_usd is None
    project.write({"pyproject.toml": f"{APP}prices = {{input_mtok = 1.0, output_mtok = 4.0}}\n"})
    assert compare("q", model="app", record="all").variants[0].incurred_usd == pytest.approx(0.00006)
    project.write({"pyproject.toml": f"{APP}free = true\n"})
    assert is_free("app")


def test_a_program_that_is_free_costs_nothing_and_two_of_them_the_same(project) -> None:
    code = "def answer(prompt): return {'text': prompt, 'usage': {'input_tokens': len(prompt), 'output_tokens': 5}}"
    prompts = {"prompts/q/v1.j2": "{{ question }}", "prompts/q/v2.j2": "Q: {{ question }}"}
    project.write({"pyproject.toml": f"{APP}free = true\n", "app.py": code, "suites/q.yaml": SUITE, **prompts})
    done = project.run("compare", "q@v1", "q@v2", "--model", "app", "--record", "missing")
    assert "prices: app, free (free = true in [tool.promptopt.providers.app])" in done.stdout
    assert "cost +$0.0000 per 1,000 calls: the same within 2%" in done.stdout
    assert "unpriced" not in done.stdout


def test_a_count_that_no_call_can_have_is_no_count() -> None:
    for said in (Usage(input_tokens=10**30), {"input_tokens": 10**30, "output_tokens": 1}):
        with pytest.raises(ValueError, match="has more tokens than a call can have"):
            usage_of(said)


EXEC = '[tool.promptopt.providers.app]\ntype = "exec"\ncommand = ["./answer.sh"]\n'


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("echo two", "two"),
        ('cat >/dev/null; echo \'{"text": "two"}\'', "two"),
        ('echo \'{"label": "billing"}\'', '{"label": "billing"}'),
        ('python3 -c \'import json,sys; print(json.load(sys.stdin)["variables"]["question"])\'', "1+1"),
    ],
)
def test_a_command_prints_the_answer(project, script: str, text: str) -> None:
    project.write({"answer.sh": f"#!/bin/sh\n{script}\n"})
    (project.root / "answer.sh").chmod(0o755)
    assert asked(project, "", EXEC).text == text
    assert is_configured("app")
    provider = make_provider("exec:./answer.sh", 5)
    assert provider.complete(ASK).text == text


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo 'no such order' >&2; exit 3", r"\./answer\.sh ended with exit code 3: no such order"),
        ("kill -9 $$", "was killed by signal 9"),
        ("sleep 5", r"did not end within 0\.5 s"),
        ("sleep 5 & wait", r"did not end within 0\.5 s"),
        ("head -c 11000000 /dev/zero", "printed more than 10,000,000 bytes"),
        ("yes", "printed more than 10,000,000 bytes"),
        ("printf '\\377'", "is not UTF-8"),
        ("printf '\\033[31mred\\033[0m\\n' >&2; exit 1", "exit code 1: red$"),
        ("sleep 5 & echo two", "ended, but what it has started keeps its output open"),
        ("exec >&- 2>&-; sleep 5", r"did not end within 0\.5 s"),
        ('echo \'{"error": "broke"}\'', "its error is 'broke'"),
    ],
)
def test_a_command_that_fails_is_one_failed_call(project, script: str, message: str) -> None:
    project.write({"answer.sh": f"#!/bin/sh\n{script}\n"})
    (project.root / "answer.sh").chmod(0o755)
    started = time.monotonic()
    with pytest.raises(ProviderError, match=message):
        asked(project, "", EXEC, timeout_s=0.5)
    assert time.monotonic() - started < 4


def test_a_command_need_not_read_what_it_is_asked(project) -> None:
    project.write({"answer.sh": "#!/bin/sh\nexec <&-\necho two\nyes warning | head -c 300000 >&2\n"})
    (project.root / "answer.sh").chmod(0o755)
    large = Request("app", (Message("user", "x" * 3_000_000),))
    assert asked(project, "", EXEC, request=large).text == "two"


def test_a_command_that_is_not_there_ends_the_run(project) -> None:
    with pytest.raises(ProviderUnusable, match=r"there is no program '\./answer\.sh'"):
        asked(project, "", EXEC)


@pytest.fixture
def served():
    """An endpoint that answers with what ``reply`` has: status, headers, body."""
    seen: list[tuple[dict[str, str], str]] = []

    class Handler(BaseHTTPRequestHandler):
        reply = (200, {"content-type": "application/json"}, b"{}")

        def do_POST(self) -> None:
            seen.append((dict(self.headers), self.rfile.read(int(self.headers["content-length"])).decode()))
            status, headers, body = Handler.reply
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(body)
            except OSError:
                pass  # the client has read enough

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/answer", Handler, seen
    server.shutdown()
    server.server_close()


def http_table(url: str, more: str = "") -> str:
    return f"""
[tool.promptopt.providers.app]
type = "http"
url = "{url}"
response = {{ text = "/data/0/answer", usage = "/usage", tool_calls = "/calls" }}
{more}
"""


def test_an_endpoint_gets_the_body_and_is_read_by_pointers(project, served, monkeypatch: pytest.MonkeyPatch) -> None:
    url, handler, seen = served
    monkeypatch.setenv("DESK_TOKEN", "t0ken")
    usage = {"input_tokens": 5, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 0, "output_tokens": 3}
    answer = {"data": [{"answer": "two"}], "usage": usage, "calls": [{"name": "look", "args": {"id": 7}}]}
    handler.reply = (200, {"content-type": "application/json"}, json.dumps(answer).encode())
    body = 'body = {q = "{{ question }}!", all = "{{ messages }}", n = 3}'
    more = 'headers = {Authorization = "Token ${DESK_TOKEN}"}\n' + body
    response = asked(project, "", http_table(url, more))
    assert response.text == "two"
    assert response.usage == Usage(105, 100, 0, 3)
    assert response.tool_calls == (ToolCall("call_1", "look", '{"id": 7}'),)
    ((headers, sent),) = seen
    assert headers["authorization" if "authorization" in headers else "Authorization"] == "Token t0ken"
    assert json.loads(sent) == {"q": "1+1!", "all": [{"role": "user", "content": "1+1"}], "n": 3}


@pytest.mark.parametrize(
    ("status", "headers", "body", "message", "ends"),
    [
        (
            200,
            {"content-type": "text/html"},
            b"<html><title>Sign in</title></html>",
            r"it is HTML \('Sign in'\)",
            False,
        ),
        (500, {}, b'{"error": {"message": "broke"}}', r"answered 500: 'broke'", False),
        (502, {}, b"<html><title>Bad Gateway</title>", r"answered 502: 'Bad Gateway'", False),
        (200, {}, '{"data": [{"answer": "né"}]}'.encode("latin-1"), "it is not UTF-8: give its `charset`", False),
        (302, {"location": "/login?token=t0ken"}, b"", "a redirect to /login, which", True),
        (302, {"location": "/login"}, b"", "answered 302, a redirect to /login, which is not followed", True),
        (401, {}, b"{}", "answered 401: .*Check the key", True),
        (404, {}, b"", "answered 404: nothing. Check its url", True),
        (200, {}, b"{oops", "it is not JSON: '{oops'", False),
        (200, {}, b"", "it is not JSON: nothing", False),
        (200, {}, b'{"data": []}', "nothing is at its '/data/0/answer'", False),
        (200, {}, b'"' + b"x" * 20_000_000 + b'"', "answered with more than 10,000,000 bytes", False),
    ],
)
def test_an_endpoint_that_answers_something_else_is_one_clear_message(
    project, served, status, headers, body, message, ends
) -> None:
    url, handler, seen = served
    handler.reply = (status, {"content-type": "application/json", **headers}, body)
    with pytest.raises(ProviderError, match=message) as raised:
        asked(project, "", http_table(url))
    assert isinstance(raised.value, ProviderUnusable) == ends
    assert len(str(raised.value)) < 300
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        ("text/plain", b"42", "42"),
        ("text/plain", b'["a"]', '["a"]'),
        ("text/plain", b'{"text": "keys"}', "keys"),
        ("text/plain; charset=latin-1", "né".encode("latin-1"), "né"),
        ("application/json; charset=ISO-8859-1", '{"text": "né"}'.encode("latin-1"), "né"),
        ("application/json; charset=latin-1", '{"text": "né"}'.encode(), "né"),
        ("application/json; charset=klingon", '{"text": "né"}'.encode(), "né"),
    ],
)
def test_an_endpoint_may_answer_with_a_plain_text_in_the_characters_that_it_names(
    project, served, kind: str, body: bytes, text: str
) -> None:
    url, handler, _ = served
    handler.reply = (200, {"content-type": kind}, body)
    table = f'[tool.promptopt.providers.app]\ntype = "http"\nurl = "{url}"\n'
    assert asked(project, "", table).text == text


SPOKEN = 'a "b"\n\\c", "n": 4, "z": "'


@pytest.mark.parametrize(
    ("body", "said", "sent"),
    [
        ('{"q": "{{ question }}!", "n": 3}', SPOKEN, {"q": f"{SPOKEN}!", "n": 3}),
        ('{"q": {{ question | tojson }}}', SPOKEN, {"q": SPOKEN}),
        ('{"q": "{{ (question | tojson)[1:-1] }}"}', SPOKEN, {"q": SPOKEN}),
        ('{"{{ question }}": ["{{ question }}"]}', "plain", {"plain": ["plain"]}),
        ('{"q": "{{ question }}"}', "7", {"q": "7"}),
    ],
)
def test_a_value_stays_the_text_that_a_body_of_json_puts_it_into(project, served, body: str, said: str, sent) -> None:
    url, handler, seen = served
    handler.reply = (200, {"content-type": "application/json"}, b'{"data": [{"answer": "two"}]}')
    request = replace(ASK, origin=Origin("q", "v1", "sum", variables={"question": said}))
    asked(project, "", http_table(url, f"body = {json.dumps(body)}"), request=request)
    assert json.loads(seen[0][1]) == sent


def test_a_body_that_names_what_is_not_there_says_so(project, served) -> None:
    with pytest.raises(ProviderError, match="makes no JSON of this request: 'quetsion' is undefined"):
        asked(project, "", http_table(served[0], 'body = {q = "{{ quetsion }}"}'))


def test_a_variable_of_a_header_that_is_not_set_is_named(project) -> None:
    table = http_table("http://127.0.0.1:1/", 'headers = {X-Key = "${DESK_TOKEN}"}')
    with pytest.raises(ProviderUnusable, match=r"pyproject\.toml:6: the provider 'app' .* DESK_TOKEN is not set"):
        asked(project, "", table)
    assert not is_configured("app")


def openai_names(total: int, cached: int, **more: int) -> dict[str, object]:
    details = {"cached_tokens": cached}
    return {"prompt_tokens": total, "completion_tokens": 2, "prompt_tokens_details": details, **more}


GOOGLE = {"promptTokenCount": 9, "cachedContentTokenCount": 4, "candidatesTokenCount": 2, "thoughtsTokenCount": 5}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (openai_names(10, 4), Usage(10, 4, 0, 2)),
        # Of gateways that count cached tokens beside the input under OpenAI's names.
        (openai_names(9, 4, total_tokens=15), Usage(13, 4, 0, 2)),
        (openai_names(3, 4), Usage(7, 4, 0, 2)),
        ({"input_tokens": 3, "cache_read_input_tokens": 4, "output_tokens": 2}, Usage(7, 4, 0, 2)),
        (GOOGLE, Usage(9, 4, 0, 7, 5)),
        ({"prompt": 9, "completion": 2, "cached": 4, "total": 11}, Usage(9, 4, 0, 2)),
        ({"input_tokens": 9, "cache_read_tokens": 4, "output_tokens": 2}, Usage(9, 4, 0, 2)),
        ({}, None),
    ],
)
def test_usage_is_read_in_every_dialect(said, expected) -> None:
    assert usage_of(said) == expected
    assert read_answer({"text": "x", "usage": said}, "m").usage == expected
