"""What is left of a prompt whose answer gets a schema: no heading alone, no wish in its input, no brackets."""

from pathlib import Path

import pytest

from promptopt.structured.build import structure
from promptopt.structured.format_string import load_any
from promptopt.structured.proposal import Options
from promptopt.templates import load_prompt


def edited(text: str, path: Path) -> str:
    path.write_text(text)
    template, written = load_any(str(path))
    source = structure(template, options=Options(form="schema", as_written=written)).source
    return source.partition("\n---\n")[2]


def test_a_heading_goes_with_all_that_was_below_it(tmp_path: Path) -> None:
    text = (
        "## Task\nRead the note.\n\n## Output Format\n\nRespond with ONLY a valid JSON object.\n\n"
        '{"kind": "<tug|ferry>"}\n\n## Rules\n- Be brief.\n\n{{ note }}\n'
    )
    left = edited(text, tmp_path / "v1.j2")
    assert "Output Format" not in left
    assert "## Rules\n- Be brief." in left


def test_a_heading_with_another_one_below_it_stays(tmp_path: Path) -> None:
    text = '## Output\n\n### Format\nReturn JSON only:\n{"kind": "<tug|ferry>"}\n\n### Tone\nBe kind.\n{{ note }}\n'
    left = edited(text, tmp_path / "v1.j2")
    assert "## Output\n" in left
    assert "### Format" not in left


def test_a_heading_that_has_nothing_below_it_stays(tmp_path: Path) -> None:
    text = "# Notes\n---\n## Task\nIs the ship late? Answer yes or no.\n\n{{ note }}\n"
    assert "# Notes\n---\n## Task" in edited(text, tmp_path / "v1.j2")


def test_a_form_that_a_sentence_points_at_stays(tmp_path: Path) -> None:
    text = 'Follow the exact schema\nshown below.\n\n## Schema (JSON)\n{"kind": "<tug|ferry>"}\n\nReturn JSON.\n{{ n }}'
    assert '{"kind": "<tug|ferry>"}' in edited(text, tmp_path / "v1.j2")


def test_brackets_of_a_verdict_are_not_asked_for(tmp_path: Path) -> None:
    text = (
        'Compare them. Output your verdict by strictly following this format: "Best: [[letter]]".\n'
        'Include the brackets, so "Best: [[A]]" if the first is better, "Best: [[B]]" if the second is.\n'
        "{{ a }} {{ b }}\n"
    )
    left = edited(text, tmp_path / "v1.j2")
    assert "[[" not in left
    assert "brackets" not in left
    assert 'Output your verdict.\n"A" if the first is better, "B" if the second is.' in left


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        (
            "Classify the note into one of:\n1. red\n2. green\n\n{{ n }}\n\nRespond with only the category name.",
            "category name",
        ),
        ("Suggest 4 riddles for {{ it }}. Output only the riddles, one per line.\n", "one per line"),
    ],
)
def test_the_layout_of_a_text_is_not_asked_for_under_a_schema(text: str, gone: str, tmp_path: Path) -> None:
    assert gone not in edited(text, tmp_path / "v1.j2")


def test_what_leads_to_a_label_stays(tmp_path: Path) -> None:
    rules = '- "East line"/"East" → **EAST**\n- "West line"/"West" → **WEST**\n'
    text = f"Which line? If the note names one, return it:\n{rules}\nReturn ONLY one of: EAST, WEST\n\n{{{{ note }}}}\n"
    (tmp_path / "lines.j2").write_text(text)
    made = structure(load_prompt(tmp_path / "lines.j2"), options=Options(form="schema"))
    assert rules in made.source
