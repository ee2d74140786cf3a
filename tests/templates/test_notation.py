import csv
import io
import json

import pytest
import toon_format
from hypothesis import given, settings
from hypothesis import strategies as st

from promptopt.templates.filters import compact, fit, notations
from promptopt.templates.readers import FolderReader
from promptopt.templates.template import Template
from promptopt.tokens import tokenizer_for
from promptopt.values import Origin

scalars = st.none() | st.booleans() | st.integers(-999, 99999) | st.text(max_size=12)
names = st.text("abcdefgh_", min_size=1, max_size=8)
flat = st.lists(names, min_size=1, max_size=4, unique=True).flatmap(
    lambda keys: st.lists(st.fixed_dictionaries(dict.fromkeys(keys, scalars)), min_size=1, max_size=6)
)
nested = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4), max_leaves=15
)
count = tokenizer_for(None).count


@given(nested | flat)
@settings(max_examples=80, deadline=None)
def test_compact_is_never_larger_than_the_best_notation(data):
    if isinstance(data, str):
        return
    written = [json.dumps(data, indent=2), json.dumps(data, separators=(",", ":"), ensure_ascii=False)]
    if isinstance(data, (list, dict)) and data:
        written.append(toon_format.encode(data))
    if (
        isinstance(data, list)
        and data
        and all(isinstance(row, dict) and row.keys() == data[0].keys() and row for row in data)
    ):
        rows = [[row[key] for key in data[0]] for row in data]
        written.append(json.dumps([list(data[0]), *rows], separators=(",", ":"), ensure_ascii=False))
        if not any(isinstance(cell, (list, dict)) for row in rows for cell in row):
            out = io.StringIO()
            csv.writer(out, lineterminator="\n").writerows([list(data[0]), *rows])
            written.append(out.getvalue().strip("\n"))
    assert count(compact(data)) <= min(map(count, written))


def test_flat_rows_become_csv_and_nested_data_json():
    rows = [{"id": number, "name": f"Ann {number}"} for number in range(3)]
    assert compact(rows) == "id,name\n0,Ann 0\n1,Ann 1\n2,Ann 2"
    assert notations({"a": {"b": [1, {"c": None}]}})[0].text == '{"a":{"b":[1,{"c":null}]}}'


def test_data_that_json_cannot_say_is_an_error():
    with pytest.raises(TypeError, match="not JSON data"):
        compact({"when": object()})


DOCS = [
    "Cats are nice animals.",
    "The refund policy is 30 days for all goods.",
    "Dogs bark.",
    "Refunds need a receipt.",
]


def test_fit_keeps_whole_relevant_chunks_in_order():
    fitted = fit(DOCS, 20, query="refund policy receipt")
    assert fitted.kept == (1, 3)
    assert fitted.left_out == (0, 2)
    assert fitted.text == f"{DOCS[1]}\n\n{DOCS[3]}"
    assert fitted.tokens <= 20


@given(
    st.lists(st.text("ab c.", min_size=1, max_size=30), max_size=8),
    st.integers(0, 40),
    st.sampled_from(["first", "last"]),
)
@settings(max_examples=60, deadline=None)
def test_fit_never_exceeds_the_budget_and_leaves_no_gap(chunks, budget, keep):
    fitted = fit(chunks, budget, keep=keep)
    assert fitted.tokens <= budget
    assert sorted((*fitted.kept, *fitted.left_out)) == list(range(len(chunks)))
    ordered = list(range(len(chunks)))
    assert list(fitted.kept) in (ordered[: len(fitted.kept)], ordered[len(chunks) - len(fitted.kept) :])


@pytest.mark.parametrize(
    "arguments", [{"budget": -1}, {"budget": 5, "keep": "middle"}, {"budget": 5, "keep": "relevant"}]
)
def test_fit_refuses_what_makes_no_sense(arguments):
    with pytest.raises(ValueError, match="fit:"):
        fit(["a"], **arguments)


def test_the_filters_report_what_they_leave_out(tmp_path):
    (tmp_path / "p.j2").write_text(
        "{{ rows | compact }}\n{{ docs | fit(20, query=q) }}\n{{ turns | fit(9, keep='last') }}"
    )
    template = Template.load("p.j2", FolderReader(tmp_path), Origin("p"))
    turns = [{"role": "user", "content": "a long first question about everything"}, {"role": "user", "content": "bye"}]
    rendered = template.render(
        {"rows": [{"a": 1}, {"a": 2}], "docs": DOCS, "q": "refund policy receipt", "turns": turns}
    )
    assert rendered.text == f"a\n1\n2\n{DOCS[1]}\n\n{DOCS[3]}\nuser: bye"
    assert rendered.notes == ("fit(20) left out 2 of 4 chunks: 1, 3", "fit(9) left out 1 of 2 chunks: 1")
