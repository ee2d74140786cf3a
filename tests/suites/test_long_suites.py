"""Suites that are too large for memory: the same cases as in memory, from a database on disk, in constant memory."""

import csv
import json
import tracemalloc
from dataclasses import replace
from functools import partial

import pytest
import yaml
from corpora import REPOSITORY
from hypothesis import given, settings
from hypothesis import strategies as st

from promptopt import load_suite
from promptopt.errors import PromptoptError, SuiteError
from promptopt.suites import LongSuite
from promptopt.yaml import LongList, _JoinedFile, load_json, load_long, load_yaml

LONG = "the parcel is late " * 400


def without_lines(value):
    """A case as what it says, without the lines of its file."""
    if isinstance(value, tuple):
        return tuple(without_lines(each) for each in value)
    return replace(value, line=None) if hasattr(value, "line") else value


def plain(case):
    turns = tuple(replace(turn, asserts=without_lines(turn.asserts)) for turn in case.turns)
    return replace(case, line=None, asserts=without_lines(case.asserts), turns=turns)


def same(path):
    """Compares the two ways of reading a suite, and closes the long one."""
    long, whole = LongSuite(path), load_suite(path)
    try:
        assert [plain(case) for case in long] == [plain(case) for case in whole.cases]
        assert [plain(long.get(case.name)) for case in whole.cases] == [plain(case) for case in whole.cases]
        assert long.get("of another suite") is None
        assert (long.suite.name, long.suite.notes, long.suite.cases) == (whole.name, whole.notes, ())
    finally:
        long.close()
    return whole


@pytest.mark.parametrize("name", ["desk", "mood"])
def test_suites_of_this_repository_are_the_same(name) -> None:
    assert len(same(REPOSITORY / f"suites/{name}.yaml").cases) > 1


EVERYTHING = """\
description: all forms
providers: [openai:gpt-4o]
tests:
- vars: {x: [a, b], y: ["1", "{{ x }}"], both: "{{ x }} and {{ y }}"}
  options: {disableVarExpansion: false}
- description: keeps its list
  vars: {x: [a, b]}
  options: {disableVarExpansion: true}
- &one
  description: one
  vars: {x: "{% raw %}{{ no }}{% endraw %}", n: 1.5}
  assert: [{type: contains, value: "{{ x }}", weight: 2}, {type: is-json, metric: form}]
- <<: *one
  description: after one
- description: a file
  vars: {x: file://note.txt}
  threshold: 0.5
- description: has nothing, an empty mapping and what the defaults have
  vars: {x: null, m: {}, z: null, l: [], w: file://note.txt}
- description: talks
  turns: [{user: "hi {{ x }}", assert: [{type: contains, value: hi}]}, more]
  vars: {x: you}
  tool_results: {look_up: "{{ x }}"}
  max_steps: 3
- file://more.csv
- file://parts/*.jsonl
- {path: rows.jsonl, format: rows, map: {q: vars.x, a: expected}}
defaultTest:
  vars: {z: [p, q], w: file://note.txt}
  metadata: {kind: plain}
  assert: [{type: not-contains, value: "{{ w }}"}]
"""


@pytest.mark.parametrize("ending", ["yaml", "json", "list"])
def test_every_form_of_a_test_is_read_alike(tmp_path, ending) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "note.txt").write_text("a note\n")
    (tmp_path / "more.csv").write_text('x,__expected,__description\n"a\nb",contains: c,from a table\n')
    for name in "ab":
        test = {"description": f"part {name} 😀 \ud800", "vars": {"x": f"{{{{ z }}}} {name}"}}
        (tmp_path / f"parts/{name}.jsonl").write_text(json.dumps(test) + "\n\n")
    (tmp_path / "rows.jsonl").write_text('{"q": "{{ z }} of data", "a": "b"}\n')
    document = yaml.safe_load(EVERYTHING)
    if ending == "yaml":
        (tmp_path / "s.yaml").write_text(EVERYTHING)
    elif ending == "json":
        (tmp_path / "s.json").write_text(json.dumps(document))
    else:
        (tmp_path / "s.yaml").write_text(yaml.safe_dump(document["tests"]))
    suite = same(tmp_path / ("s.json" if ending == "json" else "s.yaml"))
    assert len(suite.cases) > 10


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("s.csv", "x,__description\n1,one\n2,one\n", "s.csv:3: two cases are named 'one'"),
        ("s.csv", 'x\n"1', "s.csv:2: is not CSV"),
        ("s.csv", b"x\n1\n\xff\n", "s.csv:3: is not UTF-8: byte 0xff"),
        ("s.jsonl", '{"vars": {}}\n{"vars": {"x": 1}, "varz": 2}\n', "s.jsonl:2: unknown key 'varz'"),
        ("s.jsonl", '{"vars": {}}\n{', "s.jsonl:2: is not JSON"),
        ("s.yaml", "- vars: {x: 1}\n- vars: {x: 2}\n  vars: {x: 3}\n", "s.yaml:3: is not YAML: the key 'vars'"),
        ("s.yaml", "tests:\n- vars: {x: 1}\n  assert: 7\n", "s.yaml:3: assert is not a list"),
        ("s.yaml", "tests:\n- vars: {x: 1}\ntests: []\n", "s.yaml:3: is not YAML: the key 'tests' appears twice"),
        ("s.yaml", "tests:\n- vars: {x: 1}\nother: 1\n", "s.yaml:3: unknown key 'other' in the suite"),
        ("s.yaml", "tests:\n- vars: {x: 1\n", "s.yaml:3: is not YAML"),
        ("s.yaml", "tests:\n- 7\n", "s.yaml: test 1 is 7, not a mapping"),
        ("s.yaml", "tests: []\n", "s.yaml: has no cases"),
        ("s.yaml", "- vars: {x: 1}\n---\n- vars: {x: 2}\n", "s.yaml:2: is not YAML"),
        ("s.yaml", "- vars: {x: 1}\n- vars: {x: *other}\n", "s.yaml:2: is not YAML: found undefined alias"),
        ("s.yaml", "tests: !!set {a}\n", "is not YAML"),
        ("s.yaml", b"- vars: {x: 1}\n- vars: {x: \xff}\n", "s.yaml:2: is not UTF-8: byte 0xff"),
        ("s.json", "[" * 600, "s.json:1: is nested deeper than 500 levels"),
        ("s.json", '{"tests": [{"vars": {"x": 1}}, {"vars": 2}]}', "s.json:1: vars: 2 is not a mapping"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_line_as_in_memory(tmp_path, monkeypatch, name, text, said) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SuiteError) as whole:
        load_suite(name)
    with pytest.raises(SuiteError) as long:
        LongSuite(name)
    assert str(long.value) == str(whole.value)
    assert said in str(long.value)


