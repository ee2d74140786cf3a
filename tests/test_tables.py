"""Tables and lines that fit the terminal."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from promptopt.tables import fold, line_width, table

WORDS = st.text(st.sampled_from("ab-é日本🙂 /"), max_size=40)


@settings(max_examples=60)
@given(st.lists(st.tuples(WORDS, st.integers(0, 10**9), WORDS), min_size=1, max_size=5), st.integers(40, 120))
def test_no_line_of_a_table_is_wider_than_it_may_be(rows: list[tuple[str, int, str]], width: int) -> None:
    text = table(rows, ["a name", "tokens of a call", "what"], columns=("left", "right", "left"), width=width)
    assert max(map(cell_len, text.splitlines())) <= width


@settings(max_examples=60)
@given(st.lists(st.tuples(WORDS, st.integers(0, 10**9)), min_size=1, max_size=5), st.integers(30, 90))
def test_nothing_is_lost_when_cells_are_broken(rows: list[tuple[str, int]], width: int) -> None:
    text = table(rows, ["name", "n"], width=width)
    whole = "".join(f"{name}{number}" for name, number in [("name", "n"), *rows])
    assert sorted("".join(text.split()).replace("-", "")) == sorted("".join(whole.split()).replace("-", ""))


def test_a_table_that_fits_is_as_narrow_as_its_cells() -> None:
    assert table([["a", 1]], ["x", "many"]) == "x  many\n-  ----\na     1"


def test_headers_are_broken_before_names_are() -> None:
    text = table([["reviews@v1", "1"]], ["prompt", "tokens of each call"], width=24)
    assert text.splitlines()[0].split() == ["prompt", "tokens", "of"]
    assert text.splitlines()[-1].startswith("reviews@v1 ")
    assert all(len(line) <= 24 for line in text.splitlines())


def test_columns_of_wide_letters_stay_straight() -> None:
    text = table([["日本語", 1], ["latin", 22]], ["name", "n"])
    assert {cell_len(line) for line in text.splitlines()[2:]} == {cell_len("latin") + 1 + 2 + 2}


def test_numbers_that_do_not_fit_beside_one_another_become_lines_and_stay_whole() -> None:
    numbers = [f"{10**12 + each:,}" for each in range(5)]
    text = table([["day", *numbers]], ["name", "a", "b", "c", "d", "e"], width=60)
    assert text.splitlines()[0].split() == ["name", "day"]
    assert all(number in text for number in numbers)
    assert all(len(line) <= 60 for line in text.splitlines())


def test_long_lines_are_broken_at_blanks_and_paths_stay_whole() -> None:
    line = "  prompts/a-very-long-name/v1.j2: something is said about it that takes more than a line"
    folded = fold(line, 60).splitlines()
    assert folded[0].startswith("  prompts/a-very-long-name/v1.j2:")
    assert folded[1].startswith("    ")
    assert " ".join(part.strip() for part in folded) == line.strip()
    assert fold("short  line", 60) == "short  line"


def test_a_line_that_gives_a_command_stays_whole() -> None:
    line = (
        'fix: promptopt budget update prompts/a-long-name --reason "the answer is checked before it is sent to anybody"'
    )
    assert fold(line, 60) == line


def test_a_value_goes_on_below_itself() -> None:
    assert fold("weeks      one two three four five six seven eight nine ten", 40).splitlines()[1].startswith(" " * 11)


@pytest.mark.parametrize(("columns", "expected"), [("120", 120), ("", 80), ("wide", 80), ("0", 80)])
def test_the_width_is_that_of_columns_or_80(monkeypatch: pytest.MonkeyPatch, columns: str, expected: int) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr("sys.stdout", io.StringIO())
    assert line_width() == expected


def test_a_word_that_is_too_long_is_broken_where_its_parts_end() -> None:
    shown = table([["model=gpt-5-nano, reasoning_effort=minimal", 1]], ["version", "n"], width=24)
    assert [line.split()[0] for line in shown.splitlines()[2:]] == ["model=gpt-5-nano,", "reasoning_effort=", "minimal"]
