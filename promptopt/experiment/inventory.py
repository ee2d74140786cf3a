"""Which recordings are stale, missing, orphaned or broken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from promptopt.call_options import CallOptions
from promptopt.config import Config
from promptopt.errors import PromptoptError, RecordingError, SecretRecorded
from promptopt.experiment.conversation import next_request, render_case
from promptopt.experiment.variant import sent_params
from promptopt.files import show_path
from promptopt.judges.recordings import EVERY_CASE, JudgeFile
from promptopt.providers.recordings import Recording, RecordingFile, answers, what_changed
from promptopt.suites import Case, Suite, list_suites, load_suite
from promptopt.templates import Template, list_prompts, load_prompt
from promptopt.values import Response

ProblemKind = Literal["stale", "missing", "orphaned", "cut off", "secret", "broken"]


@dataclass(frozen=True, slots=True)
class RecordingProblem:
    """One thing that is wrong with recordings.

    Attributes:
        path: The file.
        line: The line in it, if there is one.
        case: The case, if it is about one.
        message: What is wrong, with what changed.
    """

    kind: ProblemKind
    path: str
    line: int | None
    case: str | None
    message: str

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else self.path
        return f"{place}: {self.kind}: {self.message}"


def check_recordings(config: Config, suites: list[str] | None = None) -> tuple[list[RecordingProblem], int]:
    """Everything that is wrong with the recordings of suites (by default all), and the number of good lines.

    Raises:
        SuiteError: A suite cannot be read.
    """
    findings: list[RecordingProblem] = []
    good = 0
    for name in suites or list_suites(config):
        suite = load_suite(name, config=config)
        for path in sorted(suite.recordings.rglob("*.jsonl")):
            found, fresh = _check_file(path, suite, config)
            findings.extend(found)
            good += fresh
        for path in sorted(suite.recordings.with_name("judges").rglob("*.jsonl")):
            found, fresh = _check_judgements(path, suite)
            findings.extend(found)
            good += fresh
    return findings, good


def _read(path: Path, kind: type[RecordingFile]) -> tuple[RecordingFile | None, list[RecordingProblem]]:
    """A file, and what is wrong with it whatever it is about; ``None``: it cannot be read."""
    shown = show_path(path)
    try:
        file = kind.read(path)
    except RecordingError as error:
        problem: ProblemKind = "secret" if isinstance(error, SecretRecorded) else "broken"
        return None, [RecordingProblem(problem, shown, error.line, None, error.message)]
    if not file.cut_off:
        return file, []
    message = "the line is cut off; its answer counts as missing"
    return file, [RecordingProblem("cut off", shown, file.cut_off, None, message)]


def _check_judgements(path: Path, suite: Suite) -> tuple[list[RecordingProblem], int]:
    """What a comparison would not say of judgements: it finds out itself which of them are stale."""
    file, findings = _read(path, JudgeFile)
    if file is None:
        return findings, 0
    cases, shown = {case.name for case in suite.cases} | {EVERY_CASE}, show_path(path)
    lost = [line for line in file.lines.values() if line.case not in cases]
    for line in lost:
        message = f"the suite {suite.name} has no case {line.case!r}"
        findings.append(RecordingProblem("orphaned", shown, line.line, line.case, message))
    return findings, len(file.lines) - len(lost)


def _check_file(path: Path, suite: Suite, config: Config) -> tuple[list[RecordingProblem], int]:
    shown = show_path(path)
    file, findings = _read(path, RecordingFile)
    if file is None:
        return findings, 0
    template = _template_of(path, suite, config)
    if template is None:
        message = f"no prompt has these {len(file.lines)} answers: its file is gone"
        return [*findings, RecordingProblem("orphaned", shown, None, None, message)], 0
    found = list(_check_lines(file, suite, template, shown))
    bad_lines = {finding.line for finding in found if finding.line}
    return [*findings, *found], len(file.lines) - len(bad_lines)


def _check_lines(file: RecordingFile, suite: Suite, template: Template, shown: str) -> Iterator[RecordingProblem]:
    cases = {case.name: case for case in suite.cases}
    for recording in file.lines.values():
        case = cases.get(recording.case)
        if case is None:
            message = f"the suite {suite.name} has no case {recording.case!r}"
            yield RecordingProblem("orphaned", shown, recording.line, recording.case, message)
        elif (changed := _stale(recording, template, case, file)) is not None:
            message = f"case {recording.case!r}, changed since it was recorded: {changed}"
            yield RecordingProblem("stale", shown, recording.line, recording.case, message)
    for model in file.models():
        for name in cases:
            if (name, 0, model) not in file.lines:
                yield RecordingProblem("missing", shown, None, name, f"no answer of {model} to case {name!r}")


def _stale(recording: Recording, template: Template, case: Case, file: RecordingFile) -> str | None:
    try:
        rendered = render_case(template, case)
    except PromptoptError as error:
        return f"the prompt no longer renders: {error}"
    names = [part.partition("=")[0] for part in file.path.stem.split("+")[1:]]
    settings = {name: CallOptions.read(name, recording.params.get(name)) for name in names}
    params, _ = sent_params(template.front, recording.model_requested, settings)
    request = rendered.request(recording.model_requested, sample=recording.repetition, case=case.name)
    request = replace(request, params=params)
    responses: list[Response] = []
    for step in range(recording.step):
        before = file.find(request)
        if before is None or not answers(before, request):
            return f"step {step} of the case, which this one follows"
        responses.append(before.response)
        try:
            following = next_request(template, case, request, responses)
        except PromptoptError as error:
            return f"the prompt no longer renders: {error}"
        if following is None:
            return f"the case ends with step {step}"
        request = following
    return None if answers(recording, request) else what_changed(recording, request)


def _template_of(path: Path, suite: Suite, config: Config) -> Template | None:
    """The prompt whose answers are in a recording file; ``None`` if it is gone."""
    label = path.relative_to(suite.recordings).with_suffix("").as_posix()
    for prompt in list_prompts(config):
        for version, file in prompt.versions:
            if label.partition("+")[0] == (f"{prompt.name}/{version}" if version else prompt.name):
                return load_prompt(file, config=config)
    outside = Path.cwd() / f"{label.partition('+')[0]}.j2"
    return load_prompt(outside, config=config) if outside.is_file() else None
