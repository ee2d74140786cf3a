"""The checks for authors find each broken promise, and the doubles do what they say."""

import itertools
import time
from dataclasses import replace

import pytest

from promptopt import Message, Request, Response, Score, Usage
from promptopt.errors import ProviderError
from promptopt.providers import ProviderBase
from promptopt.scorers.text import Contains
from promptopt.testing import ANSWERS, ScriptedProvider, check_provider, check_scorer

NUMBERS = itertools.count(1)
REQUEST = Request("m", (Message("user", "Say hello."),))


def scorer(call, *, reads_answer=True, options=()):
    """The factory of a scorer that is one function."""

    class Made:
        def __init__(self, assertion):
            if assertion.value == "bad":
                raise ValueError
            if assertion.value == "worse":
                raise TypeError("worse")

        def __call__(self, subject):
            return call(subject)

    Made.reads_answer = reads_answer
    Made.options = options
    return Made


def test_a_built_in_scorer_keeps_its_promises() -> None:
    scores = check_scorer(Contains, "yes", refused=[None, {"a": 1}])
    assert len(scores) == len(ANSWERS)
    assert [score.passed for score in scores].count(True) == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda subject: Score("", 1.2, True), "is 1.2, not between 0 and 1"),
        (lambda subject: Score("", float("nan"), True), "not between 0 and 1"),
        (lambda subject: 0.5, "is 0.5, not a Score"),
        (lambda subject: Score("", 0.0, False), "did not pass and does not say why"),
        (lambda subject: Score("", 0.0, False, "a\nb"), "more than one line"),
        (lambda subject: Score("", 1.0, None), "`passed` is None"),
        (lambda subject: Score("", 1 / next(NUMBERS), True), "a second look gives other scores"),
    ],
)
def test_a_score_that_breaks_a_promise_is_found(call, message) -> None:
    with pytest.raises(AssertionError, match=message):
        check_scorer(scorer(call))


def test_a_scorer_that_shares_state_between_threads_is_found() -> None:
    class Careless:
        reads_answer = True

        def __init__(self, assertion):
            self.seen = None

        def __call__(self, subject):
            self.seen = subject.answer
            time.sleep(0.001)
            return Score("", min(1.0, len(self.seen) / 10_000), True)

    with pytest.raises(AssertionError, match="threads that score at once get other scores"):
        check_scorer(Careless)


def test_a_scorer_that_needs_no_answer_must_bear_none() -> None:
    with pytest.raises(TypeError):
        check_scorer(scorer(lambda subject: Score("", float(len(subject.answer) > 0), True), reads_answer=False))
    assert check_scorer(scorer(lambda subject: None, reads_answer=False))[-1] is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"options": {"tolerance": 1}}, r"\['tolerance'\] are given, \[\] are known"),
        ({"refused": ["good"]}, "no ValueError is raised"),
        ({"refused": ["bad"]}, "is refused without a message"),
        ({"refused": ["worse"]}, "TypeError is raised, which is not a ValueError"),
    ],
)
def test_a_factory_that_breaks_a_promise_is_found(options, message) -> None:
    with pytest.raises(AssertionError, match=message):
        check_scorer(scorer(lambda subject: Score("", 1.0, True)), **options)


ANSWER = Response("m", "hello", usage=Usage(3, output_tokens=1))


def test_a_provider_that_keeps_its_promises_is_closed_twice() -> None:
    made = ScriptedProvider(lambda request: "hello")
    assert check_provider(lambda: made, REQUEST).text == "hello"
    assert made.closed == 2
    assert made.requests == [REQUEST] * 9


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (replace(ANSWER, model=""), "does not name its model"),
        (replace(ANSWER, text=None), "the answer's text is None"),
        (replace(ANSWER, finish_reason=""), "does not say why it ended"),
        (replace(ANSWER, usage={"input_tokens": 1}), "the usage is"),
        (replace(ANSWER, duration_s=-1.0), "the call took -1.0 s"),
    ],
)
def test_an_answer_that_breaks_a_promise_is_found(reply, message) -> None:
    with pytest.raises(AssertionError, match=message):
        check_provider(lambda: ScriptedProvider(lambda request: reply))


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        ("answered", "no ProviderError is raised"),
        (ConnectionError("gone"), "ConnectionError is raised, which is not a ProviderError"),
        (ProviderError(""), "the failure has no message"),
    ],
)
def test_a_failure_that_breaks_a_promise_is_found(failure, message) -> None:
    failing = Request("m", (Message("user", "fail"),))
    with pytest.raises(AssertionError, match=message):
        check_provider(
            lambda: ScriptedProvider(lambda request: failure if request == failing else ANSWER), failing=failing
        )


def test_what_a_provider_says_of_itself_is_a_boolean() -> None:
    class Odd(ScriptedProvider):
        free = "yes"

    with pytest.raises(AssertionError, match="`free` is not a boolean"):
        check_provider(lambda: Odd(["a"]))

    class Unsure(ProviderBase):
        @classmethod
        def is_configured(cls, model):
            return None

    with pytest.raises(AssertionError, match="`is_configured` does not return a boolean"):
        check_provider(Unsure)


def test_a_script_answers_in_order_and_ends() -> None:
    provider = ScriptedProvider(["one two", ANSWER, ProviderError("busy")])
    assert provider.complete(REQUEST) == Response("m", "one two", usage=Usage(2, output_tokens=2))
    assert provider.complete(REQUEST) is ANSWER
    with pytest.raises(ProviderError, match="busy"):
        provider.complete(REQUEST)
    with pytest.raises(AssertionError, match="request 4 comes after the end of the script"):
        provider.complete(REQUEST)
