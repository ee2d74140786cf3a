"""Lengths of texts that a prompt says beside their keys, and tasks that take reasoning which bare JSON never had."""

from pathlib import Path

import pytest
from pydantic import JsonValue

from promptopt.errors import UsageError
from promptopt.structured.build import structure
from promptopt.structured.fields import PromptText
from promptopt.structured.infer import infer
from promptopt.structured.prose.formats import with_lengths
from promptopt.structured.reasoning import asks_for_reasoning, needs_reasoning
from promptopt.templates import load_prompt

TEXTS: dict[str, JsonValue] = {
    "type": "object",
    "properties": {"title": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string"}}},
}


@pytest.mark.parametrize(
    ("said", "most"),
    [
        ('"title": a headline, max 60 characters', 60),
        ("- title (up to 60 characters): what it says", 60),
        ("title: 60 characters max.", 60),
        ("title must be no longer than 60 chars", 60),
        ("title, limited to 60 characters", 60),
        ("title max. 60 chars. tags are words.", 60),
        ("- Title: max 60 characters", 60),
        ("title      one line, under 60 characters", 60),
        # About a length, another key's, the input's, words, and two lengths.
        ("title: about 60 characters, max. 2 lines", None),
        ("title: what it says\ntext: max 60 characters", None),
        ("The title of the input has up to 60 characters and more", None),
        ("title: max 60 words", None),
        ("title: max 60 characters\n\ntitle (at most 80 characters)", None),
        ("tags: up to 60 characters", None),
    ],
)
def test_a_greatest_length_is_said_beside_its_key(said: str, most: int | None) -> None:
    made = with_lengths(PromptText.of(f"Write it.\n{said}\n\n{{{{ note }}}}\n"), TEXTS)
    assert made["properties"]["title"].get("maxLength") == most
    assert "maxLength" not in made["properties"]["tags"]["items"]


@pytest.mark.parametrize(
    ("said", "most"),
    [
        ("tags: up to 5 words, each max 20 characters", 20),
        ("Each of the tags must be under 20 characters", 20),
        ("Always give 3 tags of max. 20 characters each.", 20),
        ("tags: max 20 characters", None),
        ("title: each line max 20 characters", None),
    ],
)
def test_each_item_of_a_list_has_the_length_that_is_said_of_each(said: str, most: int | None) -> None:
    made = with_lengths(PromptText.of(f"Write it.\n{said}\n\n{{{{ note }}}}\n"), TEXTS)
    assert made["properties"]["tags"]["items"].get("maxLength") == most
    assert "maxLength" not in made["properties"]["title"]


def test_the_form_has_the_length() -> None:
    found = infer('Return JSON:\n{"title": "<max 60 characters>", "mood": "calm" | "rough"}\n\n{{ log }}\n')
    assert found.schema()["properties"]["title"]["maxLength"] == 60


@pytest.mark.parametrize(
    ("task", "asked"),
    [
        ("Calculate the fee.", False),
        ("Think step by step.", True),
        ("Add up the crates and explain your reasoning.", True),
    ],
)
def test_what_asks_for_reasoning_and_what_takes_some(task: str, asked: bool) -> None:
    document = PromptText.of(f'{task} Return {{"fee": 1}}\n')
    assert needs_reasoning(document)
    assert bool(asks_for_reasoning(document)) == asked


@pytest.mark.parametrize(
    ("order", "taken"),
    [
        ('Return only JSON: {"fee": 1.5}', True),
        ('Answer with valid JSON, no other text: {"fee": 1.5}', True),
        ('Return {"fee": 1.5}', False),
        ('Think step by step. Then return only JSON: {"fee": 1.5}', False),
    ],
)
def test_json_and_nothing_else_has_no_reasoning_to_lose(tmp_path: Path, order: str, taken: bool) -> None:
    (tmp_path / "fee.j2").write_text(
        f"Calculate the fee in euros (a number with decimals). {order}\n\n{{{{ bill }}}}\n"
    )
    template = load_prompt(tmp_path / "fee.j2")
    if taken:
        assert structure(template).fields[0].name == "fee"
    else:
        with pytest.raises(UsageError, match="bare answers would lose it"):
            structure(template)
