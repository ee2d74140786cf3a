"""Packages that are broken, or that want a name that is taken: one message with the entry point and the package."""

import os
import re
import sys
from subprocess import run

import pytest

SUITE = "tests:\n- vars: {n: 1}\n  assert: [{type: %s, value: 2}]\n"
FILES = {
    "prompts/add/v1.j2": "---\nmodel: gpt-4o-mini\n---\n{{ n }} + 1 =",
    "prompts/add/v2.j2": '---\nmodel: "part:x"\n---\n{{ n }} + 1 =',
    "suites/add.yaml": SUITE % "part",
    "suites/plain.yaml": SUITE % "contains",
}
WRAP = """
import promptopt
from promptopt.testing import ScriptedProvider
try:
    promptopt.wrap(ScriptedProvider(["2"]), **{settings}).close()
except promptopt.PromptoptError as error:
    print(error)
"""
# How a part of each kind comes into use.
USES = {
    "scorer": ["-m", "promptopt", "compare", "add@v1"],
    "provider": ["-m", "promptopt", "compare", "add@v2", "--suite", "plain", "--record", "all"],
    "rule": ["-m", "promptopt", "check"],
    "layer": ["-c", WRAP.replace("{settings}", "{'layers': ['part'], 'store': 'memory'}")],
    "store": ["-c", WRAP.replace("{settings}", "{'store': 'part'}")],
}


@pytest.fixture
def use(project, tmp_path_factory):
    """Install packages, each with one entry point ``kind``, name, target; then use a part of a kind."""
    project.write(FILES)
    site = tmp_path_factory.mktemp("site")

    def use(kind, *packages, arguments=()):
        for package, version, name, target, code in packages:
            info = site / f"{package}-{version}.dist-info"
            info.mkdir()
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
            (info / "entry_points.txt").write_text(f"[promptopt.{kind}s]\n{name} = {package}:{target}\n")
            (site / f"{package}.py").write_text(code)
        path = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])
        return run(
            [sys.executable, *(arguments or USES[kind])],
            cwd=project.root,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return use


def said(done, code=2):
    """What went wrong; a process that used the command line ended with code 2."""
    assert "Traceback" not in done.stderr
    assert done.returncode == (0 if done.stdout else code), done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("kind", USES)
@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("import nowhere\n", "cannot be loaded: ModuleNotFoundError: No module named 'nowhere'"),
        ("import sys\nsys.exit('bye')\n", "cannot be loaded: SystemExit: bye"),
        ("", "cannot be loaded: AttributeError: module 'acme' has no attribute 'Part'"),
    ],
)
def test_a_part_that_cannot_be_loaded_is_named_with_its_package(use, kind, code, problem):
    done = use(kind, ("acme", "1.2", "part", "Part", code))
    assert f"the {kind} part (acme:Part) of acme 1.2 {problem}" in said(done)


PROVIDER = """
from promptopt.providers import ProviderBase
class Part(ProviderBase):
    def __init__(self, model, timeout_s):
        pass
"""
WRONG = [
    ("scorer", "Part = 7", "is not a scorer's factory: int cannot be called"),
    ("scorer", "def Part(): pass", "cannot be made for suites/add.yaml:3: TypeError: Part() takes 0 positional"),
    (
        "scorer",
        "def Part(assertion): return 7",
        "is not a scorer: int needs `reads_answer` (true or false)",
    ),
    ("scorer", "def Part(assertion): return print", "is not a scorer: builtin_function_or_method needs `reads_answer`"),
    ("scorer", "class Part:\n    options = 7", "cannot be made for suites/add.yaml:3: TypeError: "),
    ("provider", "Part = 7", "is not a provider: int cannot be called"),
    ("provider", "class Part: pass", "cannot be made for 'x': TypeError: Part() takes no arguments"),
    ("provider", "def Part(model, timeout_s): return 7", "is not a provider: int needs complete(request) and close()"),
    ("provider", PROVIDER, "is not a provider: Part needs complete(request) and close()"),
    ("rule", "Part = 7", "is not a rule: int needs code"),
    ("layer", "Part = 7", "cannot be made: TypeError: 'int' object is not callable"),
    ("layer", "def Part(parts): return 7", "is not a layer: int has no method handle"),
    ("layer", "def Part(parts): return parts.nothing", "cannot be made: AttributeError: 'GatewayParts' object has no"),
    ("store", "class Part: pass", "cannot be opened: TypeError: Part() takes no arguments"),
    (
        "store",
        "def Part(options): return 7",
        "is not a store: int has no method outage, cache, leases, budgets",
    ),
]


