"""What ordinary prompts say of a value beside its form: labels after its noun, the list of its place, dates, counts."""

import pytest

from promptopt.structured.infer import infer

_INPUT = "\n\nLogbook:\n{{ logbook }}\n"
_WHY_GRADE = ' Return JSON with the keys "why" and "grade".'


def _schemas(text: str) -> dict[str, object]:
    return {item.name: dict(item.schema) for item in infer(text + _INPUT).fields}


def _one_of(*labels: str) -> dict[str, object]:
    return {"type": "string", "enum": list(labels)}


@pytest.mark.parametrize(
    ("said", "schema"),
    [
        ("Give a binary grade 'yes' or 'no' to indicate whether she is sound.", _one_of("yes", "no")),
        ("Give a grade of 'sound', 'leaky' or 'lost' and a reason.", _one_of("sound", "leaky", "lost")),
        ("Inspect the hull. The grade is SOUND or LEAKY.", _one_of("SOUND", "LEAKY")),
        ("Assign a grade: LOW, MID or HIGH.", _one_of("LOW", "MID", "HIGH")),
        # Said of what is given, or of nothing that is to be chosen
        ("Logbooks carry the grade 'old' or 'new'. Judge the hull.", {"type": "number"}),
        ("Judge the hull. A grade counts words like 'sound' or 'leaky'.", {"type": "number"}),
        ("If the grade 'old' or 'new' is missing, judge by the hull.", {"type": "number"}),
    ],
)
def test_labels_behind_the_noun_of_a_key(said: str, schema: dict[str, object]) -> None:
    found = _schemas(said + _WHY_GRADE)
    assert not found or found["grade"] == schema
    assert found or schema == {"type": "number"}


def test_labels_of_the_only_list_are_those_of_a_number_by_its_name() -> None:
    text = "Give a binary score 'yes' or 'no' on whether the port is near. JSON with two keys: 'why' and 'relevance'."
    assert _schemas(text) == {"why": {"type": "string"}, "relevance": _one_of("yes", "no")}


def test_words_behind_a_number_are_refused() -> None:
    text = 'Give a grade "sound" or "lost" to the hull. Return JSON: {"grade": 4.5, "why": "<reason>"}'
    assert infer(text + _INPUT).problems == (
        "line 1: 'grade \"sound\" or \"lost\"' are words, and 'grade' was read as a number",
    )


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (
            "Think in <analysis> tags, then write FLOAT or SINK in <verdict> tags.",
            {"analysis": {"type": "string"}, "verdict": _one_of("FLOAT", "SINK")},
        ),
        (
            "Give the summary in <summary> tags and the state (sound, leaky or lost) in <state> tags.",
            {"summary": {"type": "string"}, "state": _one_of("sound", "leaky", "lost")},
        ),
        (
            "Write your letter to Anna or Ben in <letter> tags and the notes in <notes> tags.",
            {"letter": {"type": "string"}, "notes": {"type": "string"}},
        ),
        (
            "Write what you see or nothing in <sight> tags and why in <why> tags.",
            {"sight": {"type": "string"}, "why": {"type": "string"}},
        ),
    ],
)
def test_what_an_order_puts_into_tags(said: str, found: dict[str, object]) -> None:
    assert _schemas(said) == found


def test_a_tag_holds_the_list_that_its_place_names() -> None:
    kinds = "Kinds of ship are below.\n\nCategories:\n1. Pilot Boat\n2. Ferry\n3. Other\n\n"
    text = kinds + "Output format must be: <class>Category Name</class>"
    assert _schemas(text) == {"class": _one_of("Pilot Boat", "Ferry", "Other")}
    assert _schemas(kinds + "Output format must be: <title>Short title</title>") == {"title": {"type": "string"}}


