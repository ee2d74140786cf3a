"""Files are named for people, decoded strictly, and replaced whole or not at all."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptopt.errors import InputError, SuiteError
from promptopt.files import decode, json_problem, replace_file, show_path


def test_a_path_below_the_current_folder_is_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert show_path(tmp_path / "a" / "b.j2") == "a/b.j2"
    assert show_path(Path("a/b.j2")) == "a/b.j2"
    assert show_path(tmp_path.parent / "c.j2") == str(tmp_path.parent / "c.j2")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"a\r\nb\rc\n", "a\nb\nc\n"),
        (b"\xef\xbb\xbfa", "a"),
        ("ä\u2028b".encode(), "ä\u2028b"),
        (b"", ""),
    ],
)
def test_line_ends_and_byte_order_mark_are_normalised(data: bytes, text: str) -> None:
    assert decode(data, "x") == text


def test_what_is_not_utf_8_is_refused_with_line_and_byte() -> None:
    with pytest.raises(SuiteError, match=r"x\.csv:3: is not UTF-8: byte 0xe9 .*\n  save the file as UTF-8"):
        decode(b"a\nb\ncaf\xe9\n", "x.csv", SuiteError)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_written_is_what_is_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "new" / "f.txt"
    replace_file(path, text)
    assert path.read_bytes() == text.encode()
    assert list(path.parent.iterdir()) == [path]


def test_half_a_surrogate_pair_does_not_keep_a_report_from_being_written(tmp_path: Path) -> None:
    replace_file(tmp_path / "f.txt", "a\ud83db")
    text = (tmp_path / "f.txt").read_text(encoding="utf-8")
    assert (text[0], text[-1]) == ("a", "b")
    assert set(text[1:-1]) == {"\ufffd"}


@pytest.mark.usefixtures("small_disk")
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "f.txt"
    path.write_text("old")
    with pytest.raises(InputError, match=r"f\.txt: cannot be written: File too large"):
        replace_file(path, "x" * 5000)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.usefixtures("small_disk")
def test_a_full_disk_leaves_no_new_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        replace_file(tmp_path / "f.txt", "x" * 5000)
    assert list(tmp_path.iterdir()) == []


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target = tmp_path / "real" / "f.txt"
    target.write_text("old")
    link = tmp_path / "link.txt"
    link.symlink_to(target)
    replace_file(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["f.txt", "link.txt", "real"]


def test_a_device_is_not_replaced(tmp_path: Path) -> None:
    link = tmp_path / "f.txt"
    link.symlink_to("/dev/full")
    with pytest.raises(InputError, match="is not a file"):
        replace_file(link, "new")
    assert Path("/dev/full").is_char_device()


def test_a_folder_in_the_place_of_the_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "f.txt").mkdir()
    with pytest.raises(InputError, match=r"f\.txt: cannot be written"):
        replace_file(tmp_path / "f.txt", "new")
    assert os.listdir(tmp_path) == ["f.txt"]  # noqa: PTH208 - names, no paths


def test_a_file_in_the_place_of_the_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("")
    with pytest.raises(InputError, match="cannot be written: File exists"):
        replace_file(tmp_path / "f" / "g.txt", "new")


@pytest.mark.parametrize(
    ("text", "problem", "line"),
    [
        ('{\n"a": 1,\n\n}', "a comma before the closing bracket", 2),
        ("[\n1,\n]", "a comma before the closing bracket", 2),
        ("[1,]", "a comma before the closing bracket", 1),
        ("[\n1\n2]", "Expecting ',' delimiter", 3),
        ("[1,,\n2]", "Expecting value", 1),
        ('{"a": 1,\nb}', "Expecting property name enclosed in double quotes", 2),
        ("", "Expecting value", 1),
        ("[" * 100_000, "nested too deeply", None),
        ("9" * 5000, "Exceeds the limit (4300 digits) for integer string conversion", None),
    ],
)
def test_a_broken_json_has_one_problem_and_one_line_in_every_python(text: str, problem: str, line: int | None) -> None:
    with pytest.raises((ValueError, RecursionError)) as caught:
        json.loads(text)
    found, at = json_problem(caught.value)
    assert found.startswith(problem)
    assert at == line
