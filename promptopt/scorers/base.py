"""What a scorer is, and how asserts become scores.

A scorer is made from one assert (``factory(assertion)``) and then called with each answer. Factories are registered
under the entry-point group ``promptopt.scorers``, the built-in ones too; the entry point's name is the assert's type.
A factory raises ``ValueError`` if the assert makes no sense, before anything is called or paid.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol

from promptopt.errors import MissingExtra, PromptoptError, SuiteError, did_you_mean
from promptopt.functions import RAISED
from promptopt.registry import blaming, broken, load, registered
from promptopt.scorers.transform import as_text, transform_of
from promptopt.suites import ASSERT_KEYS, Assertion
from promptopt.suites.table import split_list
from promptopt.values import Cost, Response, Score, Tool


@dataclass(frozen=True, slots=True)
class Subject:
    """An answer with all that a scorer may look at.

    Attributes:
        answer: The answer, read out of the response; ``None`` if there is none.
        no_answer: Why there is none.
        response: The whole response. Its ``duration_s`` is ``None`` for a replay.
        variables: What the prompt was rendered with.
        cost: List cost of the call; ``None`` for an unpriced model.
        tools: Those of the prompt; empty if it has none, or if the program under test has its own.
        judge: Whom a scorer asks that asks models; ``None``: nobody can be asked.
        rivals: Answers of the other variants to the same case, by their labels; ``None`` for one that has none.
        prompt: What was sent, as one text; empty if it is not known.
        test: The case's ``description``, ``metadata`` and ``threshold``, for code.
        made: What a ``transform`` made of the answer, if that is not a text; the answer is its JSON.
    """

    answer: str | None
    response: Response
    no_answer: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict)
    cost: Cost | None = None
    tools: tuple[Tool, ...] = ()
    judge: Judge | None = None
    rivals: Mapping[str, str | None] = field(default_factory=dict)
    prompt: str = ""
    test: Mapping[str, Any] = field(default_factory=dict)
    made: Any = None


class Judge(Protocol):
    """The models that one assert may ask about one answer."""

    def score(self, scorer: JudgeScorer, subject: Subject) -> Score | None:
        """What the scorer says, with the answers of models that it asks for."""


class JudgeScorer(Protocol):
    """A scorer that asks models. It is told apart by this method; ``Subject.judge`` carries it out.

    ``subject.judge.score(self, subject)`` is what its ``__call__`` does.
    """

    def judging(self, subject: Subject, judge: Any) -> Generator[Any, Any, Score | None]:
        """Yields what models are asked and is sent their answers."""


class Scorer(Protocol):
    """Scores one answer.

    Attributes:
        reads_answer: Whether it looks at the answer; if a response has none, such a scorer is not asked and the
            assert fails, negated or not.

    A scorer with a true attribute ``reads_prompt`` is given what was sent.
    A scorer with a true attribute ``negates`` carries out ``not-`` itself; the score of others is taken from 1.
    A factory with an attribute ``options`` (names) refuses further keys of an assert; one without takes any.
    """

    reads_answer: ClassVar[bool]

    def __call__(self, subject: Subject) -> Score | None:
        """The score, or ``None`` if this answer cannot be judged (the latency of a replay)."""


ScorerFactory = Callable[[Assertion], Scorer]


@dataclass(frozen=True, slots=True)
class Check:
    """An assert that is ready to score."""

    assertion: Assertion
    scorer: Scorer
    _known: dict[str, Score] = field(default_factory=dict, repr=False, compare=False)

    @property
    def asks(self) -> bool:
        """Whether it asks models."""
        return hasattr(self.scorer, "judging")

    def __call__(self, subject: Subject) -> Score | None:
        """The score of this assert. An error in the scorer is a failed score that shows it."""
        name = self.assertion.name
        if subject.answer is None and self.scorer.reads_answer:
            return Score(name, 0.0, False, subject.no_answer)
        if not getattr(self.scorer, "reads_text_only", False) or self.assertion.options:
            return self._scored(subject, name)
        # Labels and other short answers come again and again.
        answer = subject.answer or ""
        score = self._known.get(answer)
        if score is None:
            score = self._scored(subject, name)
            if score is not None and not score.broken and len(answer) <= _SHORT and len(self._known) < _MOST_KNOWN:
                self._known[answer] = score
        return score

    def _scored(self, subject: Subject, name: str) -> Score | None:
        try:
            score: object = self.scorer(self._transformed(subject))
        except RAISED as error:
            if self.asks and isinstance(error, PromptoptError):
                # A judge that nobody named, or whose answer is not recorded: nothing is known of any answer.
                raise
            return Score(name, 0.0, False, f"the scorer raised {type(error).__name__}: {error}", broken=True)
        if score is None:
            return None
        if not isinstance(score, Score):
            return Score(name, 0.0, False, f"the scorer returned {score!r}, which is not a Score", broken=True)
        if not _is_share(score.value):
            why = f"the scorer gave the score {score.value!r}, which is not a number from 0 to 1"
            return Score(name, 0.0, False, why, broken=True)
        if score.broken:
            return replace(score, name=name, value=0.0, passed=False)
        if self.assertion.negated and not getattr(self.scorer, "negates", False):
            why = "" if not score.passed else f"expected not to hold: {self.assertion.type} {self.assertion.value!r}"
            return Score(name, 1.0 - score.value, not score.passed, why, judged=score.judged)
        return Score(name, score.value, score.passed, score.explanation, score.broken, score.judged)

    def _transformed(self, subject: Subject) -> Subject:
        """The subject with what the assert's own ``transform`` makes of its answer."""
        code = self.assertion.options.get("transform")
        return subject if code is None or subject.answer is None else transformed(subject, str(code))


