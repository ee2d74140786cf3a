"""What a rewrite loses in small words: how many are meant, what is denied, a whole phrase whose words are elsewhere."""

import pytest

from promptopt.compression.guard.losses import added_by_rewrite, lost_in_rewrite

LOST = [
    # several are meant, or one
    ("Open the vault if both guards have nodded.", "Open the vault if a guard has nodded.", "both guards"),
    ("The judge must sign both of these.", "The judge must sign the form.", "both sign"),
    ("Sell to people who own several goats.", "Sell to people who own goats.", "several goats"),
    ("Ring if the sisters have shouted together.", "Ring if the sisters have shouted.", "together"),
    ("Write how many lambs were born.", "Write of the lambs that were born.", "many lambs"),
    ("Ask for the crates in a single basket.", "Ask for the crates in a basket.", "single basket"),
    (
        "A goat with both a cold nose and a weak pulse is sick.",
        "A goat with a cold nose or a weak pulse is sick.",
        "both nose and pulse",
    ),
    # what is denied is asked for
    (
        "Tell nobody of the storm. Do not paint the oars and do not polish the mast.",
        "Tell nobody of the storm. Do not paint the oars, and polish the mast.",
        "negation 'not' (polish mast)",
    ),
    (
        "Do not translate the text on sails and displays. If you are unsure, call the captain.",
        "Translate the text on sails and displays. If unsure, call the captain.",
        "negation 'not'",
    ),
    # a phrase of which all words are used elsewhere
    (
        "Five towers report the wind with the hour. Begin with the wind of the day, and the tower and hour of it.",
        "Five towers report the wind with the hour. Begin with the wind of the day.",
        "tower",
    ),
    # one of two, in a general word
    ("State the place of arrival and of return of the sailor.", "State the sailor's place of arrival.", "return"),
    ("Do not be swayed by the name of the person or by the price.", "Do not be swayed by the price.", "name"),
    # whom something is for
    (
        "A knot counts if it has had the same colour for all users.",
        "A knot counts if it has had the same colour.",
        "users",
    ),
    # by what, between what
    (
        "Sort the sheep by shepherd. Call each shepherd at noon.",
        "Sort the sheep. Call each shepherd at noon.",
        "by shepherd",
    ),
    # how, and when
    ("Repair planks that were nailed wrongly.", "Repair planks that were nailed.", "wrongly"),
    ("Feed guests who announced a visit in advance.", "Feed guests who announced a visit.", "advance"),
    # an adjective that a quoted text has as well
    ('Stamp letters about private land with "private".', 'Stamp letters about land with "private".', "private land"),
    # before what somebody does, and what somebody did first
    (
        "Wash the deck before noon. Tell the guest before they board that the cabin is cold. Some board late.",
        "Wash the deck before noon. Tell the guest that the cabin is cold. Some board late.",
        "before",
    ),
    (
        "Ask the crew for songs. Then choose a hymn. Never call a hymn dull unless the crew has used the word first.",
        "Ask the crew for songs. Then choose a hymn. Never call a hymn dull unless the crew has used the word.",
        "first",
    ),
    # whose something is, and which one is meant
    ("Let them sing it in verses of their own.", "Let them sing it in verses.", "own"),
    (
        "The price comes last. Show the drawing to the sailor who placed the order.",
        "Put the price last. Show the drawing to a sailor.",
        "placed",
    ),
    # a question in a list
    (
        "Ask what the mill does, who needs it and how far the building has got.",
        "Ask what the mill does and how far the building has got.",
        "who",
    ),
]

SAME = [
    # in other words
    ("Open the vault if both guards have nodded.", "Open the vault if the two guards have nodded."),
    ("Write how many lambs were born.", "Write the number of lambs born."),
    ("Ask for the crates in a single basket.", "Ask for the crates in one basket."),
    ("Accept both crowns and shillings.", "Accept crowns and shillings."),
    ("Please put together a list of the goats.", "List the goats."),
    # denied in another place
    ("You must not use any nails.", "Use no nails."),
    ("Do not pass the key on to anybody.", "Pass the key on to nobody."),
    ("Do not skip a verse of the song.", "Sing every verse of the song."),
    (
        "If you are not sure whether the rope holds, ask the captain.",
        "If unsure whether the rope holds, ask the captain.",
    ),
    ("Do not lower the flag unless the captain has died.", "Lower the flag only if the captain has died."),
    # what the model is given
    ("In order to answer, you will be provided with a song. Sing it.", "Sing the song."),
]


@pytest.mark.parametrize(("before", "after", "named"), LOST)
def test_what_is_lost_is_named(before, after, named):
    assert named in ", ".join(map(str, lost_in_rewrite(before, after)))


@pytest.mark.parametrize(("before", "after"), SAME)
def test_the_same_in_other_words_loses_nothing(before, after):
    assert lost_in_rewrite(before, after) + added_by_rewrite(before, after) == []


@pytest.mark.parametrize("text", sorted({text for case in (*SAME, *LOST) for text in case[:2]}))
def test_a_text_loses_nothing_of_itself(text):
    assert lost_in_rewrite(text, text) == []
