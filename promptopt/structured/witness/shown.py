"""A second reading of what a form shows beside each key: lists and samples that are labels, and places that say no type.

It shares no pattern with the readers that propose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from promptopt.structured.fields import Inferred, PromptText
from promptopt.structured.prose.nulls import is_text_by_name
from promptopt.structured.witness.keys import VARIABLE, KeyOfSchema, form_of, said_of, shortened, values_shown

# null,  // the date it was sent
_NULL = re.compile(
    r"\bnull\b(?!\s*,?[ \t]*(?://|#)[^\n]*\b(?:dates?|texts?|strings?|sentences?|names?|titles?|urls?|links?|quotes?|reasons?|e-?mails?|integers?|numbers?)\b)",
    re.IGNORECASE,
)
_TYPE = r"(?:string|text|number|integer|float|boolean|bool|array|list|object)"
_KINDS_SHOWN = re.compile(
    rf"(?:{_TYPE}|str|int|date|number|value|\w*string|n/?a|none|null|true|false|yes|no)", re.IGNORECASE
)


def _heading_lists(document: PromptText, leaf: KeyOfSchema) -> re.Match[str] | None:
    """A heading that names a key, with two or more labels in quotation marks below it, one a line."""
    return re.search(
        rf"^[ \t#*]*{re.escape(leaf.name)}\b[^\n]*\n(?:[=-]{{3,}}\n|[ \t]*\n)?(?:[ \t]*(?:[-*•][ \t]+)?[\"'`][^\"'`:\n]+[\"'`](?![ \t]*:)[^\n]*\n){{2}}",
        document.text,
        re.IGNORECASE | re.MULTILINE,
    )


# Without these no key has such a list.
_QUOTED_LINES = re.compile(r"^[ \t]*(?:[-*•][ \t]+)?[\"'`][^\"'`:\n]+[\"'`]", re.MULTILINE)
_NAMES_LISTED = re.compile(r"[\"']\s*:\s*\[\s*[A-Za-z_]\w*\s*,")


def unsaid(document: PromptText, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Labels below a heading, and lists whose items are only named: ``[left, right]``."""
    text = document.text
    quoted = _QUOTED_LINES.search(text)
    for leaf in leaves:
        if leaf.labelled or leaf.kinds - {"string", "null"}:
            continue
        if quoted and (heading := _heading_lists(document, leaf)):
            yield f"line {document.line(heading.start())}: labels of {leaf.name!r} are listed, and were not read"
        names = _NAMES_LISTED.search(text) and re.search(
            rf"[\"']{re.escape(leaf.name)}[\"']\s*:\s*\[\s*(?!(?:{_KINDS_SHOWN.pattern})\b)[A-Za-z_]\w*\s*,",
            text,
            re.IGNORECASE,
        )
        if names:
            yield f"line {document.line(names.start())}: nothing says what the items of {leaf.name!r} are"


_OPEN = re.compile(rf"(?P<open>\.\.\.|…|[A-Z][A-Z_]*|(?:{VARIABLE.pattern})+)\s*(?:[,}}\n])")
_LETTER = re.compile(r"[\"'](?P<code>[A-H])[\"']")
# "from A to E"
_LETTER_SPAN = re.compile(r"(?<![\w'])[A-C](?: ?\([^()\n]{1,30}\))? ?(?:[-–]|to|through) ?[B-H](?![\w'-])")
# "P2", beside which a prompt has P1 and P3
_CODE = re.compile(r"[\"'](?P<code>(?P<stem>[A-Z]{1,2})\d)[\"']")
_WORD = re.compile(r"\[?\s*[\"'](?P<sample>[A-Za-z][\w-]{2,40})[\"']")


def _is_told(text: str, placed: str) -> bool:
    """Whether the prompt says what is meant by a word in capitals that takes the place of a value."""
    return (
        re.search(
            rf"(?<![\w\"'{{]){re.escape(placed)}[\"'`*]*(?: (?:is|are|means|stands for|should be|must be)|[ \t]*[:=–—-])[ \t]+\w+ \w",
            text,
        )
        is not None
    )


