"""A case as several calls of the model: its calls of tools are answered, and the user's turns follow one another.

A prompt that uses ``history`` is rendered again for each turn. To one that does not, the answer and the next turn are
added as further messages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import jinja2

from promptopt.errors import ProviderError, ProviderUnusable, SecretRecorded, TemplateError
from promptopt.experiment.variant import Measurement, Variant
from promptopt.functions import RAISED
from promptopt.providers.base import reads_variables
from promptopt.providers.recordings import Recording, RecordingStatus
from promptopt.scorers import CaseScore, JudgeAccess, SuiteChecks, TurnAnswer
from promptopt.scorers.transform import as_text, transform_of
from promptopt.suites import Case, ToolResults
from promptopt.templates import Template
from promptopt.tokens import TOKENS_PER_REPLY, count_tokens
from promptopt.values import Media, Message, Rendered, Request, Response, Usage, canonical_json, sha256_hex

NO_RESULT = "no_tool_result"
STEP_LIMIT = "step_limit"
# How an answer ends that may go on with the results of its calls.
_GOES_ON = ("tool_calls", "stop", "function_call")
_STAND_IN = "stand-in"
"""How an answer ended that no model gave: what it looks like does not matter."""


@dataclass(frozen=True, slots=True)
class CaseStep:
    """One call of the model within a case.

    Attributes:
        counted_tokens: Input tokens, counted with the priced model's tokenizer.
        repeated_tokens: Those of them with which the request before began, too; 0 for the first.
        asked: Of a conversation, what the user said last.
    """

    request_sha256: str
    counted_tokens: int
    response: Response
    repeated_tokens: int = 0
    asked: str = ""


CaseError = ProviderError | SecretRecorded | TemplateError
"""What ends one case; the others go on."""


@dataclass(frozen=True, slots=True)
class JudgedCase:
    """What all steps of a case are together.

    Attributes:
        response: The last text, the calls of tools of all steps, and what they used.
        repeated_tokens: Input tokens with which the request before began, too; of a conversation.
        warm: What the case costs if a prompt cache serves those; ``None`` if it is not a conversation.
        turns: Of a conversation: what the user said in each turn, and the answer to it.
    """

    response: Response
    measured: Measurement
    score: CaseScore
    repeated_tokens: int = 0
    warm: Measurement | None = None
    turns: tuple[tuple[str, Response], ...] = ()


class Conversed(NamedTuple):
    """What was asked for a case, and what ended it before its end."""

    made: list[tuple[Request, Response]]
    error: CaseError | None = None


class _Uses(NamedTuple):
    """Which of a conversation's variables a prompt uses."""

    user: bool
    history: bool
    exchanges: bool

    @property
    def rendered_again(self) -> bool:
        return self.history or self.exchanges


_known: WeakKeyDictionary[jinja2.Template, _Uses] = WeakKeyDictionary()


def _uses(template: Template) -> _Uses:
    found = _known.get(template.compiled)
    if found is None:
        names = template.variables()
        found = _known[template.compiled] = _Uses("user" in names, "history" in names, "_conversation" in names)
    return found


def render_case(template: Template, case: Case) -> Rendered:
    """The prompt as a case asks it first: of a conversation, with its first turn.

    Raises:
        TemplateError: It does not render, or a conversation cannot begin with it.
    """
    return _render_turn(template, case, 0, (), ()) if case.turns else template.render(case.vars)


def _render_turn(
    template: Template, case: Case, number: int, history: Sequence[Mapping[str, Any]], exchanges: Sequence[Any]
) -> Rendered:
    """The prompt with a turn of the user."""
    turn, uses = case.turns[number], _uses(template)
    if turn.user is None and uses.user and "user" not in turn.vars:
        raise TemplateError(f"uses `user`, which turn {number + 1} does not have", path=template.path)
    rendered = template.render(_variables(case, number, uses, history, exchanges))
    if turn.user is None or uses.user or uses.history:
        return rendered
    if rendered.messages[-1].role == "user":
        raise TemplateError(
            f"turn {number + 1} of the user has no place: the prompt uses neither `user` nor `history` and ends with a "
            "message of the user",
            path=template.path,
            remedy="write {{ user }} in the prompt where the turn belongs; or leave `user` out of the first turn if "
            "the prompt is that turn",
        )
    return replace(rendered, messages=(*rendered.messages, Message("user", turn.user)))


