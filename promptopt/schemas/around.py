"""Text around JSON, and comments in it, that say it is not the answer: a correction, an example, a doubt."""

from __future__ import annotations

import re

from promptopt.schemas.doubt import doubted, sentences_of

# The end of what is before JSON that is shown and not meant.
_NOT_MEANT = re.compile(
    r"\A\W*(?:(?:here|this|that)(?:['’]s| is| was) )?(?:(?:the|an?|my|your) )?"
    r"(?:wrong|incorrect|bad|invalid|outdated|old|previous) (?:\w+ )?"
    r"(?:answer|json|output|result|response|version|object|attempt|draft)(?: (?:is|was|would be))?\W*\Z"
    r"|\b(?:could|might|may) (?:also |well )?(?:be|look like|look like this)\W*\Z"
    r"|\b(?:not|never|instead of|rather than|don['’]t)(?: (?:say|write|return|answer|output|use|send))?\W*\Z"
    r"|(?:\A|\W)(?:for example|for instance|e\.g\.)\W*\Z|\A\W*(?:for example|for instance|e\.g\.)"
    r"|\A\W*(?:expected|required|example|sample) (?:\w+ )?(?:format|schema|structure|template)\W*\Z"
    r"|(?<!in )(?<!into )(?<!with )\b(?:the|an?) (?:\w+ ){0,2}(?:format|schema|structure|template) "
    r"(?:(?:would|should|must) (?:be|look)|is|looks)(?: like)?(?: this| as follows)?\W*\Z",
    re.IGNORECASE,
)
# How a sentence begins that corrects what was before it.
_CORRECTS = re.compile(
    r"\A\W*(?:(?:oh|hm+|no|ah)\b[\s,.!…—–-]*)?(?:(?:wait|sorry|oops)\s*[,.!…—–-]"
    r"|actually\b|correction\b|(?:edit|update|erratum)\s*:|make that\b|my mistake\b"
    r"|let me (?:correct|fix|revise|redo)\b"
    r"|(?:this|that|the (?:answer|json|output|result)(?: above)?|it) (?:is|was) "
    r"(?:wrong|incorrect|not (?:right|correct)|(?:just|only|merely) an? (?:example|guess|placeholder|sketch)\b))",
    re.IGNORECASE,
)
_TAKES_BACK = re.compile(
    r"\b(?:scratch that|on (?:second thoughts?|reflection)|i (?:really |actually )?meant|i take (?:that|it) back"
    r"|i made an? (?:mistake|error)"
    r"|i (?:have |just |simply |had to ){0,2}(?:made up|make up|invent(?:ed)?|fabricat\w+|guess(?:ed)?)\b(?! of)"
    r"|an? -?\d+(?:\.\d+)? (?:would|could|might|may) (?:also |well )?be"
    r"|(?:could|might|may) (?:also |well |actually )?be [\"'`“]?-?\d"
    r"|not (?:\w+ly |quite |too |so )?(?:sure|certain|confident) (?:that|about|of|(?:if|whether) (?!you))"
    r"|there (?:are|were) (?:\w+ )?more(?=[,.;!]|\s*\Z)|for brevity"
    r"|(?:list|output|answer|json) (?:is|was) (?:truncated|cut|incomplete)"
    r"|should (?:\w+ly |rather |instead )?(?:be|have been|read) [\"'`“]?-?\d)",
    re.IGNORECASE,
)
# What takes JSON back is beside it, and a pattern takes long for a long text.
_MOST_CHARACTERS = 20_000
_MOST_OF_A_LEAD = 1_000
_ALTERNATIVE = re.compile(
    r"\A\W*(?:or(?!, in\b)|etc|and (?:so on|(?:\d+|some|many|several|a few) (?:more|others)))\b", re.IGNORECASE
)
# A comment for values that are not there.
_LEFT_OUT = re.compile(
    r"\A\W*(?:\.{2,}|…)|\b(?:\d+|some|many|several|a few|and) more\b"
    r"|\b(?:and so on|etc|omitted|truncated|abbreviated|the rest|remaining|continues?)\b",
    re.IGNORECASE,
)
_PLACE = re.compile(r"<(?P<words>[\w ,'-]{1,60})>|[\[<{]+(?i:your |the )?(?P<name>[\w -]{1,40})[\]>}]+")


def is_place(text: str, name: str) -> bool:
    """Whether a text is the place of a value in a template, such as ``<item name>`` or ``[item]`` for ``item``."""
    place, wanted = _PLACE.fullmatch(text.strip()), _letters(name)
    if place is None or not wanted:
        return False
    return wanted in _letters(place["words"]) if place["words"] else wanted == _letters(place["name"])


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()


def taken_back(before: str, after: str) -> str | None:
    """The words around JSON that say it is not the answer; ``None`` if nothing does.

    Args:
        before: What is between the JSON and the start of the text, or other JSON before it.
        after: What follows the JSON.
    """
    after = after[:_MOST_CHARACTERS]
    lead = sentences_of(before[-_MOST_OF_A_LEAD:])
    if lead and _NOT_MEANT.search(lead[-1]):
        return lead[-1]
    same_line = after.lstrip(" \t`").split("\n", 1)[0]
    if _ALTERNATIVE.match(after) or (not same_line[:1].isupper() and doubted(same_line)):
        return same_line.strip() or after.strip()
    return next((each for each in sentences_of(after) if _CORRECTS.match(each) or _TAKES_BACK.search(each)), None)


def doubts(comment: str) -> bool:
    """Whether a comment in JSON names another value than the one beside it, or doubts it."""
    said = comment.strip("/*# \t\n")
    return bool(_ALTERNATIVE.match(said) or _CORRECTS.match(said) or _TAKES_BACK.search(said)) or doubted(said)


def leaves_out(comment: str) -> bool:
    """Whether a comment in JSON says that values are not written."""
    return _LEFT_OUT.search(comment.strip("/*# \t\n")) is not None
