"""A real browser for tests of pages: the system's Chromium, driven by Playwright."""

import base64
import gzip
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium")
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium")


def data_of(page: str) -> list[dict[str, Any]]:
    """The data that a page carries, one mapping for each plot, diff and list of cases."""
    packed = re.search('<script type="text/plain" id="data">(.*?)</script>', page, re.DOTALL)
    assert packed
    found: list[dict[str, Any]] = json.loads(gzip.decompress(base64.b64decode(packed[1])))
    return found


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser. What it shows is made before: no event loop can be started while it is driven."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Sight:
    """A page in the browser, with all that it complained of and asked for."""

    def __init__(self, browser: Any, path: Path, width: int = 1280, scheme: str = "light") -> None:
        self.context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.page = self.context.new_page()
        self.page.set_default_timeout(10_000)
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.uri = path.as_uri()
        self.open()

    def open(self, state: str = "") -> None:
        """Load the page with a state in its address."""
        self.page.goto("about:blank")
        self.page.goto(self.uri + state)
        self.page.wait_for_selector("html[data-ready]")

    def text(self, selector: str) -> str:
        return str(self.page.locator(selector).inner_text())

    def axe(self) -> list[str]:
        """What axe-core finds."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page).response["violations"]
        return [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found]

    def check_quiet(self) -> None:
        """Nothing was complained of, and nothing but the file itself was asked for."""
        assert not self.complaints
        assert {url.partition("#")[0] for url in self.requests} <= {self.uri, "about:blank", "data:,"}
