"""Chats: JSON and YAML read as messages, turns of tools, the order of turns."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptopt import list_prompts, load_prompt
from promptopt.errors import TemplateError
from promptopt.templates.attribution import attribute
from promptopt.templates.chat_file import chat_source
from promptopt.templates.prompt_cache import static_prefix
from promptopt.templates.template import Template
from promptopt.values import Origin, ToolCall

JSON = """\
[
  {"role": "system", "content": "You know {{ topic }}.\\nBe \\"brief\\"."},
  {"role": "user",
   "content": "{{ question }}"}
]
"""
YAML = """\
---
model: gpt-4o-mini
---
# the rules
- role: system
  content: |
    You look things up.
    Ask before {{ action }}.
- role: assistant
  content:
  tool_calls: [{id: c1, function: {name: look, arguments: '{"id": "{{ number }}"}'}}]
- role: tool
  tool_call_id: c1
  content: found
- role: user
  content: "{{ question }}"
"""
LOOP = """\
[{"role": "system", "content": "Be kind. Say {{ word }}."},
{% for turn in history %}
{"role": {{ turn.role | tojson }}, "content": {{ turn.content | tojson }}},
{% endfor %}
{"role": "user", "content": {{ question | tojson }}}]
"""
HISTORY = """\
{% chat role="system" %}Rules.{% endchat %}
{% for turn in history %}
{% chat role=turn.role tool_calls=turn.tool_calls tool_call_id=turn.tool_call_id %}{{ turn.content }}{% endchat %}
{% endfor %}
{% chat role="user" %}{{ question }}{% endchat %}
"""
CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"a": 1}'}}


def turns(project, file: str, text: str, **variables: object) -> list[tuple[str, str]]:
    project.write({f"prompts/{file}": text})
    return [(each.role, each.content) for each in load_prompt(f"prompts/{file}").render(variables).messages]


@pytest.mark.parametrize("file", ["p.json", "p.chat.json", "p.j2"])
def test_a_chat_in_json_is_messages_whose_contents_are_templates(project, file: str) -> None:
    assert turns(project, file, JSON, topic="cats", question='a "quoted"\nline') == [
        ("system", 'You know cats.\nBe "brief".'),
        ("user", 'a "quoted"\nline'),
    ]


def test_a_chat_in_yaml_has_front_matter_calls_and_answers_of_tools(project) -> None:
    project.write({"prompts/p.yaml": YAML})
    rendered = load_prompt("prompts/p.yaml").render({"action": "buying", "number": "7", "question": "And?"})
    assert rendered.model == "gpt-4o-mini"
    system, call, answer, user = rendered.messages
    assert system.content == "You look things up.\nAsk before buying."
    assert (call.content, call.tool_calls) == ("", (ToolCall("c1", "look", '{"id": "7"}'),))
    assert (answer.role, answer.tool_call_id, answer.content, user.content) == ("tool", "c1", "found", "And?")
    assert rendered.openai()["messages"][1]["content"] is None


@pytest.mark.parametrize("file", ["p.json", "p.yaml"])
def test_values_of_a_call_stay_what_they_are(project, file: str) -> None:
    given = {"one": 1, "none": 0, "yes": True, "no": False, "nil": None, "half": 0.5, "whole": 2.0, "😀": ["é😀", -3]}
    call = {"id": "😀", "type": "function", "function": {"name": "f", "arguments": given}}
    # As an SDK writes a message: with the keys that say nothing.
    turn = {"role": "assistant", "content": None, "refusal": None, "annotations": [], "tool_calls": [call]}
    chat = [{"role": "user", "content": "u"}, turn, {"role": "tool", "tool_call_id": "😀", "content": "r"}]
    project.write({f"prompts/{file}": json.dumps(chat)})
    _, made, answer = load_prompt(f"prompts/{file}").render({}).messages
    (found,) = made.tool_calls
    assert json.dumps(json.loads(found.arguments)) == json.dumps(given)
    assert (found.id, answer.tool_call_id) == ("😀", "😀")


def test_a_template_may_write_the_chat(project) -> None:
    history = [{"role": "user", "content": 'a "b"'}, {"role": "assistant", "content": "c\nd"}]
    found = turns(project, "p.j2", LOOP, word="yes", history=history, question="e")
    assert found == [("system", "Be kind. Say yes."), ("user", 'a "b"'), ("assistant", "c\nd"), ("user", "e")]
    prefix = static_prefix(load_prompt("prompts/p.j2"))
    assert (prefix.messages, prefix.beginning) == ((), "Be kind. Say ")


def test_a_history_loop_takes_the_turns_of_an_api(project) -> None:
    history = [
        {"role": "user", "content": "Look."},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": "found"},
        {"role": "assistant", "content": "It is there."},
    ]
    project.write({"prompts/p.j2": HISTORY})
    rendered = load_prompt("prompts/p.j2").render({"history": history, "question": "And?"})
    assert rendered.openai("gpt-4o")["messages"][1:5] == history
    template = load_prompt("prompts/p.j2")
    assert static_prefix(template).messages == ("Rules.",)
    attributed = attribute(template, {"history": history, "question": "And?"})
    assert attributed.exact
    assert {part.line for part in attributed.parts} == {1, 3, 5}


def test_attribution_and_the_static_prefix_name_lines_of_the_file(project) -> None:
    project.write({"prompts/p.yaml": YAML, "prompts/q.json": JSON})
    attributed = attribute(
        load_prompt("prompts/p.yaml"), {"action": "buying", "number": "7", "question": "Where is it?"}
    )
    assert attributed.exact
    assert [(part.line, part.source) for part in attributed.parts if part.kind == "text" and part.tokens] == [
        (7, "You look things up."),
        (8, "Ask before {{ action }}."),
        (14, "found"),
    ]
    assert attributed.prefix_broken_by is not None
    assert attributed.prefix_broken_by.line == 8
    # Two lines of text within one line of JSON.
    lines = [part.line for part in attribute(load_prompt("prompts/q.json"), {"topic": "a", "question": "b"}).parts]
    assert set(lines) == {2, 4}


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="{}%#")), min_size=1, max_size=4))
def test_every_text_survives_the_way_through_json(texts: list[str]) -> None:
    class OneFile:
        def read(self, name: str) -> str:
            return json.dumps([{"role": "user", "content": text} for text in texts])

        def display(self, name: str) -> str:
            return name

    rendered = Template.load("p.json", OneFile(), Origin("p")).render({})
    # Line ends are one, as in every file; white space of the template around a text is stripped.
    plain = [text.replace("\r\n", "\n").replace("\r", "\n") for text in texts]
    assert [message.content for message in rendered.messages] == [text.strip() for text in plain]


@pytest.mark.parametrize(
    ("file", "text", "line", "message"),
    [
        ("p.json", '[{"role": "user", "content": "a"},\n]', 1, "a comma before the closing bracket"),
        ("p.json", '[\n{"role": "usr", "content": "a"}]', 2, "unknown role 'usr'"),
        ("p.json", '[{"role": "user", "content": 3}]', 1, "content is 3"),
        ("p.json", '[{"role": "user"}]', 1, "neither content nor tool_calls"),
        ("p.json", '{"messages": [], "model": "m"}', 1, "'model' beside them"),
        ("p.yaml", "- role: user\n  content: a\n- role: user\n  contents: b", 3, "unknown key 'contents'"),
        ("p.yaml", "- role: assistant\n  content: b\n- role: assistant\n  content: c", 4, "two turns"),
        ("p.json", '[\n\n{"role": "tool", "content": "a", "tool_call_id": "x"}]', 3, "answer to 'x'"),
        ("p.j2", '{% chat role="tool" %}a{% endchat %}', 1, "needs `tool_call_id`"),
        (
            "p.j2",
            '{% chat role="user" %}a{% endchat %}\n{% chat role="assistant" tool_calls=[call] %}{% endchat %}\n',
            2,
            "'c1' is not answered",
        ),
        (
            "p.j2",
            '{% chat role="assistant" tool_calls=[call] %}{% endchat %}\n{% chat role="user" %}a{% endchat %}\n',
            2,
            "'c1' is not answered before this turn of the user",
        ),
        ("p.j2", '{% chat role="user" tool_calls=[call] %}a{% endchat %}', 1, "belong to the role assistant"),
        ("p.j2", '\n{% chat role="assistant" tool_calls=[{"id": "x"}] %}{% endchat %}', 2, "names no function"),
        ("p.j2", '[{"role": "user", "content": "{{ quoted }}"},\n{{ 1 }}', None, "not JSON"),
    ],
)
def test_what_is_no_chat_is_one_message_with_its_line(
    project, file: str, text: str, line: int | None, message: str
) -> None:
    project.write({f"prompts/{file}": text})
    with pytest.raises(TemplateError) as caught:
        load_prompt(f"prompts/{file}").render({"call": CALL, "quoted": 'a "b"'})
    assert message in caught.value.message
    assert (caught.value.path, caught.value.line) == (f"prompts/{file}", line)


def test_json_that_is_no_chat_stays_text(project) -> None:
    for file, text in (("p.json", '{"task": "sum"}'), ("q.j2", '[{"id": 1}]'), ("r.yaml", "steps: [a]")):
        assert turns(project, file, text) == [("user", text)]
        assert chat_source(text, file) is None


def test_chats_of_the_prompts_folder_have_names_and_versions(project) -> None:
    project.write(
        {
            "prompts/route/v1.json": JSON,
            "prompts/route/route.schema.json": "{}",
            "prompts/tools.json": '[{"type": "function", "function": {"name": "f"}}]',
            "prompts/reply.chat.yaml": YAML,
        }
    )
    assert [(each.name, [version for version, _ in each.versions]) for each in list_prompts()] == [
        ("reply", [""]),
        ("route", ["v1"]),
    ]
    assert load_prompt("route").origin == Origin("route", "v1")
    wordy = JSON.replace("Be ", "In order to help, please make sure that you are ")
    project.write({"prompts/route/v1.json": wordy})
    assert project.run("compress", "route", "--write").returncode == 0
    shorter = load_prompt("route@v2")
    assert shorter.path == "prompts/route/v2.j2"
    before, after = (load_prompt(f"route@{v}").render({"topic": "a", "question": "b"}).messages for v in ("v1", "v2"))
    assert [each.role for each in after] == ["system", "user"]
    assert len(after[0].content) < len(before[0].content)
    assert after[1] == before[1]
