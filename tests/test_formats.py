"""The published JSON Schemas say what the loaders say."""

import json
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

import promptopt
from promptopt.budget.settings import load_settings
from promptopt.cli import cli
from promptopt.config import Config, load_config_file, using_config
from promptopt.errors import PromptoptError
from promptopt.gateway.serve.settings import read_configuration
from promptopt.gateway.settings import read_settings
from promptopt.judges.settings import read_judge
from promptopt.providers.base import provider_type
from promptopt.registry import is_built_in, load, registered
from promptopt.scorers.base import make_check
from promptopt.suites.load import parse_suite
from promptopt.templates.frontmatter import front_matter_end

ROOT = Path(__file__).parent.parent
FOLDER = Path(promptopt.__file__).parent / "data" / "schemas"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
SCHEMAS = {name: json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")) for name in NAMES}
VALIDATORS = {name: Draft7Validator(schema) for name, schema in SCHEMAS.items()}


def faults(name: str, document: object) -> list[str]:
    return [error.message for error in VALIDATORS[name].iter_errors(document)]


def test_the_files_are_those_that_the_loaders_give(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(ROOT / "docs" / "schemas"), str(tmp_path)], check=True)
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert made == {path.name: path.read_text() for path in FOLDER.iterdir()}, "write them: python docs/schemas"


@pytest.mark.parametrize("name", NAMES)
def test_each_is_a_schema_that_the_command_prints(name: str) -> None:
    Draft7Validator.check_schema(SCHEMAS[name])
    assert SCHEMAS[name]["$id"].endswith(f"/schemas/{name}.json")
    assert json.loads(CliRunner().invoke(cli, ["formats", name]).stdout) == SCHEMAS[name]


def test_the_command_lists_them_and_knows_no_others() -> None:
    listed = CliRunner().invoke(cli, ["formats"], env={"COLUMNS": "200"}).stdout.splitlines()[2:]
    assert [line.split()[0] for line in listed] == NAMES
    wrong = CliRunner().invoke(cli, ["formats", "suit"])
    assert "no format 'suit'. Did you mean 'suite'" in str(wrong.exception)


def committed() -> Iterator[Any]:
    for path in sorted((ROOT / "suites").glob("*.yaml")):
        yield pytest.param("suite", yaml.safe_load(path.read_text()), id=path.name)
    for path in sorted((ROOT / "prompts").glob("*/*.j2")):
        text = path.read_text()
        head = text[: front_matter_end(text)].strip().strip("-")
        yield pytest.param("front-matter", yaml.safe_load(head), id="/".join(path.parts[-2:]))
    for path in sorted((ROOT / "prompts").rglob("*.lock.toml")):
        yield pytest.param("lock", tomllib.loads(path.read_text()), id=path.name)
    for path in sorted((ROOT / "suites").rglob("recordings/**/*.jsonl")):
        for line in path.read_text().splitlines()[:3]:
            row = json.loads(line)
            yield pytest.param("recording", row, id=f"{row['prompt']} {row['case']}")
    yield pytest.param("pyproject", tomllib.loads((ROOT / "pyproject.toml").read_text()), id="pyproject.toml")


@pytest.mark.parametrize(("name", "document"), list(committed()))
def test_what_is_committed_here_is_valid(name: str, document: object) -> None:
    assert faults(name, document) == []


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("comparison", ["compare", "mood@v1", "mood@v2", "mood@v3"]),
        ("comparison", ["compare", "desk@v1", "--price-as", "unknown-model"]),
        ("audit", ["audit", "docs/examples/calls.jsonl", "--only", "waste,batch", "--all-orders"]),
    ],
)
def test_what_is_printed_is_valid_and_described(
    name: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("CI", "true")
    printed = json.loads(CliRunner().invoke(cli, [*arguments, "--json"]).stdout)
    assert faults(name, printed) == []
    # What is printed and not described would be no promise.
    assert printed.keys() <= SCHEMAS[name]["properties"].keys()


# Something that fits for every key that anything here knows.
VALUES: tuple[Any, ...] = (
    *(None, "low", "json_object", "auto", "required", "rows", "warn", "refuse", "weight", "/a", 1, 0.5, True),
    *([], ["x"], ["provider"], [{"model": "m"}], [{"name": "n", "url": "https://h"}], {}, {"a": "x"}, {"a": ["x"]}),
    {"a": {"input_mtok": 1, "output_mtok": 1}},
)  # fmt: skip


def named(schema: object) -> set[str]:
    """Every key that a schema names anywhere."""
    if isinstance(schema, list):
        return set().union(*map(named, schema))
    if not isinstance(schema, dict):
        return set()
    listed = schema["propertyNames"].get("enum", ()) if isinstance(schema.get("propertyNames"), dict) else ()
    return {*schema.get("properties", ()), *listed}.union(*map(named, schema.values()))


POOL = sorted(set().union(*map(named, SCHEMAS.values())) | {"typo", "Assert", "max-steps", "x_y"})


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(each)}" for key, each in value.items()) + "}"
    return f"[{', '.join(map(toml, value))}]" if isinstance(value, list) else json.dumps(value)


