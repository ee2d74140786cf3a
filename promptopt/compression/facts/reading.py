"""How the words of a sentence are read before they are compared; no table of the rules takes part.

Words of limits, negations, duties and conditions are facts (``weighty.tsv``); the others stand for themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from importlib.resources import files
from typing import Any

from promptopt.compression.text.any_case import AnyCase
from promptopt.compression.text.masked_lines import MASK


@lru_cache(maxsize=1)
def weighty_words() -> dict[str, str]:
    """Words and phrases that are facts, in lower case, with the kind of fact they are (``weighty.tsv``)."""
    text = files("promptopt.compression.facts").joinpath("weighty.tsv").read_text(encoding="utf-8")
    rows = (line.partition("\t") for line in text.splitlines() if line and not line.startswith("#"))
    return {phrase: kind for kind, _, phrase in rows}


def alternatives(phrases: Iterable[str]) -> str:
    """A pattern for any of the phrases, the longest first: a trie, since ``re`` tries alternatives one by one."""
    trie: dict[str, Any] = {}
    for phrase in phrases:
        node = trie
        for character in phrase:
            node = node.setdefault(character, {})
        node[""] = {}
    return _trie_pattern(trie)


def _trie_pattern(node: dict[str, Any]) -> str:
    branches = [_CHARACTERS.get(key, re.escape(key)) + _trie_pattern(child) for key, child in node.items() if key]
    if not branches:
        return ""
    inner = f"(?:{'|'.join(branches)})" if len(branches) > 1 or "" in node else branches[0]
    return f"{inner}?" if "" in node else inner


_CHARACTERS = {" ": r"\s+", "'": "['’]"}
_BOUNDS = (r"(?<![\w'’-])", r"(?![\w'’-])")
_WORD = AnyCase(
    rf"(?P<hole>{MASK}+)|(?P<digits>[-+±~<>≤≥=]?[$€£¥]?\d(?:[\d,.:/×x^–-]*\d)?(?:st|nd|rd|th)?[%°]?)"
    rf"|(?P<weighty>{_BOUNDS[0]}(?:{alternatives(weighty_words())}){_BOUNDS[1]})"
    # "provided the answer is known" is a condition, "the provided text" is not.
    r"|(?P<condition>(?<![\w'’-])provided(?=,?\s+(?:that|the|it|you|they|there|all|an?|your)\b))"
    r"|(?P<word>[^\W\d_]+(?:['’][^\W\d_]+)*)|(?P<break>[.;!?()]|,)",
)
WEIGHTY = alternatives(
    phrase for phrase, kind in weighty_words().items() if kind in ("limit", "negation", "modal", "restriction")
)
"""A pattern for the words whose scope is a fact of its own."""
SET_APART = frozenset(word for phrase in weighty_words() for word in phrase.split()) | {"provided"}
# Weighty by themselves; a negation may be written in several ways.
ALONE = frozenset(phrase for phrase, kind in weighty_words().items() if phrase.isalpha() and kind != "negation")
# How a reader reads a sentence before its words are compared: contractions written out, courtesy and announcements of
# an order passed over where they open a clause. In any other place the same words are facts.
_CONTRACTIONS = (
    # Each after what is in it, with a straight mark.
    ("can", re.compile(r"\bcan(?:no|['’])t\b", re.IGNORECASE), "can not"),
    ("won't", re.compile(r"\bwon['’]t\b", re.IGNORECASE), "will not"),
    ("n't", re.compile(r"\bshan['’]t\b", re.IGNORECASE), "shall not"),
    ("n't", re.compile(r"n['’]t\b", re.IGNORECASE), " not"),
    ("'ll", re.compile(r"['’]ll\b", re.IGNORECASE), " will"),
    ("'re", re.compile(r"['’]re\b", re.IGNORECASE), " are"),
    ("'ve", re.compile(r"['’]ve\b", re.IGNORECASE), " have"),
    ("'m", re.compile(r"\b(I)['’]m\b", re.IGNORECASE), r"\1 am"),
    ("'s", re.compile(r"\b(it|that|there|here|what|he|she|let)['’]s\b", re.IGNORECASE), r"\1 is"),
)
_CLAUSE = r"(?:(?<=\A)|(?<=[.!?:;,(>|*_\n])|(?<=[-–—•#] )|(?<=\band)|(?<=\bthen))[ \t\n*_]*"
# What follows an order's courtesy is its verb, not the noun that the same word governs: "please the guest".
_NO_OBJECT = r"(?!(?:the|an?|your|my|our|his|her|their|its|us|me|him|them|everyone)\b)"
_COURTESY = re.compile(
    rf"(?P<open>{_CLAUSE})(?:"
    rf"(?:please|kindly),?[ \t\n]+{_NO_OBJECT}(?=[a-z\ue000])"
    r"|(?:additionally|furthermore|moreover|in addition|of course),[ \t\n]+"
    r"|(?:I|we)(?: would|['’]d)? (?:want|need|like) you to (?![^.\n]* (?:and|or|but) to )(?=[a-z])"
    r"|your (?:main |primary )?(?:task|job|goal|role) is to (?![^.\n]* (?:and|or|but) to )(?=[a-z])"
    r"|(?:make|be) sure to (?![^.\n]* (?:and|or|but) to )(?=[a-z]))",
    re.IGNORECASE,
)
# What courtesy and announcements have in them.
_COURTEOUS = (
    *("please", "kindly", "additionally", "furthermore", "moreover", "in addition", "of course"),
    *("you to ", "is to ", "sure to "),
)
_DO_NOT = re.compile(r"\b(?:do|does|did) (?=not\b)", re.IGNORECASE)
_PURPOSE = re.compile(r"\bin order (?=to (?!the\b|an?\b)[a-z])", re.IGNORECASE)
PASSED_OVER = frozenset(
    "please kindly additionally furthermore moreover addition course would want need like your main primary task "  # noqa: SIM905 - read as words
    "goal role make sure order will have shall".split()
)
ARTICLES = frozenset({"a", "an", "the"})
# Capitals of these are no names.
FUNCTION_WORDS = frozenset(
    "a an the is are be am was were been being to of that which who this these those it its itself and or as "  # noqa: SIM905
    "so then you your yours yourself i me my we us our they them their will would do does did have has had having "
    "here there if not no in on at by for with from into about like using also too let please kindly he she his her "
    "when where while".split()
)


def read(text: str) -> str:
    """A sentence with contractions written out and without courtesy where it opens a clause."""
    if "'" in text or "’" in text or "annot" in text:
        straight = text.lower().replace("’", "'")
        for needle, pattern, replacement in _CONTRACTIONS:
            if needle in straight:
                text = pattern.sub(replacement, text)
    lower = text.lower()
    if any(hint in lower for hint in _COURTEOUS):
        # Courtesy may announce an announcement: "Please make sure to ...".
        text, number = _COURTESY.subn(r"\g<open>", text)
        text = _COURTESY.sub(r"\g<open>", text) if number else text
    if " not" in lower:
        text = _DO_NOT.sub("", text)
    return _PURPOSE.sub("", text) if "in order " in lower else text


def tokens(text: str) -> list[tuple[str, str]]:
    """The words of a text that :func:`read` read, in lower case, each after its kind; articles are none."""
    found: list[tuple[str, str]] = []
    for match in _WORD.finditer(text):
        kind = match.lastgroup or "word"
        value = match[0].lower()
        if kind == "word":
            if value not in ARTICLES:
                found.append((kind, value))
            continue
        if kind == "weighty":
            value = " ".join(value.split())
            kind = weighty_words()[value]
        elif kind == "digits":
            kind = "number"
        found.append((kind, value))
    return found


@lru_cache(maxsize=16384)
def stem(word: str) -> str:
    """Without a plural or possessive ending; enough to see "idea" and "ideas" as one word."""
    word = word.lower().replace("’", "'").removesuffix("'s").removesuffix("'")
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word
