"""Requests as arguments of the other SDKs, checked with the SDKs' own types."""

import base64
import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming as AnthropicParams
from google.genai import types as google
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming as ResponsesParams
from pydantic import TypeAdapter

from promptopt.call_options import CallOptions
from promptopt.values import Media, Message, Rendered, Request, Tool, ToolCall

SCHEMA = {
    "type": "object",
    "properties": {"status": {"type": "string"}},
    "required": ["status"],
    "additionalProperties": False,
}
LOOK = Tool("look_up", "Finds an order.", {"type": "object", "properties": {"id": {"type": "integer"}}}, strict=True)
PING = Tool("ping")
PNG = Media("image", "image/png", b"\x89PNG", name="cat.png", detail="low")
PDF = Media("file", "application/pdf", b"%PDF", name="bill.pdf")
TALK = (
    Message("system", "You run an order desk."),
    Message("developer", "Be brief."),
    Message("user", "What is this?", parts=("What is this?", PNG, PDF)),
    Message("assistant", "", tool_calls=(ToolCall("c1", "look_up", '{"id": 7}'), ToolCall("c2", "ping", ""))),
    Message("tool", '{"status": "sent"}', tool_call_id="c1"),
    Message("tool", "pong", tool_call_id="c2"),
    Message("user", "And now?"),
)
OPTIONS = CallOptions(
    temperature=0.5,
    top_p=0.9,
    max_output_tokens=60,
    reasoning_effort="low",
    tool_choice="look_up",
    service_tier="default",
)
WHOLE = Rendered(TALK, "gpt-5.6-luna", OPTIONS, SCHEMA, tools=(LOOK, PING))


def checked(kind, value):
    """The value, if it is of an SDK's type: every key is known there and every value fits."""
    assert plain(TypeAdapter(kind).validate_python(value)) == value
    return value


def plain(found):
    """What pydantic has read; it reads the items of an ``Iterable`` when they are asked for."""
    if isinstance(found, Mapping):
        return {key: plain(each) for key, each in found.items()}
    return (
        found if isinstance(found, str | bytes) or not isinstance(found, Iterable) else [plain(each) for each in found]
    )


def test_the_responses_api_gets_items_and_its_own_names() -> None:
    arguments = checked(ResponsesParams, WHOLE.responses())
    assert arguments["input"][:2] == [
        {"role": "system", "content": "You run an order desk."},
        {"role": "developer", "content": "Be brief."},
    ]
    assert [part["type"] for part in arguments["input"][2]["content"]] == ["input_text", "input_image", "input_file"]
    assert arguments["input"][3:7] == [
        {"type": "function_call", "call_id": "c1", "name": "look_up", "arguments": '{"id": 7}'},
        {"type": "function_call", "call_id": "c2", "name": "ping", "arguments": ""},
        {"type": "function_call_output", "call_id": "c1", "output": '{"status": "sent"}'},
        {"type": "function_call_output", "call_id": "c2", "output": "pong"},
    ]
    assert arguments["reasoning"] == {"effort": "low"}
    assert arguments["max_output_tokens"] == 60
    assert arguments["text"]["format"]["schema"] == SCHEMA
    assert arguments["tool_choice"] == {"type": "function", "name": "look_up"}
    assert arguments["tools"][0]["name"] == "look_up"


def test_anthropic_gets_blocks_and_a_cap() -> None:
    arguments = WHOLE.anthropic("claude-haiku-4-5")
    # The SDK has no arguments for these.
    assert arguments.pop("extra_body") == {"temperature": 0.5, "top_p": 0.9}
    checked(AnthropicParams, arguments)
    assert arguments["system"] == "You run an order desk.\n\nBe brief."
    first, calls, results, last = arguments["messages"]
    assert [block["type"] for block in first["content"]] == ["text", "image", "document"]
    assert first["content"][1]["source"]["data"] == base64.b64encode(PNG.data).decode()
    assert calls["content"] == [
        {"type": "tool_use", "id": "c1", "name": "look_up", "input": {"id": 7}},
        {"type": "tool_use", "id": "c2", "name": "ping", "input": {}},
    ]
    assert [block["tool_use_id"] for block in results["content"]] == ["c1", "c2"]
    assert last == {"role": "user", "content": "And now?"}
    assert arguments["output_config"] == {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}}
    assert arguments["tool_choice"] == {"type": "tool", "name": "look_up"}
    assert Rendered((Message("user", "hi"),), "claude-haiku-4-5").anthropic() == {
        "model": "claude-haiku-4-5",
        "max_tokens": 4096,
        "messages": [{"role": "user", "content": "hi"}],
    }