# Answers of which a check remembers its score.
_SHORT, _MOST_KNOWN = 200, 256


def _is_share(value: object) -> bool:
    # NaN is not between anything.
    return isinstance(value, (int, float)) and 0 <= value <= 1


_NO_TRACES = "there are no traces of spans; calls of tools are scored by `tool-call` and `trajectory:tool-*`"
_JUDGE = "ask a model by `llm-rubric`, or write the check as a `python` assert"
# Of promptfoo's types those that no scorer here is registered for, each with what to do.
_NOT_CARRIED = {
    "agent-rubric": _JUDGE,
    "conversation-relevance": _JUDGE,
    "human": "label answers by hand and compare the labels; an assert is carried out by the program",
    "max-score": "put the asserts on the case itself: `compare` says which variant scores best",
    "moderation": "call a moderation service in a `python` or `webhook` assert",
    "pi": "its service is closed; write the check as a `python` or `webhook` assert",
    "ruby": "write the check as a `javascript` or `python` assert",
    "search-rubric": _JUDGE,
    "skill-used": "calls of tools are scored by `tool-call`",
    "trace-error-spans": _NO_TRACES,
    "trace-span-count": _NO_TRACES,
    "trace-span-duration": _NO_TRACES,
    "trajectory:goal-success": _JUDGE,
}


def _unknown(assertion: Assertion, known: Iterable[str], path: str) -> SuiteError:
    kind = assertion.type
    if why := _NOT_CARRIED.get(kind):
        return SuiteError(f"unknown assert type {assertion.name!r}: {why}", path=path, line=assertion.line)
    if kind.startswith("promptfoo:redteam:"):
        why = "red teaming is not carried; leave it out, or keep it in promptfoo"
        return SuiteError(f"unknown assert type {assertion.name!r}: {why}", path=path, line=assertion.line)
    return SuiteError(
        f"unknown assert type {assertion.name!r}.{did_you_mean(kind, known)}",
        path=path,
        line=assertion.line,
        remedy=f"known types, each also with `not-`: {', '.join(sorted(known))}",
    )


