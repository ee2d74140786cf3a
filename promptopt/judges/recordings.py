"""Recorded answers of judges: ``suites/NAME/judges/PROMPT/VERSION.jsonl``, beside those of the prompts.

A line answers one question about one answer. Its digest covers all that the judge was asked: rubric, answer, model and
settings; whose digest no longer matches is stale. The same question is asked once, whichever prompts it is about.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from promptopt.providers.recordings import Recording, RecordingFile, RecordingKey, recorded_params
from promptopt.suites import Suite
from promptopt.values import Message, Request, canonical_json, sha256_hex

EVERY_CASE = "*"
"""In the place of a case: what is asked once for all cases."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One question to one model.

    Attributes:
        request: What it is asked if it is asked this alone; ``sample`` counts the votes.
        item: What is judged, if several such may be judged in one call; ``None``: this is asked alone.
        batch: How many may.
        shared: Whether it is about no single case.
        about: What tells it from others that are asked at the same time.
    """

    request: Request
    item: str | None = None
    batch: int = 1
    shared: bool = False
    about: str = ""

    @property
    def digest(self) -> str:
        """Of all that shapes the answer. What else is judged in the same call is not part of it."""
        own = self.request.digest
        return sha256_hex(f"{own} in batches of {self.batch}") if self.batched else own

    @property
    def batched(self) -> bool:
        return self.item is not None and self.batch > 1

    @property
    def prefix(self) -> tuple[Message, ...]:
        """What precedes the answer and is the same for all that are judged by one rubric."""
        return self.request.messages[:-1]


@dataclass(frozen=True, slots=True)
class JudgePlace:
    """What a question is about.

    Attributes:
        prompt: The label of the variant whose answer is judged.
        repetition: 0 for its first answer to the case.
        check: The assert as ``NUMBER TYPE``, counted from 1 within the case.
        step: How many questions the assert asked before.
    """

    prompt: str
    case: str
    repetition: int
    check: str
    step: int = 0


@dataclass(frozen=True, slots=True)
class JudgeRecording(Recording):
    """One recorded answer of a judge; ``repetition`` is that of the answer which is judged.

    Attributes:
        check: The assert.
        vote: 0 for the first time that the model was asked this.
    """

    check: str = ""
    vote: int = 0

    @property
    def key(self) -> RecordingKey:
        # Keys are compared with each other when a file is sorted: all have the same parts.
        return (self.case, self.repetition, self.model_requested, self.step, self.check, self.vote)  # type: ignore[return-value]  # one file holds one kind of keys

    def to_json(self) -> str:
        row = json.loads(Recording.to_json(self))
        named = {"v": row.pop("v"), "prompt": row.pop("prompt"), "case": row.pop("case")}
        row.pop("step", None)
        judged = {"assert": self.check, "step": self.step, "vote": self.vote}
        return _one_line({**named, "repetition": row.pop("repetition"), **judged, **row})

    @classmethod
    def from_json(cls, row: Any, line: int) -> JudgeRecording:
        read = Recording.from_json(row, line)
        same: dict[str, Any] = {name: getattr(read, name) for name in Recording.__slots__}
        return cls(**same, check=str(row["assert"]), vote=int(row["vote"]))


def _one_line(row: Mapping[str, Any]) -> str:
    text = json.dumps(row, ensure_ascii=False)
    return text if text.isascii() or _is_text(text) else json.dumps(row)


def _is_text(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


class JudgeFile(RecordingFile):
    """The recorded judgements of the answers to one prompt version."""

    _line: ClassVar[type[Recording]] = JudgeRecording


SEARCHES = ".promptopt"
"""The folder in which a search keeps answers to versions of a prompt that nobody has written down."""


def judge_path(suite: Suite, recordings: Path) -> Path:
    """The file of the judgements of answers that ``recordings`` holds."""
    if SEARCHES in recordings.parts:
        # The judgements of the prompt's own answers stay as they are.
        return recordings.with_name(f"{recordings.stem}.judges.jsonl")
    return suite.recordings.with_name("judges") / recordings.relative_to(suite.recordings)


def asked_params(ask: Ask) -> dict[str, Any]:
    """What a line keeps of a question: settings, and digests that say what has changed if it is stale."""
    found = recorded_params(ask.request) | ({"batch": ask.batch} if ask.batched else {})
    before, last = ask.prefix, ask.request.messages[-1]
    rubric = canonical_json([message.canonical() for message in before])
    return found | {"rubric_sha256": sha256_hex(rubric), "judged_sha256": sha256_hex(last.content)}


_NAMES = {
    "rubric_sha256": "the rubric",
    "judged_sha256": "the answer that is judged, or a variable that the judge is shown",
    "output_schema_sha256": "the schema of the verdict",
}


def what_differs(recording: Recording, ask: Ask) -> str:
    """In what a stale question differs from the one that would be asked now."""
    now, before = asked_params(ask), dict(recording.params)
    before.pop("place", None)
    parts = [
        _NAMES.get(name, f"{name} ({before.get(name, 'unset')} to {now.get(name, 'unset')})")
        for name in sorted({*now, *before})
        if now.get(name) != before.get(name)
    ]
    return "; ".join(parts) or "the messages to the judge"
