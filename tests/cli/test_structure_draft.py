"""``promptopt structure --draft``: what it prints, and what it excludes."""

import json

_PROMPT = 'Loads go from 0 to 9, winds from 2 to 5.\nReturn {"rust": 0.5, "note": "what you see"}\n'


def test_the_draft_is_shown_with_its_doubts_and_the_way_on(project):
    project.write({"prompts/hull/v1.j2": _PROMPT})
    done = project.run("structure", "hull", "--draft", "form.json")
    assert done.returncode == 0, done.stderr
    assert "rust: number" in done.stdout
    assert "doubted: line 1" in done.stdout
    assert "promptopt structure hull --schema form.json" in done.stdout
    corrected = project.run("structure", "hull", "--schema", "form.json", "--json")
    assert list(json.loads(corrected.stdout)["output_schema"]["properties"]) == ["rust", "note"]


def test_a_draft_comes_from_the_prompt_alone(project):
    project.write({"prompts/hull/v1.j2": _PROMPT})
    done = project.run("structure", "hull", "--draft", "form.json", "--ask", "local:x")
    assert done.returncode == 2
    assert "--draft and --ask exclude each other" in done.stderr
