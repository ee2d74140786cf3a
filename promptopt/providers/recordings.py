"""Recorded answers: one JSONL file for each prompt version, committed, so that CI needs no key and no network.

A line is appended the moment its answer is there, so that a crash loses nothing; :meth:`RecordingFile.tidy` sorts the
file when a run ends. A line contains no rendered message, header, price or secret.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from sys import intern
from typing import Any, ClassVar, Literal, Self

from promptopt.errors import RecordingError, SecretRecorded
from promptopt.files import append_lines, decode, lines_of, locked_file, replace_file, show_path
from promptopt.providers.base import answer_source
from promptopt.secrets import find_secret
from promptopt.values import Media, Request, Response, ToolCall, Usage, canonical_json, sha256_hex

FORMAT_VERSION = 1
UNDATED = "undated"
"""In the place of a time that nobody knows: of an answer that another tool recorded without one."""

# What a recording has a digest of, as messages name it.
_DIGESTS = {
    "output_schema_sha256": "the output schema",
    "tools_sha256": "the tools",
    "variables_sha256": "the case's variables",
    "version": "the program that answers",
}

# What a recording has of what its provider looks at beside the request.
_SOURCE = frozenset({"variables_sha256", "version"})

_known_params: dict[str, Mapping[str, Any]] = {}
_MOST_PARAMS = 64

RecordingStatus = Literal["fresh", "stale", "missing"]
RecordingKey = tuple[str, int, str] | tuple[str, int, str, int]
"""Case, repetition and model that was asked for, and the step after the first: a file keeps one line for each."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One recorded answer.

    Attributes:
        prompt: Label of the prompt and version, ``reviews@v1``.
        repetition: 0 for the first answer to the case.
        request_sha256: Digest of the request that was answered.
        params: The request's parameters; of a schema, its digest.
        recorded_at: When it was answered, in UTC, ISO 8601 to the second, or :data:`UNDATED`.
        step: 0 for the first call of the case, 1 for the next one with the results of tools, and so on.
    """

    prompt: str
    case: str
    repetition: int
    request_sha256: str
    model_requested: str
    params: Mapping[str, Any]
    response: Response
    recorded_at: str
    line: int | None = field(default=None, compare=False)
    step: int = 0

    @property
    def key(self) -> RecordingKey:
        return _key(self.case, self.repetition, self.model_requested, self.step)

    @classmethod
    def of(cls, request: Request, response: Response, recorded_at: str | None = None) -> Recording:
        """The recording of an answer to ``request``, which knows its case by its origin."""
        if request.origin is None or request.origin.case is None:
            raise ValueError("only the request of a case can be recorded")
        return cls(
            prompt=request.origin.label,
            case=request.origin.case,
            repetition=request.sample,
            request_sha256=request.digest,
            model_requested=request.model,
            params=recorded_params(request),
            response=response,
            recorded_at=recorded_at or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            step=request.origin.step,
        )

    def to_json(self) -> str:
        """The line, without its end."""
        duration = self.response.duration_s
        answer: dict[str, Any] = {"text": self.response.text, "finish_reason": self.response.finish_reason}
        if self.response.tool_calls:
            answer["tool_calls"] = [asdict(call) for call in self.response.tool_calls]
        if self.response.logprobs:
            answer["logprobs"] = list(self.response.logprobs)
        return _json_line(
            {
                "v": FORMAT_VERSION,
                "prompt": self.prompt,
                "case": self.case,
                "repetition": self.repetition,
                **({"step": self.step} if self.step else {}),
                "request_sha256": self.request_sha256,
                "model_requested": self.model_requested,
                "model_returned": self.response.model,
                "params": dict(self.params),
                "response": answer,
                "usage": None if self.response.usage is None else asdict(self.response.usage),
                "latency_ms": None if duration is None else round(duration * 1000, 1),
                "recorded_at": self.recorded_at,
            }
        )

    @classmethod
    def from_json(cls, row: Any, line: int) -> Recording:
        """Raises KeyError, TypeError or ValueError if a field is missing or wrong."""
        if row["v"] != FORMAT_VERSION:
            raise ValueError(f"its format version is {row['v']!r}, this promptopt reads {FORMAT_VERSION}")
        usage, answer = row["usage"], row["response"]
        # What a file repeats in every line is held once.
        return cls(
            prompt=intern(str(row["prompt"])),
            case=intern(str(row["case"])),
            repetition=int(row["repetition"]),
            request_sha256=str(row["request_sha256"]),
            model_requested=intern(str(row["model_requested"])),
            params=_shared_params(dict(row["params"])),
            response=_shared_response(
                str(row["model_returned"]),
                str(answer["text"]),
                str(answer["finish_reason"]),
                None if usage is None else tuple({**usage}.items()),
                tuple(ToolCall(**call) for call in answer["tool_calls"]) if "tool_calls" in answer else (),
                tuple(map(float, answer["logprobs"])) if "logprobs" in answer else (),
            ),
            recorded_at=intern(str(row["recorded_at"])),
            line=line,
            step=int(row.get("step", 0)),
        )


def _key(case: str, repetition: int, model: str, step: int) -> RecordingKey:
    return (case, repetition, model, step) if step else (case, repetition, model)


@lru_cache(maxsize=1024)
def _shared_response(
    model: str,
    text: str,
    finish_reason: str,
    used: tuple[tuple[str, int], ...] | None,
    tool_calls: tuple[ToolCall, ...],
    logprobs: tuple[float, ...],
) -> Response:
    usage = None if used is None else Usage(**dict(used))
    # Latency is measured live; a recorded one is never reported as this run's.
    return Response(model, text, finish_reason, usage, None, tool_calls, logprobs)


def _shared_params(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same object for the same params; by their text, because ``0 == 0.0 == False``."""
    if len(_known_params) > _MOST_PARAMS:
        _known_params.clear()
    return _known_params.setdefault(repr(params), params)


