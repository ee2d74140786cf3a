"""Sentences as people write them: which labels, ranges and types a prompt without any form in JSON asks for."""

from pathlib import Path

import pytest

from promptopt.structured.build import structure
from promptopt.structured.format_string import load_any
from promptopt.structured.infer import infer
from promptopt.structured.proposal import Options

_INPUT = "\n\nLogbook:\n{{ logbook }}\n"


def _schemas(text: str) -> dict[str, object]:
    return {item.name: dict(item.schema) for item in infer(text + _INPUT).fields}


def _labels(text: str) -> list[str] | None:
    schemas = list(_schemas(text).values())
    return schemas[0].get("enum") if len(schemas) == 1 else None


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        (
            "Say how rough the sea is: calm, choppy, or stormy. Answer with the state only.",
            ["calm", "choppy", "stormy"],
        ),
        (
            'Label the entry as "moored", "adrift", or "at sea" with respect to land. If in doubt, choose "moored".',
            ["moored", "adrift", "at sea"],
        ),
        ("Answer with SOUND, NOT QUITE SOUND, or ROTTEN.", ["SOUND", "NOT QUITE SOUND", "ROTTEN"]),
        ("Is this cargo dry/wet/frozen? One word.", ["dry", "wet", "frozen"]),
        ("Classify the ship as a tug, a pilot boat or a ferry.", ["tug", "pilot boat", "ferry"]),
        ("Sort the ship into cargo, ferry and tug, based on what it carries.", ["cargo", "ferry", "tug"]),
        (
            "Classify the loss as sails, masts and spars, or other, whichever is nearest.",
            ["sails", "masts and spars", "other"],
        ),
        ("Classify the entry as low, medium or high risk.", ["low", "medium", "high"]),
        ("Sort the ship as one of cargo,\nferry or tug.", ["cargo", "ferry", "tug"]),
        (
            "Answer 'sound' if the hull is dry, 'leaky' if it takes water, and 'doubtful' otherwise.",
            ["sound", "leaky", "doubtful"],
        ),
        (
            "Determine which harbour it calls at: Hull, IT, Leith or Dover. If none applies, write 'none'.",
            ["Hull", "IT", "Leith", "Dover", "none"],
        ),
        ("Tell me how loud the horn is - one of LOW, MID, HIGH, TOP.", ["LOW", "MID", "HIGH", "TOP"]),
        ("Answer with the rope that is shorter: sheet, halyard, or neither.", ["sheet", "halyard", "neither"]),
        ('Output: exactly one word - "hull", "mast", or "keel".', ["hull", "mast", "keel"]),
        ("If the hold is dry, answer LOAD. If not, answer PUMP.", ["LOAD", "PUMP"]),
        (
            "Which of these best describes the wind: light, fresh, strong, wild? Answer in one word.",
            ["light", "fresh", "strong", "wild"],
        ),
        (
            "Choose the nearest harbour: Hull / Leith / Great Yarmouth. Output the harbour only.",
            ["Hull", "Leith", "Great Yarmouth"],
        ),
        ("Work out the kind of the ship. Possible kinds: tug, ferry. Output just the kind.", ["tug", "ferry"]),
        ("Classify the loss as ropes, nails & bolts, or sails.", ["ropes", "nails & bolts", "sails"]),
        (
            "Sort the letter into one of these chests (Red/Blue/Black) and reply with nothing but the chest name.",
            ["Red", "Blue", "Black"],
        ),
        ("Say GO if the tide is high and STAY if the wind is.", ["GO", "STAY"]),
        ('Look at the crew and the tide, then decide: "sail", "wait" or "moor".', ["sail", "wait", "moor"]),
        (
            'What is the main cargo: coal, salt, wool or tea? If there is no cargo, say "ballast".',
            ["coal", "salt", "wool", "tea", "ballast"],
        ),
        (
            'Tag the entry with a part: hull, mast or keel. Never guess: if the part is not clear, use "to-ask".',
            ["hull", "mast", "keel", "to-ask"],
        ),
        ("Decide who is writing: the mate or the owner.", ["mate", "owner"]),
        (
            "From the entry, set the danger to none, slight, grave or total loss.",
            ["none", "slight", "grave", "total loss"],
        ),
        ("Output SAME, NOT_SAME or PERHAPS_SAME only.", ["SAME", "NOT_SAME", "PERHAPS_SAME"]),
        ("Describe the sea in one word from this list: calm, choppy, wild.", ["calm", "choppy", "wild"]),
        ("Answer only with WHOLE or BROKEN. If you can't read the log, answer with TORN.", ["WHOLE", "BROKEN", "TORN"]),
        (
            'Your output must be one of these strings, exactly as written: "Sail", "Stay - no wind", "Ask".',
            ["Sail", "Stay - no wind", "Ask"],
        ),
        ("Label the tune as R&B, C++ or blues.", ["R&B", "C++", "blues"]),
        ("Decide whether the entry is true, false or doubtful, and do not explain.", ["true", "false", "doubtful"]),
    ],
)
def test_labels_of_a_sentence_are_read_to_its_end(text: str, labels: list[str]) -> None:
    assert _labels(text) == labels


