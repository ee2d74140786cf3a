"""Forms that come from elsewhere than the prompt's words: a suite, recordings, a file, a model over the wire."""

import json

import pytest

from promptopt.errors import SchemaError
from promptopt.structured.build import structure
from promptopt.structured.field_sources import from_suite, suite_labels, suite_schema
from promptopt.suites import load_suite
from promptopt.templates import load_prompt

# It names no labels: without evidence nothing can be inferred.
FREE = "---\nmodel: gpt-4o-mini\n---\nWhat does the customer think?\n\n{{ review }}\n"
ROOT = {"type": "object", "properties": {"label": {"type": "string"}, "score": {"type": "integer"}}}


def write(project, cases, name="reviews", **suite):
    project.write(
        {"prompts/reviews/v1.j2": FREE, f"suites/{name}.json": json.dumps({**suite, "tests": cases})},
    )
    return load_suite(name)


def cases(expected, number=12, kind="icontains"):
    return [
        {
            "description": f"c{n}",
            "vars": {"review": f"{expected[n % len(expected)]} {n}"},
            "assert": [{"type": kind, "value": expected[n % len(expected)]}],
        }
        for n in range(number)
    ]


@pytest.mark.parametrize("kind", ["equals", "icontains", "contains", "starts-with"])
def test_labels_that_the_cases_expect(project, kind):
    found = from_suite(write(project, cases(["good", "bad", "mixed"], kind=kind)))
    (field,) = found.fields
    assert field.schema == {"type": "string", "enum": ["good", "bad", "mixed"]}
    assert field.source == "12 expected values of the suite reviews"


def test_labels_in_a_variable_of_the_case(project):
    rows = [{"vars": {"review": str(n), "expected": "ab"[n % 2]}} for n in range(8)]
    suite = write(project, rows, defaultTest={"assert": [{"type": "icontains", "value": "{{ expected }}"}]})
    assert suite_labels(suite) == ["a", "b"]


@pytest.mark.parametrize(
    "rows",
    [
        cases([f"text {n}" for n in range(12)]),
        cases(["the same"]),
        cases(["x" * 80, "y" * 80]),
        [{"vars": {"review": "x"}, "assert": [{"type": "regex", "value": "a|b"}]}],
        [*cases(["good", "bad"]), {"vars": {"review": "x"}, "assert": [{"type": "not-icontains", "value": "good"}]}],
    ],
    ids=["free texts", "one label", "long", "a pattern", "one case expects nothing"],
)
def test_free_texts_are_no_labels(project, rows):
    assert from_suite(write(project, rows)) is None
    with pytest.raises(SchemaError, match="cannot infer"):
        structure(load_prompt("reviews"), None)


def test_the_schema_of_is_json_asserts(project):
    rows = [{"vars": {"review": str(n)}, "assert": [{"type": "is-json", "value": ROOT}]} for n in range(3)]
    suite = write(project, rows)
    schema = suite_schema(suite)
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["label", "score"]
    found = from_suite(suite)
    assert [field.name for field in found.fields] == ["label", "score"]
    assert found.fields[0].source == "is-json asserts of the suite reviews"


def test_is_json_asserts_that_differ_say_nothing(project):
    other = {**ROOT, "properties": {"label": {"type": "string"}}}
    rows = [{"vars": {"review": str(n)}, "assert": [{"type": "is-json", "value": [ROOT, other][n]}]} for n in range(2)]
    assert from_suite(write(project, rows)) is None


def test_objects_that_the_cases_expect(project):
    rows = [
        {
            "vars": {"review": str(n)},
            "assert": [{"type": "equals", "value": {"label": "ab"[n % 2], "score": n}}],
        }
        for n in range(12)
    ]
    found = from_suite(write(project, rows))
    assert {field.name: field.schema for field in found.fields} == {
        "label": {"type": "string", "enum": ["a", "b"]},
        "score": {"type": "integer"},
    }


