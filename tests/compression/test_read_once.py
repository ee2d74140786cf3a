"""What is read once, or near an edit alone, says what reading all of it again would say."""

import re
from collections import Counter
from pathlib import Path

import pytest

from promptopt.compression.engine import compress
from promptopt.compression.facts.stated import word_facts
from promptopt.compression.judging.fact_changes import facts_of_lines
from promptopt.compression.text.any_case import AnyCase
from promptopt.compression.text.line_forms import line_form
from promptopt.compression.witness.word_order import unlike

TEXT = (Path(__file__).parent / "hostile.txt").read_text("utf-8")
PARAGRAPHS = [one for one in re.split(r"\n\s*\n", TEXT) if len(one) > 200]


def test_a_second_reading_reads_the_lines_that_changed_and_no_others() -> None:
    lines = "\n".join(
        f"- Please read row {number} of the table in order to count it.\n- Count {number}." for number in range(40)
    )
    text = f"Your task is to read a table.\n\n{lines}\n"
    after = compress(text, "safe").text
    changed = len(set(after.split("\n")) - set(text.split("\n")))
    assert changed > 20
    line_form.cache_clear()
    compress(text, "safe")
    # Those of the text, and those that the first pass wrote; the second reads them for the last time.
    assert line_form.cache_info().misses <= len(set(text.split("\n"))) + changed


CONNECTIVES = "Use marks such as AND / OR / - (NOT), and quoted phrases. Example of a query: \ue000\ue000 red \ue000."


@pytest.mark.parametrize("paragraph", [*PARAGRAPHS, CONNECTIVES])
def test_facts_of_lines_are_those_of_their_sentences(paragraph: str) -> None:
    found = Counter(fact for fact in facts_of_lines(paragraph, False) if fact.kind != "hole")
    assert found == Counter(word_facts(paragraph))


@pytest.mark.parametrize("text", ["The Cat and THE dog", "ŠKODA, the cat, Škoda", "nothing", ""])
def test_a_pattern_in_small_letters_finds_capitals_at_their_places(text: str) -> None:
    pattern = r"\b(?:the|škoda|cat)\b"
    spans = [match.span() for match in re.finditer(pattern, text, re.IGNORECASE)]
    assert [match.span() for match in AnyCase(pattern).finditer(text)] == spans
    first = AnyCase(pattern).search(text)
    assert (first and first.span()) == (spans[0] if spans else None)


@pytest.mark.parametrize(
    ("first", "second", "shared"),
    [("abc", "abc", (3, 0)), ("abc", "axc", (1, 1)), ("aa", "aaa", (2, 0)), ("", "a", (0, 0)), ("abab", "ab", (2, 0))],
)
def test_what_two_lists_share_at_their_ends_is_not_counted_twice(
    first: str, second: str, shared: tuple[int, int]
) -> None:
    assert unlike(first, second) == shared
