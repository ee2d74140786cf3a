"""A second reading of what stands against a form: JSON that is denied, one word as the whole answer, lines that go on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from promptopt.structured.fields import Inferred, PromptText
from promptopt.structured.witness.accounts import instructions
from promptopt.structured.witness.keys import KeyOfSchema, shortened, words_read

_NO_JSON = re.compile(
    r"\b(?:never|do not|don['’]t|must not|should not|cannot)[ \t]+(?:ever )?(?:(?:return|use|output|write|produce|give|send|emit|print|generate|include|add|answer|respond|reply)[ \t]+)?(?:(?:in|with|as)[ \t]+)?(?:any |a |the )?(?:raw |valid )?json\b"
    r"(?! (?:in|inside|within|with|fences?|code|comments?|markdown|blocks?|that|outside|keys?|before|after|wrapp\w+|as a|schema|escap\w+|lines?|strings?|until|unless|if|objects? (?:with|that))\b)"
    r"|(?:\A|[.;:,(–—-][ \t]*|\n[ \t]*)no json\b(?! (?:in|inside|within|with|fences?|code|comments?|markdown|blocks?|schema|keys?)\b)|\b(?:without|not (?:in|as)|instead of|rather than) (?:any )?json\b(?! (?:in|fences?|code|markdown|blocks?|comments?|keys?)\b)",
    re.IGNORECASE,
)
_ONE_THING = re.compile(
    r"\b(?:whole|entire|complete|full) (?:reply|response|answer|output)\b[^.\n]{0,40}\b(?:one|a single|exactly one|just one) (?:word|number|letter|digit|line|sentence|token|label)\b",
    re.IGNORECASE,
)


def denied(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """What says that the answer is no JSON, though keys of one were read."""
    text = instructions(document, found)
    for pattern in (_NO_JSON, _ONE_THING):
        for match in pattern.finditer(text):
            yield f"line {document.line(match.start())}: {shortened(match[0])!r} stands against the JSON that was read"
    yield from _lines_left(document, found, leaves)
    yield from _tag_holds_else(document, found)


_TAG_BEFORE = re.compile(r"<(?P<name>[A-Za-z][\w-]*)>\s*(?:```\w*\s*)?\Z")


def _tag_holds_else(document: PromptText, found: Inferred) -> Iterator[str]:
    """A tag around the JSON that holds a word in some case: "<items>none</items>"."""
    text = document.text
    for span in found.covered:
        if (tag := _TAG_BEFORE.search(text, 0, span.start)) is None:
            continue
        for other in re.finditer(rf"<{tag['name']}>\s*(?P<held>[^<>{{}}\[\]\n]{{1,60}}?)\s*</{tag['name']}>", text):
            if re.search(r"\w", other["held"]):
                yield f"line {document.line(other.start())}: {shortened(other[0])!r} is an answer in some case, and no JSON"


_LINE = re.compile(
    r"[ \t]*(?P<bullet>[-*•]|\d+[.)])?[ \t]*(?P<mark>[\"'`*_]*)(?P<name>[A-Za-z_]\w*)(?P<shut>[\"'`*_]*)[ \t]*(?:\([^()\n]*\)[ \t]*)?(?P<ends>[:=]|[-–—](?=[ \t])|\Z)"
)


def _lines_left(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Lines that name keys as the lines beside them do, and whose keys were not read."""
    if not any(item.source.startswith("key ") for item in found.fields):
        return
    known = words_read(leaves)
    before: re.Match[str] | None = None
    start = 0
    for line in document.text.split("\n"):
        match = _LINE.match(line)
        if match and before and _alike(match, before):
            names = [one["name"].casefold() for one in (before, match)]
            lost = [name for name in names if name not in known]
            if len(lost) == 1:
                yield f"line {document.line(start)}: {lost[0]!r} stands beside a key that was read, and was not read itself"
        before = match if match and match["ends"] else None
        start += len(line) + 1


def _alike(first: re.Match[str], second: re.Match[str]) -> bool:
    """Whether two lines begin in the same manner, with a name in marks or with an underscore."""
    same = all(first[part] == second[part] for part in ("mark", "shut", "ends"))
    return (
        same
        and bool(first["bullet"]) == bool(second["bullet"])
        and bool(first["ends"] and (first["mark"] or "_" in first["name"] + second["name"]))
    )
