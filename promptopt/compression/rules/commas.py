"""Commas that a sentence has and its reader does not need."""

from __future__ import annotations

import re
from collections.abc import Sequence

from promptopt.compression.rules.base import Rewording
from promptopt.compression.scope.instructions import is_imperative
from promptopt.compression.text.words import Hints

# "names, places, and dates": short words, one list, nothing else between commas.
_ITEM = r"(?:[\w'’-]+ ){0,2}[\w'’-]+"
_OXFORD = re.compile(
    rf"(?:\A|[:(]\s?|(?<=\s)){_ITEM}(?:, {_ITEM}){{1,8}}(?P<comma>,)(?=\s+(?:and/or|and|or)\s+{_ITEM}\s*(?:[.;:)]|\Z))",
    re.IGNORECASE,
)
_BEFORE_LAST = re.compile(r", [\w'’ -]+,\s+(?:and|or)\b", re.IGNORECASE)
# Only before what cannot be a part of the same phrase: "Otherwise, identical rows are merged", "First, if it is late".
_INTRODUCED = (
    r"(?:the|an?|you|your|it|its|this|these|those|they|their|we|our|I|he|she|each|every|all|any|there|"
    r"use|write|run|determine|explain|describe|identify|check|ensure|extract|select|choose|add|apply|consider|continue|"
    r"convert|compute|calculate|classify|compare|evaluate|examine|find|focus|follow|generate|go|ignore|include|look|make|"
    r"provide|create|give|read|remove|respond|rewrite|say|see|select|send|summari[sz]e|think|translate|try|verify|analy[sz]e|"
    r"ask|begin|break|decide|discuss|keep|let|produce|put|take|tell|return|commit|do)\b"
)
_INTRODUCING = (
    "Then|Next|Finally|First|Lastly|Afterwards|Instead|Also|Now|Therefore|Thus|Hence|"
    "Otherwise|Additionally|Similarly|Ideally|Alternatively|Conversely|Consequently|Initially|Ultimately|Meanwhile"
)
_INTRODUCTION = re.compile(
    rf"(?:\A|(?<=\.\s))(?:{_INTRODUCING})"
    rf"(?P<comma>,)(?=[ \t]{_INTRODUCED}(?!,))",
)
_THEN = re.compile(r"\A(?:If|When|Whenever|Once|After)\b[^,.;:]*(?<=[\w)])(?P<comma>,)(?=\s+then\s)")
# "what day it is, ask": without the comma the verb would go on.
_OPEN_ENDED = re.compile(r"\b(?:is|are|was|were|be|do|does|did|can|will|has|have|to|of|in|on|for|with)\s*,\Z")
_LATIN = re.compile(r"(?<=e\.g\.),|(?<=i\.e\.),")


# "errors, which you should correct, or jokes": the second comma ends what the first began.
_ASIDE = re.compile(
    r",\s+(?:which|who|whose|where|when|if|because|including|such|like|for|not|as|unless|no|then|so|but|please)\b",
    re.IGNORECASE,
)
_IS_NAMED = re.compile(r"[A-Z][a-z]+\b|an?\s")
_VERB_LIKE = re.compile(r"[a-z]+[^s\W]s\s+[a-z]")
_DOING = re.compile(r"\w+ing\s+\w")
# "be clear, short, and use plain words": the last is no property.
_BEING = re.compile(r"\b(?:be|is|are|being|stay|remain|sound)\s+[\w-]+\Z", re.IGNORECASE)
_JOINED = re.compile(r"\band/or\b|\b(?:and|or|but|nor)\b", re.IGNORECASE)
# "what you picked, what you rejected, and why": without the comma the last asks of the one before it alone.
_ASKING = re.compile(r"\b(?:what|which|who|whom|whose|how|why|when|where|whether)\b", re.IGNORECASE)


def _asks(items: Sequence[str], ending: str) -> bool:
    """Whether questions are listed, which are more than a word each: "who, when, and why" is a list of words."""
    asking = [_ASKING.search(item) is not None for item in (*items, ending)]
    bare = all(_ASKING.fullmatch(item) for item in (*items[1:], ending.rstrip(" .;:)")))
    return any(asking) and not bare


def _is_order(words: str) -> bool:
    """Whether words begin with a verb that others follow."""
    verb, _, rest = words.strip().partition(" ")
    return bool(rest) and is_imperative(verb)


def _one_list(match: re.Match[str]) -> str | None:
    # "joy, pride, and calm, or fear": two lists, which the comma tells apart.
    if _ASIDE.search(match[0]):
        return None
    # "my parents, Ann, and Bob", "the chef, a vegan, and Bob": without the comma two explain one.
    items = [item.strip() for item in match[0].rstrip(" .;:)").split(",")]
    ending = _JOINED.sub("", match.string[match.end() :], count=1).strip()
    if _asks(items[:-1], ending):
        return None
    if len(items) == 3 and (_IS_NAMED.match(items[1]) and not items[0].split()[-1][:1].isupper()):
        return None
    # "vagueness, missing steps, or haste": without the comma both may be missing.
    *_, inner, last = items
    # "is plain, short, and uses names": the last has a verb of its own.
    if _VERB_LIKE.match(ending) and not any(map(_VERB_LIKE.match, items)):
        return None
    first = match.string[: match.start()] + match[0].partition(",")[0]
    if _BEING.search(first) and _is_order(ending) and not any(map(_is_order, items[1:-1])):
        return None
    if _DOING.match(inner) and not _DOING.match(_JOINED.sub("", last).strip()):
        return None
    one = len(_JOINED.findall(match.string)) == 1 and match.string.count(",") == match[0].count(",")
    return "" if one else None


def _only_comma(match: re.Match[str]) -> str | None:
    # A sentence with a second comma may be a list.
    several = match.string.count(",") > 1
    return None if several or _OPEN_ENDED.search(match.string, 0, match.end("comma")) else ""


OPTIONAL = (
    Rewording(
        _OXFORD,
        _one_list,
        "an optional comma",
        hints=Hints(["and", "or"]),
        part=_BEFORE_LAST,
        group="comma",
        exact=True,
    ),
    Rewording(_LATIN, message="an optional comma", needles=("e.g.,", "i.e.,"), hints=Hints(["e g", "i e"]), exact=True),
    Rewording(
        _INTRODUCTION,
        message="an optional comma",
        needles=(",",),
        hints=Hints(_INTRODUCING.split("|")),
        group="comma",
        exact=True,
        unless=None,
    ),
)
"""The last comma of a list, and those after "Then" and "e.g."."""
BEFORE_THEN = (
    Rewording(_THEN, _only_comma, "the only comma", (",",), Hints(["then"]), group="comma", exact=True, unless=None),
)
"""The comma between "if ..." and "then"."""
