"""Each use of a word has a place of its own in a rewrite: what is elsewhere for something else does not keep it."""

import pytest

from promptopt.compression.guard.losses import lost_in_rewrite

LOST = [
    # said elsewhere of something else
    (
        "Ring the bell if a sailor in the tower has shouted. Lock the tower at night.",
        "Ring the bell if a sailor has shouted. Lock the tower at night.",
        "'in the tower'",
    ),
    (
        "Feed the young goats. Milk the goats that are not young.",
        "Feed the goats. Milk goats that are not young.",
        "'young goats'",
    ),
    # general words
    ("Send the bill to the same harbour.", "Send the bill to the harbour.", "'same harbour'"),
    ("Keep the written order of the baker.", "Keep the baker's order.", "'written order'"),
    ("Count the apples, the pears and the words.", "Count the apples and the pears.", "'the words'"),
    ("Mark the boat with the time.", "Mark the boat.", "'with the time'"),
    # ordinals, prepositions of one thing, questions in a list
    ("Paint the first and the last door of the barn.", "Paint the first door of the barn.", "'last'"),
    (
        "Say whether to ring before, with or after the choir.",
        "Say whether to ring before or after the choir.",
        "'with'",
    ),
    (
        "Report what the fishermen caught and what is still a danger.",
        "Report what the fishermen caught.",
        "danger",
    ),
    # what follows from a reason is asked
    (
        "The letters are carved in stone, so use short verses and plain names.",
        "The letters are carved in stone, so use short verses.",
        "names",
    ),
    # a condition of general words
    ("Close the gate if there is one more. Stop.", "Close the gate. Stop.", "if"),
]

SAME = [
    # moved, pointed at, or said once for two
    ("Ask for the name of the guest and for the age of the guest.", "Ask for the guest's name and age."),
    ("Read the letter. Answer the letter on the same day.", "Read the letter and answer it on the same day."),
    ("Convert pounds at a rate of 0.45.", "Convert pounds at 0.45."),
    ("Sort the boats in addition to the nets.", "Also sort the boats and the nets."),
]


@pytest.mark.parametrize(("before", "after", "named"), LOST)
def test_a_use_without_a_place_of_its_own_is_named(before, after, named):
    assert named in ", ".join(map(str, lost_in_rewrite(before, after)))


@pytest.mark.parametrize(("before", "after"), SAME)
def test_a_use_that_moved_is_kept(before, after):
    assert lost_in_rewrite(before, after) == []


@pytest.mark.parametrize("text", sorted({text for case in (*SAME, *LOST) for text in case[:2]}))
def test_a_text_accounts_for_itself(text):
    assert lost_in_rewrite(text, text) == []
