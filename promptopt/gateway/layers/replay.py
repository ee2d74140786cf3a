"""Replay and record: answers out of recordings, and recordings of answers."""

from __future__ import annotations

from promptopt.errors import RecordingError
from promptopt.files import show_path
from promptopt.gateway.call import Answer, Call
from promptopt.gateway.failures import CallFailed
from promptopt.gateway.flow import Flow, Handler
from promptopt.gateway.provider import answer_of, response_of
from promptopt.providers.recordings import Recording, RecordingFile


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
        return answer_of(recording.response)._replace(source="replay")


class Record:
    """Passes calls on and appends their answers to one file, which its owner tidies afterwards.

    A question that the provider's filter takes with an error has a filtered answer, as one has whose answer it takes:
    asked again it would fare no better, and a prompt that sets off the filter is not as good as one that does not.
    """

    def __init__(self, file: RecordingFile) -> None:
        self._file = file

    def handle(self, call: Call, inner: Handler) -> Flow:
        """Raises RecordingError if the answer cannot be kept, and ValueError for a call that has no case."""
        if call.request is None:
            raise ValueError("only a call that was made from a request can be recorded")
        try:
            answer = yield from inner(call)
        except CallFailed as failure:
            if failure.kind != "content_filter":
                raise
            answer = Answer(model=call.request.model, finish_reason="content_filter", finished=False)
        self._file.append(Recording.of(call.request, response_of(answer, call.request)))
        return answer
