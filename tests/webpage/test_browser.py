"""The page in a real browser: many cases, repetitions, hostile texts, keyboard, address, paper."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Sight, chromium, needs_browser

from promptopt.webpage.blocks import CaseAnswers, CasesBlock, DiffBlock, PageSection, PlotBlock, ReportPage, TableBlock
from promptopt.webpage.page import page_html

pytestmark = needs_browser

METRICS = (("quality", "percent"), ("output tokens", "number"))
EVIL = "</script><img src=x onerror=\"document.title='broken'\"> \u202etxt.exe\u2069 <b>bold</b>"


ENDS = {"low": 0.2, "high": 0.9}
PLOTS = {
    "front": {
        "points": [
            {"label": EVIL, "x": 1.0, "y": 0.5, **ENDS, "front": True, "baseline": True},
            {"label": "b", "x": 2.0, "y": 0.4, "low": None, "high": None, "front": False, "baseline": False},
        ]
    },
    "bars": {
        "kinds": ["in", "out"],
        "unit": "tokens",
        "bars": [{"label": "a", "kind": "in", "value": 3}, {"label": "a", "kind": "out", "value": 1}],
    },
    "intervals": {"rows": [{"label": "quality", "value": 0.5, **ENDS, "tone": "unclear"}], "band": 2, "x": "points"},
    "histogram": {"bins": [{"group": "a", "low": 0, "high": 0.5, "count": 4}], "x": "score"},
    "waterfall": {
        "steps": [
            {"label": "today", "from": 0, "to": 9, "kind": "total"},
            {"label": "cache", "from": 9, "to": 6, "kind": "saving"},
        ],
        "x": "dollars",
    },
    "curve": {"lines": [{"label": "a", "points": [[0, 0], [0.2, 0.8], [1, 1]]}], "x": "calls", "y": "dollars"},
    "ranges": {"rows": [{"label": "cache", "value": 0.5, **ENDS}], "x": "dollars"},
}


def answers(label: str, texts: list[str], states: str, endings: dict[int, str] | None = None) -> CaseAnswers:
    quality = [{"p": 1.0, "f": 0.0}.get(state) for state in states]
    tokens = [float(len(text)) for text in texts]
    ended = [(endings or {}).get(at, "") for at in range(len(texts))]
    said = ["" if state == "p" else "is not what was expected" for state in states]
    scores = [[(0, value or 0.0, int(value == 1.0), "")] for value in quality]
    return CaseAnswers(label, texts, list(states), ended, said, [quality, tokens], scores)  # type: ignore[arg-type]


def few() -> ReportPage:
    """Four cases, the second with three repetitions, the third hostile; one of each plot."""
    names = ["alpha", "beta", EVIL, "delta"]
    first = answers("p@v1", ["yes", "a", "a", "b", EVIL, "x" * 1_000_000], "pppffp", {5: "length"})
    second = answers("p@v2", ["yes", "a", "a", "a", "other", "no answer: timeout"], "pppppe")
    cases = CasesBlock(
        "Cases", names, ["in a", "in b", EVIL, "in d"], [""] * 4, [1, 3, 1, 1], METRICS, [first, second], ["equals"]
    )
    plots = [PlotBlock(kind, kind, data, "what it shows") for kind, data in PLOTS.items()]  # type: ignore[arg-type]
    table = TableBlock(("name", "tokens"), [["a", "12"], [EVIL, "3"]], "A table")
    diff = DiffBlock("a to b", [("one", 1.0), ("two", 9.0)], [("one", 1.0), ("three", 4.0)])
    return ReportPage(
        "test",
        "Few",
        [table],
        [PageSection("Plots", plots), PageSection("Cases", [cases]), PageSection("Prompts", [diff])],
    )


def wide() -> ReportPage:
    """Twelve variants with seven answers to each of two cases; one name has half of a surrogate pair."""
    labels = [f"p@v{at}" for at in range(12)]
    repeats = 7
    found = [
        answers(label, ["same"] * repeats + [label] * repeats, "p" * repeats + ("p" if at < 5 else "f") * repeats)
        for at, label in enumerate(labels)
    ]
    cases = CasesBlock("Cases", ["", "two \ud800"], ["", ""], ["", ""], [repeats] * 2, METRICS, found, ["equals"])
    points = [
        {"label": label, "x": 0.0, "y": 1.0, "low": 1.0, "high": 1.0, "front": True, "baseline": not at}
        for at, label in enumerate(labels)
    ]
    losses = [{"label": label, "value": -2.0, "low": -3.0, "high": -1.0} for label in labels]
    steps = [
        {"label": "list", "from": 0, "to": 0, "kind": "total"},
        {"label": "s", "from": 0, "to": 2, "kind": "saving"},
    ]
    zero = [{"label": "m", "value": 0, "low": 0, "high": 0, "tone": "unclear"}]
    plots = [
        PlotBlock("front", "All at one point", {"points": points}, "s"),
        PlotBlock("ranges", "All lose", {"rows": losses, "x": "dollars"}, "s"),
        PlotBlock("waterfall", "A loss of nothing", {"steps": steps, "x": "dollars"}, "s"),
        PlotBlock("intervals", "Nothing differs", {"rows": zero, "band": 0, "x": "points"}, "s"),
        PlotBlock("front", "Nothing known", {"points": []}, "s"),
        PlotBlock("bars", "Nothing there", {"kinds": [], "bars": [], "unit": "tokens"}, "s"),
    ]
    return ReportPage("test", "Wide", plots, [PageSection("Cases", [cases])])


def many() -> ReportPage:
    draw = random.Random(7)
    count = 20_000
    texts = [" ".join(draw.choice(["red", "green", "blue"]) for _ in range(8)) for _ in range(count)]
    states = "".join(draw.choice("ppf") for _ in range(count))
    names = [f"case-{at}" for at in range(count)]
    only = CasesBlock(
        "Cases", names, texts, [""] * count, [1] * count, METRICS, [answers("p", texts, states)], ["equals"]
    )
    return ReportPage("test", "Many", [], [PageSection("Cases", [only])])


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    found = {}
    for name, page in {"few": few(), "many": many(), "wide": wide()}.items():
        found[name] = folder / f"{name}.html"
        found[name].write_text(page_html(page), encoding="utf-8")
    return found


@pytest.fixture(scope="module")
def browser(pages: dict[str, Path]) -> Iterator[Any]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def sight(browser: Any, pages: dict[str, Path]) -> Sight:
    return Sight(browser, pages["few"])


def rows(sight: Sight) -> list[str]:
    return [text.strip() for text in sight.page.locator(".row .name b").all_inner_texts()]


def test_every_kind_of_plot_is_drawn(sight: Sight) -> None:
    sight.open()
    assert sight.page.locator(".plot svg").count() == 7
    sight.check_quiet()


def test_filters_count_and_choose(sight: Sight) -> None:
    sight.open()
    wanted = {"all": 4, "results": 3, "answers": 3, "failures": 2, "errors": 1, "cut": 1}
    for name, count in wanted.items():
        sight.page.click(f'[data-filter="{name}"]')
        assert sight.text(f'[data-filter="{name}"] .count') == str(count)
        assert len(rows(sight)) == count
        assert sight.text(".found") == f"{count} of 4 cases"
    assert sight.page.locator('[data-filter="every"]').is_disabled()
    sight.check_quiet()


def test_a_search_looks_into_names_inputs_and_answers_and_is_kept_in_the_address(sight: Sight) -> None:
    sight.open()
    sight.page.fill("input[type=search]", "OTHER")
    sight.page.wait_for_url("**#q=OTHER")
    assert len(rows(sight)) == 1
    sight.open("#q=in+d&filter=cut")
    assert rows(sight) == ["delta"]
    assert sight.page.input_value("input[type=search]") == "in d"
    assert sight.page.get_attribute('[data-filter="cut"]', "aria-pressed") == "true"


def test_cases_are_sorted_by_a_metric_and_what_is_unknown_comes_last(sight: Sight) -> None:
    sight.open("#sort=0.1.up")
    assert rows(sight)[-1] == "delta"
    sight.page.select_option(".tools select", "1.0.down")
    assert rows(sight)[0] == "delta"
    sight.page.select_option(".tools select", "agree")
    assert rows(sight)[0] == "beta"


def test_repetitions_are_one_row_that_says_how_often_they_agree(sight: Sight) -> None:
    sight.open("#q=beta")
    assert "2/3 pass" in sight.text(".row")
    assert "2 of 3 alike" in sight.text(".row")
    sight.open("#case=beta")
    assert sight.page.locator("dialog .trial h4").count() == 3


def test_a_hostile_text_stays_a_text_and_its_marks_are_seen(sight: Sight) -> None:
    sight.open("#filter=results")
    sight.page.locator(".row", has_text="onerror").click()
    assert sight.page.title() == "Few · test"
    assert sight.page.locator("img").count() == 0
    assert "\\u202e" in sight.text("#case-name")
    assert "\u202e" not in sight.page.content()
    assert sight.page.locator("dialog del .mark").count()
    sight.check_quiet()


def test_a_megabyte_of_one_line_is_shown_in_pieces(sight: Sight) -> None:
    sight.open("#case=delta")
    more = sight.page.locator("dialog .long button")
    assert "980,000 of 1,000,000 characters are left" in more.inner_text()
    more.click()
    assert "960,000 of 1,000,000" in more.inner_text()
    assert sight.page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_the_keyboard_does_everything(sight: Sight) -> None:
    sight.open()
    keys = sight.page.keyboard
    keys.press("/")
    keys.type("in ")
    sight.page.wait_for_url("**#q=in+")
    keys.press("Enter")
    keys.press("j")
    keys.press("Enter")
    assert sight.text("#case-name") == "beta"
    keys.press("ArrowLeft")
    assert sight.text("#case-name") == "alpha"
    keys.press("Escape")
    assert not sight.page.locator("dialog").evaluate("dialog => dialog.open")
    # A browser says that a dialog is closed in a task of its own.
    sight.page.wait_for_function("!location.hash.includes('case=')")
    sight.page.wait_for_function("document.activeElement.className === 'list'")


def test_only_what_differs_is_shown_if_wanted(sight: Sight) -> None:
    sight.open("#case=alpha&only=1")
    assert sight.page.locator("#only").is_checked()
    sight.page.uncheck("#only")
    sight.page.wait_for_function("!location.hash.includes('only')")


def test_words_that_differ_are_marked(sight: Sight) -> None:
    sight.open("#case=beta")
    third = sight.page.locator("dialog .trial").nth(2)
    assert third.locator("del").inner_text() == "b"
    assert third.locator("ins").inner_text() == "a"


@pytest.mark.parametrize(("state", "scheme"), [("#case=beta", "light"), ("", "dark")])
def test_axe_finds_no_violation(browser: Any, pages: dict[str, Path], state: str, scheme: str) -> None:
    sight = Sight(browser, pages["few"], scheme=scheme)
    sight.open(state)
    assert not sight.axe()
    sight.context.close()


def test_a_phone_does_not_scroll_sideways_and_text_in_plots_is_readable(browser: Any, pages: dict[str, Path]) -> None:
    sight = Sight(browser, pages["few"], width=390)
    assert sight.page.evaluate("document.documentElement.scrollWidth") == 390
    heights = "[...document.querySelectorAll('svg text')].map(text => text.getBoundingClientRect().height)"
    least = min(height for height in sight.page.evaluate(heights) if height)
    assert least >= 11
    sight.check_quiet()
    sight.context.close()


def test_a_phone_shows_lines_of_prompts_and_small_tables_as_such(browser: Any, pages: dict[str, Path]) -> None:
    page = Sight(browser, pages["few"], width=390).page
    # The text of a line has the room, not the bar beside it, which is as high as one line.
    table, line = (page.locator(f".diff {each}").first.bounding_box()["width"] for each in ("tbody", "td.code"))
    assert line > 0.75 * table
    assert (
        page.locator(".diff td.heat").first.evaluate("cell => getComputedStyle(cell).backgroundRepeat") == "no-repeat"
    )
    # Three columns fit, with their headers; of more each row is a block.
    assert page.locator("table.small thead").first.is_visible()
    assert page.locator("table.small td").first.bounding_box()["x"] > 100


def test_labels_in_a_plot_do_not_lie_on_one_another_and_counts_have_no_halves(browser: Any, tmp_path: Path) -> None:
    ends = {"front": True, "baseline": False}
    points = [{"label": f"prompt@v{at}", "x": 1 + at / 50, "y": 0.5 + at / 500, **ENDS, **ends} for at in range(7)]
    certain = [{"label": name, "x": x, "y": 1.0, "low": 1.0, "high": 1.0, **ends} for name, x in (("a", 1), ("b", 9))]
    bars = {"kinds": ["n"], "unit": "n", "bars": [{"label": "a", "kind": "n", "value": 2}]}
    blocks = [
        PlotBlock("front", "near", {"points": points}, "near"),
        PlotBlock("front", "certain", {"points": certain}, "certain"),
        PlotBlock("bars", "few", bars, "few"),
    ]
    path = tmp_path / "plots.html"
    path.write_text(page_html(ReportPage("test", "Plots", [], [PageSection("Plots", blocks)])), encoding="utf-8")  # type: ignore[arg-type] # the kinds of blocks
    page = Sight(browser, path, width=390).page
    near, sure, few = page.locator(".plot").all()
    boxes = [box for each in near.locator("text", has_text="prompt@").all() if (box := each.bounding_box())]
    assert 1 <= len(boxes) < 7
    for at, box in enumerate(boxes):
        for other in boxes[:at]:
            apart = abs(box["y"] - other["y"]) > 10
            assert apart or box["x"] + box["width"] < other["x"] or other["x"] + other["width"] < box["x"]
    assert {"90%", "100%"} <= set(sure.locator("text").all_inner_texts()) | set(
        sure.locator("text").all_text_contents()
    )
    assert {"0", "1", "2"} <= set(few.locator("text").all_text_contents())
    assert "0.5" not in few.locator("text").all_text_contents()


def test_paper_has_the_tables_and_the_first_cases(sight: Sight) -> None:
    sight.open()
    sight.page.emulate_media(media="print")
    sight.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert sight.page.locator(".printed tbody tr").count() == 4
    assert sight.page.locator(".list").is_hidden()
    assert sight.page.locator("table caption").first.is_visible()
    sight.page.evaluate("dispatchEvent(new Event('afterprint'))")
    sight.page.emulate_media(media="screen")


def test_of_many_rows_only_those_in_sight_exist(browser: Any, pages: dict[str, Path]) -> None:
    sight = Sight(browser, pages["many"])
    assert sight.page.locator(".row").count() < 60
    sight.page.focus(".list")
    sight.page.keyboard.press("End")
    sight.page.wait_for_selector("text=case-19999")
    assert sight.page.locator(".row").count() < 60
    sight.page.click('[data-filter="failures"]')
    assert 5_000 < int(sight.text(".found").split(" of ")[0].replace(",", "")) < 8_000
    sight.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert "the first 100 are printed" in sight.page.locator(".printed p").text_content()
    sight.check_quiet()
    sight.context.close()


def test_many_variants_and_repetitions_stay_readable_and_plots_take_any_numbers(
    browser: Any, pages: dict[str, Path]
) -> None:
    sight = Sight(browser, pages["wide"])
    assert sight.page.locator(".plot svg").count() == 6
    assert "NaN" not in "".join(plot.inner_html() for plot in sight.page.locator(".plot").all())
    # A step that costs more than it saves has a sign.
    assert sight.page.locator(".plot").nth(2).locator("text", has_text="+$2").count() == 1
    dots = sight.page.locator(".plot").nth(1).locator("circle")
    assert dots.count() == 12
    assert sight.page.locator(".row").nth(1).locator(".answer").count() == 1
    assert "5 of 12 variants pass" in sight.page.locator(".row").nth(1).inner_text()
    sight.page.locator(".row").nth(0).click()
    assert sight.text("#case-name") == "case 1"
    sight.page.keyboard.press("Escape")
    sight.page.locator(".row").nth(1).click()
    assert "two" in sight.text("#case-name")
    assert sight.page.locator("dialog .trial").count() == 3
    sight.page.click("text=Show 4 more repetitions")
    assert sight.page.locator("dialog .trial").count() == 7
    assert sight.page.locator("dialog .card").count() == 7 * 12
    sight.check_quiet()
    sight.context.close()
