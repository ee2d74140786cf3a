"""No input of the benchmark of answers is read wrongly, and most that hold data are read."""

import importlib.util
from collections import Counter
from pathlib import Path

import pytest

import promptopt
from promptopt.errors import AnswerAmbiguous, AnswerError

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "answers_read.py"


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("answers_read", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_input_is_read_wrongly(benchmark):
    rows = benchmark.rows()
    assert len(rows) >= 200
    outcomes = Counter()
    for row in rows:
        outcome, found = benchmark.read(row)
        assert outcome != "wrong", f"{row['text']!r} -> {found!r}"
        outcomes[outcome] += 1
    assert outcomes["right"] >= 0.9 * (outcomes["right"] + outcomes["not read"])


def test_two_spellings_of_a_key_with_different_values_are_ambiguous():
    schema = {"type": "object", "properties": {"guests": {"type": "integer"}}, "required": ["guests"]}
    schema["additionalProperties"] = False
    with pytest.raises(AnswerAmbiguous, match="guests"):
        promptopt.parse('{"guests": 4, "Guests": 5}', schema)
    assert promptopt.parse('{"guests": 4, "Guests": 4}', schema).data == {"guests": 4}


@pytest.mark.parametrize(
    "text",
    [
        "The depth is 3.5 or 4 m.",
        "Depth: 3.5 metres",
        "The depth is 3. In truth, the depth is 5.",
        "Depth: 3, plus 1 for the lid",
        "Depth: 3 (of 4)",
        "The greatest depth is 3.",
    ],
)
def test_a_number_is_read_whole_or_not_at_all(text):
    schema = {"type": "object", "properties": {"depth": {"type": "integer"}}, "required": ["depth"]}
    with pytest.raises(AnswerError):
        promptopt.restructure(text, schema)