@pytest.mark.parametrize(("kind", "code", "problem"), WRONG)
def test_a_part_that_is_no_such_thing_is_named_with_its_package(use, kind, code, problem):
    done = use(kind, ("acme", "1.2", "part", "Part", code))
    assert f"the {kind} part (acme:Part) of acme 1.2 {problem}" in said(done)


def test_a_provider_that_cannot_say_whether_it_is_configured(use):
    code = f"{PROVIDER}\n    @classmethod\n    def is_configured(cls, model):\n        raise KeyError(model)\n"
    done = use("provider", ("acme", "1.2", "part", "Part", code), arguments=USES["provider"][:-2])
    assert "the provider part (acme:Part) of acme 1.2 cannot say whether 'x' is configured: KeyError: 'x'" in said(done)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("raise KeyError('choices')", "raised KeyError: 'choices'"),
        ("raise SystemExit(0)", "raised SystemExit: 0"),
        ("return 7", "7 is not a Response"),
    ],
)
def test_a_provider_that_breaks_its_promise_fails_the_call_and_not_the_run(use, body, problem):
    code = f"{PROVIDER}\n    def complete(self, request):\n        {body}\n"
    done = use("provider", ("acme", "1.2", "part", "Part", code))
    assert "the provider part (acme:Part) of acme 1.2 " in said(done, code=3)
    assert problem in done.stderr


def test_a_provider_that_breaks_its_promise_has_no_answer_for_a_question_of_promptopt_itself(use):
    code = f"{PROVIDER}\n    def complete(self, request):\n        return 7\n"
    arguments = ["-m", "promptopt", "structure", "add@v2", "--ask", "part:x"]
    done = use("provider", ("acme", "1.2", "part", "Part", code), arguments=arguments)
    problem = "the provider part (acme:Part) of acme 1.2 raised TypeError: 7 is not a Response"
    assert problem in said(done)


def test_what_a_scorer_returns_that_is_no_score_fails_the_assert(use, project):
    code = "class Part:\n    reads_answer = True\n    def __init__(self, assertion): pass\n"
    code += "    def __call__(self, subject): return True\n"
    script = """
from promptopt.scorers.base import make_check, Subject
from promptopt import Response
from promptopt.suites import Assertion
print(make_check(Assertion("part"), "s.yaml")(Subject("2", Response("m", "2"))).explanation)
"""
    done = use("scorer", ("acme", "1.2", "part", "Part", code), arguments=["-c", script])
    assert said(done) == "the scorer returned True, which is not a Score\n"


BUILT_IN = {"scorer": "contains", "provider": "openai", "rule": "PO104", "layer": "cache", "store": "memory"}


@pytest.mark.parametrize(("kind", "name"), BUILT_IN.items())
def test_a_package_does_not_replace_what_is_built_in(use, project, kind, name):
    project.write({"suites/add.yaml": SUITE % "contains"})
    script = WRAP.replace("{settings}", "{'store': 'memory'}")
    arguments = ["-c", script] if kind in ("layer", "store") else USES[kind]
    if kind == "provider":
        arguments = ["-m", "promptopt", "compare", "add@v1", "--record", "all"]
    text = said(use(kind, ("acme", "1.2", name, "Part", "Part = None\n"), arguments=arguments))
    assert f"the {kind} {name} is registered more than once, by " in text
    assert "acme 1.2 (acme:Part)" in text
    assert re.search(r"promptopt-llm \d\S+ \(promptopt\.\S+\)", text)


