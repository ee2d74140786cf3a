"""Answers of other tools: taken over as they are, or not at all."""

import json
import re

import pytest

from promptopt import compare, load_prompt, load_suite
from promptopt.errors import RecordingError, SecretRecorded
from promptopt.experiment.importing import Imported, import_answers
from promptopt.providers.recordings import UNDATED, RecordingFile

MODEL = "gpt-4o-mini"
KEY = "sk-" + "exampleEXAMPLEexample00000"


@pytest.fixture
def greet(project):
    project.write(
        {
            "prompts/greet.j2": f"---\nmodel: {MODEL}\n---\nGreet {{{{ name }}}}",
            "suites/greet.yaml": "".join(
                f"- {{description: {name}, vars: {{name: {name}}}, assert: [{{type: contains, value: hi}}]}}\n"
                for name in ("a", "b")
            ),
        }
    )
    return project


def take(project, *rows: dict, model: str = MODEL) -> Imported:
    project.write({"rows.jsonl": "\n".join(map(json.dumps, rows))})
    return import_answers(project.root / "rows.jsonl", load_prompt("greet"), load_suite("greet"), model)


def test_a_secret_in_a_later_row_leaves_no_earlier_one(greet) -> None:
    take(greet, {"case": "a", "output": "hi before"})
    path = greet.root / "suites/greet/recordings/greet.jsonl"
    before = path.read_bytes()
    with pytest.raises(SecretRecorded, match="the answer to case 'b' holds what looks like"):
        take(greet, {"case": "a", "output": "hi after"}, {"case": "b", "output": f"the key is {KEY}"})
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("gpt-4o-mini", "gpt-4o-mini"),
        ("gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
        ("openai/gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
        ("claude-3-5-haiku-latest", "claude-3-5-haiku-20241022"),
        ("claude-haiku-4-5", "anthropic.claude-haiku-4-5-20251001-v1:0"),
        ("gpt-4", "gpt-4-0613"),
        ("gemini-1.5-flash", "models/gemini-1.5-flash-002"),
    ],
)
def test_a_snapshot_of_the_model_is_that_model(greet, asked: str, answered: str) -> None:
    assert take(greet, {"case": "a", "output": "hi", "model": answered}, model=asked).answers == 1


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("gpt-4o-mini", "gpt-4o"),
        ("gpt-4o", "gpt-4o-mini"),
        ("gpt-4o", "gpt-4o-mini-2024-07-18"),
        ("gpt-4o-2024-05-13", "gpt-4o-2024-08-06"),
        ("gpt-5", "gpt-5-nano"),
    ],
)
def test_a_row_of_another_model_is_an_error(greet, asked: str, answered: str) -> None:
    rows = [{"case": "a", "output": "hi"}, {"case": "b", "output": "hi", "model": answered}]
    with pytest.raises(RecordingError, match=f"^rows.jsonl:2: .* case 'b': it is of '{answered}', not of '{asked}'"):
        take(greet, *rows, model=asked)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("2026-05-01T10:00:00Z", "2026-05-01T10:00:00Z"),
        ("2026-05-01T10:00:00.123+02:00", "2026-05-01T08:00:00Z"),
        ("2026-05-01 10:00:00", "2026-05-01T10:00:00Z"),
        ("2026-05-01", "2026-05-01T00:00:00Z"),
        (None, UNDATED),
    ],
)
def test_the_time_of_an_answer_is_kept_in_utc(greet, written: str | None, kept: str) -> None:
    done = take(greet, {"case": "a", "output": "hi", "recorded_at": written})
    (line,) = RecordingFile.read(done.path).lines.values()
    assert line.recorded_at == kept


@pytest.mark.parametrize("written", ["yesterday", "2026-13-01", 1767225600, "undated"])
def test_what_is_not_a_time_is_an_error(greet, written: object) -> None:
    with pytest.raises(RecordingError, match=r"^rows\.jsonl:1: .* case 'a': recorded_at: .* is not a time"):
        take(greet, {"case": "a", "output": "hi", "recorded_at": written})


