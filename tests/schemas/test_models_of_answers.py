"""Answers as objects of Pydantic models: sets, maps, tuples, roots that are no objects, choices of models."""

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field, RootModel

import promptopt
from promptopt.errors import AnswerError, AnswerInvalid


class Heron(BaseModel):
    kind: Literal["heron"]
    eggs: int = 3


class Stork(BaseModel):
    kind: Literal["stork"]
    nest: str


class Marsh(BaseModel):
    bird: Annotated[Heron | Stork, Field(discriminator="kind")] | None = None
    counts: dict[str, int] = {}
    nests: dict[str, Heron] = {}
    place: tuple[int, str] = (0, "")
    rings: set[str] = set()
    depth: int | None = None


class Heard(RootModel[Literal["yes", "no"]]):
    pass


class Birds(RootModel[list[Heron]]):
    pass


def test_values_in_maps_and_tuples_are_converted_as_those_of_fields_are() -> None:
    parsed = promptopt.parse(
        '{"counts": {"a": "5"}, "nests": {"b": {"kind": "Heron", "eggs": "2"}}, "place": ["7", "reed"]}', Marsh
    )
    assert parsed.data == Marsh(counts={"a": 5}, nests={"b": Heron(kind="heron", eggs=2)}, place=(7, "reed"))
    assert len(parsed.repairs) == 4
    with pytest.raises(AnswerInvalid, match="/counts/a"):
        promptopt.parse('{"counts": {"a": "5 or 6"}}', Marsh)


def test_an_item_that_is_twice_in_a_set_is_in_it_once() -> None:
    assert promptopt.parse('{"rings": ["r", "r", "s"]}', Marsh).data.rings == {"r", "s"}
    listed = {"type": "array", "items": {"type": "string"}, "uniqueItems": True}
    with pytest.raises(AnswerInvalid, match="unique"):
        promptopt.parse('["r", "r"]', listed)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"bird": {"kind": "heron", "eggs": "many"}}', r"^/bird/eggs: 'many' is not of type 'integer'$"),
        ('{"bird": {"kind": "stork"}}', r"^/bird: 'nest' is a required property$"),
        ('{"bird": {"kind": "crane"}}', r"not valid under any of the given schemas$"),
        ('{"depth": "deep"}', r"^/depth: 'deep' is not of type 'integer', 'null'$"),
    ],
)
def test_the_fault_of_a_choice_is_that_of_the_option_that_was_meant(text: str, message: str) -> None:
    with pytest.raises(AnswerInvalid, match=message):
        promptopt.parse(text, Marsh)


def test_a_root_that_is_one_label_may_be_the_whole_text() -> None:
    for text in ("yes", "Yes.", '"yes"', '{"answer": "Yes"}'):
        assert promptopt.parse(text, Heard).data == Heard("yes")
    for text in ("not yes", "yes or no", "yes, maybe"):
        with pytest.raises(AnswerError):
            promptopt.parse(text, Heard)


def test_a_root_that_is_a_list_may_be_one_object_or_bullets() -> None:
    assert promptopt.parse('{"kind": "heron"}', Birds).data == Birds([Heron(kind="heron")])
    assert promptopt.parse("- reed\n- rush", {"type": "array", "items": {"type": "string"}}).data == ["reed", "rush"]
