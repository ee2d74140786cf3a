"""What a prompt costs before anything is called: counted input, and output as recorded or as capped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal

from promptopt.config import Config
from promptopt.errors import TemplateError
from promptopt.experiment.conversation import case_requests, measure_steps, recorded_steps, render_case
from promptopt.experiment.variant import make_variant, sent_params
from promptopt.prices import Price, find_price, find_tier_price
from promptopt.providers.recordings import RecordingFiles
from promptopt.suites import Case, Suite
from promptopt.templates import Template
from promptopt.tokens import Basis, TokenCount, count_tokens
from promptopt.values import Cost, Rendered, Request, Usage

OutputBasis = Literal["recorded", "cap", "unknown"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """Tokens and list cost of one call, a mean over what was rendered; of a conversation, of all its turns.

    Attributes:
        model: The model it is counted and priced for; ``None`` if nothing names one.
        renderings: Over how many renderings (cases) the means are.
        content: Tokens of the messages' texts; ``framing``, ``schema``, ``tools`` and ``media`` come on top.
        smallest: Input tokens of the smallest rendering; ``largest`` of the largest.
        sizes: How many calls of all renderings have how many input tokens, by the tokens.
        output_tokens: Mean of recorded answers, reasoning included, or the cap; ``None`` if neither is known.
        output_cases: Over how many of the renderings, if it is recorded; ``output_model`` is the model that answered.
        service_tier: How the calls are processed, if the prompt says so.
        price: ``None`` if the model is unpriced, at that tier; so is ``batch`` if it has no batch price.
        calls_per_month: From the front matter.
        uncounted: Media that no published rule counts, with why; they are in no number, and nothing is priced.
        calls: Calls of the model per rendering: the turns of a conversation, in which each answer is one token of the
            input after it.
    """

    model: str | None
    encoding: str
    basis: Basis
    renderings: int
    content: float
    framing: float
    schema: float
    tools: float
    smallest: int
    largest: int
    sizes: Mapping[int, int]
    output_tokens: float | None
    output_basis: OutputBasis
    output_cases: int
    output_model: str | None
    service_tier: str | None
    price: Price | None
    batch: Price | None
    calls_per_month: int | None
    media: float = 0.0
    uncounted: tuple[str, ...] = ()
    calls: float = 1.0

    @property
    def input_tokens(self) -> float:
        return self.content + self.framing + self.schema + self.tools + self.media

    def cost(self, price: Price | None) -> Cost | None:
        """List cost of a call at a price; of its input alone if the output is not known."""
        if price is None or self.uncounted:
            return None
        # Of each call by its own size: rates rise with the length of the input.
        input_usd = per_output = Decimal(0)
        for tokens, times in self.sizes.items():
            unit = price.cost(Usage(input_tokens=tokens, output_tokens=1))
            input_usd += times * unit.input_usd
            per_output += times * unit.output_usd
        calls = sum(self.sizes.values())
        return Cost(input_usd / self.renderings, per_output / calls * Decimal(self.output_tokens or 0))


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
    answering = model or template.front.model or config.model
    priced_as = model or config.price_as or answering
    tier = (template.front.params if answering is None else sent_params(template.front, answering)[0]).service_tier
    asked: list[list[Rendered | Request]]
    asked = [[template.render(variables or {})]] if suite is None else [_asked(template, case) for case in suite.cases]
    counts = [[_count(one, priced_as) for one in calls] for calls in asked]
    answered_by, recorded = ("", []) if suite is None else _recorded(template, suite, config, model)
    cap, calls = template.front.params.max_output_tokens, _mean([len(each) for each in asked])
    every = [count for each in counts for count in each]
    sizes = [sum(count.tokens for count in each) for each in counts]
    return Estimate(
        model=priced_as,
        encoding=every[0].encoding,
        basis=max((count.basis for count in every), key=("measured", "counted", "estimated").index),
        renderings=len(counts),
        content=sum(count.content for count in every) / len(counts),
        framing=sum(count.framing for count in every) / len(counts),
        schema=sum(count.schema for count in every) / len(counts),
        tools=sum(count.tools for count in every) / len(counts),
        smallest=min(sizes),
        largest=max(sizes),
        sizes=Counter(count.tokens for count in every),
        output_tokens=_mean(recorded) if recorded else None if cap is None else cap * calls,
        output_basis="recorded" if recorded else "unknown" if cap is None else "cap",
        output_cases=len(recorded),
        output_model=answered_by if recorded else None,
        service_tier=tier,
        price=None if priced_as is None else find_tier_price(priced_as, tier, config=config),
        batch=None if priced_as is None else find_price(priced_as, processing="batch", config=config),
        calls_per_month=template.front.calls_per_month,
        media=sum(count.media for count in every) / len(counts),
        uncounted=tuple(dict.fromkeys(why for count in every for why in count.uncounted)),
        calls=calls,
    )


def _asked(template: Template, case: Case) -> list[Rendered | Request]:
    """What a case asks as far as the prompt alone decides it: a call, or one for each turn."""
    try:
        return [*case_requests(template, case)] if case.turns else [template.render(case.vars)]
    except TemplateError as error:
        message = f"{error.message} (in case {case.name!r})"
        raise TemplateError(message, path=error.path, line=error.line, remedy=error.remedy) from None


def _count(asked: Rendered | Request, model: str | None) -> TokenCount:
    # Not of the prompt as a whole, which names a model of its own.
    return count_tokens(asked, model) if isinstance(asked, Request) else count_tokens(replace(asked, model=model))


def _mean(values: Sequence[int]) -> float:
    return sum(values) / len(values)


def _recorded(template: Template, suite: Suite, config: Config, model: str | None) -> tuple[str, list[int]]:
    """Output tokens of the recorded answers of a model, else of the prompt's own, as the model is billed for them.

    Returns:
        Who answered, and the tokens of each case with an answer that is not stale.
    """
    files = RecordingFiles()
    for answering in dict.fromkeys((model, template.front.model or config.model)):
        if answering is None:
            continue
        variant = make_variant(template, suite, config, model=answering, price_as=model, files=files)
        outputs = []
        for case in suite.cases:
            request = variant.request(render_case(template, case), case=case.name)
            steps, unrecorded = recorded_steps(variant, case, request)
            # A case of tools is one call here, as its input is; a conversation is all of its turns.
            if steps and (unrecorded is None or not case.turns):
                outputs.append(measure_steps(variant, steps if case.turns else steps[:1]).usage.output_tokens)
        if outputs:
            return answering, outputs
    return "", []
