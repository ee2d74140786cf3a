"""Rows of data sets on disk."""

import pytest

from promptopt.errors import SuiteError
from promptopt.suites.rows import read_table


def test_each_kind_of_file_gives_the_same_rows(tmp_path) -> None:
    import duckdb

    (tmp_path / "a.jsonl").write_text('{"q": "one", "n": 1}\n\n{"q": "two", "n": 2}\n')
    (tmp_path / "a.json").write_text('[{"q": "one", "n": 1}, {"q": "two", "n": 2}]')
    target = tmp_path / "a.parquet"
    duckdb.sql("SELECT 'one' AS q, 1 AS n UNION ALL SELECT 'two', 2").write_parquet(str(target))
    wanted = [{"q": "one", "n": 1}, {"q": "two", "n": 2}]
    for name in ("a.jsonl", "a.json", "a.parquet"):
        assert [dict(row) for row in read_table(tmp_path / name)] == wanted
    (tmp_path / "a.csv").write_text("q,n\none,1\n")
    assert [dict(row) for row in read_table(tmp_path / "a.csv")] == [{"q": "one", "n": "1"}]


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("a.jsonl", '{"a": 1}\n[1]\n', "a.jsonl:2: row 2"),
        ("a.jsonl", '{"a": 1}\n{"a":\n', "a.jsonl:2: is not JSON"),
        ("a.json", '{"a": 1}', "not a list of rows"),
        ("a.json", "[1]", "row 1 is '1', not an object"),
        ("a.parquet", "PAR0", "is not Parquet"),
        ("a.txt", "x", "is not a file of rows"),
    ],
)
def test_a_row_that_is_none_is_refused(tmp_path, monkeypatch, name: str, text: str, problem: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text(text)
    with pytest.raises(SuiteError, match=problem):
        list(read_table(tmp_path / name))
