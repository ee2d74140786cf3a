"""The searches with a real model, replayed out of its recorded answers: they come to what the page says."""

import contextlib
from pathlib import Path

import pytest

from promptopt import Request
from promptopt.errors import ProviderError

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "minimize.md").read_text()


@pytest.fixture(scope="module")
def bench():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(REPOSITORY / "benchmarks"))
        import minimize_live

        yield minimize_live


@pytest.mark.parametrize("name", ["reviews", "tickets"])
def test_the_page_shows_what_the_recorded_answers_give(bench, name: str, tmp_path: Path) -> None:
    bench.copy_project(name, tmp_path)
    with contextlib.chdir(tmp_path):
        rows = bench.measured(name, bench.Kept(name, ask=False))
    assert {row[1] for row in rows} == {"v1", "rules", "minimize", "both"}
    for row in rows:
        assert f"| {' | '.join(row)} |" in PAGE


def test_a_request_without_an_answer_is_named(bench) -> None:
    with pytest.raises(ProviderError, match="--ask"):
        bench.Kept("reviews", ask=False).complete(Request("smollm2", ()))
