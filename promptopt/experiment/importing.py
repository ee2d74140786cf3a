"""Answers from other tools as recordings: JSONL or CSV rows with ``case`` and ``output``.

Optional columns: ``input`` (the prompt that was really sent, checked against the rendered one), ``input_tokens``,
``output_tokens``, ``cached_tokens``, ``reasoning_tokens`` (or a ``usage`` object in OpenAI's names), ``finish_reason``,
``repetition``, ``model`` (the snapshot that answered) and ``recorded_at``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from promptopt.errors import RecordingError, did_you_mean
from promptopt.experiment.conversation import render_case
from promptopt.experiment.variant import recording_path, sent_params
from promptopt.files import decode, show_path
from promptopt.providers.openai.usage import measured, read_usage
from promptopt.providers.recordings import UNDATED, Recording, RecordingFile
from promptopt.suites import Case, Suite
from promptopt.suites.table import read_rows
from promptopt.templates import Template
from promptopt.values import Rendered, Response, Usage

_COLUMNS = frozenset(
    {
        *("case", "output", "input", "usage", "finish_reason", "repetition", "model", "recorded_at"),
        *("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens"),
    }
)
_CONTEXT = 30
_SNAPSHOT = re.compile(r"(?:[-@](?:\d{4}-\d\d-\d\d|\d{8}|\d{3,4}|\d\d-\d{4}|latest))?(?:-v\d+(?::\d+)?)?")


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did.

    Attributes:
        path: The recording file.
        answers: How many answers were taken.
        counted: How many of them came without usage; their tokens are counted when they are needed.
        missing: Cases of the suite without an answer.
    """

    path: Path
    answers: int
    counted: int
    missing: tuple[str, ...]


def import_answers(file: Path, template: Template, suite: Suite, model: str) -> Imported:
    """Take answers over as recordings of ``model``; all of them, or none if one is wrong.

    Raises:
        RecordingError: A row is broken, its case unknown or there twice, or its input is not the rendered prompt.
    """
    cases = {case.name: case for case in suite.cases}
    found: dict[tuple[str, int], Recording] = {}
    for line, row in _rows(file):
        recording = _recording(row, template, cases, model, show_path(file), line)
        key = recording.case, recording.repetition
        if key in found:
            raise RecordingError(f"a second answer to case {key[0]!r}", path=show_path(file), line=line)
        found[key] = recording
    if not found:
        raise RecordingError("holds no answers", path=show_path(file))
    target = RecordingFile.read(recording_path(suite, template.origin.prompt, template.origin.version))
    target.append(*found.values())
    target.tidy()
    return Imported(
        path=target.path,
        answers=len(found),
        counted=sum(recording.response.usage is None for recording in found.values()),
        missing=tuple(name for name in cases if (name, 0) not in found),
    )


def _rows(file: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    shown = show_path(file)
    try:
        text = decode(file.read_bytes(), shown, RecordingError)
    except OSError as error:
        raise RecordingError(f"cannot be read: {error.strerror}", path=shown) from None
    if file.suffix.lower() == ".csv":
        for line, cells in read_rows(text, shown, RecordingError):
            yield line, {key: value for key, value in cells.items() if value != "" or key == "output"}
        return
    for line, content in enumerate(text.split("\n"), 1):
        if not content.strip():
            continue
        try:
            row = json.loads(content)
        except json.JSONDecodeError as error:
            raise RecordingError(f"is not JSON: {error.msg}", path=shown, line=line) from None
        if not isinstance(row, dict):
            raise RecordingError(f"{content[:60]} is not an object", path=shown, line=line)
        yield line, row


def _recording(
    row: Mapping[str, Any], template: Template, cases: Mapping[str, Case], model: str, shown: str, line: int
) -> Recording:
    def fail(message: str, remedy: str | None = None) -> RecordingError:
        return RecordingError(message, path=shown, line=line, remedy=remedy)

    for column in row:
        if column not in _COLUMNS:
            raise fail(f"unknown column {column!r}.{did_you_mean(column, _COLUMNS)}")
    for column in ("case", "output"):
        if column not in row:
            raise fail(f"has no {column!r}", "each row has `case` and `output`")
    name = str(row["case"])
    if name not in cases:
        raise fail(f"the suite has no case {name!r}.{did_you_mean(name, cases)}")
    if not isinstance(row["output"], str):
        raise fail(f"the output of case {name!r} is {row['output']!r}, not a text")
    rendered = render_case(template, cases[name])
    if "input" in row and (difference := _difference(row["input"], rendered)):
        raise fail(
            f"the input of case {name!r} is not what {template.path} renders to: {difference}",
            "the answer belongs to another prompt, or the template is not the one that was sent",
        )
    try:
        repetition = _count("repetition", row.get("repetition")) or 0
        response, recorded_at = _answer(row, model)
    except (TypeError, ValueError) as error:
        raise fail(f"the answer to case {name!r}: {error}") from None
    params, _ = sent_params(template.front, model)
    request = replace(rendered.request(model, sample=repetition, case=name), params=params)
    return replace(Recording.of(request, response, recorded_at), line=line)


def _answer(row: Mapping[str, Any], model: str) -> tuple[Response, str]:
    """A row's response, and when it was recorded. Raises ValueError or TypeError."""
    answered_by = str(row.get("model") or model)
    if not _is_snapshot(answered_by, model):
        raise ValueError(f"it is of {answered_by!r}, not of {model!r}; name the model of the rows with --model")
    recorded_at = _time(row.get("recorded_at"))
    if recorded_at is None:
        raise ValueError(f"recorded_at: {row['recorded_at']!r} is not a time such as 2026-05-01T10:00:00Z")
    finish_reason = str(row.get("finish_reason") or "stop")
    if finish_reason == "error":
        raise ValueError("finish_reason: the call failed, which is no answer; leave the row out")
    text = row["output"]
    response = Response(
        model=answered_by, text=text, finish_reason=finish_reason, usage=measured(_usage(row), bool(text))
    )
    return response, recorded_at


def _time(value: object) -> str | None:
    """A time as recordings write it, in UTC; ``None`` if it is not one. One without an offset is UTC."""
    if value is None:
        return UNDATED
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    if time is None:
        return None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _is_snapshot(answered: str, asked: str) -> bool:
    """Whether a model that answered is the one that was asked, or a dated snapshot of it."""
    if answered == asked:
        return True
    one, other = _bare(answered), _bare(asked).removesuffix("-latest")
    return one == other or (one.startswith(other) and _SNAPSHOT.fullmatch(one[len(other) :]) is not None)


def _bare(model: str) -> str:
    """A model's name without who serves it: ``models/gemini-2.5-pro``, ``openai/gpt-4o``, ``anthropic.claude-...``."""
    name = model.lower().rpartition("/")[2]
    return re.sub(r"^(?:[a-z]+\.)+(?=[a-z])|^(?:openai|anthropic|google|mistral|groq):", "", name)


# A row's own columns, and what promptopt's recordings call the same.
_COUNTS = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cached_tokens": "cache_read_tokens",
    "reasoning_tokens": "output_reasoning_tokens",
}


