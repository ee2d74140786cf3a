"""Scorers of markup: XML and HTML, as the whole answer or within it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar

from promptopt.errors import MissingExtra
from promptopt.scorers.base import Subject, raw_answer, shorten, verdict
from promptopt.suites import Assertion
from promptopt.values import Score

_NAME = r"[:_A-Za-z\xC0-\uFFFD][-.:\w\xB7]*"
_MARKUP = re.compile(
    rf"<!--.*?-->|<!\[CDATA\[(?P<data>.*?)\]\]>|<\?.*?\?>|<![^>]*>"
    rf"|<(?P<close>/?)(?P<name>{_NAME})(?P<rest>(?:[^<>\"']|\"[^\"]*\"|'[^']*')*)>",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(rf"({_NAME})\s*=\s*(?:\"[^\"]*\"|'[^']*')")


class Xml:
    """``is-xml``: the response is one well-formed XML document; ``contains-xml``: some well-formed element is in it.

    ``value`` names elements that must be there by their path from the root (``answer.steps.step``), in a list, a text
    with commas, or ``{requiredElements: [...]}``. Of a repeated element a path says which (``items.item.0``).
    A document that defines entities of its own is refused.
    """

    reads_answer: ClassVar[bool] = True
    options: ClassVar[tuple[str, ...]] = ()

    def __init__(self, assertion: Assertion) -> None:
        value = assertion.value
        if isinstance(value, dict):
            value = value.get("requiredElements")
            if not isinstance(value, list):
                raise ValueError(f"needs `requiredElements` with a list, not {assertion.value!r}")
        if isinstance(value, str):
            value = [part.strip() for part in value.split(",")] if value.strip() else []
        if value is not None and not isinstance(value, list):
            raise ValueError(f"needs a list of elements as `value`, not {assertion.value!r}")
        self._paths = [str(path).split(".") for path in value or []]
        self._whole = assertion.type == "is-xml"

    def __call__(self, subject: Subject) -> Score:
        text = raw_answer(subject)
        if self._whole:
            problem = _xml_problem(text) or self._missing(text)
            return verdict(not problem, problem)
        problem = f"no XML in {shorten(text)}"
        for candidate in _elements(text):
            problem = self._missing(candidate)
            if not problem:
                break
        return verdict(not problem, problem)

    def _missing(self, text: str) -> str:
        tree = _tree(text)
        missing = [".".join(path) for path in self._paths if not _has(tree, path)]
        return f"the XML has no {', '.join(missing)}" if missing else ""


def _xml_problem(text: str) -> str:
    """Why a text is not an XML document; empty if it is."""
    from xml.parsers import expat

    class Refused(Exception):
        pass

    def doctype(_name: str, _system: str | None, _public: str | None, internal: int) -> None:
        if internal:
            raise Refused

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
    except Refused:
        return "it is not read: it defines entities of its own"
    except expat.ExpatError as error:
        return f"is not XML: {error}"
    return ""


def _elements(text: str) -> Iterator[str]:
    """The outermost elements that are closed, first all that lie beside each other."""
    open_: list[tuple[str, int]] = []
    found: list[tuple[int, int, int]] = []
    for match in _MARKUP.finditer(text):
        name = match["name"]
        if name is None:
            continue
        if not match["close"] and match["rest"].rstrip().endswith("/"):
            found.append((match.start(), match.end(), len(open_)))
        elif not match["close"]:
            open_.append((name, match.start()))
        elif open_ and open_[-1][0] == name:
            found.append((open_.pop()[1], match.end(), len(open_)))
        else:
            open_.clear()
    outer = [one for one in found if not any(a <= one[0] and one[1] <= b and (a, b) != one[:2] for a, b, _ in found)]
    if len(outer) > 1:
        yield text[min(start for start, _, _ in outer) : max(end for _, end, _ in outer)]
    for start, end, _ in sorted(outer):
        yield text[start:end]


def _tree(text: str) -> dict[str, Any]:
    """Elements by name, those of one name in a list, as far as a text closes what it opens."""
    root: dict[str, Any] = {}
    path: list[dict[str, Any]] = [root]
    for match in _MARKUP.finditer(text):
        name = match["name"]
        if name is None:
            continue
        if match["close"]:
            if len(path) > 1:
                path.pop()
            continue
        node: dict[str, Any] = {f"@_{attribute}": "" for attribute in _ATTRIBUTE.findall(match["rest"])}
        parent = path[-1]
        if name not in parent:
            parent[name] = node
        elif isinstance(parent[name], list):
            parent[name].append(node)
        else:
            parent[name] = [parent[name], node]
        if not match["rest"].rstrip().endswith("/"):
            path.append(node)
    return root


def _has(tree: Any, path: list[str]) -> bool:
    for key in path:
        if isinstance(tree, list):
            if not key.isdecimal() or int(key) >= len(tree):
                return False
            tree = tree[int(key)]
        elif key in tree:
            tree = tree[key]
        else:
            return False
    return True


# Elements of HTML; a custom element has a hyphen in its name.
_KNOWN = frozenset(
    {
        *(
            "a",
            "abbr",
            "address",
            "area",
            "article",
            "aside",
            "audio",
            "b",
            "base",
            "bdi",
            "bdo",
            "blockquote",
        ),
        *(
            "body",
            "br",
            "button",
            "canvas",
            "caption",
            "cite",
            "code",
            "col",
            "colgroup",
            "data",
            "datalist",
        ),
        *(
            "dd",
            "del",
            "details",
            "dfn",
            "dialog",
            "div",
            "dl",
            "dt",
            "em",
            "embed",
            "fieldset",
            "figcaption",
        ),
        *(
            "figure",
            "footer",
            "form",
            "h1",
            "h2",
            "h3",
            "h4",
            "h5",
            "h6",
            "head",
            "header",
            "hr",
            "html",
        ),
        *(
            "i",
            "iframe",
            "img",
            "input",
            "ins",
            "kbd",
            "label",
            "legend",
            "li",
            "link",
            "main",
            "map",
            "mark",
        ),
        *(
            "math",
            "menu",
            "meta",
            "meter",
            "nav",
            "noscript",
            "object",
            "ol",
            "optgroup",
            "option",
            "output",
        ),
        *(
            "p",
            "param",
            "picture",
            "pre",
            "progress",
            "q",
            "rp",
            "rt",
            "ruby",
            "s",
            "samp",
            "script",
            "section",
        ),
        *(
            "select",
            "slot",
            "small",
            "source",
            "span",
            "strong",
            "style",
            "sub",
            "summary",
            "sup",
            "svg",
        ),
        *(
            "table",
            "tbody",
            "td",
            "template",
            "textarea",
            "tfoot",
            "th",
            "thead",
            "time",
            "title",
            "tr",
            "track",
        ),
        *(
            "u",
            "ul",
            "var",
            "video",
            "wbr",
        ),
    }
)
# The parser adds these three itself.
_ADDED = ("html", "head", "body")


class IsHtml:
    """``is-html``: the response is HTML: known elements, and no text outside them. Needs the extra ``asserts``."""

    reads_answer: ClassVar[bool] = True
    options: ClassVar[tuple[str, ...]] = ()

    def __init__(self, assertion: Assertion) -> None:
        del assertion
        try:
            import html5lib  # noqa: F401 - asked for before anything is paid
        except ImportError:
            raise MissingExtra("html5lib", "asserts", "the assert is-html") from None

    def __call__(self, subject: Subject) -> Score:
        problem = _html_problem(raw_answer(subject).strip())
        return verdict(not problem, problem)


def _html_problem(text: str) -> str:
    if re.match(r"<\?xml", text, re.IGNORECASE):
        return "is XML, not HTML"
    import html5lib

    document = html5lib.parse(text, treebuilder="etree", namespaceHTMLElements=False)
    written = {name for name in _ADDED if re.search(rf"<{name}(?=[\s>/])", text.lower())}
    body = document.find("body")
    if body is not None and "body" not in written:
        outside = [body.text, *(element.tail for element in body)]
        if any((part or "").strip() for part in outside):
            return f"{shorten(text)} has text outside elements"
    names = {element.tag.rpartition("}")[2].lower() for element in document.iter() if isinstance(element.tag, str)}
    known = {name for name in names if (name in written if name in _ADDED else name in _KNOWN or "-" in name)}
    return "" if known else f"no HTML element in {shorten(text)}"


# What points to HTML, and how much it says; two are enough.
_SIGNS = (
    (1, re.compile(r"<[a-zA-Z][a-zA-Z0-9-]*(?:\s[^>]*)?>")),
    (1, re.compile(r"</[a-zA-Z][a-zA-Z0-9-]*\s*>")),
    (1, re.compile(r"<[a-zA-Z][a-zA-Z0-9-]*(?:\s[^>]*)?/>")),
    (1, re.compile(r"&(?:[a-zA-Z]+|#[0-9]+|#x[0-9a-fA-F]+);")),
    (2, re.compile(r"<!DOCTYPE\s+html", re.IGNORECASE)),
    (1, re.compile(r"<!--[^-]*(?:-[^-]+)*-->")),
    (1, re.compile(r"\s[a-zA-Z-]+=\s*[\"'][^\"']*[\"']")),
    (
        2,
        re.compile(
            r"<(?:html|head|body|div|span|p|a|img|h[1-6]|ul|ol|li|table|tr|td|th|form|input|button|script|style|link"
            r"|meta|br|hr)\b",
            re.IGNORECASE | re.ASCII,
        ),
    ),
)


class ContainsHtml:
    """``contains-html``: some HTML is in the response: a common element, or two signs of markup."""

    reads_answer: ClassVar[bool] = True
    options: ClassVar[tuple[str, ...]] = ()

    def __init__(self, assertion: Assertion) -> None:
        del assertion

    def __call__(self, subject: Subject) -> Score:
        text = raw_answer(subject)
        weight = sum(weight for weight, sign in _SIGNS if sign.search(text))
        return verdict(weight >= 2, f"no HTML in {shorten(text)}")
