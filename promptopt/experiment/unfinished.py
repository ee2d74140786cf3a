"""What a run that asks for everything has answered, kept until it ends: if it is broken off, the next one goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from promptopt.errors import RecordingError
from promptopt.files import lock, replace_file, show_path
from promptopt.gateway.call import Call
from promptopt.gateway.flow import Flow, Handler
from promptopt.values import Request, sha256_hex

_Answered = tuple[str, str, int, str]
"""Model, case, repetition and the digest of the request."""


class UnfinishedRun:
    """The calls of one recording file that a run has answered since it began; a layer that is around the recording.

    They are in a file until the run ends. A second run while one is on its way shares nothing with it.
    """

    def __init__(self, folder: Path, recordings: Path) -> None:
        """What is left of a run that was broken off; nothing if there was none, or if it is on its way.

        Args:
            folder: Where such files are.
            recordings: The file whose calls they are.

        Raises:
            RecordingError: The file cannot be read.
        """
        self.path = folder / f"{sha256_hex(str(recordings.resolve()))[:16]}.jsonl"
        self._answered: set[_Answered] = set()
        self._descriptor: int | None = None
        try:
            descriptor = os.open(self.path, os.O_RDONLY)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise RecordingError(f"cannot be read: {error.strerror}", path=show_path(self.path)) from None
        with os.fdopen(descriptor, "rb") as file:
            if lock(descriptor, wait=False):
                self._answered = set(_read(file.read()))

    def answered(self, request: Request) -> bool:
        """Whether the run that was broken off has the answer to this very request."""
        return _key(request) in self._answered

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """While calls are made. If another run is on its way, or the disk takes no file, nothing is kept of it."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        except OSError:
            yield
            return
        try:
            if lock(descriptor, wait=False):
                self._descriptor = descriptor
            yield
        finally:
            self._descriptor = None
            os.close(descriptor)

    def handle(self, call: Call, inner: Handler) -> Flow:
        """Passes a call on, and keeps that it was answered."""
        answer = yield from inner(call)
        if self._descriptor is not None and call.request is not None:
            # What is not kept is asked for again, no more. The line end comes first, so that a line that a crash cut
            # off takes no other with it.
            with suppress(OSError):
                os.write(self._descriptor, f"\n{json.dumps(_key(call.request))}\n".encode())
        return answer

    def end(self, models: Collection[str]) -> None:
        """Forget what was answered by these models: the run has ended, and the next one asks for everything."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY)
        except OSError:
            return
        with os.fdopen(descriptor, "rb") as file:
            if not lock(descriptor, wait=False):
                return
            rest = [key for key in _read(file.read()) if key[0] not in models]
        if rest:
            replace_file(self.path, "".join(f"{json.dumps(key)}\n" for key in rest), RecordingError)
        else:
            self.path.unlink(missing_ok=True)


def _key(request: Request) -> _Answered:
    case = request.origin.case if request.origin else None
    return request.model, case or "", request.sample, request.digest


def _read(data: bytes) -> Iterator[_Answered]:
    for line in data.splitlines():
        try:
            model, case, sample, digest = json.loads(line)
        except ValueError:
            # A line that a crash cut off: the call counts as not answered.
            continue
        yield str(model), str(case), int(sample), str(digest)
