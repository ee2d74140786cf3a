"""A case's asserts, made ready for its variables, and its answer's scores."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from promptopt.errors import SuiteError
from promptopt.files import show_path
from promptopt.functions import RAISED
from promptopt.scorers.base import Check, Judge, Subject, make_check, transformed
from promptopt.scorers.tools import call_problem
from promptopt.suites import Assertion, Case, Suite
from promptopt.suites.case import Turn
from promptopt.suites.variables import fill_expected, has_template
from promptopt.templates.answer import AnswerExtractor, NoAnswer
from promptopt.values import Cost, Response, Score, Tool, canonical_json

# Such a response fails every assert that reads the answer, negated ones too: it is counted, and not left out.
_NO_ANSWER = {
    "length": "it is cut off at the output cap",
    "content_filter": "the provider filtered it",
    "refusal": "the model refused",
    "step_limit": "it still calls tools after the last step that `max_steps` allows",
    "no_tool_result": "a call of a tool has no result",
}
_SCHEMAS = ("is-json", "contains-json")
# Those that compare the answer with values: one that takes a single text refuses a list.
_COMPARES = re.compile(
    r"equals|i?contains(?:-all|-any)?|starts-with|regex|levenshtein|numeric|(?:word|sentence)-count|bleu|gleu|meteor"
    r"|rouge-.|token-f1|similar(?::\w+)?|g-eval"
)


@dataclass(frozen=True, slots=True)
class JudgeAccess:
    """Whom the asserts that ask models ask about one answer.

    Attributes:
        seat: Gives an assert of a case, counted from 0, the models that it may ask.
        rivals: Answers of the other variants to the same case, by their labels.
        only: Only those asserts are carried out: it is found out what they will ask.
    """

    seat: Callable[[Case, Assertion, int], Judge]
    rivals: Mapping[str, str | None] = field(default_factory=dict)
    only: bool = False


@dataclass(frozen=True, slots=True)
class TurnAnswer:
    """The answer to one turn of a conversation.

    Attributes:
        response: Of all calls of the model in the turn.
        variables: Those of the turn, with ``turn`` (from 1), ``user`` (what was said) and ``history`` (the messages
            before it).
        cost: List cost of the turn; ``None`` for an unpriced model.
    """

    response: Response
    variables: Mapping[str, Any]
    cost: Cost | None


@dataclass(frozen=True, slots=True)
class CaseScore:
    """What one answer is worth.

    Attributes:
        quality: The weighted mean of the scores, between 0 and 1.
        passed: Every assert passed, or the quality reaches the case's threshold if it has one.
        scores: One for each assert that could be judged.
        answer: What was read out of the response.
        unjudged: Asserts that could not be judged (the latency of a replay).
        asserts: Which of the case's asserts each score is of, counted from 0: those of its turns, then its own.
        broken: Those that weigh something and whose scorer gave no score: they count as failed.
    """

    quality: float
    passed: bool
    scores: tuple[Score, ...]
    answer: str | None
    unjudged: int = 0
    asserts: tuple[int, ...] = ()
    broken: tuple[int, ...] = ()


class SuiteChecks:
    """The checks of a suite's cases, made once and used for every answer to them."""

    def __init__(self, suite: Suite) -> None:
        """Raises SuiteError if an assert makes no sense; nothing was called by then."""
        self._path = show_path(suite.path)
        # Cases mostly share their asserts; a pattern or schema is compiled once for all of them.
        self._made: dict[object, Check] = {}
        self._cases = {case.name: self._case_checks(case) for case in suite.cases}

    def score(
        self,
        case: str,
        response: Response,
        answer: AnswerExtractor | None,
        cost: Cost | None,
        tools: tuple[Tool, ...] = (),
        turns: Sequence[TurnAnswer] = (),
        judges: JudgeAccess | None = None,
        prompt: Callable[[], str] | None = None,
    ) -> CaseScore:
        """The score of a response to the case; ``answer`` says how its answer is read out of it.

        Args:
            tools: Those of the prompt, which calls are checked by.
            turns: Of a conversation, the answers to the turns that were asked.
            judges: Whom asserts ask that ask models.
            prompt: Gives what was sent as one text, if an assert looks at it.
        """
        return self._cases[case].score(response, answer, cost, tools, turns, judges, prompt)

    @property
    def asks(self) -> bool:
        """Whether an assert of any case asks models."""
        return any(check.asks for check in self._made.values())

    def asking(self, case: str) -> list[Check]:
        """The checks of a case that ask models."""
        return [check for check in self._cases[case].checks if check.asks]

    def reads_text(self, case: str) -> bool:
        """Whether all that a case expects is about the text of one answer: not code, a judge or turns."""
        found = self._cases[case]
        return not found.places and all(getattr(each.scorer, "reads_text_only", False) for each in found.checks)

    def answer(self, case: str, response: Response, answer: AnswerExtractor | None) -> str | None:
        """What is read out of a response; ``None`` if it has no answer."""
        return _subject(response, answer, self._cases[case].case, None, ()).answer

    def case(self, name: str) -> Case:
        """The case of that name."""
        return self._cases[name].case

    def assertions(self, case: str) -> tuple[Assertion, ...]:
        """The asserts of a case with its variables filled in, as its scores count them: those of its turns first."""
        return self._cases[case].assertions

    def _case_checks(self, case: Case) -> CaseChecks:
        filled: list[Assertion] = []
        places: list[int] = []
        for number, turn in enumerate(case.turns, 1):
            variables = {**turn.vars, "turn": number, **({} if turn.user is None else {"user": turn.user})}
            filled += [_filled(assertion, variables, self._path) for assertion in turn.asserts]
            places += [number] * len(turn.asserts)
        filled += [_filled(assertion, case.vars, self._path) for assertion in case.asserts]
        checks = tuple(map(self._check, filled))
        reads_prompt = any(getattr(check.scorer, "reads_prompt", False) for check in checks)
        return CaseChecks(case, tuple(filled), checks, tuple(places), reads_prompt)

    def _check(self, assertion: Assertion) -> Check:
        written = (assertion.name, assertion.value, assertion.threshold, assertion.weight)
        plain = type(assertion.value) is str and not assertion.options
        key = written if plain else canonical_json([*written, dict(assertion.options)])
        if key not in self._made:
            self._made[key] = make_check(assertion, self._path)
        return self._made[key]