def test_undated_answers_are_replayed_and_said_to_be_undated(greet) -> None:
    done = take(greet, {"case": "a", "output": "hi"}, {"case": "b", "output": "no"})
    assert all("recorded_at" in line for line in map(json.loads, done.path.read_text().splitlines()))
    greet.write({"prompts/greet.j2": f"---\nmodel: {MODEL}\n---\nGreet {{{{ name }}}}"})
    (summary, *_) = compare("greet", record="none").variants
    assert (summary.replayed, summary.recorded, summary.pass_rate) == (2, (UNDATED, UNDATED), 0.5)
    take(greet, {"case": "a", "output": "hi", "recorded_at": "2026-05-01"}, {"case": "b", "output": "no"})
    found = compare("greet", record="none")
    assert found.variants[0].recorded == ("2026-05-01", "2026-05-01")
    assert "2 replayed, recorded 2026-05-01, 1 undated; 0 live" in str(found)


def test_cells_of_any_length_are_imported(greet) -> None:
    greet.write({"rows.csv": f"case, output\na,{'hi ' * 60_000}\n"})
    done = import_answers(greet.root / "rows.csv", load_prompt("greet"), load_suite("greet"), MODEL)
    (line,) = RecordingFile.read(done.path).lines.values()
    assert line.response.text == "hi " * 60_000


@pytest.mark.parametrize(
    ("usage", "kept"),
    [
        (
            {"prompt_tokens": 9, "completion_tokens": 8, "completion_tokens_details": {"reasoning_tokens": 7}},
            (9, 0, 8, 7),
        ),
        ({"input_tokens": 9, "output_tokens": 8, "input_tokens_details": {"cached_tokens": 4}}, (9, 4, 8, 0)),
        # Anthropic counts cached tokens beside the others.
        ({"input_tokens": 9, "output_tokens": 8, "cache_read_input_tokens": 40}, (49, 40, 8, 0)),
        ({"input_tokens": 9, "output_tokens": 8, "cache_read_tokens": 4, "output_reasoning_tokens": 2}, (9, 4, 8, 2)),
    ],
)
def test_usage_is_read_as_that_of_a_live_answer(greet, usage: dict, kept: tuple[int, ...]) -> None:
    (line,) = RecordingFile.read(take(greet, {"case": "a", "output": "hi", "usage": usage}).path).lines.values()
    found = line.response.usage
    assert found is not None
    assert (found.input_tokens, found.cache_read_tokens, found.output_tokens, found.output_reasoning_tokens) == kept


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"input_tokens": 3.7, "output_tokens": 1}, "input_tokens: 3.7 is not a whole number of 0 or more"),
        ({"input_tokens": 3, "output_tokens": "1,000"}, "output_tokens: '1,000' is not a whole number of 0 or more"),
        ({"usage": {"prompt_tokens": 9.5, "completion_tokens": 1}}, "prompt_tokens: 9.5 is not a whole number"),
        ({"usage": {"prompt_tokens": 9}}, "input_tokens and output_tokens are given together, or neither"),
        ({"usage": "9"}, "usage: '9' is not an object"),
        ({"repetition": -1}, "repetition: -1 is not a whole number of 0 or more"),
        ({"repetition": "first"}, "repetition: 'first' is not a whole number of 0 or more"),
    ],
)
def test_a_number_that_is_not_one_is_an_error_with_its_line(greet, row: dict, reason: str) -> None:
    with pytest.raises(RecordingError, match=re.escape(f"rows.jsonl:1: the answer to case 'a': {reason}")):
        take(greet, {"case": "a", "output": "hi", **row})


def test_a_call_that_failed_is_no_answer(greet) -> None:
    with pytest.raises(RecordingError, match=r"rows.jsonl:1: the answer to case 'a': finish_reason: the call failed"):
        take(greet, {"case": "a", "output": "", "finish_reason": "error"})


def test_a_usage_of_zeros_is_counted(greet) -> None:
    zeros = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    assert take(greet, {"case": "a", "output": "hi", "usage": zeros}).counted == 1