def test_google_gets_contents_and_a_config() -> None:
    arguments = WHOLE.google("gemini-3-flash")
    config = google.GenerateContentConfig.model_validate(arguments["config"])
    contents = [google.Content.model_validate(each) for each in arguments["contents"]]
    assert config.system_instruction == "You run an order desk.\n\nBe brief."
    assert config.thinking_config.thinking_level == google.ThinkingLevel.LOW
    assert config.response_json_schema == SCHEMA
    assert config.tool_config.function_calling_config.allowed_function_names == ["look_up"]
    assert config.tools[0].function_declarations[0].parameters_json_schema == LOOK.parameters
    assert [content.role for content in contents] == ["user", "model", "user", "user"]
    assert contents[0].parts[1].inline_data.data == PNG.data
    assert contents[1].parts[0].function_call.args == {"id": 7}
    assert contents[2].parts[0].function_response.response == {"status": "sent"}
    assert contents[2].parts[1].function_response.response == {"output": "pong"}


@pytest.mark.parametrize("choice", ["auto", "none", "required"])
def test_a_choice_of_tools_is_of_each_sdk_s_own_kind(choice: str) -> None:
    asked = Rendered((Message("user", "hi"),), "m", CallOptions(tool_choice=choice), tools=(PING,))
    checked(ResponsesParams, asked.responses())
    checked(AnthropicParams, asked.anthropic())
    google.GenerateContentConfig.model_validate(asked.google()["config"])


@pytest.mark.parametrize(
    ("options", "method", "message"),
    [
        ({"seed": 1}, "responses", "takes no seed"),
        ({"seed": 1, "verbosity": "low"}, "anthropic", "takes no seed, verbosity: leave them out"),
        ({"temperature": 1.5}, "anthropic", r"does not take temperature 1\.5"),
        (
            {"reasoning_effort": "minimal"},
            "anthropic",
            "reasoning_effort 'minimal'; it takes low, medium",
        ),
        ({"service_tier": "flex"}, "anthropic", "does not take service_tier 'flex'"),
        ({"parallel_tool_calls": False}, "google", "takes no parallel_tool_calls"),
        ({"reasoning_effort": "max"}, "google", "does not take reasoning_effort 'max'"),
    ],
)
def test_what_an_api_has_no_place_for_is_said_and_not_left_out(options, method: str, message: str) -> None:
    asked = Rendered((Message("user", "hi"),), "m", CallOptions(**options))
    with pytest.raises(ValueError, match=message):
        getattr(asked, method)()