@pytest.mark.parametrize(
    ("above", "place", "schema"),
    [
        ("These crews exist:\n- deck: sails\n- galley: food", "<crew or DONE>", _one_of("deck", "galley", "DONE")),
        ("## Crews\n1. Deck - sails\n2. Galley - food", "<crew>", _one_of("Deck", "Galley")),
        ("Crews: deck, galley, pilots", "<crew name>", _one_of("deck", "galley", "pilots")),
        ("Examples of crews:\n- deck\n- galley", "<crew or DONE>", {"type": "string"}),
        ("These crews exist:\n{{ crews }}", "<crew or DONE>", {"type": "string"}),
    ],
)
def test_a_place_that_names_a_list(above: str, place: str, schema: dict[str, object]) -> None:
    found = _schemas(f'{above}\n\nRespond with JSON: {{"why": "<why>", "next": "{place}"}}')
    assert not found or {key: value for key, value in dict(found["next"]).items() if key != "description"} == schema  # type: ignore[call-overload]
    assert found or schema == {"type": "string"}


_DATE = {"type": "string", "format": "date"}
_DATE_OR_NULL = {"type": ["string", "null"], "format": "date"}
_TEXT = {"type": "string"}


@pytest.mark.parametrize(
    ("place", "more", "schema"),
    [
        ("<YYYY-MM-DD>", "", _DATE),
        ("<YYYY-MM-DD or null>", "", _DATE_OR_NULL),
        ("<date>", " Dates are YYYY-MM-DD.", _DATE),
        ("<YYYY-MM-DD>", " If something is missing, use an empty string.", _TEXT),
        ("<YYYY-MM-DD>", " Put N/A where nothing is said.", _TEXT),
        ("<YYYY-MM-DD>", " If only the month is known, give YYYY-MM.", _TEXT),
        ("<YYYY-MM-DD HH:MM>", "", _TEXT),
        ("<DD.MM.YYYY>", "", {"type": "string", "pattern": r"^\d{2}\.\d{2}\.\d{4}$"}),
        ("<YYYY-MM-DD to YYYY-MM-DD>", "", _TEXT),
        ("<when>", " The log has lines with YYYY-MM-DD.", _TEXT),
    ],
)
def test_dates(place: str, more: str, schema: dict[str, object]) -> None:
    found = dict(_schemas(f'Return JSON: {{"ship": "<name>", "sailed_date": "{place}"}}.{more}')["sailed_date"])  # type: ignore[call-overload]
    assert {key: value for key, value in found.items() if key != "description"} == schema


def test_a_form_of_a_date_is_no_label() -> None:
    text = 'Return JSON with "ship" (string) and "built" (YYYY-MM-DD, or "unknown").'
    assert _schemas(text) == {"ship": _TEXT, "built": _TEXT}


_QUIZ = '[{"question": "...", "options": ["...", "..."], "answer_index": 0}]'


def test_places_of_options_are_counted_as_the_prompt_says() -> None:
    def index(said: str) -> object:
        found = _schemas(f"Write a quiz. 6 multiple choice questions, 3 options each.\n\nJSON array:\n{_QUIZ}\n{said}")
        items = found["items"]
        assert isinstance(items, dict)
        assert (items["minItems"], items["maxItems"]) == (6, 6)
        return items["items"]["properties"]["answer_index"]

    assert index("answer_index is zero-based.") == {"type": "integer", "minimum": 0, "maximum": 2}
    assert index("answer_index is 1-based.") == {"type": "integer", "minimum": 1, "maximum": 3}
    assert index("") == {"type": "integer"}


def test_as_many_for_each_of_several_are_not_so_many_in_all() -> None:
    form = 'Return a JSON array:\n[{"port": "...", "question": "..."}]'
    assert _schemas(f"Write 3 questions per port of the list below. {form}") == {}
    assert _schemas(f"Write 3 questions on the ports below. {form}")["items"] != {}


