"""Record: every answer is on disk before anybody sees it."""

from __future__ import annotations

from promptopt.gateway.call import Call
from promptopt.gateway.flow import Flow, Handler
from promptopt.gateway.provider import response_of
from promptopt.providers.recordings import Recording, RecordingFile


class Record:
    """Passes calls on and appends their answers to one file, which its owner tidies afterwards."""

    def __init__(self, file: RecordingFile) -> None:
        self._file = file

    def handle(self, call: Call, inner: Handler) -> Flow:
        """Raises RecordingError if the answer cannot be kept, and ValueError for a call that has no case."""
        answer = yield from inner(call)
        if call.request is None:
            raise ValueError("only a call that was made from a request can be recorded")
        self._file.append(Recording.of(call.request, response_of(answer, call.request)))
        return answer