def read_suite(document: Any, folder: Path) -> None:
    suite = parse_suite(json.dumps(document), folder / "s.yaml")
    for case in suite.cases:
        for assertion in (*case.asserts, *(each for turn in case.turns for each in turn.asserts)):
            make_check(assertion, "s.yaml")


def read_prompt(document: Any, folder: Path) -> None:
    path = folder / "p.j2"
    path.write_text(f"---\n{json.dumps(document)}\n---\nHello.\n")
    promptopt.load_prompt(path)


def read_project(document: Any, folder: Path, *readers: Callable[[Config], object]) -> None:
    path = folder / "pyproject.toml"
    path.write_text(f"tool = {toml(document['tool'])}\n")
    config = load_config_file(path)
    for reader in readers:
        reader(config)


def read_providers(config: Config) -> None:
    with using_config(config):
        for name in config.providers:
            provider_type(f"{name}:m")


def read_budget(document: Any, folder: Path) -> None:
    (folder / "budget").mkdir(exist_ok=True)
    project = folder / "budget" / "pyproject.toml"
    project.write_text("")
    (folder / "budget" / "budget.toml").write_text(
        "".join(f"{json.dumps(key)} = {toml(each)}\n" for key, each in document.items())
    )
    load_settings(load_config_file(project))


def case(**more: object) -> dict[str, Any]:
    return {"tests": [{"vars": {"q": "hi"}} | more]}


def table(**more: object) -> dict[str, Any]:
    return {"tool": {"promptopt": more}}


def an_assert(kind: str) -> Callable[[dict[str, Any]], Any]:
    return lambda more: case(**{"assert": [{"type": kind, "value": "x"} | more]})


def a_provider(kind: str, **needed: object) -> Callable[[dict[str, Any]], Any]:
    return lambda more: table(providers={"own": {"type": kind, **needed} | more})


def reading(reader: Callable[[Config], object]) -> Callable[[Any, Path], None]:
    return lambda document, folder: read_project(document, folder, reader)


gateway, serves, judges, providers = map(reading, (read_settings, read_configuration, read_judge, read_providers))

