# ruff: noqa: E501 - a prompt is easier to read in one string than in parts
"""What prompts show in the midst of instructions, and instructions in the midst of what they show."""

import re
from pathlib import Path

import pytest

from promptopt.compression.edit import LEVELS
from promptopt.compression.engine import compress

pytestmark = pytest.mark.usefixtures("however_much_is_shown")

# Shown text is between double angle quotation marks, words of an instruction that must go between single ones.
PROMPTS = {
    name: text
    for name, _, text in (
        block.partition("\n")
        for block in re.split(
            r"^=== ", Path(__file__).with_name("hostile.txt").read_text(encoding="utf-8"), flags=re.MULTILINE
        )[1:]
    )
}


@pytest.mark.parametrize("name", PROMPTS)
@pytest.mark.parametrize("level", LEVELS)
def test_nothing_shown_is_reworded_and_what_instructs_still_is(name, level) -> None:
    shown = re.findall(r"«(.*?)»", PROMPTS[name], re.DOTALL)
    said = re.findall(r"‹(.*?)›", PROMPTS[name], re.DOTALL)
    text = compress(re.sub("[«»‹›]", "", PROMPTS[name]), level).text
    for part in shown:
        assert part in text
        text = text.replace(part, "", 1)
    for words in said:
        assert words not in text


# Of each kind one edit that a careful reader did not sign.
KEPT = {
    "transitions that are listed": (
        "Never use words such as *Moreover, Furthermore, Additionally, In conclusion*.\n\nPlease answer.",
        "*Moreover, Furthermore, Additionally, In conclusion*",
    ),
    "listed in lower case": ("Avoid moreover, furthermore, additionally, and thus.", "moreover, furthermore, additio"),
    "the second verb is negated": ("You rewrite texts. Your goal is to refine, not copy.", "is to refine, not copy"),
    "said again on purpose": (
        "Never add a long title. Use short notes. I repeat: never add a long title. Then write the report.",
        "I repeat: never add a long title.",
    ),
    "the beginning of the answer": (
        "List the birds of the lake.\n\n@!>Assistant:\nHere is the list of the birds:\n# Birds",
        "Here is the list of the birds:\n# Birds",
    ),
    "the subject is another": (
        "You work with a team. Remember that the talk here is synchronous.",
        "here is synchronous",
    ),
    "a compact form": (
        'Answer with JSON. Prefer this compact format: {"id": 1, "parts": ["a", "b"]}\n\nWrite it.',
        '{"id": 1, "parts": ["a", "b"]}',
    ),
    "empty lines of code": (
        (
            "Write a tool like this:\n\nclass Tool:\n    def run(self):\n        return go(1)\n\n\n"
            'if __name__ == "__main__":\n    tool = Tool()\n'
        ),
        "return go(1)\n\n\nif __name__",
    ),
    "the moves of a game": (
        (
            "You are in the middle of a room. You see a desk 1 and a drawer 1.\nYour task is to: find a pen.\n"
            "> think: I go to the drawer.\nOK.\n> go to drawer 1\nThe drawer 1 is closed.\n\n"
            "> open drawer 1\nYou open the drawer 1. In it, you see a pen 2.\n\n> take pen 2\nYou pick up the pen 2."
        ),
        "You are in the middle of a room.",
    ),
    "what is done to it is the subject": (
        "Work in this order. Step 1 changes what the rest of the review looks at, and\nskipping it is how you lose the way.",
        "skipping it is how",
    ),
    "to do it is the subject": ("Keep the seal. To break it is forbidden, so do not.", "To break it is forbidden"),
    "data in an expression": (
        'List the gifts.\n\n"gift": ${won ? \'{"name": "the gift", "note": "a few words"}\' : "none"}\n',
        '{"name": "the gift", "note": "a few words"}',
    ),
    "what is not to be done hangs on it": (
        "You review claims. Your job is to find only CLEAR faults — NOT to judge their style. Keep them.",
        "Your job is to find only CLEAR faults — NOT to judge their style.",
    ),
    "than to": (
        "You coach a team. Your role is to ask more than to answer.",
        "Your role is to ask more than to answer.",
    ),
    "the verb is what the clause says": (
        "The user asks what it is that you are and you will answer.",
        "it is that you are and",
    ),
    "another fact is joined": (
        "You work by night. Due to the fact that it rains, and the fact that it snows, you must write briefly.",
        "Due to the fact that it rains, and the fact",
    ),
    "a verb that is there twice": (
        "You are are an expert and have been asked to help the user with the form.",
        "You are are",
    ),
    "the last of a list has a verb of its own": (
        "You write letters.\n- The letter must be well-meant, plain, and add a reason.\n",
        "plain, and add a reason",
    ),
    "a quotation in single marks": (
        "You can read files.\nUse it when you see the message 'It is too long. You need the 'find' function in order to find the line.'.",
        "in order to find the line.'.",
    ),
    "a question of several paragraphs": (
        (
            "You read answers. Follow the examples.\nHere are some examples of answers:\nQuestion: I am ill, and I heard of a test :(\n\n"
            "Could you tell me the pages? Please give the list in order.\nResponse: The pages are 1 and 2.\nAnswer: 1, 2\n\n"
            "Question: What is it?\nResponse: It is late.\nAnswer: late\n\nQuestion: Who is it?\nResponse: It is Ann.\nAnswer: Ann\n"
        ),
        "Please give the list in order.",
    ),
    "a story under a heading": (
        "You must greet the guest.\n\n## Example\n\nYou sell a ship. A guest calls.\n\nYou map your ship to the need. Score this call. You skipped confirming the economic buyer, so that is the next move.\n",
        "so that is the next move.",
    ),
}


@pytest.mark.parametrize("kind", KEPT)
def test_what_a_reader_did_not_sign_stays(kind) -> None:
    text, kept = KEPT[kind]
    assert kept in text
    assert kept in compress(text, "standard").text


def test_the_form_of_an_answer_keeps_its_words() -> None:
    form = "Reasons of the judge: [your reasons]\nThe grade of the essay: [A to F]\nThe grade of the style: [A to F]"
    text = compress(f"You must read the essay. Answer in this form strictly:\n{form}", "telegraphic").text
    assert form in text
    assert "the essay." not in text


def test_an_order_after_an_example_is_still_one() -> None:
    text = "You must greet the guest.\n\n## Example\n\nThe guest is late.\n\nPlease write the greeting."
    assert "Please" not in compress(text, "safe").text


def test_what_a_note_needs_stays() -> None:
    text = "You are are an expert in birds. You are NOT trying to find faults. Name the birds."
    assert compress(text, "telegraphic").text.startswith(
        "You are are an expert in birds. You are NOT trying to find faults"
    )


def test_labels_of_one_list_are_bold_or_plain_alike() -> None:
    paper = "You will be given a paper. Read it carefully and write a detailed review covering:\n"
    labels = [
        "**Summary** — What the paper does.",
        "**Strengths** — What is done well (novelty, clarity).",
        "**Questions** — Key points.",
    ]
    text = compress(paper + "".join(f"{n}. {label}\n" for n, label in enumerate(labels, 1)), "telegraphic").text
    assert text.count("**") in (0, 2 * len(labels))


def test_what_follows_a_hole_is_not_what_the_label_names() -> None:
    text = "Read the review.\n\nReview:\n{{ review }}\n\nPlease answer with the name of the product."
    assert "Please" not in compress(text, "safe").text
