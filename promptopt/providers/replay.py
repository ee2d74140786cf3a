"""Two wrappers around recordings: one answers out of them, one writes into them what another provider answers."""

from __future__ import annotations

from promptopt.errors import RecordingError
from promptopt.files import show_path
from promptopt.providers.base import Provider
from promptopt.providers.recordings import Recording, RecordingFile
from promptopt.values import Request, Response


class ReplayProvider:
    """Answers out of recordings, and only to the very requests that were recorded."""

    def __init__(self, file: RecordingFile) -> None:
        self._file = file

    def complete(self, request: Request) -> Response:
        """Raises RecordingError where there is no recording of this request, or a stale one."""
        status, recording = self._file.status(request)
        if recording is None or status != "fresh":
            case = request.origin.case if request.origin else None
            raise RecordingError(f"{status} recording of case {case!r}", path=show_path(self._file.path))
        return recording.response

    def close(self) -> None:
        """There is nothing to give back."""


class RecordingProvider:
    """Passes requests on, and has each answer on disk before it returns it."""

    def __init__(self, inner: Provider, file: RecordingFile) -> None:
        self._inner = inner
        self._file = file

    def complete(self, request: Request) -> Response:
        """Raises what the inner provider raises, and RecordingError where the answer cannot be kept."""
        response = self._inner.complete(request)
        self._file.append(Recording.of(request, response))
        return response

    def close(self) -> None:
        """Sort the file. The inner provider is its owner's to close."""
        self._file.tidy()
