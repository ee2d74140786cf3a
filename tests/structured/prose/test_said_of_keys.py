"""What the prose says of a key besides its form: ranges, counts, labels of lists, what each item has, and for whom null is."""
# ruff: noqa: E501 - prompts in one line each

from pathlib import Path
from typing import Any

import pytest

from promptopt.structured.build import structure
from promptopt.structured.fields import PromptText
from promptopt.structured.format_string import as_jinja
from promptopt.structured.infer import infer
from promptopt.structured.reasoning import needs_reasoning
from promptopt.templates import load_prompt


def fields(text: str) -> dict[str, dict[str, Any]]:
    found = infer(text)
    assert found.fields, found.problems
    return {item.name: {k: v for k, v in item.schema.items() if k != "description"} for item in found.fields}


def test_a_range_in_brackets_after_the_name_of_a_key() -> None:
    found = fields(
        "Judge the harvest. Say the 'Ripeness Score' (0.0-1.0) and how sure you are.\n"
        '- **grain** (0-10): fullness\nReturn JSON only: {"ripeness_score": float, "grain": {"value": 3, "why": "text"}, "sureness": 2}\n'
        "Sureness level (0 to 5) goes last.\n{{ field }}"
    )
    assert found["ripeness_score"] == {"type": "number", "minimum": 0.0, "maximum": 1.0}
    assert found["grain"]["properties"]["value"] == {"type": "integer", "minimum": 0, "maximum": 10}
    assert found["sureness"] == {"type": "integer", "minimum": 0, "maximum": 5}


def test_a_part_of_a_scale_is_no_range() -> None:
    text = (
        "Grade it. High confidence (0.8-1.0): sure. Medium confidence (0.4-0.8): fair. A rare confidence (0.2-0.4) too.\n"
        'Respond with JSON: {"confidence": 0.9, "grade": "<grade>"}\n{{ x }}'
    )
    assert fields(text)["confidence"] == {"type": "number"}


def test_how_many_items_a_list_has_at_most() -> None:
    found = fields(
        "Name what the diver saw: maximum 6 odd fish, up to three wrecks.\n"
        'Output JSON only, in this form: {"odd_fish": ["<fish>"], "wrecks": ["<wreck>"], "depths": [1]}\n{{ log }}'
    )
    assert found["odd_fish"]["maxItems"] == 6
    assert found["wrecks"]["maxItems"] == 3
    assert "maxItems" not in found["depths"]


def test_labels_between_slashes_may_have_several_words() -> None:
    found = fields(
        'Answer in json:\n{"depth": "[very low/low/high/very high]", "place": "[street/town/country name]"}\n{{ x }}'
    )
    assert found["depth"]["enum"] == ["very low", "low", "high", "very high"]
    assert "enum" not in found["place"]


_TOPICS = (
    "You sort letters.\nkind is chosen from:\n[Complaint, Thanks, Order]\n"
    "topics can be a list of the following classes:\nWater: pipes and wells\nRoads and Rail: whatever moves\nSchools: teachers\n"
    "Format your answer in JSON FORMAT with keys being kind[string], topics, writer[string]\n{{ letter }}"
)


def test_labels_that_follow_the_name_of_their_key() -> None:
    found = fields(_TOPICS)
    assert found["kind"] == {"type": "string", "enum": ["Complaint", "Thanks", "Order"]}
    assert found["topics"] == {
        "type": "array",
        "items": {"type": "string", "enum": ["Water", "Roads and Rail", "Schools"]},
    }
    assert found["writer"] == {"type": "string"}


def test_labels_in_an_assigned_list() -> None:
    found = fields(
        'Select the best mood from the list below.\nall_moods = [\n    "calm",  # nothing stirs\n    "merry", # songs\n    "grim"\n]\n'
        'Put it in json format: {"main_mood": "<mood>", "more_moods": ["<mood>", ...], "note": "<note>"}\n{{ verse }}'
    )
    assert found["main_mood"]["enum"] == ["calm", "merry", "grim"]
    assert found["more_moods"]["items"]["enum"] == ["calm", "merry", "grim"]
    assert "enum" not in found["note"]


