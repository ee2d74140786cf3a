"""``promptopt structure --ask``, through the real provider and a local endpoint."""

import json

import pytest
from openai.types.chat import ChatCompletion
from readings import answer, cases
from wire import completion

from promptopt.structured.by_model.possible_values import VALUES_SCHEMA

CASES = cases()
YARD = CASES["01-boat-yard"]
SPAM = CASES["03-spam-label"]
TWICE = CASES["09-asked-twice"]


def served(endpoint, *readings, values=None):
    """The endpoint gives these readings one after the other, the last one again and again, and these values."""
    texts = [json.dumps(answer(one)) for one in readings]
    values = json.dumps({"places": [], "missing": [], **(values or {})})

    def reply(body):
        if schema_of(body) == VALUES_SCHEMA["title"]:
            return values
        asked = sum(schema_of(one) != VALUES_SCHEMA["title"] for one in endpoint.requests)
        return texts[min(asked, len(texts)) - 1]

    endpoint.reply = reply


def schema_of(request):
    return request["response_format"]["json_schema"]["name"]


def ask(project, endpoint, prompt, *options, model="gpt-4.1"):
    project.write({"prompts/p/v1.j2": prompt})
    return project.run("structure", "p", "--ask", model, *options, **endpoint.environment)


def test_a_proved_reading_becomes_the_next_version(project, endpoint):
    served(endpoint, YARD["reading"])
    done = ask(project, endpoint, YARD["prompt"], "--write", "--json")
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert data["form"] == "schema"
    assert data["output_schema"]["properties"]["boats"] == {"type": "array", "items": {"type": "string"}, "maxItems": 4}
    topic = data["fields"][0]
    assert (topic["line"], topic["source"]) == (
        4,
        'proposed by gpt-4.1, line 4: “"topic": one of repair, storage, sale or other”',
    )
    assert data["answer"] is None
    assert any(note.startswith("gpt-4.1 was asked 2 times, $0.0") for note in data["notes"])
    assert (project.root / "prompts/p/v2.j2").is_file()
    request, for_values = endpoint.requests
    assert request["response_format"]["json_schema"]["strict"] is True
    assert '4: - "topic": one of repair' in request["messages"][1]["content"]
    assert for_values["response_format"]["json_schema"]["strict"] is True
    shown = for_values["messages"][1]["content"]
    assert '4: - "topic": one of repair' in shown
    assert shown.endswith("\n\n/topic\n/urgency\n/boats\n/boats/*\n/callback\n/phone".replace("\n\n", ":\n"))


def test_the_one_value_is_scored_and_the_text_form_is_kept_if_it_is_wanted(project, endpoint):
    served(endpoint, SPAM["reading"])
    done = ask(project, endpoint, SPAM["prompt"], "--form", "text", "--json")
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert data["form"] == "text"
    assert data["output_schema"] is None
    assert "UNREADABLE" in data["answer"]


def test_a_refused_reading_is_asked_for_once_more_with_the_reason(project, endpoint):
    served(endpoint, TWICE["reading"], TWICE["again"])
    done = ask(project, endpoint, TWICE["prompt"])
    assert done.returncode == 0, done.stderr
    assert "gpt-4.1 was asked 3 times" in " ".join(done.stdout.split())
    second = endpoint.requests[1]["messages"]
    assert [message["role"] for message in second] == ["system", "user", "assistant", "user"]
    assert "Refused:\n1. line 3: null is said of /litres" in second[-1]["content"]


def test_what_is_refused_twice_is_told_and_nothing_is_written(project, endpoint):
    served(endpoint, TWICE["reading"])
    done = ask(project, endpoint, TWICE["prompt"], "--write")
    assert done.returncode == 2
    assert "cannot infer the form of the answer: what gpt-4.1 reads is refused: line 3: null" in done.stderr
    assert "gpt-4.1 was asked 2 times, $0.0" in done.stderr
    assert len(endpoint.requests) == 2
    assert not (project.root / "prompts/p/v2.j2").exists()


SAID = 'Say "Verdict: A" if knot A holds better, "Verdict: B" if knot B does, and "Verdict: tie" if both hold'
KNOTS = f"""\
Compare the two knots. {SAID}.

[Answer A]
{{{{ a }}}}

[Answer B]
{{{{ b }}}}
"""
VERDICT = {
    "form": "text",
    "values": [
        {
            "path": "/verdict",
            "types": ["string"],
            "labels": ["Verdict: A", "Verdict: B", "Verdict: tie"],
            "quotes": [f"1: {SAID}"],
        }
    ],
}


def test_a_mistaken_objection_stops_nothing_if_the_model_shows_it_with_words_of_the_prompt(project, endpoint):
    served(endpoint, VERDICT, {**VERDICT, "mistaken": [{"number": 1, "line": 3, "words": "[Answer A]"}]})
    done = ask(project, endpoint, KNOTS, "--json")
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert data["fields"][0]["schema"]["enum"] == ["Verdict: A", "Verdict: B", "Verdict: tie"]
    (note,) = [note for note in data["notes"] if "mistaken" in note]
    assert "'Answer A' sets a code" in note
    assert "gpt-4.1 says that this is mistaken (“[Answer A]”)" in note