def _usage(row: Mapping[str, Any]) -> Usage | None:
    """Tokens of a row's own columns and, for what those do not say, of its ``usage``."""
    given: Any = row.get("usage") or {}
    if not isinstance(given, Mapping):
        raise ValueError(f"usage: {given!r} is not an object")
    columns = {name: _count(column, row.get(column)) for column, name in _COUNTS.items()}
    own = {name: _count(name, given.get(name)) for name in columns}
    for name in ("prompt_tokens", "completion_tokens"):
        _count(name, given.get(name))
    said = read_usage(given)
    # What some count beside the input or the output is part of it here: as the one reader of these objects has it.
    inside = ("input_tokens", "output_tokens")
    found = own | {name: getattr(said, name) for name in columns if said and (name in inside or not own[name])}
    if said and given.get("completion_tokens", own["output_tokens"]) is None:
        found["output_tokens"] = None
    found |= {name: number for name, number in columns.items() if number is not None}
    if found["input_tokens"] is None and found["output_tokens"] is None:
        return None
    if found["input_tokens"] is None or found["output_tokens"] is None:
        raise ValueError("input_tokens and output_tokens are given together, or neither")
    return Usage(**{name: number or 0 for name, number in found.items()})


def _count(name: str, value: object) -> int | None:
    """A whole number of 0 or more; ``None`` if nothing is said."""
    if value is None:
        return None
    try:
        number = int(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else -1
    except ValueError:
        number = -1
    if isinstance(value, float) and value.is_integer():
        number = int(value)
    if number < 0:
        raise ValueError(f"{name}: {value!r} is not a whole number of 0 or more")
    return number


def _difference(given: object, rendered: Rendered) -> str | None:
    """Where an input differs from the rendered prompt; ``None`` if it does not."""
    if isinstance(given, list):
        expected = [{"role": message.role, "content": message.content} for message in rendered.messages]
        if len(given) != len(expected):
            return f"it has {len(given)} messages, the prompt {len(expected)}"
        for number, (one, other) in enumerate(zip(given, expected, strict=True), 1):
            if not isinstance(one, Mapping) or one.get("role") != other["role"]:
                return f"message {number} is not of role {other['role']!r}"
            if place := _first_difference(str(one.get("content")), other["content"]):
                return f"message {number}, {place}"
        return None
    if len(rendered.messages) > 1:
        return f"it is one text, the prompt has {len(rendered.messages)} messages; give a list of {{role, content}}"
    return _first_difference(str(given), rendered.messages[0].content)


def _first_difference(given: str, rendered: str) -> str | None:
    if given == rendered:
        return None
    same = next(
        (i for i, (one, other) in enumerate(zip(given, rendered, strict=False)) if one != other),
        min(len(given), len(rendered)),
    )
    line = rendered.count("\n", 0, same) + 1
    column = same - (rendered.rfind("\n", 0, same) + 1) + 1
    start = max(0, same - _CONTEXT)
    return (
        f"line {line}, column {column}: the input has {given[start : same + _CONTEXT]!r}, "
        f"the prompt {rendered[start : same + _CONTEXT]!r}"
    )
