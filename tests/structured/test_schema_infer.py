import time

import pytest
from corpora import ABSENT, real_prompts
from hypothesis import given
from hypothesis import strategies as st
from judged import f1, half, judged, judged_own, paths

from promptopt.schemas import strict_findings
from promptopt.structured.infer import infer


@pytest.fixture(scope="module")
def public():
    rows = real_prompts()
    if rows is None:
        pytest.skip(ABSENT.format("prompts/prompts.jsonl"))
    return judged(rows)


@pytest.fixture(scope="module")
def own():
    return judged_own()


def test_own_prompts_against_a_judgement_by_hand(own):
    """No rule was made from these prompts, so that the rate is lower than that of the public ones."""
    assert sum("fields" in expected for *_, expected in own) >= 17
    assert f1(own) >= 0.7


def test_where_an_own_prompt_asks_for_no_form_no_field_is_guessed(own):
    silent = [(name, found) for name, _, found, expected in own if "fields" not in expected]
    assert len(silent) >= 15
    assert [name for name, found in silent if found.fields] == []
    assert all(found.problems for _, found in silent if not found.fields)


def test_public_prompts_against_a_judgement_by_hand(public):
    assert sum(bool(expected) for *_, expected in public) >= 60
    assert f1(public) >= 0.9
    assert f1([row for row in public if half(row[0]) == 0]) >= 0.9
    assert f1([row for row in public if half(row[0]) == 1]) >= 0.9


def test_no_enum_of_a_public_prompt_is_wrong(public):
    for identifier, _, found, expected in public:
        for path, kind in paths(found).items():
            if "|" in (kind or ""):
                assert kind in expected["fields"].values(), f"{identifier}: {path} = {kind}"


def test_where_nothing_can_be_inferred_nothing_is_guessed(public):
    """Forms that depend on a variable, contradict each other, or have no names: no fields, and a reason."""
    doubtful = [(name, found, expected) for name, _, found, expected in public if "fields" not in expected]
    assert sum("cannot" in expected for *_, expected in doubtful) >= 20
    for identifier, found, _ in doubtful:
        assert found.fields == (), identifier
        assert found.problems, identifier


def test_the_contradiction_of_a_public_prompt_is_reported(public):
    told = [found.problems for _, _, found, expected in public if expected.get("cannot") == "contradiction"]
    assert told
    assert all("contradict each other" in problems[0] for problems in told)


ENUM = {"type": "string", "enum": ["billing", "technical", "sales"]}


@pytest.mark.parametrize(
    ("prompt", "name", "schema"),
    [
        ("Classify into one of the following: billing, technical, sales.\n{{ t }}", "answer", ENUM),
        ("Pick one of the following categories: billing, technical or sales.\n{{ t }}", "category", ENUM),
        ("Sort the ticket: billing, technical or sales. Be fair.\n{{ t }}", "answer", ENUM),
        ("Choose one of these categories:\n- billing: invoices\n- technical\n- sales\n\n{{ t }}", "category", ENUM),
        ("Answer with one word: billing, technical or sales.\n{{ t }}", "answer", ENUM),
        ('Possible intents are: "billing", "technical", "sales".\nWhich intent is it?\n{{ t }}', "intent", ENUM),
        (
            "Which team? Choose.\nThe teams are: billing (invoices), technical (faults) and sales (quotes).\n{{ t }}",
            "team",
            ENUM,
        ),
        ("Is this spam? Answer only yes or no.\n{{ t }}", "answer", {"type": "string", "enum": ["yes", "no"]}),
        ("Answer yes or no: is it spam? {{ t }}", "answer", {"type": "string", "enum": ["yes", "no"]}),
        (
            "Is the sentiment positive, negative, or neutral? {{ t }}",
            "sentiment",
            {"type": "string", "enum": ["positive", "negative", "neutral"]},
        ),
        (
            "Choose one of these teams: billing (invoices, refunds), technical (faults) or sales (quotes).\n{{ t }}",
            "team",
            ENUM,
        ),
        (
            "Answer using the scale of 1 to 5, where 5 is best.\n{{ t }}",
            "score",
            {"type": "integer", "minimum": 1, "maximum": 5},
        ),
        (
            'Only reply with the points in the following format: "- [mapped point]".\n{{ t }}',
            "mapped_points",
            {"type": "array", "items": {"type": "string"}},
        ),
        ("Rate the text on a scale of 1 to 5.\n{{ t }}", "score", {"type": "integer", "minimum": 1, "maximum": 5}),
        (
            "Answer with an integer between 1 and 10.\n{{ t }}\nstars:",
            "stars",
            {"type": "integer", "minimum": 1, "maximum": 10},
        ),
        (
            "List up to five keywords.\n{{ t }}",
            "keywords",
            {"type": "array", "items": {"type": "string"}, "maxItems": 5},
        ),
    ],
)
def test_one_field(prompt, name, schema):
    inferred = infer(prompt)
    assert [(field.name, field.schema) for field in inferred.fields] == [(name, schema)]
    assert f"line {inferred.fields[0].line}" in inferred.fields[0].source
    assert strict_findings(inferred.schema()) == []


TEXT = {"type": "string"}
TEXTS = {"type": "array", "items": TEXT}