@pytest.mark.parametrize(
    "mistaken",
    [
        [],
        [{"number": 2, "line": 3, "words": "[Answer A]"}],
        [{"number": 1, "line": 3, "words": "the answers are input"}],
        [{"number": 1, "line": 3, "words": " "}],
    ],
)
def test_an_objection_holds_against_words_that_the_prompt_does_not_have(project, endpoint, mistaken):
    served(endpoint, VERDICT, {**VERDICT, "mistaken": mistaken})
    done = ask(project, endpoint, KNOTS)
    assert done.returncode == 2
    assert "'Answer A' sets a code" in done.stderr


def test_what_the_words_do_not_spell_is_no_objection_that_can_be_mistaken(project, endpoint):
    wrong = {**VERDICT, "values": [{**VERDICT["values"][0], "labels": ["Verdict: A", "Verdict: draw"]}]}
    served(endpoint, wrong, {**wrong, "mistaken": [{"number": 1, "line": 1, "words": "both hold"}]})
    done = ask(project, endpoint, KNOTS)
    assert done.returncode == 2
    assert "the label 'Verdict: draw' is not in the words" in done.stderr


def test_a_model_that_gets_on_is_asked_again(project, endpoint):
    part = {**VERDICT, "values": [{**VERDICT["values"][0], "labels": ["Verdict: A", "Verdict: draw"]}]}
    served(endpoint, part, VERDICT, {**VERDICT, "mistaken": [{"number": 1, "line": 3, "words": "[Answer A]"}]})
    done = ask(project, endpoint, KNOTS)
    assert done.returncode == 0, done.stderr
    assert "gpt-4.1 was asked 4 times" in " ".join(done.stdout.split())


def place(path, allowed=(), ruled_out=()):
    def tried(value, quote):
        line, _, words = quote.partition(": ")
        return {"value": value, "line": int(line), "words": words}

    return {"path": path, "allowed": [tried(*one) for one in allowed], "ruled_out": [tried(*one) for one in ruled_out]}


BATCH = """\
Read the brewer's note. Answer in JSON: {"litres": 20, "yeast": "ale | lager"}.
Batches may be of any size; the yeast is not always said.

{{ note }}
"""
QUOTE = '1: {"litres": 20, "yeast": "ale | lager"}'
LITRES = {"path": "/litres", "types": ["integer"], "quotes": [QUOTE, "2: Batches may be of any size"]}
YEAST = {"path": "/yeast", "types": ["string"], "labels": ["ale", "lager"], "quotes": [QUOTE]}
UNSAID = {**YEAST, "types": ["string", "null"], "quotes": [QUOTE, "2: the yeast is not always said"]}
VALUES = {
    "places": [
        place("/litres", [(20, "1: 20"), (18.5, "2: Batches may be of any size")]),
        place("/yeast", [("ale", "1: ale"), (None, "2: the yeast is not always said")], [("wild", '1: "ale | lager"')]),
    ]
}


def test_values_that_the_prompt_allows_try_the_form(project, endpoint):
    first = {"values": [LITRES, YEAST]}
    second = {"values": [{**LITRES, "types": ["number"]}, UNSAID]}
    sample = {"number": 1, "line": 2, "words": "Batches may be of any size"}  # a sample alone shows no whole number
    served(endpoint, {**first, "mistaken": []}, {**first, "mistaken": [sample]}, second, values=VALUES)
    done = ask(project, endpoint, BATCH, "--json")
    assert done.returncode == 0, done.stderr
    asked = [request["messages"][-1]["content"] for request in endpoint.requests]
    objections = next(text for text in asked if "seems to allow" in text)
    assert "line 2: 'Batches may be of any size' seems to allow 18.5 in /litres, which this form refuses" in objections
    assert "line 2: 'the yeast is not always said' seems to allow null in /yeast" in objections
    properties = json.loads(done.stdout)["output_schema"]["properties"]
    assert properties["litres"]["type"] == "number"
    assert None in properties["yeast"]["enum"] or "null" in str(properties["yeast"])
    assert sum(schema_of(request) == VALUES_SCHEMA["title"] for request in endpoint.requests) == 1


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if "refused" in case])
def test_no_form_is_told_with_the_reason(project, endpoint, name):
    case = CASES[name]
    served(endpoint, case["reading"])
    done = ask(project, endpoint, case["prompt"])
    assert done.returncode == 2
    assert "cannot infer the form of the answer" in done.stderr
    assert all(word in done.stderr for word in case["refused"])


