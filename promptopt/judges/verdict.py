"""From a judge's answer to a verdict: votes, the second judge of a cascade, and what is no verdict."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from promptopt.errors import AnswerError, ProviderError
from promptopt.judges.recordings import Ask
from promptopt.judges.session import JudgeReply, Judging, Seat
from promptopt.schemas.parse import parse
from promptopt.values import Cost, JSONSchema, Judged, Message, Origin, Request, Response, Score

VERDICT: JSONSchema = {
    "title": "verdict",
    "type": "object",
    "properties": {
        "reason": {"type": "string"},
        "pass": {"type": "boolean"},
        "score": {"type": "number"},
    },
    "required": ["reason", "pass", "score"],
    "additionalProperties": False,
}
BARE_VERDICT: JSONSchema = {
    "title": "verdict",
    "type": "object",
    "properties": {"pass": {"type": "boolean"}, "score": {"type": "number"}},
    "required": ["pass", "score"],
    "additionalProperties": False,
}
_READ: JSONSchema = {
    "type": "object",
    "properties": {"reason": {}, "pass": {"type": "boolean"}, "score": {"type": "number"}},
    "required": ["pass"],
}
_SCORED: JSONSchema = {**_READ, "required": [], "anyOf": [{"required": ["pass"]}, {"required": ["score"]}]}
_NO_ANSWER = {
    "length": "its answer is cut off at the output cap (max_output_tokens in [tool.promptopt.judge])",
    "content_filter": "the provider filtered its answer",
    "refusal": "it refused",
}


class NoVerdict(Exception):
    """A judge's answer says neither that what it judged passes nor that it fails."""


@dataclass(frozen=True, slots=True)
class Vote:
    """One vote.

    Attributes:
        score: Between 0 and 1.
    """

    passed: bool
    score: float
    reason: str


def text_of(reply: JudgeReply) -> str:
    """The text of a judge's answer.

    Raises:
        NoVerdict: There is none.
    """
    if isinstance(reply, ProviderError):
        raise NoVerdict(f"the judge was not reached: {reply}")
    if reply.finish_reason in _NO_ANSWER:
        raise NoVerdict(f"the judge {reply.model}: {_NO_ANSWER[reply.finish_reason]}")
    if not reply.text.strip():
        raise NoVerdict(f"the judge {reply.model} answered nothing")
    return reply.text


def read_as(reply: JudgeReply, schema: JSONSchema) -> Any:
    """A judge's answer as data.

    Raises:
        NoVerdict: It is not such data.
    """
    text = text_of(reply)
    if "{" not in text and "[" not in text:
        # Lines of `label: value` are read in answers of prompts; a verdict is asked for as JSON.
        raise NoVerdict(f"no verdict in the judge's answer {_cut(text)}: it is not JSON")
    try:
        return parse(text, schema).data
    except AnswerError as error:
        raise NoVerdict(f"no verdict in the judge's answer {_cut(text)}: {error}") from None


def read_verdict(reply: JudgeReply, least: float | None = None) -> Vote:
    """The verdict in ``{"pass": ..., "score": ..., "reason": ...}``.

    ``pass`` must be there. A score is by default 1 or 0; one that says the opposite of ``pass`` is no verdict.

    Args:
        least: The score that passes, if the judge's prompt is the user's own and may ask for a score alone.

    Raises:
        NoVerdict: There is none.
    """
    data = read_as(reply, _READ if least is None else _SCORED)
    if "pass" not in data and least is not None:
        data["pass"] = float(data["score"]) >= least
        if data["score"] in (0, 1):
            # That is the threshold's verdict, which a score at an end cannot contradict.
            return Vote(data["pass"], float(data["score"]), _reason(data))
    passed = data["pass"]
    score = float(data.get("score", passed))
    if not 0 <= score <= 1:
        raise NoVerdict(f"the judge gave the score {score:.9g}, which is not between 0 and 1")
    if score == 1 - passed:
        said = "pass with a score of 0" if passed else "fail with a score of 1"
        raise NoVerdict(f"the judge says {said}, which contradicts itself")
    return Vote(passed, score, _reason(data))


def _reason(data: Any) -> str:
    reason = data.get("reason")
    return "" if reason is None else " ".join(str(reason).split())


def read_yes_or_no(reply: JudgeReply) -> Vote:
    """The verdict of a prompt of the user's own, which by promptfoo's custom ends with Y or N.

    Raises:
        NoVerdict: It ends otherwise, and is no other verdict.
    """
    text = "" if isinstance(reply, ProviderError) else reply.text.rstrip()
    found = re.search(r"(?:^|[^\w])([YN])$", text)
    if found is None or "{" in text:
        return read_verdict(reply)
    passed = found[1] == "Y"
    return Vote(passed, float(passed), " ".join(text_of(reply)[: found.start(1)].split()))


def read_category(reply: JudgeReply) -> tuple[str, str]:
    """A relation of facts, as a letter from A to E, and why: in JSON, or as promptfoo's older prompt asks, ``(C) why``.

    Raises:
        NoVerdict: There is none.
    """
    text = text_of(reply)
    if "{" not in text:
        letters = set(re.findall(r"\(([A-E])\)", text)) or set(re.findall(r"^\s*([A-E])\W*$", text))
        if len(letters) == 1:
            return letters.pop(), " ".join(text.split())
    schema = {"type": "object", "properties": {"category": {"type": "string"}}, "required": ["category"]}
    data = read_as(reply, schema)
    said = data["category"].strip()
    found = re.fullmatch(r"\W*([A-E])(?:\W.*)?|\W*([a-e])\W*", said, re.DOTALL)
    if found is None or len(set(re.findall(r"\b[A-E]\b", said))) > 1:
        raise NoVerdict(f"the judge says the category {data['category'][:40]!r}, which is not one of A to E")
    return (found[1] or found[2]).upper(), str(data.get("reason") or "").strip()