@pytest.mark.parametrize(
    ("said", "key", "schema"),
    [
        ("how many sailors work on it (1-5 sailors)", "sailor_count", {"type": "integer", "minimum": 1, "maximum": 5}),
        ("the consecutive numbers starting at 1", "number", {"type": "integer", "minimum": 1}),
        ("what they cost (prices start at 1)", "number", {"type": "integer"}),
    ],
)
def test_how_many_and_from_where(said: str, key: str, schema: dict[str, object]) -> None:
    found = _schemas(f'Plan the voyage. State {said}. Return JSON: {{"legs": [{{"port": "...", "{key}": 2}}]}}')
    legs = found["legs"]
    assert isinstance(legs, dict)
    assert legs["items"]["properties"][key] == schema


_LABELLED = "Read the logbook. Respond in this format:\n\nMood: <calm/tense>\n{}\nAdvice: <one sentence>"


@pytest.mark.parametrize(
    ("below", "schema"),
    [
        ("Faults:\n[Fault 1]\n[Fault 2]", {"type": "array", "items": _TEXT}),
        ("Faults:\n[Fault 1]\n[Fault 2]\n(List up to 4, or fewer)", {"type": "array", "items": _TEXT, "maxItems": 4}),
        ("Faults:\n1. <fault>\n2. <fault>", {"type": "array", "items": _TEXT}),
        ("Faults:\n- ...", {"type": "array", "items": _TEXT}),
        ("\N{WRENCH} Faults:\n- <first fault>", {"type": "array", "items": _TEXT}),
        ("Faults:\n[the faults in one sentence]", _TEXT),
    ],
)
def test_points_below_a_label(below: str, schema: dict[str, object]) -> None:
    found = _schemas(_LABELLED.format(below))
    assert found == {"mood": _one_of("calm", "tense"), "faults": schema, "advice": _TEXT}


def test_several_places_below_a_label_are_refused() -> None:
    assert infer(_LABELLED.format("Berth:\n[quay]\n[town]") + _INPUT).problems == (
        "line 4: the label 'Berth' has several places, and '[town]' is not read",
    )


@pytest.mark.parametrize(
    ("pair", "more", "schema"),
    [
        ('"quantity": 2', "", {"type": "number"}),
        ('"weight_kg": 3', "", {"type": "number"}),
        ('"quantity": 2', " quantity is a whole number.", {"type": "integer"}),
        ('"quantity": 2 // integer', "", {"type": "integer"}),
        ('"crew": 2', "", {"type": "integer"}),
        ('"total_count": 3', "", {"type": "integer"}),
        ('"year": 1901', "", {"type": "integer"}),
    ],
)
def test_a_sample_of_a_measure_says_no_whole_number(pair: str, more: str, schema: dict[str, object]) -> None:
    found = _schemas(f"Return JSON:\n{{\n  {pair}\n}}\n{more.strip()}")
    assert list(found.values()) == [schema]


def test_null_beside_numbers_is_one_if_its_key_is_a_measure() -> None:
    form = 'Return JSON in this structure:\n{{\n  "net": 10.26,\n  "{}": null,\n  "total": 10.98\n}}\n'
    form += "Use null for anything missing."
    assert _schemas(form.format("tip"))["tip"] == {"type": ["number", "null"]}
    assert infer(form.format("cashier") + _INPUT).problems == (
        "line 4: nothing says what 'cashier' is, which is shown as null",
    )


_NULL_TOO = 'Return JSON:\n{{\n  "port": "Leith",\n  "date": "{}"\n}}\n{}'


@pytest.mark.parametrize(
    ("sample", "more", "schema"),
    [
        ("1901-03-18", "Use null for anything that is not there.", _DATE_OR_NULL),
        ("1901-03-18", "", _TEXT),
        ("18.03.1901", "Use null for anything that is not there.", {"type": ["string", "null"]}),
    ],
)
def test_a_sample_of_a_date_where_null_is_allowed(sample: str, more: str, schema: dict[str, object]) -> None:
    assert _schemas(_NULL_TOO.format(sample, more))["date"] == schema


