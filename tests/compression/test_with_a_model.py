"""``compress --suite`` and ``--rewrite``, through the real SDK against a local endpoint."""

import json

import pytest
from wire import completion

from promptopt import count
from promptopt.compression.by_model.paragraph import RewrittenParagraph

PROMPT = """---
model: gpt-4o-mini
temperature: 0
max_output_tokens: 20
calls_per_month: 300000
---
I would like you to please classify the ticket, and please make sure that the answer is one word.
In order to help, please note that you must never invent a team.

{{ ticket }}
"""
CASES = [(f"case-{n}", f"ticket {n}", "billing" if n % 2 else "delivery") for n in range(160)]


@pytest.fixture
def guarded(project, endpoint):
    tests = "".join(
        f"- {{description: {name}, vars: {{ticket: {ticket}}}, assert: [{{type: contains, value: {team}}}]}}\n"
        for name, ticket, team in CASES
    )
    project.write({"prompts/triage/v1.j2": PROMPT, "suites/triage.yaml": tests})
    return project


def answer(body, right=lambda text: True):
    """The right team, or always the same where ``right`` says no; usage is billed by what was sent."""
    text = body["messages"][-1]["content"]
    number = int(text.split("ticket ")[-1])
    said = CASES[number][2] if right(text) else "hm"
    return 200, {}, completion(said, body["model"], prompt_tokens=count(text).tokens)


def test_a_shorter_prompt_that_answers_as_well_is_to_be_kept(guarded, endpoint):
    endpoint.reply = answer
    done = guarded.run("compress", "triage", "--suite", "triage", **endpoint.environment)
    assert done.returncode == 0, done.stderr
    assert "keep the shorter prompt: improved" in done.stdout
    # Both prompts were asked, each case once, and the answers kept for the next time.
    assert len(endpoint.requests) == 2 * len(CASES)
    endpoint.requests.clear()
    assert guarded.run("compress", "triage", "--suite", "triage", **endpoint.environment).returncode == 0
    assert endpoint.requests == []


def test_a_shorter_prompt_that_answers_worse_is_not_to_be_kept(guarded, endpoint):
    endpoint.reply = lambda body: answer(body, right=lambda text: "I would like you to please" in text)
    done = guarded.run("compress", "triage", "--suite", "triage", **endpoint.environment)
    assert done.returncode == 1
    assert "do not keep the shorter prompt: regressed" in done.stdout


def rewrite(text):
    """An endpoint that answers every request for a rewrite with ``text``."""
    return lambda body: text


def test_a_models_rewrite_is_taken_and_pays_for_itself(guarded, endpoint):
    endpoint.reply = rewrite("Classify the ticket in one word. You must never invent a team.")
    done = guarded.run("compress", "triage", "--rewrite", "gpt-4o-mini", "--json", **endpoint.environment)
    assert done.returncode == 0, done.stderr
    assert "rewrite: 1 of 1 proposals kept every fact; asking cost $" in done.stderr
    assert "paid for after" in done.stderr
    assert "Classify the ticket in one word." in json.loads(done.stdout)["text"]
    assert "{{ ticket }}" in json.loads(done.stdout)["text"]


def test_a_models_rewrite_that_loses_a_fact_is_refused(guarded, endpoint):
    endpoint.reply = rewrite("Classify the ticket in one word. You may invent a team.")
    done = guarded.run("compress", "triage", "--rewrite", "gpt-4o-mini", **endpoint.environment)
    assert "rewrite: 0 of 1 proposals kept every fact" in done.stderr
    assert "invent a team" in done.stdout
    assert "may invent" not in done.stdout


def test_rewrites_are_compared_on_the_suite_in_the_same_run(guarded, endpoint):
    short = "Classify the ticket in one word. You must never invent a team."
    endpoint.reply = lambda body: short if "<text>" in body["messages"][-1]["content"] else answer(body)
    done = guarded.run("compress", "triage", "--rewrite", "gpt-4o-mini", "--suite", "triage", **endpoint.environment)
    assert done.returncode == 0, done.stderr
    assert "keep the shorter prompt: improved" in done.stdout


def test_a_paragraph_with_a_variable_is_rewritten_and_keeps_it(project, endpoint):
    wordy = "Please be so kind as to write a poem that is about the town of {{ town }} and its harbour.\n"
    project.write({"prompts/poem/v1.j2": wordy})
    for answer_text, kept in (
        ("Write a poem about the town of {{ town }} and its harbour.", 1),
        ("Write a poem about the town and its harbour.", 0),
        ("Write a poem about the town of {{ city }} and its harbour.", 0),
    ):
        endpoint.reply = rewrite(answer_text)
        done = project.run("compress", "poem", "--rewrite", "gpt-4o-mini", "--level", "safe", **endpoint.environment)
        assert f"rewrite: {kept} of 1 proposals kept every fact" in done.stderr


