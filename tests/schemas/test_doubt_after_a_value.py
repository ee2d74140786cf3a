"""What follows a value may doubt or deny it, and a list in one line has parts only where they are plain."""

from typing import Any

import pytest

import promptopt
from promptopt.errors import AnswerError


def schema_of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


WEATHER = schema_of(weather={"enum": ["dry", "wet", "foggy"]})
STARS = schema_of(stars={"type": "integer", "minimum": 1, "maximum": 10})
FAKE = schema_of(is_fake={"type": "boolean"})
REPLY = schema_of(reply={"enum": ["yes", "no"]})
PARTS = schema_of(parts={"type": "array", "items": {"type": "string"}}, maker={"type": "string"})


@pytest.mark.parametrize(
    ("text", "schema"),
    [
        *((text, WEATHER) for text in ("Dry, possibly.", "Dry (perhaps)", "Dry - kind of", "Weather: dry, presumably")),
        *(
            (text, WEATHER)
            for text in ("Weather: dry (tentative)", "The weather is dry, I suppose.", "Dry, unless it rains.")
        ),
        ("Dry. But it could be read the other way.", WEATHER),
        ("Dry. Then again, it is not.", WEATHER),
        ("The weather is dry, although I am not entirely sure.", WEATHER),
        *(
            (text, STARS)
            for text in ("Stars: 6, perhaps", "Stars: 6 (possibly 7)", "The stars is 6, but might be lower.")
        ),
        ("Stars: 6, give or take", STARS),
        *((text, FAKE) for text in ("No, it is fake.", "Yes, this is not fake.", "Yes, it isn't.", "No (fake)")),
        *((text, FAKE) for text in ("Yes - not fake", "No, there are fake parts", "Yes. The picture is not fake.")),
        *(
            (text, FAKE)
            for text in ("No, yes", "No, but it could be.", "No, I don't know", "Yes, kind of", "Yes, if old")
        ),
        *(
            (text, REPLY)
            for text in ("Yes, unless it is late.", "No, but it may be.", "No, not quite sure", "Yes, sort of")
        ),
    ],
)
def test_a_value_that_is_doubted_or_denied_after_it_is_refused(text: str, schema: dict[str, Any]) -> None:
    with pytest.raises(AnswerError, match=next(iter(schema["properties"]))):
        promptopt.restructure(text, schema)


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        ("Dry: no rain could be seen.", WEATHER, "dry"),
        ("Dry. However, the evening is cold.", WEATHER, "dry"),
        ("The weather is dry, because it might be summer.", WEATHER, "dry"),
        ("Stars: 8. Could be shorter.", STARS, 8),
        ("Stars: 8 - it could use more detail", STARS, 8),
        ("Yes, it is fake.", FAKE, True),
        ("No, it isn't.", FAKE, False),
        ("No. It is not fake at all.", FAKE, False),
        ("Yes. The stamp is missing.", FAKE, True),
        ("Yes, as you asked.", REPLY, "yes"),
    ],
)
def test_a_value_that_is_only_explained_is_read(text: str, schema: dict[str, Any], value: Any) -> None:
    assert list(promptopt.restructure(text, schema).data.values()) == [value]


@pytest.mark.parametrize(
    "line",
    [
        *("bolt, nut and washer", "bolt and nut", "bolt, nut, etc.", "bolt, nut, ...", "bolt, nut and so on", "none"),
        *("no parts", "Ring, wide, and Rod, long", "(a, b), c", '"bolt, long", nut', "1,200, 3", "bolt, nut …"),
        *("\n- bolt\n  - thread\n- nut", "\n- bolt\n- etc."),
    ],
)
def test_a_list_whose_parts_are_not_plain_is_refused(line: str) -> None:
    with pytest.raises(AnswerError, match="parts"):
        promptopt.restructure(f"Parts: {line}\nMaker: Lee", PARTS)


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("bolt, nut, and washer", ["bolt", "nut", "washer"]),
        ("bolt, nut.", ["bolt", "nut"]),
        ("bolt (long); nut", ["bolt (long)", "nut"]),
        ("\n- bolt, long\n- nut and washer", ["bolt, long", "nut and washer"]),
        ("\n1. bolt\n2. nut", ["bolt", "nut"]),
    ],
)
def test_a_list_whose_parts_are_plain_is_read(line: str, parts: list[str]) -> None:
    assert promptopt.restructure(f"Parts: {line}\nMaker: Lee", PARTS).data == {"parts": parts, "maker": "Lee"}
