"""Tools of a prompt: where they come from, what they cost, what is refused."""

import json
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptopt import load_prompt
from promptopt.errors import TemplateError
from promptopt.templates.attribution import attribute
from promptopt.templates.tools import make_tools, tool_of_function
from promptopt.tokens import count_tokens
from promptopt.values import Message, Tool, ToolCall

WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_current_weather",
        "description": "Get the current weather in a given location",
        "parameters": {
            "type": "object",
            "properties": {
                "location": {"type": "string", "description": "The city and state, e.g. San Francisco, CA"},
                "unit": {
                    "type": "string",
                    "description": "The unit of temperature to return",
                    "enum": ["celsius", "fahrenheit"],
                },
            },
            "required": ["location"],
        },
    },
}
FIND = {"name": "find_order", "description": "Finds an order.", "parameters": {"type": "object", "properties": {}}}


def refund(order: int, reason: Literal["late", "broken"], note: str = "") -> None:
    """Refunds an order.

    Not said to the model.
    """


def anything(*orders: int) -> None:
    """Takes what has no name."""


def odd_default(share: float = float("nan")) -> None:
    """A default that no JSON has."""


def shadowing(
    schema: str,
    _hidden: int,
    model_config: dict[str, Any] = {"title": "Mr"},  # noqa: B006 - what a user writes
    client: Any = object(),  # noqa: B008 - as above
) -> None:
    """Names that Pydantic has, too."""


nameless = lambda order: order  # noqa: E731 - what a user writes


def test_tokens_are_those_that_openai_measured() -> None:
    # The cookbook's own example: the API billed gpt-4o 101 tokens for it, and gpt-4 and gpt-3.5-turbo 105 by another
    # recipe, which is not this one.
    messages = [
        Message("system", "You are a helpful assistant that can answer to questions about the weather."),
        Message("user", "What's the weather like in San Francisco?"),
    ]
    counted = count_tokens(messages, "gpt-4o", tools=make_tools(WEATHER))
    assert counted.tokens == 101
    assert counted.basis == "estimated"
    assert count_tokens(messages, "gpt-4o").basis == "counted"


@pytest.mark.parametrize(
    "written",
    [
        "tools: desk.json",
        "tools: desk.yaml",
        "tools: shared/desk.yaml",
        "tools: file://desk.json",
        f"tools: [{json.dumps(FIND)}]",
        "tools:\n  - {type: function, function: {name: find_order, description: Finds an order.}}",
        "tools: {name: find_order, description: Finds an order., input_schema: {type: object}}",
        "tools: [{name: find_order, description: Finds an order., inputSchema: {type: object}}]",
    ],
)
def test_tools_are_read_from_files_and_from_the_front_matter(project: Any, written: str) -> None:
    text = "- name: find_order\n  description: Finds an order.\n"
    project.write(
        {
            "prompts/desk/v1.j2": f"---\nmodel: gpt-4o\n{written}\n---\nHello",
            "prompts/desk/desk.json": json.dumps([{"type": "function", "function": FIND}]),
            "prompts/desk/desk.yaml": text,
            "prompts/shared/desk.yaml": text,
        }
    )
    rendered = load_prompt("desk").render({})
    assert [(tool.name, tool.description) for tool in rendered.tools] == [("find_order", "Finds an order.")]
    (sent,) = rendered.openai()["tools"]
    assert sent["function"]["name"] == "find_order"
    assert rendered.request().tools == rendered.tools


def test_a_python_function_is_a_tool(project: Any) -> None:
    project.write({"prompts/p.j2": f"---\nmodel: gpt-4o\ntools: ['{__name__}:refund']\n---\nHello"})
    (tool,) = load_prompt("p").front.tools
    assert tool == tool_of_function(f"{__name__}:refund")
    assert (tool.name, tool.description) == ("refund", "Refunds an order.")
    assert tool.parameters == {
        "type": "object",
        "properties": {
            "order": {"type": "integer"},
            "reason": {"type": "string", "enum": ["late", "broken"]},
            "note": {"type": "string", "default": ""},
        },
        "required": ["order", "reason"],
    }