def _stored(case: Case, turns: Sequence[Sequence[Response]]) -> dict[str, str]:
    """The answers of finished turns that later ones have as variables, as the turn's ``transform`` makes them.

    Raises:
        TemplateError: It cannot.
    """
    stored: dict[str, str] = {}
    for turn, steps in zip(case.turns, turns, strict=False):
        if turn.store_as:
            code = (turn.options or {}).get("transform")
            stored[turn.store_as] = text = steps[-1].text
            if code is not None and steps[-1].finish_reason != _STAND_IN:
                try:
                    stored[turn.store_as] = as_text(transform_of(str(code))(text, {"vars": dict(turn.vars)}))
                except RAISED as error:
                    raise TemplateError(f"the answer to keep as {turn.store_as!r}: transform: {error}") from None
    return stored


def _with_stored(template: Template, variables: Mapping[str, Any], stored: Mapping[str, str]) -> dict[str, Any]:
    """Variables with stored answers, which win as in promptfoo, also within the texts of others."""
    found = {**variables, **stored}
    named = [
        name
        for name, value in variables.items()
        if name not in stored and isinstance(value, str) and "{{" in value and any(each in value for each in stored)
    ]
    environment = template.compiled.environment
    for name in named:
        try:
            found[name] = environment.from_string(str(variables[name])).render(found)
        except jinja2.TemplateError as error:
            raise TemplateError(f"the variable {name!r}: {error}", path=template.path) from None
    return found


def _variables(
    case: Case, number: int, uses: _Uses, history: Sequence[Mapping[str, Any]], exchanges: Sequence[Any]
) -> dict[str, Any]:
    turn = case.turns[number]
    found = {**turn.vars, "history": list(history)}
    if uses.exchanges:
        found["_conversation"] = list(exchanges)
    if turn.user is not None:
        found["user"] = turn.user
        if uses.history and not uses.user:
            found["history"].append(_entry(Message("user", turn.user)))
    return found


def _entry(message: Message) -> dict[str, Any]:
    """A message as ``history`` has it. It has all keys, so that a template may ask for each."""
    calls = [call.openai() for call in message.tool_calls] or None
    return {
        "role": message.role,
        "content": message.content,
        "tool_calls": calls,
        "tool_call_id": message.tool_call_id,
    }


def next_request(template: Template, case: Case, request: Request, responses: Sequence[Response]) -> Request | None:
    """What is asked after ``responses``, the last of them to ``request``; ``None`` if the case ends with it.

    Raises:
        TemplateError: The prompt does not render for the next turn.
    """
    response, turns = responses[-1], _by_turn(responses)
    if response.tool_calls:
        answers = _answers(case, turns)
        if answers is None or None in answers or len(turns[-1]) >= case.max_steps:
            return None
        called = Message("assistant", response.text, tool_calls=response.tool_calls)
        results = [
            Message("tool", answer or "", tool_call_id=call.id)
            for call, answer in zip(response.tool_calls, answers, strict=True)
        ]
        origin = request.origin and replace(request.origin, step=len(responses))
        return replace(request, messages=(*request.messages, called, *results), origin=origin)
    if len(turns) >= len(case.turns) or not response.text.strip():
        return None
    return _next_turn(template, case, request, turns)


def _by_turn(responses: Sequence[Response]) -> list[list[Response]]:
    """The responses of each turn: it ends with the one that calls no tool."""
    turns: list[list[Response]] = [[]]
    for number, response in enumerate(responses):
        turns[-1].append(response)
        if not response.tool_calls and number + 1 < len(responses):
            turns.append([])
    return turns


