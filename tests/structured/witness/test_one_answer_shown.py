"""What a prompt shows of one answer says nothing of all; what it shows of a line may be one of several."""

import re
from pathlib import Path

from promptopt.structured.build import structure
from promptopt.structured.format_string import load_any
from promptopt.structured.infer import infer
from promptopt.structured.proposal import Options


def _fields(text: str) -> dict[str, dict[str, object]]:
    found = infer(text + "\n\n{{ log }}")
    assert found.fields, found.problems
    return {item.name: dict(item.schema) for item in found.fields}


def test_the_words_of_an_example_are_no_description() -> None:
    text = (
        "File the letter.\n1. **kind** is one of: `bill`, `order`, `other`\n2. **note** is one sentence\n\n"
        'Return a JSON object with exactly these two fields:\n{"kind": "bill", "note": "Bill of the ropemaker for May"}'
    )
    assert _fields(text) == {"kind": {"type": "string", "enum": ["bill", "order", "other"]}, "note": {"type": "string"}}


def test_a_condition_of_another_value_is_no_count() -> None:
    text = (
        'leaking = true iff at least one leak was found.\nReturn JSON: {"leaking": <true|false>, "leaks": ["<text>"]}'
    )
    assert _fields(text)["leaks"] == {"type": "array", "items": {"type": "string"}}


def test_a_map_from_names_of_the_input_has_free_keys() -> None:
    found = infer(
        "Output ONLY a JSON object mapping each check name to its [first, second] pair. Example shape:\n"
        '{"hull": ["a", "b"], "mast": ["c", "d"]}\n{{ checks }}'
    )
    assert "free keys" in found.problems[0]


def test_a_line_of_labels_above_another_line_is_one_of_two() -> None:
    text = "Respond in exactly this format:\n\nBETTER: A | B | neither\nRATIONALE: <one sentence on the difference>"
    assert _fields(text) == {
        "better": {"type": "string", "enum": ["A", "B", "neither"]},
        "rationale": {"type": "string"},
    }


def test_the_text_below_a_heading_is_read() -> None:
    form = "Answer in the following format:\n\n**Summary:**\n[your summary]\n\n**Action Items:**\n- [item]\n\n{{ t }}"
    summary = infer(form).fields[0]
    assert summary.pattern is not None
    for answer in ("**Summary:**\nThe mast broke.\n\n**Action Items:**\n- Call", "Summary: The mast broke."):
        read = re.search(summary.pattern, answer)
        assert read is not None
        assert read[1] == "The mast broke."


def test_the_mark_of_an_item_stays_with_the_rest_of_it(tmp_path: Path) -> None:
    prompt = tmp_path / "a.j2"
    prompt.write_text(
        "Rules:\n- Output JSON only. Never shorten names.\n- Keep the order.\n\n"
        'JSON: {"ship": "<name>", "state": "sound|leaking"}\n\n{{ log }}\n'
    )
    proposal = structure(load_any(prompt)[0], options=Options(form="schema"))
    assert "\n- Never shorten names.\n- Keep the order." in proposal.source


def test_criteria_with_scales_of_their_own_are_not_one_number() -> None:
    text = (
        "Judge the voyage.\n\n1. **Course (0-5 scale)**\n   - Rate from 0-5:\n     * 5: as planned\n\n"
        "2. **Leaks (REQUIRED: 0 or 1)**\n   - return either 0 or 1\n\nGive an overall score from 0-5.\n\n{{ log }}"
    )
    assert "a scale of their own" in infer(text).problems[0]


def test_advice_on_how_to_write_is_no_section() -> None:
    text = (
        "You help the harbour master.\n\nResponse Format:\n- Use clear headings and bullet points for ease\n"
        "- Include the relevant figures to support advice\n- End with the next steps\n\n{{ question }}"
    )
    assert not infer(text).fields
