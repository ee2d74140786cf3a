"""How strategies are set, and what each needs of a log."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

import numpy as np

from promptopt.auditing.evidence import EffortEvidence, LabelEvidence
from promptopt.auditing.log import CallLog, Flags

StrategyName = Literal[
    "waste", "exact-cache", "single-flight", "semantic-cache", "provider-cache", "layout", "output-cap",
    "structured-output", "compression", "smaller-model", "lower-effort", "cascade", "batch", "flex",
]  # fmt: skip
STRATEGIES: tuple[StrategyName, ...] = (
    "waste", "exact-cache", "single-flight", "semantic-cache", "provider-cache", "layout", "output-cap",
    "structured-output", "compression", "smaller-model", "lower-effort", "cascade", "batch", "flex",
)  # fmt: skip
"""In the order of the waterfall."""


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """How strategies are set.

    Attributes:
        ttl_s: Seconds that an exact cache keeps an answer.
        lifetime_s: Seconds that a provider keeps a prefix.
        renew: Whether use renews it.
        minimum: KindTokens below which a provider keeps nothing.
        cap: Output cap in tokens.
        no_wait: Tags and prompts whose calls nobody waits for.
        to_model: The smaller model.
        input_ratio: Input tokens after compression, by before, as measured.
        output_ratio: Output tokens with structured output, by those without, as measured.
        to_effort: The lower reasoning effort, for quality labels in the log.
        effort_ratio: Reasoning tokens at a lower effort, by those before, as measured.
        model_evidence: Where it was shown that the smaller model does the job.
        semantic_threshold: Cosine from which on two questions may share an answer.
        semantic_calibration: The file that has it; ``None`` if it was given as a number.
        false_hits: The calibration's bound of the share of wrong answers among hits.
        cascade: Models of a measured cascade, the cheapest first; calls for its last one go through it.
        escalated: Share of the calls that each of its models gets, as measured; the first gets all.
        cascade_steps: Its steps as the gateway's settings have them, in TOML.
        cascade_evidence: Where that was measured.
    """

    ttl_s: float = 3600.0
    lifetime_s: float = 300.0
    renew: bool = True
    minimum: int = 1024
    cap: int | None = None
    no_wait: tuple[str, ...] = ()
    to_model: str | None = None
    input_ratio: float | None = None
    output_ratio: float | None = None
    to_effort: str | None = None
    effort_ratio: float | None = None
    model_evidence: str | None = None
    semantic_threshold: float | None = None
    semantic_calibration: str | None = None
    false_hits: float | None = None
    cascade: tuple[str, ...] = ()
    escalated: tuple[float, ...] = ()
    cascade_steps: str = ""
    cascade_evidence: str | None = None


def needs(
    log: CallLog,
    settings: AuditSettings,
    labels: LabelEvidence | None = None,
    effort: EffortEvidence | None = None,
) -> dict[StrategyName, str]:
    """What each strategy needs that is not there; one that can be assessed is not in it.

    Args:
        labels: What quality labels in the log say of the smaller model; ``effort`` of the lower effort.
    """
    timed = None if log.timed.any() else "the time of each call"
    digests = None if log.has_digests else "requests, or their digests"
    no_latency = not bool(np.isfinite(log.latency_s).any())
    found: dict[StrategyName, str | None] = {
        "waste": None if "failed" in log.known else "the status of each call",
        "exact-cache": timed or digests,
        "single-flight": timed or digests or ("how long each call took" if no_latency else None),
        "semantic-cache": timed or _semantic_needs(log, settings),
        "provider-cache": timed or (None if log.has_blocks else "prompts as texts, or digests of their prefix blocks"),
        "layout": timed or (None if len(log.lines) else "requests as texts"),
        "output-cap": None if settings.cap is not None else "a cap: --cap TOKENS",
        "structured-output": None
        if settings.output_ratio is not None
        else "a measured ratio: promptopt compare, then --output-ratio",
        "compression": None
        if settings.input_ratio is not None
        else "a measured ratio: promptopt compare, then --input-ratio",
        "smaller-model": None
        if settings.to_model and (settings.model_evidence or (labels is not None and labels.shown.any()))
        else _MODEL_NEEDS
        if labels is None or not labels.judged
        else labels.lacking,
        "lower-effort": None
        if settings.effort_ratio is not None or (effort is not None and effort.shown.any())
        else _EFFORT_NEEDS
        if effort is None
        else effort.lacking,
        "cascade": None
        if settings.cascade or (labels is not None and np.isfinite(labels.escalated).any())
        else "a measured cascade: promptopt compare --model A --model B --json with [tool.promptopt.gateway] cascade, "
        "then --cascade FILE; or quality labels of the smaller model's answers in the log, and --to-model",
        "batch": None if no_wait(log, settings).any() else "which calls nobody waits for: --no-wait TAG",
        "flex": None if no_wait(log, settings).any() else "which calls nobody waits for: --no-wait TAG",
    }
    return {name: text for name, text in found.items() if text is not None}


_MODEL_NEEDS = (
    "an A/B run over the same cases: promptopt compare --model A --model B, then --to-model B --evidence FILE; or "
    "quality labels of both models' answers in the log, and --to-model B"
)
_EFFORT_NEEDS = (
    "a measured ratio: promptopt compare of both efforts, then --effort-ratio; or quality labels of answers at both "
    "efforts in the log, and --to-effort low"
)


def _semantic_needs(log: CallLog, settings: AuditSettings) -> str | None:
    if settings.semantic_threshold is None:
        return "a calibrated threshold: promptopt cache calibrate pairs.csv, then --semantic FILE"
    if not len(log.question):
        return "requests as texts that end in a user's message"
    if find_spec("wordllama") is None:
        return "the local embedder: pip install 'promptopt-llm[semantic]'"
    return None


def no_wait(log: CallLog, settings: AuditSettings) -> Flags:
    """Calls that nobody waits for, by the log or by the settings."""
    found = np.asarray(log.waits == 0)
    for column in ("tag", "prompt"):
        codes = [code for code, name in enumerate(log.names[column]) if name in settings.no_wait]
        found = found | np.isin(log.codes[column], codes)
    return np.asarray(found)
