"""A second reading of prompts that are not in English: no reader knows their words, so what stands there must be held.

Labels, ranges, counts and null are looked for by their signs alone (digits, capitals, marks, bars); a value that only such
words can describe is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from promptopt.structured.fields import MASK, Inferred, PromptText
from promptopt.structured.witness.accounts import instructions
from promptopt.structured.witness.keys import KeyOfSchema, form_of, shortened, values_shown, words_read

_ENGLISH = frozenset(
    re.findall(
        r"\w+",
        """the of and is are be with this that it you your or if not from by for which what must should will may can use each any all only one
    following return respond answer output write text given based classify extract summarize list label identify""",
    )
)
_SHARE = 0.08
_LEAST_WORDS = 5


def is_foreign(text: str) -> bool:
    """Whether a text is in another language than English, by its commonest words."""
    words = [word.lower() for word in re.findall(r"[^\W\d_]{2,}", text.replace(MASK, " "))]
    return len(words) >= _LEAST_WORDS and sum(word in _ENGLISH for word in words) < len(words) * _SHARE


def unread_elsewhere(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """What a prompt in another language shows or lists and no field has; nothing of a prompt in English."""
    text = instructions(document, found)
    if not is_foreign(text):
        return
    yield from _left_open(document, found, leaves)
    yield from _labels(document, text, leaves)
    yield from _numbers(document, text, leaves)
    if not any(leaf.nullable for leaf in leaves) and (null := re.search(r"\bnull\b", text)):
        yield f"line {document.line(null.start())}: a value may be null, and no field that was read may be"


_OPEN = re.compile(r"\"(?:\.\.\.|…|\s*)\"|\.\.\.|…")


def _left_open(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    form = form_of(document, found)
    for leaf in leaves:
        if leaf.kinds <= {"string", "null"} and not leaf.labelled:
            for match in values_shown(form, leaf.name, _OPEN):
                yield f"nothing that is read says what {leaf.name!r} is, which is shown as {shortened(match[0])}"


_WORD = r"(?:[A-Z][A-Z\d]+(?:_[A-Z\d]+)*|[a-z]+(?:_[a-z\d]+)+|[\"'`“„«][^\"'`“”„«»\n]{1,40}[\"'`”“»])"
_WORDS = re.compile(rf"(?<![\w-]){_WORD}(?:\s*(?:[,，、/|;]|\s\w{{1,4}}\s)\s*(?:\w{{1,4}}\s+)?{_WORD})+")


def _labels(document: PromptText, text: str, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    known = words_read(leaves)
    for match in _WORDS.finditer(text):
        tokens = [token.strip("\"'`“”„«»") for token in re.findall(_WORD, match[0])]
        if "/" in match[0] and (len(tokens) == 2 or not all(re.search(r"[AEIOUYaeiouy]", token) for token in tokens)):
            continue  # "KYC/AML" is one thing, "PIN/CVV/OTP" has an abbreviation
        if "JSON" in tokens:
            continue  # "SOLO con el JSON"
        if not any(token.casefold() in known or MASK in token for token in tokens):
            yield f"line {document.line(match.start())}: {shortened(match[0])!r} may be labels, and no field has them"


_RANGE = re.compile(
    r"(?<![\w.])-?\d+(?:\.\d+)?%?\s?(?:-|–|—|~|～|\.\.|[^\W\d_]{1,4})\s?-?\d+(?:\.\d+)?(?![\w.]*\d)(?! (?:sentences|words|lines|paragraphs)\b)"
)
_MANY = re.compile(r"(?<![\w.,/:-])(?:[2-9]|[1-4]\d)(?![\w%]*\d|[.)]\s|[.,:/]\d)")


def _numbers(document: PromptText, text: str, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    numeric = [leaf for leaf in leaves if leaf.kinds & {"number", "integer"}]
    held = any(leaf.bounded for leaf in numeric)
    if numeric and not held and (span := _RANGE.search(text)):
        yield f"line {document.line(span.start())}: {shortened(span[0])!r} may be a range, and no number was read with one"
    lists = [leaf for leaf in leaves if leaf.listed]
    if held:
        text = _RANGE.sub(lambda match: " " * len(match[0]), text)  # the ends of a scale count nothing
    if lists and not any({"minItems", "maxItems"} & set(leaf.node) for leaf in lists) and (count := _MANY.search(text)):
        yield f"line {document.line(count.start())}: {count[0]!r} may be a count, and no list was read with one"