@pytest.mark.parametrize("kind", USES)
def test_two_packages_with_one_name_are_both_named(use, kind):
    done = use(kind, ("acme", "1.2", "part", "Part", ""), ("zenith", "3.0", "part", "Part", ""))
    text = said(done)
    assert f"the {kind} part is registered more than once, by " in text
    assert "acme 1.2 (acme:Part)" in text
    assert "zenith 3.0 (zenith:Part)" in text


def test_a_name_that_is_taken_twice_matters_only_if_it_is_used(use, project):
    project.write({"suites/add.yaml": SUITE % "contains"})
    packages = [(name, "1.0", "part", "Part", "") for name in ("acme", "zenith")]
    done = use("scorer", *packages, arguments=["-m", "promptopt", "compare", "add@v1"])
    assert "no recorded answer" in done.stderr


OPTIONS = """
class Part:
    def __init__(self, parts):
        options = parts.options("part")
        unknown = options.keys() - {"word"}
        if unknown:
            raise ValueError(f"unknown key {min(unknown)!r}")
        self.word = options.get("word", "nothing")
    def handle(self, call, inner):
        print(self.word)
        return (yield from inner(call))
"""
ASK = """
import promptopt
from promptopt.testing import ScriptedProvider
request = promptopt.Request("gpt-4o", (promptopt.Message("user", "Say hello."),))
try:
    with_layer = promptopt.wrap(ScriptedProvider(["2"]), layers=["part"], store="memory", **SETTINGS)
    with_layer.complete(request)
except promptopt.PromptoptError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("table", "settings", "printed"),
    [
        ("", "{}", "nothing\n"),
        ('[tool.promptopt.gateway.part]\nword = "file"\n', "{}", "file\n"),
        ('[tool.promptopt.gateway.part]\nword = "file"\n', "{'part': {'word': 'argument'}}", "argument\n"),
        ('[tool.promptopt.gateway.part]\nwort = "file"\n', "{}", "[tool.promptopt.gateway.part]: unknown key 'wort'\n"),
        ("", "{'part': 7}", "part = 7 is not a table of the layer's settings\n"),
        ("", "{'parts': {}}", "unknown setting 'parts'. Did you mean 'part' "),
    ],
)
def test_a_layer_of_another_package_has_a_table_of_its_own(use, project, table, settings, printed):
    project.write({"pyproject.toml": f"[tool.promptopt]\n{table}"})
    script = ASK.replace("SETTINGS", settings)
    done = use("layer", ("acme", "1.2", "part", "Part", OPTIONS), arguments=["-c", script])
    assert said(done).startswith(printed)


def test_a_table_of_no_known_layer_is_an_error_with_its_line(use, project):
    project.write({"pyproject.toml": "[tool.promptopt]\n\n[tool.promptopt.gateway.port]\nword = 1\n"})
    done = use("layer", ("acme", "1.2", "part", "Part", OPTIONS), arguments=["-c", ASK.replace("SETTINGS", "{}")])
    assert "pyproject.toml:3: [tool.promptopt.gateway]: unknown setting 'port'. Did you mean 'part'" in said(done)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cache", "layers: 'cache' is built in; its place is fixed, and its own setting switches it on"),
        ("queue", "the layer queue (acme:Part) of acme 1.2 is named like a setting of the gateway"),
    ],
)
def test_a_layer_is_not_named_like_something_of_the_gateway(use, name, message):
    script = WRAP.replace("{settings}", f"{{'layers': ['{name}'], 'store': 'memory'}}")
    package = ("acme", "1.2", "queue", "Part", OPTIONS)
    assert message in said(use("layer", package, arguments=["-c", script]))