def _cut(text: str, most: int = 80) -> str:
    return repr(text if len(text) <= most else f"{text[: most - 1]}…")


@dataclass(frozen=True, slots=True)
class JudgeQuestion:
    """What a judge is asked, without saying which judge.

    Attributes:
        item: The answer in it, if it may be judged together with others.
        shared: Whether it is about no single case.
        about: What tells it from others that are asked at the same time.
    """

    messages: tuple[Message, ...]
    schema: JSONSchema | None = None
    item: str | None = None
    shared: bool = False
    about: str = ""

    def ask(self, seat: Seat, model: str, vote: int = 0) -> Ask:
        """The question to one model, for the n-th time."""
        request = Request(
            model=model,
            messages=self.messages,
            params=seat.settings.sent(model),
            output_schema=self.schema if seat.settings.structured else None,
            sample=vote,
            origin=Origin(seat.place.check, case=seat.place.case),
        )
        return Ask(request, self.item, seat.settings.batch, self.shared, self.about)


def once(
    seat: Seat, question: JudgeQuestion, spent: Spent
) -> Generator[Sequence[Ask], Sequence[JudgeReply], JudgeReply]:
    """Ask the first judge once; what it cost is noted in ``spent``."""
    ask = question.ask(seat, seat.settings.named(seat.place.check))
    (reply,) = yield [ask]
    spent.note(ask, reply)
    return reply


class Spent:
    """What the calls of one score cost."""

    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        self.calls = 0
        self.cost: Cost | None = None
        self._known = True

    def note(self, ask: Ask, reply: JudgeReply) -> None:
        """Count a call; one that failed cost nothing."""
        if not isinstance(reply, Response):
            return
        self.calls += 1
        cost = self._seat.cost(ask, reply)
        self._known = self._known and cost is not None
        if not self._known or cost is None:
            self.cost = None
        else:
            self.cost = cost if self.cost is None else self.cost + cost

    def on(self, judged: Judged) -> Judged:
        """With the calls and their cost."""
        return replace(judged, calls=self.calls, cost=self.cost)


def graded(
    seat: Seat,
    question: JudgeQuestion,
    read: Callable[[JudgeReply], Vote],
    threshold: float | None,
    spent: Spent | None = None,
) -> Judging:
    """Ask for a verdict, as often as there are votes, and a second judge if the first is unsure.

    The majority of the votes decides; the score is the mean of those that agree to be votes. The answer passes if the
    majority says so and the mean reaches the threshold.
    """
    settings, spent = seat.settings, spent or Spent(seat)
    model = settings.named(seat.place.check)
    votes, place = yield from _vote(seat, question, model, read, spent)
    escalated = settings.second is not None and _unsure(votes, settings.unsure)
    if escalated:
        assert settings.second is not None
        votes, place = yield from _vote(seat, question, settings.second, read, spent)
        model = f"{model}, then {settings.second}"
    valid = [vote for vote in votes if isinstance(vote, Vote)]
    passes = sum(vote.passed for vote in valid)
    shown = tuple(vote.score if isinstance(vote, Vote) else None for vote in votes)
    judged = spent.on(Judged(model, votes=shown, passes=passes, escalated=escalated, place=place))
    majority = len(votes) // 2 + 1
    if passes < majority and len(valid) - passes < majority:
        problem = next(str(vote) for vote in votes if not isinstance(vote, Vote))
        why = problem if len(votes) == 1 else f"no majority: {_counted(votes)}; {problem}"
        return Score("", 0.0, False, why, broken=True, judged=judged)
    agreed = passes >= majority
    value = sum(vote.score for vote in valid) / len(valid)
    reason = next(vote.reason for vote in valid if vote.passed == agreed)
    passed = agreed and (threshold is None or value >= threshold)
    why = reason or ("" if agreed else "the judge gives no reason")
    if agreed and not passed:
        why = f"scored {value:.2f}, below {threshold:g}" + (f": {reason}" if reason else "")
    if len(votes) > 1:
        why = f"{_counted(votes)}: {why}"
    return Score("", value, passed, why, judged=replace(judged, reason=reason))


def _vote(
    seat: Seat, question: JudgeQuestion, model: str, read: Callable[[JudgeReply], Vote], spent: Spent
) -> Generator[Sequence[Ask], Sequence[JudgeReply], tuple[list[Vote | NoVerdict], float | None]]:
    asks = [question.ask(seat, model, vote) for vote in range(seat.settings.votes)]
    replies = yield asks
    found: list[Vote | NoVerdict] = []
    for ask, reply in zip(asks, replies, strict=True):
        spent.note(ask, reply)
        try:
            found.append(read(reply))
        except NoVerdict as error:
            found.append(error)
    return found, seat.session.place_of(asks[0])


def _unsure(votes: Sequence[Vote | NoVerdict], between: tuple[float, float]) -> bool:
    """Whether a judge has no verdict, is of two minds, or gives a score that is neither high nor low."""
    valid = [vote for vote in votes if isinstance(vote, Vote)]
    if len(valid) < len(votes) or len({vote.passed for vote in valid}) > 1:
        return True
    low, high = between
    return low < sum(vote.score for vote in valid) / len(valid) < high


def _counted(votes: Sequence[Vote | NoVerdict]) -> str:
    """``4 of 5 votes pass``, with what is not a vote."""
    passes = sum(isinstance(vote, Vote) and vote.passed for vote in votes)
    without = sum(not isinstance(vote, Vote) for vote in votes)
    return f"{passes} of {len(votes)} votes pass" + (f", {without} without a verdict" if without else "")
