"""The public names: lazy, complete, and short to call."""

import ast
import importlib
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import promptopt
from promptopt.tokens import Tokenizer
from promptopt.values import ToolCall

HEAVY = {
    "genai_prices",
    "jinja2",
    "json_repair",
    "jsonschema",
    "limits",
    "numpy",
    "openai",
    "pydantic",
    "rapidfuzz",
    "redis",
    "regex",
    "rich",
    "tabulate",
    "tiktoken",
    "toon_format",
    "wordllama",
    "yaml",
}
PROMPTS = {
    "prompts/greet/v1.j2": "---\nmodel: gpt-4\n---\nGreet {{ name }} at once.",
    "prompts/greet/v2.j2": (
        "---\nmodel: gpt-4\nmax_output_tokens: 5\n---\n"
        '{% chat role="system" %}Greet.{% endchat %}\n{% chat role="user" %}{{ name }}{% endchat %}'
    ),
    "suites/greet.yaml": "tests: [{vars: {name: Ada}}]",
}


def _loaded(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys, json; print(json.dumps([*sys.modules]))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "code",
    [
        "import promptopt",
        "from promptopt.cli import cli\ntry: cli.main(['--help'])\nexcept SystemExit: pass",
        "from promptopt.cli import cli\ntry: cli.main(['compare', '--help'])\nexcept SystemExit: pass",
    ],
)
def test_nothing_heavy_is_imported_before_it_is_used(code: str) -> None:
    assert not _loaded(code) & HEAVY


def test_counting_a_text_needs_neither_prices_nor_a_client() -> None:
    assert not _loaded("import promptopt; promptopt.count('a').tokens") & {"openai", "numpy", "genai_prices"}


def test_a_comparison_is_imported_without_what_only_some_runs_need() -> None:
    found = _loaded("import promptopt.cli.compare, promptopt.experiment.compare, promptopt.gateway.provider")
    assert not found & {
        "numpy",
        "promptopt.experiment.batch_export",
        "promptopt.gateway.assembly",
        "promptopt.gateway.settings",
    }


def test_every_public_name_is_there_and_is_what_its_module_holds() -> None:
    assert sorted(promptopt.__all__) == promptopt.__all__ == dir(promptopt)
    assert set(promptopt._HOMES) == set(promptopt.__all__) - {"__version__"}
    for name, home in promptopt._HOMES.items():
        assert getattr(promptopt, name) is getattr(importlib.import_module(home), name)


