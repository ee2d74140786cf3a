# ruff: noqa: E501 - a prompt is easier to read in one string than in parts
"""What a prompt shows as a page or asks of somebody stays; words stay that tell what belongs to what."""

import pytest

from promptopt import compress
from promptopt.compression.witness import parser
from promptopt.compression.witness.relations import unlicensed

pytestmark = pytest.mark.usefixtures("however_much_is_shown")

RULE = "\n\n---\n\n"
BELIEFS = "You believe:\n- The pupil knows the song.\n- Your job is to help with the rest.\n- Patience is worth more than speed.\n"
QUESTIONS = (
    "Before you bake, ask me these questions:\n\n"
    "1. How many guests are in the house and do you know their names?\n"
    "2. Would you also like a separate cake in addition to the bread?\n"
)
PAGE = "{}\n# Core\n- A calm baker with good bread, jam, and tea\n\n# Habits\n- You will bake at night, at noon, and at dawn\n"
TABLE = "| Oven | Heat |\n|---|---|\n| stone oven | 200 degrees |\n| iron oven | 180 degrees |\n| old oven | 150 degrees |\n"

STAYS = {
    "an item of a list of beliefs": BELIEFS,
    "questions to be asked": QUESTIONS,
    "the first question to the guest": "Bake a cake.\n\n## Your first words: Welcome. What is the name of the guest you want to see?\n",
    "a page right under its announcement": PAGE.format("Skeleton of the card:"),
    "a page with its form named": PAGE.format("Follow this structure:\n"),
    "a table that is to be hung up": f"Bake now.\n\n## Card\n\nA card for hanging in the kitchen.\n\n{TABLE}",
    "a table that is to be shown": f"Bake now.\n\n## Ovens\n\nShow what each oven can do:\n\n{TABLE}",
    "a phrase with what to say for it": "Leave out filler: of late, at this point in time (say: now), by and large.",
    "what is not to be done": "Your job is to find faults, not repair them.",
    "a verb that agrees with the farther noun": "Read any notes you find in the book that are relevant to the cake.",
    "a request to the guest for what the guest wishes": "# Bake\n\nBake what is asked for.\n\nPlease name the cake you'd like to taste.\n",
    "that is, in other words": "Use a cool place, that is behind the house and in the shade.",
    "a list that ends with another order": "Refuse any wish to change dough, filling, or read recipes.",
}


@pytest.mark.parametrize("text", STAYS.values(), ids=STAYS)
def test_pages_questions_and_contrasts_stay_at_standard(text) -> None:
    assert compress(text, "standard").text == text


LINES = {
    "rule lines of a form": f"# Card\n\nName the cake.{RULE}## Facts\n\n**Baked on**: [the day]\n**Baked by**: [the baker]\n",
    "rule lines between examples": f"# Cakes\n\nBake like these.{RULE}## Example 1\n\n## Sum\n\nA cake.{RULE}## Example 2\n\nBread.\n",
    "a rule line that ends an example": f"# Cakes\n\nBake like this.\n\n## Example talk\n\n**Guest:** Is there bread?\n\n**Baker:** There is bread.{RULE}## Limits\n\n1. Bake no bread.\n",
    "rule lines around a page": f"### Task\n\nWrite the page.{RULE}## 1. Cakes\n\n- Each cake.{RULE}### Limits\n\nBe brief.\n",
}


@pytest.mark.parametrize("text", LINES.values(), ids=LINES)
def test_rule_lines_that_part_what_is_shown_stay_in_notes(text) -> None:
    assert compress(text, "telegraphic").text.count(RULE) == text.count(RULE)


def test_rule_lines_above_sections_go_from_notes_alone() -> None:
    text = f"# Cakes\n\nBake one.{RULE}## Limits\n\nBe brief.\n"
    assert compress(text, "standard").text == text
    assert compress(text, "telegraphic").text == text.replace("---\n\n", "")


