"""Scorers that count the words and phrases that an answer shares with reference texts: BLEU, GLEU, METEOR and ROUGE.

Words are found, smoothed and weighed as promptfoo does it, so that thresholds of its suites mean the same: the packages
that compute these measures each differ from it, and from each other.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from typing import Any, ClassVar

from promptopt.errors import MissingExtra
from promptopt.scorers.base import Subject, text_value
from promptopt.suites import Assertion
from promptopt.values import Score

SPACE = r"[\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]"
"""White space as JavaScript counts it."""

_SPACES = re.compile(f"{SPACE}+")
_TRIM = re.compile(f"^{SPACE}+|{SPACE}+$")


def words_of(text: str) -> list[str]:
    """The words of a text between white space; one empty word if it has none, as promptfoo splits."""
    return _SPACES.split(_TRIM.sub("", text))


def _grams(words: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[start : start + n]) for start in range(len(words) - n + 1))


class _References:
    """Compares with the text, or the best of the texts, in ``value``; passes from ``threshold`` on."""

    reads_answer: ClassVar[bool] = True
    options: ClassVar[tuple[str, ...]] = ()
    usual: ClassVar[float] = 0.5

    def __init__(self, assertion: Assertion) -> None:
        value = assertion.value
        self._references = value if isinstance(value, list) else [text_value(assertion)]
        if not self._references or not all(isinstance(each, str) for each in self._references):
            raise ValueError(f"needs a text or a list of texts as `value`, not {value!r}")
        self._name = assertion.type.upper()
        self._threshold = self.usual if assertion.threshold is None else assertion.threshold

    def __call__(self, subject: Subject) -> Score:
        value = self.score(subject.answer or "")
        passed = value >= self._threshold
        return Score("", value, passed, "" if passed else f"{self._name} {value:.2f} is below {self._threshold:g}")

    def score(self, answer: str) -> float:
        raise NotImplementedError


class Bleu(_References):
    """``bleu``: n-gram precision up to four words, times the brevity penalty; passes from ``threshold`` (0.5).

    Papineni et al., "BLEU: a method for automatic evaluation of machine translation" (2002). Words are compared without
    regard to case; orders that the answer is too short for are left out, and a precision of 0 counts as 1e-7.
    """

    def score(self, answer: str) -> float:
        words = words_of(answer.lower())
        references = [words_of(reference.lower()) for reference in self._references]
        logs = []
        for n in range(1, min(4, len(words)) + 1):
            grams = _grams(words, n)
            clipped = max((grams & _grams(reference, n)).total() for reference in references)
            logs.append(math.log(clipped / grams.total() or 1e-7))
        closest = min((len(reference) for reference in references), key=lambda n: (abs(n - len(words)), n))
        brevity = 1.0 if len(words) > closest else math.exp(1 - closest / len(words))
        return min(1.0, brevity * math.exp(math.fsum(logs) / len(logs)))


class Gleu(_References):
    """``gleu``: the lesser of precision and recall of phrases of one to four words; passes from ``threshold`` (0.5).

    Wu et al., "Google's Neural Machine Translation System" (2016), section 4.3. Without regard to case and to full
    stops at the end of words; of several references the best counts.
    """

    def score(self, answer: str) -> float:
        words = _bare(words_of(answer.lower()))
        return max(self._one(words, _bare(words_of(reference.lower()))) for reference in self._references)

    def _one(self, words: list[str], reference: list[str]) -> float:
        if words == reference:
            return 1.0
        found, wanted = (
            Counter({gram: count for n in range(1, 5) for gram, count in _grams(each, n).items()})
            for each in (words, reference)
        )
        return (found & wanted).total() / max(found.total(), wanted.total())


class Meteor(_References):
    """``meteor``: words matched as they are, by their stem, or as synonyms, less a penalty for their order (from 0.5).

    Banerjee and Lavie, "METEOR: An Automatic Metric for MT Evaluation" (2005); ``alpha`` (0.9), ``beta`` (3) and
    ``gamma`` (0.5) as in Lavie and Agarwal (2007). Needs the extra ``asserts`` and the WordNet of nltk.
    """

    options: ClassVar[tuple[str, ...]] = ("alpha", "beta", "gamma")

    def __init__(self, assertion: Assertion) -> None:
        super().__init__(assertion)
        given = {"alpha": 0.9, "beta": 3.0, "gamma": 0.5} | dict(assertion.options)
        for key in self.options:
            if isinstance(given[key], bool) or not isinstance(given[key], (int, float)):
                raise ValueError(f"{key}: {given[key]!r} is not a number")
        self._alpha, self._beta, self._gamma = (given[key] for key in self.options)
        self._stem, self._synonyms = _english()

    def score(self, answer: str) -> float:
        words = _bare(_SPACES.split(answer))
        return max(self._one(words, _bare(_SPACES.split(reference))) for reference in self._references)

    def _one(self, answer: list[str], reference: list[str]) -> float:
        left = list(enumerate(word.lower() for word in answer))
        right = list(enumerate(word.lower() for word in reference))
        pairs = _matched(left, right, lambda word: {word})
        left, right = ([(place, self._stem(word)) for place, word in each] for each in (left, right))
        pairs += _matched(left, right, lambda word: {word})
        # From here on words are their stems, as in promptfoo.
        pairs += _matched(left, right, lambda word: {word} | self._synonyms(word))
        if not pairs:
            return 0.0
        pairs.sort()
        precision, recall = len(pairs) / len(answer), len(pairs) / len(reference)
        mean = precision * recall / (self._alpha * precision + (1 - self._alpha) * recall)
        chunks = 1 + sum((a + 1, b + 1) != after for (a, b), after in pairwise(pairs))
        return float((1 - self._gamma * (chunks / len(pairs)) ** self._beta) * mean)


def _bare(words: list[str]) -> list[str]:
    return [word.rstrip(".") for word in words]


_Placed = list[tuple[int, str]]


def _matched(left: _Placed, right: _Placed, alike: Callable[[str], set[str]]) -> list[tuple[int, int]]:
    """The places of words that are alike, from the last on; what is matched is taken out of both lists."""
    found = []
    for at in reversed(range(len(left))):
        place, word = left[at]
        near = alike(word)
        other = next((index for index in reversed(range(len(right))) if right[index][1] in near), None)
        if other is not None:
            found.append((place, right[other][0]))
            del left[at], right[other]
    return found


@cache
def _english() -> tuple[Callable[[str], str], Callable[[str], set[str]]]:
    """The stem of a word, and its synonyms.

    Raises:
        MissingExtra: nltk is not installed.
        ValueError: Its WordNet is not.
    """
    try:
        from nltk.corpus import wordnet
        from nltk.stem.porter import PorterStemmer
    except ImportError:
        raise MissingExtra("nltk", "asserts", "the assert meteor") from None
    try:
        wordnet.ensure_loaded()
    except LookupError:
        raise ValueError("needs WordNet: python -m nltk.downloader wordnet") from None
    stemmer: Any = PorterStemmer(mode="ORIGINAL_ALGORITHM")

    @cache
    def synonyms(word: str) -> set[str]:
        lemmas = (lemma.name().lower() for synset in wordnet.synsets(word) for lemma in synset.lemmas())
        return {lemma for lemma in lemmas if "_" not in lemma}

    return stemmer.stem, synonyms


class Rouge(_References):
    """``rouge-n`` and ``rouge-l``: F1 of word n-grams (``n``, by default 1), or of the longest common subsequence.

    Lin, "ROUGE: A Package for Automatic Evaluation of Summaries" (2004), with one reference; words are those of the
    Penn Treebank, without regard to case. Passes from ``threshold`` (0.75).
    """

    options: ClassVar[tuple[str, ...]] = ("n",)
    usual: ClassVar[float] = 0.75

    def __init__(self, assertion: Assertion) -> None:
        super().__init__(assertion)
        n = assertion.options.get("n", 1)
        if isinstance(n, bool) or not isinstance(n, int) or n < 1:
            raise ValueError(f"n: {n!r} is not a positive whole number")
        if isinstance(assertion.value, list):
            raise ValueError(f"needs a text as `value`, not {assertion.value!r}")
        self._n = n
        self._longest = assertion.type == "rouge-l"
        self._name = "ROUGE-L" if self._longest else f"ROUGE-{n}"
        self._reference = treebank_words(self._references[0].lower())
        if len(self._reference) < n:
            raise ValueError(f"the value has no sequence of {n} words")

    def score(self, answer: str) -> float:
        words = treebank_words(answer.lower())
        if self._longest:
            from rapidfuzz.distance import LCSseq

            shared, found, wanted = LCSseq.similarity(words, self._reference), len(words), len(self._reference)
        else:
            answered, reference = _grams(words, self._n), _grams(self._reference, self._n)
            shared, found, wanted = (answered & reference).total(), answered.total(), reference.total()
        return 2 * shared / (found + wanted)


def _spaced(
    pattern: str, replacement: str = r" \g<0> ", flags: re.RegexFlag = re.NOFLAG
) -> tuple[re.Pattern[str], str]:
    return re.compile(pattern, flags), replacement


# Of Robert MacIntyre's script for the Penn Treebank, in its order.
_TREEBANK = (
    _spaced(r"\.{3}"),
    _spaced(r"[:,](?!\d)"),
    _spaced(r"[;@#$%&]"),
    _spaced(r"([^.])(?<!\b[A-Za-z]\.[A-Za-z])(\.)([\])}>'\s]*)\Z", r"\1 \2\3 "),
    _spaced(r"[?!]"),
    _spaced(r"[\][(){}<>]"),
    _spaced(r"--"),
)
_APOSTROPHES = (
    _spaced(r"([^'])' ", r"\1 ' "),
    _spaced(r"'([sSmMdD]) ", r" '\1 "),
    _spaced(r"('ll|'LL|'re|'RE|'ve|'VE|n't|N'T) ", r" \1 "),
    *(
        _spaced(rf"(?<!\w)({first})({second})(?!\w)", r" \1 \2 ", re.IGNORECASE)
        for first, second in (
            *(("can", "not"), ("d", "'ye"), ("gim", "me"), ("gon", "na"), ("got", "ta"), ("lem", "me")),
            *(("more", "'n"), ("wan", "na"), ("'t", "is"), ("'t", "was")),
        )
    ),
)
_QUOTES = re.compile(r"``|''|\"")


def treebank_words(text: str) -> list[str]:
    """The words of a sentence as the Penn Treebank splits them: marks, possessives and contractions apart."""
    text = _TRIM.sub("", re.sub(rf"(?:{SPACE}|\x85)+", " ", text))
    if not text:
        return []
    opened = False

    def quote(match: re.Match[str]) -> str:
        nonlocal opened
        before = text[: match.start()]
        opening = not before or re.search(r"[^\w.!?]\Z", before) is not None
        opened = match[0] == "``" or (match[0] == '"' and not opened and opening)
        return " `` " if opened else " '' "

    text = _QUOTES.sub(quote, text)
    for pattern, replacement in _TREEBANK:
        text = pattern.sub(replacement, text)
    text = f" {text} "
    for pattern, replacement in _APOSTROPHES:
        text = pattern.sub(replacement, text)
    return text.split(" ") if (text := re.sub(" {2,}", " ", text).strip(" ")) else []