def test_labels_of_a_lead_that_names_the_key() -> None:
    found = fields(
        "Allowed state values:\n- open: not yet done\n- shut: done\n\nStates of things. Kinds can be 'new', 'worn', or 'lost'.\n"
        'Respond with ONLY a JSON object: {"state": "...", "kind": "...", "since": "..."}\n{{ x }}'
    )
    assert found["state"]["enum"] == ["open", "shut"]
    assert found["kind"]["enum"] == ["new", "worn", "lost"]
    assert found["since"] == {"type": "string"}


def test_the_only_list_is_for_the_only_key_that_can_hold_a_label() -> None:
    found = fields(
        "Weigh the witness. You must choose one of the three labels:\n- **BACKS**: agrees\n- **DENIES**: does not\n- **MUTE**: says nothing\n"
        'Your response must be a JSON object with "reasoning" and "bearing".\n{{ words }}'
    )
    assert found["bearing"] == {"type": "string", "enum": ["BACKS", "DENIES", "MUTE"]}
    assert found["reasoning"] == {"type": "string"}


def test_what_each_item_of_a_list_has() -> None:
    found = fields(
        "Find the ships.\nFor EACH ship, provide:\n- name: as painted\n- tons: integer\n- home: the port (if stated)\n\n"
        'Return ONLY valid JSON: {"ships": [...]}\n{{ log }}'
    )
    assert found["ships"]["items"]["properties"] == {
        "name": {"type": "string"},
        "tons": {"type": "integer"},
        "home": {"type": ["string", "null"]},
    }


def test_a_list_of_objects_under_a_key_that_is_named_in_words() -> None:
    found = fields(
        'Respond with a JSON object containing a "calls" array. Each element must have:\n- "at": the hour\n'
        '- "kind": one of "loud", "low"\n- "sure": integer 1-10\n- "answer": the reply (only for loud calls, null otherwise)\n{{ log }}'
    )
    items = found["calls"]["items"]["properties"]
    assert items["kind"]["enum"] == ["loud", "low"]
    assert items["sure"] == {"type": "integer", "minimum": 1, "maximum": 10}
    assert items["answer"]["type"] == ["string", "null"]
    shown = fields(
        'Return JSON with key "checks": list of objects {"id": "...", "state": "OK"|"BAD"}\n\nPart: {{ part }}'
    )
    assert shown["checks"]["items"]["properties"]["state"]["enum"] == ["OK", "BAD"]


def test_null_is_for_the_key_that_is_set_and_not_for_the_one_of_the_condition() -> None:
    found = fields(
        "If `paid` is false, set `paid_on` to null.\n"
        'Answer with this JSON: {"paid": true or false, "paid_on": "<date>", "note": "the words or null only if paid is false"}\n{{ bill }}'
    )
    assert found["paid"] == {"type": "boolean"}
    assert found["paid_on"]["type"] == ["string", "null"]
    assert found["note"]["type"] == ["string", "null"]


def test_words_of_samples_are_no_descriptions() -> None:
    items = "\n".join(
        f'  "{part}": {{"score": 0.{n}, "note": "{said}"}},'
        for n, (part, said) in enumerate(
            [
                ("salt", "Too much of it in there"),
                ("heat", "Fine until the end came"),
                ("look", "Grey and grey all over"),
            ],
            5,
        )
    )
    found = infer(f'Respond in this JSON format:\n{{\n{items}\n  "total": 0.6\n}}\n{{{{ stew }}}}')
    assert all("description" not in item.schema.get("properties", {}).get("note", {}) for item in found.fields)
    assert found.fields[0].schema["properties"]["note"] == {"type": "string"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<grade>B</grade>", {"type": "string", "enum": ["A", "B", "C", "D"]}),
    ],
)
def test_a_grade_may_be_a_letter(text: str, expected: dict[str, Any]) -> None:
    said = f"Grade the poem using a scale of A, B, C, D. Respond with ONLY the letter, enclosed in <grade> tags. Example: {text}\n{{{{ poem }}}}"
    assert fields(said)["grade"] == expected