def test_type_checkers_see_the_public_names() -> None:
    tree = ast.parse(Path(promptopt.__file__).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen == promptopt._HOMES


def test_the_types_of_every_public_name_are_checked() -> None:
    """mypy reads ``tests/typing/public_api.py``; a name that it leaves out has no promised type."""
    tree = ast.parse((Path(__file__).parent / "typing" / "public_api.py").read_text(encoding="utf-8"))
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "promptopt"
    }
    assert used == set(promptopt.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'promptopt' has no attribute 'compres'"):
        promptopt.compres  # noqa: B018 - reading it is the test


def test_render_takes_a_name_a_version_a_path_or_a_template(project) -> None:
    project.write(PROMPTS)
    newest = promptopt.render("greet", {"name": "Ada"})
    assert newest.messages == (promptopt.Message("system", "Greet."), promptopt.Message("user", "Ada"))
    assert promptopt.render("greet@v1", {"name": "Ada"}).text == "Greet Ada at once."
    assert promptopt.render(project.root / "prompts/greet/v1.j2", {"name": "Ada"}).text == "Greet Ada at once."
    assert promptopt.render("prompts/greet/v1.j2", {"name": "Ada"}).text == "Greet Ada at once."
    assert promptopt.render(promptopt.load_prompt("greet"), {"name": "Ada"}) == newest


def test_what_is_rendered_goes_to_the_sdk_as_it_is(project) -> None:
    project.write(PROMPTS)
    assert promptopt.render("greet", {"name": "Ada"}).openai() == {
        "model": "gpt-4",
        "messages": [{"role": "system", "content": "Greet."}, {"role": "user", "content": "Ada"}],
        "max_completion_tokens": 5,
    }
    assert promptopt.render("greet", {"name": "Ada"}, model="gpt-4o").openai()["model"] == "gpt-4o"


def test_further_variables_are_ignored_and_missing_ones_are_not(project) -> None:
    project.write(PROMPTS)
    assert promptopt.render("greet@v1", {"name": "Ada", "other": 1}).text == "Greet Ada at once."
    with pytest.raises(promptopt.PromptoptError, match="the variable 'name' is undefined"):
        promptopt.render("greet")


def test_count_of_a_text_is_the_texts_own() -> None:
    assert promptopt.count("hello world").tokens == 2
    assert promptopt.count("hello world", model="gpt-4").encoding == "cl100k_base"
    for variables in ("gpt-4", {"x": "y"}):
        with pytest.raises(TypeError, match="a model is `model=`"):
            promptopt.count("hello {{ x }}", variables)  # type: ignore[arg-type]


def test_count_of_a_prompt_is_that_of_its_messages_for_its_model(project) -> None:
    project.write(PROMPTS)
    variables = {"name": "Ada"}
    tokenizer = Tokenizer("cl100k_base", exact=True)
    expected = tokenizer.count("Greet.") + tokenizer.count("Ada") + 2 * 4 + 3
    template = promptopt.load_prompt("greet")
    for subject in (template, Path("prompts/greet/v2.j2")):
        assert promptopt.count(subject, variables).tokens == expected
    assert promptopt.count(promptopt.render("greet", variables)).tokens == expected
    assert promptopt.count(template.render(variables).messages, model="gpt-4").tokens == expected
    assert promptopt.count(template, variables, model="gpt-4o").encoding == "o200k_base"


def test_count_takes_messages_as_the_sdk_writes_them() -> None:
    messages = [{"role": "user", "content": "hello world"}]
    assert promptopt.count(messages).tokens == 2 + 4 + 3
    assert promptopt.count([promptopt.Message("user", "hello world")]).tokens == 2 + 4 + 3
    parts = [{"type": "text", "text": "hello"}, {"type": "text", "text": " world"}]
    assert promptopt.count([{"role": "user", "content": parts, "name": "ann"}]).tokens == 2 + 4 + 3
    call = {"id": "1", "type": "function", "function": {"name": "find", "arguments": "{}"}}
    asked = {"role": "assistant", "content": None, "tool_calls": [call]}
    called = promptopt.Message("assistant", "", (ToolCall("1", "find", "{}"),))
    assert promptopt.count([asked]) == promptopt.count([called])
    shown = [{"type": "image_url", "image_url": {"url": "https://example.com/cat.png", "detail": "low"}}]
    assert promptopt.count([{"role": "user", "content": shown}], model="gpt-4o").tokens == 85 + 4 + 3


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"role": "user", "content": [{"type": "tool_result"}]}, "a content part of type 'tool_result' is no text"),
        ({"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}, "call 1 names no function"),
    ],
)
def test_what_is_no_message_is_named(message: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        promptopt.count([message])


def test_prompts_and_suites_are_found_by_name(project) -> None:
    project.write(PROMPTS)
    (prompt,) = promptopt.list_prompts()
    assert (prompt.name, [version for version, _ in prompt.versions]) == ("greet", ["v1", "v2"])
    assert promptopt.load_suite("greet").cases[0].vars == {"name": "Ada"}


@pytest.mark.parametrize("arguments", [["--version"], ["-V"]])
def test_the_version_is_the_installed_one(project, arguments: list[str]) -> None:
    from importlib.metadata import version

    assert promptopt.__version__ == version("promptopt-llm")
    assert project.run(*arguments).stdout == f"promptopt, version {version('promptopt-llm')}\n"


SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}
NO_TEXT = (None, 7, 1.5, b"bytes", ["list"], {"a": "mapping"}, object())
NO_NAME = tuple(value for value in NO_TEXT if value is not None)
# A list of names is several models.
NO_MODELS = (*(value for value in NO_NAME if not isinstance(value, list)), [7], ["gpt-4o", None])
NO_NUMBER = ("2", b"2", [], {}, True, object())
NO_MAPPING = (7, "text", [1], object())


