"""Replay: answers out of recordings, and only to the very requests that were recorded."""

from __future__ import annotations

from dataclasses import replace

from promptopt.errors import RecordingError
from promptopt.files import show_path
from promptopt.gateway.call import Call
from promptopt.gateway.flow import Flow, Handler
from promptopt.gateway.provider import answer_of
from promptopt.providers.recordings import RecordingFile


class Replay:
    """Answers every call out of one file. Nothing is sent, so that no layer inside is asked."""

    def __init__(self, file: RecordingFile) -> None:
        self._file = file

    def handle(self, call: Call, inner: Handler) -> Flow:  # noqa: ARG002 - a replay asks nobody
        """Raises RecordingError if there is no recording of this request, or a stale one."""
        yield from ()  # A flow without an effect.
        request = call.request
        status, recording = ("missing", None) if request is None else self._file.status(request)
        if recording is None or status != "fresh":
            case = request.origin.case if request and request.origin else None
            raise RecordingError(f"{status} recording of case {case!r}", path=show_path(self._file.path))
        return replace(answer_of(recording.response), source="replay")