def shown(document: PromptText, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Values of a form that say no type, and samples that are labels of a list elsewhere."""
    text = document.text
    for leaf in leaves:
        if leaf.labelled or leaf.kinds - {"string", "null"}:
            continue
        spoken = list(said_of(document, leaf, ()))
        for match in values_shown(text, leaf.name, _OPEN):
            if _is_told(text, match["open"]):
                continue  # "QUERY is a set of words"
            if (len(spoken) < 2 and not _wanted_as_text(text, leaf.name)) or match["open"] not in ("...", "…"):
                line = document.line(match.start("open"))
                yield f"line {line}: nothing says what {leaf.name!r} is, which is shown as {shortened(match['open'])!r}"
        if (
            len(spoken) < 2
            and not is_text_by_name(leaf.name)
            and (null := next(values_shown(text, leaf.name, _NULL), None))
        ):
            yield f"line {document.line(null.start())}: nothing says what {leaf.name!r} is, which is shown as null"
        yield from _codes_shown(text, leaf)
        yield from _words_shown(document, leaf)


def _codes_shown(text: str, leaf: KeyOfSchema) -> Iterator[str]:
    """A code that the form shows as a text, if the prompt has others of its kind."""
    for match in values_shown(text, leaf.name, _LETTER):
        if span := _LETTER_SPAN.search(text):
            yield f"{match['code']!r} is shown as {leaf.name!r}, and {shortened(span[0])!r} is in the prompt: its letters were not read"
    for match in values_shown(text, leaf.name, _CODE):
        others = set(re.findall(rf"(?<![\w-]){re.escape(match['stem'])}\d(?![\w-]|\.\d)", text)) - {match["code"]}
        if len(others) > 1:
            yield f"{match['code']!r} is shown as {leaf.name!r}, and {', '.join(sorted(others))} are in the prompt: they were not read"


# Keys whose values are of a few kinds: one that is shown, and of which the task speaks, is one of them.
_OF_KIND = re.compile(r"(?:\A|_)(?:type|kind|category|method|mode|severity|priority|urgency|tier)\Z", re.IGNORECASE)


def _words_shown(document: PromptText, leaf: KeyOfSchema) -> Iterator[str]:
    """A word that the form shows as a text, if it begins an item of a list."""
    text = document.text
    key = rf"[\"']{re.escape(leaf.name)}[\"']\s*:\s*"
    for match in values_shown(text, leaf.name, _WORD):
        sample = match["sample"]
        if _KINDS_SHOWN.fullmatch(sample) or re.search(r"\d|XX|YYY", sample) or leaf.name.lower() in sample.lower():
            continue
        spoken_of = re.search(rf"(?<![\w\"']){re.escape(sample)}(?![\w\"'])", text)
        if _OF_KIND.search(leaf.name) and spoken_of and re.match(r"[\"'](?![^,}\]\n]*\|)", text[match.end("sample") :]):
            line = document.line(match.start())
            yield f"line {line}: {sample!r} is shown as {leaf.name!r}, and which others there are was not read"
        elsewhere = re.compile(
            rf"^[ \t]*(?:[-*•#]+|\d+[.)])[ \t]*[\"'`*]*{re.escape(sample)}[\"'`*]*(?=[ \t]*(?:[-–—:(]|$))|(?<=/ ){re.escape(sample)}\b|\b{re.escape(sample)}(?= /)",
            re.MULTILINE,
        )
        rest = text[: match.start("sample") - 1] + " " * (len(sample) + 2) + text[match.end("sample") + 1 :]
        rest = re.sub(rf"{key}\[?\s*[\"']{re.escape(sample)}[\"']", lambda same: " " * len(same[0]), rest)
        if label := elsewhere.search(rest):
            line = document.line(label.start())
            yield f"line {line}: {sample!r} is shown as {leaf.name!r} and is in a list; its other labels were not read"


_SENTENCE = re.compile(r"[\"'](?P<said>[A-Za-z][^\"'\n|/<>]*)[\"']")
_FOR_LABELS = re.compile(
    r"\b(?:one of|either|or|type|kind|category|class\w*|label|level|status|tier|rating|grade|severity|priority|option|choice|choose|select|name|based|which)\b",
    re.IGNORECASE,
)
_WORDS = 5


def labels_beside_text(document: PromptText, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """Labels of a key whose place says in a sentence what else belongs there: "exact words of the correct answer"."""
    for leaf in leaves:
        if not leaf.labelled or leaf.kinds - {"string", "null"}:
            continue
        for match in values_shown(document.text, leaf.name, _SENTENCE):
            said = match["said"]
            named = any(label.casefold() in said.casefold() for label in leaf.labels)
            if len(said.split()) >= _WORDS and not named and not _FOR_LABELS.search(said):
                line = document.line(match.start())
                yield f"line {line}: {shortened(said)!r} is shown as {leaf.name!r}, and labels were read"


def _wanted_as_text(text: str, name: str) -> bool:
    """Whether a sentence wants a text by the words of a key: "a brief reason", "a one-sentence summary of it"."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", name).replace(" ", "[ -]")
    return (
        re.search(
            rf"\b(?:an?|the|your|its)\s+(?:[\w-]+,?\s+)?(?:brief|short|concise|one-sentence|single-sentence|one-line|two-sentence|one-paragraph|detailed)\s+(?:[\w-]+\s+)?{words}\b",
            text,
            re.IGNORECASE,
        )
        is not None
    )


