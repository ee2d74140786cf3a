"""Data sets as tests, and suites as data sets."""

import json
import re

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from promptopt import Response, load_suite
from promptopt.cli import cli
from promptopt.errors import SuiteError
from promptopt.scorers import SuiteChecks
from promptopt.suites.export import EXPORT_FORMATS, export_suite


@pytest.fixture
def read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def read(rows, form, name="data.jsonl", **keys):
        text = rows if isinstance(rows, str) else "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / name).write_text(text)
        return suite_of_dataset(tmp_path, path=name, format=form, **keys).cases

    return read


def suite_of_dataset(folder, **entry):
    (folder / "suite.json").write_text(json.dumps({"tests": entry}))
    return load_suite(folder / "suite.json")


def expected(case):
    return [(each.name, each.value) for each in case.asserts]


SQUAD = {
    "id": "q1",
    "title": "Rivers",
    "context": "The Aare is a river in Bern.",
    "question": "Which river?",
    "answers": {"text": ["Aare", "The Aare", "Aare"], "answer_start": [4, 0, 4]},
}
GSM8K = {"question": "Ann sells 48 clips a day for 25 days. How many?", "answer": "48*25 = <<48*25=1200>>\n#### 1,200"}
EVALS = {
    "input": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Capital of Peru?"}],
    "ideal": ["Lima", "LIMA"],
}
LANGFUSE = {
    "id": "item-1",
    "datasetId": "d",
    "status": "ACTIVE",
    "input": {"city": "Lima", "names": ["a", "b"]},
    "expectedOutput": {"country": "Peru"},
    "metadata": {"kind": "easy"},
}


def test_squad_has_a_question_a_context_and_answers_each_once(read) -> None:
    (case,) = read([SQUAD], "squad")
    assert case.name == "q1"
    assert case.vars == {"question": "Which river?", "context": "The Aare is a river in Bern."}
    assert expected(case) == [("contains-any", ["Aare", "The Aare"])]


def test_squad_in_parquet_has_the_same_cases(tmp_path, read) -> None:
    import duckdb

    cases = read([SQUAD], "squad")
    duckdb.sql(f"SELECT * FROM read_json('{tmp_path}/data.jsonl')").write_parquet(str(tmp_path / "data.parquet"))
    (again,) = suite_of_dataset(tmp_path, path="data.parquet", format="squad").cases
    assert (again.name, again.vars, expected(again)) == (cases[0].name, cases[0].vars, expected(cases[0]))


def test_gsm8k_expects_the_number_at_the_end(read) -> None:
    (case,) = read([GSM8K], "gsm8k")
    assert expected(case) == [("numeric", "1200")]
    (other,) = read([{"problem": "1+1?", "worked": "#### 2"}], "gsm8k", map={"problem": "vars.p", "worked": "expected"})
    assert (other.vars, expected(other)) == ({"p": "1+1?"}, [("numeric", "2")])


def test_openai_evals_have_a_system_variable_and_ideals(read) -> None:
    (case,) = read([EVALS], "openai-evals")
    assert case.vars == {"system": "Be brief.", "input": "Capital of Peru?"}
    assert expected(case) == [("contains-any", ["Lima", "LIMA"])]
    (case,) = read([{"input": "2+2?", "ideal": "4"}], "openai-evals", **{"assert": "starts-with"})
    assert expected(case) == [("starts-with", "4")]


def test_langfuse_items_are_the_same_in_both_spellings(read) -> None:
    (case,) = read([LANGFUSE], "langfuse")
    assert case.name == "item-1"
    assert case.vars == {"city": "Lima", "names": ["a", "b"]}
    assert case.metadata == {"kind": "easy"}
    assert expected(case) == [("equals", {"country": "Peru"})]
    snake = {key: value for key, value in LANGFUSE.items() if key != "expectedOutput"}
    (other,) = read([snake | {"expected_output": {"country": "Peru"}}], "langfuse")
    assert (other.vars, expected(other)) == (case.vars, expected(case))
    csv = 'id,input,expected_output,metadata\nitem-1,"{""city"": ""Lima""}","""Peru""",\n'
    (cell,) = read(csv, "langfuse", "data.csv")
    assert (cell.vars, expected(cell)) == ({"city": "Lima"}, [("contains-any", ["Peru"])])


