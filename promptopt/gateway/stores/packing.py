"""Answers as bytes, for stores: what came over the wire as it is, and what was read out of it as JSON.

What comes back may have been written by anybody, so that everything is checked.
"""

from __future__ import annotations

import json
from dataclasses import fields
from functools import lru_cache
from operator import attrgetter
from typing import Any, get_args

from promptopt.gateway.body import bodies_in
from promptopt.gateway.call import Answer, UsageBasis, Wire
from promptopt.gateway.stores.base import KeptAnswer
from promptopt.values import Usage

_counts = attrgetter(*(field.name for field in fields(Usage)))


def pack_parts(answer: Answer) -> tuple[str, str, bytes]:
    """The type of what came over the wire, what was read out of it as JSON, and what came; empty if nothing did."""
    usage = None if answer.usage is None else _counts(answer.usage)
    meta = json.dumps(
        [answer.model, answer.finish_reason, usage, answer.basis, answer.text, answer.sent_to, answer.request_id]
    )
    content, content_type = answer.wire or (b"", "")
    return content_type, meta, content


def unpack(content: bytes, content_type: str, meta: str) -> Answer:
    """The answer that :func:`pack_parts` was made of, now out of a cache.

    Raises:
        ValueError: It is something else: a later version, or somebody else, wrote it.
    """
    if isinstance(content, bytes) and isinstance(meta, str) and len(content) + len(meta) <= _SMALL:
        return _unpacked_small(content, content_type, meta)
    return _unpacked(content, content_type, meta)


def _unpacked(content: bytes, content_type: str, meta: str) -> Answer:
    try:
        # The model that an answer was sent to came later than the rest, and the request's number later still.
        model, reason, usage, basis, text, *later = json.loads(meta)
        counts = None if usage is None else Usage(*map(_count, usage))
    except (TypeError, RecursionError) as error:
        raise ValueError(type(error).__name__) from None
    sent_to, request_id = [*later, "", ""][:2]
    texts = (model, reason, text, sent_to, request_id, content_type)
    if basis not in _BASES or not isinstance(content, bytes) or not all(isinstance(each, str) for each in texts):
        raise ValueError("of another kind")
    return Answer(
        text=text,
        model=model,
        finish_reason=reason,
        usage=counts,
        basis=basis,
        source="cache",
        sent_to=sent_to,
        request_id=request_id,
        wire=Wire(content, content_type) if content_type else None,
    )


_BASES = get_args(UsageBasis)
# Characters and bytes up to which an answer is remembered, so that what is asked often is read once.
_SMALL = 20_000
_unpacked_small = lru_cache(maxsize=512)(_unpacked)


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{value!r} is not a count")
    return value


def made_of_kept(
    key: str, created: Any, expires: Any, prompt: Any, model: Any, excerpt: Any, answer: Answer
) -> KeptAnswer:
    """What a store has of an answer. Raises ValueError if a part is of another kind."""
    times = all(isinstance(each, int | float) and not isinstance(each, bool) for each in (created, expires))
    labels = all(each is None or isinstance(each, str) for each in (prompt, excerpt))
    if not times or not labels or not isinstance(model, str):
        raise ValueError("of another kind")
    return KeptAnswer(key, created, expires, prompt, model, excerpt, answer)


def check_wire(answer: Answer) -> None:
    """Raises ValueError if what came over the wire is not what any client could read."""
    if answer.wire is None:
        return
    content, content_type = answer.wire
    mark = hash((content, content_type))
    if mark in _SOUND:
        return
    try:
        bodies = bodies_in(content, content_type)
    except RecursionError:
        bodies = []
    if not bodies or not all(isinstance(body, dict) for body in bodies):
        raise ValueError("the body is no answer")
    if len(_SOUND) >= _REMEMBERED:
        _SOUND.clear()
    _SOUND.add(mark)


# Bodies that were read once, by their hash; reading a large one again at every hit would cost more than the hit.
_SOUND: set[int] = set()
_REMEMBERED = 10_000


def pack(answer: Answer) -> bytes:
    """A whole answer, for :func:`unpack_whole`."""
    *head, content = pack_parts(answer)
    return json.dumps(head).encode() + b"\n" + content


def unpack_whole(data: bytes) -> Answer:
    """Raises what :func:`unpack` raises."""
    head, _, content = data.partition(b"\n")
    try:
        content_type, meta = json.loads(head)
    except (TypeError, RecursionError) as error:
        raise ValueError(type(error).__name__) from None
    answer = unpack(content, content_type, meta)
    check_wire(answer)
    return answer
