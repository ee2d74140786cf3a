"""Descriptions of tools are compressed, and all else of their file stays."""

import json
from pathlib import Path

from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import promptopt
from promptopt.cli import cli
from promptopt.compression.tool_descriptions import shorten_tools
from promptopt.templates.tools import make_tools, parse_tools
from promptopt.yaml import load_yaml

LONG = "Please make sure that you use this tool in order to find an order."
SHORT = "Use this tool to find an order."
ARGUMENT = "Please note that it is the number of the order."

YAML = f"""# Tools of the desk.
- name: find_order
  description: >-
    Please make sure that you use this tool
    in order to find an order.
  parameters:
    type: object
    properties:
      description: {{type: string, description: "{ARGUMENT}"}}   # an argument of that name
      lines:
        type: array
        items: {{type: object, properties: {{id: {{type: string, description: '{ARGUMENT}'}}}}}}
- name: cancel   # nothing to do here
  description: Cancels an order.
"""
TEXT = json.dumps(
    [{"type": "function", "function": {"name": "find_order", "description": LONG, "parameters": {"type": "object"}}}],
    indent="\t",
)


def prompt(project, tools: str, written: str | None = None, file: str = "v1.tools.yaml"):
    files = {"prompts/desk/v1.j2": f"---\nmodel: gpt-4o\ntools: {tools}\n---\nPlease help. {{{{ message }}}}"}
    project.write(files | ({f"prompts/desk/{file}": written} if written else {}))
    return promptopt.load_prompt("desk")


def test_only_descriptions_change(project):
    found = shorten_tools(prompt(project, "v1.tools.yaml", YAML))
    assert [one.place for one in found.changed] == ["find_order", "find_order.description", "find_order.lines.id"]
    assert found.changed[0].new == SHORT
    kept = [line for line in YAML.splitlines() if "Please" not in line and "in order" not in line]
    assert [line for line in found.text.splitlines() if line in kept] == kept
    assert f"  description: >-\n    {SHORT}\n" in found.text
    before, after = (make_tools(parse_tools(text, "t.yaml")) for text in (YAML, found.text))
    assert [tool.name for tool in after] == [tool.name for tool in before]
    assert after[0].parameters["properties"]["description"]["description"] == "It's the number of the order."
    assert found.tokens_after < found.tokens_before


def test_json_with_tabs_stays_json(project):
    found = shorten_tools(prompt(project, "tools.json", TEXT, "tools.json"))
    assert found.text == TEXT.replace(LONG, SHORT)


def test_tools_in_the_front_matter(project):
    inline = f"\n- name: find_order\n  description: {LONG}\n- name: b\n  description: |\n    {LONG}\n"
    template = prompt(project, inline)
    found = shorten_tools(template)
    assert found.text == template.source.replace(LONG, SHORT)
    assert found.name == template.name
    done = CliRunner().invoke(cli, ["compress", "desk", "--write"])
    assert done.exit_code == 0
    assert Path("prompts/desk/v2.j2").read_text() == found.text.replace("Please help.", "Help.")


def test_write_makes_a_new_tools_file_and_leaves_the_old(project):
    prompt(project, "v1.tools.yaml  # ours", YAML)
    done = CliRunner().invoke(cli, ["compress", "desk", "--write"])
    assert done.exit_code == 0, done.output
    assert "prompts/desk/v1.tools.yaml: tools " in done.stderr
    assert f"+    {SHORT}" in done.stdout
    assert Path("prompts/desk/v1.tools.yaml").read_text() == YAML
    second = promptopt.load_prompt("desk@v2")
    assert "tools: v2.tools.yaml" in second.source
    assert second.front.tools[0].description == SHORT
    # Nothing is left to do.
    assert shorten_tools(second).changed == ()


def test_a_file_that_is_in_the_way_is_not_overwritten(project):
    prompt(project, "v1.tools.yaml", YAML)
    project.write({"prompts/desk/v2.tools.yaml": "mine"})
    done = project.run("compress", "desk", "--write")
    assert done.returncode == 2
    assert "prompts/desk/v2.tools.yaml: cannot be written: File exists" in done.stderr
    assert not Path("prompts/desk/v2.j2").exists()


def test_json_output_and_edits_name_the_descriptions(project):
    prompt(project, "v1.tools.yaml", YAML)
    data = json.loads(CliRunner().invoke(cli, ["compress", "desk", "--json"]).stdout)
    assert data["tools"]["basis"] == "estimated"
    assert data["tools"]["descriptions"][0] == {"place": "find_order", "old": LONG, "new": SHORT}
    assert "find_order.lines.id" in CliRunner().invoke(cli, ["compress", "desk", "--edits"]).stdout


def test_interactively_one_by_one(project):
    prompt(project, "v1.tools.yaml", YAML)
    done = CliRunner().invoke(cli, ["compress", "desk", "-i", "--write"], input="n\nn\ny\nn\n")
    assert done.exit_code == 0, done.output
    text = Path("prompts/desk/v2.tools.yaml").read_text()
    assert text.count("Please note") == 1
    assert "Please help." in Path("prompts/desk/v2.j2").read_text()


def test_functions_of_python_are_left_alone(project, monkeypatch):
    code = 'def find(order: str) -> str:\n    """Please make sure that you use this in order to find it."""\n'
    project.write({"shop_of_tests.py": code})
    monkeypatch.syspath_prepend(project.root)
    assert shorten_tools(prompt(project, "shop_of_tests:find")) is None
    assert shorten_tools(prompt(project, '["shop_of_tests:find"]')).changed == ()


WORDS = st.sampled_from(
    ["Please", "make sure that you", "order", "A-17", '"x"', "it is", ":", "#", "é", "\n", "in order to", "{a}"]
)


@settings(max_examples=30)
@given(st.lists(st.lists(WORDS, max_size=12).map(" ".join), min_size=1, max_size=3), st.sampled_from(["yaml", "json"]))
def test_the_new_file_has_the_new_descriptions_and_nothing_else_new(texts, kind):
    import tempfile

    import yaml

    tools = [{"name": f"t{number}", "description": text} for number, text in enumerate(texts)]
    with tempfile.TemporaryDirectory() as folder:
        written = json.dumps(tools, indent=1) if kind == "json" else yaml.safe_dump(tools, allow_unicode=True)
        Path(folder, f"t.{kind}").write_text(written)
        Path(folder, "p.j2").write_text(f"---\ntools: t.{kind}\n---\nHelp.")
        found = shorten_tools(promptopt.load_prompt(Path(folder, "p.j2")))
    new = {one.place: one.new for one in found.changed}
    read = json.loads(found.text) if kind == "json" else load_yaml(found.text, "t")
    assert [{**tool, "description": tool["description"].strip()} for tool in read] == [
        {**tool, "description": new.get(tool["name"], tool["description"]).strip()} for tool in tools
    ]