def test_inspect_samples_may_be_compared_by_another_assert(read) -> None:
    rows = [{"input": "2+2?", "target": "4", "id": 7}]
    assert [expected(case) for case in read(rows, "inspect")] == [[("contains-any", ["4"])]]
    (case,) = read(rows, "inspect", **{"assert": "equals"})
    assert (case.name, expected(case)) == ("7", [("equals", "4")])


def test_any_rows_by_a_map_beside_tests_of_the_suite(tmp_path) -> None:
    (tmp_path / "a.csv").write_text("frage,antwort,level\n1+1?,2,easy\n")
    columns = {"frage": "vars.question", "antwort": "expected", "level": "metadata.level"}
    entry = {"path": "a.csv", "format": "rows", "map": columns, "assert": "equals"}
    tests = {"defaultTest": {"vars": {"tone": "kind"}}, "tests": [{"vars": {"question": "?"}}, entry]}
    (tmp_path / "suite.json").write_text(json.dumps(tests))
    _, case = load_suite(tmp_path / "suite.json").cases
    assert case.vars == {"question": "1+1?", "tone": "kind"}
    assert case.metadata == {"level": "easy"}
    assert expected(case) == [("equals", "2")]


@pytest.mark.parametrize(
    ("form", "good", "bad", "problem"),
    [
        ("squad", SQUAD, SQUAD | {"id": "q2", "answers": {"text": []}}, "`answers.text` is an empty list.*\n.*take"),
        ("squad", SQUAD, {"question": "?", "id": "q2"}, "has no field 'context'\n.*its columns are question, id"),
        ("gsm8k", GSM8K, {"question": "?", "answer": "twelve"}, "`answer` ends with 'twelve'.*\n.*`rows`"),
        ("gsm8k", GSM8K, {"question": "?", "answer": "#### 12 apples"}, "ends with '#### 12 apples'"),
        ("openai-evals", EVALS, {"input": "?", "ideal": None}, "`ideal` is null"),
        ("openai-evals", EVALS, {"input": "?"}, "has no field 'ideal'"),
        ("openai-evals", EVALS, {"input": [{"role": "assistant", "content": "x"}], "ideal": "y"}, "\n.*in the prompt"),
        ("openai-evals", EVALS, {"input": "?", "ideal": [{"a": 1}]}, "not a text, a number or a list of them"),
        ("langfuse", LANGFUSE, LANGFUSE | {"id": "2", "status": "ARCHIVED"}, "the item is archived"),
        ("langfuse", LANGFUSE, LANGFUSE | {"id": "2", "input": None}, "`input` is null"),
        ("langfuse", LANGFUSE, LANGFUSE | {"id": "2", "metadata": [1]}, r"`metadata` is \[1\]"),
        ("inspect", {"input": "a"}, {"input": "b", "sandbox": "docker"}, "`sandbox` is not supported"),
        ("inspect", {"input": "a"}, {"target": "b"}, "has no field 'input'"),
    ],
)
def test_a_row_that_cannot_be_measured_is_refused_with_its_place(read, form, good, bad, problem) -> None:
    with pytest.raises(SuiteError, match=f"data.jsonl:2: .*{problem}"):
        read([good, bad], form)
    with pytest.raises(SuiteError, match=f"data.json: row 2: .*{problem}"):
        read(json.dumps([good, bad]), form, "data.json")


