"""AnswerLabels of people in a comparison: which answers have one, and what they say of a difference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from promptopt.errors import UsageError
from promptopt.experiment.bounds import Floats
from promptopt.experiment.prediction_powered import FEWEST_LABELS, Rectified
from promptopt.experiment.runs import Answered, Run
from promptopt.files import show_path
from promptopt.judges.labels import FEWEST_DIGITS, Label, People, answer_sha256, by_answer, is_tied, read_labels

AnswerLabels = Callable[[Answered], float | None]
"""What people say of an answer, 0 to 1; ``None`` if nobody labelled it."""


@dataclass(frozen=True)
class LabelledAnswers:
    """The labels of a file by case and answer. Those of several people are averaged, each once."""

    labels: tuple[Label, ...]
    path: Path

    @classmethod
    def read(cls, path: Path) -> LabelledAnswers:
        """Raises LabelError if the file cannot be read."""
        return cls(read_labels(path, needed=False), path)

    @cached_property
    def _known(self) -> tuple[dict[tuple[str, str], list[float]], People]:
        return by_answer(label for label in self.labels if label.answer_sha256)

    @property
    def people(self) -> People:
        """How far those agree who labelled."""
        return self._known[1]

    def given(self, trial: Answered) -> list[float]:
        """What people say of an answer, each once; empty if nobody labelled it."""
        known, _ = self._known
        return next((known[key] for key in _keys(trial) if key in known), [])

    def tied(self, trial: Answered) -> bool:
        """Whether people are of two minds about an answer, without a majority."""
        return is_tied(self.given(trial))

    def of(self, runs: Sequence[Run]) -> AnswerLabels:
        """What the labels say of the answers of some runs.

        Raises:
            UsageError: None of them is of any of these answers.
        """

        def value(trial: Answered) -> float | None:
            found = self.given(trial)
            return sum(found) / len(found) if found else None

        if not any(self.given(trial) for run in runs for trial in run.answered):
            raise UsageError(
                f"{show_path(self.path)}: none of its {len(self.labels)} labels is of an answer that is compared here: "
                "case and answer_sha256 must be those of a recorded answer"
            )
        return value


def _keys(trial: Answered) -> list[tuple[str, str]]:
    """What a label may call an answer by: what the scorers read, or the whole text of the response."""
    texts = [trial.score.answer, trial.response.text, trial.response.output]
    return [(trial.case, answer_sha256(text)[:FEWEST_DIGITS]) for text in texts if text is not None]


def labelled_difference(labels: Floats, judged: Floats) -> Rectified | None:
    """A difference of labels that the judged difference of every case predicts; ``None`` with too few labels.

    Args:
        labels: Case by case, ``nan`` for one without a label of both answers.
        judged: The difference of the suite's own quality, ``nan`` for a case without one.
    """
    known = ~np.isnan(judged)
    labelled = known & ~np.isnan(labels)
    if labelled.sum() < FEWEST_LABELS:
        return None
    return Rectified.of(labels[labelled], judged[labelled], judged[known & ~labelled], -1.0, 1.0)


def labelled_p_values(found: Rectified, margin: float, accept: float) -> dict[str, float]:
    """As :func:`promptopt.experiment.evidence.quality_p_values`, of labels."""
    return {
        "quality": min(1.0, 2 * min(found.p_at_most(0.0), found.p_at_least(0.0))),
        "loss": found.p_at_most(-margin),
        "gain": found.p_at_least(margin),
        "accept": found.p_at_most(-accept) if accept else 1.0,
    }
