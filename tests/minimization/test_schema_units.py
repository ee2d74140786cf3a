"""Parts of tools and output schemas: their lines, and the files that are written without them."""

import json
from typing import Any

import pytest

from promptopt import load_prompt
from promptopt.minimization.units import read_units


def test_a_part_of_a_schema_is_in_its_own_line(project: Any) -> None:
    tools = (
        '[\n {"name": "find", "description": "Use it when the customer waits.",\n  "parameters": {"type": "object",\n'
        '   "properties": {"number": {"type": "string", "description": "A number."}}}},\n'
        ' {"name": "pay", "description": "Use it when the customer complains. Ask first.",\n'
        '  "parameters": {"type": "object", "properties": {\n'
        '   "number": {"type": "string", "description": "A number."}}}}\n]\n'
    )
    prompt = (
        "{# who: me #}\n---\nmodel: m\nanswer: /team\ntools: tools.json\noutput_schema:\n  type: object\n"
        "  required: [team, why]\n  additionalProperties: false\n  properties:\n    team:\n      type: string\n"
        "      description: |\n        Which team it is.\n        It is one.\n    why: {type: string}\n---\n{{ q }}\n"
    )
    project.write({"prompts/tools.json": tools, "prompts/p.j2": prompt})
    units = read_units(load_prompt("p"))
    assert [(unit.shown, unit.line) for unit in units.units] == [
        ("Use it when the customer waits.", 2),
        ("A number.", 4),
        ("Use it when the customer complains.", 5),
        ("Ask first.", 5),
        ("A number.", 7),
        ("Which team it is.", 14),
        ("It is one.", 15),
        ('why: {"type": "string"}', 16),
    ]


@pytest.mark.parametrize("indent", [None, 1, 4, "\t"])
def test_a_file_of_tools_keeps_its_indentation(project: Any, indent: Any) -> None:
    tool = {"name": "look", "description": "Looks. Use it.", "parameters": {"type": "object", "properties": {}}}
    project.write(
        {
            "prompts/tools.json": json.dumps([tool], indent=indent) + "\n",
            "prompts/p.j2": "---\nmodel: m\ntools: tools.json\n---\n{{ q }}\n",
        }
    )
    files = read_units(load_prompt("p")).files_without(["u2"])
    assert files["tools.json"] == json.dumps([tool | {"description": "Looks."}], indent=indent) + "\n"