def make_check(assertion: Assertion, path: str) -> Check:
    """The check of an assert.

    Args:
        path: The suite's file, for messages.

    Raises:
        SuiteError: The type is unknown, or the assert makes no sense.
        UsageError: The package of the scorer is broken, or two packages register its type.
    """
    known, kind = registered("scorer"), assertion.type
    if kind not in known:
        raise _unknown(assertion, known, path)
    factory: ScorerFactory = load("scorer", kind)
    if not callable(factory):
        raise broken("scorer", kind, f"is not a scorer's factory: {type(factory).__name__} cannot be called")
    with blaming("scorer", kind, f"cannot be made for {path}:{assertion.line}"):
        options = [*ASSERT_KEYS, "transform", *getattr(factory, "options", assertion.options)]
        for key in assertion.options:
            if key not in options:
                raise SuiteError(
                    f"assert {assertion.name}: unknown key {key!r}.{did_you_mean(key, options)}",
                    path=path,
                    line=assertion.line,
                    remedy=f"known: {', '.join(options)}",
                )
        try:
            if (code := assertion.options.get("transform")) is not None:
                transform_of(str(code))
            scorer = factory(assertion)
        except ValueError as error:
            raise SuiteError(f"assert {assertion.name}: {error}", path=path, line=assertion.line) from None
        except MissingExtra as error:
            place = f"{path}:{assertion.line}" if assertion.line else path
            raise error.within(f"{place}: assert {assertion.name}") from None
    if not (callable(scorer) and isinstance(getattr(scorer, "reads_answer", None), bool)):
        needs = "`reads_answer` (true or false) and __call__(subject)"
        raise broken("scorer", kind, f"is not a scorer: {type(scorer).__name__} needs {needs}")
    return Check(assertion, scorer)


def text_value(assertion: Assertion) -> str:
    """The assert's value as a text.

    Raises:
        ValueError: It has none, or it is a list or a mapping.
    """
    value = assertion.value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (str, int, float)):
        return _text(value)
    raise ValueError(f"needs a text as `value`, not {value!r}")


def _text(value: str | float) -> str:
    """A number as JavaScript writes it: without the point of a whole one."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 1e21 else str(value)


def text_within(assertion: Assertion) -> str:
    """The assert's value as a text that an answer may have in it.

    Raises:
        ValueError: As :func:`text_value`; or it is empty, which any answer contains.
    """
    value = text_value(assertion)
    if not value:
        raise ValueError("needs a text as `value` that is not empty: any answer contains an empty one")
    return value


def text_values(assertion: Assertion) -> list[str]:
    """The assert's value as a list of texts; one text may list them with commas, as in promptfoo.

    Raises:
        ValueError: There is none, or an item is empty.
    """
    value = assertion.value
    if isinstance(value, str):
        value = split_list(value)
    if not isinstance(value, list) or not value or not all(isinstance(part, (str, int, float)) for part in value):
        raise ValueError(f"needs a list of texts as `value`, not {assertion.value!r}")
    if "" in value:
        raise ValueError(f"needs texts as `value` that are not empty, not {value!r}: any answer contains an empty one")
    return [_text(part) for part in value]


def transformed(subject: Subject, code: str) -> Subject:
    """The subject with what a ``transform`` makes of its answer, which asserts of the whole response see as well.

    Raises:
        Exception: Whatever the code raises.
    """
    made = transform_of(code)(code_output(subject), {"vars": dict(subject.variables), "prompt": {}})
    text = as_text(made)
    response = replace(subject.response, text=text)
    return replace(subject, answer=text, made=None if isinstance(made, str) else made, response=response)


def code_output(subject: Subject) -> Any:
    """What code is given as ``output``: the answer, or what a ``transform`` made of it."""
    return raw_answer(subject) if subject.made is None else subject.made


def raw_answer(subject: Subject) -> str:
    """The answer with the white space around it that the response has."""
    answer = subject.answer or ""
    return subject.response.output if subject.response.output.strip() == answer else answer


def verdict(passed: bool, explanation: str) -> Score:
    """A score of 1 or 0; the explanation is kept only if it did not pass."""
    return Score("", float(passed), passed, "" if passed else explanation)


def shorten(text: str, limit: int = 60) -> str:
    """``text`` in quotes, cut in the middle if it is long."""
    if len(text) > limit:
        text = f"{text[: limit // 2]}…{text[-limit // 2 :]}"
    return repr(text)
