"""The noun for what an answer is to be and nothing else, and the codes of options that stand one a line."""

import pytest

from promptopt.structured.fields import PromptText
from promptopt.structured.infer import infer
from promptopt.structured.prose.label_codes import coded_lines
from promptopt.structured.prose.wanted_alone import wanted_alone


@pytest.mark.parametrize(
    ("order", "noun"),
    [
        ("Answer with the letter only.", "letter"),
        ("Answer with the letter of the right statement.", "letter"),
        ("Respond with the team number, nothing else.", "team number"),
        ("Your answer must be a single digit.", "digit"),
        ("Give only the number of the matching team.", "number"),
        ("Reply with the crop name only, no punctuation, no explanation.", "crop"),
        ("Only the code please.", "code"),
        ("Grade (just the number):", "number"),
        ("Answer with the number.", "number"),
        ("Output the label only, in lower case.", "label"),
        ("Answer with only the letter and a short reason.", ""),
        ("Answer with the letter, then explain it.", ""),
        ("Give the number of crates.", ""),
        ("Answer with the date in the form YYYY-MM-DD.", ""),
        ("Return only the JSON object.", ""),
        ("Return only the names of the crops.", ""),
        ("Choose only one category.", ""),
    ],
)
def test_the_noun_of_an_order(order: str, noun: str) -> None:
    assert wanted_alone(PromptText.of(f"Read the note.\n\n{order}\n\n{{{{ note }}}}\n")) == noun


def test_two_orders_that_differ_want_no_one_thing() -> None:
    assert not wanted_alone(PromptText.of("Answer with the letter only.\n\nReply with the reason only.\n"))


LETTERS = "A) Load it - all is well\nB) Hold it - papers are missing\nC) Return it\n"
NUMBERS = "1 = lid open\n2 = wheel broken\n   (any wheel)\n5 = something else\n"


@pytest.mark.parametrize(
    ("options", "order", "codes"),
    [
        (LETTERS, "Answer with the letter only.", ["A", "B", "C"]),
        (LETTERS.replace(")", "."), "Your answer must be a single letter.", ["A", "B", "C"]),
        (NUMBERS, "Output the number only.", [1, 2, 5]),
        (NUMBERS.replace(" =", ":"), "Reply with just the code.", [1, 2, 5]),
        ("1. lid open\n2. wheel broken\n3. other\n", "Answer with the number of the matching option only.", [1, 2, 3]),
        ("Steps:\n1 - Open the lid.\n2 - Count the cans.\n", "Output the number only.", None),
        # A count, with steps; two lists; a list whose items are wanted by their words.
        ("1. Open the lid.\n2. Count the cans.\n3. Close it.\n", "Output the number only.", None),
        (f"{LETTERS}\nShips:\nA) Anna\nB) Berta\n", "Answer with the letter only.", None),
        (LETTERS, "Answer with the letter and one sentence.", None),
    ],
)
def test_codes_of_lines_are_the_answer_where_a_code_is_wanted(options: str, order: str, codes: list | None) -> None:
    inferred = infer(f"Decide what the crane does with the crate.\n\n{options}\n{order}\n\nNote: {{{{ note }}}}\n")
    if codes is None:
        assert not any(item.schema.get("enum") == codes for item in inferred.fields)
        assert not inferred.fields or "enum" not in inferred.fields[0].schema
    else:
        assert inferred.fields, inferred.problems
        assert inferred.fields[0].schema["enum"] == codes


def test_runs_end_where_the_codes_begin_again() -> None:
    runs = [run.codes for run in coded_lines(PromptText.of("1: a\n2: b\n\n\n1: c\n2: d\nA) x\nB) y\nD) z\n"))]
    assert runs == [("1", "2"), ("1", "2"), ("A", "B")]


def test_the_reason_that_is_looked_for_is_no_explanation() -> None:
    prompt = (
        f"Determine the reason for the stop from the note.\n\n{NUMBERS}\nOutput the number only.\n\n{{{{ note }}}}\n"
    )
    assert [item.name for item in infer(prompt).fields] == ["answer"]
