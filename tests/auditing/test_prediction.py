"""The benchmark that compares a prediction with what the gateway then does, on a small workload, with SQLite."""

import importlib.util
import sys

import pytest


@pytest.fixture
def benchmark(repository, monkeypatch):
    spec = importlib.util.spec_from_file_location("audit_prediction", repository / "benchmarks" / "audit_prediction.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    # Its dataclasses look for their module.
    monkeypatch.setitem(sys.modules, "audit_prediction", module)
    return module


@pytest.mark.parametrize("options", [["--calls", "400"], ["--calls", "120", "--threads"]])
def test_the_prediction_is_the_deed_to_the_cent(benchmark, monkeypatch, capsys, options):
    monkeypatch.setattr(sys, "argv", ["audit_prediction.py", *options])
    benchmark.main()
    lines = [line for line in capsys.readouterr().out.splitlines() if line.endswith(" s")]
    assert len(lines) == len(benchmark.SETS)
    for line in lines:
        predicted, done = line.split()[-5:-3]
        assert predicted == done, line
        assert "$0.000000" in line