def labelled(**names):
    with promptopt.labels(**names):
        return


def compared(prompt="add", **options):
    return promptopt.compare(prompt, **options)


# The function, arguments that fit, and for each parameter what does not.
WRONG_TYPES = [
    (promptopt.render, {"prompt": "add"}, {"prompt": NO_TEXT, "variables": NO_MAPPING, "model": NO_NAME}),
    (
        promptopt.count,
        {"subject": "text"},
        {"subject": (None, 7, b"x", {"a": 1}, [None], [{"role": "user"}]), "model": NO_NAME},
    ),
    (promptopt.load_prompt, {"operand": "add"}, {"operand": NO_TEXT, "config": ("text", 7)}),
    (promptopt.load_suite, {"operand": "add"}, {"operand": NO_TEXT, "config": ("text", 7)}),
    (promptopt.list_prompts, {}, {"config": ("text", 7)}),
    (
        promptopt.compress,
        {"text": "Please sort."},
        {"text": NO_TEXT, "model": NO_NAME, "select": ("PO103", None, 7, [7]), "ignore": ("PO103", None, 7, [7])},
    ),
    (promptopt.facts, {}, {"text": NO_TEXT}),
    (promptopt.read_media, {"path": "cat.png"}, {"path": (None, 7, b"x"), "kind": (7, "video"), "detail": (None, 7)}),
    (promptopt.parse, {"schema": SCHEMA}, {"text": NO_TEXT}),
    (promptopt.restructure, {"schema": SCHEMA}, {"text": NO_TEXT}),
    (promptopt.wrap, {}, {"inner": (None, "gpt-4o", 7, object())}),
    (
        promptopt.batch,
        {"requests": []},
        {"requests": (None, "text", 7, ["text"]), "client": ("key", 7), "poll_s": NO_NUMBER, "progress": (7, "text")},
    ),
    (labelled, {}, {"tag": (7, b"x", []), "sample": ("7", None), "tga": ("text",)}),
    (
        compared,
        {},
        {
            "prompt": NO_TEXT,
            "suite": NO_NAME,
            "model": NO_MODELS,
            "price_as": NO_NAME,
            "by": (None, 7, [7]),
            "trials": (None, "3", 1.5),
            "jobs": ("3", 1.5),
            "record": (7, "everything"),
            "provider": ("gpt-4o", 7),
            "on_plan": (7,),
            "progress": ("text",),
            **dict.fromkeys(("margin", "accept", "cost_margin", "max_failed", "timeout_s", "max_cost"), NO_NUMBER),
        },
    ),
]


@pytest.mark.parametrize(
    ("function", "fitting", "name", "value"),
    [
        pytest.param(function, fitting, name, value, id=f"{function.__name__}-{name}-{type(value).__name__}")
        for function, fitting, wrong in WRONG_TYPES
        for name, values in wrong.items()
        for value in values
    ],
)
def test_a_value_of_a_wrong_type_is_named_with_what_is_needed(project, function, fitting, name, value):
    project.write({"prompts/add.j2": "1 + 1 =", "suites/add.yaml": "[{assert: [{type: contains, value: 2}]}]"})
    with pytest.raises(TypeError) as caught:
        function(**{**fitting, name: value})
    assert re.fullmatch(r"`\w+` is .{1,60}, not (a|an|one of|the) .*", str(caught.value)), caught.value


def test_every_public_function_refuses_wrong_types() -> None:
    tested = {function.__name__ for function, _, _ in WRONG_TYPES} | {"ablate", "compare", "labels", "minimize"}
    functions = {name for name in promptopt.__all__ if inspect.isfunction(getattr(promptopt, name))}
    # What these take are settings, which the gateway reads, and what `batch` takes.
    assert functions - tested == {"http_client", "async_http_client", "abatch"}
