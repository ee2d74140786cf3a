import csv
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptopt.compression.document import Document
from promptopt.compression.engine import compress_document
from promptopt.compression.text.notation import TABLE, as_csv, minified, records, same_data, unbroken, unpadded

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


COLUMNS = st.sampled_from(
    [
        CELLS,
        st.integers(-9999, 9999),
        st.booleans(),
        st.floats(-9999, 9999),
        st.none(),
        st.text(max_size=6),
    ]
)


@st.composite
def lists_of_objects(draw):
    """Lists of objects with the same keys in the same order."""
    keys = draw(st.lists(CELLS, min_size=1, max_size=4, unique=True))
    columns = [draw(COLUMNS) for _ in keys]
    return [dict(zip(keys, row, strict=True)) for row in draw(st.lists(st.tuples(*columns), min_size=1, max_size=5))]


@given(lists_of_objects())
def test_records_as_csv_say_what_the_objects_said(value):
    rows = records(json.dumps(value))
    new = as_csv(rows) if rows else None
    if new is None:
        return
    head, *body = csv.reader(io.StringIO(new))
    # Each cell in JSON's own words, a text without its marks: nothing else may be read from it.
    said = [[item if isinstance(item, str) else json.dumps(item) for item in row.values()] for row in value]
    assert [head, *body] == [list(value[0]), *said]
    for column in zip(*(row.values() for row in value), strict=True):
        assert len({type(item) for item in column}) == 1
    assert same_data(json.dumps(value), new)
    for number in range(len(rows)):
        other = [row if number != at else ["other", *row[1:]] for at, row in enumerate(rows)]
        assert rows[number][0] == "other" or not same_data(json.dumps(value), as_csv(other))


@given(lists_of_objects())
@settings(max_examples=60, deadline=None)
def test_records_in_a_prompt_are_written_once_and_for_all(value):
    source = f"These are the birds:\n{json.dumps(value)}\n\nWhich of them is the oldest?\n"
    once = compress_document(Document(source))
    assert once.tokens_after <= once.tokens_before
    assert compress_document(Document(once.text)).text == once.text
