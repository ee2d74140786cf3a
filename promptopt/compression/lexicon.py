"""Words and phrases that carry no constraint, and shorter ways to say the same.

One list for two readers: the rules propose what is listed here, and the facts treat a text with and without it as the
same. A test checks that no entry adds or loses a number, a negation, a limit or a duty.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from importlib.resources import files
from typing import Any

# Words that connect a sentence and say nothing alone.
NEUTRAL = frozenset(
    "a an the is are be am was were been being to of that which who this these those it its itself and or as so then "  # noqa: SIM905 - read as words
    "you your yours yourself i me my we us our they them their will would do does did have has had having here there "
    "in on at by for with from into about like using also too etc e.g i.e eg ie let lets "
    "following given provided".split()
)


@lru_cache(maxsize=1)
def weighty_words() -> dict[str, str]:
    """Words and phrases that are facts, in lower case, with the kind of fact they are (``weighty.tsv``)."""
    return {phrase: kind for kind, _, phrase in (line.partition("\t") for line in _lines("weighty.tsv"))}


RELATIVES = ("that", "which", "who")


@lru_cache(maxsize=1)
def relative_verbs() -> dict[str, str]:
    """Finite verbs with their participles, in lower case (``relatives.txt``)."""
    return {
        verb: participle
        for *finite, participle in (line.split() for line in _lines("relatives.txt"))
        for verb in finite
    }


@lru_cache(maxsize=1)
def shorter_phrases() -> dict[str, str]:
    """Wordy phrases with their short forms, all in lower case (``phrases.tsv``, ``relatives.txt``)."""
    phrases = {wordy: short for wordy, _, short in (line.partition("\t") for line in _lines("phrases.tsv"))}
    for verb, participle in relative_verbs().items():
        phrases |= {f"{pronoun} {verb}": participle for pronoun in RELATIVES}
    return phrases


@lru_cache(maxsize=1)
def remark_phrases() -> frozenset[str]:
    """Phrases that add nothing if commas set them apart, and may mean something elsewhere (``remarks.txt``)."""
    return frozenset(_lines("remarks.txt"))


@lru_cache(maxsize=1)
def filler_phrases() -> tuple[str, ...]:
    """Words and phrases that add nothing (``filler.txt``, ``remarks.txt``)."""
    return (*_lines("filler.txt"), *_lines("remarks.txt"))


@lru_cache(maxsize=1)
def lexicon_words() -> frozenset[str]:
    """Every word of a phrase, a filler or an opener, and the neutral ones: :func:`canonical` may change them."""
    phrases = (*shorter_phrases(), *shorter_phrases().values(), *filler_phrases(), *_lines("openers.txt"))
    return frozenset(re.findall(r"[a-z]+", " ".join(phrases).lower())) | NEUTRAL | {"based"}


def _lines(name: str) -> list[str]:
    text = files("promptopt.compression").joinpath(name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


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


def _opener_alternatives() -> str:
    return "|".join(opener.replace(" ", r"\s+") for opener in _lines("openers.txt"))


@lru_cache(maxsize=1)
def shorter_pattern() -> re.Pattern[str]:
    """Any wordy phrase."""
    return re.compile(rf"(?<![\w'’-])(?:{alternatives(shorter_phrases())})(?![\w'’-])", re.IGNORECASE)


@lru_cache(maxsize=1)
def filler_pattern() -> re.Pattern[str]:
    """Any word or phrase of filler."""
    return re.compile(rf"(?<![\w'’-])(?:{alternatives(filler_phrases())})(?![\w'’-])", re.IGNORECASE)


@lru_cache(maxsize=1)
def opener_pattern() -> re.Pattern[str]:
    """Any opener, at the beginning of the text that is matched."""
    return re.compile(rf"(?:{_opener_alternatives()})\s+", re.IGNORECASE)


def shorter(phrase: str) -> str:
    """The short form of a phrase that :func:`shorter_pattern` matched."""
    return shorter_phrases()[" ".join(phrase.lower().replace("’", "'").split())]


@lru_cache(maxsize=1)
def _opener_anywhere() -> re.Pattern[str]:
    return re.compile(rf"(?<![\w'’-])(?:{_opener_alternatives()})\s+", re.IGNORECASE)


_CONTRACTIONS = (
    (re.compile(r"\bcan(?:no|['’])t\b", re.IGNORECASE), "can not"),
    (re.compile(r"\bwon['’]t\b", re.IGNORECASE), "will not"),
    (re.compile(r"\bshan['’]t\b", re.IGNORECASE), "shall not"),
    (re.compile(r"n['’]t\b", re.IGNORECASE), " not"),
    (re.compile(r"['’]ll\b", re.IGNORECASE), " will"),
    (re.compile(r"['’]re\b", re.IGNORECASE), " are"),
    (re.compile(r"['’]ve\b", re.IGNORECASE), " have"),
    (re.compile(r"\b(I)['’]m\b", re.IGNORECASE), r"\1 am"),
    (re.compile(r"\b(it|that|there|here|what|he|she|let)['’]s\b", re.IGNORECASE), r"\1 is"),
)
_SECTION = re.compile(r"\b(in|into|under) section (?=[A-Z]{2})")
_BASED = re.compile(r"\bbased\s+on\b", re.IGNORECASE)


def canonical(text: str) -> str:
    """``text`` without openers and filler, with short phrases for wordy ones and contractions written out."""
    if "'" in text or "’" in text:
        for pattern, replacement in _CONTRACTIONS:
            text = pattern.sub(replacement, text)
    if "ased on" in text:
        text = _BASED.sub("per", text)
    if "as follows" in text:
        text = text.replace("as follows", "")
    text = _opener_anywhere().sub("", text)
    text = shorter_pattern().sub(lambda match: shorter(match[0]), text)
    if "section" in text:
        text = _SECTION.sub(r"\1 ", text)
    return filler_pattern().sub("", text)