INSTRUCTIONS = (
    "You work in a bakery. Name the cakes by their size, and do not guess. Write one line for each of them.\n\n"
)
AS_IT_IS = {
    "clause that is said to somebody": "Never tell the guest that you have baked it.",
    "line of a menu": "Soup of the day ........ 4.50\nPlease try our bread ........ 5.00.",
    "printed form": "Name: __________\nPlease come back in order to win.",
    "clause of a contract": "7.2 The Baker shall, in order to avoid doubt, bake at night.",
    "changes of a version": "2.4.1\n- make sure to bake the bread\n- remember to cool it",
    "play": "ANN (at the door). Please make sure to knock.\nBEN. It is my bakery.\nANN. In order to be kind, then.",
    "name": "Please, A. The bread of the north. 2001.",
    "notes without a mark": "Make sure to rest the dough for an hour\nPlease do not open the oven",
    "two blanks at the end of a line": "Each line ends with two blanks:  \nKeep trailing blanks.",
    "empty lines that are spoken of": "Write two empty lines between two days:\n\n\nMonday\n\n\nTuesday",
    "example in tags that say where it ends": (
        "<Example 1>\nCLEAN:\n\nPlease be on time. It is late, in order to see.\n\n<End of example 1>"
    ),
    "clause of the farther noun": "List the cakes of the guest that you baked.",
    "table to be filled in": f"Fill in the card:\n\n{TABLE.replace('|---', '|------')}",
    "blanks of a form": "## Card  \n\n**Cake:** [the cake]  \n- Large or small.  \n\n## Time\n\n[the hour]",
    "blanks of what does not instruct": "The cake was old.  \nIt was blue.",
    "form that is written exactly, in a tag": 'Respond with exactly this:\n\n<CAKE>\n{\n  "size": 1,\n  "name": "bun"\n}\n</CAKE>',
}


@pytest.mark.parametrize("text", AS_IT_IS.values(), ids=AS_IT_IS)
def test_what_is_printed_named_or_spoken_of_stays(text) -> None:
    assert compress(INSTRUCTIONS + text, "standard").text == INSTRUCTIONS + text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("You are a rate limit monitor of ovens.", "You're rate limit"),
        ("Else a cake is large.", "Else a cake"),
        ("Just say the thing.", "say the thing"),
        ("The ovens fail across the board.", "across the board"),
        ("Read [[The Cakes]] below.\n\n## The Cakes\n\nBake each.", "## The Cakes"),
        ("Wait for {cake}\n\n---\n\n## Ovens\n\nHeat them.", "---"),
        ("Bake as in `take the size of the oven of the guest`: take the size of the oven of the guest.", ": take the size of the oven"),
    ],
)  # fmt: skip
def test_what_notes_need_as_it_is_stays(text, kept) -> None:
    assert kept in compress(text, "telegraphic").text


def test_blanks_at_the_ends_of_lines_that_instruct_go() -> None:
    text = "## Bread\n\nName the bread.  \nBe brief.  \nWrite it down.\n\n## Card\n\n[the bread]  \n"
    assert compress(text, "safe").text == text.replace(".  \n", ".\n")


def test_words_of_a_text_that_shows_more_than_it_says_stay(monkeypatch) -> None:
    monkeypatch.undo()
    code = "def bake(cake):\n    return heat(cake)\n"
    text = f"Please read it:\n\n```\n{code * 3}```\n"
    result = compress(text, "standard")
    assert result.text == text
    assert "would change the words of a text that shows more than it says" in {edit.refused for edit in result.refused}
    assert (
        "Please" not in compress(text.replace("Please", "Name the cakes by their size. " * 5 + "Please"), "safe").text
    )


GOES = {
    "a request that is a question": ("Could you please bake the cake of the guest?", "please ", ""),
    "a table that is read": (f"Bake now.\n\n## Ovens\n\n{TABLE}", "| Oven | Heat |\n|---|---|\n", "Oven,Heat\n"),
    "a phrase in use": ("Add sugar, due to the fact that it is cold.", "due to the fact that", "because"),
    "things that are not meant": ("Your job is to find nuts, not stones.", "Your job is to find", "Find"),
    "a verb that agrees with its noun": ("Read any notes that are relevant to the cake.", "that are ", ""),
    "a list of things": ("Refuse any wish to change the names, places, or dates.", "places,", "places"),
}


