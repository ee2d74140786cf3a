"""Scorers that compare texts: equality, containment, patterns, likeness."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any, ClassVar

from promptopt.scorers.base import Subject, shorten, text_value, text_values, verdict
from promptopt.suites import Assertion
from promptopt.templates.answer import REGEX_TIMEOUT_S, compile_pattern
from promptopt.values import Score

_WORD = re.compile(r"\w+")


class _AnswerScorer:
    reads_answer: ClassVar[bool] = True
    options: ClassVar[tuple[str, ...]] = ()

    def __call__(self, subject: Subject) -> Score:
        assert subject.answer is not None  # Check asks no answer scorer where there is not an answer
        return self.score(subject.answer)

    def score(self, answer: str) -> Score:
        raise NotImplementedError


class Equals(_AnswerScorer):
    """``equals``: the answer is exactly the value; a list or mapping is compared as JSON."""

    def __init__(self, assertion: Assertion) -> None:
        if assertion.value is None:
            raise ValueError("needs a `value`")
        self._json: Any = assertion.value if isinstance(assertion.value, (list, dict)) else None
        self._text = "" if self._json is not None else text_value(assertion)

    def score(self, answer: str) -> Score:
        if self._json is None:
            return verdict(answer == self._text, f"expected {shorten(self._text)}, got {shorten(answer)}")
        try:
            same = json.loads(answer) == self._json
        except (ValueError, RecursionError):
            return verdict(False, f"expected JSON, got {shorten(answer)}")
        return verdict(same, f"expected {shorten(json.dumps(self._json))}, got {shorten(answer)}")


class Contains(_AnswerScorer):
    """``contains`` and ``icontains`` (without regard to case): the value is in the answer."""

    def __init__(self, assertion: Assertion) -> None:
        self._fold = assertion.type.startswith("i")
        self._value = text_value(assertion)

    def score(self, answer: str) -> Score:
        return verdict(_in(self._value, answer, self._fold), f"{shorten(self._value)} is not in {shorten(answer)}")


class ContainsAll(_AnswerScorer):
    """``contains-all``, ``icontains-all``: every one of the values is in the answer."""

    def __init__(self, assertion: Assertion) -> None:
        self._fold = assertion.type.startswith("i")
        self._values = text_values(assertion)

    def score(self, answer: str) -> Score:
        missing = [value for value in self._values if not _in(value, answer, self._fold)]
        return verdict(not missing, f"{', '.join(map(shorten, missing))} not in {shorten(answer)}")


class ContainsAny(_AnswerScorer):
    """``contains-any``, ``icontains-any``: at least one of the values is in the answer."""

    def __init__(self, assertion: Assertion) -> None:
        self._fold = assertion.type.startswith("i")
        self._values = text_values(assertion)

    def score(self, answer: str) -> Score:
        found = any(_in(value, answer, self._fold) for value in self._values)
        return verdict(found, f"none of {', '.join(map(shorten, self._values))} in {shorten(answer)}")


class StartsWith(_AnswerScorer):
    """``starts-with``: the answer begins with the value."""

    def __init__(self, assertion: Assertion) -> None:
        self._value = text_value(assertion)

    def score(self, answer: str) -> Score:
        return verdict(answer.startswith(self._value), f"{shorten(answer)} does not start with {shorten(self._value)}")


class Regex(_AnswerScorer):
    """``regex``: the pattern is found in the answer. One that runs longer than a second fails."""

    def __init__(self, assertion: Assertion) -> None:
        self._pattern = compile_pattern(text_value(assertion))

    def score(self, answer: str) -> Score:
        try:
            found = self._pattern.search(answer, timeout=REGEX_TIMEOUT_S)
        except TimeoutError:
            raise TimeoutError(f"the pattern {self._pattern.pattern!r} ran longer than {REGEX_TIMEOUT_S:g} s") from None
        return verdict(found is not None, f"{self._pattern.pattern!r} is not found in {shorten(answer)}")


class Levenshtein(_AnswerScorer):
    """``levenshtein``: at most ``threshold`` (5) edits lie between answer and value."""

    def __init__(self, assertion: Assertion) -> None:
        self._value = text_value(assertion)
        self._limit = 5 if assertion.threshold is None else int(assertion.threshold)

    def score(self, answer: str) -> Score:
        from rapidfuzz import distance

        edits = distance.Levenshtein.distance(answer, self._value)
        return verdict(edits <= self._limit, f"{edits} edits from {shorten(self._value)} (limit {self._limit})")


class RougeN(_AnswerScorer):
    """``rouge-n``: the share of the value's word n-grams (``n``, by default 1) that the answer holds.

    ROUGE-N of Lin, "ROUGE: A Package for Automatic Evaluation of Summaries" (2004), equation 1, with one reference;
    words are compared without regard to case. Passes from ``threshold`` (0.75).
    """

    options: ClassVar[tuple[str, ...]] = ("n",)

    def __init__(self, assertion: Assertion) -> None:
        n = assertion.options.get("n", 1)
        if isinstance(n, bool) or not isinstance(n, int) or n < 1:
            raise ValueError(f"n: {n!r} is not a positive whole number")
        self._n = n
        self._reference = _ngrams(text_value(assertion), n)
        if not self._reference:
            raise ValueError(f"the value has no sequence of {n} words")
        self._threshold = 0.75 if assertion.threshold is None else assertion.threshold

    def score(self, answer: str) -> Score:
        overlap = (self._reference & _ngrams(answer, self._n)).total() / self._reference.total()
        return _graded(overlap, self._threshold, f"ROUGE-{self._n}")


class TokenF1(_AnswerScorer):
    """``token-f1``: the harmonic mean of precision and recall over words, as SQuAD's evaluation has it.

    Rajpurkar et al., "SQuAD: 100,000+ Questions for Machine Comprehension of Text" (2016), section 6.1; words are
    compared without regard to case. Passes from ``threshold`` (0.75).
    """

    def __init__(self, assertion: Assertion) -> None:
        self._reference = _ngrams(text_value(assertion), 1)
        if not self._reference:
            raise ValueError("the value has no words")
        self._threshold = 0.75 if assertion.threshold is None else assertion.threshold

    def score(self, answer: str) -> Score:
        words = _ngrams(answer, 1)
        common = (self._reference & words).total()
        value = 2 * common / (self._reference.total() + words.total())
        return _graded(value, self._threshold, "token F1")


class WordCount(_AnswerScorer):
    """``word-count``: the answer has ``value`` words, or between ``{min, max}``."""

    def __init__(self, assertion: Assertion) -> None:
        value = assertion.value
        bounds = value if isinstance(value, dict) else {"min": value, "max": value}
        if unknown := set(bounds) - {"min", "max"}:
            raise ValueError(f"unknown bound {', '.join(map(repr, unknown))}; known are min and max")
        try:
            self._least = int(bounds.get("min", 0))
            self._most = int(bounds["max"]) if "max" in bounds else None
        except (TypeError, ValueError):
            raise ValueError(f"needs a whole number or {{min, max}} as `value`, not {value!r}") from None

    def score(self, answer: str) -> Score:
        words = len(answer.split())
        passed = words >= self._least and (self._most is None or words <= self._most)
        most = "any number" if self._most is None else self._most
        return verdict(passed, f"{words} words, expected {self._least} to {most}")


def _in(needle: str, text: str, fold: bool) -> bool:
    return needle.casefold() in text.casefold() if fold else needle in text


def _ngrams(text: str, n: int) -> Counter[tuple[str, ...]]:
    words = _WORD.findall(text.casefold())
    return Counter(tuple(words[start : start + n]) for start in range(len(words) - n + 1))


def _graded(value: float, threshold: float, name: str) -> Score:
    passed = value >= threshold
    return Score("", value, passed, "" if passed else f"{name} {value:.2f} is below {threshold:g}")
