"""A form that is only a part of the answer is neither capped nor read; what a prompt says of its JSON is kept."""

from pathlib import Path

import pytest

from promptopt.errors import SchemaError
from promptopt.structured.build import structure
from promptopt.structured.infer import infer
from promptopt.templates import load_prompt
from promptopt.templates.answer import parse_answer


@pytest.fixture
def proposed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)

    def propose(text: str):
        path = tmp_path / "prompts" / "p" / "v1.j2"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return structure(load_prompt(path))

    return propose


@pytest.mark.parametrize(
    "text",
    [
        "Rate the speech from 1 to 5. Then list the three weakest sentences.\n\n{{ speech }}",
        "Rate the speech from 1 to 5 and a title for it.\n\n{{ speech }}",
        "Judge the plan on these criteria, each from 1 to 5: cost, risk, speed.\n\n{{ plan }}",
        "Is the mail urgent? Answer yes or no, then say on a new line how certain you are.\n\n{{ mail }}",
        "Classify the request as refund, repair or other. If it is refund, also name the order.\n\n{{ request }}",
        'Reply "yes" or "no".\nFollow the JSON format below:\n{response_schema}\n',
        "Write a report with these sections:\n\n## Facts\nTwo lines.\n\n## Verdict\nOne of: keep, drop.\n\n{{ case }}",
        "Write detailed feedback. After writing it, give a score between 1 and 5.\n\n{{ text }}",
    ],
)
def test_a_part_of_the_answer_is_not_taken_for_the_whole(proposed, text: str) -> None:
    with pytest.raises(SchemaError, match="cannot infer"):
        proposed(text)


def test_labels_and_tags_are_all_read_and_the_value_has_a_pattern(proposed) -> None:
    lines = proposed("Score it on a scale of 1 to 5.\nFollow this format:\n<Reason:> [why]\n<Score: [n]/5>\n\n{{ it }}")
    tags = proposed(
        "Rate it from 1 to 5. Answer in tags as in:\n<why>[think first]</why> <score>[a number]</score>\n\n{{ text }}"
    )
    for proposal, names in ((lines, ["reason", "score"]), (tags, ["why", "score"])):
        assert [item.name for item in proposal.fields] == names
        assert proposal.fields[1].schema["type"] in ("integer", "number")
        assert (proposal.form, proposal.max_output_tokens) == ("text", None)
    assert parse_answer(lines.answer).extract("<Reason:> 3 faults\n<Score: 4/5>") == "4"
    assert parse_answer(tags.answer).extract("<why>3 faults</why>\n<score>2</score>") == "2"


def test_one_value_is_still_capped(proposed) -> None:
    proposal = proposed("Rate the speech from 1 to 5. Answer with the number only.\n\n{{ speech }}")
    assert proposal.fields[0].schema == {"type": "integer", "minimum": 1, "maximum": 5}
    assert proposal.max_output_tokens is not None


def test_a_bare_value_within_json_is_not_capped_as_a_bare_value(proposed) -> None:
    proposal = proposed("Classify the tone as warm, cold or neutral. Answer in JSON.\n\n{{ text }}")
    assert proposal.form == "schema" or proposal.max_output_tokens is None


def test_comments_of_json_are_kept() -> None:
    found = infer(
        "Extract the booking. Answer with this JSON:\n\n"
        "{\n"
        '  "number": 77,          // the booking, null if there is none\n'
        '  "state": "held",       // one of held, paid, void\n'
        '  "guests": ["Ann"],     # at most 4\n'
        '  "event": "<event>",    # Must be "ADD", "CHANGE" or "NONE"\n'
        '  "rating": 3,           // 1 to 5\n'
        '  "note": "<text>"       /* only if the guest left one */\n'
        "}\n\n{{ mail }}"
    )
    schemas = {field.name: dict(field.schema) for field in found.fields}
    assert schemas["number"]["type"] == ["integer", "null"]
    assert schemas["state"]["enum"] == ["held", "paid", "void"]
    assert schemas["guests"]["maxItems"] == 4
    assert schemas["event"]["enum"] == ["ADD", "CHANGE", "NONE"]
    assert (schemas["rating"]["minimum"], schemas["rating"]["maximum"]) == (1, 5)
    assert schemas["note"]["type"] == ["string", "null"]
    assert schemas["number"]["description"] == "the booking, null if there is none"


def test_a_json_schema_is_read_as_a_schema(proposed) -> None:
    given = (
        '{"type": "object", "properties": {"mood": {"type": "string", "enum": ["up", "down"]}, '
        '"why": {"type": "string"}}, "required": ["mood"]}'
    )
    proposal = proposed(f"Answer with JSON that fits this JSON Schema:\n\n{given}\n\n{{{{ diary }}}}")
    schemas = {field.name: dict(field.schema) for field in proposal.fields}
    assert schemas == {"mood": {"type": "string", "enum": ["up", "down"]}, "why": {"type": ["string", "null"]}}
    assert proposal.answer == "/mood"


def test_a_json_schema_that_strict_mode_lacks_is_refused() -> None:
    given = '{"type": "object", "properties": {"a": {"not": {"type": "string"}}}, "required": ["a"]}'
    found = infer(f"Answer with JSON of this schema:\n{given}\n\n{{{{ text }}}}")
    assert found.fields == ()
    assert "line 2: the JSON schema cannot be read" in found.problems[0]


def test_keys_with_their_types_in_brackets() -> None:
    keys = """"verdict" ("faithful" or "unfaithful"), 'score' (number) and 'why' (string)"""
    text = f"Judge the answer. Return JSON with the keys {keys}.\n"
    schemas = {field.name: dict(field.schema) for field in infer(f"{text}\n{{{{ answer }}}}").fields}
    assert schemas["verdict"] == {"type": "string", "enum": ["faithful", "unfaithful"]}
    assert schemas["score"]["type"] == "number"
    assert schemas["why"]["type"] == "string"


def test_a_json_form_gets_no_further_key(proposed) -> None:
    form = '{"notes": [{"reason": "<why>", "text": "<text>"}]}'
    proposal = proposed(f"List notes with a brief explanation. Answer with this JSON:\n\n{form}\n\n{{{{ doc }}}}")
    assert [field.name for field in proposal.fields] == ["notes"]
