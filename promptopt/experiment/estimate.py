"""What a prompt costs before anything is called: counted input, and output as recorded or as capped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from promptopt.config import Config
from promptopt.errors import UsageError
from promptopt.experiment.variant import make_variant
from promptopt.prices import Price, find_price
from promptopt.suites import Suite
from promptopt.templates import Template
from promptopt.tokens import Basis, TokenCount, count_tokens, tokenizer_for
from promptopt.values import Cost, Rendered, Usage

OutputBasis = Literal["recorded", "cap", "unknown"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """Tokens and list cost of one call, a mean over what was rendered.

    Attributes:
        model: The model it is counted and priced for; ``None`` if nothing names one.
        renderings: Over how many renderings (cases) the means are.
        content: Tokens of the messages' texts; ``framing`` and ``schema`` come on top.
        smallest: Input tokens of the smallest rendering; ``largest`` of the largest.
        output_tokens: Mean of recorded answers, or the cap; ``None`` if neither is known.
        price: ``None`` if the model is unpriced; so is ``batch`` if it has no batch price.
        calls_per_month: From the front matter.
    """

    model: str | None
    encoding: str
    basis: Basis
    renderings: int
    content: float
    framing: float
    schema: float
    smallest: int
    largest: int
    output_tokens: float | None
    output_basis: OutputBasis
    price: Price | None
    batch: Price | None
    calls_per_month: int | None

    @property
    def input_tokens(self) -> float:
        return self.content + self.framing + self.schema

    def cost(self, price: Price | None) -> Cost | None:
        """List cost of a call at a price; of its input alone if the output is not known."""
        if price is None:
            return None
        # Rates are per token, so that a mean of costs is the cost of means; a tier is that of the largest input.
        unit = price.cost(Usage(input_tokens=max(1, self.largest)))
        per_input = unit.input_usd / max(1, self.largest)
        per_output = price.cost(Usage(input_tokens=self.largest, output_tokens=1)).output_usd
        return Cost(per_input * Decimal(self.input_tokens), per_output * Decimal(self.output_tokens or 0))


def estimate(
    template: Template,
    config: Config,
    *,
    variables: Mapping[str, Any] | None = None,
    suite: Suite | None = None,
    model: str | None = None,
) -> Estimate:
    """Count and price a prompt, rendered with ``variables`` or with every case of ``suite``.

    Args:
        model: The model to count and price for; by default the configuration's ``price_as``, the prompt's own, or the
            configuration's.

    Raises:
        TemplateError: The prompt does not render.
    """
    priced_as = model or config.price_as or template.front.model or config.model
    if suite is not None:
        rendered = [template.render(case.vars) for case in suite.cases]
    else:
        rendered = [template.render(variables or {})]
    counts = [_count(one, priced_as) for one in rendered]
    output, output_basis = _output(template, suite, config, priced_as)
    return Estimate(
        model=priced_as,
        encoding=counts[0].encoding,
        basis=counts[0].basis,
        renderings=len(counts),
        content=_mean([count.content for count in counts]),
        framing=_mean([count.framing for count in counts]),
        schema=_mean([count.schema for count in counts]),
        smallest=min(count.tokens for count in counts),
        largest=max(count.tokens for count in counts),
        output_tokens=output,
        output_basis=output_basis,
        price=None if priced_as is None else find_price(priced_as, config=config),
        batch=None if priced_as is None else find_price(priced_as, processing="batch", config=config),
        calls_per_month=template.front.calls_per_month,
    )


def _count(rendered: Rendered, model: str | None) -> TokenCount:
    return count_tokens(rendered.messages, model, schema=rendered.output_schema)


def _mean(values: Sequence[int]) -> float:
    return sum(values) / len(values)


def _output(
    template: Template, suite: Suite | None, config: Config, priced_as: str | None
) -> tuple[float | None, OutputBasis]:
    """Mean output tokens of the fresh recordings of the suite, else the cap."""
    recorded = [] if suite is None else _recorded_outputs(template, suite, config)
    if recorded:
        tokenizer = tokenizer_for(priced_as)
        return _mean([tokenizer.count(text) for text in recorded]), "recorded"
    cap = template.front.params.max_output_tokens
    return (cap, "cap") if cap is not None else (None, "unknown")


def _recorded_outputs(template: Template, suite: Suite, config: Config) -> list[str]:
    try:
        variant = make_variant(template, suite, config)
    except UsageError:
        return []
    texts = []
    for case in suite.cases:
        request = template.render(case.vars).request(variant.model, case=case.name)
        status, file = variant.recorded(request)
        _, recording = file.status(request)
        if status == "fresh" and recording is not None:
            texts.append(recording.response.text)
    return texts