@dataclass(frozen=True, slots=True)
class CaseChecks:
    """The checks of one case.

    Attributes:
        places: The turn that each of the first checks belongs to; those after them are of the case.
        reads_prompt: Whether a scorer looks at what was sent.
    """

    case: Case
    assertions: tuple[Assertion, ...]
    checks: tuple[Check, ...]
    places: tuple[int, ...] = ()
    reads_prompt: bool = False

    def score(
        self,
        response: Response,
        answer: AnswerExtractor | None,
        cost: Cost | None,
        tools: tuple[Tool, ...] = (),
        turns: Sequence[TurnAnswer] = (),
        judges: JudgeAccess | None = None,
        prompt: Callable[[], str] | None = None,
    ) -> CaseScore:
        """The score of a response; a case without asserts passes."""
        subject = _subject(response, answer, self.case, cost, tools)
        if self.reads_prompt and prompt is not None:
            subject = replace(subject, prompt=prompt())
        found = self._found_in_turns(answer, tools, turns, judges) if self.places else []
        found += [
            (number, self.checks[number], self._checked(number, subject, judges))
            for number in range(len(self.places), len(self.checks))
        ]
        judged = [(number, check.assertion.weight, score) for number, check, score in found if score is not None]
        scores = tuple(score for _, _, score in judged)
        total = sum(weight for _, weight, _ in judged)
        if total:
            quality = sum(weight * score.value for _, weight, score in judged) / total
        else:
            quality = float(all(score.passed for score in scores))
        if self.case.threshold is not None:
            passed = quality >= self.case.threshold
        else:
            # An assert without weight is shown and decides nothing, as in promptfoo.
            passed = all(score.passed for _, weight, score in judged if weight)
        return _shared(
            quality,
            passed,
            scores,
            subject.answer,
            unjudged=len(self.checks) - len(judged),
            asserts=_upto(len(scores)) if len(scores) == len(found) else tuple(number for number, _, _ in judged),
            broken=tuple(number for number, weight, score in judged if score.broken and weight),
        )

    def _found_in_turns(
        self,
        answer: AnswerExtractor | None,
        tools: tuple[Tool, ...],
        turns: Sequence[TurnAnswer],
        judges: JudgeAccess | None,
    ) -> list[tuple[int, Check, Score | None]]:
        """The scores of the checks that belong to turns, with their numbers."""
        subjects = [
            _subject(said.response, answer, self._in_turn(said, turn), said.cost, tools)
            for said, turn in zip(turns, self.case.turns, strict=False)
        ]
        return [
            (number, check, self._of_turn(number, subjects, turn, judges))
            for number, (check, turn) in enumerate(zip(self.checks, self.places, strict=False))
        ]

    def _in_turn(self, said: TurnAnswer, turn: Turn) -> Case:
        options = self.case.options if turn.options is None else turn.options
        return replace(self.case, vars=said.variables, options=options)

    def _of_turn(self, number: int, subjects: Sequence[Subject], turn: int, judges: JudgeAccess | None) -> Score | None:
        """The score of a turn's assert, which says the turn; a turn that was not asked fails it."""
        if turn > len(subjects):
            why = f"turn {turn} was not asked, because turn {len(subjects)} has no answer"
            return Score(self.checks[number].assertion.name, 0.0, False, why)
        score = self._checked(number, subjects[turn - 1], judges)
        return replace(score, explanation=f"turn {turn}: {score.explanation}") if score and score.explanation else score

    def _checked(self, number: int, subject: Subject, judges: JudgeAccess | None) -> Score | None:
        check = self.checks[number]
        if judges is None:
            return check(subject)
        if not check.asks:
            return None if judges.only else check(subject)
        seat = judges.seat(self.case, check.assertion, number)
        return check(replace(subject, judge=seat, rivals=judges.rivals))