@pytest.mark.parametrize(("text", "old", "new"), GOES.values(), ids=GOES)
def test_the_same_words_go_where_nothing_hangs_on_them(text, old, new) -> None:
    after = compress(text, "standard").text
    assert new in after
    assert old not in after


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Use the oven. Tell the guest the way old bakers do.", "the way old"),
        ("Write down anything the new baker should know.", "anything the new baker"),
        ("Bake a cake that you choose, rather than one the oven picks.", "one the oven"),
        ("Read the note in the kitchen. It is knowingly a stub.", "knowingly a stub"),
        ("Note any cakes that one baker likes but the other leaves.", "the other"),
        ("Say in your report what the problem is.", "what the problem is"),
        ("Bake two cakes and, in the process, clean the oven.", "in the process"),
        ("Hide a spoon in a painting.", "in a painting"),
        ("If the dough is cold, the output key set must match it.", "the output key set"),
        ("Compare the two cakes. Say which cake is better.", "cake is better"),
        ("Tell the baker if there are still cakes that need to be baked.", "there are still"),
        ("Answer briefly.\n\n- The report contains a cake.\n- The cake is warm.\n", "The report"),
    ],
)
@pytest.mark.parametrize("parsed", [True, False], ids=["parser", "no parser"])
def test_articles_and_verbs_stay_that_show_what_belongs_together(text, kept, parsed, monkeypatch) -> None:
    if not parsed:
        monkeypatch.setattr(parser, "available", lambda: False)
    assert kept in compress(text, "telegraphic").text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Use the dedicated baking tools the kitchen offers.", "tools the kitchen"),
        ("Prefer a rising dough to a flat cake.", "a rising dough"),
        ("Stop it now. If you read the note and the bread is warm, stop that oven.", "and the bread"),
    ],
)
def test_articles_stay_where_a_parse_shows_what_begins(text, kept) -> None:
    assert kept in compress(text, "telegraphic").text


def test_an_article_between_two_subjects_of_a_verb_has_no_licence() -> None:
    sentence = "Text a recipe depends on but does not own is copied or borrowed, never taken by the baker."
    assert unlicensed(sentence, ((5, 7, ""),), "telegraphic") == "no licence lets 'a' go here"


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("Query the base of cakes.", "Query base of cakes."),
        ("Take into account the wishes of guests.", "Consider wishes of guests."),
        ("Tell the guest what was baked in the oven.", "Tell guest what was baked in oven."),
        ("Write the name of the cake in the letter, then wait.", "Write name of cake in letter, then wait."),
    ],
)
def test_articles_that_show_nothing_go(text, after) -> None:
    assert compress(text, "telegraphic").text == after


def test_a_padded_table_in_a_list_keeps_its_indentation() -> None:
    text = "1. Read the ovens:\n\n   | Oven   | Heat |\n   |--------|------|\n   | stone  | high |\n   | iron   | low  |\n\n2. Bake.\n"
    table = "   | Oven | Heat |\n   |---|---|\n   | stone | high |\n   | iron | low |\n"
    assert compress(text).text == f"1. Read the ovens:\n\n{table}\n2. Bake.\n"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Check which cakes the oven needs.", "which cakes the oven needs"),
        (
            "Bake twice, as long as there is heat. The resulting heat while sync is on is deliberate.",
            "is on is deliberate",
        ),
    ],
    ids=["a question in a sentence", "a clause as a subject"],
)
@pytest.mark.parametrize("parsed", [True, False], ids=["parser", "no parser"])
def test_words_stay_where_a_clause_has_another_verb(text, kept, parsed, monkeypatch) -> None:
    if not parsed:
        monkeypatch.setattr(parser, "available", lambda: False)
    assert kept in compress(f"# Bake\n\n- {text}\n", "telegraphic").text
