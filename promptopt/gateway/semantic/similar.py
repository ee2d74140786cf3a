"""The ``similar`` scorer: how near an answer's embedding is to a text's."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from promptopt.gateway.semantic.embedders import DEFAULT, make_embedder
from promptopt.scorers import Subject
from promptopt.scorers.base import raw_answer, text_value
from promptopt.suites import Assertion
from promptopt.values import Score

if TYPE_CHECKING:
    import numpy as np

_EPSILON = sys.float_info.epsilon


class Similar:
    """``similar`` and ``similar:cosine``, ``similar:dot``, ``similar:euclidean``: near the text, or one of the texts.

    Likeness passes from ``threshold`` (0.75) on, and a distance up to it, with the score ``1 / (1 + distance)``.
    Vectors come from the local embedder (extra ``semantic``), or from ``client.embeddings`` if ``provider`` is
    ``openai:MODEL``; they have length 1, so that the dot product is the cosine.
    """

    reads_answer: ClassVar[bool] = True
    negates: ClassVar[bool] = True
    options: ClassVar[tuple[str, ...]] = ("provider",)

    def __init__(self, assertion: Assertion) -> None:
        value = assertion.value
        self._texts = value if isinstance(value, list) else [text_value(assertion)]
        if not self._texts or not all(isinstance(text, str) and text.strip() for text in self._texts):
            raise ValueError(f"needs a text or a list of texts as `value`, not {value!r}")
        self._name = _embedder(assertion.options.get("provider"))
        if self._name == DEFAULT:
            # Before anything is called: what is not installed is missing now.
            _made(DEFAULT)
        self._distance = assertion.type == "similar:euclidean"
        self._threshold = 0.75 if assertion.threshold is None else assertion.threshold
        self._negated = assertion.negated

    def __call__(self, subject: Subject) -> Score:
        answer = _vector(self._name, raw_answer(subject))
        found = [self._one(_vector(self._name, text), answer) for text in self._texts]
        passing = [score for score in found if score.passed]
        if self._negated:
            # It must be far from each text: the nearest counts.
            failing = [score for score in found if not score.passed]
            return failing[0] if failing else min(found, key=lambda score: score.value)
        return passing[0] if passing else max(found, key=lambda score: score.value)

    def _one(self, text: np.ndarray, answer: np.ndarray) -> Score:
        if self._distance:
            measure = math.dist(text.tolist(), answer.tolist())
            near, value = measure <= self._threshold + _EPSILON, 1 / (1 + measure)
            far, what = measure >= self._threshold - _EPSILON, "distance"
        else:
            measure = float(text @ answer)
            near, value = measure >= self._threshold - _EPSILON, min(1.0, max(0.0, measure))
            far, what = measure <= self._threshold + _EPSILON, "likeness"
        passed = far if self._negated else near
        why = "" if passed else f"the {what} {measure:.2f} is beyond the threshold {self._threshold:g}"
        return Score("", 1 - value if self._negated else value, passed, why)


def _embedder(provider: Any) -> str:
    """The name of an embedder; promptfoo's names say ``embedding`` too.

    Raises:
        ValueError: There is no such embedder.
    """
    name = provider.get("id") if isinstance(provider, Mapping) else provider
    if name is None or name == DEFAULT:
        return DEFAULT
    kind, _, model = str(name).partition(":")
    model = model.removeprefix("embeddings:").removeprefix("embedding:")
    if kind != "openai" or not model:
        raise ValueError(f"provider: {name!r} is not an embedder; known are {DEFAULT} and openai:MODEL")
    return f"openai:{model}"


@lru_cache(maxsize=4096)
def _vector(name: str, text: str) -> np.ndarray:
    """The unit vector of a text; of a text that is asked for again it is remembered."""
    found: np.ndarray = _made(name)([text])[0].astype("float64")
    return found


@lru_cache(maxsize=8)
def _made(name: str) -> Any:
    return make_embedder(name)
