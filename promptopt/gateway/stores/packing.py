"""Answers as stores keep them: what came over the wire as it is, and what was read out of it as JSON."""

from __future__ import annotations

import json
from dataclasses import fields
from operator import attrgetter

from promptopt.gateway.call import Answer, Wire
from promptopt.values import Usage

_counts = attrgetter(*(field.name for field in fields(Usage)))
_NO_WIRE = Wire(b"", "")


def pack_meta(answer: Answer) -> str:
    """What was read out of an answer, as JSON."""
    usage = None if answer.usage is None else _counts(answer.usage)
    return json.dumps([answer.model, answer.finish_reason, usage, answer.basis, answer.text, answer.sent_to])


def wire_of(answer: Answer) -> Wire:
    """What came over the wire; empty texts if nothing did."""
    return answer.wire or _NO_WIRE


def unpack(content: bytes, content_type: str, meta: str) -> Answer:
    """The answer that :func:`pack_meta` was made of, now out of a cache.

    Raises:
        ValueError: A later version packed it in another way; ``TypeError`` likewise.
    """
    # The model that an answer was sent to came later than the rest.
    model, reason, usage, basis, text, *later = json.loads(meta)
    return Answer(
        text=text,
        model=model,
        finish_reason=reason,
        usage=None if usage is None else Usage(*usage),
        basis=basis,
        source="cache",
        sent_to=later[0] if later else "",
        wire=Wire(content, content_type) if content_type else None,
    )


def pack(answer: Answer) -> bytes:
    """A whole answer, for :func:`unpack_whole`."""
    wire = wire_of(answer)
    return json.dumps([wire.content_type, pack_meta(answer)]).encode() + b"\n" + wire.content


def unpack_whole(data: bytes) -> Answer:
    """Raises what :func:`unpack` raises."""
    head, _, content = data.partition(b"\n")
    content_type, meta = json.loads(head)
    return unpack(content, content_type, meta)
