"""The part of a prompt that instructs: its text without the form that was read, examples and turns of others."""

from __future__ import annotations

import functools
import re

from promptopt.structured.fields import Inferred, PromptText, Span, blank

# ---- the prompt's own words ------------------------------------------------------------------------------------------

# 'Example: ["Riga"]', in one line
_ONE_EXAMPLE = re.compile(r"[ \t*_>-]*(?:example|sample)\b[ \t]*:[ \t]*[\[{\"'`]", re.IGNORECASE)
_EXAMPLE_HEAD = re.compile(
    r"^[ \t#*_>-]*(?:\w+[ \t]+){0,3}(?:examples?|samples?|few-shot)\b[^\n]{0,60}$", re.IGNORECASE
)
_HEAD = re.compile(r"^[ \t]*(?:#+[ \t]|\*\*[^*\n]+\*\*:?[ \t]*$|[A-Z][A-Z \t]{3,40}:?[ \t]*$|={3,}|-{3,}[ \t]*$)")
_TURN = re.compile(
    r"^[ \t*]*(?:input|output|user|assistant|q|a|question|answer|message|review)\b(?! (?:in|with|as|by|using|under|only|each|every|them)\b)[^:\n]{0,20}:[ \t*]*\S",
    re.IGNORECASE,
)
_ASIDE = re.compile(
    r"\((?:e\.g|for example|for instance|such as|like|i\.e)[^()\n]*\)|\be\.g\.,?[^.;()\n]*", re.IGNORECASE
)


def instructions(document: PromptText, found: Inferred) -> str:
    """The text, as long as it is, without the form that was read, examples and the words of others."""
    return _instructions(document, found.covered if found.whole == "JSON" else ())


# A dozen checks of one form ask for it.
@functools.lru_cache(maxsize=8)
def _instructions(document: PromptText, forms: tuple[Span, ...]) -> str:
    text = document.without(span for span in forms if "{" in document.text[span.start : span.end])
    lines: list[str] = []
    shown = False
    for line in text.split("\n"):
        if _EXAMPLE_HEAD.match(line):
            if _ONE_EXAMPLE.match(line):
                lines.append(blank(line))
                continue
            shown = True
        elif shown and _HEAD.match(line):
            shown = False
        lines.append(blank(line) if shown or _TURN.match(line) else line)
    return _ASIDE.sub(lambda match: blank(match[0]), "\n".join(lines))


_TO_LOOK_FOR = re.compile(
    r"\b(?:look for|search for|may vary|can vary|patterns|synonyms|phrases|keywords|appears? as|written as|called|also known as|aliases|spellings)\b[^\n]*:[* \t]*\Z",
    re.IGNORECASE,
)


def looked_for(text: str, position: int) -> bool:
    """Whether a place is in a list of what to look for in the input."""
    lines = text[:position].split("\n")[:-1]
    lead = next((line for line in reversed(lines) if line.strip() and not LIST_ITEM.match(line)), "")
    return _TO_LOOK_FOR.search(lead) is not None


LIST_ITEM = re.compile(r"[ \t]*(?:[-*•]|\d+[.)])[ \t]")
