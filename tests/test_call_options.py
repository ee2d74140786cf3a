"""A setting of a call is declared once and arrives everywhere."""

import dataclasses
import json

import pytest

from promptopt import load_prompt
from promptopt.call_options import CallOptions, setting_names
from promptopt.errors import TemplateError
from promptopt.providers.openai.client import OpenAIProvider
from promptopt.providers.recordings import Recording, what_changed
from promptopt.templates.frontmatter import KEYS
from promptopt.values import Message, Request, Response

# As written in a front matter, as the value, and as the SDK sends it.
# A new setting fails the first test until it is here.
EXAMPLES = {
    "temperature": ("0.5", 0.5, {"temperature": 0.5}),
    "max_output_tokens": ("60", 60, {"max_completion_tokens": 60}),
    "seed": ("7", 7, {"seed": 7}),
    "stop": ("[END]", ("END",), {"stop": ["END"]}),
    "reasoning_effort": ("low", "low", {"reasoning_effort": "low"}),
    "verbosity": ("high", "high", {"verbosity": "high"}),
    "service_tier": ("flex", "flex", {"service_tier": "flex"}),
    "top_p": ("0.9", 0.9, {"top_p": 0.9}),
    "frequency_penalty": ("-0.5", -0.5, {"frequency_penalty": -0.5}),
    "presence_penalty": ("1e-1", 0.1, {"presence_penalty": 0.1}),
    "logprobs": ("true", True, {"logprobs": True}),
    "top_logprobs": ("3", 3, {"top_logprobs": 3}),
    "tool_choice": ("find", "find", {"tool_choice": {"type": "function", "function": {"name": "find"}}}),
    "parallel_tool_calls": ("false", False, {"parallel_tool_calls": False}),
    "response_format": ("json_object", "json_object", {"response_format": {"type": "json_object"}}),
    "detail": ("low", "low", {}),
    "extra_body": ("{min_p: 0.1}", '{"min_p":0.1}', {"extra_body": {"min_p": 0.1}}),
}
BAD = {
    "temperature": "3",
    "max_output_tokens": "0",
    "seed": "-1",
    "stop": "[1]",
    "reasoning_effort": "much",
    "verbosity": "3",
    "service_tier": "cheap",
    "top_p": "1.5",
    "frequency_penalty": "-2.5",
    "presence_penalty": "nan",
    "logprobs": "3",
    "top_logprobs": "21",
    "tool_choice": "'two words'",
    "parallel_tool_calls": "maybe",
    "response_format": "xml",
    "detail": "tiny",
    "extra_body": "[1]",
}
SETTINGS = [field.name for field in dataclasses.fields(CallOptions)]


def test_every_setting_has_an_example() -> None:
    new = [name for name in SETTINGS if name not in EXAMPLES or name not in BAD]
    assert not new, f"write an example and a bad value of {new} into EXAMPLES and BAD of {__file__}"
    assert SETTINGS == list(EXAMPLES) == list(BAD)
    assert set(SETTINGS) <= set(KEYS)


def test_settings_are_known_by_the_names_of_other_tools() -> None:
    names = setting_names()
    # What other tools write in another form, and what is no argument, is read by whoever knows the form.
    forms = {"tool_choice", "response_format", "detail", "extra_body"}
    for name, (_, _, sent) in EXAMPLES.items():
        assert {key for key, option in names.items() if option == name} >= (set() if name in forms else {name, *sent})
        assert name not in forms or name not in names.values()
    theirs = ("maxTokens", "stopSequences", "topP", "frequencyPenalty", "num_predict", "maxTokenCount")
    assert [names[each] for each in theirs] == [
        "max_output_tokens",
        "stop",
        "top_p",
        "frequency_penalty",
        "max_output_tokens",
        "max_output_tokens",
    ]


def test_all_are_keyword_only_and_frozen() -> None:
    with pytest.raises(TypeError):
        CallOptions(0.5)  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        CallOptions().seed = 1  # type: ignore[misc]


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_arrives_everywhere(project, endpoint, name: str) -> None:
    written, value, sent = EXAMPLES[name]
    project.write({"prompts/p.j2": f"---\nmodel: gpt-4o-mini\n{name}: {written}\n---\nHello"})
    template = load_prompt("p")
    options = CallOptions(**{name: value})
    assert template.front.params == options
    rendered = template.render({})
    assert rendered.params == options
    request = rendered.request(case="a")
    assert request.params == options
    assert options.to_dict() == {name: json.loads(json.dumps(value))}

    plain = dataclasses.replace(request, params=CallOptions())
    assert plain.digest != request.digest

    recording = Recording.of(request, Response("m", "x"))
    assert recording.params == options.to_dict()
    assert json.loads(recording.to_json())["params"] == options.to_dict()
    assert name in what_changed(recording, plain)

    base = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}]}
    assert rendered.openai() == {**base, **sent}
    provider = OpenAIProvider(base_url=endpoint.url, api_key="test", timeout_s=5)
    provider.complete(request)
    provider.close()
    # The SDK puts the keys of an extra body into the body.
    assert endpoint.requests == [{**base, **sent.get("extra_body", sent)}]


@pytest.mark.parametrize("name", SETTINGS)
def test_a_bad_value_is_named_with_its_line(project, name: str) -> None:
    project.write({"prompts/p.j2": f"---\nmodel: gpt-4o-mini\n{name}: {BAD[name]}\n---\nHello"})
    with pytest.raises(TemplateError) as raised:
        load_prompt("p")
    assert raised.value.line == 3
    assert str(raised.value).startswith(f"prompts/p.j2:3: {name}: ")


def test_what_is_not_set_changes_no_digest() -> None:
    one = Request("m", (Message("user", "x"),))
    assert one.digest == Request("m", (Message("user", "x"),), CallOptions(seed=None, stop=())).digest


@pytest.mark.parametrize("further", [{"model": "gpt-4o"}, {"min_p": 0.1, "messages": []}])
def test_further_keys_take_nothing_of_the_prompts_place(further: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="would take the place of the prompt's own"):
        CallOptions.read("extra_body", further)