def test_rows_are_data_that_name_no_variables_and_open_no_files(tmp_path, read) -> None:
    row = {"id": "a", "input": {"q": "say {{ x }} {{", "x": "secret"}, "expectedOutput": "{{ x }}"}
    (case,) = read([row], "langfuse")
    assert case.vars["q"] == "say {{ x }} {{"
    checks = SuiteChecks(load_suite(tmp_path / "suite.json"))
    scores = [checks.score("a", Response("m", text), None, None) for text in ("{{ x }}", "secret")]
    assert [score.scores[0].passed for score in scores] == [True, False]
    exported = export_suite(load_suite(tmp_path / "suite.json"), "langfuse", tmp_path / "out.jsonl")
    assert json.loads(exported.text)["expectedOutput"] == "{{ x }}"
    (tmp_path / "secret.txt").write_text("secret")
    for value in ("file://secret.txt", {"a": ["file://secret.txt"]}):
        with pytest.raises(SuiteError, match=r"data.jsonl:1: 'file://secret.txt' is the address of a file"):
            read([row | {"input": value}], "langfuse")


def test_values_of_parquet_are_what_json_has_or_refused(tmp_path) -> None:
    import duckdb

    columns = (
        "'x' AS q, 1.5::DECIMAL(4,2) AS n, DATE '2024-01-02' AS d, 'a'::BLOB AS b, 'nan'::DOUBLE AS nan, true AS t"
    )
    duckdb.sql(f"SELECT {columns}").write_parquet(str(tmp_path / "p.parquet"))

    def by(**columns):
        return suite_of_dataset(tmp_path, path="p.parquet", format="rows", map={"q": "vars.q"} | columns).cases

    (case,) = by(n="expected", d="metadata.day")
    assert (expected(case), case.metadata) == ([("contains-any", [1.5])], {"day": "2024-01-02"})
    for columns, problem in (
        ({"b": "vars.b"}, "`b` is b'a'"),
        ({"nan": "vars.n"}, "`nan` is nan"),
        ({"t": "expected"}, "`t` is True"),
    ):
        with pytest.raises(SuiteError, match=f"p.parquet: row 1: {problem}"):
            by(**columns)


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"path": "a.csv", "format": "squat"}, "format: 'squat' is not known. Did you mean 'squad'?"),
        ({"path": "a.csv"}, "format: None is not known"),
        ({"path": 3, "format": "rows"}, "path: 3 is not the path of a file"),
        ({"path": "a.csv", "format": "rows"}, "map: no column becomes a variable"),
        ({"path": "a.csv", "format": "rows", "map": {"q": "question"}}, "map: q: 'question' is not a part of a case"),
        ({"path": "a.csv", "format": "langfuse", "map": {"q": "vars.q"}}, "map: "),
        ({"path": "a.csv", "format": "rows", "maps": {}}, "unknown key 'maps' in a data set. Did you mean 'map'?"),
        ({"path": "a.csv", "format": "inspect", "assert": [1]}, "assert: [1] is not the name of a type"),
        ({"path": "gone.csv", "format": "squad"}, "does not exist"),
    ],
)
def test_an_entry_that_names_no_data_set_is_refused(tmp_path, entry, problem) -> None:
    with pytest.raises(SuiteError, match=re.escape(problem)):
        suite_of_dataset(tmp_path, **entry)


texts = st.text(st.characters(codec="utf-8", exclude_characters="{}%#\x00\r"), min_size=1, max_size=20).filter(
    lambda text: text.strip() == text and not text.startswith(("file:", "__"))
)


@given(
    st.lists(
        st.tuples(texts, st.lists(texts, min_size=1, max_size=3, unique=True), texts),
        min_size=1,
        max_size=4,
        unique_by=lambda row: row[0],
    ),
    st.sampled_from(("contains-any", "icontains-any", "contains-all")),
    st.sampled_from(EXPORT_FORMATS),
)
def test_out_and_in_again_gives_the_same_cases(tmp_path_factory, rows, kind, form) -> None:
    folder = tmp_path_factory.mktemp("suite")
    tests = [
        {
            "description": f"case {number}",
            "vars": {"input": question},
            "assert": [{"type": kind, "value": answers}],
            "metadata": {"label": label},
        }
        for number, (question, answers, label) in enumerate(rows)
    ]
    (folder / "a.json").write_text(json.dumps({"tests": tests}))
    suite = load_suite(folder / "a.json")
    target = folder / ("out.csv" if form == "csv" else "out.jsonl")
    exported = export_suite(suite, form, target)
    target.write_text(exported.text, newline="")
    again = suite_of_dataset(folder, **exported.tests) if exported.tests else load_suite(target)

    def said(cases):
        return [(case.name, dict(case.vars), expected(case), dict(case.metadata)) for case in cases]

    assert said(again.cases) == said(suite.cases)


