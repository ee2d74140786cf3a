import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptopt.compress.document import Document
from promptopt.compress.engine import compress_document
from promptopt.compress.notation import TABLE, minified, same_data, unbroken, unpadded

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12)
CELLS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=8)


@given(st.lists(VALUES, min_size=1) | st.dictionaries(st.text(), VALUES, min_size=1), st.integers(0, 4), st.booleans())
def test_minified_json_is_the_same_data(value, indent, ascii_only):
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    new = minified(text)
    if new is not None:
        assert json.loads(new) == value
        assert len(new) < len(text)
        assert same_data(text, new)
        assert minified(new) is None


@given(st.dictionaries(CELLS, CELLS, min_size=2, max_size=5))
@settings(max_examples=40, deadline=None)
def test_json_in_a_prompt_stays_the_same_data(value):
    source = f"Read the data:\n{json.dumps(value, indent=2)}\nThen answer the question.\n"
    text = compress_document(Document(source), "telegraphic").text
    assert json.loads(text[text.index("{") : text.rindex("}") + 1]) == value


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('{"a": 1.50}', '{"a":1.5}'),
        ('{"a": 1, "b": 2}', '{"b":2,"a":1}'),
        ('{"a": "x  y"}', '{"a":"x y"}'),
        ('{\n"a": <one, two>\n}', '{"a": <one>}'),
        ("| a | b |\n|---|---|\n| c | d |", "| a | b |\n|---|---|\n| c | e |"),
        ("| a | b |\n|:--|---|\n| c | d |", "| a | b |\n|---|---|\n| c | d |"),
    ],
)
def test_other_data_are_not_the_same(old, new):
    assert not same_data(old, new)


def test_a_form_loses_its_line_breaks_and_a_program_does_not():
    assert unbroken('{\n  "a": <x y>,\n  "b": [\n    1\n  ]\n}') == '{"a": <x y>,"b": [1]}'
    assert unbroken('{\n  "a": 1, // the first,\n  "b": 2\n}') is None
    assert unbroken("{\n  'a': 1\n}") is None
    assert unbroken("{\n  a = 1;\n}") is None


@given(st.lists(st.lists(CELLS, min_size=2, max_size=2), min_size=1, max_size=5), st.integers(3, 12))
def test_a_table_keeps_its_cells(rows, width):
    lines = ["| " + " | ".join(cell.ljust(width) for cell in row) + " |" for row in rows]
    text = "\n".join([lines[0], f"|{'-' * width}|:{'-' * width}:|", *lines[1:]])
    assert TABLE.fullmatch(text)
    assert same_data(text, unpadded(text))
    assert unpadded(unpadded(text)) == unpadded(text)
