"""A page as one HTML file: verdicts, tables and texts are written out; plots and cases are drawn by its script.

Data and libraries are compressed, in base64, and inflated in the page. The content security policy names the digests
of the three scripts and forbids everything else: nothing is fetched, and nothing that a prompt or a model wrote runs.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from dataclasses import fields
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from promptopt.errors import UsageError
from promptopt.files import check_writable, replace_file
from promptopt.webpage.blocks import CasesBlock, PageBlock, PlotBlock, ReportPage
from promptopt.webpage.markup import block_html, escaped

_SCRIPTS = ("differences.js", "plots.js", "cases.js", "page.js")
_LIBRARIES = ("d3.min.js", "plot.umd.min.js")
# Level 6 is three times as fast as 9 and 1% larger.
_LEVEL = 6


def check_page_path(path: Path) -> None:
    """Raises UsageError if the file is not named as a page is, InputError if it cannot be written."""
    if path.suffix.lower() != ".html":
        raise UsageError(f"-o {path}: unknown ending {path.suffix!r}; the report is a page, FILE.html")
    check_writable(path)


def write_page(page: ReportPage, *paths: Path) -> None:
    """Write the page to each path, whole or not at all. Raises InputError if it cannot be written."""
    text = page_html(page)
    for path in paths:
        replace_file(path, text)


def page_html(page: ReportPage) -> str:
    """The page; the same values give the same bytes."""
    drawn: list[dict[str, Any]] = []
    body = [f'<header><p class="kind">{escaped(page.kind)}</p><h1>{escaped(page.title)}</h1></header>']
    body += [_placed(block, drawn) for block in page.lead]
    sections = [section for section in page.sections if section.blocks]
    if len(sections) > 1:
        links = "".join(f'<a href="#s{at}">{escaped(each.title)}</a>' for at, each in enumerate(sections))
        body.append(f'<nav aria-label="Sections">{links}</nav>')
    for at, section in enumerate(sections):
        inner = "\n".join(_placed(block, drawn) for block in section.blocks)
        body.append(f'<section aria-labelledby="s{at}"><h2 id="s{at}">{escaped(section.title)}</h2>\n{inner}</section>')
    footer = "\n".join(f"<p>{escaped(line)}</p>" for line in page.footer)
    script = _script()
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy()}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="color-scheme" '
        f'content="light dark">\n<link rel="icon" href="data:,">\n<title>{escaped(page.title)} · '
        f"{escaped(page.kind)}</title>\n<style>\n{_file('page.css')}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(body)
        + f"\n</main>\n<footer>\n{footer}\n<details><summary>Libraries of this page</summary>"
        f"<pre>{escaped(_licences())}</pre></details>\n</footer>\n"
        "<noscript><p>Plots and cases need the scripts of this page; verdicts and tables do not.</p></noscript>\n"
        + "".join(
            f'<script type="text/plain" class="library">{_packed_library(name)}</script>\n' for name in _LIBRARIES
        )
        + f'<script type="text/plain" id="data">{_packed(json.dumps(drawn, separators=(",", ":")))}</script>\n'
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def fragment_html(blocks: list[PageBlock]) -> str:
    """Blocks in one element for a notebook's cell, without scripts: plots and cases are left out."""
    shown = [block_html(block) for block in blocks if not isinstance(block, PlotBlock | CasesBlock)]
    return f'<div class="promptopt"><style>\n{_file("fragment.css")}</style>\n' + "\n".join(shown) + "</div>"


def _placed(block: PageBlock, drawn: list[dict[str, Any]]) -> str:
    """The block as HTML; one that the script draws is a place, and its data are kept."""
    if not isinstance(block, PlotBlock | CasesBlock):
        return block_html(block)
    number = len(drawn)
    if isinstance(block, PlotBlock):
        drawn.append({"type": "plot", "kind": block.kind, **block.data})
    else:
        drawn.append({"type": "cases", **_columns(block)})
    return block_html(block, number)


def _columns(block: CasesBlock) -> dict[str, Any]:
    """The block's fields, in columns, without a copy of what is in them."""
    found = {field.name: getattr(block, field.name) for field in fields(block)}
    found["answers"] = [
        {field.name: getattr(answers, field.name) for field in fields(answers)}
        # One text is read faster than a list of letters.
        | {"states": "".join(answers.states)}
        for answers in block.answers
    ]
    return found


def _packed(text: str) -> str:
    # Without the time, so that the same report has the same bytes. A lone surrogate is an escape of JSON already.
    return base64.b64encode(gzip.compress(text.encode(), _LEVEL, mtime=0)).decode()


@cache
def _packed_library(name: str) -> str:
    return _packed(_file(f"vendor/{name}"))


@cache
def _file(name: str) -> str:
    return files("promptopt.webpage").joinpath(name).read_text(encoding="utf-8")


@cache
def _script() -> str:
    return '"use strict";\n(() => {\n' + "\n".join(_file(name) for name in _SCRIPTS) + "})();\n"


@cache
def _policy() -> str:
    scripts = [_script(), *(_file(f"vendor/{name}") for name in _LIBRARIES)]
    digests = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    # Plot sets styles on its elements. Styles cannot fetch anything either: there is no other source than data.
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )


@cache
def _licences() -> str:
    return "\n".join(
        f"{name}: {_file(f'vendor/LICENSE.{short}')}" for name, short in (("d3", "d3"), ("Observable Plot", "plot"))
    )