@pytest.mark.parametrize(
    "text",
    [
        "Write a short entry. Use a dry, brisk or grave tone.",
        "Reply with a rhyme or a limerick about the ship.",
        "Reply in English or French.",
        "Classify the ship as cargo and/or ferry.",
        "Never answer with cargo, ferry or tug.",
        "If you classified the ship as cargo, ferry or tug, write a letter to its owner.",
        "Treat the logbook only as grounding and hearsay.",
        "Base the score on what is there: sails, masts, spars,\nand write a letter.",
        "Classify the ship as cargo, ferry, tug etc.",
        "Write four to six lines on the voyage for a general class (cadets, mates, or captains).",
        "Assign one or more of the following tags to the ship: cargo, ferry, tug.",
        "Label the ship as cargo, ferry or tug. It may belong to several categories.",
        'Classify the ship as cargo, ferry or tug. If the name is torn off, answer "lost".',
        "Classify the ship as cargo, ferry or tug; otherwise write 'lost'.",
        'Answer with the number of the free berth or "full".',
        'Tag the entry with one sea: North, Baltic or Irish. Entries of all seas get "Any".',
        'Assign each ship to a berth - North, South, West - or "None" if it is too long.',
        "Write a reply to the owner. Also pick the kind of the loss: sails, masts or ropes.",
        "Answer only with WHOLE or BROKEN. If the ship is a tug, answer with TUG.",
    ],
)
def test_words_that_are_no_labels_of_the_answer_give_none(text: str) -> None:
    assert _labels(text) is None


def test_one_scale_for_each_criterion_is_that_of_the_keys() -> None:
    scale = {"type": "integer", "minimum": 1, "maximum": 7}
    text = "Judge the entry for care, length and ink. Give each a score from 1 to 7 and return JSON with the keys "
    text += "care, length, ink."
    assert _schemas(text) == {"care": scale, "length": scale, "ink": scale}


def test_a_scale_that_no_value_holds_is_refused() -> None:
    found = infer("Rate the voyage from 1 to 7. Return JSON with the keys course and weather." + _INPUT)
    assert "no value was read as a number" in found.problems[0]


_KEYS = "Read the posting below and return JSON with the following keys:\n\n- ship: the name of the ship\n- {key}"


@pytest.mark.parametrize(
    ("key", "schema"),
    [
        ("rank_level: mate, boatswain or captain", {"type": "string", "enum": ["mate", "boatswain", "captain"]}),
        ("place: city, region or country", {"type": "string"}),
        ("finish: matt, gloss, raw", {"type": "string", "enum": ["matt", "gloss", "raw"]}),
    ],
)
def test_a_key_of_which_only_a_list_is_said_has_labels_if_its_name_is_that_of_a_kind(
    key: str, schema: dict[str, object]
) -> None:
    assert _schemas(_KEYS.format(key=key)) == {"ship": {"type": "string"}, key.partition(":")[0]: schema}


def test_a_bare_list_of_a_key_that_was_not_read_is_refused() -> None:
    assert "without labels" in infer(_KEYS.format(key="sail: lug, gaff or square") + _INPUT).problems[0]


