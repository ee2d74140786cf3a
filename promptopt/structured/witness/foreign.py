"""A second reading of what no reader knows: a prompt in another language, for a conversation, or a program.

It shares no pattern with the readers that propose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from promptopt.structured.fields import MASK, Inferred, PromptText
from promptopt.structured.witness.instructions import instructions
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


_STATEMENT = re.compile(
    r"^[ \t]*(?:(?:const|let|var|return|if|for|while|import|from|def|class|try|catch|else|async|await|export|throw)\b.*[;{(:]|[\w.\])]+(?:\(.*\))?;|[})]+;?|.*=>.*[{;(]|// .*)[ \t]*$",
    re.MULTILINE,
)
_PROGRAM = 0.4
_FENCED = re.compile(r"^[ \t]*```\w*[ \t]*\n.*?^[ \t]*```[ \t]*$", re.MULTILINE | re.DOTALL)
_PYTHON = re.compile(r"^(?:import \w+|from [\w.]+ import \w+|def \w+\(.*:|class \w+.*:)[^\n]*$", re.MULTILINE)
_PYTHON_LINE = re.compile(
    r"^[ \t]*(?:import |from |def |class |return\b|if |for |while |try:|except|with |else:|elif |@|#|[\w.\[\], ]+ = |[\w.]+\(.*\)?$|[)\]}]+,?$)",
    re.MULTILINE,
)


def program(document: PromptText) -> Iterator[str]:
    """A text that is a program, and not a prompt."""
    # Code between fences is what the prompt is about.
    text = _FENCED.sub("", document.text)
    lines = [line for line in text.splitlines() if line.strip()]
    statements = len(_STATEMENT.findall(text))
    if re.match(r"\s*<(?:!doctype|html)\b", document.text, re.IGNORECASE):
        yield "the text is a page, not a prompt"
    imports = len(_PYTHON.findall(text))
    if imports > 1 and len(_PYTHON_LINE.findall(text)) > len(lines) * _PROGRAM:
        yield "the text is a program, not a prompt"
    if len(lines) > 5 and statements > len(lines) * _PROGRAM and "=" in text and ";" in text:
        yield "the text is a program, not a prompt"


_OTHER = r"(?:me|us|them|him|her|the (?:user|pupil|student|candidate|customer|patient|client|player|learner|applicant|caller|guest|visitor)s?)"
# At the begin of an order: "A good tutor asks one question at a time" describes somebody.
_BEGINS = r"(?:\A|[.!?]\s+|\n[ \t]*(?:[-*•#]+|\d+[.)])?[ \t]*|\b(?:you (?:will|must|should|are to)|please|then|first|always|and)[, ]\s*)"
_TALKS = re.compile(
    rf"{_BEGINS}(?:ask (?:{_OTHER}\b|one question|(?:a |your |the )?(?:next |first )?questions? (?:one|at)\b|(?:a |some )?follow[- ]up|(?:\w+ )?clarifying)|keep asking|(?:start|begin|open) (?:by|with) (?:asking|greeting|introducing)"
    rf"|greet {_OTHER}|wait for (?:the|my|their|his|her|an?|{_OTHER})\b|(?:conduct|hold|run|lead|start|begin) (?:an?|the) (?:\w+ ){{0,2}}(?:interview|conversation|dialogue|game|quiz|session)|interview {_OTHER}|let['’]?s play|chat with|talk (?:to|with) {_OTHER})",
    re.IGNORECASE,
)


def conversing(document: PromptText, found: Inferred) -> Iterator[str]:
    """Orders to ask somebody and wait, where one bare value was read."""
    for match in _TALKS.finditer(instructions(document, found)):
        start = match.end() - len(re.sub(r"\A[\W\d]+", "", match[0]))
        yield f"line {document.line(start)}: {shortened(document.text[start : match.end() + 30])!r}: a conversation, of which {found.fields[0].name!r} is only a part"
