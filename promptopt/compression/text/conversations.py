"""Recorded conversations and first messages: what their speakers say, however many paragraphs it has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

# "**USER**: ...", "ASSISTANT: ...", "Human: ...": whose turn begins in a line.
_SPEAKER = re.compile(
    r"^[ \t]*(?:[-*][ \t]+)?[*_]{0,2}(?P<who>user|human|customer|assistant|ai|bot|chatgpt|chatbot|agent|model)"
    r"[*_]{0,2}[ \t]*:[*_]*[ \t]*(?P<said>\S?)",
    re.IGNORECASE | re.MULTILINE,
)
_ANSWERING = frozenset({"assistant", "ai", "bot", "chatgpt", "chatbot", "agent", "model"})
_HEADING = re.compile(r"^(#{1,6})[ \t]+[^\n]*$", re.MULTILINE)
_ENDS = re.compile(r"^(?:#{1,6}[ \t]|-{3,}[ \t]*$|</?[a-zA-Z])", re.MULTILINE)
# "## Welcome Message", "### Conversation": what is under it was said.
_FIRST_MESSAGE = re.compile(
    r"#+[ \t]+[*_]*(?:the[ \t]+)?(?:welcome|welcoming|greeting|opening|first|initial|intro(?:ductory)?|sample|example)"
    r"[ \t]+(?:message|line|statement|dialogue|conversation|transcript|chat|exchange)s?[*_]*:?[ \t]*\Z",
    re.IGNORECASE,
)
_CONVERSATION = re.compile(
    r"#+[ \t]+[*_]*(?:conversation|transcript|dialogue|chat)(?:[ \t]+(?:log|history|transcript|example))?"
    r"[*_]*:?[ \t]*\Z",
    re.IGNORECASE,
)
LEAST_TURNS = 3
"""Turns of a conversation without a heading: fewer may frame what is asked for."""


def conversations(masked: str) -> Iterator[tuple[int, int]]:
    """The ranges of conversations and of first messages in a text in which what is protected already is masked."""
    turns = list(_SPEAKER.finditer(masked))
    for start, end, is_said in _sections(masked, turns):
        if is_said or any(turn["said"] for turn in turns if start <= turn.start() < end):
            yield start, end
    # An answer that is shown makes an example of the turns around it.
    answers = [number for number, turn in enumerate(turns) if turn["who"].lower() in _ANSWERING and turn["said"]]
    asked = any(turn["who"].lower() not in _ANSWERING for turn in turns)
    if len(turns) >= LEAST_TURNS and answers and asked:
        for turn, following in pairwise(turns[: answers[-1] + 2]):
            stop = _ENDS.search(masked, turn.end(), following.start())
            yield turn.start(), stop.start() if stop else following.start()


def _sections(masked: str, turns: list[re.Match[str]]) -> Iterator[tuple[int, int, bool]]:
    """What is under headings of first messages and of conversations, and whether it is sure to be said."""
    headings = list(_HEADING.finditer(masked))
    for number, heading in enumerate(headings):
        is_message = _FIRST_MESSAGE.match(heading[0]) is not None
        if is_message or (turns and _CONVERSATION.match(heading[0])):
            deeper = (after for after in headings[number + 1 :] if len(after[1]) <= len(heading[1]))
            end = next(deeper, None)
            yield heading.end(), end.start() if end else len(masked), is_message
