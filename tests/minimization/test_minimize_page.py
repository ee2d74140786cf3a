"""``promptopt minimize -o report.html``: the page of a search in a real browser."""

from pathlib import Path
from typing import Any

import pytest
from browser import Sight, chromium, needs_browser
from click.testing import CliRunner
from planted_model import USEFUL, USELESS, Planted, Write, sentences

import promptopt
from promptopt.cli import cli
from promptopt.minimization.html_report import ablation_page, minimize_page
from promptopt.webpage.blocks import DiffBlock, PlotBlock, ReportPage, TableBlock, TextBlock, VerdictBlock
from promptopt.webpage.page import page_html

FACT = "If the text is empty, answer none."


@needs_browser
def test_a_search_is_a_page_with_the_verdict_first(planted: Write, tmp_path: Path) -> None:
    planted([*sentences(), FACT], 300)
    page = minimize_page(promptopt.minimize("p", provider=Planted(USEFUL), margin=5, rules=False))
    verdict = page.lead[0]
    assert isinstance(verdict, VerdictBlock)
    assert (verdict.verdict, verdict.tone) == ("confirmed", "good")
    check_next_version(page)
    check_parts(page)
    path = tmp_path / "report.html"
    path.write_text(page_html(page), encoding="utf-8")
    with chromium() as browser:
        sight = Sight(browser, path)
        assert sight.text("main > :nth-child(2) strong") == "confirmed"
        assert sight.page.locator(".plot svg").count() == 3
        sight.check_quiet()


def blocks(page: ReportPage, title: str) -> Any:
    return next(section.blocks for section in page.sections if section.title == title)


def check_next_version(page: ReportPage) -> None:
    """The diff is of what went."""
    (diff,) = blocks(page, "The next version")
    assert isinstance(diff, DiffBlock)
    after = "\n".join(line for line, _ in diff.after)
    assert not [sentence for sentence in USELESS if sentence in after]
    assert all(sentence in after for sentence in (*USEFUL, FACT))


def check_parts(page: ReportPage) -> None:
    """Each part has its cost, its worth and its fate."""
    bars, worth, table = blocks(page, "What each part costs and is worth")
    assert isinstance(bars, PlotBlock)
    fates = {bar["label"].split(": ", 1)[1].rpartition(" (")[0]: bar["kind"] for bar in bars.data["bars"]}
    assert {fates[sentence] for sentence in USELESS} == {"removed"}
    assert {fates[sentence] for sentence in USEFUL} == {"kept"}
    assert isinstance(worth, PlotBlock)
    assert isinstance(table, TableBlock)
    assert len(table.rows) == len(USELESS) + len(USEFUL) + 1
    (untested,) = blocks(page, "Facts that no case tests")
    assert [row[0] for row in untested.rows] == [FACT]


def test_a_plan_has_a_page_and_a_page_is_written_again(planted: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    monkeypatch.delenv("CI", raising=False)
    planted(sentences(), 300)
    command = ["minimize", "p", "--margin", "5", "--dry-run", "-o", "plan.html"]
    Path("plan.html").write_text("an older page")
    done = CliRunner().invoke(cli, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "nothing was asked" in Path("plan.html").read_text(encoding="utf-8")


def test_an_ablation_is_a_page_with_its_map(planted: Write) -> None:
    planted(sentences()[:4], 60)
    found = promptopt.ablate("p", provider=Planted(USEFUL), margin=10)
    page = ablation_page(found)
    text = page_html(page)
    assert [section.title for section in page.sections] == [
        "The prompt as a heat map",
        "What each part costs and is worth",
    ]
    assert page.sections[0].blocks == [TextBlock(found.heat_map(), preformatted=True)]
    fates = {each.fate for each in found.worths}
    assert set(page.sections[1].blocks[0].data["kinds"]) == fates
    assert all(f'<td data-label="fate" class="text">{fate}</td>' in text for fate in fates)
