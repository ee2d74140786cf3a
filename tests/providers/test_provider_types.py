"""What a provider says of itself: whether its calls are free, and whether it can be called as things are."""

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import ClassVar

import pytest

from promptopt import Request, Response, Usage, compare, registry
from promptopt.errors import ConfigError, RecordingError
from promptopt.providers import ProviderBase, is_configured, is_free, make_provider

PROJECT = {
    "prompts/add.j2": "---\nmodel: gpt-4o-mini\n---\n{{ n }} + 1 =",
    "suites/add.yaml": "[{description: a, vars: {n: 1}, assert: [{type: contains, value: '2'}]}]",
}


class Mine(ProviderBase):
    free = True
    ready = True

    def __init__(self, model: str, timeout_s: float | None) -> None:
        self.model = model

    @classmethod
    def is_configured(cls, model: str) -> bool:
        return cls.ready and model == "small"

    def complete(self, request: Request) -> Response:
        return Response(request.model, "2", usage=Usage(5, output_tokens=1))


def made(model: str, timeout_s: float | None) -> Mine:
    """A factory that is a function says nothing of itself."""
    return Mine(model, timeout_s)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    module = ModuleType("somebodys_providers")
    module.Mine, module.made, module.Search = Mine, made, Search
    monkeypatch.setitem(sys.modules, module.__name__, module)
    points = [EntryPoint(name, f"{module.__name__}:{value}", "promptopt.providers") for name, value in NAMES.items()]
    monkeypatch.setattr(registry, "entry_points", lambda group: [*entry_points(group=group), *points])
    registry.registered.cache_clear()
    yield
    registry.registered.cache_clear()


class Search(Mine):
    keys: ClassVar = {"index": lambda value: isinstance(value, str)}

    def __init__(self, model: str, timeout_s: float | None, table=None) -> None:
        super().__init__(model, timeout_s)
        self.index = table.need("index") if table else "default"


NAMES = {"mine": "Mine", "made": "made", "search": "Search"}


def test_a_class_of_a_package_is_a_type_of_tables(project) -> None:
    assert make_provider("search:small").index == "default"
    project.write({"pyproject.toml": '[tool.promptopt.providers.docs]\ntype = "search"\nindex = "papers"\n'})
    assert make_provider("docs:small").index == "papers"
    project.write({"pyproject.toml": '[tool.promptopt.providers.docs]\ntype = "search"\nindex = 7\n'})
    with pytest.raises(ConfigError, match=r"index = 7 .* is not a text"):
        make_provider("docs:small")
    project.write({"pyproject.toml": '[tool.promptopt.providers.docs]\ntype = "made"\n'})
    with pytest.raises(ConfigError, match="unknown type 'made'"):
        make_provider("docs:small")


def test_a_class_says_what_it_is_and_a_function_has_the_defaults() -> None:
    assert is_free("mine:small")
    assert not is_free("made:small")
    assert is_configured("mine:small")
    assert not is_configured("mine:large")
    assert is_configured("made:large")


def test_openai_costs_money_and_is_configured_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_free("gpt-4o")
    assert not is_configured("gpt-4o")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    assert is_configured("gpt-4o")


def test_the_local_model_is_free_and_is_configured_by_its_file() -> None:
    assert is_free("local:smollm2")
    assert not is_configured("local:no/such/file.gguf")


def test_a_free_provider_needs_no_limit_and_a_run_of_it_costs_nothing(project) -> None:
    project.write(PROJECT)
    seen = []
    compared = compare("add", model="mine:small", on_plan=seen.append)
    assert str(seen[0]) == "1 call, free"
    assert compared.variants[0].incurred_usd == 0
    assert "this run itself cost $0.0000" in str(compared)


def test_a_provider_that_costs_money_and_has_no_price_is_unpriced(project) -> None:
    project.write(PROJECT)
    seen = []
    compared = compare("add", model="made:small", on_plan=seen.append)
    assert str(seen[0]) == "1 call, cost unknown: made:small unpriced"
    assert compared.variants[0].incurred_usd is None


def test_a_provider_that_is_not_configured_is_not_asked(project) -> None:
    project.write(PROJECT)
    with pytest.raises(RecordingError, match="no recorded answer to 1 case"):
        compare("add", model="mine:large")