def set_to(document: PromptText, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """A text that sentences set to one word or another: 'set `flag` to "SEEN"'."""
    for leaf in leaves:
        if leaf.labelled or "string" not in leaf.kinds or len(leaf.name) < _SHORTEST:
            continue
        name = re.escape(leaf.name)
        words = re.findall(
            rf"(?<!\w){name}[\"'`*]*(?: field)? (?:to|is|as|must be|should be|=) [\"'`](\w+)[\"'`]",
            document.text,
            re.IGNORECASE,
        )
        if len({word.casefold() for word in words}) > 1:
            yield f"{leaf.name!r} may be {words[0]!r} or {words[1]!r}, as the prompt says, and was read without labels"


_SHORTEST = 3


def kinds_shown(document: PromptText, found: Inferred, leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """A text that the form shows as one identifier here and as another there, and true or false in quotation marks."""
    shown = form_of(document, found)
    for leaf in leaves:
        key = rf"[\"']{re.escape(leaf.name)}[\"']\s*:\s*"
        if leaf.kinds == {"string"} and not leaf.labelled:
            words = sorted(set(re.findall(rf"{key}\"([a-z]+(?:_[a-z]+)*|[A-Z]+(?:_[A-Z]+)*)\"", shown)))
            if len(words) > 1 and (_KIND.search(leaf.name) or all("_" in word for word in words)):
                yield f"{leaf.name!r} is shown as {words[0]!r} and as {words[1]!r}: its labels were not read"
        # "type" of two things, of which one is any text, may be shown with any word
        shared = any(other.name == leaf.name and not other.labelled for other in leaves)
        known = set() if shared else {label.casefold() for label in leaf.labels}
        for word in re.findall(rf"{key}\"([a-z]{{3,}})\"\s*[,}}]", document.text):
            if known and "string" in leaf.kinds and word.casefold() not in known | {leaf.name.casefold(), "string"}:
                yield f"{leaf.name!r} is shown as {word!r}, which is not among its labels"
        if (
            leaf.kinds == {"boolean"}
            and re.search(rf"{key}\"<?(?:True|False)\W", shown)
            and re.search(r":\s*<\w", shown)
        ):
            yield f"{leaf.name!r} is shown in quotation marks, and was read as a boolean"


_KIND = re.compile(
    r"(?:type|kind|category|class|label|status|state|level|intent|action|mode|tone|sentiment|priority|severity|verdict|decision|result|stage|role|source|outcome)\Z",
    re.IGNORECASE,
)


def unlike(leaves: Sequence[KeyOfSchema]) -> Iterator[str]:
    """A key that is a number in one place and a text of any kind in another."""
    texts = {leaf.name: leaf for leaf in leaves if leaf.kinds == {"string"} and not leaf.labelled}
    for leaf in leaves:
        numeric = leaf.name in texts and leaf.kinds & {"number", "integer"} and leaf.bounded
        if numeric:
            yield f"{leaf.name!r} was read as a number in one place and as a text in another"
