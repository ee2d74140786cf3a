"""The page as a text: what is in it, and what cannot be."""

import base64
import gzip
import hashlib
import re
from html.parser import HTMLParser
from importlib.resources import files

import pytest
from browser import data_of
from hypothesis import given, settings
from hypothesis import strategies as st

from promptopt.webpage.blocks import (
    CaseAnswers,
    CasesBlock,
    DiffBlock,
    PageSection,
    PlotBlock,
    ReportPage,
    TableBlock,
    TextBlock,
    VerdictBlock,
)
from promptopt.webpage.page import fragment_html, page_html

VENDOR = files("promptopt.webpage").joinpath("vendor")


class Elements(HTMLParser):
    """The names of the elements of a page, and its texts outside of scripts and styles."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.texts: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.names.append(tag)

    def handle_data(self, data: str) -> None:
        if self.names[-1:] not in (["script"], ["style"]):
            self.texts.append(data)


def page_of(*blocks: object, **options: object) -> str:
    return page_html(ReportPage("promptopt test", "A page", [], [PageSection("Part", blocks)], **options))  # type: ignore[arg-type]


def one_case(text: str) -> CasesBlock:
    answers = CaseAnswers("p@v1", [text], ["p"], [""], [text], [[1.0]], [[(0, 1.0, 1, text)]])
    return CasesBlock("Cases", [text], [text], [text], [1], [("quality", "percent")], [answers], ["equals"])


@pytest.mark.parametrize("name", ["d3.min.js", "plot.umd.min.js"])
def test_a_vendored_library_is_the_file_that_the_readme_names(name: str) -> None:
    digest = hashlib.sha256(VENDOR.joinpath(name).read_bytes()).hexdigest()
    assert re.search(rf"`{name}` .*`{digest}`", VENDOR.joinpath("README.md").read_text(encoding="utf-8"))


def test_the_policy_allows_the_scripts_of_the_page_and_no_network() -> None:
    page = page_of(TextBlock("hello"))
    policy = re.search('Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    own = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    libraries = [gzip.decompress(base64.b64decode(t)).decode() for t in re.findall('class="library">(.*?)</s', page)]
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in [*own, *libraries]]
    assert re.findall("sha256-([^']*)", policy[1]) == digests
    assert len(digests) == 3
    assert policy[1].startswith("default-src 'none'; ")
    assert "connect-src" not in policy[1]
    assert "unsafe-eval" not in policy[1]


def test_the_same_values_give_the_same_bytes() -> None:
    assert page_of(one_case("x"), TextBlock("y")) == page_of(one_case("x"), TextBlock("y"))


NASTY = "</script><script>alert(1)</script><img src=x onerror=alert(1)> \"' & \u202eevil\u2066 \x1b[31m \ud800 <!-- ]]>"


def test_nothing_that_a_prompt_or_a_model_wrote_is_an_element() -> None:
    blocks = [
        VerdictBlock(NASTY, NASTY, (NASTY,)),
        TableBlock((NASTY, "b"), [[NASTY, NASTY]], NASTY, note=NASTY),
        DiffBlock(NASTY, [(NASTY, 1.0), ("same", None)], [(NASTY + "x", 2.0), ("same", None)], NASTY, NASTY),
        TextBlock(NASTY),
        TextBlock(NASTY, preformatted=True),
        PlotBlock("bars", NASTY, {"bars": [{"label": NASTY}], "kinds": [NASTY], "unit": NASTY}, NASTY, NASTY),
        one_case(NASTY),
    ]
    page = page_html(ReportPage(NASTY, NASTY, blocks, [PageSection(NASTY, blocks), PageSection("b", blocks)], [NASTY]))
    page.encode()
    elements = Elements(page)
    assert elements.names.count("script") == 4
    assert "img" not in elements.names
    shown = "".join(elements.texts)
    assert "<img src=x onerror=alert(1)>" in shown
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x1b\ud800]", page)
    assert "\\u202e" in shown
    assert data_of(page)[0]["bars"] == [{"label": NASTY}]


def test_a_table_says_how_many_rows_it_leaves_out() -> None:
    page = page_of(TableBlock(("a", "b"), [[str(at), "x"] for at in range(12)], most=10))
    assert page.count("<tr>") == 11
    assert "And 2 more rows." in page


def test_a_diff_marks_words_and_shows_weights() -> None:
    page = page_of(
        DiffBlock("d", [("Keep it short please.", 5), ("end", None)], [("Keep it short.", 4), ("end", None)])
    )
    assert "<del> please</del>" in page
    assert "--heat:100%" in page
    assert "--heat:80%" in page


def test_a_long_diff_shows_the_changes_and_says_what_it_leaves_out() -> None:
    before = [(f"line {at}", 1.0) for at in range(500)]
    after = [*before[:250], ("new", 2.0), *before[250:]]
    page = page_of(DiffBlock("d", before, after))
    assert page.count("… 247 lines the same") == 2
    assert ">line 249<" not in page
    assert "line 249" in page


def test_a_line_of_a_megabyte_is_cut_and_said() -> None:
    line = "x" * 1_000_000
    page = page_of(DiffBlock("d", [(line, None)], [(line + "y", None)]))
    assert len(page) < 400_000
    assert "990,000 characters more" in page


@settings(max_examples=15)
@given(st.lists(st.text(max_size=40), min_size=1, max_size=6), st.lists(st.text(max_size=40), min_size=1, max_size=6))
def test_both_sides_of_a_diff_are_all_there(before: list[str], after: list[str]) -> None:
    page = page_of(DiffBlock("d", [(line, None) for line in before], [(line, None) for line in after]))
    rows = re.findall('<tr class="(old|new|same)">', page)
    assert rows.count("old") + rows.count("same") == len(before)
    assert rows.count("new") + rows.count("same") == len(after)


def test_a_section_without_blocks_is_left_out() -> None:
    page = page_html(ReportPage("k", "t", [], [PageSection("Empty", []), PageSection("Full", [TextBlock("x")])]))
    assert "Empty" not in page
    assert "<nav" not in page


def test_a_fragment_has_no_script_and_no_plot() -> None:
    fragment = fragment_html([TextBlock("hello"), one_case("c"), PlotBlock("bars", "b", {}, "s")])
    assert "<script" not in fragment
    assert "<figure" not in fragment
    assert "hello" in fragment