def answer(body):
    """A model that says what the review says: as an essay, or in the form that is asked for."""
    text = body["messages"][-1]["content"]
    label = "bad" if "bad" in text else "good"
    form = body.get("response_format")
    if form is None:
        return f"The customer thinks that the product is {label}, which one sees at once from what is written here."
    properties = form["json_schema"]["schema"]["properties"]
    return json.dumps({name: label if "enum" in child else 1 for name, child in properties.items()})


def test_the_command_takes_the_labels_from_the_suite_and_proves_them(project, endpoint):
    endpoint.reply = answer
    write(project, cases(["good", "bad"], number=200))
    alone = project.run("structure", "reviews@v1")
    assert alone.returncode == 2
    assert "--suite SUITE" in alone.stderr
    done = project.run("structure", "reviews@v1", "--suite", "reviews", "--write", **endpoint.environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "answer: good | bad  (200 expected values of the suite reviews)" in done.stdout
    assert "recommended: reviews@v2 (improved)" in done.stdout
    assert load_prompt("reviews@v2").front.output_schema["properties"]["answer"]["enum"] == ["good", "bad"]


def test_the_command_takes_the_schema_of_is_json_asserts(project, endpoint):
    endpoint.reply = answer
    rows = [{"vars": {"review": str(n)}, "assert": [{"type": "is-json", "value": ROOT}]} for n in range(6)]
    write(project, rows)
    done = project.run("structure", "reviews@v1", "--suite", "reviews", "--json", **endpoint.environment)
    shown = json.loads(done.stdout)
    assert shown["fields"][0]["source"] == "is-json asserts of the suite reviews"
    assert shown["output_schema"]["required"] == ["label", "score"]
    sent = [body for body in endpoint.requests if "response_format" in body]
    assert sent[0]["response_format"]["json_schema"]["strict"] is True


def test_objects_in_recorded_answers(project, endpoint):
    endpoint.reply = lambda body: json.dumps({"label": "good", "score": len(endpoint.requests), "note": None})
    write(project, cases(["good", "bad"], number=12))
    project.run("compare", "reviews@v1", "--record", "all", **endpoint.environment)
    done = project.run("structure", "reviews@v1", "--from-recordings", "--json")
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert list(shown["output_schema"]["properties"]) == ["label", "score", "note"]
    assert shown["fields"][0]["source"] == "12 recorded answers"


def test_no_recordings_and_essays_are_told(project, endpoint):
    write(project, cases(["good", "bad"], number=12))
    none = project.run("structure", "reviews@v1", "--from-recordings")
    assert none.returncode == 2
    assert "there are no recorded answers" in none.stderr
    endpoint.reply = lambda body: f"An essay of number {len(endpoint.requests)}."
    project.run("compare", "reviews@v1", "--record", "all", **endpoint.environment)
    essays = project.run("structure", "reviews@v1", "--from-recordings")
    assert essays.returncode == 2
    assert "name the schema with --schema" in essays.stderr


def test_a_model_of_the_program_as_schema(project):
    project.write(
        {
            "prompts/reviews/v1.j2": FREE,
            "app.py": (
                "from typing import Literal\nimport pydantic\n\n\nclass Review(pydantic.BaseModel):\n"
                "    mood: Literal['good', 'bad']\n    stars: int = pydantic.Field(ge=1, le=5)\n    note: str | None\n"
            ),
        }
    )
    done = project.run("structure", "reviews", "--schema", "app:Review", "--write")
    assert done.returncode == 0, done.stderr
    assert "mood: good | bad  (app:Review)" in done.stdout
    schema = load_prompt("reviews@v2").front.output_schema
    assert schema["properties"]["stars"] == {"type": "integer", "minimum": 1, "maximum": 5}
    assert load_prompt("reviews@v2").front.answer.extract('{"mood":"bad","stars":1,"note":null}') == "bad"


def test_sources_exclude_each_other(project):
    project.write({"prompts/reviews/v1.j2": FREE, "s.json": json.dumps(ROOT)})
    done = project.run("structure", "reviews", "--schema", "s.json", "--from-recordings")
    assert done.returncode == 2
    assert "exclude each other" in done.stderr