def test_a_score_may_be_a_word() -> None:
    found = fields(
        "Give a binary score 'yes' or 'no' score to say whether the ship is afloat.\nProvide it as JSON with a single key 'score'.\n{{ ship }}"
    )
    assert found["score"] == {"type": "string", "enum": ["yes", "no"]}


def test_numbers_after_the_one_key() -> None:
    found = fields("Rate the match on a 0-3 scale. Return strict JSON ONLY with key: score (0,1,2,3).\n{{ pair }}")
    assert found["score"] == {"type": "integer", "enum": [0, 1, 2, 3]}


def test_a_bare_range_may_have_a_long_note() -> None:
    found = infer(
        'Respond with JSON:\n{"lean": -1.0 to 1.0 (negative = against it, positive = for it, 0 = neither of them),\n"facts": [string] or null\n}\n{{ x }}'
    )
    lean, facts = found.fields
    assert dict(lean.schema) == {
        "type": "number",
        "minimum": -1.0,
        "maximum": 1.0,
        "description": "negative = against it, positive = for it, 0 = neither of them",
    }
    assert facts.schema["type"] == ["array", "null"]


_LABELS = """Weigh the claim and provide:
1. FINDING: One of [HOLDS, HOLDS IN PART, FAILS]
2. STRENGTH SCORE: 0-100 based on the sources
3. GROUNDS: 2-3 sentences

Format your response as:
FINDING: [finding]
SCORE: [number]
GROUNDS: [grounds]
CAVEATS: [doubts or "None"]

YOUR RESPONSE:
"""


def test_what_is_said_of_a_part_before_the_form_counts_and_the_label_at_the_end_does_not() -> None:
    assert fields("{{ claim }}\n" + _LABELS) == {
        "finding": {"type": "string", "enum": ["HOLDS", "HOLDS IN PART", "FAILS"]},
        "score": {"type": "integer", "minimum": 0, "maximum": 100},
        "grounds": {"type": "string"},
        "caveats": {"type": "string"},
    }


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        (
            'Choose by printing only a single choice from ["Text (a)", "Text (b)"] (without quotes).\n{{ x }}',
            ["Text (a)", "Text (b)"],
        ),
        (
            "Route the call to one of the following desks:\n\n- repairs → when it is broken\n- bills → when it is about money,\n           or about a letter on it\n\nRespond with exactly ONE word, the label of the desk.\n{{ x }}",
            ["repairs", "bills"],
        ),
        (
            "Is the left or the right stone older? Respond with just 'left - sure', 'right - sure' or 'neither of both - not sure at all'.\n{{ x }}",
            ["left - sure", "right - sure", "neither of both - not sure at all"],
        ),
    ],
)
def test_labels_of_more_than_one_word(text: str, labels: list[str]) -> None:
    (only,) = fields(text).values()
    assert only["enum"] == labels


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[[ ## claim ## ]]\n{{ claim }}\n\nEnd with the marker for `[[ ## done ## ]]`.", "marks"),
        (
            'Respond in JSON like this:\n{"dish": "<name>", "salt": 1, "heat": 2}\nor if there is no dish:\n{"dish": "<name>"}\n{{ x }}',
            "several forms",
        ),
        (
            "Only respond 'left' or 'right' if you are sure. Respond with just 'left, sure', 'right, sure' or 'not sure'.\n{{ x }}",
            "several lists",
        ),
        (
            "Only respond 'left' or 'right' if you are sure.\nNow respond with just 'left', 'right', or 'no idea' with no other text.\n{{ x }}",
            "several lists",
        ),
        (
            'Return valid JSON only:\n{"tiles": [ ... ]}\n{{ x }}',
            "shown as [...]",
        ),
        (
            'You must reply with JSON. Score the risk from 0 to 5.\nIn: {"risk": its level\n{{ clause }}',
            "JSON",
        ),
        (
            'Return JSON: {"birds": [...]}. Each bird with its song and its nest in your own words.\n{{ notes }}',
            "each item",
        ),
    ],
)
def test_what_is_not_read_whole_is_refused(text: str, why: str) -> None:
    found = infer(text)
    assert not found.fields, found.fields
    assert why in " ".join(found.problems)