def _next_turn(template: Template, case: Case, request: Request, turns: Sequence[Sequence[Response]]) -> Request:
    """The next turn of the user, after what ``request`` was answered with last."""
    number, steps = len(turns), turns[-1]
    if case.turns[number].alone:
        variables = _with_stored(template, case.turns[number].vars, _stored(case, turns))
        origin = request.origin and replace(request.origin, step=sum(map(len, turns)), variables=variables)
        return replace(request, messages=template.render(variables).messages, origin=origin)
    answer = Message("assistant", steps[-1].text)
    uses, before = _uses(template), request.variables
    # What was called and answered in this turn was added after what its first request has.
    asked = len(request.messages) - sum(1 + len(step.tool_calls) for step in steps[:-1])
    said = next((each for each in reversed(request.messages[:asked]) if each.role == "user"), Message("user", ""))
    given = case.turns[number - 1].user
    history = list(before.get("history", ()))
    if given is None or uses.user or not uses.history:
        history.append(_entry(said if given is None else Message("user", given)))
    history += map(_entry, (*request.messages[asked:], answer))
    exchange = {
        "prompt": [{"role": each.role, "content": each.content} for each in request.messages],
        "input": said.content,
        "output": answer.content,
    }
    exchanges = [*before.get("_conversation", ()), exchange]
    turn = case.turns[number]
    if uses.rendered_again:
        messages = _render_turn(template, case, number, history, exchanges).messages
    elif turn.user is None:
        raise TemplateError(
            f"turn {number + 1} has variables only, and a prompt that uses no `history` is not rendered again for it",
            path=template.path,
            remedy="write `user` in the turn, or use `history` in the prompt",
        )
    else:
        messages = (*request.messages, answer, Message("user", turn.user))
    variables = _variables(case, number, uses, history, exchanges)
    step = sum(map(len, turns))
    origin = request.origin and replace(request.origin, step=step, variables=variables)
    return replace(request, messages=messages, origin=origin)


def _answers(case: Case, turns: Sequence[Sequence[Response]]) -> list[str | None] | None:
    """The results of the last response's calls of tools; ``None`` if nothing answers any."""
    last = turns[-1][-1]
    own = [turn.tool_results for turn in case.turns] or [None]
    results: ToolResults | None = own[len(turns) - 1] or case.tool_results
    if results is None or last.finish_reason not in _GOES_ON:
        return None
    # Those of the case are for all turns that have none of their own.
    same = turns[-1:] if own[len(turns) - 1] else [steps for steps, each in zip(turns, own, strict=False) if not each]
    calls = [call for steps in same for step in steps for call in step.tool_calls]
    return results.answers(calls)[-len(last.tool_calls) :]


def expected_requests(
    template: Template, case: Case, request: Request, earlier: Sequence[Response] = ()
) -> list[Request]:
    """``request`` and the first one of each turn after it, with short answers in the place of the model's.

    Raises:
        TemplateError: The prompt does not render for a turn.
    """
    found, responses = [request], list(earlier)
    while True:
        responses.append(Response(request.model, "ok", finish_reason=_STAND_IN))
        following = next_request(template, case, found[-1], responses)
        if following is None:
            return found
        found.append(following)


def question_digest(variant: Variant, case: Case, sample: int, first: str) -> str:
    """Digest of all that a prompt asks in a case, whatever the model answers: what shapes the answers beside the model.

    Args:
        first: That of the first request.

    Raises:
        TemplateError: The prompt does not render for a turn.
    """
    digest = _turns_digest(variant, case, sample) if case.turns else first
    results = [found for found in (case.tool_results, *(turn.tool_results for turn in case.turns)) if found is not None]
    # A program in the model's place is asked with the variables as well, whatever of them the prompt shows.
    given = canonical_json(_texts(case.given)) if reads_variables(variant.model) else ""
    return sha256_hex("\n".join([digest, given, *map(repr, results)])) if given or results else digest


def _turns_digest(variant: Variant, case: Case, sample: int) -> str:
    request = variant.request(render_case(variant.template, case), case=case.name, sample=sample)
    return sha256_hex("\n".join(each.digest for each in expected_requests(variant.template, case, request)))