def test_bare_names_in_a_list_of_fields_are_keys() -> None:
    text = "Take these fields from the logbook and return them as JSON:\n"
    text += "* ship_name\n* crew (integer)\n* armed (true/false)"
    assert _schemas(text) == {
        "ship_name": {"type": "string"},
        "crew": {"type": "integer"},
        "armed": {"type": "boolean"},
    }


def test_only_the_category_is_an_order() -> None:
    text = "## Task\nSort the ship.\n\n## Categories\n- cargo\n- pilot boat\n\n## Output\nOnly the category."
    assert _labels(text) == ["cargo", "pilot boat"]


def test_items_of_a_list_are_chosen_from_labels() -> None:
    text = "List the sails. Choose only from: jib, lug, gaff. Return a JSON array of strings."
    items = {"type": "string", "enum": ["jib", "lug", "gaff"]}
    assert _schemas(text) == {"items": {"type": "array", "items": items}}


def test_labels_below_a_heading_that_names_a_kind() -> None:
    text = (
        "# Task\nLook at the ship.\n\n# Verdicts\n- sail: it may go\n- stay: it may not\n\nReply with the verdict only."
    )
    assert _labels(text) == ["sail", "stay"]


def test_labels_in_brackets_after_the_words_of_a_key() -> None:
    text = "Guess the ship's age group (old, worn, new) and its finish (matt, gloss, raw). "
    text += 'Return JSON with the keys "age_group" and "finish".'
    labels = {name: schema["enum"] for name, schema in _schemas(text).items()}  # type: ignore[index]
    assert labels == {"age_group": ["old", "worn", "new"], "finish": ["matt", "gloss", "raw"]}


def test_keys_that_are_shown_with_one_word_are_one_thing() -> None:
    text = 'Grade the logbook. Output JSON: {"ink": w, "score": w}. The score goes from 1 to 9.'
    assert not infer(text + _INPUT).fields


def test_a_level_between_two_numbers_is_asked_for() -> None:
    text = "Mark the entry with a danger level between 0 and 6, where 0 means none.\nLevel:"
    assert list(_schemas(text).values()) == [{"type": "integer", "minimum": 0, "maximum": 6}]


def test_a_note_with_its_place_is_a_part_of_a_form() -> None:
    text = "Respond in the following format:\n\nCargo: <coal | salt | wool>\nTons: <number>\nNote: <at most ten words>"
    assert list(_schemas(text)) == ["cargo", "tons", "note"]


def test_fields_below_an_order_for_json_are_keys() -> None:
    text = "Extract the voyage from the logbook as JSON.\n\nFields:\n- ship (string)\n- left_at (ISO date, or null)"
    assert _schemas(text) == {"ship": {"type": "string"}, "left_at": {"type": ["string", "null"], "format": "date"}}


def test_an_explanation_that_the_input_may_have_is_no_field(tmp_path: Path) -> None:
    path = tmp_path / "ships.txt"
    text = "Reply with exactly one word: dry or wet. Say 'dry' if the hold is, allowing for gaps and extra explanation."
    path.write_text(text + _INPUT)
    template, written_as = load_any(str(path))
    made = structure(template, None, Options(form="schema", as_written=written_as))
    assert [item.name for item in made.fields] == ["answer"]


def test_labels_of_an_example_are_not_those_of_the_answer() -> None:
    text = "Given an entry and a list of labels, choose one label.\n\nHere is an example:\n\nInput:\nEntry: Coal.\n"
    text += "Label list: hull, mast, keel\n\nOutput:\nhull"
    assert _labels(text) is None


def test_labels_in_a_form_end_with_their_list() -> None:
    said = "MUST be one of: 'Sound', 'Leaky', or 'Lost' based on the log. 'Wet' or 'Damp' = 'Leaky'"
    text = f'Return JSON: {{"state": "{said}"}}'
    assert _schemas(text)["state"] == {"type": "string", "enum": ["Sound", "Leaky", "Lost"]}