_INSTRUCTIONS = """Judge the answer.
The output should be a JSON instance that conforms to the JSON schema below.

As an example, for the schema {"properties": {"cups": {"type": "array", "items": {"type": "string"}}}, "required": ["cups"]}
the object {"cups": ["tea", "milk"]} is a well-formatted instance of the schema. The object {"properties": {"cups": []}} is not well-formatted.

Here is the output schema:
```
{"properties": {"why": {"type": "string"}, "mark": {"type": "string", "enum": ["good", "bad"]}}, "required": ["why", "mark"]}
```
Answer: {{ answer }}
"""


def test_an_explanation_of_how_schemas_work_is_no_form() -> None:
    assert fields(_INSTRUCTIONS) == {"why": {"type": "string"}, "mark": {"type": "string", "enum": ["good", "bad"]}}


def test_keys_of_a_list_have_the_explanation_already(tmp_path: Path) -> None:
    path = tmp_path / "v1.j2"
    path.write_text(
        'Return a valid JSON array of objects. Each object is a change and must have the keys: "old", "new", and "explanation".\n'
        'The "explanation" should be short.\n{{ text }}'
    )
    assert [item.name for item in structure(load_prompt(path)).fields] == ["items"]


@pytest.mark.parametrize(
    "text",
    [
        "This is meant as you would take it for a math problem: only what is said counts. Is it right? {{ x }}",
        'tags = [\n  "Sums",  # Queries on mathematical things and the like\n]\nSelect one tag from the list. {{ x }}',
        "Calculate overall confidence (0 to 1) of the claim. {{ x }}",
    ],
)
def test_a_topic_that_is_spoken_about_needs_no_reasoning(text: str) -> None:
    assert needs_reasoning(PromptText.of(text)) is None


def test_a_contraction_denies() -> None:
    text = 'Answer with this JSON: {"hint": string, "cause": string}\nBe open, but don\'t just say "nothing found".\n{{ x }}'
    assert set(fields(text)) == {"hint", "cause"}


def test_a_stop_within_quotation_marks_is_none_of_the_label() -> None:
    (only,) = fields('Respond with either "Sound" or "Not Sound."\n\nBeam: {{ beam }}').values()
    assert only["enum"] == ["Sound", "Not Sound"]


def test_keys_that_may_be_left_out() -> None:
    found = fields(
        "Return a JSON object with these fields:\n- name: the name of the boat\n- crew: Array of up to 4 names (omit if not found)\n"
        '- rig: "SL", "KE", or "YA" (omit if unclear)\n- tons: Her weight as a number (omit if not given)\n{{ page }}'
    )
    assert found["crew"] == {"type": ["array", "null"], "items": {"type": "string"}, "maxItems": 4}
    assert found["rig"] == {"type": ["string", "null"], "enum": ["SL", "KE", "YA", None]}
    assert found["tons"] == {"type": ["number", "null"]}


def test_signs_that_stand_for_digits() -> None:
    found = fields(
        'Respond in JSON format:\n{"depth": 0.XX, "drift": 0.0_to_1.0, "crew": Number (integer), "where": "<place>"}\n{{ log }}'
    )
    assert found["depth"] == {"type": "number"}
    assert found["drift"] == {"type": "number", "minimum": 0.0, "maximum": 1.0}
    assert found["crew"] == {"type": "integer"}
    unknown = infer('Respond in JSON format:\n{"depth": 3xy7, "where": "<place>"}\n{{ log }}')
    assert not unknown.fields


