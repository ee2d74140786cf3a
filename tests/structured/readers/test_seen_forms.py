"""Forms of public prompts that were read wrongly or not at all: bare scales, letters, words in tags, lists of codes."""

import pytest
from click.testing import CliRunner

from promptopt.cli.structure import command
from promptopt.structured.infer import infer


def fields(text: str) -> dict[str, dict]:
    found = infer(text)
    assert found.fields, found.problems
    return {item.name: {k: v for k, v in item.schema.items() if k != "description"} for item in found.fields}


TEXT = {"type": "string"}
YES = {"type": "string", "enum": ["yes", "no"]}
READ = [
    (
        "On a scale of 0 to 7, to what extent does the map help? Reply with your rating alone.\n{{ map }}",
        {"score": {"type": "integer", "minimum": 0, "maximum": 7}},
    ),
    (
        "A) {{ a }}\nB) {{ b }}\nC) {{ c }}\nAnswer in this format:\nFinal Answer: <single letter of your choice>\n",
        {"final_answer": {"type": "string", "enum": ["A", "B", "C"]}},
    ),
    (
        "Respond only with the letter, like A, B or C, in the format '''Pick: [Chosen Option's Letter]'''.\n{{ q }}",
        {"pick": {"type": "string", "enum": ["A", "B", "C"]}},
    ),
    ("Is the boat safe? Output your verdict in this format:<verdict>\n[yes/no]\n</verdict>\n{{ b }}", {"verdict": YES}),
    (
        "Return ONLY the word 'yes' or 'no', with no other text.\n**Truth (Answer Key):** {{ key }}\n{{ answer }}",
        {"answer": YES},
    ),
    (
        "For each boat in turn, return 1 if it floats or 0 if it sinks. You must respond in a Python list.\n{{ b }}",
        {"items": {"type": "array", "items": {"type": "integer", "enum": [1, 0]}}},
    ),
    ("You can ONLY return a python list of str.\n{{ names }}", {"items": {"type": "array", "items": TEXT}}),
    (
        'Return one JSON object. It must contain the key "harbour" with the name of the port as value.\n{{ log }}',
        {"harbour": TEXT},
    ),
    (
        'Give the overall score of 0 or 1. Respond in JSON format: {"WHY": "[...]", "SCORE": "<your-score>"}\n{{ x }}',
        {"WHY": TEXT, "SCORE": {"type": "string", "enum": ["0", "1"]}},
    ),
    (
        (
            'Respond with this JSON object:\n{"plan": "<text>", "steps": ["<step>", "<step>"]}\n\n'
            'If they say "skip the harbour", skip it.\n{{ x }}'
        ),
        {"plan": TEXT, "steps": {"type": "array", "items": TEXT}},
    ),
    (
        'Answer in this JSON format:\n{"enough": true, "gap": "<text>"}\nFollow this JSON format:\n\nNotes:\n{notes}',
        {"enough": {"type": "boolean"}, "gap": TEXT},
    ),
    (
        (
            'Generate JSON with two keys: "sql", "row_results".\n  "sql": "Output your SQL!",\n'
            '  "row_results": "what the rows say in words, otherwise None"\n{{ q }}'
        ),
        {"sql": TEXT, "row_results": {"type": ["string", "null"]}},
    ),
    (
        (
            "Here are the criteria that you need to use:\n<criteria>\nHow clear is it?\n</criteria>\n"
            "Write feedback inside <feedback> tags.\nWrite the numeric score inside <score> tags.\n{{ t }}"
        ),
        {"feedback": TEXT, "score": {"type": "number"}},
    ),
]


READ += [
    ("Is the boat dry? Answer with only yes/no.\n{{ boat }}", {"answer": YES}),
    (
        "Rate the map on a scale of 0 to 5. You may think, then write it in the form SCORE: <your score here>\n",
        {"score": {"type": "integer", "minimum": 0, "maximum": 5}},
    ),
]
SEVERAL = [
    "Rate on a scale of 1-5 for:\n1. Depth: how deep is it?\n2. Width: how wide?\nProvide ratings in JSON format:\n",
    "Each assistant receives a score on a scale of 1 to 10. First output one line with only two values.\n{{ a }}",
]


@pytest.mark.parametrize("text", SEVERAL)
def test_several_scores_are_not_one(text: str) -> None:
    assert "several values" in infer(text).problems[0]


@pytest.mark.parametrize(("text", "expected"), READ)
def test_the_form_is_read(text: str, expected: dict[str, dict]) -> None:
    assert fields(text) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            (
                "1. <notes> tag: your thoughts.\n2. <places> tag: a list of places.\n"
                "Provide your complete response within <answer> tags.\n{{ t }}"
            ),
            "elements inside <answer>",
        ),
        (
            'Output with this schema:\ngrade: Literal["pass", "fail"] = Field(description="the result")\n{{ t }}',
            "types of a program",
        ),
    ],
)
def test_a_form_of_parts_in_parts_is_refused(text: str, why: str) -> None:
    assert why in infer(text).problems[0]


TOPICS = [
    "Decide whether the user prompt needs an AI to solve a math problem. Answer only 'yes' or 'no'.\n{{ p }}",
    "1. Does the text need a mathematical style?\nDecide if it is art. Answer only 'yes' or 'no'.\n{{ p }}",
]


@pytest.mark.parametrize("text", TOPICS)
def test_what_a_text_is_judged_by_is_no_task(text: str, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.j2").write_text(text)
    shown = CliRunner().invoke(command, ["p.j2"])
    assert shown.exit_code == 0, shown.output
    assert "answer: yes | no" in shown.output


def test_a_tag_that_the_prompt_fills_in_is_no_part_of_the_answer() -> None:
    text = "Output JSON for the note.\n<info>\n- Company: ${company}\n</info>\n<note>\n{{ note }}\n</note>\n"
    assert not infer(text).fields


def test_a_task_of_arithmetic_is_still_one(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.j2").write_text("Solve the math problem. Answer with a number from 1 to 9.\n{{ p }}")
    assert "arithmetic" in str(CliRunner().invoke(command, ["p.j2"]).exception)
