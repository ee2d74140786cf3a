"""A task that needs its reasoning: both forms are compared at once, and the right one is recommended."""

import json

import pytest

from promptopt.templates import load_prompt

PROMPT = """---
model: gpt-4o-mini
max_output_tokens: 200
answer: '(?i)\\b(yes|no)\\b'
---
If you follow these navigation instructions, do you return to the starting point? Let's think step by step.

{{ steps }}

Answer with one word at the end: yes or no.
"""
ESSAY = "First one walks to the left, then to the right, and looks where that is. " * 6


def model(needs_reasoning):
    """A model that is right about half of the cases where it cannot reason, or about all."""

    def reply(body):
        number = int(body["messages"][-1]["content"].split("Take ")[1].split(" ")[0])
        right = "yes" if number % 2 else "no"
        guess = "yes" if needs_reasoning else right
        form = body.get("response_format")
        if form is None:
            return ESSAY + right
        properties = form["json_schema"]["schema"]["properties"]
        if "reasoning" in properties:
            return json.dumps({"reasoning": "Left, then right.", "answer": right})
        return json.dumps({"answer": guess})

    return reply


@pytest.fixture
def walks(project):
    cases = [
        {
            "description": f"c{n}",
            "vars": {"steps": f"Take {n} steps."},
            "assert": [{"type": "icontains", "value": "yes" if n % 2 else "no"}],
        }
        for n in range(200)
    ]
    project.write({"prompts/walk/v1.j2": PROMPT, "suites/walk.json": json.dumps({"tests": cases})})
    return project


def test_reasoning_is_kept_where_bare_answers_lose(walks, endpoint):
    endpoint.reply = model(needs_reasoning=True)
    done = walks.run("structure", "walk", "--suite", "walk", "--write", **endpoint.environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "walk@v2-reasoning against walk@v1: IMPROVED" in done.stdout
    assert "walk@v2-bare against walk@v1: REGRESSED" in done.stdout
    assert "recommended: walk@v2-reasoning (improved)" in done.stdout
    written = load_prompt("walk@v2").front
    assert list(written.output_schema["properties"]) == ["reasoning", "answer"]
    assert written.answer.extract('{"reasoning":"","answer":"no"}') == "no"


def test_bare_answers_are_taken_where_they_lose_nothing(walks, endpoint):
    endpoint.reply = model(needs_reasoning=False)
    done = walks.run("structure", "walk", "--suite", "walk", "--reasoning", "50", "--write", **endpoint.environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "recommended: walk@v2-bare (improved)" in done.stdout
    assert list(load_prompt("walk@v2").front.output_schema["properties"]) == ["answer"]


def test_nothing_is_written_where_both_lose(walks, endpoint):
    reply = model(needs_reasoning=True)
    endpoint.reply = lambda body: reply(body).replace('"answer": "no"', '"answer": "yes"')
    done = walks.run("structure", "walk", "--suite", "walk", "--write", **endpoint.environment)
    assert done.returncode == 1
    assert "not recommended: walk@v2-reasoning is regressed" in done.stdout
    assert "and walk@v2-bare is regressed" in done.stdout
    assert not (walks.root / "prompts/walk/v2.j2").exists()


def test_without_a_suite_it_is_refused(walks):
    done = walks.run("structure", "walk")
    assert done.returncode == 2
    assert "bare answers would lose it" in done.stderr
    assert "--reasoning 100" in done.stderr