def test_variables_keep_their_order(project, endpoint):
    wordy = "Please be so kind as to plan a journey that goes from {{ home }} to {{ town }} by train.\n"
    project.write({"prompts/trip/v1.j2": wordy})
    for answer_text, kept in (
        ("Plan a journey from {{ home }} to {{ town }} by train.", 1),
        ("Plan a journey from {{ town }} to {{ home }} by train.", 0),
    ):
        endpoint.reply = rewrite(answer_text)
        done = project.run("compress", "trip", "--rewrite", "gpt-4o-mini", "--level", "safe", **endpoint.environment)
        assert f"rewrite: {kept} of 1 proposals kept every fact" in done.stderr


def test_a_refused_rewrite_names_every_lost_fact(project, endpoint):
    project.write(
        {"prompts/list/v1.j2": "Describe all of the whales, gulls, crabs, seals and tides that you can see.\n"}
    )
    endpoint.reply = rewrite("Describe.")
    done = project.run("compress", "list", "--rewrite", "gpt-4o-mini", "--json", **endpoint.environment)
    refused = [edit["refused"] for edit in json.loads(done.stdout)["refused"] if edit["rule"] == "rewrite"]
    assert refused == ["would lose 'whales', 'gulls', 'crabs', 'seals', 'tides'"]


def test_after_a_refusal_the_model_is_asked_once_more_with_the_reason(project, endpoint):
    project.write(
        {"prompts/list/v1.j2": "Please would you describe all of the whales and the gulls that you can see.\n"}
    )
    endpoint.reply = lambda body: (
        "Describe all whales and gulls you see." if "gulls'" in str(body) else "Describe all whales."
    )
    done = project.run("compress", "list", "--rewrite", "gpt-4o-mini", "--json", **endpoint.environment)
    found = json.loads(done.stdout)
    assert found["text"] == "Describe all whales and gulls you see.\n"
    assert found["refused"] == []
    assert "rewrite: 1 of 1 proposals kept every fact" in done.stderr
    first, second = (request["messages"] for request in endpoint.requests)
    assert second[: len(first)] == first
    assert second[-2]["content"] == "Describe all whales."
    assert "would lose 'gulls'" in second[-1]["content"]


@pytest.mark.parametrize(("answers", "asked"), [([""], 1), (["Describe."], 2), (["Describe.", "Look.", "More."], 2)])
def test_a_model_is_asked_twice_at_most(answers, asked, project, endpoint):
    project.write(
        {"prompts/list/v1.j2": "Please would you describe all of the whales and the gulls that you can see.\n"}
    )
    endpoint.reply = lambda body: answers[min(len(body["messages"]) // 2, len(answers)) - 1]
    done = project.run("compress", "list", "--rewrite", "gpt-4o-mini", "--json", **endpoint.environment)
    assert len(endpoint.requests) == asked
    refused = [edit["new"] for edit in json.loads(done.stdout)["refused"] if edit["rule"] == "rewrite"]
    assert refused == answers[:asked]


def test_of_a_refused_rewrite_the_sentences_that_lose_nothing_are_taken(project, endpoint):
    wordy = (
        "I would like you to please describe the harbour of the town. "
        "You must never mention the price of the boats. "
        "Please make sure that you always write at most 90 words.\n"
    )
    project.write({"prompts/harbour/v1.j2": wordy})
    endpoint.reply = rewrite("Describe the town's harbour. Mention the boats. Write at most 90 words.")
    done = project.run("compress", "harbour", "--rewrite", "gpt-4o-mini", "--json", **endpoint.environment)
    found = json.loads(done.stdout)
    assert found["text"].startswith("Describe the town's harbour. ")
    assert "never mention the price of the boats. " in found["text"]
    assert found["text"].endswith("rite at most 90 words.\n")
    assert "'price'" in next(edit["refused"] for edit in found["refused"] if edit["rule"] == "rewrite")


def test_an_answer_that_runs_away_is_not_read(monkeypatch):
    old = "Route each ticket to one team. Never route a ticket twice."
    monkeypatch.setattr("promptopt.compression.by_model.paragraph.asked_in", None)
    paragraph = RewrittenParagraph(old, 0, len(old), lambda text: count(text).tokens)
    assert paragraph.judged("ticket " * 10_000).refusal == "is not shorter"
    assert paragraph.kept_sentences("ticket " * 10_000, lambda *_: False) == old


def test_without_the_parser_nothing_is_asked(guarded, endpoint):
    hide = "import sys\nsys.modules['spacy'] = None\nimport importlib.util as util\nfind = util.find_spec\n"
    hide += "util.find_spec = lambda name, *more: None if name == 'spacy' else find(name, *more)\n"
    guarded.write({"hidden/sitecustomize.py": hide})
    environment = {**endpoint.environment, "PYTHONPATH": str(guarded.root / "hidden")}
    done = guarded.run("compress", "triage", "--rewrite", "gpt-4o-mini", **environment)
    assert done.returncode == 2
    assert "pip install 'promptopt-llm[grammar]'" in done.stderr
    assert endpoint.requests == []
