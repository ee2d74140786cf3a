"""Suites from files, in promptfoo's vocabulary and in inspect's."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptopt import Request, Response, Usage, compare, load_prompt, load_suite
from promptopt.config import load_config
from promptopt.errors import SuiteError, UsageError
from promptopt.structured.recommendation import recordings_of
from promptopt.suites import Assertion, Suite, find_suite, list_suites, suite_of

PROMPTFOO = """\
# yaml-language-server: $schema=https://promptfoo.dev/config-schema.json
description: Translations
prompts:
  - file://prompts/a.txt
  - 'Translate {{input}} to {{language}}'
providers:
  - openai:gpt-4o-mini
  - id: openai:gpt-4o
    config:
      temperature: 0.5
defaultTest:
  assert:
    - type: cost
      threshold: 0.001
  vars:
    language: French
  options: {disableVarExpansion: false}
tests:
  - description: greets
    vars:
      input: Hello world
    assert:
      - type: icontains
        value: bonjour
        metric: politeness
        weight: 2
      - type: not-contains
        value: AI language model
    metadata:
      kind: easy
  - vars:
      language: German
      input: yes
    assert:
      - type: levenshtein
        threshold: 3
        value: ja
    threshold: 0.5
outputPath: out.json
evaluateOptions: {maxConcurrency: 4}
"""


def write(project, name: str, text: str) -> Suite:
    project.write({name: text})
    return load_suite(name)


def test_a_promptfoo_file_loads_unchanged(project) -> None:
    suite = write(project, "promptfooconfig.yaml", PROMPTFOO)
    first, second = suite.cases
    assert (first.name, first.vars, first.metadata) == (
        "greets",
        {"language": "French", "input": "Hello world"},
        {"kind": "easy"},
    )
    assert first.asserts == (
        Assertion("cost", threshold=0.001, line=13),
        Assertion("icontains", value="bonjour", weight=2.0, metric="politeness", line=23),
        Assertion("contains", negated=True, value="AI language model", line=27),
    )
    assert (second.vars["language"], second.vars["input"], second.threshold) == ("German", "yes", 0.5)
    assert first.line == 19
    assert suite.notes == tuple(
        f"`{key}` is not used" for key in ("prompts", "providers", "outputPath", "evaluateOptions")
    )


CASES = [
    {"description": "one", "vars": {"text": "Grüße 😀"}, "assert": [{"type": "equals", "value": "a"}]},
    {"description": "two", "vars": {"text": 'say "hi", then\nleave'}, "assert": [{"type": "is-json"}]},
]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("s.json", json.dumps({"tests": CASES})),
        ("s.json", json.dumps(CASES, indent="\t")),
        ("s.json", json.dumps(CASES, ensure_ascii=False)),
        ("s.jsonl", "\n".join(map(json.dumps, CASES)) + "\n\n"),
        ("s.yaml", json.dumps(CASES, ensure_ascii=False)),
        ("s.csv", '﻿text,__expected,__description\r\nGrüße 😀,a,one\r\n"say ""hi"", then\nleave",is-json,two\r\n'),
    ],
)
def test_one_suite_is_the_same_in_every_format(project, name: str, text: str) -> None:
    suite = write(project, name, text.replace("\r\n\r\n", "\r\n"))
    read = [
        {
            "description": case.name,
            "vars": dict(case.vars),
            "assert": [
                {k: getattr(a, k) for k in ("type", "value") if getattr(a, k) is not None} for a in case.asserts
            ],
        }
        for case in suite.cases
    ]
    assert suite.name == "s"
    if name == "s.csv":
        # Within a quoted cell the line end stays what the file has.
        read[1]["vars"]["text"] = read[1]["vars"]["text"].replace("\r\n", "\n")
    assert read == CASES


def test_labels_stay_what_the_author_wrote(project) -> None:
    suite = write(project, "s.yaml", "tests: [{vars: {a: no, b: 1e3, c: 007, d: 2026-01-01, e: 3, f: true}}]")
    assert suite.cases[0].vars == {"a": "no", "b": "1e3", "c": "007", "d": "2026-01-01", "e": 3, "f": True}


def test_inspect_samples_are_cases(project) -> None:
    rows = [
        {"id": 7, "input": "2+2?", "target": "4", "metadata": {"level": 1}},
        {"input": "Capital of France?", "target": ["Paris", "paris"]},
        {"input": "Say something."},
    ]
    one, two, three = write(project, "s.jsonl", "\n".join(map(json.dumps, rows))).cases
    assert (one.name, one.vars, one.metadata) == ("7", {"input": "2+2?"}, {"level": 1})
    assert one.asserts == (Assertion("contains-any", value=["4"]),)
    assert two.asserts == (Assertion("contains-any", value=["Paris", "paris"]),)
    assert (three.asserts, three.line) == ((), 3)
    assert len({case.name for case in (one, two, three)}) == 3


def test_a_csv_cell_is_an_assert_in_short_form(project) -> None:
    text = """\
