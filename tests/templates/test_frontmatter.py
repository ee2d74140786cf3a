"""What a prompt file says about itself."""

import json
from dataclasses import fields

import pytest

from promptopt import load_prompt
from promptopt.call_options import CallOptions
from promptopt.errors import SchemaError, TemplateError
from promptopt.templates.answer import PatternAnswer, PointerAnswer
from promptopt.templates.frontmatter import KEYS, FrontMatter, front_matter_end, set_front_matter

SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}


def front(project, yaml: str) -> FrontMatter:
    project.write({"prompts/p.j2": f"---\n{yaml}\n---\nHello\n"})
    return load_prompt("prompts/p.j2").front


def test_every_key_is_read_and_rendered(project) -> None:
    project.write({"prompts/answer.schema.json": json.dumps(SCHEMA)})
    text = """\
model: gpt-4o-mini
temperature: 0
max_output_tokens: 60
seed: 0
stop: [END, "\\n"]
output_schema: answer.schema.json
answer: "label: (\\\\w+)"
calls_per_month: 300000
description: Routes tickets."""
    read = front(project, text)
    assert read == FrontMatter(
        model="gpt-4o-mini",
        params=CallOptions(temperature=0.0, max_output_tokens=60, seed=0, stop=("END", "\n")),
        output_schema=SCHEMA,
        answer=PatternAnswer(r"label: (\w+)"),
        calls_per_month=300_000,
        description="Routes tickets.",
    )
    # Codes go with a JSON pointer, which the test of the codes has; settings of the call are in ``params``.
    elsewhere = {"output_codes", *(option.name for option in fields(CallOptions))}
    assert all(getattr(read, key) is not None for key in KEYS if key not in elsewhere)
    rendered = load_prompt("prompts/p.j2").render({})
    for key in ("model", "params", "output_schema"):
        assert getattr(rendered, key) == getattr(read, key)
    assert rendered.text == "Hello"


@pytest.mark.parametrize("text", ["Hello", "---\n---\nHello", "---\n# only a comment\n---\nHello", "", "----\nHello"])
def test_without_keys_all_are_unset(project, text: str) -> None:
    project.write({"prompts/p.j2": text})
    assert load_prompt("p").front == FrontMatter()


@pytest.mark.parametrize(
    ("yaml", "key", "value"),
    [
        ("temperature: 0.70", "temperature", 0.7),
        ("temperature: 1e-1", "temperature", 0.1),
        ("stop: END", "stop", ("END",)),
        ("stop:", "stop", ()),
        ("answer: /a/0", "answer", PointerAnswer("/a/0")),
        ("model: local:smollm2", "model", "local:smollm2"),
        ("output_schema: {type: object, properties: {}, required: [], additionalProperties: false}", "output_schema", {
            "type": "object", "properties": {}, "required": [], "additionalProperties": False}),
    ],
)  # fmt: skip
def test_values_as_people_write_them(project, yaml: str, key: str, value: object) -> None:
    read = front(project, yaml)
    assert getattr(read if hasattr(read, key) else read.params, key) == value


