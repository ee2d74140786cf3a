"""PO507: tools that no recorded answer calls, and arguments that no recorded call has."""

import json
import re

import pytest
from click.testing import CliRunner

from promptopt.cli import cli
from promptopt.compression.rules.unused_tools import FEW
from promptopt.providers.recordings import Recording
from promptopt.values import Message, Origin, Request, Response, ToolCall

TOOLS = [
    {
        "name": "refund",
        "description": "Pays it back.",
        "parameters": {
            "type": "object",
            "properties": {"order": {"type": "string"}, "note": {"type": "string", "description": "A note."}},
        },
    },
    {"name": "escalate", "description": "Calls a person."},
]


def project_with(project, calls: list[tuple[str, str]], case: str = "", version: str = "v1") -> str:
    """What ``check`` finds in a prompt whose recorded answers make these calls, one each."""
    lines = []
    for number, (name, arguments) in enumerate(calls):
        request = Request("m", (Message("user", "x"),), origin=Origin("desk", "v1", f"c{number:03}"))
        called = (ToolCall("1", name, arguments),) if name else ()
        lines.append(Recording.of(request, Response("m", "", tool_calls=called)).to_json())
    cases = "".join(f"- {{description: c{number:03}, vars: {{message: escalate}}}}\n" for number in range(len(calls)))
    project.write(
        {
            "prompts/desk/v1.j2": f"---\nmodel: gpt-4o\ntools: {json.dumps(TOOLS)}\n---\n{{{{ message }}}}",
            "suites/desk.yaml": f"tests:\n{cases}{case}",
            f"suites/desk/recordings/desk/{version}.jsonl": "\n".join(lines) + "\n",
        }
    )
    return CliRunner().invoke(cli, ["check", "desk@v1", "--select", "PO507"]).stdout


def test_unused_tools_and_arguments_are_named_with_numbers(project) -> None:
    printed = project_with(project, [("refund", '{"order": "A"}')] * 24 + [("", "")] * 6)
    first, second = printed.splitlines()
    tool = "tool 'escalate' is called in none of 30 recorded answers, and no case names it: leave it out if production"
    assert tool in first + second
    argument = "argument 'note' of tool 'refund' is in none of 24 recorded calls, and no case names it: leave it out"
    assert argument in first + second
    assert all(re.search(r"prompts/desk/v1\.j2:3:1 PO507 .* \[-\d+ tokens\]", line) for line in (first, second))


@pytest.mark.parametrize(
    "case",
    [
        (
            "- {vars: {message: x}, assert: [{type: tool-call, value: {name: refund, arguments: {note: y}}}, "
            "{type: tool-call, forbidden: [escalate]}]}\n"
        ),
        "- {vars: {message: x}, tool_results: {escalate: ok, refund: [{arguments: {note: y}, result: ok}]}}\n",
        "- {vars: {message: x}, assert: [{type: javascript, value: 'called(\"escalate\") || args.note'}]}\n",
    ],
)
def test_what_a_case_names_is_used(project, case: str) -> None:
    assert project_with(project, [("refund", '{"order": "A"}')] * 30, case) == ""


def test_arguments_that_cannot_be_read_may_use_any(project) -> None:
    calls = [("refund", '{"order": "A"}')] * 30
    assert "argument 'note'" in project_with(project, calls)
    assert "argument 'note'" not in project_with(project, [*calls, ("refund", '{"note": "cut o')])


def test_few_answers_say_nothing(project) -> None:
    assert project_with(project, [("refund", "{}")] * (FEW - 1)) == ""
    # Those of another version are not of this one.
    assert project_with(project, [("refund", "{}")] * 30, version="v10") == ""


def test_a_broken_suite_or_recording_is_not_the_linters_matter(project) -> None:
    project_with(project, [("refund", "{}")] * 30)
    project.write({"suites/desk.yaml": "tests: 7"})
    assert CliRunner().invoke(cli, ["check", "desk@v1", "--select", "PO507"]).exit_code == 0
