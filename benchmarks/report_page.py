"""How long the page of a comparison takes to be written and to open, beside pytest-html's.

Two prompts over N seeded cases, whose answers are the prompts themselves (the provider ``echo``), and as many tests in
pytest-html's one file. A page is open when its cases can be read: rows are there and the last script has run.

    pip install pytest-html playwright
    python benchmarks/report_page.py [--cases 1000 10000 100000] [--tests 1000 4000] [--times 3]

It needs Chromium (``apt-get install chromium``) and an idle machine. 4,000 tests of pytest-html take a minute a time.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from promptopt import compare
from promptopt.experiment.report.write import write_report

SEED = 20_271
SENTENCE = "the order came late and nobody at the shop knew where it was when I asked for my money back"
VERSIONS = {"v1": "Is this review of a shop positive or negative? ", "v2": "Positive or negative? "}
# pytest-html writes each row's log into the page.
TESTS = """
import pytest

@pytest.mark.parametrize("case", range({count}))
def test_case(case):
    print("x" * 200)
    assert case % 10
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, nargs="*", default=[1000, 10_000, 100_000])
    parser.add_argument("--tests", type=int, nargs="*", default=[1000, 4000])
    parser.add_argument("--times", type=int, default=3)
    arguments = parser.parse_args()
    if arguments.tests and find_spec("pytest_html") is None:
        parser.error("pip install pytest-html, or leave it out with an empty --tests")
    pages: dict[str, Path] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for count in arguments.cases:
            path, seconds = comparison_page(folder / f"c{count}", count)
            pages[f"promptopt, 2 x {count:,} cases"] = path
            print(f"{count:>7,} cases written in {seconds:6.2f} s, {path.stat().st_size / 1e6:6.2f} MB", flush=True)
        for count in arguments.tests:
            path = pytest_page(folder / f"t{count}", count)
            pages[f"pytest-html, {count:,} tests"] = path
            print(f"{count:>7,} tests of pytest-html, {path.stat().st_size / 1e6:6.2f} MB", flush=True)
        for title, seconds in open_seconds(pages, arguments.times).items():
            print(f"{title:32} opens in {seconds:7.2f} s", flush=True)


def comparison_page(folder: Path, count: int) -> tuple[Path, float]:
    """The page, and the seconds that writing it took: the comparison itself is not counted."""
    draw = random.Random(SEED)
    (folder / "suites").mkdir(parents=True)
    (folder / "prompts/shop").mkdir(parents=True)
    (folder / "pyproject.toml").write_text('[tool.promptopt]\nmodel = "echo:"\nprice_as = "gpt-4o-mini"\n')
    for version, said in VERSIONS.items():
        (folder / f"prompts/shop/{version}.j2").write_text(f"{said}{{{{ review }}}}\n")
    with (folder / "suites/shop.jsonl").open("w") as file:
        for number in range(count):
            review = " ".join(draw.choices(SENTENCE.split(), k=25))
            check = {"type": "icontains", "value": "nobody"}
            row = {"description": f"case {number:06d}", "vars": {"review": review}, "assert": [check]}
            file.write(json.dumps(row) + "\n")
    os.chdir(folder)
    comparison = compare("shop@v1", "shop@v2", record="missing", max_cost=10_000)
    path = folder / "report.html"
    started = time.perf_counter()
    write_report(comparison, path)
    return path, time.perf_counter() - started


def pytest_page(folder: Path, count: int) -> Path:
    folder.mkdir()
    (folder / "test_many.py").write_text(TESTS.format(count=count))
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:asyncio", "--html=report.html", "--self-contained-html"]
    subprocess.run([sys.executable, "-m", "pytest", *options], cwd=folder, stdout=subprocess.DEVNULL, check=False)
    return folder / "report.html"


def open_seconds(pages: dict[str, Path], times: int) -> dict[str, float]:
    """The median of some loads of each page, taken in turns."""
    from playwright.sync_api import sync_playwright

    found: dict[str, list[float]] = {title: [] for title in pages}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for _ in range(times):
            for title, path in pages.items():
                found[title].append(_open(browser, path))
        browser.close()
    return {title: median(seconds) for title, seconds in found.items()}


def _open(browser: Any, path: Path) -> float:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    started = time.perf_counter()
    page.goto(path.as_uri(), timeout=600_000, wait_until="commit")
    page.wait_for_selector("html[data-ready], tbody.results-table-row", state="attached", timeout=600_000)
    # One more frame: what was laid out is painted.
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    seconds = time.perf_counter() - started
    context.close()
    return seconds


if __name__ == "__main__":
    main()