@pytest.mark.parametrize(
    ("yaml", "message"),
    [
        ("model: a\nmodle: b", r"3: unknown key 'modle' in the front matter\. Did you mean 'model'\?\n  known keys: "),
        ("max_tokens: 5", r"2: unknown key 'max_tokens' in the front matter\. Did you mean 'max_output_tokens'\?"),
        ("model: 4", r"2: model: 4 is not a text"),
        ("model: [a]", r"2: model: \['a'\] is not a text"),
        ("temperature: 3", r"2: temperature: 3\.0 is not between 0 and 2"),
        ("temperature: warm", r"2: temperature: 'warm' is not a number"),
        ("temperature: true", r"2: temperature: True is not a number"),
        ("temperature: nan", r"2: temperature: 'nan' is not a number"),
        ("model: a\nmax_output_tokens: 0", r"3: max_output_tokens: 0 is not a whole number of at least 1"),
        ("max_output_tokens: 1.5", r"2: max_output_tokens: 1\.5 is not a whole number"),
        ("max_output_tokens: true", r"2: max_output_tokens: True is not a whole number"),
        ("max_output_tokens: 1e3", r"2: max_output_tokens: '1e3' is not a whole number"),
        ("seed: -1", r"2: seed: -1 is not a whole number of at least 0"),
        ("calls_per_month: many", r"2: calls_per_month: 'many' is not a whole number"),
        ("stop: {a: b}", r"2: stop: .* is not a text or a list of texts"),
        ("stop: [a, [b]]", r"2: stop: .* is not a text or a list of texts"),
        ("answer: '('", r"2: answer: '\(' is not a regular expression: "),
        ("answer: [a]", r"2: answer: \['a'\] is not a text"),
        ("output_schema: missing.json", r"2: output_schema: the file 'missing\.json' does not exist\n  looked for "),
        ("output_schema: ../x.json", r"2: output_schema: '\.\./x\.json' is outside the folder"),
        ("output_schema: .", r"2: output_schema: the file '\.' does not exist"),
        ("model: a\nmodel: b", r"3: is not YAML: the key 'model' appears twice"),
        ("model: [", r"\d: is not YAML"),
        ("just words", r"2: the front matter is not `key: value` lines"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_with_its_line(project, yaml: str, message: str) -> None:
    with pytest.raises(TemplateError, match=rf"^prompts/p\.j2:{message}"):
        front(project, yaml)


def test_front_matter_that_is_not_closed_is_refused(project) -> None:
    project.write({"prompts/p.j2": "---\nmodel: a\nHello\n"})
    with pytest.raises(TemplateError, match=r"^prompts/p\.j2:1: the front matter has no closing `---`"):
        load_prompt("p")


def test_lines_keep_their_numbers_behind_front_matter(project) -> None:
    project.write({"prompts/p.j2": "---\nmodel: a\n---\none\n{{ missing }}\n"})
    with pytest.raises(TemplateError, match=r"^prompts/p\.j2:5: the variable 'missing' is undefined"):
        load_prompt("p").render({})


def test_a_dashed_line_further_down_is_text(project) -> None:
    project.write({"prompts/p.j2": "---\nmodel: a\n---\none\n---\ntwo"})
    assert load_prompt("p").render({}).text == "one\n---\ntwo"


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ("{", r"^prompts/s\.json:1: is not JSON"),
        ('{\n"a": 1,\n}', r"^prompts/s\.json:2: is not JSON: a comma before the closing bracket$"),
        ('{\n"a": 1\n', r"^prompts/s\.json:3: is not JSON: Expecting ',' delimiter$"),
        ("[1]", r"^prompts/s\.json: the output schema is not an object"),
        ('{"type": "string"}', r"^prompts/s\.json: strict mode refuses the output schema:\n    the root: .*wrap it"),
    ],
)
def test_a_schema_file_that_cannot_be_used_is_named(project, schema: str, message: str) -> None:
    project.write({"prompts/s.json": schema})
    with pytest.raises(SchemaError, match=message):
        front(project, "output_schema: s.json")


def test_an_inline_schema_that_strict_mode_refuses_is_told_with_all_places(project) -> None:
    with pytest.raises(SchemaError, match=r"(?s)^prompts/p\.j2:3: strict mode refuses.*the root: .*/properties/a: "):
        front(project, "model: a\noutput_schema:\n  type: object\n  properties: {a: {}}\n  required: [a]")


def test_a_schema_is_looked_up_beside_the_prompt_and_then_in_the_folder(project) -> None:
    other = {**SCHEMA, "title": "other"}
    project.write({"prompts/s.json": json.dumps(other), "prompts/a/v1.j2": "---\noutput_schema: s.json\n---\nx"})
    assert load_prompt("a").front.output_schema == other
    project.write({"prompts/a/s.json": json.dumps(SCHEMA), "prompts/a/v2.j2": "---\noutput_schema: s.json\n---\nx"})
    assert load_prompt("a@v2").front.output_schema == SCHEMA


LEADS = ["{# Triage, version 2. #}\n", "\n\n", "{#- Two\nlines -#}\n\n{# model: gpt-4 #} {# --- #}\n", "{#\n---\n#}\n"]


@pytest.mark.parametrize("lead", LEADS)
def test_comments_and_empty_lines_may_be_before_it(project, lead: str) -> None:
    project.write({"prompts/p.j2": f"{lead}---\nmodel: gpt-4o-mini\n---\nHello\n"})
    prompt = load_prompt("p")
    assert prompt.front == FrontMatter(model="gpt-4o-mini")
    assert prompt.render({}).text == "Hello"


@pytest.mark.parametrize("lead", LEADS)
def test_after_comments_its_errors_have_their_lines(project, lead: str) -> None:
    first = lead.count("\n") + 1
    project.write(
        {
            "prompts/key.j2": f"{lead}---\nmodel: gpt-4o-mini\ntemprature: 0\n---\nHello\n",
            "prompts/open.j2": f"{lead}---\nmodel: gpt-4o-mini\nHello\n",
            "prompts/body.j2": f"{lead}---\nmodel: gpt-4o-mini\n---\n{{{{ unknown }}}}\n",
        }
    )
    with pytest.raises(TemplateError, match=rf"key.j2:{first + 2}: unknown key 'temprature'"):
        load_prompt("key")
    with pytest.raises(TemplateError, match=rf"open.j2:{first}: the front matter has no closing"):
        load_prompt("open")
    with pytest.raises(TemplateError, match=rf"body.j2:{first + 3}: the variable 'unknown' is undefined"):
        load_prompt("body").render({})


@pytest.mark.parametrize(
    "text",
    [
        "{# Rules of Markdown. #}\n---\nTicket: {{ ticket }}\n---\nSort it.",
        "\n---\nSort it.\n---",
        "{# One rule. #}\n---\nSort it.",
        "{# The comment never ends\n---\nmodel: gpt-4o-mini\n---\n",
    ],
)
def test_after_comments_rules_without_a_key_are_text(text: str) -> None:
    assert front_matter_end(text) == 0


def test_many_comments_take_linear_time() -> None:
    assert front_matter_end("{# a #} " * 50_000 + "text") == 0


def test_keys_are_set_below_the_comments() -> None:
    source = "{# Version 2. #}\n---\nmodel: gpt-4o\n---\nHello\n"
    changed = set_front_matter(source, {"model": "gpt-4o-mini", "seed": 7})
    assert changed == "{# Version 2. #}\n---\nmodel: gpt-4o-mini\nseed: 7\n---\nHello\n"


def test_a_key_that_is_set_stays_where_it_is() -> None:
    source = "---\nmodel: a\n# why\ntemperature: 0\nstop:\n- x\n# more\nseed: 1\n---\nHello\n"
    changed = set_front_matter(source, {"top_p": 0.5, "seed": 7, "stop": None, "model": "b"})
    assert changed == "---\nmodel: b\n# why\ntemperature: 0\n# more\nseed: 7\ntop_p: 0.5\n---\nHello\n"


def test_a_comment_beside_a_value_stays() -> None:
    source = "---\nmodel: a  # the cheap one\nstop: 'x # y'\nseed: 1 # why\n---\nHello\n"
    changed = set_front_matter(source, {"model": "b", "stop": "z", "seed": 2})
    assert changed == "---\nmodel: b  # the cheap one\nstop: z\nseed: 2 # why\n---\nHello\n"


def test_a_comment_before_it_may_say_what_check_ignores(project) -> None:
    comment = "{# promptopt: ignore-file [PO103] the words are a quotation #}\n"
    project.write({"prompts/p.j2": f"{comment}---\nmodel: gpt-4o-mini\n---\nPlease note that it is basically late.\n"})
    assert "PO103" not in project.run("check", "prompts/p.j2").stdout
    project.write({"prompts/p.j2": "---\nmodel: gpt-4o-mini\n---\nPlease note that it is basically late.\n"})
    assert "PO103" in project.run("check", "prompts/p.j2").stdout
