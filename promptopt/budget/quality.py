"""Quality of recorded answers against the locked one, by the test that ``compare`` uses."""

from __future__ import annotations

from collections.abc import Sequence

from promptopt.experiment.verdict import Quality, QualityEvidence, judge_quality


def judge_recorded(pairs: Sequence[tuple[float, float]], margin: float) -> tuple[Quality, float, float | None]:
    """Whether today's answers are better, not worse, or worse than the locked ones, or neither is shown.

    Args:
        pairs: Of each case whose answer is not the locked one's own request, or all: locked and today's quality.
        margin: Quality (0 to 1) that may be lost.

    Returns:
        The judgement, the mean difference, and the one-sided p-value of "the loss is ``margin`` or more".
    """
    differences = [now - locked for locked, now in pairs]
    mean = sum(differences) / len(differences) if differences else 0.0
    if not any(differences):
        # Recorded answers do not vary: what is the same in every case is the same.
        return "not worse", 0.0, None
    import numpy as np

    from promptopt.experiment import stats

    values = np.array(differences)
    p_value = loss = None
    if len(values) > 1:
        resampled = stats.bootstrap(values[:, None], [lambda means: means[..., 0]])[0]
        p_value, loss = stats.quality_p_value(values, resampled), stats.loss_p_value(values, resampled, margin)
    evidence = QualityEvidence(
        cases=len(values),
        difference=mean,
        p_value=p_value,
        loss_p_value=loss,
        accept_p_value=None,
        deviation=float(values.std(ddof=1)) if len(values) > 1 else 0.0,
        untouched=False,
        all_tied=False,
    )
    return judge_quality(evidence, margin), mean, loss
