"""The page at `/`: what it says, and how a browser shows it."""

import re
import shutil
import subprocess

import pytest
from upstream import Reply, ask, chat, error, wait_until

from promptopt.gateway.serve.page import read_today
from promptopt.gateway.stores.ledger import open_ledger
from promptopt.gateway.stores.ledger_row import LedgerRow
from promptopt.gateway.stores.memory import MemoryLedger

CHROMIUM = shutil.which("chromium")
NOON = 1_790_000_000.0 - 1_790_000_000.0 % 86400 + 43200

ROWS = [
    LedgerRow(NOON - 86400, "gpt-4o", list_usd=9.0, incurred_usd=9.0, team="find"),
    LedgerRow(NOON, "gpt-4o", "triage", team="find", input_tokens=10, list_usd=0.5, incurred_usd=0.5, cache="miss"),
    LedgerRow(NOON + 1, "gpt-4o", "triage", team="find", list_usd=0.5, incurred_usd=0.0, cache="cache"),
    LedgerRow(NOON + 2, "gpt-4o-mini", "mail", list_usd=0.25, incurred_usd=0.25),
    LedgerRow(NOON + 3, "gpt-4o-mini", "mail", list_usd=0.0, incurred_usd=0.0, status="error", error="server"),
    LedgerRow(NOON + 4, "own", team="find", list_usd=None, incurred_usd=None),
    LedgerRow(NOON + 5, "own", status="refused", error="budget_exceeded", list_usd=0.0, incurred_usd=0.0),
]


@pytest.mark.parametrize("kind", ["sqlite", "jsonl", "memory", "postgres"])
def test_today_is_added_up_alike_from_every_ledger(tmp_path, kind, request):
    if kind == "memory":
        ledger = MemoryLedger()
    elif kind == "postgres":
        ledger = open_ledger(request.getfixturevalue("postgres_server").url)
    else:
        ledger = open_ledger(tmp_path / f"ledger.{kind}")
    for row in ROWS:
        ledger.finish(0, row)
    today = read_today(ledger, NOON + 100)
    ledger.close()
    assert (today.calls, today.paid_usd, today.list_usd, today.unpriced, today.refused) == (6, 0.75, 1.25, 1, 1)
    assert (today.hit_rate, today.error_rate) == (1 / 5, 1 / 4)
    groups = {
        title: [(each.name, each.calls, each.paid_usd) for each in found] for title, found in today.groups.items()
    }
    assert groups["team"] == [("find", 3, 0.5), ("no team", 3, 0.25)]
    assert groups["model"] == [("gpt-4o", 2, 0.5), ("gpt-4o-mini", 2, 0.25), ("own", 2, 0.0)]
    assert groups["prompt"] == [("triage", 2, 0.5), ("mail", 2, 0.25), ("no prompt", 2, 0.0)]
    assert [row.at for row in today.latest][:6] == [NOON + after for after in (5, 4, 3, 2, 1, 0)]


def test_the_page_loads_nothing_and_shows_no_text_of_a_call(proxy):
    server = proxy()
    ask(server.openai(), text="my name is Alice", extra_headers={"x-promptopt-prompt": "<script>alert(1)</script>"})
    assert wait_until(lambda: len(server.rows()) == 1)
    response = server.get("/")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "Alice" not in response.text
    assert "&lt;script&gt;" in response.text
    for part in ("<script", "http://", "https://", "<link", "<img", "@import", "url(", "style=", "onload"):
        assert part not in response.text
    policy = response.headers["content-security-policy"]
    nonce = re.search(r"style-src 'nonce-([\w-]+)'", policy)
    assert nonce is not None
    assert f'<style nonce="{nonce[1]}">' in response.text
    assert policy.startswith("default-src 'none'; ")
    assert response.headers["cache-control"] == "no-store"


def test_without_a_ledger_the_page_says_so(proxy):
    assert "No ledger is kept" in proxy("[tool.promptopt.gateway]\nledger = false").get("/").text


@pytest.fixture
def busy(proxy, upstream):
    """A server with some calls of today."""
    server = proxy("[tool.promptopt.gateway]\nlimits = {per_user = '4/hour'}")
    client = server.openai()
    prompts = ("triage", "summary-of-a-long-mail-thread-with-attachments", "search")
    for number in range(6):
        upstream.on = lambda path, body, n=number: error(500, "server_error") if n == 4 else _reply(body, n)
        for _ in range(2):
            headers = {"x-promptopt-prompt": prompts[number % 3], "x-promptopt-team": ("find", "mail")[number % 2]}
            with_user = {"user": f"u{number // 3}"}
            try:
                ask(
                    client,
                    f"q{number}",
                    model=("gpt-4o", "gpt-4o-mini")[number % 2],
                    extra_headers=headers,
                    **with_user,
                )
            except Exception:  # noqa: BLE001 - failed calls are on the page, too
                pass
    wait_until(lambda: len(server.rows()) >= 11)
    return server


def _reply(body, number):
    return Reply(body=chat(body, prompt_tokens=1000 * number + 900, completion_tokens=300))


def browse(url, folder, *options):
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    quiet = ["--disable-background-networking", "--disable-component-update", f"--user-data-dir={folder / 'chrome'}"]
    command = [CHROMIUM, *flags, *quiet, *options, url]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium")
def test_a_browser_shows_it_and_breaks_no_policy(busy, tmp_path):
    done = browse(f"{busy.url}/", tmp_path, "--dump-dom", "--enable-logging=stderr", "--v=0")
    assert done.stdout.count("<h2>") == 4
    assert "triage" in done.stdout
    assert "Content Security Policy" not in done.stderr


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium")
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_a_phone_and_a_desk_in_light_and_dark(busy, tmp_path, width, dark):
    shot = tmp_path / "page.png"
    scheme = ["--blink-settings=preferredColorScheme=0"] if dark else ["--blink-settings=preferredColorScheme=1"]
    browse(f"{busy.url}/", tmp_path, *scheme, f"--window-size={width},1500", f"--screenshot={shot}")
    # A blank page of that size packs into 10 kB.
    assert shot.stat().st_size > 25_000