def test_reasoning_before_the_answer_needs_a_place(project, endpoint):
    prompt = (
        "Read the meter.\nWork out the sum step by step, then state it as a whole number from 0 to 900.\n\n{{ m }}\n"
    )
    quotes = ["2: state it as a whole number from 0 to 900"]
    reading = {
        "form": "text",
        "values": [{"path": "/answer", "types": ["integer"], "minimum": 0, "maximum": 900, "quotes": quotes}],
        "beside": [{"kind": "reasoning", "line": 2, "words": "Work out the sum step by step"}],
    }
    served(endpoint, reading)
    done = ask(project, endpoint, prompt)
    assert done.returncode == 2
    assert "--reasoning 100" in done.stderr
    assert "line 2" in done.stderr
    done = ask(project, endpoint, prompt, "--reasoning", "100", "--json")
    assert done.returncode == 0, done.stderr
    assert list(json.loads(done.stdout)["output_schema"]["properties"]) == ["reasoning", "answer"]


def test_no_explanation_is_added_that_was_not_read(project, endpoint):
    prompt = "Sort the request: stock, style or other. Requests for an explanation of sizes are style.\n\n{{ r }}\n"
    quotes = ["1: Sort the request: stock, style or other"]
    value = {"path": "/request", "types": ["string"], "labels": ["stock", "style", "other"], "quotes": quotes}
    served(endpoint, {"form": "text", "values": [value]})
    done = ask(project, endpoint, prompt, "--json")
    assert done.returncode == 0, done.stderr
    assert list(json.loads(done.stdout)["output_schema"]["properties"]) == ["request"]


def test_a_limit_is_kept_before_any_call(project, endpoint):
    done = ask(project, endpoint, YARD["prompt"], "--max-cost", "0.0001")
    assert done.returncode == 2
    assert "asking gpt-4.1 may cost $" in done.stderr
    done = ask(project, endpoint, YARD["prompt"], "--max-cost", "5", model="nobody-knows-it")
    assert done.returncode == 2
    assert "nobody-knows-it is unpriced" in done.stderr
    assert not endpoint.requests


def test_an_unpriced_model_is_said(project, endpoint):
    served(endpoint, YARD["reading"])
    done = ask(project, endpoint, YARD["prompt"], model="nobody-knows-it")
    assert done.returncode == 0, done.stderr
    assert "nobody-knows-it was asked 2 times, unpriced" in " ".join(done.stdout.split())


def test_values_that_are_none_leave_the_form_untried_and_refused(project, endpoint):
    served(endpoint, YARD["reading"])
    readings = endpoint.reply
    endpoint.reply = lambda body: "Sorry." if schema_of(body) == VALUES_SCHEMA["title"] else readings(body)
    done = ask(project, endpoint, YARD["prompt"], "--write")
    assert done.returncode == 2
    assert "gpt-4.1 did not say which values an answer may have" in done.stderr
    assert not (project.root / "prompts/p/v2.j2").exists()


def _cut_off(body):
    made = ChatCompletion.model_validate_json(completion('{"form": "js', body["model"]))
    made.choices[0].finish_reason = "length"
    return 200, {}, made.model_dump_json().encode()


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (lambda _: "I'm sorry, but I can't help with that.", "did not say what it reads"),
        (lambda _: "The form is a list.", "did not say what it reads"),
        (lambda _: '{"form": "yaml", "why": "", "values": [], "beside": []}', "did not say what it reads"),
        (_cut_off, "was cut off"),
        (lambda _: (401, {}, b'{"error": {"message": "no such key"}}'), "no such key"),
    ],
)
def test_answers_that_are_none(project, endpoint, reply, told):
    endpoint.reply = reply
    done = ask(project, endpoint, YARD["prompt"], "--write")
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert len(endpoint.requests) == 1
    assert not (project.root / "prompts/p/v2.j2").exists()


def test_labelled_lines_stay_text_unless_the_schema_is_wanted(project, endpoint):
    case = CASES["04-poem-lines"]
    served(endpoint, case["reading"])
    done = ask(project, endpoint, case["prompt"], "--json")
    data = json.loads(done.stdout)
    assert data["form"] == "text"
    assert any("kept as text: line 3: 'Rhythm: <1 to 6>'" in note for note in data["notes"])
    done = ask(project, endpoint, case["prompt"], "--form", "schema", "--json")
    data = json.loads(done.stdout)
    assert data["output_schema"]["properties"]["Rhythm"] == {"type": "integer", "minimum": 1, "maximum": 6}
    assert any("line 3: 'Rhythm: <1 to 6>' asks for another form" in note for note in data["notes"])


def test_what_asking_cost_is_not_left_for_the_comparison(project, endpoint):
    rows = [{"vars": {"message": f"m{n}"}, "assert": [{"type": "icontains", "value": "private"}]} for n in range(3)]
    project.write({"suites/p.json": json.dumps({"tests": rows})})
    served(endpoint, SPAM["reading"])
    text_of = endpoint.reply
    endpoint.reply = lambda body: (200, {}, completion(text_of(body), body["model"], prompt_tokens=1_000_000))
    # The words are found although the front matter moves their lines: they are in the prompt once.
    prompt = f"---\nmodel: gpt-4.1\nmax_output_tokens: 9\n---\n{SPAM['prompt']}"
    done = ask(project, endpoint, prompt, "--suite", "p", "--max-cost", "1")
    assert done.returncode == 2
    assert "may cost more than --max-cost $0.0" in done.stderr
    assert len(endpoint.requests) == 2
