"""Turns of a conversation, as suites write them."""

import json
from pathlib import Path

import pytest

from promptopt import load_suite
from promptopt.errors import SuiteError
from promptopt.suites import Assertion, Case


def only(project, text: str, name: str = "s.yaml") -> Case:
    project.write({name: text})
    (case,) = load_suite(name).cases
    return case


def test_a_turn_has_what_the_user_says_and_its_own_asserts(project) -> None:
    case = only(
        project,
        """
- description: refund
  vars: {order: A-1, word: paid}
  turns:
  - user: Where is {{ order }}?
    assert:
    - {type: contains, value: "{{ word }}"}
  - And {{ order }}'s money?
  - {user: "{{ name }} asks", vars: {name: "Ann of {{ order }}", word: sent}}
  assert: [{type: contains, value: bye}]
""",
    )
    assert [turn.user for turn in case.turns] == ["Where is A-1?", "And A-1's money?", "Ann of A-1 asks"]
    assert case.turns[0].asserts == (Assertion("contains", value="{{ word }}", line=7),)
    assert case.asserts == (Assertion("contains", value="bye", line=10),)
    assert [turn.vars["word"] for turn in case.turns] == ["paid", "paid", "sent"]
    assert (case.turns[2].vars["name"], "name" in case.vars) == ("Ann of A-1", False)


@pytest.mark.parametrize("name", ["s.json", "s.jsonl", "s.yaml"])
def test_every_format_that_has_lists_has_turns(project, name: str) -> None:
    test = {"vars": {"a": "x"}, "turns": [{"user": "{{ a }}?"}, "no"]}
    case = only(project, json.dumps(test) if name == "s.jsonl" else json.dumps([test]), name)
    assert [turn.user for turn in case.turns] == ["x?", "no"]


def test_a_text_may_be_a_file_and_braces_that_name_no_variable_stay(project) -> None:
    project.write({"long.txt": "Read {{ a }} and {{ b }}."})
    case = only(project, '[{vars: {a: x}, turns: [{user: "file://long.txt", vars: {b: y}}, "what is {{ c }}?"]}]')
    assert [turn.user for turn in case.turns] == ["Read x and y.", "what is {{ c }}?"]


def test_turns_of_the_defaults_are_those_of_every_case_without_any(project) -> None:
    text = """
defaultTest: {turns: ["hello {{ n }}", bye]}
tests:
- {description: a, vars: {n: 1}}
- {description: b, vars: {n: 2}, turns: ['only {{ n }}']}
"""
    project.write({"s.yaml": text})
    assert [[turn.user for turn in case.turns] for case in load_suite("s.yaml").cases] == [
        ["hello 1", "bye"],
        ["only 2"],
    ]


def test_a_case_without_a_name_is_named_by_its_turns_too(project) -> None:
    project.write({"s.yaml": "- {vars: {a: x}, turns: [one]}\n- {vars: {a: x}, turns: [two]}\n- {vars: {a: x}}\n"})
    assert len({case.name for case in load_suite("s.yaml").cases}) == 3


def test_lists_of_variables_make_a_conversation_for_each(project) -> None:
    project.write({"s.yaml": "- {description: d, vars: {city: [Rome, Oslo]}, turns: ['{{ city }}?', {user: bye}]}\n"})
    cases = load_suite("s.yaml").cases
    assert [(case.name, case.turns[0].user) for case in cases] == [
        ("d [city=Rome]", "Rome?"),
        ("d [city=Oslo]", "Oslo?"),
    ]


@pytest.mark.parametrize(
    ("turns", "says", "line"),
    [
        ("[]", "turns is empty", 3),
        ("hello", "turns: 'hello' is not a list", 3),
        ("[7]", "turn 1 is 7, not a mapping with `user`", 3),
        ("\n  - {user: ''}", "turn 1: user: '' is not a text", 4),
        ("\n  - {user: [a]}", "turn 1: user: ['a'] is not a text", 4),
        ("\n  - hi\n  - {role: assistant, content: hello}", "unknown key 'role' in turn 2", 5),
        ("\n  - {user: hi, assistant: hello}", "unknown key 'assistant' in turn 1", 4),
        ("\n  - {user: hi, asert: []}", "unknown key 'asert' in turn 1. Did you mean 'assert' or", 4),
        ("\n  - {user: hi, vars: [x]}", "turn 1: vars: ['x'] is not a mapping", 4),
        ("\n  - {user: hi, assert: {type: contains}}", "assert is not a list", 4),
        ("\n  - hi\n  - {assert: []}", "turn 2 has neither `user` nor `vars`", 5),
        ("\n  - {user: '{{ a }} {{ gone }}'}", "'gone' is undefined", 4),
        ("\n  - {user: 'file://none.txt'}", "'file://none.txt' cannot be read", 4),
        ("\n  - {user: 'file://notes.pdf'}", "is not a text; give a picture", 4),
        ("\n  - {user: hi, tool_results: 5}", "tool_results: 5 is not a mapping of tools", 4),
    ],
)
def test_what_is_not_a_turn_is_refused_with_its_line(project, turns: str, says: str, line: int) -> None:
    (project.root / "notes.pdf").write_bytes(b"%PDF-1.4\n1 0 obj<</Type /Page>>endobj\n%%EOF\n")
    with pytest.raises(SuiteError) as caught:
        only(project, f"- description: d\n  vars: {{a: x}}\n  turns: {turns}\n")
    assert says in str(caught.value)
    assert f"s.yaml:{line}" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "- {vars: {history: []}, turns: [hi]}",
        "- {vars: {user: Ann}, turns: [hi]}",
        "- {turns: [{user: hi, vars: {history: []}}]}",
        "{defaultTest: {vars: {history: x}}, tests: [{turns: [hi]}]}",
    ],
)
def test_a_variable_that_the_turns_give_is_refused_beside_them(project, text: str) -> None:
    with pytest.raises(SuiteError, match=r"`turns` gives the prompt the variable '(history|user)' itself") as caught:
        only(project, text)
    assert "another name" in str(caught.value)


def test_a_variable_user_may_be_the_turns_own_if_no_turn_has_a_text(project: Path) -> None:
    case = only(project, "- {vars: {user: Ann}, turns: [{vars: {q: 1}}, {vars: {q: 2}}]}")
    assert [(turn.user, turn.vars) for turn in case.turns] == [(None, {"user": "Ann", "q": n}) for n in (1, 2)]