q,__expected,__expected2,__threshold,__metadata:kind
a,contains: 4,not-icontains: sorry,,x
b,levenshtein(5): text,,0.5,
c,"contains-any: a, b",is-json,,
d,Paris,,,
e,"regex:^a: b$",,,
f,,,,
g,"The answer: 42",,,
"""
    cases = {case.vars["q"]: case for case in write(project, "s.csv", text).cases}
    assert cases["a"].asserts == (
        Assertion("contains", value="4", line=2),
        Assertion("icontains", negated=True, value="sorry", line=2),
    )
    assert cases["a"].metadata == {"kind": "x"}
    assert (cases["b"].asserts, cases["b"].threshold) == (
        (Assertion("levenshtein", value="text", threshold=5.0, line=3),),
        0.5,
    )
    assert cases["c"].asserts == (
        Assertion("contains-any", value=["a", "b"], line=4),
        Assertion("is-json", line=4),
    )
    assert cases["d"].asserts == (Assertion("equals", value="Paris", line=5),)
    assert cases["e"].asserts == (Assertion("regex", value="^a: b$", line=6),)
    assert cases["f"].asserts == ()
    assert cases["g"].asserts == (Assertion("equals", value="The answer: 42", line=8),)


def test_a_list_of_texts_makes_a_case_of_each_as_in_promptfoo_and_says_so(project) -> None:
    suite = write(
        project, "s.yaml", "tests: [{description: d, vars: {a: [x, y], b: [1, 2], c: [p, q], d: [], e: [x, 1]}}]"
    )
    assert [(case.name, case.vars["a"], case.vars["c"]) for case in suite.cases] == [
        ("d [a=x, c=p]", "x", "p"),
        ("d [a=x, c=q]", "x", "q"),
        ("d [a=y, c=p]", "y", "p"),
        ("d [a=y, c=q]", "y", "q"),
    ]
    assert all((case.vars["b"], case.vars["d"], case.vars["e"]) == ([1, 2], [], ["x", 1]) for case in suite.cases)
    assert "the list a x c makes 4 cases of one, as in promptfoo" in suite.notes[0]


def test_a_list_can_be_kept_whole(project) -> None:
    text = "defaultTest: {options: {disableVarExpansion: true}}\ntests: [{vars: {a: [x, y]}}]"
    suite = write(project, "s.yaml", text)
    assert [case.vars for case in suite.cases] == [{"a": ["x", "y"]}]
    assert suite.notes == ()


def test_default_asserts_come_first_and_a_tests_own_values_win(project) -> None:
    text = """\
defaultTest: {threshold: 0.9, vars: {a: 1, b: 2}, metadata: {m: 1}, assert: [{type: is-json}]}
tests:
  - {vars: {b: 3}, threshold: 0.1, metadata: {n: 2}, assert: [{type: contains, value: x}]}
  - {}
