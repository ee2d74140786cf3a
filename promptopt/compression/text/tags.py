"""Tags such as ``<document>`` and what is between them: data, or instructions, by their names."""

from __future__ import annotations

import re
from collections.abc import Iterator

# What is between tags on their own lines: data, whoever wrote it.
_TELLING = (
    r"instructions?|rules?|tasks?|system|prompts?|roles?|guidelines?|constraints?|notes?|steps?|goals?|objectives?|"
    r"requirements?|important|warnings?|persona|style|tone|summary|details|b|i|em|strong|u|ul|ol|li|p|h\d|td|th|tr|div|span|"
    r"section|body|html|polic(?:y|ies)|process|workflows?|methods?|methodology|behaviou?rs?|tools?|capabilit(?:y|ies)|"
    r"identity|communication|thinking|planning|safety|critical|mandatory|limits?|limitations?|approach|strategy|principles?|"
    r"responsibilit(?:y|ies)|background|overview|introduction|intro|mission|purpose|criteria|criterion|rubrics?|scoring|"
    r"evaluation|usage|agents?|mode|quality|practices?|formats?|formatting|conventions?|expectations?|restrictions?|"
    r"reminders?|tips?|hints?|audience|expertise|personality|character|language|length|structure|definitions?|procedure|"
    r"protocol|directives?|environment|core|general|flow|guidance|security|standards?|checklist|planner|coding|writing|"
    r"reasoning|analysis|memory|skills?|features?|settings?|config|configuration|main|root|assignment|job|function|actions?"
)
_DATA = re.compile(
    # "<Example 1>" ... "<End of example 1>"
    r"<(?P<close>/?|end of )(?P<name>examples?(?: [\w -]{1,40})?|(?:\w+[_-])?(?:contexts?|documents?|texts?|articles?|"
    r"passages?|transcripts?|excerpts?|e?mails?|examples?|samples?|data|story|conversations?|inputs?|outputs?|messages?|"
    r"query|queries|questions?|users?|human|assistant|answers?|responses?|repl(?:y|ies)|reviews?|tickets?|chats?|"
    r"dialogues?|logs?|codes?|diffs?|patch|files?|contents?|quotes?|poems?|lyrics|letters?|posts?|tweets?|comments?|scenarios?|"
    r"results?|observations?|turns?|(?:output|answer|response)[_-]format)"
    r"(?:[_-]?\d+)?"
    # and any other name of one word that says nothing of instructions
    rf"|(?!(?:{_TELLING})>)[a-z]+)>",
    re.IGNORECASE,
)
# A pair of tags on one line: data, unless the name says that it tells the model what to do.
INLINE_DATA = re.compile(
    r"<(?!(?:\w+[_-])?(?:instructions?|rules?|tasks?|system|prompts?|roles?|guidelines?|constraints?|notes?|steps?|goals?|"
    r"objectives?|requirements?|important|warnings?|persona|style|tone|b|i|em|strong|u|li|p|h\d|td|th|summary|details)>)"
    r"([A-Za-z_][\w.-]*)>(?:(?!</?\1>)[^\n])+</\1>"
)
"""A pair of tags on one line with data between them."""
_LINE_END = re.compile(r"[ \t]*\n")


def data_blocks(masked: str) -> Iterator[tuple[int, int]]:
    """The lines between ``<document>`` and ``</document>``, each on a line of its own."""
    opened: tuple[str, int] | None = None
    for tag in _DATA.finditer(masked):
        name = tag["name"].lower()
        if not tag["close"] and opened is None and _LINE_END.match(masked, tag.end()):
            opened = name, tag.end()
        elif tag["close"] and opened is not None and opened[0] == name:
            begin = masked.rfind("\n", 0, tag.start()) + 1
            if not masked[begin : tag.start()].strip():
                yield opened[1], tag.start()
            opened = None
