"""The HTML report in a real browser."""

import shutil
import subprocess
from pathlib import Path

import pytest

from promptopt import compare
from promptopt.experiment.report.write import write_report

CHROMIUM = shutil.which("chromium")


@pytest.fixture
def page(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(repository)
    path = tmp_path / "report.html"
    write_report(compare("reviews@v1", "reviews@v2", "reviews@v3", record="none"), path)
    return path


def browse(page: Path, *options: str) -> subprocess.CompletedProcess[str]:
    assert CHROMIUM is not None
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    quiet = [
        "--disable-background-networking",
        "--disable-component-update",
        f"--user-data-dir={page.parent / 'chrome'}",
    ]
    command = [CHROMIUM, *flags, *quiet, "--virtual-time-budget=2000", *options, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


def test_the_page_fetches_nothing(page: Path) -> None:
    text = page.read_text()
    for tag in ("http://", "https://", "<script", "<link", "<img", "@import", "url("):
        assert tag not in text


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium")
def test_a_browser_shows_verdicts_tables_and_plots(page: Path) -> None:
    dom = browse(page, "--dump-dom").stdout
    assert "reviews@v3 against reviews@v1" in dom
    assert dom.count("<svg") == 4
    assert dom.count('class="verdict improved"') == 1
    assert dom.count('class="verdict inconclusive"') == 1


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium")
def test_a_screenshot_is_a_full_page_and_not_blank(page: Path) -> None:
    shot = page.with_suffix(".png")
    browse(page, "--window-size=1000,1600", f"--screenshot={shot}")
    # A blank page of that size packs into 10 kB.
    assert shot.stat().st_size > 60_000