def test_what_the_prompt_gives_in_tags_is_no_part_of_the_answer() -> None:
    found = infer(
        "Pick the kind. Answer with the name only.\nThe data uses a format like XML:\n\n"
        '<available_kinds>\n{{ kinds | join(", ") }}\n</available_kinds>\n'
    )
    assert not found.fields


def test_labels_below_the_name_of_their_key() -> None:
    found = fields(
        "The finding must be one of:\n- Kept: all of it holds\n- Broken: it does not\n- No Word: nothing is said\n\n"
        'Output in JSON format:\n{"finding": "...", "grounds": "...", "line_indices": []}\n{{ text }}'
    )
    assert found["finding"]["enum"] == ["Kept", "Broken", "No Word"]
    assert found["line_indices"] == {"type": "array", "items": {"type": "integer"}}


def test_a_key_called_key_stands_for_any() -> None:
    found = infer('Return JSON only in this format:\n{"call": "<tool>", "params": {"key": "value"}}\n{{ task }}')
    assert not found.fields


def test_objects_that_an_array_joins() -> None:
    found = fields(
        "For each leak, output a JSON object with:\n- pipe: its number\n- loss: float 0-1\n- kind: one of [drip, burst]\n\n"
        "Output ONLY a JSON array.\n{{ log }}"
    )
    assert found["items"]["items"]["properties"]["kind"]["enum"] == ["drip", "burst"]
    assert found["items"]["items"]["properties"]["loss"] == {"type": "number", "minimum": 0, "maximum": 1}


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("Sort the call.\nRespond with a single token only: KEEP or DROP.\n{{ call }}", ["KEEP", "DROP"]),
        ("Compare two maps. Respond with your preference ('A' or 'B'), and nothing else.\n{{ maps }}", ["A", "B"]),
    ],
)
def test_labels_of_short_orders(text: str, labels: list[str]) -> None:
    (only,) = fields(text).values()
    assert only["enum"] == labels


def test_a_last_line_with_the_range_in_its_place() -> None:
    found = infer(
        "Read the letter and note what is odd. Choose a single integer score from 1 to 5.\n"
        "End your response with the score on its own line in exactly this format:\n\nScore: <integer 1-5>\n\n{{ letter }}"
    )
    (score,) = found.fields
    assert dict(score.schema) == {"type": "integer", "minimum": 1, "maximum": 5}
    assert found.whole == "labels"


def test_json_that_is_given_is_no_answer() -> None:
    found = infer(
        'INPUT (JSON):\n{\n  "words": string,  // what was said\n  "page": string|null\n}\n\n'
        "OUTPUT (JSON):\nReturn a single JSON object with the following fields:\n"
        '{\n  "tongue": string  // its code, e.g. "fra"\n}\n'
        'If you cannot tell, return:\n{ "tongue": null }\n{{ input }}'
    )
    (tongue,) = found.fields
    assert tongue.name == "tongue"
    assert tongue.schema["type"] == ["string", "null"]


def test_json_under_a_label_is_not_read_as_labels() -> None:
    found = infer(
        "You will respond in two parts.\n\nFormat:\n"
        'MOOD: {"mood": "mood_name", "heat": 0.0, "signs": ["word1", "word2"]}\nREPLY: <your reply>\n\nWords: "{words}"'
    )
    assert not found.fields


def test_figures_of_an_answer_stand_beside_samples_and_not_beside_what_is_said_of_a_key() -> None:
    found = infer(
        'Return a JSON object with this exact structure:\n{\n  "freight": [{"what": "SACKS OF DRY RICE", "tons": 15.50,'
        ' "why": "Brief reason for the tons"}],\n  "berth": "The name of the berth"\n}\n{{ bill }}'
    )
    freight, berth = found.fields
    assert freight.schema["items"]["properties"]["what"] == {"type": "string"}
    assert freight.schema["items"]["properties"]["why"]["description"] == "Brief reason for the tons"
    assert berth.schema["description"] == "The name of the berth"