@lru_cache(maxsize=1024)
def _shared(*values: Any, **named: Any) -> CaseScore:
    """One score for all answers that are scored alike: of a large suite most are."""
    return CaseScore(*values, **named)


@lru_cache(maxsize=64)
def _upto(count: int) -> tuple[int, ...]:
    """One tuple for all answers: most have all their scores."""
    return tuple(range(count))


def _subject(
    response: Response,
    answer: AnswerExtractor | None,
    case: Case,
    cost: Cost | None,
    tools: tuple[Tool, ...],
) -> Subject:
    test = {"description": case.name, "metadata": dict(case.metadata), "threshold": case.threshold}
    given: dict[str, Any] = {"variables": case.vars, "cost": cost, "tools": tools, "test": test}
    if case.tool_results is not None and response.finish_reason == "no_tool_result":
        answers = case.tool_results.answers(response.tool_calls)
        # Other turns may have used up what answers these calls: then it is the last of them.
        call = response.tool_calls[answers.index(None) if None in answers else -1]
        why = call_problem(call, tools) or f"`tool_results` has no result for {call}"
        return Subject(None, response, f"no answer: {why}", **given)
    # If a pattern finds the answer in a response, it does not matter where the rest of the text ends.
    if response.finish_reason in _NO_ANSWER and not (response.finish_reason == "length" and answer is not None):
        reason = f"no answer: {_NO_ANSWER[response.finish_reason]}"
        return Subject(None, response, reason, **given)
    if response.finish_reason == "tool_calls" and not response.tool_calls:
        # As recordings of early versions have it.
        why = "no answer: the model called a tool, and it is not kept which: record it again"
        return Subject(None, response, why, **given)
    if not response.output.strip():
        return Subject(None, response, "no answer: the response is empty", **given)
    if answer is None:
        return _transformed(Subject(response.output.strip(), response, **given), case)
    if not response.text.strip():
        return Subject(None, response, "no answer: it only calls tools, and `answer:` reads a text", **given)
    try:
        return _transformed(Subject(answer.extract(response.text), response, **given), case)
    except NoAnswer as error:
        return Subject(None, response, f"no answer: {error}", **given)


def _transformed(subject: Subject, case: Case) -> Subject:
    """The subject with what the ``transform`` of the case's options makes of its answer."""
    code = case.options.get("transform")
    if code is None:
        return subject
    try:
        return transformed(subject, str(code))
    except RAISED as error:
        return replace(subject, answer=None, no_answer=f"no answer: transform: {error}")


def _filled(assertion: Assertion, variables: Mapping[str, Any], path: str) -> Assertion:
    """The assert with ``{{ variables }}`` of the case filled into its value and its metric."""
    # The braces of a schema are a pattern's, and no template.
    written = None if isinstance(assertion.value, Mapping) and assertion.type in _SCHEMAS else assertion.value
    if not has_template(written) and not has_template(assertion.metric):
        return assertion
    whole, code = _COMPARES.fullmatch(assertion.type) is not None, assertion.type == "python"
    try:
        value = assertion.value if written is None else fill_expected(written, variables, whole=whole, code=code)
        metric = fill_expected(assertion.metric, variables, whole=False)
    except ValueError as error:
        raise SuiteError(f"assert {assertion.name}: {error}", path=path, line=assertion.line) from None
    return replace(assertion, value=value, metric=str(metric) if metric else None)
