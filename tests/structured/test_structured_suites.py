"""The repository's own suites: v1 of both prompts against what `structure` proposes, from recorded answers."""

import importlib.util
import re
import sys

import pytest
from corpora import ABSENT, real_prompts
from judged import judged, judged_own


@pytest.fixture
def benchmark(monkeypatch, repository):
    monkeypatch.setattr(sys, "path", [*sys.path])
    spec = importlib.util.spec_from_file_location("structure_benchmark", repository / "benchmarks" / "structure.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_says_what_the_recorded_answers_say(benchmark, tmp_path, monkeypatch, repository):
    monkeypatch.chdir(tmp_path)
    rows = dict(benchmark.suites(tmp_path))
    assert len(rows) == 2
    page = (repository / "docs" / "structure.md").read_text()
    for name, figures in rows.items():
        assert f"| {name} | {figures} |" in page
        assert int(re.search(r"\((-\d+)%\)", figures)[1]) <= -70


def test_the_page_says_how_answers_are_read(benchmark, repository):
    page = (repository / "docs" / "structure.md").read_text()
    for name, figures in benchmark.reading():
        assert f"| {name} | {figures} |" in page


def test_most_inputs_do_not_grow(benchmark):
    rows = real_prompts()
    if rows is None:
        pytest.skip(ABSENT.format("prompts/prompts.jsonl"))
    found = list(benchmark.proposals(judged(rows), "auto"))
    kept = sum(proposal.economics.input_difference <= 0 for proposal in found)
    assert len(found) >= 40
    assert kept >= 0.9 * len(found)


def test_most_inputs_of_the_own_prompts_do_not_grow(benchmark):
    found = list(benchmark.proposals(judged_own(), "auto"))
    kept = sum(proposal.economics.input_difference <= 0 for proposal in found)
    assert len(found) >= 12
    assert kept >= 0.9 * len(found)