def test_keys_of_linked_data_are_not_read() -> None:
    found = infer(
        'Answer in JSON-LD only.\nOutput:\n{"@context": "https://x.example", "@graph": [{"@id": "_:1", "label": "A"}]}\n{{ text }}'
    )
    assert not found.fields


def test_what_all_lists_hold() -> None:
    found = fields(
        "Find every number.\n\nFor EACH:\n- thing: what it is of\n- figure: the exact value\n- describes: which side of it\n\n"
        'Return ONLY valid JSON: {"weights": [...], "lengths": [...]}\n{{ text }}'
    )
    assert found["weights"] == found["lengths"]
    assert found["weights"]["items"]["properties"]["describes"] == {"type": "string"}


def test_a_range_in_a_sentence_on_an_object() -> None:
    found = fields(
        'Return JSON in this structure:\n{"moods": {"glad": number, "sad": number}, "note": string}\n'
        'The "moods" are how strong each one is (between 0.0 and 1.0).\nThe "note" has 2 to 3 words.\n{{ page }}'
    )
    assert found["moods"]["properties"]["sad"] == {"type": "number", "minimum": 0.0, "maximum": 1.0}
    assert found["note"] == {"type": "string"}


def test_a_number_in_a_tag_has_the_range_that_asks() -> None:
    found = fields(
        "Please assess the 'warmth' of the text using a scale of 1 to 5. Respond with only the number, enclosed in <score> tags.\n"
        "Text: {{ text }}\nYour score (e.g., <score>3</score>):"
    )
    assert found["score"] == {"type": "integer", "minimum": 1, "maximum": 5}


def test_an_object_of_a_list_is_one_of_its_items() -> None:
    found = fields(
        'Respond ONLY with a valid JSON array.\nEach item must contain:\n{\n  "slip": string,  // its name\n  "grade": "low"|"high"\n}\nIf there is none, return: []\n{{ text }}'
    )
    assert found["items"]["items"]["properties"]["grade"] == {"type": "string", "enum": ["low", "high"]}
    whole = fields(
        'Return a JSON object with a list of entries:\n{"entries": [{"at": "<hour>"}], "by": "<name>"}\n{{ log }}'
    )
    assert set(whole) == {"entries", "by"}


def test_a_count_of_kinds_is_no_label() -> None:
    found = fields(
        'Sort the house into exactly ONE Category and ONE Kind.\nOutput JSON only:\n{"category": "String", "kind": "String"}\n{{ house }}'
    )
    assert found["category"] == {"type": "string"}


def test_null_in_the_line_of_a_key_is_for_that_key() -> None:
    found = fields(
        'JSON Schema:\n{\n  "boat_name": "string",\n  "asking_price": number | null,\n  "ai_finding": "BUY" | "PASS"\n}\n'
        "Rules:\n1. boat_name: as painted.\n2. asking_price: in crowns. Set to null if the price cannot be read.\nReturn ONLY the JSON object.\n{{ page }}"
    )
    assert found["boat_name"] == {"type": "string"}
    assert found["ai_finding"] == {"type": "string", "enum": ["BUY", "PASS"]}
    assert found["asking_price"]["type"] == ["number", "null"]


def test_a_variable_of_a_script_in_the_place_of_a_value() -> None:
    found = fields(
        'Answer as a JSON object like this:\n{"a": {"old": "${x.old}", "marks": ${x.marks}, "why": "<why>"}, "b": "<b>"}\nText: ${x.text}'
    )
    assert list(found) == ["a", "b"]
    assert list(found["a"]["properties"]) == ["old", "marks", "why"]


def test_braces_of_json_are_no_fields_of_a_format_string() -> None:
    assert as_jinja('For example, {"name": "...", "parts": [{{"at": 0}}]}\n{text}') is None
    assert as_jinja('Say {{"a": 1}} of {text} and {row[0].name}') is not None