# Where the setting with that value is in the arguments of each API; an API that is missing refuses it.
PLACES: dict[str, tuple[Any, dict[str, dict[str, Any]]]] = {
    "temperature": (
        0.5,
        {
            "responses": {"temperature": 0.5},
            "anthropic": {"extra_body.temperature": 0.5},
            "google": {"config.temperature": 0.5},
        },
    ),
    "max_output_tokens": (
        60,
        {
            "responses": {"max_output_tokens": 60},
            "anthropic": {"max_tokens": 60},
            "google": {"config.max_output_tokens": 60},
        },
    ),
    "seed": (7, {"google": {"config.seed": 7}}),
    "stop": (("END",), {"anthropic": {"stop_sequences.0": "END"}, "google": {"config.stop_sequences.0": "END"}}),
    "reasoning_effort": (
        "low",
        {
            "responses": {"reasoning.effort": "low"},
            "anthropic": {"output_config.effort": "low"},
            "google": {"config.thinking_config.thinking_level": "LOW"},
        },
    ),
    "verbosity": ("high", {"responses": {"text.verbosity": "high"}}),
    "service_tier": (
        "default",
        {
            "responses": {"service_tier": "default"},
            "anthropic": {"service_tier": "standard_only"},
            "google": {"config.service_tier": "standard"},
        },
    ),
    "top_p": (
        0.9,
        {"responses": {"top_p": 0.9}, "anthropic": {"extra_body.top_p": 0.9}, "google": {"config.top_p": 0.9}},
    ),
    "frequency_penalty": (-0.5, {"google": {"config.frequency_penalty": -0.5}}),
    "presence_penalty": (1.5, {"google": {"config.presence_penalty": 1.5}}),
    "logprobs": (
        True,
        {
            "responses": {"include.0": "message.output_text.logprobs"},
            "google": {"config.response_logprobs": True},
        },
    ),
    "top_logprobs": (3, {"responses": {"top_logprobs": 3}, "google": {"config.logprobs": 3}}),
    "tool_choice": (
        "ping",
        {
            "responses": {"tool_choice.type": "function", "tool_choice.name": "ping"},
            "anthropic": {"tool_choice.type": "tool", "tool_choice.name": "ping"},
            "google": {
                "config.tool_config.function_calling_config.mode": "ANY",
                "config.tool_config.function_calling_config.allowed_function_names.0": "ping",
            },
        },
    ),
    "parallel_tool_calls": (
        False,
        {
            "responses": {"parallel_tool_calls": False},
            "anthropic": {"tool_choice.type": "auto", "tool_choice.disable_parallel_tool_use": True},
        },
    ),
    "response_format": (
        "json_object",
        {
            "responses": {"text.format.type": "json_object"},
            "google": {"config.response_mime_type": "application/json"},
        },
    ),
    "detail": (
        "low",
        {
            "responses": {"input.0.content.1.detail": "low"},
            "google": {"config.media_resolution": "MEDIA_RESOLUTION_LOW"},
        },
    ),
    "extra_body": (
        '{"min_p":0.1}',
        {"responses": {"extra_body.min_p": 0.1}, "anthropic": {"extra_body.min_p": 0.1}},
    ),
}
APIS = ("responses", "anthropic", "google")
SHOWN = Message("user", "What is this?", parts=("What is this?", dataclasses.replace(PNG, detail="")))


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that is in nothing else, with where it is."""
    if isinstance(value, Mapping | list) and value:
        for key, each in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from leaves(each, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def test_every_setting_has_its_place_in_every_api_or_none() -> None:
    new = {field.name for field in dataclasses.fields(CallOptions)} ^ PLACES.keys()
    assert not new, f"say in PLACES of {__file__} where each API has {', '.join(new)}, after promptopt/dialects.py has"


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("name", PLACES)
def test_a_setting_arrives_in_its_place_or_is_refused_by_name(name: str, api: str) -> None:
    def arguments(options: CallOptions) -> Any:
        return getattr(Rendered((SHOWN,), "m", options, tools=(PING,)), api)()

    value, places = PLACES[name]
    options = CallOptions(**{name: value})
    if api not in places:
        with pytest.raises(ValueError, match=f"takes no {name}: leave it out"):
            arguments(options)
        return
    before = dict(leaves(arguments(CallOptions())))
    assert {place: each for place, each in leaves(arguments(options)) if before.get(place) != each} == places[api]


class LaterOptions(CallOptions):
    """What a later version may know, and no API here does."""

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "patience": 0.5}


@pytest.mark.parametrize("api", APIS)
def test_a_setting_that_nothing_places_is_refused(api: str) -> None:
    with pytest.raises(ValueError, match="takes no patience: leave it out"):
        getattr(Rendered((SHOWN,), "m", LaterOptions(temperature=0.5)), api)()


def test_parallel_calls_are_said_to_anthropic_without_tools_too() -> None:
    asked = Rendered((Message("user", "hi"),), "m", CallOptions(parallel_tool_calls=False))
    assert asked.anthropic()["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}


@pytest.mark.parametrize(
    ("messages", "method", "message"),
    [
        (
            (Message("assistant", "", (ToolCall("c", "f", "{oops"),)),),
            "anthropic",
            "of f are not a JSON object",
        ),
        ((Message("tool", "x", tool_call_id="c9"),), "google", "'c9' belongs to no call before it"),
        ((Message("user", "x"), Message("system", "y")), "google", "at the beginning only"),
        ((Message("user", "x", parts=(Media("audio", "audio/wav", b"R"),)),), "anthropic", "takes no sound"),
        ((Message("user", "x", parts=(Media("file", "application/zip", b"P"),)),), "anthropic", "not application/zip"),
        ((Message("user", "x", parts=(Media("audio", "audio/wav", b"R"),)),), "responses", "takes no audio"),
        ((Message("system", "x", parts=("x", PNG)), Message("user", "x")), "anthropic", "no media in a system message"),
        ((Message("system", "x"),), "anthropic", "no system message alone"),
        ((Message("developer", "x"),), "google", "no system message alone"),
    ],
)
def test_messages_that_an_api_cannot_say_are_named(messages, method: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        getattr(Rendered(messages, "m"), method)()


def test_a_prefix_of_the_provider_does_not_travel() -> None:
    asked = Rendered((Message("user", "hi"),))
    assert asked.anthropic("anthropic:claude-haiku-4-5")["model"] == "claude-haiku-4-5"
    assert asked.google("google:gemini-3-flash")["model"] == "gemini-3-flash"
    assert asked.responses("openai:gpt-5.6-luna")["model"] == "gpt-5.6-luna"
    assert isinstance(asked.request("m"), Request)