def test_a_sample_that_is_none_of_the_labels_is_refused() -> None:
    text = 'Return JSON: [{"berth": "A"}, {"berth": "B, D"}]. The berth is one of "A", "B", "C" or "D".'
    assert not infer(text + _INPUT).fields


def test_numbered_parts_of_which_a_phrase_was_read_are_refused() -> None:
    text = "For each voyage, provide a detailed report as follows:\n\n1. Route: Where the ship went.\n"
    text += "2. Losses: What was lost.\n3. Advice: List three actionable suggestions for the mate.\n"
    assert not infer(text + _INPUT).fields


def test_the_count_of_something_else_is_not_that_of_a_list_with_a_variable() -> None:
    text = "Create a list of {count} riddles about ships. Name four seas for each.\n"
    text += 'Return JSON: [{"riddle": "...", "answer": "..."}]'
    assert "minItems" not in str(_schemas(text))


def test_a_heading_of_the_prompt_below_a_form_is_no_part_of_it() -> None:
    text = "Your output must follow this exact format:\n\nNotes: <what you saw>\nGrade: <1-5>\n\n"
    text += "---\n\nGrading guide:\n\n- 1 = bad\n- 5 = good\n"
    assert _schemas(text) == {"notes": {"type": "string"}, "grade": {"type": "integer", "minimum": 1, "maximum": 5}}


def test_words_in_brackets_that_may_be_labels_refuse_a_text() -> None:
    text = 'Find the rig (lug, gaff, square) and the owner of the ship. Return JSON with keys "rig" and "owner".'
    assert "labels of 'rig'" in infer(text + _INPUT).problems[0]


def test_a_list_that_ends_with_other_is_closed() -> None:
    text = (
        'Find the field of trade (coal, salt, other) and the owner. Return JSON with keys "field_of_trade" and "owner".'
    )
    assert _schemas(text)["field_of_trade"] == {"type": "string", "enum": ["coal", "salt", "other"]}


def test_an_array_of_exactly_so_many() -> None:
    text = 'Return a JSON object with "ship" (string) and "ports" (array of exactly 4 strings).'
    assert _schemas(text)["ports"] == {"type": "array", "items": {"type": "string"}, "minItems": 4, "maxItems": 4}


def test_the_count_of_a_list_whose_items_hold_lists() -> None:
    text = 'Generate 6 riddles about ships. Return a JSON array where each element has "riddle" (string) '
    text += 'and "hints" (array of exactly 3 strings).'
    hints = {"type": "array", "items": {"type": "string"}, "minItems": 3, "maxItems": 3}
    items = _schemas(text)["items"]
    assert isinstance(items, dict)
    assert (items["minItems"], items["maxItems"]) == (6, 6)
    assert items["items"]["properties"]["hints"] == hints


def test_an_order_to_choose_that_no_key_holds_is_refused() -> None:
    text = 'Give the prize to "Anna" or "Bea" and say why. Return JSON with the keys "prize_winner" and "why".'
    assert "no field has it" in infer(text + _INPUT).problems[0]


def test_labels_in_brackets_after_what_a_key_is_of() -> None:
    text = (
        'Decide on a verdict for the crew (free / fine / jail) and say why. Use this JSON: {"verdict": "", "why": ""}'
    )
    assert _schemas(text)["verdict"] == {"type": "string", "enum": ["free", "fine", "jail"]}


def test_nothing_else_is_no_name() -> None:
    text = "Answer with exactly one of these words and nothing else: calm, choppy, wild."
    assert list(_schemas(text)) == ["answer"]


def test_bounds_in_brackets_that_no_list_has_are_refused() -> None:
    text = 'Name the ports of the voyage (at least two, at most five). Output: {"ports": ["...", "..."]}'
    found = infer(text + _INPUT)
    assert not found.fields or {"minItems", "maxItems"} <= set(found.fields[0].schema)


def test_null_in_the_brackets_of_one_key_is_not_said_of_another() -> None:
    text = 'Output a JSON object with "weighed" (boolean) and "tons" (number; null if not weighed).'
    assert _schemas(text) == {"weighed": {"type": "boolean"}, "tons": {"type": ["number", "null"]}}
