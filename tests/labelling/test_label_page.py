"""The page for labelling, in a real browser: keys, what it keeps, what it saves, and what it does not know."""

import csv
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from promptopt.cli import cli
from promptopt.errors import InputError
from promptopt.judges.labels import FEWEST_DIGITS
from promptopt.labelling import LabelTable, ShownAnswer, import_page, label_page
from promptopt.values import sha256_hex

CHROMIUM = shutil.which("chromium")
in_chromium = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium")
NASTY = "</script><script>document.title='broken'</script><!-- <b>bold</b> & \u2028 \"quoted\" @DATA@ @SUITE@"
TEXTS = ["plain answer", NASTY, "third answer", ""]


def made(text, number):
    return ShownAnswer(
        f"case {number}", (("question", f"what is {number}? {NASTY}"),), text, sha256_hex(text), ((0, "secret@v1"),)
    )


ANSWERS = [made(text, number) for number, text in enumerate(TEXTS)]


class Browser:
    """Chromium, told what to do over a pipe."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        reads, to_browser = os.pipe()
        from_browser, writes = os.pipe()
        flags = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-sync"
        command = f'exec "$0" {flags} --remote-debugging-pipe "--user-data-dir=$1" 3<&{reads} 4>&{writes}'
        self._process = subprocess.Popen(
            ["/bin/bash", "-c", command, str(CHROMIUM), str(folder / "chrome")],
            pass_fds=(reads, writes), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(reads)
        os.close(writes)
        self._to, self._from, self._rest, self._number = to_browser, from_browser, b"", 0
        self._session = None
        self.asked = []

    def tell(self, method, **params):
        """The result of a command of the DevTools protocol."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self._rest:
                data = os.read(self._from, 1 << 16)
                assert data, "the browser ended"
                self._rest += data
            text, _, self._rest = self._rest.partition(b"\0")
            found = json.loads(text)
            if found.get("method") == "Network.requestWillBeSent":
                self.asked.append(found["params"]["request"]["url"])
            if found.get("id") == self._number:
                assert "error" not in found, found
                return found["result"]

    def open(self, page: Path) -> None:
        self._session = None
        target = self.tell("Target.createTarget", url="about:blank")["targetId"]
        self.tell("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(self.folder))
        self._session = self.tell("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.tell("Network.enable")
        self.tell("Page.enable")
        self.tell("Page.navigate", url=page.as_uri())
        assert self.until("document.readyState === 'complete' && !!document.querySelector('button[data-label]')")

    def value(self, script):
        return self.tell("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def until(self, script):
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if self.value(script):
                return True
            time.sleep(0.02)
        return False

    def press(self, *keys):
        for key in keys:
            text = {"text": key} if len(key) == 1 else {}
            self.tell("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
            self.tell("Input.dispatchKeyEvent", type="keyUp", key=key)

    def text(self, name):
        return self.value(f"document.getElementById({name!r}).textContent")

    def saved(self, button, name):
        path = self.folder / name
        path.unlink(missing_ok=True)
        self.value(f"document.getElementById({button!r}).click()")
        end = time.monotonic() + 30
        while not path.exists() and time.monotonic() < end:
            time.sleep(0.02)
        return path

    def close(self):
        self._process.kill()
        self._process.wait()
        os.close(self._to)
        os.close(self._from)


@pytest.fixture
def browser(tmp_path):
    found = Browser(tmp_path)
    yield found
    found.close()


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "page.html"
    path.write_text(label_page("q", ANSWERS, "ann"), encoding="utf-8")
    return path


def test_the_page_knows_nothing_of_variants_and_names_no_other_address(page):
    text = page.read_text()
    assert "secret@v1" not in text
    for mark in ("http://", "https://", "<link", "<img", "@import", "url("):
        assert mark not in text
    assert text.count("</script>") == 2


@in_chromium
def test_answers_are_labelled_by_keys_and_saved(browser, page, tmp_path):
    browser.open(page)
    assert browser.value("document.title") == "Labels: q"
    assert browser.text("answer") == "plain answer"
    browser.press("p")
    assert browser.text("answer") == NASTY
    assert browser.value("document.querySelectorAll('b').length") == 0
    browser.press("n", "o", "d", "d", "Enter", "f")
    assert browser.text("answer") == "third answer"
    browser.press("p", "u")
    assert browser.text("answer") == "third answer"
    browser.press("s", "f")
    assert browser.text("place") == "3 of 4, 3 labelled"
    path = browser.saved("json", "q-labels.json")
    found = json.loads(path.read_text())
    assert [(row["case"], row["label"], row["note"]) for row in found["labels"]] == [
        *(("case 0", "pass", ""), ("case 1", "fail", "odd"), ("case 3", "fail", ""))
    ]
    table = LabelTable(tmp_path / "labels.csv")
    assert import_page(path, ANSWERS, table, "somebody") == (3, [])
    assert table.labelled_by("ann") == {ANSWERS[0].key: "pass", ANSWERS[1].key: "fail", ANSWERS[3].key: "fail"}
    with (tmp_path / "labels.csv").open(newline="") as file:
        assert {row["variant"] for row in csv.DictReader(file)} == {"secret@v1"}
    browser.value("document.getElementById('who').value = 'bob, \"b\"'")
    browser.value("document.getElementById('who').dispatchEvent(new Event('input'))")
    assert import_page(browser.saved("csv", "q-labels.csv"), ANSWERS, table, "somebody") == (3, [])
    assert len(table.labelled_by('bob, "b"')) == 3
    assert all(url.startswith(("file:", "blob:", "about:")) for url in browser.asked)


@in_chromium
def test_it_goes_on_after_it_was_closed(browser, page):
    browser.open(page)
    browser.press("p", "f")
    browser.open(page)
    assert browser.text("place") == "3 of 4, 2 labelled"
    browser.press("ArrowLeft")
    pressed = "document.querySelector('[aria-pressed=true]').dataset.label"
    assert browser.value(pressed) == "fail"
    browser.press("p")
    browser.press("ArrowLeft")
    assert browser.text("place").endswith("2 labelled")


@in_chromium
def test_two_tabs_lose_nothing_and_a_key_that_is_held_counts_once(browser, page):
    browser.open(page)
    browser.press("p")
    first = browser._session
    browser.open(page)
    second = browser._session
    assert browser.text("place") == "2 of 4, 1 labelled"
    browser.press("f")
    browser._session = first
    assert browser.until("document.getElementById('place').textContent.endsWith('2 labelled')")
    browser.press("s", "p")
    for held in (False, True, True):
        browser.tell("Input.dispatchKeyEvent", type="keyDown", key="u", text="u", autoRepeat=held)
    assert browser.text("place").endswith("2 labelled")
    browser._session = second
    assert browser.until("document.getElementById('place').textContent.endsWith('2 labelled')")
    found = json.loads(browser.saved("json", "q-labels.json").read_text())["labels"]
    assert [(row["case"], row["label"]) for row in found] == [("case 0", "pass"), ("case 1", "fail")]
    assert browser.value("document.getElementById('answer').dir") == "auto"


@in_chromium
def test_a_score_and_buttons(browser, tmp_path):
    path = tmp_path / "scored.html"
    path.write_text(label_page("q", ANSWERS, "ann", scored=True), encoding="utf-8")
    browser.open(path)
    browser.press("4")
    browser.value("document.querySelectorAll('button[data-label]')[0].click()")
    found = json.loads(browser.saved("json", "q-labels.json").read_text())
    assert [row["label"] for row in found["labels"]] == ["0.75", "0"]


@in_chromium
@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_the_width_of_a_phone(browser, page, width):
    browser.open(page)
    browser.tell("Emulation.setDeviceMetricsOverride", width=width, height=844, deviceScaleFactor=1, mobile=width < 500)
    assert browser.until(f"innerWidth === {width}")
    assert browser.value("document.documentElement.scrollWidth") <= width
    least = "Math.min(...[...document.querySelectorAll('button')].map((each) => each.offsetHeight))"
    assert browser.value(least) >= 44


@in_chromium
def test_it_follows_light_and_dark(browser, page):
    browser.open(page)
    colours = []
    for scheme in ("light", "dark"):
        browser.tell("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        colours.append(browser.value("getComputedStyle(document.body).backgroundColor"))
    assert colours == ["rgb(255, 255, 255)", "rgb(23, 23, 26)"]


def write(path, labels, **more):
    path.write_text(json.dumps({"v": 1, "suite": "q", "labels": labels, **more}))
    return path


def row(answer, label="pass"):
    return {"case": answer.case, "answer_sha256": answer.answer_sha256, "label": label}


def test_labels_of_answers_that_are_gone_are_named(tmp_path):
    path = write(tmp_path / "saved.json", [row(ANSWERS[0]), row(made("gone", 7))])
    table = LabelTable(tmp_path / "labels.csv")
    assert import_page(path, ANSWERS, table, "ann") == (1, [("case 7", sha256_hex("gone")[:FEWEST_DIGITS])])


@pytest.mark.parametrize(
    ("labels", "more", "message"),
    [
        ([row(ANSWERS[0], "good")], {}, "label: 'good' is not pass, fail, or a number between 0 and 1"),
        ([row(ANSWERS[0], "nan")], {}, "label: 'nan' is not"),
        ([row(made("gone", 7))], {}, "none of its 1 labels is of an answer that is recorded"),
        ([], {}, "has no label"),
        ([5], {}, "is not what a page of `promptopt label --html` saves"),
        ([], {"v": 2}, "is not what a page"),
    ],
)
def test_a_file_that_cannot_be_read_in_changes_nothing(tmp_path, labels, more, message):
    table = LabelTable(tmp_path / "labels.csv")
    with pytest.raises(InputError, match=message):
        import_page(write(tmp_path / "saved.json", labels, **more), ANSWERS, table, "ann")
    assert not table.path.exists()


def test_the_command_writes_the_page_and_reads_what_it_saved(repository, tmp_path, monkeypatch):
    for name in ("suites", "prompts"):
        shutil.copytree(repository / name, tmp_path / name)
    shutil.copy(repository / "pyproject.toml", tmp_path)
    monkeypatch.chdir(tmp_path)
    Path("suites/desk/labels.csv").unlink(missing_ok=True)
    runner = CliRunner()
    assert (
        runner.invoke(cli, ["label", "desk", "--html", "desk.html", "--most", "5", "--labeller", "ann"]).exit_code == 0
    )
    text = Path("desk.html").read_text()
    data = json.loads(text.partition('id="data">')[2].partition("</script>")[0])
    assert len(data["answers"]) == 5
    labels = [{**{key: each[key] for key in ("case", "answer_sha256")}, "label": "pass"} for each in data["answers"]]
    write(tmp_path / "saved.json", labels)
    done = runner.invoke(cli, ["label", "desk", "--import", "saved.json", "--labeller", "ann"])
    assert done.output.startswith("suites/desk/labels.csv: 5 labels of saved.json")
    again = runner.invoke(cli, ["label", "desk", "--html", "desk.html", "--labeller", "ann"])
    assert "; 5 are labelled already" in again.output
