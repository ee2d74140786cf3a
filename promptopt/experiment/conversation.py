"""A case as several calls of the model: its calls of tools are answered, until it has an answer of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from promptopt.experiment.variant import Measurement, Variant
from promptopt.providers.recordings import Recording, RecordingStatus
from promptopt.suites import Case
from promptopt.tokens import count_tokens
from promptopt.values import Message, Request, Response, Usage

NO_RESULT = "no_tool_result"
STEP_LIMIT = "step_limit"
# How an answer ends that may go on with the results of its calls.
_GOES_ON = ("tool_calls", "stop", "function_call")


@dataclass(frozen=True, slots=True)
class CaseStep:
    """One call of the model within a case.

    Attributes:
        counted_tokens: Input tokens, counted with the priced model's tokenizer.
    """

    request_sha256: str
    counted_tokens: int
    response: Response


def next_request(case: Case, request: Request, responses: Sequence[Response]) -> Request | None:
    """What is asked after ``responses``, the last of them to ``request``; ``None`` if the case ends with it."""
    response = responses[-1]
    if not _calls_tools(case, response) or len(responses) >= case.max_steps:
        return None
    answers = _answers(case, responses)[-len(response.tool_calls) :]
    if None in answers:
        return None
    called = Message("assistant", response.text, tool_calls=response.tool_calls)
    results = [
        Message("tool", answer or "", tool_call_id=call.id)
        for call, answer in zip(response.tool_calls, answers, strict=True)
    ]
    origin = request.origin and replace(request.origin, step=len(responses))
    return replace(request, messages=(*request.messages, called, *results), origin=origin)


def _calls_tools(case: Case, response: Response) -> bool:
    return case.tool_results is not None and bool(response.tool_calls) and response.finish_reason in _GOES_ON


def _answers(case: Case, responses: Sequence[Response]) -> list[str | None]:
    assert case.tool_results is not None
    return case.tool_results.answers([call for response in responses for call in response.tool_calls])


def converse(
    ask: Callable[[Request], Response], case: Case, request: Request, earlier: Sequence[Response]
) -> list[tuple[Request, Response]]:
    """Carry a case on from ``request`` to its end.

    Raises:
        ProviderError: As ``ask`` does; what was answered before is kept by it.
    """
    responses, made = list(earlier), []
    following: Request | None = request
    while following is not None:
        response = ask(following)
        made.append((following, response))
        responses.append(response)
        following = next_request(case, following, responses)
    return made


def recorded_steps(
    variant: Variant, case: Case, request: Request
) -> tuple[list[CaseStep], tuple[RecordingStatus, Recording | None] | None]:
    """The recorded steps of a case, and the status of the first that is not fresh; ``None``: all of it is recorded."""
    steps: list[CaseStep] = []
    following: Request | None = request
    while following is not None:
        status, file = variant.recorded(following)
        recording = file.find(following)
        if recording is None or status != "fresh":
            return steps, (status, recording)
        steps.append(CaseStep(recording.request_sha256, variant.counted_tokens(following), recording.response))
        following = next_request(case, following, [step.response for step in steps])
    return steps, None


def whole_response(case: Case, responses: Sequence[Response]) -> Response:
    """The responses of all steps as one: the last text, the calls of all, and what they used together.

    Its finish reason says if the case ended at a call without a result, or at the limit of steps.
    """
    last = responses[-1]
    if not _calls_tools(case, last) and len(responses) == 1:
        return last
    usages = [response.usage for response in responses if response.usage is not None]
    durations = [response.duration_s for response in responses if response.duration_s is not None]
    reason = last.finish_reason
    if _calls_tools(case, last):
        reason = NO_RESULT if None in _answers(case, responses) else STEP_LIMIT
    return replace(
        last,
        finish_reason=reason,
        tool_calls=tuple(call for response in responses for call in response.tool_calls),
        usage=sum(usages[1:], usages[0]) if len(usages) == len(responses) else None,
        duration_s=sum(durations) if len(durations) == len(responses) else None,
    )


def measure_steps(variant: Variant, steps: Sequence[CaseStep], cacheable: int | None = None) -> Measurement:
    """The tokens and the cost of all steps of a case."""
    first, *others = (variant.measure(step.counted_tokens, step.response, cacheable) for step in steps)
    return sum(others, first)


def most_usage(case: Case, request: Request, cap: int) -> Usage:
    """The most that a case may use from ``request`` on: every answer as long as its cap, then every result once."""
    tokens = count_tokens(request).tokens
    if case.tool_results is None:
        return Usage(input_tokens=tokens, output_tokens=cap)
    results = tuple(Message("tool", result.text) for result in case.tool_results.results)
    added = cap + (count_tokens(results, request.model).tokens if results else 0)
    left = case.max_steps - (request.origin.step if request.origin else 0)
    return Usage(input_tokens=left * tokens + added * left * (left - 1) // 2, output_tokens=left * cap)
