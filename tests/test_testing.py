"""The checks for authors find each broken promise, and the doubles do what they say."""

import itertools
import re
import time
from dataclasses import replace
from types import MethodType

import pytest

from promptopt import Message, Request, Response, Score, Usage
from promptopt.compression.edit import Edit, Finding
from promptopt.errors import ProviderError
from promptopt.gateway.call import Call, Labels
from promptopt.gateway.failures import CallFailed, LimitExceeded
from promptopt.gateway.flow import Sleep
from promptopt.gateway.stores.memory import MemoryCache, MemoryStore
from promptopt.providers import ProviderBase
from promptopt.scorers.text import Contains
from promptopt.testing import (
    ANSWERS,
    ScriptedProvider,
    check_layer,
    check_provider,
    check_rule,
    check_scorer,
    check_store,
)

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


def test_a_layer_that_does_nothing_keeps_its_promises() -> None:
    class Nothing:
        def handle(self, call, inner):
            return (yield from inner(call))

    assert [call.model for call in check_layer(lambda parts: Nothing())] == ["model"]


def layer(handle):
    """The factory of a layer that is one generator."""
    return lambda parts: type("Made", (), {"handle": lambda self, call, inner: handle(call, inner)})()


def silent(call, inner):
    yield from inner(call)


def losing(call, inner):
    try:
        return (yield from inner(call))
    except CallFailed:
        raise KeyError("lost") from None


def clinging(call, inner):
    try:
        return (yield from inner(call))
    finally:
        yield Sleep(1)


def changing(call, inner):
    call.body["messages"].clear()
    return (yield from inner(call))


def counting(call, inner):
    answer = yield from inner(call)
    return answer._replace(text=str(next(NUMBERS)))


@pytest.mark.parametrize(
    ("handle", "message"),
    [
        (silent, "answered with None"),
        (losing, "KeyError is raised after CallFailed"),
        (clinging, "a flow that is thrown away yields once more"),
        (changing, "the layer changes the call"),
        (counting, "the same call is answered"),
    ],
)
def test_a_layer_that_breaks_a_promise_is_found(handle, message) -> None:
    with pytest.raises(AssertionError, match=message):
        check_layer(layer(handle))


def test_a_refusal_sends_nothing_and_is_one() -> None:
    def late(call, inner):
        answer = yield from inner(call)
        if call.labels.user == "eve":
            raise LimitExceeded("no")
        return answer

    refused = Call.of("chat", "", {"model": "m", "messages": []}, Labels(user="eve"))
    with pytest.raises(AssertionError, match="a call was sent before it was refused"):
        check_layer(layer(late), refused=refused)
    with pytest.raises(AssertionError, match="no Refused is raised"):
        check_layer(layer(lambda call, inner: inner(call)), refused=refused)


def broken_store(part, **methods):
    """The store in memory, with other methods of one part."""

    class Broken(MemoryStore):
        pass

    def made(self):
        found = getattr(super(Broken, self), part)()
        for name, method in methods.items():
            setattr(found, name, MethodType(method, found))
        return found

    setattr(Broken, part, made)
    return Broken


@pytest.mark.parametrize(
    ("part", "methods", "message"),
    [
        ("cache", {"get": lambda self, key, now: None}, "does not give back what was kept"),
        ("cache", {"get": lambda self, key, now: MemoryCache.get(self, key, 1.8e9)}, "after it has expired"),
        ("cache", {"entries": lambda self: iter(self._entries.values())}, "newest first"),
        ("cache", {"clear": lambda self, **which: 0}, "does not forget one answer"),
        ("budgets", {"reserve": lambda self, number, scopes, amount, now: None}, "a budget is overspent"),
        ("budgets", {"alert": lambda self, scope, level: None}, "is not reported"),
        ("windows", {"hit": lambda self, items, now: None}, "admits three"),
    ],
)
def test_a_store_that_breaks_a_promise_is_found(part, methods, message, tmp_path) -> None:
    with pytest.raises(AssertionError, match=message):
        check_store(broken_store(part, **methods), tmp_path)


class Shorter:
    """A rule that keeps its promises."""

    code = "ACME1"
    name = "shorter"
    reason = "fewer tokens"
    level = "safe"

    def propose_in(self, sentence):
        for match in re.finditer("at this point in time", sentence.text):
            yield Edit(match.start(), match.end(), "now", self.code, "write 'now'")


TIME = "Say what is known at this point in time."


def test_a_rule_that_keeps_its_promises_is_applied() -> None:
    assert check_rule(Shorter, TIME, "Say it.") == ["Say what is known now.", "Say it."]


def proposing(*edits):
    return {"propose": lambda self, document: edits if document.text == TIME else ()}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"code": ""}, "`code` of the rule is ''"),
        ({"reason": "a\nb"}, "`reason` of the rule is 'a\\\\nb', not one line"),
        ({"level": "fast"}, "`level` of the rule is not one of safe, standard, telegraphic"),
        ({"propose_in": None}, "one of `propose"),
        ({"propose_in": lambda self, sentence: ["now"]}, "'now' is not an Edit"),
        (proposing(Edit(0, 3, "Tell", "PO101", "m")), "the rule ACME1 proposes an edit of PO101"),
        (proposing(Edit(0, 3, "Tell", "ACME1", "")), "has no message"),
        (proposing(Edit(0, 3, "Tell", "ACME1", "a\nb")), "more than one line"),
        (proposing(Finding(99, "ACME1", "m")), "is outside of the text"),
        (proposing(Edit(3, 3, "x", "ACME1", "m")), "replaces nothing"),
        (proposing(Edit(0, 3, "Say", "ACME1", "m")), "changes nothing"),
        ({"propose": lambda self, document: [Finding(0, "ACME1", str(next(NUMBERS)))]}, "gets other edits"),
    ],
)
def test_a_rule_that_breaks_a_promise_is_found(changes, message) -> None:
    kept = {name: value for name, value in vars(Shorter).items() if name != "propose_in" or "propose" not in changes}
    with pytest.raises(AssertionError, match=message):
        check_rule(type("Broken", (), {**kept, **changes}), TIME)
