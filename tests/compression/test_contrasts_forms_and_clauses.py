# ruff: noqa: E501 - a prompt is easier to read in one string than in parts
"""Words and forms stay that show where something ends, what contrasts with what, and what an example says."""

import pytest

from promptopt import compress

pytestmark = pytest.mark.usefixtures("however_much_is_shown")

BAKERY = "You work in a bakery. Name the cakes by their size, and do not guess. Write one line for each of them.\n\n"
OBJECT = '{\n  "name": "bun of the day",\n  "size": 1\n}'

PLEASE_ENDS_A_CONDITION = [
    "If so please say it.",
    "If you are working on a cake that would benefit from a list please use the pad to write one.",
    "When the oven has reached its heat please write the hour on the board.",
    "Once all of the guests have eaten please list what is left.",
    "After reading the recipe twice please name its steps.",
    "Unless the guest has asked for milk please leave it out.",
    "For cakes with more than one layer please state the order of the layers.",
    "In case a guest asks about nuts please name the cakes without them.",
    "Before you answer a guest who is late please check the oven.",
    "As soon as the dough has doubled please write that it has.",
    "Using only the flour that is left please plan the cakes of tomorrow.",
    "Wherever a price is missing please write a dash.",
]
PLEASE_IS_POLITE = [
    "If you are working on a cake that needs a list, please use the pad.",
    "Can you please name the steps of the recipe?",
    "Also please list what is left.",
    "Then please write the hour on the board.",
    "When a guest is late, please list what is left.",
]
CONTRASTS = [
    ("Your goal is to help the guest. It's never to sell.", "Your goal is to help"),
    ("Your role is to ask. The guest's role is to answer.", "Your role is to ask"),
    ("Your goal: not speed. Your goal is to bake well.", "Your goal is to bake"),
    ("It is not your job to judge. Your job is to list the cakes.", "Your job is to list"),
    ("Your mission is not to impress. Your mission is to earn trust.", "Your mission is to earn"),
    ("Your job is to bake. It is not to sell.", "Your job is to bake"),
    ("Your goal isn't to please the guest. Your goal is to bake good bread.", "Your goal is to bake"),
    ("Your role is to ask about cakes. Your role is not to sell them.", "Your role is to ask"),
    ("The guest's job is to eat. Your job is to bake the bread.", "Your job is to bake"),
    ("Your task is to name the cake. Not to praise it.", "Your task is to name"),
    ("I do not want you to bake. I want you to name the cakes.", "I want you to name"),
    ("Your goal is never to win. Your goal is to learn from the guest.", "Your goal is to learn"),
    ("Your purpose is not speed. Your purpose is to bake well.", "Your purpose is to bake"),
    ("Your duty is not to judge the bread. Rather, your duty is to describe it.", "your duty is to describe"),
    ("- Your goal is not to sell.\n- Your goal is to bake the bread.\n- Write it down.", "Your goal is to bake"),
]
NO_CONTRASTS = [
    ("Your mission is to earn trust. Write plain sentences.", "Your mission is to"),
    ("Never guess. Your goal is to name the cake.", "Your goal is to"),
    ("Your task is to name the cake. Do not praise it.", "Your task is to"),
    ("The cake is not new. Your job is to describe it.", "Your job is to"),
    ("I want you to name the cake. The oven is not hot.", "I want you to"),
]
EXACT = [
    "Follow this structure to the letter.\n\nOBJECT\n",
    "Give the cake in this exact format:\n\n[CAKE: OBJECT]\n",
    'Return an object with EXACTLY this structure. Each key serves the baker. Write whole sentences.\n\n{\n  "name": "bun of the day",\n  "size": "one number"\n}\n',
    'Use the exact JSON structure that stands below. It is read by a program.\nIts keys are in English.\n\n{\n  "name": "<name>",\n  "size": <size>\n}\n',
    "The structure must be exactly as shown. Add nothing to it.\n\nCAKE:\nOBJECT\n",
    "Follow this format exactly. The shop prints it.\n\n<cake>\nOBJECT\n</cake>\n",
    "Reply in precisely this form. Never leave a key out, never add one.\n\nOBJECT\n",
    'Copy this template verbatim. Fill in what is missing.\n\n{\n  "name": "",\n  "size": "to be filled in"\n}\n',
    "You MUST answer with EXACTLY the following keys. There is no other.\nOBJECT\n",
    "Write your answer in the exact format below (the shop reads it). Do not add a word. Do not leave out a word.\n\nAnswer: OBJECT\n",
    "The schema is to be matched exactly.\nIt has two keys.\nBoth are needed.\n\n```\n```\n\nOBJECT\n",
    "Output identical JSON to the one here. The rest is up to you.\n\nOBJECT\n",
]
NOT_EXACT = [
    "Return an object with this structure. Each key serves the baker.\n\nOBJECT\n",
    "Be exact about prices.\n\nReturn an object such as this.\n\nOBJECT\n",
    "Write exactly one line for each cake.\nRead these data, too.\n\nOBJECT\n",
    "Follow the recipe exactly.\n\nBake.\n\nReturn JSON:\n\nOBJECT\n",
    "Read these data.\n\nOBJECT\n",
]
CONTENTS = [
    "Use the knowledge that they cannot open the oven.",
    "Mention the fact that you have no oven.",
    "State the belief that they may eat at noon.",
    "Explain the idea that we bake for the guests.",
    "Repeat the claim that they never sold old bread.",
    "Name the risk that they may burn the cake.",
    "Add the warning that you may not open the oven.",
    "Work on the assumption that they have read the list.",
    "Answer with the understanding that you know nothing of cakes.",
    "Weigh the possibility that he has left the shop.",
    "Give proof that you have read the recipe.",
    "Avoid the impression that we sell old bread.",
]
THINGS = [
    "Name the cakes that you have baked.",
    "Read the letter that we sent.",
    "List the tools that they use.",
    "Ensure that you name the cake.",
    "Make sure you think that they are in the shop.",
]
QUESTIONS = [
    "State what you picked, what you rejected, and why.",
    "Say which cake you chose, which cake you left, and how.",
    "Note what was baked, what was sold, and when.",
    "Name the cake, the guest, and why.",
    "Describe what rose, what fell, and where.",
    "List what is left, what is missing, and who needs it.",
    "Write what the guest asked, what you said, and what happened.",
    "Tell what burned, what rose, or why.",
    "Note whom you asked, whom you told, and when.",
    "Say how it rose, how it fell, and what helped.",
]
WORDS = [
    "Name the cakes, guests, and prices.",
    "Write names, places, and dates.",
    "Use flour, milk, or water.",
    "Be brief, calm, and kind.",
    "Name the bread, the milk, and the flour.",
]
NEEDED = [
    ("Parts:\n- Sum of the prices\n- List the names\n- Score", "List the"),
    ("- Note the cakes guests require.", "the cakes guests"),
    ("- Put the most useful words near the start.", "the most useful"),
    ("- Choose the least salty bread for the guest.", "the least salty"),
    ("- Name the best loaves of the day.", "the best"),
    ("- Give the guest the largest rolls.", "the largest"),
    ("- Place them in the form.", "in the form"),
    ("- Write the name in the question.", "in the question"),
    ("- Put the buns in the place of the cakes.", "in the place"),
    ("- Name the buns in the order.", "in the order"),
    ("- Write it on the paper of the shop.", "on the paper"),
    ("- Keep the names for the example.", "for the example"),
    ("- Mention buns in the case.", "in the case"),
    ("- Say where the cake is in the line.", "in the line"),
    ("- Never label the bread a certain way.", "a certain way"),
    ("- Bake it the old way.", "the old way"),
    ("- Wait a day before you bake.", "a day"),
    ("- **Outline the process** the baker should follow.", "the process** the baker"),
    ("- Outline the process the baker should follow.", "the process the baker"),
    ("- Describe the steps the oven takes.", "the steps the oven"),
    ("- Name the tools bakers should use.", "the tools bakers"),
    ("- Name the **cakes** the guests want.", "the **cakes** the guests"),
    ("- List the flour the old baker may need.", "the flour the old baker"),
    (
        "Cover these:\n- News of the shop.\n- Old bread and new bread.\n- Prices of flour.\n- Weight the importance of each price.",
        "Weight the",
    ),
    ("Cover these:\n- Bread of today.\n- Cakes of tomorrow.\n- Test the ovens of the shop.", "Test the"),
]
ROLES = [
    ("You are a release manager of the bakery.", "You are release"),
    ("You're a market analyst for bread.", "You're market"),
    ("You are a travel planner for bakers.", "You are travel"),
    ("You are a book editor for bakers.", "You're book"),
]
NEEDLESS = [
    ("- Name the cakes of the day.", "the cakes"),
    ("- Write the price in the book.", "the book"),
    ("Cover these:\n- Read the book.\n- Check the oven.\n- Weigh the flour.", "the flour"),
    ("- Write in a friendly way.", "a friendly"),
    ("You are a helpful clerk of the bakery.", "You are"),
    ("- Fill the form with names.", "the form"),
]


