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
from promptopt.providers import make_provider
from promptopt.providers.recordings import RecordingFile
from promptopt.structured.build import Structured
from promptopt.structured.field_sources import Evidence, from_model
from promptopt.suites import Suite, load_suite, suite_of
from promptopt.templates import Template
from promptopt.templates.readers import OverlayReader
from promptopt.values import CallOptions, Message, Origin, Request

_QUESTION = (
    "Below is a prompt that is sent to a language model. Write the JSON schema of its answers: an object with one "
    "property for each value that the prompt asks for, enums where it lists values. Answer with the schema only.\n\n"
)
_SCHEMA_TOKENS = 2_000


@dataclass(frozen=True, slots=True)
class Proof:
    """What a suite says of the proposals.

    Attributes:
        comparison: The prompt against each of them.
        chosen: The recommended one; ``None`` where there is none.
        statement: Why, in one line.
    """

    comparison: Comparison
    chosen: Structured | None
    statement: str

    @property
    def recommended(self) -> bool:
        return self.chosen is not None


def proposed_template(proposal: Structured, version: str | None = None) -> Template:
    """The proposal as a prompt that can be rendered, under the version it would be written as.

    Raises:
        TemplateError: It does not compile, which is a fault of the edits and not of the user.
    """
    template = proposal.template
    name = str(Path(template.name).with_name(proposal.path.name))
    origin = Origin(template.origin.prompt, version or (proposal.path.stem if template.origin.version else None))
    return Template.load(name, OverlayReader(template.reader, name, proposal.source), origin)


def prove(proposals: Sequence[Structured], suite: Suite, *, margin: float | None = None, **options: Any) -> Proof:
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
        if pair.decision.verdict in ("improved", "equivalent")
    ]
    if good:
        pair, proposal = min(good, key=lambda found: _cost(comparison, found[0].candidate))
        return Proof(
            comparison,
            proposal,
            f"recommended: {pair.candidate} ({pair.decision.verdict}); {_saving(comparison, pair.candidate)}",
        )
    said = [f"{pair.candidate} is {pair.decision.verdict} ({'; '.join(pair.reasons)})" for pair in comparison.pairs]
    return Proof(comparison, None, f"not recommended: {', and '.join(said)}")


def _reasons(proposal: Structured) -> bool:
    return any(item.name == "reasoning" for item in proposal.fields)


def _cost(comparison: Comparison, label: str) -> float:
    summary = next(variant for variant in comparison.variants if variant.prompt == label)
    return summary.usd_per_1k_calls if summary.usd_per_1k_calls is not None else summary.output_tokens or 0.0


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
    """Output tokens of a prompt's recorded answers, on average; ``None`` where none are recorded."""
    try:
        files = recordings_of(template, suite)
    except UsageError:
        return None
    usages = [line.response.usage for file in files for line in file.lines.values()]
    counts = [usage.output_tokens for usage in usages if usage is not None]
    return sum(counts) / len(counts) if counts else None


def ask_model(template: Template, model: str) -> Evidence:
    """The fields that a model proposes for a prompt.

    Raises:
        ProviderError: It did not answer.
        SchemaError: Its answer holds no usable schema.
    """
    request = Request(
        model=model,
        messages=(Message("user", _QUESTION + template.source),),
        params=CallOptions(temperature=0, max_output_tokens=_SCHEMA_TOKENS),
    )
    provider = make_provider(model)
    try:
        return from_model(provider.complete(request).text, model)
    finally:
        provider.close()


__all__ = ["Proof", "ask_model", "proposed_template", "prove", "recorded_tokens", "recordings_of"]
