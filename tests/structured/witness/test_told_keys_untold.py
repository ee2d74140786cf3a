"""What a prompt says of keys that it names in words, and a reading of them that lacks it."""

import pytest

from promptopt.structured.fields import Field, Inferred, PromptText
from promptopt.structured.witness.keys import keys_of
from promptopt.structured.witness.told import first_key_lost, untold

TEXT = {"type": "string"}
TEXTS = {"type": "array", "items": TEXT}
AB = {"type": "string", "enum": ["K1", "K2"]}


def _reasons(text: str, fields: dict[str, dict]) -> str:
    document = PromptText(text, text)
    found = Inferred(tuple(Field(name, schema, "") for name, schema in fields.items()), whole="JSON")
    leaves = [leaf for name, schema in fields.items() for leaf in keys_of(name, schema)]
    return " ".join((*untold(document, found, leaves), *first_key_lost(document, found, leaves)))


@pytest.mark.parametrize(
    ("text", "fields", "reason"),
    [
        ("Return JSON.\nmove (str): wait, sail, anchor", {"move": TEXT}, "'wait, sail, anchor'"),
        ("K1 - the hull leaks\nK2 - the paint is off\nReturn JSON with damage.", {"damage": TEXT}, "'K1' and 'K2'"),
        ("Return JSON with cargo (list, any of: tea, rum).", {"cargo": TEXTS}, "are labels"),
        ("Return JSON with hull (sound or not), mast (list).", {"answer": TEXT}, "'hull' is named as a key"),
        ("Return json {hull, mast}. hull is a number.", {"score": TEXT}, "'hull' is named as a key"),
        ("Answer with true or false. JSON with keys wet, dry.", {"wet": TEXT, "dry": TEXT}, "'true or false'"),
        ("Return JSON with rank: 1 (mate), 2 (cook) and ship.", {"rank": TEXT, "ship": TEXT}, "are numbers"),
        ("Return JSON with berths (list of berth numbers), ship.", {"berths": TEXTS}, "are numbers"),
    ],
)
def test_what_is_said_of_keys_in_words_must_have_been_read(text: str, fields: dict[str, dict], reason: str) -> None:
    assert reason in _reasons(text, fields)


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("Return JSON.\nport (str): the name, as it is written", {"port": TEXT}),
        ("K1 - the hull leaks\nK2 - the paint is off\nReturn JSON with damage.", {"damage": AB}),
        ("Steps:\nK1 - read the log\nK2 - find the ship\nReturn JSON with ship.", {"ship": TEXT}),
        ("Say whether the log is whole. JSON with keys log, why.", {"log": TEXT, "why": TEXT}),
        ('Return JSON with hull, mast and a "log" field.', {"hull": TEXT, "mast": TEXT, "log": TEXT}),
        ("Write a text of 1 to 9 words. Return JSON with text, why.", {"text": TEXT, "why": TEXT}),
        ("Our ships return JSON with hull, mast. Sum it up.", {"hull": TEXT, "mast": TEXT}),
    ],
)
def test_what_is_said_of_something_else_need_not(text: str, fields: dict[str, dict]) -> None:
    assert _reasons(text, fields) == ""
