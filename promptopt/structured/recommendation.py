"""Both versions of a prompt on the same cases: does the structured one keep its quality, and what does it save?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptopt.errors import UsageError
from promptopt.experiment.compare import compare
from promptopt.experiment.comparison import Comparison
from promptopt.experiment.variant import recording_path
from promptopt.providers.recordings import RecordingFile
from promptopt.structured.proposal import Structured
from promptopt.suites import Suite, load_suite, suite_of
from promptopt.templates import Template
from promptopt.templates.readers import OverlayReader
from promptopt.values import Origin


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What a suite says about proposals.

    Attributes:
        comparison: The prompt against each of them.
        chosen: The best one; ``None`` if none is recommended.
        label: How the comparison names it.
    """

    comparison: Comparison
    chosen: Structured | None = None
    label: str = ""

    @property
    def statement(self) -> str:
        """Why, in one line."""
        pairs = {pair.candidate: pair for pair in self.comparison.pairs}
        if self.chosen is not None:
            verdict = pairs[self.label].decision.verdict
            return f"recommended: {self.label} ({verdict}); {_saving(self.comparison, self.label)}"
        said = [f"{name} is {pair.decision.verdict} ({'; '.join(pair.reasons)})" for name, pair in pairs.items()]
        return f"not recommended: {', and '.join(said)}"


def proposed_template(proposal: Structured, version: str | None = None) -> Template:
    """The proposal as a prompt that can be rendered, under the version it would be written as.

    Raises:
        TemplateError: It does not compile, which is a fault of the edits and not of the user.
    """
    template = proposal.template
    name = str(Path(template.name).with_name(proposal.path.name))
    origin = Origin(template.origin.prompt, version or (proposal.path.stem if template.origin.version else None))
    return Template.load(name, OverlayReader(template.reader, name, proposal.source), origin)


def recommend(
    proposals: Sequence[Structured], suite: Suite, *, margin: float | None = None, **options: Any
) -> Recommendation:
    """Compare the prompt with the proposals on a suite; the first one whose quality holds and that costs less wins.

    Args:
        margin: Points of quality that may be lost.
        options: Further arguments of :func:`promptopt.compare`.

    Raises:
        PromptoptError: They cannot be compared.
    """
    names = (
        [None]
        if len(proposals) == 1
        else [f"{p.path.stem}-{'reasoning' if _reasons(p) else 'bare'}" for p in proposals]
    )
    candidates = [proposed_template(proposal, name) for proposal, name in zip(proposals, names, strict=True)]
    comparison = compare(proposals[0].template, *candidates, suite=suite, margin=margin, **options)
    good = [
        (pair, proposal)
        for pair, proposal in zip(comparison.pairs, proposals, strict=True)
        if pair.decision.verdict in ("improved", "equivalent", "not-worse")
    ]
    if not good:
        return Recommendation(comparison)
    pair, proposal = min(good, key=lambda found: _cost(comparison, found[0].candidate))
    return Recommendation(comparison, proposal, pair.candidate)


def _reasons(proposal: Structured) -> bool:
    return any(item.name == "reasoning" for item in proposal.fields)


def _cost(comparison: Comparison, label: str) -> float:
    summary = next(variant for variant in comparison.variants if variant.prompt == label)
    usd = summary.warm_usd_per_1k_calls if summary.warm_cached_tokens is not None else summary.usd_per_1k_calls
    return usd if usd is not None else summary.output_tokens or 0.0


def _saving(comparison: Comparison, label: str) -> str:
    before = comparison.variants[0]
    after = next(variant for variant in comparison.variants if variant.prompt == label)
    if not before.output_tokens or after.output_tokens is None:
        return "no output tokens were measured"
    change = (after.output_tokens / before.output_tokens - 1) * 100
    return f"output tokens {before.output_tokens:.1f} to {after.output_tokens:.1f} ({change:+.0f}%)"


def recordings_of(template: Template, suite: Suite | None) -> list[RecordingFile]:
    """The recorded answers of a prompt on a suite, by default the one named like it.

    Raises:
        UsageError: There is no such suite.
    """
    if suite is None:
        suite = load_suite(suite_of(template.origin.prompt))
    return [RecordingFile.read(recording_path(suite, template.origin.prompt, template.origin.version))]


def recorded_tokens(template: Template, suite: Suite | None) -> float | None:
    """Output tokens of a prompt's recorded answers, on average; ``None`` if none are recorded."""
    try:
        files = recordings_of(template, suite)
    except UsageError:
        return None
    usages = [line.response.usage for file in files for line in file.lines.values()]
    counts = [usage.output_tokens for usage in usages if usage is not None]
    return sum(counts) / len(counts) if counts else None
