"""What the README and the docs show is what the commands print."""

import ast
import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from importlib.metadata import distribution
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml
from click.testing import CliRunner
from jsonschema import Draft7Validator
from pages import as_pattern

import promptopt
from promptopt import prices, registry
from promptopt.cli import COMMANDS, cli
from promptopt.compression.rules import base

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


class Day(datetime):
    """The day whose prices the pages show."""

    @classmethod
    def now(cls, tz=None):
        return datetime(2026, 11, 21, tzinfo=tz or UTC)


@pytest.fixture
def own_rules(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The pages show the rules of this project, whatever other packages are installed."""
    monkeypatch.setattr(registry, "entry_points", distribution("promptopt-llm").entry_points.select)
    for cached in (registry.registered, base.all_rules):
        cached.cache_clear()
    yield
    for cached in (registry.registered, base.all_rules):
        cached.cache_clear()


CONSOLES = [
    pytest.param(block, id=f"{page.name}: {block.splitlines()[0]}")
    for page in PAGES
    for block in re.findall(r"^```console\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)
]


# Those of the tutorial and of init are run in folders of their own, by test_tutorial.py and onboarding/test_init.py.
@pytest.mark.usefixtures("own_rules")
@pytest.mark.parametrize(
    "block",
    [
        block
        for block in CONSOLES
        if block.values[0].startswith("$ promptopt ") and not str(block.id).startswith(("tutorial.md", "init.md"))
    ],
)
def test_a_command_prints_what_is_shown(block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("CI", "true")
    monkeypatch.setattr(prices, "datetime", Day)
    command, _, expected = block.partition("\n")
    arguments = [
        found
        for word in shlex.split(command)[2:]
        for found in (sorted(map(str, Path().glob(word))) if "*" in word else [word])
    ]
    printed = CliRunner().invoke(cli, arguments).stdout
    if arguments[0] == "history":
        # A checkout may know fewer commits, and a squashed one another.
        printed, expected = (
            re.sub(r"\d{4}-\d\d-\d\d  [0-9a-f]{7}", "DAY  COMMIT", text) for text in (printed, expected)
        )
    if re.search(r"^\.\.\.$", expected, re.MULTILINE):
        assert re.fullmatch(as_pattern(expected), printed.rstrip() + "\n"), printed
    else:
        assert printed.rstrip() == expected.rstrip()


# How many blocks show what a program prints, beside those that are run above, and the test that runs them.
PRINTED = {
    "README.md": (1, "budget/test_budget_docs.py"),
    "budget.md": (4, "budget/test_budget_docs.py"),
    "judges.md": (3, "test_the_rows_of_the_judges_simulation; one is a file of judges/test_labels.py"),
    "media.md": (1, "compression/test_costly_media.py"),
    "promptfoo.md": (2, "promptfoo/test_promptfoo_page.py"),
    "providers.md": (2, "providers/test_providers_page.py"),
    "statistics.md": (3, "test_a_row_of_each_simulation"),
}


def test_no_output_is_shown_that_no_test_prints() -> None:
    found = {page.name: page.read_text().count("\n```text\n") for page in PAGES}
    assert {name: count for name, count in found.items() if count} == {name: n for name, (n, _) in PRINTED.items()}
    other = [block.id for block in CONSOLES if re.match(r"\$ (?!promptopt )", str(block.values[0]))]
    assert all(str(name).startswith("tutorial.md") for name in other), other


def table_rows(page: str, title: str) -> dict[str, list[str]]:
    """The rows of a simulation's table: each name with its cells."""
    text = (ROOT / "docs" / page).read_text()
    lines = text[text.index(title) :].split("```")[0].split("\n\n")
    # The table is the paragraph with the title, or the one after it.
    table = next(part for part in lines if len(part.splitlines()) > 2)
    found = (re.fullmatch(r"(.*?)((?:  +[-\d.,%]+)+)", line) for line in table.splitlines())
    return {row[1].strip(): row[2].split() for row in found if row and row[1].strip()}


def simulation(name: str) -> Any:
    """A program of benchmarks/, which needs nothing but this package."""
    spec = spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    # Its values are looked up in their module.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[name]
    return module


# The whole tables take minutes (the pages name the programs); each row has a seed of its own.
def test_a_row_of_each_simulation_is_what_its_program_computes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    races, verdicts = simulation("races"), simulation("verdicts")
    rows = table_rows("statistics.md", "1,000 races a row")
    assert list(rows) == list(races.RACES)
    name = "the baseline is better and cheaper"
    assert rows[name] == [f"{100 * share:.1f}" for share in races.measured(races.RACES[name], 400, 1000)]

    rows = table_rows("statistics.md", "equal prompts called improved, regressed or trade-off")
    truths = str(ROOT / "benchmarks" / "verdicts_truths.py")
    assert set(verdicts.truths(truths).EQUALS) >= rows.keys()
    name = "pass or fail, 50% right"
    cell = verdicts.cell("equals", truths, name, 20, 2000)
    assert rows[name][verdicts.SIZES.index(20)] == f"{cell['']:.1f}" != "0.0"


def test_the_rows_of_the_judges_simulation_agree_with_themselves() -> None:
    known = simulation("judges").JUDGES
    found = re.findall(
        r"^ +([\w ]+?) +(50|100|300) +([\d.]+)% +([\d.]+) +([\d.]+) +([\d.]+) ",
        (ROOT / "docs" / "judges.md").read_text(),
        re.MULTILINE,
    )
    assert len(found) > 15
    assert {row[0] for row in found} <= known.keys()
    for _, _, holds, width, alone, ratio in found:
        assert float(holds) >= 95
        # All three are rounded.
        least, most = ((float(width) + s * 0.05) / (float(alone) - s * 0.05) + s * 0.005 for s in (-1, 1))
        assert least <= float(ratio) <= most


BLOCK = re.compile(
    r"^```(?P<language>[\w{}-]*)\n(?P<text>.*?)^```$|(?<=\n\n)(?P<indented>(?:    [^\n]*\n)+)", re.DOTALL | re.MULTILINE
)
COMMAND = re.compile(r"^ *(?:\$ |- run: |- )?(promptopt .*)$", re.MULTILINE)


def shown_commands(page: Path) -> list[str]:
    """In blocks of any kind, also within the files of others, and in sentences."""
    text = page.read_text()
    blocks = [re.sub(r"\n    (?=\[)", " ", block["text"] or block["indented"]) for block in BLOCK.finditer(text)]
    return [*COMMAND.findall("\n".join(blocks)), *re.findall(r"`(promptopt [a-z][^`]*)`", text)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_option_that_is_shown_exists(page: Path) -> None:
    for shown in shown_commands(page):
        # What comes after a pipe or a redirection is another command's.
        command = re.split(r" [|>&] |\|\|", shown)[0]
        words = re.sub(r"#.*|['\"]", "", command).split()
        if not re.fullmatch("[a-z]+", words[1]):
            continue
        assert words[1] in COMMANDS, command
        # Of a command with commands of its own, the options are theirs.
        named = [word for word in words[1:3] if re.fullmatch("[a-z]+", word)]
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", command):
            assert option in helps(words[1]) + helps(*named), command


@cache
def helps(*command: str) -> str:
    return CliRunner().invoke(cli, [*command, "--help"]).stdout


def validate(schema: str, document: object) -> None:
    path = ROOT / "promptopt" / "data" / "schemas" / f"{schema}.json"
    Draft7Validator(json.loads(path.read_text(encoding="utf-8"))).validate(document)


def read_program(text: str) -> None:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "promptopt":
            assert hasattr(promptopt, node.attr), node.attr
        elif isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "promptopt":
            module = import_module(str(node.module))
            assert all(hasattr(module, name.name) for name in node.names), ast.unparse(node)


def read_yaml(text: str) -> None:
    for document in yaml.safe_load_all(text):
        if isinstance(document, dict) and "tests" in document and "providers" not in document:
            validate("suite", document)


READERS = {
    "py": read_program,
    "python": read_program,
    "toml": lambda text: validate("pyproject", tomllib.loads(text)),
    "yaml": read_yaml,
    "json": json.loads,
    "sh": lambda text: subprocess.run(["bash", "-n", "-c", text], check=True),
    "bash": lambda text: subprocess.run(["bash", "-n", "-c", text], check=True),
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_data_and_programs_that_are_shown_can_be_read(page: Path) -> None:
    for block in BLOCK.finditer(page.read_text()):
        if block["language"] in READERS:
            READERS[block["language"]](block["text"])


def test_what_is_to_be_installed_is_this_project() -> None:
    # `promptopt` on the package index is somebody else's.
    name = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["name"]
    texts = [*PAGES, *(ROOT / "promptopt").rglob("*.py"), *(ROOT / ".github").rglob("*.yml"), ROOT / "noxfile.py"]
    wanted = [
        word
        for path in texts
        for command in re.findall(r"pip install ([^`\n]*)", path.read_text())
        for word in re.findall(r"(?<![\w/-])promptopt[\w-]*(?:\[[^]]*\])?(?= @|['\"\s]|$)", command)
    ]
    assert wanted
    assert {word.split("[")[0] for word in wanted} == {name}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_python_in_the_readme_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("CI", "true")
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGES[0].read_text(), re.DOTALL | re.MULTILINE)
    # The line that calls a vendor needs its key; what it would send is built all the same.
    monkeypatch.setenv("OPENAI_API_KEY", "unused")
    offline = code.replace("client.chat.completions.create(", "dict(")
    names: dict[str, object] = {}
    exec(offline, names)
    assert names["answer"]["model"] == "gpt-4o-mini"


def test_readme_starts_with_the_two_commands() -> None:
    first, second, *_ = re.findall(r"^```bash\n(.*?)\n```$", PAGES[0].read_text(), re.DOTALL | re.MULTILINE)
    assert "pip install . " in first
    assert "promptopt compare" in first
    assert "[test]" in second
    assert "pytest" in second


def test_ci_runs_every_python_of_the_classifiers() -> None:
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    promised = {name.rpartition(" :: ")[2] for name in classifiers if re.search(r"Python :: 3\.\d+$", name)}
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]
    assert promised <= set(jobs["ci"]["strategy"]["matrix"]["python"])


def test_the_index_lists_every_page() -> None:
    docs = ROOT / "docs"
    index = (docs / "index.md").read_text()
    listed = re.findall(r"^\| \[[\w.-]+\]\(([\w-]+)\.md\)", index, re.MULTILINE)
    assert sorted([*listed, "index"]) == sorted(page.stem for page in docs.glob("*.md"))
    # What GitHub shows as tables is the side bar of the site.
    trees = re.findall(r"^```\{toctree\}\n(?::.*\n)*\n((?:[\w-]+\n)+)```$", index, re.MULTILINE)
    assert "".join(trees).split() == listed


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_page(command: str) -> None:
    index = (ROOT / "docs" / "index.md").read_text()
    row = next(line for line in index.splitlines() if re.search(rf"^\| \[.*\|.*`{command}`", line))
    page = re.search(r"\(([\w-]+\.md)\)", row)
    assert page is not None
    assert re.search(rf"\bpromptopt {command}\b", (ROOT / "docs" / page[1]).read_text())


def test_the_reference_has_every_promised_name() -> None:
    page = (ROOT / "docs" / "api.md").read_text()
    shown = dict(re.findall(r"automodule:: ([\w.]+)\n   :members:(.*)$", page, re.MULTILINE))
    extending = (ROOT / "docs" / "extending.md").read_text()
    promised = dict(
        re.findall(r"^\| `(promptopt[\w.]*)` \| (`.*`) \|$", extending.split("entry-point group")[0], re.MULTILINE)
    )
    assert {module: re.findall(r"\w+", names) for module, names in shown.items() if names} == {
        module: re.findall(r"`(\w+)`", names) for module, names in promised.items()
    }
    assert shown["promptopt"] == ""


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    # Everything but writing the HTML: references between pages, headings that links name, docstrings.
    arguments = ["-m", "sphinx", "-W", "--keep-going", "-q", "-b", "dummy", "-d", str(tmp_path / "trees")]
    done = subprocess.run(
        [sys.executable, *arguments, str(ROOT / "docs"), str(tmp_path / "site")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.usefixtures("own_rules")
def test_the_picture_is_what_the_command_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("CI", "true")
    monkeypatch.setattr(prices, "datetime", Day)
    picture = ET.parse(ROOT / "docs" / "compare.svg")
    words = "".join(text.text or "" for text in picture.iter("{http://www.w3.org/2000/svg}text")).split()
    assert words[:3] == ["promptopt$", "promptopt", "compare"]
    arguments = words[3 : words.index("cases") - 1]
    printed = CliRunner().invoke(cli, ["compare", *arguments]).stdout
    assert "".join(words[3 + len(arguments) :]) == "".join(printed.split()), "draw it again: python docs/picture.py"
