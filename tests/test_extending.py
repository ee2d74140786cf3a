"""The packages of docs/extending.md are installed from the page, run their own tests, and are found by name."""

import ast
import contextlib
import json
import os
import re
import subprocess
import sys
import textwrap
from importlib import import_module
from importlib.metadata import distribution
from pathlib import Path

import pytest

import promptopt
from promptopt import testing

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^`([\w./-]+)`\n\n```\w+\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
PACKAGES = sorted({name.split("/")[0] for name in FILES})


def run(folder, site, *arguments):
    path = os.pathsep.join([str(site), str(Path(promptopt.__file__).parent.parent)])
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The packages as the page writes them."""
    folder = tmp_path_factory.mktemp("packages")
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def site(folder):
    """All packages of the page, installed with their entry points into a folder of their own."""
    site = folder / "site"
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    done = run(
        folder, site, "-m", "pip", "install", *options, "--target", str(site), *(f"./{name}" for name in PACKAGES)
    )
    assert done.returncode == 0, done.stderr
    return site


def test_the_page_has_a_package_for_each_kind() -> None:
    kinds = re.findall(r"^## (.*)$", PAGE, re.MULTILINE)[:-1]
    groups = [re.search(r'entry-points."promptopt\.(\w+)s"', FILES[f"{name}/pyproject.toml"])[1] for name in PACKAGES]
    assert sorted(groups) == sorted(kind.lower() for kind in kinds)


@pytest.mark.parametrize("package", PACKAGES)
def test_the_example_passes_its_own_tests(package, folder, site) -> None:
    # A plug-in of this environment that warns of its own settings is not the example's.
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:asyncio", "-W", "error", "--rootdir", "."]
    done = run(folder / package, site, "-m", "pytest", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


@pytest.fixture
def shop(project):
    project.write(
        {
            "prompts/shout/v1.j2": '---\nmodel: "program:tr a-z A-Z"\n---\nSay: {{ words }}',
            "suites/shout.yaml": (
                "tests:\n"
                "- vars: {words: well done}\n  assert: [{type: short-sentences, value: 3}]\n"
                "- vars: {words: one two three four}\n  assert: [{type: not-short-sentences, value: 3}]\n"
            ),
        }
    )
    return project


def test_scorer_and_provider_are_found_by_name(shop, site) -> None:
    done = run(shop.root, site, "-m", "promptopt", "compare", "shout@v1", "--record", "all", "--cases", "--json")
    assert done.returncode == 0, done.stderr
    assert "SAY: WELL DONE" in (shop.root / "suites/shout/recordings/shout/v1.jsonl").read_text()
    (variant,) = json.loads(done.stdout)["variants"]
    assert variant["pass_rate"] == 1


def test_a_value_that_the_scorer_refuses_is_an_error_of_the_suite(shop, site) -> None:
    suite = shop.root / "suites/shout.yaml"
    suite.write_text(suite.read_text().replace("value: 3", "value: few", 1))
    done = run(shop.root, site, "-m", "promptopt", "compare", "shout@v1")
    assert done.returncode == 2
    assert "suites/shout.yaml:3: assert short-sentences: needs a number of words as `value`, not 'few'" in done.stderr


USE = """
import promptopt
from promptopt.testing import ScriptedProvider

provider = promptopt.wrap(ScriptedProvider(["hello"]), layers=["require-tag"], store="folder")
request = promptopt.Request("gpt-4o", (promptopt.Message("user", "Say hello."),), promptopt.CallOptions(temperature=0))
try:
    provider.complete(request)
except promptopt.Refused as refused:
    print(refused.code)
with promptopt.labels(tag="search"):
    # The script has one answer: the second one comes out of the folder.
    print(provider.complete(request).text, provider.complete(request).text)
provider.close()
"""


def test_layer_and_store_are_found_by_name(project, site) -> None:
    done = run(project.root, site, "-c", USE)
    assert (done.stdout, done.stderr) == ("tag_missing\nhello hello\n", "")
    assert len(list((project.root / ".promptopt" / "answers").iterdir())) == 1


def test_the_rule_is_listed_by_check(project, site) -> None:
    project.write({"prompts/p/v1.j2": "Sort the tickets on a daily basis.\n{{ ticket }}\n"})
    done = run(project.root, site, "-m", "promptopt", "check", "prompts", "--select", "ACME")
    assert "prompts/p/v1.j2:1:18 ACME1 'on a daily basis': write 'daily'" in done.stdout, done.stderr


PROMISED = re.findall(r"^\| `(promptopt[\w.]*)` \| (`.*`) \|$", PAGE.split("entry-point group")[0], re.MULTILINE)


@pytest.mark.parametrize(("module", "names"), PROMISED)
def test_what_is_promised_exists(module, names) -> None:
    found = import_module(module)
    for name in re.findall(r"`(\w+)`", names):
        assert hasattr(found, name)
        assert name in found.__all__ if hasattr(found, "__all__") else True


def _programs() -> list[ast.Module]:
    """The programs of the documentation; what has `...` in it and the like is none."""
    pages = [*(ROOT / "docs").glob("*.md"), ROOT / "README.md"]
    found = [block for page in pages for block in re.findall(r"```py(?:thon)?\n(.*?)```", page.read_text(), re.DOTALL)]
    programs = []
    for text in found:
        with contextlib.suppress(SyntaxError):
            programs.append(ast.parse(textwrap.dedent(text)))
    return programs


def test_programs_of_the_documentation_use_promised_names_only() -> None:
    promised = {module: set(re.findall(r"`(\w+)`", names)) for module, names in PROMISED}
    promised["promptopt"] = set(dir(promptopt))
    imported = [
        (node.module, alias.name)
        for program in _programs()
        for node in ast.walk(program)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("promptopt")
        for alias in node.names
    ]
    assert len(imported) > 20
    assert not {(module, name) for module, name in imported if name not in promised.get(module or "", ())}


def test_all_of_testing_is_promised() -> None:
    assert re.findall(r"`(\w+)`", dict(PROMISED)["promptopt.testing"]) == testing.__all__


def test_the_groups_of_the_page_are_those_of_the_package() -> None:
    listed = set(
        re.findall(r"^\| `(promptopt\.\w+)` \| [^`]*`\w+`.*\|$", PAGE.split("entry-point group")[1], re.MULTILINE)
    )
    # Whatever can be extended is on the page.
    own = {point.group for point in distribution("promptopt-llm").entry_points if point.group.startswith("promptopt.")}
    assert listed == own
