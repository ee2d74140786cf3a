"""Templates whose delimiters are not Jinja2's usual ones."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Environment

from promptopt.compression.document import Document
from promptopt.compression.engine import compress_document
from promptopt.compression.facts.stated import facts

SETTINGS = {
    "square": {
        "block_start_string": "[%", "block_end_string": "%]", "variable_start_string": "[[",
        "variable_end_string": "]]", "comment_start_string": "[#", "comment_end_string": "#]",
    },
    "angle": {
        "block_start_string": "<%", "block_end_string": "%>", "variable_start_string": "<<",
        "variable_end_string": ">>", "comment_start_string": "<%#", "comment_end_string": "%>",
    },
    "latex": {
        "block_start_string": "\\BLOCK{", "block_end_string": "}", "variable_start_string": "\\VAR{",
        "variable_end_string": "}", "comment_start_string": "\\#{", "comment_end_string": "}",
    },
    "round": {
        "block_start_string": "((*", "block_end_string": "*))", "variable_start_string": "${",
        "variable_end_string": "}", "comment_start_string": "((#", "comment_end_string": "#))",
    },
    "lines": {"line_statement_prefix": "%", "variable_start_string": "${", "variable_end_string": "}"},
}  # fmt: skip
SENTENCES = [
    "Please make sure to answer the question in order to help the user.",
    "Always answer the question in plain English.",
    "Do not use more than 5 words.",
    "You will be given a list that contains 3 names.",
]


def written(environment, parts):
    """A template in the delimiters of an environment."""
    block, end = environment.block_start_string, environment.block_end_string
    hole = environment.variable_start_string, environment.variable_end_string
    lines = []
    for kind, first, second in parts:
        if kind == "if" and environment.line_statement_prefix:
            lines += ["% if p", first, "% else", second, "% endif"]
        elif kind == "if":
            lines += [f"{block} if p {end}", first, f"{block} else {end}", second, f"{block} endif {end}"]
        elif kind == "hole":
            lines.append(f"{first} {hole[0]} name {hole[1]}")
        else:
            lines.append(first)
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", SETTINGS)
@given(
    parts=st.lists(
        st.tuples(st.sampled_from(["if", "hole", "text"]), st.sampled_from(SENTENCES), st.sampled_from(SENTENCES)),
        min_size=1,
        max_size=5,
    ),
    level=st.sampled_from(["safe", "standard", "telegraphic"]),
)
@settings(max_examples=30, deadline=None)
def test_every_branch_still_renders_with_its_facts(name, parts, level):
    environment = Environment(trim_blocks=True, lstrip_blocks=True, **SETTINGS[name])
    source = written(environment, parts)
    text = compress_document(Document(source), level).text
    before, after = environment.from_string(source), environment.from_string(text)
    for p, value in itertools.product([True, False], ["Ann", ""]):
        kept = facts(after.render(p=p, name=value))
        lost = facts(before.render(p=p, name=value)).lost(kept)
        assert not [fact for fact in lost if fact.kind in ("negation", "number", "limit") and fact not in kept]


@pytest.mark.parametrize("name", SETTINGS)
def test_branches_do_not_make_each_other_redundant(name):
    environment = Environment(trim_blocks=True, lstrip_blocks=True, **SETTINGS[name])
    sentence = "Always answer the question in plain English."
    source = written(environment, [("if", sentence, sentence)])
    text = compress_document(Document(source), "safe").text
    template = environment.from_string(text)
    assert all("plain English" in template.render(p=p) for p in (True, False))


def test_brackets_of_data_are_no_marks():
    source = 'Use these data in the answer: {"rows": [[1, 2], [3, 4]], "name": "Ann Smith"}\n'
    assert '{"rows":[[1,2],[3,4]],"name":"Ann Smith"}' in compress_document(Document(source), "standard").text
