"""METEOR beside nltk's own, and beside what promptfoo's implementation (npm's natural, WordNet 3.1) printed."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptopt.scorers import overlap
from promptopt.suites import Assertion

GROUPS = ({"car", "automobile"}, {"big", "large"}, {"quick", "fast"}, {"happi", "glad"})
"""What WordNet says of the words below, by their stems where they differ."""


class Lemma:
    def __init__(self, word: str) -> None:
        self._word = word

    def name(self) -> str:
        return self._word


class Synset:
    def __init__(self, words: set[str]) -> None:
        self._words = words

    def lemmas(self) -> list[Lemma]:
        return [Lemma(word) for word in sorted(self._words)]


class Lexicon:
    """The part of nltk's WordNet that METEOR asks, without its data."""

    def synsets(self, word: str) -> list[Synset]:
        return [Synset(group) for group in GROUPS if word in group]


@pytest.fixture(autouse=True)
def english(monkeypatch):
    stemmer = pytest.importorskip("nltk.stem.porter").PorterStemmer(mode="ORIGINAL_ALGORITHM")
    found = {word: group for group in GROUPS for word in group}
    monkeypatch.setattr(overlap, "_english", lambda: (stemmer.stem, lambda word: found.get(word, set())))
    return stemmer


def score(answer: str, reference: str) -> float:
    return overlap.Meteor(Assertion("meteor", value=reference)).score(answer)


@pytest.mark.parametrize(
    ("answer", "reference", "printed"),
    [
        ("the cat sat on the mat", "the cat sat on the mat", 0.9976851851851852),
        ("the cat was running quickly", "a cat runs quick", 0.24390243902439024),
        ("a big car is fast", "the large automobile is fast", 0.37500000000000006),
        ("on the mat sat the cat", "the cat sat on the mat", 0.5),
        ("dogs bark. dogs run.", "the dog barks and runs", 0.3061224489795918),
        ("It was good", "nothing alike here", 0),
        ("one", "one two three four", 0.13513513513513511),
        ("the the the the", "the cat the dog", 0.25),
    ],
)
def test_it_is_what_promptfoos_implementation_prints(answer: str, reference: str, printed: float) -> None:
    assert score(answer, reference) == pytest.approx(printed, abs=1e-12)


WORDS = [
    *("the", "cat", "sat", "on", "a", "mat", "run", "running", "runs", "dogs", "dog", "big", "large"),
    *("car", "automobile", "quick", "fast", "happy", "glad", "end.", "Cat"),
]
TEXTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=12)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEXTS, TEXTS)
def test_it_is_that_of_nltk(english, answer: list[str], reference: list[str]) -> None:
    from nltk.translate.meteor_score import single_meteor_score

    bare = [[word.rstrip(".") for word in words] for words in (reference, answer)]
    theirs = single_meteor_score(*bare, stemmer=english, wordnet=Lexicon())
    assert score(" ".join(answer), " ".join(reference)) == pytest.approx(theirs, abs=1e-12)
