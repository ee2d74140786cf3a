"""Ids in requests and answers: which things of the provider's a request names, and which an answer has made.

With virtual keys, what one team has made is not another team's to read, end, list or go on from.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from promptopt.gateway.keys import VirtualKey
from promptopt.gateway.stores.owners import OwnersFound

# What the provider keeps: the next part of the path is an id.
_COLLECTIONS = re.compile(
    r"/v1/(?:responses|files|batches|conversations|vector_stores|uploads|fine_tuning/jobs|containers|evals|assistants"
    r"|threads|chat/completions|messages/batches|videos|skills)"
)
# Fields of a request that name what is kept.
_NAMING = frozenset(
    {
        *("file_id", "file_ids", "input_file_id", "training_file", "validation_file"),
        *("vector_store_id", "vector_store_ids", "previous_response_id", "conversation"),
    }
)
# Fields by which a thing of one's own names others that came of it.
_BORN = ("output_file_id", "error_file_id")
# A provider keeps a response for 30 days; all else stays until it is deleted.
_RESPONSE_S = 40 * 86400.0


def owner_of(key: VirtualKey) -> str:
    """Whose is what a key makes: its team's, else its own."""
    return f"key:{key.name}" if key.team is None else f"team:{key.team}"


def lasting_s(identity: str) -> float | None:
    """How long the owner of an id must be known; ``None`` is for good."""
    return _RESPONSE_S if identity.startswith("resp") else None


def collection_of(path: str) -> tuple[str | None, list[str]]:
    """What of a path names a collection, and the parts after it, of which the first is an id."""
    parts = [part for part in path.split("/") if part]
    for length in (3, 2):
        start = "/" + "/".join(parts[:length])
        if _COLLECTIONS.fullmatch(start):
            return start, parts[length:]
    return None, parts[1:]


def named_in(value: Any) -> list[str]:
    """Ids of kept things that a body names."""
    found: list[str] = []
    _note_named(value, "", found)
    return found


def _note_named(value: Any, field: str, found: list[str]) -> None:
    # Of the kinds that JSON has: it is read out of each body, and tests for abstract types would take most of the time.
    if isinstance(value, str):
        if value and field in _NAMING:
            found.append(value)
    elif isinstance(value, list):
        for each in value:
            _note_named(each, field, found)
    elif isinstance(value, dict):
        if field == "conversation" and isinstance(value.get("id"), str):
            found.append(value["id"])
        for name, each in value.items():
            # What a caller notes for itself may be called anything.
            if name != "metadata":
                _note_named(each, name, found)


def made_by(path: str, method: str, body: Any) -> list[str]:
    """Ids that an answer about one's own things, or the making of one, brings."""
    start, rest = collection_of(path)
    if start is None or not isinstance(body, Mapping) or rest[1:] not in ([], ["cancel"], ["complete"]):
        return []
    file = body.get("file")
    found = [body.get("id")] if method == "POST" and not rest else []
    found += [body.get(name) for name in _BORN]
    found += [file.get("id")] if isinstance(file, Mapping) and rest[1:] == ["complete"] else []
    return [each for each in found if isinstance(each, str) and each]


def listed_in(path: str, body: Any) -> list[str] | None:
    """The ids that a list of a collection has; ``None`` for all else."""
    start, rest = collection_of(path)
    data = body.get("data") if isinstance(body, Mapping) else None
    if start is None or rest or not isinstance(data, list):
        return None
    return [str(each.get("id")) for each in data if isinstance(each, Mapping)]


def own_part(body: Mapping[str, Any], owners: OwnersFound, owner: str) -> dict[str, Any]:
    """A list without what is not the owner's."""
    data = [each for each in body["data"] if isinstance(each, Mapping) and owner in owners.get(str(each.get("id")), ())]
    ends = {"first_id": data[0].get("id") if data else None, "last_id": data[-1].get("id") if data else None}
    return {**body, "data": data, **{name: value for name, value in ends.items() if name in body}}
