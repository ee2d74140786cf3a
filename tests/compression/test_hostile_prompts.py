"""What prompts show in the midst of instructions, and instructions in the midst of what they show."""

import re
from pathlib import Path

import pytest

from promptopt.compression.edit import LEVELS
from promptopt.compression.engine import compress

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
}


@pytest.mark.parametrize("kind", KEPT)
def test_what_a_reader_did_not_sign_stays(kind) -> None:
    text, kept = KEPT[kind]
    assert kept in text
    assert kept in compress(text, "standard").text


def test_what_follows_a_hole_is_not_what_the_label_names() -> None:
    text = "Read the review.\n\nReview:\n{{ review }}\n\nPlease answer with the name of the product."
    assert "Please" not in compress(text, "safe").text
