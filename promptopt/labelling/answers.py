"""The recorded answers of a suite, one for each text, in an order that says nothing of who gave them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptopt.errors import UsageError
from promptopt.judges.labels import FEWEST_DIGITS
from promptopt.providers.recordings import Recording, RecordingFile
from promptopt.suites import Case, Suite
from promptopt.values import canonical_json, sha256_hex


@dataclass(frozen=True, slots=True)
class ShownAnswer:
    """An answer to a case, as a person sees it.

    Attributes:
        inputs: The case's variables by name, as text; what a conversation says is among them.
        answer_sha256: Of its text, without white space around it.
        places: Repetition and variant of each recorded answer that reads so.
    """

    case: str
    inputs: tuple[tuple[str, str], ...]
    text: str
    answer_sha256: str
    places: tuple[tuple[int, str], ...]

    @property
    def key(self) -> tuple[str, str]:
        """What a label belongs to; a digest may be written with its first digits only."""
        return self.case, self.answer_sha256[:FEWEST_DIGITS]


def answers_to_label(suite: Suite, *, prompts: Collection[str] = (), seed: int = 0) -> list[ShownAnswer]:
    """The recorded answers to a suite's cases. Answers to a case that read the same are one.

    Args:
        prompts: Only answers of these prompts: ``reviews``, or ``reviews@v2``.
        seed: Decides the order. It is by digest, so that answers that are recorded later change nothing of it.

    Raises:
        UsageError: Nothing is recorded.
        RecordingError: A file of recordings cannot be read.
    """
    cases = {case.name: case for case in suite.cases}
    found: dict[tuple[str, str], tuple[str, list[tuple[int, str]]]] = {}
    recordings = [each for path in sorted(suite.recordings.rglob("*.jsonl")) for each in _last_steps(path)]
    models = {each.model_requested for each in recordings}
    for each in recordings:
        text = each.response.output.strip()
        if each.case not in cases or not _wanted(each.prompt, prompts):
            continue
        variant = each.prompt if len(models) == 1 else f"{each.prompt} · {each.model_requested}"
        found.setdefault((each.case, sha256_hex(text)), (text, []))[1].append((each.repetition, variant))
    if not found:
        what = f" of {', '.join(prompts)}" if prompts else ""
        raise UsageError(
            f"no answer{what} to the suite {suite.name} is recorded: record some with `promptopt compare --record`"
        )
    shown = [
        ShownAnswer(case, _inputs(cases[case]), text, digest, tuple(sorted(places)))
        for (case, digest), (text, places) in found.items()
    ]
    return sorted(shown, key=lambda each: sha256_hex(canonical_json([seed, each.case, each.answer_sha256])))


def _wanted(prompt: str, prompts: Collection[str]) -> bool:
    return not prompts or any(prompt == each or prompt.startswith((f"{each}@", f"{each}+")) for each in prompts)


def _last_steps(path: Path) -> list[Recording]:
    """The recordings in a file; of a case of several steps, the last one."""
    last: dict[tuple[str, int, str], Recording] = {}
    for each in RecordingFile.read(path).lines.values():
        key = (each.case, each.repetition, each.model_requested)
        if key not in last or each.step > last[key].step:
            last[key] = each
    return list(last.values())


def _inputs(case: Case) -> tuple[tuple[str, str], ...]:
    said = [(f"turn {number}", turn.user) for number, turn in enumerate(case.turns, 1) if turn.user is not None]
    return (*((name, _text(value)) for name, value in case.vars.items()), *said)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return canonical_json(value) if isinstance(value, list | Mapping) else str(value)
    except TypeError:
        return str(value)
