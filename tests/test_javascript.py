"""JavaScript of suites: what goes in and comes out, what is refused, and what a run may use."""

import json
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptopt import javascript
from promptopt.javascript import JavaScriptError, function_body, run_code, run_file

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def run(code: str, **names: object) -> object:
    return run_code(code, {"output": "Paris, France", **names})


def failure(code: str) -> str:
    with pytest.raises(JavaScriptError) as error:
        run(code)
    return str(error.value)


@pytest.mark.parametrize(
    ("code", "result"),
    [
        ("output.length", 13),
        ("  output.includes('Paris');; ", True),
        ("const parts = output.split(','); parts.length", 2),
        ("let text = 'a;b'; text === 'a;b'", True),
        ("var text = 'it\\'s; fine'; text.length", 10),
        ("const word = output\nreturn word.slice(0, 5)", "Paris"),
        (
            "if (output) {\n  return { pass: true, score: 0.5, reason: 'half' };\n}",
            {"pass": True, "score": 0.5, "reason": "half"},
        ),
        ("undefined", None),
        ("(async () => { await null; return output.length > 3 })()", True),
        ("new Promise((done) => setTimeout(() => done('late'), 3600000))", "late"),
        ("console.log('seen') || [1, 'two']", [1, "two"]),
        ("output; // and a comment", "Paris, France"),
    ],
)
def test_an_expression_or_a_body_gives_its_value(code: str, result: object) -> None:
    assert run(code) == result


@given(JSON)
def test_values_go_in_and_come_out_unchanged(value: object) -> None:
    assert run_code("given", {"given": value}) == json.loads(json.dumps(value))


def test_nothing_of_one_run_is_left_for_the_next() -> None:
    assert run("(globalThis.seen = (globalThis.seen || 0) + 1)") == 1
    assert run("(String.prototype.trim = () => 'changed', 1)") == 1
    assert run("globalThis.seen === undefined && ' a '.trim() === 'a' && (globalThis.seen = 1)") == 1


@pytest.mark.parametrize(
    "code",
    [
        "(left = 1, 1)",
        "(JSON.parse = () => 'mine', 1)",
        "(Object.assign(Math, { max: () => 7 }), 1)",
        "const m = Math\nm.max = () => 7\nreturn 1",
        "const m = Math\nm['max'] = () => 7\nreturn 1",
        "const name = 'assign'\nObject[name](Math, { max: () => 7 })\nreturn 1",
        "[Math.max] = [() => 7]\nreturn 1",
        "({ a: Math.max } = { a: () => 7 }, 1)",
        "(parseInt = () => 7, 1)",
        "(delete Math.max, 1)",
        "let a = 1, b = (parseInt = () => 7)\nreturn 1",
        "const { max } = Math\nMath.max++\nreturn 1",
        "for (Math.max of [7]) {}\nreturn 1",
        "(Array.prototype.includes = () => false, 1)",
        "([].constructor.from = null, 1)",
        "(setTimeout(() => { Math.max = null }), 1)",
        "(process.env.left = 1, 1)",
        "Object.defineProperty(Math, 'max', { value: 7 }) && 1",
    ],
)
def test_whatever_code_changes_is_as_it_was_in_the_next_run(code: str) -> None:
    probe = (
        "[typeof left, Math.max(1, 2), parseInt('3'), JSON.parse('4'), [5].includes(5), Array.from([6]).length,"
        " process.env.left === undefined]"
    )
    clean = ["undefined", 2, 3, 4, True, 1, True]
    assert run(probe.replace("process.env.left === undefined", "true")) == clean
    assert run(code) == 1
    assert run(probe) == clean
    assert run(probe.replace("process.env.left === undefined", "true")) == clean


def test_code_that_fails_or_runs_away_leaves_the_next_run_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(javascript, "TIME_LIMIT_S", 0.2)
    for code in ("missing.x", "'x'.repeat(1e9)", "/^(a+)+$/.test('a'.repeat(50) + 'b')"):
        failure(code)
        assert run("output.length") == 13


def test_threads_run_code_beside_each_other() -> None:
    found: list[object] = []
    code = "const words = output.split(' ')\nreturn words.length"
    threads = [Thread(target=lambda: found.extend(run(code) for _ in range(50))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [2] * 200


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("missing.length", "line 1: ReferenceError: missing is not defined"),
        ("const a = 1\n\nreturn missing", "line 3: ReferenceError"),
        ("const a = 1\nconst b = ;\nreturn a", "line 2: SyntaxError"),
        ("JSON.parse(output)", "SyntaxError"),
        ("(async () => { throw new TypeError('later') })()", "TypeError: later"),
        ("() => 1", "returned a function"),
        ("10n", "returned a bigint"),
        ("const o = {}; o.o = o; o", "circular"),
        ("new Promise(() => 0)", "never settled"),
        ("\nthrow { code: 7 }", '{"code":7}'),
    ],
)
def test_an_error_says_what_and_where(code: str, message: str) -> None:
    assert message in failure(code)


@pytest.mark.parametrize(
    "code", ["require('fs')", "process.mainModule.require('fs')", "import('fs')", "fetch('http://a.test')"]
)
def test_the_outside_world_is_refused_with_a_remedy(code: str) -> None:
    assert "without Node, files and network" in failure(code)


