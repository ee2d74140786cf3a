"""Several answers judged by one rubric in one call, in a random order; and calls of one question.

What else is judged in a call may shape a verdict. The order is drawn, and recorded with each verdict, so that
``promptopt judge calibrate`` can say whether the place in a batch has an effect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from promptopt.errors import AnswerError, ProviderError
from promptopt.judges.recordings import Ask
from promptopt.schemas.parse import parse
from promptopt.values import Message, Request, Response, Usage, canonical_json

_SEED = 20_240_513
_ORDER = (
    "Several outputs follow, each with an id. Judge each by itself, as if it were the only one, never one against "
    'another. Answer with JSON: {"verdicts": [{"id": ..., then the keys above}, ...]}, one verdict for each id.'
)


def batches_of(asks: Sequence[Ask]) -> list[list[Ask]]:
    """The questions of each call: those of one rubric and model together, in a random order, the others alone."""
    groups: dict[tuple[Any, ...], list[Ask]] = {}
    alone: list[list[Ask]] = []
    for ask in asks:
        if ask.batched:
            request = ask.request
            groups.setdefault((request.model, ask.prefix, request.params, request.sample, ask.batch), []).append(ask)
        else:
            alone.append([ask])
    for key, group in groups.items():
        size, vote = key[-1], key[-2]
        # Each vote has an order of its own: what the order does is seen in how votes differ.
        mixed = Random(_SEED + vote).sample(group, len(group))  # noqa: S311 - fairness, not secrecy
        alone += [mixed[start : start + size] for start in range(0, len(mixed), size)]
    return alone


def ask_together(
    complete: Callable[[Request], Response], asks: Sequence[Ask]
) -> Iterator[tuple[Ask, Response | ProviderError, float | None]]:
    """Ask one call's questions; each has its own reply, and its place in the batch, 0 to 1.

    A question whose verdict is not in the answer is asked alone.
    """
    if len(asks) == 1 and not asks[0].batched:
        yield asks[0], _reply(complete, asks[0].request), None
        return
    reply = _reply(complete, _together(asks)) if len(asks) > 1 else None
    found = _verdicts(reply, len(asks)) if isinstance(reply, Response) else {}
    for number, ask in enumerate(asks):
        verdict = found.get(number)
        if verdict is None or not isinstance(reply, Response):
            yield ask, reply if isinstance(reply, ProviderError) else _reply(complete, ask.request), None
            continue
        usage = None if reply.usage is None else _share(reply.usage, number, len(asks))
        answer = replace(reply, text=canonical_json(verdict), usage=usage, duration_s=None)
        yield ask, answer, number / (len(asks) - 1)


def _reply(complete: Callable[[Request], Response], request: Request) -> Response | ProviderError:
    try:
        return complete(request)
    except ProviderError as error:
        return error


def _together(asks: Sequence[Ask]) -> Request:
    """One request for several: what all share first, then each output with its id."""
    first = asks[0].request
    *before, last = asks[0].prefix
    outputs = "\n".join(f'<output id="{number + 1}">\n{ask.item}\n</output>' for number, ask in enumerate(asks))
    messages = (*before, Message(last.role, f"{last.content}\n\n{_ORDER}"), Message("user", outputs))
    params = first.params
    if params.max_output_tokens is not None:
        params = replace(params, max_output_tokens=params.max_output_tokens * len(asks))
    return replace(first, messages=messages, params=params, output_schema=_schema(first.output_schema), origin=None)


def _schema(one: Any) -> dict[str, Any] | None:
    if one is None:
        return None
    properties = {"id": {"type": "integer"}, **one["properties"]}
    verdict = {**one, "properties": properties, "required": list(properties)}
    verdict.pop("title", None)
    return {
        "title": "verdicts",
        "type": "object",
        "properties": {"verdicts": {"type": "array", "items": verdict}},
        "required": ["verdicts"],
        "additionalProperties": False,
    }


_READ = {
    "type": "object",
    "properties": {
        "verdicts": {
            "type": "array",
            "items": {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]},
        }
    },
    "required": ["verdicts"],
}


def _verdicts(reply: Response, count: int) -> dict[int, Any]:
    """The verdict of each place; one that is there twice is none."""
    try:
        rows = parse(reply.text, _READ).data["verdicts"]
    except AnswerError:
        return {}
    found: dict[int, Any] = {}
    twice: set[int] = set()
    for row in rows:
        place = row["id"] - 1
        if place in found:
            twice.add(place)
        if 0 <= place < count:
            found[place] = {key: value for key, value in row.items() if key != "id"}
    return {place: row for place, row in found.items() if place not in twice}


def _share(usage: Usage, number: int, count: int) -> Usage:
    """What one of several answers used of a call: the parts add up to the whole."""
    share = {name: _part(getattr(usage, name), number, count) for name in Usage.__slots__}
    # A part of the cached tokens may round above a part of all.
    share["input_tokens"] = max(share["input_tokens"], share["cache_read_tokens"] + share["cache_write_tokens"])
    share["cache_write_1h_tokens"] = min(share["cache_write_1h_tokens"], share["cache_write_tokens"])
    share["output_tokens"] = max(share["output_tokens"], share["output_reasoning_tokens"])
    return Usage(**share)


def _part(whole: int, number: int, count: int) -> int:
    return whole * (number + 1) // count - whole * number // count