def _json_line(row: Mapping[str, Any]) -> str:
    text = json.dumps(row, ensure_ascii=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        # Half of a surrogate pair, as from a model that was cut off within an emoji.
        return json.dumps(row)
    return text


def recorded_params(request: Request) -> dict[str, Any]:
    """A request's parameters as a recording keeps them: of a schema and of tools their digests."""
    schema = request.output_schema
    found: dict[str, Any] = {} if schema is None else {"output_schema_sha256": sha256_hex(canonical_json(schema))}
    if request.tools:
        found["tools_sha256"] = sha256_hex(canonical_json([tool.openai() for tool in request.tools]))
    if media := {medium.shown: medium.sha256[:16] for message in request.messages for medium in message.media}:
        found["media_sha256"] = media
    source = answer_source(request)
    if "variables" in source:
        found["variables_sha256"] = sha256_hex(json.dumps(source["variables"], sort_keys=True, default=_as_json))
    if "version" in source:
        found["version"] = source["version"]
    return request.params.to_dict() | found


def _as_json(value: object) -> object:
    return value.canonical() if isinstance(value, Media) else str(value)


def answers(recording: Recording, request: Request) -> bool:
    """Whether a recording answers this very request, and what answered it looks at nothing else than it did then."""
    if recording.request_sha256 != request.digest:
        return False
    if _SOURCE.isdisjoint(recording.params) and not answer_source(request):
        return True
    now = recorded_params(request)
    return all(recording.params.get(name) == now.get(name) for name in _SOURCE)


class RecordingFile:
    """The recordings of one prompt version. Many threads and processes may write to one file: no line is lost.

    Attributes:
        lines: The newest line of each key.
        cut_off: The number of a last line that a crash cut off; its answer counts as missing.
    """

    _line: ClassVar[type[Recording]] = Recording

    def __init__(self, path: Path) -> None:
        """An empty file, which is not there yet; see :meth:`read` for one that may be."""
        self.path = path
        self.lines: dict[RecordingKey, Recording] = {}
        self.cut_off: int | None = None
        self._untidy = False
        self._lock = threading.Lock()

    @classmethod
    def read(cls, path: Path) -> Self:
        """The recordings in a file; one that does not exist is empty.

        Raises:
            RecordingError: It cannot be read, or a line is broken.
            SecretRecorded: A line contains what looks like a secret.
        """
        file = cls(path)
        file._load()
        return file

    @classmethod
    def from_text(cls, text: str, display: str) -> RecordingFile:
        """Recordings that are not a file of the working tree, such as those of a commit; they are only read."""
        file = cls(Path(display))
        file._parse(text, display)
        return file

    def status(self, request: Request) -> tuple[RecordingStatus, Recording | None]:
        """Whether the file has an answer to this very request, to an older form of it (stale), or none."""
        found = self.find(request)
        if found is None:
            return "missing", None
        return ("fresh" if answers(found, request) else "stale"), found

    def find(self, request: Request) -> Recording | None:
        """The recording of this request or of an older form of it."""
        if request.origin is None or request.origin.case is None:
            return None
        return self.lines.get(_key(request.origin.case, request.sample, request.model, request.origin.step))

    def models(self) -> list[str]:
        """The models that recorded answers were asked of."""
        return sorted({key[2] for key in self.lines})

    def append(self, *recordings: Recording) -> None:
        """Put lines on disk at once, all or none; each replaces an older one of its key.

        Raises:
            SecretRecorded: One contains what looks like a secret.
            RecordingError: The disk does not take them; the file stays whole.
        """
        texts = [self._checked(recording) for recording in recordings]
        with self._lock:
            try:
                self._write("".join(f"{text}\n" for text in texts).encode("utf-8"))
            except OSError as error:
                raise RecordingError(
                    f"cannot be written: {error.strerror}",
                    path=show_path(self.path),
                    remedy="what was answered before is kept; make room and run again: it goes on from there",
                ) from None
            self._untidy = True
            self.lines |= {recording.key: recording for recording in recordings}

    def _checked(self, recording: Recording) -> str:
        text = recording.to_json()
        if secret := find_secret(text):
            raise SecretRecorded(
                f"the answer to case {recording.case!r} holds what looks like {secret}; it is not recorded",
                path=show_path(self.path),
                remedy="recordings are committed: keep secrets out of prompts, cases and answers",
            )
        return text

    def tidy(self) -> None:
        """Sort the file by case and repetition, one line for each key; nothing is written if that changes nothing.

        Raises:
            RecordingError: The disk does not take it; the unsorted file stays as it is.
        """
        with self._lock:
            if self._untidy:
                self._rewrite()

    def remove(self, keys: Collection[RecordingKey]) -> None:
        """Take lines out and rewrite the file."""
        with self._lock:
            self._rewrite(without=keys)

    def _load(self, written: dict[RecordingKey, str] | None = None) -> None:
        """Read the file as it is on disk now; what is written for each key goes into ``written``."""
        self.lines, self.cut_off, self._untidy = {}, None, False
        shown = show_path(self.path)
        try:
            data = self.path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise RecordingError(f"cannot be read: {error.strerror}", path=shown) from None
        # What follows the last line end was cut off by a crash, perhaps within a character.
        whole, newline, rest = data.rpartition(b"\n")
        ended = whole.count(b"\n") + (2 if newline else 1)
        text = decode(whole, shown, RecordingError)
        # Of a large file there is one copy while it is read.
        del data, whole
        self._parse(text, shown, written)
        if rest:
            self.cut_off, self._untidy = ended, True

    def _parse(self, text: str, display: str, written: dict[RecordingKey, str] | None = None) -> None:
        previous: RecordingKey | None = None
        for number, line in enumerate(lines_of(text), 1):
            if not line.strip():
                continue
            recording = read_line(line, number, display, self._line)
            if previous is not None and recording.key <= previous:
                self._untidy = True
            previous = recording.key
            self.lines[recording.key] = recording
            if written is not None:
                written[recording.key] = line

    def _write(self, data: bytes) -> None:
        append_lines(self.path, data)
        self.cut_off = None

    def _rewrite(self, without: Collection[RecordingKey] = ()) -> None:
        try:
            with locked_file(self.path, os.O_RDONLY):
                # Another process, or another object, may have added lines since this one read the file.
                written: dict[RecordingKey, str] = {}
                self._load(written)
                for key in without:
                    self.lines.pop(key, None)
                    written.pop(key, None)
                replace_file(self.path, "".join(f"{written[key]}\n" for key in sorted(written)), RecordingError)
        except FileNotFoundError:
            # Somebody took it away.
            self.lines = {}
        except OSError as error:
            raise RecordingError(f"cannot be written: {error.strerror}", path=show_path(self.path)) from None
        self._untidy, self.cut_off = False, None


def read_line(line: str, number: int, display: str, kind: type[Recording] | None = None) -> Recording:
    """The recording in a line of a file.

    Raises:
        RecordingError: It is none.
        SecretRecorded: It contains what looks like a secret.
    """
    try:
        recording = (kind or Recording).from_json(json.loads(line), number)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        what = f"has no {error}" if isinstance(error, KeyError) else str(error)
        raise RecordingError(
            f"not a recording: {what}: {line.strip()[:60]!r}",
            path=display,
            line=number,
            remedy="restore the file from git, or delete the line: its answer then counts as missing",
        ) from None
    if secret := find_secret(line):
        raise SecretRecorded(
            f"the line holds what looks like {secret}",
            path=display,
            line=number,
            remedy="delete the line, and revoke the secret if it is real",
        )
    return recording


class RecordingFiles:
    """The recording files of one run, one object for each path: what is added through one variant, all see."""

    def __init__(self) -> None:
        self._files: dict[Path, RecordingFile] = {}

    def read(self, path: Path) -> RecordingFile:
        """As :meth:`RecordingFile.read`, once for each file."""
        place = path.resolve()
        if place not in self._files:
            self._files[place] = RecordingFile.read(path)
        return self._files[place]


def what_changed(recording: Recording, request: Request) -> str:
    """In what a stale recording's request differs from the one that would be sent now."""
    return "; ".join(_changes(recording, request)) or "its messages (the prompt or the case's variables)"


def _changed_media(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    for shown in sorted({*before, *after}):
        if before.get(shown) != after.get(shown):
            yield f"{shown} {'is new' if shown not in before else 'is gone' if shown not in after else 'has changed'}"


def _changes(recording: Recording, request: Request) -> Iterator[str]:
    now = recorded_params(request)
    for name in sorted({*recording.params, *now}):
        before, after = recording.params.get(name), now.get(name)
        if before != after:
            if name == "media_sha256":
                yield from _changed_media(before or {}, after or {})
            elif name in _DIGESTS:
                yield _DIGESTS[name]
            else:
                yield f"{name} ({'unset' if before is None else before} to {'unset' if after is None else after})"
