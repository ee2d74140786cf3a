"""What definitions of tools cost is pointed at, and what is short is left alone."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from promptopt.cli import cli
from promptopt.compression.document import Document
from promptopt.compression.rules.tool_definitions import ToolDefinitions
from promptopt.templates.frontmatter import FrontMatter
from promptopt.values import Tool

TEXT = "---\nmodel: gpt-4o-mini\ntools: desk.yaml\n---\nHelp.\n"


def found(tool: Tool) -> list[str]:
    document = Document(TEXT, FrontMatter(tools=(tool,)), model="gpt-4o-mini")
    findings = list(ToolDefinitions().propose(document))
    assert all(finding.tokens > 0 and TEXT[finding.start :].startswith("tools:") for finding in findings)
    return [finding.message for finding in findings]


def argument(**schema: object) -> Tool:
    return Tool("find", "Finds it.", {"type": "object", "properties": {"orderId": {"type": "string", **schema}}})


def test_a_long_description_is_named_with_its_tokens() -> None:
    (message,) = found(Tool("find", "Finds the order of a customer. " * 12))
    assert re.fullmatch(r"the description of tool 'find' takes \d+ tokens: say each thing once", message)


def test_check_prints_what_it_costs_a_month(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tools = [{"name": "find", "description": "Finds the order of a customer. " * 12}]
    Path("p.j2").write_text(
        f"---\nmodel: gpt-4o-mini\ncalls_per_month: 10000000\ntools: {json.dumps(tools)}\n---\nHelp.\n"
    )
    printed = CliRunner().invoke(cli, ["check", "p.j2", "--select", "PO505"]).output
    assert re.search(r"PO505 .* \[-\d+ tokens, \$\d+\.\d\d a month\]", printed), printed


@pytest.mark.parametrize("text", ["The order ID", "order id.", "The ID of the order"])
def test_a_description_that_repeats_the_name_can_go(text: str) -> None:
    assert found(argument(description=text)) == [
        "the description of 'orderId' in tool 'find' only repeats its name: leave it out"
    ]


def test_a_long_enum_is_named_and_a_short_one_is_not() -> None:
    assert "lists 21 values" in found(argument(enum=[f"v{number}" for number in range(21)]))[0]
    assert not found(argument(enum=["open", "closed"]))


def test_what_says_something_in_few_words_stays() -> None:
    assert not found(argument(description="As the customer writes it: A-1042"))
    assert not found(argument(description=""))


def test_arguments_within_objects_and_lists_are_read() -> None:
    inner = {"type": "object", "properties": {"name": {"type": "string", "description": "The name"}}}
    tool = Tool("f", "", {"properties": {"one": inner, "many": {"type": "array", "items": inner}}})
    assert [message.split("'")[1] for message in found(tool)] == ["one.name", "many.name"]