def _shortened(text: str, level: str) -> str:
    once = compress(BAKERY + text, level).text
    assert compress(once, level).text == once
    return once[once.index("\n\n") + 2 :]


@pytest.mark.parametrize("text", PLEASE_ENDS_A_CONDITION)
def test_please_that_ends_a_condition_stays(text) -> None:
    assert " please " in _shortened(text, "telegraphic")


@pytest.mark.parametrize("text", PLEASE_IS_POLITE)
def test_please_goes_where_something_else_ends_the_condition(text) -> None:
    assert "please" not in _shortened(text, "safe")


@pytest.mark.parametrize(("text", "beginning"), CONTRASTS)
def test_halves_of_a_contrast_stay(text, beginning) -> None:
    assert beginning in _shortened(text, "safe")


@pytest.mark.parametrize(("text", "beginning"), NO_CONTRASTS)
def test_beginnings_go_where_nothing_is_denied(text, beginning) -> None:
    assert beginning not in _shortened(text, "safe")


def test_what_one_is_stays_after_what_one_is_not() -> None:
    text = "You are not a judge of cakes. You are a helper of bakers."
    assert ". You" in _shortened(text, "telegraphic")


@pytest.mark.parametrize("text", EXACT)
def test_exact_forms_keep_their_lines(text) -> None:
    text = text.replace("OBJECT", OBJECT)
    assert text[text.index("{") :] in _shortened(text, "telegraphic")


