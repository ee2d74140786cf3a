"""The wish for minified JSON stands in the prompt's own instructions, or nowhere; and no half of a sentence is left."""

from pathlib import Path

import pytest

from promptopt.errors import SchemaError
from promptopt.structured.build import structure
from promptopt.structured.edits.directive import MINIFY, NO_PLACE, minify_place, with_directive
from promptopt.structured.fields import PromptText
from promptopt.structured.format_string import load_any
from promptopt.structured.proposal import Options, Structured


def proposed(text: str, path: Path, form: str = "schema") -> Structured:
    path.write_text(text)
    template, written = load_any(str(path))
    return structure(template, options=Options(form=form, as_written=written, reasoning=0))  # type: ignore[arg-type]


def directed(source: str) -> str | None:
    return with_directive(source, minify_place(PromptText.of(source)))


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("Name it. Return JSON.\n\nNote:\n{{ t }}\n", f"Name it. Return JSON. {MINIFY}\n\nNote:\n{{{{ t }}}}\n"),
        (
            "Return only JSON.\nKeys:\n- a\n- b\n\n{{ t }}\n",
            f"Return only JSON. {MINIFY}\nKeys:\n- a\n- b\n\n{{{{ t }}}}\n",
        ),
        (
            '## Output\nAnswer with JSON:\n```json\n{"a": 1}\n```\n\n{{ t }}\n',
            f'## Output\nAnswer with JSON:\n```json\n{{"a": 1}}\n```\n{MINIFY}\n\n{{{{ t }}}}\n',
        ),
        ('Return JSON, e.g.\n{"a": 1}\n\n{{ t }}\n', f'Return JSON, e.g.\n{{"a": 1}}\n{MINIFY}\n\n{{{{ t }}}}\n'),
        (
            'Return JSON like this:\n\n{"a": "<b>"}\n\n{{ t }}',
            f'Return JSON like this:\n\n{{"a": "<b>"}}\n{MINIFY}\n\n{{{{ t }}}}',
        ),
        (
            '{% chat role="system" %}Sort it.{% endchat %}\n{% chat role="user" %}{{ t }}{% endchat %}',
            '{% chat role="system" %}Sort it. ' + MINIFY + '{% endchat %}\n{% chat role="user" %}{{ t }}{% endchat %}',
        ),
    ],
)
def test_the_wish_follows_what_is_said_of_the_json(prompt: str, expected: str) -> None:
    assert directed(prompt) == expected


@pytest.mark.parametrize(
    "prompt",
    [
        "Is it spam? Answer yes or no.\n\n{{ t }}\n",  # no word of JSON
        "1. Read it.\n2. Return JSON.\n\n{{ t }}\n",  # a step
        "- Be kind.\n- Answer in JSON only.\n\n{{ t }}",  # a bullet
        "Name it.\n\nExample 1\nReturn JSON.\n\n{{ t }}\n",  # an example
        "[INST] Name it. [/INST]\nReturn JSON.\n",  # the model's turn
        "Name it.\n\n### Response:\nReturn JSON.\n",
        "Read the data.\n\n[Delimiter] ##### [Delimiter]\n\nReturn JSON.\n",
        "Return a Python list in JSON notation.\n\n{{ t }}",
        "Answer in plain text and never in JSON.\n\n{{ t }}",
        "Sort the given JSON input. Answer with one word.\n\n{{ t }}",  # the JSON is the input
        "Return JSON about {{ topic }}.\n",  # a value that may end anywhere
        "{% if strict %}Return JSON.\n\n{% endif %}{{ t }}",
        '{% chat role="system" %}Sort it:\n- by size{% endchat %}{% chat role="user" %}{{ t }}{% endchat %}',
    ],
)
def test_the_wish_is_left_out_where_no_place_is_sure(prompt: str) -> None:
    assert directed(prompt) is None


def test_a_wish_that_is_left_out_is_said(tmp_path: Path) -> None:
    made = proposed("Is it spam? Answer yes or no.\n\n{{ t }}\n", tmp_path / "p.j2")
    assert MINIFY not in made.source
    assert NO_PLACE in made.notes