@pytest.mark.parametrize(
    ("prompt", "fields"),
    [
        (
            "Use the below headings:\n## 1. Survey\n### 1.1. Facts given\nList them.\n### 1.2 Mood\n## 2. Plan\nGo.",
            {"facts_given": TEXTS, "mood": TEXT, "plan": TEXT},
        ),
        (
            "# OUTPUT SECTIONS\n\n- **GREETING:**\n  - Greet.\n\n- **BODY:**\n  - Say it.\n\n# INPUT\n{{ t }}",
            {"greeting": TEXT, "body": TEXT},
        ),
        ('Answer it. ALWAYS return a "SOURCES" part in your answer.\n{{ t }}', {"answer": TEXT, "sources": TEXTS}),
    ],
)
def test_headings_and_parts(prompt, fields):
    assert {field.name: field.schema for field in infer(prompt).fields} == fields


def test_headings_of_the_prompt_itself_are_no_form():
    assert infer("## 1. Task\nSummarize.\n## 2. Text\n{{ t }}").fields == ()


def test_shorthand():
    fields = infer("Return {sentiment: positive|negative|neutral, score: 0-1} for {{ review }}").fields
    assert fields[0].schema == {"type": "string", "enum": ["positive", "negative", "neutral"]}
    assert fields[1].schema == {"type": "number", "minimum": 0, "maximum": 1}


def test_template_with_placeholders_keeps_their_words_as_descriptions():
    form = '{\n  "label": "spam" | "ham",\n  "score": <float 0-1>,\n  "why": "<one short sentence>"\n}'
    prompt = f"Respond with JSON:\n{form}\n{{{{ t }}}}"
    label, score, why = infer(prompt).fields
    assert label.schema == {"type": "string", "enum": ["spam", "ham"]}
    assert score.schema == {"type": "number", "minimum": 0, "maximum": 1}
    assert why.schema == {"type": "string", "description": "one short sentence"}


def test_examples_are_merged_and_their_words_are_no_schema():
    examples = 'Input: a\nOutput: {"name": "A", "price": 3}\nInput: b\nOutput: {"name": "B", "price": 2.5}'
    prompt = f"Extract JSON.\n{examples}\n{{{{ t }}}}\nOutput:"
    assert [(field.name, field.schema) for field in infer(prompt).fields] == [
        ("name", {"type": "string"}),
        ("price", {"type": "number"}),
    ]


def test_keys_in_prose_sections_tables_and_forms():
    assert [
        f.name for f in infer("Respond with a JSON object containing the fields name, email and phone.").fields
    ] == ["name", "email", "phone"]
    fields = infer(
        "Your output has the following sections:\n1. Summary: one sentence\n2. Risks: bullets\n3. Verdict: yes or no\n"
    ).fields
    assert [field.schema.get("type") for field in fields] == ["string", "array", "string"]
    assert fields[2].schema["enum"] == ["yes", "no"]
    rows = infer("Return a table with columns name, price and rating.\n{{ t }}").fields[0].schema
    assert list(rows["items"]["properties"]) == ["name", "price", "rating"]
    form = infer("Format the answer as:\nSentiment: <positive/negative>\nConfidence: <0-100>\n").fields
    assert form[0].schema["enum"] == ["positive", "negative"]
    assert form[1].schema == {"type": "integer", "minimum": 0, "maximum": 100}


@pytest.mark.parametrize(
    ("prompt", "why"),
    [
        (
            'Possible intents: "return", "exchange product", "other".\n{{ t }}\n"return", "exchange" or "other"?',
            "contradict",
        ),
        ('Return JSON {"a": "string"}. Example output: {"b": 3}', "different keys"),
        ('{% if json %}Return {"a": "string"} as JSON.{% endif %}{{ t }}', "depends on a variable"),
        ("Pick one of the following: {{ labels }}.\n", "names no labels"),
        ("Antworte nur mit ja oder nein. {{ t }}", "names no labels"),
        ("以下の文章は面白いですか？{{ t }}", "names no labels"),
        ("Summarize the text. {{ t }}", "names no labels"),
    ],
)
def test_no_guess(prompt, why):
    inferred = infer(prompt)
    assert inferred.fields == ()
    assert any(why in problem for problem in inferred.problems), inferred.problems


def test_a_label_that_a_longer_list_adds_is_not_lost_silently():
    inferred = infer("Answer with one word: good or bad.\nPick one of the following: good, bad, mixed.\n{{ t }}")
    assert inferred.fields == ()


def test_non_english_words_around_json_do_not_matter():
    assert infer('Gib JSON zurück: {"stimmung": "positiv|negativ"}').fields[0].schema["enum"] == ["positiv", "negativ"]


@pytest.mark.parametrize(
    "bomb",
    [
        "{" * 50_000,
        '{"a":' * 20_000,
        "one of " * 20_000,
        "[" * 50_000,
        "a, " * 60_000,
        "- x\n" * 50_000,
        "Summary: <" * 20_000,
    ],
)
def test_bombs_take_bounded_time(bomb):
    started = time.process_time()
    infer("Return JSON: " + bomb)
    assert time.process_time() - started < 8


@given(st.text(max_size=300))
def test_any_text_gives_a_strict_schema_or_a_reason(text):
    inferred = infer(text)
    if inferred.fields:
        assert strict_findings(inferred.schema()) == []
    else:
        assert inferred.problems
