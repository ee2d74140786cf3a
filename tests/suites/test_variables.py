"""What a case's variables and the values of its asserts become: other variables, files, lists."""

import pytest

from promptopt import Response, load_suite
from promptopt.errors import SuiteError
from promptopt.scorers import SuiteChecks
from promptopt.suites import Suite


def suite(project, tests: str, **files: str) -> Suite:
    project.write({"s.yaml": f"tests:\n{tests}", **{name.replace("_", "."): text for name, text in files.items()}})
    return load_suite("s.yaml")


def variables(project, tests: str, **files: str) -> list[dict]:
    return [dict(case.vars) for case in suite(project, tests, **files).cases]


def passes(suite: Suite, answer: str) -> list[bool]:
    """Whether each assert of the first case passes."""
    score = SuiteChecks(suite).score(suite.cases[0].name, Response("m", answer), None, None)
    return [one.passed for one in score.scores]


def test_a_variable_is_filled_into_another(project) -> None:
    (case,) = variables(
        project, '- vars: {line: "my {{ pet }} {{ verb }}", pet: "big {{ animal }}", animal: cat, verb: 3}'
    )
    assert case == {"line": "my big cat 3", "pet": "big cat", "animal": "cat", "verb": 3}


def test_a_variable_of_a_list_is_filled_into_another(project) -> None:
    cases = variables(project, '- vars: {line: "my {{ pet }}", pet: [cat, "{{ other }} dog"], other: old}')
    assert [case["line"] for case in cases] == ["my cat", "my old dog"]


def test_a_circle_of_variables_is_an_error(project) -> None:
    with pytest.raises(SuiteError, match=r"^s\.yaml:3: the variables a, b lead back to themselves"):
        suite(project, '- vars: {x: 1}\n- vars: {a: "{{ b }}", b: "{{ a }}"}')


def test_braces_that_name_no_variable_stay_as_they_are_and_a_note_says_so(project) -> None:
    text = "write {{ cite }} and {{ 1 +"
    found = suite(project, f"- vars: {{line: '{text}', other: x}}")
    assert found.cases[0].vars["line"] == text
    assert "the variable 'line' is not rendered" in found.notes[0]


def test_some_braces_without_a_variable_are_an_error_that_names_it(project) -> None:
    with pytest.raises(SuiteError, match=r"s\.yaml:2: the variable 'line': 'pett' is undefined"):
        suite(project, '- vars: {line: "{{ pet }} {{ pett }}", pet: cat}')


def test_a_name_without_description_is_of_the_variables_as_written(project) -> None:
    before = suite(project, "- vars: {line: 'my {{ cat }}'}").cases[0].name
    assert suite(project, "- vars: {line: 'my {{ cat }}'}\n- vars: {cat: 1}").cases[0].name == before


def test_a_list_of_files_is_a_case_of_each(project) -> None:
    cases = suite(project, "- {description: d, vars: {line: [file://one.txt, plain]}}", one_txt="first").cases
    assert [(case.name, case.vars["line"]) for case in cases] == [
        ("d [line=file://one.txt]", "first"),
        ("d [line=plain]", "plain"),
    ]


def test_a_pattern_of_files_is_a_case_of_each(project) -> None:
    cases = variables(project, "- vars: {line: 'file://t*.txt'}", two_txt="2", three_txt="3", one_txt="1")
    assert [case["line"] for case in cases] == ["3", "2"]
    with pytest.raises(SuiteError, match=r"'file://z\*\.txt' matches no file"):
        suite(project, "- vars: {line: 'file://z*.txt'}")


def test_a_pattern_of_files_with_tests_is_each_of_them(project) -> None:
    project.write({"s.yaml": "tests: file://t/*.csv", "t/b.csv": "x\n2\n", "t/a.csv": "x\n1\n"})
    assert [dict(case.vars) for case in load_suite("s.yaml").cases] == [{"x": "1"}, {"x": "2"}]
    with pytest.raises(SuiteError, match=r"^s\.yaml:1: tests: 'file://t/\*\.json' matches no file"):
        suite(project, "- file://t/*.json")


def test_a_text_assert_may_be_in_a_file(project) -> None:
    tests = """\
- vars: {line: a}
  assert:
    - {type: contains, value: file://one.txt}
    - {type: contains-any, value: [file://one.txt, other]}
    - {type: contains-any, value: file://words.yaml}
    - {type: equals, value: file://same.json}
"""
    found = suite(project, tests, one_txt="first\n", words_yaml="[x, y]", same_json='{"a": 1}')
    assert [one.value for one in found.cases[0].asserts] == ["first", ["first", "other"], ["x", "y"], {"a": 1}]
    assert passes(found, "the first")[:2] == [True, True]


def test_a_text_assert_in_a_file_of_code_or_in_none_is_an_error(project) -> None:
    for name, message in (("a.py", "code is not run"), ("none.txt", "cannot be read")):
        with pytest.raises(SuiteError, match=f"s.yaml:3: .*{message}"):
            suite(project, f"- vars: {{}}\n  assert: [{{type: contains, value: 'file://{name}'}}]")


def test_files_are_found_from_the_folder_of_the_suite_that_names_another(project) -> None:
    project.write(
        {
            "s.yaml": "tests: [file://more/tests.yaml]",
            "more/tests.yaml": "- {vars: {a: file://one.txt, b: file://two.txt}}",
            "one.txt": "of the suite",
            "more/one.txt": "beside the tests",
            "more/two.txt": "only beside the tests",
        }
    )
    assert dict(load_suite("s.yaml").cases[0].vars) == {"a": "of the suite", "b": "only beside the tests"}


def test_quotes_guard_commas_and_empty_items_are_dropped(project) -> None:
    found = suite(
        project,
        "- vars: {words: 'red, green,'}\n  assert:\n"
        "  - {type: contains-any, value: '\"well, yes\", sure'}\n"
        "  - {type: icontains-any, value: '{{ words }}'}\n",
    )
    assert passes(found, "well then") == [False, False]
    assert passes(found, "well, yes: RED") == [True, True]


@pytest.mark.parametrize("kind", ["contains", "icontains", "starts-with", "contains-any", "icontains-all"])
def test_an_empty_value_that_any_answer_contains_is_an_error(project, kind: str) -> None:
    found = suite(project, f"- vars: {{e: ''}}\n  assert: [{{type: {kind}, value: '{{{{ e }}}}'}}]")
    with pytest.raises(SuiteError, match=r"s\.yaml:3: assert .*: needs a"):
        SuiteChecks(found)