@pytest.mark.parametrize("text", NOT_EXACT)
def test_other_forms_lose_their_lines(text) -> None:
    assert OBJECT not in _shortened(text.replace("OBJECT", OBJECT), "standard")


SAID = (
    "There is none at this point in time.\n\n"
    "By reading this list, you will know that you need flour. Please make sure to bring it in order to bake.\n\n"
)
EXAMPLES = [
    ("Here is an example.", "Response:", "## Rules\\n\\nBe brief.\\n"),
    ("*Example:*", "*Response:*", "## Rules\\n\\nBe brief.\\n"),
    ("**Example 2:**", "Response:", "Would you like a list?\n"),
    ("## Example", "Output:", "It is late.\n"),
    ("### Example 1: buns", "**Response:**", "## Rules\n\nBe brief.\n"),
    ("**Example**", "Answer:", ""),
    ("Example:", "Response:", "It is late.\n"),
    ("**Sample dialogue:**", "**Output**:", "---\n\nBe brief.\n"),
    ("**Examples:**", "Assistant:", "It is late.\n"),
    ("#### Example", "Reply:", ""),
    ("Example 1:", "Expected output:", 'Example 2:\nUser: "And bread?"\n\nExpected output:\nIt is here.\n'),
    ("**Example of a good answer:**", "Your response:", "It is late.\n"),
]


@pytest.mark.parametrize(("head", "label", "rest"), EXAMPLES)
def test_answers_of_examples_under_a_label_stay(head, label, rest) -> None:
    text = f'# Work\n\nBake what is asked for.\n\n{head}\nUser: "Is there a bun?"\n\n{label}\n{SAID}{rest}'
    assert SAID in _shortened(text, "standard")


ORDER = "Please make sure to name the cake.\n"


@pytest.mark.parametrize(
    "text",
    [
        f"## Output\n\n{ORDER}",
        f"## Example\n\nResponse:\nA bun.\n\n## Rules\n\n{ORDER}",
        f"**Example:**\n\nOutput:\nA bun.\n\n---\n\n{ORDER}",
        f"{ORDER}\n**Example:**\n\nOutput:\nA bun.\n",
        f"Give an example of a cake for each guest.\n\n{ORDER}",
    ],
)
def test_what_is_outside_of_answers_is_shortened(text) -> None:
    assert "Please" not in _shortened(f"# Work\n\nBake what is asked for.\n\n{text}", "standard")


@pytest.mark.parametrize("text", CONTENTS)
def test_that_before_what_a_noun_says_stays(text) -> None:
    assert _shortened(text, "standard") == text


@pytest.mark.parametrize("text", THINGS)
def test_that_goes_after_things_and_verbs(text) -> None:
    assert " that " not in _shortened(text, "standard")


@pytest.mark.parametrize("text", QUESTIONS)
def test_the_comma_before_the_last_of_several_questions_stays(text) -> None:
    assert text.count(",") == _shortened(text, "standard").count(",")


@pytest.mark.parametrize("text", WORDS)
def test_the_comma_before_the_last_of_several_words_goes(text) -> None:
    assert text.count(",") > _shortened(text, "standard").count(",")


@pytest.mark.parametrize(("text", "kept"), NEEDED)
def test_articles_stay_without_which_notes_read_otherwise(text, kept) -> None:
    assert kept in _shortened(text, "telegraphic")


@pytest.mark.parametrize(("text", "kept"), ROLES)
def test_a_role_that_begins_with_a_verb_keeps_whose_it_is(text, kept) -> None:
    assert (
        _shortened(text, "telegraphic")
        .replace("You are", "You're")
        .replace("a ", "")
        .startswith(kept.replace("You are", "You're"))
    )


@pytest.mark.parametrize(("text", "gone"), NEEDLESS)
def test_other_articles_and_subjects_go(text, gone) -> None:
    assert gone not in _shortened(text, "telegraphic")
