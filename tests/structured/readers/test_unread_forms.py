"""What readers of prose take for a form only if an order to answer says so; else the line that says why."""

from pathlib import Path

import pytest

from promptopt.structured.build import structure
from promptopt.structured.infer import infer
from promptopt.templates import load_prompt

_SHOWN = """How polite is the mail? You must give one grade from 1 to 6.
{% if shots %}
{% raw %}
Mail: Send it now.
Answer:
{
  "remarks": "It orders and does not ask.",
  "grade": 5
}
{% endraw %}
{% endif %}
{{ mail }}
"""
_LETTER = """Revise the plan.

Respond in this format:
DOUBTS:
<DOUBTS>

PLAN JSON:
```json
<JSON>
```
{{ plan }}
"""
_THOUGHT_FIRST = """Find the next paper.

Respond in the following format:

THOUGHT:
<THOUGHT>

ANSWER:
The paper.

In the answer, respond in JSON format with the following fields:
- "title": the title of the paper
- "reason": why it fits
{{ shelf }}
"""
_EDITS = """Correct the poem. Return the change in the format below.
Within `<verse></verse>`, replace `...` with its number.
Within `<old></old>`, replace `...` with the old words.
{{ poem }}
"""
_EACH = """Correct the poem and return each change in the format below.
<old>[the words]</old>
<new>[better words]</new>
{{ poem }}
"""
_BETWEEN = """Judge the song. A grade of 10 is best.
The final grade for the words should be between the tags <Words> and </Words>, and the
final grade for the beat should be between the tags <Rhythm> and </Rhythm>.
{{ song }}
"""
_REPEATED = """Correct the letter. Answer in tags as in:
<old>[the words]</old> <new>[better words]</new>
There may be several changes: several edits are written one below the other.
{{ letter }}
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (_SHOWN, "line 7: an answer is shown as JSON with the key 'remarks'"),
        (_LETTER, "line 7: JSON under the label 'PLAN JSON'"),
        (_THOUGHT_FIRST, "line 5: 'THOUGHT' is a part of the answer beside its JSON"),
        (_EDITS, "the answer has tags, and what belongs into <"),
        (_EACH, "line 1: the parts of the answer may come several times"),
        (_BETWEEN, "what belongs into <Rhythm> is not read"),
        (_REPEATED, "line 3: the parts of the answer may come several times"),
    ],
)
def test_a_form_that_is_not_read_whole_is_refused_with_its_line(text: str, said: str) -> None:
    found = infer(text)
    assert not found.fields
    assert said in found.problems[0]


@pytest.mark.parametrize(
    "text",
    [
        # A list that is only spoken about.
        (
            "A manual has the following sections:\n"
            "- Safety: what may burn\n- Parts: what is in the box\n\nAnswer the reader.\n{{ q }}"
        ),
        # A sample of the input.
        "Every mail is stored in this format:\nSender: [a name]\nBody: [the text]\n\nTranslate the mail.\n{{ mail }}",
        # A definition; what is asked for is a text.
        (
            "A knot has a state that tells whether the rope is loose or tight.\n"
            "Describe which knots a sailor needs.\n{{ rope }}"
        ),
        # Keys of things that are spoken about.
        (
            "The warehouse sends records. Their fields:\n"
            "- item: what it is\n- shelf: where it is\n\nTell a joke about them.\n{{ rows }}"
        ),
        # A range that is only spoken about.
        (
            "Grades go from 1 to 5 here: a score between 1 and 5 is on each certificate.\n\n"
            "Tell a parent what that means.\n{{ it }}"
        ),
    ],
)
def test_what_is_only_spoken_about_is_no_form(text: str) -> None:
    assert not infer(text).fields


def test_a_ruled_or_quoted_order_is_read() -> None:
    either = infer("Is the door shut?\nYour response must be either 'shut' or 'open' with no other words.\n{{ door }}")
    assert either.fields[0].schema == {"type": "string", "enum": ["shut", "open"]}


def test_an_aside_after_a_value_is_said_of_it() -> None:
    found = infer(
        'Return JSON:\n{\n  "found": true or false,\n  "shelf": "name of the shelf" (if available)\n}\n{{ query }}'
    )
    assert [(item.name, item.schema["type"]) for item in found.fields] == [
        ("found", "boolean"),
        ("shelf", ["string", "null"]),
    ]


def test_a_value_with_its_reasoning_is_not_named_after_the_last_line() -> None:
    found = infer("Respond with either Yes or No.\n{{ question }}\nNow evaluate the following:")
    assert found.fields[0].name == "answer"


def test_a_reason_that_is_given_is_not_one_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "v1.j2"
    path.write_text(
        "Name the ship again. The reason for this is that sailors cannot pronounce it.\n"
        "Respond with only the new name in <name> tags, nothing else.\n{{ ship }}\n"
    )
    assert [item.name for item in structure(load_prompt(path)).fields] == ["name"]


def test_the_words_to_answer_with_are_labels() -> None:
    found = infer('Is the bill paid? Return ONLY the word "paid" or "open", with no additional text.\n{{ bill }}')
    assert found.fields[0].schema == {"type": "string", "enum": ["paid", "open"]}
