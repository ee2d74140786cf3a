"""The report of a comparison of the repository's own prompts."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from browser import Sight, chromium, needs_browser

from promptopt import compare
from promptopt.experiment.comparison import Comparison
from promptopt.experiment.report.html import comparison_page
from promptopt.experiment.report.prompt_diff import count_lines
from promptopt.experiment.report.write import write_report
from promptopt.templates import load_prompt
from promptopt.webpage.blocks import CasesBlock, DiffBlock, PlotBlock, TableBlock, VerdictBlock


@pytest.fixture(scope="module")
def comparison() -> Iterator[Comparison]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(Path(__file__).parents[2])
        yield compare("reviews@v1", "reviews@v2", "reviews@v3", record="none")


@pytest.fixture(scope="module")
def sight(comparison: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_report(comparison, path)
    with chromium() as browser:
        yield Sight(browser, path)


def test_lines_of_a_prompt_and_what_is_beside_them_add_up_to_what_is_sent(comparison: Comparison) -> None:
    page = comparison_page(comparison)
    diffs = [block for section in page.sections for block in section.blocks if isinstance(block, DiffBlock)]
    assert [diff.title.split()[-1] for diff in diffs] == ["prompts/reviews/v2.j2", "prompts/reviews/v3.j2"]
    assert "Beside the lines: messages 11.0 to 51.0, output schema 0.0 to 31.0." in diffs[1].note
    case = comparison.suite.cases[5]
    for run in comparison.runs:
        variant = run.variant
        counted = count_lines(variant.template, [case], variant.priced_as)
        sent = variant.counted_tokens(variant.request(variant.template.render(case.vars), case=case.name))
        assert sum(weight or 0 for _, weight in counted.lines) + sum(counted.beside.values()) == sent


def test_prompts_of_conversations_are_counted_as_they_are_written(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    counted = count_lines(load_prompt("mood@v1"), [], "gpt-4o-mini")
    assert counted.cases == 0
    assert counted.lines[0] == ("---", 1.0)


def test_every_answer_is_on_the_page(comparison: Comparison) -> None:
    page = comparison_page(comparison)
    (cases,) = (block for section in page.sections for block in section.blocks if isinstance(block, CasesBlock))
    assert len(cases.names) == len(comparison.suite.cases)
    for answers, run in zip(cases.answers, comparison.runs, strict=True):
        assert [state == "p" for state in answers.states] == [trial.passed for trial in run.answered]
        assert answers.measures[2] == [trial.usage.output_tokens for trial in run.answered]


def test_two_variants_have_a_front_as_three_have(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    page = comparison_page(compare("reviews@v1", "reviews@v3", record="none"))
    plot = page.sections[0].blocks[0]
    assert isinstance(plot, PlotBlock)
    assert [point["front"] for point in plot.data["points"]] == [False, True]


def test_a_notebook_shows_verdicts_and_tables(comparison: Comparison) -> None:
    fragment = comparison._repr_html_()
    assert "<strong>improved</strong> <span>reviews@v3 against reviews@v1</span>" in fragment
    assert fragment.count("<table ") == 3
    assert "<script" not in fragment


@needs_browser
def test_the_browser_shows_the_verdict_first_and_asks_for_nothing(sight: Sight, comparison: Comparison) -> None:
    assert sight.text("main > :nth-child(2) strong") == "inconclusive"
    assert sight.page.locator(".plot svg").count() == 4
    cases = len(comparison.suite.cases)
    assert sight.text(".found") == f"{cases} of {cases} cases"
    assert not sight.axe()
    sight.check_quiet()


def test_many_candidates_are_tables_and_few_are_sections(comparison: Comparison) -> None:
    pairs = (comparison.pairs[1],) * 9
    page = comparison_page(replace(comparison, pairs=pairs))
    verdict, table, *_ = page.lead
    assert isinstance(verdict, VerdictBlock)
    assert (verdict.verdict, verdict.about, verdict.tone) == ("9 improved", "against reviews@v1", "good")
    assert isinstance(table, TableBlock)
    assert [row[0] for row in table.rows] == [pair.candidate for pair in pairs]
    (section,) = (section for section in page.sections if section.title.startswith("Differences"))
    plots = [block for block in section.blocks if isinstance(block, PlotBlock)]
    assert [len(plot.data["rows"]) for plot in plots] == [9, 9]