def test_a_part_that_repeats_a_test_of_the_list_is_read_too(tmp_path) -> None:
    text = "tests:\n- &one {vars: {x: '1'}}\n- vars: {x: '2'}\ndefaultTest: *one\n"
    (tmp_path / "s.yaml").write_text(text)
    assert [case.vars for case in same(tmp_path / "s.yaml").cases] == [{"x": "1"}, {"x": "2"}]


def test_labels_of_parquet_that_json_does_not_have_are_no_obstacle(tmp_path) -> None:
    duckdb = pytest.importorskip("duckdb")
    row = "SELECT 'hi' AS input, 'a' AS target, {'day': DATE '2026-01-02', 'price': 1.5::DECIMAL(4, 2)} AS metadata"
    duckdb.execute(f"COPY ({row}) TO '{tmp_path / 'rows.parquet'}'")
    (tmp_path / "s.yaml").write_text("tests:\n- {path: rows.parquet, format: inspect}\n")
    suite = LongSuite(tmp_path / "s.yaml")
    assert [case.vars for case in suite] == [{"input": "hi"}]
    suite.close()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
DOCUMENTS = st.lists(VALUES, max_size=4) | st.dictionaries(st.sampled_from(["tests", "a", "b"]), VALUES) | VALUES


@settings(max_examples=60, deadline=None)
@given(DOCUMENTS, st.booleans(), st.sampled_from([None, True, False]))
def test_a_long_document_is_the_document(tmp_path_factory, document, in_json, flow) -> None:
    path = tmp_path_factory.getbasetemp() / ("long.json" if in_json else "long.yaml")
    text = json.dumps(document) if in_json else yaml.safe_dump(document, allow_unicode=True, default_flow_style=flow)
    path.write_text(text, encoding="utf-8")
    try:
        whole = (load_json if in_json else load_yaml)(text, "f")
    except PromptoptError:
        with pytest.raises(PromptoptError):
            load_long(path, "tests")
        return
    long = load_long(path, "tests")
    lists = isinstance(whole, list) or (isinstance(whole, dict) and isinstance(whole.get("tests"), list))
    found = long if isinstance(long, LongList) or not isinstance(long, dict) else long.get("tests")
    assert isinstance(found, LongList) == lists
    if isinstance(long, dict) and lists:
        assert long.lines == whole.lines
        long["tests"] = list(long["tests"])
    assert (list(long) if isinstance(long, LongList) else long) == whole


@given(st.text(st.sampled_from('\\ud8D3eE0a,"\n'), max_size=40), st.integers(1, 9))
def test_pairs_of_escapes_are_joined_wherever_a_read_ends(tmp_path_factory, text, size) -> None:
    text = text.replace("e", r"\ud83d\ude00")
    path = tmp_path_factory.getbasetemp() / "pairs.json"
    path.write_text(text)
    read = []
    for many in (size, 10**6):
        with path.open() as file:
            joined = _JoinedFile(file)
            read.append("".join(iter(partial(joined.read, many), "")))
    assert read[0] == read[1]


def write(path, count):
    """A suite of large cases, all of them different."""
    tests = [
        {"description": f"c{number}", "vars": {"x": f"{number} {LONG}"}, "assert": [{"type": "contains", "value": "a"}]}
        for number in range(count)
    ]
    if path.suffix == ".csv":
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([["__description", "x"], *([t["description"], t["vars"]["x"]] for t in tests)])
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(test) + "\n" for test in tests))
    elif path.suffix == ".json":
        path.write_text(json.dumps({"tests": tests}))
    elif path.stem == "names":
        write(path.with_name("named.csv"), count)
        path.write_text("tests: file://named.csv\ndefaultTest: {metadata: {a: b}}\n")
    else:
        path.write_text(
            "\n".join(["description: d", "tests:", *(f"- {json.dumps(test)}" for test in tests), "defaultTest: {}"])
        )


def peak(work) -> int:
    tracemalloc.start()
    work()
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found


@pytest.mark.parametrize("name", ["s.csv", "s.jsonl", "s.yaml", "s.json", "names.yaml"])
def test_memory_does_not_grow_with_the_cases(tmp_path, name) -> None:
    path = tmp_path / name

    def read():
        suite = LongSuite(path)
        assert sum(len(case.vars["x"]) > 1 for case in suite) == count
        assert suite.get(f"c{count - 1}").vars["x"].startswith(f"{count - 1} ")
        suite.close()

    peaks = []
    for count in (4, 4, 100):
        write(path, count)
        peaks.append(peak(read))
    # A suite in memory takes 100 times 8 kB at least.
    assert peaks[2] - peaks[1] < 200_000, peaks