@pytest.mark.parametrize(
    ("said", "schema"),
    [
        ("You can use half points.", {"type": "number", "minimum": 1, "maximum": 5, "multipleOf": 0.5}),
        ("Rate in steps of 0.25.", {"type": "number", "minimum": 1, "maximum": 5, "multipleOf": 0.25}),
        ("No half points.", {"type": "integer", "minimum": 1, "maximum": 5}),
        ("Deduct half a point for each leak.", None),
        ("Half points are allowed for the rigging.", None),
    ],
)
def test_steps_of_a_rating(said: str, schema: dict[str, object] | None) -> None:
    found = _schemas(f"Rate the hull from 1 to 5. {said} Reply with the number only.")
    assert list(found.values()) == ([schema] if schema else [])


_SIGNALS = 'Return JSON:\n{\n  "wind_signal": {"kind": "calm|rough"},\n  "tide_signal": {"kind": "ebb|flood"}\n}\n'


def test_null_for_any_thing_of_a_kind() -> None:
    found = _schemas(_SIGNALS + "Return NULL for any signal that cannot be told.")
    assert {name: dict(schema)["type"] for name, schema in found.items()} == {  # type: ignore[call-overload]
        "wind_signal": ["object", "null"],
        "tide_signal": ["object", "null"],
    }
    assert "null" not in str(_schemas(_SIGNALS))
    texts = 'Return JSON: {"wind_signal": "<words>", "note": "<words>"}\nReturn null for any signal that is lost.'
    assert _schemas(texts) == {}


def test_a_list_that_goes_on_has_no_further_keys() -> None:
    form = 'Return JSON:\n{{\n  "moods": ["calm mood", "rough mood", etc.],\n  "note": "<note>"{}\n}}'
    assert _schemas(form.format("")) == {"moods": {"type": "array", "items": _TEXT}, "note": _TEXT}
    assert _schemas(form.format(", etc.")) == {}


def test_a_fence_that_the_object_follows_at_once() -> None:
    form = "When analysing a ship, return this JSON structure:\n\n```json{{\n{}\n}}"
    found = _schemas(form.format('"score": 85,\n"matched": ["sails", "keel"]'))
    assert found == {"score": {"type": "integer"}, "matched": {"type": "array", "items": _TEXT}}


def test_what_somebody_does_in_capitals_is_no_label() -> None:
    form = '\nReturn JSON: {"note": "<note>"}'
    assert _schemas("The crew is MOORING or LEAVING there." + form) == {"note": _TEXT}
    assert _schemas("Decide whether she is MOORED or ADRIFT." + form) == {}


def test_a_bare_word_of_a_measure_beside_marked_texts_is_a_number() -> None:
    form = 'Return JSON:\n{\n  "name": "exact_name",\n  "weight_g": estimated_weight\n}'
    assert _schemas(form) == {"name": _TEXT, "weight_g": {"type": "number"}}
    marked = 'Return JSON:\n{\n  "name": "exact_name",\n  "price": "price_with_currency"\n}'
    assert _schemas(marked) == {"name": _TEXT, "price": _TEXT}


@pytest.mark.parametrize(
    ("said", "form"),
    [("write unknown", None), ("say none", None), ("use null", "date"), ('put "none"', None)],
)
def test_a_word_in_place_of_a_date(said: str, form: str | None) -> None:
    found = _schemas(f'Return {{"due": "<YYYY-MM-DD>", "port": "<port>"}}. If the date is unknown, {said}.')
    assert not found or dict(found["due"]).get("format") == form  # type: ignore[call-overload]
    assert found or form is None


def test_a_word_in_place_of_a_number_is_refused() -> None:
    form = 'Return JSON: {"cargo": "coal", "quantity": 2}. '
    assert infer(form + 'If the quantity is not known, write "some".' + _INPUT).problems == (
        "line 1: 'some' may stand for 'quantity', which was read as a number",
    )
    assert _schemas(form + 'If the cargo is not known, write "some".')["quantity"] == {"type": "number"}