def test_the_command_writes_what_it_says(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    case = {
        "description": "a",
        "vars": {"q": "2+2?", "want": "4"},
        "assert": [{"type": "icontains", "value": "{{want}}"}],
    }
    (tmp_path / "s.json").write_text(json.dumps([case]))
    arguments = ["suite", "export", "s.json", "--format", "inspect", "--input", "q", "-o", "out.jsonl"]
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    first, moved, tests = result.output.splitlines()
    assert (first, moved) == ("out.jsonl: 1 cases", "metadata now: want")
    (again,) = suite_of_dataset(tmp_path, **json.loads(tests.removeprefix("tests: "))).cases
    assert (again.vars, expected(again)) == ({"input": "2+2?"}, [("icontains-any", ["4"])])
    with pytest.raises(SuiteError, match="exists"):
        CliRunner().invoke(cli, arguments, catch_exceptions=False)


@pytest.mark.parametrize(
    ("kind", "value", "wanted"),
    [
        ("contains-any", 'x, "y, z"', ("contains-any", ["x", "y, z"])),
        ("contains", "x, y", ("contains-any", ["x, y"])),
        ("not-contains", "x", ("not-contains", "x")),
        ("not-icontains-any", ["x", "y"], ("not-icontains-any", ["x", "y"])),
        ("numeric", "5", ("numeric", "5")),
    ],
)
@pytest.mark.parametrize("form", ["inspect", "langfuse", "openai-evals"])
def test_an_assert_means_the_same_after_it(tmp_path, kind, value, wanted, form) -> None:
    test = {"description": "a", "vars": {"input": "q"}, "assert": [{"type": kind, "value": value}]}
    (tmp_path / "s.json").write_text(json.dumps([test]))
    exported = export_suite(load_suite(tmp_path / "s.json"), form, tmp_path / "o.jsonl")
    (tmp_path / "o.jsonl").write_text(exported.text)
    (again,) = suite_of_dataset(tmp_path, **exported.tests).cases
    assert expected(again) == [wanted]


@pytest.mark.parametrize(
    ("test", "form", "problem"),
    [
        (
            {"assert": [{"type": "equals", "value": "a"}, {"type": "is-json"}]},
            "inspect",
            "its asserts are equals, is-json",
        ),
        ({"assert": [{"type": "equals", "value": "a", "weight": 2}]}, "langfuse", "assert .* would be"),
        (
            {"assert": [{"type": "equals", "value": "a"}], "threshold": 0.5},
            "openai-evals",
            "threshold 0.5 would be None",
        ),
        ({"metadata": {"n": 1}}, "csv", "metadata .* would be"),
        (
            {"assert": [{"type": "is-json", "value": {"a": 1}}]},
            "inspect",
            "o.jsonl would not be read again: .*`target`",
        ),
        ({}, "openai-evals", "o.jsonl would not be read again: `ideal` is null"),
        ({"turns": [{"user": "hello"}]}, "jsonl", "turns .* would be"),
    ],
)
def test_a_case_that_a_format_does_not_say_is_refused(tmp_path, test, form, problem) -> None:
    (tmp_path / "s.json").write_text(json.dumps([{"description": "a", "vars": {"input": "x"}} | test]))
    suite = load_suite(tmp_path / "s.json")
    with pytest.raises(SuiteError, match=f"case 'a': {problem}"):
        export_suite(suite, form, tmp_path / ("o.csv" if form == "csv" else "o.jsonl"))