@pytest.mark.parametrize(
    "code",
    [
        "\nwhile (true) {}",
        "\nfor (;;) { try { while (true) {} } catch {} }",
        "/^(a+)+$/.test('a'.repeat(50) + 'b')",
        "(async () => { while (true) await null })()",
        "\nconst again = () => setTimeout(again); again(); return new Promise(() => 0)",
    ],
)
def test_time_is_limited(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(javascript, "TIME_LIMIT_S", 0.2)
    assert "ran longer than 0.2 s" in failure(code)


@pytest.mark.parametrize(
    "code",
    [
        "'x'.repeat(1e9).length",
        "\nlet text = 'x'; while (true) text += text",
        "\nconst kept = []; while (true) kept.push(new Array(1000).fill(1))",
        "new Uint8Array(2 ** 29).length",
    ],
)
def test_memory_is_limited(code: str) -> None:
    assert "needs more than 128 MB" in failure(code)


@pytest.mark.parametrize(
    "code", ["const f = () => f() + 1; f()", "JSON.parse('['.repeat(1e6))", "eval('('.repeat(1e5))"]
)
def test_depth_is_limited_in_threads_too(code: str) -> None:
    seen: list[str] = []
    thread = Thread(target=lambda: seen.append(failure(code)))
    thread.start()
    thread.join()
    assert seen


FILES = {
    "one.js": "module.exports = (output) => output.length;\n",
    "many.cjs": "exports.short = async (output) => output.length < 20;\nexports.long = () => false;\n",
    "new.js": "// A check.\nexport default function (output, context) {\n  return context.vars.city;\n}\n",
    "named.mjs": "export const city = (output) => output.slice(0, 5);\n",
    "object.js": "export default { city: (output) => output.slice(7) };\n",
    "shell.js": "#!/usr/bin/env node\nexports.default = () => 3;\n",
    "bad.js": "module.exports = (output) => {\n  return output.missing.length;\n};\n",
    "top.mjs": "export const a = 1;\nthrow new Error('at once');\n",
    "broken.js": "export default (output) => ;\n",
    "node.js": "const fs = require('fs');\nmodule.exports = () => true;\n",
    "import.mjs": "import fs from 'node:fs';\nexport default () => true;\n",
    "nothing.js": "const a = 1;\n",
    "typed.ts": "export default (output: string) => true;\n",
    "bytes.js": "module.exports = () => 'caf\udce9'",
    "loop.js": "module.exports = () => { for (;;) {} };",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8", errors="surrogateescape")
    return tmp_path


@pytest.mark.parametrize(
    ("file", "name", "result"),
    [
        ("one.js", None, 13),
        ("many.cjs", "short", True),
        ("many.cjs", "long", False),
        ("new.js", None, "Paris"),
        ("named.mjs", "city", "Paris"),
        ("object.js", "city", "France"),
        ("shell.js", None, 3),
    ],
)
def test_a_file_exports_its_functions(folder: Path, file: str, name: str | None, result: object) -> None:
    assert run_file(folder / file, name, ["Paris, France", {"vars": {"city": "Paris"}}]) == result


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("bad.js", "bad.js:2: TypeError"),
        ("top.mjs", "top.mjs:2: Error: at once"),
        ("broken.js", "broken.js:1: SyntaxError"),
        ("node.js", 'node.js:1: Error: require("fs"): JavaScript is run without Node'),
        ("import.mjs", "import.mjs: import 'node:fs': JavaScript is run without Node"),
        ("nothing.js", "nothing.js: Error: exports no function; it exports nothing"),
        ("typed.ts", "typed.ts is not JavaScript (.js, .cjs, .mjs); compile TypeScript first"),
        ("absent.js", "absent.js cannot be read: No such file"),
    ],
)
def test_an_error_of_a_file_names_it(folder: Path, file: str, message: str) -> None:
    with pytest.raises(JavaScriptError) as error:
        run_file(folder / file, None, ["", {}])
    assert message in str(error.value)


def test_the_limit_of_time_names_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(javascript, "TIME_LIMIT_S", 0.2)
    with pytest.raises(JavaScriptError, match=r"loop\.js: ran longer than 0\.2 s"):
        run_file(folder / "loop.js", None, [])


def test_without_the_package_the_message_names_the_extra() -> None:
    code = "import sys; sys.modules['quickjs'] = None\nfrom promptopt.javascript import run_code\nrun_code('1', {})\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "MissingExtra" in done.stderr
    assert "pip install 'promptopt-llm[js]'" in done.stderr


def test_a_line_that_returns_is_one_expression() -> None:
    assert function_body("output === 'a'") == "return output === 'a'"
    assert function_body("const a = 1; ") == "const a = 1"


def test_a_file_begins_anew_with_each_answer(folder: Path) -> None:
    for name, text in {
        "count.js": "let seen = 0;\nmodule.exports = () => { seen += 1; return seen; };\n",
        "list.js": "const seen = [];\nmodule.exports = (output) => { seen.push(output); return seen.length; };\n",
        "new.mjs": "let seen = 0;\nexport default () => ++seen;\n",
    }.items():
        (folder / name).write_text(text)
        assert [run_file(folder / name, None, ["a", {}]) for _ in range(3)] == [1, 1, 1]
