"""The form of a text needs words that say it: a format, a pattern, a length."""

import pytest
from readings import answer

from promptopt.structured.by_model.question import reading_of
from promptopt.structured.fields import PromptText
from promptopt.structured.guard.reading import judge

PROMPT = """\
Read the parcel note. Return JSON with "code" ({code}), "day" ({day}) and "note" ({note}).

{{{{ text }}}}
"""


def objections(code="free", day="free", note="free", **facts):
    prompt = PROMPT.format(code=code, day=day, note=note)
    said = {"code": f'"code" ({code})', "day": f'"day" ({day})', "note": f'"note" ({note})'}
    values = [
        {"path": f"/{name}", "types": ["string"], "quotes": [f"1: {words}"], **facts.get(f"of_{name}", {})}
        for name, words in said.items()
    ]
    found = judge(PromptText.of(prompt), reading_of(answer({"values": values})), "m")
    schema = found.inferred.schema()["properties"] if found.inferred.fields else {}
    return [*found.why, *found.objections], schema


@pytest.mark.parametrize(
    ("said", "form"),
    [
        ("YYYY-MM-DD", {"format": "date"}),
        ("an ISO date", {"format": "date"}),
        ("like 2024-02-29", {"format": "date"}),
        ("DD.MM.YYYY", {"pattern": r"^\d{2}\.\d{2}\.\d{4}$"}),
        ('DD.MM.YYYY or "none"', {"pattern": r"^(\d{2}\.\d{2}\.\d{4}|none)$"}),
        ("HH:MM, 24 hours", {"pattern": r"^\d{2}:\d{2}$"}),
        ("two capital letters", {"pattern": "^[A-Z]{2}$"}),
        ("MM/YY", {"pattern": r"^\d\d/\d\d$"}),
    ],
)
def test_a_form_that_words_say_is_taken(said, form):
    found, schema = objections(day=said, of_day=form)
    assert not found
    ((keyword, value),) = form.items()
    assert schema["day"][keyword] == value


@pytest.mark.parametrize(
    ("said", "form", "told"),
    [
        ("the day of delivery", {"format": "date"}, "no words say that /day is written as date"),
        ("the day of delivery", {"pattern": r"^\d{2}\.\d{2}$"}, "no words say that /day is written as"),
        ("DD.MM.YYYY", {"pattern": r"^\d{4}/\d{2}$"}, "no words say that /day is written as"),
        ("DD.MM.YYYY", {"pattern": r"\d{2}.*"}, "does not go from ^ to $"),
        ("DD.MM.YYYY", {"pattern": "^(?=x)$"}, "looks around"),
        ("DD.MM.YYYY", {"pattern": "^(x$"}, "regular expression"),
        ("a text", {"max_length": 80}, "no number 80 (characters)"),
    ],
)
def test_a_form_that_no_words_say_is_refused(said, form, told):
    found, _ = objections(day=said, of_day=form)
    assert told in " ".join(found)


def test_a_length_that_is_said_is_taken():
    found, schema = objections(note="max 80 characters", of_note={"max_length": 80})
    assert not found
    assert schema["note"]["maxLength"] == 80


def test_a_number_has_no_form_of_texts():
    found, _ = objections(day="YYYY-MM-DD", of_day={"types": ["integer"], "format": "date"})
    assert "is no text" in found[0]