def _texts(value: Any) -> Any:
    """Variables as JSON can hold them: of what it has no form for, the text."""
    if isinstance(value, Mapping):
        return {str(key): _texts(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_texts(item) for item in value]
    return value if isinstance(value, str | int | float | Media | None) else str(value)


def case_requests(template: Template, case: Case) -> list[Request]:
    """The requests of a case as far as the prompt makes them: one for each turn, with short answers of the model.

    Raises:
        TemplateError: The prompt does not render for a turn.
    """
    # No model is asked, and none has a part in what is rendered.
    request = render_case(template, case).request(template.front.model or "-", case=case.name)
    return expected_requests(template, case, request) if case.turns else [request]


def case_renderings(template: Template, case: Case) -> list[Mapping[str, Any]]:
    """The variables of each rendering of the prompt for a case: of each turn, if it is rendered again for it.

    Raises:
        TemplateError: As :func:`case_requests`.
    """
    requests = case_requests(template, case)
    again = case.turns and _uses(template).rendered_again
    return [request.variables for request in (requests if again else requests[:1])]


def converse(
    ask: Callable[[Request], Response], template: Template, case: Case, request: Request, earlier: Sequence[Response]
) -> Conversed:
    """Carry a case on from ``request`` to its end, or to the call that failed.

    Raises:
        ProviderUnusable: No further call can succeed; what was answered before is kept by ``ask``.
    """
    responses, made = list(earlier), list[tuple[Request, Response]]()
    following: Request | None = request
    try:
        while following is not None:
            response = ask(following)
            made.append((following, response))
            responses.append(response)
            following = next_request(template, case, following, responses)
    except ProviderUnusable:
        raise
    except (ProviderError, SecretRecorded, TemplateError) as error:
        return Conversed(made, error)
    return Conversed(made)


def turn_reached(case: Case, responses: Sequence[Response]) -> str:
    """``turn 2 of 3: ``, the turn that is asked after ``responses``; empty for a case that is not a conversation."""
    if not case.turns:
        return ""
    return f"turn {sum(not response.tool_calls for response in responses) + 1} of {len(case.turns)}: "


def repeated_tokens(before: Request, request: Request, model: str) -> int:
    """First input tokens of a request with which the request before it began, too: those of whole messages."""
    same = 0
    for one, other in zip(before.messages, request.messages, strict=False):
        if one != other:
            break
        same += 1
    if not same:
        return 0
    counted = count_tokens(request.messages[:same], model, schema=request.output_schema, tools=request.tools)
    return counted.tokens - TOKENS_PER_REPLY


def make_step(
    variant: Variant,
    case: Case,
    request: Request,
    response: Response,
    before: Request | None = None,
    digest: str | None = None,
) -> CaseStep:
    """One call as a step of its case, after the request ``before`` it.

    Args:
        digest: The request's, if it is known already, as of a recording that answers it.
    """
    said = (message.content for message in reversed(request.messages) if message.role == "user")
    return CaseStep(
        digest or request.digest,
        variant.counted_tokens(request),
        response,
        0 if before is None else repeated_tokens(before, request, variant.priced_as),
        next(said, "") if case.turns else "",
    )


def recorded_steps(
    variant: Variant, case: Case, request: Request
) -> tuple[list[CaseStep], tuple[RecordingStatus, Recording | None] | None]:
    """The recorded steps of a case, and the status of the first that is not fresh; ``None``: all of it is recorded."""
    steps: list[CaseStep] = []
    before: Request | None = None
    following: Request | None = request
    while following is not None:
        status, file = variant.recorded(following)
        recording = file.find(following)
        if recording is None or status != "fresh":
            return steps, (status, recording)
        steps.append(make_step(variant, case, following, recording.response, before))
        before = following
        following = next_request(variant.template, case, following, [step.response for step in steps])
    return steps, None


def whole_response(case: Case, responses: Sequence[Response]) -> Response:
    """The responses of all steps as one: the last text, the calls of all, and what they used together.

    Its finish reason says if the case ended at a call without a result, or at the limit of steps.
    """
    return _as_one(case, _by_turn(responses), responses)


def _as_one(case: Case, turns: Sequence[Sequence[Response]], responses: Sequence[Response]) -> Response:
    """Some responses as one, the last of which is the last of ``turns``."""
    last, reason = responses[-1], responses[-1].finish_reason
    if last.tool_calls:
        answers = _answers(case, turns)
        if answers is not None:
            reason = NO_RESULT if None in answers else STEP_LIMIT
        elif len(turns) < len(case.turns):
            reason = NO_RESULT
    if len(responses) == 1 and reason == last.finish_reason:
        return last
    usages = [response.usage for response in responses if response.usage is not None]
    durations = [response.duration_s for response in responses if response.duration_s is not None]
    return replace(
        last,
        finish_reason=reason,
        tool_calls=tuple(call for response in responses for call in response.tool_calls),
        usage=sum(usages[1:], usages[0]) if len(usages) == len(responses) else None,
        duration_s=sum(durations) if len(durations) == len(responses) else None,
    )


def measure_steps(variant: Variant, steps: Sequence[CaseStep], cacheable: int | None = None) -> Measurement:
    """The tokens and the cost of all steps of a case.

    Args:
        cacheable: What :meth:`Variant.cacheable` says, if there is a prompt cache: it serves that of each call, or what
            the call before began with, whichever is more.
    """
    first, *others = (
        variant.measure(
            step.counted_tokens,
            step.response,
            None if cacheable is None else max(cacheable, variant.kept_tokens(step.repeated_tokens)),
        )
        for step in steps
    )
    return sum(others, first)


def judge_steps(
    variant: Variant,
    checks: SuiteChecks,
    name: str,
    steps: Sequence[CaseStep],
    cacheable: int | None = None,
    *,
    timed: bool = False,
    judges: JudgeAccess | None = None,
) -> JudgedCase:
    """What the steps of a case are together: one response, what it cost, and its score.

    Args:
        timed: Whether latencies are judged.
        judges: Whom asserts ask that ask models.
    """
    case, front = checks.case(name), variant.template.front
    turns = _by_turn([step.response for step in steps])
    outcome = whole_response(case, [step.response for step in steps])
    measured = measure_steps(variant, steps, cacheable)

    def judged(response: Response) -> Response:
        return response if timed or response.duration_s is None else replace(response, duration_s=None)

    said: list[TurnAnswer] = []
    history: list[dict[str, Any]] = []
    done = 0
    for number in range(len(turns) if case.turns else 0):
        own = steps[done : done + len(turns[number])]
        done += len(own)
        response = judged(_as_one(case, turns[: number + 1], turns[number]))
        variables = {
            **_with_stored(variant.template, case.turns[number].vars, _stored(case, turns[:number])),
            "turn": number + 1,
            "user": own[0].asked,
            "history": tuple(history),
        }
        said.append(TurnAnswer(response, variables, measure_steps(variant, own, cacheable).judged_cost))
        history += map(_entry, (Message("user", own[0].asked), *_spoken(case, turns[: number + 1])))
    score = checks.score(
        name,
        judged(outcome),
        front.answer,
        measured.judged_cost,
        front.tools,
        said,
        judges,
        lambda: render_case(variant.template, case).text,
    )
    if not case.turns:
        return JudgedCase(outcome, measured, score)
    warm = measured if cacheable is not None else measure_steps(variant, steps, variant.cacheable())
    exchanged = tuple(
        (str(each.variables["user"]) if turn.user is None else turn.user, each.response)
        for turn, each in zip(case.turns, said, strict=False)
    )
    return JudgedCase(outcome, measured, score, sum(step.repeated_tokens for step in steps), warm, exchanged)


def _spoken(case: Case, turns: Sequence[Sequence[Response]]) -> list[Message]:
    """The messages of the last of these turns after the user's."""
    found: list[Message] = []
    for number, step in enumerate(turns[-1], 1):
        found.append(Message("assistant", step.text, tool_calls=step.tool_calls))
        answers = _answers(case, [*turns[:-1], turns[-1][:number]]) if step.tool_calls else None
        for call, answer in zip(step.tool_calls, answers or (), strict=False):
            found.append(Message("tool", answer or "", tool_call_id=call.id))
    return found


def most_usage(template: Template, case: Case, request: Request, cap: int, earlier: Sequence[Response] = ()) -> Usage:
    """The most that a case may use from ``request`` on: every answer as long as its cap, and every result of tools."""
    done = len(_by_turn(earlier)[-1]) if earlier and earlier[-1].tool_calls else 0
    number = sum(not response.tool_calls for response in earlier)
    own = [turn.tool_results for turn in case.turns] or [None]
    used, carried = Usage(), 0
    for first, each in enumerate(expected_requests(template, case, request, earlier)):
        results = own[number + first] or case.tool_results
        messages = tuple(Message("tool", result.text) for result in results.results) if results else ()
        added = cap + (count_tokens(messages, request.model).tokens if messages else 0)
        left = 1 if results is None else case.max_steps - (0 if first else done)
        tokens = count_tokens(each).tokens + carried
        used += Usage(input_tokens=left * tokens + added * left * (left - 1) // 2, output_tokens=left * cap)
        carried += left * added
    return used