def test_the_wish_takes_the_place_of_a_paragraph_that_goes(tmp_path: Path) -> None:
    text = 'Sort the mail.\n\nReturn only JSON:\n{"kind": "<bill|ad>"}\n\nBe fair.\n\n{{ mail }}\n'
    assert f"Sort the mail.\n\n{MINIFY}\n\nBe fair.\n" in proposed(text, tmp_path / "p.j2").source


# ---- whole sentences ------------------------------------------------------------------------------------------------


def test_a_sentence_on_two_lines_goes_with_both(tmp_path: Path) -> None:
    text = (
        "Is the ship late? Respond only with a JSON object and do not write any text before or\nafter the object. "
        'A ship in port is not late.\n\n{"late": "<yes|no>"}\n\n{{ t }}\n'
    )
    source = proposed(text, tmp_path / "p.j2").source
    assert "Is the ship late? A ship in port is not late. Minify the JSON.\n\n{{ t }}" in source


@pytest.mark.parametrize(
    "sentence",
    [
        "Respond only with a JSON object and do not write any text before or\nafter it than the harbour allows.",
        "Answer only yes or no, which are the labels that the port has used for as long as\nAnna has worked here.",
        "Answer in JSON only, as an object, with no comments and without markdown or code fences, as\nIBM asks.",
    ],
)
def test_no_line_of_a_sentence_is_left_alone(sentence: str, tmp_path: Path) -> None:
    form = '{"late": "<yes|no>"}\n\n' if "JSON" in sentence else ""
    text = f"Is the ship late?\n\n{sentence} Be fair.\n\n{form}{{{{ t }}}}\n"
    assert sentence in proposed(text, tmp_path / "p.j2").source


def test_a_question_is_the_task(tmp_path: Path) -> None:
    source = proposed("{{ q }}\n{{ a }}\n\nIs the answer correct? Answer yes or no.\n", tmp_path / "p.j2").source
    assert "Is the answer correct?" in source


def test_a_heading_stays_while_one_below_it_does(tmp_path: Path) -> None:
    text = (
        "# Task\nRead the note.\n\n# Output Format\n## JSON\nReturn JSON only:\n"
        '{"kind": "<tug|ferry>"}\n\n## Tone\nBe kind.\n\n{{ note }}\n'
    )
    source = proposed(text, tmp_path / "p.j2").source
    assert "# Output Format\n" in source
    assert "## Tone\nBe kind." in source
    assert "## JSON" not in source


def test_a_heading_goes_with_all_those_below_it(tmp_path: Path) -> None:
    text = (
        '# Task\nRead the note.\n\n# Output Format\n## Answer\nReturn JSON only:\n{"kind": "<tug|ferry>"}\n\n'
        "# Note\n{{ note }}\n"
    )
    source = proposed(text, tmp_path / "p.j2").source
    assert "Output Format" not in source
    assert "## Answer" not in source


# ---- another form ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("Is it spam? Answer yes or no. The log is read as plain text only by our team.\n{{ t }}", "plain text"),
        ("Is it spam? Answer yes or no. The log has room for exactly one token.\n{{ t }}", "token"),
        (
            "Rate it.\n\nWrite <score>a number from 1 to 5</score>\n<why>one sentence</why>\n\n{{ t }}",
            "<score>",
        ),
        ("Is it spam? Answer yes or no. If the mail is empty, output nothing.\n{{ t }}", "output nothing"),
    ],
)
def test_a_schema_is_refused_where_the_text_keeps_another_form(text: str, asked: str, tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=asked):
        proposed(text, tmp_path / "p.j2")


def test_dividers_of_a_list_go_with_the_form(tmp_path: Path) -> None:
    made = proposed("Give up to five keywords for the note, separated by commas.\n\n{{ note }}\n", tmp_path / "p.j2")
    assert "Give up to five keywords for the note.\n" in made.source