"""
    first, second = write(project, "s.yaml", text).cases
    assert (first.vars, first.threshold, first.metadata) == ({"a": 1, "b": 3}, 0.1, {"m": 1, "n": 2})
    assert [item.type for item in first.asserts] == ["is-json", "contains"]
    assert (second.vars, second.threshold) == ({"a": 1, "b": 2}, 0.9)


def test_names_are_stable_and_unique_without_descriptions(project) -> None:
    one = write(project, "s.yaml", "tests: [{vars: {a: 1, b: 2}}, {vars: {a: 2}}]")
    other = write(project, "t.yaml", "tests: [{vars: {a: 2}}, {vars: {b: 2, a: 1}}]")
    assert {case.name for case in one.cases} == {case.name for case in other.cases}
    assert all(case.name.startswith("case-") for case in one.cases)


# A text that names a file is that file's content.
VALUES = st.text().filter(lambda text: not text.startswith("file://"))


@given(st.lists(st.dictionaries(st.sampled_from("ab"), VALUES | st.integers()), min_size=1, unique_by=repr))
def test_any_cases_survive_json_lines(tmp_path_factory: pytest.TempPathFactory, variables: list[dict]) -> None:
    path = tmp_path_factory.mktemp("s") / "s.jsonl"
    path.write_text("".join(json.dumps({"vars": row, "description": i}) + "\n" for i, row in enumerate(variables)))
    assert [dict(case.vars) for case in load_suite(path).cases] == variables


def test_tests_may_be_in_other_files(project) -> None:
    project.write(
        {
            "s/all.yaml": "defaultTest: {vars: {z: 1}}\ntests: [file://more.yaml, a.csv, {vars: {a: 3}}]",
            "s/more.yaml": "- {vars: {a: 1}}",
            "s/a.csv": "a\n2\n",
        }
    )
    suite = load_suite("s/all.yaml")
    assert [dict(case.vars) for case in suite.cases] == [{"z": 1, "a": 1}, {"z": 1, "a": "2"}, {"z": 1, "a": 3}]
    project.write({"s/one.yaml": "tests: file://more.yaml"})
    assert load_suite("s/one.yaml").cases[0].vars == {"a": 1}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("- {vars: {}}\n- {var: {}}\n", r"^s/more\.yaml:2: unknown key 'var'"),
        ("tests: [file://more.yaml]", r"^s/more\.yaml:1: tests: 'file://more\.yaml' leads back to itself"),
        ("tests: [file://all.yaml]", r"^s/more\.yaml:1: tests: 'file://all\.yaml' leads back to itself"),
        ("tests: [file://none.yaml]", r"^s/more\.yaml:1: tests: 'file://none\.yaml': No such file"),
        ("tests: [", r"^s/more\.yaml:\d: is not YAML"),
    ],
)
def test_an_error_in_another_file_names_that_file(project, more: str, message: str) -> None:
    project.write({"s/all.yaml": "\n\n\ntests: [file://more.yaml]", "s/more.yaml": more})
    with pytest.raises(SuiteError, match=message):
        load_suite("s/all.yaml")


def test_a_suite_is_found_by_its_name(project) -> None:
    project.write({"suites/a.yaml": "[{vars: {}}]", "suites/b/c.csv": "x\n1\n"})
    assert load_suite("a").path == project.root / "suites/a.yaml"
    assert load_suite("b/c").name == "c"
    assert find_suite("nothing") is None
    assert load_suite("a").recordings == project.root / "suites/a/recordings"
    with pytest.raises(SuiteError, match=r"no suite 'aa'\. Did you mean 'a'\?\n  suites in suites: a"):
        load_suite("aa")


BAD = [
    ("s.yaml", "tests: []", "has no cases\n  add at least one under `tests`"),
    ("s.yaml", "description: x", "has no cases"),
    ("s.csv", "a,b\n", "has no cases"),
    ("s.csv", "", "has no cases"),
    ("s.jsonl", "\n\n", "has no cases"),
    ("s.yaml", "", "is not a suite: expected a mapping with `tests`, or a list of tests"),
    ("s.yaml", "just text", "is not a suite"),
    ("s.yaml", "tests:\n- description: a\n- description: b\n- description: a\n",
     "s.yaml:4: two cases are named 'a'\n  give each case its own description"),
    ("s.yaml", "tests: [{vars: {a: 1}}, {vars: {a: 1}}]", "two cases are named 'case-"),
    ("s.jsonl", '{"description": "a"}\n{"description": "a"}', "s.jsonl:2: two cases are named 'a'"),
    ("s.csv", "__description\na\na\n", "s.csv:3: two cases are named 'a'"),
    ("s.yaml", "test: []\n", "s.yaml:1: unknown key 'test' in the suite. Did you mean 'tests'?\n  known: description"),
    ("s.yaml", "tests:\n  - vars: {}\n    asert: []\n",
     "s.yaml:3: unknown key 'asert' in a test. Did you mean 'assert'?"),
    ("s.jsonl", '{"vars": {}}\n{"var": {}}\n', "s.jsonl:2: unknown key 'var' in a test. Did you mean 'vars'?"),
    ("s.yaml", "defaultTest: {asert: []}\ntests: [{}]", "s.yaml:1: unknown key 'asert' in a test"),
    ("s.yaml", "tests:\n- options: {transforms: x}\n", "s.yaml:2: unknown key 'transforms' in options"),
    ("s.yaml", "tests: {a: 1}", "s.yaml:1: tests: {'a': 1} is not a list"),
    ("s.yaml", "tests: [3]", "test 1 is 3, not a mapping"),
    ("s.yaml", "tests: [file://x.js]", "s.yaml:1: tests: cannot read 'file://x.js'"),
    ("s.yaml", "tests:\n- vars: [a]\n", "s.yaml:2: vars: ['a'] is not a mapping"),
    ("s.yaml", "tests:\n- vars: {}\n  assert: {type: equals}\n", "s.yaml:3: assert is not a list"),
    ("s.yaml", "tests:\n- assert:\n  - value: 3\n", "s.yaml:3: an assert without a type: {'value': 3}"),
    ("s.yaml", "tests:\n- assert:\n  - equals\n", "s.yaml:2: an assert without a type: 'equals'"),
    ("s.yaml", "tests:\n- assert:\n  - {type: equals, value: a, weight: -1}\n",
     "s.yaml:3: weight: -1 is not a number of at least 0"),
    ("s.yaml", "tests:\n- assert:\n  - {type: equals, value: a, weight: heavy}\n", "weight: 'heavy' is not a number"),
    ("s.yaml", "tests:\n- assert:\n  - {type: cost, threshold: true}\n", "threshold: True is not a number"),
    ("s.yaml", "tests:\n- assert:\n  - {type: cost, threshold: nan}\n", "threshold: 'nan' is not a number"),
    ("s.yaml", "tests:\n- threshold: 2\n", "s.yaml:2: threshold: 2 is not between 0 and 1"),
    ("s.yaml", "tests: [\n", "s.yaml:2: is not YAML"),
    ("s.yaml", "tests:\n- vars: {a: 1}\n  vars: {b: 1}\n", "s.yaml:3: is not YAML: the key 'vars' appears twice"),
    ("s.json", '{"tests": [{"vars": {}},]', "is not YAML"),
    ("s.jsonl", '{"vars": {}}\n{"vars": \n', "s.jsonl:2: is not JSON: Expecting value"),
    ("s.jsonl", '{"vars": {}, "vars": {}}', "s.jsonl:1: is not JSON: the key 'vars' appears twice"),
    ("s.jsonl", "[1]", "s.jsonl:1: [1] is not an object"),
    ("s.csv", "a\n1,2\n", "s.csv:2: has more cells than the header"),
    ("s.csv", 'a\n"1\n', "is not CSV"),
    ("s.csv", "a,__expect\n1,2\n", "s.csv:2: unknown column '__expect'\n  special columns: __expected"),
    ("s.csv", "a,__threshold\n1,high\n", "s.csv:2: threshold: 'high' is not a number"),
    ("s.csv", b"a\ncaf\xe9\n", "s.csv:2: is not UTF-8: byte 0xe9"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "message"), BAD)
def test_what_is_wrong_is_refused_with_its_place(project, name: str, text: str | bytes, message: str) -> None:
    project.write({name: text})
    with pytest.raises(SuiteError) as caught:
        load_suite(name)
    assert message in str(caught.value)
    assert str(caught.value).startswith(name)


def test_a_folder_is_not_a_suite(project) -> None:
    (project.root / "s.yaml").mkdir()
    with pytest.raises(SuiteError, match=r"no suite 's\.yaml'"):
        load_suite(Path("s.yaml"))


def test_files_in_variables_and_asserts_are_found_from_the_suites_folder(project) -> None:
    project.write(
        {
            "elsewhere/long.txt": "a long text",
            "elsewhere/checks.py": "def short(output, context):\n    return len(output) < 20\n",
            "elsewhere/s.yaml": (
                "tests:\n- description: a\n  vars: {text: 'file://long.txt'}\n"
                "  assert: [{type: python, value: 'file://checks.py:short'}]\n"
            ),
        }
    )
    (case,) = load_suite("elsewhere/s.yaml").cases
    assert case.vars == {"text": "a long text"}
    assert case.asserts[0].value == f"file://{project.root / 'elsewhere'}/checks.py:short" or (
        case.asserts[0].value == "file://elsewhere/checks.py:short"
    )


def test_a_variable_is_never_made_by_running_code(project) -> None:
    project.write({"s.yaml": "tests:\n- vars: {text: 'file://make.py'}\n"})
    with pytest.raises(SuiteError, match="code is not run"):
        load_suite("s.yaml")


NESTED = {
    "prompts/support/triage.j2": "---\nmodel: gpt-4o-mini\n---\nRoute: {{ ticket }}",
    "suites/triage.yaml": "[{description: a, vars: {ticket: hi}, assert: [{type: contains, value: ok}]}]",
}


def test_a_prompt_has_the_suite_of_its_name_or_of_the_last_part_of_it(project) -> None:
    project.write(NESTED)
    assert find_suite("support/triage") == suite_of("support/triage") == project.root / "suites/triage.yaml"
    project.write({"suites/support/triage.yaml": NESTED["suites/triage.yaml"]})
    assert find_suite("support/triage") == project.root / "suites/support/triage.yaml"
    with pytest.raises(UsageError, match="no suite is named 'lonely'; name one with --suite"):
        suite_of("lonely")


def test_every_command_finds_the_same_suite_of_a_prompt(project) -> None:
    project.write(NESTED)
    compare("support/triage", provider=Ok())
    (answers,) = recordings_of(load_prompt("support/triage"), None)
    assert [key[0] for key in answers.lines] == ["a"]
    for command in ("list", "count support/triage", "budget update", "structure support/triage --from-recordings"):
        done = project.run(*command.split())
        assert "no suite" not in done.stdout + done.stderr
        assert done.returncode == 0, done.stderr


def test_suites_in_folders_are_listed_where_they_have_recordings(project) -> None:
    project.write(
        {**NESTED, "suites/support/triage.yaml": NESTED["suites/triage.yaml"], "suites/a/words.csv": "x\n1\n"}
    )
    config = load_config()
    assert list_suites(config) == [project.root / "suites/triage.yaml"]
    compare("support/triage", provider=Ok())
    assert list_suites(config) == [project.root / "suites/support/triage.yaml", project.root / "suites/triage.yaml"]


class Ok:
    def complete(self, request: Request) -> Response:
        return Response(request.model, '{"team": "ok"}', usage=Usage(5, output_tokens=1))

    def close(self) -> None:
        pass


def test_an_inspect_sample_with_choices_is_one_case_whose_answer_is_the_letter(project) -> None:
    row = {"id": 1, "input": "Pick one.", "choices": ["red", "blue"], "target": "B"}
    (case,) = write(project, "s.jsonl", json.dumps(row)).cases
    assert dict(case.vars) == {"input": "Pick one.", "choices": ["red", "blue"]}
    assert case.asserts == (Assertion("equals", value="B"),)


def test_an_empty_target_of_inspect_is_no_assert(project) -> None:
    rows = [{"input": "n", "target": ""}, {"input": "m", "target": ["", "x"]}, {"input": "o", "target": 0}]
    one, two, three = write(project, "s.jsonl", "\n".join(map(json.dumps, rows))).cases
    assert one.asserts == ()
    assert two.asserts == (Assertion("contains-any", value=["x"]),)
    assert three.asserts == (Assertion("contains-any", value=["0"]),)


def test_a_chat_of_one_user_message_is_its_text(project) -> None:
    row = {"input": [{"role": "user", "content": "hello"}], "target": "x"}
    (case,) = write(project, "s.jsonl", json.dumps(row)).cases
    assert dict(case.vars) == {"input": "hello"}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"input": [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}]}, "`input` is a chat of 2"),
        ({"input": [{"role": "user", "content": [{"type": "image"}]}]}, "`input` is a chat of 1"),
        ({"input": {"a": 1}}, "`input` is {'a': 1}, not a text"),
        ({"input": "a", "choices": ["x", "y"], "target": "C"}, "`target` is 'C', not one of the letters A, B"),
        ({"input": "a", "choices": ["x", "y"], "target": ["A", "B"]}, "`target` is ['A', 'B'], not one of the letters"),
        ({"input": "a", "choices": "xy", "target": "A"}, "`choices` is 'xy', not a list of texts"),
        ({"input": "a", "target": {"b": 1}}, "`target` is {'b': 1}, not a text"),
        ({"input": "a", "target": "b", "sandbox": "docker"}, "`sandbox` is not supported"),
        ({"input": "a", "target": "b", "files": {"a": "b"}}, "`files` is not supported"),
        ({"input": "a", "target": "b", "setup": "rm -r x"}, "`setup` is not supported"),
    ],
)
def test_an_inspect_sample_that_is_not_a_case_is_refused_with_its_line(project, row: dict, message: str) -> None:
    with pytest.raises(SuiteError) as caught:
        write(project, "s.jsonl", '{"input": "fine", "target": "x"}\n' + json.dumps(row))
    assert str(caught.value).startswith("s.jsonl:2: inspect sample: ")
    assert message in str(caught.value)


def test_cases_that_write_the_same_assert_have_it_on_their_own_line(tmp_path: Path) -> None:
    lines = [f'{{"vars": {{"n": {n}}}, "assert": [{{"type": "not-contains", "value": "no"}}]}}' for n in range(3)]
    lines.append('{"vars": {"n": 9}, "assert": [{"type": "not-contains", "value": "no", "weight": true}]}')
    (tmp_path / "s.jsonl").write_text("\n".join(lines[:3]))
    suite = load_suite(tmp_path / "s.jsonl")
    assert [assertion.line for case in suite.cases for assertion in case.asserts] == [1, 2, 3]
    assert len({replace(assertion, line=None, options=()) for case in suite.cases for assertion in case.asserts}) == 1
    (tmp_path / "s.jsonl").write_text("\n".join(lines))
    with pytest.raises(SuiteError, match="weight: True is not a number"):
        load_suite(tmp_path / "s.jsonl")