# A place in a document that a key is put into: the schema, the loader, and the document with the key.
PLACES: dict[str, tuple[str, Callable[[Any, Path], None], Callable[[dict[str, Any]], Any]]] = {
    "suite": ("suite", read_suite, lambda more: case() | more),
    "test": ("suite", read_suite, lambda more: case(**more)),
    "defaultTest": ("suite", read_suite, lambda more: case() | {"defaultTest": more}),
    "options": ("suite", read_suite, lambda more: case(options=more)),
    "turn": ("suite", read_suite, lambda more: case(turns=[{"user": "hi"} | more])),
    "data set": ("suite", read_suite, lambda more: {"tests": [{"path": "rows.jsonl", "format": "rows"} | more]}),
    "tool result": ("suite", read_suite, lambda more: case(tool_results=[{"tool": "t", "result": "r"} | more])),
    "front matter": ("front-matter", read_prompt, lambda more: {"description": "d"} | more),
    "project": ("pyproject", read_project, lambda more: table(**more)),
    "price": ("pyproject", read_project, lambda more: table(prices={"m": {"input_mtok": 1, "output_mtok": 1} | more})),
    "variants": ("pyproject", read_project, lambda more: table(variants=more)),
    "judge": ("pyproject", judges, lambda more: table(judge=more)),
    "serve": ("pyproject", serves, lambda more: table(serve=more)),
    "gateway cache": ("pyproject", gateway, lambda more: table(gateway={"cache": more})),
    "gateway limits": ("pyproject", gateway, lambda more: table(gateway={"limits": more})),
    "gateway budget": ("pyproject", gateway, lambda more: table(gateway={"budget": more})),
    "gateway semantic": ("pyproject", gateway, lambda more: table(gateway={"semantic": more})),
    "gateway fallback": ("pyproject", gateway, lambda more: table(gateway={"fallback": more})),
    "gateway rule": ("pyproject", gateway, lambda more: table(gateway={"router": [{"model": "m"} | more]})),
    "gateway step": ("pyproject", gateway, lambda more: table(gateway={"cascade": [{"model": "m"} | more]})),
    "gateway validators": (
        "pyproject", gateway, lambda more: table(gateway={"cascade": [{"model": "m", "validators": more}]}),
    ),
    "gateway key": ("pyproject", gateway, lambda more: table(gateway={"keys": {"k": more}})),
    "gateway upstream": (
        "pyproject", gateway, lambda more: table(gateway={"upstreams": [{"name": "n", "url": "https://h"} | more]}),
    ),
    "budget": ("budget", read_budget, lambda more: more),
    "budget group": ("budget", read_budget, lambda more: {"group": {"*": more}}),
    "budget total": ("budget", read_budget, lambda more: {"group": {"*": {"total": more}}}),
    "budget prompt": ("budget", read_budget, lambda more: {"prompt": {"p": more}}),
    "budget case": ("budget", read_budget, lambda more: {"prompt": {"p": {"case": {"c": more}}}}),
    "provider openai": ("pyproject", providers, a_provider("openai")),
    "provider http": ("pyproject", providers, a_provider("http", url="https://h")),
    "provider exec": ("pyproject", providers, a_provider("exec", command="x")),
    **{
        f"assert {kind}": ("suite", read_suite, an_assert(kind))
        for kind in ("not-contains", "numeric", "tool-call", "llm-rubric")
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    made = tmp_path_factory.mktemp("formats")
    (made / "rows.jsonl").write_text('{"q": "hi"}\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", "unused")
        yield made


def is_known(read: Callable[[Any, Path], None], document: Any, folder: Path) -> bool:
    """Whether the loader knows every key; what it says of values is another matter."""
    try:
        read(document, folder)
    except PromptoptError as error:
        return "unknown" not in str(error).splitlines()[0]
    return True


@pytest.mark.parametrize("place", PLACES)
@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_a_key_is_known_to_both_or_to_neither(place: str, data: st.DataObject, folder: Path) -> None:
    name, read, document = PLACES[place]
    # No loader takes a 1 for a name that it does not know.
    known = [key for key in POOL if is_known(read, document({key: 1}), folder)]
    key = data.draw(st.sampled_from(known) | st.sampled_from(POOL))
    loads = key in known
    valid = any(not faults(name, document({key: value})) for value in VALUES)
    assert (key, loads) == (key, valid)


def test_every_type_of_assert_has_its_own_keys() -> None:
    every = {kind for kind in registered("scorer") if is_built_in("scorer", kind)}
    for kind in every:
        for key in ("tolerance", "n", "classes", "order", "typo"):
            known = key in getattr(load("scorer", kind), "options", ())
            assert (not faults("suite", case(**{"assert": [{"type": kind, key: 1}]}))) == known, (kind, key)
    # A scorer of another package reads what it likes.
    assert faults("suite", case(**{"assert": [{"type": "acme", "typo": 1}]})) == []


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("suite", case(threshold=1.5)),
        ("suite", case(max_steps=0)),
        ("suite", case(**{"assert": [{"value": "x"}]})),
        ("front-matter", {"temperature": 3}),
        ("front-matter", {"verbosity": "loud"}),
        ("pyproject", table(jobs=0)),
        ("pyproject", table(prices={"m": {"input_mtok": 1}})),
        ("pyproject", table(gateway={"typo": 1})),
        ("budget", {"recordings": "never"}),
        ("recording", {"v": 2}),
        ("lock", {"version": 2}),
        ("comparison", {"version": 1}),
        ("audit", {"version": 0}),
    ],
)
def test_wrong_values_are_refused(name: str, document: object) -> None:
    assert faults(name, document)
