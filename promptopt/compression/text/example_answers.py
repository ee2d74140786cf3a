"""What the answer of an example says, under a label on a line of its own, however many paragraphs it has."""

from __future__ import annotations

import re
from collections.abc import Iterator

# "**Example 2:**", "## Examples", "Sample dialogue:", "Here is an example.": a heading, a label, a line that says so.
_HEAD = re.compile(
    r"^[ \t>]*(?P<mark>#{1,6}[ \t]+|[*_]{1,3}(?=[^\n]*[*_:][ \t]*$)|(?=here\b[^\n]*[.:][ \t]*$)|(?=[^\n]*:[ \t]*$))"
    r"[*_]*(?:[\w'’-]+[ \t]+){0,3}?"
    r"(?:examples?|samples?|demonstrations?|few[- ]shots?|illustrations?)\b[^\n]{0,60}$",
    re.IGNORECASE | re.MULTILINE,
)
_ANSWER = re.compile(
    r"^[ \t>]*(?:[-*+][ \t]+)?(?:#{1,6}[ \t]+)?[*_]{0,3}(?:(?:your|the|expected|correct|good|better|"
    r"bad|ideal|sample|example|final|model|desired|possible)[ \t]+){0,2}"
    r"(?:responses?|outputs?|answers?|repl(?:y|ies)|completions?|results?|assistant|agent|bot|ai|model|you)"
    r"(?:[ \t]?\d+)?[*_]{0,3}[ \t]*:[*_]{0,3}[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
# What no answer goes over: a heading, a rule line, a tag, a label alone, a turn, a statement of a template.
_ENDS = re.compile(
    r"^[ \t]*(?:#{1,6}[ \t]|(?:-{3,}|={3,}|\*{3,}|_{3,}|#{3,})[ \t]*$|</?[a-zA-Z]|\{%"
    r"|[*_]{2,3}[A-Z][^\n*_]{0,60}(?::[*_]{2,3}|[*_]{2,3}:?)[ \t]*$|(?-i:[A-Z][A-Z \t]{3,60}):[ \t]*$"
    r"|[*_]{0,3}(?:user|human|system|customer|inputs?|questions?|quer(?:y|ies)|requests?)[*_]{0,3}[ \t]?\d*:)",
    re.IGNORECASE | re.MULTILINE,
)


def answers_in_examples(text: str) -> Iterator[tuple[int, int]]:
    """The ranges of answers under labels such as ``Response:`` in a section of examples."""
    done = 0
    for head in _HEAD.finditer(text) if ":" in text else ():
        start = max(done, head.end())
        for answer in _ANSWER.finditer(text, start, _section_end(text, head)):
            if answer.start() >= done:
                stop = _ENDS.search(text, answer.end() + 1)
                done = stop.start() if stop else len(text)
                yield answer.end(), done


def _section_end(text: str, head: re.Match[str]) -> int:
    """Where a section of examples ends: at a heading that does not belong to it, for a label at any."""
    level = len(head["mark"].strip()) if head["mark"].startswith("#") else 6
    end = re.compile(rf"^#{{1,{level}}}[ \t]|^(?:-{{3,}}|={{3,}})[ \t]*$", re.MULTILINE).search(text, head.end())
    return end.start() if end else len(text)