@pytest.mark.parametrize(
    ("tools", "message"),
    [
        ("no.json", "prompts/p.j2:3: tools: the file 'no.json' does not exist"),
        ("bad.json", "prompts/bad.json:1: is not JSON: "),
        ("bad.yaml", "prompts/bad.yaml:2: is not YAML: "),
        ("7", "prompts/p.j2:3: tools: tool 1: 7 is not a function schema"),
        ("[{name: two words}]", "tool 1: its name 'two words' is not 1 to 64 letters, digits, _ and -"),
        ("[{name: a}, {name: a}]", "tool 2: there are two tools 'a'"),
        ("[{type: web_search, name: a}]", "a tool of type 'web_search' is run by the provider"),
        ("[{name: a, strict: 1}]", "strict: 1 of 'a' is not true or false"),
        ("[{name: a, description: [x]}]", "the description of 'a' is not a text"),
        ("[{name: a, parameters: [x]}]", "the parameters of 'a' are not a JSON schema"),
        (
            "[{name: a, parameters: {type: string}}]",
            "of type 'string': arguments are an object",
        ),
        ("[{name: a, parameters: {properties: {x: {type: text}}}}]", "properties/x/type: 'text' is not valid"),
        (
            "[{name: a, parameters: {$defs: {b: {$ref: '#/$defs/c'}, c: {$ref: '#/$defs/b'}}}}]",
            "the parameters of 'a' have a cycle: c -> b -> c",
        ),
        (
            "[{name: a, parameters: {properties: {x: {$ref: '#/properties/y'}, y: {$ref: '#/properties/x'}}}}]",
            "the parameters of 'a' have a cycle: y -> x -> y",
        ),
        (
            "[{name: a, parameters: {properties: {x: {$ref: '#/$defs/Order'}}}}]",
            "the parameters of 'a' refer to '#/$defs/Order', which is not there",
        ),
        (
            "[{name: a, parameters: {properties: {x: {$ref: '#/$defs/L'}}, $defs: {L: {not: {$ref: '#/$defs/L'}}}}}]",
            "the parameters of 'a' have a cycle: L -> L",
        ),
        (
            "[{name: a, parameters: {properties: {x: {$ref: 'https://example.com/s.json'}}}}]",
            "refer to 'https://example.com/s.json', which is outside of the schema: nobody fetches it",
        ),
        ("file://desk.py:find", "a Python function is named `package.module:function`"),
        (f"[{__name__}:odd_default]", "the parameters of 'odd_default' hold nan, which is not JSON"),
        (f"[{__name__}:nameless]", "its name '<lambda>' is not 1 to 64 letters"),
        ("[{name: find}]\ntool_choice: fnd", "p.j2:4: tool_choice: the prompt has no tool 'fnd'. Did you mean 'find'?"),
        ("[no_such_package.desk:find]", "cannot import 'no_such_package.desk': ModuleNotFoundError"),
        ("[json:JSONEncoder]", "'json:JSONEncoder' is type, not a function"),
        (f"[{__name__}:anything]", "takes *orders: int: a tool's arguments have names"),
    ],
)
def test_what_is_no_tool_is_refused_with_its_place(project: Any, tools: str, message: str) -> None:
    files = {"prompts/bad.json": "{", "prompts/bad.yaml": "- a: 1\n  - b"}
    project.write({"prompts/p.j2": f"---\nmodel: gpt-4o\ntools: {tools}\n---\nHello", **files})
    with pytest.raises(TemplateError) as raised:
        load_prompt("p")
    assert message in str(raised.value)


@pytest.mark.parametrize(
    "parameters",
    [
        {"properties": {"x": {"$ref": "#/allOf/1"}}, "allOf": [{}, {"type": "object"}]},
        {"properties": {"x": {"$ref": "#/$defs/a%20b"}}, "$defs": {"a b": {"type": "string"}}},
        {"properties": {"x": {"$ref": "#here"}}, "$defs": {"a": {"$anchor": "here", "type": "string"}}},
        {"properties": {"x": {"enum": [{"$ref": "#/nowhere"}]}}},
    ],
)
def test_references_are_looked_up_as_validators_do(parameters: dict[str, Any]) -> None:
    (tool,) = make_tools([{"name": "a", "parameters": parameters}])
    assert tool.parameters == parameters


def test_arguments_may_have_any_name_and_a_default_any_key(recwarn: pytest.WarningsRecorder) -> None:
    tool = tool_of_function(f"{__name__}:shadowing")
    assert tool.parameters == {
        "type": "object",
        "properties": {
            "schema": {"type": "string"},
            "_hidden": {"type": "integer"},
            "model_config": {"type": "object", "additionalProperties": True, "default": {"title": "Mr"}},
            "client": {},
        },
        "required": ["schema", "_hidden"],
    }
    assert not recwarn.list


def test_a_schema_of_a_tree_is_no_cycle(project: Any) -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}, "whole": {"$ref": "#"}}}
    tools = [{"name": "a", "parameters": {"properties": {"first": {"$ref": "#/$defs/Node"}}, "$defs": {"Node": node}}}]
    project.write({"prompts/p.j2": f"---\nmodel: gpt-4o\ntools: {json.dumps(tools)}\n---\nHello"})
    assert count_tokens(load_prompt("p").render({})).tools > 0


def test_each_tool_has_its_tokens_and_all_add_up(project: Any) -> None:
    tools = json.dumps([WEATHER, FIND])
    project.write({"prompts/p.j2": "---\nmodel: gpt-4o\ntools: t.json\n---\nHello {{ x }}", "prompts/t.json": tools})
    template = load_prompt("p")
    found = attribute(template, {"x": "you"})
    assert [name for name, _ in found.tools] == ["get_current_weather", "find_order"]
    parts = sum(part.tokens for part in found.parts) + found.framing + sum(tokens for _, tokens in found.tools)
    assert parts == found.total == count_tokens(template.render({"x": "you"})).tokens
    # The provider's cache serves the tools before the first message.
    assert found.static_prefix_tokens >= sum(tokens for _, tokens in found.tools)


@given(st.text(min_size=1, max_size=30), st.text(max_size=30))
def test_tools_and_calls_shape_the_digest(description: str, arguments: str) -> None:
    from promptopt.values import Request

    plain = Request("m", (Message("user", "x"),))
    tool = Request("m", plain.messages, tools=(Tool("a", description),))
    call = Request("m", (*plain.messages, Message("assistant", "", (ToolCall("1", "a", arguments),))))
    answered = Request("m", (*call.messages, Message("tool", "ok", tool_call_id="1")))
    assert len({each.digest for each in (plain, tool, call, answered)}) == 4
