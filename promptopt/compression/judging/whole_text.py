"""Words that stay whatever they say, because of what the rest of the text is or shows."""

from __future__ import annotations

from collections.abc import Mapping

from promptopt.compression.document import Document
from promptopt.compression.edit import Edit, Level
from promptopt.compression.judging.beside import is_contrasted, is_name_in_list
from promptopt.compression.sentences import HEADING, TEXT, Sentence

LEAST_SAID: Mapping[Level, float] = {"safe": 1, "standard": 1, "telegraphic": 0.5}
"""How long a text's instructions are at least, of the length of what it shows, for its words to be changed.

Where much is shown, more is shown than is known: of 4,249 edits of seven corpora 26 of 252 were not signed in texts
with less than half, and 69 of 3,997 in the others.
"""
ECHO = 20
"""Characters on each side of an edit that are looked for in what is shown."""
LEAST_LINE = 60
"""Characters of a line that may be followed by the rest of its sentence."""
_CLOSING = " \t\n*_)]\"'”’"


def bound(document: Document, edit: Edit, sentence: Sentence, level: Level) -> str:
    """Why an edit may not change words of a sentence, whatever they say; empty if it may."""
    text = document.text
    if document.said < LEAST_SAID[level]:
        return "would change the words of a text that shows more than it says"
    # "Please lint, to calm the build": a note without a mark at its end may be anything.
    if level != "telegraphic" and sentence.kind == TEXT and not _is_whole(text, sentence):
        return "would change a line that is no whole sentence"
    # "[[The Rules]] are ..." names "## The Rules".
    if sentence.kind == HEADING and text.count(text[sentence.start : sentence.end]) > 1:
        return "would change a heading that is named elsewhere"
    if is_contrasted(document, edit, sentence):
        return "would take away the beginning of a sentence that contrasts with the one beside it"
    if is_name_in_list(document, edit, sentence):
        return "would make a name of an order in a list of names"
    around = text[max(sentence.start, edit.start - ECHO) : min(sentence.end, edit.end + ECHO)]
    return "would change words that an example has as well" if len(around) > ECHO and around in document.shown else ""


def _is_whole(text: str, sentence: Sentence) -> bool:
    """Whether a sentence has a mark at its end, or a hole, or goes on in the next line."""
    if not text[: sentence.end].rstrip(_CLOSING)[-1:].isalnum():
        return True
    goes_on = text[sentence.end : sentence.end + 1] == "\n" and text[sentence.end + 1 : sentence.end + 2].islower()
    return goes_on and sentence.end - text.rfind("\n", 0, sentence.end) > LEAST_LINE
