"""Which sentences are known to instruct, and that nothing else is reworded at any level."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptopt.compression.document import Document
from promptopt.compression.edit import LEVELS
from promptopt.compression.engine import compress
from promptopt.compression.scope.instructions import form_of

ORDERS = [
    "Write a short answer.",
    "Then, list the names of the ships.",
    "**Step 2:** Sort the list by date.",
    "(3) Name the harbour.",
    "- Carefully read the letter.",
    "If the guest is late, call the driver.",
    "For each ship, give its length.",
    "Do NOT name a price.",
    "Never answer in verse.",
    "You are a pilot of a harbour.",
    "Your task is to find the leak.",
    "I want you to act as my cook.",
    "I will name a town and you will say what it is known for.",
    "Can you help me to find the leak?",
    "Given a letter and a date, decide whether it was sent in time.",
    "Before you answer, please count the words.",
]
WORK = [
    "The answer must be a number.",
    "Each item should have a date.",
    "The user speaks Dutch.",
    "Here is the list of tools:",
]
TOLD = [
    "There were a king and a queen on the throne.",
    "She asked whether you are late.",
    "I am of the opinion that you should leave.",
    "Our house is the oldest of the town.",
    "The bridge was built by the army.",
    "In 1887 the tower is opened.",
    "The ship carries 12,400 tons of grain.",
    "What is the name of the author?",
]
OPEN = [
    "Report shows a rise.",
    "State of the art engines burn oil.",
    "Clouds gather over the bay.",
]


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        *[("order", one) for one in ORDERS],
        *[("work", one) for one in WORK],
        *[("told", one) for one in TOLD],
        *[("open", one) for one in OPEN],
    ],
)
def test_a_sentence_is_by_itself(form, sentence) -> None:
    assert form_of(sentence) == form


def known(text, kind="strict"):
    """The sentences of a text that are known to instruct."""
    document = Document(text)
    starts = getattr(document.instructed, kind)
    return [text[one.start : one.end] for one in document.sentences if one.start in starts]


def test_a_sentence_that_says_little_is_known_by_its_paragraph() -> None:
    assert known("Write a letter. Short sentences and plain words.") == [
        "Write a letter.",
        "Short sentences and plain words.",
    ]
    assert not known("Clouds gather over the bay. Short sentences and plain words.")


def test_an_item_is_known_by_the_orders_of_its_list() -> None:
    text = "- Name the ship.\n- Short sentences.\n- Give its length.\n"
    assert known(text) == ["Name the ship.", "Short sentences.", "Give its length."]
    assert not known("- A red ship.\n- Short sentences.\n- The bay.\n")


def test_one_that_tells_is_no_item_of_such_a_list() -> None:
    items = ["Name the ship.", "Give its length.", "Give its age.", "Sort them.", "She was late.", "Count them."]
    assert known("".join(f"- {item}\n" for item in items)) == [item for item in items if item != "She was late."]


@pytest.mark.parametrize(
    ("head", "is_known"), [("Rules", True), ("Tone", True), ("Background", False), ("Facts", False)]
)
def test_a_heading_governs_what_is_under_it(head, is_known) -> None:
    assert known(f"# {head}\n\nShort words, no jargon.\n") == ([head, "Short words, no jargon."] if is_known else [])


def test_what_tells_ends_the_section() -> None:
    text = "# Rules\n\nShort words.\n\nThe king was late.\n\nClouds over the bay.\n"
    assert known(text) == ["Rules", "Short words."]


def test_a_line_with_a_colon_governs_its_list_and_no_paragraph_after_it() -> None:
    text = "Requirements:\n- plain words\n- no jargon\n\nClouds gather over the bay.\n"
    assert known(text) == ["Requirements:", "plain words", "no jargon"]


def test_loose_takes_what_is_beside_an_instruction_and_tells_nothing() -> None:
    text = "Clouds gather over the bay.\n\nName the ship.\n\nThe king was late.\n"
    assert known(text) == ["Name the ship."]
    assert known(text, "loose") == ["Clouds gather over the bay.", "Name the ship."]


def test_an_edit_of_other_text_is_refused_with_the_reason() -> None:
    made = compress("The king left in order to see the bay. He had a ship that was made of oak.", "telegraphic")
    assert not made.edits
    assert {edit.refused for edit in made.refused} == {"would change text that is not known to be an instruction"}


@given(st.text(alphabet="ab .:\n-#?*Y\ue000", max_size=80), st.sampled_from(TOLD + ORDERS + OPEN))
def test_any_text_can_be_asked(text, sentence) -> None:
    document = Document(f"{text}\n\n{sentence}\n{text}")
    found = document.instructed
    assert found.strict <= found.loose <= {one.start for one in document.sentences}


SAID = [
    "Please write a short answer in order to help the guest.",
    "Your task is to list all of the ships.",
    "You should make sure that the answer is short.",
]
SHOWN = [
    "The king left the town in order to see the bay, and it is said that he had a ship that was made of oak.",
    "I am of the opinion that all of the boats were late. We had to wait for the pilot in order to leave.",
    "The tower was opened in 1887, in the presence of the mayor, due to the fact that it is the tallest of the bay.",
]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from([*SAID, *SHOWN]), min_size=1, max_size=6),
    st.sampled_from(LEVELS),
    st.sampled_from(["\n\n", "\n\n\n\n"]),
)
def test_a_paragraph_that_tells_stays_byte_for_byte_wherever_it_stands(paragraphs, level, gap) -> None:
    once = list(dict.fromkeys(paragraphs))
    after = compress(gap.join(once), level).text
    assert all(one in after for one in once if one in SHOWN)
    assert compress(after, level).text == after
